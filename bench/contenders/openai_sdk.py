"""openai-python: `create(stream=True)` of both APIs, and the `stream()` helpers, which also add up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import monotonic
from typing import Any

from openai import AsyncOpenAI

from bench.contenders.base import DELTA_TYPES, KEY, MODEL, Reading, Setup, chat_object_length, messages


class _Create:
    def __init__(self, client: AsyncOpenAI, setup: Setup) -> None:
        self._client = client
        self._open = self._open_responses if setup.api == "responses" else self._open_chat
        self.read = self._read_responses if setup.api == "responses" else self._read_chat

    async def _open_responses(self, prompt: str) -> Any:
        return await self._client.responses.create(model=MODEL, input=prompt, stream=True)

    async def _open_chat(self, prompt: str) -> Any:
        return await self._client.chat.completions.create(
            model=MODEL, messages=_messages(prompt), stream=True, stream_options={"include_usage": True}
        )

    @asynccontextmanager
    async def stream(self, prompt: str) -> AsyncIterator[AsyncIterator[Any]]:
        async with await self._open(prompt) as stream:
            yield aiter(stream)

    async def _read_responses(self, prompt: str) -> Reading:
        length, first_at = 0, 0.0
        async with self.stream(prompt) as events:
            async for event in events:
                if not first_at:
                    first_at = monotonic()
                if event.type in DELTA_TYPES:
                    length += len(event.delta)
        return Reading(length, first_at)

    async def _read_chat(self, prompt: str) -> Reading:
        length, first_at = 0, 0.0
        async with self.stream(prompt) as chunks:
            async for chunk in chunks:
                if not first_at:
                    first_at = monotonic()
                length += chat_object_length(chunk.choices)
        return Reading(length, first_at)


class _Stream:
    def __init__(self, client: AsyncOpenAI, setup: Setup) -> None:
        self._client = client
        self.stream = self._stream_responses if setup.api == "responses" else self._stream_chat
        self.read = self._read_responses if setup.api == "responses" else self._read_chat

    def _stream_responses(self, prompt: str) -> AbstractAsyncContextManager[Any]:
        return self._client.responses.stream(model=MODEL, input=prompt)

    def _stream_chat(self, prompt: str) -> AbstractAsyncContextManager[Any]:
        return self._client.chat.completions.stream(
            model=MODEL, messages=_messages(prompt), stream_options={"include_usage": True}
        )

    async def _read_responses(self, prompt: str) -> Reading:
        length, first_at = 0, 0.0
        async with self.stream(prompt) as events:
            async for event in events:
                if not first_at:
                    first_at = monotonic()
                if event.type in DELTA_TYPES:
                    length += len(event.delta)
        return Reading(length, first_at)

    async def _read_chat(self, prompt: str) -> Reading:
        length, first_at = 0, 0.0
        async with self.stream(prompt) as events:
            async for event in events:
                if not first_at:
                    first_at = monotonic()
                if event.type == "content.delta":
                    length += len(event.delta)
                elif event.type == "tool_calls.function.arguments.delta":
                    length += len(event.arguments_delta)
        return Reading(length, first_at)

    async def collect(self, prompt: str) -> Reading:
        """Responses only."""
        async with self._stream_responses(prompt) as stream:
            response = await stream.get_final_response()
        calls = (item for item in response.output if item.type == "function_call")
        return Reading(len(response.output_text) + sum(len(call.arguments) for call in calls), monotonic())


def _messages(prompt: str) -> Any:
    return messages(prompt)


@asynccontextmanager
async def _sdk_client(setup: Setup) -> AsyncIterator[AsyncOpenAI]:
    options: dict[str, Any] = {}
    if setup.connections is not None or setup.wrap is not None:
        options |= {"http_client": _http_client(setup), "timeout": None}
    async with AsyncOpenAI(api_key=KEY, base_url=setup.base_url, max_retries=0, **options) as client:
        yield client


def _http_client(setup: Setup) -> Any:
    """Its own, which is of httpx2, with the limits of pool and time lifted or with the transport watched."""
    import httpx2
    from openai import DefaultAsyncHttpx2Client

    if setup.wrap is not None:
        transport = httpx2.AsyncHTTPTransport(verify=httpx2.create_ssl_context())
        return DefaultAsyncHttpx2Client(transport=setup.wrap(transport, httpx2.AsyncByteStream))
    limits = httpx2.Limits(max_connections=setup.connections, max_keepalive_connections=setup.connections)
    # Making a thousand connections at once it takes longer for one than the five seconds it allows.
    return DefaultAsyncHttpx2Client(limits=limits, timeout=None)


@asynccontextmanager
async def open_create(setup: Setup) -> AsyncIterator[_Create]:
    async with _sdk_client(setup) as client:
        yield _Create(client, setup)


@asynccontextmanager
async def open_stream(setup: Setup) -> AsyncIterator[_Stream]:
    async with _sdk_client(setup) as client:
        yield _Stream(client, setup)
