"""The server's faults as a client sees them, the client's faults as the server sees them, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import httpx
import pytest

from codex_client.testing import (
    Close,
    CommentFlood,
    Hold,
    ManualClock,
    ReplayServer,
    Reply,
    Reset,
    Send,
    Stall,
    responses_turn,
    sse,
)

BODY = sse(responses_turn("Hello."))


@asynccontextmanager
async def raw_connection(server: ReplayServer) -> AsyncGenerator[anyio.abc.SocketStream]:
    host, port = server.url.removeprefix("http://").split(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        yield stream


async def read_to_end(stream: anyio.abc.SocketStream) -> bytes:
    parts: list[bytes] = []
    async with aclosing(stream):
        async for part in stream:
            parts.append(part)
    return b"".join(parts)


def request(path: str = "/", *, body: bytes = b"", more: str = "", version: str = "1.1") -> bytes:
    return f"POST {path} HTTP/{version}\r\nhost: x\r\ncontent-length: {len(body)}\r\n{more}\r\n".encode() + body


@pytest.mark.parametrize("transfer", ["chunked", "length", "close"])
@pytest.mark.parametrize("position", [0, 1, 100, len(BODY)])
async def test_a_reset_anywhere_is_a_read_error_after_all_that_was_sent(
    serve: Any, read_chunks: Any, transfer: Any, position: int
):
    async with serve(Reply.from_sse(BODY, transfer=transfer).at(position, Reset())) as (_, client):
        chunks, error = await read_chunks(client)
    assert b"".join(chunks) == BODY[:position]
    if transfer == "length" and position == len(BODY):
        assert error is None
    else:
        assert type(error) is httpx.ReadError


@pytest.mark.parametrize("position", [0, 1, 100, len(BODY)])
async def test_a_close_within_the_body_is_a_protocol_error_where_the_end_is_marked(
    serve: Any, read_chunks: Any, position: int
):
    async with serve(Reply.from_sse(BODY).at(position, Close())) as (_, client):
        chunks, error = await read_chunks(client)
    assert b"".join(chunks) == BODY[:position]
    assert type(error) is httpx.RemoteProtocolError


async def test_a_close_short_of_the_announced_length_is_a_protocol_error(serve: Any, read_chunks: Any):
    async with serve(Reply(body=BODY, transfer="length").at(7, Close())) as (_, client):
        chunks, error = await read_chunks(client)
    assert (b"".join(chunks), type(error)) == (BODY[:7], httpx.RemoteProtocolError)


async def test_a_close_is_the_end_of_a_body_that_the_connection_ends(serve: Any, read_chunks: Any):
    async with serve(Reply(body=BODY, transfer="close").at(7, Close())) as (_, client):
        assert await read_chunks(client) == ([BODY[:7]], None)


async def test_a_reset_throws_away_nothing_that_a_slow_client_has_not_fetched(serve: Any):
    large = b"x" * 8_000_000
    async with serve(Reply(body=[large, Reset()], transfer="chunked")) as (_, client):
        received = 0
        async with client.stream("POST", "/responses") as response, aclosing(response.aiter_raw()) as body:
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(httpx.ReadError):
                async for chunk in body:
                    received += len(chunk)
        assert received == len(large)


@pytest.mark.parametrize("step, error", [(Reset(), httpx.ReadError), (Close(), httpx.RemoteProtocolError)])
async def test_an_end_before_the_head(serve: Any, step: Any, error: type[httpx.TransportError]):
    async with serve([Reply().at("head", step), 200]) as (_, client):
        with pytest.raises(error):
            await client.post("/responses")
        assert (await client.post("/responses")).status_code == 200


async def test_a_stall_before_the_head_after_it_and_within_the_body(serve: Any):
    reply = Reply.from_sse(BODY)
    async with serve([reply.at("head", Stall()), reply.at(0, Stall()), reply.at(9, Stall())]) as (server, client):
        for received in (None, b"", BODY[:9]):
            seen: list[bytes] = []
            async with anyio.create_task_group() as tasks:

                async def ask(seen: list[bytes] = seen) -> None:
                    async with client.stream("POST", "/responses") as response:
                        seen.append(b"")
                        async with aclosing(response.aiter_raw()) as body:
                            async for chunk in body:
                                seen[0] += chunk

                tasks.start_soon(ask)
                await server.at_rest()
                await anyio.wait_all_tasks_blocked()
                assert seen == ([] if received is None else [received])
                tasks.cancel_scope.cancel()
            await server.idle()


async def test_a_client_that_leaves_ends_a_hold_without_using_up_a_release(serve: Any):
    async with serve(Reply(body=[Hold(), b"x"])) as (server, client):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.post, "/responses")
            await server.at_rest()
            tasks.cancel_scope.cancel()
        await server.idle()
        server.release()
        assert (await client.post("/responses")).content == b"x"


async def test_comments_flood_until_the_client_leaves():
    async with ReplayServer(Reply.from_sse(b"").at(0, CommentFlood(comment=b": hi\n\n"))) as server:
        # Not by httpx: on trio its own generators complain when a body is left in the middle.
        async with raw_connection(server) as stream:
            await stream.send(request())
            received = b""
            while received.count(b"6\r\n: hi\n\n\r\n") < 1000:
                received += await stream.receive()
        await server.idle()


async def test_a_flood_with_a_count_ends_and_keeps_its_pace(serve: Any, read_chunks: Any):
    clock = ManualClock(auto_advance=True)
    reply = Reply.from_sse(BODY).at(0, CommentFlood(3, interval=15))
    async with serve(reply, clock=clock) as (_, client):
        assert await read_chunks(client) == ([b": keep-alive\n\n"] * 3 + [BODY], None)
    assert clock.sleeps == [15, 15]


@pytest.mark.parametrize("answer", [b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n", b""])
async def test_a_raw_answer_may_be_anything(serve: Any, answer: bytes):
    async with serve(Reply.raw(answer)) as (_, client):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/responses")


async def test_a_raw_answer_may_have_steps(serve: Any, read_chunks: Any):
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    async with serve(Reply.raw(head, b"5\r\nhello\r\n", Send(b"zz\r\n"))) as (_, client):
        chunks, error = await read_chunks(client)
    assert (chunks, type(error)) == ([b"hello"], httpx.RemoteProtocolError)


async def test_an_http_1_0_client_reads_to_the_end_of_the_connection():
    async with ReplayServer(Reply.from_sse(BODY)) as server, raw_connection(server) as stream:
        await stream.send(request(version="1.0"))
        head, _, body = (await read_to_end(stream)).partition(b"\r\n\r\n")
        assert (body, b"connection: close" in head) == (BODY, True)


async def test_a_client_may_ask_for_the_connection_to_be_closed():
    async with ReplayServer(200) as server, raw_connection(server) as stream:
        await stream.send(request(more="Connection: x, Close\r\n"))
        assert b"connection: close" in await read_to_end(stream)


async def test_requests_sent_ahead_are_answered_in_order():
    async with ReplayServer(lambda asked: Reply(body=asked.body)) as server, raw_connection(server) as stream:
        await stream.send(request(body=b"one") + request(body=b"two") + request(body=b"end", version="1.0"))
        answers = await read_to_end(stream)
    assert [part for part in (b"one", b"two", b"end") if part in answers] == [b"one", b"two", b"end"]
    assert [asked.body for asked in server.requests] == [b"one", b"two", b"end"]


async def test_a_request_sent_while_a_reply_holds_is_not_lost():
    script = [Reply(body=[Hold(), b"one"]), Reply(body=b"two")]
    async with ReplayServer(script) as server, raw_connection(server) as stream:
        await stream.send(request())
        await server.at_rest()
        await stream.send(request(version="1.0"))
        await anyio.wait_all_tasks_blocked()
        server.release()
        answers = await read_to_end(stream)
    assert answers.index(b"one") < answers.index(b"two")


async def test_a_body_may_wait_to_be_invited():
    async with ReplayServer(lambda asked: Reply(body=asked.body)) as server, raw_connection(server) as stream:
        head, body = request(body=b"abc", more="expect: 100-continue\r\nconnection: close\r\n").split(b"\r\n\r\n")
        await stream.send(head + b"\r\n\r\n")
        assert (await stream.receive()).startswith(b"HTTP/1.1 100 ")
        await stream.send(body)
        assert (await read_to_end(stream)).endswith(b"\r\n\r\nabc")


@pytest.mark.parametrize(
    "sent, status, problem",
    [
        (b"nonsense\r\n\r\n", 400, "malformed request"),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 100_000, 431, "malformed request"),
        (request(body=b"x" * 101), 413, "the request body is above 100 bytes"),
        (request(body=b"x" * 5_000_000), 413, "the request body is above 100 bytes"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "malformed request"),
    ],
    ids=["no HTTP", "endless head", "body above the limit", "body far above it", "TLS"],
)
async def test_what_is_no_request_is_refused_and_told(sent: bytes, status: int, problem: str):
    async with ReplayServer(200, max_request_bytes=100) as server, raw_connection(server) as stream:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.send, sent)
            assert (await stream.receive()).startswith(f"HTTP/1.1 {status} ".encode())
            tasks.cancel_scope.cancel()
        assert server.requests == []
        assert len(server.problems) == 1
        assert server.problems[0].startswith(problem)


async def test_a_refusal_reaches_a_client_that_first_sends_everything():
    async with ReplayServer(200, max_request_bytes=100) as server, raw_connection(server) as stream:
        await stream.send(request(body=b"x" * 5_000_000))
        assert (await read_to_end(stream)).startswith(b"HTTP/1.1 413 ")


async def test_a_client_that_sends_ahead_without_end_is_cut_off():
    script = Reply().at("head", Stall())
    async with ReplayServer(script, max_request_bytes=100) as server, raw_connection(server) as stream:
        await stream.send(request())
        await server.at_rest()
        with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):
            await stream.send(b"x" * 200)
            await stream.receive()


@pytest.mark.parametrize("sent", [b"", request()[:10], request(body=b"abc")[:-1]], ids=["nothing", "head", "body"])
async def test_a_client_that_leaves_within_its_request_is_no_problem(sent: bytes):
    async with ReplayServer(200) as server:
        async with raw_connection(server) as stream:
            await stream.send(sent)
        await server.idle()
        assert (server.requests, server.problems) == ([], [])


async def test_a_client_that_breaks_off_while_it_is_served_is_no_problem():
    async with ReplayServer(Reply(body=b"x" * 50_000_000)) as server:
        async with raw_connection(server) as stream:
            await stream.send(request())
            await stream.receive(1)
        await server.idle()
        assert server.problems == []
