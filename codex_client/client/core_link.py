"""One connection as httpcore makes it, to a server or to the proxy before it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, Generator
from contextlib import contextmanager, suppress
from typing import Any, cast

import anyio
import httpcore
import httpx

from codex_client.client.body import EagerBody
from codex_client.client.link import Release
from codex_client.client.network import Network
from codex_client.client.sockets import READY, keep_alive_options


class CoreLink:
    """A link of httpcore. `http2`: HTTP/2 where the server agrees to it in the TLS handshake."""

    def __init__(
        self, url: httpx.URL, *, tls: ssl.SSLContext | None, proxy: httpx.Proxy | None = None, http2: bool = False
    ) -> None:
        self._network = Network()
        self._exchange = _exchange(url, self._network, tls, proxy, http2=http2)

    @property
    def is_spent(self) -> bool:
        exchange, network = self._exchange, self._network.newest
        if network is None or not isinstance(exchange, httpcore.AsyncHTTPConnection):
            # Not connected yet, or through a proxy, whose pool sees to that itself.
            return False
        # httpcore does not look at the socket of an HTTP/2 connection.
        return exchange.is_closed() or exchange.has_expired() or network.get_extra_info("is_readable")

    async def send(self, request: httpx.Request, release: Release) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        ours = httpcore.Request(
            request.method,
            _core_url(request.url),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            with httpx_errors():
                answer = await self._exchange.handle_async_request(ours)
        except BaseException:
            await self.aclose()
            raise
        extensions: dict[str, Any] = dict(answer.extensions)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]

        async def close(was_read: bool) -> None:
            reusable = False
            try:
                with httpx_errors():
                    await answer.aclose()
                # Closing that was interrupted leaves the connection taken for ever in httpcore's eyes.
                reusable = was_read
            finally:
                await release(reusable)

        # A read of HTTP/2 holds a lock, with which no step may be left standing.
        network = extensions["network_stream"] if extensions["http_version"].startswith(b"HTTP/1") else None
        body = EagerBody(aiter(cast("AsyncIterable[bytes]", answer.stream)), network, httpx_errors, close)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=body, extensions={**extensions, READY: body.ready}
        )

    async def aclose(self) -> None:
        """Close it, with the socket that httpcore forgets when its TLS handshake is cancelled."""
        with anyio.CancelScope(shield=True):
            with suppress(Exception):
                await self._exchange.aclose()
            if self._network.newest is not None:
                with suppress(Exception):
                    await self._network.newest.aclose()


@contextmanager
def httpx_errors() -> Generator[None]:
    """httpx's errors for httpcore's, which have the same names."""
    try:
        yield
    except httpcore.ConnectionNotAvailable as error:
        raise httpx.ReadError("the server is closing the connection") from error
    except _ERRORS as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error


_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)


def _exchange(
    url: httpx.URL, network: Network, tls: ssl.SSLContext | None, proxy: httpx.Proxy | None, *, http2: bool
) -> httpcore.AsyncHTTPConnection | httpcore.AsyncConnectionPool:
    if proxy is None:
        return httpcore.AsyncHTTPConnection(
            _core_url(url).origin,
            ssl_context=tls,
            http2=http2,
            network_backend=network,
            socket_options=keep_alive_options(),
        )
    # A pool of one: httpcore keeps its connections through proxies to itself.
    return httpcore.AsyncConnectionPool(
        proxy=httpcore.Proxy(_core_url(proxy.url), proxy.raw_auth, proxy.headers.raw, proxy.ssl_context),
        ssl_context=tls,
        max_connections=1,
        http2=http2,
        network_backend=network,
        socket_options=keep_alive_options(),
    )


def _core_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
