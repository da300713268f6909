"""Small requests: what goes out, what comes back, and what nobody may see of either."""

from __future__ import annotations

import copy
import gzip
import logging
import pickle
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from codex_client.client.config import Timeouts
from codex_client.client.exchange import Exchange, ExchangeAnswer, _Message
from codex_client.errors import (
    CodexError,
    ConfigurationError,
    ConnectError,
    ConnectTimeoutError,
    PoolTimeoutError,
    ProtocolError,
    ReadError,
    RedirectError,
)
from codex_client.testing import Close, Hold, ManualClock, ReplayServer, Reply, Reset, ScriptedTransport, Send, Stall
from codex_client.testing.requests import RecordedRequest
from tests.support.kept_secrets import assert_kept
from tests.support.loopback import closed_port

TOKEN = "canary/token+0123456789"
HEADERS = {"authorization": f"Bearer {TOKEN}"}


async def refusal(exchange: Exchange, url: str, **options: Any) -> CodexError:
    with pytest.raises(CodexError) as caught:
        await exchange.send("POST", url, **options)
    return caught.value


async def test_a_form_goes_out_as_a_form() -> None:
    async with ReplayServer(Reply.from_json({"granted": True})) as server, Exchange() as exchange:
        answer = await exchange.send("POST", f"{server.url}/oauth/token", form={"code": "a b&c", "client_id": "é"})
    [request] = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/oauth/token", b"code=a+b%26c&client_id=%C3%A9")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (answer.status, answer.json(), answer.body) == (200, {"granted": True}, b'{"granted": true}')


async def test_json_goes_out_as_json() -> None:
    async with ReplayServer(Reply.from_json({})) as server, Exchange() as exchange:
        await exchange.send("POST", server.url, json={"grant": [1, "é"]})
    [request] = server.requests
    assert request.json() == {"grant": [1, "é"]}
    assert request.headers["content-type"] == "application/json"


async def test_a_request_without_a_body_has_no_content_type_and_keeps_its_query() -> None:
    async with ReplayServer(Reply.from_json({})) as server, Exchange() as exchange:
        await exchange.send("GET", f"{server.url}/usage?days=7", headers={"X-Team": "a"})
    [request] = server.requests
    assert (request.method, request.target, request.body) == ("GET", "/usage?days=7", b"")
    assert "content-type" not in request.headers
    assert request.headers["x-team"] == "a"


async def test_headers_of_the_caller_win_over_the_defaults() -> None:
    async with ReplayServer(Reply.from_json({})) as server, Exchange() as exchange:
        await exchange.send("POST", server.url, headers={"User-Agent": "me", "Accept": "text/html"}, json={})
        await exchange.send("POST", server.url, json={})
    mine, default = server.requests
    assert (mine.headers["user-agent"], mine.headers["accept"]) == ("me", "text/html")
    assert default.headers["user-agent"].startswith("codex_client/")
    assert default.headers["accept"] == "application/json"


@pytest.mark.parametrize("status", [200, 204, 302, 401, 403, 429, 500, 503])
async def test_every_status_is_an_answer(status: int) -> None:
    headers = {"location": "/elsewhere", "X-Told": "Yes"} if status == 302 else {"X-Told": "Yes"}
    reply = Reply(status=status, headers=headers, body=b"" if status == 204 else b"told")
    async with ReplayServer(reply) as server, Exchange() as exchange:
        answer = await exchange.send("POST", server.url, json={})
    assert (answer.status, answer.headers["x-told"]) == (status, "Yes")
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'"text"', b"null", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_object_is_an_empty_one(body: bytes) -> None:
    assert ExchangeAnswer(200, {}, body).json() == {}


async def test_a_content_encoding_is_undone() -> None:
    reply = Reply(headers={"content-encoding": "gzip"}, body=gzip.compress(b'{"a": 1}'))
    async with ReplayServer(reply) as server, Exchange() as exchange:
        assert (await exchange.send("GET", server.url)).json() == {"a": 1}


async def test_an_answer_may_be_as_long_as_the_limit_and_no_longer() -> None:
    replies = Reply.sequence([Reply(body=b"x" * 100), Reply(body=b"x" * 101)])
    async with ReplayServer(replies) as server, Exchange(max_body_bytes=100) as exchange:
        assert len((await exchange.send("GET", server.url)).body) == 100
        error = await refusal(exchange, server.url)
    assert isinstance(error, ProtocolError)
    assert str(error).startswith(f"the answer of {server.url} is longer than 100 bytes; ")


async def test_a_packed_bomb_is_bounded_as_well() -> None:
    reply = Reply(headers={"content-encoding": "gzip"}, body=gzip.compress(bytes(50 * 1024 * 1024)))
    async with ReplayServer(reply) as server, Exchange() as exchange:
        assert isinstance(await refusal(exchange, server.url), ProtocolError)


@pytest.mark.parametrize("reply", [Reply(before_head=[Stall()]), Reply(body=[b"half", Stall()])], ids=["head", "body"])
async def test_the_time_limit_covers_the_whole_exchange(reply: Reply) -> None:
    clock = ManualClock()
    errors: list[CodexError] = []
    async with ReplayServer(reply) as server, Exchange(clock=clock) as exchange:

        async def send() -> None:
            errors.append(await refusal(exchange, server.url, timeout=12.5, json={}))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await server.at_rest()
            clock.advance(12.5)
        await server.idle()
    [error] = errors
    assert isinstance(error, ReadError)
    assert str(error) == (f"no answer from {server.url} within 12.5 s; check the network and the provider's status")


