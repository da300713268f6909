"""The connections of one event loop: which are lent, which are idle, who waits for one.

A connection is lent, idle, or doomed: to be closed at the next opportunity to await. Lent and idle ones together never
exceed the bound. All decisions are synchronous, so no two tasks can disagree about them; only waiting and closing
await. A finaliser may break in anywhere, so it decides nothing: it leaves a note (`_cut`) and wakes a waiter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import anyio
from anyio.lowlevel import EventLoopToken, current_token

from codex_client.api import Clock
from codex_client.client.sockets import shut_down

Origin: TypeAlias = tuple[str, str, int | None]


class Closable(Protocol):
    async def aclose(self) -> None: ...


T = TypeVar("T", bound=Closable)


def loop_is_over(loop: EventLoopToken) -> bool:
    """Whether nothing can run in this event loop any more. Safe from any thread."""
    native: Any = loop.native_token
    if hasattr(native, "is_closed"):
        return native.is_closed()
    try:
        # trio has no other question for it.
        native.run_sync_soon(_nothing, idempotent=True)
    except RuntimeError:
        return True
    return False


def runs_on_asyncio() -> Literal["own loop", "other loop", ""]:
    """Whether this is asyncio with its own event loop, asyncio with another such as uvloop, or trio ("")."""
    native = current_token().native_token
    if not hasattr(native, "is_closed"):
        return ""
    return "own loop" if type(native).__module__.startswith("asyncio.") else "other loop"


def _nothing() -> None: ...


class Connection(Generic[T]):
    """A place for one connection to one origin. `transport` carries it; None before the first use.

    `scope` is around the work that is done on it, where that can be cancelled; None else.
    """

    __slots__ = ("idle_since", "origin", "scope", "transport")

    def __init__(self, origin: Origin) -> None:
        self.origin: Origin = origin
        self.transport: T | None = None
        self.idle_since: float = 0.0
        self.scope: anyio.CancelScope | None = None


class _Waiter(Generic[T]):
    __slots__ = ("connection", "origin", "wake_up")

    def __init__(self, origin: Origin) -> None:
        self.origin: Origin = origin
        self.connection: Connection[T] | None = None
        self.wake_up: anyio.Event = anyio.Event()


class ConnectionPool(Generic[T]):
    """Lends connections, the one returned last first; waiters are served in the order in which they came.

    It lives as long as its event loop: made in it, closed by its end or by `aclose`. `on_closed` is called then. Used
    by any number of tasks of that loop; `abandon` also from other threads.
    """

    def __init__(
        self,
        *,
        max_connections: int,
        keepalive_expiry: float,
        clock: Clock,
        on_closed: Callable[[], object],
    ) -> None:
        self._max_connections = max_connections
        self._keepalive_expiry = keepalive_expiry
        self._clock = clock
        self._on_closed = on_closed
        self._loop = current_token()
        self._closed = False
        self._loop_watch = self._close_with_loop()
        self._lent: set[Connection[T]] = set()
        # Oldest first.
        self._idle: deque[Connection[T]] = deque()
        self._doomed: list[Connection[T]] = []
        self._cut: deque[Connection[T]] = deque()
        self._waiters: deque[_Waiter[T]] = deque()

    async def watch_loop(self) -> None:
        """Have the pool closed when its event loop ends.

        asyncio and trio both close the asynchronous generators that are left then.
        """
        await anext(self._loop_watch)

    async def lend(self, origin: Origin, within: float) -> Connection[T]:
        """A connection to this origin, or an unused one. Give it back with `take_back`.

        Raises `TimeoutError`, saying how many are lent, when none has become free `within` that many seconds, and
        `anyio.ClosedResourceError` when the pool is or was closed meanwhile.
        """
        self._raise_if_closed()
        self._doom_cut()
        self._doom_stale()
        connection = None if self._waiters else self._find(origin)
        if connection is None:
            connection = await self._wait(origin, within)
        try:
            await self._close_doomed()
            self._raise_if_closed()
        except BaseException:
            self._give_back(connection, reusable=connection.transport is not None)
            raise
        return connection

    async def take_back(self, connection: Connection[T], *, reusable: bool) -> None:
        """The connection's response is over; `reusable` if it was read to its end.

        A connection that was abandoned is only closed.
        """
        self._give_back(connection, reusable=reusable)
        await self._close_doomed()

    def abandon(self, connection: Connection[T], network_stream: Any) -> None:
        """Cut a lent connection at once, awaiting nothing. For finalisers, which may run in any thread."""
        if connection not in self._lent:
            return
        self._cut.append(connection)
        if network_stream is not None:
            shut_down(network_stream)
        # An event may only be set in its own loop. From elsewhere the place is free all the same, for whoever comes
        # next.
        if self._waiters and self._runs_here():
            self._waiters[0].wake_up.set()

    async def aclose(self) -> None:
        """Close everything, in use or not. What is at work or waits is broken off with `anyio.ClosedResourceError`."""
        await self._loop_watch.aclose()

    async def _close_with_loop(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self._on_closed()
            self._break_off()
            await self._close_all()

    def _break_off(self) -> None:
        self._closed = True
        for connection in self._lent:
            if connection.scope is not None:
                connection.scope.cancel()
        for waiter in self._waiters:
            waiter.wake_up.set()
        self._doomed += [*self._lent, *self._idle]
        self._lent.clear()
        self._idle.clear()

    def _raise_if_closed(self) -> None:
        if self._closed:
            raise anyio.ClosedResourceError("the client's connections were closed")

    async def _wait(self, origin: Origin, within: float) -> Connection[T]:
        waiter = _Waiter[T](origin)
        self._waiters.append(waiter)
        self._serve_waiters()
        try:
            with self._clock.move_on_after(within):
                await self._until_served(waiter)
        except BaseException:
            await self._leave_queue(waiter)
            raise
        if waiter.connection is None:
            self._waiters.remove(waiter)
            raise TimeoutError(f"open streams: {len(self._lent)}, the most allowed; waiting: {len(self._waiters)} more")
        return waiter.connection

    async def _until_served(self, waiter: _Waiter[T]) -> None:
        while waiter.connection is None:
            await waiter.wake_up.wait()
            waiter.wake_up = anyio.Event()
            self._raise_if_closed()
            self._doom_cut()
            self._serve_waiters()

    async def _leave_queue(self, waiter: _Waiter[T]) -> None:
        """Its task is cancelled; what it was served in that moment goes to the next."""
        if waiter.connection is None:
            self._waiters.remove(waiter)
        else:
            await self.take_back(waiter.connection, reusable=waiter.connection.transport is not None)

    def _give_back(self, connection: Connection[T], *, reusable: bool) -> None:
        self._doom_cut()
        if connection not in self._lent:
            return
        self._lent.remove(connection)
        connection.idle_since = self._clock.monotonic()
        if reusable:
            self._idle.append(connection)
        else:
            self._doomed.append(connection)
        self._serve_waiters()
        self._doom_stale()

    def _serve_waiters(self) -> None:
        while self._waiters:
            connection = self._find(self._waiters[0].origin)
            if connection is None:
                return
            waiter = self._waiters.popleft()
            waiter.connection = connection
            waiter.wake_up.set()

    def _find(self, origin: Origin) -> Connection[T] | None:
        """Lend what there is: an idle connection of this origin, else a new one, else None.

        At the bound a new one takes the place of the one that is idle for longest.
        """
        connection = self._take_idle(origin)
        if connection is None:
            if len(self._lent) + len(self._idle) >= self._max_connections:
                if not self._idle:
                    return None
                self._doomed.append(self._idle.popleft())
            connection = Connection[T](origin)
        self._lent.add(connection)
        return connection

    def _take_idle(self, origin: Origin) -> Connection[T] | None:
        for index in range(len(self._idle) - 1, -1, -1):
            connection = self._idle[index]
            if connection.origin == origin:
                del self._idle[index]
                return connection
        return None

    def _doom_cut(self) -> None:
        while self._cut:
            connection = self._cut.popleft()
            if connection in self._lent:
                self._lent.remove(connection)
                self._doomed.append(connection)

    def _doom_stale(self) -> None:
        """What is idle for too long."""
        expired_before = self._clock.monotonic() - self._keepalive_expiry
        while self._idle and self._idle[0].idle_since < expired_before:
            self._doomed.append(self._idle.popleft())

    async def _close_doomed(self) -> None:
        if not self._doomed:
            return
        with anyio.CancelScope(shield=True):
            while self._doomed:
                connection = self._doomed.pop()
                if connection.transport is None:
                    continue
                try:
                    # What goes wrong with a connection that nobody wants any more is of no interest.
                    with suppress(Exception):
                        await connection.transport.aclose()
                except BaseException:
                    # asyncio's own cancellation passes through a shield: once more at the next opportunity.
                    self._doomed.append(connection)
                    raise

    async def _close_all(self) -> None:
        """There is no next opportunity: what interrupts it is raised when all are closed."""
        interruption: BaseException | None = None
        while self._doomed:
            try:
                await self._close_doomed()
            except anyio.get_cancelled_exc_class() as error:
                interruption = error
                self._doomed.pop()
        if interruption is not None:
            raise interruption

    def _runs_here(self) -> bool:
        try:
            return current_token() == self._loop
        except RuntimeError:
            return False
