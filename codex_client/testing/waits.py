"""Waiting for a state without polling, and where a played reply waits."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from codex_client.api import Clock
from codex_client.testing.scripts import Hold, Pause, Stall


class Changes:
    """Wakes those who wait for a state whenever that state may have changed."""

    def __init__(self) -> None:
        self._next: anyio.Event | None = None

    def notify(self) -> None:
        if self._next is not None:
            self._next.set()
            self._next = None

    async def wait_until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            # Made here and not before, for an event belongs to one event loop.
            self._next = self._next or anyio.Event()
            await self._next.wait()

    async def expect(self, reached: Callable[[], bool], within: float, complaint: Callable[[], str]) -> None:
        """As `wait_until`, but raises `AssertionError(complaint())` after `within` seconds of real time."""
        with anyio.move_on_after(within):
            await self.wait_until(reached)
        if not reached():
            raise AssertionError(f"waited {within} s: {complaint()}")


class Rests:
    """The waits of one player, a server or a transport: pauses by the clock, holds until the test lets go, endless
    stalls.
    """

    def __init__(self, clock: Clock, changes: Changes) -> None:
        self.clock = clock
        self._changes = changes
        self._resting = 0
        self._releases = 0

    def release(self, holds: int) -> None:
        self._releases += holds
        self._changes.notify()

    async def rest(self, step: Pause | Hold | Stall) -> None:
        """Wait as the step says; a `Stall` returns only by cancellation."""
        if isinstance(step, Pause):
            await self.clock.sleep(step.seconds)
            return
        self._resting += 1
        self._changes.notify()
        try:
            if isinstance(step, Stall):
                await anyio.sleep_forever()
            await self._changes.wait_until(lambda: self._releases > 0)
            self._releases -= 1
        finally:
            self._resting -= 1

    async def reached(self, replies: int, within: float) -> None:
        """Wait until so many replies hold or stall."""
        await self._changes.expect(
            lambda: self._resting >= replies, within, lambda: f"{self._resting} of {replies} replies hold or stall"
        )
