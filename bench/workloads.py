"""What the server sends: whole streams, shaped as OpenAI's APIs send them, around text of our own. Pure."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from bench.envelopes import (
    CHAT_CHUNK,
    ENCRYPTED,
    MESSAGE_ID,
    OBFUSCATION,
    REASONING_ID,
    TOOL_ID,
    call_item,
    message_item,
    reasoning_item,
    response,
    text_part,
)

_TEXT = (
    "the tide of a harbour rises twice in nearly every day because moon and sun draw on water "
    "while shores basins winds rivers hold it back über naïve coasts 12 25 hours later , . : ; —"
)
_WORDS = _TEXT.split()
# The prompt that asks for a short stream instead, and how long that is.
WARM_UP = "a warm-up"
WARM_UP_EVENTS = 200
CELL_PATHS = "/w/"
_CELL_PATH = re.compile(rf"{CELL_PATHS}[\w/-]+")
_LETTERS = "abcdefghijklmnop "


class Workload(StrEnum):
    """What a stream is about, and over which API."""

    RESPONSES_TEXT = "responses-text"
    RESPONSES_TOOLS = "responses-tools"
    RESPONSES_REASONING = "responses-reasoning"
    CHAT_TEXT = "chat-text"
    CHAT_TOOLS = "chat-tools"

    @property
    def api(self) -> str:
        """responses or chat."""
        return self.partition("-")[0]


class Shape(StrEnum):
    """How a stream is cut into HTTP chunks.

    one-per-chunk: each event is a chunk of its own, written as fast as the socket takes it. 64k: chunks of 64 KiB.
    paced: each event is a chunk and a write of its own, at an even rate. hold: the first event, then nothing.
    """

    ONE_PER_CHUNK = "one-per-chunk"
    COALESCED = "64k"
    PACED = "paced"
    HOLD = "hold"


@dataclass(frozen=True)
class Cell:
    """One stream to be served, and the path that asks for it.

    `events` is the number of frames on the wire, `chars` the length of each delta (0: a word each), `rate` in events
    per second where it is paced, `wait_ms` the time before the headers.
    """

    workload: Workload
    shape: Shape = Shape.ONE_PER_CHUNK
    events: int = 5000
    chars: int = 0
    rate: int = 400
    wait_ms: int = 0

    @property
    def path(self) -> str:
        """What a base URL ends with, such as /w/chat-text/64k/5000x0/400/0/v1."""
        return f"/w/{self.workload}/{self.shape}/{self.events}x{self.chars}/{self.rate}/{self.wait_ms}/v1"

    @classmethod
    def named_in(cls, prompt: str) -> Cell:
        """The cell whose path stands in a text; raises ValueError where none does."""
        if (found := _CELL_PATH.search(prompt)) is None:
            raise ValueError("the prompt names no cell")
        return cls.parse(found.group())

    @classmethod
    def parse(cls, path: str) -> Cell:
        """The cell of a request's path; raises ValueError for a path that `path` did not make."""
        _, mark, workload, shape, size, rate, wait_ms, *_ = path.split("/")
        if mark != "w":
            raise ValueError(f"path {path!r} does not begin with /w/")
        events, _, chars = size.partition("x")
        return cls(Workload(workload), Shape(shape), int(events), int(chars), int(rate), int(wait_ms))


@dataclass(frozen=True)
class Stream:
    """The frames of a whole answer; `text` is what the deltas of text, arguments and reasoning add up to."""

    frames: tuple[bytes, ...]
    text: str

    @property
    def body_bytes(self) -> int:
        """The length of the body, chunk headers not counted."""
        return sum(map(len, self.frames))


@lru_cache(maxsize=4)
def build(workload: Workload, events: int, chars: int = 0) -> Stream:
    """The stream of exactly `events` frames; the same each time."""
    make = _MAKERS[workload]
    around = len(make(("",)).frames) - 1
    if events <= around:
        raise ValueError(f"{events} events are too few for {workload}; it takes {around + 1} and more")
    return make(_pieces(events - around, chars))


def _pieces(count: int, chars: int) -> tuple[str, ...]:
    dice = random.Random(count)
    if chars:
        return tuple("".join(dice.choices(_LETTERS, k=chars)) for _ in range(count))
    return tuple(" " + word for word in dice.choices(_WORDS, k=count))


def _as_json(pieces: tuple[str, ...]) -> tuple[str, ...]:
    """The same number of pieces, of the same lengths but the first and the last, which together are one JSON object."""
    if len(pieces) == 1:
        return ('{"text":""}',)
    return ('{"text":"', *pieces[1:-1], '"}')


