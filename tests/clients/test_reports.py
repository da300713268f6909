"""Each attempt is told to the credential source once, with what became of it; no error tells the credential."""

from __future__ import annotations

import asyncio
import base64
import gc
import logging
import pickle
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import anyio
import pytest

from codex_client.api import AttemptOutcome, DecoderFactory, Lease
from codex_client.client.config import ClientConfig, RetryPolicy
from codex_client.clients.generic import GenericClient
from codex_client.errors import CodexError, RateLimitedInStreamError, StreamClosedError, UsageLimitReachedInStreamError
from codex_client.model_variants import RateLimitSnapshot
from codex_client.payload.responses import ResponsesPayloadBuilder
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import (
    ManualClock,
    ReplayServer,
    Reply,
    Stall,
    chat_chunk,
    ev_created,
    ev_error,
    ev_failed,
    ev_text_delta,
    responses_turn,
    sse,
)

pytestmark = pytest.mark.usefixtures("transport")

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[RoutedApiClient, ReplayServer]]]

PROMPT = Prompt("hello")
BODY = sse(responses_turn("The quick brown fox."))
CANARY = "zzTopSecretKey/0123+456789"


class Ledger:
    """A credential source that keeps what it is told; `fails` makes it refuse to."""

    can_refresh = False

    def __init__(self, *, fails: bool = False) -> None:
        self.leases = 0
        self.outcomes: list[AttemptOutcome] = []
        self._fails = fails

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        self.leases += 1
        return Lease({"authorization": f"Bearer {CANARY}"}, account="a")

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> None:
        self.outcomes.append(outcome)
        if self._fails:
            raise OSError("the store is read-only")


def shown(ledger: Ledger) -> list[tuple[int | None, str]]:
    return [(outcome.status, type(outcome.error).__name__) for outcome in ledger.outcomes]


async def test_a_good_turn_is_reported_with_its_limits(serve: Serve) -> None:
    ledger = Ledger()
    headers = {"x-codex-primary-used-percent": "7"}
    async with serve([Reply.from_sse(BODY, headers=headers)], auth=ledger) as (client, _):
        await client.collect(PROMPT)
    assert shown(ledger) == [(200, "NoneType")]
    assert [snapshot.limit_id for snapshot in ledger.outcomes[0].rate_limits] == ["codex"]
    assert isinstance(ledger.outcomes[0].rate_limits[0], RateLimitSnapshot)


async def test_a_failure_inside_the_stream_is_reported_as_itself(serve: Serve) -> None:
    ledger = Ledger()
    async with serve([sse([ev_created(), ev_failed("usage_limit_reached", "used up")])], auth=ledger) as (client, _):
        with pytest.raises(UsageLimitReachedInStreamError) as raised:
            await client.collect(PROMPT)
    assert [outcome.error for outcome in ledger.outcomes] == [raised.value]
    assert raised.value.rotate_account


async def test_every_attempt_of_a_turn_is_reported_once(serve: Serve, clock: ManualClock) -> None:
    ledger = Ledger()
    limited = sse([ev_created(), ev_failed("rate_limit_exceeded", "slow")])
    script = [500, limited, sse([ev_created()]), BODY]
    async with serve(script, auth=ledger, clock=clock, retry=RetryPolicy(jitter=0)) as (client, _):
        await client.collect(PROMPT)
    assert shown(ledger) == [
        (500, "ServerError"),
        (200, RateLimitedInStreamError.__name__),
        (200, StreamClosedError.__name__),
        (200, "NoneType"),
    ]
    assert ledger.leases == 4


async def test_a_turn_that_is_left_is_reported_without_an_error(serve: Serve) -> None:
    ledger = Ledger()
    stalled = Reply.from_sse(BODY).at(BODY.index(b"\n\n") + 2, Stall())
    async with serve([stalled, stalled], auth=ledger) as (client, server):
        async with client.stream(PROMPT) as stream:
            await anext(stream)
        async with anyio.create_task_group() as tasks:

            async def read() -> None:
                await client.collect(PROMPT)

            tasks.start_soon(read)
            await server.at_rest(1)
            await server.received(2)
            tasks.cancel_scope.cancel()
    assert [outcome.error for outcome in ledger.outcomes] == [None, None]


