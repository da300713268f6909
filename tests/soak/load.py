"""Many streams at once for a while, and the moments of quiet between."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio

from codex_client import (
    CodexError,
    ModelProviderInfo,
    Prompt,
    RetryPolicy,
    RoutedApiClient,
    StreamLimits,
    Timeouts,
    WireApi,
    connect,
)
from tests.soak.accounting import Ledger
from tests.soak.growth import Sample
from tests.soak.plans import MAX_FRAME_BYTES, Plan, Scenario, calm_plan
from tests.soak.samples import settled_sample, take_sample
from tests.soak.streams import HANG_SECONDS, run_stream

# Far above what a busy machine takes, so that no stream fails for its slowness.
_PATIENT = Timeouts(first_event=HANG_SECONDS, idle=HANG_SECONDS, pool=HANG_SECONDS)
_HASTY = Timeouts(first_event=0.5, idle=0.5)
_QUICK_RETRY = RetryPolicy(base_delay=0.02, max_delay=0.1)
_NO_RETRY = RetryPolicy(request_max_retries=0, stream_max_retries=0)

# More than a client keeps idle (100), so that it keeps that many after each wave.
_WAVE_PER_API = 150
_SAMPLES = 400
_LEAST_INTERVAL = 0.25


class Clients:
    """For each API a patient client, one of little patience, and one sent where nobody listens."""

    def __init__(self, clients: Mapping[tuple[str, str], RoutedApiClient]) -> None:
        self._clients = clients

    def of(self, plan: Plan) -> RoutedApiClient:
        kinds = {Scenario.SILENCE: "hasty", Scenario.REFUSED: "refused"}
        return self._clients[kinds.get(plan.scenario, "patient"), plan.wire_api]


@asynccontextmanager
async def open_clients(base_url: str, dead_url: str, **options: Any) -> AsyncIterator[Clients]:
    """`options` go to each client's configuration."""
    kinds = {
        "patient": (base_url, _PATIENT, _QUICK_RETRY),
        "hasty": (base_url, _HASTY, _NO_RETRY),
        "refused": (dead_url, _PATIENT, _QUICK_RETRY),
    }
    limits = StreamLimits(max_frame_bytes=MAX_FRAME_BYTES)
    clients: dict[tuple[str, str], RoutedApiClient] = {}
    async with AsyncExitStack() as stack:
        for (kind, (url, timeouts, retry)), wire_api in itertools.product(kinds.items(), WireApi):
            provider = ModelProviderInfo(name="soak", base_url=url, wire_api=wire_api)
            client = connect("m", provider=provider, timeouts=timeouts, retry=retry, limits=limits, **options)
            clients[kind, wire_api.value] = await stack.enter_async_context(client)
        yield Clients(clients)


class _Gate:
    """Lets nobody through before `width` are there; `turn` is for one at a time."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.turn = anyio.Lock()
        self._arrived = 0
        self._open = anyio.Event()

    async def wait(self) -> None:
        self._arrived += 1
        if self._arrived >= self.width:
            self._open.set()
        await self._open.wait()


class Load:
    """`width` streams at once, one begun as soon as one has ended. `plan_of` numbers their plans.

    `leak`: bytes to keep for each stream, to see the soak test fail.
    """

    def __init__(
        self,
        clients: Clients,
        ledger: Ledger,
        plan_of: Callable[[int], Plan],
        *,
        backend: str,
        width: int,
        leak: int = 0,
    ) -> None:
        self._clients = clients
        self._ledger = ledger
        self._plan_of = plan_of
        self._backend = backend
        self._width = width
        self._leak = leak
        self._leaked: list[bytearray] = []
        self._numbers = itertools.count()
        self._calm_numbers = itertools.count()

    async def run(self, seconds: float) -> list[Sample]:
        """Begin streams for so long, and return when they have ended. Gives samples taken at even intervals."""
        samples: list[Sample] = []
        end_at = time.monotonic() + seconds
        async with anyio.create_task_group() as tasks:
            for _ in range(self._width):
                tasks.start_soon(self._work, end_at)
            while time.monotonic() < end_at:
                await anyio.sleep(max(_LEAST_INTERVAL, seconds / _SAMPLES))
                samples.append(take_sample(self._ledger.ended, backend=self._backend))
        return samples

    async def quiet(self) -> Sample:
        """What the process holds with no stream open and as many idle connections as ever can be.

        For that so many calm streams are opened, all before any of them ends.
        """
        gate = _Gate(2 * _WAVE_PER_API)
        with anyio.fail_after(HANG_SECONDS):
            async with anyio.create_task_group() as tasks:
                for _ in range(gate.width):
                    tasks.start_soon(self._stream_calmly, gate)
        return await settled_sample(self._ledger.ended, backend=self._backend)

    async def _stream_calmly(self, gate: _Gate) -> None:
        plan = calm_plan(next(self._calm_numbers))
        try:
            async with AsyncExitStack() as turn, self._clients.of(plan).stream(Prompt(plan.name)) as stream:
                await gate.wait()
                # One after the other: a body whose end does not come within 50 ms costs its connection.
                await turn.enter_async_context(gate.turn)
                if (await stream.collect()).text != plan.text:
                    self._ledger.add_fault(f"{plan.name}: another text than the server's")
        except CodexError as error:
            self._ledger.add_fault(f"{plan.name}: {error!r}")
            # The others need not wait for this one.
            await gate.wait()

    async def _work(self, end_at: float) -> None:
        while time.monotonic() < end_at:
            plan = self._plan_of(next(self._numbers))
            self._ledger.start()
            self._ledger.end(plan, await run_stream(self._clients.of(plan), plan, backend=self._backend))
            if self._leak:
                self._leaked.append(bytearray(self._leak))
