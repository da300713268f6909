"""What a refusal tells of the limit that it is about, as a snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from codex_client.classify.failure import ServerFailure
from codex_client.masking import mask_secrets
from codex_client.model_variants import RateLimitSnapshot, RateLimitWindow

_ACTIVE_LIMIT = "x-codex-active-limit"
_MAX_NAME = 100
# The same moment told twice, in headers and body, is this many seconds apart at most.
_SAME_RESET = 60.0


def told_refusal(failure: ServerFailure, *, resets_at: float | None, now: float | None = None) -> RateLimitSnapshot:
    """The window that a usage limit says is used up."""
    return RateLimitSnapshot(
        primary=RateLimitWindow(100.0, window_minutes=failure.window_minutes, resets_at=resets_at),
        plan_type=failure.plan_type,
        source="error",
        fetched_at=now,
    )


def with_refusal(
    told: Sequence[RateLimitSnapshot], refusal: RateLimitSnapshot, headers: Mapping[str, str]
) -> tuple[RateLimitSnapshot, ...]:
    """The snapshots that one answer's headers tell (`told`), with what the answer refuses. Lower-case names.

    The family that was hit is the one that `x-codex-active-limit` names, else one that tells a used-up window, else
    codex. Where it tells that window's reset as well, nothing is added. Else it takes the refusal's window in and keeps
    its other one: there is one snapshot per family, and none says that there is room.
    """
    window = refusal.primary
    limit_id = _active_limit(headers) or next((each.limit_id for each in told if each.exhausted), refusal.limit_id)
    hit = next((snapshot for snapshot in told if snapshot.limit_id == limit_id), None)
    if window is None or (
        hit is not None and any(each.exhausted and each.resets_at is not None for each in hit.windows)
    ):
        return tuple(told)
    if hit is None:
        return (replace(refusal, limit_id=limit_id), *told)
    return tuple(_refused(hit, refusal, window) if snapshot is hit else snapshot for snapshot in told)


def _active_limit(headers: Mapping[str, str]) -> str:
    return mask_secrets(headers.get(_ACTIVE_LIMIT, "")[:_MAX_NAME]).strip().lower().replace("-", "_")


def _refused(hit: RateLimitSnapshot, refusal: RateLimitSnapshot, window: RateLimitWindow) -> RateLimitSnapshot:
    primary, secondary = hit.primary, hit.secondary
    if _is_primary(primary, secondary, window):
        primary = _used_up(primary, window)
    else:
        secondary = _used_up(secondary, window)
    return replace(
        hit,
        primary=primary,
        secondary=secondary,
        plan_type=refusal.plan_type or hit.plan_type,
        source=refusal.source,
        fetched_at=refusal.fetched_at,
    )


def _is_primary(primary: RateLimitWindow | None, secondary: RateLimitWindow | None, refused: RateLimitWindow) -> bool:
    """Which of the two the refusal is about: one that is alike; else one that is not told; else the fuller one."""
    if primary is None:
        return not _alike(secondary, refused)
    if _alike(primary, refused):
        return True
    if secondary is None or _alike(secondary, refused):
        return False
    return primary.used_percent >= secondary.used_percent


def _alike(window: RateLimitWindow | None, refused: RateLimitWindow) -> bool:
    """Used up by its own word, or of the same length; where one is not told, with the same reset."""
    if window is None:
        return False
    if window.exhausted:
        return True
    if window.window_minutes and refused.window_minutes:
        return window.is_as_long_as(refused)
    if window.resets_at is None or refused.resets_at is None:
        return False
    return abs(window.resets_at - refused.resets_at) <= _SAME_RESET


def _used_up(window: RateLimitWindow | None, refused: RateLimitWindow) -> RateLimitWindow:
    if window is None:
        return refused
    return RateLimitWindow(
        max(100.0, window.used_percent),
        window_minutes=refused.window_minutes or window.window_minutes,
        resets_at=window.resets_at if refused.resets_at is None else refused.resets_at,
    )
