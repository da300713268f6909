"""Many turns at once through real gateways, over a provider at which much goes wrong. `python -m tests.soak.gateway` is
the same for longer, in processes of its own.
"""

from __future__ import annotations

import itertools
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
from starlette.applications import Starlette

from codex_client.gateway.app import gateway_of
from codex_client.testing import RecordedRequest, ReplayServer, Reply
from tests.soak.accounting import Ending, Ledger
from tests.soak.gateway_calls import call, fault_of, gateway_for
from tests.soak.gateway_process import open_gateways
from tests.soak.growth import closed_growth, quiet_growth
from tests.soak.plans import FATES, Plan, Scenario, draw_plan
from tests.soak.replies import Answers
from tests.soak.samples import fill_string_cache, settled_sample

SEED = 20260
STREAMS = 200
# The longest silence of a provider that goes on is a twentieth of a second, but it shares the process with all others.
PACE, IDLE_SECONDS = 1 / 30, 15.0


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """uvicorn knows no other loop."""
    return "asyncio"


@asynccontextmanager
async def upstream() -> AsyncIterator[ReplayServer]:
    answers = Answers(SEED, pace=PACE)

    def answer(request: RecordedRequest) -> Reply:
        server.requests.clear()
        return answers(request)

    async with ReplayServer(answer) as server:
        yield server


async def run(urls: Mapping[str, tuple[str, Starlette]], plans: Iterable[Plan], ledger: Ledger) -> None:
    async def one(plan: Plan) -> None:
        # A client for each: many connections in one of httpx's pools cost more than the turns.
        async with httpx.AsyncClient(trust_env=False, verify=unused, timeout=60) as http:
            ledger.start()
            ledger.end(plan, await call(http, urls[gateway_for(plan)][0], plan))

    unused = ssl.create_default_context()
    async with anyio.create_task_group() as tasks:
        for plan in plans:
            tasks.start_soon(one, plan)


def drawn() -> Iterator[Plan]:
    """All kinds but two: nobody listens, a fault of another server, and a silent head, which is waited for thrice."""
    for number in itertools.count():
        plan = draw_plan(SEED, number)
        has_silent_head = plan.scenario is Scenario.SILENCE and plan.choice % 4 == 0
        if plan.scenario is not Scenario.REFUSED and not has_silent_head:
            yield plan


async def test_of_many_turns_each_gets_its_own_whole_or_a_typed_error_and_nothing_is_left() -> None:
    """The first round warms up; what the process holds after the second and not before it has leaked."""
    fill_string_cache()
    before = await settled_sample(0, backend="asyncio")
    ledger, plans = Ledger(fault_of), drawn()
    async with upstream() as server, open_gateways(server.base_url, idle_seconds=IDLE_SECONDS) as gateways:
        await run(gateways, itertools.islice(plans, STREAMS), ledger)
        warm = await settled_sample(ledger.ended, backend="asyncio")
        await run(gateways, itertools.islice(plans, STREAMS // 2), ledger)
        done = await settled_sample(ledger.ended, backend="asyncio")
        assert sum(gateway_of(app).activity.in_flight for _, app in gateways.values()) == 0
    closed = await settled_sample(ledger.ended, backend="asyncio")
    assert ledger.problems() == []
    assert {scenario for scenario, _ in ledger.endings} == set(FATES) - {Scenario.REFUSED}
    assert min(ledger.count(ending) for ending in (Ending.COMPLETED, Ending.FAILED, Ending.LEFT)) > 20
    assert [each for each in [*quiet_growth(warm, done), *closed_growth(before, closed)] if each.too_much] == []
