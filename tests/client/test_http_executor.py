"""One request on the wire: its address, redirects, which statuses are answers, and what is read of an error."""

from __future__ import annotations

import math

import anyio
import httpx
import pytest

from codex_client.auth.static import NoAuth, StaticAuth
from codex_client.client.config import ClientConfig, StreamLimits, Timeouts
from codex_client.client.connections import ConnectionTransport
from codex_client.client.http import RequestExecutor
from codex_client.client.retry import AttemptBudget
from codex_client.errors import RedirectError, ServerError, UnexpectedStatusError
from codex_client.model_provider import ModelProviderInfo
from codex_client.testing import ManualClock, ReplayServer, Reply, Reset, ScriptedTransport, Stall
from tests.support.one_request import FIRST, OPEN_ENDED, executing, open_one, rest_of

pytestmark = pytest.mark.usefixtures("transport")


@pytest.mark.parametrize("status", [200, 201, 203])
async def test_these_statuses_are_answers(status: int) -> None:
    async with executing([Reply(status=status, body=FIRST)]) as (executor, _):
        answer = await open_one(executor)
        assert (answer.status_code, await rest_of(answer)) == (status, FIRST)
        await answer.aclose()


@pytest.mark.parametrize("status", [202, 204, 205, 206, 299, 300, 304, 305])
async def test_no_other_success_or_redirect_status_is_an_answer(status: int) -> None:
    async with executing([Reply(status=status)]) as (executor, _):
        with pytest.raises(UnexpectedStatusError) as caught:
            await open_one(executor)
        assert caught.value.status == status
        assert not caught.value.retryable


@pytest.mark.parametrize("own_transport", [True, False])
async def test_a_borrowed_client_is_used_and_left_open(own_transport: bool) -> None:
    transport = ConnectionTransport() if own_transport else None
    client = httpx.AsyncClient(transport=transport, headers={"x-from-client": "1"})
    async with client, executing(OPEN_ENDED, http_client=client) as (executor, server):
        answer = await open_one(executor)
        assert await answer.read_chunk() == FIRST
        answer.abandon()
        await server.idle()
        answer = await open_one(executor)
        await answer.aclose()
        await server.idle()
        assert server.requests[0].headers["x-from-client"] == "1"
        assert server.requests[0].headers["accept"] == "text/event-stream"
        await executor.aclose()
        assert not client.is_closed


async def test_the_query_is_sent_but_not_shown() -> None:
    async with ReplayServer([Reply.error(400)]) as server:
        provider = ModelProviderInfo(
            name="test", base_url=f"{server.base_url}/", query_params={"api-version": "2025 a", "k": "ä&b"}
        )
        executor = RequestExecutor(ClientConfig(provider=provider, model="m"), auth=NoAuth())
        assert executor.url == f"{server.base_url}/responses"
        with pytest.raises(UnexpectedStatusError) as caught:
            await open_one(executor)
        assert caught.value.url == executor.url
        assert server.requests[0].target == "/v1/responses?api-version=2025%20a&k=%C3%A4%26b"
        await executor.aclose()


async def test_a_long_error_body_is_cut_off() -> None:
    reply = Reply(status=500, body=b"x" * 5000)
    async with executing([reply], limits=StreamLimits(max_error_body_bytes=1000)) as (executor, _):
        with pytest.raises(ServerError) as caught:
            await open_one(executor)
        assert caught.value.body == "x" * 1000


@pytest.mark.parametrize("shown", range(1, 21))
@pytest.mark.parametrize("form", ["Bearer {}", "{}"])
async def test_a_key_across_the_end_of_what_is_read_is_blanked_whole(shown: int, form: str) -> None:
    key = "canary-key-0123456789"
    told = form.format(key)
    body = ("x" * (1000 - shown) + told + "tail" * 100).encode()
    async with ReplayServer(Reply(status=400, body=body)) as server:
        config = ClientConfig(provider=server.provider(), model="m", limits=StreamLimits(max_error_body_bytes=1000))
        executor = RequestExecutor(config, auth=StaticAuth(key))
        with pytest.raises(UnexpectedStatusError) as caught:
            await open_one(executor)
        assert caught.value.body == "x" * (1000 - shown) + "***"
        await executor.aclose()


async def test_a_key_in_a_body_that_breaks_off_is_blanked_as_well(transport: str) -> None:
    if transport == "aiohttp":
        pytest.skip("aiohttp sends no such key")
    key, clock = "canary-key-0123456789-\xe9", ManualClock()
    # The break goes through the last character.
    reply = Reply(status=400, body=[b"no: " + key.encode()[:-1], Stall()], transfer="chunked")
    async with (
        executing(reply, clock=clock, extra_headers={"x-team-token": key}) as (executor, server),
        anyio.create_task_group() as tasks,
    ):

        async def fail() -> None:
            with pytest.raises(UnexpectedStatusError) as caught:
                await open_one(executor)
            assert caught.value.body == "no: ***"

        tasks.start_soon(fail)
        await clock.wait_for_timer(5.0)
        await server.at_rest()
        await anyio.wait_all_tasks_blocked()
        clock.advance(5.0)


async def test_an_error_body_of_just_the_limit_is_whole() -> None:
    async with ReplayServer(Reply(status=500, body=b"x" * 999 + b"B")) as server:
        config = ClientConfig(provider=server.provider(), model="m", limits=StreamLimits(max_error_body_bytes=1000))
        executor = RequestExecutor(config, auth=StaticAuth("key-0123456789"))
        with pytest.raises(ServerError) as caught:
            await open_one(executor)
        assert caught.value.body == "x" * 999 + "B"
        await executor.aclose()


