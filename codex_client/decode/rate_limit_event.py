"""The `codex.rate_limits` event as a snapshot."""

from __future__ import annotations

import math
from typing import Any

from codex_client.decode.wire import as_index, as_object, as_text
from codex_client.model_variants import Credits, RateLimitSnapshot, RateLimitWindow

_DEFAULT_FAMILY = "codex"


def parse_rate_limits(fields: dict[str, Any]) -> RateLimitSnapshot:
    """The snapshot of the family that the event names. What is missing or odd in it is None."""
    limits = as_object(fields.get("rate_limits"))
    return RateLimitSnapshot(
        limit_id=_family(as_text(fields.get("metered_limit_name"))),
        limit_name=as_text(fields.get("limit_name")) or None,
        primary=_window(limits.get("primary")),
        secondary=_window(limits.get("secondary")),
        credits=_credits(fields.get("credits")),
        plan_type=as_text(fields.get("plan_type")) or None,
        reached_type=_reached_type(fields.get("rate_limit_reached_type")),
    )


def _family(name: str) -> str:
    """Header names and events spell a family differently: `codex-other` in one, `codex_other` in the other."""
    return name.strip().lower().replace("-", "_") or _DEFAULT_FAMILY


def _window(value: Any) -> RateLimitWindow | None:
    """None for a window that says nothing (nothing used, no length, no reset): servers fill its place like that."""
    fields = as_object(value)
    used = _number(fields.get("used_percent"))
    minutes = as_index(fields.get("window_minutes"))
    resets_at = _number(fields.get("reset_at"))
    if used is None or not (used or minutes or resets_at is not None):
        return None
    return RateLimitWindow(used, window_minutes=minutes, resets_at=resets_at)


def _credits(value: Any) -> Credits | None:
    fields = as_object(value)
    if not fields:
        return None
    balance = fields.get("balance")
    return Credits(
        has_credits=fields.get("has_credits") is True,
        unlimited=fields.get("unlimited") is True,
        balance=as_text(balance) or (None if _number(balance) is None else str(balance)),
    )


def _reached_type(value: Any) -> str | None:
    return as_text(value) or as_text(as_object(value).get("type")) or None


def _number(value: Any) -> float | None:
    """A finite number, also from its digits as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
