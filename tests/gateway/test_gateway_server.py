"""The gateway on a socket of its own."""

from __future__ import annotations

import socket
from collections.abc import Callable

import anyio
import anyio.lowlevel
import httpx
import pytest

from codex_client.errors import ConfigurationError
from codex_client.gateway import GatewayConfig, serve
from codex_client.gateway.app import gateway_of
from codex_client.gateway.server import listening
from codex_client.testing import ReplayServer, Reply, Stall, ev_created, ev_text_delta, responses_turn, sse
from tests.support.gateways import BOTH, CHAT, body_for, chat_body, gateway_over, served

SSE = {"content-type": "text/event-stream"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """uvicorn knows no other loop."""
    return "asyncio"


async def test_it_serves_and_ends_when_it_is_cancelled() -> None:
    async with ReplayServer([sse(responses_turn("Hi"))]) as upstream, gateway_over(upstream) as app:
        async with served(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as http:
            answer = await http.post(CHAT, json=chat_body())
            assert answer.json()["choices"][0]["message"]["content"] == "Hi"
            assert "server" not in answer.headers
        with pytest.raises(httpx.ConnectError):
            async with httpx.AsyncClient(trust_env=False) as http:
                await http.get(url)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_others_are_not_let_in_without_a_key(host: str) -> None:
    async with ReplayServer([]) as upstream, gateway_over(upstream) as app:
        with pytest.raises(ConfigurationError, match="reached from other machines"):
            await serve(app, host=host, port=0)


async def test_with_a_key_it_may_listen_to_others() -> None:
    config = GatewayConfig(keys=("a-key-for-tests",))
    async with (
        ReplayServer([]) as upstream,
        gateway_over(upstream, config=config) as app,
        served(app, host="0.0.0.0") as url,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        here = url.replace("0.0.0.0", "127.0.0.1")
        assert (await http.get(f"{here}/status.json")).status_code == 401


async def test_a_port_that_is_taken_is_told() -> None:
    async with ReplayServer([]) as upstream, gateway_over(upstream) as app:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(ConfigurationError, match=f"http://127.0.0.1:{port} cannot be had"):
                await serve(app, port=port)


def test_its_sockets_are_of_tcp_so_that_small_writes_go_at_once() -> None:
    with listening("localhost", 0, needs_loopback=True) as sockets:
        assert {each.proto for each in sockets} == {socket.IPPROTO_TCP}


async def test_a_host_without_an_address_is_told() -> None:
    async with ReplayServer([]) as upstream, gateway_over(upstream) as app:
        with pytest.raises(ConfigurationError, match="has no address"):
            await serve(app, host="no.such.host.invalid")


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "reply",
    [Reply(before_head=[Stall()]), Reply(body=[sse([ev_created(), ev_text_delta("The")]), Stall()], headers=SSE)],
    ids=["nothing came", "words came"],
)
async def test_a_connection_that_closes_ends_the_turn_of_the_provider(path: str, stream: bool, reply: Reply) -> None:
    async with ReplayServer([reply]) as upstream, gateway_over(upstream) as app, served(app) as url:
        async with anyio.create_task_group() as tasks, httpx.AsyncClient(base_url=url, trust_env=False) as http:
            tasks.start_soon(lambda: http.post(path, json=body_for(path, stream=stream), timeout=None))
            await upstream.at_rest()
            assert gateway_of(app).activity.in_flight == 1
            tasks.cancel_scope.cancel()
        await upstream.idle()
        assert gateway_of(app).activity.in_flight == 0


async def test_a_request_that_breaks_off_in_its_body_starts_no_turn() -> None:
    async with ReplayServer([]) as upstream, gateway_over(upstream) as app, served(app) as url:
        async with await anyio.connect_tcp("127.0.0.1", int(url.rpartition(":")[2])) as stream:
            headers = "host: localhost\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n"
            await stream.send(f'POST {CHAT} HTTP/1.1\r\n{headers}{{"model":'.encode())
            await soon(lambda: gateway_of(app).activity.in_flight == 1)
        await soon(lambda: gateway_of(app).activity.in_flight == 0)
        metrics = gateway_of(app).metrics.text(()).decode()
    assert f'codex_gateway_requests_total{{route="{CHAT}",status="499"}} 1.0' in metrics
    assert upstream.requests == []


async def soon(reached: Callable[[], bool]) -> None:
    """Let the loop turn until this is so."""
    for _ in range(100_000):
        if reached():
            return
        await anyio.lowlevel.checkpoint()
    raise AssertionError("it did not come so far")
