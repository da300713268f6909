"""Accounts, failures and snapshots for tests of the pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codex_client.api import AttemptOutcome, Lease
from codex_client.auth.store import MemoryTokenStore
from codex_client.auth.tokens import TokenSet
from codex_client.credentials.pool import CredentialPool
from codex_client.errors import RateLimitError, UsageLimitReachedError
from codex_client.model_variants import Credits, RateLimitSnapshot, RateLimitWindow
from codex_client.testing import ManualClock

NOW = 1_700_000_000.0
HOUR = 3600.0


def login(number: int, *, token: str | None = None, plan_type: str | None = "plus") -> TokenSet:
    """An account whose token has no end."""
    return TokenSet(
        access_token=token or f"token-canary-{number}",
        account_id=f"workspace-{number}",
        subject=f"user-{number}",
        email=f"mail-canary-{number}@example.test",
        plan_type=plan_type,
    )


KEYS = [login(number).key for number in range(8)]


def pool_of(count: int, **options: Any) -> tuple[CredentialPool, MemoryTokenStore, ManualClock]:
    """A pool of `count` accounts, its store, and its clock."""
    store, clock = MemoryTokenStore([login(number) for number in range(count)]), ManualClock(start=NOW)
    chosen: dict[str, Any] = {"clock": clock} | options
    return CredentialPool(store, **chosen), store, clock


async def lend(pool: Any, conversation_id: str | None = None, *, forced_refresh: bool = False) -> Lease:
    return await pool.lease(conversation_id=conversation_id, forced_refresh=forced_refresh)


async def serve(pool: Any, conversation_id: str | None = None, **outcome: Any) -> str:
    """One attempt from its lease to its report; the number of the account that it was made with."""
    lease = await lend(pool, conversation_id)
    told: dict[str, Any] = {"status": 200} | outcome
    await pool.report(lease, AttemptOutcome(**told))
    return number_of(lease)


def number_of(lease: Lease) -> str:
    """Which of `login`'s accounts."""
    return lease.headers["chatgpt-account-id"].removeprefix("workspace-")


def snapshot(
    used_percent: float,
    *,
    resets_in: float | None = HOUR,
    minutes: int | None = 300,
    at: float | None = None,
    weekly: tuple[float, float] | None = None,
    limit_id: str = "codex",
    now: float = NOW,
    credits: Credits | None = None,
    **more: Any,
) -> RateLimitSnapshot:
    """A family with one window; `weekly`: used percent and seconds to the reset of a second one."""
    secondary = None if weekly is None else RateLimitWindow(weekly[0], 10_080, now + weekly[1])
    resets_at = None if resets_in is None else now + resets_in
    return RateLimitSnapshot(
        limit_id,
        primary=RateLimitWindow(used_percent, minutes, resets_at),
        secondary=secondary,
        credits=credits,
        fetched_at=at,
        source="header",
        **more,
    )


def used_up(retry_after: float | None = None, *, limits: Sequence[RateLimitSnapshot] = ()) -> AttemptOutcome:
    """The report of an attempt that hit the usage limit."""
    error = UsageLimitReachedError("used up", status=429, retry_after=retry_after, rate_limits=limits)
    return AttemptOutcome(429, error, limits)


def rate_limited(retry_after: float | None) -> AttemptOutcome:
    return AttemptOutcome(429, RateLimitError("slow down", status=429, retry_after=retry_after))
