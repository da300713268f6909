"""Looking on while somebody else talks to a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import httpx

from codex_client.client.sockets import READY
from codex_client.testing.requests import RecordedRequest, recorded


class ObservedStream(httpx.AsyncByteStream):
    """Hands a response's chunks on as they come; a subclass looks at them."""

    def __init__(self, inner: httpx.AsyncByteStream) -> None:
        self._inner = inner
        self._chunks = aiter(inner)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._chunks)

    async def aclose(self) -> None:
        # httpx's streams iterate as generators, and one that is left early must be closed by whom it belongs to.
        close = getattr(self._chunks, "aclose", None)
        try:
            if close is not None:
                await close()
        finally:
            await self._inner.aclose()


def stream_of(response: httpx.Response) -> httpx.AsyncByteStream:
    """The stream that a transport gave; every asynchronous transport gives an asynchronous one."""
    assert isinstance(response.stream, httpx.AsyncByteStream)
    return response.stream


def with_stream(response: httpx.Response, stream: ObservedStream) -> httpx.Response:
    """The same answer with another stream. A new object: one that was made with its content, as a `httpx.MockTransport`
    does it, counts as read and would never be iterated.
    """
    # Nothing may be had of the body but through the stream.
    extensions = {name: value for name, value in response.extensions.items() if name != READY}
    return httpx.Response(response.status_code, headers=response.headers, stream=stream, extensions=extensions)


@dataclass
class Exchange:
    """One request and what came of it.

    `chunks` are as they came from the network, still compressed. `complete`: the body came to its end; `closed`: the
    reader closed the response. `error` is what the request or the reading raised.
    """

    request: RecordedRequest
    status: int | None = None
    headers: httpx.Headers | None = field(default=None, repr=False)
    chunks: list[bytes] = field(default_factory=list[bytes], repr=False)
    error: Exception | None = None
    complete: bool = False
    closed: bool = False


class RecordingTransport(httpx.AsyncBaseTransport):
    """Passes requests on to `inner` (default: the network) and keeps what it sees in memory."""

    exchanges: list[Exchange]
    """One per request, in order, filled in as things happen."""

    def __init__(self, inner: httpx.AsyncBaseTransport | None = None) -> None:
        self.exchanges = []
        self._inner = inner or httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        exchange = Exchange(recorded(request))
        self.exchanges.append(exchange)
        try:
            response = await self._inner.handle_async_request(request)
        except Exception as error:
            exchange.error = error
            raise
        exchange.status, exchange.headers = response.status_code, response.headers
        return with_stream(response, _ExchangeStream(stream_of(response), exchange))

    async def aclose(self) -> None:
        await self._inner.aclose()


class _ExchangeStream(ObservedStream):
    def __init__(self, inner: httpx.AsyncByteStream, exchange: Exchange) -> None:
        super().__init__(inner)
        self._exchange = exchange

    async def __anext__(self) -> bytes:
        try:
            chunk = await super().__anext__()
        except StopAsyncIteration:
            self._exchange.complete = True
            raise
        except Exception as error:
            self._exchange.error = error
            raise
        self._exchange.chunks.append(chunk)
        return chunk

    async def aclose(self) -> None:
        self._exchange.closed = True
        await super().aclose()
