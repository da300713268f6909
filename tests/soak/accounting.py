"""Every stream that was started must have ended in a way that its plan allows. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from codex_client.errors import CodexError, ReadError, RetryLimitError, WriteError
from tests.soak.plans import FATES, Behaviour, Fate, Plan

LEAVING = frozenset({Behaviour.BREAK, Behaviour.RAISE, Behaviour.CANCEL_TASK, Behaviour.CANCEL_SCOPE, Behaviour.DROP})
_FAULTS_KEPT = 50


class Ending(StrEnum):
    COMPLETED = "completed"
    FAILED = "failed"
    LEFT = "left"
    ASTRAY = "astray"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a stream ended. `text`: what was received of it. `astray`: what happened where it ended in no proper way."""

    ending: Ending
    text: str | None = None
    error: CodexError | None = None
    astray: str = ""


def fault_of(plan: Plan, outcome: Outcome) -> str | None:
    """What is wrong with this outcome; None where it is one that the plan allows."""
    fate = FATES[plan.scenario]
    match outcome.ending:
        case Ending.ASTRAY:
            return outcome.astray
        case Ending.COMPLETED if not fate.whole:
            return "completed, although its server never sent a whole turn"
        case Ending.FAILED if not _is_allowed(outcome.error, fate):
            return f"failed with {outcome.error!r}"
        case Ending.LEFT if plan.behaviour not in LEAVING:
            return "ended as if it had been left, and nobody left it"
        case _:
            return wrong_text(plan, outcome)


def wrong_text(plan: Plan, outcome: Outcome) -> str | None:
    """Says so where what was received is not the beginning of the plan's text, or not all of it at a good end."""
    text = outcome.text or ""
    is_right = text == plan.text if outcome.ending is Ending.COMPLETED else plan.text.startswith(text)
    return None if is_right else f"{outcome.ending} with another text: {_difference(plan.text, text)}"


def _is_allowed(error: CodexError | None, fate: Fate) -> bool:
    if not isinstance(error, RetryLimitError) or not fate.errors:
        return isinstance(error, fate.errors)
    # The last of several tries may have met a connection that its server had just closed.
    return isinstance(error.last_error, (*fate.errors, ReadError, WriteError))


def _difference(expected: str, text: str) -> str:
    place = next((at for at, pair in enumerate(zip(expected, text, strict=False)) if len(set(pair)) > 1), None)
    place = min(len(expected), len(text)) if place is None else place
    return f"{len(text)} characters for {len(expected)}, from {place} on {text[place : place + 40]!r}"


@dataclass
class Ledger:
    """What was started and how it ended. `judge` says what is wrong with an outcome."""

    judge: Callable[[Plan, Outcome], str | None] = fault_of
    started: int = 0
    endings: Counter[tuple[str, Ending]] = field(default_factory=Counter[tuple[str, Ending]])
    faults: list[str] = field(default_factory=list[str])
    faults_found: int = 0

    def start(self) -> None:
        self.started += 1

    def end(self, plan: Plan, outcome: Outcome) -> None:
        self.endings[plan.scenario, outcome.ending] += 1
        fault = self.judge(plan, outcome)
        if fault is not None:
            self.add_fault(f"{plan.name} ({plan.wire_api}, {plan.scenario}, {plan.behaviour}): {fault}")

    def add_fault(self, fault: str) -> None:
        self.faults_found += 1
        if len(self.faults) < _FAULTS_KEPT:
            self.faults.append(fault)

    def count(self, ending: Ending) -> int:
        return sum(count for (_, each), count in self.endings.items() if each is ending)

    @property
    def ended(self) -> int:
        return self.endings.total()

    def problems(self) -> list[str]:
        """What was found; to be asked when all streams should have ended."""
        found = list(self.faults)
        if self.faults_found > len(found):
            found.append(f"and {self.faults_found - len(found)} more")
        accounted = sum(self.count(ending) for ending in (Ending.COMPLETED, Ending.FAILED, Ending.LEFT))
        if accounted != self.started:
            found.append(f"{self.started} streams were started, but {accounted} completed, failed or were left")
        return found

    def table(self) -> Iterator[str]:
        """A line per scenario."""
        yield f"{'scenario':<20}" + "".join(f"{ending:>11}" for ending in Ending)
        for scenario in FATES:
            counts = [self.endings[scenario, ending] for ending in Ending]
            yield f"{scenario:<20}" + "".join(f"{count:>11}" for count in counts)
        yield f"{'all':<20}" + "".join(f"{self.count(ending):>11}" for ending in Ending)
