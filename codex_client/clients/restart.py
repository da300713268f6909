"""The stream layer of retries: begin a turn anew while nothing of it has been released.

Request retries (before headers) are the executor's. Both layers draw on one budget, so the worst case is their sum and
not their product.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NoReturn

from codex_client.api import Retry, TurnObserver
from codex_client.client.config import ClientConfig, RetryPolicy
from codex_client.client.retry import AttemptBudget, delay, should_retry
from codex_client.clients.attempt import Attempt
from codex_client.errors import CodexError, RetryLimitError
from codex_client.events import Created, ModelsEtag, RateLimits, RawEvent, ResponseEvent, ServerModel, StreamRestarted

# What a server says before it has begun to answer; having handed it out does not stand against a second try.
_HANDSHAKE = (Created, RateLimits, ServerModel, ModelsEtag, RawEvent)


class RestartingSource:
    """The events of one turn, over as many attempts as the policy allows.

    `first` is the attempt that has been opened already, `open_attempt` sends the request again and gives its answer.
    After the first event that is no handshake the turn is released: from then on a failure is raised, unless the policy
    says restart, which puts a `StreamRestarted` into the stream.
    """

    def __init__(
        self,
        first: Attempt,
        open_attempt: Callable[[], Awaitable[Attempt]],
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
    def ignored(self) -> Counter[str]:
        return self._attempt.ignored

    @property
    def malformed(self) -> int:
        return self._attempt.malformed

    async def next_events(self) -> Sequence[ResponseEvent]:
        """The next batch of the attempt that runs, or of the one that takes its place."""
        while True:
            if self._due:
                self._attempt = await self._open_attempt()
                self._due = False
            try:
                events = await self._attempt.next_events()
            except CodexError as error:
                await self.aclose()
                await self._await_restart(error)
                self._due = True
                if self._released:
                    self._released = False
                    return [StreamRestarted(attempt=self._budget.attempts + 1, reason=error.message)]
            else:
                self._released = self._released or not all(isinstance(event, _HANDSHAKE) for event in events)
                return events

    async def aclose(self) -> None:
        await self._attempt.aclose()

    def abandon(self) -> None:
        self._attempt.abandon()

    async def _await_restart(self, error: CodexError) -> None:
        """Wait until the turn may begin anew; raises where it may not."""
        policy = self._config.retry
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
        if not should_retry(error, policy):
            raise error
        if not self._budget.take_stream_restart():
            self._give_up(error)
        return delay(policy, self._budget.stream_restarts, error.retry_after, self._dice())

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
