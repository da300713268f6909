"""A recorded stream as if a server sent it: the same frames, decoder and events, without a socket."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import MappingProxyType

import anyio.lowlevel

from codex_client.api import Clock, DecoderFactory, SystemClock
from codex_client.client.config import StreamLimits
from codex_client.client.fixtures import load_fixture
from codex_client.client.sse import FrameReader
from codex_client.clients.attempt import Attempt
from codex_client.clients.turn import TurnBlock, TurnWatch
from codex_client.decode.chat import ChatDecoder
from codex_client.decode.responses import ResponsesDecoder
from codex_client.errors import ConfigurationError
from codex_client.model_provider import WireApi
from codex_client.stream import EventSource, ResponseStream

_DECODERS: Mapping[WireApi, DecoderFactory] = {WireApi.RESPONSES: ResponsesDecoder, WireApi.CHAT: ChatDecoder}


def stream_from_fixture(
    path: str | Path,
    *,
    wire_api: WireApi | str = WireApi.RESPONSES,
    idle_timeout: float = 300.0,
    chunk_size: int | None = None,
    limits: StreamLimits | None = None,
    clock: Clock | None = None,
) -> AbstractAsyncContextManager[ResponseStream]:
    """The turn that a recorded stream gives, to be used as `client.stream` is.

    Three forms are read, by suffix: `.sse` (the body as a server sent it), `.json` (a list of the events' JSON
    objects), `.jsonl` and `.txt` (codex's form, one frame a line). The bytes arrive in pieces of `chunk_size`, None for
    all at once. Raises what a live stream would raise, `FileNotFoundError`, and `ConfigurationError` for a file that is
    in none of the forms.
    """
    if chunk_size is not None and chunk_size < 1:
        raise ConfigurationError(f"chunk_size is {chunk_size}; it must be at least 1, or None for all at once")
    if not idle_timeout > 0:
        raise ConfigurationError(f"idle_timeout is {idle_timeout}; it must be above 0")
    body = load_fixture(path)
    decoder = _DECODERS[WireApi(wire_api)]
    limits = limits or StreamLimits()
    clock = clock or SystemClock()

    async def open_source(watch: TurnWatch | None) -> EventSource:
        answer = _RecordedAnswer(body, chunk_size or len(body) or 1, clock.monotonic())
        reader = FrameReader(
            answer,
            clock=clock,
            first_event=idle_timeout,
            idle=idle_timeout,
            max_frame_bytes=limits.max_frame_bytes,
        )
        return Attempt(
            answer,
            reader,
            decoder(tolerate_malformed=limits.tolerate_malformed, raw_events=limits.raw_events, request_id=None),
            clock=clock,
        )

    return TurnBlock(open_source)


class _RecordedAnswer:
    """Bytes in memory in the shape of an HTTP answer."""

    status_code: int | None = 200
    headers: Mapping[str, str] = MappingProxyType({"content-type": "text/event-stream"})
    request_id: str | None = None

    def __init__(self, body: bytes, chunk_size: int, started_at: float) -> None:
        self.started_at = started_at
        self._body = body
        self._chunk_size = chunk_size
        self._at = 0

    async def read_ready(self) -> bytes:
        return b""

    async def read_chunk(self) -> bytes:
        await anyio.lowlevel.checkpoint()
        chunk = self._body[self._at : self._at + self._chunk_size]
        self._at += len(chunk)
        return chunk

    async def aclose(self, *, drain: bool = False) -> None:
        self._at = len(self._body)

    def abandon(self) -> None:
        self._at = len(self._body)

    def clean(self, text: str) -> str:
        return text
