"""CPU per event: every workload in every shape, with and without TLS, for every contender.

A cell is measured round by round, the contenders in turn, one alone at a time (paced streams as well: side by side they
would wake up late and read two events at once, which costs less than reading them singly). CPU is the client process's
own. A round reads the stream again until it has taken a tenth of a second of CPU. A short stream goes ahead of each
measurement, on the same connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from bench.contenders import CODEX, CODEX_AIOHTTP, CONTENDERS, FLOOR, HTTPX_SSE, LITELLM, OPENAI_CREATE
from bench.run import Run, medians
from bench.workloads import Cell, Shape, Workload

_TEXT, _CHAT = Workload.RESPONSES_TEXT, Workload.CHAT_TEXT
_ONE, _COALESCED, _PACED = Shape.ONE_PER_CHUNK, Shape.COALESCED, Shape.PACED
# The goals are about events, so that what a stream costs once is spread over many. Some peers take 0.5 ms for each.
_EVENTS, _EVENTS_OF_TEXT = 4_000, 10_000
# One second of events at 400/s.
_PACED_EVENTS = 400
_LEAST_CPU = 0.1
# What the goals are about, and no more.
_QUICK_CELLS = (
    (Cell(_TEXT, _ONE, 4_000), False, (CODEX, FLOOR, OPENAI_CREATE)),
    (Cell(_TEXT, _COALESCED, 5_000), False, (CODEX, FLOOR, HTTPX_SSE, OPENAI_CREATE)),
    (Cell(_TEXT, _ONE, 2_000), True, (CODEX, CODEX_AIOHTTP, OPENAI_CREATE)),
    (Cell(_TEXT, _PACED, _PACED_EVENTS), True, (CODEX, CODEX_AIOHTTP, OPENAI_CREATE)),
    (Cell(_CHAT, _ONE, 1_500), False, (CODEX, OPENAI_CREATE, LITELLM)),
)


def measure(run: Run) -> list[dict[str, Any]]:
    everything = [
        (Cell(workload, shape, _events(workload, shape)), tls, tuple(CONTENDERS))
        for shape in (_ONE, _COALESCED, _PACED)
        for tls in (False, True)
        for workload in Workload
    ]
    rows: list[dict[str, Any]] = []
    for cell, tls, contenders in _QUICK_CELLS if run.quick else everything:
        run.say(f"per event: {cell.workload}, {cell.shape}{', TLS' if tls else ''}")
        rows += _cell(run, cell, tls, run.present(contenders))
    return rows


def _events(workload: Workload, shape: Shape) -> int:
    if shape is _PACED:
        return _PACED_EVENTS
    return _EVENTS_OF_TEXT if workload is _TEXT else _EVENTS


def _cell(run: Run, cell: Cell, tls: bool, names: Sequence[str]) -> list[dict[str, Any]]:
    run.prepare(cell)
    most = (1 if run.quick else 3) if cell.shape is Shape.PACED else run.rounds
    measured = run.measured(
        names,
        min(run.rounds, most),
        lambda name: f"{name}: {cell.workload}, {cell.shape}{', TLS' if tls else ''}",
        lambda name: _one(run, name, cell, tls),
    )
    return [_row(name, cell, tls, rounds) for name, rounds in measured.items()]


def _one(run: Run, name: str, cell: Cell, tls: bool) -> tuple[float, float, float]:
    """CPU and wall time per event in µs, and ms from the first byte sent to the first event."""
    run.server.sent_at()
    least = 0.0 if cell.shape is Shape.PACED else _LEAST_CPU
    result = run.workers[name].ask("measure", run.setup(cell, tls=tls), mode="read", least=least)
    run.check(name, cell, result["lengths"])
    waits = [first - sent for first, sent in zip(result["first_at"], run.server.sent_at(), strict=True)]
    events = cell.events * len(waits)
    return result["cpu"] / events * 1e6, result["wall"] / events * 1e6, median(waits) * 1e3


def _row(name: str, cell: Cell, tls: bool, rounds: list[tuple[float, float, float]]) -> dict[str, Any]:
    cpu_us, wall_us, first_event_ms = medians(rounds)
    return {
        "contender": name,
        "workload": cell.workload,
        "shape": cell.shape,
        "tls": tls,
        "events": cell.events,
        "cpu_us": cpu_us,
        "rounds": [cpu for cpu, _, _ in rounds],
        "events_per_cpu_s": 1e6 / cpu_us,
        "first_event_ms": first_event_ms,
        "wall_us": wall_us,
    }
