"""What is done to sockets below the HTTP library: keep-alive probes, and cutting one off without awaiting."""

from __future__ import annotations

import selectors
import socket
from contextlib import suppress
from typing import Any

ABANDON = "codex_client.abandon"
"""The response extension under which a transport offers to drop a response's connection at once.

A callable without arguments; it awaits nothing, may be called from a finaliser in any thread, and more than once."""

READY = "codex_client.ready"
"""The response extension under which a transport offers what it has of the body without waiting for the network.

A coroutine function without arguments that gives bytes, b"" where there are none. What fails is raised by the next read
of the body."""

_KEEP_ALIVE_SECONDS = 60
_KEEP_ALIVE_PROBES = 5


def keep_alive_options() -> list[tuple[int, int, int]]:
    """Options that probe an idle peer after 60 s: a NAT forgets quiet streams, and then hides that they are dead.

    Names differ between systems; one that a system lacks is left out.
    """
    wanted = (
        # macOS calls the idle time TCP_KEEPALIVE.
        ("TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE", _KEEP_ALIVE_SECONDS),
        ("TCP_KEEPINTVL", _KEEP_ALIVE_SECONDS),
        ("TCP_KEEPCNT", _KEEP_ALIVE_PROBES),
    )
    options = [(socket.IPPROTO_TCP, getattr(socket, name), number) for name, number in wanted if hasattr(socket, name)]
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *options]


def is_readable(raw: Any) -> bool:
    """Whether something has arrived on a socket: where no answer is due, its end."""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(raw, selectors.EVENT_READ)
            return bool(selector.select(0))
    except (OSError, ValueError):
        # Closed already.
        return True


def shut_down(network_stream: Any) -> None:
    """Shut down the socket under an httpcore stream, so that the peer sees the end now. Its owner still closes it.

    Done on a duplicate, because uvloop's stand-in for a socket has no `shutdown` of its own.
    """
    raw = network_stream.get_extra_info("socket")
    if raw is None:
        # A TLS connection that the peer has ended tells no socket any more.
        return
    # Closed already, or the peer was first.
    with suppress(OSError), socket.fromfd(raw.fileno(), raw.family, raw.type) as twin:
        twin.shutdown(socket.SHUT_RDWR)
