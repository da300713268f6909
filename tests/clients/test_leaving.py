"""A stream can be left in any way and at any moment: its connection is closed, or goes back for reuse when the turn was
over.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import anyio
import anyio.abc
import anyio.lowlevel
import pytest

from codex_client.errors import StreamError
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import Pause, ReplayServer, Reply, Stall, responses_turn, sse

pytestmark = pytest.mark.usefixtures("transport")

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[RoutedApiClient, ReplayServer]]]

PROMPT = Prompt("hello")
TEXT = "The quick brown fox jumps over the lazy dog."
BODY = sse(responses_turn(TEXT))
HALF = BODY.rindex(b"\n\n", 0, BODY.index(b"jumps")) + 2
HEADERS = {"content-type": "text/event-stream"}
STALLED = Reply.from_sse(BODY).at(HALF, Stall())


async def test_break_closes_the_connection(serve: Serve) -> None:
    async with serve([STALLED]) as (client, server):
        async with client.stream(PROMPT) as stream:
            async for _ in stream:
                break
        await server.idle()


async def test_an_exception_closes_the_connection_and_leaves_as_itself(serve: Serve) -> None:
    async with serve([STALLED]) as (client, server):
        with pytest.raises(KeyError, match="mine"):
            async with client.stream(PROMPT) as stream:
                async for _ in stream:
                    raise KeyError("mine")
        await server.idle()


async def test_cancellation_closes_the_connection(serve: Serve) -> None:
    async with serve([STALLED]) as (client, server):
        async with anyio.create_task_group() as tasks:

            async def read() -> None:
                async with client.stream(PROMPT) as stream:
                    await stream.collect()

            tasks.start_soon(read)
            await server.at_rest()
            tasks.cancel_scope.cancel()
        await server.idle()


async def test_a_timeout_closes_the_connection(serve: Serve) -> None:
    async with serve([STALLED]) as (client, server):
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:

                async def time_out() -> None:
                    await server.at_rest()
                    scope.cancel()

                tasks.start_soon(time_out)
                async with client.stream(PROMPT) as stream:
                    await stream.collect()
        assert scope.cancelled_caught
        await server.idle()


async def test_going_on_after_a_timeout_of_ones_own_is_refused_in_words(serve: Serve) -> None:
    async with serve([STALLED]) as (client, server), client.stream(PROMPT) as stream:
        async with anyio.create_task_group() as tasks:
            with anyio.CancelScope() as scope:

                async def time_out() -> None:
                    await server.at_rest()
                    scope.cancel()

                tasks.start_soon(time_out)
                async for _ in stream:
                    pass
        with pytest.raises(StreamError, match="was cancelled and it cannot go on"):
            await anext(stream)


async def test_a_dropped_stream_closes_the_connection_at_once(serve: Serve) -> None:
    async with serve([STALLED, BODY]) as (client, server):
        block = client.stream(PROMPT)
        stream = await block.__aenter__()
        await anext(stream)
        with pytest.warns(ResourceWarning, match="dropped while open"):
            del block, stream
            gc.collect()
        await server.idle()
        # The client is as good as new.
        assert (await client.collect(PROMPT)).text == TEXT


async def test_closing_the_client_cuts_its_open_streams(serve: Serve) -> None:
    async with serve([STALLED]) as (client, server), client.stream(PROMPT) as stream:
        await anext(stream)
        await client.aclose()
        await server.idle()


async def test_a_finished_turn_gives_its_connection_back(serve: Serve) -> None:
    async with serve([BODY, BODY, BODY]) as (client, server):
        for _ in range(3):
            assert (await client.collect(PROMPT)).text == TEXT
        assert server.connections_made == 1


async def test_turns_at_once_do_not_touch_each_other(serve: Serve) -> None:
    texts: list[str] = []
    bodies = [sse(responses_turn(f"answer number {number}")) for number in range(20)]

    async with serve(bodies) as (client, server):

        async def turn() -> None:
            texts.append((await client.collect(PROMPT)).text)

        async with anyio.create_task_group() as tasks:
            for _ in bodies:
                tasks.start_soon(turn)
        assert sorted(texts) == sorted(f"answer number {number}" for number in range(20))
        assert server.connections_made <= 20


async def test_cancelling_at_every_checkpoint_leaves_nothing_open(serve: Serve) -> None:
    """The turn is cancelled after one step of the event loop, after two, … until it is over before its cancellation."""
    sends = Reply.from_events(responses_turn(TEXT)).steps
    # A breath between the events, so that each is a read of its own and a place to be cancelled at.
    slowly = Reply(headers=HEADERS, transfer="chunked", body=[step for send in sends for step in (send, Pause(0.0))])
    async with serve(lambda request: slowly) as (client, server):
        completed, steps = False, 0
        while not completed and steps < 5000:
            steps += 1
            async with anyio.create_task_group() as tasks:

                async def cancel_after(count: int, tasks: anyio.abc.TaskGroup = tasks) -> None:
                    for _ in range(count):
                        await anyio.lowlevel.checkpoint()
                    tasks.cancel_scope.cancel()

                tasks.start_soon(cancel_after, steps)
                async with client.stream(PROMPT) as stream:
                    await stream.collect()
                completed = True
                tasks.cancel_scope.cancel()
        assert completed
        assert steps > 20
        # What is open now is idle: the next turn needs no connection beyond them.
        idle = server.open_connections
        assert idle <= 1
        await client.collect(PROMPT)
        assert server.open_connections == max(1, idle)
