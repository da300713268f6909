"""What a snapshot means at a later moment: what is left, until when an account rests, and the words for it. Pure.

The one place that says so, for the pool as for what is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from codex_client.model_variants import RateLimitSnapshot, RateLimitWindow

STALE_AFTER = 900.0
"""Seconds after which a snapshot should be fetched anew (Q6)."""
LOW_PERCENT = 5.0
"""At most this much left is low: a share at which others defer an account."""
UNTOLD_REST = 300.0
"""Seconds for which an account rests that is used up where nobody told until when.

A look every 5 min costs next to nothing: one request that is refused, and another account serves the turn. A longer
rest would keep an account idle that may be able to serve again.
"""


LONGEST_UNKNOWN = 7 * 86_400.0
"""Seconds that an account rests at most for a window whose length nobody tells: that of most plans' longest."""
# No plan counts over more than that; a longer window is a number gone wrong.
_LONGEST_MINUTES = 366 * 24 * 60


class QuotaState(StrEnum):
    """What is left of a limit, the worst first (Q8).

    `unknown`: it has reset since, so what was known has run out. `no_data`: nothing was ever told. `no_limit`: told,
    and there is none.
    """

    EXHAUSTED = "exhausted"
    LOW = "low"
    AVAILABLE = "available"
    UNKNOWN = "unknown"
    NO_LIMIT = "no_limit"
    NO_DATA = "no_data"


def snapshot_state(snapshot: RateLimitSnapshot | None, now: float) -> QuotaState:
    """The worst of its windows that have not reset; `now` in Unix seconds.

    A refusal counts until something newer is told, or a used-up window has reset since: then it was that credit was not
    taken for that one.
    """
    if snapshot is None:
        return QuotaState.NO_DATA
    seen_at = _seen_at(snapshot, now)
    if snapshot.refused and not any(_was_spent_until_it_reset(window, now, seen_at) for window in snapshot.windows):
        return QuotaState.EXHAUSTED
    states = {window_state(window, now, seen_at=seen_at) for window in snapshot.windows}
    return next((state for state in QuotaState if state in states), QuotaState.NO_LIMIT)


def window_state(window: RateLimitWindow, now: float, *, seen_at: float) -> QuotaState:
    """`seen_at`: when it was told, in Unix seconds."""
    if not window.has_limit:
        return QuotaState.NO_LIMIT
    if _has_reset(window, now, seen_at):
        return QuotaState.UNKNOWN
    if window.exhausted:
        return QuotaState.EXHAUSTED
    return QuotaState.LOW if window.remaining_percent <= LOW_PERCENT else QuotaState.AVAILABLE


def remaining_percent(snapshot: RateLimitSnapshot | None, now: float) -> float:
    """What is left of the tightest window; 100 where nothing is known."""
    return min((window.remaining_percent for window in _windows_in_force(snapshot, now)), default=100.0)


def spent_windows(snapshot: RateLimitSnapshot | None, now: float) -> list[RateLimitWindow]:
    """Those that are used up and have not reset."""
    return [window for window in _windows_in_force(snapshot, now) if window.exhausted]


def spends_credit(snapshot: RateLimitSnapshot | None, now: float) -> bool:
    """Whether the account can serve only because prepaid credit takes over."""
    return snapshot is not None and bool(spent_windows(snapshot, now)) and _credit_pays(snapshot)


def blocked_until(snapshot: RateLimitSnapshot, now: float, *, most: float = LONGEST_UNKNOWN) -> float | None:
    """Until when its account rests by what has just been told, as of `rest_until`; None where it can serve."""
    if snapshot_state(snapshot, now) is not QuotaState.EXHAUSTED or _credit_pays(snapshot):
        return None
    return rest_until(snapshot, now, most=most)


def rest_until(
    snapshot: RateLimitSnapshot | None, now: float, *, told_at: float | None = None, most: float = LONGEST_UNKNOWN
) -> float:
    """Until when an account rests that is used up now (C8), in Unix seconds: the last reset of its used-up windows.

    `told_at`: the moment that a refusal tells; it counts where it is later. Where none of these is known,
    `UNTOLD_REST` from now. No window resets later than its own length from now, no account later than its longest
    window, and where no length is known nothing later than `most` seconds from now: what is told beyond that is a clock
    that is wrong, here or there.
    """
    windows = snapshot.windows if snapshot is not None else ()
    resets = [(each.resets_at, [each]) for each in spent_windows(snapshot, now)]
    ends = [
        min(at, latest_end(of, now, most=most))
        for at, of in [*resets, (told_at, windows)]
        if at is not None and at > now
    ]
    return max(ends, default=min(now + UNTOLD_REST, latest_end(windows, now, most=most)))


