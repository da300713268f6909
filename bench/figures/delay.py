"""What the library adds between the bytes and the event (see `bench.worker.delay` for how it is taken)."""

from __future__ import annotations

from statistics import median, quantiles
from typing import Any

from bench.contenders import CODEX, CODEX_AIOHTTP, FLOOR, HTTPX_SSE, OPENAI_CREATE, OPENAI_STREAM
from bench.run import Run
from bench.workloads import Cell, Shape, Workload

_NAMES = (CODEX, CODEX_AIOHTTP, FLOOR, HTTPX_SSE, OPENAI_CREATE, OPENAI_STREAM)
# Two seconds, and half a second, of events at 400/s.
_EVENTS, _QUICK_EVENTS = 800, 200


def measure(run: Run) -> list[dict[str, Any]]:
    cell = Cell(Workload.RESPONSES_TEXT, Shape.PACED, _QUICK_EVENTS if run.quick else _EVENTS)
    run.prepare(cell)
    rows: list[dict[str, Any]] = []
    for tls in (False, True):
        for name in run.present((CODEX,) if run.quick else _NAMES):
            run.say(f"delay: {name}{', TLS' if tls else ''}")
            with run.attempt(f"{name}: delay{', TLS' if tls else ''}"):
                rows.append(_row(run, name, cell, tls))
    return rows


def _row(run: Run, name: str, cell: Cell, tls: bool) -> dict[str, Any]:
    delays = run.workers[name].ask("delay", run.setup(cell, tls=tls))
    return {
        "contender": name,
        "tls": tls,
        "median_us": median(delays) * 1e6,
        "p99_us": quantiles(delays, n=100)[98] * 1e6,
    }
