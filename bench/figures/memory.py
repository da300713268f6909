"""Memory, each number from a fresh process: what an open idle stream takes, and the most that a long stream takes."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from bench.contenders import AIOHTTP, CODEX, CODEX_AIOHTTP, CONTENDERS, FLOOR, OPENAI_CREATE
from bench.processes import Worker
from bench.run import Run
from bench.workloads import Cell, Shape, Workload

_IDLE = Cell(Workload.RESPONSES_TEXT, Shape.HOLD, events=20)
_IDLE_NAMES = (CODEX, CODEX_AIOHTTP, FLOOR, AIOHTTP, OPENAI_CREATE)
_LONG = tuple(Cell(workload, events=20_000) for workload in (Workload.RESPONSES_TEXT, Workload.CHAT_TEXT))


def measure_idle(run: Run) -> list[dict[str, Any]]:
    """All contenders at the same time, on any core, and while other workers begin: memory does not depend on that."""
    streams = 300 if run.quick else 1_000
    names = run.present((CODEX, OPENAI_CREATE) if run.quick else _IDLE_NAMES)
    run.say(f"memory of {streams} idle streams")
    run.prepare(_IDLE)
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        workers = {name: stack.enter_context(run.new_worker(name)) for name in names}
        for worker in workers.values():
            worker.begun(pinned=False).send("idle", run.setup(_IDLE, connections=streams), streams=streams)
        for name, worker in workers.items():
            with run.attempt(f"{name}: idle"):
                rows.append(_idle_row(name, worker, streams))
    return rows


def _idle_row(name: str, worker: Worker, streams: int) -> dict[str, Any]:
    result = worker.receive()
    mib = (result["after"] - result["before"]) * 1_000 / streams
    return {"contender": name, "streams": streams, "mib_per_1000": mib}


def measure_peak(run: Run) -> list[dict[str, Any]]:
    """Left out of a quick run: no goal is about it."""
    rows: list[dict[str, Any]] = []
    for cell in () if run.quick else _LONG:
        run.say(f"peak memory: {cell.workload}")
        run.prepare(cell)
        for name in run.present(CONTENDERS):
            with run.attempt(f"{name}: peak, {cell.workload}"), run.new_worker(name) as worker:
                result = worker.begun().ask("peak", run.setup(cell))
                run.check(name, cell, result["lengths"])
                rows.append({"contender": name, "workload": cell.workload, "mib": result["mib"]})
    return rows
