"""Streams per second and CPU per stream with many in flight: short streams from a server that waits 50 ms.

Each contender has a client of its own for each number in flight, whose pool may hold that many connections. They are
open when the clock starts: as many streams as are in flight go ahead and do not count. At least twice as many follow. A
quick run has no time for that: it has one burst, and at 500 in flight, where slow peers take part, opening counts, for
all.
"""

from __future__ import annotations

from typing import Any

from bench.contenders import AIOHTTP, CODEX, CODEX_AIOHTTP, FLOOR, OPENAI_CREATE
from bench.run import Run, medians
from bench.workloads import Cell, Workload

_CELL = Cell(Workload.RESPONSES_TEXT, events=20, wait_ms=50)
_NAMES = (CODEX, CODEX_AIOHTTP, FLOOR, AIOHTTP, OPENAI_CREATE)
_IN_FLIGHT = (20, 100, 500, 1_000)
_QUICK = {20: (CODEX,), 100: (CODEX,), 500: (CODEX, FLOOR, OPENAI_CREATE), 1_000: (CODEX,)}
_LEAST_STREAMS, _QUICK_LEAST_STREAMS = 400, 200
# One burst would not show what happens when streams come and go.
_TIMES_IN_FLIGHT = 2
_MOST_ROUNDS = 3


def measure(run: Run) -> list[dict[str, Any]]:
    run.prepare(_CELL)
    rows: list[dict[str, Any]] = []
    for in_flight in _IN_FLIGHT:
        run.say(f"concurrency: {in_flight} in flight")
        rows += _level(run, in_flight)
    return rows


def _level(run: Run, in_flight: int) -> list[dict[str, Any]]:
    measured = run.measured(
        run.present(_QUICK[in_flight] if run.quick else _NAMES),
        1 if run.quick else min(run.rounds, _MOST_ROUNDS),
        lambda name: f"{name}: {in_flight} in flight",
        lambda name: _one(run, name, in_flight),
    )
    return [_row(name, in_flight, rounds) for name, rounds in measured.items()]


def _one(run: Run, name: str, in_flight: int) -> tuple[float, float]:
    """Streams per second, and CPU per stream in ms."""
    streams = max(_QUICK_LEAST_STREAMS, in_flight) if run.quick else max(_LEAST_STREAMS, _TIMES_IN_FLIGHT * in_flight)
    setup = run.setup(_CELL, connections=in_flight)
    ahead = 0 if run.quick and in_flight == 500 else in_flight
    result = run.workers[name].ask("concurrent", setup, in_flight=in_flight, ahead=ahead, streams=streams)
    run.check(name, _CELL, result["lengths"])
    return streams / result["wall"], result["cpu"] / streams * 1e3


def _row(name: str, in_flight: int, rounds: list[tuple[float, float]]) -> dict[str, Any]:
    streams_per_s, cpu_ms = medians(rounds)
    return {
        "contender": name,
        "in_flight": in_flight,
        "streams_per_s": streams_per_s,
        "cpu_ms_per_stream": cpu_ms,
        "rounds": rounds,
    }
