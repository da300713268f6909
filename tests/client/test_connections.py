"""The transport on real sockets: reuse, bound, every way of leaving."""

from __future__ import annotations

import math
import socket

import anyio
import httpx
import pytest

from codex_client.api import SystemClock
from codex_client.client.connections import ConnectionTransport, RequestBody, new_http_client
from codex_client.client.sockets import ABANDON
from codex_client.errors import ConfigurationError
from codex_client.testing import ManualClock, ReplayServer, Reply, Stall

pytestmark = pytest.mark.usefixtures("transport")

EVENT = b"data: 1\n\n"
OPEN_ENDED = Reply(body=[EVENT, Stall()], transfer="chunked")


async def test_sequential_requests_share_one_connection() -> None:
    async with ReplayServer(EVENT) as server, httpx.AsyncClient(transport=ConnectionTransport()) as client:
        for _ in range(3):
            assert (await client.post(f"{server.url}/x", content=b"{}")).content == EVENT
        assert server.connections_made == 1


async def test_parallel_requests_have_a_connection_each_and_never_more_than_allowed() -> None:
    transport = ConnectionTransport(max_connections=3)
    async with ReplayServer(EVENT) as server, httpx.AsyncClient(transport=transport) as client:
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(lambda: client.post(f"{server.url}/x", content=b"{}"))
        assert len(server.requests) == 20
        assert server.connections_made == 3


async def test_an_expired_connection_is_replaced() -> None:
    clock = ManualClock()
    transport = ConnectionTransport(keepalive_expiry=60, clock=clock)
    async with ReplayServer(EVENT) as server, httpx.AsyncClient(transport=transport) as client:
        await client.post(f"{server.url}/x")
        clock.advance(60)
        await client.post(f"{server.url}/x")
        assert server.connections_made == 1
        clock.advance(60.1)
        await client.post(f"{server.url}/x")
        assert server.connections_made == 2
        assert server.open_connections == 1


async def test_a_connection_that_the_server_closed_is_replaced() -> None:
    closing = Reply(body=EVENT, headers={"connection": "close"})
    async with ReplayServer(closing) as server, httpx.AsyncClient(transport=ConnectionTransport()) as client:
        for _ in range(2):
            assert (await client.post(f"{server.url}/x")).content == EVENT
        assert server.connections_made == 2


async def test_leaving_a_response_early_closes_its_connection() -> None:
    async with ReplayServer(OPEN_ENDED) as server, httpx.AsyncClient(transport=ConnectionTransport()) as client:
        async with client.stream("POST", f"{server.url}/x"):
            assert server.open_connections == 1
        await server.idle()


async def test_a_request_that_is_cancelled_leaves_no_connection() -> None:
    async with ReplayServer(Reply().at("head", Stall())) as server:
        transport = ConnectionTransport(max_connections=1)
        async with httpx.AsyncClient(transport=transport, timeout=None) as client:
            for number in range(3):
                async with anyio.create_task_group() as tasks:
                    request = client.build_request("POST", f"{server.url}/x")
                    request.stream = RequestBody(b"")
                    tasks.start_soon(client.send, request)
                    await server.received(number + 1)
                    tasks.cancel_scope.cancel()
                await server.idle()


async def test_a_failed_connection_frees_its_place() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gone = f"http://127.0.0.1:{listener.getsockname()[1]}"
    transport = ConnectionTransport(max_connections=1)
    async with ReplayServer(EVENT) as server, httpx.AsyncClient(transport=transport) as client:
        for _ in range(3):
            with pytest.raises(httpx.ConnectError):
                await client.post(gone)
        assert (await client.post(server.url)).content == EVENT


async def test_an_abandoned_response_shuts_its_connection_down_at_once() -> None:
    transport = ConnectionTransport(max_connections=1)
    async with ReplayServer([OPEN_ENDED, EVENT]) as server, httpx.AsyncClient(transport=transport) as client:
        response = await client.send(client.build_request("POST", f"{server.url}/x"), stream=True)
        response.extensions[ABANDON]()
        await server.idle()
        assert (await client.post(f"{server.url}/x")).content == EVENT
        await response.aclose()


