"""The two APIs that callers speak: how each reads a request and writes an answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from codex_client.aggregate import CollectedResponse
from codex_client.bridge.chat_chunks import ChatChunks, finish_reason_of
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


class Dialect(Protocol):
    """One API. `created` is Unix seconds, `model` the name that the caller gave."""

    ending: bytes
    """What a stream ends with that has ended well."""

    def parse(self, body: Mapping[str, Any]) -> BridgedRequest:
        """Raises `InvalidPayloadError`."""
        ...

    def encoder(self, request: BridgedRequest, *, model: str, created: int) -> Encoder: ...

    def whole(
        self,
        response: CollectedResponse,
        request: BridgedRequest,
        *,
        model: str,
        created: int,
        cut_short: IncompleteResponseError | None,
    ) -> dict[str, Any]:
        """A turn in one piece; `cut_short` says why it is not whole."""
        ...

    def frames(self, objects: Iterable[Mapping[str, Any]]) -> bytes:
        """Objects of the encoder as server-sent events."""
        ...


class ChatDialect:
    """Chat Completions."""

    ending = b"data: [DONE]\n\n"

    def __init__(self, upstream: WireApi, reasoning: ReasoningFormat) -> None:
        self._upstream = upstream
        self._reasoning = reasoning

    def parse(self, body: Mapping[str, Any]) -> BridgedRequest:
        return parse_chat_request(body, upstream=self._upstream, reasoning=self._reasoning)

    def encoder(self, request: BridgedRequest, *, model: str, created: int) -> Encoder:
        return ChatChunks(
            model=model, created=created, include_usage=request.include_usage, reasoning=request.reasoning
        )

    def whole(
        self,
        response: CollectedResponse,
        request: BridgedRequest,
        *,
        model: str,
        created: int,
        cut_short: IncompleteResponseError | None,
    ) -> dict[str, Any]:
        finish_reason = None if cut_short is None else finish_reason_of(cut_short)
        return chat_completion(
            response, model=model, created=created, reasoning=request.reasoning, finish_reason=finish_reason
        )

    def frames(self, objects: Iterable[Mapping[str, Any]]) -> bytes:
        return b"".join(b"data: %s\n\n" % encode_payload(each) for each in objects)


class ResponsesDialect:
    """Responses."""

    ending = b""

    def __init__(self, upstream: WireApi) -> None:
        self._upstream = upstream

    def parse(self, body: Mapping[str, Any]) -> BridgedRequest:
        return parse_responses_request(body, upstream=self._upstream)

    def encoder(self, request: BridgedRequest, *, model: str, created: int) -> Encoder:
        return ResponsesEvents(model=model, created=created, request=request)

    def whole(
        self,
        response: CollectedResponse,
        request: BridgedRequest,
        *,
        model: str,
        created: int,
        cut_short: IncompleteResponseError | None,
    ) -> dict[str, Any]:
        return response_object(response, model=model, created=created, request=request, error=cut_short)

    def frames(self, objects: Iterable[Mapping[str, Any]]) -> bytes:
        return b"".join(b"event: %s\ndata: %s\n\n" % (each["type"].encode(), encode_payload(each)) for each in objects)
