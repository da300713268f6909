"""Every recorded stream adds up to what an independent reading of its bytes says, however the bytes are cut."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from codex_client.aggregate import CollectedResponse, TurnAccumulator
from codex_client.api import DecoderFactory
from codex_client.clients.offline import stream_from_fixture
from codex_client.decode.chat import ChatDecoder
from codex_client.decode.responses import ResponsesDecoder
from codex_client.errors import CodexError, IncompleteResponseError, ResponseFailedError
from codex_client.testing.checks import check_events, decode_chunks

DECODERS: dict[str, DecoderFactory] = {"responses": ResponsesDecoder, "chat": ChatDecoder}


def api_of(capture: Path) -> str:
    return capture.parents[1].name


@functools.cache
def expectations(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "EXPECTED.json").read_bytes())


def expected(capture: Path) -> dict[str, Any]:
    folder = capture.parents[2]
    return expectations(folder)[capture.relative_to(folder).as_posix()]


def pieces(body: bytes, size: int | None, seed: str) -> Iterator[bytes]:
    dice = random.Random(seed)
    at = 0
    while at < len(body):
        step = size or dice.randint(1, 300)
        yield body[at : at + step]
        at += step


def assert_as_expected(response: CollectedResponse, error: CodexError | None, want: dict[str, Any]) -> None:
    cut_short = want["status"] in ("failed", "truncated")
    stopped = want["status"] == "incomplete" or want.get("finish_reason") in ("length", "content_filter")
    if cut_short:
        assert isinstance(error, CodexError)
    elif stopped:
        assert type(error) is IncompleteResponseError
        assert error.reason == (want.get("incomplete_reason") or want.get("finish_reason"))
    else:
        assert error is None
        assert response.finish_reason == want.get("finish_reason")
    assert response.text == want["text"]
    assert response.refusal == want["refusal"]
    assert response.reasoning_text == want["reasoning_text"]
    if "reasoning_summary" in want:
        assert response.reasoning_summary == want["reasoning_summary"]
    if want["status"] != "failed" or want["response_id"]:
        assert (response.response_id or None) == (want["response_id"] or None)
    usage = want["usage"]
    if error is None or isinstance(error, ResponseFailedError):
        told = getattr(error, "token_usage", None) or response.token_usage
        counts = asdict(told) if told else None
        if counts is not None:
            # The independent reading does not tell it.
            del counts["cache_write_tokens"]
        assert counts == usage
    if not cut_short:
        assert_calls(response, want["tool_calls"])
    if want["error"]:
        assert isinstance(error, ResponseFailedError)
        assert (error.code, error.server_message) == (want["error"]["code"], want["error"]["message"])


def assert_calls(response: CollectedResponse, calls: list[dict[str, Any]]) -> None:
    assert [(call.name, call.arguments) for call in response.tool_calls] == [
        (call["name"], call["arguments"]) for call in calls
    ]
    for call, want in zip(response.tool_calls, calls, strict=True):
        assert call.call_id == want["call_id"] if want["call_id"] else call.call_id


@pytest.mark.each_capture("[cr][he][as][tp]*/*/*.sse")
def test_a_recorded_stream_adds_up_in_any_cut(capture: Path) -> None:
    body, want = capture.read_bytes(), expected(capture)
    decoder = DECODERS[api_of(capture)]
    events, error = decode_chunks(decoder, [body])
    check_events(events)
    turn = TurnAccumulator()
    turn.feed(events)
    assert_as_expected(turn.response(), error, want)
    for size in (1, 7, None):
        again, same_error = decode_chunks(decoder, pieces(body, size, capture.name))
        assert again == events
        assert (type(same_error), str(same_error)) == (type(error), str(error))


@pytest.mark.each_capture("[cr][he][as][tp]*/*/*.sse")
async def test_a_recorded_stream_adds_up_through_the_whole_client(capture: Path) -> None:
    error: CodexError | None = None
    async with stream_from_fixture(capture, wire_api=api_of(capture), chunk_size=997) as stream:
        try:
            response = await stream.collect()
        except CodexError as raised:
            error, partial = raised, raised.partial
            assert partial is not None
            response = partial
    assert_as_expected(response, error, expected(capture))
