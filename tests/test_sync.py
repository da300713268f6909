"""The clients without `await`: the same turns as with it, from any thread, and nothing left behind in whatever way they
end.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from codex_client.aggregate import CollectedResponse
from codex_client.auth.static import StaticAuth
from codex_client.client.config import ChatConfig, ClientConfig, ResponsesConfig, RetryPolicy
from codex_client.clients.offline import stream_from_fixture as async_stream_from_fixture
from codex_client.condense import AggregateMode
from codex_client.errors import (
    ConfigurationError,
    IncompleteResponseError,
    InvalidPayloadError,
    ServerError,
)
from codex_client.events import OutputTextDelta, ResponseEvent
from codex_client.model_provider import built_in_providers
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient as AsyncRoutedApiClient
from codex_client.stream import ResponseStream
from codex_client.sync import (
    BlockingClient,
    ChatCompletionsApiClient,
    ResponsesApiClient,
    RoutedApiClient,
    connect,
    stream_from_fixture,
)
from codex_client.sync.loop_thread import LoopThread
from codex_client.testing import ManualClock, ReplayServer, Reply, Stall, chat_turn, responses_turn, sse
from codex_client.testing.account_server import AccountServer
from tests.support.command_line import hearing_interrupts

FIXTURES = Path(__file__).parent.parent / "fixtures"
ROOT = Path(__file__).parent.parent
IGNORED = {"response.content_part.added": 1, "response.content_part.done": 1}
TEXT = "The quick brown fox."
NO_RETRIES = RetryPolicy(request_max_retries=0, stream_max_retries=0)
Serve = Callable[..., ReplayServer]


@pytest.fixture
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal("asyncio") as portal:
        yield portal


@pytest.fixture
def serve(portal: BlockingPortal) -> Iterator[Serve]:
    """Servers in a thread of their own; each must have seen its clients leave in the end."""
    started: list[tuple[ReplayServer, Any]] = []

    def start(script: Any) -> ReplayServer:
        block = portal.wrap_async_context_manager(ReplayServer(script))
        started.append((block.__enter__(), block))
        return started[-1][0]

    yield start
    for server, block in started:
        try:
            portal.call(server.idle)
        finally:
            block.__exit__(None, None, None)


def client_of(server: ReplayServer, wire_api: Any = "responses", **options: Any) -> RoutedApiClient:
    provider = server.provider(wire_api)
    return RoutedApiClient(ClientConfig(provider=provider, model="test-model", retry=NO_RETRIES, **options))


def threads_of_clients() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("codex_client.sync")]


posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signal to one thread")


@pytest.fixture
def hears_interrupts() -> Iterator[None]:
    with hearing_interrupts():
        yield


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert threads_of_clients() == []


def test_a_turn_streams_collects_and_tells_as_the_asynchronous_one(serve: Serve):
    server = serve(Reply.from_events(responses_turn(TEXT), headers={"x-request-id": "req_1"}))
    with client_of(server) as client, client.stream(Prompt("Hi")) as stream:
        events = [next(stream), *stream]
        assert (stream.status_code, stream.request_id, stream.error) == (200, "req_1", None)
        assert stream.completed
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert (stream.rate_limits, dict(stream.ignored), stream.malformed) == ((), IGNORED, 0)
        assert list(stream) == []
        response = stream.collect()
    assert response == stream.response
    assert "".join(event.delta for event in events if isinstance(event, OutputTextDelta)) == response.text == TEXT


@pytest.mark.parametrize(
    "fixture", ["responses/weather-call.sse", "responses/reasoning-summary.sse", "chat/reasoning.sse"]
)
@pytest.mark.parametrize("mode", [None, *AggregateMode])
def test_a_fixture_gives_the_same_events_with_and_without_await(fixture: str, mode: AggregateMode | None):
    path, wire_api = FIXTURES / fixture, "chat" if fixture.startswith("chat") else "responses"

    async def awaited() -> list[ResponseEvent]:
        async with async_stream_from_fixture(path, wire_api=wire_api, chunk_size=7) as stream:
            return [event async for event in (stream if mode is None else stream.aggregate(mode))]

    with stream_from_fixture(path, wire_api=wire_api, chunk_size=7) as stream:
        events = list(stream if mode is None else stream.aggregate(mode))
    assert events == anyio.run(awaited)
    assert events


def test_a_fixture_that_is_not_there_is_told_at_once():
    with pytest.raises(FileNotFoundError, match="no such fixture"):
        stream_from_fixture("nowhere.sse")


def test_what_was_received_before_a_failure_is_given_first_and_stays_on_the_error():
    with stream_from_fixture(FIXTURES / "responses/incomplete.sse") as stream:
        seen: list[ResponseEvent] = []
        with pytest.raises(IncompleteResponseError) as caught:
            for event in stream:
                seen.append(event)  # noqa: PERF402 (what came before the failure is kept)
        assert caught.value.partial is not None
        told = "".join(event.delta for event in seen if isinstance(event, OutputTextDelta))
        assert told == caught.value.partial.text != ""
        with pytest.raises(IncompleteResponseError):
            stream.collect()
        assert stream.error is caught.value


@pytest.mark.parametrize("make", [ResponsesApiClient, ChatCompletionsApiClient])
def test_each_api_has_its_client(serve: Serve, make: type[ResponsesApiClient] | type[ChatCompletionsApiClient]):
    is_chat = make is ChatCompletionsApiClient
    server = serve(sse(chat_turn(TEXT) if is_chat else responses_turn(TEXT), done=is_chat))
    provider = server.provider("chat" if is_chat else "responses")
    config: Any = (ChatConfig if is_chat else ResponsesConfig)(provider=provider, model="m")
    with make(config) as client:
        assert client.collect(Prompt("Hi")).text == TEXT
    assert [request.path for request in server.requests] == [f"/v1{provider.wire_api.path}"]


def test_connect_takes_the_same_arguments_and_environment(serve: Serve, monkeypatch: pytest.MonkeyPatch):
    server = serve(sse(responses_turn(TEXT)))
    monkeypatch.setenv("CODEX_CLIENT_BASE_URL", server.base_url)
    monkeypatch.setenv("CODEX_CLIENT_MODEL", "model-of-the-environment")
    with connect(auth="key", extra_headers={"x-a": "b"}) as client:
        assert client.collect(Prompt("Hi")).text == TEXT
    [request] = server.requests
    assert request.json()["model"] == "model-of-the-environment"
    assert (request.headers["authorization"], request.headers["x-a"]) == ("Bearer key", "b")
    with pytest.raises(ConfigurationError, match="unknown provider 'nonsense'"):
        connect("m", provider="nonsense")


def test_a_prompt_that_cannot_be_sent_is_refused_before_the_block(serve: Serve):
    server = serve(200)
    with client_of(server) as client, pytest.raises(InvalidPayloadError):
        client.stream(Prompt([]))
    assert server.requests == []


def test_errors_come_out_as_themselves_with_the_block_of_the_caller_in_the_traceback(serve: Serve):
    with client_of(serve(500)) as client:
        with pytest.raises(ServerError) as caught:
            client.collect(Prompt("Hi"))
        with pytest.raises(ServerError), client.stream(Prompt("Hi")):
            pytest.fail("the block is not entered")
    assert caught.traceback[0].path == Path(__file__)


def test_an_error_of_the_block_goes_through_and_closes_the_stream(serve: Serve):
    server = serve(Reply.from_sse(sse(responses_turn(TEXT)[:4])).at(-1, Stall()))
    with client_of(server) as client:
        with pytest.raises(ZeroDivisionError), client.stream(Prompt("Hi")) as stream:
            next(stream)
            raise ZeroDivisionError
        with pytest.raises(RuntimeError, match="the stream is closed"):
            stream.collect()
        stream.close()


def test_a_block_that_is_iterated_says_how_it_is_used(serve: Serve):
    server = serve(200)
    with client_of(server) as client, pytest.raises(TypeError, match=r"use `with client\.stream"):
        for _ in cast("Any", client.stream(Prompt("Hi"))):
            pytest.fail("it gives nothing")
    assert server.requests == []


def test_a_text_is_no_prompt(serve: Serve):
    server, text = serve(200), cast("Any", "Hi")
    told = r"the prompt is of type str; give it as Prompt\(…\)"

    async def awaited(make: Callable[..., Any]) -> None:
        async with make(config) as client:
            with pytest.raises(InvalidPayloadError, match=told):
                client.stream(text)
            with pytest.raises(InvalidPayloadError, match=told):
                await client.collect(text)

    with client_of(server) as client:
        for use in (client.stream, client.collect):
            with pytest.raises(InvalidPayloadError, match=told):
                use(text)
        config = client.config
    anyio.run(awaited, AsyncRoutedApiClient)
    assert server.requests == []


def test_a_client_tells_what_it_was_made_with(serve: Serve):
    with client_of(serve(200)) as client:
        assert client.config.model == "test-model"


def test_a_client_of_ones_own_gets_the_same_face():
    class Recorded:
        """An `ApiClient` of a caller's."""

        def __init__(self) -> None:
            self.closed = 0

        def stream(self, prompt: Prompt) -> AbstractAsyncContextManager[ResponseStream]:
            return async_stream_from_fixture(FIXTURES / "responses/text.sse")

        async def collect(self, prompt: Prompt) -> CollectedResponse:
            async with self.stream(prompt) as stream:
                return await stream.collect()

        async def aclose(self) -> None:
            self.closed += 1

    own = Recorded()
    with BlockingClient(own) as client:
        with client.stream(Prompt("Hi")) as stream:
            text = stream.collect().text
        assert client.collect(Prompt("Hi")).text == text != ""
    assert own.closed == 1


