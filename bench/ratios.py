"""The one table of ratios: a run at a glance, each line a cost, each column a contender's over codex_client's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.contenders import CODEX, CONTENDERS
from bench.result_file import WORKLOADS, NotMeasured, Results, entry, number
from bench.tables import Table, workload_name

_SHAPE_NAMES = {"one-per-chunk": "one per chunk", "64k": "64 KiB chunks", "paced": "paced"}
_IN_FLIGHT = (20, 100, 500, 1_000)


@dataclass(frozen=True)
class Line:
    """`key` in the row of `figure` that has all of `where`; `is_speed` where it is the inverse of a cost."""

    name: str
    figure: str
    key: str
    where: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_speed: bool = False

    def cost(self, contender: str, results: Results) -> float | None:
        try:
            measured = entry(self.figure, self.key, contender, **self.where).of(results)
        except NotMeasured:
            return None
        return 1 / measured if self.is_speed else measured

    def ratios(self, results: Results) -> dict[str, float]:
        """Of each contender that has one."""
        ours = self.cost(CODEX, results)
        costs = {name: self.cost(name, results) for name in CONTENDERS if name != CODEX}
        return {name: cost / ours for name, cost in costs.items() if ours is not None and cost is not None}


def ratios(results: Results) -> list[Table]:
    """One table, or none; lines and columns without any ratio are left out."""
    lines = {line.name: found for line in _lines() if (found := line.ratios(results))}
    names = tuple(name for name in CONTENDERS if any(name in found for found in lines.values()))
    cells = tuple(
        tuple((f"{number(found[name])}×" if name in found else "", "") for name in names) for found in lines.values()
    )
    return [Table("what each costs, as a multiple of what codex_client costs", names, tuple(lines), cells)] * bool(
        lines
    )


def _lines() -> Iterator[Line]:
    for shape, shape_name in _SHAPE_NAMES.items():
        for tls in (False, True):
            for workload in WORKLOADS:
                name = f"{workload_name(workload)}, {shape_name}{', TLS' if tls else ''}"
                yield Line(name, "per_event", "cpu_us", {"workload": workload, "shape": shape, "tls": tls})
    collected = {"mode": "collect", "workload": "responses-text", "events": 20_000}
    yield Line("collect() of 20,000 events", "length", "cpu_us", collected)
    for in_flight in _IN_FLIGHT:
        where = {"in_flight": in_flight}
        yield Line(f"time per stream, {in_flight:,} in flight", "concurrency", "streams_per_s", where, is_speed=True)
    for in_flight in _IN_FLIGHT:
        yield Line(
            f"CPU per stream, {in_flight:,} in flight", "concurrency", "cpu_ms_per_stream", {"in_flight": in_flight}
        )
    yield Line("memory per open idle stream", "idle", "mib_per_1000")
    yield Line("peak memory, one long stream", "peak", "mib", {"workload": "responses-text"})
    yield Line("import", "cold", "import_ms")
    yield Line("cold process to first event", "cold", "first_event_ms")
    yield Line("delay of an event", "delay", "median_us", {"tls": False})
    yield Line("delay of an event, TLS", "delay", "median_us", {"tls": True})
