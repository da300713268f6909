"""What goes on in a gateway: the requests that arrive, the turns that run, what failed last, and the way to its end."""

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


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that failed, for the status page: `message` may quote what the provider said."""

    at: float
    route: str
    kind: str
    message: str = field(repr=False)


class Activity:
    """One gateway's. States: serving; draining, in which turns that run may end and new ones are refused."""

    def __init__(self, *, max_turns: int, clock: Clock) -> None:
        self.max_turns = max_turns
        self.started_at: float = clock.time()
        self.failures: deque[Failure] = deque(maxlen=_MAX_FAILURES)
        self._clock = clock
        self._arriving: set[anyio.CancelScope] = set()
        self._turns: set[anyio.CancelScope] = set()
        self._ends_at: float | None = None
        self._idle: anyio.Event | None = None

    @property
    def in_flight(self) -> int:
        return len(self._turns)

    @property
    def arriving(self) -> int:
        """Requests that are still read."""
        return len(self._arriving)

    @property
    def full(self) -> bool:
        """Whether the next turn would be refused: as many run as may, or as many are on the way."""
        return max(self.in_flight, self.arriving) >= self.max_turns

    @property
    def draining(self) -> bool:
        return self._ends_at is not None

    @contextmanager
    def arrival(self) -> Generator[None]:
        """Around the reading of a turn's request, which takes no turn's place: who sends slowly keeps nobody out.

        Raises `Refusal` as `turn` does, also when the gateway begins to end meanwhile.
        """
        with self._let_in(self._arriving, "requests arrive") as scope, scope:
            yield
        if scope.cancelled_caught:
            raise self._ending()

    @contextmanager
    def turn(self) -> Generator[anyio.CancelScope]:
        """Let a turn in; its block is the turn, and the scope, which the caller enters, what `cut` cancels.

        Raises `Refusal` where there is no room, or no more time.
        """
        with self._let_in(self._turns, "turns run") as scope:
            try:
                yield scope
            finally:
                if self._idle is not None and len(self._turns) == 1:
                    self._idle.set()

    @contextmanager
    def _let_in(self, those: set[anyio.CancelScope], what: str) -> Generator[anyio.CancelScope]:
        if self.draining:
            raise self._ending()
        if len(those) >= self.max_turns:
            message = f"{self.max_turns} {what} already, which is all the gateway allows; wait for one to end"
            raise Refusal(429, message, code="too_many_turns", retry_after=_FULL_RETRY_AFTER)
        scope = anyio.CancelScope()
        those.add(scope)
        try:
            yield scope
        finally:
            those.remove(scope)

    def _ending(self) -> Refusal:
        seconds = None if self._ends_at is None else self._ends_at - self._clock.monotonic()
        return Refusal(503, "the gateway ends; try again in a moment", code="shutting_down", retry_after=seconds)

    def note(self, route: str, error: CodexError) -> None:
        """Remember a failure."""
        self.failures.append(Failure(self._clock.time(), route, type(error).__name__, error.message))

    async def drain(self, seconds: float) -> None:
        """Let nobody in, nor who is on the way, wait at most `seconds` for the turns that run, and cut the rest."""
        self._ends_at = self._clock.monotonic() + seconds
        self._idle = anyio.Event()
        for scope in self._arriving:
            scope.cancel()
        if self._turns:
            with self._clock.move_on_after(seconds):
                await self._idle.wait()
        self.cut()

    def cut(self) -> None:
        """End every turn now; its caller is told so."""
        for scope in self._turns | self._arriving:
            scope.cancel()
