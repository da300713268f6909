"""The credential of each attempt: lent, refreshed once after a 401, reported on."""

from __future__ import annotations

from collections.abc import Mapping

import anyio
import anyio.lowlevel
import pytest

from codex_client.api import ApiRequest, AttemptOutcome, Lease, Retry
from codex_client.client.retry import AttemptBudget
from codex_client.errors import (
    AuthenticationError,
    CodexError,
    LoginRequiredError,
    ReadError,
    RetryLimitError,
    ServerError,
    TokenRefreshError,
    UsageLimitReachedError,
)
from codex_client.testing import Close, Reply, Stall
from tests.support.retried_requests import BODY, STREAM, Observer, executing, read


class Renewable:
    """Gives `key-1`, and one higher after every forced refresh; `errors` are raised by the leases of those numbers."""

    def __init__(self, *, can_refresh: bool = True, errors: Mapping[int, CodexError] | None = None) -> None:
        self.can_refresh = can_refresh
        self.leases: list[bool] = []
        self.reports: list[tuple[str, AttemptOutcome]] = []
        self._generation = 1
        self._errors = errors or {}

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        assert conversation_id == "c-1"
        self.leases.append(forced_refresh)
        if error := self._errors.get(len(self.leases)):
            raise error
        self._generation += forced_refresh
        return Lease({"authorization": f"Bearer key-{self._generation}"}, account=f"account-{self._generation}")

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> None:
        # A real one awaits a store.
        await anyio.lowlevel.checkpoint()
        self.reports.append((str(lease.account), outcome))


async def test_a_401_is_retried_at_once_with_another_credential() -> None:
    auth, budget, observer = Renewable(), AttemptBudget(4, 5), Observer()
    async with executing([401, STREAM], auth=auth) as (executor, server, clock):
        answer = await executor.open(BODY, budget=budget, observer=observer)
        assert answer.lease == Lease({"authorization": "Bearer key-2"}, account="account-2")
        await read(answer)
        keys = [request.headers["authorization"] for request in server.requests]
        assert keys == ["Bearer key-1", "Bearer key-2"]
    assert clock.sleeps == []
    assert auth.leases == [False, True]
    assert (budget.refreshed, budget.request_retries) == (True, 0)
    retry = observer.records[1]
    assert isinstance(retry, Retry)
    assert (retry.delay, type(retry.reason)) == (0.0, AuthenticationError)


async def test_a_second_401_is_final() -> None:
    auth = Renewable()
    async with executing([401, 401], auth=auth) as (executor, server, _):
        with pytest.raises(AuthenticationError):
            await executor.open(BODY, budget=AttemptBudget(4, 5))
        server.assert_complete()
    assert auth.leases == [False, True]


async def test_a_turn_refreshes_once_however_often_its_stream_starts() -> None:
    auth, budget = Renewable(), AttemptBudget(4, 5)
    async with executing([401, STREAM, 401], auth=auth) as (executor, _, _):
        await read(await executor.open(BODY, budget=budget))
        with pytest.raises(AuthenticationError):
            await executor.open(BODY, budget=budget)
    assert auth.leases == [False, True, False]


async def test_a_401_without_another_credential_is_final() -> None:
    auth = Renewable(can_refresh=False)
    async with executing([401], auth=auth) as (executor, server, _):
        with pytest.raises(AuthenticationError):
            await executor.open(BODY, budget=AttemptBudget(4, 5))
        assert len(server.requests) == 1


async def test_the_refresh_does_not_climb_the_ladder() -> None:
    auth = Renewable()
    async with executing([401, 500, 500, STREAM], auth=auth) as (executor, _, clock):
        await read(await executor.open(BODY, budget=AttemptBudget(4, 5)))
        assert clock.sleeps == [0.2, 0.4]
    assert auth.leases == [False, True, False, False]


