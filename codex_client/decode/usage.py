"""The answer of the usage endpoint: an account's limits, all at once.

It counts lengths in seconds where headers and events count minutes. The plan's own limits are the `codex` family here
as there; code review and each additional limit are families of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from codex_client.decode.rate_limit_event import (
    credits_of,
    family_of,
    number_of,
    reached_type_of,
    window_of,
    with_word,
)
from codex_client.decode.wire import as_index, as_list, as_object, as_text
from codex_client.model_variants import Credits, RateLimitSnapshot, RateLimitWindow

_CODEX = "codex"
_CODE_REVIEW = "code_review"
# Longer than a century is no length of a window.
_MAX_SECONDS = 100 * 366 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReport:
    """What the usage endpoint says of one account. None for each fact that it does not tell.

    `snapshots`: one per limit, the plan's own (`codex`) first; a limit without windows is one that there is not.
    `reset_credits`: how many early resets the account may still ask for; this library shows and never spends them.
    `fetched_at` in Unix seconds.
    """

    snapshots: tuple[RateLimitSnapshot, ...] = ()
    plan_type: str | None = None
    account_id: str | None = None
    user_id: str | None = None
    email: str | None = field(default=None, repr=False)
    credits: Credits | None = None
    spend_control_reached: bool = False
    reset_credits: int | None = None
    fetched_at: float | None = field(default=None, compare=False)

    @property
    def exhausted(self) -> bool:
        """Whether the account cannot serve now: spend control has stopped it, or the plan's own limit is used up and no
        credits pay. The limits of single models and of code review do not count.
        """
        own = self.snapshot(_CODEX)
        if self.spend_control_reached or own is None:
            return self.spend_control_reached
        pays = own.credits is not None and own.credits.can_pay
        return own.refused or (own.exhausted and not pays)

    def snapshot(self, limit_id: str = _CODEX) -> RateLimitSnapshot | None:
        """The snapshot of one limit."""
        return next((snapshot for snapshot in self.snapshots if snapshot.limit_id == limit_id), None)


def parse_usage(value: Any, *, now: float) -> UsageReport:
    """The report in a JSON value of any shape; what is odd in it counts as not told. Never raises.

    `now` (Unix seconds) makes relative times absolute.
    """
    told = as_object(value)
    return UsageReport(
        snapshots=tuple(_once_each(_snapshots(told, now))),
        plan_type=_text(told.get("plan_type")),
        account_id=_text(told.get("account_id")),
        user_id=_text(told.get("user_id")),
        email=_text(told.get("email")),
        credits=credits_of(told.get("credits")),
        spend_control_reached=_spend_control_reached(told),
        reset_credits=as_index(as_object(told.get("rate_limit_reset_credits")).get("available_count")),
        fetched_at=now,
    )


def _snapshots(told: dict[str, Any], now: float) -> Iterator[RateLimitSnapshot]:
    own = RateLimitSnapshot(
        credits=credits_of(told.get("credits")),
        plan_type=_text(told.get("plan_type")),
        reached_type=reached_type_of(told.get("rate_limit_reached_type")),
    )
    own = _snapshot(own, told.get("rate_limit"), now)
    yield replace(own, refused=True) if _spend_control_reached(told) else own
    for each in map(as_object, as_list(told.get("additional_rate_limits"))):
        name = _text(each.get("limit_name"))
        if limit := _text(each.get("metered_feature")) or name:
            yield _snapshot(RateLimitSnapshot(family_of(limit), name), each.get("rate_limit"), now)
    if code_review := as_object(told.get("code_review_rate_limit")):
        yield _snapshot(RateLimitSnapshot(_CODE_REVIEW), code_review, now)


def _once_each(snapshots: Iterator[RateLimitSnapshot]) -> list[RateLimitSnapshot]:
    families: dict[str, RateLimitSnapshot] = {}
    for snapshot in snapshots:
        families.setdefault(snapshot.limit_id, snapshot)
    return list(families.values())


def _snapshot(family: RateLimitSnapshot, value: Any, now: float) -> RateLimitSnapshot:
    """The family with what is told of its limit."""
    told = as_object(value)
    snapshot = replace(
        family,
        primary=_window(told.get("primary_window"), now),
        secondary=_window(told.get("secondary_window"), now),
        source="endpoint",
        fetched_at=now,
    )
    return with_word(snapshot, told)


def _window(value: Any, now: float) -> RateLimitWindow | None:
    told = as_object(value)
    minutes = _minutes(told.get("limit_window_seconds"))
    return window_of(told.get("used_percent"), minutes=minutes, resets_at=_reset(told, now))


def _spend_control_reached(told: dict[str, Any]) -> bool:
    return as_object(told.get("spend_control")).get("reached") is True


def _minutes(value: Any) -> int | None:
    seconds = number_of(value)
    return math.ceil(seconds / 60) if seconds is not None and 0 < seconds <= _MAX_SECONDS else None


def _reset(told: dict[str, Any], now: float) -> float | None:
    """The moment; else the length of time until then. Zeros stand for neither."""
    moment = number_of(told.get("reset_at"))
    if moment is not None and moment > 0:
        return moment
    seconds = number_of(told.get("reset_after_seconds"))
    return now + seconds if seconds is not None and 0 < seconds <= _MAX_SECONDS else None


def _text(value: Any) -> str | None:
    return as_text(value).strip() or None
