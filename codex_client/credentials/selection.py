"""Which account serves a turn. Pure: values in, a choice with its reason out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from codex_client.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountCandidate:
    """An account that can serve now.

    `remaining_percent`: what is left of its tightest window, 100 where nothing is known. `spends_credit`: a window is
    used up and prepaid credit takes over. `conversations` that it is the account of, `in_flight` attempts that are
    running, both counted over all processes that share the pool's state. `plan_rank`: 0 for the plan to use first.
    `order`: its place in the pool, which does not change.
    """

    key: str
    order: int = 0
    plan_type: str | None = None
    plan_rank: int = 0
    remaining_percent: float = 100.0
    spends_credit: bool = False
    conversations: int = 0
    in_flight: int = 0
    leases: int = 0
    last_used_at: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaseRequest:
    """What a selection knows of a turn.

    `current`: the key of the account that served its conversation so far, None for a new one; turns without a
    conversation share one. Where there are too many to remember, the same account for the same conversation.
    `previous_order`: the place of the account that was lent last, to whatever turn.
    """

    current: str | None = None
    previous_order: int | None = None
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class AccountChoice:
    """The key of the account, why it, and why not each of the others where the selection says so."""

    key: str
    reason: str
    passed_over: Mapping[str, str] = field(default_factory=dict[str, str])


class AccountSelection(Protocol):
    """Chooses one of the candidates, which are never empty and can all serve. Called again for every attempt.

    It must be pure: with a shared state it may be called several times for one choice.
    """

    def __call__(self, candidates: Sequence[AccountCandidate], turn: LeaseRequest) -> AccountChoice: ...


def _counted(number: int, noun: str) -> str:
    """Such as "1 conversation"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@dataclass(frozen=True, slots=True)
class _Criterion:
    """One reason to prefer an account: the smaller `rank`, the better. `words` go on from "it", and say what it ranks
    of an account.
    """

    words: Callable[[AccountCandidate, LeaseRequest], str]
    rank: Callable[[AccountCandidate, LeaseRequest], Any]


_STAYS = "this conversation is already on it"
_NO_CREDIT = _Criterion(
    lambda one, _: "would spend credit" if one.spends_credit else "spends no credit", lambda one, _: one.spends_credit
)
_CURRENT = _Criterion(
    lambda one, turn: f"is {'' if one.key == turn.current else 'not '}this conversation's account",
    lambda one, turn: one.key != turn.current,
)
_CONVERSATIONS = _Criterion(
    lambda one, _: f"has {_counted(one.conversations, 'conversation')}", lambda one, _: one.conversations
)
_IN_FLIGHT = _Criterion(
    lambda one, _: f"has {_counted(one.in_flight, 'attempt')} in flight", lambda one, _: one.in_flight
)
_QUOTA = _Criterion(lambda one, _: f"has {one.remaining_percent:.4g} % left", lambda one, _: -one.remaining_percent)
_PLAN = _Criterion(lambda one, _: f"is on the plan {one.plan_type or 'unknown'}", lambda one, _: one.plan_rank)
_LEASES = _Criterion(lambda one, _: f"has had {_counted(one.leases, 'lease')}", lambda one, _: one.leases)
_ORDER = _Criterion(lambda one, _: f"is number {one.order + 1} of the pool", lambda one, _: one.order)
_ROUND = _Criterion(
    lambda one, _: f"is number {one.order + 1} of the round",
    lambda one, turn: (turn.previous_order is not None and one.order <= turn.previous_order, one.order),
)


def sticky(candidates: Sequence[AccountCandidate], turn: LeaseRequest) -> AccountChoice:
    """A conversation stays on its account, because the provider's prompt cache is per account.

    New conversations are spread: fewest conversations, fewest in flight, most quota left, plan, place. An account that
    would spend credit comes after all that would not, also for its own conversations.
    """
    return _best(candidates, turn, (_NO_CREDIT, _CURRENT, _CONVERSATIONS, _IN_FLIGHT, _QUOTA, _PLAN, _ORDER))


def round_robin(candidates: Sequence[AccountCandidate], turn: LeaseRequest) -> AccountChoice:
    """One after the other, in the pool's order."""
    return _best(candidates, turn, (_NO_CREDIT, _ROUND))


def least_used(candidates: Sequence[AccountCandidate], turn: LeaseRequest) -> AccountChoice:
    """The account with the most quota left; where that is equal, fewest in flight, then leases."""
    return _best(candidates, turn, (_NO_CREDIT, _QUOTA, _IN_FLIGHT, _LEASES, _PLAN, _ORDER))


SelectionName: TypeAlias = Literal["sticky", "round_robin", "least_used"]

_BY_NAME: dict[str, AccountSelection] = {"sticky": sticky, "round_robin": round_robin, "least_used": least_used}


def selection_of(given: SelectionName | AccountSelection) -> AccountSelection:
    """The selection of a name, or the one given. Raises `ConfigurationError` for an unknown name."""
    if not isinstance(given, str):
        return given
    if found := _BY_NAME.get(given):
        return found
    raise ConfigurationError(f"no selection is called {given!r}; give one of {', '.join(_BY_NAME)}, or a function")


def _best(candidates: Sequence[AccountCandidate], turn: LeaseRequest, criteria: Sequence[_Criterion]) -> AccountChoice:
    best, *others = sorted(candidates, key=lambda one: tuple(criterion.rank(one, turn) for criterion in criteria))
    if not others:
        return AccountChoice(best.key, "it is the only account that can serve")
    telling = _telling(best, others[0], turn, criteria)
    reason = f"it {telling.words(best, turn)}, the next best {telling.words(others[0], turn)}"
    passed_over = {other.key: _passed_over(best, other, turn, criteria) for other in others}
    return AccountChoice(best.key, _STAYS if telling is _CURRENT else reason, passed_over)


def _passed_over(
    best: AccountCandidate, other: AccountCandidate, turn: LeaseRequest, criteria: Sequence[_Criterion]
) -> str:
    telling = _telling(best, other, turn, criteria)
    words = f"it {telling.words(other, turn)}"
    return words if telling is _CURRENT else f"{words}, the one chosen {telling.words(best, turn)}"


def _telling(
    best: AccountCandidate, other: AccountCandidate, turn: LeaseRequest, criteria: Sequence[_Criterion]
) -> _Criterion:
    """The first criterion that tells the two apart; the last of all where none does."""
    return next((one for one in criteria if one.rank(best, turn) != one.rank(other, turn)), criteria[-1])
