"""The request layer of retries: one turn's attempts until one of them is answered, or none is left.

`retry.py` decides; tenacity runs the loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from tenacity import AsyncRetrying, RetryCallState

from codex_client.api import ApiRequest, AttemptOutcome, AuthProvider, Lease, Retry, TurnObserver
from codex_client.client.answer import HttpAnswer, report_quietly
from codex_client.client.config import ClientConfig
from codex_client.client.outgoing import Outgoing
from codex_client.client.retry import AttemptBudget, delay, should_retry
from codex_client.errors import AuthenticationError, CodexError, RetryLimitError, UnexpectedStatusError


class Attempts:
    """Runs `send` with a fresh credential until it gives an answer.

    Every attempt is told to the observer, every failed one to the auth provider; an attempt that was cancelled is
    reported with neither status nor error. After a refusal the `request` may change itself; that attempt draws on no
    retry.
    """

    def __init__(
        self,
        send: Callable[[Lease], Awaitable[HttpAnswer]],
        request: Outgoing,
        *,
        config: ClientConfig,
        auth: AuthProvider,
        budget: AttemptBudget,
        observer: TurnObserver | None,
        dice: Callable[[], float],
    ) -> None:
        self._send = send
        self._request = request
        self._config = config
        self._auth = auth
        self._budget = budget
        self._observer = observer
        self._dice = dice
        self._refresh = False
        self._rotate = False
        self._amended = False

    async def run(self) -> HttpAnswer:
        """The first answer. Raises what the last attempt failed with, or `RetryLimitError`."""
        retrying = AsyncRetrying(
            sleep=self._sleep,
            retry=self._is_worth_another,
            wait=self._delay,
            stop=self._none_left,
            before_sleep=self._prepare_retry,
            retry_error_callback=self._give_up,
        )
        answer: HttpAnswer = await retrying(self._attempt)
        return answer

    async def _attempt(self) -> HttpAnswer:
        number, clock = self._budget.begin_attempt(), self._config.clock
        self._rotate = self._amended = False
        began = clock.monotonic()
        try:
            lease = await self._auth.lease(conversation_id=self._request.conversation_id, forced_refresh=self._refresh)
        except CodexError as error:
            self._record(number, began, error=error)
            raise
        self._refresh = False
        began = clock.monotonic()
        try:
            answer = await self._send(lease)
        except BaseException as error:
            failure = error if isinstance(error, CodexError) else None
            try:
                if failure is not None:
                    self._record(number, began, error=failure)
            finally:
                self._rotate = await self._report(lease, failure) and failure is not None
            raise
        try:
            self._record(number, began, status=answer.status_code, request_id=answer.request_id)
        except BaseException:
            # Nobody will read it: the observer's failure ends the turn.
            answer.on_buried(partial(self._auth.report, lease))
            await answer.aclose()
            await report_quietly(partial(self._auth.report, lease), AttemptOutcome(answer.status_code))
            raise
        return answer

    def _record(
        self,
        number: int,
        began: float,
        *,
        status: int | None = None,
        request_id: str | None = None,
        error: CodexError | None = None,
    ) -> None:
        if self._observer is None:
            return
        if isinstance(error, UnexpectedStatusError):
            status, request_id = error.status, error.request_id
        duration = self._config.clock.monotonic() - began
        self._observer.record(ApiRequest(number, duration, status, request_id, error))

    async def _report(self, lease: Lease, error: CodexError | None) -> bool:
        outcome = AttemptOutcome(error=error)
        if isinstance(error, UnexpectedStatusError):
            outcome = AttemptOutcome(error.status, error, error.rate_limits)
        return await report_quietly(partial(self._auth.report, lease), outcome)

    def _is_worth_another(self, state: RetryCallState) -> bool:
        self._rotate = self._rotate and self._budget.take_rotation()
        error = _error_of(state)
        self._amended = not self._rotate and isinstance(error, CodexError) and self._request.amend(error)
        if self._rotate or self._amended:
            return True
        can_refresh = self._auth.can_refresh and not self._budget.refreshed
        return should_retry(error, self._config.retry, can_refresh=can_refresh)

    def _none_left(self, state: RetryCallState) -> bool:
        # A new credential is worth its try even where nothing is retried; there is one in a turn.
        is_free = self._rotate or self._amended or isinstance(_error_of(state), AuthenticationError)
        return self._budget.request_retries_left <= 0 and not is_free

    def _delay(self, state: RetryCallState) -> float:
        error = _failure_of(state)
        if self._rotate or self._amended or isinstance(error, AuthenticationError):
            return 0.0
        return delay(self._config.retry, self._budget.request_retries + 1, error.retry_after, self._dice())

    def _prepare_retry(self, state: RetryCallState) -> None:
        error = _failure_of(state)
        if isinstance(error, AuthenticationError) and not self._rotate:
            self._budget.refreshed = self._refresh = True
        elif not self._rotate and not self._amended:
            self._budget.take_request_retry()
        if self._observer is not None:
            self._observer.record(Retry("request", self._budget.attempts + 1, state.upcoming_sleep, error))

    async def _sleep(self, seconds: float) -> None:
        if seconds > 0:
            await self._config.clock.sleep(float(seconds))

    def _give_up(self, state: RetryCallState) -> HttpAnswer:
        error, attempts = _failure_of(state), self._budget.attempts
        if attempts == 1:
            raise error
        raise RetryLimitError(
            f"{attempts} attempts failed, the last one with: {error.message}; "
            "raise `RetryPolicy.request_max_retries`, or try again later",
            attempts=attempts,
            last_error=error,
            retry_after=error.retry_after,
        ) from error


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _failure_of(state: RetryCallState) -> CodexError:
    """The failed attempt's error, after it has been found worth another."""
    error = _error_of(state)
    assert isinstance(error, CodexError)
    return error
