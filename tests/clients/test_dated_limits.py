"""Snapshots inside a stream are dated by the client's clock; a failure's limits reach the error and the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from codex_client.api import AttemptOutcome, Lease
from codex_client.clients.offline import stream_from_fixture
from codex_client.errors import ResponseFailedError, UsageLimitReachedError, UsageLimitReachedInStreamError
from codex_client.events import RateLimits
from codex_client.model_variants import RateLimitSnapshot, RateLimitWindow
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import (
    ManualClock,
    ReplayServer,
    Reply,
    ev_completed,
    ev_created,
    ev_rate_limits,
    ev_text_delta,
    sse,
)

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[RoutedApiClient, ReplayServer]]]

NOW = 1_700_000_000.0
PROMPT = Prompt("hello")
KEY = "zzTopSecretKey/0123+456789"
HEADERS = {"x-codex-primary-used-percent": "7", "x-codex-plan-type": "plus"}
# As recorded in public: the status and the headers of a refusal, inside an event.
REFUSAL: dict[str, Any] = {
    "type": "error",
    "status_code": 429,
    "error": {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": "plus",
        "resets_at": NOW + 9568,
        "resets_in_seconds": 9568,
    },
    "headers": {
        "X-Codex-Primary-Window-Minutes": "300",
        "X-Codex-Primary-Used-Percent": "100",
        "X-Codex-Primary-Reset-After-Seconds": "9569",
        "X-Codex-Secondary-Window-Minutes": "10080",
    },
}


class Ledger:
    can_refresh = False

    def __init__(self) -> None:
        self.outcomes: list[AttemptOutcome] = []

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        return Lease({"authorization": f"Bearer {KEY}"}, account="a")

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> bool | None:
        self.outcomes.append(outcome)
        return None


class SlowClock(ManualClock):
    """A second passes whenever somebody asks for the time."""

    def time(self) -> float:
        self.advance(1.0)
        return super().time()


async def test_Q3_an_event_s_snapshot_is_dated_when_it_is_read(serve: Serve) -> None:
    ledger = Ledger()
    body = sse([ev_created(), ev_rate_limits(), ev_text_delta("a"), ev_completed()])
    reply = Reply.from_sse(body, headers=HEADERS)
    serving = serve([reply], auth=ledger, clock=SlowClock(start=NOW))
    async with serving as (client, _), client.stream(PROMPT) as stream:
        told = [event.snapshot async for event in stream if isinstance(event, RateLimits)]
    assert [snapshot.source for snapshot in told] == ["header", "event"]
    header, event = (snapshot.fetched_at or 0 for snapshot in told)
    assert NOW < header < event
    (outcome,) = ledger.outcomes
    assert list(outcome.rate_limits) == told
    assert [(snapshot.source, snapshot.fetched_at) for snapshot in outcome.rate_limits] == [
        ("header", header),
        ("event", event),
    ]


async def test_a_recorded_event_is_dated_by_the_clock_given(tmp_path: Path) -> None:
    recording = tmp_path / "turn.sse"
    recording.write_bytes(sse([ev_created(), ev_rate_limits(), ev_text_delta("a"), ev_completed()]))
    async with stream_from_fixture(recording, clock=ManualClock(start=NOW)) as stream:
        told = [event.snapshot async for event in stream if isinstance(event, RateLimits)]
    assert [(snapshot.source, snapshot.fetched_at) for snapshot in told] == [("event", NOW)]


async def failure_of(serve: Serve, event: Any, ledger: Ledger, **options: Any) -> ResponseFailedError:
    reply = Reply.from_sse(sse([ev_created(), event]), headers=HEADERS)
    async with serve([reply], auth=ledger, clock=ManualClock(start=NOW), **options) as (client, _):
        with pytest.raises(ResponseFailedError) as raised:
            await client.collect(PROMPT)
    return raised.value


async def test_Q1_the_limits_of_a_refusal_inside_a_stream_are_those_of_its_headers(serve: Serve) -> None:
    ledger = Ledger()
    error = await failure_of(serve, REFUSAL, ledger)
    assert type(error) is UsageLimitReachedInStreamError
    assert error.rate_limits == (RateLimitSnapshot(primary=RateLimitWindow(100.0, 300, NOW + 9569)),)
    assert [(each.source, each.fetched_at) for each in error.rate_limits] == [("header", NOW)]
    assert (error.resets_at, error.retry_after) == (NOW + 9568, 9569.0)
    (outcome,) = ledger.outcomes
    assert outcome.error is error
    assert [snapshot.exhausted for snapshot in outcome.rate_limits] == [False, True]


async def test_F10_a_refusal_inside_a_stream_without_headers_is_a_snapshot_of_its_own(serve: Serve) -> None:
    ledger = Ledger()
    error = await failure_of(serve, {key: value for key, value in REFUSAL.items() if key != "headers"}, ledger)
    assert error.rate_limits == (RateLimitSnapshot(primary=RateLimitWindow(100.0, None, NOW + 9568), plan_type="plus"),)
    assert [(each.source, each.fetched_at) for each in error.rate_limits] == [("error", NOW)]
    assert ledger.outcomes[0].rate_limits[-1] == error.rate_limits[0]


async def test_E4_a_moment_inside_a_stream_is_a_wait_also_after_output(serve: Serve) -> None:
    failed = {"type": "usage_limit_reached", "message": "try again in 5s", "resets_at": NOW + 60}
    body = sse([ev_created(), ev_text_delta("a"), {"type": "response.failed", "response": {"error": failed}}])
    async with serve([body], auth=Ledger(), clock=ManualClock(start=NOW)) as (client, _):
        with pytest.raises(UsageLimitReachedInStreamError) as raised:
            await client.collect(PROMPT)
    assert raised.value.retry_after == 60.0
    assert raised.value.partial is not None


async def test_a_reader_of_headers_of_ones_own_reads_those_inside_a_stream(serve: Serve) -> None:
    class OneOwn:
        def parse(self, headers: Mapping[str, str], *, now: float) -> list[RateLimitSnapshot]:
            inside = headers.get("x-codex-primary-reset-after-seconds") == "9569"
            return [RateLimitSnapshot("mine", primary=RateLimitWindow(100.0, resets_at=now))] if inside else []

    error = await failure_of(serve, REFUSAL, Ledger(), rate_limits=OneOwn())
    assert [snapshot.limit_id for snapshot in error.rate_limits] == ["mine"]


async def test_no_credential_is_in_the_limits_of_a_failure(serve: Serve) -> None:
    echo = {**REFUSAL["error"], "plan_type": KEY, "resets_at": KEY}
    event = {**REFUSAL, "error": echo, "headers": {"x-codex-plan-type": KEY, "x-codex-active-limit": KEY}}
    ledger = Ledger()
    error = await failure_of(serve, event, ledger)
    assert KEY not in f"{vars(error)}{error!r}{ledger.outcomes}"
    assert KEY.lower() not in f"{vars(error)}{error!r}{ledger.outcomes}"


@pytest.mark.parametrize("headers, source", [({}, "error"), ({"x-codex-primary-reset-after-seconds": "60"}, "header")])
async def test_F10_a_429_s_limits_reach_the_report(serve: Serve, headers: dict[str, str], source: str) -> None:
    told = {"x-codex-primary-used-percent": "100", **headers}
    reply = Reply.from_json({"error": REFUSAL["error"]}, status=429, headers=told)
    ledger = Ledger()
    async with serve([reply], auth=ledger, clock=ManualClock(start=NOW)) as (client, _):
        with pytest.raises(UsageLimitReachedError) as raised:
            await client.collect(PROMPT)
    assert [snapshot.source for snapshot in raised.value.rate_limits] == [source]
    assert ledger.outcomes[0].rate_limits == raised.value.rate_limits
    assert raised.value.rate_limits[0].windows[0].resets_at == (NOW + 60 if headers else NOW + 9568)
