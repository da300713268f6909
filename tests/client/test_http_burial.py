"""Answers that nobody closed: what becomes of them, and who is told."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
import trio

from codex_client.api import AttemptOutcome, AuthProvider, TurnRecord
from codex_client.auth.static import NoAuth
from codex_client.client.answer import HttpAnswer, report_quietly
from codex_client.client.config import ClientConfig
from codex_client.client.http import RequestExecutor
from codex_client.client.retry import AttemptBudget
from codex_client.errors import ServerError
from codex_client.testing import ReplayServer, Reply, Stall

pytestmark = pytest.mark.usefixtures("transport")

EVENT = b"data: 1\n\n"
OPEN_ENDED = Reply(body=[EVENT, Stall()], transfer="chunked")


class Reports:
    def __init__(self) -> None:
        self.told: list[AttemptOutcome] = []

    async def report(self, outcome: AttemptOutcome) -> None:
        await anyio.lowlevel.checkpoint()
        self.told.append(outcome)


@asynccontextmanager
async def executing(
    replies: Any, *, auth: AuthProvider | None = None
) -> AsyncIterator[tuple[RequestExecutor, ReplayServer]]:
    async with ReplayServer(replies) as server:
        executor = RequestExecutor(ClientConfig(provider=server.provider(), model="m"), auth=auth or NoAuth())
        yield executor, server
        await executor.aclose()
        await server.idle()


async def open_one(executor: RequestExecutor, **options: Any) -> HttpAnswer:
    return await executor.open(b"{}", budget=AttemptBudget(4, 5), **options)


async def test_the_next_turn_closes_what_was_abandoned_and_tells_its_end_once() -> None:
    reports = Reports()
    async with executing(OPEN_ENDED) as (executor, _):
        answer = await open_one(executor)
        answer.on_buried(reports.report)
        assert await answer.read_chunk() == EVENT
        answer.abandon()
        assert reports.told == []
        assert not answer._response.is_closed
        second = await open_one(executor)
        assert answer._response.is_closed
        assert reports.told == [AttemptOutcome(200)]
        await second.aclose()
    assert reports.told == [AttemptOutcome(200)]


async def test_closing_the_client_tells_it_too() -> None:
    reports = Reports()
    async with executing(OPEN_ENDED) as (executor, _):
        answer = await open_one(executor)
        answer.on_buried(reports.report)
        answer.abandon()
        await executor.aclose()
        assert reports.told == [AttemptOutcome(200)]


async def test_an_answer_that_is_closed_leaves_the_report_to_its_reader() -> None:
    reports = Reports()
    async with executing(OPEN_ENDED) as (executor, _):
        answer = await open_one(executor)
        answer.on_buried(reports.report)
        await answer.aclose()
        answer.abandon()
        await (await open_one(executor)).aclose()
    assert reports.told == []


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_burial_that_asyncio_cancels_is_done_by_the_next(anyio_backend: str) -> None:
    reports = Reports()
    async with executing(OPEN_ENDED) as (executor, server):
        answer = await open_one(executor)
        answer.on_buried(reports.report)
        await answer.read_chunk()
        answer.abandon()
        task = asyncio.ensure_future(open_one(executor))
        while not answer._response.is_closed:
            await anyio.lowlevel.checkpoint()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert reports.told == []
        await (await open_one(executor)).aclose()
        assert reports.told == [AttemptOutcome(200)]
        assert not any(executor._buried.values())
        assert len(server.requests) == 2


@pytest.mark.parametrize("run", [asyncio.run, trio.run], ids=["asyncio", "trio"])
def test_what_was_abandoned_in_a_loop_that_is_over_is_forgotten(run: Callable[..., None], transport: str) -> None:
    if transport == "aiohttp" and run is not asyncio.run:
        pytest.skip("aiohttp runs on asyncio only")
    executors: list[RequestExecutor] = []

    async def drop() -> None:
        async with ReplayServer(OPEN_ENDED) as server:
            if not executors:
                executors.append(RequestExecutor(ClientConfig(provider=server.provider(), model="m"), auth=NoAuth()))
            executors[0].url = f"{server.base_url}/responses"
            (await open_one(executors[0])).abandon()
            await server.idle()

    def in_loop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        run(main() if run is asyncio.run else main)

    for _ in range(3):
        in_loop(drop)
        assert len(executors[0]._buried) == 1
    in_loop(executors[0].aclose)
    assert executors[0]._buried == {}


@pytest.mark.parametrize("run", [asyncio.run, trio.run], ids=["asyncio", "trio"])
def test_what_was_abandoned_in_a_loop_that_runs_is_left_to_it(run: Callable[..., None], transport: str) -> None:
    if transport == "aiohttp" and run is not asyncio.run:
        pytest.skip("aiohttp runs on asyncio only")
    abandoned, looked = threading.Event(), threading.Event()
    executors: list[RequestExecutor] = []

    async def drop() -> None:
        async with ReplayServer(OPEN_ENDED) as server:
            executors.append(RequestExecutor(ClientConfig(provider=server.provider(), model="m"), auth=NoAuth()))
            answer = await open_one(executors[0])
            answer.abandon()
            abandoned.set()
            await anyio.to_thread.run_sync(looked.wait)
            assert not answer._response.is_closed
            await executors[0].aclose()
            assert answer._response.is_closed

    thread = threading.Thread(target=lambda: run(drop() if run is asyncio.run else drop))
    thread.start()
    assert abandoned.wait(30)
    asyncio.run(executors[0]._finish_buried())
    looked.set()
    thread.join()
    assert not any(executors[0]._buried.values())


async def test_a_report_that_fails_is_logged_by_its_class_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Unwritable(NoAuth):
        async def report(self, lease: Any, outcome: AttemptOutcome) -> None:
            raise ValueError("canary")

    async with executing([400, Reply().at("head", Stall())], auth=Unwritable()) as (executor, server):
        with pytest.raises(Exception, match="400"):
            await open_one(executor)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:

                async def cancel() -> None:
                    await server.at_rest()
                    scope.cancel()

                tasks.start_soon(cancel)
                await open_one(executor)
        assert scope.cancelled_caught
    records = [record for record in caplog.records if record.name == "codex_client"]
    assert [(record.levelno, record.getMessage()) for record in records] == [
        (logging.WARNING, "the auth provider's report failed: ValueError")
    ] * 2


async def test_a_report_is_made_also_where_its_turn_is_cancelled() -> None:
    reports = Reports()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await report_quietly(reports.report, AttemptOutcome(200))
    assert reports.told == [AttemptOutcome(200)]


class Broken:
    """An observer that fails."""

    def record(self, record: TurnRecord) -> None:
        raise ZeroDivisionError("a bug in an observer")


@pytest.mark.parametrize("reply, status, error", [(OPEN_ENDED, 200, None), (500, 500, ServerError)])
async def test_an_observer_that_fails_leaves_no_answer_open_and_no_attempt_unreported(
    reply: Any, status: int, error: type[Exception] | None
) -> None:
    outcomes: list[AttemptOutcome] = []

    class Noting(NoAuth):
        async def report(self, lease: Any, outcome: AttemptOutcome) -> None:
            outcomes.append(outcome)

    async with executing([reply], auth=Noting()) as (executor, server):
        with pytest.raises(ZeroDivisionError):
            await open_one(executor, observer=Broken())
        assert not executor._open
        if error is None:
            await server.idle()
    assert [(outcome.status, type(outcome.error)) for outcome in outcomes] == [(status, error or type(None))]
