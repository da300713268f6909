"""Connections for streams: an httpx transport that gives every request in flight a connection of its own.

httpx's pool looks at all its connections at every request and slows down with the square of their number. Here each
connection is a transport of one connection, lent to one response at a time.
"""

from __future__ import annotations

import math
import os
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from functools import cache, partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote
from urllib.request import getproxies

import anyio
import httpx
from anyio.lowlevel import EventLoopToken, current_token

from codex_client.api import Clock, SystemClock
from codex_client.client.config import Transport
from codex_client.client.connection_pool import Connection, ConnectionPool, loop_is_over, runs_on_asyncio
from codex_client.client.http_errors import causes
from codex_client.client.link import Link
from codex_client.client.proxies import proxy_mounts
from codex_client.client.request_headers import blank_secrets
from codex_client.client.sockets import ABANDON
from codex_client.errors import ConfigurationError

_MAX_CONNECTIONS = 1000
_KEEP_ALIVE_EXPIRY = 60.0


def new_http_client(clock: Clock, engine: Transport = "httpx") -> httpx.AsyncClient:
    """An httpx client on `ConnectionTransport`s, with the proxies that the environment asks for.

    It keeps no cookies: they would tie the accounts together that share it. Raises `ConfigurationError` for a proxy
    setting that is no address.
    """
    mounts = {
        pattern: None if proxy is None else ConnectionTransport(engine=engine, proxy=proxy, clock=clock)
        for pattern, proxy in proxy_mounts(getproxies()).items()
    }
    try:
        client = httpx.AsyncClient(transport=ConnectionTransport(engine=engine, clock=clock), mounts=mounts)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"the environment's NO_PROXY has an entry that is no host: {error}") from None
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return client


