"""Keeps tests from talking to real servers."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

import httpx

_Send: TypeAlias = Callable[[Any, Any], Awaitable[Any]]


class RealRequestError(RuntimeError):
    """A test was about to talk to a real server. No error of the transport, so that no client tries again."""


@contextmanager
def no_real_requests() -> Generator[None]:
    """Inside this block a request to any host but loopback raises `RealRequestError`, before a connection is made.

    It holds for every asynchronous request of this library's own transport, and of httpx's (or httpx2's, where that is
    loaded). Scripted transports are not concerned: they reach nobody.
    """
    # Not above: pytest loads this file in every run, also where the library is not used.
    from codex_client.client.connections import ConnectionTransport

    httpx2 = sys.modules.get("httpx2")
    transports: list[Any] = [ConnectionTransport, httpx.AsyncHTTPTransport]
    with ExitStack() as stack:
        for transport in [*transports, httpx2.AsyncHTTPTransport] if httpx2 else transports:
            send = transport.handle_async_request
            stack.callback(setattr, transport, "handle_async_request", send)
            transport.handle_async_request = _guarded(send)
        yield


def is_loopback(host: str) -> bool:
    """Whether this name or address is the machine itself. Names are not looked up."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _guarded(send: _Send) -> _Send:
    async def guarded(transport: Any, request: Any) -> Any:
        host = request.url.host
        if not is_loopback(host):
            raise RealRequestError(
                f"{request.method} request to {host!r} where real requests are forbidden; "
                "answer it by a ReplayServer or a ScriptedTransport"
            )
        return await send(transport, request)

    return guarded
