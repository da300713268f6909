"""`python -m bench.worker CONTENDER`: one contender in a process of its own.

Each line on stdin is a command as JSON, `{"do": name, ...}`; each line on stdout its answer, `{"result": ...}` or
`{"error": text}`. The first line it writes is not asked for: whether the contender works here at all. It ends when its
stdin ends. CPU is that of the whole process, system calls included (`time.process_time`), in seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from bench.contenders import CONTENDERS, Contender
from bench.contenders.base import Reading, Setup
from bench.cpu import cpu_seconds
from bench.memory import allow_many_files, peak_mib, rss_mib
from bench.watched import Watch
from bench.workloads import WARM_UP

PROMPT = "Why are there tides?"


async def measure(contender: Contender, setup: Setup, mode: str, least: float) -> dict[str, Any]:
    """Streams one after the other until they have taken `least` seconds of CPU, on a connection that is open and with
    code that is warm.
    """
    async with contender.open(setup) as client:
        await client.read(WARM_UP)
        read: Callable[[str], Awaitable[Reading]] = getattr(client, mode)
        readings: list[Reading] = []
        gc.collect()
        cpu, wall = 0.0, time.perf_counter()
        begun = time.process_time()
        while not readings or cpu < least:
            readings.append(await read(PROMPT))
            cpu = time.process_time() - begun
        wall = time.perf_counter() - wall
    return {
        "cpu": cpu,
        "wall": wall,
        "lengths": [reading.length for reading in readings],
        "first_at": [reading.first_at for reading in readings],
    }


async def concurrent(
    contender: Contender,
    setup: Setup,
    in_flight: int,
    ahead: int,
    streams: int,
    about: str = "",
    proxy: int | None = None,
) -> dict[str, Any]:
    """So many readers, each with one stream after the other until `streams` are done; `ahead` that do not count come
    before and open connections.

    `about` is added to each prompt, for a server that is asked through a proxy. `proxy` is the process whose CPU is
    told; None for this one. The waits are seconds from asking to the first event.
    """
    readings: list[Reading] = []
    waits: list[float] = []
    cpu_now = time.process_time if proxy is None else partial(cpu_seconds, proxy)

    async def reader(left: list[None]) -> None:
        while left:
            left.pop()
            asked_at = time.monotonic()
            readings.append(await client.read(PROMPT + about))
            waits.append(readings[-1].first_at - asked_at)

    async def readers(count: int) -> None:
        left = [None] * count
        async with asyncio.TaskGroup() as group:
            for _ in range(in_flight):
                group.create_task(reader(left))

    async with contender.open(setup) as client:
        await client.read(WARM_UP + about)
        await readers(ahead)
        readings.clear()
        waits.clear()
        gc.collect()
        wall, cpu = time.perf_counter(), cpu_now()
        await readers(streams)
        cpu, wall = cpu_now() - cpu, time.perf_counter() - wall
    return {"cpu": cpu, "wall": wall, "lengths": [reading.length for reading in readings], "waits": waits}


async def idle(contender: Contender, setup: Setup, streams: int) -> dict[str, float]:
    """Memory in MiB before and after opening streams that have given their first event and then are silent."""
    async with contender.open(setup) as client, AsyncExitStack() as stack:
        await client.read(WARM_UP)
        gc.collect()
        before = rss_mib()
        for _ in range(streams):
            events = await stack.enter_async_context(client.stream(PROMPT))
            await anext(aiter(events))
        gc.collect()
        return {"before": before, "after": rss_mib()}


async def peak(contender: Contender, setup: Setup) -> dict[str, Any]:
    async with contender.open(setup) as client:
        reading = await client.read(PROMPT)
    return {"mib": peak_mib(), "lengths": [reading.length]}


async def delay(contender: Contender, setup: Setup) -> list[float]:
    """Seconds from the return of a chunk by the transport to each event that it gives, on a paced stream.

    Below an httpx client stands the library's transport, wrapped so that the time is noted as each chunk comes out of
    it; what is above it, from HTTP response to event, is the library's own. The stream is paced, so that the chunk that
    came last is the one that the event was in.
    """
    watch = Watch()
    async with contender.open(Setup(setup.base_url, setup.api, wrap=watch.wrap)) as client:
        await client.read(WARM_UP)
        gc.collect()
        async with client.stream(PROMPT) as events:
            return [time.perf_counter() - watch.returned_at async for _ in events]


async def check(contender: Contender) -> None:
    """Open a client that asks for nothing: raises where the contender cannot take part."""
    async with contender.open(Setup("http://127.0.0.1:1/v1", "responses")):
        pass


_COMMANDS: dict[str, Callable[..., Awaitable[Any]]] = {
    "measure": measure,
    "concurrent": concurrent,
    "idle": idle,
    "peak": peak,
    "delay": delay,
}


def _answer(runner: asyncio.Runner, awaitable: Awaitable[Any]) -> dict[str, Any]:
    async def awaited() -> Any:
        return await awaitable

    try:
        return {"result": runner.run(awaited())}
    except Exception as error:  # noqa: BLE001
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        return {"error": f"{type(error).__name__}: {error}"}


def main(name: str) -> None:
    # An interrupt from the keyboard goes to the whole group; the orchestrator ends this process by closing its stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    allow_many_files()
    contender = CONTENDERS[name]
    # What a library prints must not get between the answers.
    with os.fdopen(os.dup(1), "w") as answers, contextlib.redirect_stdout(sys.stderr), asyncio.Runner() as runner:
        print(json.dumps(_answer(runner, check(contender))), file=answers, flush=True)
        for line in sys.stdin:
            command = json.loads(line)
            do = _COMMANDS[command.pop("do")]
            setup = Setup(**command.pop("setup"))
            print(json.dumps(_answer(runner, do(contender, setup, **command))), file=answers, flush=True)
        # Nothing is left to close, and to take down the modules of some contenders takes a second.
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
