"""Recorded streams for the commands: what is in a file, and how it is played again."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from codex_client.api import Clock
from codex_client.auth.static import NoAuth
from codex_client.cli.asking import unread
from codex_client.client.config import ClientConfig, GuardPolicy, RetryPolicy, Timeouts
from codex_client.errors import ConfigurationError
from codex_client.model_provider import ModelProviderInfo, WireApi
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.stream import ResponseStream
from codex_client.testing.recording import RecordedChunk, Recording, load_recording
from codex_client.testing.scripts import Reply
from codex_client.testing.tapping import BodyTap, client_over
from codex_client.testing.transports import ScriptedTransport

_NOWHERE = "http://replay.invalid/v1"
_ONCE = RetryPolicy(request_max_retries=0, stream_max_retries=0)
# A recorded pause is as long as it was, and a recorded text as it was.
_PATIENT = Timeouts(first_event=math.inf, idle=math.inf)
_UNGUARDED = GuardPolicy(garbled=False, empty=False)


@dataclass(frozen=True, slots=True)
class Played:
    """An answer to play, and the API that it is of."""

    reply: Reply
    wire_api: WireApi

    @classmethod
    def load(cls, path: Path, *, wire_api: WireApi | None = None, speed: float = 0.0) -> Self:
        """From a recording, or a fixture in any form that `stream_from_fixture` reads.

        `speed`: how many times faster than it was recorded, 0 for at once. Fixtures know no times. A recording tells
        its API itself. Raises `ConfigurationError`.
        """
        try:
            recording = load_recording(path) if _is_recording(path) else None
            reply = Reply.from_fixture(path) if recording is None else _reply(recording, speed)
        except OSError as error:
            raise unread(path, error) from None
        except ValueError as error:
            raise ConfigurationError(f"{path} is a broken recording ({type(error).__name__}); record it anew") from None
        return cls(reply, wire_api or _wire_api(recording))

    @asynccontextmanager
    async def block(
        self, *, clock: Clock, on_chunk: Callable[[bytes], None] | None = None
    ) -> AsyncGenerator[AbstractAsyncContextManager[ResponseStream]]:
        """The turn, by a client whose network is this answer. `on_chunk` sees its bytes as they come."""
        scripted = ScriptedTransport(self.reply, clock=clock)
        transport = scripted if on_chunk is None else BodyTap(on_chunk, scripted)
        provider = ModelProviderInfo(name="replay", base_url=_NOWHERE, wire_api=self.wire_api)
        async with client_over(transport) as http:
            config = ClientConfig(
                provider=provider,
                model="replay",
                auth=NoAuth(),
                retry=_ONCE,
                timeouts=_PATIENT,
                guards=_UNGUARDED,
                http_client=http,
                clock=clock,
            )
            async with RoutedApiClient(config) as client:
                yield client.stream(Prompt("replay"))


def _is_recording(path: Path) -> bool:
    """Whether its first line is a recording's; the other form of JSON lines is codex's."""
    if path.suffix.lower() != ".jsonl":
        return False
    with path.open("rb") as file:
        first = file.readline()
    try:
        head: object = json.loads(first)
    except ValueError:
        return False
    return isinstance(head, dict) and "format" in head and "request" in head


def _reply(recording: Recording, speed: float) -> Reply:
    if not speed:
        return recording.reply()
    chunks = tuple(RecordedChunk(chunk.at / speed, chunk.content) for chunk in recording.chunks)
    return replace(recording, chunks=chunks).reply(timed=True)


def _wire_api(recording: Recording | None) -> WireApi:
    path = "" if recording is None else urlsplit(recording.url).path
    return WireApi.CHAT if path.endswith(WireApi.CHAT.path) else WireApi.RESPONSES
