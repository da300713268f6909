"""Answers by a script, inside the process."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import pytest

from codex_client.testing import (
    Close,
    CommentFlood,
    Hold,
    ManualClock,
    Pause,
    Reply,
    Reset,
    ScriptedTransport,
    Stall,
    responses_turn,
    sse,
)

BODY = sse(responses_turn("Hello."))
URL = "http://api.test/v1/responses"


async def read(client: httpx.AsyncClient) -> tuple[list[bytes], Exception | None]:
    """The body's chunks as they came, and the error that ended them, if one did."""
    chunks: list[bytes] = []
    async with client.stream("POST", URL) as response:
        try:
            async for chunk in response.aiter_raw():
                chunks.append(chunk)
        except httpx.TransportError as error:
            return chunks, error
    return chunks, None


async def test_replies_come_in_order_and_requests_are_kept():
    transport = ScriptedTransport([BODY, 429, Reply.from_json({"a": 1})])
    async with httpx.AsyncClient(transport=transport) as client:
        answers = [await client.post(URL, params={"n": n}, json={"n": n}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 429, 200]
    assert (answers[0].content, answers[2].json()) == (BODY, {"a": 1})
    assert [(asked.query, asked.json()) for asked in transport.requests] == [
        ({"n": str(n)}, {"n": n}) for n in range(3)
    ]
    transport.assert_complete()


async def test_an_exception_in_the_script_is_raised():
    transport = ScriptedTransport([httpx.ConnectError("refused"), 200])
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.ConnectError, match="refused"):
            await client.post(URL)
        assert (await client.post(URL)).status_code == 200
    transport.assert_complete()


async def test_a_request_without_a_reply_fails_at_once_and_in_the_end():
    transport = ScriptedTransport([])
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(
            AssertionError, match="no reply for request 1, POST /v1/responses, is in the script or left"
        ):
            await client.post(URL)
    with pytest.raises(AssertionError, match="no reply for request 1"):
        transport.assert_complete()


async def test_replies_that_are_left_are_missed():
    with pytest.raises(AssertionError, match="2 replies were not asked for"):
        ScriptedTransport([200, 200]).assert_complete()


async def test_a_response_that_is_not_closed_is_missed():
    transport = ScriptedTransport(BODY)
    async with httpx.AsyncClient(transport=transport) as client:
        response = await client.send(client.build_request("POST", URL), stream=True)
        with pytest.raises(AssertionError, match="1 responses are not closed"):
            transport.assert_complete()
        await response.aclose()
        assert isinstance(response.stream, httpx.AsyncByteStream)
        await response.stream.aclose()
    transport.assert_complete()


@pytest.mark.parametrize(
    "step, options, error",
    [
        (Reset(), {}, httpx.ReadError),
        (Close(), {}, httpx.RemoteProtocolError),
        (Close(), {"transfer": "length"}, httpx.RemoteProtocolError),
        (Close(), {"transfer": "close"}, type(None)),
    ],
)
async def test_an_end_within_the_body(step: Any, options: Any, error: type[Exception]):
    async with httpx.AsyncClient(transport=ScriptedTransport(Reply.from_sse(BODY, **options).at(5, step))) as client:
        chunks, raised = await read(client)
    assert (chunks, type(raised)) == ([BODY[:5]], error)


async def test_nothing_comes_after_the_end():
    transport = ScriptedTransport(Reply.from_sse(BODY).at(0, Reset()))
    response = await transport.handle_async_request(httpx.Request("POST", URL))
    assert isinstance(response.stream, httpx.AsyncByteStream)
    body = aiter(response.stream)
    with pytest.raises(httpx.ReadError):
        await anext(body)
    with pytest.raises(StopAsyncIteration):
        await anext(body)


@pytest.mark.parametrize("step, error", [(Reset(), httpx.ReadError), (Close(), httpx.RemoteProtocolError)])
async def test_an_end_before_the_head(step: Any, error: type[Exception]):
    transport = ScriptedTransport(Reply().at("head", step))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(error):
            await client.post(URL)
    transport.assert_complete()


async def test_cuts_and_compression_are_as_on_a_socket():
    transport = ScriptedTransport([Reply.from_sse(BODY, cut=7), Reply.from_sse(BODY, gzip=True)])
    async with httpx.AsyncClient(transport=transport) as client:
        chunks, _ = await read(client)
        assert ({len(chunk) for chunk in chunks[:-1]}, b"".join(chunks)) == ({7}, BODY)
        answer = await client.post(URL)
        assert (answer.content, answer.headers["content-encoding"]) == (BODY, "gzip")


async def test_pauses_and_floods_go_by_the_clock():
    clock = ManualClock(auto_advance=True)
    reply = Reply.from_sse(BODY, before_head=[Pause(3)]).at(0, CommentFlood(2, 5, b":\n\n"), Pause(1))
    async with httpx.AsyncClient(transport=ScriptedTransport(reply, clock=clock)) as client:
        assert await read(client) == ([b":\n\n", b":\n\n", BODY], None)
    assert clock.sleeps == [3, 5, 1]


async def test_holds_and_stalls_wait():
    transport = ScriptedTransport([Reply(body=[Hold(), b"x"]), Reply().at("head", Stall())])
    async with httpx.AsyncClient(transport=transport) as client, anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(client.post, URL)
        await transport.at_rest(2)
        transport.release()
        while transport.open_responses:
            await anyio.lowlevel.checkpoint()
        await transport.at_rest(1)
        tasks.cancel_scope.cancel()
    transport.assert_complete()


async def test_a_raw_reply_needs_a_socket():
    async with httpx.AsyncClient(transport=ScriptedTransport(Reply.raw(b"x"))) as client:
        with pytest.raises(ValueError, match="a raw reply needs a connection"):
            await client.post(URL)
