"""Gateways over servers that play a provider: what their tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import anyio
from starlette.applications import Starlette

from codex_client.api import Clock, SystemClock
from codex_client.client.config import ClientConfig, RetryPolicy
from codex_client.gateway import GatewayConfig, create_app, serve
from codex_client.gateway.app import gateway_of
from codex_client.model_provider import WireApi
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import ReplayServer
from tests.support.loopback import until

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
BOTH = [CHAT, RESPONSES]


def chat_body(text: str = "Hello", **more: Any) -> dict[str, Any]:
    return {"model": "gpt-5", "messages": [{"role": "user", "content": text}], **more}


def responses_body(text: str = "Hello", **more: Any) -> dict[str, Any]:
    return {"model": "gpt-5", "input": text, **more}


def body_for(path: str, text: str = "Hello", **more: Any) -> dict[str, Any]:
    return chat_body(text, **more) if path == CHAT else responses_body(text, **more)


@asynccontextmanager
async def gateway_over(
    upstream: ReplayServer,
    *,
    wire_api: WireApi | Literal["responses", "chat"] = WireApi.RESPONSES,
    clock: Clock | None = None,
    retries: int = 0,
    model: str = "gpt-5",
    config: GatewayConfig | None = None,
    **options: Any,
) -> AsyncIterator[Starlette]:
    """An app whose turns go to `upstream`, each once unless `retries` are allowed. `model`: of requests that name
    none.
    """
    async with RoutedApiClient(
        ClientConfig(
            provider=upstream.provider(wire_api),
            model=model,
            retry=RetryPolicy(request_max_retries=retries, stream_max_retries=retries, base_delay=0),
            clock=clock or SystemClock(),
        )
    ) as client:
        yield create_app(client, config=config, clock=clock, **options)


@asynccontextmanager
async def served(app: Starlette, **options: Any) -> AsyncIterator[str]:
    """The app on a socket of its own: its address. asyncio only."""
    address: list[str] = []
    ready = anyio.Event()

    def note(url: str) -> None:
        address.append(url)
        ready.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: serve(app, port=0, on_ready=note, **options))
        with anyio.fail_after(10):
            await ready.wait()
        yield address[0]
        tasks.cancel_scope.cancel()


async def turns_end(app: Starlette) -> None:
    """Wait until no turn is open in the gateway: its provider may have lost sight of one before it is over, or not have
    seen it yet.
    """
    await until(lambda: not gateway_of(app).activity.in_flight)
