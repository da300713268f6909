"""Recorded turns, what the bridge makes of them, and what that adds up to when it is decoded again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from httpx_sse import ServerSentEvent

from codex_client.aggregate import CollectedResponse
from codex_client.api import ResponseDecoder
from codex_client.bridge.chat_chunks import ChatChunks
from codex_client.bridge.reasoning import SEPARATOR, ReasoningFormat
from codex_client.bridge.requests import BridgedRequest
from codex_client.bridge.responses_events import ResponsesEvents
from codex_client.bridge.usage import known_tier
from codex_client.client.fixtures import load_fixture
from codex_client.client.framer import SseFramer
from codex_client.decode.chat import ChatDecoder
from codex_client.decode.responses import ResponsesDecoder
from codex_client.errors import CodexError, StreamError
from codex_client.events import Created, ResponseEvent
from codex_client.items import Message, OutputText, Reasoning, ResponseItem
from codex_client.prompt import Prompt
from codex_client.testing import check_events
from tests.support.collected import collected

MODEL, CREATED, OWN_ID = "asked-for", 1_700_000_000, "own-1"
# Events that clients of the API need, and the decoder does not.
NEEDLESS = {
    "response.content_part.added",
    "response.content_part.done",
    "response.output_text.annotation.added",
    "response.reasoning_summary_part.done",
}


@dataclass(frozen=True)
class Turn:
    """A recorded stream as its decoder read it."""

    events: list[ResponseEvent]
    failure: CodexError | None

    @property
    def whole(self) -> CollectedResponse:
        return collected(self.events)

    @property
    def told_id(self) -> str:
        """The id that all of an encoded stream has: the server's, where it was told before any output. Some servers
        give each event another.
        """
        told = [event.response_id for event in self.events if isinstance(event, Created) and event.response_id]
        return told[0] if told else OWN_ID

    @property
    def reasoning(self) -> str:
        """All of it that people can read."""
        shown = (shown_text(item) for item in self.whole.items if isinstance(item, Reasoning))
        return SEPARATOR.join(filter(None, shown))

    @property
    def text(self) -> str:
        """That of all messages, as the one message of the Chat API has it."""
        return SEPARATOR.join(item.text for item in self.whole.items if isinstance(item, Message) and item.text)

    @property
    def refusal(self) -> str:
        return SEPARATOR.join(item.refusal for item in self.whole.items if isinstance(item, Message) and item.refusal)


def shown_text(item: Reasoning) -> str:
    """All that people can read of it."""
    return SEPARATOR.join(text for text in (*item.summary_texts, item.text) if text)


def turn_of(path: Path) -> Turn:
    framer = SseFramer()
    frames = framer.feed(load_fixture(path))
    last = framer.feed_eof()
    decoder = ChatDecoder() if "chat" in path.parts else ResponsesDecoder()
    return _decode(decoder, frames if last is None else [*frames, last])


def asked(reasoning_format: ReasoningFormat = ReasoningFormat.REASONING_CONTENT) -> BridgedRequest:
    """A request that wants all there is."""
    return BridgedRequest(prompt=Prompt(""), include_usage=True, reasoning_format=reasoning_format)


def chat_chunks(turn: Turn, request: BridgedRequest | None = None) -> list[dict[str, Any]]:
    encoder = ChatChunks(model=MODEL, created=CREATED, response_id=OWN_ID, request=request or asked())
    chunks = [chunk for event in turn.events for chunk in encoder.feed(event)]
    return chunks if turn.failure is None else chunks + encoder.fail(turn.failure)


def responses_events(turn: Turn) -> list[dict[str, Any]]:
    encoder = ResponsesEvents(model=MODEL, created=CREATED, response_id=OWN_ID)
    events = [each for event in turn.events for each in encoder.feed(event)]
    return events if turn.failure is None else events + encoder.fail(turn.failure)


def decode_chat(chunks: Sequence[dict[str, Any]]) -> Turn:
    return _decode(ChatDecoder(), [ServerSentEvent(data=json.dumps(chunk)) for chunk in chunks])


def decode_responses(events: Sequence[dict[str, Any]]) -> Turn:
    frames = [ServerSentEvent(event=event["type"], data=json.dumps(event)) for event in events]
    decoder = ResponsesDecoder()
    turn = _decode(decoder, frames)
    assert set(decoder.ignored) <= NEEDLESS
    return turn


def _decode(decoder: ResponseDecoder, frames: Iterable[ServerSentEvent]) -> Turn:
    events: list[ResponseEvent] = []
    try:
        for frame in frames:
            events += decoder.feed(frame)
        events += decoder.feed_eof()
    except StreamError as error:
        return Turn(events, error)
    check_events(events)
    return Turn(events, decoder.failure)


def decode_body(decoder: ResponseDecoder, value: dict[str, Any]) -> CollectedResponse:
    events = decoder.feed_body(json.dumps(value).encode())
    check_events(events)
    return collected(events)


def in_responses_terms(response: CollectedResponse) -> CollectedResponse:
    """Without what the bridge adds and what the Responses API has no word for: ids and states of items, annotations of
    which there are none, the served model, limits, the finish reason, a server's own name of a tier.
    """
    items = tuple(map(_bare, response.items))
    tier = known_tier(response.service_tier)
    return replace(response, items=items, model=None, rate_limits=(), finish_reason=None, service_tier=tier)


def _bare(item: ResponseItem) -> ResponseItem:
    fields = item.model_dump(exclude_unset=True)
    for name in ("id", "status"):
        fields.pop(name, None)
    if isinstance(item, Message):
        for part, own in zip(fields["content"], item.content, strict=True):
            if isinstance(own, OutputText):
                part["annotations"], part["logprobs"] = part.get("annotations") or [], part.get("logprobs") or []
    if isinstance(item, Reasoning):
        fields["summary"], fields["content"] = fields.get("summary") or [], fields.get("content") or []
    return type(item).model_validate(fields)


def joined(chunks: Iterable[dict[str, Any]]) -> dict[str, str]:
    """The texts of all deltas, by field, without those that are empty."""
    texts: dict[str, str] = {}
    for delta in deltas(chunks):
        for name in ("content", "refusal", "reasoning_content"):
            if piece := delta.get(name):
                texts[name] = texts.get(name, "") + piece
    return texts


def deltas(chunks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [choice["delta"] for chunk in chunks for choice in chunk.get("choices", ())]


ALL_FORMATS = tuple(ReasoningFormat)
