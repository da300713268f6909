"""One connection as aiohttp makes it: less work per event, for its parser is no Python. asyncio only."""

from __future__ import annotations

import math
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Generator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import Any, cast

import aiohttp
import anyio
import httpx
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from codex_client.client.link import Release
from codex_client.client.sockets import READY, is_readable, keep_alive_options
from codex_client.errors import ConfigurationError

if tuple(map(int, aiohttp.__version__.split(".")[:2])) < (3, 12):
    raise ImportError(f"version 3.12 or newer is needed, this is {aiohttp.__version__}")

# Of one header; aiohttp's own limit, 8 KiB, is less than a turn's state can be.
_MAX_HEADER_BYTES = 64 * 1024
_READ_BYTES = 64 * 1024
_MAX_PORT = 65535
# Some providers take their key in it.
_QUERY = re.compile(r"\?\S*")
# The pool of connections ends them sooner.
_KEEP_ALIVE_SECONDS = 3600.0


class AiohttpLink:
    """A link of aiohttp: a session of its own with one connection, which aiohttp makes anew where it was closed."""

    def __init__(self, *, tls: ssl.SSLContext | None, proxy: httpx.Proxy | None = None) -> None:
        self._proxy = proxy
        self._response: aiohttp.ClientResponse | None = None
        self._socket: socket.socket | None = None
        for_proxy = None if proxy is None else proxy.ssl_context
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=1,
                ssl=tls or for_proxy or True,
                keepalive_timeout=_KEEP_ALIVE_SECONDS,
                socket_factory=self._new_socket,
            ),
            # Cookies would tie the accounts together that share a client.
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=_READ_BYTES,
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
            # httpx has set them all.
            skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
        )

    @property
    def is_spent(self) -> bool:
        # aiohttp itself learns of an end only when the event loop comes round to it.
        return self._socket is not None and is_readable(self._socket)

    async def send(self, request: httpx.Request, release: Release) -> httpx.Response:
        limits = {name: _finite(seconds) for name, seconds in request.extensions.get("timeout", {}).items()}
        headers = _headers(request)
        secrets = _proxy_headers(self._proxy)
        try:
            with _httpx_errors():
                response = self._response = await self._session.request(
                    request.method,
                    _url(request.url),
                    # Only a request through a tunnel is none of the proxy's.
                    headers=headers if request.url.scheme == "https" else [*headers, *secrets.items()],
                    # As bytes, a large one would be written at once.
                    data=BytesIO(await request.aread()),
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(
                        total=None, connect=limits.get("connect"), sock_read=limits.get("read")
                    ),
                    proxy=None if self._proxy is None else _url(self._proxy.url),
                    proxy_headers=secrets,
                )
        except BaseException:
            await self.aclose()
            raise
        body = AiohttpBody(response, release)
        extensions: dict[str, Any] = {"http_version": b"HTTP/1.1", READY: body.ready}
        if response.connection is not None:
            extensions["network_stream"] = response.connection.transport
        return httpx.Response(response.status, headers=list(response.raw_headers), stream=body, extensions=extensions)

    def _new_socket(self, info: tuple[Any, ...]) -> socket.socket:
        made = self._socket = socket.socket(*info[:3])
        for option in keep_alive_options():
            made.setsockopt(*option)
        return made

    async def aclose(self) -> None:
        if self._response is not None:
            self._response.close()
        with anyio.CancelScope(shield=True), suppress(Exception):
            await self._session.close()


class AiohttpBody(httpx.AsyncByteStream):
    """A response's body; each read takes all that has arrived."""

    def __init__(self, response: aiohttp.ClientResponse, release: Release) -> None:
        self._response = response
        self._content = response.content
        self._release = release

    def __aiter__(self) -> AiohttpBody:
        return self

    async def __anext__(self) -> bytes:
        if self._content.exception() is not None and (chunk := await self.ready()):
            return chunk
        with _httpx_errors():
            if chunk := await self._content.readany():
                return chunk
        raise StopAsyncIteration

    async def ready(self) -> bytes:
        """What has arrived. A failure is left to the next read: aiohttp itself would drop what came before it."""
        content = self._content
        failure = content.exception()
        if failure is None:
            return content.read_nowait()
        content.set_exception(cast("BaseException", None))
        chunk = content.read_nowait()
        content.set_exception(failure)
        return chunk

    async def aclose(self) -> None:
        was_read = self._content.at_eof()
        self._response.close()
        await self._release(was_read)


def _url(url: httpx.URL) -> URL:
    if (url.port or 0) > _MAX_PORT:
        # As a socket says it.
        raise OverflowError(f"port {url.port} is above {_MAX_PORT}")
    return URL(str(url), encoded=True)


def _headers(request: httpx.Request) -> list[tuple[str, str]]:
    try:
        return [(name.decode("ascii"), value.decode("ascii")) for name, value in request.headers.raw]
    except UnicodeDecodeError:
        # It would write them as UTF-8. The value is not shown: it may be a credential.
        raise ConfigurationError(
            "aiohttp sends no header whose value is not ASCII; use transport='httpx', or leave that header out"
        ) from None


def _proxy_headers(proxy: httpx.Proxy | None) -> dict[str, str]:
    if proxy is None or proxy.raw_auth is None:
        return {}
    return {"Proxy-Authorization": "Basic " + b64encode(b":".join(proxy.raw_auth)).decode()}


def _finite(seconds: float | None) -> float | None:
    """aiohttp's form of no limit is None alone."""
    return None if seconds is None or math.isinf(seconds) else seconds


@contextmanager
def _httpx_errors() -> Generator[None]:
    """httpx's errors for aiohttp's."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        kind = next(ours for theirs, ours in _ERRORS if isinstance(error, theirs))
        text = str(error)
        if isinstance(error, aiohttp.ClientResponseError):
            text = f"{error.status} {error.message}" if kind is httpx.ProxyError else error.message
            # It carries the request: its headers with the credential, and its address with the query.
            nothing = aiohttp.RequestInfo(URL(), "", CIMultiDictProxy(CIMultiDict[str]()), URL())
            error.request_info, error.headers, error.history, error.args = nothing, None, (), ()
        # aiohttp raises one object again and again: each time its traceback would keep one more response alive.
        raise kind(_QUERY.sub("", text)) from error.with_traceback(None)


# The first that fits. "Server disconnected", which aiohttp says of a server that goes away without a word, is what
# httpcore says of it too.
_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ServerTimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientConnectionResetError, httpx.WriteError),
    (aiohttp.ClientConnectionError, httpx.ReadError),
    # A body that breaks off; how it does cannot be told.
    (aiohttp.ClientPayloadError, httpx.ReadError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (TimeoutError, httpx.ConnectTimeout),
    (Exception, httpx.ReadError),
)
