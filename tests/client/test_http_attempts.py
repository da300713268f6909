"""The request layer of retries, over real sockets and against a clock that a test turns."""

from __future__ import annotations

import anyio
import httpx
import pytest

from codex_client.api import ApiRequest, Retry
from codex_client.auth.static import NoAuth
from codex_client.client.config import ClientConfig, RetryPolicy, Timeouts
from codex_client.client.http import RequestExecutor
from codex_client.client.retry import AttemptBudget
from codex_client.errors import (
    ConfigurationError,
    ConnectError,
    FirstEventTimeoutError,
    InvalidRequestError,
    RateLimitError,
    RedirectError,
    RetryLimitError,
    ServerError,
    TlsError,
    UnexpectedStatusError,
)
from codex_client.model_provider import ModelProviderInfo
from codex_client.testing import Close, ManualClock, ReplayServer, Reply, ScriptedTransport, Stall
from tests.support.retried_requests import BODY, STREAM, Observer, executing, read


async def test_two_failures_then_success_waits_200_and_400_ms() -> None:
    observer, budget = Observer(), AttemptBudget(4, 5)
    async with executing([500, 502, STREAM]) as (executor, server, clock):
        answer = await executor.open(BODY, budget=budget, observer=observer)
        assert answer.status_code == 200
        assert await read(answer) == STREAM
        assert clock.sleeps == [0.2, 0.4]
        assert (budget.attempts, budget.request_retries) == (3, 2)
        server.assert_complete()
    numbers = [
        (type(record).__name__, record.attempt) for record in observer.records if isinstance(record, ApiRequest | Retry)
    ]
    assert numbers == [("ApiRequest", 1), ("Retry", 2), ("ApiRequest", 2), ("Retry", 3), ("ApiRequest", 3)]


async def test_the_records_say_what_happened() -> None:
    observer = Observer()
    failure = Reply.error(503, headers={"x-request-id": "req-1", "retry-after": "2"})
    success = Reply.from_sse(STREAM, headers={"x-request-id": "req-2"})
    async with executing([failure, success]) as (executor, _, _):
        await read(await executor.open(BODY, budget=AttemptBudget(4, 5), observer=observer))
    first, retry, second = observer.records
    assert isinstance(first, ApiRequest)
    assert isinstance(first.error, ServerError)
    assert (first.attempt, first.status, first.request_id) == (1, 503, "req-1")
    assert retry == Retry("request", 2, 2.0, first.error)
    assert second == ApiRequest(2, 0.0, 200, "req-2", None)


async def test_jitter_comes_from_the_dice() -> None:
    async with executing([500, 500, STREAM], random=0.0) as (executor, _, clock):
        await read(await executor.open(BODY, budget=AttemptBudget(4, 5)))
        assert clock.sleeps == pytest.approx([0.18, 0.36])


async def test_every_attempt_carries_the_same_bytes_and_the_same_request_id() -> None:
    budget = AttemptBudget(4, 5)
    async with executing([500, Reply().at("head", Close()), 429, STREAM, STREAM, STREAM]) as (executor, server, _):
        await read(await executor.open(BODY, budget=budget))
        await read(await executor.open(BODY, budget=budget))
        await read(await executor.open(BODY, budget=AttemptBudget(4, 5)))
        assert {request.body for request in server.requests} == {BODY}
        ids = [request.headers["x-client-request-id"] for request in server.requests]
        assert ids == ["turn-1"] * 5 + ["turn-2"]
        shared = [dict(request.headers.items()) for request in server.requests[:5]]
        assert all(headers == shared[0] for headers in shared)


@pytest.mark.parametrize(
    "headers, delay",
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.2),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "12s"}, 12.0),
    ],
    ids=str,
)
async def test_a_429_is_retried_when_its_server_says(headers: dict[str, str], delay: float) -> None:
    async with executing([Reply.error(429, headers=headers), STREAM]) as (executor, _, clock):
        await read(await executor.open(BODY, budget=AttemptBudget(4, 5)))
        assert clock.sleeps == [delay]