def test_usage_is_asked_for_as_of_the_asynchronous_client(portal: BlockingPortal):
    with portal.wrap_async_context_manager(AccountServer(ManualClock(auto_advance=True))) as server:
        account = server.add_account("acct-1")
        account.limit(40, resets_at=server.now() + 60)
        tokens = server.issue(account)
        auth = StaticAuth(tokens.access_token, account_id=tokens.account_id)
        with RoutedApiClient(ClientConfig(provider=server.provider(), model="m", auth=auth)) as client:
            report = client.usage()
    assert [window.used_percent for each in report.snapshots for window in each.windows] == [40]


def test_models_are_asked_for_as_of_the_asynchronous_client(serve: Serve):
    server = serve({"GET /models": Reply.from_json({"object": "list", "data": [{"id": "a-model"}]})})
    with client_of(server) as client:
        listed = client.models()
    assert listed.slugs == ("a-model",)


def test_it_works_where_a_loop_runs_already(serve: Serve):
    server = serve(sse(responses_turn(TEXT)))

    async def cell() -> str:
        with client_of(server) as client, client.stream(Prompt("Hi")) as stream:
            return stream.collect().text

    assert [anyio.run(cell, backend=backend) for backend in ("asyncio", "trio")] == [TEXT, TEXT]


def test_many_threads_share_one_client(serve: Serve):
    server = serve(lambda request: sse(responses_turn(request.json()["input"][0]["content"][0]["text"])))
    answers: dict[int, str] = {}
    with client_of(server) as client:

        def ask(number: int) -> None:
            answers[number] = client.collect(Prompt(f"Number {number}")).text

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert len(threads_of_clients()) == 1
    assert answers == {number: f"Number {number}" for number in range(8)}


