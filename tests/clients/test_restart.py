"""A turn is begun anew while nothing of it was released, and never repeats what was."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from codex_client.client.config import RestartPolicy, RetryPolicy, StreamLimits
from codex_client.errors import (
    CodexError,
    ContextWindowExceededError,
    RateLimitedInStreamError,
    ReadError,
    RetryLimitError,
    ServerError,
    StreamClosedError,
    UsageLimitReachedInStreamError,
)
from codex_client.events import (
    Completed,
    Created,
    ModelsEtag,
    OutputTextDelta,
    RateLimits,
    RawEvent,
    ResponseEvent,
    ServerModel,
    StreamRestarted,
)
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import (
    Close,
    ManualClock,
    ReplayServer,
    Reply,
    Reset,
    ev_created,
    ev_failed,
    ev_rate_limits,
    ev_text_delta,
    responses_turn,
    sse,
)

pytestmark = pytest.mark.usefixtures("transport")

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[RoutedApiClient, ReplayServer]]]

PROMPT = Prompt("hello")
TEXT = "The quick brown fox jumps over the lazy dog."
BODY = sse(responses_turn(TEXT))
HANDSHAKE_ONLY = sse([ev_created("resp_0")])
EVEN = RetryPolicy(jitter=0)


async def failure_of(client: RoutedApiClient) -> CodexError:
    with pytest.raises(CodexError) as raised:
        await client.collect(PROMPT)
    return raised.value


async def test_a_stream_that_ends_after_its_handshake_is_begun_anew(serve: Serve, clock: ManualClock) -> None:
    script = [HANDSHAKE_ONLY, HANDSHAKE_ONLY, BODY]
    async with serve(script, clock=clock, retry=EVEN) as (client, server), client.stream(PROMPT) as stream:
        events = [event async for event in stream]
        created = [event.response_id for event in events if isinstance(event, Created)]
        assert created == ["resp_0", "resp_0", "resp_1"]
        assert (stream.response.response_id, stream.response.text) == ("resp_1", TEXT)
    assert clock.sleeps == pytest.approx([0.2, 0.4])
    assert len({request.headers["x-client-request-id"] for request in server.requests}) == 1


@pytest.mark.parametrize(
    "kind, headers, frames",
    [
        (ServerModel, {"openai-model": "gpt-5-2026"}, []),
        (RateLimits, {"x-codex-primary-used-percent": "3"}, []),
        (ModelsEtag, {"x-models-etag": "etag"}, []),
        (RateLimits, {}, [ev_rate_limits()]),
        (RawEvent, {}, [{"type": "keepalive"}]),
        (Created, {}, [ev_created()]),
    ],
)
async def test_no_part_of_the_handshake_stands_against_a_second_try(
    serve: Serve, clock: ManualClock, kind: type[ResponseEvent], headers: dict[str, str], frames: list[dict[str, Any]]
) -> None:
    limits = StreamLimits(raw_events=True)
    script = [Reply.from_events(frames, headers=headers), BODY]
    async with (
        serve(script, clock=clock, retry=EVEN, limits=limits) as (client, server),
        client.stream(PROMPT) as stream,
    ):
        assert isinstance(await anext(stream), kind)
        assert (await stream.collect()).text == TEXT
        assert len(server.requests) == 2


async def test_after_output_the_failure_is_raised_with_what_had_come(serve: Serve, clock: ManualClock) -> None:
    cut = sse([ev_created(), ev_text_delta("The quick")])
    async with serve([cut], clock=clock, retry=EVEN) as (client, _):
        error = await failure_of(client)
    assert type(error) is StreamClosedError
    assert error.partial is not None
    assert (error.partial.text, clock.sleeps) == ("The quick", [])


async def test_restart_after_output_tells_that_what_came_is_void(serve: Serve, clock: ManualClock) -> None:
    cut = sse([ev_created("resp_0"), ev_text_delta("Half")])
    restart = RestartPolicy(after_output="restart")
    async with (
        serve([cut, BODY], clock=clock, retry=EVEN, restart=restart) as (client, _),
        client.stream(PROMPT) as stream,
    ):
        events = [event async for event in stream]
        assert stream.response.text == TEXT
    restarts = [event for event in events if isinstance(event, StreamRestarted)]
    assert [event.attempt for event in restarts] == [2]
    assert "stream closed before response.completed" in restarts[0].reason
    after = events[events.index(restarts[0]) :]
    assert "".join(event.delta for event in after if isinstance(event, OutputTextDelta)) == TEXT


async def test_a_failure_inside_the_stream_waits_as_long_as_it_says(serve: Serve, clock: ManualClock) -> None:
    failed = sse([ev_created(), ev_failed("rate_limit_exceeded", "Rate limit reached. Please try again in 1.898s.")])
    async with serve([failed, BODY], clock=clock, retry=EVEN) as (client, _):
        assert (await client.collect(PROMPT)).text == TEXT
    assert clock.sleeps == pytest.approx([1.898])


async def test_a_failure_that_tells_a_time_waits_until_then(serve: Serve, clock: ManualClock) -> None:
    fields = {"code": "rate_limit_exceeded", "message": "later", "resets_at": clock.time() + 12}
    failed = sse([ev_created(), ev_failed(None, error=fields)])
    async with serve([failed, BODY], clock=clock, retry=EVEN) as (client, _):
        assert (await client.collect(PROMPT)).text == TEXT
    assert clock.sleeps == pytest.approx([12.0])


@pytest.mark.parametrize(
    "code, kind",
    [("context_length_exceeded", ContextWindowExceededError), ("usage_limit_reached", UsageLimitReachedInStreamError)],
)
async def test_what_waiting_does_not_cure_is_raised_at_once(
    serve: Serve, clock: ManualClock, code: str, kind: type[CodexError]
) -> None:
    async with serve([sse([ev_created(), ev_failed(code, "no")])], clock=clock, retry=EVEN) as (client, _):
        assert type(await failure_of(client)) is kind
    assert clock.sleeps == []


async def test_advice_above_the_bound_is_told_and_not_slept(serve: Serve, clock: ManualClock) -> None:
    failed = sse([ev_failed("rate_limit_exceeded", "Please try again in 2m0s.")])
    async with serve([failed], clock=clock, retry=EVEN) as (client, _):
        error = await failure_of(client)
    assert isinstance(error, RateLimitedInStreamError)
    assert (error.retry_after, clock.sleeps) == (120.0, [])


async def test_restarts_end_in_a_retry_limit_error(serve: Serve, clock: ManualClock) -> None:
    retry = RetryPolicy(stream_max_retries=2, jitter=0)
    async with serve([HANDSHAKE_ONLY] * 3, clock=clock, retry=retry) as (client, _):
        error = await failure_of(client)
    assert isinstance(error, RetryLimitError)
    assert isinstance(error.last_error, StreamClosedError)
    assert (error.attempts, len(clock.sleeps)) == (3, 2)


async def test_both_layers_share_one_budget(serve: Serve, clock: ManualClock) -> None:
    retry = RetryPolicy(request_max_retries=2, stream_max_retries=2, jitter=0)
    script = Reply.sequence([500, HANDSHAKE_ONLY, 500, HANDSHAKE_ONLY, 500])
    async with serve(script, clock=clock, retry=retry) as (client, server):
        error = await failure_of(client)
    # 1 + 2 + 2, and not 3 times 3.
    assert len(server.requests) == 5
    assert isinstance(error, RetryLimitError)
    assert isinstance(error.last_error, ServerError)


async def test_the_chat_api_is_begun_anew_just_the_same(serve: Serve, clock: ManualClock) -> None:
    body = sse(['{"id":"c1","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}'], done=True)
    reply = Reply.from_sse(body).at(0, Close())
    async with serve([reply, body], wire_api="chat", clock=clock, retry=EVEN) as (client, _):
        assert (await client.collect(PROMPT)).text == "hi"
    assert len(clock.sleeps) == 1


faults = st.lists(
    st.one_of(
        st.sampled_from([429, 500, 503]),
        st.builds(
            lambda share, step: (share, step), st.floats(0, 1, exclude_max=True), st.sampled_from([Close(), Reset()])
        ),
    ),
    max_size=5,
)


def reply_of(fault: Any) -> Any:
    if isinstance(fault, int):
        return fault
    share, step = fault
    return Reply.from_sse(BODY).at(int(len(BODY) * share), step)


@pytest.mark.parametrize("after_output", ["raise", "restart"])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(faults)
async def test_released_text_is_always_a_prefix_of_the_whole_and_never_comes_twice(
    serve: Serve, after_output: Any, script: list[Any]
) -> None:
    clock = ManualClock(auto_advance=True)
    replies = [*map(reply_of, script), *[BODY] * 6]
    restart = RestartPolicy(after_output=after_output)
    async with serve(replies, clock=clock, retry=EVEN, restart=restart) as (client, _):
        text = ""
        event = None
        try:
            async with client.stream(PROMPT) as stream:
                async for event in stream:
                    match event:
                        case StreamRestarted():
                            assert after_output == "restart"
                            text = ""
                        case OutputTextDelta():
                            text += event.delta
                        case _:
                            pass
                    assert TEXT.startswith(text)
            assert isinstance(event, Completed)
            assert text == TEXT
        except CodexError as error:
            assert isinstance(error, StreamClosedError | ReadError | RetryLimitError)
            assert error.partial is None or error.partial.text == text
