"""Frames that mean nothing here, frames that are broken, frames under other names."""

from __future__ import annotations

import pytest

from codex_client import errors
from codex_client.client.framer import SseFramer
from codex_client.decode.responses import ResponsesDecoder
from codex_client.events import (
    Completed,
    Created,
    OutputTextDelta,
    RawEvent,
)
from codex_client.testing import (
    ev_completed,
    ev_created,
    ev_in_progress,
    sse,
)
from tests.support.responses_stream import USAGE, decode


@pytest.mark.parametrize(
    "kind",
    [
        "response.content_part.added",
        "response.content_part.done",
        "response.reasoning_summary_part.done",
        "response.reasoning_part.added",
        "response.output_text.annotation.added",
        "response.web_search_call.searching",
        "response.code_interpreter_call_code.delta",
        "response.mcp_call_arguments.delta",
        "response.image_generation_call.partial_image",
        "response.processed",
        "response.done",
        "responsesapi.websocket_timing",
        "keepalive",
        "something.new",
    ],
)
def test_other_types_are_counted_and_their_bodies_not_even_parsed(kind: str) -> None:
    decoder = ResponsesDecoder()
    frames = SseFramer().feed(f"event: {kind}\ndata: {{broken\n\n".encode() * 2)
    assert [decoder.feed(frame) for frame in frames] == [[], []]
    assert decoder.ignored == {kind: 2}
    assert not decoder.finished


@pytest.mark.parametrize("data", ["", " ", "\n"])
def test_an_empty_frame_means_nothing(data: str) -> None:
    events, decoder = decode(data, raw_events=True)
    assert (events, decoder.ignored) == ([], {})


@pytest.mark.parametrize("data", ["[1,2]", '"text"', "5", "null", '{"a":1}', '{"type":5}', '{"choices":[]}'])
def test_json_that_is_no_event_is_counted(data: str) -> None:
    events, decoder = decode(data)
    assert (events, decoder.ignored, decoder.failure) == ([], {"": 1}, None)


def test_done_marker_ends_nothing() -> None:
    events, decoder = decode(ev_created(), "[DONE]", ev_completed())
    assert events == [Created("resp_1", "gpt-5"), Completed("resp_1", USAGE)]
    assert decoder.ignored == {"[DONE]": 1}


def test_a_known_type_under_an_unknown_event_name_is_decoded() -> None:
    decoder = ResponsesDecoder()
    (frame,) = SseFramer().feed(b'event: data\ndata: {"type":"response.created","response":{"id":"r"}}\n\n')
    assert decoder.feed(frame) == [Created("r")]


def test_raw_events_are_given_for_frames_that_give_nothing_else() -> None:
    events, _ = decode(
        ev_created(),
        ev_in_progress(),
        {"type": "keepalive"},
        "[DONE]",
        "{bad",
        raw_events=True,
        tolerate_malformed=True,
    )
    assert events[0] == Created("resp_1", "gpt-5")
    assert [(event.type, event.data[:12]) for event in events[1:] if isinstance(event, RawEvent)] == [
        ("response.in_progress", '{"type":"res'),
        ("keepalive", '{"type":"kee'),
        ("", "[DONE]"),
        ("", "{bad"),
    ]


@pytest.mark.parametrize(
    "frame",
    [
        b'event: response.output_text.delta\ndata: {"delta":"x\n\n',
        b'event: response.output_text.done\ndata: {"text":"x\n\n',
        b"event: response.created\ndata: {\n\n",
        b'event: response.completed\ndata: {"response":{"id":"r"}\n\n',
        b"event: codex.rate_limits\ndata: nope\n\n",
        b'data: {"type":"response.output_item.done",\n\n',
        b"data: hello\n\n",
    ],
)
def test_broken_json_raises_or_is_skipped_and_counted(frame: bytes) -> None:
    (broken,) = SseFramer().feed(frame)
    with pytest.raises(errors.MalformedFrameError) as raised:
        ResponsesDecoder().feed(broken)
    assert raised.value.excerpt == broken.data
    tolerant = ResponsesDecoder(tolerate_malformed=True)
    assert tolerant.feed(broken) == []
    assert (tolerant.malformed, tolerant.finished) == (1, False)
    (good,) = SseFramer().feed(sse([ev_completed()]))
    assert tolerant.feed(good)[-1] == Completed("resp_1", USAGE)


def test_half_an_emoji_in_a_delta_is_replaced() -> None:
    decoder = ResponsesDecoder()
    (frame,) = SseFramer().feed(
        b'data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a\\ud83d"}\n\n'
    )
    assert decoder.feed(frame)[1] == OutputTextDelta("a\ufffd", 0, 0, None)
