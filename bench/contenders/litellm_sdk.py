"""litellm's `aresponses` and `acompletion`, in an environment of its own: it holds openai below 3."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import litellm
from litellm import acompletion, aresponses

from bench.contenders.base import DELTA_TYPES, KEY, MODEL, Reading, Setup, chat_object_length, messages

# Where a call fails, the error says it; that its models do not fit its own streams is no news here.
litellm.suppress_debug_info = True
warnings.filterwarnings("ignore", module="pydantic")


class _Client:
    def __init__(self, setup: Setup) -> None:
        self._common: dict[str, Any] = {
            "model": f"openai/{MODEL}",
            "api_base": setup.base_url,
            "api_key": KEY,
            "stream": True,
            "max_retries": 0,
        }
        self._open = self._open_responses if setup.api == "responses" else self._open_chat
        self.read = self._read_responses if setup.api == "responses" else self._read_chat

    async def _open_responses(self, prompt: str) -> Any:
        return await aresponses(input=prompt, **self._common)

    async def _open_chat(self, prompt: str) -> Any:
        return await acompletion(messages=messages(prompt), stream_options={"include_usage": True}, **self._common)

    @asynccontextmanager
    async def stream(self, prompt: str) -> AsyncIterator[AsyncIterator[Any]]:
        yield aiter(await self._open(prompt))

    async def _read_responses(self, prompt: str) -> Reading:
        length, first_at = 0, 0.0
        async for event in await self._open_responses(prompt):
            if not first_at:
                first_at = monotonic()
            if event.type in DELTA_TYPES:
                length += len(event.delta)
        return Reading(length, first_at)

    async def _read_chat(self, prompt: str) -> Reading:
        length, first_at = 0, 0.0
        async for chunk in await self._open_chat(prompt):
            if not first_at:
                first_at = monotonic()
            length += chat_object_length(chunk.choices)
        return Reading(length, first_at)


@asynccontextmanager
async def open_default(setup: Setup) -> AsyncIterator[_Client]:
    yield _Client(setup)
