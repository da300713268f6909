"""The server as an HTTP server: requests, replies, routes, waits, its own life."""

from __future__ import annotations

import json
import socket
from typing import Any

import anyio
import httpx
import pytest

from codex_client.model_provider import ModelProviderInfo, WireApi
from codex_client.testing import (
    Hold,
    ManualClock,
    Pause,
    RecordedRequest,
    ReplayServer,
    Reply,
    Stall,
    responses_turn,
    sse,
)

BODY = sse(responses_turn("Hello, world."))
GOOD_REQUEST = {"model": "gpt-5", "input": "Hi", "stream": True}


async def test_requests_are_answered_in_order_and_on_one_connection(serve: Any):
    async with serve([BODY, 404, Reply.from_json({"ok": True})]) as (server, client):
        answers = [await client.post("/responses", json={"n": n}) for n in range(3)]
        assert [answer.status_code for answer in answers] == [200, 404, 200]
        assert (answers[0].content, answers[2].json()) == (BODY, {"ok": True})
        assert answers[0].headers["content-type"] == "text/event-stream; charset=utf-8"
        assert (server.connections_made, server.open_connections) == (1, 1)
    server.assert_complete()


async def test_every_request_is_kept(serve: Any):
    async with serve(200) as (server, client):
        await client.post("/responses?a=1", json={"n": 1}, headers={"X-Thing": "v"})
        async with httpx.AsyncClient() as other:
            await other.get(server.url + "/v1/models")
    first, second = server.requests
    assert (first.method, first.path, first.query, first.json()) == ("POST", "/v1/responses", {"a": "1"}, {"n": 1})
    assert (first.headers["x-thing"], first.connection) == ("v", 1)
    assert (second.method, second.target, second.body, second.connection) == ("GET", "/v1/models", b"", 2)


async def test_replies_may_be_given_by_route_and_by_function(serve: Any):
    def echo(request: RecordedRequest) -> Reply:
        return Reply.from_json(request.json())

    async with serve({"GET /models": 403, "/responses": [BODY], "/chat/completions": echo}) as (server, client):
        assert (await client.get("/models")).status_code == 403
        assert (await client.post("/responses")).content == BODY
        assert (await client.post("/chat/completions", json={"a": 1})).json() == {"a": 1}
    server.assert_complete()


async def test_a_request_without_a_reply_is_a_problem_and_no_error_to_be_retried(serve: Any):
    async with serve({"/responses": [BODY]}) as (server, client):
        await client.post("/responses")
        for path in ("/responses", "/other"):
            answer = await client.post(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "script_exhausted")
    assert server.problems == [
        "no reply for request 2, POST /v1/responses, is in the script or left",
        "no reply for request 3, POST /v1/other, is in the script or left",
    ]
    with pytest.raises(AssertionError, match=r"no reply for request 2.*no reply for request 3"):
        server.assert_complete()


async def test_a_reply_that_was_not_asked_for_is_missed(serve: Any):
    async with serve([BODY, 500, 200]) as (server, client):
        await client.post("/responses")
    with pytest.raises(AssertionError, match="2 replies were not asked for"):
        server.assert_complete()


@pytest.mark.parametrize(
    "path, body, accepted",
    [
        ("/responses", json.dumps(GOOD_REQUEST), True),
        ("/responses", json.dumps({**GOOD_REQUEST, "stram": True}), False),
        ("/responses", "{", False),
        (
            "/chat/completions",
            json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}),
            True,
        ),
        ("/chat/completions", json.dumps({"model": "m", "messages": [{"role": "user"}]}), False),
        ("/embeddings", "{", True),
    ],
    ids=["good", "unknown key", "no JSON", "good chat", "bad chat", "another path"],
)
async def test_a_strict_server_refuses_a_faulty_body(serve: Any, path: str, body: str, accepted: bool):
    async with serve([BODY], strict=True) as (server, client):
        answer = await client.post(path, content=body)
        assert answer.status_code == (200 if accepted else 400)
    assert bool(server.problems) is not accepted
    if not accepted:
        assert answer.json()["error"]["message"] == "; ".join(server.problems)
        assert answer.json()["error"]["code"] == "invalid_request_body"


async def test_a_strict_server_asks_nothing_of_a_request_without_a_body(serve: Any):
    async with serve([BODY], strict=True) as (server, client):
        assert (await client.get("/responses")).status_code == 200
    server.assert_complete()


@pytest.mark.parametrize("cut", [1, 7, "random"])
async def test_cuts_reach_the_client_as_they_are(serve: Any, read_chunks: Any, cut: Any):
    async with serve(Reply.from_sse(BODY, cut=cut, seed=3)) as (_, client):
        chunks, error = await read_chunks(client)
        again, _ = await read_chunks(client)
    assert (b"".join(chunks), error, again) == (BODY, None, chunks)
    if isinstance(cut, int):
        assert {len(chunk) for chunk in chunks[:-1]} == {cut}
    else:
        assert len({len(chunk) for chunk in chunks}) > 5


@pytest.mark.parametrize("transfer", ["chunked", "length", "close"])
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
async def test_every_transfer_carries_the_body(serve: Any, transfer: Any, compressed: bool):
    async with serve(Reply.from_sse(BODY, transfer=transfer, gzip=compressed, cut=50)) as (server, client):
        for _ in range(2):
            answer = await client.post("/responses")
            assert answer.content == BODY
            assert answer.headers.get("content-encoding") == ("gzip" if compressed else None)
        assert server.connections_made == (2 if transfer == "close" else 1)


