"""The SSE framer beside others: the conformance cases of ten SSE libraries, recorded streams, httpx-sse as partner."""

from __future__ import annotations

import base64
import itertools
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import EventSource, ServerSentEvent
from hypothesis import given, strategies as st

from codex_client.client.framer import SseFramer

Frame = tuple[str, str, str, int | None]


def plain(frames: Iterable[ServerSentEvent]) -> list[Frame]:
    return [(frame.event, frame.data, frame.id, frame.retry) for frame in frames]


def ours(chunks: Iterable[bytes]) -> list[Frame]:
    framer = SseFramer()
    return [frame for chunk in chunks for frame in plain(framer.feed(chunk))]


def theirs(chunks: Iterable[bytes], *, content_type: str = "text/event-stream") -> list[Frame]:
    body = iter(list(chunks))
    response = httpx.Response(200, headers={"content-type": content_type}, content=body)
    return plain(EventSource(response).iter_sse())


def cuttings(wire: bytes) -> Iterator[list[bytes]]:
    yield [wire]
    for size in (1, 7):
        yield [wire[at : at + size] for at in range(0, len(wire), size)]
    for seed in range(5):
        yield random_pieces(wire, seed)


def random_pieces(wire: bytes, seed: int) -> list[bytes]:
    dice = random.Random(seed)
    cuts = sorted(dice.randrange(len(wire) + 1) for _ in range(dice.randrange(1, 20)))
    return [wire[start:end] for start, end in itertools.pairwise([0, *cuts, len(wire)])]


@pytest.mark.each_capture("sse-conformance/*/*.json")
def test_conformance_case_holds_for_any_cutting(capture: Path) -> None:
    # Where `diverges_from_spec` is set, `expected` is what the rules say and the library it came from does otherwise.
    case: dict[str, Any] = json.loads(capture.read_bytes())
    if not case["content_type"].startswith("text/event-stream"):
        pytest.skip("the reader refuses its content type; the framer never sees it")
    wire = base64.b64decode(case["wire_base64"])
    own_cut = [base64.b64decode(chunk) for chunk in case.get("chunks_base64", [])]
    expected = [(event["event"], event["data"], event["id"], event["retry"]) for event in case["expected"]]
    for chunks in [*cuttings(wire), *([own_cut] if own_cut else [])]:
        framer = SseFramer()
        frames = [frame for chunk in chunks for frame in plain(framer.feed(chunk))]
        # The end is fed before the sums: some cases end without a blank line, and their sums count what stands there.
        framer.feed_eof()
        assert frames == expected
        assert framer.retry_ms == case["final_retry_ms"]
        assert framer.last_event_id == case["final_last_event_id"]
        assert framer.comments == len(case["expected_comments"])


@pytest.mark.each_capture("chat/*/*.sse")
def test_recorded_chat_stream_agrees_with_httpx_sse(capture: Path) -> None:
    agree_on_recorded_stream(capture)


@pytest.mark.each_capture("responses/*/*.sse")
def test_recorded_responses_stream_agrees_with_httpx_sse(capture: Path) -> None:
    agree_on_recorded_stream(capture)


def agree_on_recorded_stream(capture: Path) -> None:
    wire = capture.read_bytes()
    expected = theirs([wire])
    assert expected
    assert ours([wire]) == expected
    assert ours(random_pieces(wire, seed=len(wire))) == expected


# Streams on which both must agree: each block has data and one blank line, no id, no BOM, retry in plain digits or
# words, text without the line separators at which httpx-sse before 0.4.2 splits.
texts = st.text(st.sampled_from('ab: {}\t"€豆🥌é\0'), max_size=8)
lines = st.one_of(
    st.tuples(st.sampled_from(["data", "event", "foo", "Data", ""]), st.sampled_from([":", ": "]), texts).map("".join),
    st.sampled_from(["data", "event", "foo", ": ping", "retry", "retry: ", "retry: soon"]),
    st.integers(0, 10**6).map("retry: {}".format),
)


@st.composite
def bodies(draw: st.DrawFn) -> list[bytes]:
    wire = b""
    for block in draw(st.lists(st.lists(lines, max_size=4), max_size=6)):
        for line in [*block, "data: x", ""]:
            wire += line.encode() + draw(st.sampled_from([b"\n", b"\r", b"\r\n"]))
    cuts = sorted(draw(st.lists(st.integers(0, len(wire)), max_size=12)))
    return [wire[start:end] for start, end in itertools.pairwise([0, *cuts, len(wire)])]


@given(bodies())
def test_framer_agrees_with_httpx_sse_where_both_keep_the_rules(chunks: list[bytes]) -> None:
    # httpx drops empty chunks of a body before they are decoded.
    assert ours(chunks) == theirs([chunk for chunk in chunks if chunk])


A: Frame = ("message", "a", "", None)
B: Frame = ("message", "b", "", None)


@pytest.mark.parametrize(
    "wire, by_us, by_httpx_sse",
    [
        pytest.param(b"\xef\xbb\xbfdata: a\n\ndata: b\n\n", [A, B], [B], id="bom_hides_their_first_event"),
        pytest.param(b"event: x\n\n", [], [("x", "", "", None)], id="event_without_data_is_dispatched_by_them"),
        pytest.param(b"id: 1\n\n", [], [("message", "", "1", None)], id="id_without_data_is_dispatched_by_them"),
        pytest.param(b"retry: 5\n\n", [], [("message", "", "", 5)], id="retry_without_data_is_dispatched_by_them"),
        pytest.param(
            b"id: 1\ndata: a\n\n: ping\n\n",
            [("message", "a", "1", None)],
            [("message", "a", "1", None), ("message", "", "1", None)],
            id="after_an_id_each_blank_line_is_an_event_to_them",
        ),
        pytest.param(b"retry: +5\ndata: a\n\n", [A], [("message", "a", "", 5)], id="signed_retry_is_taken_by_them"),
        pytest.param(b"retry: 1_0\ndata: a\n\n", [A], [("message", "a", "", 10)], id="retry_with_underscore_too"),
        pytest.param("retry: ٣\ndata: a\n\n".encode(), [A], [("message", "a", "", 3)], id="retry_in_other_digits_too"),
        pytest.param(
            b"retry: 1" + b"0" * 18 + b"\ndata: a\n\n",
            [A],
            [("message", "a", "", 10**18)],
            id="retry_of_thirty_million_years_too",
        ),
    ],
)
def test_known_difference_from_httpx_sse(wire: bytes, by_us: list[Frame], by_httpx_sse: list[Frame]) -> None:
    assert ours([wire]) == by_us
    assert theirs([wire]) == by_httpx_sse


def test_known_difference_a_wrong_charset_is_obeyed_by_httpx_sse() -> None:
    wire = "data: é\n\n".encode()
    assert ours([wire]) == [("message", "é", "", None)]
    assert theirs([wire], content_type="text/event-stream; charset=iso-8859-1") == [("message", "Ã©", "", None)]


def test_known_difference_the_unterminated_block_can_be_had_from_us() -> None:
    framer = SseFramer()
    assert framer.feed(b"data: a\n") == []
    assert plain(filter(None, [framer.feed_eof()])) == [A]
    assert theirs([b"data: a\n"]) == []
