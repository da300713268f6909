"""What goes on in a gateway: the turns that run, what failed last, and the way to its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio

from codex_client.api import Clock
from codex_client.errors import CodexError
from codex_client.gateway.refusals import Refusal

_MAX_FAILURES = 20
_FULL_RETRY_AFTER = 1.0


@dataclass(eq=False, slots=True)
class RunningTurn:
    """A turn that has been let in."""

    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that failed, for the status page: `message` may quote what the provider said."""

    at: float
    route: str
    kind: str
    message: str = field(repr=False)


class Activity:
    """One gateway's. States: serving; draining, in which turns that run may end and new ones are refused."""

    def __init__(self, *, max_streams: int, clock: Clock) -> None:
        self.max_streams = max_streams
        self.started_at: float = clock.time()
        self.failures: deque[Failure] = deque(maxlen=_MAX_FAILURES)
        self._clock = clock
        self._turns: set[RunningTurn] = set()
        self._ends_at: float | None = None
        self._idle: anyio.Event | None = None

    @property
    def in_flight(self) -> int:
        return len(self._turns)

    @property
    def draining(self) -> bool:
        return self._ends_at is not None

    @contextmanager
    def turn(self) -> Generator[RunningTurn]:
        """Let a turn in; its block is the turn. Raises `Refusal` where there is no room, or no more time."""
        if self._ends_at is not None:
            seconds = self._ends_at - self._clock.monotonic()
            raise Refusal(503, "the gateway ends; try again in a moment", code="shutting_down", retry_after=seconds)
        if len(self._turns) >= self.max_streams:
            message = f"{self.max_streams} turns run already, which is all the gateway allows; wait for one to end"
            raise Refusal(429, message, code="too_many_streams", retry_after=_FULL_RETRY_AFTER)
        turn = RunningTurn()
        self._turns.add(turn)
        try:
            yield turn
        finally:
            self._turns.remove(turn)
            if not self._turns and self._idle is not None:
                self._idle.set()

    def note(self, route: str, error: CodexError) -> None:
        """Remember a failure."""
        self.failures.append(Failure(self._clock.time(), route, type(error).__name__, error.message))

    async def drain(self, seconds: float) -> None:
        """Let nobody in, wait at most `seconds` for the turns that run, and cut those that are left."""
        self._ends_at = self._clock.monotonic() + seconds
        self._idle = anyio.Event()
        if self._turns:
            with self._clock.move_on_after(seconds):
                await self._idle.wait()
        self.cut()

    def cut(self) -> None:
        """End every turn now; its caller is told so."""
        for turn in self._turns:
            turn.scope.cancel()