async def test_a_large_body_goes_through_both_ways(serve: Any):
    large = b"x" * 5_000_000
    async with serve(lambda request: Reply(body=request.body)) as (_, client):
        assert (await client.post("/responses", content=large)).content == large


async def test_a_hold_waits_for_its_release(serve: Any):
    async with serve(Reply.from_sse(b"", headers={}).at(0, Hold())) as (server, client):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.post, "/responses")
            await server.at_rest()
            with pytest.raises(AssertionError, match="1 of 2 replies hold or stall"):
                await server.at_rest(2, within=0)
            server.release()
        assert len(server.requests) == 1
        with pytest.raises(AssertionError, match="0 of 1 replies hold or stall"):
            await server.at_rest(within=0)


async def test_a_release_may_come_before_its_hold(serve: Any, read_chunks: Any):
    async with serve(Reply.from_sse(b"ab").at(0, Hold()).at(1, Hold())) as (server, client):
        server.release(2)
        assert await read_chunks(client) == ([b"a", b"b"], None)


async def test_one_release_lets_one_hold_go(serve: Any):
    async with serve(Reply(body=[Hold(), b"x"])) as (server, client):
        done: list[bytes] = []

        async def ask() -> None:
            done.append((await client.post("/responses")).content)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            tasks.start_soon(ask)
            await server.at_rest(2)
            server.release()
            await server.at_rest(1)
            while not done:
                await anyio.lowlevel.checkpoint()
            assert done == [b"x"]
            server.release()


async def test_pauses_go_by_the_servers_clock(serve: Any):
    clock = ManualClock(auto_advance=True)
    reply = Reply(body=[b"a", Pause(1), b"b"], before_head=[Pause(60)])
    async with serve(reply, clock=clock) as (_, client):
        assert (await client.post("/responses")).content == b"ab"
    assert clock.sleeps == [60, 1]


async def test_waiting_for_requests(serve: Any):
    async with serve(200) as (server, client):
        with pytest.raises(AssertionError, match="0 of 1 requests have arrived"):
            await server.received(within=0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.post, "/responses")
            tasks.start_soon(client.post, "/responses")
            await server.received(2)
        assert len(server.requests) == 2


async def test_a_connection_that_stays_open_is_told():
    async with ReplayServer(200) as server, httpx.AsyncClient() as client:
        await client.post(server.url)
        with pytest.raises(AssertionError, match=r"waited 0 s: 1 connections are still open"):
            await server.idle(within=0)


async def test_a_connection_that_nobody_has_accepted_yet_counts():
    async with ReplayServer(200) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))), pytest.raises(AssertionError, match="1 connections"):
            await server.idle(within=0)
        await server.idle()
        assert server.connections_made == 1


async def test_the_server_is_a_provider():
    async with ReplayServer(200) as server:
        assert server.base_url == f"{server.url}/v1"
        for wire_api in WireApi:
            expected = ModelProviderInfo(name="replay", base_url=server.base_url, wire_api=wire_api)
            assert server.provider(wire_api) == server.provider(wire_api.value) == expected


async def test_after_the_block_nobody_listens_and_nothing_is_open():
    server = ReplayServer(Reply().at(0, Stall()))
    async with server, httpx.AsyncClient() as client, anyio.create_task_group() as tasks:
        tasks.start_soon(client.post, server.url)
        await server.at_rest()
        tasks.cancel_scope.cancel()
    await server.idle()
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.post(server.url)


async def test_the_end_of_the_block_ends_replies_that_still_run():
    async with httpx.AsyncClient() as client, anyio.create_task_group() as tasks:

        async def ask(url: str) -> None:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.post(url)

        async with ReplayServer(Reply(body=[b"x", Stall()])) as server:
            tasks.start_soon(ask, server.url)
            await server.at_rest()
        assert server.open_connections == 0


async def test_an_error_inside_the_block_comes_out_as_it_is():
    with pytest.raises(LookupError, match="mine"):
        async with ReplayServer(200):
            raise LookupError("mine")


async def test_the_block_can_be_cancelled():
    server = ReplayServer(Reply().at("head", Stall()))
    with anyio.CancelScope() as scope:
        async with server, httpx.AsyncClient() as client, anyio.create_task_group() as tasks:
            tasks.start_soon(client.post, server.url)
            await server.at_rest()
            scope.cancel()
    assert scope.cancelled_caught
    assert server.open_connections == 0


async def test_a_failing_script_function_fails_the_test():
    def fail(request: RecordedRequest) -> Reply:
        raise LookupError(request.path)

    with pytest.raises(ExceptionGroup) as failure:
        async with ReplayServer(fail) as server, httpx.AsyncClient() as client:
            await client.post(server.url + "/asked")
    assert failure.group_contains(LookupError, match="/asked")


async def test_a_chosen_port_and_an_address_of_version_6():
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
    async with ReplayServer(BODY, host="::1", port=port) as server, httpx.AsyncClient() as client:
        assert server.url == f"http://[::1]:{port}"
        assert (await client.post(server.url)).content == BODY


async def test_a_port_that_is_taken_is_an_error_at_once():
    async with ReplayServer(200) as first:
        with pytest.raises(OSError, match="in use"):
            async with ReplayServer(200, port=int(first.url.rpartition(":")[2])):
                pytest.fail("two servers on one port")


async def test_many_clients_at_once(serve: Any):
    async with serve(Reply.from_sse(BODY, cut=5)) as (server, client):
        bodies: list[bytes] = []

        async def ask() -> None:
            bodies.append((await client.post("/responses")).content)

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(ask)
    assert bodies == [BODY] * 20
    assert len(server.requests) == 20
