"""The laws of the SSE framer: the WHATWG rules one by one, any cutting of the bytes, the cap, the end of the body."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from httpx_sse import ServerSentEvent
from hypothesis import given, strategies as st

from codex_client.client.framer import RawFrames, SseFramer
from codex_client.errors import FrameTooLargeError

BOM = b"\xef\xbb\xbf"

Frame = tuple[str, str, str, int | None]
"""event, data, id, retry: `ServerSentEvent` compares by identity."""


def plain(frame: ServerSentEvent) -> Frame:
    return frame.event, frame.data, frame.id, frame.retry


def message(data: str, *, event: str = "message", id: str = "", retry: int | None = None) -> Frame:
    return event, data, id, retry


@dataclass
class Outcome:
    frames: list[Frame]
    tail: Frame | None = None
    last_event_id: str = ""
    retry_ms: int | None = None
    comments: int = 0
    above_limit: int | None = None


def run(chunks: Iterable[bytes], framer: SseFramer | None = None) -> Outcome:
    """Everything that a framer tells about one body."""
    framer = framer or SseFramer()
    outcome = Outcome([])
    try:
        for chunk in chunks:
            outcome.frames += map(plain, framer.feed(chunk))
        tail = framer.feed_eof()
    except FrameTooLargeError as error:
        tail = None
        outcome.above_limit = error.limit_bytes
    outcome.tail = tail and plain(tail)
    outcome.last_event_id, outcome.retry_ms, outcome.comments = framer.last_event_id, framer.retry_ms, framer.comments
    return outcome


def frames_of(*chunks: bytes) -> list[Frame]:
    return run(chunks).frames


def pieces(wire: bytes, size: int) -> list[bytes]:
    return [wire[at : at + size] for at in range(0, len(wire), size)]


def random_pieces(wire: bytes, seed: int) -> list[bytes]:
    dice = random.Random(seed)
    cuts = sorted(dice.randrange(len(wire) + 1) for _ in range(dice.randrange(1, 12)))
    return [wire[start:end] for start, end in itertools.pairwise([0, *cuts, len(wire)])]


def cuttings(wire: bytes) -> list[list[bytes]]:
    return [[wire], pieces(wire, 1), pieces(wire, 7), *(random_pieces(wire, seed) for seed in range(8))]


# The rules, each as what the bytes mean. Every row also holds for its bytes in pieces.


@pytest.mark.parametrize(
    "wire, expected",
    [
        pytest.param(b"data: a\n\n", [message("a")], id="a_block_with_data_is_a_message"),
        pytest.param(b"event: x\ndata: a\n\n", [message("a", event="x")], id="event_names_the_frame"),
        pytest.param(b"data: a\nevent: x\n\n", [message("a", event="x")], id="event_may_come_after_data"),
        pytest.param(b"event: x\nevent: y\ndata: a\n\n", [message("a", event="y")], id="the_last_event_name_wins"),
        pytest.param(b"event: x\nevent\ndata: a\n\n", [message("a")], id="an_emptied_event_name_is_message"),
        pytest.param(b"event: \ndata: a\n\n", [message("a")], id="an_empty_event_name_is_message"),
        pytest.param(
            b"event: x\ndata: a\n\ndata: b\n\n", [message("a", event="x"), message("b")], id="name_is_per_block"
        ),
        pytest.param(b"event: x\n\ndata: b\n\n", [message("b")], id="without_data_no_frame_and_the_name_is_reset"),
        pytest.param(b"data: a\ndata: b\n\n", [message("a\nb")], id="data_lines_are_joined_by_lf"),
        pytest.param(b"event: x\ndata: a\ndata: b\n\n", [message("a\nb", event="x")], id="named_data_lines_are_joined"),
        pytest.param(b"data: a\ndata: b\ndata: c\n\n", [message("a\nb\nc")], id="three_data_lines_are_joined"),
        pytest.param(b"data:a\n\ndata:  a \n\n", [message("a"), message(" a ")], id="one_leading_space_is_stripped"),
        pytest.param(b"data:\ta\n\n", [message("\ta")], id="a_tab_is_not_stripped"),
        pytest.param(b"event:  x\ndata: a\n\n", [message("a", event=" x")], id="one_space_is_stripped_of_a_name"),
        pytest.param(b"data: a: b\n\n", [message("a: b")], id="the_first_colon_ends_the_field_name"),
        pytest.param(b"data\n\n", [message("")], id="a_field_without_colon_is_empty"),
        pytest.param(b"data:\n\n", [message("")], id="empty_data_is_data"),
        pytest.param(b"data\ndata\n\n", [message("\n")], id="two_empty_data_lines_are_one_lf"),
        pytest.param(b"Data: a\n data: b\ndatax: c\ndata : d\n\n", [], id="field_names_are_exact"),
        pytest.param(b"error: {}\nfoo\n\n", [], id="unknown_fields_are_ignored"),
        pytest.param(b": c\n:\n:data: x\n\ndata: a\n: c\n\n", [message("a")], id="comments_are_no_data"),
        pytest.param(
            b"\n\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [message("a"), message("b")], id="blank_lines_are_free"
        ),
        pytest.param(b"\ndata: a\n\n", [message("a")], id="a_body_may_begin_with_a_line_end"),
        pytest.param(b"data: a\r\rdata: b\r\r", [message("a"), message("b")], id="cr_ends_a_line"),
        pytest.param(b"data: a\r\ndata: b\r\n\r\n", [message("a\nb")], id="crlf_is_one_line_end"),
        pytest.param(b"data: a\n\rdata: b\r\n\n", [message("a"), message("b")], id="line_ends_may_be_mixed"),
        pytest.param(b"data: a\n\r\n\rdata: b\n\n", [message("a"), message("b")], id="lf_cr_is_two_line_ends"),
        pytest.param(
            "data: a\u2028b\u2029c\u0085d\x0b\x0c\x1c\n\n".encode(),
            [message("a\u2028b\u2029c\u0085d\x0b\x0c\x1c")],
            id="other_line_separators_are_text",
        ),
        pytest.param("data: €豆🥌\n\n".encode(), [message("€豆🥌")], id="the_bytes_are_utf_8"),
        pytest.param(b"data: a\xffb\xe2\x82\n\n", [message("a\ufffdb\ufffd")], id="invalid_utf_8_is_replaced"),
        pytest.param(
            b"data: \xe2\ndata: \x82\xac\n\n", [message("\ufffd\n\ufffd\ufffd")], id="no_character_spans_lines"
        ),
        pytest.param(BOM + b"data: a\n\n", [message("a")], id="a_bom_at_the_start_is_dropped"),
        pytest.param(BOM + BOM + b"data: a\n\ndata: b\n\n", [message("b")], id="only_one_bom_is_dropped"),
        pytest.param(b"data: a\n\n" + BOM + b"data: b\n\n", [message("a")], id="a_later_bom_is_text"),
        pytest.param(b"\xef\xbbdata: a\n\n", [], id="half_a_bom_is_text"),
        pytest.param(b"data: a" + BOM + b"\n\n", [message("a\ufeff")], id="a_bom_inside_data_is_kept"),
        pytest.param(
            b"id: 1\ndata: a\n\ndata: b\n\n", [message("a", id="1"), message("b", id="1")], id="the_id_persists"
        ),
        pytest.param(b"data: a\nid: 1\n\n", [message("a", id="1")], id="the_id_is_the_one_in_force_at_the_blank_line"),
        pytest.param(b"id: 1\n\ndata: a\n\n", [message("a", id="1")], id="an_id_without_data_is_in_force"),
        pytest.param(b"id: 1\n\nid\ndata: a\n\n", [message("a")], id="an_empty_id_clears_it"),
        pytest.param(b"id: 1\nid: 2\0\ndata: a\n\n", [message("a", id="1")], id="an_id_with_nul_is_ignored"),
        pytest.param(b"data: a\0b\n\n", [message("a\0b")], id="nul_is_text_elsewhere"),
        pytest.param(b"retry: 03000\ndata: a\n\n", [message("a", retry=3000)], id="retry_is_decimal"),
        pytest.param(b"retry: 10\n\ndata: a\n\n", [message("a")], id="retry_is_told_by_its_own_block_only"),
        pytest.param(
            b"retry: 10\nretry: 1x\ndata: a\n\n", [message("a", retry=10)], id="a_bad_retry_leaves_the_good_one"
        ),
        pytest.param(b"event: done\n\n", [], id="an_event_without_data_is_no_frame"),
        pytest.param(b"data: a\n", [], id="an_unterminated_block_is_no_frame_of_feed"),
        pytest.param(b"", [], id="nothing_gives_nothing"),
    ],
)
def test_rule(wire: bytes, expected: list[Frame]) -> None:
    for chunks in cuttings(wire):
        assert frames_of(*chunks) == expected


@pytest.mark.parametrize("value", ["", "-1", "+5", "1_000", "1.5", "10 ", "0x10", "1x", "٣", "²", "1" * 19, "1" * 5000])
def test_retry_takes_ascii_digits_only_and_no_absurd_number(value: str) -> None:
    outcome = run([f"retry: 7\n\nretry: {value}\ndata: a\n\n".encode()])
    assert (outcome.frames, outcome.retry_ms) == ([message("a")], 7)


def test_retry_takes_eighteen_digits() -> None:
    assert frames_of(b"retry: " + b"9" * 18 + b"\ndata: a\n\n") == [message("a", retry=10**18 - 1)]


# What comes out when.


def test_frame_is_complete_at_its_cr_and_does_not_wait_for_the_lf() -> None:
    framer = SseFramer()
    assert list(map(plain, framer.feed(b"data: a\r\n\r"))) == [message("a")]
    assert framer.feed(b"\n") == []
    assert list(map(plain, framer.feed(b"data: b\n\n"))) == [message("b")]


def test_lf_after_a_cr_is_swallowed_past_an_empty_chunk() -> None:
    assert frames_of(b"data: a\r", b"", b"\ndata: b\n\n") == [message("a\nb")]


def test_chunk_of_many_blocks_gives_all_frames_in_order() -> None:
    wire = b"".join(b"event: e%d\ndata: %d\n\n: c\n\n" % (n, n) for n in range(500))
    assert frames_of(wire) == [message(str(n), event=f"e{n}") for n in range(500)]


def test_usual_frames_are_made_when_they_are_looked_at() -> None:
    framer = SseFramer()
    framer.feed(b"id: 7\ndata\n\n")
    frames = framer.feed(b"event: e\ndata: a\n\ndata: \xff\n\ndata: c\n\n")
    assert isinstance(frames, RawFrames)
    assert frames.raw == [(b"e", b"a"), (None, b"\xff"), (None, b"c")]
    assert [plain(frame) for frame in frames] == [plain(frames[index]) for index in range(len(frames))]
    assert plain(frames[1]) == message("\ufffd", id="7")
    assert [frame.data for frame in frames[1:]] == ["\ufffd", "c"]


def test_comments_are_counted_when_their_block_ends() -> None:
    framer = SseFramer()
    framer.feed(b": keep\n:alive\n")
    assert framer.comments == 0
    framer.feed(b"\n:\n\n")
    assert framer.comments == 3


def test_last_event_id_is_set_by_the_blank_line() -> None:
    framer = SseFramer()
    framer.feed(b"id: 1\n\nid: 2\n")
    assert framer.last_event_id == "1"
    framer.feed(b"\n")
    assert framer.last_event_id == "2"


# The end of the body.


@pytest.mark.parametrize(
    "wire, tail",
    [
        pytest.param(b"data: a\n", message("a"), id="a_block_without_blank_line"),
        pytest.param(b"data: a", message("a"), id="a_last_line_without_line_end"),
        pytest.param(b"data: a\r\n\r\ndata: b\r", message("b"), id="a_last_line_with_half_a_crlf"),
        pytest.param(b"event: x\ndata: a\ndata: b", message("a\nb", event="x"), id="all_its_lines"),
        pytest.param(b"id: 3\n\nretry: 5\ndata: \xe2\x82", message("\ufffd", id="3", retry=5), id="a_cut_character"),
        pytest.param(BOM + b"data: a", message("a"), id="a_bom_before_it"),
        pytest.param(b"data: a\n\n", None, id="nothing_after_a_blank_line"),
        pytest.param(b"data: a\n\n\n", None, id="nothing_but_line_ends"),
        pytest.param(b"event: x\n: c\nid: 1\nfoo", None, id="no_data_line"),
        pytest.param(b"data: a\n\ndat", None, id="a_field_name_cut_short"),
        pytest.param(BOM[:2], None, id="half_a_bom"),
        pytest.param(b"", None, id="nothing"),
    ],
)
def test_feed_eof_gives_the_unterminated_block_if_it_has_data(wire: bytes, tail: Frame | None) -> None:
    for chunks in cuttings(wire):
        assert run(chunks).tail == tail


def test_tail_with_data_puts_its_id_in_force() -> None:
    assert run([b"id: 1\n\nid: 2\ndata: a"]).last_event_id == "2"


def test_tail_without_data_leaves_the_id_in_force() -> None:
    assert run([b"id: 1\n\nid: 2\nevent: x"]).last_event_id == "1"


def test_finished_framer_takes_no_chunk_and_has_no_second_tail() -> None:
    framer = SseFramer()
    framer.feed(b"data: a")
    assert framer.feed_eof() is not None
    assert framer.feed_eof() is None
    with pytest.raises(RuntimeError, match="feed after feed_eof"):
        framer.feed(b"data: b\n\n")


# The cap.


def test_cap_error_names_size_and_limit_and_what_to_do() -> None:
    framer = SseFramer(max_frame_bytes=10)
    with pytest.raises(FrameTooLargeError) as caught:
        framer.feed(b"data: 123456")
    assert (caught.value.size_bytes, caught.value.limit_bytes) == (12, 10)
    assert str(caught.value) == ("a frame has 12 bytes so far, the limit is 10; raise `StreamLimits.max_frame_bytes`")


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"data: 1234", id="one_line"),
        pytest.param(b"data:\ndata", id="line_ends_inside_count"),
        pytest.param(b":23\n:67\n:0", id="comments_count"),
        pytest.param(b"unknown: 0", id="unknown_fields_count"),
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("lead", [b"", b"data: a\n\n", b"data: a\n\n\n", b"data: a\n\n\n\n"])
@pytest.mark.parametrize("trail", [b"", b"\n", b"\n\n", b"\n\n\n", b"\n\ndata: z\n\n"])
def test_cap_is_exact_for_every_line_end_and_cutting(block: bytes, line_end: bytes, lead: bytes, trail: bytes) -> None:
    wire = (lead + block + trail).replace(b"\n", line_end)
    for chunks in cuttings(wire):
        assert run(chunks, SseFramer(max_frame_bytes=10)).above_limit is None
        outcome = run(chunks, SseFramer(max_frame_bytes=9))
        assert (outcome.frames, outcome.above_limit) == ([message("a")] if lead else [], 9)


def test_frames_before_the_oversize_block_are_delivered_and_then_every_call_raises() -> None:
    framer = SseFramer(max_frame_bytes=10)
    frames = framer.feed(b"data: a\n\nevent: x\ndata: b\n\ndata: c\n\n")
    assert list(map(plain, frames)) == [message("a")]
    for call in (lambda: framer.feed(b""), lambda: framer.feed(b"data: d\n\n"), framer.feed_eof, framer.feed_eof):
        with pytest.raises(FrameTooLargeError) as caught:
            call()
        assert caught.value.size_bytes == 16


def test_frames_before_an_oversize_remainder_are_delivered_first() -> None:
    framer = SseFramer(max_frame_bytes=10)
    assert list(map(plain, framer.feed(b"data: a\n\ndata: 12345"))) == [message("a")]
    with pytest.raises(FrameTooLargeError):
        framer.feed_eof()


def test_first_of_two_oversize_blocks_is_reported() -> None:
    framer = SseFramer(max_frame_bytes=10)
    with pytest.raises(FrameTooLargeError) as caught:
        framer.feed(b"data: 12345\n\ndata: a\n\ndata: 1234567")
    assert caught.value.size_bytes == 11


def test_oversize_block_changes_neither_id_nor_retry() -> None:
    outcome = run([b"id: 1\n\nid: 2\nretry: 3\ndata: 4\n\n"], SseFramer(max_frame_bytes=10))
    assert (outcome.last_event_id, outcome.retry_ms, outcome.above_limit) == ("1", None, 10)


def test_comments_with_blank_lines_flow_for_ever() -> None:
    framer = SseFramer(max_frame_bytes=10)
    assert [framer.feed(b": ping\n\n") for _ in range(1000)] == [[]] * 1000
    assert framer.comments == 1000


def test_comments_without_blank_lines_end_at_the_cap() -> None:
    framer = SseFramer(max_frame_bytes=20)
    framer.feed(b": ping\n" * 3)
    with pytest.raises(FrameTooLargeError):
        framer.feed(b": ping\n")


def test_long_line_in_single_bytes_is_one_frame() -> None:
    # No time is asserted. A framer that searches again what it holds takes some minutes here instead of a second, and
    # the run's own time limit ends it.
    wire = b"data: " + b"x" * 700_000 + b"\n\n"
    assert frames_of(*pieces(wire, 1)) == [message("x" * 700_000)]


# Any bytes at all, against the rules read line by line over the whole body.


def by_the_rules(wire: bytes) -> Outcome:
    """WHATWG 9.2.6 word for word. What follows the last blank line is the tail; its id counts if it has data."""
    text = wire.removeprefix(BOM).decode("utf-8", "replace")
    *lines, unterminated = re.split(r"\r\n|\r|\n", text)
    outcome = Outcome([])
    id_buffer, event, data, retry = "", "", "", None
    for number, line in enumerate([*lines, unterminated]):
        if line == "" and number < len(lines):
            outcome.last_event_id = id_buffer
            if data:
                outcome.frames.append((event or "message", data[:-1], id_buffer, retry))
            event, data, retry = "", "", None
        name, value = line, ""
        if ":" in line:
            name, value = line.split(":", 1)
            value = value[1:] if value[:1] == " " else value
        if line.startswith(":"):
            outcome.comments += 1
        elif name == "event":
            event = value
        elif name == "data":
            data += value + "\n"
        elif name == "id" and "\0" not in value:
            id_buffer = value
        elif name == "retry" and re.fullmatch("[0-9]{1,18}", value):
            retry = outcome.retry_ms = int(value)
    if data:
        outcome.tail = event or "message", data[:-1], id_buffer, retry
        outcome.last_event_id = id_buffer
    return outcome


TOKENS = [
    *(b"data", b"event", b"id", b"retry", b":", b" ", b": ", b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"\0", BOM),
    *(b"data: a\n\n", b"event: x\ndata: a\n\n", b": ping\n\n", b"data: ", b"event: ", b"event: x\n", b"id: 1\n"),
    *(b"retry: 10\n", b"12", b"x", b"{}", b"\xe2\x82\xac", b"\xe2\x82", b"\xff", "\u2028".encode(), "\u0085".encode()),
]
wires = st.one_of(
    st.lists(st.sampled_from(TOKENS), max_size=30).map(b"".join),
    st.tuples(st.sampled_from([b"", BOM]), st.binary(max_size=40)).map(b"".join),
)


@st.composite
def cut(draw: st.DrawFn, wire: bytes) -> list[bytes]:
    cuts = draw(st.one_of(st.just(range(len(wire))), st.lists(st.integers(0, len(wire)), max_size=12).map(sorted)))
    return [wire[start:end] for start, end in itertools.pairwise([0, *cuts, len(wire)])]


@given(st.data(), wires)
def test_any_cutting_of_any_bytes_gives_what_the_rules_say(draw: st.DataObject, wire: bytes) -> None:
    assert run(draw.draw(cut(wire))) == by_the_rules(wire)


@given(wires, st.data())
def test_frames_of_a_prefix_are_a_prefix_of_the_frames(wire: bytes, draw: st.DataObject) -> None:
    prefix = frames_of(wire[: draw.draw(st.integers(0, len(wire)))])
    assert frames_of(wire)[: len(prefix)] == prefix


@given(wires, st.integers(0, 30), st.data())
def test_any_cutting_meets_the_cap_at_the_same_block(wire: bytes, limit: int, draw: st.DataObject) -> None:
    text = re.sub(rb"\r\n|\r", b"\n", wire.removeprefix(BOM))
    small = itertools.takewhile(lambda block: len(block.strip(b"\n")) <= limit, text.split(b"\n\n"))
    kept = b"".join(block + b"\n\n" for block in small)
    outcome = run(draw.draw(cut(wire)), SseFramer(max_frame_bytes=limit))
    if len(kept) > len(text):
        assert outcome == by_the_rules(wire)
    else:
        assert (outcome.frames, outcome.above_limit) == (by_the_rules(BOM + kept).frames, limit)
