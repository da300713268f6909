"""Recorded streams of the Chat API: each adds up to what an independent reading of its bytes says."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest
from httpx_sse import ServerSentEvent

from codex_client.aggregate import CollectedResponse
from codex_client.client.framer import SseFramer
from codex_client.decode.chat import ChatDecoder
from codex_client.errors import CodexError, IncompleteResponseError, ResponseFailedError, StreamClosedError
from codex_client.events import Completed, OutputItemDone, ResponseEvent
from codex_client.items import Reasoning
from codex_client.model_variants import TokenUsage
from tests.support.collected import collected

each_stream = pytest.mark.each_capture("chat/**/*.sse")


@functools.cache
def expectations(folder: Path) -> dict[str, dict[str, Any]]:
    return json.loads((folder / "EXPECTED.json").read_bytes())


@functools.cache
def frames_of(capture: Path) -> tuple[ServerSentEvent, ...]:
    framer = SseFramer()
    frames = framer.feed(capture.read_bytes())
    last = framer.feed_eof()
    return (*frames, last) if last is not None and last.data == "[DONE]" else tuple(frames)


def decode(frames: tuple[ServerSentEvent, ...]) -> tuple[list[ResponseEvent], ChatDecoder, StreamClosedError | None]:
    decoder = ChatDecoder()
    events = [event for frame in frames for event in decoder.feed(frame)]
    try:
        return events + decoder.feed_eof(), decoder, None
    except StreamClosedError as error:
        return events, decoder, error


def status_of(events: list[ResponseEvent], decoder: ChatDecoder, closed: StreamClosedError | None) -> str:
    if closed is not None:
        return "truncated"
    if decoder.failure is not None and not isinstance(decoder.failure, IncompleteResponseError):
        return "failed"
    # What was cut short is complete as a stream, and an error as an answer.
    assert decoder.failure is not None or isinstance(events[-1], Completed)
    return "completed"


def usage_of(usage: TokenUsage | None) -> dict[str, int] | None:
    names = "input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens", "total_tokens"
    return None if usage is None else {name: getattr(usage, name) for name in names}


def error_of(failure: CodexError | None) -> dict[str, Any] | None:
    if not isinstance(failure, ResponseFailedError) or isinstance(failure, IncompleteResponseError):
        return None
    return {"code": failure.code, "message": failure.server_message}


def sums(response: CollectedResponse, failure: Any) -> dict[str, Any]:
    return {
        "text": response.text,
        "refusal": response.refusal,
        "reasoning_text": response.reasoning_text,
        "response_id": response.response_id or None,
        "usage": usage_of(getattr(failure, "token_usage", response.token_usage)),
        "finish_reason": getattr(failure, "reason", response.finish_reason),
        "error": error_of(failure),
    }


@each_stream
def test_a_recorded_stream_adds_up(capture: Path, captures: Path) -> None:
    expected = dict(expectations(captures)[capture.relative_to(captures).as_posix()])
    events, decoder, closed = decode(frames_of(capture))
    response = collected(events)
    calls = [{"call_id": call.call_id, "name": call.name, "arguments": call.arguments} for call in response.tool_calls]
    assert status_of(events, decoder, closed) == expected.pop("status")
    # Where the server sent no id, any will do.
    for call, wanted in zip(calls, expected["tool_calls"], strict=True):
        wanted["call_id"] = wanted["call_id"] or call["call_id"]
    assert calls == expected.pop("tool_calls")
    assert len({call["call_id"] for call in calls}) == len(calls)
    del expected["choices"], expected["done_sentinel"]
    assert sums(response, decoder.failure) == expected


@each_stream
def test_deltas_alone_add_up_to_the_whole_items(capture: Path) -> None:
    events, decoder, _ = decode(frames_of(capture))
    by_deltas = collected([event for event in events if not isinstance(event, OutputItemDone)])
    by_items = collected(events)
    for part in ("text", "refusal", "reasoning_text", "tool_calls", "reasoning_summary"):
        assert getattr(by_deltas, part) == getattr(by_items, part), part
    if decoder.failure is None:
        done = [event.output_index for event in events if isinstance(event, OutputItemDone)]
        assert done == list(range(len(by_deltas.items)))


@each_stream
def test_a_recorded_stream_cut_anywhere_is_the_beginning_of_the_whole(capture: Path) -> None:
    frames = frames_of(capture)
    whole = collected(decode(frames)[0])
    for cut in {len(frames) * part // 7 for part in range(7)}:
        events, decoder, closed = decode(frames[:cut])
        part = collected(events)
        assert whole.text.startswith(part.text)
        assert whole.reasoning_text.startswith(part.reasoning_text)
        assert (closed is not None) != decoder.finished


@each_stream
def test_every_frame_of_a_recorded_stream_is_known_or_counted(capture: Path) -> None:
    decoder = decode(frames_of(capture))[1]
    # OpenAI's audio streams send chunks without choices.
    assert set(decoder.ignored) <= {"chat.completion.chunk"}
    assert decoder.malformed == 0


def capture_named(captures: Path, name: str) -> Path:
    (found,) = captures.glob(f"chat/*/{name}")
    return found


@pytest.mark.parametrize(
    "name",
    [
        "ruby-llm--nd-trip-accumulates-reasoning-details-while-streaming-tool-calls.sse",
        "pydantic-ai--test-openrouter-test-openrouter-streaming-reasoning.sse",
        "fantasy--testvercelthinking-claude-sonnet-4-thinking-streaming.sse",
    ],
)
def test_a_recorded_block_of_signed_reasoning_is_one_entry_with_its_whole_text(captures: Path, name: str) -> None:
    items = collected(decode(frames_of(capture_named(captures, name)))[0]).items
    (reasoning,) = [item for item in items if isinstance(item, Reasoning)]
    (entry,) = (reasoning.model_extra or {})["reasoning_details"]
    assert entry["type"] == "reasoning.text"
    assert entry["text"] == reasoning.text
    assert len(entry["signature"]) > 100


def test_recorded_encrypted_reasoning_is_kept_for_the_next_turn(captures: Path) -> None:
    name = "rig--ing-tools-stream-encrypted-reasoning-survives-into-the-next-turn.sse"
    reasoning = collected(decode(frames_of(capture_named(captures, name)))[0]).items[0]
    assert isinstance(reasoning, Reasoning)
    ((entry),) = (reasoning.model_extra or {})["reasoning_details"]
    assert (entry["type"], entry["id"], reasoning.content) == ("reasoning.encrypted", "rs_REDACTED_1", None)
