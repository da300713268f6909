"""What `doctor` checks on the way to the server: proxies, names, a connection, its certificate."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

import anyio
import certifi
from anyio.abc import ByteStream
from anyio.streams.tls import TLSAttribute

from codex_client.api import Clock
from codex_client.cli.exits import ExitStatus
from codex_client.cli.findings import Finding, Verdict
from codex_client.cli.output import counted, iso
from codex_client.client.connections import new_http_client
from codex_client.client.proxies import proxy_mounts
from codex_client.errors import ConfigurationError, ConnectTimeoutError
from codex_client.masking import safe_url

_PATIENCE = 10.0
_DAY = 86_400.0
# Renewed certificates are mostly in place a month before.
_SOON_DAYS = 14
_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


@dataclass(frozen=True, kw_only=True)
class Route:
    """The way to a server: its own host, or the proxy's where there is one for it."""

    server: SplitResult
    proxy: SplitResult | None

    @classmethod
    def to(cls, url: str) -> Self:
        server = urlsplit(url)
        proxy = proxy_for(server, proxy_mounts(getproxies()))
        return cls(server=server, proxy=None if proxy is None else urlsplit(proxy))

    @property
    def host(self) -> str:
        return (self.proxy or self.server).hostname or ""

    @property
    def port(self) -> int:
        first = self.proxy or self.server
        return first.port or _PORTS.get(first.scheme, 443)

    @property
    def place(self) -> str:
        """Host and port, as an address writes them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def proxy_for(url: SplitResult, mounts: Mapping[str, str | None]) -> str | None:
    """The proxy for an address, by patterns as `proxy_mounts` gives them; None for the direct way."""
    if any(proxy is None and _is_excepted(url, pattern) for pattern, proxy in mounts.items()):
        return None
    return mounts.get(f"{url.scheme}://") or mounts.get("all://")


async def check_proxy(url: str, clock: Clock) -> tuple[Finding, Route | None]:
    """Which proxy there is to an address, and the way; None where the environment's proxies are no addresses."""
    name = "proxy"
    try:
        # It sends nothing, but takes all of them as turns do.
        await new_http_client(clock).aclose()
        route = Route.to(url)
        if not _has_place(route):
            raise ValueError
    except ConfigurationError as error:
        return Finding.of_error(name, error), None
    except ValueError:
        told = "a proxy of the environment has no host, or a port that is none"
        return Finding.failed(name, told, "correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY", ExitStatus.USAGE), None
    if route.proxy is not None:
        return Finding.ok(name, f"{safe_url(route.proxy.geturl())}, by the environment"), route
    excepted = " (there are some for other addresses)" if any(proxy_mounts(getproxies()).values()) else ""
    return Finding.ok(name, f"none{excepted}"), route


async def check_route(route: Route, clock: Clock) -> Sequence[Finding]:
    """The way, step by step, as far as it goes."""
    findings = [await _check_names(route)]
    for name, check in (("connection", _check_connection), ("certificate", _check_certificate)):
        goes_on = findings[-1].verdict is Verdict.OK
        findings.append(await check(route, clock) if goes_on else Finding.skipped(name, "not tried"))
    return findings


async def _check_names(route: Route) -> Finding:
    """Whether the host's name has an address."""
    try:
        found = await anyio.getaddrinfo(route.host, route.port)
    except (OSError, UnicodeError) as error:
        return Finding.failed(
            "names",
            f"{route.host} has no address ({_reason(error)})",
            f"check {_setting(route)}, the network, and the name server",
        )
    addresses = sorted({str(each[4][0]) for each in found})
    return Finding.ok("names", f"{route.host} is {', '.join(addresses)}")


async def _check_connection(route: Route, clock: Clock) -> Finding:
    """Whether a connection can be made, and how long that takes."""
    began_at = clock.monotonic()
    try:
        async with await _connect(route, clock):
            seconds = clock.monotonic() - began_at
    except (OSError, ConnectTimeoutError) as error:
        return Finding.failed(
            "connection",
            f"no connection to {route.place} ({_reason(error)})",
            f"check {_setting(route)}, the firewall, and whether a proxy is needed (HTTPS_PROXY)",
        )
    return Finding.ok("connection", f"{route.place} answers within {seconds * 1000:.0f} ms")


