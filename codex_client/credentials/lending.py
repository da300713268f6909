"""Who is lent an account, and what becomes of it: the pool's rules, as pure changes of its record."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Self

from codex_client.api import AttemptOutcome
from codex_client.auth.tokens import TokenSet, fingerprint
from codex_client.credentials.clock_errors import distrust_the_future
from codex_client.credentials.cooldowns import note_failed_lease, note_failure, note_snapshots, other_limit
from codex_client.credentials.pool_lease import PoolLease
from codex_client.credentials.pool_record import (
    ALL_LIMITS,
    MAX_CONVERSATIONS,
    AccountRecord,
    Block,
    Loan,
    PoolRecord,
)
from codex_client.credentials.quota_state import remaining_percent, spends_credit
from codex_client.credentials.selection import AccountCandidate, AccountChoice, AccountSelection, LeaseRequest
from codex_client.errors import CodexError, ConfigurationError, UsageLimitReached
from codex_client.masking import excerpt

# Far beyond most turns. One that takes longer only stops being counted.
_LOAN_SECONDS = 600.0
ANY_OTHER_PLAN = "*"


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """An account as the token store has it.

    `fingerprint`: of its access token, None where the store has the account no longer. `login`: of all its tokens and
    of whether they are borrowed.
    """

    key: str
    order: int
    fingerprint: str | None = None
    login: str | None = None
    account_id: str | None = None
    plan_type: str | None = None
    email: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, key: str, order: int, tokens: TokenSet | None) -> Self:
        if tokens is None:
            return cls(key=key, order=order)
        return cls(
            key=key,
            order=order,
            fingerprint=tokens.fingerprint,
            login=fingerprint(f"{tokens.access_token}\n{tokens.refresh_token or ''}\n{tokens.borrowed}"),
            account_id=tokens.account_id,
            plan_type=tokens.plan_type,
            email=tokens.email,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What a pool goes by. `max_cooldown` and `affinity` in seconds; `plan_order` from the first plan to use."""

    selection: AccountSelection
    plan_order: Sequence[str]
    max_cooldown: float
    affinity: float

    def plan_rank(self, plan_type: str | None) -> int:
        """The place of a plan; those that are not named stand where `*` is, or last."""
        order = list(self.plan_order)
        named = plan_type if plan_type in order else ANY_OTHER_PLAN
        return order.index(named) if named in order else len(order)


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why an account cannot serve. `until` None: until something is done about it."""

    reason: str
    until: float | None = None


@dataclass(frozen=True, slots=True)
class View:
    """Who can serve a turn and who cannot, and the choice among the former: None where there is none."""

    choice: AccountChoice | None
    candidates: Sequence[AccountCandidate]
    hindrances: Mapping[str, Hindrance]

    @property
    def next_available_at(self) -> float | None:
        """The soonest end of a hindrance that ends by itself."""
        return min((one.until for one in self.hindrances.values() if one.until is not None), default=None)


@dataclass(frozen=True, slots=True)
class Grant:
    """The account to lend, None where none can serve.

    `refused`: the fingerprint of a token of it that was refused; that one must not be lent again. `renew`: nor must
    whatever it has now.
    """

    view: View
    key: str | None = None
    refused: str | None = None
    renew: bool = False


def look(
    record: PoolRecord,
    accounts: Sequence[Account],
    rules: Rules,
    *,
    limit_id: str,
    conversation: str,
    now: float,
    passed: Collection[str] = (),
) -> View:
    """What would be chosen now. `passed`: keys that have been tried for this lease already. Changes nothing."""
    hindrances = {one.key: found for one in accounts if (found := hindrance(record, one, limit_id, now)) is not None}
    free = [one for one in accounts if one.key not in hindrances and one.key not in passed]
    affinity = record.conversations.get(conversation)
    if affinity is not None and now - affinity.used_at >= rules.affinity:
        affinity = None
    if affinity is not None and affinity.met is not None:
        # Perhaps its model does not count against that limit now, so an account that rests for it is better than none.
        met = affinity.met
        free = [one for one in free if hindrance(record, one, met, now) is None] or free
    conversations, in_flight = record.spread(), record.in_flight()
    candidates = [
        _candidate(record, one, rules, limit_id, now, conversations[one.key], in_flight[one.key]) for one in free
    ]
    if not candidates:
        return View(None, candidates, hindrances)
    orders = {one.key: one.order for one in accounts}
    turn = LeaseRequest(
        current=affinity.key if affinity is not None else _unremembered(record, conversation, candidates),
        previous_order=orders.get(record.previous.get(limit_id, "")),
        now=now,
    )
    return View(_checked(rules.selection(candidates, turn), candidates), candidates, hindrances)


def lend(
    record: PoolRecord,
    accounts: Sequence[Account],
    rules: Rules,
    *,
    loan_id: str,
    limit_id: str,
    conversation: str,
    wants_newer: bool,
    now: float,
    passed: Collection[str] = (),
) -> Grant:
    """Choose, and keep that it is lent. `wants_newer`: who asks had a token refused; it counts where no report told
    whose.
    """
    review(record, accounts, rules, now=now)
    view = look(record, accounts, rules, limit_id=limit_id, conversation=conversation, now=now, passed=passed)
    if view.choice is None:
        return Grant(view)
    key = view.choice.key
    account = record.account(key)
    record.loans[loan_id] = Loan(key, now + _LOAN_SECONDS)
    record.keep(conversation, key, now=now)
    record.previous[limit_id] = key
    account.leases += 1
    account.last_used_at = now
    is_unknown = all(record.account(one.key).refused is None for one in accounts)
    return Grant(view, key, refused=account.refused, renew=wants_newer and is_unknown)


def withdraw(
    record: PoolRecord,
    accounts: Sequence[Account],
    rules: Rules,
    *,
    loan_id: str,
    key: str,
    error: CodexError,
    now: float,
) -> None:
    """Keep that a credential could not be had after all."""
    record.loans.pop(loan_id, None)
    stored = next((one for one in accounts if one.key == key), Account(key=key, order=0))
    note_failed_lease(
        record.account(key),
        error,
        key=key,
        fingerprint=stored.fingerprint,
        login=stored.login,
        now=now,
        max_cooldown=rules.max_cooldown,
    )


def settle(
    record: PoolRecord,
    accounts: Sequence[Account],
    rules: Rules,
    *,
    lease: PoolLease,
    outcome: AttemptOutcome,
    now: float,
) -> bool:
    """Keep how an attempt went. True where its account cannot serve, but another one can at once."""
    key = lease.account or ""
    record.loans.pop(lease.id, None)
    _correct(record, rules, now=now, as_of=min(lease.lent_at, now))
    affinity = record.conversations.get(lease.conversation)
    if affinity is None or affinity.key == key or now - affinity.used_at >= rules.affinity:
        # It was not idle all the while.
        record.keep(lease.conversation, key, now=now)
    account, error = record.account(key), outcome.error
    note_snapshots(account, outcome.rate_limits, now=now, since=lease.lent_at, max_cooldown=rules.max_cooldown)
    if error is None:
        if outcome.status is not None:
            account.unadvised = 0
            # An answer to a newer token says nothing of the one that was refused.
            account.refused = None if account.refused == lease.fingerprint else account.refused
        return False
    other = None
    if isinstance(error, UsageLimitReached):
        other = other_limit(account, outcome.rate_limits, lease.limit_id, now=now)
    is_out = note_failure(
        account,
        error,
        limit_id=other or lease.limit_id,
        fingerprint=lease.fingerprint,
        was_refreshed=lease.forced,
        now=now,
        max_cooldown=rules.max_cooldown,
        hint=f"; its models are better given `for_limit({excerpt(other)!r})`" if other else "",
    )
    if other is not None and (affinity := record.conversations.get(lease.conversation)) is not None:
        record.conversations[lease.conversation] = replace(affinity, met=other)
    limits = {lease.limit_id, other or lease.limit_id}
    return is_out and any(
        one.key != key and all(hindrance(record, one, limit_id, now) is None for limit_id in limits) for one in accounts
    )


def review(record: PoolRecord, accounts: Collection[Account], rules: Rules, *, now: float) -> None:
    """Forget what is over, and keep what the token store says. What was parked comes back where its tokens or its plan
    have changed since.
    """
    _correct(record, rules, now=now, as_of=now)
    record.tidy(now=now, affinity=rules.affinity)
    record.forget_accounts({one.key for one in accounts}, now=now)
    for one in accounts:
        held = record.account(one.key)
        if one.plan_type is not None:
            held.quota.tell_plan(one.plan_type, source="token", at=now)
        if held.parking is None:
            continue
        was, plan_type = held.parking, held.quota.plan_type
        is_other_plan = None not in (was.plan_type, plan_type) and was.plan_type != plan_type
        if one.fingerprint != was.fingerprint or (was.login is not None and one.login != was.login):
            # Its process may have the old token still, and learns by this to ask the store.
            held.parking, held.refused = None, was.fingerprint
        elif is_other_plan:
            held.parking = None


def hindrance(record: PoolRecord, account: Account, limit_id: str, now: float) -> Hindrance | None:
    """Why an account cannot serve a limit's models now; of several blocks the one that ends last."""
    if account.fingerprint is None:
        return Hindrance("the token store has it no longer; log in")
    held = record.accounts.get(account.key, AccountRecord())
    if held.parking is not None:
        return Hindrance(held.parking.reason)
    last = max(blocks_of(held, limit_id, now), key=lambda block: block.until, default=None)
    return None if last is None else Hindrance(last.reason, last.until)


