"""Whole turns through a pool, on an issuer and backend of the test's own with real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from codex_client.api import ApiClient, Retry, TurnContext, TurnRecord
from codex_client.auth.oauth import OAuthClient
from codex_client.auth.store import MemoryTokenStore
from codex_client.auth.tokens import TokenSet
from codex_client.client.config import ResponsesConfig, RetryPolicy
from codex_client.clients.responses import ResponsesApiClient
from codex_client.credentials.pool import CredentialPool
from codex_client.credentials.pool_state import MemoryPoolState
from codex_client.decode.usage import UsageReport
from codex_client.errors import (
    CodexError,
    ContextWindowExceeded,
    InvalidRequestError,
    LoginRequiredError,
    NetworkBlockedError,
    PermissionDeniedError,
    PoolExhaustedError,
    RetryLimitError,
    ServerError,
    TokenRefreshError,
    UsageLimitReachedError,
)
from codex_client.prompt import Prompt
from codex_client.testing import ManualClock, Reply, ev_created, ev_failed, ev_text_delta, sse
from codex_client.testing.account_server import AccountServer
from codex_client.testing.accounts import ServerAccount
from codex_client.testing.refusals import AccountRefusal, blocked_page

HOUR = 3600.0
PROMPT = Prompt("hello", instructions="Be brief.")
RESPONSES = "POST /backend-api/codex/responses"
TOKEN, USAGE = "POST /oauth/token", "GET /backend-api/wham/usage"
BLOCK_PAGE = blocked_page()


class Observed:
    """Every retry of every turn."""

    def __init__(self) -> None:
        self.retries: list[Retry] = []

    def start_turn(self, turn: TurnContext) -> Observed:
        return self

    def record(self, record: TurnRecord) -> None:
        if isinstance(record, Retry):
            self.retries.append(record)


@dataclass
class World:
    server: AccountServer
    clock: ManualClock
    store: MemoryTokenStore
    oauth: OAuthClient
    pool: CredentialPool
    client: ApiClient
    observed: Observed
    accounts: Sequence[ServerAccount]
    logins: Sequence[TokenSet]

    def served(self) -> list[int]:
        """Turns that each account has answered."""
        return [account.turns for account in self.accounts]

    def delays(self) -> list[tuple[str, float]]:
        return [(retry.layer, retry.delay) for retry in self.observed.retries]


@asynccontextmanager
async def world(count: int = 2, *, lifetime: float = 86_400.0, **options: Any) -> AsyncIterator[World]:
    clock, observed = ManualClock(auto_advance=True), Observed()
    async with AccountServer(clock) as server, OAuthClient(server.issuer, clock=clock) as oauth:
        accounts = [server.add_account(f"acct-{number}") for number in range(count)]
        logins = [server.issue(account, lifetime) for account in accounts]
        store = MemoryTokenStore(logins)
        chosen: dict[str, Any] = {"oauth": oauth, "provider": server.provider(), "clock": clock} | options
        async with CredentialPool(
            store,
            **chosen,
        ) as pool:
            config = ResponsesConfig(
                provider=server.provider(),
                model="gpt-5",
                auth=pool,
                conversation_id="c-1",
                clock=clock,
                retry=RetryPolicy(jitter=0),
                telemetry=observed,
            )
            async with ResponsesApiClient(config) as client:
                yield World(server, clock, store, oauth, pool, client, observed, accounts, logins)
        server.assert_complete()


async def test_F10_a_usage_limit_moves_the_turn_to_another_account_at_once() -> None:
    async with world() as it:
        resets_at = it.clock.time() + HOUR
        it.accounts[0].limit(100, resets_at=resets_at)
        await it.client.collect(PROMPT)
        assert (it.served(), it.delays(), it.clock.sleeps) == ([0, 1], [("request", 0.0)], [])
        assert [block.until for block in (await it.pool.accounts())[0].blocks] == [resets_at]
        await it.client.collect(PROMPT)
        assert (it.served(), len(it.accounts[0].requests)) == ([0, 2], 1)


@pytest.mark.parametrize("code", ["usage_limit_reached", "insufficient_quota", "usage_not_included"])
async def test_F10_a_limit_told_inside_the_stream_moves_the_turn_before_output(code: str) -> None:
    async with world() as it:
        it.server.fail(RESPONSES, Reply.from_sse(sse([ev_created(), ev_failed(code, "no more")])))
        await it.client.collect(PROMPT)
        assert (it.served(), it.delays()) == ([0, 1], [("stream", 0.0)])
        status = (await it.pool.accounts())[0]
        assert (bool(status.blocks), bool(status.parked)) == (
            code != "usage_not_included",
            code == "usage_not_included",
        )


async def test_a_limit_told_after_output_fails_the_turn_and_blocks_the_account() -> None:
    async with world() as it:
        said = [ev_created(), ev_text_delta("Hel"), ev_failed("usage_limit_reached", "no more")]
        it.server.fail(RESPONSES, Reply.from_sse(sse(said)))
        with pytest.raises(CodexError):
            await it.client.collect(PROMPT)
        assert it.served() == [0, 0]
        await it.client.collect(PROMPT)
        assert it.served() == [0, 1]


async def test_F10_the_last_accounts_limit_is_raised_and_then_the_pool_is_exhausted() -> None:
    async with world() as it:
        for number, account in enumerate(it.accounts):
            account.limit(100, resets_at=it.clock.time() + (2 - number) * HOUR)
        with pytest.raises(UsageLimitReachedError):
            await it.client.collect(PROMPT)
        with pytest.raises(PoolExhaustedError) as exhausted:
            await it.client.collect(PROMPT)
        assert exhausted.value.next_available_at == it.clock.time() + HOUR
        assert [len(account.requests) for account in it.accounts] == [1, 1]
        it.clock.advance(HOUR)
        await it.client.collect(PROMPT)
        assert it.served() == [0, 1]


async def test_a_soon_reset_is_waited_for() -> None:
    async with world(1) as it:
        it.accounts[0].limit(100, resets_at=it.clock.time() + 30)
        with pytest.raises(UsageLimitReachedError):
            await it.client.collect(PROMPT)
        await it.client.collect(PROMPT)
        assert (it.served(), it.clock.sleeps) == ([1], [30.0])


async def test_F8_a_revoked_access_token_is_renewed_once_on_the_same_account() -> None:
    async with world() as it:
        it.server.fail(RESPONSES, Reply.error(401, "expired", code="token_expired"))
        await it.client.collect(PROMPT)
        assert (it.served(), it.server.refreshes, it.delays()) == ([1, 0], 1, [("request", 0.0)])
        assert (await it.pool.accounts())[0].parked is None


async def test_F8_what_another_process_saw_refused_is_renewed_before_it_is_lent() -> None:
    async with world(state=(state := MemoryPoolState())) as it:
        other = CredentialPool(it.store, state=state, oauth=it.oauth, clock=it.clock)
        lease = await other.lease(conversation_id="c-1", forced_refresh=False)
        it.server.fail(RESPONSES, Reply.error(401, "expired", code="token_expired"))
        await it.client.collect(PROMPT)
        renewed = await other.lease(conversation_id="c-1", forced_refresh=False)
        assert renewed.account == lease.account
        assert it.server.refreshes == 1
        await other.aclose()


async def test_F8_a_credential_that_stays_refused_is_parked_and_the_turn_moves_on() -> None:
    async with world() as it:
        it.accounts[0].refusal = "token_invalidated"
        await it.client.collect(PROMPT)
        assert (it.served(), it.server.refreshes) == ([0, 1], 1)
        parked = (await it.pool.accounts())[0].parked
        assert parked == "the credential is refused, also when renewed; log in again (token_invalidated)"
        it.accounts[0].refusal = None
        await it.store.save(it.server.issue(it.accounts[0]))
        assert (await it.pool.accounts())[0].parked is None


@pytest.mark.parametrize("refusal", ["deactivated_workspace", "usage_not_included", "wrong_workspace"])
async def test_F9b_F10b_an_account_that_may_not_serve_is_parked_and_the_turn_moves_on(refusal: AccountRefusal) -> None:
    async with world() as it:
        it.accounts[0].refusal = refusal
        await it.client.collect(PROMPT)
        assert (it.served(), it.delays()) == ([0, 1], [("request", 0.0)])
        assert (await it.pool.accounts())[0].parked


async def test_F9_a_blocked_network_burns_no_account() -> None:
    async with world() as it:
        it.server.fail(RESPONSES, BLOCK_PAGE)
        await it.client.collect(PROMPT)
        assert (it.served(), it.delays()) == ([1, 0], [("request", 0.2)])
        it.server.fail(RESPONSES, BLOCK_PAGE, times=5)
        with pytest.raises(RetryLimitError) as raised:
            await it.client.collect(PROMPT)
        assert isinstance(raised.value.last_error, NetworkBlockedError)
        assert [(one.blocks, one.parked) for one in await it.pool.accounts()] == [((), None), ((), None)]


async def test_a_country_that_is_not_served_burns_no_account() -> None:
    async with world() as it:
        it.accounts[0].refusal = "unsupported_country"
        with pytest.raises(PermissionDeniedError):
            await it.client.collect(PROMPT)
        assert [(one.blocks, one.parked) for one in await it.pool.accounts()] == [((), None), ((), None)]
        assert len(it.accounts[1].requests) == 0


@pytest.mark.parametrize(
    "reply, expected",
    [
        (Reply.error(400, "wrong", code="unsupported_parameter"), InvalidRequestError),
        (Reply.error(400, "too long", code="context_length_exceeded"), ContextWindowExceeded),
        (
            Reply.from_sse(sse([ev_created(), ev_failed("context_length_exceeded", "too long")])),
            ContextWindowExceeded,
        ),
    ],
    ids=["bad request", "context", "context in the stream"],
)
async def test_C5_F18_a_request_that_is_wrong_goes_to_one_account_once(
    reply: Reply, expected: type[CodexError]
) -> None:
    async with world() as it:
        it.server.fail(RESPONSES, reply)
        with pytest.raises(expected):
            await it.client.collect(PROMPT)
        asked = [request for request in it.server.requests if request.path.endswith("/responses")]
        assert (len(asked), it.delays()) == (1, [])
        assert [(one.blocks, one.parked) for one in await it.pool.accounts()] == [((), None), ((), None)]


async def test_C4_a_servers_trouble_is_waited_out_on_the_same_account() -> None:
    async with world() as it:
        it.server.fail(RESPONSES, Reply.error(503, "overloaded"), times=2)
        await it.client.collect(PROMPT)
        assert (it.served(), it.delays()) == ([1, 0], [("request", 0.2), ("request", 0.4)])


async def test_F8c_an_issuer_that_fails_for_now_sends_the_turn_to_the_next_account_without_parking() -> None:
    async with world(lifetime=60) as it:
        await it.store.save(it.server.issue(it.accounts[1], 86_400))
        it.clock.advance(61)
        it.server.fail(TOKEN, BLOCK_PAGE, times=3)
        await it.client.collect(PROMPT)
        first = (await it.pool.accounts())[0]
        assert (it.served(), first.parked, first.in_flight) == ([0, 1], None, 0)
        assert [(block.limit_id, block.until - it.clock.time()) for block in first.blocks] == [("*", 30)]
        it.clock.advance(30)
        assert (await it.pool.lease(conversation_id=None, forced_refresh=False)).account == it.logins[0].key


async def test_F8b_a_login_that_is_over_is_parked_and_the_next_account_lent() -> None:
    async with world(lifetime=60) as it:
        await it.store.save(it.server.issue(it.accounts[1], 86_400))
        it.server.revoke_family(it.logins[0])
        it.clock.advance(61)
        await it.client.collect(PROMPT)
        assert it.served() == [0, 1]
        parked = (await it.pool.accounts())[0].parked
        assert parked is not None
        assert parked.startswith("it needs a login")
        assert it.server.refreshes == 1


async def test_C7_prime_rests_what_is_used_up_before_it_is_tried() -> None:
    async with world(3) as it:
        it.accounts[0].limit(100, resets_at=it.clock.time() + HOUR)
        it.accounts[1].limit(40)
        it.server.fail(USAGE, Reply.error(500, "broken"))
        results = await it.pool.prime()
        failed = [result for result in results.values() if isinstance(result, CodexError)]
        assert [type(error) for error in failed] == [ServerError]
        assert sum(isinstance(result, UsageReport) for result in results.values()) == 2
        await it.pool.refresh_quota(*(key for key, result in results.items() if isinstance(result, CodexError)))
        statuses = await it.pool.accounts()
        assert [bool(one.blocks) for one in statuses] == [True, False, False]
        assert statuses[1].quota.limits["codex"].source == "endpoint"
        await it.client.collect(PROMPT)
        assert (it.served()[0], len([r for r in it.accounts[0].requests if r.path.endswith("/responses")])) == (0, 0)


async def test_C7_usage_that_says_there_is_room_takes_an_account_back() -> None:
    async with world(1) as it:
        it.accounts[0].limit(100)
        with pytest.raises(UsageLimitReachedError):
            await it.client.collect(PROMPT)
        it.accounts[0].limit(1)
        it.clock.advance(1)
        with pytest.raises(PoolExhaustedError):
            await it.client.collect(PROMPT)
        await it.pool.refresh_quota()
        await it.client.collect(PROMPT)
        assert it.served() == [1]


async def test_C7_prime_parks_what_needs_a_login() -> None:
    async with world(lifetime=60) as it:
        it.server.revoke_family(it.logins[0])
        it.clock.advance(61)
        results = await it.pool.prime()
        assert isinstance(results[it.logins[0].key], LoginRequiredError)
        assert [bool(one.parked) for one in await it.pool.accounts()] == [True, False]


async def test_C7_prime_parks_what_is_refused_also_with_a_renewed_token() -> None:
    async with world() as it:
        it.server.fail(USAGE, Reply.error(401, "no", code="token_expired"), times=2)
        first = it.logins[0].key
        await it.pool.refresh_quota(first)
        assert it.server.refreshes == 1
        parked = "the credential is refused, also when renewed; log in again (token_expired)"
        assert [one.parked for one in await it.pool.accounts()] == [parked, None]
        # Asked for by name it is asked again; a token that was renewed for that brings it back no more than the last.
        it.clock.advance(2 * 86_400)
        await it.pool.refresh_quota(first)
        assert it.server.refreshes == 2
        assert [one.parked for one in await it.pool.accounts()] == [parked, None]
        await it.store.save(it.server.issue(it.accounts[0]))
        assert [one.parked for one in await it.pool.accounts()] == [None, None]


async def test_C7_the_background_refresh_leaves_parked_accounts_alone() -> None:
    clock = ManualClock()
    async with AccountServer(clock) as server, OAuthClient(server.issuer, clock=clock) as oauth:
        account = server.add_account("acct-0")
        store = MemoryTokenStore([server.issue(account, 86_400)])
        server.fail(USAGE, Reply.error(401, "no", code="token_expired"), times=99)
        pool = CredentialPool(store, oauth=oauth, provider=server.provider(), clock=clock, refresh_every=300)
        async with pool:
            for _ in range(5):
                await clock.wait_for_timer(300)
                clock.advance(300)
            await clock.wait_for_timer(300)
            assert (server.refreshes, len([one for one in server.requests if one.path.endswith("/usage")])) == (1, 2)
            # A login brings it back into the schedule.
            await store.save(server.issue(account, 86_400))
            clock.advance(300)
            await clock.wait_for_timer(300)
            assert len([one for one in server.requests if one.path.endswith("/usage")]) > 2


async def test_C7_prime_says_nothing_against_an_account_whose_issuer_fails_for_now() -> None:
    async with world(1, lifetime=60) as it:
        it.clock.advance(61)
        it.server.fail(TOKEN, Reply.error(503, "down"), times=3)
        results = await it.pool.prime()
        assert isinstance(results[it.logins[0].key], TokenRefreshError)
        assert [(one.blocks, one.parked) for one in await it.pool.accounts()] == [((), None)]


async def test_C7_the_background_refresh_starts_at_once_tries_again_and_ends_with_the_block() -> None:
    clock = ManualClock()
    async with AccountServer(clock) as server, OAuthClient(server.issuer, clock=clock) as oauth:
        account = server.add_account("acct-0")
        account.limit(100)
        store = MemoryTokenStore([server.issue(account, 86_400)])
        server.fail(USAGE, Reply.error(500, "broken"))
        pool = CredentialPool(store, oauth=oauth, provider=server.provider(), clock=clock, refresh_every=300)
        async with pool:
            for number in range(1, 5):
                await clock.wait_for_timer(300)
                assert len(server.requests) == number
                # The first one failed, and the account is in the next all the same.
                assert bool((await pool.accounts())[0].blocks) == (number in {2, 3})
                if number == 3:
                    account.limit(1)
                clock.advance(300)
            await clock.wait_for_timer(300)
        assert clock.timers == []


async def test_the_background_refresh_wraps_no_error_of_the_block() -> None:
    async with world(1, refresh_every=60) as it:
        with pytest.raises(KeyError, match="mine"):
            async with CredentialPool(it.store, provider=it.server.provider(), clock=it.clock, refresh_every=60):
                raise KeyError("mine")


async def test_a_store_that_fails_does_not_end_the_background_refresh(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()

    class Broken(MemoryTokenStore):
        loads = 0

        async def load(self) -> dict[str, TokenSet]:
            self.loads += 1
            raise OSError("token-canary")

    store = Broken()
    async with CredentialPool(store, clock=clock, refresh_every=10):
        await clock.wait_for_timer(10)
        clock.advance(10)
        await clock.wait_for_timer(10)
    assert store.loads >= 2
    assert "usage could not be fetched: OSError" in caplog.text
    assert "canary" not in caplog.text
