"""Lending connections: reuse, bound, fairness, expiry. No sockets: a connection is a thing that can be closed."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from codex_client.client.connection_pool import Connection, ConnectionPool, Origin
from codex_client.testing import ManualClock

HERE: Origin = ("https", "here.test", None)
THERE: Origin = ("https", "there.test", None)


class Wire:
    """A connection's transport; knows whether it was closed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = False

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.closed = True


class Pool:
    """A pool whose connections get a `Wire` at their first use, numbered in order."""

    def __init__(self, clock: ManualClock, *, max_connections: int, keepalive_expiry: float) -> None:
        self.wires: list[Wire] = []
        self.clock = clock
        self.pool = ConnectionPool[Wire](
            max_connections=max_connections,
            keepalive_expiry=keepalive_expiry,
            clock=clock,
            on_closed=lambda: None,
        )

    async def lend(self, origin: Origin = HERE, within: float = math.inf) -> Connection[Wire]:
        connection = await self.pool.lend(origin, within)
        if connection.transport is None:
            connection.transport = Wire(f"wire-{len(self.wires)}")
            self.wires.append(connection.transport)
        return connection

    async def give(self, connection: Connection[Wire], *, reusable: bool = True) -> None:
        await self.pool.take_back(connection, reusable=reusable)

    @property
    def closed(self) -> list[str]:
        return [wire.name for wire in self.wires if wire.closed]


@asynccontextmanager
async def pooling(max_connections: int = 10, keepalive_expiry: float = 60.0) -> AsyncIterator[Pool]:
    """A pool that is closed at the end, with all of its connections."""
    pool = Pool(ManualClock(), max_connections=max_connections, keepalive_expiry=keepalive_expiry)
    await pool.pool.watch_loop()
    yield pool
    await pool.pool.aclose()
    assert all(wire.closed for wire in pool.wires)


async def test_the_connection_returned_last_is_lent_first() -> None:
    async with pooling() as pool:
        first, second, third = [await pool.lend() for _ in range(3)]
        for connection in (second, third, first):
            await pool.give(connection)
        assert [await pool.lend() for _ in range(3)] == [first, third, second]
        assert len(pool.wires) == 3


async def test_a_connection_serves_only_its_origin() -> None:
    async with pooling() as pool:
        here = await pool.lend(HERE)
        await pool.give(here)
        there = await pool.lend(THERE)
        assert there is not here
        await pool.give(there)
        assert await pool.lend(HERE) is here


async def test_what_was_not_read_to_its_end_is_closed() -> None:
    async with pooling() as pool:
        connection = await pool.lend()
        await pool.give(connection, reusable=False)
        assert pool.closed == ["wire-0"]
        assert await pool.lend() is not connection


async def test_giving_back_twice_counts_once() -> None:
    async with pooling(max_connections=2) as pool:
        connection = await pool.lend()
        await pool.give(connection)
        await pool.give(connection)
        assert await pool.lend() is not await pool.lend()


@pytest.mark.parametrize("age, reused", [(60.0, True), (60.1, False)])
async def test_idle_connections_expire(age: float, reused: bool) -> None:
    async with pooling() as pool:
        connection = await pool.lend()
        await pool.give(connection)
        pool.clock.advance(age)
        assert (await pool.lend() is connection) is reused
        assert pool.closed == ([] if reused else ["wire-0"])


async def test_time_in_use_does_not_age_a_connection() -> None:
    async with pooling() as pool:
        connection = await pool.lend()
        pool.clock.advance(1000)
        await pool.give(connection)
        assert await pool.lend() is connection


async def test_all_that_a_burst_needed_are_kept_for_the_next() -> None:
    async with pooling(max_connections=300) as pool:
        connections = [await pool.lend() for _ in range(300)]
        for connection in connections:
            await pool.give(connection)
        assert pool.closed == []
        assert {id(await pool.lend()) for _ in range(300)} == set(map(id, connections))


async def test_at_the_bound_the_longest_idle_makes_room_for_another_origin() -> None:
    async with pooling(max_connections=2) as pool:
        first, second = await pool.lend(), await pool.lend()
        await pool.give(first)
        await pool.give(second)
        await pool.lend(THERE)
        assert pool.closed == ["wire-0"]
        assert await pool.lend(HERE) is second


async def test_who_comes_beyond_the_bound_waits_his_turn() -> None:
    async with pooling(max_connections=1) as pool, anyio.create_task_group() as tasks:
        order: list[int] = []
        held = await pool.lend()

        async def turn(number: int) -> None:
            connection = await pool.lend()
            order.append(number)
            await anyio.lowlevel.checkpoint()
            await pool.give(connection)

        for number in range(5):
            tasks.start_soon(turn, number)
            await anyio.wait_all_tasks_blocked()
        assert order == []
        await pool.give(held)
        await anyio.wait_all_tasks_blocked()
        assert order == [0, 1, 2, 3, 4]
        assert len(pool.wires) == 1


async def test_a_newcomer_does_not_overtake_who_waits() -> None:
    async with pooling(max_connections=1) as pool, anyio.create_task_group() as tasks:
        order: list[str] = []
        held = await pool.lend()

        async def turn(name: str) -> None:
            connection = await pool.lend()
            order.append(name)
            await pool.give(connection)

        tasks.start_soon(turn, "waiter")
        await anyio.wait_all_tasks_blocked()
        await pool.give(held)
        await turn("newcomer")
        assert order == ["waiter", "newcomer"]


