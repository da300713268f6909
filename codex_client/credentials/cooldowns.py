"""How long an account rests, and why: what limits and failures say about it. Pure; moments are Unix seconds.

A failure speaks of the account (a limit, its plan, its credential), or it does not (the request, the model, the
network, the server): then nothing is kept and no other account is tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from codex_client.credentials.pool_record import ALL_LIMITS, AccountRecord, Block, BlockKind, Parking
from codex_client.credentials.quota_state import (
    QuotaState,
    blocked_until,
    rest_until,
    snapshot_state,
    spent_windows,
)
from codex_client.errors import (
    AuthenticationFailed,
    CodexError,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    TokenRefreshError,
    UsageLimitReached,
    UsageNotIncluded,
)
from codex_client.masking import excerpt
from codex_client.model_variants import RateLimitSnapshot

# A shorter wait costs less than the prompt cache that another account has not got.
_WORTH_WAITING = 10.0
# Rate limits in a row without a time told, after which the account rests all the same, and for how long.
_MAX_UNADVISED = 3
_UNADVISED_COOLDOWN = 60.0
# An issuer that cannot be reached now is asked again after this long.
_REFRESH_COOLDOWN = 30.0
# Servers' codes are theirs to write; only what looks like one is repeated.
_CODE = re.compile(r"[a-z_]{3,60}")


def note_snapshots(
    account: AccountRecord, snapshots: Iterable[RateLimitSnapshot], *, now: float, since: float, max_cooldown: float
) -> None:
    """Keep what was told of the limits, in the order told, and block or clear by it.

    `since`: when the attempt began. A snapshot without a time was seen at some moment after that and after the one
    before it; the earliest is assumed, so that it never outweighs what is newer. `max_cooldown`: the longest rest for a
    window whose length is not told.
    """
    told_at = min(since, now)
    for snapshot in snapshots:
        # A time to come is another machine's clock.
        told_at = told_at if snapshot.fetched_at is None else min(snapshot.fetched_at, now)
        _note(account, replace(snapshot, fetched_at=told_at), told_at, now=now, max_cooldown=max_cooldown)


def _note(
    account: AccountRecord, snapshot: RateLimitSnapshot, told_at: float, *, now: float, max_cooldown: float
) -> None:
    if not account.quota.add(snapshot):
        return
    limit_id = snapshot.limit_id
    block, snapshot = account.blocks.get(limit_id), account.quota.snapshot(limit_id) or snapshot
    if block is not None and block.until <= now:
        block = None
    until = blocked_until(snapshot, now, most=max_cooldown)
    if until is not None:
        if block is None or (block.since <= told_at and (block.kind != "rate" or block.until < until)):
            account.blocks[limit_id] = Block("usage", _used_up_words(snapshot, now), told_at, until)
    elif block is not None and block.kind in {"usage", "quota"} and block.since < told_at:
        del account.blocks[limit_id]


def note_failure(
    account: AccountRecord,
    error: CodexError,
    *,
    limit_id: str,
    fingerprint: str | None,
    was_refreshed: bool,
    now: float,
    max_cooldown: float,
    hint: str = "",
) -> bool:
    """Keep what a failed attempt says of its account. True where it cannot serve now and another one may.

    `limit_id`: of the limit that was hit. `fingerprint`: of the token used. `was_refreshed`: it had been renewed for
    this attempt, because the one before it was refused. `hint` is added to the reason of a block.
    """

    def block(kind: BlockKind, words: str, until: float) -> bool:
        fresh, known = Block(kind, f"{words}{_code(error)}{hint}", now, until), account.blocks.get(limit_id)
        # Of failures at the same time the one that tells the later end counts.
        account.blocks[limit_id] = replace(known, since=now) if known is not None and known.until > until else fresh
        return True

    def park(words: str) -> bool:
        _park(account, f"{words}{_code(error)}", fingerprint, now)
        return True

    plan_type = getattr(error, "plan_type", None)
    if isinstance(plan_type, str):
        account.quota.tell_plan(plan_type, source="header", at=now)
    end = rest_until(account.quota.snapshot(limit_id), now, told_at=_told_at(error, now), most=max_cooldown)
    match error:
        case UsageLimitReached():
            return block("usage", "usage limit reached", end)
        case QuotaExceeded():
            return block("quota", "quota exceeded", end)
        case UsageNotIncluded():
            return park("the plan does not include this service")
        case AuthenticationFailed() if was_refreshed:
            return park("the credential is refused, also when renewed; log in again")
        case AuthenticationFailed():
            account.refused = fingerprint
            return False
        case PermissionDenied() if error.rotate_account:
            return park("permission denied; check the account and its workspace")
        case RateLimited() if error.retryable:
            rest = _rate_limit_rest(account, error)
            return rest is not None and block("rate", "rate limited", now + min(rest, max_cooldown))
        case _:
            return False


def other_limit(account: AccountRecord, told: Iterable[RateLimitSnapshot], limit_id: str, *, now: float) -> str | None:
    """The limit that a refusal is about, where that is another one than `limit_id`, which has room by its own word."""
    own = account.quota.snapshot(limit_id)
    if own is None or not own.has_limit or snapshot_state(own, now) is QuotaState.EXHAUSTED:
        return None
    spent = (one.limit_id for one in told if snapshot_state(one, now) is QuotaState.EXHAUSTED)
    return next((other for other in spent if other != limit_id), None)


def note_failed_lease(
    account: AccountRecord,
    error: CodexError,
    *,
    key: str,
    fingerprint: str | None,
    login: str | None,
    now: float,
    max_cooldown: float,
) -> None:
    """Keep why a credential could not be had: parked where only a login helps, else a short rest.

    `fingerprint` and `login`: those that the account has in the store.
    """
    if isinstance(error, TokenRefreshError) and not error.permanent:
        rest = min(max(error.retry_after or 0.0, _REFRESH_COOLDOWN), max_cooldown)
        account.blocks[ALL_LIMITS] = Block(
            "refresh", f"its token cannot be refreshed now{_code(error)}", now, now + rest
        )
    else:
        _park(account, f"it needs a login: {_told_of_login(error, key)}", fingerprint, now, login=login)


def _park(
    account: AccountRecord, reason: str, fingerprint: str | None, now: float, *, login: str | None = None
) -> None:
    account.parking = Parking(reason, now, fingerprint, account.quota.plan_type, login)
    account.refused = None


def _told_of_login(error: CodexError, key: str) -> str:
    """What the error says. Reasons are listed by the account's key, so that it need not be in them."""
    # "needs a new login: the refresh token was revoked" says the first part twice.
    cause = error.__cause__ if isinstance(error.__cause__, TokenRefreshError) else error
    return excerpt(cause.message.replace(f"account {key}", "it"))


def _rate_limit_rest(account: AccountRecord, error: CodexError) -> float | None:
    """How long the account rests; None for as long as the turn itself had better wait."""
    if error.retry_after is not None:
        return error.retry_after if error.retry_after >= _WORTH_WAITING else None
    account.unadvised += 1
    return _UNADVISED_COOLDOWN if account.unadvised >= _MAX_UNADVISED else None


def _told_at(error: CodexError, now: float) -> float | None:
    """The moment that the failure itself tells, as a length of time or as a moment: the later one."""
    moments = [getattr(error, "resets_at", None), None if error.retry_after is None else now + error.retry_after]
    return max((moment for moment in moments if moment is not None), default=None)


def _used_up_words(snapshot: RateLimitSnapshot, now: float) -> str:
    labels = [window.label for window in spent_windows(snapshot, now)]
    return f"usage limit reached ({', '.join(labels)})" if labels else "refused by the server for its limits"


def _code(error: CodexError) -> str:
    code = getattr(error, "code", None)
    return f" ({code})" if isinstance(code, str) and _CODE.fullmatch(code) else ""
