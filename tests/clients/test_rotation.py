"""A turn moves on to another account at once where the credential source has one ready, and only before output."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import pytest

from codex_client.api import AttemptOutcome, Lease
from codex_client.client.config import RetryPolicy
from codex_client.client.retry import MAX_ROTATIONS
from codex_client.errors import (
    AuthenticationError,
    ServerError,
    UsageLimitReachedError,
    UsageLimitReachedInStreamError,
)
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import (
    ManualClock,
    ReplayServer,
    Reply,
    ev_created,
    ev_failed,
    ev_item_added,
    ev_text_delta,
    responses_turn,
    sse,
)

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[RoutedApiClient, ReplayServer]]]

PROMPT = Prompt("hello")
BODY = sse(responses_turn("The quick brown fox."))
USED_UP = Reply.error(429, "used up", error_type="usage_limit_reached")
USED_UP_IN_STREAM = sse([ev_created(), ev_failed("usage_limit_reached", "used up")])


class Accounts:
    """Lends the accounts in order, and says that there is another one while there is."""

    can_refresh = True

    def __init__(self, count: int) -> None:
        self.leases: list[tuple[str, bool]] = []
        self._count = count
        self._current = 1

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        self.leases.append((str(self._current), forced_refresh))
        return Lease({"authorization": f"Bearer key-{self._current}"}, account=str(self._current))

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> bool | None:
        refused_twice = isinstance(outcome.error, AuthenticationError) and self.leases[-1][1]
        if not refused_twice and not isinstance(outcome.error, UsageLimitReachedError | UsageLimitReachedInStreamError):
            return False
        self._current += 1
        return self._current <= self._count


@pytest.mark.parametrize("refusal", [USED_UP, USED_UP_IN_STREAM], ids=["by status", "in the stream"])
async def test_another_account_is_asked_at_once_after_a_usage_limit(
    serve: Serve, clock: ManualClock, refusal: Reply | bytes
) -> None:
    accounts = Accounts(3)
    async with serve([refusal, refusal, BODY], auth=accounts, clock=clock) as (client, server):
        response = await client.collect(PROMPT)
        keys = [request.headers["authorization"] for request in server.requests]
    assert response.text == "The quick brown fox."
    assert keys == ["Bearer key-1", "Bearer key-2", "Bearer key-3"]
    assert clock.sleeps == []


async def test_the_last_accounts_refusal_is_raised_as_itself(serve: Serve) -> None:
    async with serve([USED_UP, USED_UP], auth=Accounts(2)) as (client, server):
        with pytest.raises(UsageLimitReachedError):
            await client.collect(PROMPT)
        assert len(server.requests) == 2


async def test_rotation_draws_on_no_retry(serve: Serve, clock: ManualClock) -> None:
    policy = RetryPolicy(request_max_retries=1, stream_max_retries=0, jitter=0)
    script = [USED_UP, USED_UP, 500, USED_UP_IN_STREAM, BODY]
    async with serve(script, auth=Accounts(4), clock=clock, retry=policy) as (client, server):
        assert (await client.collect(PROMPT)).text == "The quick brown fox."
        assert len(server.requests) == 5
    assert clock.sleeps == [0.2]


async def test_each_account_has_a_forced_refresh_of_its_own(serve: Serve) -> None:
    accounts = Accounts(2)
    async with serve([401, 401, 401, BODY], auth=accounts) as (client, _):
        await client.collect(PROMPT)
    assert accounts.leases == [("1", False), ("1", True), ("2", False), ("2", True)]


async def test_a_turn_with_released_output_stays_with_its_account(serve: Serve) -> None:
    broken = sse(
        [
            ev_created(),
            ev_item_added({"type": "message", "id": "m", "role": "assistant", "content": []}),
            ev_text_delta("The"),
            ev_failed("usage_limit_reached", "used up"),
        ]
    )
    accounts = Accounts(2)
    async with serve([broken], auth=accounts) as (client, server):
        with pytest.raises(UsageLimitReachedInStreamError) as raised:
            await client.collect(PROMPT)
        assert len(server.requests) == 1
    assert raised.value.partial is not None
    assert raised.value.partial.text == "The"


async def test_a_source_that_always_has_another_account_is_not_asked_for_ever(serve: Serve) -> None:
    async with serve([USED_UP] * (MAX_ROTATIONS + 1), auth=Accounts(1000)) as (client, server):
        with pytest.raises(UsageLimitReachedError):
            await client.collect(PROMPT)
        assert len(server.requests) == MAX_ROTATIONS + 1


async def test_a_source_that_says_nothing_is_not_rotated(serve: Serve) -> None:
    class Silent(Accounts):
        async def report(self, lease: Lease, outcome: AttemptOutcome) -> None:
            await super().report(lease, outcome)

    async with serve([USED_UP], auth=Silent(3)) as (client, _):
        with pytest.raises(UsageLimitReachedError):
            await client.collect(PROMPT)


async def test_a_good_answer_is_not_repeated_whatever_the_report_says(serve: Serve) -> None:
    class Eager(Accounts):
        async def report(self, lease: Lease, outcome: AttemptOutcome) -> bool:
            return True

    async with serve([BODY, 400], auth=Eager(3)) as (client, server):
        assert (await client.collect(PROMPT)).text == "The quick brown fox."
        assert len(server.requests) == 1


async def test_a_server_error_goes_up_the_ladder_of_retries(serve: Serve, clock: ManualClock) -> None:
    policy = RetryPolicy(request_max_retries=0)
    async with serve([500], auth=Accounts(3), clock=clock, retry=policy) as (client, _):
        with pytest.raises(ServerError):
            await client.collect(PROMPT)
    assert clock.sleeps == []
