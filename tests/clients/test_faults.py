"""Everything that can go wrong on a real socket: its own error, what had been received, and nothing left open."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import anyio
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from codex_client.aggregate import ToolCall
from codex_client.api import AttemptOutcome, Lease
from codex_client.client.config import ClientConfig, RetryPolicy, StreamLimits, Timeouts
from codex_client.errors import (
    AuthenticationError,
    CodexError,
    ConnectError,
    FirstEventTimeoutError,
    FrameTooLargeError,
    IdleTimeoutError,
    InvalidRequestError,
    MalformedFrameError,
    NetworkBlockedError,
    ProtocolError,
    RateLimitError,
    ReadError,
    RetryLimitError,
    StreamClosedError,
    TransportError,
    UnexpectedContentError,
    UsageLimitReachedError,
)
from codex_client.events import Completed, OutputTextDelta
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import (
    Close,
    CommentFlood,
    Hold,
    ManualClock,
    ReplayServer,
    Reply,
    Reset,
    Stall,
    chat_turn,
    responses_turn,
    sse,
)

pytestmark = pytest.mark.usefixtures("transport")

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[RoutedApiClient, ReplayServer]]]

PROMPT = Prompt("hello")
TEXT = "The quick brown fox jumps over the lazy dog."
CALLS = [ToolCall("call_1", "f", '{"x":1}')]
BODIES = {
    "responses": sse(responses_turn(TEXT, reasoning_summary="Thinking.", tool_calls=CALLS)),
    "chat": sse(chat_turn(TEXT, reasoning="Thinking.", tool_calls=CALLS), done=True),
}
APIS = pytest.mark.parametrize("wire_api", ["responses", "chat"])
ONCE = RetryPolicy(request_max_retries=1, stream_max_retries=1, jitter=0)


async def failure_of(client: Any, prompt: Prompt = PROMPT) -> CodexError:
    with pytest.raises(CodexError) as raised:
        await client.collect(prompt)
    return raised.value


@APIS
async def test_a_good_turn_over_a_real_socket(serve: Serve, wire_api: str) -> None:
    async with serve([BODIES[wire_api]], wire_api=wire_api) as (client, _):
        response = await client.collect(PROMPT)
    assert response.text == TEXT
    assert response.tool_calls == CALLS


@APIS
@pytest.mark.parametrize("cut", [1, 7, "random"])
async def test_the_cuts_of_the_network_do_not_matter(serve: Serve, wire_api: str, cut: Any) -> None:
    async with serve([Reply.from_sse(BODIES[wire_api], cut=cut)], wire_api=wire_api) as (client, _):
        assert (await client.collect(PROMPT)).text == TEXT


@APIS
@pytest.mark.parametrize("transfer", ["chunked", "close"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1, exclude_max=True))
async def test_a_body_cut_at_any_byte_ends_whole_or_in_a_typed_error(
    serve: Serve, wire_api: str, transfer: Any, share: float
) -> None:
    body = BODIES[wire_api]
    reply = Reply.from_sse(body, transfer=transfer).at(int(len(body) * share), Close())
    async with serve([reply], wire_api=wire_api) as (client, _):
        text, event = "", None
        try:
            async with client.stream(PROMPT) as stream:
                async for event in stream:
                    text += event.delta if isinstance(event, OutputTextDelta) else ""
            assert text == TEXT
            assert isinstance(event, Completed)
        except (StreamClosedError, ReadError) as error:
            assert error.partial is not None
            assert error.partial.text == text
            assert TEXT.startswith(text)
        except UnexpectedContentError:
            assert text == ""


@APIS
@pytest.mark.parametrize("share", [0.0, 0.5])
async def test_a_reset_is_a_read_error(serve: Serve, wire_api: str, share: float) -> None:
    body = BODIES[wire_api]
    reply = Reply.from_sse(body).at(int(len(body) * share), Reset())
    async with serve([reply], wire_api=wire_api) as (client, _):
        error = await failure_of(client)
    assert type(error) is ReadError
    assert error.partial is not None


@APIS
async def test_a_connection_closed_before_the_headers_is_a_transport_error(serve: Serve, wire_api: str) -> None:
    async with serve([Reply(before_head=[Close()])], wire_api=wire_api) as (client, _):
        assert isinstance(await failure_of(client), TransportError)


async def test_garbage_in_place_of_http_is_a_protocol_error(serve: Serve) -> None:
    async with serve([Reply.raw(b"SSH-2.0-OpenSSH_9\r\n\r\n", Close())]) as (client, _):
        assert isinstance(await failure_of(client), ProtocolError)


async def test_a_truncated_chunked_body_after_the_terminal_event_does_no_harm(serve: Serve) -> None:
    body = BODIES["responses"]
    async with serve([Reply.from_sse(body).at(len(body), Close())]) as (client, _):
        assert (await client.collect(PROMPT)).text == TEXT


async def test_a_socket_left_open_after_the_terminal_event_does_not_hang(serve: Serve) -> None:
    body = BODIES["responses"]
    async with serve([Reply.from_sse(body).at(len(body), Stall())]) as (client, _):
        assert (await client.collect(PROMPT)).text == TEXT


async def stalled(serve: Serve, reply: Reply, seconds: float, wire_api: str = "responses") -> CodexError:
    """The failure of a turn whose server falls silent, after `seconds` of a clock turned by hand."""
    clock = ManualClock()
    failures: list[CodexError] = []
    timeouts = Timeouts(first_event=20.0, idle=10.0)
    async with serve([reply], wire_api=wire_api, clock=clock, timeouts=timeouts) as (client, server):

        async def turn() -> None:
            failures.append(await failure_of(client))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(turn)
            await server.at_rest()
            await clock.wait_for_timer(seconds)
            clock.advance(seconds)
    return failures[0]


@APIS
async def test_a_stall_before_the_headers_is_a_first_event_timeout(serve: Serve, wire_api: str) -> None:
    reply = Reply.from_sse(BODIES[wire_api]).at("head", Stall())
    assert isinstance(await stalled(serve, reply, 20.0, wire_api), FirstEventTimeoutError)


@APIS
async def test_a_stall_before_the_first_event_is_a_first_event_timeout(serve: Serve, wire_api: str) -> None:
    reply = Reply.from_sse(BODIES[wire_api]).at(0, Stall())
    assert isinstance(await stalled(serve, reply, 20.0, wire_api), FirstEventTimeoutError)


@APIS
async def test_a_stall_in_mid_stream_is_an_idle_timeout_with_what_had_come(serve: Serve, wire_api: str) -> None:
    body = BODIES[wire_api]
    at = body.index(b"jumps")
    error = await stalled(serve, Reply.from_sse(body).at(at, Stall()), 10.0, wire_api)
    assert isinstance(error, IdleTimeoutError)
    assert error.partial is not None
    assert error.partial.text == "The quick brown fox"


async def test_a_comment_flood_does_not_keep_a_silent_stream_alive(serve: Serve) -> None:
    body = BODIES["responses"]
    between_frames = body.rindex(b"\n\n", 0, body.index(b"jumps")) + 2
    reply = Reply.from_sse(body).at(between_frames, CommentFlood(count=500), Stall())
    assert isinstance(await stalled(serve, reply, 10.0), IdleTimeoutError)


async def test_a_comment_flood_between_frames_is_harmless(serve: Serve) -> None:
    body = BODIES["responses"]
    reply = Reply.from_sse(body).at(body.index(b"event: response.output_text.delta"), CommentFlood(count=500))
    async with serve([reply]) as (client, _):
        assert (await client.collect(PROMPT)).text == TEXT


@APIS
@pytest.mark.parametrize(
    "content_type, content",
    [
        ("text/html", b"<html><title>Sign in to the hotel's network</title></html>"),
        ("text/plain", b"ok"),
        ("application/json", b'{"hello": "world"}'),
        ("application/json", b"[1, 2]"),
        ("text/event-stream", b""),
    ],
)
async def test_a_200_that_is_no_answer_is_told(serve: Serve, wire_api: str, content_type: str, content: bytes) -> None:
    reply = Reply(headers={"content-type": content_type}, body=content)
    async with serve([reply], wire_api=wire_api) as (client, _):
        error = await failure_of(client)
    assert isinstance(error, UnexpectedContentError | StreamClosedError)
    assert isinstance(error, StreamClosedError) == (content == b"")


async def test_a_mislabelled_stream_is_read_all_the_same(serve: Serve) -> None:
    reply = Reply.from_sse(BODIES["responses"], headers={"content-type": "text/plain"})
    async with serve([reply]) as (client, _):
        assert (await client.collect(PROMPT)).text == TEXT


async def test_a_gzipped_stream_is_read(serve: Serve) -> None:
    async with serve([Reply.from_sse(BODIES["responses"], gzip=True)]) as (client, _):
        assert (await client.collect(PROMPT)).text == TEXT


async def test_a_frame_above_the_cap_is_refused(serve: Serve) -> None:
    reply = Reply.from_sse(b"data: " + b"x" * 5000 + b"\n\n", cut=100)
    async with serve([reply], limits=StreamLimits(max_frame_bytes=1000)) as (client, _):
        assert isinstance(await failure_of(client), FrameTooLargeError)


async def test_a_broken_frame_is_told_or_skipped(serve: Serve) -> None:
    events = responses_turn(TEXT)
    broken = sse([*events[:4], '{"type": "response.output_te', *events[4:]])
    async with serve([broken, broken]) as (client, _):
        assert isinstance(await failure_of(client), MalformedFrameError)
    async with serve([broken], limits=StreamLimits(tolerate_malformed=True)) as (client, _):
        assert (await client.collect(PROMPT)).text == TEXT


@pytest.mark.parametrize(
    "headers, delay",
    [
        ({}, 0.2),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0"}, 0.2),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "2500", "retry-after": "9"}, 2.5),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:27 GMT"}, 7.0),
        ({"retry-after": "Tue, 14 Nov 2000 22:13:27 GMT"}, 0.2),
        ({"retry-after": "soon"}, 0.2),
        ({"retry-after": "-5"}, 0.2),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6s"}, 6.0),
        ({"x-ratelimit-remaining-tokens": "10", "x-ratelimit-reset-tokens": "6s"}, 0.2),
    ],
)
async def test_429_is_tried_again_when_the_server_says(
    serve: Serve, clock: ManualClock, headers: dict[str, str], delay: float
) -> None:
    script = [Reply.error(429, headers=headers), BODIES["responses"]]
    async with serve(script, clock=clock, retry=ONCE) as (client, server):
        assert (await client.collect(PROMPT)).text == TEXT
    # The clock stands at 22:13:20.
    assert clock.sleeps == pytest.approx([delay])
    assert len({request.headers["x-client-request-id"] for request in server.requests}) == 1
    assert len({request.body for request in server.requests}) == 1


async def test_advice_above_the_bound_is_not_slept_but_told(serve: Serve, clock: ManualClock) -> None:
    script = [Reply.error(429, headers={"retry-after": "3600"})]
    async with serve(script, clock=clock, retry=ONCE) as (client, _):
        error = await failure_of(client)
    assert isinstance(error, RateLimitError)
    assert (error.retry_after, clock.sleeps) == (3600.0, [])


async def test_500_twice_then_success(serve: Serve, clock: ManualClock) -> None:
    script = Reply.sequence([500, 500, BODIES["responses"]])
    async with serve(script, clock=clock, retry=RetryPolicy(jitter=0)) as (client, _):
        assert (await client.collect(PROMPT)).text == TEXT
    assert clock.sleeps == pytest.approx([0.2, 0.4])


async def test_all_attempts_failing_is_a_retry_limit_error(serve: Serve, clock: ManualClock) -> None:
    script = Reply.sequence([500] * 3)
    async with serve(script, clock=clock, retry=RetryPolicy(request_max_retries=2, jitter=0)) as (client, _):
        error = await failure_of(client)
    assert isinstance(error, RetryLimitError)
    assert error.attempts == 3
    assert error.__cause__ is error.last_error


@pytest.mark.parametrize("status", [400, 403, 404, 413, 422])
async def test_wrong_requests_are_not_tried_again(serve: Serve, clock: ManualClock, status: int) -> None:
    async with serve([status], clock=clock, retry=ONCE) as (client, server):
        error = await failure_of(client)
    assert getattr(error, "status", None) == status
    assert (len(server.requests), clock.sleeps) == (1, [])
    assert isinstance(error, InvalidRequestError) == (status in (400, 413, 422))


async def test_a_used_up_plan_is_not_tried_again(serve: Serve, clock: ManualClock) -> None:
    body = {
        "error": {"type": "usage_limit_reached", "message": "used up", "plan_type": "plus", "resets_in_seconds": 30}
    }
    async with serve([Reply.from_json(body, status=429)], clock=clock, retry=ONCE) as (client, _):
        error = await failure_of(client)
    assert isinstance(error, UsageLimitReachedError)
    assert (error.plan_type, error.retry_after, clock.sleeps) == ("plus", 30.0, [])


async def test_a_blocking_page_is_no_fault_of_the_account(serve: Serve) -> None:
    page = Reply(
        status=403,
        headers={"content-type": "text/html", "cf-ray": "abc-ZRH", "server": "cloudflare"},
        body=b"<!DOCTYPE html><title>Just a moment...</title>",
    )
    async with serve([page]) as (client, _):
        error = await failure_of(client)
    assert isinstance(error, NetworkBlockedError)
    assert (error.cf_ray, error.rotate_account) == ("abc-ZRH", False)


class RenewedKey:
    """A credential source whose second key works."""

    can_refresh = True

    def __init__(self) -> None:
        self.outcomes: list[tuple[str | None, int | None]] = []

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        name = "new" if forced_refresh else "old"
        return Lease({"authorization": f"Bearer {name}"}, account=name)

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> None:
        self.outcomes.append((lease.account, outcome.status))


async def test_401_is_tried_once_more_with_a_fresh_credential(serve: Serve, clock: ManualClock) -> None:
    auth = RenewedKey()
    async with serve([401, BODIES["responses"]], clock=clock, retry=ONCE, auth=auth) as (client, server):
        await client.collect(PROMPT)
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer old", "Bearer new"]
    assert auth.outcomes == [("old", 401), ("new", 200)]
    assert clock.sleeps == []


async def test_a_second_401_is_final(serve: Serve, clock: ManualClock) -> None:
    async with serve([401, 401], clock=clock, retry=RetryPolicy(), auth=RenewedKey()) as (client, server):
        error = await failure_of(client)
    assert isinstance(error, AuthenticationError)
    assert len(server.requests) == 2


async def test_a_401_to_a_fixed_key_is_final_at_once(serve: Serve, clock: ManualClock) -> None:
    async with serve([401], clock=clock, retry=RetryPolicy(), auth="sk-canary-0123456789") as (client, _):
        error = await failure_of(client)
    assert isinstance(error, AuthenticationError)
    assert "canary" not in f"{error}{error!r}{error.__dict__}"


async def test_a_released_hold_lets_the_turn_go_on(serve: Serve) -> None:
    body = BODIES["responses"]
    reply = Reply.from_sse(body).at(body.index(b"event: response.output_text.delta"), Hold())
    async with serve([reply]) as (client, server), client.stream(PROMPT) as stream:
        await anext(stream)
        server.release()
        assert (await stream.collect()).text == TEXT


async def test_refused_connections_say_where(serve: Serve) -> None:
    async with ReplayServer([]) as server:
        provider = server.provider()
    config = ClientConfig(provider=provider, model="m", retry=RetryPolicy(request_max_retries=0))
    async with RoutedApiClient(config) as client:
        error = await failure_of(client)
    assert isinstance(error, ConnectError)
    assert provider.base_url in str(error)
