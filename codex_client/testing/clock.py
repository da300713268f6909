"""A clock that a test turns by hand."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import anyio
import anyio.lowlevel

from codex_client.testing.waits import Changes

# Sums of floats miss a deadline by less than this; no limit of a client is as short.
_TOLERANCE = 1e-9


class ManualClock:
    """A `Clock` whose time moves only by `advance`.

    `start` is what `time` says at first, in Unix seconds; `monotonic` begins at 0. With `auto_advance=True` a
    `sleep` returns at once and moves the time by its seconds; limits still wait for `advance`, or for a sleep that
    passes them.
    """

    sleeps: list[float]
    """The seconds of every sleep asked for, in order, in both modes."""

    def __init__(self, *, start: float = 1_700_000_000.0, auto_advance: bool = False) -> None:
        self.sleeps = []
        self._start = start
        self._elapsed = 0.0
        self._auto_advance = auto_advance
        self._running: list[Timer] = []
        self._changes = Changes()

    def time(self) -> float:
        return self._start + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed

    def move_on_after(self, seconds: float) -> AbstractContextManager[anyio.CancelScope, bool | None]:
        """A block that is cancelled by the `advance` that brings the time to `seconds` from now; 0: on entry."""
        return self._limit(Timer(self._elapsed + seconds, anyio.CancelScope()))

    @contextmanager
    def _limit(self, timer: Timer) -> Generator[anyio.CancelScope]:
        with timer.scope:
            self._running.append(timer)
            if timer.due_at <= self._elapsed + _TOLERANCE:
                timer.scope.cancel()
            self._changes.notify()
            try:
                yield timer.scope
            finally:
                self._running.remove(timer)

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of this clock; with `auto_advance` they pass at once."""
        self.sleeps.append(seconds)
        with self.move_on_after(seconds):
            # A limit around this sleep may be due before its end; either is raised by a checkpoint.
            await anyio.lowlevel.checkpoint()
            while self._auto_advance and self._advance_to_next():
                await anyio.lowlevel.checkpoint()
            await anyio.sleep_forever()

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass and cancel what is due. The tasks concerned run when the caller next waits."""
        if seconds < 0:
            raise ValueError(f"cannot advance by {seconds} s; time does not go back")
        self._elapsed += seconds
        for timer in sorted(self._running, key=lambda timer: timer.due_at):
            if timer.due_at <= self._elapsed + _TOLERANCE:
                timer.scope.cancel()

    @property
    def timers(self) -> list[float]:
        """Seconds left to each running limit or sleep, soonest first; `inf` for those without end."""
        return sorted(timer.due_at - self._elapsed for timer in self._running if not timer.scope.cancel_called)

    async def wait_for_timer(self, seconds: float | None = None, *, within: float = 10.0) -> None:
        """Wait until a limit or sleep with this many seconds left is running (None: any), so that `advance` finds it.

        Raises `AssertionError` after `within` seconds of real time.
        """
        await self._changes.expect(
            lambda: any(seconds is None or math.isclose(left, seconds, abs_tol=1e-6) for left in self.timers),
            within,
            lambda: f"no timer with {seconds} s left is running; seconds left on those that are: {self.timers}",
        )

    def _advance_to_next(self) -> bool:
        """Move on to the soonest end of a limit or sleep; False if none has an end."""
        left = self.timers[:1]
        if not left or left[0] == math.inf:
            return False
        self.advance(max(0.0, left[0]))
        return True


@dataclass(eq=False, slots=True)
class Timer:
    """A running limit or sleep, and when it is due."""

    due_at: float
    scope: anyio.CancelScope
