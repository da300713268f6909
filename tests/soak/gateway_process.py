"""The gateways of the soak test, a process of their own: `python -m tests.soak.gateway_process UPSTREAM IDLE_SECONDS`.

It prints their addresses, then for each line on its standard input what it holds, both as JSON. It ends when its
standard input does, so it never outlives who started it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, replace
from typing import Any

import anyio
from starlette.applications import Starlette

from codex_client.auth.store import MemoryTokenStore
from codex_client.client.config import ClientConfig, RetryPolicy, StreamLimits, Timeouts
from codex_client.credentials.pool import CredentialPool
from codex_client.gateway import create_app
from codex_client.gateway.app import gateway_of
from codex_client.model_provider import ModelProviderInfo, WireApi
from codex_client.routed_client import RoutedApiClient
from tests.soak.plans import MAX_FRAME_BYTES
from tests.soak.samples import fill_string_cache, settled_sample
from tests.support.gateways import served
from tests.support.pooled import login

# Twice for a request, which is as often as a transient refusal comes; what is silent or broken fails at once.
_RETRY = RetryPolicy(request_max_retries=2, stream_max_retries=0, base_delay=0.02, max_delay=0.1)


@asynccontextmanager
async def open_gateways(upstream_url: str, *, idle_seconds: float) -> AsyncIterator[dict[str, tuple[str, Starlette]]]:
    """One for each API of the provider, and `pool` with two accounts; by name their base URL and their app."""
    provider = ModelProviderInfo(name="soak", base_url=upstream_url, wire_api=WireApi.RESPONSES)
    config = ClientConfig(
        provider=provider,
        model="m",
        retry=_RETRY,
        timeouts=Timeouts(first_event=idle_seconds, idle=idle_seconds),
        limits=StreamLimits(max_frame_bytes=MAX_FRAME_BYTES),
    )
    chatgpt = replace(provider, name="chatgpt", profile="chatgpt-codex")
    async with AsyncExitStack() as opened:
        pool = await opened.enter_async_context(
            CredentialPool(MemoryTokenStore([login(0), login(1)]), provider=chatgpt)
        )
        configs = {
            "responses": config,
            "chat": replace(config, provider=replace(provider, wire_api=WireApi.CHAT)),
            "pool": replace(config, provider=chatgpt, auth=pool),
        }
        gateways: dict[str, tuple[str, Starlette]] = {}
        for name, each in configs.items():
            client = await opened.enter_async_context(RoutedApiClient(each))
            app = create_app(client)
            gateways[name] = f"{await opened.enter_async_context(served(app))}/v1", app
        yield gateways


async def serve(upstream_url: str, idle_seconds: float) -> None:
    fill_string_cache()
    async with open_gateways(upstream_url, idle_seconds=idle_seconds) as gateways:
        _print({name: url for name, (url, _) in gateways.items()})
        while await anyio.to_thread.run_sync(sys.stdin.readline):
            sample = await settled_sample(0, backend="asyncio")
            in_flight = sum(gateway_of(app).activity.in_flight for _, app in gateways.values())
            _print({**asdict(sample), "in_flight": in_flight})


def _print(value: Any) -> None:
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(serve, sys.argv[1], float(sys.argv[2]))
