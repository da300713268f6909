"""Waiting for a state, without polling."""

from __future__ import annotations

from collections.abc import Callable

import anyio


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
