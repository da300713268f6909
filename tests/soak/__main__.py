"""The soak test: `python -m tests.soak --seconds 600`. Exits with 1 where a stream went astray or something grew."""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import os
import random
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from tempfile import TemporaryDirectory

import anyio

from tests.soak.accounting import Ending, Ledger
from tests.soak.growth import Growth, closed_growth, growth_table, load_growth, quiet_growth
from tests.soak.load import Load, open_clients
from tests.soak.plans import Plan, draw_plan
from tests.soak.samples import fill_string_cache, settled_sample
from tests.soak.streams import HANG_SECONDS

# What a run needs beside its load: streams that are still open at the end, two waves, and the start of Python.
_OVERHEAD_SECONDS = 10.0
_LEAST_SECONDS = 15.0
_WARM_UP_SHARE = 0.3
_MOST_WARM_UP_SECONDS = 60.0


def main() -> int:
    options = parse_options()
    runs = runs_of(options.backend, options.transport)
    if options.backend is not None:
        [(_, options.transport)] = runs
        return _run_here(options)
    seconds = options.seconds / len(runs)
    return max([_run_apart(backend, transport, seconds, options) for backend, transport in runs])


def runs_of(backend: str | None, transport: str | None) -> list[tuple[str, str]]:
    """Event loops and transports: those asked for, else asyncio and trio, and aiohttp where it is installed."""
    if transport is None:
        transports = ["httpx"] if backend or not find_spec("aiohttp") else ["httpx", "aiohttp"]
    else:
        transports = [transport]
    backends = [backend] if backend else ["asyncio", "trio"]
    # aiohttp knows no trio.
    return [(loop, name) for name in transports for loop in backends if (loop, name) != ("trio", "aiohttp")]


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="for all runs together (600)")
    parser.add_argument("--streams", type=int, default=200, help="how many at once (200)")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="of what the streams meet and do")
    parser.add_argument("--backend", choices=["asyncio", "trio"], help="one run only, on this event loop")
    parser.add_argument(
        "--transport", choices=["httpx", "aiohttp", "http2"], help="this one only (all; with --backend httpx)"
    )
    parser.add_argument("--only", type=int, metavar="N", help="repeat stream N of this seed and no other")
    parser.add_argument("--leak", type=int, default=0, metavar="BYTES", help="keep these per stream, to see it fail")
    options = parser.parse_args(arguments)
    if not runs_of(options.backend, options.transport):
        parser.error(f"{options.transport} does not run on {options.backend}")
    return options


def _run_apart(backend: str, transport: str, seconds: float, options: argparse.Namespace) -> int:
    """In a process of its own: memory that one run has given back would hide what the next one loses."""
    arguments = [*sys.argv[1:], "--backend", backend, "--transport", transport]
    arguments += ["--seconds", str(seconds), "--seed", str(options.seed)]
    return subprocess.run([sys.executable, "-m", "tests.soak", *arguments], check=False).returncode


def _run_here(options: argparse.Namespace) -> int:
    load_seconds = max(options.seconds, _LEAST_SECONDS) - _OVERHEAD_SECONDS
    _say(
        f"soak: {options.backend}, {options.transport}, {options.streams} streams at once, {options.seconds:.0f} s, "
        f"seed {options.seed}"
    )
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        # The way to loopback leads through none.
        del os.environ[name]
    # Nothing in here may wait for ever, so this is reached only by a loop that does not turn any more.
    faulthandler.dump_traceback_later(options.seconds + 5 * HANG_SECONDS, exit=True)
    ledger = Ledger()
    http2 = options.transport == "http2"
    with _server(options.seed, http2=http2) as base_url, _dead_port() as dead_url, _complaints_are_faults(ledger):
        soak = partial(_soak, options, ledger, base_url, dead_url, load_seconds)
        growths = anyio.run(soak, backend=options.backend)
    return _report(ledger, growths)


async def _soak(
    options: argparse.Namespace, ledger: Ledger, base_url: str, dead_url: str, seconds: float
) -> list[Growth]:
    backend = options.backend
    if backend == "asyncio":
        asyncio.get_running_loop().set_exception_handler(lambda _, context: ledger.add_fault(f"unhandled: {context}"))

    def plan_of(number: int) -> Plan:
        return draw_plan(options.seed, number if options.only is None else options.only)

    warm_up = min(seconds * _WARM_UP_SHARE, _MOST_WARM_UP_SECONDS)
    fill_string_cache()
    before = await settled_sample(0, backend=backend)
    async with open_clients(base_url, dead_url, transport=options.transport) as clients:
        load = Load(clients, ledger, plan_of, backend=backend, width=options.streams, leak=options.leak)
        await load.run(warm_up)
        warm = await load.quiet()
        # The samples themselves would be counted if they were kept.
        under_load = load_growth(await load.run(seconds - warm_up))
        done = await load.quiet()
    after = await settled_sample(ledger.ended, backend=backend)
    return [*under_load, *quiet_growth(warm, done), *closed_growth(before, after)]


@contextmanager
def _server(seed: int, *, http2: bool) -> Iterator[str]:
    """A server in a process of its own, its certificate trusted in this one. Gives its base URL."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.soak.server", str(seed)]
        if http2:
            os.environ["SSL_CERT_FILE"] = f"{folder}/authority.pem"
            command.append(os.environ["SSL_CERT_FILE"])
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdin is not None
            assert server.stdout is not None
            try:
                yield server.stdout.readline().strip()
            finally:
                server.stdin.close()


@contextmanager
def _dead_port() -> Iterator[str]:
    """A port that is taken, and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


@contextmanager
def _complaints_are_faults(ledger: Ledger) -> Iterator[None]:
    """What a finaliser raises is told to nobody else: unclosed sockets, coroutines that were never awaited."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda raised: ledger.add_fault(f"in a finaliser: {raised.exc_value!r}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ResourceWarning)
            warnings.simplefilter("error", RuntimeWarning)
            # That is what one of the behaviours does.
            warnings.filterwarnings("ignore", "a ResponseStream was dropped while open", ResourceWarning)
            yield
    finally:
        sys.unraisablehook = hook


def _report(ledger: Ledger, growths: Sequence[Growth]) -> int:
    problems = [*ledger.problems(), *(f"{each.name} has grown" for each in growths if each.too_much)]
    _say(*ledger.table(), "", *growth_table(growths), "")
    counts = ", ".join(f"{ledger.count(ending)} {ending}" for ending in Ending)
    _say(f"{ledger.started} started: {counts}", *(f"FAULT: {problem}" for problem in problems), "")
    return 1 if problems else 0


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
