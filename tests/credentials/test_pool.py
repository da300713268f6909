"""The pool: each of the rules C1 to C8, and what each failure does to an account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import pytest

from codex_client.api import AttemptOutcome, AuthProvider, Lease
from codex_client.auth.store import MemoryTokenStore
from codex_client.auth.tokens import TokenSet
from codex_client.credentials.pool import CredentialPool
from codex_client.credentials.pool_record import ALL_LIMITS, MAX_CONVERSATIONS, Block, Loan, PoolRecord
from codex_client.credentials.pool_state import MemoryPoolState
from codex_client.credentials.selection import AccountCandidate, AccountChoice, LeaseRequest
from codex_client.errors import (
    AuthenticationError,
    AuthenticationInStreamError,
    CodexError,
    ConfigurationError,
    ConnectError,
    ContextWindowExceededError,
    ContextWindowExceededStatusError,
    IdleTimeoutError,
    IncompleteResponseError,
    InvalidPromptError,
    InvalidRequestError,
    LoginRequiredError,
    ModelNotFoundError,
    ModelNotFoundInStreamError,
    NetworkBlockedError,
    NotFoundError,
    PermissionDeniedError,
    PermissionDeniedInStreamError,
    PolicyViolationError,
    PoolExhaustedError,
    QuotaExceededError,
    QuotaExceededStatusError,
    RateLimitedInStreamError,
    RateLimitError,
    ReadError,
    ResponseFailedError,
    ServerError,
    ServerOverloadedError,
    ServerOverloadedInStreamError,
    StreamClosedError,
    UsageLimitReachedError,
    UsageLimitReachedInStreamError,
    UsageNotIncludedError,
    UsageNotIncludedInStreamError,
)
from codex_client.model_variants import Credits, RateLimitSnapshot
from codex_client.testing import ManualClock
from tests.support.pooled import (
    HOUR,
    KEYS,
    NOW,
    lend,
    login,
    number_of,
    pool_of,
    rate_limited,
    serve,
    snapshot,
    used_up,
)

R = TypeVar("R")


def test_a_pool_and_its_views_are_auth_providers() -> None:
    pool, _, _ = pool_of(1)
    providers: list[AuthProvider] = [pool, pool.for_limit("spark")]
    assert [provider.can_refresh for provider in providers] == [True, True]


async def test_C1_a_conversation_stays_and_new_ones_are_spread() -> None:
    pool, _, _ = pool_of(3)
    assert [await serve(pool, f"c-{number}") for number in range(6)] == ["0", "1", "2", "0", "1", "2"]
    assert [await serve(pool, f"c-{number}") for number in (5, 0, 3, 1, 1)] == ["2", "0", "0", "1", "1"]


async def test_C1_turns_without_a_conversation_share_an_account_until_it_cannot_serve() -> None:
    pool, _, _ = pool_of(3)
    assert [await serve(pool) for _ in range(4)] == ["0"] * 4
    lease = await lend(pool)
    assert await pool.report(lease, used_up(HOUR)) is True
    assert [await serve(pool) for _ in range(3)] == ["1"] * 3


async def test_C1_an_idle_conversation_is_forgotten() -> None:
    pool, _, clock = pool_of(2, affinity=100)
    assert [await serve(pool, "a"), await serve(pool, "b"), await serve(pool, "b")] == ["0", "1", "1"]
    clock.advance(60)
    await serve(pool, "b")
    clock.advance(60)
    # Only b is remembered, so account 0 has no conversation.
    assert [one.conversations for one in await pool.accounts()] == [0, 1]
    assert await serve(pool, "c") == "0"


async def test_C1_a_conversation_that_had_to_move_stays_where_it_went() -> None:
    pool, _, clock = pool_of(2)
    lease = await lend(pool, "c")
    await pool.report(lease, used_up(60))
    assert await serve(pool, "c") == "1"
    clock.advance(61)
    assert await serve(pool, "c") == "1"


async def test_C2_models_with_windows_of_their_own_are_blocked_apart() -> None:
    pool, _, _ = pool_of(2)
    spark = pool.for_limit("spark")
    lease = await lend(spark, "c")
    assert await spark.report(lease, used_up(HOUR)) is True
    assert [await serve(spark, "c"), await serve(pool, "c")] == ["1", "0"]
    blocks = (await pool.accounts())[0].blocks
    assert [(block.limit_id, block.until) for block in blocks] == [("spark", NOW + HOUR)]
    assert (await spark.explain("c")).chosen == KEYS[1]


async def test_C3_plans_are_open_and_their_order_is_configurable() -> None:
    logins = [login(0, plan_type="free"), login(1, plan_type="made_up"), login(2, plan_type="plus")]

    async def first_of(**options: Any) -> str:
        return await serve(CredentialPool(MemoryTokenStore(logins), **options))

    assert await first_of() == "2"
    assert await first_of(plan_order=["*", "free", "plus"]) == "1"
    assert await first_of(plan_order=["free"]) == "0"


NOT_THE_ACCOUNTS_FAULT: list[CodexError] = [
    InvalidRequestError("wrong", status=400),
    ContextWindowExceededStatusError("too long", status=400),
    ContextWindowExceededError("too long"),
    InvalidPromptError("refused"),
    PolicyViolationError("refused"),
    IncompleteResponseError("cut", reason="max_output_tokens"),
    ModelNotFoundError("no such model", status=400),
    ModelNotFoundInStreamError("no such model"),
    NotFoundError("nothing there", status=404),
    ServerError("broken", status=500),
    ServerOverloadedError("busy", status=503),
    ServerOverloadedInStreamError("busy"),
    ResponseFailedError("who knows"),
    NetworkBlockedError("a page", status=403),
    ConnectError("refused"),
    ReadError("cut"),
    IdleTimeoutError("silence"),
    StreamClosedError("closed"),
]


@pytest.mark.parametrize("error", NOT_THE_ACCOUNTS_FAULT, ids=lambda error: type(error).__name__)
async def test_C4_C5_F9_F17_F18_what_is_not_the_accounts_fault_neither_rotates_nor_blocks(error: CodexError) -> None:
    pool, _, _ = pool_of(2)
    lease = await lend(pool, "c")
    assert not await pool.report(lease, AttemptOutcome(getattr(error, "status", None), error))
    assert not error.rotate_account
    status = (await pool.accounts())[0]
    assert (status.blocks, status.parked, status.in_flight) == ((), None, 0)
    assert await serve(pool, "c") == "0"


async def test_C5_a_country_that_is_not_served_parks_no_account() -> None:
    pool, _, _ = pool_of(2)
    error = PermissionDeniedError("not in your country", status=403)
    error.rotate_account = False
    assert await pool.report(await lend(pool), AttemptOutcome(403, error)) is False
    assert (await pool.accounts())[0].parked is None


async def test_a_cancelled_attempt_gives_its_loan_back_and_nothing_else() -> None:
    pool, _, _ = pool_of(1)
    lease = await lend(pool)
    assert (await pool.accounts())[0].in_flight == 1
    assert await pool.report(lease, AttemptOutcome()) is False
    status = (await pool.accounts())[0]
    assert (status.in_flight, status.blocks, status.parked) == (0, (), None)


@pytest.mark.parametrize("retry_after", [0.0, 2.0, 9.99, None])
async def test_C6_a_short_rate_limit_is_waited_out_on_the_same_account(retry_after: float | None) -> None:
    pool, _, _ = pool_of(2)
    outcome = rate_limited(retry_after)
    assert outcome.error is not None
    assert (outcome.error.retryable, outcome.error.rotate_account) == (True, True)
    assert await pool.report(await lend(pool, "c"), outcome) is False
    assert await serve(pool, "c") == "0"


@pytest.mark.parametrize("error_type", [RateLimitError, RateLimitedInStreamError])
async def test_C6_a_long_rate_limit_rotates(error_type: type[CodexError]) -> None:
    pool, _, clock = pool_of(2)
    outcome = AttemptOutcome(429, error_type("slow down", retry_after=10.0))
    assert await pool.report(await lend(pool, "c"), outcome) is True
    assert await serve(pool, "c") == "1"
    clock.advance(10)
    assert not (await pool.accounts())[0].blocks


async def test_a_request_above_the_limit_of_a_whole_window_does_not_rotate() -> None:
    pool, _, _ = pool_of(2)
    error = RateLimitError("too large", status=429, retry_after=60)
    error.retryable = False
    assert await pool.report(await lend(pool), AttemptOutcome(429, error)) is False
    assert (await pool.accounts())[0].blocks == ()


USED_UP: list[CodexError] = [
    UsageLimitReachedError("used up", status=429, retry_after=HOUR),
    UsageLimitReachedInStreamError("used up", retry_after=HOUR),
    QuotaExceededStatusError("no credit", status=402, retry_after=HOUR),
    QuotaExceededError("no credit", retry_after=HOUR),
]


@pytest.mark.parametrize("error", USED_UP, ids=lambda error: type(error).__name__)
async def test_C4_F10_what_is_used_up_blocks_and_rotates_at_once(error: CodexError) -> None:
    pool, _, clock = pool_of(2)
    assert (error.retryable, error.rotate_account, error.retry_after) == (False, True, HOUR)
    assert await pool.report(await lend(pool, "c"), AttemptOutcome(429, error)) is True
    assert [block.until for block in (await pool.accounts())[0].blocks] == [NOW + HOUR]
    assert await serve(pool, "c") == "1"
    clock.advance(HOUR)
    assert (await pool.accounts())[0].blocks == ()


async def test_without_another_account_nothing_rotates() -> None:
    pool, _, _ = pool_of(2)
    assert await pool.report(await lend(pool, "c"), used_up(HOUR)) is True
    assert await pool.report(await lend(pool, "c"), used_up(HOUR)) is False


PERMANENT: list[CodexError] = [
    UsageNotIncludedError("plan lacks it", status=429, plan_type="free"),
    UsageNotIncludedInStreamError("plan lacks it"),
    PermissionDeniedError("deactivated", status=402, code="deactivated_workspace"),
    PermissionDeniedInStreamError("no"),
]


@pytest.mark.parametrize("error", PERMANENT, ids=lambda error: type(error).__name__)
async def test_C4_F9b_F10b_a_permanent_refusal_parks_the_account_with_its_reason(error: CodexError) -> None:
    pool, store, clock = pool_of(2)
    assert (error.retryable, error.rotate_account) == (False, True)
    assert await pool.report(await lend(pool, "c"), AttemptOutcome(403, error)) is True
    parked = (await pool.accounts())[0].parked
    assert parked is not None
    assert ("(deactivated_workspace)" in parked) == (getattr(error, "code", None) is not None)
    clock.advance(365 * 86_400)
    assert await serve(pool, "c") == "1"
    await store.save(login(0, token="token-canary-new"))
    assert (await pool.accounts())[0].parked is None


async def test_a_parked_account_comes_back_when_its_plan_changes() -> None:
    pool, _, clock = pool_of(1)
    error = UsageNotIncludedError("plan lacks it", status=429, plan_type="free")
    await pool.report(await lend(pool), AttemptOutcome(429, error))
    assert (await pool.accounts())[0].parked is not None
    # Who still knows of another attempt brings the news.
    clock.advance(1)
    outcome = AttemptOutcome(200, None, [snapshot(3, at=clock.time(), plan_type="pro")])
    with pytest.raises(PoolExhaustedError):
        await lend(pool)
    await pool.unblock(KEYS[0])
    lease = await lend(pool)
    await pool.report(lease, AttemptOutcome(429, error))
    assert (await pool.accounts())[0].parked is not None
    await pool.report(lease, outcome)
    assert (await pool.accounts())[0].parked is None


async def test_F8_a_first_401_asks_for_the_forced_refresh_and_a_second_one_parks() -> None:
    pool, store, _ = pool_of(2)
    lease = await lend(pool, "c")
    refusal = AttemptOutcome(401, AuthenticationError("refused", status=401))
    assert await pool.report(lease, refusal) is False
    assert (await pool.accounts())[0].parked is None
    await store.save(login(0, token="token-canary-newer"))
    renewed = await lend(pool, "c", forced_refresh=True)
    assert renewed.headers["authorization"] == "Bearer token-canary-newer"
    assert await pool.report(renewed, refusal) is True
    parked = (await pool.accounts())[0].parked
    assert parked == "the credential is refused, also when renewed; log in again"
    assert await serve(pool, "c") == "1"


async def test_F8_a_401_inside_the_stream_renews_the_token_before_the_next_lease() -> None:
    pool, store, _ = pool_of(2)
    error = AuthenticationInStreamError("expired")
    assert await pool.report(await lend(pool, "c"), AttemptOutcome(200, error)) is False
    await store.save(login(0, token="token-canary-newer"))
    assert (await lend(pool, "c")).headers["authorization"] == "Bearer token-canary-newer"


async def test_F8_a_forced_refresh_that_no_report_explains_renews_the_account_it_is_for() -> None:
    pool, store, _ = pool_of(1)
    await lend(pool, "c")
    await store.save(login(0, token="token-canary-newer"))
    assert (await lend(pool, "c")).headers["authorization"] == "Bearer token-canary-0"
    renewed = await lend(pool, "c", forced_refresh=True)
    assert renewed.headers["authorization"] == "Bearer token-canary-newer"


async def test_F8_an_account_that_cannot_be_renewed_is_parked_and_the_next_one_lent() -> None:
    pool, _, _ = pool_of(2)
    await pool.report(await lend(pool, "c"), AttemptOutcome(401, AuthenticationError("refused", status=401)))
    # Without a refresh token only a login helps.
    assert number_of(await lend(pool, "c", forced_refresh=True)) == "1"
    status = (await pool.accounts())[0]
    assert status.parked is not None
    assert status.parked.startswith("it needs a login")
    assert status.in_flight == 0


async def test_F8_a_login_that_brings_other_tokens_ends_the_parking() -> None:
    pool, store, _ = pool_of(1)
    await pool.report(await lend(pool), AttemptOutcome(401, AuthenticationError("refused", status=401)))
    with pytest.raises(PoolExhaustedError):
        await lend(pool, forced_refresh=True)
    await store.save(login(0, token="token-canary-again"))
    assert (await lend(pool)).headers["authorization"] == "Bearer token-canary-again"


async def test_C7_an_account_whose_quota_is_back_serves_again() -> None:
    pool, _, clock = pool_of(2)
    running, lease = await lend(pool, "a"), await lend(pool, "a")
    await pool.report(lease, used_up(4 * HOUR))
    assert await serve(pool, "a") == "1"
    clock.advance(60)
    await pool.report(running, AttemptOutcome(200, None, [snapshot(2, at=clock.time())]))
    assert (await pool.accounts())[0].blocks == ()


async def test_C8_limits_told_by_a_good_answer_block_before_anything_is_refused() -> None:
    pool, _, _ = pool_of(2)
    full = snapshot(100, at=NOW, weekly=(100, 2 * 86_400))
    assert await serve(pool, "c", rate_limits=[full]) == "0"
    assert [block.until for block in (await pool.accounts())[0].blocks] == [NOW + 2 * 86_400]
    assert await serve(pool, "c") == "1"


async def test_an_account_that_would_spend_credit_is_the_last_choice() -> None:
    pool, _, _ = pool_of(2)
    on_credit = snapshot(100, at=NOW, credits=Credits(has_credits=True, balance="9.99"))
    assert await serve(pool, "c", rate_limits=[on_credit]) == "0"
    assert await serve(pool, "c") == "1"
    await pool.report(await lend(pool, "c"), used_up(HOUR))
    assert await serve(pool, "c") == "0"


async def test_when_no_account_can_serve_the_error_says_why_and_until_when() -> None:
    pool, _, _ = pool_of(3)
    await pool.report(await lend(pool, "a"), used_up(3 * HOUR))
    await pool.report(await lend(pool, "b"), used_up(HOUR))
    await pool.report(
        await lend(pool, "c"), AttemptOutcome(403, PermissionDeniedError("no", status=403, code="account_deactivated"))
    )
    with pytest.raises(PoolExhaustedError) as raised:
        await lend(pool, "d")
    error = raised.value
    assert error.next_available_at == NOW + HOUR
    assert (error.retryable, error.rotate_account, error.retry_after) == (False, False, None)
    assert error.reasons == {
        KEYS[0]: "usage limit reached, until 2023-11-15 01:13:20Z",
        KEYS[1]: "usage limit reached, until 2023-11-14 23:13:20Z",
        KEYS[2]: "permission denied; check the account and its workspace (account_deactivated)",
    }
    assert str(error).startswith("no account can serve, the next one is free at 2023-11-14 23:13:20Z; wait until then")


async def test_an_exhaustion_that_ends_soon_may_be_waited_for() -> None:
    pool, _, clock = pool_of(1)
    await pool.report(await lend(pool), used_up(45))
    clock.advance(5)
    with pytest.raises(PoolExhaustedError) as raised:
        await lend(pool)
    assert (raised.value.retryable, raised.value.retry_after) == (True, 40)
    clock.advance(40)
    assert await serve(pool) == "0"


async def test_an_exhaustion_without_end_says_so() -> None:
    pool, _, _ = pool_of(1)
    await pool.report(await lend(pool), AttemptOutcome(403, PermissionDeniedError("no", status=403)))
    with pytest.raises(PoolExhaustedError, match="none comes back by itself") as raised:
        await lend(pool)
    assert raised.value.next_available_at is None


async def test_a_pool_without_accounts_asks_for_a_login() -> None:
    pool, _, _ = pool_of(0)
    with pytest.raises(LoginRequiredError, match="the pool has no account"):
        await lend(pool)
    assert (await pool.accounts(), (await pool.explain()).chosen) == ([], None)


async def test_only_the_accounts_asked_for_serve_in_their_order() -> None:
    pool, _, _ = pool_of(3, keys=[KEYS[2], KEYS[7], KEYS[0]], selection="round_robin")
    assert [await serve(pool) for _ in range(3)] == ["2", "0", "2"]
    explanation = await pool.explain()
    assert explanation.others[KEYS[7]] == "the token store has it no longer; log in"


async def test_an_account_that_is_added_serves_from_then_on() -> None:
    pool, store, _ = pool_of(1)
    await serve(pool, "a")
    await store.save(login(1))
    assert await serve(pool, "b") == "1"
    await store.delete(KEYS[1])
    assert await serve(pool, "b") == "0"


async def test_round_robin_takes_turns_around_blocked_accounts() -> None:
    pool, _, _ = pool_of(4, selection="round_robin")
    assert [await serve(pool) for _ in range(5)] == ["0", "1", "2", "3", "0"]
    await pool.report(await lend(pool), used_up(HOUR))
    assert [await serve(pool) for _ in range(4)] == ["2", "3", "0", "2"]


async def test_least_used_follows_the_quota() -> None:
    pool, _, _ = pool_of(3, selection="least_used")
    used = {"0": 10.0, "1": 30.0, "2": 20.0}
    for _ in range(3):
        lease = await lend(pool)
        limits = [snapshot(used[number_of(lease)], at=NOW)]
        await pool.report(lease, AttemptOutcome(200, None, limits))
    assert [await serve(pool) for _ in range(2)] == ["0", "0"]


async def test_ones_own_selection_sees_only_who_can_serve() -> None:
    seen: list[list[str]] = []

    def last(candidates: list[AccountCandidate], turn: LeaseRequest) -> AccountChoice:
        seen.append([one.key for one in candidates])
        return AccountChoice(candidates[-1].key, f"the last, {turn.current}")

    pool, _, _ = pool_of(3, selection=last)
    await pool.report(await lend(pool, "c"), used_up(HOUR))
    assert await serve(pool, "c") == "1"
    assert seen == [KEYS[:3], KEYS[:2]]
    explanation = await pool.explain("c")
    assert (explanation.chosen, explanation.reason) == (KEYS[1], f"the last, {KEYS[1]}")
    assert explanation.others[KEYS[0]] == "the selection chose another one"


async def test_a_selection_that_chooses_nobody_there_is_told_so() -> None:
    pool, _, _ = pool_of(1, selection=lambda candidates, turn: AccountChoice("nobody", "why not"))
    with pytest.raises(ConfigurationError, match="chose 'nobody', which is none of the candidates"):
        await lend(pool)
    assert [one.in_flight for one in await pool.accounts()] == [0]


async def test_a_loan_whose_report_never_comes_ends_by_itself() -> None:
    pool, _, clock = pool_of(1)
    lease = await lend(pool)
    clock.advance(599)
    assert (await pool.accounts())[0].in_flight == 1
    clock.advance(1)
    assert (await pool.accounts())[0].in_flight == 0
    assert await pool.report(lease, AttemptOutcome(200)) is False


async def test_a_lease_that_is_cancelled_leaves_no_loan() -> None:
    class Slow(MemoryPoolState):
        async def update(self, change: Callable[[PoolRecord], R]) -> R:
            result = await super().update(change)
            await anyio.lowlevel.checkpoint()
            return result

    pool, _, _ = pool_of(1, state=Slow())
    with anyio.CancelScope() as scope:
        scope.cancel()
        await lend(pool)
    assert [one.in_flight for one in await pool.accounts()] == [0]


async def test_of_several_blocks_the_one_that_ends_last_counts() -> None:
    pool, _, clock = pool_of(1, state=(state := MemoryPoolState()))
    record = await state.update(lambda record: record)
    for limit_id, rest in ((ALL_LIMITS, 20.0), ("codex", 50.0), ("spark", 90.0)):
        record.account(KEYS[0]).blocks[limit_id] = Block("usage", f"rests {rest}", NOW, NOW + rest)
    assert (await pool.explain()).next_available_at == NOW + 50
    assert (await pool.for_limit("other").explain()).next_available_at == NOW + 20
    clock.advance(50)
    assert await serve(pool) == "0"


async def test_a_good_answer_ends_a_row_of_rate_limits() -> None:
    pool, _, _ = pool_of(2)
    for _ in range(2):
        for _ in range(2):
            assert await pool.report(await lend(pool, "c"), rate_limited(None)) is False
        assert await serve(pool, "c") == "0"


async def test_F8_a_good_answer_ends_the_memory_of_a_refusal() -> None:
    pool, store, _ = pool_of(1)
    refused = AttemptOutcome(401, AuthenticationError("refused", status=401))
    running = [await lend(pool) for _ in range(2)]
    await pool.report(running[0], refused)
    # It is not refused after all.
    await pool.report(running[1], AttemptOutcome(200))
    assert (await lend(pool)).headers["authorization"] == "Bearer token-canary-0"
    # Now nobody reports the refusal.
    await store.save(login(0, token="token-canary-b"))
    assert (await lend(pool, forced_refresh=True)).headers["authorization"] == "Bearer token-canary-b"


async def test_F8_refusals_that_come_late_cost_no_good_token() -> None:
    pool, store, _ = pool_of(1)
    late = [await lend(pool, f"late-{number}") for number in range(3)]
    refused = AttemptOutcome(401, AuthenticationError("refused", status=401))
    await pool.report(await lend(pool, "c"), refused)
    await store.save(login(0, token="token-canary-newer"))
    good = await lend(pool, "c", forced_refresh=True)
    # Were it thrown away, this one would be read.
    await store.save(login(0, token="token-canary-newest"))
    for number, lease in enumerate(late):
        await pool.report(lease, refused)
        await pool.report(good, AttemptOutcome(200))
        again = await lend(pool, f"late-{number}", forced_refresh=True)
        assert again.headers["authorization"] == "Bearer token-canary-newer"


BORROWED = replace(login(0), borrowed=True, expires_at=NOW + 60)


@pytest.mark.parametrize("taken", [replace(BORROWED, borrowed=False, refresh_token="refresh-canary"), BORROWED])
async def test_an_account_parked_for_a_login_comes_back_when_its_refresh_token_is_taken_over(taken: TokenSet) -> None:
    pool, store, clock = pool_of(1)
    await store.save(BORROWED)
    clock.advance(61)
    with pytest.raises(PoolExhaustedError):
        await lend(pool)
    assert (await pool.accounts())[0].parked is not None
    await store.save(taken)
    assert ((await pool.accounts())[0].parked is None) == (taken is not BORROWED)


async def test_a_limit_of_another_family_blocks_that_family_and_moves_the_turn() -> None:
    pool, _, _ = pool_of(3)
    told = [snapshot(10, at=NOW), snapshot(100, at=NOW, limit_id="spark")]
    assert await pool.report(await lend(pool, "c"), used_up(HOUR, limits=told)) is True
    blocks = (await pool.accounts())[0].blocks
    assert [(block.limit_id, "for_limit('spark')" in block.reason) for block in blocks] == [("spark", True)]
    # The conversation's next attempts look at that limit, others do not.
    assert KEYS[0] in {one.key for one in (await pool.explain("d")).candidates}
    assert KEYS[0] not in {one.key for one in (await pool.explain("c")).candidates}
    lease = await lend(pool, "c")
    assert number_of(lease) == "1"
    assert await pool.report(lease, used_up(HOUR, limits=told)) is True
    lease = await lend(pool, "c")
    assert number_of(lease) == "2"
    assert await pool.report(lease, used_up(HOUR, limits=told)) is False
    # Its model may be another one now: an account that may serve is better than none.
    assert await serve(pool, "c") == "2"
    assert [[block.limit_id for block in one.blocks] for one in await pool.accounts()] == [["spark"]] * 3


@pytest.mark.parametrize("own", [[], [snapshot(100, at=NOW)]], ids=["not told", "used up, too"])
async def test_a_limit_of_another_family_says_nothing_for_ones_own_without_its_word(
    own: list[RateLimitSnapshot],
) -> None:
    pool, _, _ = pool_of(2)
    told = [*own, snapshot(100, at=NOW, limit_id="spark")]
    assert await pool.report(await lend(pool, "c"), used_up(HOUR, limits=told)) is True
    assert "codex" in {block.limit_id for block in (await pool.accounts())[0].blocks}


async def test_more_conversations_than_are_remembered_stay_on_their_accounts() -> None:
    pool, _, _ = pool_of(5)
    for number in range(MAX_CONVERSATIONS):
        await serve(pool, f"before-{number}")
    names = [f"c-{number}" for number in range(MAX_CONVERSATIONS + 50)]
    first = [await serve(pool, name) for name in names]
    assert [await serve(pool, name) for name in names] == first
    counts = Counter(first)
    assert min(counts.values()) > 0.7 * len(names) / 5
    # One that must move goes to one that can serve, and the others stay.
    await pool.report(await lend(pool, names[0]), used_up(HOUR))
    again = [await serve(pool, name) for name in names]
    assert [now for now, was in zip(again, first, strict=True) if was != first[0]] == [
        was for was in first if was != first[0]
    ]
    assert first[0] not in again


async def test_what_a_clock_that_was_ahead_has_left_is_over_as_if_it_had_begun_now() -> None:
    pool, store, _ = pool_of(1, state=(state := MemoryPoolState()))
    month = 30 * 86_400.0
    ahead = CredentialPool(store, state=state, clock=ManualClock(start=NOW + month))
    await ahead.report(
        await lend(ahead, "c"), used_up(2 * HOUR, limits=[snapshot(100, at=NOW + month, now=NOW + month)])
    )
    await state.update(lambda record: record.loans.update(lost=Loan(KEYS[0], NOW + month)))
    with pytest.raises(PoolExhaustedError) as raised:
        await lend(pool)
    assert raised.value.next_available_at == NOW + 5 * HOUR
    status = (await pool.accounts())[0]
    assert (status.quota.fetched_at, status.last_used_at) == (NOW, NOW)
    record = await state.load()
    assert record.loans["lost"].expires_at == NOW + 600
    assert {one.used_at for one in record.conversations.values()} == {NOW}
    assert {block.since for block in record.accounts[KEYS[0]].blocks.values()} == {NOW}


async def test_what_is_told_counts_before_what_a_clock_ahead_of_this_one_has_told() -> None:
    clock, state = ManualClock(start=NOW), MemoryPoolState()
    right, store, _ = pool_of(2, state=state, clock=clock)
    ahead = CredentialPool(store, state=state, clock=ManualClock(start=NOW + 600))
    lease = await lend(right, "c")
    clock.advance(1)
    # Told while this attempt runs, by a machine that is ten minutes ahead.
    await ahead.report(await lend(ahead, "d"), AttemptOutcome(200, None, [snapshot(7, at=NOW + 600)]))
    await ahead.report(await lend(ahead, "c"), AttemptOutcome(200, None, [snapshot(7, at=NOW + 600)]))
    await right.report(lease, AttemptOutcome(200, None, [snapshot(100, at=NOW + 0.5)]))
    told = (await right.accounts())[0]
    assert (told.quota.limits["codex"].windows[0].used_percent, len(told.blocks)) == (100, 1)


async def test_a_server_that_makes_limits_up_does_not_make_the_record_grow() -> None:
    pool, _, clock = pool_of(1, state=(state := MemoryPoolState()))
    await serve(pool, rate_limits=[snapshot(1, at=clock.time())])
    for number in range(100):
        clock.advance(1)
        await serve(pool, rate_limits=[snapshot(100, at=clock.time(), limit_id=f"made-up-{number}")])
    await lend(pool)
    held = (await state.load()).accounts[KEYS[0]]
    assert (len(held.quota.limits), len(held.blocks)) == (32, 32)
    assert {"codex", "made-up-99"} <= held.quota.limits.keys()


async def test_accounts_that_are_gone_for_long_are_forgotten() -> None:
    pool, store, clock = pool_of(2, state=(state := MemoryPoolState()))
    await serve(pool, "a")
    await serve(pool, "b")
    await store.delete(KEYS[1])
    clock.advance(29 * 86_400)
    await serve(pool)
    assert set((await state.load()).accounts) == set(KEYS[:2])
    clock.advance(2 * 86_400)
    await serve(pool)
    assert set((await state.load()).accounts) == {KEYS[0]}


async def test_unblock_takes_an_account_back_into_service() -> None:
    pool, _, _ = pool_of(1)
    await pool.report(await lend(pool), used_up(HOUR))
    await pool.unblock(KEYS[0])
    assert await serve(pool) == "0"
    with pytest.raises(ConfigurationError, match="the pool has no account 'nobody'"):
        await pool.unblock("nobody")


async def test_another_providers_lease_says_nothing_of_an_account() -> None:
    pool, _, _ = pool_of(1)
    assert await pool.report(Lease({}, account=KEYS[0]), used_up(HOUR)) is False
    assert (await pool.accounts())[0].blocks == ()


async def test_the_account_list_shows_what_is_known() -> None:
    pool, _, clock = pool_of(2)
    limits = [snapshot(100, at=NOW, plan_type="pro")]
    await serve(pool, "a", rate_limits=limits)
    clock.advance(10)
    await lend(pool, "b")
    first, second = await pool.accounts()
    assert (first.key, first.account_id, first.plan_type) == (KEYS[0], "workspace-0", "pro")
    assert (first.leases, first.last_used_at, first.in_flight, first.conversations) == (1, NOW, 0, 1)
    assert first.quota.limits == {"codex": limits[0]}
    assert [(block.reason, block.until) for block in first.blocks] == [("usage limit reached (5 h)", NOW + HOUR)]
    assert (second.plan_type, second.in_flight, second.conversations, second.blocks) == ("plus", 1, 1, ())


async def test_explain_says_why_and_why_not_and_changes_nothing() -> None:
    pool, _, _ = pool_of(3)
    await serve(pool, "a")
    await pool.report(await lend(pool, "b"), used_up(HOUR))
    before = await pool.accounts()
    explanation = await pool.explain("new")
    assert explanation.chosen == KEYS[2]
    assert explanation.reason == "it has 0 conversations, the next best has 1 conversation"
    assert explanation.others == {
        KEYS[0]: "it has 1 conversation, the one chosen has 0 conversations",
        KEYS[1]: "usage limit reached, until 2023-11-14 23:13:20Z",
    }
    assert [one.key for one in explanation.candidates] == [KEYS[0], KEYS[2]]
    assert str(explanation).splitlines() == [
        f"{KEYS[2]} serves: it has 0 conversations, the next best has 1 conversation",
        f"{KEYS[0]} is free, but it has 1 conversation, the one chosen has 0 conversations",
        f"{KEYS[1]} cannot serve: usage limit reached, until 2023-11-14 23:13:20Z",
    ]
    assert await pool.accounts() == before
    assert await serve(pool, "new") == "2"
    assert str(await pool.explain("a")).splitlines()[:2] == [
        f"{KEYS[0]} serves: this conversation is already on it",
        f"{KEYS[2]} is free, but it is not this conversation's account",
    ]


async def test_explain_says_when_none_can_serve() -> None:
    pool, _, _ = pool_of(1)
    await pool.report(await lend(pool), used_up(HOUR))
    assert str(await pool.explain()).splitlines() == [
        "no account can serve",
        f"{KEYS[0]} cannot serve: usage limit reached, until 2023-11-14 23:13:20Z",
    ]