@pytest.mark.parametrize("location", ["javascript:x", "mailto:a@b.test", "data:,x"])
async def test_a_redirect_to_what_is_no_http_is_refused_as_one(location: str) -> None:
    async with executing([Reply(status=307, headers={"location": location})]) as (executor, _):
        with pytest.raises(RedirectError):
            await open_one(executor)


async def test_an_error_body_that_stalls_gives_what_came() -> None:
    clock = ManualClock()
    reply = Reply(status=500, body=[b'{"error": {"message": "so f', Stall()], transfer="chunked")
    async with executing([reply], clock=clock) as (executor, server), anyio.create_task_group() as tasks:

        async def fail() -> None:
            with pytest.raises(ServerError) as caught:
                await open_one(executor)
            assert caught.value.body == '{"error": {"message": "so f'

        tasks.start_soon(fail)
        await clock.wait_for_timer(5.0)
        await server.at_rest()
        await anyio.wait_all_tasks_blocked()
        clock.advance(5.0)


async def test_an_error_body_that_breaks_gives_what_came() -> None:
    async with executing([Reply(status=500, body=[b"so far", Reset()], transfer="chunked")]) as (executor, _):
        with pytest.raises(ServerError) as caught:
            await open_one(executor)
        assert caught.value.body in ("so far", "")


async def test_an_error_leaves_its_connection_for_the_next() -> None:
    async with executing([400, Reply(body=FIRST)]) as (executor, server):
        with pytest.raises(UnexpectedStatusError):
            await open_one(executor)
        await (await open_one(executor)).aclose()
        assert server.connections_made == 1


async def test_a_redirect_is_followed_with_body_and_credential() -> None:
    moved = Reply(status=307, headers={"location": "/v2/responses?again=1"}, body=b"moved")
    async with executing([moved, Reply(body=FIRST)]) as (executor, server):
        answer = await open_one(executor)
        assert await rest_of(answer) == FIRST
        await answer.aclose()
        first, second = server.requests
        assert (second.method, second.target, second.body) == ("POST", "/v2/responses?again=1", first.body)
        assert second.headers == first.headers
        assert server.connections_made == 1
        assert answer.url == f"{server.url}/v2/responses"


async def test_a_redirect_loop_ends() -> None:
    circle = Reply(status=308, headers={"location": "/v1/responses"})
    async with executing([circle]) as (executor, server):
        with pytest.raises(RedirectError, match="a loop"):
            await open_one(executor)
        server.assert_complete()


async def test_endless_redirects_end() -> None:
    numbers = iter(range(100))
    async with executing(lambda _: Reply(status=307, headers={"location": f"/{next(numbers)}"})) as (executor, server):
        with pytest.raises(RedirectError, match="after 5 redirects"):
            await open_one(executor)
        assert len(server.requests) == 6


async def test_a_redirect_elsewhere_takes_nothing_along() -> None:
    async with ReplayServer([]) as elsewhere:
        away = Reply(status=307, headers={"location": f"{elsewhere.url}/v1/responses"})
        async with executing([away]) as (executor, _):
            with pytest.raises(RedirectError, match="which is another server"):
                await open_one(executor)
        assert elsewhere.connections_made == 0


async def test_an_upgrade_to_tls_is_followed() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.scheme == "http":
            return httpx.Response(308, headers={"location": str(request.url.copy_with(scheme="https"))})
        return httpx.Response(200, content=FIRST)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        provider = ModelProviderInfo(name="test", base_url="http://api.test/v1")
        executor = RequestExecutor(ClientConfig(provider=provider, model="m", http_client=client), auth=NoAuth())
        got = await open_one(executor)
        assert (await rest_of(got), got.url) == (FIRST, "https://api.test/v1/responses")
        await got.aclose()
        await executor.aclose()


async def test_every_answer_of_a_script_is_closed() -> None:
    transport = ScriptedTransport([500, Reply(status=307, headers={"location": "/x"}), FIRST])
    async with httpx.AsyncClient(transport=transport) as client:
        provider = ModelProviderInfo(name="test", base_url="http://api.test/v1")
        clock = ManualClock(auto_advance=True)
        config = ClientConfig(provider=provider, model="m", http_client=client, clock=clock)
        executor = RequestExecutor(config, auth=NoAuth())
        answer = await executor.open(b"{}", budget=AttemptBudget(4, 5))
        await answer.aclose()
        await executor.aclose()
    transport.assert_complete()


async def test_a_request_that_is_cancelled_while_it_is_sent_leaves_nothing_behind() -> None:
    async def read_nothing(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await anyio.sleep_forever()

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, read_nothing)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        provider = ModelProviderInfo(name="test", base_url=f"http://127.0.0.1:{port}/v1")
        executor = RequestExecutor(ClientConfig(provider=provider, model="m"), auth=NoAuth())

        async def send() -> None:
            with scope:
                await executor.open(bytes(50_000_000), budget=AttemptBudget(0, 0))

        scope = anyio.CancelScope()
        tasks.start_soon(send)
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
        await anyio.wait_all_tasks_blocked()
        await executor.aclose()
        tasks.cancel_scope.cancel()


async def test_every_limit_can_be_switched_off() -> None:
    timeouts = Timeouts(connect=math.inf, write=math.inf, pool=math.inf, first_event=math.inf)
    async with executing([FIRST], timeouts=timeouts) as (executor, _):
        answer = await open_one(executor)
        assert await rest_of(answer) == FIRST
        await answer.aclose()
