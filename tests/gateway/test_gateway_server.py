"""The gateway on a socket of its own."""

from __future__ import annotations

import gc
import json
import socket
import struct
from typing import Any

import anyio
import anyio.abc
import httpx
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from codex_client.errors import ConfigurationError
from codex_client.gateway import GatewayConfig, connections, serve, server
from codex_client.gateway.app import gateway_of
from codex_client.gateway.server import listening
from codex_client.testing import ManualClock, ReplayServer, Reply, Stall, ev_created, ev_text_delta, responses_turn, sse
from tests.support.gateways import BOTH, CHAT, body_for, chat_body, gateway_over, served, turns_end
from tests.support.loopback import until

MIB = 1024 * 1024
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
        # 0.0.0.0 is no address to ask.
        assert url.startswith("http://127.0.0.1:")
        assert (await http.get(f"{url}/status.json")).status_code == 401


async def test_a_host_may_stand_in_brackets_as_in_an_address() -> None:
    async with ReplayServer([]) as upstream, gateway_over(upstream) as app, served(app, host="[::1]") as url:
        assert url.startswith("http://[::1]:")
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(f"{url}/health")).status_code == 200


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
        await turns_end(app)
        await upstream.idle()


async def test_a_caller_who_leaves_while_another_request_of_his_waits_ends_the_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_TICKS_TO_LOOK", 1)
    async with ReplayServer([Reply(before_head=[Stall()])]) as upstream, gateway_over(upstream) as app:
        async with served(app) as url:
            async with await connected(url) as stream:
                await stream.send(request_of(chat_body()))
                await upstream.at_rest()
                await stream.send(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
                # Read by the time at which it answers another.
                async with httpx.AsyncClient(trust_env=False) as http:
                    assert (await http.get(f"{url}/health")).status_code == 200
            await upstream.idle()
        assert gateway_of(app).activity.in_flight == 0


async def test_a_caller_who_stops_reading_is_left_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_TICKS_TO_LOOK", 1)
    clock = ManualClock()
    # More than the system holds for the two.
    words = [ev_text_delta("x" * 64_000)] * 500
    async with (
        ReplayServer([Reply(body=[sse(words), Stall()], headers=SSE)]) as upstream,
        gateway_over(upstream, clock=clock) as app,
        served(app) as url,
        await connected(url) as stream,
    ):
        await stream.send(request_of(chat_body(stream=True)))
        await upstream.received()
        # One who reads now and then stays, however long it takes.
        for _ in range(6):
            await read(stream, 2 * MIB)
            clock.advance(30)
            await anyio.sleep(0.25)
        assert gateway_of(app).activity.in_flight == 1
        for _ in range(3):
            clock.advance(20)
            await anyio.sleep(0.25)
        await turns_end(app)
        await upstream.idle()
        metrics = gateway_of(app).metrics.text(()).decode()
    assert f'codex_client_gateway_requests_total{{route="{CHAT}",status="499"}} 1.0' in metrics


async def test_connections_that_ask_nothing_keep_nobody_out_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_TICKS_TO_LOOK", 1)
    monkeypatch.setattr(connections, "_MORE_CONNECTIONS", 2)
    clock = ManualClock()
    config = GatewayConfig(max_turns=1)
    async with (
        ReplayServer([sse(responses_turn("Hi"))]) as upstream,
        gateway_over(upstream, clock=clock, config=config) as app,
        served(app) as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as http,
    ):
        assert (await http.get("/health")).status_code == 200
        async with anyio.create_task_group() as tasks:
            ended: list[anyio.abc.SocketStream] = []

            async def note_end_of(stream: anyio.abc.SocketStream) -> None:
                async with stream:
                    with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                        await stream.receive()
                ended.append(stream)

            for _ in range(5):
                tasks.start_soon(note_end_of, await connected(url))
            # Those that are too many are closed at once, the one that rests perhaps among them, and no more.
            await until(lambda: bool(ended))
            assert (await http.post(CHAT, json=chat_body())).status_code == 200
            assert len(ended) <= 3

            def all_ended() -> bool:
                clock.advance(1)
                return len(ended) == 5

            await until(all_ended)
        assert (await http.get("/health")).status_code == 200


async def test_nothing_is_left_of_a_connection_that_breaks_while_it_rests() -> None:
    async with ReplayServer([]) as upstream, gateway_over(upstream) as app, served(app) as url:
        before = connections_alive()
        async with await connected(url) as stream:
            await stream.send(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
            await stream.receive()
            assert connections_alive() == before + 1
            # It closes with a RST.
            raw = stream.extra(anyio.abc.SocketAttribute.raw_socket)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await until(lambda: connections_alive() == before)


def connections_alive() -> int:
    gc.collect()
    return sum(isinstance(each, H11Protocol) for each in gc.get_objects())


async def connected(url: str) -> anyio.abc.SocketStream:
    return await anyio.connect_tcp("127.0.0.1", int(url.rpartition(":")[2]))


async def read(stream: anyio.abc.SocketStream, count: int) -> None:
    while count > 0:
        count -= len(await stream.receive(count))


def request_of(body: Any) -> bytes:
    content = json.dumps(body).encode()
    head = f"host: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    return f"POST {CHAT} HTTP/1.1\r\n{head}".encode() + content


class Watched:
    """Outermost: `reading` once an app has begun to read a body, `over` when it has returned."""

    def __init__(self, app: ASGIApp, reading: anyio.Event, over: anyio.Event) -> None:
        self._app, self._reading, self._over = app, reading, over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noted_receive() -> Message:
            message = await receive()
            self._reading.set()
            return message

        await self._app(scope, noted_receive, send)
        self._over.set()


async def test_a_request_that_breaks_off_in_its_body_starts_no_turn() -> None:
    async with ReplayServer([]) as upstream, gateway_over(upstream) as app:
        activity, reading, over = gateway_of(app).activity, anyio.Event(), anyio.Event()
        app.add_middleware(Watched, reading=reading, over=over)
        async with served(app) as url:
            async with await connected(url) as stream:
                headers = "host: localhost\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n"
                await stream.send(f'POST {CHAT} HTTP/1.1\r\n{headers}{{"model":'.encode())
                with anyio.fail_after(10):
                    await reading.wait()
                # It arrives still, and takes nobody's place.
                assert activity.in_flight == 0
            with anyio.fail_after(10):
                await over.wait()
        assert activity.in_flight == 0
        metrics = gateway_of(app).metrics.text(()).decode()
    assert f'codex_client_gateway_requests_total{{route="{CHAT}",status="499"}} 1.0' in metrics
    assert upstream.requests == []
