"""The `codex.rate_limits` event as a snapshot, and what the usage endpoint writes in the same way."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from codex_client.decode.wire import as_index, as_object, as_text
from codex_client.model_variants import Credits, RateLimitSnapshot, RateLimitWindow

_DEFAULT_FAMILY = "codex"


def parse_rate_limits(fields: dict[str, Any]) -> RateLimitSnapshot:
    """The snapshot of the family that the event names. What is missing or odd in it is None; it has no `fetched_at`."""
    limits = as_object(fields.get("rate_limits"))
    snapshot = RateLimitSnapshot(
        limit_id=family_of(as_text(fields.get("metered_limit_name"))),
        limit_name=as_text(fields.get("limit_name")) or None,
        primary=_window(limits.get("primary")),
        secondary=_window(limits.get("secondary")),
        credits=credits_of(fields.get("credits")),
        plan_type=as_text(fields.get("plan_type")) or None,
        reached_type=reached_type_of(fields.get("rate_limit_reached_type")),
        source="event",
    )
    return with_word(snapshot, limits)


def family_of(name: str) -> str:
    """Header names and events spell a family differently: `codex-other` in one, `codex_other` in the other."""
    return name.strip().lower().replace("-", "_") or _DEFAULT_FAMILY


def with_word(snapshot: RateLimitSnapshot, limits: dict[str, Any]) -> RateLimitSnapshot:
    """The snapshot with the server's word on whether it serves (`allowed`, `limit_reached`), where the windows and
    credits do not say the same.
    """
    allowed = limits.get("allowed")
    if allowed is True or (allowed is not False and limits.get("limit_reached") is not True):
        return snapshot
    pays = snapshot.credits is not None and snapshot.credits.can_pay
    return replace(snapshot, refused=pays or not snapshot.exhausted)


def credits_of(value: Any) -> Credits | None:
    """Credits as told, None where there is nothing of the kind."""
    fields = as_object(value)
    if not fields:
        return None
    balance = fields.get("balance")
    return Credits(
        has_credits=fields.get("has_credits") is True,
        unlimited=fields.get("unlimited") is True,
        balance=as_text(balance) or (None if number_of(balance) is None else str(balance)),
    )


def reached_type_of(value: Any) -> str | None:
    """A plain word, or an object with the word as its type."""
    return as_text(value) or as_text(as_object(value).get("type")) or None


def number_of(value: Any) -> float | None:
    """A finite number, also from its digits as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def window_of(used: Any, *, minutes: int | None, resets_at: float | None) -> RateLimitWindow | None:
    """None for a window that says nothing (nothing used, no length, no reset): servers fill its place like that."""
    percent = number_of(used)
    if percent is None or percent < 0:
        return None
    window = RateLimitWindow(percent, window_minutes=minutes or None, resets_at=resets_at)
    return window if window.has_limit else None


def _window(value: Any) -> RateLimitWindow | None:
    fields = as_object(value)
    minutes, resets_at = as_index(fields.get("window_minutes")), number_of(fields.get("reset_at"))
    return window_of(fields.get("used_percent"), minutes=minutes, resets_at=resets_at)
