"""How long an account rests, and why: what limits and failures say about it. Pure; moments are Unix seconds.

A failure speaks of the account (a limit, its plan, its credential), or it does not (the request, the model, the
network, the server): then nothing is kept and no other account is tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from codex_client.credentials.pool_record import ALL_LIMITS, AccountRecord, Block, BlockKind, Parking
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
from codex_client.model_variants import RateLimitSnapshot, RateLimitWindow

# Where a limit is hit and nobody tells until when: a look every 5 min costs next to nothing.
DEFAULT_COOLDOWN = 300.0
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
    before it; the earliest is assumed, so that it never outweighs what is newer.
    """
    told_at = since
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
    if is_used_up(snapshot, now=now) and not pays(snapshot):
        until = cooldown_end(snapshot, now=now, max_cooldown=max_cooldown)
        if block is None or (block.since <= told_at and (block.kind != "rate" or block.until < until)):
            account.blocks[limit_id] = Block("usage", _used_up_words(snapshot, now), told_at, until)
    elif block is not None and block.kind in {"usage", "quota"} and block.since < told_at:
        del account.blocks[limit_id]


def is_used_up(snapshot: RateLimitSnapshot, *, now: float) -> bool:
    """Whether the server would refuse now: a window whose reset has passed is full again."""
    return snapshot.refused or any(_is_spent(window, now) for window in snapshot.windows)


def pays(snapshot: RateLimitSnapshot) -> bool:
    """Whether prepaid credit takes over where a window is used up; not where the server has refused all the same."""
    is_refused = snapshot.refused or snapshot.source == "error"
    return not is_refused and snapshot.credits is not None and snapshot.credits.can_pay


def remaining_percent(snapshot: RateLimitSnapshot | None, *, now: float) -> float:
    """What is left of the tightest window; 100 where nothing is known."""
    windows = snapshot.windows if snapshot is not None else ()
    return min((window.remaining_percent for window in windows if not _is_over(window, now)), default=100.0)


def cooldown_end(
    snapshot: RateLimitSnapshot | None, *, now: float, max_cooldown: float, told_at: float | None = None
) -> float:
    """The latest of the used-up windows' resets and of `told_at`; the default where none is told.

    No window resets later than its own length from now, and nothing counts for longer than `max_cooldown`: what is told
    beyond that is a clock that is wrong, here or there.
    """
    windows = snapshot.windows if snapshot is not None else ()
    ends = [_capped(window.resets_at, [window], now) for window in windows if _is_spent(window, now)]
    ends.append(_capped(told_at, windows, now))
    latest = max((end for end in ends if end is not None and end > now), default=now + DEFAULT_COOLDOWN)
    return min(latest, now + max_cooldown)


def note_failure(
    account: AccountRecord,
    error: CodexError,
    *,
    limit_id: str,
    fingerprint: str | None,
    was_refreshed: bool,
    now: float,
    max_cooldown: float,
) -> bool:
    """Keep what a failed attempt says of its account. True where it cannot serve now and another one may.

    `fingerprint`: of the token used. `was_refreshed`: it had been renewed for this attempt, because the one before it
    was refused.
    """

    def block(kind: BlockKind, words: str, until: float) -> bool:
        fresh, known = Block(kind, f"{words}{_code(error)}", now, until), account.blocks.get(limit_id)
        # Of failures at the same time the one that tells the later end counts.
        account.blocks[limit_id] = replace(known, since=now) if known is not None and known.until > until else fresh
        return True

    def park(words: str) -> bool:
        _park(account, f"{words}{_code(error)}", fingerprint, now)
        return True

    plan_type = getattr(error, "plan_type", None)
    if isinstance(plan_type, str):
        account.quota.tell_plan(plan_type, source="header", at=now)
    latest = account.quota.snapshot(limit_id)
    end = cooldown_end(latest, now=now, max_cooldown=max_cooldown, told_at=_told_at(error, now))
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


def note_failed_lease(
    account: AccountRecord, error: CodexError, *, fingerprint: str | None, now: float, max_cooldown: float
) -> None:
    """Keep why a credential could not be had: parked where only a login helps, else a short rest."""
    if isinstance(error, TokenRefreshError) and not error.permanent:
        rest = min(max(error.retry_after or 0.0, _REFRESH_COOLDOWN), max_cooldown)
        account.blocks[ALL_LIMITS] = Block(
            "refresh", f"its token cannot be refreshed now{_code(error)}", now, now + rest
        )
    else:
        _park(account, f"it needs a login{_code(error)}", fingerprint, now)


def _park(account: AccountRecord, reason: str, fingerprint: str | None, now: float) -> None:
    account.parking = Parking(reason, now, fingerprint, account.quota.plan_type)
    account.refused = None


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


def _is_over(window: RateLimitWindow, now: float) -> bool:
    return window.resets_at is not None and window.resets_at <= now


def _is_spent(window: RateLimitWindow, now: float) -> bool:
    return window.exhausted and not _is_over(window, now)


def _capped(moment: float | None, windows: Iterable[RateLimitWindow], now: float) -> float | None:
    """No later than the longest of the windows, where a length is known."""
    longest = max((window.window_minutes or 0 for window in windows), default=0)
    return min(moment, now + 60 * longest) if moment is not None and longest else moment


def _used_up_words(snapshot: RateLimitSnapshot, now: float) -> str:
    labels = [window.label for window in snapshot.windows if _is_spent(window, now)]
    return f"usage limit reached ({', '.join(labels)})" if labels else "refused by the server for its limits"


def _code(error: CodexError) -> str:
    code = getattr(error, "code", None)
    return f" ({code})" if isinstance(code, str) and _CODE.fullmatch(code) else ""
