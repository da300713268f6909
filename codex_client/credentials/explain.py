"""What a pool shows of itself: its accounts as they are, and why one of them would be chosen. No secret is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from codex_client.credentials.lending import Account, Hindrance, View
from codex_client.credentials.pool_record import AccountRecord, PoolRecord
from codex_client.credentials.quota import AccountQuota
from codex_client.credentials.selection import AccountCandidate
from codex_client.errors import PoolExhaustedError

# So soon that a turn may wait for it.
_SOON = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountBlock:
    """Why an account rests, for the models of one limit id (`*`: for all), until when (Unix seconds)."""

    limit_id: str
    reason: str
    until: float


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountStatus:
    """One account of a pool at one moment.

    `account_id` is the ChatGPT workspace. `parked`: why it is not lent until something is done about it, None where it
    is not. `in_flight` attempts and `conversations` are counted over all processes that share the pool's state;
    `leases` since the state began.
    """

    key: str
    account_id: str | None
    plan_type: str | None
    quota: AccountQuota
    blocks: tuple[AccountBlock, ...]
    parked: str | None
    in_flight: int
    conversations: int
    leases: int
    last_used_at: float | None
    email: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """Why an account would be chosen now. `chosen`: its key, None where none can serve; `others`: why not, by key.

    `candidates` are those that can serve, as the selection saw them. `str` gives it in words.
    """

    chosen: str | None
    reason: str
    others: Mapping[str, str]
    candidates: Sequence[AccountCandidate]
    next_available_at: float | None = None

    def __str__(self) -> str:
        free = {one.key for one in self.candidates}
        first = self.reason if self.chosen is None else f"{self.chosen} serves: {self.reason}"
        others = (
            f"{key} {'is free, but' if key in free else 'cannot serve:'} {why}" for key, why in self.others.items()
        )
        return "\n".join([first, *others])


def explained(view: View) -> Explanation:
    """A view in words."""
    hindered = {key: _words(one) for key, one in view.hindrances.items()}
    if view.choice is None:
        return Explanation(
            chosen=None,
            reason="no account can serve",
            others=hindered,
            candidates=(),
            next_available_at=view.next_available_at,
        )
    passed_over = {
        one.key: view.choice.passed_over.get(one.key, "the selection chose another one")
        for one in view.candidates
        if one.key != view.choice.key
    }
    return Explanation(
        chosen=view.choice.key,
        reason=view.choice.reason,
        others=passed_over | hindered,
        candidates=tuple(view.candidates),
        next_available_at=view.next_available_at,
    )


def exhausted(view: View, *, now: float) -> PoolExhaustedError:
    """The error for a view without a choice. It is retryable where an account is free within a minute."""
    reasons, soonest = {key: _words(one) for key, one in view.hindrances.items()}, view.next_available_at
    if soonest is None:
        when = "and none comes back by itself; log in again, or with another account"
    else:
        when = f"the next one is free at {_moment(soonest)}; wait until then, or log in with another account"
    listed = "; ".join(f"{key}: {reason}" for key, reason in reasons.items())
    error = PoolExhaustedError(
        f"no account can serve, {when} ({listed})",
        next_available_at=soonest,
        reasons=reasons,
    )
    if soonest is not None and soonest - now <= _SOON:
        error.retry_after, error.retryable = max(0.0, soonest - now), True
    return error


def statuses(record: PoolRecord, accounts: Sequence[Account], *, now: float) -> list[AccountStatus]:
    """All accounts of a pool, in its order."""
    in_flight, conversations = record.in_flight(), record.spread()
    return [_status(record.account(one.key), one, in_flight[one.key], conversations[one.key], now) for one in accounts]


def _status(held: AccountRecord, account: Account, in_flight: int, conversations: int, now: float) -> AccountStatus:
    blocks = [
        AccountBlock(limit_id=limit_id, reason=block.reason, until=block.until)
        for limit_id, block in held.blocks.items()
        if block.until > now
    ]
    return AccountStatus(
        key=account.key,
        account_id=account.account_id,
        plan_type=held.quota.plan_type,
        quota=held.quota,
        blocks=tuple(blocks),
        parked=held.parking.reason if held.parking is not None else None,
        in_flight=in_flight,
        conversations=conversations,
        leases=held.leases,
        last_used_at=held.last_used_at,
        email=account.email,
    )


def _words(one: Hindrance) -> str:
    return one.reason if one.until is None else f"{one.reason}, until {_moment(one.until)}"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
