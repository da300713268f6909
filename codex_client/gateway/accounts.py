"""A pool's accounts as the status page and the metrics show them. Values; no secret, no whole e-mail address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codex_client.credentials.explain import AccountStatus
from codex_client.credentials.pool import CredentialPool
from codex_client.masking import masked_email


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowView:
    """One window of one limit; `used_percent` 0 to 100, 0 where it has begun anew since it was told of."""

    limit: str
    label: str
    used_percent: float
    resets_at: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockView:
    """Why the account rests for the models of a limit, until when."""

    limit: str
    reason: str
    ends_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountView:
    """One account. `email` is masked; `parked`: why it serves no more until somebody does something; `windows`: None
    where nothing is known of its limits, none where it has no limit.
    """

    key: str
    email: str | None
    plan: str | None
    can_serve: bool
    parked: str | None
    blocks: tuple[BlockView, ...]
    windows: tuple[WindowView, ...] | None
    in_flight: int
    last_used_at: float | None


@dataclass(frozen=True, slots=True)
class PoolView:
    """All accounts, and where none can serve the soonest moment at which one can."""

    accounts: Sequence[AccountView]
    next_available_at: float | None = None

    @property
    def can_serve(self) -> bool:
        return any(account.can_serve for account in self.accounts)


async def view_pool(pool: CredentialPool, *, now: float) -> PoolView:
    """The pool as it is; nothing is sent. Raises `TokenStoreError`."""
    statuses, explanation = await pool.accounts(), await pool.explain()
    free = {candidate.key for candidate in explanation.candidates}
    accounts = [_account(each, can_serve=each.key in free, now=now) for each in statuses]
    return PoolView(accounts, None if free else explanation.next_available_at)


def _account(status: AccountStatus, *, can_serve: bool, now: float) -> AccountView:
    return AccountView(
        key=status.key,
        email=None if status.email is None else masked_email(status.email),
        plan=status.plan_type,
        can_serve=can_serve,
        parked=status.parked,
        blocks=tuple(BlockView(limit=each.limit_id, reason=each.reason, ends_at=each.until) for each in status.blocks),
        windows=tuple(_windows(status, now)) if status.quota.limits else None,
        in_flight=status.in_flight,
        last_used_at=status.last_used_at,
    )


def _windows(status: AccountStatus, now: float) -> list[WindowView]:
    """Of all limits, the plan's own first."""
    known = [status.quota.snapshot(limit_id) for limit_id in status.quota.limits]
    snapshots = sorted((each for each in known if each is not None), key=lambda each: each.limit_id != "codex")
    return [
        WindowView(
            limit=snapshot.limit_name or snapshot.limit_id,
            label=window.label,
            used_percent=_used(window.remaining_percent, window.resets_at, now),
            resets_at=window.resets_at,
        )
        for snapshot in snapshots
        for window in snapshot.windows
        if window.has_limit
    ]


def _used(remaining_percent: float, resets_at: float | None, now: float) -> float:
    has_reset = resets_at is not None and resets_at <= now
    return 0.0 if has_reset else 100.0 - remaining_percent
