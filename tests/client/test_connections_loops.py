"""One transport in several event loops, one after the other and at once."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import httpx
import pytest
import trio

from codex_client.auth.static import NoAuth
from codex_client.client.config import ClientConfig
from codex_client.client.connections import ConnectionTransport
from codex_client.client.http import RequestExecutor
from codex_client.client.retry import AttemptBudget
from codex_client.testing import ReplayServer, Reply, Stall

EVENT = b"data: 1\n\n"
OPEN_ENDED = Reply(body=[EVENT, Stall()], transfer="chunked")
Runner = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


def run_asyncio(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


def run_trio(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    trio.run(main)


@pytest.mark.parametrize(
    "runs", [[run_asyncio, run_asyncio], [run_trio, run_trio], [run_asyncio, run_trio, run_asyncio]]
)
def test_every_event_loop_gets_connections_of_its_own(runs: list[Runner]) -> None:
    client = httpx.AsyncClient(transport=ConnectionTransport())

    async def main() -> None:
        async with ReplayServer(EVENT) as server:
            for _ in range(2):
                assert (await client.post(f"{server.url}/x", content=b"{}")).content == EVENT
            assert server.connections_made == 1

    for run in runs:
        run(main)
        gc.collect()
    run_asyncio(client.aclose)


@pytest.mark.parametrize("run", [run_asyncio, run_trio])
def test_a_stream_left_open_when_its_loop_ends_leaks_nothing(run: Runner) -> None:
    transport = ConnectionTransport(max_connections=1)
    client = httpx.AsyncClient(transport=transport)

    async def main() -> None:
        async with ReplayServer(OPEN_ENDED) as server:
            request = client.build_request("POST", f"{server.url}/x")
            assert (await client.send(request, stream=True)).status_code == 200

    for _ in range(2):
        run(main)
        gc.collect()
    run(client.aclose)


def test_a_loop_that_was_closed_without_goodbye_is_forgotten() -> None:
    client = httpx.AsyncClient(transport=ConnectionTransport())

    async def main() -> None:
        async with ReplayServer(EVENT) as server:
            await client.post(f"{server.url}/x")

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    del loop
    with warnings.catch_warnings():
        # asyncio's own complaint, about whoever closed the loop like that.
        warnings.simplefilter("ignore", ResourceWarning)
        run_asyncio(main)
        gc.collect()
    run_asyncio(client.aclose)


def test_two_loops_in_two_threads_do_not_disturb_each_other() -> None:
    client = httpx.AsyncClient(transport=ConnectionTransport())
    meeting, errors = threading.Barrier(2, timeout=30), list[BaseException]()

    async def main() -> None:
        async with ReplayServer(EVENT) as server:
            for _ in range(5):
                await anyio.to_thread.run_sync(meeting.wait)
                assert (await client.post(f"{server.url}/x")).content == EVENT
            assert server.connections_made == 1

    def run() -> None:
        try:
            run_asyncio(main)
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    run_asyncio(client.aclose)


@pytest.mark.parametrize("run", [run_asyncio, run_trio])
@pytest.mark.parametrize("leave", ["open", "abandoned"])
def test_an_executor_survives_the_loop_that_its_answers_belong_to(run: Runner, leave: str) -> None:
    executors: list[RequestExecutor] = []

    async def main() -> None:
        async with ReplayServer(OPEN_ENDED) as server:
            if not executors:
                config = ClientConfig(provider=server.provider(), model="m")
                executors.append(RequestExecutor(config, auth=NoAuth()))
            executors[0].url = f"{server.base_url}/responses"
            answer = await executors[0].open(b"{}", budget=AttemptBudget(0, 0))
            assert await answer.read_chunk() == EVENT
            if leave == "abandoned":
                answer.abandon()
                await server.idle()

    for _ in range(2):
        run(main)
        gc.collect()
    run(executors[0].aclose)
