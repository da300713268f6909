"""The network below httpcore: which one an event loop gets, and a stream that can stop short of waiting."""

from __future__ import annotations

import ssl
import types
from collections.abc import Generator, Iterable
from typing import Any, cast

import httpcore

from codex_client.client.asyncio_network import AsyncioNetwork
from codex_client.client.connection_pool import runs_on_asyncio


class Network(httpcore.AsyncNetworkBackend):
    """What one link of httpcore connects through. It remembers the `newest` connection, so that none gets lost."""

    def __init__(self) -> None:
        self.newest: httpcore.AsyncNetworkStream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = self.newest = await _backend().connect_tcp(host, port, timeout, local_address, socket_options)
        return PausingStream(stream)

    async def sleep(self, seconds: float) -> None:
        await _backend().sleep(seconds)


class Pause:
    """What a read yields, in place of something that an event loop would wait for."""


PAUSE = Pause()


class PausingStream(httpcore.AsyncNetworkStream):
    """A stream whose reads yield `PAUSE` once before they begin, while `pausing` is set.

    Who steps through a coroutine by hand learns by it that the next step waits for the network.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self.pausing: bool = False
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self.pausing:
            await _pause()
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return PausingStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


@types.coroutine
def _pause() -> Generator[Pause, None, None]:
    yield PAUSE


def _backend() -> httpcore.AsyncNetworkBackend:
    if runs_on_asyncio() == "own loop":
        return AsyncioNetwork()
    # uvloop's TLS loses what came last where the server ends without saying so.
    return cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())
