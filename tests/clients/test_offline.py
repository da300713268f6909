"""A recorded stream gives what a live one would give."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

from codex_client.client.config import StreamLimits
from codex_client.clients.offline import stream_from_fixture
from codex_client.errors import ConfigurationError, StreamClosedError
from codex_client.events import RawEvent
from codex_client.testing import chat_turn, responses_turn, sse

TEXT = "The quick brown fox."


@pytest.mark.parametrize("chunk_size", [None, 1, 7])
@pytest.mark.parametrize("wire_api", ["responses", "chat"])
async def test_a_fixture_streams_like_a_server(tmp_path: Path, wire_api: str, chunk_size: int | None) -> None:
    body = sse(responses_turn(TEXT)) if wire_api == "responses" else sse(chat_turn(TEXT), done=True)
    path = tmp_path / "turn.sse"
    path.write_bytes(body)
    async with stream_from_fixture(path, wire_api=wire_api, chunk_size=chunk_size) as stream:
        assert (stream.status_code, stream.request_id) == (200, None)
        assert (await stream.collect()).text == TEXT


async def test_a_fixture_cut_short_fails_like_a_server(tmp_path: Path) -> None:
    path = tmp_path / "turn.sse"
    path.write_bytes(sse(responses_turn(TEXT)[:6]))
    async with stream_from_fixture(path) as stream:
        with pytest.raises(StreamClosedError) as raised:
            await stream.collect()
    assert raised.value.partial is not None
    assert TEXT.startswith(raised.value.partial.text)


async def test_limits_hold_offline_too(tmp_path: Path) -> None:
    path = tmp_path / "turn.sse"
    path.write_bytes(sse([{"type": "response.unheard_of"}, *responses_turn(TEXT)]))
    async with stream_from_fixture(path, limits=StreamLimits(raw_events=True)) as stream:
        assert isinstance(await anext(stream), RawEvent)


async def test_a_dropped_fixture_stream_warns_as_a_live_one_does(tmp_path: Path) -> None:
    path = tmp_path / "turn.sse"
    path.write_bytes(sse(responses_turn(TEXT)))
    stream = await stream_from_fixture(path).__aenter__()
    with pytest.warns(ResourceWarning, match="dropped while open"):
        del stream
        gc.collect()


async def test_an_empty_fixture_is_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "turn.sse"
    path.write_bytes(b"")
    async with stream_from_fixture(path) as stream:
        with pytest.raises(StreamClosedError):
            await stream.collect()


def test_a_file_that_is_no_fixture_is_refused_before_anything_is_streamed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        stream_from_fixture(tmp_path / "none.sse")
    (tmp_path / "turn.txt2").write_bytes(b"")
    with pytest.raises(ConfigurationError):
        stream_from_fixture(tmp_path / "turn.txt2")
    (tmp_path / "turn.sse").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="unknown wire_api 'grpc'"):
        stream_from_fixture(tmp_path / "turn.sse", wire_api="grpc")


@pytest.mark.parametrize(
    "options, message", [({"chunk_size": 0}, "chunk_size is 0"), ({"idle_timeout": 0}, "idle_timeout is 0")]
)
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        stream_from_fixture(tmp_path / "turn.sse", **options)