async def test_a_waiter_for_another_origin_gets_the_place_and_not_the_connection() -> None:
    async with pooling(max_connections=1) as pool, anyio.create_task_group() as tasks:
        held = await pool.lend(HERE)

        async def turn() -> None:
            connection = await pool.lend(THERE)
            assert connection.origin == THERE
            await pool.give(connection)

        tasks.start_soon(turn)
        await anyio.wait_all_tasks_blocked()
        await pool.give(held)
        await anyio.wait_all_tasks_blocked()
        assert pool.closed == ["wire-0"]


async def test_waiting_ends_with_the_time_and_a_count() -> None:
    async with pooling(max_connections=2) as pool, anyio.create_task_group() as tasks:
        await pool.lend()
        await pool.lend()

        async def wait(within: float, text: str) -> None:
            with pytest.raises(TimeoutError, match=text):
                await pool.lend(HERE, within)

        tasks.start_soon(wait, 5, "open streams: 2, the most allowed; waiting: 1 more")
        tasks.start_soon(wait, 6, "open streams: 2, the most allowed; waiting: 0 more")
        await pool.clock.wait_for_timer(6)
        pool.clock.advance(5)
        await anyio.wait_all_tasks_blocked()
        pool.clock.advance(1)


async def test_a_place_that_comes_free_after_the_time_is_up_is_not_lost() -> None:
    async with pooling(max_connections=1) as pool, anyio.create_task_group() as tasks:
        held = await pool.lend()

        async def wait() -> None:
            with pytest.raises(TimeoutError):
                await pool.lend(HERE, 5)

        tasks.start_soon(wait)
        await pool.clock.wait_for_timer(5)
        pool.clock.advance(5)
        await anyio.wait_all_tasks_blocked()
        await pool.give(held)
        assert await pool.lend() is held


async def test_a_waiter_who_is_cancelled_leaves_the_queue() -> None:
    async with pooling(max_connections=1) as pool, anyio.create_task_group() as tasks:
        held = await pool.lend()
        got: list[Connection[Wire]] = []

        async def leave(scope: anyio.CancelScope) -> None:
            with scope:
                await pool.lend()

        async def stay() -> None:
            got.append(await pool.lend())

        scope = anyio.CancelScope()
        tasks.start_soon(leave, scope)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(stay)
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
        await anyio.wait_all_tasks_blocked()
        await pool.give(held)
        await anyio.wait_all_tasks_blocked()
        assert got == [held]


async def test_a_waiter_who_is_cancelled_in_the_moment_he_is_served_passes_it_on() -> None:
    async with pooling(max_connections=1) as pool, anyio.create_task_group() as tasks:
        held = await pool.lend()
        got: list[Connection[Wire]] = []
        scope = anyio.CancelScope()

        async def leave() -> None:
            with scope:
                got.append(await pool.lend())
                await pool.give(got.pop())

        async def stay() -> None:
            got.append(await pool.lend())

        tasks.start_soon(leave)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(stay)
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
        await pool.give(held)
        await anyio.wait_all_tasks_blocked()
        assert len(got) == 1


async def test_an_abandoned_connection_frees_its_place_at_once() -> None:
    async with pooling(max_connections=1) as pool, anyio.create_task_group() as tasks:
        held = await pool.lend()
        got: list[Connection[Wire]] = []

        async def wait() -> None:
            got.append(await pool.lend())

        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        pool.pool.abandon(held, None)
        pool.pool.abandon(held, None)
        await anyio.wait_all_tasks_blocked()
        assert len(got) == 1
        assert got[0] is not held
        assert pool.closed == ["wire-0"]


async def test_a_connection_abandoned_in_another_thread_frees_its_place_for_the_next() -> None:
    async with pooling(max_connections=1) as pool:
        held = await pool.lend()
        await anyio.to_thread.run_sync(pool.pool.abandon, held, None)
        assert await pool.lend() is not held
        assert pool.closed == ["wire-0"]


async def test_a_place_freed_in_another_thread_goes_to_who_waits_for_longest() -> None:
    async with pooling(max_connections=1) as pool, anyio.create_task_group() as tasks:
        order: list[str] = []
        held = await pool.lend()

        async def turn(name: str) -> None:
            connection = await pool.lend()
            order.append(name)
            await pool.give(connection)

        tasks.start_soon(turn, "first")
        await anyio.wait_all_tasks_blocked()
        await anyio.to_thread.run_sync(pool.pool.abandon, held, None)
        await turn("second")
        assert order == ["first", "second"]


async def test_an_abandoned_connection_that_is_given_back_is_only_closed() -> None:
    async with pooling() as pool:
        held = await pool.lend()
        pool.pool.abandon(held, None)
        await pool.give(held, reusable=True)
        assert pool.closed == ["wire-0"]
        pool.pool.abandon(held, None)
        assert await pool.lend() is not held


async def test_a_connection_that_fails_to_close_keeps_nobody_from_the_next() -> None:
    class Stuck(Wire):
        async def aclose(self) -> None:
            await super().aclose()
            raise OSError("stuck")

    async with pooling() as pool:
        connection = await pool.lend()
        connection.transport = Stuck("stuck")
        await pool.give(connection, reusable=False)
        assert connection.transport.closed
        pool.wires.clear()


async def test_closing_is_not_interrupted() -> None:
    async with pooling() as pool:
        connections = [await pool.lend() for _ in range(3)]
        for connection in connections:
            pool.pool.abandon(connection, None)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await pool.give(connections[0], reusable=False)
        assert pool.closed == ["wire-0", "wire-1", "wire-2"]
