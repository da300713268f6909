"""Turns over HTTP/2: a connection for each stream (`transport="http2"`), or a caller's own client with all on one."""

from __future__ import annotations

import gc
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import anyio.abc
import anyio.lowlevel
import httpx
import pytest
import trustme

from codex_client.client.config import ClientConfig, RetryPolicy, StreamLimits
from codex_client.errors import (
    AuthenticationError,
    CodexError,
    InvalidRequestError,
    RateLimitError,
    ReadError,
    ServerError,
    StreamClosedError,
    TransportError,
    WriteError,
)
from codex_client.events import OutputTextDelta
from codex_client.model_provider import WireApi
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import (
    Close,
    Hold,
    Pause,
    RecordedRequest,
    ReplayServer,
    Reply,
    Reset,
    Stall,
    chat_turn,
    responses_turn,
    sse,
)
from tests.support.h2_server import H2Server, ResetForm
from tests.support.open_files import open_files

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[RoutedApiClient, H2Server]]]

TEXT = "The quick brown fox jumps over the lazy dog."
BODIES = {"responses": sse(responses_turn(TEXT)), "chat": sse(chat_turn(TEXT), done=True)}
BODY = BODIES["responses"]
HALF = BODY.index(b"jumps")
HEADERS = {"content-type": "text/event-stream"}
STALLED = Reply.from_sse(BODY).at(HALF, Stall())
PROMPT = Prompt("hello")
NO_RETRIES = RetryPolicy(request_max_retries=0, stream_max_retries=0)
AT_ONCE = RetryPolicy(base_delay=0.0)
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(autouse=True)
def trusted(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The clients take the authority from the environment, as a user's would."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


@pytest.fixture(params=["own", "borrowed"])
def borrowed(request: pytest.FixtureRequest) -> bool:
    return request.param == "borrowed"


@pytest.fixture
def serve(authority: trustme.CA, borrowed: bool) -> Serve:
    """A client and a server. After the block no connection, file or problem may be left."""

    @asynccontextmanager
    async def serve(
        script: Any, *, wire_api: Any = "responses", retry: RetryPolicy = NO_RETRIES, **options: Any
    ) -> AsyncIterator[tuple[RoutedApiClient, H2Server]]:
        gc.collect()
        before = open_files()
        async with H2Server(script, ssl_context=server_context(authority, "h2")) as server:
            async with AsyncExitStack() as stack:
                options |= await connection_options(stack, borrowed)
                config = ClientConfig(provider=server.provider(wire_api), model="m", retry=retry, **options)
                yield await stack.enter_async_context(RoutedApiClient(config)), server
            await server.idle()
            assert server.problems == []
        gc.collect()
        assert open_files() <= before

    return serve


def server_context(authority: trustme.CA, *protocols: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


async def connection_options(stack: AsyncExitStack, borrowed: bool) -> dict[str, Any]:
    if not borrowed:
        return {"transport": "http2"}
    return {"http_client": await stack.enter_async_context(httpx.AsyncClient(http2=True))}


@pytest.mark.parametrize("wire_api", ["responses", "chat"])
async def test_a_turn_comes_whole_and_its_request_arrives_whole(serve: Serve, wire_api: str) -> None:
    async with serve([BODIES[wire_api]], wire_api=wire_api, auth="sk-test") as (client, server):
        assert (await client.collect(PROMPT)).text == TEXT
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", f"/v1{WireApi(wire_api).path}")
    assert request.headers["authorization"] == "Bearer sk-test"
    assert request.json()["model"] == "m"


async def test_the_next_turn_goes_over_the_same_connection(serve: Serve) -> None:
    async with serve([BODY] * 3) as (client, server):
        for _ in range(3):
            assert (await client.collect(PROMPT)).text == TEXT
        assert server.connections_made == 1


@pytest.mark.parametrize("reply", [Reply.from_sse(BODY, cut=1), Reply.from_sse(BODY, cut="random", gzip=True)])
async def test_the_cuts_of_the_network_do_not_matter(serve: Serve, reply: Reply) -> None:
    async with serve([reply]) as (client, _):
        assert (await client.collect(PROMPT)).text == TEXT


async def test_bodies_beyond_the_flow_control_windows_arrive_both_ways(serve: Serve) -> None:
    question, answer = "q" * (3 * MIB), " ".join(["a" * (64 * 1024)] * 288)
    assert len(answer) > 2**24 + 2**16
    limits = StreamLimits(max_frame_bytes=64 * MIB)
    async with serve([sse(responses_turn(answer))], limits=limits) as (client, server):
        assert (await client.collect(Prompt(question))).text == answer
    assert question in server.requests[0].body.decode()


async def test_twenty_turns_at_once_do_not_touch_each_other(serve: Serve, borrowed: bool) -> None:
    def echo(request: RecordedRequest) -> Reply:
        body = sse(responses_turn(request.json()["input"][0]["content"][0]["text"]))
        return Reply.from_sse(body).at(len(body) // 2, Hold())

    texts: dict[int, str] = {}
    async with serve(echo) as (client, server):

        async def turn(number: int) -> None:
            texts[number] = (await client.collect(Prompt(f"answer number {number}"))).text

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(turn, number)
            await server.at_rest(20)
            server.release(20)
        assert texts == {number: f"answer number {number}" for number in range(20)}
        assert server.connections_made == (1 if borrowed else 20)


@pytest.mark.parametrize(
    "reply, error",
    [
        (400, InvalidRequestError),
        (401, AuthenticationError),
        (500, ServerError),
        (Reply.error(429, headers={"retry-after": "7"}), RateLimitError),
    ],
)
async def test_error_statuses_have_their_classes(serve: Serve, reply: Any, error: type[CodexError]) -> None:
    async with serve([reply, BODY]) as (client, server):
        with pytest.raises(error) as raised:
            await client.collect(PROMPT)
        assert raised.value.retry_after == (7.0 if error is RateLimitError else None)
        # A refusal is an answer like any other.
        assert (await client.collect(PROMPT)).text == TEXT
        assert server.connections_made == 1


BREAKS: list[tuple[ResetForm, Any]] = [
    ("rst_stream", Reset()),
    ("goaway", Reset()),
    ("garbage", Reset()),
    ("tcp", Reset()),
    ("rst_stream", Close()),
]
each_break = pytest.mark.parametrize("form, step", BREAKS, ids=["rst_stream", "goaway", "garbage", "tcp", "close"])


@each_break
@pytest.mark.parametrize("place", ["head", 0, HALF])
async def test_a_break_is_a_transport_error_with_what_had_come(
    serve: Serve, form: ResetForm, step: Any, place: Any
) -> None:
    async with serve([Reply.from_sse(BODY).at(place, step), BODY]) as (client, server):
        server.reset_form = form
        text = ""
        # Where it is noticed in writing, in acknowledging what came, it is a failure to write.
        with pytest.raises((ReadError, WriteError)) as raised:
            async with client.stream(PROMPT) as stream:
                async for event in stream:
                    text += event.delta if isinstance(event, OutputTextDelta) else ""
        assert raised.value.retryable
        assert text == ("The quick brown fox" if place == HALF else "")
        assert (raised.value.partial.text if raised.value.partial else "") == text
        assert (await client.collect(PROMPT)).text == TEXT


@each_break
@pytest.mark.parametrize("place", ["head", 0])
async def test_a_break_before_output_is_tried_again(serve: Serve, form: ResetForm, step: Any, place: Any) -> None:
    async with serve([Reply.from_sse(BODY).at(place, step), BODY], retry=AT_ONCE) as (client, server):
        server.reset_form = form
        assert (await client.collect(PROMPT)).text == TEXT
        assert len(server.requests) == 2


@pytest.mark.parametrize("place", ["head", 0, HALF])
async def test_a_connection_that_is_being_drained_ends_whole_or_in_a_typed_error(serve: Serve, place: Any) -> None:
    async with serve([Reply.from_sse(BODY).at(place, Reset(), Pause(0.01)), BODY]) as (client, server):
        server.reset_form = "drain"
        try:
            assert (await client.collect(PROMPT)).text == TEXT
        except (ReadError, StreamClosedError) as error:
            assert error.retryable
        assert (await client.collect(PROMPT)).text == TEXT


@pytest.mark.parametrize("place", ["head", 0, HALF])
async def test_a_stream_that_the_server_disowns_is_a_typed_error(serve: Serve, place: Any) -> None:
    async with serve([BODY, Reply.from_sse(BODY).at(place, Reset(), Stall()), BODY, BODY]) as (client, server):
        server.reset_form = "goaway behind"
        await client.collect(PROMPT)
        try:
            # The library may have sent it again by itself where nothing of an answer had come.
            assert (await client.collect(PROMPT)).text == TEXT
            assert place == "head"
        except TransportError as error:
            assert error.retryable
        assert (await client.collect(PROMPT)).text == TEXT


async def test_a_connection_that_was_closed_while_idle_is_replaced(serve: Serve, borrowed: bool) -> None:
    # httpcore's own pool does not look at the socket of an HTTP/2 connection, so there it takes a retry.
    retry = AT_ONCE if borrowed else NO_RETRIES
    async with serve([Reply.from_sse(BODY), BODY], retry=retry) as (client, server):
        await client.collect(PROMPT)
        server.close_connections()
        await server.idle()
        assert (await client.collect(PROMPT)).text == TEXT


async def test_leaving_early_does_not_hold_up_the_next_turn(serve: Serve, borrowed: bool) -> None:
    async with serve([STALLED, BODY]) as (client, server):
        async with client.stream(PROMPT) as stream:
            await anext(stream)
        if not borrowed:
            await server.idle()
        assert (await client.collect(PROMPT)).text == TEXT


async def test_cancellation_frees_the_stream(serve: Serve, borrowed: bool) -> None:
    async with serve([STALLED, BODY]) as (client, server):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.collect, PROMPT)
            await server.at_rest()
            tasks.cancel_scope.cancel()
        if not borrowed:
            await server.idle()
        assert (await client.collect(PROMPT)).text == TEXT


# httpcore's own pool keeps a shared connection whose use was cancelled, and some of those are broken.
@pytest.mark.parametrize("borrowed", [False], ids=["own"])
async def test_cancelling_at_any_moment_leaves_nothing_open(serve: Serve) -> None:
    """Cancelled after one step of the event loop, two, three, then ever later, until the turn is over before that."""
    sends = Reply.from_events(responses_turn("The fox.")).steps
    slowly = Reply(headers=HEADERS, body=[step for send in sends for step in (send, Pause(0.0))])
    async with serve(lambda _: slowly) as (client, server):
        completed, steps, rounds = False, 1, 0
        while not completed and rounds < 200:
            rounds += 1
            steps += 1 + steps // 10
            async with anyio.create_task_group() as tasks:

                async def cancel_after(count: int, tasks: anyio.abc.TaskGroup = tasks) -> None:
                    for _ in range(count):
                        await anyio.lowlevel.checkpoint()
                    tasks.cancel_scope.cancel()

                tasks.start_soon(cancel_after, steps)
                completed = (await client.collect(PROMPT)).text == "The fox."
                tasks.cancel_scope.cancel()
        assert completed
        assert rounds > 10
        assert server.open_connections <= 1


async def test_a_dropped_stream_is_cleared_away_by_the_next_turn(serve: Serve, borrowed: bool) -> None:
    async with serve([STALLED, BODY]) as (client, server):
        block = client.stream(PROMPT)
        stream = await block.__aenter__()
        await anext(stream)
        with pytest.warns(ResourceWarning, match="dropped while open"):
            del block, stream
            gc.collect()
        if not borrowed:
            await server.idle()
        assert (await client.collect(PROMPT)).text == TEXT


async def test_leaving_one_stream_does_not_touch_its_neighbours(serve: Serve) -> None:
    held = Reply.from_sse(BODY).at(HALF, Hold())
    async with serve([held, STALLED]) as (client, server), client.stream(PROMPT) as neighbour:
        await anext(neighbour)
        async with client.stream(PROMPT) as left:
            await anext(left)
        server.release()
        assert (await neighbour.collect()).text == TEXT


@pytest.mark.parametrize("protocols", [["http/1.1"], []], ids=["http/1.1", "no ALPN"])
async def test_a_server_without_http2_is_spoken_to_as_it_can(
    authority: trustme.CA, borrowed: bool, protocols: list[str]
) -> None:
    async with (
        ReplayServer([BODY, BODY], ssl_context=server_context(authority, *protocols)) as server,
        AsyncExitStack() as stack,
    ):
        options = await connection_options(stack, borrowed)
        client = await stack.enter_async_context(
            RoutedApiClient(ClientConfig(provider=server.provider(), model="m", **options))
        )
        for _ in range(2):
            assert (await client.collect(PROMPT)).text == TEXT
        assert server.connections_made == 1
        server.assert_complete()
