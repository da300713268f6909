"""A whole result of the benchmark that meets every goal, from made-up numbers."""

from __future__ import annotations

from itertools import product
from typing import Any

CPU_US = {
    "codex_client": 10.0,
    "codex_client aiohttp": 4.0,
    "httpx bytes": 9.0,
    "httpx-sse json": 25.0,
    "httpx-sse pydantic": 24.0,
    "aiohttp json": 11.0,
    "openai create": 210.0,
    "openai stream": 260.0,
    "litellm": 400.0,
}
STREAMS_PER_S = {"codex_client": 600.0, "codex_client aiohttp": 1_800.0, "httpx bytes": 80.0, "openai create": 300.0}
CPU_MS = {"codex_client": 1.4, "codex_client aiohttp": 0.5, "httpx bytes": 10.0, "openai create": 2.5}
MIB = {"codex_client": 33.0, "codex_client aiohttp": 30.0, "openai create": 45.0, "openai stream": 100.0}
COLD = {  # import ms, modules, first event ms
    "codex_client": (150.0, 420, 170.0),
    "httpx + pydantic": (110.0, 300, None),
    "openai create": (720.0, 1_300, 850.0),
    "litellm": (1_900.0, 2_400, 2_300.0),
}
GUARDED_CPU_US = {"unguarded": 10.0, "hold tail": 11.0, "hold all": 11.5}
ROUTES = ("Responses", "Chat", "Chat over Responses")
PROXIES = {  # CPU ms per stream of 500 events, streams per second, ms to the first event, MiB
    "codex_client gateway": (15.0, 60.0, 4.0, 70.0),
    "litellm proxy": (300.0, 3.0, 16.0, 420.0),
    "no proxy": (None, 300.0, 1.0, None),
}
WORKLOADS = ("responses-text", "responses-tools", "responses-reasoning", "chat-text", "chat-tools")
SHAPES = ("one-per-chunk", "64k", "paced")
LENGTHS = (1_000, 5_000, 20_000, 80_000, 160_000)


def bench_results() -> dict[str, Any]:
    return {
        "meta": {
            "date": "2026-01-02T03:04:05+00:00",
            "python": "3.11.7",
            "platform": "Linux",
            "cpus": 2,
            "quick": False,
            "rounds": 5,
            "versions": {"codex_client": "0.1.0", "httpx": "0.28.1"},
            "skipped": {},
        },
        "per_event": [
            {
                "contender": contender,
                "workload": workload,
                "shape": shape,
                "tls": tls,
                "events": 10_000,
                "cpu_us": cpu_us,
                "rounds": [cpu_us],
                "events_per_cpu_s": 1e6 / cpu_us,
                "first_event_ms": cpu_us / 10,
                "wall_us": cpu_us * 2,
            }
            for (contender, cpu_us), workload, shape, tls in product(CPU_US.items(), WORKLOADS, SHAPES, (False, True))
        ],
        "peak": [{"contender": contender, "workload": "responses-text", "mib": mib} for contender, mib in MIB.items()],
        "concurrency": [
            {
                "contender": contender,
                "in_flight": in_flight,
                "streams_per_s": streams,
                "cpu_ms_per_stream": CPU_MS[contender],
                "rounds": [[streams, CPU_MS[contender]]],
            }
            for (contender, streams), in_flight in product(STREAMS_PER_S.items(), (20, 100, 500, 1_000))
        ],
        "idle": [{"contender": contender, "streams": 1_000, "mib_per_1000": mib} for contender, mib in MIB.items()],
        "length": [
            {
                "contender": contender,
                "mode": mode,
                "workload": "responses-text",
                "events": events,
                "cpu_us": CPU_US[contender],
                "rounds": [CPU_US[contender]],
            }
            for contender, mode, events in product(
                ("codex_client", "openai stream"), ("async for", "collect", "aggregate"), LENGTHS
            )
        ],
        "cold": [
            {"contender": contender, "import_ms": import_ms, "modules": modules, "first_event_ms": first_event_ms}
            for contender, (import_ms, modules, first_event_ms) in COLD.items()
        ],
        "delay": [
            {"contender": contender, "tls": tls, "median_us": 60.0, "p99_us": 190.0}
            for contender, tls in product(("codex_client", "codex_client aiohttp"), (False, True))
        ],
        "guards": [
            {"contender": "codex_client", "guards": guards, "shape": shape, "cpu_us": cpu_us, "rounds": [cpu_us]}
            for (guards, cpu_us), shape in product(GUARDED_CPU_US.items(), SHAPES)
        ],
        "gateway": [
            {
                "contender": contender,
                "route": route,
                "in_flight": in_flight,
                "what": what,
                "events": 500,
                "streams_per_s": streams_per_s,
                "events_per_s": streams_per_s * 500,
                "first_event_ms": first_event_ms,
                "cpu_ms_per_stream": cpu_ms,
                "cpu_us": cpu_ms and cpu_ms * 2,
                "added_ms": first_event_ms - 1.0,
                "mib": mib,
                "rounds": [[cpu_ms, streams_per_s, first_event_ms]],
            }
            for (contender, (cpu_ms, streams_per_s, first_event_ms, mib)), route, (what, in_flight) in product(
                PROXIES.items(),
                ROUTES,
                (("turn", 1), ("turn", 50), ("stream", 1), ("stream", 50), ("paced", 1)),
            )
        ],
    }


def rows_with(results: dict[str, Any], figure: str, **where: object) -> list[dict[str, Any]]:
    """The rows to change; a search that finds none is a mistake of the test."""
    rows = [row for row in results[figure] if all(row[key] == value for key, value in where.items())]
    assert rows, f"no row of {figure} has {where}"
    return rows
