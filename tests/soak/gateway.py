"""The soak test of the gateway: `python -m tests.soak.gateway --seconds 300`. Exits with 1 where a turn went astray or
the gateways have grown.

The provider, the gateways and their callers are a process each.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import anyio
import httpx

from tests.soak.accounting import Ending, Ledger
from tests.soak.gateway_calls import HANG_SECONDS, call, fault_of, gateway_for
from tests.soak.growth import Growth, Sample, growth_table, quiet_growth
from tests.soak.plans import Plan, Scenario, draw_plan, slow_plan

# Longer than any pause of a provider that goes on, on a machine with something else to do.
_IDLE_SECONDS = 10.0
_WARM_UP_SHARE = 0.3
# For three gateways, more for each than a client keeps idle (100).
_WAVE = 390


class Gateways:
    """The process of `gateway_process`. `urls`: their base URLs, by name."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.urls: Mapping[str, str] = self._told()

    def sample(self, streams: int) -> Sample:
        """What it holds after so many turns, none of which runs."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        told = self._told()
        if told.pop("in_flight"):
            raise RuntimeError("a turn runs on that no caller waits for")
        return Sample(**{**told, "streams": streams})

    def _told(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


class GatewayLoad:
    """`width` callers, each beginning a turn as soon as its last one has ended. `only` repeats one plan."""

    def __init__(self, urls: Mapping[str, str], ledger: Ledger, *, seed: int, width: int, only: int | None) -> None:
        self._urls = urls
        self._ledger = ledger
        self._seed = seed
        self._width = width
        self._numbers: Iterator[int] = itertools.count() if only is None else itertools.repeat(only)
        # Nothing here speaks TLS, and a context for each caller takes its time.
        self._tls = ssl.create_default_context()

    async def run(self, seconds: float) -> None:
        """Begin turns for so long, and return when they have ended."""
        end_at = time.monotonic() + seconds
        async with anyio.create_task_group() as tasks:
            for _ in range(self._width):
                tasks.start_soon(self._work, end_at)

    async def _work(self, end_at: float) -> None:
        async with self._client() as http:
            while time.monotonic() < end_at:
                await self._turn(http, self._next_plan())

    async def wave(self) -> None:
        """So many turns at once that each gateway keeps as many idle connections to its provider as it ever does."""
        async with anyio.create_task_group() as tasks:
            for number in range(_WAVE):
                tasks.start_soon(self._one, slow_plan(number))

    async def _one(self, plan: Plan) -> None:
        async with self._client() as http:
            await self._turn(http, plan)

    async def _turn(self, http: httpx.AsyncClient, plan: Plan) -> None:
        self._ledger.start()
        self._ledger.end(plan, await call(http, self._urls[gateway_for(plan)], plan))

    def _client(self) -> httpx.AsyncClient:
        """One for each caller: many connections in one of httpx's pools cost more than the turns."""
        return httpx.AsyncClient(trust_env=False, verify=self._tls, timeout=HANG_SECONDS)

    def _next_plan(self) -> Plan:
        """Nobody listening is the fault of another server than the one that there is."""
        plans = (draw_plan(self._seed, number) for number in self._numbers)
        return next(plan for plan in plans if plan.scenario is not Scenario.REFUSED)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.gateway", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long (300)")
    parser.add_argument("--streams", type=int, default=200, help="how many at once (200)")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="of what the turns meet and do")
    parser.add_argument("--only", type=int, metavar="N", help="repeat turn N of this seed and no other")
    options = parser.parse_args()
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        # The way to loopback leads through none.
        del os.environ[name]
    _say(f"gateway soak: {options.streams} turns at once, {options.seconds:.0f} s, seed {options.seed}")
    ledger = Ledger(fault_of)
    with _process("tests.soak.server", str(options.seed)) as server:
        assert server.stdout is not None
        upstream = server.stdout.readline().strip()
        with _process("tests.soak.gateway_process", upstream, str(_IDLE_SECONDS)) as process:
            growths = anyio.run(_soak, options, Gateways(process), ledger)
    return _report(ledger, growths)


async def _soak(options: argparse.Namespace, gateways: Gateways, ledger: Ledger) -> list[Growth]:
    load = GatewayLoad(gateways.urls, ledger, seed=options.seed, width=options.streams, only=options.only)
    await load.run(options.seconds * _WARM_UP_SHARE)
    await load.wave()
    warm = gateways.sample(ledger.ended)
    await load.run(options.seconds * (1 - _WARM_UP_SHARE))
    await load.wave()
    return quiet_growth(warm, gateways.sample(ledger.ended))


@contextmanager
def _process(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A module of ours that ends when its standard input does."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        try:
            yield process
        finally:
            process.stdin.close()


def _report(ledger: Ledger, growths: Sequence[Growth]) -> int:
    problems = [*ledger.problems(), *(f"{each.name} has grown" for each in growths if each.too_much)]
    _say(*ledger.table(), "", *growth_table(growths), "")
    counts = ", ".join(f"{ledger.count(ending)} {ending}" for ending in Ending)
    _say(f"{ledger.started} started: {counts}", *(f"FAULT: {problem}" for problem in problems))
    return 1 if problems else 0


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
