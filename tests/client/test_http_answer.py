"""The answer to a request: its body to the end, its faults, and every way of leaving it."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest

from codex_client.auth.static import NoAuth
from codex_client.client.config import ClientConfig
from codex_client.client.content_encoding import EncodingError
from codex_client.client.http import RequestExecutor
from codex_client.errors import ProtocolError, ReadError
from codex_client.model_provider import ModelProviderInfo
from codex_client.testing import Close, Hold, ManualClock, Reply, Reset, Stall
from tests.support.one_request import FIRST, LAST, OPEN_ENDED, executing, open_one, rest_of


async def test_what_the_headers_tell() -> None:
    headers = [("X-Request-Id", "req-1"), ("X-Twice", "a"), ("X-Twice", "b"), ("X-Odd", "caf\xe9")]
    async with executing([Reply.from_sse(FIRST, headers=headers)]) as (executor, server):
        answer = await open_one(executor)
        assert (answer.status_code, answer.request_id, answer.url) == (200, "req-1", f"{server.base_url}/responses")
        assert answer.headers["x-twice"] == "a, b"
        assert answer.headers["x-odd"] == "caf\xe9"
        await answer.aclose()


@pytest.mark.parametrize(
    "headers, request_id",
    [
        ({}, None),
        ({"cf-ray": "edge"}, None),
        ({"x-oai-request-id": "oai"}, "oai"),
        ({"x-oai-request-id": "oai", "x-request-id": "x"}, "x"),
        ({"apim-request-id": "azure"}, "azure"),
    ],
    ids=str,
)
async def test_the_request_id_has_many_names(headers: dict[str, str], request_id: str | None) -> None:
    async with executing([Reply(headers=headers)]) as (executor, _):
        answer = await open_one(executor)
        assert answer.request_id == request_id
        await answer.aclose()


@pytest.mark.parametrize("transfer", ["length", "chunked", "close"])
@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("cut", [None, 1, "random"])
async def test_the_body_comes_whole_however_it_is_sent(transfer: Any, gzip: bool, cut: Any) -> None:
    body = [FIRST * 50, b"data: \xf0\x9f\x8e\x89\n\n", LAST]
    reply = Reply(body=body, transfer=transfer, gzip=gzip, cut=cut, seed=7)
    async with executing([reply]) as (executor, _):
        answer = await open_one(executor)
        assert await rest_of(answer) == b"".join(body)
        assert await answer.read_chunk() == b""
        await answer.aclose()


@pytest.mark.parametrize(
    "reply, error",
    [
        (Reply(body=[FIRST, Reset()], transfer="chunked"), ReadError),
        (Reply(body=[FIRST, Close()], transfer="chunked"), ProtocolError),
        (Reply(body=[FIRST, Close()], headers={"content-length": "1000"}, transfer="length"), ProtocolError),
        (
            Reply.raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n" + FIRST + b"\r\nzz\r\n"),
            ProtocolError,
        ),
        (Reply(body=[FIRST, b"no gzip"], headers={"content-encoding": "gzip"}, transfer="chunked"), ProtocolError),
    ],
    ids=["reset", "cut chunked body", "cut counted body", "broken chunk size", "broken gzip"],
)
async def test_a_body_that_breaks_is_a_read_error(reply: Reply, error: type[ReadError]) -> None:
    async with executing([reply, Reply(body=LAST)]) as (executor, server):
        answer = await open_one(executor)
        with pytest.raises(ReadError) as caught:
            await rest_of(answer)
        assert type(caught.value) is error
        assert caught.value.url == f"{server.base_url}/responses"
        assert isinstance(caught.value.__cause__, httpx.HTTPError | EncodingError)
        await answer.aclose()
        again = await open_one(executor)
        assert await rest_of(again) == LAST
        await again.aclose()


async def test_a_connection_read_to_its_end_is_used_again() -> None:
    async with executing(Reply(body=FIRST)) as (executor, server):
        for _ in range(3):
            answer = await open_one(executor)
            await rest_of(answer)
            await answer.aclose()
        assert server.connections_made == 1


async def test_leaving_in_mid_body_cuts_the_connection() -> None:
    async with executing(OPEN_ENDED) as (executor, server):
        answer = await open_one(executor)
        assert await answer.read_chunk() == FIRST
        await answer.aclose()
        await server.idle()
        await answer.aclose()


async def test_leaving_before_the_body_is_looked_at_cuts_the_connection() -> None:
    async with executing(OPEN_ENDED) as (executor, server):
        answer = await open_one(executor)
        await answer.aclose()
        await server.idle()


async def test_leaving_while_cancelled_cuts_the_connection() -> None:
    async with executing(OPEN_ENDED) as (executor, server):
        answer = await open_one(executor)
        await answer.read_chunk()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await answer.aclose(drain=True)
        await server.idle()


async def test_a_read_that_is_cancelled_leaves_nothing_behind() -> None:
    async with executing(OPEN_ENDED) as (executor, server):
        answer = await open_one(executor)
        await answer.read_chunk()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer.read_chunk)
            await server.at_rest()
            tasks.cancel_scope.cancel()
        await answer.aclose()
        await server.idle()


async def test_draining_keeps_the_connection_where_the_body_ends() -> None:
    async with executing([Reply(body=[FIRST, Hold(), LAST], transfer="chunked"), Reply()]) as (executor, server):
        answer = await open_one(executor)
        assert await answer.read_chunk() == FIRST
        server.release()
        await answer.aclose(drain=True)
        await (await open_one(executor)).aclose()
        assert server.connections_made == 1


async def test_draining_waits_50_ms_and_no_longer() -> None:
    clock = ManualClock()
    async with executing([OPEN_ENDED], clock=clock) as (executor, server):
        answer = await open_one(executor)
        assert await answer.read_chunk() == FIRST
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: answer.aclose(drain=True))
            await clock.wait_for_timer(0.05)
            clock.advance(0.05)
        await server.idle()


async def test_draining_reads_64_kib_and_no_more() -> None:
    body = [FIRST, b"x" * 200_000, Stall()]
    clock = ManualClock()
    async with executing([Reply(body=body, transfer="chunked")], clock=clock) as (executor, server):
        answer = await open_one(executor)
        assert await answer.read_chunk() == FIRST
        await server.at_rest()
        await answer.aclose(drain=True)
        await server.idle()


async def test_a_dropped_answer_cuts_its_connection_at_once() -> None:
    async with executing(OPEN_ENDED) as (executor, server):
        answer = await open_one(executor)
        assert await answer.read_chunk() == FIRST
        answer.abandon()
        answer.abandon()
        await server.idle()
        del answer
        gc.collect()
        await (await open_one(executor)).aclose()


async def test_an_abandoned_answer_is_closed_with_the_executor() -> None:
    async with executing(OPEN_ENDED) as (executor, _):
        answer = await open_one(executor)
        assert await answer.read_chunk() == FIRST
        answer.abandon()
        await answer.aclose()


async def test_reading_after_closing_is_told() -> None:
    async with executing(OPEN_ENDED) as (executor, _):
        answer = await open_one(executor)
        await answer.aclose()
        with pytest.raises(ReadError, match="closed while it was read"):
            await answer.read_chunk()


async def test_closing_the_executor_ends_a_read_in_another_task() -> None:
    async with executing(OPEN_ENDED) as (executor, server), anyio.create_task_group() as tasks:
        answer = await open_one(executor)
        assert await answer.read_chunk() == FIRST

        async def read_on() -> None:
            with pytest.raises(ReadError):
                await answer.read_chunk()

        tasks.start_soon(read_on)
        await server.at_rest()
        await anyio.wait_all_tasks_blocked()
        await executor.aclose()


async def test_a_body_without_end_and_without_waiting_can_be_left() -> None:
    class Endless(httpx.AsyncByteStream):
        def __aiter__(self) -> AsyncIterator[bytes]:
            return self

        async def __anext__(self) -> bytes:
            return FIRST

    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=Endless()))
    async with httpx.AsyncClient(transport=transport) as client:
        provider = ModelProviderInfo(name="test", base_url="http://api.test/v1")
        executor = RequestExecutor(ClientConfig(provider=provider, model="m", http_client=client), auth=NoAuth())
        answer = await open_one(executor)
        assert await answer.read_chunk() == FIRST
        await answer.aclose(drain=True)
        await executor.aclose()


async def test_an_http_2_connection_with_other_streams_on_it_is_not_cut() -> None:
    class Stream(httpx.AsyncByteStream):
        closed = False

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield FIRST

        async def aclose(self) -> None:
            self.closed = True

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} was asked for")

    stream, network = Stream(), type("Network", (), {"get_extra_info": staticmethod(refuse)})()
    extensions = {"http_version": b"HTTP/2", "network_stream": network}
    response = httpx.Response(200, stream=stream, extensions=extensions)
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda request: response)) as client:
        provider = ModelProviderInfo(name="test", base_url="http://api.test/v1")
        executor = RequestExecutor(ClientConfig(provider=provider, model="m", http_client=client), auth=NoAuth())
        (await open_one(executor)).abandon()
        assert not stream.closed
        await executor.aclose()
        assert stream.closed


async def test_a_fault_in_a_body_stream_comes_out_as_it_is() -> None:
    class Faulty(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield FIRST
            raise ZeroDivisionError("a bug")

    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=Faulty()))
    async with httpx.AsyncClient(transport=transport) as client:
        provider = ModelProviderInfo(name="test", base_url="http://api.test/v1")
        executor = RequestExecutor(ClientConfig(provider=provider, model="m", http_client=client), auth=NoAuth())
        answer = await open_one(executor)
        with pytest.raises(ZeroDivisionError):
            await rest_of(answer)
        await answer.aclose()
        await executor.aclose()
