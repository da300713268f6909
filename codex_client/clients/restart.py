"""The stream layer of retries: begin a turn anew while nothing of it has been released.

Request retries (before headers) are the executor's. Both layers draw on one budget, so the worst case is their sum and
not their product.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NoReturn

from codex_client.api import Retry, TurnObserver
from codex_client.client.config import ClientConfig, RetryPolicy
from codex_client.client.retry import AttemptBudget, delay, should_retry
from codex_client.clients.attempt import Attempt
from codex_client.clients.guarded import GuardedAttempt
from codex_client.errors import CodexError, EmptyResponseError, GarbledOutputError, RetryLimitError
from codex_client.events import ResponseEvent, StreamRestarted
from codex_client.guard.structure import HANDSHAKE

_log = logging.getLogger("codex_client")


class RestartingSource:
    """The events of one turn, over as many attempts as the policy allows.

    `first` is the attempt that has been opened already, `open_attempt` sends the request again and gives its answer.
    After the first event that is no handshake the turn is released: from then on a failure is raised, unless the policy
    says restart, which puts a `StreamRestarted` into the stream. Where a failure is raised, what guards held of a good
    answer goes out before it.
    """

    def __init__(
        self,
        first: Attempt | GuardedAttempt,
        open_attempt: Callable[[], Awaitable[Attempt | GuardedAttempt]],
        *,
        config: ClientConfig,
        budget: AttemptBudget,
        observer: TurnObserver | None = None,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._open_attempt = open_attempt
        self._config = config
        self._budget = budget
        self._observer = observer
        self._dice = dice
        self._attempt = first
        self._due = False
        self._released = False
        self._failure: CodexError | None = None

    @property
    def request_id(self) -> str | None:
        return self._attempt.request_id

    @property
    def status_code(self) -> int | None:
        return self._attempt.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self._attempt.headers

    @property
    def ignored(self) -> Mapping[str, int]:
        return self._attempt.ignored

    @property
    def malformed(self) -> int:
        return self._attempt.malformed

    async def next_events(self) -> Sequence[ResponseEvent]:
        """The next batch of the attempt that runs, or of the one that takes its place."""
        while True:
            if self._failure is not None:
                raise self._failure
            if self._due:
                self._attempt = await self._open_attempt()
                self._due = False
            try:
                events = await self._attempt.next_events()
            except CodexError as error:
                await self.aclose()
                try:
                    await self._await_restart(error)
                except CodexError as final:
                    self._tell_attempts(final)
                    self._failure = final
                    if not (held := self._release_held()):
                        raise
                    return held
                self._due = True
                if self._released:
                    self._released = False
                    return [StreamRestarted(attempt=self._budget.attempts + 1, reason=error.message)]
            else:
                self._released = self._released or not all(isinstance(event, HANDSHAKE) for event in events)
                return events

    async def aclose(self) -> None:
        await self._attempt.aclose()

    def abandon(self) -> None:
        self._attempt.abandon()

    async def _await_restart(self, error: CodexError) -> None:
        """Wait until the turn may begin anew; raises where it may not."""
        policy = self._config.retry
        if isinstance(error, GarbledOutputError | EmptyResponseError):
            self._count_refused(error)
        if self._released and self._config.restart.after_output == "raise":
            raise error
        if error.retry_after is None:
            error.retry_after = self._seconds_to_reset(error)
        seconds = 0.0
        if not (self._attempt.may_rotate and self._budget.take_rotation()):
            seconds = self._delay(error, policy)
        if self._observer is not None:
            self._observer.record(Retry("stream", self._budget.attempts + 1, seconds, error))
        if seconds > 0:
            await self._config.clock.sleep(seconds)

    def _delay(self, error: CodexError, policy: RetryPolicy) -> float:
        """Seconds until the same account is asked again; raises where it is not worth it, or too late."""
        if isinstance(error, GarbledOutputError | EmptyResponseError):
            if error.attempts >= self._max_attempts(error):
                raise error
            return delay(policy, error.attempts, None, self._dice())
        if not should_retry(error, policy):
            raise error
        if not self._budget.take_stream_restart():
            self._give_up(error)
        return delay(policy, self._budget.stream_restarts, error.retry_after, self._dice())

    def _count_refused(self, error: GarbledOutputError | EmptyResponseError) -> None:
        budget = self._budget
        if isinstance(error, GarbledOutputError):
            budget.garbled += 1
            error.attempts = budget.garbled
        else:
            budget.empty += 1
            error.attempts = budget.empty
        # Lengths and names only: the text is content.
        _log.warning("attempt %d was refused: %s", budget.attempts, error.message)

    def _tell_attempts(self, final: CodexError) -> None:
        """Say in the text of a guard's last verdict how many there were."""
        refused = self._budget.garbled + self._budget.empty
        if isinstance(final, GarbledOutputError | EmptyResponseError) and refused > 1:
            final.args = (f"{refused} attempts were refused, the last one with: {final.message}", *final.args[1:])

    def _max_attempts(self, error: GarbledOutputError | EmptyResponseError) -> int:
        guards = self._config.guards
        return 1 + (guards.garbled_retries if isinstance(error, GarbledOutputError) else guards.empty_retries)

    def _release_held(self) -> Sequence[ResponseEvent]:
        """What the failed attempt's guards hold, now that no other attempt takes its place."""
        return self._attempt.release_held() if isinstance(self._attempt, GuardedAttempt) else ()

    def _seconds_to_reset(self, error: CodexError) -> float | None:
        """Advice that a failure gave as a point in time: decoders have no clock to turn it into a wait."""
        resets_at: float | None = getattr(error, "resets_at", None)
        return None if resets_at is None else max(0.0, resets_at - self._config.clock.time())

    def _give_up(self, error: CodexError) -> NoReturn:
        attempts = self._budget.attempts
        if attempts == 1:
            raise error
        raise RetryLimitError(
            f"the turn failed {attempts} times, the last time with: {error.message}; "
            "raise `RetryPolicy.stream_max_retries`, or try again later",
            attempts=attempts,
            last_error=error,
            retry_after=error.retry_after,
        ) from error
