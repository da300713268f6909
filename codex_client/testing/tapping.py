"""Looking on at a live answer's bytes: transports around the network that the library itself uses."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from codex_client.api import Clock, SystemClock
from codex_client.client.connections import new_http_client
from codex_client.testing.observed import ObservedStream, stream_of, with_stream


class NetworkTransport(httpx.AsyncBaseTransport):
    """The library's own way into the network, its proxies included, as a transport to put another around."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._client = new_http_client(clock or SystemClock())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._client.send(request, stream=True, follow_redirects=False)

    async def aclose(self) -> None:
        await self._client.aclose()


class BodyTap(httpx.AsyncBaseTransport):
    """Shows the bodies of answers with status 200 to `on_chunk` as they come, and asks for them without compression."""

    def __init__(self, on_chunk: Callable[[bytes], None], inner: httpx.AsyncBaseTransport) -> None:
        self._on_chunk = on_chunk
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["accept-encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        if response.status_code != 200:
            return response
        return with_stream(response, _TappedStream(stream_of(response), self._on_chunk))

    async def aclose(self) -> None:
        await self._inner.aclose()


def client_over(transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    """An `http_client` for a client's configuration; whoever asks for it closes it, and the transport with it."""
    return httpx.AsyncClient(transport=transport)


class _TappedStream(ObservedStream):
    def __init__(self, inner: httpx.AsyncByteStream, on_chunk: Callable[[bytes], None]) -> None:
        super().__init__(inner)
        self._on_chunk = on_chunk

    async def __anext__(self) -> bytes:
        chunk = await super().__anext__()
        self._on_chunk(chunk)
        return chunk