def test_a_client_that_is_not_used_has_no_thread():
    client = connect("m", base_url="http://127.0.0.1:9/v1")
    assert threads_of_clients() == []
    client.close()


def test_closing_twice_is_fine_and_use_after_it_an_error(serve: Serve):
    client = client_of(serve(sse(responses_turn(TEXT))))
    client.collect(Prompt("Hi"))
    block = client.stream(Prompt("Hi"))
    client.close()
    client.close()
    for use in (lambda: client.collect(Prompt("Hi")), client.usage, block.__enter__):
        with pytest.raises(RuntimeError, match="the client is closed; make a new one"):
            use()


def test_closing_a_client_closes_its_streams(serve: Serve):
    server = serve(Reply.from_sse(sse(responses_turn(TEXT)[:4])).at(-1, Stall()))
    with client_of(server) as client, client.stream(Prompt("Hi")) as stream:
        next(stream)
        client.close()
        with pytest.raises(RuntimeError, match="the client is closed"):
            stream.collect()


def test_closing_while_another_thread_waits_ends_its_wait(serve: Serve, portal: BlockingPortal):
    server = serve(Reply.from_sse(b"", before_head=[Stall()]))
    client, errors = client_of(server), []

    def wait() -> None:
        try:
            client.collect(Prompt("Hi"))
        except Exception as error:  # noqa: BLE001 (whatever it is, it is looked at below)
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    portal.call(server.received)
    client.close()
    thread.join()
    assert len(errors) == 1


def test_a_client_that_is_dropped_says_so_and_ends_its_thread(serve: Serve, portal: BlockingPortal):
    server = serve(sse(responses_turn(TEXT)))
    client = client_of(server)
    client.collect(Prompt("Hi"))
    [thread] = [each for each in threading.enumerate() if each.name == "codex_client.sync"]
    with pytest.warns(ResourceWarning, match="a RoutedApiClient of codex_client.sync was dropped without being closed"):
        del client
        gc.collect()
    thread.join(10)
    assert not thread.is_alive()
    for each in threading.enumerate():
        if each.name == "codex_client.sync close":
            each.join(10)


def test_what_fails_before_a_client_is_made_warns_of_nothing():
    with pytest.raises(ConfigurationError):
        ResponsesApiClient(ResponsesConfig(provider=built_in_providers()["ollama"], model="m"))
    gc.collect()


@posix
@pytest.mark.usefixtures("hears_interrupts")
def test_ctrl_c_ends_the_call_that_waits_and_the_client_goes_on(serve: Serve, portal: BlockingPortal):
    server = serve([Reply.from_sse(b"", before_head=[Stall()]), sse(responses_turn(TEXT))])
    with client_of(server) as client:
        interrupts_after(portal, server)
        with pytest.raises(KeyboardInterrupt):
            client.collect(Prompt("Hi"))
        portal.call(server.idle)
        assert client.collect(Prompt("Hi")).text == TEXT


