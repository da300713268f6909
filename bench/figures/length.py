"""CPU per event against the length of the stream, one event per HTTP chunk: what grows faster than the stream shows.

The openai helper and `create` stop at 20,000 events, beyond which they would take most of the run.
"""

from __future__ import annotations

from statistics import median
from typing import Any

from bench.contenders import CODEX, OPENAI_CREATE, OPENAI_STREAM
from bench.run import Run
from bench.workloads import Cell, Workload

_MODES = {"async for": "read", "collect": "collect", "aggregate": "aggregate"}
_OURS = tuple((CODEX, mode) for mode in _MODES)
_THEIRS = ((OPENAI_CREATE, "async for"), (OPENAI_STREAM, "async for"), (OPENAI_STREAM, "collect"))
_SHORT, _LONG = (1_000, 5_000, 20_000), (80_000, 160_000)
# 4 MiB of arguments in pieces of 64 characters.
_ARGUMENTS = Cell(Workload.RESPONSES_TOOLS, events=2**22 // 64, chars=64)
_LEAST_CPU = 0.2
_MOST_ROUNDS = 3


def measure(run: Run) -> list[dict[str, Any]]:
    if run.quick:
        collect = (CODEX, "collect")
        return [
            *_cell(run, _text(5_000), [collect], 3),
            *_cell(run, _text(20_000), [collect, (OPENAI_STREAM, "collect")], 1),
            *_cell(run, _text(160_000), [collect], 1),
        ]
    rounds = min(run.rounds, _MOST_ROUNDS)
    rows: list[dict[str, Any]] = []
    for events in _SHORT:
        rows += _cell(run, _text(events), [*_OURS, *_THEIRS], rounds)
    for events in _LONG:
        rows += _cell(run, _text(events), _OURS, rounds)
    return rows + _cell(run, _ARGUMENTS, _OURS, rounds)


def _text(events: int) -> Cell:
    return Cell(Workload.RESPONSES_TEXT, events=events)


def _cell(run: Run, cell: Cell, readers: list[tuple[str, str]] | tuple[tuple[str, str], ...], rounds: int) -> Any:
    run.say(f"length: {cell.workload}, {cell.events} events")
    run.prepare(cell)
    labels = {f"{name}: {mode}": (name, mode) for name, mode in readers if name in run.workers}
    measured = run.measured(
        list(labels),
        rounds,
        lambda label: f"{label}, {cell.events} events",
        lambda label: _one(run, cell, *labels[label]),
    )
    return [_row(cell, *labels[label], cpu_us) for label, cpu_us in measured.items()]


def _one(run: Run, cell: Cell, name: str, mode: str) -> float:
    """CPU per event in µs."""
    result = run.workers[name].ask("measure", run.setup(cell), mode=_MODES[mode], least=_LEAST_CPU)
    run.check(name, cell, result["lengths"])
    return result["cpu"] / (cell.events * len(result["lengths"])) * 1e6


def _row(cell: Cell, name: str, mode: str, rounds: list[float]) -> dict[str, Any]:
    return {
        "contender": name,
        "mode": mode,
        "workload": cell.workload,
        "events": cell.events,
        "cpu_us": median(rounds),
        "rounds": rounds,
    }