async def test_a_caller_that_is_cancelled_leaves_no_connection_open() -> None:
    async with ReplayServer(Reply(body=[Send(b"half"), Hold()])) as server, Exchange() as exchange:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(exchange.send, "GET", server.url)
            await server.at_rest()
            tasks.cancel_scope.cancel()
        await server.idle()


@pytest.mark.parametrize(
    "reply, kind",
    [
        (Reply().at("head", Close()), ReadError),
        (Reply().at("head", Reset()), ReadError),
        (Reply(body=[b'{"access_token": "canary-0', Reset()], transfer="chunked"), ReadError),
        (Reply.raw(b"garbage\r\n\r\n"), ProtocolError),
        (Reply(status=302, headers={"location": "https://api.test:port/v1"}), RedirectError),
    ],
    ids=["closed", "reset", "cut", "garbage", "bad redirect"],
)
async def test_a_broken_answer_is_a_transport_error(reply: Reply, kind: type[CodexError]) -> None:
    async with ReplayServer(reply) as server, Exchange() as exchange:
        error = await refusal(exchange, f"{server.url}/a?key=canary-1", json={"token": TOKEN}, headers=HEADERS)
    assert isinstance(error, kind)
    assert_kept([TOKEN, "canary"], error)


async def test_a_refused_connection_is_a_connect_error() -> None:
    async with Exchange() as exchange:
        error = await refusal(exchange, f"http://127.0.0.1:{closed_port()}", json={"token": TOKEN})
    assert isinstance(error, ConnectError)
    assert_kept([TOKEN], error)


@pytest.mark.parametrize(
    "raised, kind",
    [
        (lambda _: httpx.ConnectTimeout("slow"), ConnectTimeoutError),
        (lambda _: httpx.PoolTimeout("full"), PoolTimeoutError),
        (lambda request: httpx.LocalProtocolError(f"illegal {request.headers}"), ConfigurationError),
        (lambda _: httpx.InvalidURL(f"bad {TOKEN}"), RedirectError),
    ],
    ids=["connect", "pool", "illegal", "address"],
)
async def test_what_the_http_library_raises_is_ours_and_quotes_nothing(
    raised: Callable[[RecordedRequest], Exception], kind: type[CodexError]
) -> None:
    def script(request: RecordedRequest) -> Any:
        return raised(request)

    async with (
        httpx.AsyncClient(transport=ScriptedTransport(script)) as client,
        Exchange(http_client=client, timeouts=Timeouts(connect=3)) as exchange,
    ):
        error = await refusal(exchange, "http://api.test/x", form={"code": TOKEN}, headers=HEADERS)
    assert isinstance(error, kind)
    assert error.__cause__ is None
    assert_kept([TOKEN], error)


@pytest.mark.parametrize("bad", ["canary\n", "canary\r", "canary\N{RIGHT SINGLE QUOTATION MARK}"])
async def test_a_header_that_http_cannot_carry_is_refused_by_name(bad: str) -> None:
    async with Exchange() as exchange:
        error = await refusal(exchange, "http://127.0.0.1:1", headers={"Authorization": bad})
    assert isinstance(error, ConfigurationError)
    assert "'authorization'" in str(error)
    assert_kept(["canary"], error)


async def test_neither_answers_nor_logs_show_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    reply = Reply.from_json({"access_token": TOKEN}, headers={"set-cookie": "s=canary"})
    async with ReplayServer(reply) as server, Exchange() as exchange:
        answer = await exchange.send("POST", server.url, headers=HEADERS, form={"code": TOKEN})
    assert repr(answer) == "ExchangeAnswer(status=200)"
    assert answer.json() == {"access_token": TOKEN}
    assert_kept([TOKEN], answer, *caplog.records)


async def test_an_answer_cleans_what_its_server_quotes() -> None:
    async with ReplayServer(Reply.from_json({})) as server, Exchange() as exchange:
        fields = {"grant_type": "authorization_code", "code": TOKEN, "token_type_hint": "refresh_token"}
        answer = await exchange.send("POST", server.url, headers=HEADERS, form=fields)
    escaped = TOKEN.replace("/", "\\/")
    assert answer.clean(f"{TOKEN}, {escaped}, canary%2Ftoken%2B0123456789") == "***, ***, ***"
    assert answer.clean("authorization_code refresh_token") == "authorization_code refresh_token"


async def test_a_borrowed_client_is_not_closed() -> None:
    async with ReplayServer(Reply.from_json({})) as server, httpx.AsyncClient() as client:
        async with Exchange(http_client=client) as exchange:
            await exchange.send("GET", server.url)
        assert not client.is_closed


async def test_closing_twice_is_as_good_as_once() -> None:
    exchange = Exchange()
    await exchange.aclose()
    await exchange.aclose()


def test_errors_survive_pickle_and_copy() -> None:
    answer = ExchangeAnswer(200, {}, b"{}", ("secret",))
    assert pickle.loads(pickle.dumps(answer)) == copy.copy(answer) == answer


async def test_an_answer_whose_closing_was_broken_off_is_closed_with_the_next_request() -> None:
    """asyncio's own cancellation passes through every shield."""
    async with ReplayServer(Reply(body=[Send(b"half"), Stall()], transfer="chunked")) as server, Exchange() as exchange:
        answer = await exchange._open(_Message("GET", server.url, {}, None, None))
        assert await answer.read_chunk() == b"half"
        answer.abandon()
        assert not answer._response.is_closed
        await exchange.aclose()
        assert answer._response.is_closed
        await server.idle()
