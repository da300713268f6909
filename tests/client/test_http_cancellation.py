"""Cancelled at any point whatever, a turn leaves its connection and its place in the pool behind for the next."""

from __future__ import annotations

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
from codex_client.testing import ManualClock, ReplayServer, Reply

pytestmark = pytest.mark.anyio

EVENTS = [b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n"]
# No turn here waits as often as this.
_MANY = 1000


@types.coroutine
def cancelled_at(wait: int, scope: anyio.CancelScope, turn: Callable[[], Awaitable[None]]) -> Generator[Any, Any, None]:
    """Run `turn`, and cancel `scope` in the moment in which it waits for the nth time."""
    steps = turn().__await__()
    number, resume = 0, partial(steps.send, None)
    while True:
        try:
            awaited = resume()
        except StopIteration:
            return
        number += 1
        if number == wait:
            scope.cancel()
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
                await cancelled_at(wait, scope, lambda executor=executor: turn(executor))
            # Waits without end for a place, if the cancelled turn has kept its own.
            with anyio.fail_after(10):
                await turn(RequestExecutor(config, auth=NoAuth()))
            assert server.open_connections <= 1
            await executor.aclose()
        if not scope.cancel_called:
            return
    raise AssertionError("the turn does not end")
