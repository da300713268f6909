"""Chunks of the Chat API, a decoder that is run over them, and the plainest turn of all."""

from __future__ import annotations

import json
from typing import Any

from httpx_sse import ServerSentEvent

from codex_client.decode.chat import ChatDecoder
from codex_client.events import Completed, Created, OutputItemAdded, OutputItemDone, OutputTextDelta, ResponseEvent
from codex_client.items import Message

DONE = ServerSentEvent(data="[DONE]")
EMPTY_MESSAGE = Message(role="assistant", content=[])
HELLO = Message(role="assistant", content="Hello")
HELLO_EVENTS = [
    Created("c1", "m1"),
    OutputItemAdded(EMPTY_MESSAGE, 0),
    OutputTextDelta("Hello", 0, 0),
    OutputItemDone(HELLO, 0),
    Completed("c1", None, "stop"),
]


def frame(value: Any, *, event: str | None = None) -> ServerSentEvent:
    return ServerSentEvent(event=event, data=value if isinstance(value, str) else json.dumps(value))


def chunk(delta: Any = None, *, finish: Any = None, index: Any = 0, **fields: Any) -> ServerSentEvent:
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return frame({"id": "c1", "model": "m1", "choices": [choice], **fields})


def text(content: Any, **fields: Any) -> ServerSentEvent:
    return chunk({"content": content}, **fields)


def run(*frames: ServerSentEvent, decoder: ChatDecoder | None = None) -> tuple[list[ResponseEvent], ChatDecoder]:
    """The events of all frames and of the end of the body, as a driver would take them."""
    decoder = decoder or ChatDecoder()
    events = [event for one in frames for event in decoder.feed(one)]
    return events + decoder.feed_eof(), decoder