class ConnectionTransport(httpx.AsyncBaseTransport):
    """An httpx transport for many long streams at once.

    `engine` is what makes the connections (see `ClientConfig`), `proxy` the URL of an HTTP or SOCKS proxy for all of
    them. At most `max_connections` are open, per event loop; who asks for one more waits its turn, for the request's
    pool timeout, then gets `httpx.PoolTimeout`. They are kept for reuse, each for `keepalive_expiry` seconds. All share
    one SSL context, made when the first connection over TLS is.

    Every event loop it is used in gets connections of its own; they are closed when the loop ends, or by `aclose` in
    that loop.
    """

    def __init__(
        self,
        *,
        max_connections: int = _MAX_CONNECTIONS,
        keepalive_expiry: float = _KEEP_ALIVE_EXPIRY,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
        engine: Transport = "httpx",
        clock: Clock | None = None,
    ) -> None:
        if max_connections < 1:
            raise ConfigurationError(f"max_connections is {max_connections}; it must be at least 1")
        self._max_connections = max_connections
        self._keepalive_expiry = keepalive_expiry
        self._ssl_context = ssl_context
        self._proxy = None if proxy is None else _parse_proxy(proxy)
        self._engine = engine
        self._clock = clock or SystemClock()
        self._pools: dict[EventLoopToken, ConnectionPool[Link]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        pool = await self._pool_of_this_loop()
        request = _with_its_target(request)
        url = request.url
        try:
            connection = await pool.lend((url.scheme, url.host, url.port), _pool_timeout(request))
        except TimeoutError as error:
            raise httpx.PoolTimeout(str(error), request=request) from None
        except anyio.ClosedResourceError:
            raise _closed() from None
        loan = _Loan(pool, connection)
        try:
            response = await self._send(request, connection, loan)
        except BaseException:
            await loan.end(reusable=False)
            raise
        response.extensions[ABANDON] = partial(loan.abandon, response.extensions.get("network_stream"))
        return response

    async def _send(self, request: httpx.Request, connection: Connection[Link], loan: _Loan) -> httpx.Response:
        failure: httpx.ProxyError | None = None
        # The pool cancels it when it is closed: a connection that is just being made would be none of its any more.
        with anyio.CancelScope() as connection.scope:
            try:
                link = await self._link(request.url, connection)
                return await link.send(request, loan.end)
            except (httpx.ConnectError, httpx.ProxyError) as error:
                failure = None if self._proxy is None else _proxy_failure(error, self._proxy)
                if failure is None:
                    raise
            except ImportError:
                if self._proxy is None or not self._proxy.url.scheme.startswith("socks"):
                    raise
                raise ConfigurationError('a SOCKS proxy needs one more package; pip install "httpx[socks]"') from None
            finally:
                connection.scope = None
        raise failure or _closed()

    async def _link(self, url: httpx.URL, connection: Connection[Link]) -> Link:
        """What carries the connection; another one where the server has closed the last."""
        link = connection.transport
        if link is not None and link.is_spent:
            await link.aclose()
            link = None
        if link is None:
            link = connection.transport = self._new_link(url)
        return link

    async def aclose(self) -> None:
        """Close all connections of this event loop, those in use as well, and forget those of loops that are over."""
        self._forget_ended_loops()
        pool = self._pools.get(current_token())
        if pool is not None:
            await pool.aclose()

    async def _pool_of_this_loop(self) -> ConnectionPool[Link]:
        token = current_token()
        pool = self._pools.get(token)
        if pool is None:
            self._forget_ended_loops()
            pool = ConnectionPool[Link](
                max_connections=self._max_connections,
                keepalive_expiry=self._keepalive_expiry,
                clock=self._clock,
                on_closed=partial(self._pools.pop, token, None),
            )
            self._pools[token] = pool
            await pool.watch_loop()
        return pool

    def _forget_ended_loops(self) -> None:
        """A loop that ends properly closes its connections; one that was just closed leaves them to the collector."""
        for token in list(self._pools):
            if loop_is_over(token):
                # Another thread may be doing the same.
                self._pools.pop(token, None)

    def _new_link(self, url: httpx.URL) -> Link:
        proxy, http2 = self._proxy, self._engine == "http2"
        if proxy is not None and proxy.url.scheme == "https":
            proxy.ssl_context = self._tls(http2=False)
        tls = self._tls(http2=http2) if url.scheme == "https" else None
        link = self._aiohttp_link(tls)
        if link is None:
            from codex_client.client.core_link import CoreLink

            link = CoreLink(url, tls=tls, proxy=proxy, http2=http2)
        return link

    def _aiohttp_link(self, tls: ssl.SSLContext | None) -> Link | None:
        """None where another engine is wanted, or this one cannot be used and need not be."""
        if self._engine not in ("aiohttp", "auto"):
            return None
        loop = runs_on_asyncio()
        reason = None if loop else "runs on asyncio only"
        if self._engine == "auto" and loop == "other loop":
            # As with the network: uvloop's TLS may lose the end of an answer.
            return None
        if self._proxy is not None and self._proxy.url.scheme.startswith("socks"):
            reason = "knows no SOCKS proxies"
        try:
            from codex_client.client.aiohttp_link import AiohttpLink
        except ImportError as error:
            reason = f"cannot be used ({error})"
        else:
            if reason is None:
                return AiohttpLink(tls=tls, proxy=self._proxy)
        if self._engine == "auto":
            return None
        raise ConfigurationError(f"aiohttp {reason}; use transport='httpx', or 'auto'")

    def _tls(self, *, http2: bool) -> ssl.SSLContext:
        if self._ssl_context is not None:
            return self._ssl_context
        file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
        try:
            return _shared_ssl_context(file, folder, http2)
        except OSError as error:
            raise ConfigurationError(
                f"the certificates of SSL_CERT_FILE={file!r} or SSL_CERT_DIR={folder!r} cannot be read "
                f"({error.strerror}); correct these variables"
            ) from error


class _Loan:
    """A connection, lent for one response. Once ended it may be another's, so that nothing more is done to it."""

    def __init__(self, pool: ConnectionPool[Link], connection: Connection[Link]) -> None:
        self._pool = pool
        self._connection = connection
        self._ended = False

    async def end(self, reusable: bool) -> None:
        """Give it back. asyncio's own cancellation may break off what is left to do; the pool does it later."""
        self._ended = True
        await self._pool.take_back(self._connection, reusable=reusable)

    def abandon(self, network_stream: Any) -> None:
        """Cut it, from wherever a finaliser runs."""
        if not self._ended:
            self._pool.abandon(self._connection, network_stream)


class RequestBody(httpx.AsyncByteStream):
    """A request's bytes in one piece, each time it is read.

    httpx's own form is a generator: where sending is cancelled it is dropped in mid-iteration, which trio reports as a
    leak.
    """

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _OnePiece(self._body)


class _OnePiece(AsyncIterator[bytes]):
    def __init__(self, piece: bytes) -> None:
        self._pieces = [piece]

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop()


@cache
def _shared_ssl_context(cert_file: str | None, cert_dir: str | None, http2: bool) -> ssl.SSLContext:
    """One for all clients and these settings, which httpx reads itself. Making one takes milliseconds of CPU.

    httpcore writes into it which versions of HTTP are offered, so each choice has one of its own; aiohttp does not.
    """
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1", "h2"] if http2 else ["http/1.1"])
    return context


def _parse_proxy(url: str) -> httpx.Proxy:
    try:
        return httpx.Proxy(url)
    except (httpx.InvalidURL, ValueError):
        raise ConfigurationError(
            "the proxy's address is no http, https, socks5 or socks5h URL; check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY"
        ) from None


def _proxy_failure(error: httpx.TransportError, proxy: httpx.Proxy) -> httpx.ProxyError | None:
    """The error with the proxy's address in its text and the password out of it; None where it is not the proxy's."""
    where = proxy.url.netloc.decode()
    if isinstance(error, httpx.ProxyError):
        return httpx.ProxyError(f"{where} said: {_without_password(str(error), proxy)}")
    if any(isinstance(cause, ssl.SSLError) for cause in causes(error)):
        # Mostly the server's: TLS goes through the proxy.
        return None
    return httpx.ProxyError(f"no connection to {where} ({error})")


def _without_password(text: str, proxy: httpx.Proxy) -> str:
    user, password = (part.decode() for part in proxy.raw_auth or (b"", b""))
    # As it was set, as an address writes it, and as the header carries it.
    forms = [b64encode(f"{user}:{password}".encode()).decode(), quote(password, safe=""), password]
    return blank_secrets(text, forms) if password else text


def _closed() -> httpx.ConnectError:
    return httpx.ConnectError("the client was closed")


def _with_its_target(request: httpx.Request) -> httpx.Request:
    """The request with the address that its `target` extension asks for.

    httpx's transports would send that as it is to a proxy too, where an address must be whole.
    """
    if "target" not in request.extensions:
        return request
    extensions = dict(request.extensions)
    url = request.url.copy_with(raw_path=extensions.pop("target"))
    return httpx.Request(request.method, url, headers=request.headers, stream=request.stream, extensions=extensions)


def _pool_timeout(request: httpx.Request) -> float:
    """Seconds; as httpx hands its timeouts to transports."""
    seconds = request.extensions.get("timeout", {}).get("pool")
    return math.inf if seconds is None else seconds
