"""What the HTTP library raises, as our errors: one table.

Classes are looked up by name: httpx, httpx2, httpcore and h11 name theirs alike, so one table serves them all and none
of them need be imported or even installed.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Protocol, TypeVar, cast

from codex_client.client.config import Timeouts
from codex_client.errors import (
    CodexError,
    ConfigurationError,
    ConnectError,
    ConnectTimeoutError,
    DnsError,
    PoolTimeoutError,
    ProtocolError,
    ProxyError,
    ReadError,
    RedirectError,
    TlsError,
    TransportError,
    WriteError,
)
from codex_client.masking import excerpt

E = TypeVar("E", bound=BaseException)

_LIBRARIES = frozenset({"httpx", "httpx2", "httpcore", "httpcore2", "h11", "h2", "socksio", "anyio", "trio"})
# httpcore's words for a connection that ended where the status line was due: not broken HTTP, just no answer.
_NO_ANSWER = "Server disconnected"
# httpx's, for a redirect; it looks at the address although it is told not to go there.
_BAD_LOCATION = "Invalid URL in location header"
_LOOP_CLOSED = "Event loop is closed"
_CLIENT_CLOSED = "client has been closed"
# A handshake that is cut off says nothing against the certificate.
_CUT_HANDSHAKES = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)


def transport_error(
    error: Exception,
    *,
    url: str,
    timeouts: Timeouts,
    setting: str = "the base_url",
    outer: BaseException | None = None,
    sent: bool = False,
) -> CodexError | None:
    """Our error for one of the HTTP library's or the socket's; None for any other: that is a fault in a program.

    `url` without query; `setting`: what says where that is. `outer` is the exception that was being handled when the
    request began: the search for the cause stops there, so that a caller's earlier trouble is not taken for this one's.
    `sent`: the request itself was valid, so an address that is not came from the server. Of a group the first member
    counts that is known. Takes the request off the library's errors, because it carries the credential.
    """
    failure = _Failure(error, url, timeouts, setting, outer, sent)
    failure.forget_request()
    if isinstance(error, ExceptionGroup):
        members = cast("ExceptionGroup[Exception]", error).exceptions
        again = partial(transport_error, url=url, timeouts=timeouts, setting=setting, outer=outer, sent=sent)
        ours = (again(each) for each in members)
        return next((each for each in ours if each is not None), None)
    for kind in type(error).__mro__:
        if _library(kind) in _LIBRARIES and kind.__name__ in _TABLE:
            return _TABLE[kind.__name__](failure)
    if isinstance(error, OSError):
        return _read_error(failure)
    if isinstance(error, OverflowError | UnicodeError):
        return _no_address(failure)
    return _borrowed_client_error(error) if isinstance(error, RuntimeError) else None


def _borrowed_client_error(error: RuntimeError) -> ConfigurationError | None:
    if _LOOP_CLOSED in str(error):
        return ConfigurationError(
            "the http_client's connections belong to an event loop that is closed; "
            "make a client per event loop, or leave http_client out"
        )
    if _CLIENT_CLOSED in str(error):
        return ConfigurationError("the http_client is closed; keep it open for as long as it is used")
    return None


class _Failure:
    """One library error, with what a text about it needs."""

    def __init__(
        self,
        error: Exception,
        url: str,
        timeouts: Timeouts,
        setting: str,
        outer: BaseException | None,
        sent: bool,
    ) -> None:
        self.sent = sent
        self.setting = setting
        self.url = url
        self.timeouts = timeouts
        self.text = excerpt(str(error)) or type(error).__name__
        self.causes = list(causes(error, outer))

    def cause(self, kind: type[E]) -> E | None:
        return next((cause for cause in self.causes if isinstance(cause, kind)), None)

    def forget_request(self) -> None:
        for cause in self.causes:
            if _library(type(cause)) in _LIBRARIES and hasattr(type(cause), "request"):
                cast(_CarriesRequest, cause).request = None


class _CarriesRequest(Protocol):
    request: object


def causes(error: BaseException, outer: BaseException | None = None) -> Iterator[BaseException]:
    """The error and all that it came from up to `outer`, groups opened.

    httpcore cuts `__cause__`, so `__context__` is followed as well.
    """
    pending: list[BaseException | None] = [error]
    seen = {id(None), id(outer)}
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        pending += [current.__context__, current.__cause__]
        if isinstance(current, BaseExceptionGroup):
            pending += cast("BaseExceptionGroup[BaseException]", current).exceptions


def _library(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def _connect_error(failure: _Failure) -> ConnectError:
    tls = failure.cause(ssl.SSLError)
    if tls is not None and not isinstance(tls, _CUT_HANDSHAKES):
        return TlsError(
            f"no TLS connection to {failure.url}: {excerpt(str(tls))}; {_tls_advice(tls, failure.setting)}",
            url=failure.url,
        )
    name = failure.cause(socket.gaierror)
    if name is not None:
        return DnsError(
            f"the host name of {failure.url} does not resolve ({name.strerror or name}); "
            f"check {failure.setting}, and the network",
            url=failure.url,
        )
    if failure.cause(ConnectionRefusedError) is not None:
        return ConnectError(
            f"connection to {failure.url} refused; check that the server runs and listens where {failure.setting} says",
            url=failure.url,
        )
    return ConnectError(
        f"no connection to {failure.url}: {failure.text}; check {failure.setting}, and the network", url=failure.url
    )


def _tls_advice(error: ssl.SSLError, setting: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"check the host name in {setting}, or name your authority's certificates in SSL_CERT_FILE"
    return f"check that the server speaks TLS on this port; if it does not, {setting} begins with http://"


def _connect_timeout(failure: _Failure) -> ConnectTimeoutError:
    return ConnectTimeoutError(
        f"no connection to {failure.url} within {failure.timeouts.connect} s; "
        "raise `Timeouts.connect` or check the network",
        url=failure.url,
    )


def _pool_timeout(failure: _Failure) -> PoolTimeoutError:
    return PoolTimeoutError(
        f"no free connection within {failure.timeouts.pool} s ({failure.text}); "
        "close streams sooner, or raise `Timeouts.pool`",
        url=failure.url,
    )


def _write_error(failure: _Failure) -> WriteError:
    return WriteError(
        f"the request to {failure.url} could not be written: {failure.text}; check the network", url=failure.url
    )


def _write_timeout(failure: _Failure) -> WriteError:
    return WriteError(
        f"{failure.url} took nothing of the request for {failure.timeouts.write} s; "
        "raise `Timeouts.write` or check the network",
        url=failure.url,
    )


def _read_error(failure: _Failure) -> ReadError:
    return ReadError(
        f"the connection to {failure.url} broke before the answer was whole: {failure.text}; check the network",
        url=failure.url,
    )


def _protocol_error(failure: _Failure) -> TransportError:
    if failure.text.startswith(_BAD_LOCATION):
        return _bad_location(failure)
    if failure.text.startswith(_NO_ANSWER):
        return ReadError(
            f"{failure.url} closed the connection without an answer; check the provider's status", url=failure.url
        )
    return ProtocolError(
        f"{failure.url} sent no valid HTTP: {failure.text}; check {failure.setting} and any proxy in between",
        url=failure.url,
    )


def _bad_location(failure: _Failure) -> RedirectError:
    return RedirectError(
        f"{failure.url} redirects to an address that is no URL; set {failure.setting} to where the server is",
        url=failure.url,
    )


def _bad_address(failure: _Failure) -> CodexError:
    return _bad_location(failure) if failure.sent else _not_sendable(failure)


def _proxy_error(failure: _Failure) -> ProxyError:
    return ProxyError(
        f"the proxy on the way to {failure.url} failed: {failure.text}; "
        "check that it runs, and HTTPS_PROXY, HTTP_PROXY and ALL_PROXY",
        url=failure.url,
    )


def _local_protocol_error(failure: _Failure) -> CodexError:
    # httpcore blames the request for what an HTTP/2 server did.
    by_server = any(_library(type(cause)) == "h2" for cause in failure.causes)
    return _protocol_error(failure) if by_server else _not_sendable(failure)


def _not_sendable(failure: _Failure) -> ConfigurationError:
    # The library's own text is left out: it may quote a header's value.
    return ConfigurationError(
        f"the request to {failure.url} is no valid HTTP; check {failure.setting}, and the headers that the "
        "configuration adds"
    )


def _no_address(failure: _Failure) -> ConfigurationError:
    # A port beyond 65535, a host name that the name service has no form for.
    return ConfigurationError(
        f"no connection can be made to {failure.url}: {failure.text}; check host and port in {failure.setting}"
    )


_TABLE: Mapping[str, Callable[[_Failure], CodexError]] = {
    "ConnectTimeout": _connect_timeout,
    "ConnectError": _connect_error,
    "PoolTimeout": _pool_timeout,
    "WriteTimeout": _write_timeout,
    "WriteError": _write_error,
    "RemoteProtocolError": _protocol_error,
    "ProxyError": _proxy_error,
    "LocalProtocolError": _local_protocol_error,
    "UnsupportedProtocol": _not_sendable,
    "InvalidURL": _bad_address,
    # The rest that a library raises while it talks: read timeouts of a borrowed client, closed and broken streams.
    "HTTPError": _read_error,
    "StreamError": _read_error,
    "ProtocolError": _protocol_error,
    "NetworkError": _read_error,
    "TimeoutException": _read_error,
    "ClosedResourceError": _read_error,
    "BrokenResourceError": _read_error,
    "BusyResourceError": _read_error,
    "EndOfStream": _read_error,
    # The server of an HTTP/2 connection goes away before it has answered this request.
    "ConnectionNotAvailable": _read_error,
}
