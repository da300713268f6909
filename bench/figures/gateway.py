"""What a proxy costs and adds: the gateway beside the proxy of litellm, and beside no proxy at all.

Each proxy is a process of its own on the clients' core, where no other works while it does. It is begun by its own
command, wants a key and logs a line for each request, as it comes. One reader, which costs little, has its place on the
server's core and asks the server through each in turn. CPU is that of the proxy's process. A turn is a stream of 20
events; what an event costs is taken from longer streams, and has the turn's share in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.contenders import AIOHTTP
from bench.memory import rss_mib
from bench.processes import Worker, cores
from bench.proxies import DIRECT, GATEWAY, LITELLM_PROXY, Proxy
from bench.run import Run, medians
from bench.workloads import Cell, Shape, Workload

# What the client asks, and what the proxy asks for it.
_ROUTES = {
    "Responses": ("responses", Workload.RESPONSES_TEXT),
    "Chat": ("chat", Workload.CHAT_TEXT),
    "Chat over Responses": ("chat", Workload.RESPONSES_TEXT),
}
# What is asked for, how many at once and how many in all. Paced, fifty would be more than a proxy can keep up with.
_STREAMS = (("turn", 1, 50), ("turn", 50, 100), ("stream", 1, 10), ("stream", 50, 50), ("paced", 1, 1))
_MOST_ROUNDS = 3


@dataclass(frozen=True)
class Level:
    """One way to ask: so many streams of `cell` in all."""

    run: Run
    reader: Worker
    proxies: dict[str, Proxy]
    route: str
    in_flight: int
    what: str
    cell: Cell
    streams: int

    def __str__(self) -> str:
        return f"{self.route}, {self.what}, {self.in_flight} in flight"

    def rows(self) -> list[dict[str, Any]]:
        self.run.prepare(self.cell)
        rounds = min(self.run.rounds, _MOST_ROUNDS)
        measured = self.run.measured([*self.proxies, DIRECT], rounds, self._name, self._one)
        direct = [first_event_ms for _, _, first_event_ms in measured.get(DIRECT, [])]
        return [self._row(name, values, direct) for name, values in measured.items()]

    def _name(self, proxy: str) -> str:
        return f"{proxy}: {self}"

    def _one(self, name: str) -> tuple[float, float, float]:
        """CPU of the proxy per stream in ms, streams per second, and ms from asking to the first event. Turns find the
        connections open; beside the longer streams, to open them is nothing.
        """
        result = self.reader.ask(
            "concurrent",
            self._setup(name),
            in_flight=self.in_flight,
            ahead=self.in_flight if self.what == "turn" else 0,
            streams=self.streams,
            **({"about": f" {self.cell.path}", "proxy": self.proxies[name].pid} if name != DIRECT else {}),
        )
        self.run.check(AIOHTTP, self.cell, result["lengths"])
        return result["cpu"] / self.streams * 1e3, self.streams / result["wall"], median(result["waits"]) * 1e3

    def _setup(self, name: str) -> dict[str, Any]:
        """A proxy always asks the same address, and the prompt names the cell there. Who asks the server itself does it
        in its own API.
        """
        setup = self.run.setup(self.cell, connections=self.in_flight)
        return setup if name == DIRECT else {**setup, "base_url": self.proxies[name].base_url, "api": _api(self.route)}

    def _row(self, name: str, rounds: Sequence[tuple[float, float, float]], direct: Sequence[float]) -> dict[str, Any]:
        cpu_ms, streams_per_s, first_event_ms = medians(rounds)
        row = {
            "contender": name,
            "route": self.route,
            "in_flight": self.in_flight,
            "what": self.what,
            "events": self.cell.events,
            "streams_per_s": streams_per_s,
            "events_per_s": streams_per_s * self.cell.events,
            "first_event_ms": first_event_ms,
            "rounds": rounds,
        }
        if name == DIRECT:
            return row
        added = [through - without for (_, _, through), without in zip(rounds, direct, strict=False)]
        return row | {
            "cpu_ms_per_stream": cpu_ms,
            "cpu_us": cpu_ms / self.cell.events * 1e3,
            "added_ms": median(added) if added else None,
            "mib": rss_mib(self.proxies[name].pid),
        }


def measure(run: Run) -> list[dict[str, Any]]:
    """Left out of a quick run: litellm's proxy takes a good part of one to begin."""
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack, run.attempt(f"{AIOHTTP}: gateway"):
        if not run.quick:
            run.say("gateway: the proxies begin")
            reader = stack.enter_context(run.new_worker(AIOHTTP)).begun(pinned=False)
            reader.pin(cores()[1])
            for level in _levels(run, reader, _proxies(run, stack)):
                run.say(f"gateway: {level}")
                rows += level.rows()
    return rows


def _proxies(run: Run, stack: ExitStack) -> dict[str, dict[str, Proxy]]:
    """By the API that they ask upstream: those that take part, all begun at once."""
    beginning: dict[tuple[str, str], Proxy] = {}
    for name in (GATEWAY, LITELLM_PROXY):
        for api in ("responses", "chat"):
            with run.attempt(name):
                beginning[api, name] = stack.enter_context(Proxy(name, run.python(name), run.server.any_url, api))
    begun: dict[str, dict[str, Proxy]] = {"responses": {}, "chat": {}}
    for (api, name), proxy in beginning.items():
        with run.attempt(name):
            begun[api][name] = proxy.begun()
    return begun


def _levels(run: Run, reader: Worker, proxies: dict[str, dict[str, Proxy]]) -> Iterator[Level]:
    for route, (_, workload) in _ROUTES.items():
        cells = {
            "turn": Cell(workload, events=20),
            "stream": Cell(workload, events=500),
            "paced": Cell(workload, Shape.PACED, 400),
        }
        for what, in_flight, streams in _STREAMS:
            yield Level(run, reader, proxies[workload.api], route, in_flight, what, cells[what], streams)


def _api(route: str) -> str:
    return _ROUTES[route][0]
