"""This library, with its own transport and with the one of aiohttp."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from time import monotonic
from typing import Any

import httpx

from bench.contenders.base import KEY, MODEL, Reading, Setup
from codex_client import (
    ApiClient,
    FunctionCall,
    FunctionTool,
    Message,
    OutputItemDone,
    OutputTextDelta,
    Prompt,
    ReasoningSummaryDelta,
    ResponseStream,
    RetryPolicy,
    ToolCallInputDelta,
    connect,
)
from codex_client.client.config import GuardPolicy, Transport
from codex_client.client.connections import ConnectionTransport
from codex_client.client.sockets import READY

_DELTAS = (OutputTextDelta, ToolCallInputDelta, ReasoningSummaryDelta)


_TOOL = FunctionTool(name="write_file", description="Write a file.", parameters={"type": "object", "properties": {}})
_GUARDS = {
    "unguarded": GuardPolicy(garbled=False, empty=False),
    "hold tail": GuardPolicy(garbled=True, empty=True),
    "hold all": GuardPolicy(garbled=True, empty=True, hold="all"),
}


class _Client:
    def __init__(self, client: ApiClient, tools: tuple[FunctionTool, ...]) -> None:
        self._client = client
        self._tools = tools

    def stream(self, prompt: str) -> AbstractAsyncContextManager[ResponseStream]:
        return self._client.stream(Prompt(prompt, tools=self._tools))

    async def read(self, prompt: str) -> Reading:
        length, first_at = 0, 0.0
        async with self.stream(prompt) as stream:
            async for event in stream:
                if not first_at:
                    first_at = monotonic()
                if isinstance(event, _DELTAS):
                    length += len(event.delta)
        return Reading(length, first_at)

    async def collect(self, prompt: str) -> Reading:
        response = await self._client.collect(Prompt(prompt))
        return Reading(len(response.text) + sum(len(call.arguments) for call in response.tool_calls), monotonic())

    async def aggregate(self, prompt: str) -> Reading:
        from codex_client import AggregateMode

        length, first_at = 0, 0.0
        async with self._client.stream(Prompt(prompt)) as stream:
            async for event in stream.aggregate(AggregateMode.AGGREGATED_ONLY):
                if not first_at:
                    first_at = monotonic()
                match event:
                    case OutputItemDone(item=Message(text=text) | FunctionCall(arguments=text)):
                        length += len(text)
        return Reading(length, first_at)


def open_default(setup: Setup) -> AbstractAsyncContextManager[_Client]:
    return _opened(setup, "httpx")


def open_aiohttp(setup: Setup) -> AbstractAsyncContextManager[_Client]:
    return _opened(setup, "aiohttp")


@asynccontextmanager
async def _opened(setup: Setup, transport: Transport) -> AsyncIterator[_Client]:
    """As `connect` makes it. Where the transport is to be watched, the same one in an httpx client of ours."""
    once = RetryPolicy(request_max_retries=0, stream_max_retries=0)
    async with AsyncExitStack() as stack:
        if setup.wrap is None:
            carrier: dict[str, Any] = {"transport": transport}
        else:
            watched = setup.wrap(ConnectionTransport(engine=transport), httpx.AsyncByteStream, READY)
            carrier = {"http_client": await stack.enter_async_context(httpx.AsyncClient(transport=watched))}
        guarded = {"guards": _GUARDS[setup.guards]} if setup.guards else {}
        options = {**carrier, **guarded}
        client = connect(MODEL, base_url=setup.base_url, wire_api=setup.api, auth=KEY, retry=once, **options)
        yield _Client(await stack.enter_async_context(client), (_TOOL,) if setup.guards else ())
