"""Pieces of one text come one after the other, and are told by a short cut; what breaks the row is told as ever."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, strategies as st

from codex_client.client.framer import RawFrames, SseFramer
from codex_client.decode.responses import ResponsesDecoder
from codex_client.errors import MalformedFrameError, StreamClosedError
from codex_client.events import OutputItemDone, OutputTextDelta, ToolCallInputDelta
from codex_client.items import Message, OutputText, ResponseItem
from codex_client.testing import (
    ev_completed,
    ev_created,
    ev_function_arguments_delta,
    ev_item_added,
    ev_refusal_delta,
    ev_text_delta,
    function_call_item,
    message_item,
    sse,
)
from tests.support.responses_stream import collect, decode, decode_frames, decode_runs, events_of, without

FIRST, SECOND = message_item("", item_id="msg_1"), message_item("", item_id="msg_2")
BEGIN = [ev_created(), ev_item_added(FIRST), ev_item_added(SECOND, 1)]


def texts(events: Iterable[Any]) -> list[tuple[str, int, int]]:
    return [
        (event.delta, event.output_index, event.content_index) for event in events if isinstance(event, OutputTextDelta)
    ]


def message_texts(item: ResponseItem) -> list[str]:
    assert isinstance(item, Message)
    return [part.text for part in item.content if isinstance(part, OutputText)]


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.text(min_size=1, max_size=3)), max_size=20))
def test_however_pieces_of_several_parts_are_mixed_each_goes_to_its_own(pieces: list[tuple[int, int, str]]) -> None:
    deltas = [ev_text_delta(text, item, content_index=part, item_id=f"msg_{item + 1}") for item, part, text in pieces]
    frames = SseFramer().feed(sse([*BEGIN, *deltas, ev_completed()]))
    events, _ = decode_runs(frames)
    assert events == decode_frames(frames)[0]
    assert texts(events) == [(text, item, part) for item, part, text in pieces]
    # The server gives no item as a whole, so each is what its pieces make it.
    whole = [message_texts(event.item) for event in events if isinstance(event, OutputItemDone)]
    assert whole == [
        [text for part in (0, 1) if (text := "".join(piece for i, p, piece in pieces if (i, p) == (item, part)))]
        for item in (0, 1)
    ]


@pytest.mark.parametrize("missing", ["output_index", "content_index", "item_id"])
def test_a_piece_that_leaves_something_out_does_not_break_the_row(missing: str) -> None:
    odd = without(ev_text_delta("b"), missing)
    assert texts(events_of(*BEGIN[:2], ev_text_delta("a"), ev_text_delta("A"), odd, ev_text_delta("c"))) == [
        ("a", 0, 0),
        ("A", 0, 0),
        ("b", 0, 0),
        ("c", 0, 0),
    ]


def test_a_broken_frame_in_the_row_is_told_or_counted() -> None:
    broken = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"b\n\n'
    row = [*BEGIN[:2], ev_text_delta("a"), ev_text_delta("A"), broken, ev_text_delta("c")]
    with pytest.raises(MalformedFrameError):
        decode(*row)
    events, decoder = decode(*row, tolerate_malformed=True)
    assert [text for text, *_ in texts(events)] == ["a", "A", "c"]
    assert decoder.malformed == 1


def test_a_row_ends_with_the_turn() -> None:
    events, _ = decode(*BEGIN[:2], ev_text_delta("a"), ev_text_delta("b"), ev_completed(), ev_text_delta("late"))
    assert [text for text, *_ in texts(events)] == ["a", "b"]


def test_all_pieces_of_a_row_are_in_the_answer() -> None:
    assert collect(*BEGIN[:2], *map(ev_text_delta, "abcdef"), ev_completed()).text == "abcdef"


def test_frames_without_names_give_the_same() -> None:
    row = [*BEGIN[:2], *map(ev_text_delta, "abc"), ev_completed()]
    assert decode(*row, names=False)[0] == decode(*row)[0]


BROKEN = {**ev_text_delta("b"), "delta": 7}
# Each after one piece of the first message's text.
ROWS = {
    "text": [ev_text_delta("a"), ev_text_delta("über – ö"), ev_text_delta("c")],
    "another item": [ev_text_delta("a"), ev_text_delta("b", 1), ev_text_delta("c")],
    "another part": [ev_text_delta("a"), ev_text_delta("b", content_index=1), ev_text_delta("c")],
    "another id": [ev_text_delta("a"), ev_text_delta("b", item_id="msg_9"), ev_text_delta("c")],
    "an empty piece": [ev_text_delta("a"), ev_text_delta(""), ev_text_delta("c")],
    "no text": [ev_text_delta("a"), BROKEN, ev_text_delta("c")],
    "no index": [ev_text_delta("a"), without(ev_text_delta("b"), "output_index"), ev_text_delta("c")],
    "another frame": [ev_text_delta("a"), {"type": "response.in_progress"}, ev_text_delta("c")],
    "another kind": [ev_text_delta("a"), ev_refusal_delta("b"), ev_text_delta("c")],
    "the end": [ev_text_delta("a"), ev_completed(), ev_text_delta("c")],
}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_taken_at_once_gives_what_its_frames_give_one_by_one(name: str) -> None:
    frames = SseFramer().feed(sse([*BEGIN, ev_text_delta("0"), *ROWS[name], ev_completed()]))
    events, decoder = decode_runs(frames)
    one_by_one, other = decode_frames(frames)
    assert events == one_by_one
    assert [text for text, *_ in texts(events)][:2] == ["0", "a"]
    assert decoder.ignored == other.ignored


def test_a_row_ends_before_the_first_frame_that_is_none_of_it() -> None:
    pieces = [ev_text_delta("a"), ev_text_delta("b"), ev_text_delta("c", 1), ev_text_delta("d")]
    frames = SseFramer().feed(sse([*BEGIN, ev_text_delta("0"), ev_text_delta("1"), *pieces]))
    assert isinstance(frames, RawFrames)
    decoder = ResponsesDecoder()
    assert decoder.feed_run(frames.raw, 0) == []
    for frame in frames[:5]:
        decoder.feed(frame)
    assert texts(decoder.feed_run(frames.raw, 5)) == [("a", 0, 0), ("b", 0, 0)]
    assert decoder.feed_run(frames.raw, 7) == []
    assert texts(decoder.feed(frames[7])) == [("c", 1, 0)]
    assert decoder.feed_run(frames.raw, 8) == []


def test_the_frames_of_a_row_are_counted() -> None:
    frames = SseFramer().feed(sse([*BEGIN, *map(ev_text_delta, "abcd")]))
    _, decoder = decode_runs(frames)
    with pytest.raises(StreamClosedError, match=f"after {len(frames)} frames"):
        decoder.feed_eof()


def test_pieces_of_arguments_carry_the_call_they_belong_to() -> None:
    call = function_call_item("call_1", "f", "")
    frames = SseFramer().feed(sse([ev_created(), ev_item_added(call), *[ev_function_arguments_delta("{")] * 3]))
    events, _ = decode_runs(frames)
    assert events[2:] == [ToolCallInputDelta("{", "call_1", "fc_call_1", 0)] * 3
    assert events == decode_frames(frames)[0]


def test_a_piece_that_is_no_utf_8_is_read_with_its_replacement() -> None:
    wire = sse([*BEGIN, *map(ev_text_delta, "abX")]).replace(b'"X"', b'"\xff"')
    assert [text for text, *_ in texts(decode_runs(SseFramer().feed(wire))[0])] == ["a", "b", "\ufffd"]
