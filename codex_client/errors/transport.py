"""Failures without a usable HTTP answer."""

from __future__ import annotations

from codex_client.errors.base import CodexError


class TransportError(CodexError):
    """The request could not be sent or its answer could not be read. `url` is without query and credentials."""

    retryable = True

    def __init__(self, message: str, *, url: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.url = url


class ConnectError(TransportError):
    """Connection refused or unreachable."""


class DnsError(ConnectError):
    """The host name does not resolve."""


class TlsError(ConnectError):
    """The TLS handshake failed (certificate, host name, protocol)."""

    retryable = False


class ConnectTimeoutError(ConnectError):
    """No connection within `Timeouts.connect`."""


class PoolTimeoutError(TransportError):
    """No free connection within `Timeouts.pool`."""


class WriteError(TransportError):
    """The request could not be written."""


class ReadError(TransportError):
    """The connection broke while the answer was read."""


class ProtocolError(ReadError):
    """The answer is not valid HTTP (truncated chunked body, broken compression, garbage)."""


class ProxyError(ConnectError):
    """The proxy refused or failed."""


class RedirectError(TransportError):
    """The server redirects in a circle, too often, or to a place that the request must not follow."""

    retryable = False
