"""What is known of an account's limits: of each limit the newest snapshot, whatever order they came in.

Which of two snapshots counts: the one fetched later. At the same moment a refusal counts before the usage endpoint,
that before headers, those before an event: the refusal has the headers of its answer in it. A snapshot without a window
says nothing of a limit, so it replaces none; only from the usage endpoint it means that there is no limit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeAlias

from codex_client.credentials.quota_state import STALE_AFTER, QuotaState, describe, snapshot_state
from codex_client.model_variants import LimitSource, RateLimitSnapshot

_DEFAULT_LIMIT = "codex"
# A server that makes limits up must not make the record grow: the oldest are forgotten.
_MAX_LIMITS = 32
_PRECEDENCE: Mapping[LimitSource | None, int] = {None: 0, "event": 1, "header": 2, "endpoint": 3, "error": 4}

PlanSource: TypeAlias = Literal["endpoint", "header", "token"]
"""Who told a plan, the most trusted first; events and refusals count as headers."""


@dataclass(slots=True)
class AccountQuota:
    """One account's limits.

    `limits`: the newest snapshot of each limit id. `paid`: the newest one that tells credits. `plans`: what each kind
    of source said last, and when.
    """

    limits: dict[str, RateLimitSnapshot] = field(default_factory=dict[str, RateLimitSnapshot])
    paid: RateLimitSnapshot | None = None
    plans: dict[PlanSource, tuple[float, str]] = field(default_factory=dict["PlanSource", tuple[float, str]])

    def add(self, snapshot: RateLimitSnapshot) -> bool:
        """Take a snapshot in, dated by its `fetched_at`; whether it is the newest of its limit now."""
        if snapshot.plan_type:
            source = "endpoint" if snapshot.source == "endpoint" else "header"
            self.tell_plan(snapshot.plan_type, source=source, at=_fetched_at(snapshot))
        if snapshot.credits is not None and _counts_before(snapshot, self.paid):
            self.paid = snapshot
        tells_limit = snapshot.windows or snapshot.refused or snapshot.source == "endpoint"
        if not tells_limit or not _counts_before(snapshot, self.limits.get(snapshot.limit_id)):
            return False
        self.limits[snapshot.limit_id] = snapshot
        if len(self.limits) > _MAX_LIMITS:
            del self.limits[min(self.limits.keys() - {_DEFAULT_LIMIT}, key=lambda each: _fetched_at(self.limits[each]))]
        return snapshot.limit_id in self.limits

    def tell_plan(self, plan_type: str, *, source: PlanSource, at: float) -> None:
        """A plan as told at a moment (Unix seconds)."""
        told = (at, plan_type)
        self.plans[source] = max(told, self.plans.get(source, told))

    @property
    def plan_type(self) -> str | None:
        """The usage endpoint's word; the headers' where that is 15 min newer; a token's where neither has spoken."""
        endpoint, header = self.plans.get("endpoint"), self.plans.get("header")
        if endpoint and header:
            return header[1] if header[0] - endpoint[0] > STALE_AFTER else endpoint[1]
        told = endpoint or header or self.plans.get("token")
        return told[1] if told else None

    @property
    def fetched_at(self) -> float | None:
        """When the newest snapshot of any limit was told."""
        return max((_fetched_at(snapshot) for snapshot in self.limits.values()), default=None)

    def snapshot(self, limit_id: str = _DEFAULT_LIMIT) -> RateLimitSnapshot | None:
        """The newest of this limit, with the newest credits: not every source tells those."""
        told = self.limits.get(limit_id)
        if told is None or told.credits is not None or self.paid is None or self.paid.limit_id != limit_id:
            return told
        return replace(told, credits=self.paid.credits)

    def state(self, limit_id: str = _DEFAULT_LIMIT, *, now: float) -> QuotaState:
        return snapshot_state(self.snapshot(limit_id), now)

    def describe(self, limit_id: str = _DEFAULT_LIMIT, *, now: float) -> str:
        """The limit in words, such as "58 % left, resets in 2 h 10 min"."""
        return describe(self.snapshot(limit_id), now)

    def stale(self, *, now: float, after: float = STALE_AFTER) -> bool:
        """Whether what is known is older than `after` seconds, or nothing is known."""
        fetched_at = self.fetched_at
        return fetched_at is None or now - fetched_at > after


def snapshot_json(snapshot: RateLimitSnapshot) -> dict[str, Any]:
    """A snapshot as JSON values. Windows say their name, their rest and whether there is a limit, for readers."""
    value = asdict(snapshot)
    for place, window in (("primary", snapshot.primary), ("secondary", snapshot.secondary)):
        if window is not None:
            derived = {"label": window.label, "remaining_percent": window.remaining_percent}
            value[place] |= {**derived, "has_limit": window.has_limit}
    return value


def _fetched_at(snapshot: RateLimitSnapshot) -> float:
    return snapshot.fetched_at or 0.0


def _counts_before(snapshot: RateLimitSnapshot, other: RateLimitSnapshot | None) -> bool:
    if other is None:
        return True
    mine, theirs = _order(snapshot), _order(other)
    if mine != theirs:
        return mine > theirs
    # Neither is known to be newer. Any rule will do that does not ask which came first.
    return json.dumps(asdict(snapshot), sort_keys=True) > json.dumps(asdict(other), sort_keys=True)


def _order(snapshot: RateLimitSnapshot) -> tuple[float, int]:
    return _fetched_at(snapshot), _PRECEDENCE[snapshot.source]
