"""aiohttp used directly, with the few lines of event stream parsing that a careful user writes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import aiohttp

from bench.contenders.base import DELTA_TYPES, KEY, Reading, Setup, chat_length, payload


class _Client:
    def __init__(self, session: aiohttp.ClientSession, setup: Setup) -> None:
        self._session = session
        self._setup = setup
        self.read = self._read_responses if setup.api == "responses" else self._read_chat

    @asynccontextmanager
    async def stream(self, prompt: str) -> AsyncIterator[AsyncIterator[bytes]]:
        async with self._session.post(self._setup.url, json=payload(self._setup.api, prompt)) as response:
            response.raise_for_status()
            yield aiter(response.content.iter_any())

    async def _read_responses(self, prompt: str) -> Reading:
        length, first_at, rest = 0, 0.0, b""
        async with self.stream(prompt) as chunks:
            async for chunk in chunks:
                *frames, rest = (rest + chunk).split(b"\n\n")
                for frame in frames:
                    field = _field(frame)
                    # A proxy may end this API's streams so, too.
                    if field == b"[DONE]":
                        continue
                    event = json.loads(field)
                    if not first_at:
                        first_at = monotonic()
                    if event["type"] in DELTA_TYPES:
                        length += len(event["delta"])
        return Reading(length, first_at)

    async def _read_chat(self, prompt: str) -> Reading:
        length, first_at, rest = 0, 0.0, b""
        async with self.stream(prompt) as chunks:
            async for chunk in chunks:
                *frames, rest = (rest + chunk).split(b"\n\n")
                for frame in frames:
                    field = _field(frame)
                    if field == b"[DONE]":
                        continue
                    parsed = json.loads(field)
                    if not first_at:
                        first_at = monotonic()
                    length += chat_length(parsed["choices"])
        return Reading(length, first_at)


def _field(frame: bytes) -> bytes:
    """The data of a frame whose lines end with a line feed."""
    return b"\n".join(line[5:].strip() for line in frame.split(b"\n") if line.startswith(b"data:"))


@asynccontextmanager
async def open_json(setup: Setup) -> AsyncIterator[_Client]:
    connector = aiohttp.TCPConnector(limit=100 if setup.connections is None else setup.connections)
    headers = {"authorization": f"Bearer {KEY}"}
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        yield _Client(session, setup)
