"""`python -m bench.goals [FILE]`: the goals of the project, checked on the results of one run.

Goals compare medians within the run, so that the speed of the machine drops out; those in ms and µs are absolute.
The exit code is 0 when all are met, 1 when one is missed, 2 when one is not measured or there is no file to read.
"""

from __future__ import annotations

import argparse
import operator
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path

from bench.contenders import CODEX, CODEX_AIOHTTP, FLOOR, LITELLM, OPENAI_CREATE, OPENAI_STREAM
from bench.proxies import GATEWAY, LITELLM_PROXY
from bench.result_file import (
    BASE,
    DEFAULT,
    WIDTH,
    Entry,
    NotMeasured,
    ResultFileError,
    Results,
    entry,
    load,
    number,
)

Measure = Callable[[Results], float]
SENSES: dict[str, Callable[[float, float | Fraction], bool]] = {
    "at most": operator.le,
    "at least": operator.ge,
    "under": operator.lt,
}


class Verdict(Enum):
    MET = "met"
    MISSED = "missed"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Goal:
    """`sense`, one of SENSES, is how the measured number has to stand to `bound`; a `Fraction` is shown as one."""

    name: str
    measure: Measure
    sense: str
    bound: float | Fraction
    unit: str = "×"

    def is_met_by(self, measured: float) -> bool:
        return SENSES[self.sense](measured, self.bound)

    @property
    def wanted(self) -> str:
        bound = str(self.bound) if isinstance(self.bound, Fraction) else f"{self.bound:g} {self.unit}"
        return f"{self.sense} {bound}"

    def shown(self, measured: float) -> str:
        if isinstance(self.bound, Fraction) and measured < 1:
            return f"1/{number(1 / measured)}"
        return f"{number(measured)} {self.unit}"


@dataclass(frozen=True)
class Outcome:
    """`measured` is None exactly where the verdict is NOT_MEASURED; then `why` tells the reason."""

    goal: Goal
    verdict: Verdict
    measured: float | None = None
    why: str = ""


def ratio(of: Entry, to: Entry) -> Measure:
    return lambda results: of.of(results) / to.of(results)


def above(of: Entry, base: Entry) -> Measure:
    return lambda results: of.of(results) - base.of(results)


def spread(entries: Sequence[Entry]) -> Measure:
    """The dearest over the cheapest."""

    def measure(results: Results) -> float:
        values = [entry.of(results) for entry in entries]
        return max(values) / min(values)

    return measure


def worst(entries: Sequence[Entry]) -> Measure:
    return lambda results: max(entry.of(results) for entry in entries)


def _event(contender: str, workload: str, shape: str, *, tls: bool = False) -> Entry:
    return entry("per_event", "cpu_us", contender, workload=workload, shape=shape, tls=tls)


def _text(contender: str, shape: str, *, tls: bool = False) -> Entry:
    return _event(contender, "responses-text", shape, tls=tls)


def _chat(contender: str) -> Entry:
    return _event(contender, "chat-text", "one-per-chunk")


def _long(contender: str, mode: str, events: int) -> Entry:
    return entry("length", "cpu_us", contender, mode=mode, workload="responses-text", events=events)


def _at_once(key: str, contender: str, in_flight: int) -> Entry:
    return entry("concurrency", key, contender, in_flight=in_flight)


def _guarded(guards: str) -> Entry:
    return entry("guards", "cpu_us", CODEX, guards=guards, shape="one-per-chunk")


def _through(proxy: str) -> Entry:
    return entry("gateway", "cpu_us", proxy, route="Chat", what="stream", in_flight=50)


ONE, COALESCED, PACED = "one-per-chunk", "64k", "paced"
LENGTHS = (5_000, 20_000, 160_000)
IN_FLIGHT = (20, 100, 500, 1_000)

