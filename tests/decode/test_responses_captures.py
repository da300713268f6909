"""Every recorded stream of the Responses API adds up to what an independent reading of its bytes says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from httpx_sse import ServerSentEvent

from codex_client import errors
from codex_client.aggregate import CollectedResponse
from codex_client.client.framer import SseFramer
from codex_client.decode.responses import ResponsesDecoder
from codex_client.errors import StreamClosedError
from codex_client.events import Completed, OutputTextDelta
from codex_client.model_variants import TokenUsage
from codex_client.testing import check_decoder, check_events
from tests.support.collected import collected
from tests.support.responses_stream import decode_frames

STREAMS = "responses/*/*.sse"


@cache
def read_expected(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "EXPECTED.json").read_text())


def frames_of(capture: Path) -> list[ServerSentEvent]:
    framer = SseFramer()
    frames = framer.feed(capture.read_bytes())
    last = framer.feed_eof()
    return [*frames] if last is None else [*frames, last]


def final_types(frames: Iterable[ServerSentEvent]) -> list[str]:
    finals = [json.loads(frame.data) for frame in frames if frame.data.startswith("{")]
    last = next(final for final in reversed(finals) if "response" in final)
    return [item["type"] for item in last["response"].get("output") or []]


@pytest.mark.each_capture(STREAMS)
def test_a_recorded_stream_adds_up_to_what_is_expected(capture: Path, captures: Path) -> None:
    expected = read_expected(captures)[capture.relative_to(captures).as_posix()]
    frames = frames_of(capture)
    events, decoder = decode_frames(frames)
    response = collected(events)
    assert response.text == expected["text"]
    assert "".join(event.delta for event in events if isinstance(event, OutputTextDelta)) == expected["text_deltas"]
    assert response.refusal == expected["refusal"]
    assert response.reasoning_text == expected["reasoning_text"]
    assert response.reasoning_summary == expected["reasoning_summary"]
    assert [
        {"call_id": call.call_id, "name": call.name, "arguments": call.arguments} for call in response.tool_calls
    ] == expected["tool_calls"]
    # The expectation counts only items that were sent as done; the final response may hold more.
    assert [item.type for item in response.items] in (expected["items"], final_types(frames))
    # An `error` frame names no response, and what follows it is not read.
    assert expected["response_id"] in (response.response_id, None)
    check_end(decoder, response, expected)


def check_end(decoder: ResponsesDecoder, response: CollectedResponse, expected: dict[str, Any]) -> None:
    usage = response.token_usage
    match expected["status"]:
        case "completed":
            assert decoder.failure is None
        case "incomplete":
            assert isinstance(decoder.failure, errors.IncompleteResponseError)
            assert decoder.failure.reason == expected["incomplete_reason"]
            usage = decoder.failure.token_usage
        case status:
            assert status == "failed"
            assert isinstance(decoder.failure, errors.ResponseFailedError)
            assert decoder.failure.code == expected["error"]["code"]
            assert decoder.failure.server_message == expected["error"]["message"]
            usage = decoder.failure.token_usage
    # The independent reading does not tell what was written into the cache.
    told = usage and replace(usage, cache_write_tokens=None)
    assert told == (TokenUsage(**expected["usage"]) if expected["usage"] else None)
    assert decoder.finished
    assert decoder.malformed == 0


@pytest.mark.each_capture(STREAMS)
def test_a_recorded_stream_keeps_the_laws_of_a_turn(capture: Path) -> None:
    events, _ = decode_frames(frames_of(capture))
    check_events(events)


@pytest.mark.each_capture(STREAMS)
def test_every_prefix_of_a_recorded_stream_gives_a_prefix_of_its_text_or_its_error(capture: Path) -> None:
    frames = frames_of(capture)
    whole, full = decode_frames(frames)
    text = collected(whole).text
    step = max(1, len(frames) // 25)
    for end in range(0, len(frames), step):
        events, decoder = decode_frames(frames[:end])
        assert text.startswith(collected(events).text)
        assert events == whole[: len(events)]
        if not decoder.finished:
            assert not any(isinstance(event, Completed) for event in events)
            with pytest.raises(StreamClosedError):
                decoder.feed_eof()
    assert full.feed_eof() == []


@pytest.mark.each_capture(STREAMS)
def test_a_recorded_stream_adds_up_without_its_event_names(capture: Path) -> None:
    frames = frames_of(capture)
    unnamed = [ServerSentEvent(data=frame.data) for frame in frames]
    assert decode_frames(unnamed)[0] == decode_frames(frames)[0]


@pytest.mark.each_capture(STREAMS)
def test_a_recorded_stream_adds_up_without_its_deltas(capture: Path) -> None:
    """What the deltas gave is in the done items too; a server may send either."""
    frames = frames_of(capture)
    bare = [
        frame for frame in frames if not json_type(frame).endswith((".delta", ".done", ".added")) or is_item_done(frame)
    ]
    events, _ = decode_frames(bare)
    check_events(events)
    assert collected(events).items == collected(decode_frames(frames)[0]).items


@pytest.mark.each_capture(STREAMS)
def test_a_recorded_stream_adds_up_from_its_deltas_and_last_frame(capture: Path) -> None:
    """Without done frames, the same text comes from the pieces or from the final response."""
    frames = [frame for frame in frames_of(capture) if not json_type(frame).endswith(".done")]
    events, _ = decode_frames(frames)
    check_events(events)
    whole, part = collected(decode_frames(frames_of(capture))[0]), collected(events)
    assert (part.text, part.refusal, part.tool_calls) == (whole.text, whole.refusal, whole.tool_calls)


def json_type(frame: ServerSentEvent) -> str:
    return json.loads(frame.data).get("type", "") if frame.data.startswith("{") else ""


def is_item_done(frame: ServerSentEvent) -> bool:
    return json_type(frame) == "response.output_item.done"


@pytest.mark.parametrize(
    "name",
    [
        "github-copilot/ai--openai-responses-github-copilot-id-rotation-1.sse",
        "lm-studio/ai--open-responses-responses-lmstudio-tool-call-1.sse",
        "openai/prism--openai-stream-rate-limited-1.sse",
        "openrouter/llm-openrouter--test-llm-openrouter-test-tool-calls-1.sse",
    ],
)
def test_a_recorded_stream_survives_every_cut(name: str, captures: Path) -> None:
    check_decoder(ResponsesDecoder, (captures / "responses" / name).read_bytes())