@pytest.mark.parametrize("retries", [0, 1])
async def test_a_refresh_costs_no_retry(retries: int) -> None:
    auth, budget = Renewable(), AttemptBudget(retries, 0)
    async with executing([401, *[500] * retries, STREAM], auth=auth) as (executor, server, _):
        await read(await executor.open(BODY, budget=budget))
        server.assert_complete()
    assert (auth.leases[:2], budget.request_retries) == ([False, True], retries)


async def test_after_a_refresh_the_retries_are_as_many_as_before() -> None:
    async with executing([401, 500, 500], auth=Renewable()) as (executor, server, _):
        with pytest.raises(RetryLimitError) as caught:
            await executor.open(BODY, budget=AttemptBudget(1, 5))
        assert caught.value.attempts == 3
        server.assert_complete()


async def test_what_a_credential_source_could_not_do_is_not_tried_again_above_it() -> None:
    auth = Renewable(errors={2: TokenRefreshError("the token endpoint is down")})
    async with executing([401], auth=auth) as (executor, _, clock):
        with pytest.raises(TokenRefreshError, match="is down") as raised:
            await executor.open(BODY, budget=AttemptBudget(4, 5))
    assert raised.value.retryable
    assert auth.leases == [False, True]
    assert clock.sleeps == []


async def test_a_refresh_that_fails_for_good_is_raised() -> None:
    auth = Renewable(errors={2: TokenRefreshError("revoked", permanent=True)})
    async with executing([401], auth=auth) as (executor, _, _):
        with pytest.raises(TokenRefreshError, match="revoked"):
            await executor.open(BODY, budget=AttemptBudget(4, 5))


async def test_without_a_credential_nothing_is_sent() -> None:
    auth, observer = Renewable(errors={1: LoginRequiredError("log in")}), Observer()
    async with executing([], auth=auth) as (executor, server, _):
        with pytest.raises(LoginRequiredError) as caught:
            await executor.open(BODY, budget=AttemptBudget(4, 5), observer=observer)
        assert server.requests == []
    assert observer.records == [ApiRequest(1, 0.0, None, None, caught.value)]
    assert auth.reports == []


async def test_failed_attempts_are_reported_with_what_they_told() -> None:
    auth = Renewable()
    limits = {"x-codex-primary-used-percent": "100", "x-codex-primary-window-minutes": "300"}
    body = Reply.error(429, "used up", error_type="usage_limit_reached", headers=limits)
    async with executing([Reply().at("head", Close()), 500, body], auth=auth) as (executor, _, _):
        with pytest.raises(UsageLimitReachedError) as caught:
            await executor.open(BODY, budget=AttemptBudget(4, 5))
    outcomes = [(account, outcome.status, type(outcome.error)) for account, outcome in auth.reports]
    assert outcomes == [
        ("account-1", None, ReadError),
        ("account-1", 500, ServerError),
        ("account-1", 429, UsageLimitReachedError),
    ]
    assert auth.reports[-1][1] == AttemptOutcome(429, caught.value, caught.value.rate_limits)
    assert [limit.primary.used_percent for limit in caught.value.rate_limits if limit.primary] == [100.0]


async def test_the_answered_attempt_is_left_to_the_reader_to_report() -> None:
    auth = Renewable()
    async with executing([STREAM], auth=auth) as (executor, _, _):
        await read(await executor.open(BODY, budget=AttemptBudget(4, 5)))
    assert auth.reports == []


async def test_a_cancelled_attempt_is_reported_with_neither_status_nor_error() -> None:
    auth, observer = Renewable(), Observer()
    async with executing([Reply().at("head", Stall())], auth=auth) as (executor, server, _):
        async with anyio.create_task_group() as tasks:

            async def open_one() -> None:
                await executor.open(BODY, budget=AttemptBudget(4, 5), observer=observer)

            tasks.start_soon(open_one)
            await server.at_rest()
            tasks.cancel_scope.cancel()
        await server.idle()
    assert auth.reports == [("account-1", AttemptOutcome())]
    assert observer.records == []
