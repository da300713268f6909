"""What a pool knows: plain values that go through JSON, so that processes and machines can share them.

Nothing here is a secret: accounts go by their keys, conversations by a digest, tokens by their fingerprint, and every
reason is in this library's own words. Moments are Unix seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Any, Literal, TypeAlias

from pydantic import TypeAdapter

from codex_client.credentials.quota import AccountQuota

RECORD_VERSION = 1
# The record is read and written for every turn, so it stays small: the conversations idle for longest are forgotten.
MAX_CONVERSATIONS = 1000
"""How many conversations are remembered."""
# Pools that share a record need not have the same accounts, so one that a pool has not got may be another's.
_FORGOTTEN = 30 * 86_400.0
# A server that makes limits up must not make the record grow.
_MAX_BLOCKS = 32

BlockKind: TypeAlias = Literal["usage", "quota", "rate", "refresh"]
"""A window used up, credit used up, too fast for a moment, a token that could not be refreshed for now."""


@dataclass(frozen=True, slots=True)
class Block:
    """An account is not lent until `until`. `since`: when what speaks for it was seen."""

    kind: BlockKind
    reason: str
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Parking:
    """An account is not lent until its stored access token is another than that of `fingerprint`, its plan is another
    than `plan_type`, or it is unblocked by hand; where it wanted a login, also when `login` is another.
    """

    reason: str
    since: float
    fingerprint: str | None = None
    plan_type: str | None = None
    login: str | None = None


@dataclass(slots=True)
class AccountRecord:
    """One account. `blocks` by limit id; `ALL_LIMITS` holds a block for every one.

    `refused`: the fingerprint of a token that was answered with 401. `unadvised`: rate limits in a row for which no
    time was told.
    """

    blocks: dict[str, Block] = field(default_factory=dict[str, Block])
    quota: AccountQuota = field(default_factory=AccountQuota)
    parking: Parking | None = None
    refused: str | None = None
    unadvised: int = 0
    leases: int = 0
    last_used_at: float | None = None

    @property
    def heard_of_at(self) -> float:
        """When it was lent last, or something was told of it."""
        parked_at = self.parking.since if self.parking is not None else 0.0
        return max(self.last_used_at or 0.0, self.quota.fetched_at or 0.0, parked_at)


@dataclass(frozen=True, slots=True)
class Affinity:
    """The account of a conversation. `met`: another limit than its own that its turns have met: its model may count
    against that one.
    """

    key: str
    used_at: float
    met: str | None = None


@dataclass(frozen=True, slots=True)
class Loan:
    """A lease that has not been reported yet. Its process may have died: then it ends by `expires_at`."""

    key: str
    expires_at: float


@dataclass(slots=True)
class PoolRecord:
    """All that a pool remembers. `previous`: the account lent last, by limit id."""

    version: int = RECORD_VERSION
    accounts: dict[str, AccountRecord] = field(default_factory=dict[str, AccountRecord])
    conversations: dict[str, Affinity] = field(default_factory=dict[str, Affinity])
    loans: dict[str, Loan] = field(default_factory=dict[str, Loan])
    previous: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def from_json(cls, text: str | bytes) -> PoolRecord:
        """Raises `ValueError` for what is no record, or one of another version."""
        return _of_this_version(_adapter().validate_json(text))

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> PoolRecord:
        """As `from_json`, of what has been parsed already."""
        return _of_this_version(_adapter().validate_python(document))

    def to_json(self) -> bytes:
        return _adapter().dump_json(self)

    def to_document(self) -> dict[str, Any]:
        """What `to_json` writes, as JSON values."""
        return _adapter().dump_python(self, mode="json")

    def account(self, key: str) -> AccountRecord:
        """The record of one account, made where there is none."""
        return self.accounts.setdefault(key, AccountRecord())

    def tidy(self, *, now: float, affinity: float) -> None:
        """Forget what is over: blocks, loans of dead processes, conversations idle for `affinity` seconds."""
        for account in self.accounts.values():
            lasting = [(limit, block) for limit, block in account.blocks.items() if block.until > now]
            account.blocks = dict(lasting[-_MAX_BLOCKS:])
        self.loans = {name: loan for name, loan in self.loans.items() if loan.expires_at > now}
        kept = [(name, one) for name, one in self.conversations.items() if now - one.used_at < affinity]
        self.conversations = dict(kept[-MAX_CONVERSATIONS:])

    def forget_accounts(self, kept: Collection[str], *, now: float) -> None:
        """Forget the accounts of which nothing has been heard for long, but for those of the keys `kept`."""
        in_use = {*kept, *(loan.key for loan in self.loans.values())}
        gone = [key for key, one in self.accounts.items() if key not in in_use and now - one.heard_of_at > _FORGOTTEN]
        for key in gone:
            del self.accounts[key]

    def keep(self, conversation: str, key: str, *, now: float, met: str | None = None) -> None:
        """A conversation has just been served by this account. The dictionary stays in the order of use."""
        known = self.conversations.pop(conversation, None)
        self.conversations[conversation] = Affinity(key, now, met or (known.met if known is not None else None))

    def in_flight(self) -> Counter[str]:
        """Loans by account."""
        return Counter(loan.key for loan in self.loans.values())

    def spread(self) -> Counter[str]:
        """Conversations by account."""
        return Counter(one.key for one in self.conversations.values())


ALL_LIMITS = "*"
"""Stands in `AccountRecord.blocks` for every limit id."""


def conversation_digest(limit_id: str, conversation_id: str | None) -> str:
    """What a conversation goes by: its id is content and is not kept. Turns without one share a name.

    The limit id is in it, since a model with windows of its own may be served by another account.
    """
    return sha256(f"{limit_id}\n{'-' if conversation_id is None else f'+{conversation_id}'}".encode()).hexdigest()[:16]


def _of_this_version(record: PoolRecord) -> PoolRecord:
    if record.version != RECORD_VERSION:
        raise ValueError(f"a record of version {record.version}; this one reads {RECORD_VERSION}")
    return record


@cache
def _adapter() -> TypeAdapter[PoolRecord]:
    return TypeAdapter(PoolRecord)
