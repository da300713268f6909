"""CPU per event of a turn whose answer is guarded, beside the same turn unguarded; its prompt offers a tool in both.

The answer is text, all of which the guard against garbled output has to look at, and no marker is in it.
"""

from __future__ import annotations

from statistics import median
from typing import Any

from bench.contenders import CODEX
from bench.contenders.base import GUARDS
from bench.run import Run
from bench.workloads import Cell, Shape, Workload

_CELLS = (
    Cell(Workload.RESPONSES_TEXT, Shape.ONE_PER_CHUNK, 10_000),
    Cell(Workload.RESPONSES_TEXT, Shape.COALESCED, 10_000),
    Cell(Workload.RESPONSES_TEXT, Shape.PACED, 400),
)
_LEAST_CPU = 0.2


def measure(run: Run) -> list[dict[str, Any]]:
    """A quick run looks at the one that the goal is about."""
    rows: list[dict[str, Any]] = []
    if CODEX in run.present((CODEX,)):
        for cell in _CELLS[:1] if run.quick else _CELLS:
            rows += _cell(run, cell)
    return rows


def _cell(run: Run, cell: Cell) -> list[dict[str, Any]]:
    run.say(f"guards: {cell.shape}")
    run.prepare(cell)
    measured = run.measured(
        GUARDS,
        run.rounds,
        lambda guards: f"{CODEX}: {guards}, {cell.shape}",
        lambda guards: _one(run, cell, guards),
    )
    return [
        {"contender": CODEX, "guards": guards, "shape": cell.shape, "cpu_us": median(rounds), "rounds": rounds}
        for guards, rounds in measured.items()
    ]


def _one(run: Run, cell: Cell, guards: str) -> float:
    """CPU per event in µs."""
    least = 0.0 if cell.shape is Shape.PACED else _LEAST_CPU
    result = run.workers[CODEX].ask("measure", run.setup(cell, guards=guards), mode="read", least=least)
    run.check(CODEX, cell, result["lengths"])
    return result["cpu"] / (cell.events * len(result["lengths"])) * 1e6