def _frame(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {_dump(event)}\n\n".encode()


def _dump(event: dict[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def _padding(delta: str) -> str:
    return OBFUSCATION[: 16 - len(delta) % 16]


def _responses(output: list[dict[str, Any]], body: Iterator[dict[str, Any]], deltas: int, text: str) -> Stream:
    events = [
        {"type": "response.created", "response": response("in_progress", [], 0)},
        {"type": "response.in_progress", "response": response("in_progress", [], 0)},
        *body,
        {"type": "response.completed", "response": response("completed", output, deltas)},
    ]
    return Stream(tuple(_frame({**event, "sequence_number": number}) for number, event in enumerate(events)), text)


def _message(pieces: tuple[str, ...], index: int) -> Iterator[dict[str, Any]]:
    text = "".join(pieces)
    place = {"content_index": 0, "item_id": MESSAGE_ID}
    yield {"type": "response.output_item.added", "item": message_item(None), "output_index": index}
    yield {"type": "response.content_part.added", **place, "output_index": index, "part": text_part("")}
    for piece in pieces:
        yield {
            "type": "response.output_text.delta",
            **place,
            "delta": piece,
            "logprobs": [],
            "obfuscation": _padding(piece),
            "output_index": index,
        }
    yield {"type": "response.output_text.done", **place, "logprobs": [], "output_index": index, "text": text}
    yield {"type": "response.content_part.done", **place, "output_index": index, "part": text_part(text)}
    yield {"type": "response.output_item.done", "item": message_item(text), "output_index": index}


def _call(pieces: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    arguments = "".join(pieces)
    name = "response.function_call_arguments"
    yield {"type": "response.output_item.added", "item": call_item("", "in_progress"), "output_index": 0}
    for piece in pieces:
        delta = {"delta": piece, "item_id": TOOL_ID, "obfuscation": _padding(piece), "output_index": 0}
        yield {"type": f"{name}.delta", **delta}
    yield {"type": f"{name}.done", "arguments": arguments, "item_id": TOOL_ID, "output_index": 0}
    yield {"type": "response.output_item.done", "item": call_item(arguments, "completed"), "output_index": 0}


def _reasoning(pieces: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    text = "".join(pieces)
    place = {"item_id": REASONING_ID, "output_index": 0}
    name = "response.reasoning_summary"
    yield {"type": "response.output_item.added", "item": reasoning_item(None, ""), "output_index": 0}
    part = {"type": "summary_text", "text": ""}
    yield {"type": f"{name}_part.added", **place, "part": part, "summary_index": 0}
    for piece in pieces:
        delta = {"delta": piece, **place, "obfuscation": _padding(piece), "summary_index": 0}
        yield {"type": f"{name}_text.delta", **delta}
    yield {"type": f"{name}_text.done", **place, "summary_index": 0, "text": text}
    yield {"type": f"{name}_part.done", **place, "part": {**part, "text": text}, "summary_index": 0}
    yield {"type": "response.output_item.done", "item": reasoning_item(text, ENCRYPTED), "output_index": 0}


def _responses_text(pieces: tuple[str, ...]) -> Stream:
    text = "".join(pieces)
    return _responses([message_item(text)], _message(pieces, 0), len(pieces), text)


def _responses_tools(pieces: tuple[str, ...]) -> Stream:
    pieces = _as_json(pieces)
    text = "".join(pieces)
    return _responses([call_item(text, "completed")], _call(pieces), len(pieces), text)


def _responses_reasoning(pieces: tuple[str, ...]) -> Stream:
    """Three deltas of the summary to one of the answer."""
    cut = len(pieces) * 3 // 4
    thought, answer = "".join(pieces[:cut]), "".join(pieces[cut:])
    output = [reasoning_item(thought, ENCRYPTED), message_item(answer)]

    def body() -> Iterator[dict[str, Any]]:
        yield from _reasoning(pieces[:cut])
        yield from _message(pieces[cut:], 1)

    return _responses(output, body(), len(pieces), thought + answer)


def _chat(deltas: Iterator[dict[str, Any]], finish_reason: str, count: int, text: str) -> Stream:
    chunks = [
        *(
            {**CHAT_CHUNK, "choices": [_choice(delta, None)], "usage": None, "obfuscation": OBFUSCATION}
            for delta in deltas
        ),
        {**CHAT_CHUNK, "choices": [_choice({}, finish_reason)], "usage": None, "obfuscation": "b7Qe"},
        {**CHAT_CHUNK, "choices": [], "usage": _chat_usage(count), "obfuscation": "9fKd02Lm"},
    ]
    return Stream((*(f"data: {_dump(chunk)}\n\n".encode() for chunk in chunks), b"data: [DONE]\n\n"), text)


def _choice(delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _chat_usage(count: int) -> dict[str, Any]:
    return {
        "prompt_tokens": 11,
        "completion_tokens": count,
        "total_tokens": 11 + count,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _chat_text(pieces: tuple[str, ...]) -> Stream:
    def deltas() -> Iterator[dict[str, Any]]:
        yield {"role": "assistant", "content": "", "refusal": None}
        for piece in pieces:
            yield {"content": piece}

    return _chat(deltas(), "stop", len(pieces), "".join(pieces))


def _chat_tools(pieces: tuple[str, ...]) -> Stream:
    pieces = _as_json(pieces)

    def deltas() -> Iterator[dict[str, Any]]:
        function = {"name": "write_file", "arguments": ""}
        call = {"index": 0, "id": "call_bench", "type": "function", "function": function}
        yield {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None}
        for piece in pieces:
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}

    return _chat(deltas(), "tool_calls", len(pieces), "".join(pieces))


_MAKERS = {
    Workload.RESPONSES_TEXT: _responses_text,
    Workload.RESPONSES_TOOLS: _responses_tools,
    Workload.RESPONSES_REASONING: _responses_reasoning,
    Workload.CHAT_TEXT: _chat_text,
    Workload.CHAT_TOOLS: _chat_tools,
}
