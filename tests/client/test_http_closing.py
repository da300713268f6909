"""An executor that is closed while turns are under way: nothing more is sent, and each turn is told why it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest

from codex_client.api import AttemptOutcome, AuthProvider, Lease
from codex_client.auth.static import NoAuth
from codex_client.client.answer import HttpAnswer
from codex_client.client.config import ClientConfig
from codex_client.client.connections import ConnectionTransport
from codex_client.client.http import RequestExecutor
from codex_client.client.retry import AttemptBudget
from codex_client.errors import ConfigurationError, ReadError
from codex_client.model_provider import ModelProviderInfo
from codex_client.testing import ManualClock, ReplayServer, Reply, Stall

pytestmark = pytest.mark.usefixtures("transport")

OPEN_ENDED = Reply(body=[b"data: 1\n\n", Stall()], transfer="chunked")


class SlowAuth(NoAuth):
    def __init__(self) -> None:
        self.asked = anyio.Event()
        self.go_on = anyio.Event()

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        self.asked.set()
        await self.go_on.wait()
        return Lease()

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> None:
        assert isinstance(outcome.error, ReadError)


def executor_of(
    base_url: str, *, auth: AuthProvider | None = None, clock: ManualClock | None = None
) -> RequestExecutor:
    provider = ModelProviderInfo(name="test", base_url=base_url)
    config = ClientConfig(provider=provider, model="m", clock=clock or ManualClock(auto_advance=True))
    return RequestExecutor(config, auth=auth or NoAuth(), dice=lambda: 0.5)


async def open_one(executor: RequestExecutor) -> HttpAnswer:
    return await executor.open(b"{}", budget=AttemptBudget(4, 5))


@asynccontextmanager
async def ending(turn: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """The turn runs beside the block, in which the client is closed."""

    async def run() -> None:
        with pytest.raises(ReadError, match="the client was closed while a turn with http") as caught:
            await turn()
        assert not caught.value.retryable

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        yield
        # Much less than any limit of the turn's own.
        tasks.cancel_scope.deadline = anyio.current_time() + 5
    assert not tasks.cancel_scope.cancelled_caught


async def test_a_turn_that_waits_for_headers() -> None:
    async with ReplayServer(Reply().at("head", Stall())) as server:
        executor = executor_of(server.base_url, clock=ManualClock())
        async with ending(lambda: open_one(executor)):
            await server.at_rest()
            await executor.aclose()
        await server.idle()
        assert len(server.requests) == 1


async def test_a_turn_that_waits_for_a_place() -> None:
    async with ReplayServer(OPEN_ENDED) as server:
        executor = executor_of(server.base_url, clock=ManualClock())
        transport = executor._own_client._transport if executor._own_client else None
        assert isinstance(transport, ConnectionTransport)
        transport._max_connections = 1
        first = await open_one(executor)
        async with ending(lambda: open_one(executor)):
            await anyio.wait_all_tasks_blocked()
            await executor.aclose()
        with pytest.raises(ReadError) as caught:
            await first.read_chunk()
        assert not caught.value.retryable
        await server.idle()
        assert len(server.requests) == 1


async def test_a_turn_whose_connection_is_being_made() -> None:
    """What is in its handshake is in no pool yet: closing that alone would let it go on, and send."""
    received: list[bytes] = []

    async def listen(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            try:
                while True:
                    received.append(await stream.receive())
                    if len(received) == 1:
                        greeted.set()
            except anyio.EndOfStream:
                hung_up.set()

    greeted, hung_up = anyio.Event(), anyio.Event()
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, listen)
        executor = executor_of(
            f"https://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}/v1", clock=ManualClock()
        )
        async with ending(lambda: open_one(executor)):
            await greeted.wait()
            await executor.aclose()
        with anyio.fail_after(10):
            await hung_up.wait()
        tasks.cancel_scope.cancel()


async def test_a_turn_that_waits_for_its_credential() -> None:
    auth = SlowAuth()
    async with ReplayServer([]) as server:
        executor = executor_of(server.base_url, auth=auth)
        async with ending(lambda: open_one(executor)):
            await auth.asked.wait()
            await executor.aclose()
            auth.go_on.set()
        assert server.connections_made == 0


async def test_a_turn_that_waits_for_its_next_attempt() -> None:
    clock = ManualClock()
    async with ReplayServer([500]) as server:
        executor = executor_of(server.base_url, clock=clock)
        async with ending(lambda: open_one(executor)):
            await clock.wait_for_timer(0.2)
            await executor.aclose()
            clock.advance(10)
        assert len(server.requests) == 1


async def test_a_turn_whose_stream_would_begin_anew() -> None:
    budget = AttemptBudget(4, 5)
    async with ReplayServer([OPEN_ENDED]) as server:
        executor = executor_of(server.base_url)
        answer = await executor.open(b"{}", budget=budget)
        await executor.aclose()
        async with ending(lambda: executor.open(b"{}", budget=budget)):
            pass
        await answer.aclose()


async def test_a_borrowed_client_that_is_closed_is_the_configurations_fault() -> None:
    async with httpx.AsyncClient() as client:
        pass
    provider = ModelProviderInfo(name="test", base_url="http://api.test/v1")
    executor = RequestExecutor(ClientConfig(provider=provider, model="m", http_client=client), auth=NoAuth())
    with pytest.raises(ConfigurationError, match="the http_client is closed"):
        await open_one(executor)
    await executor.aclose()