def latest_end(windows: Iterable[RateLimitWindow], now: float, *, most: float) -> float:
    """When the longest of the windows will surely have reset; `most` seconds from now where no length is known."""
    lengths = (window.window_minutes or 0 for window in windows)
    longest = max((minutes for minutes in lengths if 0 < minutes <= _LONGEST_MINUTES), default=0)
    return now + (60 * longest if longest else most)


def describe(snapshot: RateLimitSnapshot | None, now: float) -> str:
    """In words, such as "58 % left, resets in 2 h 10 min"; each window with its name where there are several."""
    if snapshot is None:
        return "no data"
    return _describe_windows(snapshot, now) if snapshot.has_limit else "no limit"


def describe_window(window: RateLimitWindow, now: float, *, seen_at: float) -> str:
    """One window in words; `seen_at` as in `window_state`."""
    resets_at = window.resets_at
    match window_state(window, now, seen_at=seen_at):
        case QuotaState.NO_LIMIT:
            return "no limit"
        case QuotaState.UNKNOWN:
            return "unknown since its reset" + ("" if resets_at is None else f" {duration(now - resets_at)} ago")
        case QuotaState.EXHAUSTED:
            left = "used up"
        case _:
            left = f"{percent(window.remaining_percent)} left"
    return left if resets_at is None else f"{left}, resets in {duration(resets_at - now)}"


def percent(share: float) -> str:
    """A share in whole percent; a rest is never rounded to nothing."""
    return "under 1 %" if 0 < share < 1 else f"{share:.0f} %"


def duration(seconds: float) -> str:
    """A length of time in its two largest units: "3 d 4 h", "2 h 10 min", "45 min", "30 s"."""
    whole = max(0, int(seconds))
    for unit, length, lesser, part in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60)):
        if whole >= length:
            rest = whole % length // part
            return f"{whole // length} {unit} {rest} {lesser}" if rest else f"{whole // length} {unit}"
    return f"{whole // 60} min" if whole >= 60 else f"{whole} s"


def _describe_windows(snapshot: RateLimitSnapshot, now: float) -> str:
    seen_at = _seen_at(snapshot, now)
    limited = [window for window in snapshot.windows if window.has_limit]
    told = [describe_window(window, now, seen_at=seen_at) for window in limited]
    if len(limited) > 1:
        told = [f"{window.label}: {text}" for window, text in zip(limited, told, strict=True)]
    if snapshot.refused:
        told.insert(0, "refused by the server")
    return "; ".join(told)


def _windows_in_force(snapshot: RateLimitSnapshot | None, now: float) -> list[RateLimitWindow]:
    """Those that limit something and have not reset."""
    if snapshot is None:
        return []
    seen_at, out = _seen_at(snapshot, now), {QuotaState.UNKNOWN, QuotaState.NO_LIMIT}
    return [window for window in snapshot.windows if window_state(window, now, seen_at=seen_at) not in out]


def _has_reset(window: RateLimitWindow, now: float, seen_at: float) -> bool:
    """Surely: its reset has passed, or its whole length where no reset is told. Where neither is, it stays as told."""
    if window.resets_at is not None:
        return window.resets_at <= now
    return bool(window.window_minutes) and seen_at + 60 * (window.window_minutes or 0) <= now


def _was_spent_until_it_reset(window: RateLimitWindow, now: float, seen_at: float) -> bool:
    """And that was after it was told."""
    return window.exhausted and _has_reset(window, now, seen_at) and not _has_reset(window, seen_at, seen_at)


def _credit_pays(snapshot: RateLimitSnapshot) -> bool:
    """Whether prepaid credit takes over where a window is used up; not where the server has refused all the same."""
    is_refused = snapshot.refused or snapshot.source == "error"
    return not is_refused and snapshot.credits is not None and snapshot.credits.can_pay


def _seen_at(snapshot: RateLimitSnapshot, now: float) -> float:
    return now if snapshot.fetched_at is None else snapshot.fetched_at