async def test_closing_the_transport_closes_what_is_in_use() -> None:
    async with ReplayServer(OPEN_ENDED) as server:
        client = httpx.AsyncClient(transport=ConnectionTransport())
        response = await client.send(client.build_request("POST", f"{server.url}/x"), stream=True)
        await client.aclose()
        await server.idle()
        await response.aclose()


async def test_waiting_for_a_place_ends_with_the_requests_pool_timeout() -> None:
    clock = ManualClock()
    transport = ConnectionTransport(max_connections=1, clock=clock)
    async with (
        ReplayServer(OPEN_ENDED) as server,
        httpx.AsyncClient(transport=transport) as client,
        client.stream("POST", f"{server.url}/x"),
        anyio.create_task_group() as tasks,
    ):

        async def wait() -> None:
            with pytest.raises(httpx.PoolTimeout, match="open streams: 1, the most allowed; waiting: 0 more"):
                await client.post(f"{server.url}/x", timeout=httpx.Timeout(None, pool=7))

        tasks.start_soon(wait)
        await clock.wait_for_timer(7)
        clock.advance(7)


async def test_without_a_pool_timeout_the_wait_has_no_end() -> None:
    clock = ManualClock()
    transport = ConnectionTransport(max_connections=1, clock=clock)
    async with (
        ReplayServer([OPEN_ENDED, EVENT]) as server,
        httpx.AsyncClient(transport=transport) as client,
        anyio.create_task_group() as tasks,
        client.stream("POST", f"{server.url}/x"),
    ):
        tasks.start_soon(lambda: client.post(f"{server.url}/x", timeout=None))
        await clock.wait_for_timer(math.inf)
        clock.advance(10_000)


async def test_idle_peers_are_probed() -> None:
    async with (
        ReplayServer(EVENT) as server,
        httpx.AsyncClient(transport=ConnectionTransport()) as client,
        client.stream("POST", f"{server.url}/x") as response,
    ):
        connected: socket.socket = response.extensions["network_stream"].get_extra_info("socket")
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


async def test_own_clients_keep_no_cookies() -> None:
    cookie = Reply(body=EVENT, headers={"set-cookie": "session=abc; Path=/"})
    async with ReplayServer(cookie) as server:
        client = new_http_client(SystemClock())
        for _ in range(2):
            await client.post(f"{server.url}/x")
        assert "cookie" not in server.requests[1].headers
        await client.aclose()


def test_a_bound_below_one_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="max_connections is 0"):
        ConnectionTransport(max_connections=0)


async def test_a_thousand_streams_may_be_open_at_once_unless_set() -> None:
    transport = ConnectionTransport(clock=ManualClock())
    pool = await transport._pool_of_this_loop()
    origin = ("https", "api.test", None)
    connections = [await pool.lend(origin, 0) for _ in range(1000)]
    with pytest.raises(TimeoutError, match="open streams: 1000"):
        await pool.lend(origin, 0)
    for connection in connections:
        await pool.take_back(connection, reusable=True)
    await transport.aclose()


@pytest.mark.parametrize("seconds, made", [(60, 1), (60.1, 2)])
async def test_an_idle_connection_is_kept_for_a_minute_unless_set(seconds: float, made: int) -> None:
    clock = ManualClock()
    client = new_http_client(clock)
    async with ReplayServer(EVENT) as server:
        await client.post(f"{server.url}/x")
        clock.advance(seconds)
        await client.post(f"{server.url}/x")
        assert server.connections_made == made
        await client.aclose()


async def test_a_callers_own_trace_is_still_told(transport: str) -> None:
    if transport == "aiohttp":
        pytest.skip("the trace is httpcore's")
    told: list[str] = []

    async def trace(name: str, info: object) -> None:
        told.append(name)

    async with ReplayServer(EVENT) as server, httpx.AsyncClient(transport=ConnectionTransport()) as client:
        await client.post(f"{server.url}/x", extensions={"trace": trace})
    assert "connection.connect_tcp.complete" in told