@posix
@pytest.mark.usefixtures("hears_interrupts")
def test_ctrl_c_within_a_stream_closes_it(serve: Serve, portal: BlockingPortal):
    server = serve(Reply.from_sse(sse(responses_turn(TEXT)[:4])).at(-1, Stall()))
    with client_of(server) as client:
        with pytest.raises(KeyboardInterrupt), client.stream(Prompt("Hi")) as stream:
            next(stream)
            interrupts_after(portal, server)
            stream.collect()
        portal.call(server.idle)


def interrupts_after(portal: BlockingPortal, server: ReplayServer) -> None:
    """A Ctrl-C once the server's reply stands still; the main thread waits by then, or is about to."""

    async def interrupt() -> None:
        await server.at_rest()
        # Sent to the main thread, whose wait it breaks off.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    portal.start_task_soon(interrupt)


def test_a_call_from_a_forked_process_is_an_error(monkeypatch: pytest.MonkeyPatch):
    loop = LoopThread()
    process = os.getpid()
    monkeypatch.setattr("os.getpid", lambda: process + 1)
    with pytest.raises(RuntimeError, match="belongs to the process that this one was forked from"):
        loop.call(anyio.sleep, 0)


@pytest.mark.parametrize("broken", ["threading.Thread.start", "anyio.run"])
def test_a_thread_or_a_loop_that_cannot_begin_is_told_to_the_caller_and_begun_anew_by_the_next_call(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, broken: str
):
    def fail(*_: object) -> None:
        raise OSError("no more of them")

    client = client_of(serve(sse(responses_turn(TEXT))))
    with monkeypatch.context() as patch:
        patch.setattr(broken, fail)
        with pytest.raises(OSError, match="no more of them"):
            client.collect(Prompt("Hi"))
    assert client.collect(Prompt("Hi")).text == TEXT
    client.close()


def test_a_client_whose_loop_cannot_begin_is_closed_all_the_same(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise OSError("no more of them")

    client = connect("m", base_url="http://127.0.0.1:9/v1")
    with monkeypatch.context() as patch:
        patch.setattr("anyio.run", fail)
        with pytest.raises(OSError, match="no more of them"):
            client.close()
    client.close()
    with pytest.raises(RuntimeError, match="the client is closed"):
        client.collect(Prompt("Hi"))


@posix
def test_a_forked_process_leaves_drops_and_closes_what_is_not_its_own(serve: Serve):
    server = serve(Reply.from_sse(sse(responses_turn(TEXT)[:4])).at(-1, Stall()))
    program = f"""
        import gc, os, sys, threading
        from codex_client import Prompt
        from codex_client.sync import connect
        with connect("m", base_url={server.base_url!r}) as client:
            with client.stream(Prompt("Hi")) as stream:
                next(stream)
                child = os.fork()
                if not child:
                    stream.close()
                    client.close()
                    sys.exit(3)
                print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        dropped = connect("m", base_url={server.base_url!r})
        with dropped.stream(Prompt("Hi")) as stream:
            next(stream)
        child = os.fork()
        if not child:
            del dropped, stream
            gc.collect()
            os._exit(len([each for each in threading.enumerate() if each.name.startswith("codex_client")]))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        dropped.close()
    """
    # A fork beside a thread is what this is about.
    ended = ended_program(program, "-W", "always::ResourceWarning", "-W", "ignore::DeprecationWarning")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "3\n0\n", "")


def test_at_the_interpreters_end_a_loop_is_closed_but_not_that_of_another_process(monkeypatch: pytest.MonkeyPatch):
    ours, others = LoopThread(), LoopThread()
    ours.call(anyio.sleep, 0)
    ours.close_at_exit()
    assert not ours.is_open
    with monkeypatch.context() as patch:
        process = os.getpid()
        patch.setattr("os.getpid", lambda: process + 1)
        others.close_at_exit()
    assert others.is_open


@pytest.mark.parametrize("ending", ["", "raise SystemExit(0)", "stream = client.stream(Prompt('Hi')).__enter__()"])
def test_a_program_that_forgets_to_close_its_client_ends(serve: Serve, ending: str):
    server = serve(lambda _: sse(responses_turn(TEXT)))
    program = f"""
        from codex_client import Prompt
        from codex_client.sync import connect
        client = connect("m", base_url={server.base_url!r})
        print(client.collect(Prompt("Hi")).text)
        {ending}
    """
    ended = ended_program(program, "-W", "always")
    assert (ended.returncode, ended.stdout) == (0, f"{TEXT}\n"), ended.stderr
    assert "ResourceWarning: a RoutedApiClient of codex_client.sync was dropped" in ended.stderr
    assert "Traceback" not in ended.stderr


def ended_program(program: str, *options: str) -> subprocess.CompletedProcess[str]:
    """A program of its own, run to its end."""
    return subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
