"""Cancelled at any point whatever, a turn leaves its connection and its place in the pool behind for the next."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any

import anyio
import httpx
import pytest

from codex_client.auth.static import NoAuth
from codex_client.client.config import ClientConfig
from codex_client.client.connections import ConnectionTransport
from codex_client.client.http import RequestExecutor
from codex_client.client.retry import AttemptBudget
from codex_client.testing import ManualClock, ReplayServer, Reply, Stall

pytestmark = pytest.mark.usefixtures("transport")

EVENTS = [b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n"]
# No turn here waits as often as this.
_MANY = 1000


@types.coroutine
def cancelled_at(
    wait: int, cancel: Callable[[], object], turn: Callable[[], Awaitable[None]], *, again: bool = False
) -> Generator[Any, Any, None]:
    """Run `turn`, and call `cancel` in the moment in which it waits for the nth time, or from then on each time."""
    steps = turn().__await__()
    number, resume = 0, partial(steps.send, None)
    while True:
        try:
            awaited = resume()
        except StopIteration:
            return
        number += 1
        if number == wait or (again and number > wait):
            cancel()
        try:
            resume = partial(steps.send, (yield awaited))
        except BaseException as error:  # noqa: BLE001 (thrown on into the turn)
            resume = partial(steps.throw, error)


async def turn(executor: RequestExecutor) -> None:
    answer = await executor.open(b"{}", budget=AttemptBudget(4, 5))
    try:
        while await answer.read_chunk():
            pass
    finally:
        await answer.aclose(drain=True)


@pytest.mark.parametrize(
    "replies",
    [
        lambda: Reply(body=EVENTS, transfer="chunked"),
        lambda: iter([Reply.error(500), Reply(body=EVENTS)] * _MANY).__next__,
        lambda: iter([Reply(status=307, headers={"location": "/x"}), Reply(body=EVENTS)] * _MANY).__next__,
    ],
    ids=["plain", "retried", "redirected"],
)
async def test_every_point_of_a_turn(replies: Callable[[], Any]) -> None:
    clock = ManualClock(auto_advance=True)
    for wait in range(1, _MANY):
        script = replies()
        answer = (lambda _, script=script: script()) if callable(script) else script
        transport = ConnectionTransport(max_connections=1, clock=clock)
        async with ReplayServer(answer) as server, httpx.AsyncClient(transport=transport) as client:
            config = ClientConfig(provider=server.provider(), model="m", http_client=client, clock=clock)
            executor = RequestExecutor(config, auth=NoAuth())
            with anyio.CancelScope() as scope:
                await cancelled_at(wait, scope.cancel, lambda executor=executor: turn(executor))
            # Waits without end for a place, if the cancelled turn has kept its own.
            with anyio.fail_after(10):
                await turn(RequestExecutor(config, auth=NoAuth()))
            assert server.open_connections <= 1
            await executor.aclose()
        if not scope.cancel_called:
            return
    raise AssertionError("the turn does not end")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("again", [False, True], ids=["once", "again and again"])
@pytest.mark.parametrize(
    "body, expired",
    [(EVENTS, False), (EVENTS, True), ([*EVENTS, Stall()], False)],
    ids=["first", "after an old connection", "without end"],
)
async def test_every_point_of_a_turn_cancelled_as_asyncio_does_it(
    body: list[Any], expired: bool, again: bool, anyio_backend: str
) -> None:
    """No shield stops `Task.cancel`, `asyncio.timeout` and `wait_for`."""
    task = asyncio.current_task()
    assert task is not None
    for wait in range(1, _MANY):
        clock = ManualClock(auto_advance=True)
        transport = ConnectionTransport(max_connections=1, clock=clock)
        reply = Reply(body=body, transfer="chunked")
        async with ReplayServer(reply) as server, httpx.AsyncClient(transport=transport) as client:
            config = ClientConfig(provider=server.provider(), model="m", http_client=client, clock=clock)
            executor = RequestExecutor(config, auth=NoAuth())
            if expired:
                await leave_early(executor)
                clock.advance(1000)
            was_cancelled = False
            try:
                turn = partial(leave_early, executor, clock if Stall() in body else None)
                await cancelled_at(wait, task.cancel, turn, again=again)
            except asyncio.CancelledError:
                was_cancelled = True
            while task.uncancel():
                pass
            # Waits without end for a place, if the cancelled turn has kept its own.
            async with asyncio.timeout(10):
                await leave_early(executor, clock)
            assert not executor._open
            assert not any(executor._buried.values())
            assert server.open_connections <= 1
            await executor.aclose()
            await client.aclose()
            await server.idle()
        if not was_cancelled:
            return
    raise AssertionError("the turn does not end")


async def leave_early(executor: RequestExecutor, clock: ManualClock | None = None) -> None:
    """A turn that is left after its first event. With a clock its body has no end: the time for that passes at once."""
    answer = await executor.open(b"{}", budget=AttemptBudget(4, 5))
    try:
        await answer.read_chunk()
    finally:
        if clock is None:
            await answer.aclose(drain=True)
        else:
            await passing(clock, partial(answer.aclose, drain=True))


@types.coroutine
def passing(clock: ManualClock, closing: Callable[[], Awaitable[None]]) -> Generator[Any, Any, None]:
    """Run `closing`; whenever it waits 30 ms pass."""
    steps = closing().__await__()
    resume = partial(steps.send, None)
    while True:
        try:
            awaited = resume()
        except StopIteration:
            return
        clock.advance(0.03)
        try:
            resume = partial(steps.send, (yield awaited))
        except BaseException as error:  # noqa: BLE001 (thrown on into the closing)
            resume = partial(steps.throw, error)