async def test_advice_in_the_text_is_followed() -> None:
    error = Reply.error(429, "Rate limit reached. Please try again in 1m2s.", code="rate_limit_exceeded")
    policy = RetryPolicy(max_retry_after=100)
    async with executing([error, STREAM], retry=policy) as (executor, _, clock):
        await read(await executor.open(BODY, budget=AttemptBudget(4, 5)))
        assert clock.sleeps == [62.0]


async def test_advice_beyond_the_policy_raises_the_error_itself_with_the_advice() -> None:
    async with executing([500, Reply.error(429, headers={"retry-after": "61"})]) as (executor, server, clock):
        with pytest.raises(RateLimitError) as caught:
            await executor.open(BODY, budget=AttemptBudget(4, 5))
        assert caught.value.retry_after == 61.0
        assert clock.sleeps == [0.2]
        server.assert_complete()


async def test_all_retries_used_up_is_a_retry_limit_from_the_last_error() -> None:
    budget, observer = AttemptBudget(4, 5), Observer()
    async with executing([500, 500, 500, 500, 503]) as (executor, server, clock):
        with pytest.raises(RetryLimitError) as caught:
            await executor.open(BODY, budget=budget, observer=observer)
        error = caught.value
        assert clock.sleeps == [0.2, 0.4, 0.8, 1.6]
        assert error.attempts == budget.attempts == 5
        assert isinstance(error.last_error, ServerError)
        assert error.last_error.status == 503
        assert error.__cause__ is error.last_error
        assert not error.retryable
        assert str(error).startswith("5 attempts failed, the last one with: unexpected status 503")
        assert [record.attempt for record in observer.records if isinstance(record, ApiRequest)] == [1, 2, 3, 4, 5]
        server.assert_complete()


async def test_without_retries_the_error_itself_is_raised() -> None:
    async with executing([500], retry=RetryPolicy(request_max_retries=0)) as (executor, _, clock):
        with pytest.raises(ServerError):
            await executor.open(BODY, budget=AttemptBudget(0, 5))
        assert clock.sleeps == []


async def test_retries_are_counted_over_the_whole_turn() -> None:
    budget = AttemptBudget(2, 5)
    async with executing([500, STREAM, 500, STREAM, 500]) as (executor, _, _):
        await read(await executor.open(BODY, budget=budget))
        await read(await executor.open(BODY, budget=budget))
        with pytest.raises(RetryLimitError) as caught:
            await executor.open(BODY, budget=budget)
        assert caught.value.attempts == 5


@pytest.mark.parametrize("status", [400, 402, 403, 404, 413, 422])
async def test_a_request_that_is_wrong_is_sent_once(status: int) -> None:
    async with executing([status]) as (executor, server, clock):
        with pytest.raises(UnexpectedStatusError) as caught:
            await executor.open(BODY, budget=AttemptBudget(4, 5))
        assert caught.value.status == status
        assert (len(server.requests), clock.sleeps) == (1, [])


@pytest.mark.parametrize("code", ["usage_limit_reached", "usage_not_included", "insufficient_quota"])
async def test_limits_of_plan_and_credit_are_never_retried(code: str) -> None:
    error = Reply.error(429, "no more", error_type=code, code=code, headers={"retry-after": "1"})
    async with executing([error]) as (executor, server, clock):
        with pytest.raises(UnexpectedStatusError) as caught:
            await executor.open(BODY, budget=AttemptBudget(4, 5))
        assert caught.value.rotate_account
        assert (len(server.requests), clock.sleeps) == (1, [])


async def test_a_full_context_is_never_retried() -> None:
    error = Reply.error(400, "too long", code="context_length_exceeded")
    async with executing([error]) as (executor, server, _):
        with pytest.raises(InvalidRequestError):
            await executor.open(BODY, budget=AttemptBudget(4, 5))
        assert len(server.requests) == 1


