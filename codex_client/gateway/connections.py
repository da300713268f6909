"""The gateway's connections, and the end of those that hold a place for nothing: what uvicorn does not look after."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from codex_client.api import Clock

if sys.platform != "win32":
    import resource

# So long may a request's head take; Apache's mod_reqtimeout gives 20 to 40 s. The head of a connection's first request
# has no limit at all in uvicorn, and what begins to come on one that rests takes away the limit that it had.
_HEAD_SECONDS = 30.0
# A caller that has not taken a byte for so long is left: its turn would hold its place and its account for ever. The
# number is nginx's.
_STALLED_SECONDS = 60.0
_MORE_CONNECTIONS = 64
# Listeners, logs, stores, the loop's.
_OWN_FILES = 64


class Connection(H11Protocol):
    """uvicorn's over h11, which is always there. Of one that breaks while it rests uvicorn leaves the timer, and with
    that all that the connection holds.
    """

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        super().connection_lost(exc)


class ConnectionWatch:
    """One server's. Each look goes by what has changed since the one before.

    `max_connections`: of more than so many, those without a request are closed, which costs who rests a new one. A
    server that has no file left serves nobody.
    """

    def __init__(self, *, max_connections: int, clock: Clock) -> None:
        self._max_connections = max_connections
        self._clock = clock
        self._waits: dict[Connection, _Wait] = {}

    def look(self, connections: Iterable[Connection]) -> None:
        """Close those that wait for too long, to be called now and then.

        uvicorn also reads no more of a connection once another request waits on it, and would not hear of its end: that
        is mended on the way.
        """
        before, self._waits, now = self._waits, {}, self._clock.monotonic()
        for connection in list(connections):
            connection.flow.resume_reading()
            if (wait := _wait_of(connection, now)) is None:
                continue
            known = before.get(connection)
            if known is not None and known.unsent == wait.unsent:
                wait = known
            if wait.is_over(now):
                connection.transport.abort()
            else:
                self._waits[connection] = wait

    def thin_out(self, connections: Collection[Connection]) -> None:
        """Close those that are too many, to be called often: first who has not asked since the last look, the longest
        silent first; then who rests; last who has just come.
        """
        excess = len(connections) - self._max_connections
        if excess <= 0:
            return
        idle = sorted(filter(_is_idle, connections), key=self._worth)
        for connection in islice(idle, excess):
            connection.transport.abort()

    def _worth(self, connection: Connection) -> tuple[int, float]:
        """Of one without a request: the less, the sooner it goes."""
        if (wait := self._waits.get(connection)) is not None:
            return 0, wait.since
        return (2 if _last_cycle(connection) is None else 1), 0.0


def room_for(max_turns: int) -> int:
    """How many connections a gateway takes: for turns that run, as many that arrive, and some that rest.

    At most two thirds of the files that this process may open beside its own: turns need connections to providers.
    """
    wanted = 2 * max_turns + _MORE_CONNECTIONS
    files = _files()
    return wanted if files is None else max(1, min(wanted, (files - _OWN_FILES) * 2 // 3))


def raise_file_limit(max_turns: int) -> str:
    """Let this process open as many files as its turns may need, if the system allows; else what to do, in words."""
    needed, files = 3 * max_turns + _MORE_CONNECTIONS + _OWN_FILES, _files()
    if files is None or files >= needed:
        return ""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed if most == resource.RLIM_INFINITY else min(needed, most)
    # macOS says that there is no limit, and has one.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    if (files := _files() or 0) >= needed:
        return ""
    return (
        f"this process may open {files} files, and {max_turns} turns at once need up to {needed}; raise the limit "
        f"(`ulimit -n`), or lower --max-turns"
    )


def _files() -> int | None:
    """How many files the process may open; None for as many as it likes, or where nobody counts."""
    if sys.platform == "win32":
        return None
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if files == resource.RLIM_INFINITY else files


@dataclass(frozen=True, slots=True)
class _Wait:
    """For a caller, seen first at `since`: to read `unsent` bytes, or, where that is None, to send a request's head."""

    unsent: int | None
    since: float

    def is_over(self, now: float) -> bool:
        return now - self.since >= (_HEAD_SECONDS if self.unsent is None else _STALLED_SECONDS)


def _wait_of(connection: Connection, now: float) -> _Wait | None:
    """None for one whose answer is in the making, and for one that rests after it: uvicorn has a limit for that."""
    if _is_idle(connection):
        return _Wait(None, now) if connection.timeout_keep_alive_task is None else None
    unsent = connection.transport.get_write_buffer_size()
    return _Wait(unsent, now) if unsent else None


def _is_idle(connection: Connection) -> bool:
    """No request of it is being answered. What uvicorn calls complete may still wait to be sent."""
    cycle = _last_cycle(connection)
    return cycle is None or (cycle.response_complete and not connection.transport.get_write_buffer_size())


def _last_cycle(connection: Connection) -> RequestResponseCycle | None:
    """None before the first request, which uvicorn's types do not say."""
    return connection.cycle