async def test_a_turn_that_is_dropped_is_reported_when_it_is_cleared_away(serve: Serve) -> None:
    ledger = Ledger()
    stalled = Reply.from_sse(BODY).at(BODY.index(b"\n\n") + 2, Stall())
    async with serve([stalled, BODY], auth=ledger) as (client, server):
        stream = await client.stream(PROMPT).__aenter__()
        await anext(stream)
        with pytest.warns(ResourceWarning, match="dropped while open"):
            del stream
            gc.collect()
        await server.idle()
        await client.collect(PROMPT)
    assert ledger.leases == len(ledger.outcomes) == 2


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_turn_whose_closing_is_cancelled_is_reported_once(serve: Serve) -> None:
    """asyncio's own cancellation passes through shields: the answer is cleared away later, and the report is made."""
    ledger, clock = Ledger(), ManualClock()
    never_ends = Reply.from_sse(BODY).at(len(BODY), Stall())
    async with serve([never_ends, BODY], auth=ledger, clock=clock) as (client, server):
        turn = asyncio.create_task(client.collect(PROMPT))
        # The turn is whole and waits 50 ms for the end of the body.
        await clock.wait_for_timer(0.05)
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        await server.idle()
        await client.collect(PROMPT)
    assert ledger.leases == len(ledger.outcomes) == 2


@pytest.mark.parametrize("reply, whole", [(BODY, True), (sse([ev_created()]), False), (400, False)])
async def test_a_source_that_takes_no_report_costs_no_turn(
    serve: Serve, caplog: pytest.LogCaptureFixture, reply: Any, whole: bool
) -> None:
    ledger = Ledger(fails=True)
    with caplog.at_level(logging.WARNING, logger="codex_client"):
        async with serve([reply], auth=ledger) as (client, _):
            if whole:
                assert (await client.collect(PROMPT)).text == "The quick brown fox."
            else:
                with pytest.raises(CodexError):
                    await client.collect(PROMPT)
    assert "OSError" in caplog.text
    assert "read-only" not in caplog.text


def failing_decoder(**options: Any) -> Any:
    raise KeyError("a decoder of one's own")


class FailingLimits:
    def parse(self, headers: Any, *, now: float) -> Any:
        raise KeyError("a provider of one's own")


@pytest.mark.parametrize("decoder, limits", [(failing_decoder, None), (None, FailingLimits())])
async def test_a_part_of_ones_own_that_raises_leaves_no_connection_open(
    decoder: DecoderFactory | None, limits: Any
) -> None:
    from codex_client.decode.responses import ResponsesDecoder

    async with ReplayServer([Reply.from_sse(BODY).at(600, Stall())] * 2) as server:
        provider = server.provider()
        config = ClientConfig(provider=provider, model="m", rate_limits=limits)
        builder = ResponsesPayloadBuilder(model="m", provider=provider)
        async with GenericClient(config, builder=builder, decoder=decoder or ResponsesDecoder) as client:
            for _ in range(2):
                with pytest.raises(KeyError, match="one's own"):
                    await client.collect(PROMPT)
            await server.idle()


ECHOES: dict[str, tuple[str, Reply | bytes]] = {
    "response.failed": ("responses", sse([ev_created(), ev_failed("invalid_api_key", f"bad key {CANARY}")])),
    "error event": ("responses", sse([ev_created(), ev_error("x", f"bad key {CANARY}")])),
    "error event on chat": ("chat", sse([{"error": {"message": f"bad key {CANARY}", "code": CANARY}}])),
    "broken frame": (
        "responses",
        sse([ev_created(), f'{{"type": "response.output_text.delta", "delta": "{CANARY}']),
    ),
    "broken chunk": ("chat", sse([chat_chunk("a"), f'{{"choices": "{CANARY}'])),
    "html": ("responses", Reply(headers={"content-type": "text/html"}, body=f"<p>{CANARY}</p>".encode())),
    "plain text": ("chat", Reply(headers={"content-type": "text/plain"}, body=f"key {CANARY}?".encode())),
    "json error": ("responses", Reply.from_json({"error": {"message": f"bad key {CANARY}"}})),
    "json that is no answer": ("chat", Reply.from_json({"seen": f"Bearer {CANARY}"})),
    "status": ("responses", Reply.from_json({"error": {"message": f"bad key {CANARY}"}}, status=401)),
}


@pytest.mark.parametrize("wire_api, reply", ECHOES.values(), ids=ECHOES)
async def test_a_credential_that_a_server_echoes_is_in_no_error(serve: Serve, wire_api: str, reply: Any) -> None:
    async with serve([reply], wire_api=wire_api, auth=Ledger()) as (client, _):
        with pytest.raises(CodexError) as raised:
            await client.collect(PROMPT)
    error = raised.value
    told = f"{error}{error!r}{vars(error)}{pickle.dumps(error)!r}{error.__cause__!r}"
    for form in (CANARY, CANARY.replace("/", "\\/"), base64.b64encode(CANARY.encode()).decode()):
        assert form not in told


async def test_a_credential_is_in_no_error_after_output(serve: Serve) -> None:
    body = sse([ev_created(), ev_text_delta("hi"), ev_failed("x", f"bad key {CANARY}")])
    async with serve([body], auth=Ledger()) as (client, _):
        with pytest.raises(CodexError) as raised:
            await client.collect(PROMPT)
    assert CANARY not in str(raised.value)
    assert raised.value.partial is not None
    assert raised.value.partial.text == "hi"
