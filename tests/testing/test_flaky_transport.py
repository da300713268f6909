"""Faults by the dice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest

from codex_client.testing import Fault, FlakyTransport, ScriptedTransport, responses_turn, sse

BODY = sse(responses_turn("Hello."))
URL = "http://api.test/v1/responses"


async def ask(transport: FlakyTransport) -> tuple[int | None, bytes, type[Exception] | None]:
    """Status, as much of the body as came, and the error."""
    status, body = None, b""
    async with httpx.AsyncClient(transport=transport) as client:
        try:
            async with client.stream("POST", URL) as response:
                status = response.status_code
                async for chunk in response.aiter_raw():
                    body += chunk
        except httpx.TransportError as error:
            return status, body, type(error)
    return status, body, None


@pytest.mark.parametrize(
    "fault, status, error",
    [
        (Fault.CONNECT_ERROR, None, httpx.ConnectError),
        (Fault.CONNECT_TIMEOUT, None, httpx.ConnectTimeout),
        (Fault.WRITE_ERROR, None, httpx.WriteError),
        (Fault.READ_ERROR, None, httpx.ReadError),
        (Fault.SERVER_ERROR, 503, None),
        (Fault.BODY_ERROR, 200, httpx.ReadError),
        (Fault.BODY_CUT, 200, httpx.RemoteProtocolError),
    ],
)
async def test_each_fault_is_what_httpx_makes_of_the_real_one(fault: Fault, status: int | None, error: Any):
    inner = ScriptedTransport([] if status != 200 else [BODY])
    transport = FlakyTransport(inner, rate=1, faults=[fault], max_body_bytes=50)
    got_status, body, raised = await ask(transport)
    assert (got_status, raised, transport.injected) == (status, error, [fault])
    if status == 200:
        assert BODY.startswith(body)
        assert len(body) <= 50
    inner.assert_complete()


async def test_a_body_shorter_than_the_faults_place_breaks_at_its_end():
    transport = FlakyTransport(ScriptedTransport(b"data: 1\n\n"), rate=1, faults=[Fault.BODY_CUT], max_body_bytes=10**9)
    assert await ask(transport) == (200, b"data: 1\n\n", httpx.RemoteProtocolError)


async def test_the_body_of_an_answer_made_with_its_content_breaks_too():
    inner = httpx.MockTransport(lambda request: httpx.Response(200, content=BODY))
    transport = FlakyTransport(inner, rate=1, faults=[Fault.BODY_ERROR], max_body_bytes=50)
    status, body, error = await ask(transport)
    assert (status, len(body) <= 50, error) == (200, True, httpx.ReadError)


async def test_without_a_rate_nothing_happens():
    transport = FlakyTransport(ScriptedTransport(BODY), rate=0)
    assert [await ask(transport) for _ in range(20)] == [(200, BODY, None)] * 20
    assert transport.injected == [None] * 20


async def run(count: int, **options: Any) -> tuple[list[Fault | None], list[Any]]:
    transport = FlakyTransport(ScriptedTransport(BODY), **options)
    outcomes = [await ask(transport) for _ in range(count)]
    return transport.injected, outcomes


async def test_a_seed_gives_the_same_faults_and_another_gives_others():
    first, again, other = [await run(50, seed=seed) for seed in (1, 1, 2)]
    assert first == again
    assert first[0] != other[0]


async def test_faults_come_at_the_rate_and_of_every_kind():
    injected, _ = await run(400, rate=0.5, seed=3)
    counts = Counter(injected)
    assert 150 < counts.pop(None) < 250
    assert set(counts) == set(Fault)


@pytest.mark.parametrize("most", [0, 1, 2])
async def test_a_row_of_faults_is_bounded_and_the_others_stay_the_same(most: int):
    free, _ = await run(60, rate=0.9, seed=4)
    bounded, _ = await run(60, rate=0.9, seed=4, max_in_a_row=most)
    kept = "".join("." if fault is None else "x" for fault in bounded)
    assert "x" * (most + 1) not in kept
    assert kept.count("x" * most + ".") > (10 if most else 0)
    assert all(fault in (None, freely) for fault, freely in zip(bounded, free, strict=True))
