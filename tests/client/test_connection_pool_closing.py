"""Pools that are closed, and closing that is cancelled: nobody keeps a place, nobody gets a connection of no pool."""

from __future__ import annotations

import asyncio
import math

import anyio
import pytest

from codex_client.client.connection_pool import Connection, ConnectionPool, Origin
from codex_client.testing import ManualClock

HERE: Origin = ("https", "here.test", None)


class Slow:
    """A connection's transport. The first attempt to close it waits for `go_on`."""

    def __init__(self) -> None:
        self.begun = 0
        self.go_on = anyio.Event()
        self.closed = False

    async def aclose(self) -> None:
        self.begun += 1
        if self.begun == 1:
            await self.go_on.wait()
        self.closed = True


async def new_pool(max_connections: int = 10) -> ConnectionPool[Slow]:
    pool = ConnectionPool[Slow](
        max_connections=max_connections,
        keepalive_expiry=60,
        clock=ManualClock(),
        on_closed=lambda: None,
    )
    await pool.watch_loop()
    return pool


async def lend(pool: ConnectionPool[Slow]) -> Connection[Slow]:
    return await pool.lend(HERE, math.inf)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_who_is_cancelled_by_asyncio_while_old_ones_are_closed_keeps_no_place(anyio_backend: str) -> None:
    pool = await new_pool(max_connections=2)
    old, held = await lend(pool), await lend(pool)
    old.transport = slow = Slow()
    pool.abandon(old, None)
    task = asyncio.ensure_future(lend(pool))
    await anyio.wait_all_tasks_blocked()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not slow.closed
    # The one place that is free can be had without waiting, and what was left half closed is closed for it.
    await pool.lend(HERE, 0)
    assert slow.closed
    await pool.take_back(held, reusable=False)
    await pool.aclose()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_closing_that_is_cancelled_by_asyncio_reaches_every_connection(anyio_backend: str) -> None:
    pool = await new_pool()
    slow = [Slow() for _ in range(3)]
    for transport in slow:
        (await lend(pool)).transport = transport
    task = asyncio.ensure_future(pool.aclose())
    for _ in slow:
        await anyio.wait_all_tasks_blocked()
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [transport.begun for transport in slow] == [1, 1, 1]


async def test_who_waits_when_the_pool_is_closed_is_told_so() -> None:
    pool = await new_pool(max_connections=1)
    await lend(pool)

    async def wait() -> None:
        with pytest.raises(anyio.ClosedResourceError):
            await lend(pool)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        await pool.aclose()
    await wait()


async def test_who_is_served_in_the_moment_in_which_the_pool_is_closed_gets_nothing() -> None:
    pool = await new_pool(max_connections=1)
    held = await lend(pool)

    async def wait() -> None:
        with pytest.raises(anyio.ClosedResourceError):
            await lend(pool)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        pool._give_back(held, reusable=True)
        await pool.aclose()


async def test_who_is_lent_a_connection_while_the_pool_is_closed_gets_nothing() -> None:
    pool = await new_pool()
    old = await lend(pool)
    old.transport = slow = Slow()
    pool.abandon(old, None)

    async def ask() -> None:
        # Waits for the old one to be closed.
        with pytest.raises(anyio.ClosedResourceError):
            await lend(pool)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        await pool.aclose()
        slow.go_on.set()