def blocks_of(held: AccountRecord, limit_id: str, now: float) -> list[Block]:
    """The blocks that stand in the way of this limit's models."""
    blocks = (held.blocks.get(ALL_LIMITS), held.blocks.get(limit_id))
    return [block for block in blocks if block is not None and block.until > now]


def _unremembered(record: PoolRecord, conversation: str, candidates: Sequence[AccountCandidate]) -> str | None:
    """The account of a conversation of which there is no record, where there is no room for one.

    Each conversation has an order of preference of its own among the accounts (rendezvous hashing), so that it stays
    where it was without anybody remembering it.
    """
    if len(record.conversations) < MAX_CONVERSATIONS:
        return None
    return max((one.key for one in candidates), key=lambda key: sha256(f"{conversation}\n{key}".encode()).digest())


def _correct(record: PoolRecord, rules: Rules, *, now: float, as_of: float) -> None:
    distrust_the_future(record, now=now, as_of=as_of, max_cooldown=rules.max_cooldown, longest_loan=_LOAN_SECONDS)


def _candidate(
    record: PoolRecord,
    account: Account,
    rules: Rules,
    limit_id: str,
    now: float,
    conversations: int,
    in_flight: int,
) -> AccountCandidate:
    held = record.accounts.get(account.key, AccountRecord())
    snapshot, plan = held.quota.snapshot(limit_id), held.quota.plan_type
    return AccountCandidate(
        key=account.key,
        order=account.order,
        plan_type=plan,
        plan_rank=rules.plan_rank(plan),
        remaining_percent=remaining_percent(snapshot, now),
        spends_credit=spends_credit(snapshot, now),
        conversations=conversations,
        in_flight=in_flight,
        leases=held.leases,
        last_used_at=held.last_used_at,
    )


def _checked(choice: AccountChoice, candidates: Sequence[AccountCandidate]) -> AccountChoice:
    if choice.key not in {one.key for one in candidates}:
        raise ConfigurationError(f"the selection chose {choice.key!r}, which is none of the candidates; mend it")
    return choice
