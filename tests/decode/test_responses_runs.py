"""Pieces of one text come one after the other, and are told by a short cut; what breaks the row is told as ever."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from codex_client.client.framer import SseFramer
from codex_client.errors import MalformedFrameError
from codex_client.events import OutputItemDone, OutputTextDelta
from codex_client.items import Message, OutputText, ResponseItem
from codex_client.testing import ev_completed, ev_created, ev_item_added, ev_text_delta, message_item, sse
from tests.support.responses_stream import collect, decode, decode_frames, events_of, without

FIRST, SECOND = message_item("", item_id="msg_1"), message_item("", item_id="msg_2")
BEGIN = [ev_created(), ev_item_added(FIRST), ev_item_added(SECOND, 1)]


def texts(events: list[Any]) -> list[tuple[str, int, int]]:
    return [
        (event.delta, event.output_index, event.content_index) for event in events if isinstance(event, OutputTextDelta)
    ]


def message_texts(item: ResponseItem) -> list[str]:
    assert isinstance(item, Message)
    return [part.text for part in item.content if isinstance(part, OutputText)]


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.text(min_size=1, max_size=3)), max_size=20))
def test_however_pieces_of_several_parts_are_mixed_each_goes_to_its_own(pieces: list[tuple[int, int, str]]) -> None:
    deltas = [ev_text_delta(text, item, content_index=part, item_id=f"msg_{item + 1}") for item, part, text in pieces]
    events, _ = decode_frames(SseFramer().feed(sse([*BEGIN, *deltas, ev_completed()])))
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
