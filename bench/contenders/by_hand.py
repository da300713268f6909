"""httpx used directly: its bytes alone, which is the floor, and httpx-sse with two ways to read the JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import monotonic
from typing import Any

import httpx

from bench.contenders.base import DELTA_TYPES, KEY, Reading, Setup, chat_length, payload

_HEADERS = {"authorization": f"Bearer {KEY}"}


@asynccontextmanager
async def _http_client(setup: Setup) -> AsyncIterator[httpx.AsyncClient]:
    options: dict[str, Any] = {}
    if setup.connections is not None:
        options["limits"] = httpx.Limits(max_connections=setup.connections, max_keepalive_connections=setup.connections)
    if setup.wrap is not None:
        transport = httpx.AsyncHTTPTransport(verify=httpx.create_ssl_context())
        options["transport"] = setup.wrap(transport, httpx.AsyncByteStream)
    async with httpx.AsyncClient(headers=_HEADERS, timeout=None, **options) as client:
        yield client


class _Bytes:
    """No events at all: what httpx costs."""

    def __init__(self, client: httpx.AsyncClient, setup: Setup) -> None:
        self._client = client
        self._setup = setup

    @asynccontextmanager
    async def stream(self, prompt: str) -> AsyncIterator[AsyncIterator[bytes]]:
        body = payload(self._setup.api, prompt)
        async with self._client.stream("POST", self._setup.url, json=body) as response:
            response.raise_for_status()
            yield response.aiter_bytes()

    async def read(self, prompt: str) -> Reading:
        length, first_at = 0, 0.0
        async with self.stream(prompt) as chunks:
            async for chunk in chunks:
                if not first_at:
                    first_at = monotonic()
                length += len(chunk)
        return Reading(length, first_at)


class _Json:
    def __init__(self, client: httpx.AsyncClient, setup: Setup) -> None:
        self._client = client
        self._setup = setup
        self.read = self._read_responses if setup.api == "responses" else self._read_chat

    @asynccontextmanager
    async def stream(self, prompt: str) -> AsyncIterator[AsyncIterator[Any]]:
        from httpx_sse import aconnect_sse

        body = payload(self._setup.api, prompt)
        async with aconnect_sse(self._client, "POST", self._setup.url, json=body) as source:
            source.response.raise_for_status()
            yield source.aiter_sse()

    async def _read_responses(self, prompt: str) -> Reading:
        length, first_at = 0, 0.0
        async with self.stream(prompt) as frames:
            async for frame in frames:
                event = json.loads(frame.data)
                if not first_at:
                    first_at = monotonic()
                if event["type"] in DELTA_TYPES:
                    length += len(event["delta"])
        return Reading(length, first_at)

    async def _read_chat(self, prompt: str) -> Reading:
        length, first_at = 0, 0.0
        async with self.stream(prompt) as frames:
            async for frame in frames:
                if frame.data == "[DONE]":
                    break
                chunk = json.loads(frame.data)
                if not first_at:
                    first_at = monotonic()
                length += chat_length(chunk["choices"])
        return Reading(length, first_at)


class _Pydantic(_Json):
    """The fields that a user reads, in a model."""

    async def _read_responses(self, prompt: str) -> Reading:
        from bench.contenders.models import EVENT

        length, first_at = 0, 0.0
        async with self.stream(prompt) as frames:
            async for frame in frames:
                event = EVENT.validate_json(frame.data)
                if not first_at:
                    first_at = monotonic()
                if event.type in DELTA_TYPES:
                    length += len(event.delta)
        return Reading(length, first_at)

    async def _read_chat(self, prompt: str) -> Reading:
        from bench.contenders.models import CHUNK, chunk_length

        length, first_at = 0, 0.0
        async with self.stream(prompt) as frames:
            async for frame in frames:
                if frame.data == "[DONE]":
                    break
                chunk = CHUNK.validate_json(frame.data)
                if not first_at:
                    first_at = monotonic()
                length += chunk_length(chunk)
        return Reading(length, first_at)


def open_bytes(setup: Setup) -> AbstractAsyncContextManager[_Bytes]:
    return _opened(_Bytes, setup)


def open_json(setup: Setup) -> AbstractAsyncContextManager[_Json]:
    return _opened(_Json, setup)


def open_pydantic(setup: Setup) -> AbstractAsyncContextManager[_Pydantic]:
    return _opened(_Pydantic, setup)


@asynccontextmanager
async def _opened(kind: Any, setup: Setup) -> AsyncIterator[Any]:
    async with _http_client(setup) as client:
        yield kind(client, setup)
