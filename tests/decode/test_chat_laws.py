"""Laws of the Chat decoder, over streams that mix everything that servers do, and over JSON that none would send."""

from __future__ import annotations

import json
from typing import Any

import pytest
from httpx_sse import ServerSentEvent
from hypothesis import given, strategies as st

from codex_client.aggregate import CollectedResponse, TurnAccumulator
from codex_client.decode.chat import ChatDecoder
from codex_client.errors import CodexError, MalformedFrameError, StreamClosedError, UnexpectedContentError
from codex_client.events import (
    Completed,
    Created,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    RawEvent,
    ReasoningContentDelta,
    RefusalDelta,
    ResponseEvent,
    ToolCallInputDelta,
)
from codex_client.items import CustomToolCall, FunctionCall, Message, Reasoning

# Streams as servers send them, at their oddest.

WORDS = st.sampled_from(["", "a", "b ", "é", "\n", "{", '"x"', "[DONE]"])
NAMES = st.sampled_from(["f", "g", "", None])
IDS = st.sampled_from(["x", "y", "0", "", None])


def some(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keys)


FUNCTIONS = some(name=NAMES, arguments=WORDS | st.none() | st.just({"k": 1}), input=WORDS)
ENTRIES = some(index=st.sampled_from([0, 1, 2, -1, None]), id=IDS, function=FUNCTIONS, custom=FUNCTIONS)
DETAILS = some(
    type=st.sampled_from(["reasoning.text", "reasoning.summary", "reasoning.encrypted"]),
    index=st.sampled_from([0, 1, None]),
    text=WORDS,
    summary=WORDS,
    signature=st.sampled_from(["", "s"]),
)
PARTS = st.one_of(some(text=WORDS), some(thinking=WORDS | st.lists(some(text=WORDS))), some(refusal=WORDS), WORDS)
DELTAS = some(
    role=st.just("assistant"),
    content=WORDS | st.none() | st.lists(PARTS, max_size=3),
    reasoning=WORDS | st.none() | some(text=WORDS, content=WORDS),
    reasoning_content=WORDS | st.none(),
    reasoning_details=st.lists(DETAILS, max_size=2),
    refusal=WORDS | st.none(),
    tool_calls=st.none() | st.lists(ENTRIES, max_size=3),
    function_call=st.none() | FUNCTIONS,
)
REASONS = st.sampled_from([None, None, None, "", "stop", "tool_calls", "length", "content_filter", "error", "eos"])
CHOICES = some(index=st.sampled_from([0, 0, 0, None, 1]), delta=DELTAS, message=DELTAS, finish_reason=REASONS)
COUNTS = some(prompt_tokens=st.integers(0, 9) | st.none(), completion_tokens=st.integers(0, 9), total_tokens=st.none())
CHUNKS = some(
    id=st.sampled_from(["", "r1", "r2"]),
    model=st.sampled_from(["", "m"]),
    choices=st.lists(CHOICES, max_size=2),
    usage=st.none() | COUNTS,
    error=st.sampled_from([None, None, None, {"message": "no"}]),
)
STREAMS = st.lists(CHUNKS, max_size=12).map(lambda chunks: [json.dumps(chunk) for chunk in chunks])
ENDINGS = st.sampled_from([[], ["[DONE]"], ['{"error":"gone"}'], ['{"broken'], ["[DONE]", '{"choices":[]}']])

# Any JSON, and any JSON behind the keys that the decoder looks at.

# fmt: off
KEYS = [
    "id", "model", "created", "choices", "usage", "error", "object", "x_groq", "index", "delta", "message",
    "finish_reason", "native_finish_reason", "content", "role", "refusal", "reasoning", "reasoning_content",
    "reasoning_details", "tool_calls", "function_call", "function", "custom", "name", "arguments", "input",
    "type", "text", "summary", "signature", "thinking", "prompt_tokens", "completion_tokens", "total_tokens",
    "prompt_tokens_details", "cached_tokens",
]
# fmt: on
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["stop", "error"])
)
WILD = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)
WILD_CHOICES = st.lists(
    st.fixed_dictionaries({"delta": st.dictionaries(st.sampled_from(KEYS), WILD)}) | WILD, max_size=2
)
WILD_CHUNKS = WILD | st.fixed_dictionaries({"choices": WILD_CHOICES})
EVENT_NAMES = st.sampled_from([None, None, "error", "ping"])


def run(
    lines: list[str], *, event: str | None = None, tolerant: bool = False, raw: bool = False
) -> tuple[list[ResponseEvent], ChatDecoder, CodexError | None]:
    """All events, and the error with which the turn ends, told or raised."""
    decoder = ChatDecoder(tolerate_malformed=tolerant, raw_events=raw)
    events: list[ResponseEvent] = []
    try:
        for line in lines:
            events += decoder.feed(ServerSentEvent(event=event, data=line))
        events += decoder.feed_eof()
    except (MalformedFrameError, StreamClosedError) as error:
        return events, decoder, error
    return events, decoder, decoder.failure


