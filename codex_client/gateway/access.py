"""Who may ask: a key where there are any, else only programs on this machine that mean this machine."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from codex_client.gateway.refusals import refused
from codex_client.gateway.routes import path_of

# They tell nothing of accounts and prompts: a load balancer and a browser have no key to show at first.
_OPEN = frozenset({"/", "/health"})


class AccessControl:
    """ASGI middleware.

    With keys, a bearer token is demanded. Without, the Host header must name this machine: a web page may let a name
    of its own point to a loopback address (DNS rebinding), and the browser takes the gateway for that page's server
    then. Other pages are held off by what a browser asks before it sends JSON to another origin, which nothing here
    agrees to.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[str]) -> None:
        self._app = app
        self._digests = [_digest(key) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["type"] != "http":
            return None
        headers = Headers(scope=scope)
        if not self._digests:
            return None if _names_loopback(headers.get("host", "")) else _wrong_host()
        if path_of(scope) in _OPEN or self._is_known(headers.get("authorization", "")):
            return None
        return _no_key(given="authorization" in headers)

    def _is_known(self, authorization: str) -> bool:
        scheme, _, key = authorization.partition(" ")
        given = _digest(key.strip())
        # All of them, and digests of one length: how long it takes tells nothing.
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        return scheme.lower() == "bearer" and any(matches)


def is_loopback(host: str) -> bool:
    """Whether an address or a name is this machine's and reached from nowhere else."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _names_loopback(host_header: str) -> bool:
    if host_header.startswith("["):
        return is_loopback(host_header[1:].partition("]")[0])
    return is_loopback(host_header.partition(":")[0])


def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()


def _wrong_host() -> Response:
    message = "the Host header does not name this machine; use localhost or 127.0.0.1, or give the gateway a key"
    return refused(403, message, code="invalid_host")


def _no_key(*, given: bool) -> Response:
    what = "the key is not one of the gateway's" if given else "no key was sent"
    message = f"{what}; send it as `Authorization: Bearer …`, which is what OpenAI's clients call api_key"
    return refused(401, message, code="invalid_api_key", headers={"www-authenticate": "Bearer"})
