"""How long an account rests and why: laws on values."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, strategies as st

from codex_client.credentials.cooldowns import note_failed_lease, note_failure, note_snapshots
from codex_client.credentials.pool_record import ALL_LIMITS, AccountRecord, Block
from codex_client.errors import (
    CodexError,
    LoginRequiredError,
    QuotaExceededError,
    RateLimitError,
    TokenRefreshError,
    UsageLimitReachedError,
)
from codex_client.model_variants import Credits, RateLimitSnapshot, RateLimitWindow
from tests.support.pooled import HOUR, NOW, snapshot

WEEK = 7 * 86_400.0


def noted(*snapshots: RateLimitSnapshot, now: float = NOW, account: AccountRecord | None = None) -> AccountRecord:
    account = account or AccountRecord()
    note_snapshots(account, snapshots, now=now, since=now - 60, max_cooldown=WEEK)
    return account


def failed(error: CodexError, account: AccountRecord | None = None, *, now: float = NOW) -> tuple[bool, AccountRecord]:
    account = account or AccountRecord()
    rotates = note_failure(
        account, error, limit_id="codex", fingerprint="f", was_refreshed=False, now=now, max_cooldown=WEEK
    )
    return rotates, account


def until(account: AccountRecord, limit_id: str = "codex") -> float | None:
    block = account.blocks.get(limit_id)
    return None if block is None else block.until - NOW


def test_C8_the_block_ends_with_the_last_reset_of_the_used_up_windows() -> None:
    assert until(noted(snapshot(100, weekly=(100, 3 * 86_400)))) == 3 * 86_400
    assert until(noted(snapshot(100, weekly=(99, 3 * 86_400)))) == HOUR
    assert until(noted(snapshot(99, weekly=(99, 3 * 86_400)))) is None


def test_C8_each_limit_id_has_its_own_block() -> None:
    account = noted(snapshot(100), snapshot(100, resets_in=60, limit_id="codex_other"), snapshot(1, limit_id="spark"))
    assert [until(account), until(account, "codex_other"), until(account, "spark")] == [HOUR, 60, None]


@pytest.mark.parametrize(
    "told, rest",
    [
        pytest.param(snapshot(100, resets_in=30 * 86_400), 5 * HOUR, id="no longer than the window"),
        pytest.param(snapshot(100, resets_in=30 * 86_400, minutes=43_200), 30 * 86_400, id="a month"),
        pytest.param(snapshot(100, resets_in=90 * 86_400, minutes=43_200), 30 * 86_400, id="no longer than a month"),
        pytest.param(snapshot(100, resets_in=30 * 86_400, minutes=None), WEEK, id="no length: max_cooldown"),
        pytest.param(snapshot(100, resets_in=1e9, minutes=10**7), WEEK, id="no such length: max_cooldown"),
        pytest.param(snapshot(100, resets_in=None), 300, id="no time told"),
        pytest.param(snapshot(100, resets_in=-5), None, id="reset already"),
        pytest.param(snapshot(50, refused=True), 300, id="refused with room"),
        pytest.param(snapshot(100, credits=Credits(has_credits=True)), None, id="credit pays"),
        pytest.param(snapshot(100, refused=True, credits=Credits(has_credits=True)), HOUR, id="credit is refused"),
    ],
)
def test_a_snapshot_blocks_for_what_it_tells(told: RateLimitSnapshot, rest: float | None) -> None:
    assert until(noted(told)) == rest


def test_C7_a_fresher_snapshot_with_room_clears_the_block() -> None:
    account = noted(snapshot(100, at=NOW))
    assert until(noted(snapshot(3, at=NOW + 1), now=NOW + 1, account=account)) is None


@pytest.mark.parametrize("used", [3, 100])
def test_C7_an_older_snapshot_neither_blocks_nor_clears(used: float) -> None:
    account = noted(snapshot(100 - used, at=NOW))
    before = dict(account.blocks)
    noted(snapshot(used, at=NOW - 1, resets_in=2 * HOUR), account=account)
    assert account.blocks == before
    assert account.quota.limits["codex"].fetched_at == NOW


def test_what_is_as_old_as_a_refusal_does_not_clear_it() -> None:
    # The headers of a refusal may say that there is room.
    _, account = failed(UsageLimitReachedError("used up", status=429, retry_after=60))
    noted(snapshot(0, at=NOW), account=account)
    assert until(account) == 60


def test_a_block_that_is_over_keeps_out_no_other() -> None:
    account = AccountRecord(blocks={"codex": Block("rate", "rate limited", NOW - 10, NOW)})
    assert until(noted(snapshot(100, at=NOW - 20), account=account)) == HOUR


def test_a_snapshot_without_a_time_counts_as_of_the_attempts_beginning() -> None:
    account = AccountRecord(blocks={"codex": Block("usage", "used up", NOW - 30, NOW + 900)})
    assert until(noted(snapshot(3), account=account)) == 900
    account = AccountRecord(blocks={"codex": Block("usage", "used up", NOW - 90, NOW + 900)})
    assert until(noted(snapshot(3), account=account)) is None


def test_a_snapshot_from_the_future_counts_as_of_now() -> None:
    account = noted(snapshot(100, at=NOW + 86_400))
    assert account.quota.limits["codex"].fetched_at == NOW
    assert until(noted(snapshot(3, at=NOW + 1), now=NOW + 1, account=account)) is None


def test_a_rate_limit_is_not_cleared_by_room_in_the_windows() -> None:
    _, account = failed(RateLimitError("slow down", status=429, retry_after=60))
    noted(snapshot(3, at=NOW + 1), now=NOW + 1, account=account)
    assert until(account) == 60
    noted(snapshot(100, at=NOW + 2, resets_in=10), now=NOW + 2, account=account)
    assert until(account) == 60


@pytest.mark.parametrize("first", [5 * HOUR, 60.0])
def test_of_two_refusals_the_later_end_counts(first: float) -> None:
    _, account = failed(UsageLimitReachedError("used up", status=429, retry_after=first))
    failed(UsageLimitReachedError("used up", status=429, retry_after=5 * HOUR + 60 - first), account)
    assert until(account) == 5 * HOUR


@pytest.mark.parametrize(
    "error, rest",
    [
        (UsageLimitReachedError("used up", status=429, retry_after=3600, resets_at=NOW + 7200), 7200),
        (UsageLimitReachedError("used up", status=429, retry_after=3600), 3600),
        (UsageLimitReachedError("used up", status=429, resets_at=NOW - 1), 300),
        (UsageLimitReachedError("used up", status=429, resets_at=NOW + 90 * 86_400), WEEK),
        (UsageLimitReachedError("used up", status=429), 300),
        (QuotaExceededError("no credit"), 300),
    ],
)
def test_a_refusal_blocks_for_what_it_tells(error: CodexError, rest: float) -> None:
    rotates, account = failed(error)
    assert (rotates, until(account)) == (True, rest)


def test_a_refusal_is_capped_by_the_windows_that_are_known() -> None:
    account = noted(snapshot(50, weekly=(20, 86_400)))
    failed(UsageLimitReachedError("used up", status=429, retry_after=30 * 86_400), account)
    assert until(account) == WEEK
    account = noted(snapshot(50))
    failed(UsageLimitReachedError("used up", status=429, retry_after=30 * 86_400), account)
    assert until(account) == 5 * HOUR
    account = noted(snapshot(50, minutes=43_200))
    failed(UsageLimitReachedError("used up", status=429, retry_after=29 * 86_400), account)
    assert until(account) == 29 * 86_400


def test_the_third_rate_limit_in_a_row_that_tells_no_time_blocks() -> None:
    account = AccountRecord()
    outcomes = [failed(RateLimitError("slow down", status=429), account)[0] for _ in range(3)]
    assert outcomes == [False, False, True]
    assert until(account) == 60


def test_only_what_looks_like_a_code_is_repeated() -> None:
    _, account = failed(UsageLimitReachedError("mail@example.test", status=429, code="usage_limit_reached"))
    assert account.blocks["codex"].reason == "usage limit reached (usage_limit_reached)"
    _, account = failed(UsageLimitReachedError("mail@example.test", status=429, code="mail@example.test"))
    assert account.blocks["codex"].reason == "usage limit reached"


def test_a_token_that_cannot_be_had_now_blocks_every_limit_for_a_moment() -> None:
    account = AccountRecord()
    error = TokenRefreshError("down", status=503, code="server_error")
    note_failed_lease(account, error, key="k", fingerprint="f", login="l", now=NOW, max_cooldown=WEEK)
    assert (until(account, ALL_LIMITS), account.parking) == (30, None)
    error = TokenRefreshError("down", retry_after=90)
    note_failed_lease(account, error, key="k", fingerprint="f", login="l", now=NOW, max_cooldown=60)
    assert until(account, ALL_LIMITS) == 60


@pytest.mark.parametrize("error", [LoginRequiredError("gone"), TokenRefreshError("dead", permanent=True)])
def test_a_token_that_only_a_login_brings_back_parks_the_account(error: CodexError) -> None:
    account = AccountRecord(refused="f")
    note_failed_lease(account, error, key="k", fingerprint="f", login="l", now=NOW, max_cooldown=WEEK)
    assert account.parking is not None
    assert (account.parking.fingerprint, account.parking.login) == ("f", "l")
    assert (account.refused, account.blocks) == (None, {})


def needs_login(because: str, *, why: Exception | None = None) -> str:
    """The reason for an account of the key "k"."""
    account, error = AccountRecord(), LoginRequiredError(because)
    error.__cause__ = why
    note_failed_lease(account, error, key="k", fingerprint="f", login="l", now=NOW, max_cooldown=WEEK)
    assert account.parking is not None
    return account.parking.reason


@pytest.mark.parametrize(
    "because, why, reason",
    [
        ("account k has no refresh token; log in again", None, "it has no refresh token; log in again"),
        ("account k needs a new login: revoked", TokenRefreshError("revoked (400)", permanent=True), "revoked (400)"),
        ("account k needs a new login: revoked", OSError("a path"), "it needs a new login: revoked"),
        ("the store has no login", None, "the store has no login"),
    ],
)
def test_an_account_that_needs_a_login_is_parked_with_the_reason(
    because: str, why: Exception | None, reason: str
) -> None:
    assert needs_login(because, why=why) == f"it needs a login: {reason}"


def test_the_reason_for_a_login_is_short_and_masked() -> None:
    reason = needs_login(f"a store of somebody's own says\nBearer sk-{'canary' * 9} {'and more ' * 99}")
    assert reason.startswith("it needs a login: a store of somebody's own says Bearer ***")
    assert len(reason) <= 320
    assert "canary" not in reason


moments = st.floats(NOW - 2 * WEEK, NOW + 60 * 86_400)
windows = st.builds(
    RateLimitWindow,
    used_percent=st.sampled_from([0.0, 50.0, 99.9, 100.0, 130.0]),
    window_minutes=st.none() | st.sampled_from([0, 15, 300, 10_080]),
    resets_at=st.none() | moments,
)
told = st.builds(
    RateLimitSnapshot,
    limit_id=st.sampled_from(["codex", "spark"]),
    primary=st.none() | windows,
    secondary=st.none() | windows,
    credits=st.none() | st.builds(Credits, has_credits=st.booleans()),
    refused=st.booleans(),
    source=st.sampled_from([None, "header", "event", "endpoint", "error"]),
    fetched_at=st.none() | st.floats(NOW - 3600, NOW + 3600),
)


@given(seen=st.lists(told, max_size=8), most=st.floats(1, WEEK))
def test_no_block_is_longer_than_the_longest_window_or_the_most(seen: list[RateLimitSnapshot], most: float) -> None:
    account = AccountRecord()
    note_snapshots(account, seen, now=NOW, since=NOW - 60, max_cooldown=most)
    for limit_id, block in account.blocks.items():
        alike = [window for one in seen if one.limit_id == limit_id for window in one.windows]
        lengths = [60 * (window.window_minutes or 0) for window in alike]
        assert NOW < block.until <= NOW + max([most, *lengths])
        if all(lengths):
            assert block.until <= NOW + max([300.0, *lengths])


@given(seen=st.lists(told, min_size=1, max_size=8), order=st.randoms())
def test_the_order_in_which_dated_snapshots_arrive_does_not_change_what_is_known(
    seen: list[RateLimitSnapshot], order: Random
) -> None:
    dated = [replace(one, fetched_at=NOW - 100 + 7 * index) for index, one in enumerate(seen)]
    shuffled = list(dated)
    order.shuffle(shuffled)
    first, second = noted(*dated), noted(*shuffled)
    assert first.quota.limits == second.quota.limits
