"""Recorded streams for the commands: what is in a file, and how it is played again."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast
from urllib.parse import urlsplit

from codex_client.api import Clock
from codex_client.auth.static import NoAuth
from codex_client.cli.asking import unread
from codex_client.client.config import ClientConfig, GuardPolicy, RetryPolicy, Timeouts
from codex_client.client.fixtures import load_fixture
from codex_client.client.framer import SseFramer
from codex_client.errors import ConfigurationError
from codex_client.model_provider import ModelProviderInfo, WireApi
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.stream import ResponseStream

if TYPE_CHECKING:
    from codex_client.testing.recording import Recording
    from codex_client.testing.scripts import Reply

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

        `speed`: how many times faster than it was recorded, 0 for at once. Fixtures know no times. `wire_api`: None for
        what the file tells. Raises `ConfigurationError`.
        """
        from codex_client.testing.recording import load_recording
        from codex_client.testing.scripts import Reply

        try:
            if _is_recording(path):
                recording = load_recording(path)
                return cls(_reply(recording, speed), wire_api or _of_recording(recording))
            body = load_fixture(path)
            return cls(Reply.from_sse(body), wire_api or wire_api_of(body))
        except OSError as error:
            raise unread(path, error) from None
        except ValueError as error:
            raise ConfigurationError(f"{path} is a broken recording ({type(error).__name__}); record it anew") from None

    @asynccontextmanager
    async def block(
        self, *, clock: Clock, on_chunk: Callable[[bytes], None] | None = None
    ) -> AsyncGenerator[AbstractAsyncContextManager[ResponseStream]]:
        """The turn, by a client whose network is this answer. `on_chunk` sees its bytes as they come."""
        from codex_client.testing.tapping import BodyTap, client_over
        from codex_client.testing.transports import ScriptedTransport

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


def wire_api_of(body: bytes) -> WireApi:
    """The API of a stream, by the first of its frames that tells it."""
    for frame in SseFramer().feed(body):
        told = _members(frame.data)
        if "choices" in told:
            return WireApi.CHAT
        if "type" in told:
            return WireApi.RESPONSES
    return WireApi.RESPONSES


def _is_recording(path: Path) -> bool:
    """Whether its first line is a recording's; the other form of JSON lines is codex's."""
    if path.suffix.lower() != ".jsonl":
        return False
    with path.open("rb") as file:
        first = file.readline()
    return {"format", "request"} <= _members(first).keys()


def _members(text: str | bytes) -> dict[str, object]:
    """Those of a JSON object; none of anything else."""
    try:
        told: object = json.loads(text)
    except ValueError:
        return {}
    return cast("dict[str, object]", told) if isinstance(told, dict) else {}


def _reply(recording: Recording, speed: float) -> Reply:
    from codex_client.testing.recording import RecordedChunk

    if not speed:
        return recording.reply()
    chunks = tuple(RecordedChunk(chunk.at / speed, chunk.content) for chunk in recording.chunks)
    return replace(recording, chunks=chunks).reply(timed=True)


def _of_recording(recording: Recording) -> WireApi:
    path = urlsplit(recording.url).path
    return next((each for each in WireApi if path.endswith(each.path)), wire_api_of(recording.body))