async def test_a_cancelled_wait_sends_nothing_more() -> None:
    clock = ManualClock()
    async with ReplayServer([500]) as server:
        config = ClientConfig(provider=server.provider(), model="m", clock=clock)
        executor = RequestExecutor(config, auth=NoAuth(), dice=lambda: 0.5)
        async with anyio.create_task_group() as tasks:

            async def open_one() -> None:
                await executor.open(BODY, budget=AttemptBudget(4, 5))

            tasks.start_soon(open_one)
            await clock.wait_for_timer(0.2)
            tasks.cancel_scope.cancel()
        assert len(server.requests) == 1
        await executor.aclose()
        await server.idle()


async def test_no_headers_in_time_is_tried_again() -> None:
    clock, observer = ManualClock(), Observer()
    async with ReplayServer([Reply().at("head", Stall()), STREAM]) as server, anyio.create_task_group() as tasks:
        config = ClientConfig(provider=server.provider(), model="m", clock=clock, timeouts=Timeouts(first_event=9))
        executor = RequestExecutor(config, auth=NoAuth(), dice=lambda: 0.5)

        async def open_one() -> None:
            answer = await executor.open(BODY, budget=AttemptBudget(4, 5), observer=observer)
            assert await read(answer) == STREAM
            await executor.aclose()

        tasks.start_soon(open_one)
        await server.at_rest()
        await clock.wait_for_timer(9)
        clock.advance(9)
        await clock.wait_for_timer(0.2)
        clock.advance(0.2)
    first = observer.records[0]
    assert isinstance(first, ApiRequest)
    assert isinstance(first.error, FirstEventTimeoutError)
    assert (first.duration, first.status) == (9.0, None)


@pytest.mark.parametrize("error, attempts", [(httpx.ConnectError("down"), 5), (httpx.InvalidURL("x"), 1)], ids=repr)
async def test_what_the_http_library_raises_is_retried_by_its_meaning(error: Exception, attempts: int) -> None:
    clock, transport = ManualClock(auto_advance=True), ScriptedTransport(error)
    async with httpx.AsyncClient(transport=transport) as client:
        provider = ModelProviderInfo(name="test", base_url="http://api.test/v1")
        config = ClientConfig(provider=provider, model="m", clock=clock, http_client=client)
        executor = RequestExecutor(config, auth=NoAuth())
        with pytest.raises((RetryLimitError, RedirectError)) as caught:
            await executor.open(BODY, budget=AttemptBudget(4, 5))
        await executor.aclose()
    assert len(transport.requests) == attempts
    last = caught.value.last_error if isinstance(caught.value, RetryLimitError) else caught.value
    assert isinstance(last, ConnectError | RedirectError)


async def test_a_fault_in_a_transport_comes_out_as_it_is() -> None:
    transport = ScriptedTransport(ZeroDivisionError("a bug"))
    async with httpx.AsyncClient(transport=transport) as client:
        provider = ModelProviderInfo(name="test", base_url="http://api.test/v1")
        executor = RequestExecutor(ClientConfig(provider=provider, model="m", http_client=client), auth=NoAuth())
        with pytest.raises(ZeroDivisionError):
            await executor.open(BODY, budget=AttemptBudget(4, 5))
        await executor.aclose()
    assert len(transport.requests) == 1


async def test_a_header_that_http_cannot_carry_is_refused_before_anything_is_sent() -> None:
    async with executing([], extra_headers={"x-note": "two\nlines"}) as (executor, server, _):
        with pytest.raises(ConfigurationError, match="'x-note'"):
            await executor.open(BODY, budget=AttemptBudget(4, 5))
        assert server.requests == []


async def test_a_bad_certificate_is_not_tried_twice() -> None:
    async with executing([400]) as (_, server, clock):
        provider = ModelProviderInfo(name="test", base_url=server.base_url.replace("http:", "https:"))
        executor = RequestExecutor(ClientConfig(provider=provider, model="m", clock=clock), auth=NoAuth())
        with pytest.raises(TlsError):
            await executor.open(BODY, budget=AttemptBudget(4, 5))
        await executor.aclose()
        assert clock.sleeps == []


async def test_a_closed_executor_says_so() -> None:
    async with executing([]) as (executor, _, _):
        await executor.aclose()
        with pytest.raises(RuntimeError, match="the client is closed; make a new one"):
            await executor.open(BODY, budget=AttemptBudget(4, 5))
