"""The two APIs that callers speak: how each reads a request and writes an answer. Data over the bridge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from uuid import uuid4

from codex_client.aggregate import CollectedResponse
from codex_client.backend_profile import BackendProfile
from codex_client.bridge.chat_chunks import ChatChunks
from codex_client.bridge.completion import chat_completion
from codex_client.bridge.reasoning import ReasoningFormat
from codex_client.bridge.requests import BridgedRequest, parse_chat_request, parse_responses_request
from codex_client.bridge.response import response_object
from codex_client.bridge.responses_events import ResponsesEvents
from codex_client.errors import CodexError, IncompleteResponseError
from codex_client.events import ResponseEvent
from codex_client.model_provider import WireApi
from codex_client.payload.encode import encode_payload


class Encoder(Protocol):
    """Turns one turn's events into what the caller's API streams."""

    def feed(self, event: ResponseEvent) -> list[dict[str, Any]]: ...

    def fail(self, error: CodexError) -> list[dict[str, Any]]: ...


class NewEncoder(Protocol):
    def __call__(self, *, request: BridgedRequest, model: str, created: int, response_id: str) -> Encoder: ...


class WholeAnswerOf(Protocol):
    def __call__(
        self,
        response: CollectedResponse,
        *,
        request: BridgedRequest,
        model: str,
        created: int,
        response_id: str,
        error: IncompleteResponseError | None,
    ) -> dict[str, Any]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """One API. `parse` raises `InvalidPayloadError`; `frame` writes an object of the encoder as a server-sent event;
    `ending` is what a stream ends with that has ended well; `id_prefix` begins the ids of its answers.
    """

    parse: Callable[[Mapping[str, Any]], BridgedRequest]
    new_encoder: NewEncoder
    whole: WholeAnswerOf
    frame: Callable[[Mapping[str, Any]], bytes]
    id_prefix: str
    ending: bytes = b""

    def new_id(self) -> str:
        """For an answer whose provider gives it none."""
        return self.id_prefix + uuid4().hex


def chat_dialect(upstream: WireApi, backend: BackendProfile, reasoning_format: ReasoningFormat) -> Dialect:
    """Chat Completions, in front of such a server."""
    return Dialect(
        parse=partial(parse_chat_request, upstream=upstream, backend=backend, reasoning_format=reasoning_format),
        new_encoder=ChatChunks,
        whole=chat_completion,
        frame=lambda chunk: b"data: %s\n\n" % encode_payload(chunk),
        id_prefix="chatcmpl-",
        ending=b"data: [DONE]\n\n",
    )


def responses_dialect(upstream: WireApi, backend: BackendProfile) -> Dialect:
    """Responses, in front of such a server."""
    return Dialect(
        parse=partial(parse_responses_request, upstream=upstream, backend=backend),
        new_encoder=ResponsesEvents,
        whole=response_object,
        frame=lambda event: b"event: %s\ndata: %s\n\n" % (event["type"].encode(), encode_payload(event)),
        id_prefix="resp_",
    )
