"""The sockets for a login's callback: one port, on both loopback addresses.

The issuer sends the browser to `localhost`, which is 127.0.0.1 on one machine and ::1 on the next.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress

import anyio
from anyio.abc import SocketListener

from codex_client.api import Clock
from codex_client.errors import LoginError

_LOOPBACKS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
# What a system without that family says.
_NO_SUCH_FAMILY = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT})
# Windows says "forbidden" of ports that it keeps for itself, or that are another's alone.
_TAKEN = frozenset({errno.EADDRINUSE, errno.EACCES})
_BACKLOG = 64
# The Codex CLI asks a stale login server to end like this, and tries as often.
_CANCEL_SECONDS = 2.0
_TRIES, _TRY_AGAIN_SECONDS = 10, 0.2


async def listen_on_loopback(ports: Sequence[int], *, clock: Clock) -> tuple[int, list[SocketListener]]:
    """The first port that is free on both addresses, and its listeners: the caller closes them.

    Whoever holds a port is asked once to end its login, in the way of the Codex CLI. Raises `LoginError` where all
    ports stay taken.
    """
    for port in ports:
        sockets = await _free_port(port, clock)
        if sockets:
            chosen = sockets[0].getsockname()[1]
            return chosen, [await SocketListener.from_socket(each) for each in sockets]
    several, names = len(ports) > 1, " and ".join(map(str, ports))
    raise LoginError(
        f"port{'s' if several else ''} {names} {'are' if several else 'is'} taken (another login, or the official CLI, "
        "is running) or not allowed; end what runs there, or log in by pasting the address or with a device code"
    )


async def _free_port(port: int, clock: Clock) -> list[socket.socket] | None:
    sockets = _bind(port)
    if sockets is None and await _ask_to_end(port, clock):
        for _ in range(_TRIES):
            await clock.sleep(_TRY_AGAIN_SECONDS)
            sockets = _bind(port)
            if sockets is not None:
                break
    return sockets


def _bind(port: int) -> list[socket.socket] | None:
    """Listening sockets on every loopback address that there is; None where the port is taken on one of them."""
    # A port that the system chose for the one address may be taken on the other.
    for _ in range(_TRIES if port == 0 else 1):
        sockets: list[socket.socket] = []
        try:
            for family, host in _LOOPBACKS:
                wanted = port or (sockets[0].getsockname()[1] if sockets else 0)
                listener = _listening(family, host, wanted)
                sockets += [] if listener is None else [listener]
            return sockets
        except OSError as error:
            for each in sockets:
                each.close()
            if error.errno not in _TAKEN:
                raise
    return None


def _listening(family: socket.AddressFamily, host: str, port: int) -> socket.socket | None:
    """None where the system has no such address."""
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        if error.errno in _NO_SUCH_FAMILY:
            return None
        raise
    try:
        if sys.platform == "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # Or a login would wait a minute for the connections of the last one to be forgotten.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno in _NO_SUCH_FAMILY:
            return None
        raise
    return listener


async def _ask_to_end(port: int, clock: Clock) -> bool:
    """Whether something on the port agrees to end its login."""
    agreed = [await _get_cancel(host, port, clock) for _, host in _LOOPBACKS]
    return any(agreed)


async def _get_cancel(host: str, port: int, clock: Clock) -> bool:
    # By hand, because an HTTP client would go through the environment's proxy.
    request = f"GET /cancel HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()
    with (
        clock.move_on_after(_CANCEL_SECONDS),
        suppress(OSError, anyio.BrokenResourceError, anyio.EndOfStream),
    ):
        async with await anyio.connect_tcp(host, port) as stream:
            await stream.send(request)
            answer = b""
            while b" 200 " not in answer and len(answer) < 64 and b"\n" not in answer:
                answer += await stream.receive(64)
            return answer.startswith(b"HTTP/") and b" 200 " in answer.partition(b"\n")[0]
    return False