def collected(events: list[ResponseEvent]) -> CollectedResponse:
    total = TurnAccumulator()
    total.feed(events)
    return total.response()


def check_order(events: list[ResponseEvent]) -> None:
    """`Created` first and once; per item added, deltas, done; `Completed` last and once, nothing done without it."""
    events = [event for event in events if not isinstance(event, RawEvent)]
    assert [isinstance(event, Created) for event in events] == [index == 0 for index in range(len(events))]
    assert all(not isinstance(event, Completed) for event in events[:-1])
    added: dict[int, Any] = {}
    done: list[int] = []
    for event in events:
        match event:
            case OutputItemAdded():
                assert event.output_index not in added
                added[event.output_index] = event.item
            case OutputTextDelta() | RefusalDelta():
                assert isinstance(added[event.output_index], Message)
            case ReasoningContentDelta():
                assert isinstance(added[event.output_index], Reasoning)
                assert event.content_index == 0
            case ToolCallInputDelta():
                call = added[event.output_index]
                assert isinstance(call, FunctionCall | CustomToolCall)
                assert call.call_id == event.call_id
            case OutputItemDone():
                assert type(event.item) is type(added[event.output_index])
                done.append(event.output_index)
            case _:
                pass
        assert not (done and isinstance(event, OutputItemAdded))
    assert done == (sorted(added) if events and isinstance(events[-1], Completed) else [])


@given(STREAMS, ENDINGS, st.booleans(), st.booleans())
def test_every_stream_keeps_the_order_of_events_and_ends_once(
    lines: list[str], ending: list[str], tolerant: bool, raw: bool
) -> None:
    events, decoder, error = run(lines + ending, tolerant=tolerant, raw=raw)
    check_order(events)
    completed = any(isinstance(event, Completed) for event in events)
    assert completed == (error is None)
    assert decoder.finished == (completed or decoder.failure is not None)
    if decoder.finished:
        assert decoder.feed(ServerSentEvent(data="[DONE]")) == decoder.feed_eof() == []


@given(STREAMS, ENDINGS)
def test_joined_deltas_equal_the_whole_items(lines: list[str], ending: list[str]) -> None:
    events, _, _ = run(lines + ending)
    by_items = collected(events)
    by_deltas = collected([event for event in events if not isinstance(event, OutputItemDone)])
    for part in ("text", "refusal", "reasoning_text", "tool_calls"):
        assert getattr(by_deltas, part) == getattr(by_items, part), part


@given(STREAMS, ENDINGS, st.data())
def test_every_prefix_gives_a_prefix_and_a_whole_response_or_a_typed_error(
    lines: list[str], ending: list[str], data: st.DataObject
) -> None:
    whole, _, _ = run(lines + ending)
    cut = data.draw(st.integers(0, len(lines + ending)))
    events, _, error = run((lines + ending)[:cut])
    assert (error is None) == (bool(events) and isinstance(events[-1], Completed))
    said, all_said = collected(events), collected(whole)
    assert all_said.text.startswith(said.text)
    assert all_said.refusal.startswith(said.refusal)
    assert all_said.reasoning_text.startswith(said.reasoning_text)


@given(STREAMS)
def test_raw_events_change_no_other_event(lines: list[str]) -> None:
    with_raw, _, _ = run(lines, raw=True)
    assert [event for event in with_raw if not isinstance(event, RawEvent)] == run(lines)[0]


@given(st.lists(WILD_CHUNKS.map(json.dumps) | st.text(max_size=20), max_size=5), EVENT_NAMES, st.booleans())
def test_no_frame_breaks_the_decoder(lines: list[str], event: str | None, tolerant: bool) -> None:
    events, _, error = run([*lines, "[DONE]"], event=event, tolerant=tolerant)
    check_order(events)
    assert error is None or isinstance(error, CodexError)
    assert not (tolerant and isinstance(error, MalformedFrameError))


@given(WILD_CHUNKS.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=20))
def test_no_body_breaks_the_decoder(body: bytes) -> None:
    decoder = ChatDecoder(tolerate_malformed=True)
    try:
        events = decoder.feed_body(body)
    except UnexpectedContentError:
        assert not decoder.finished
    else:
        check_order(events)
        assert decoder.finished


@given(STREAMS.filter(bool))
def test_a_whole_answer_gives_what_a_stream_of_that_one_chunk_gives(lines: list[str]) -> None:
    streamed, one, _ = run([lines[0], "[DONE]"])
    decoder = ChatDecoder()
    chunk = json.loads(lines[0])
    if "choices" not in chunk and not chunk.get("error"):
        with pytest.raises(UnexpectedContentError):
            decoder.feed_body(lines[0].encode())
        return
    assert decoder.feed_body(lines[0].encode()) == streamed
    assert type(decoder.failure) is type(one.failure)
