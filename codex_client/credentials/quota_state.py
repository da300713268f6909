"""What a snapshot means at a later moment: how much is left, until when nothing is, and the words for it. Pure."""

from __future__ import annotations

from enum import StrEnum

from codex_client.model_variants import RateLimitSnapshot, RateLimitWindow

STALE_AFTER = 900.0
"""Seconds after which a snapshot should be fetched anew (Q6)."""
LOW_PERCENT = 5.0
"""At most this much left is low: a share at which others defer an account."""
# A used-up window whose reset nobody told is asked about again after this long.
_UNTOLD_RESET = 900.0


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
    """The worst of its windows that have not reset; `now` in Unix seconds."""
    if snapshot is None:
        return QuotaState.NO_DATA
    seen_at = _seen_at(snapshot, now)
    states = {window_state(window, now, seen_at=seen_at) for window in snapshot.windows}
    if snapshot.refused:
        states.add(QuotaState.EXHAUSTED if seen_at + _UNTOLD_RESET > now else QuotaState.UNKNOWN)
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


def blocked_until(snapshot: RateLimitSnapshot | None, now: float) -> float | None:
    """Unix seconds of the last reset of a used-up window (C8), None where the account can serve.

    A used-up window whose reset is not told counts for 15 min, or its own length if that is less. Credits pay where
    windows are used up, but not once the server has refused.
    """
    if snapshot is None:
        return None
    seen_at = _seen_at(snapshot, now)
    resets = [reset for each in snapshot.windows if each.exhausted and (reset := renews_at(each, seen_at)) is not None]
    is_refused = snapshot.refused or snapshot.source == "error"
    if not is_refused and snapshot.credits is not None and snapshot.credits.can_pay:
        return None
    if snapshot.refused:
        resets.append(seen_at + _UNTOLD_RESET)
    return max((reset for reset in resets if reset > now), default=None)


def renews_at(window: RateLimitWindow, seen_at: float) -> float | None:
    """When the window is empty again at the latest, None where nothing tells."""
    if window.resets_at is not None:
        return window.resets_at
    length = window.window_minutes * 60.0 if window.window_minutes else None
    if window.exhausted:
        return seen_at + min(_UNTOLD_RESET, length or _UNTOLD_RESET)
    return None if length is None else seen_at + length


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


def _has_reset(window: RateLimitWindow, now: float, seen_at: float) -> bool:
    reset = renews_at(window, seen_at)
    return reset is not None and reset <= now


def _seen_at(snapshot: RateLimitSnapshot, now: float) -> float:
    return now if snapshot.fetched_at is None else snapshot.fetched_at