async def _check_certificate(route: Route, clock: Clock) -> Finding:
    """Whether the server's certificate is trusted, and until when it is good."""
    name = "certificate"
    if route.server.scheme != "https":
        return Finding.skipped(name, "the address is not https")
    if route.proxy is not None:
        return Finding.skipped(name, "it comes through the proxy; the request shows whether it is trusted")
    try:
        async with await _connect(route, clock, tls=_trust()) as stream:
            certificate, version = stream.extra(TLSAttribute.peer_certificate), stream.extra(TLSAttribute.tls_version)
    except ConfigurationError as error:
        return Finding.of_error(name, error)
    except ssl.SSLCertVerificationError as error:
        return Finding.failed(
            name,
            f"the certificate of {route.place} is not trusted ({error.verify_message})",
            "set SSL_CERT_FILE to the certificates of your organisation, or look at what answers there",
        )
    except (OSError, ConnectTimeoutError) as error:
        return Finding.failed(
            name, f"no TLS with {route.place} ({_reason(error)})", "check the port, and what is in between"
        )
    # A server that is verified has shown one.
    return _expiry(certificate or {}, version, now=clock.time())


def _expiry(certificate: Mapping[str, object], version: str, *, now: float) -> Finding:
    ends_at = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    days = int((ends_at - now) // _DAY)
    told = f"{version}, trusted, good until {iso(ends_at)} ({counted(days, 'day')})"
    if days < _SOON_DAYS:
        return Finding.note("certificate", told, "tell who runs the server that it ends soon")
    return Finding.ok("certificate", told)


async def _connect(route: Route, clock: Clock, *, tls: ssl.SSLContext | None = None) -> ByteStream:
    """A connection, for the caller to close. Raises `OSError` and `ConnectTimeoutError`."""
    with clock.move_on_after(_PATIENCE):
        if tls is None:
            return await anyio.connect_tcp(route.host, route.port)
        return await anyio.connect_tcp(
            route.host, route.port, ssl_context=tls, tls_hostname=route.host, tls_standard_compatible=False
        )
    raise ConnectTimeoutError(f"none within {_PATIENCE:g} s")


def _trust() -> ssl.SSLContext:
    """The certificates that the library's own connections go by."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    try:
        if file or not folder:
            return ssl.create_default_context(cafile=file or certifi.where())
        return ssl.create_default_context(capath=folder)
    except OSError as error:
        raise ConfigurationError(
            f"the certificates of SSL_CERT_FILE={file!r} or SSL_CERT_DIR={folder!r} cannot be read "
            f"({error.strerror}); correct these variables"
        ) from None


def _is_excepted(url: SplitResult, pattern: str) -> bool:
    """Whether a pattern without a proxy covers the address: by scheme, port, and host with its subdomains."""
    excepted, host = urlsplit(pattern), url.hostname or ""
    if excepted.scheme not in ("all", url.scheme):
        return False
    if excepted.port is not None and excepted.port != (url.port or _PORTS.get(url.scheme)):
        return False
    wanted = excepted.hostname or ""
    if not wanted.startswith("*"):
        return host == wanted
    domain = wanted[1:].lstrip(".")
    return host.endswith(f".{domain}") or (host == domain and not wanted.startswith("*."))


def _has_place(route: Route) -> bool:
    """Raises `ValueError` for a port that is no number or too high."""
    return bool(route.host) and route.port > 0


def _setting(route: Route) -> str:
    return "the address" if route.proxy is None else "the proxy in the environment (HTTPS_PROXY and its kin)"


def _reason(error: Exception) -> str:
    told = error.strerror if isinstance(error, OSError) else None
    return told or str(error) or type(error).__name__
