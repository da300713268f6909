"""A recording as the answers of a server that other programs ask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from codex_client.aggregate import CollectedResponse
from codex_client.api import Clock
from codex_client.bridge import chat_completion, error_answer, response_object
from codex_client.cli.recordings import Played
from codex_client.errors import CodexError, IncompleteResponseError
from codex_client.model_provider import WireApi
from codex_client.testing.requests import RecordedRequest
from codex_client.testing.scripts import Reply


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedRecording:
    """The turn as it was recorded for who asks for a stream, as one JSON object for who does not.

    `response` and `error` are what the turn came to.
    """

    played: Played
    response: CollectedResponse
    error: CodexError | None
    clock: Clock

    @classmethod
    async def load(cls, path: Path, *, wire_api: WireApi | None, speed: float, clock: Clock) -> Self:
        """`speed` is the streams' (see `Played.load`). Raises `ConfigurationError`."""
        error: CodexError | None = None
        async with Played.load(path, wire_api=wire_api).block(clock=clock) as block:
            try:
                async with block as stream:
                    response = await stream.collect()
            except CodexError as raised:
                response, error = raised.partial or CollectedResponse(), raised
        played = Played.load(path, wire_api=wire_api, speed=speed)
        return cls(played=played, response=response, error=error, clock=clock)

    def answer(self, request: RecordedRequest) -> Reply:
        path = self.played.wire_api.path
        if request.method != "POST" or not request.path.endswith(path):
            elsewhere = f"{request.method} {request.path} is not served; the recording answers POST …{path}"
            return Reply.error(404, elsewhere, code="not_found")
        asked = _members(request)
        # A recorded refusal is no stream.
        if asked.get("stream") is True or self.played.reply.status != 200:
            return self.played.reply
        return self._whole(str(asked.get("model") or self.response.model or "replay"))

    def _whole(self, model: str) -> Reply:
        cut_short = self.error if isinstance(self.error, IncompleteResponseError) else None
        if self.error is not None and cut_short is None:
            refusal = error_answer(self.error, now=self.clock.time())
            return Reply.from_json(refusal.body, status=refusal.status, headers=dict(refusal.headers))
        make = chat_completion if self.played.wire_api is WireApi.CHAT else response_object
        created = int(self.clock.time())
        return Reply.from_json(make(self.response, model=model, created=created, response_id="replay", error=cut_short))


def _members(request: RecordedRequest) -> dict[str, Any]:
    """Those of the body; none of what is no JSON object."""
    try:
        told: object = request.json()
    except ValueError:
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}
