"""One connection of each engine: what it does when its request fails, and when its response is closed."""

from __future__ import annotations

import ssl
from typing import Any

import anyio
import anyio.abc
import httpx
import pytest

from codex_client.client.aiohttp_link import AiohttpLink
from codex_client.client.core_link import CoreLink
from codex_client.client.link import Link
from codex_client.testing import ReplayServer, Reply, Stall

EVENT = b"data: 1\n\n"


@pytest.fixture(params=[CoreLink, AiohttpLink])
def engine(request: pytest.FixtureRequest, anyio_backend: str) -> Any:
    if request.param is AiohttpLink and anyio_backend == "trio":
        pytest.skip("aiohttp runs on asyncio only")
    return request.param


def new_link(engine: Any, url: str, tls: ssl.SSLContext | None = None) -> Link:
    return CoreLink(httpx.URL(url), tls=tls) if engine is CoreLink else engine(tls=tls)


async def never(was_read: bool) -> None:
    raise AssertionError("there is no response to close")


@pytest.mark.parametrize(
    "reply, was_read", [(Reply(body=EVENT), True), (Reply(body=[EVENT, Stall()], transfer="chunked"), False)]
)
async def test_closing_a_response_tells_whether_it_was_read_to_its_end(
    engine: Any, reply: Reply, was_read: bool
) -> None:
    told: list[bool] = []

    async def release(reusable: bool) -> None:
        told.append(reusable)

    async with ReplayServer(reply) as server:
        link = new_link(engine, server.url)
        response = await link.send(httpx.Request("POST", server.url), release)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        if was_read:
            assert [piece async for piece in response.stream] == [EVENT]
        await response.aclose()
        assert told == [was_read]
        await link.aclose()
        await server.idle()


async def test_a_request_that_is_cancelled_before_its_answer_closes_the_connection(engine: Any) -> None:
    async with ReplayServer(Reply().at("head", Stall())) as server, anyio.create_task_group() as tasks:
        link = new_link(engine, server.url)
        tasks.start_soon(link.send, httpx.Request("POST", server.url), never)
        await server.received()
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await server.idle()


async def test_a_request_that_is_cancelled_in_the_tls_handshake_closes_the_connection(engine: Any) -> None:
    greeted, left = anyio.Event(), anyio.Event()

    async def greet(client: anyio.abc.SocketStream) -> None:
        async with client:
            await client.receive()
            greeted.set()
            try:
                await client.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                left.set()

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, greet)
        url = f"https://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
        link = new_link(engine, url, ssl.create_default_context())
        async with anyio.create_task_group() as sending:
            sending.start_soon(link.send, httpx.Request("POST", url), never)
            await greeted.wait()
            sending.cancel_scope.cancel()
        with anyio.fail_after(10):
            await left.wait()
        tasks.cancel_scope.cancel()