GOALS = (
    Goal(
        "CPU per event, Responses text, one per chunk: of the httpx byte floor",
        ratio(_text(CODEX, ONE), _text(FLOOR, ONE)),
        "at most",
        1.25,
    ),
    Goal(
        "CPU per event, Responses text, one per chunk: of openai create",
        ratio(_text(CODEX, ONE), _text(OPENAI_CREATE, ONE)),
        "at most",
        Fraction(1, 6),
    ),
    Goal(
        "CPU per event, Responses text, 64 KiB chunks: of openai create",
        ratio(_text(CODEX, COALESCED), _text(OPENAI_CREATE, COALESCED)),
        "at most",
        Fraction(1, 20),
    ),
    Goal(
        "CPU per event, Responses text, 64 KiB chunks: of httpx-sse + json",
        ratio(_text(CODEX, COALESCED), _text("httpx-sse json", COALESCED)),
        "at most",
        0.5,
    ),
    Goal(
        "CPU per event over TLS, one per chunk: of openai create",
        ratio(_text(CODEX, ONE, tls=True), _text(OPENAI_CREATE, ONE, tls=True)),
        "at most",
        Fraction(1, 3),
    ),
    Goal(
        "CPU per event over TLS, one per chunk: aiohttp transport, of openai create",
        ratio(_text(CODEX_AIOHTTP, ONE, tls=True), _text(OPENAI_CREATE, ONE, tls=True)),
        "at most",
        Fraction(1, 15),
    ),
    Goal(
        "CPU per event over TLS, paced: of openai create",
        ratio(_text(CODEX, PACED, tls=True), _text(OPENAI_CREATE, PACED, tls=True)),
        "at most",
        0.6,
    ),
    Goal(
        "CPU per event over TLS, paced: aiohttp transport, of openai create",
        ratio(_text(CODEX_AIOHTTP, PACED, tls=True), _text(OPENAI_CREATE, PACED, tls=True)),
        "at most",
        Fraction(1, 3),
    ),
    Goal(
        "CPU per event, Chat text, one per chunk: of openai create",
        ratio(_chat(CODEX), _chat(OPENAI_CREATE)),
        "at most",
        Fraction(1, 7),
    ),
    Goal(
        "CPU per event, Chat text, one per chunk: of litellm",
        ratio(_chat(CODEX), _chat(LITELLM)),
        "at most",
        Fraction(1, 20),
    ),
    Goal(
        "collect() over 20,000 deltas: of openai stream",
        ratio(_long(CODEX, "collect", 20_000), _long(OPENAI_STREAM, "collect", 20_000)),
        "at most",
        Fraction(1, 10),
    ),
    Goal(
        "collect() from 5,000 to 160,000 deltas: dearest event over cheapest",
        spread([_long(CODEX, "collect", events) for events in LENGTHS]),
        "at most",
        1.1,
    ),
    Goal(
        "streams per second, 500 in flight: of openai create",
        ratio(_at_once("streams_per_s", CODEX, 500), _at_once("streams_per_s", OPENAI_CREATE, 500)),
        "at least",
        1.5,
    ),
    Goal(
        "streams per second, 500 in flight: of plain httpx",
        ratio(_at_once("streams_per_s", CODEX, 500), _at_once("streams_per_s", FLOOR, 500)),
        "at least",
        5,
    ),
    Goal(
        "CPU per stream from 20 to 1,000 in flight: dearest over cheapest",
        spread([_at_once("cpu_ms_per_stream", CODEX, in_flight) for in_flight in IN_FLIGHT]),
        "at most",
        1.3,
    ),
    Goal(
        "memory per open idle stream: of openai create",
        ratio(entry("idle", "mib_per_1000", CODEX), entry("idle", "mib_per_1000", OPENAI_CREATE)),
        "at most",
        0.75,
    ),
    Goal(
        "cold process to first event: of openai create",
        ratio(entry("cold", "first_event_ms", CODEX), entry("cold", "first_event_ms", OPENAI_CREATE)),
        "at most",
        0.25,
    ),
    Goal(
        "import, beyond `import httpx, pydantic`",
        above(entry("cold", "import_ms", CODEX), entry("cold", "import_ms", BASE)),
        "at most",
        60,
        "ms",
    ),
    Goal(
        "delay from frame bytes read to event handed out, median",
        worst([entry("delay", "median_us", CODEX, tls=tls) for tls in (False, True)]),
        "under",
        100,
        "µs",
    ),
    Goal(
        "CPU per event, Responses text, one per chunk: guarded, of unguarded",
        ratio(_guarded("hold tail"), _guarded("unguarded")),
        "at most",
        1.25,
    ),
    Goal(
        "CPU per event through the gateway, Chat, 50 in flight: of litellm's proxy",
        ratio(_through(GATEWAY), _through(LITELLM_PROXY)),
        "at most",
        Fraction(1, 10),
    ),
)


def check(results: Results) -> list[Outcome]:
    """One outcome for each of GOALS, in their order."""
    return [_outcome(goal, results) for goal in GOALS]


def _outcome(goal: Goal, results: Results) -> Outcome:
    try:
        measured = goal.measure(results)
    except NotMeasured as error:
        return Outcome(goal, Verdict.NOT_MEASURED, why=str(error))
    return Outcome(goal, Verdict.MET if goal.is_met_by(measured) else Verdict.MISSED, measured)


def exit_code(outcomes: Sequence[Outcome]) -> int:
    verdicts = {outcome.verdict for outcome in outcomes}
    if Verdict.MISSED in verdicts:
        return 1
    return 2 if Verdict.NOT_MEASURED in verdicts or not outcomes else 0


def table(outcomes: Sequence[Outcome]) -> str:
    """A line for each goal; under one that is not measured, the reason."""
    width = max(len(outcome.goal.name) for outcome in outcomes)
    lines = [f"{'goal':<{width}}  {'wanted':>14}  {'measured':>9}  verdict"]
    for outcome in outcomes:
        goal = outcome.goal
        measured = "–" if outcome.measured is None else goal.shown(outcome.measured)
        lines.append(f"{goal.name:<{width}}  {goal.wanted:>14}  {measured:>9}  {outcome.verdict.value}")
        lines += textwrap.wrap(outcome.why, WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 4)
    return "\n".join(lines)


def summary(outcomes: Sequence[Outcome]) -> str:
    counts = [(verdict, sum(outcome.verdict is verdict for outcome in outcomes)) for verdict in Verdict]
    return ", ".join(f"{count} {verdict.value}" for verdict, count in counts)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.goals", description="check a run against the goals")
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT, help="what a run wrote (default: %(default)s)")
    try:
        results = load(parser.parse_args(arguments).file)
    except ResultFileError as error:
        print(error, file=sys.stderr)
        return 2
    outcomes = check(results)
    print(table(outcomes))
    print(f"\n{summary(outcomes)}")
    if any(outcome.verdict is Verdict.NOT_MEASURED for outcome in outcomes):
        print("run `make bench` to measure what is missing")
    if results["meta"].get("quick"):
        print("this was a quick run; `make bench` without QUICK=1 decides")
    return exit_code(outcomes)


if __name__ == "__main__":
    sys.exit(main())
