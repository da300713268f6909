"""One turn through the gateway: a request of one of the two APIs in, its answer out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

import anyio
from pydantic_core import from_json
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from codex_client.bridge.requests import BridgedRequest
from codex_client.errors import CodexError, IncompleteResponseError, ServerOverloadedError
from codex_client.events import Created, ModelsEtag, RateLimits, RawEvent, ServerModel
from codex_client.gateway.activity import RunningTurn
from codex_client.gateway.answers import Answer, StreamedAnswer, WholeAnswer
from codex_client.gateway.conversation import conversation_of
from codex_client.gateway.dialects import Dialect
from codex_client.gateway.record import RequestRecord, record_of
from codex_client.gateway.refusals import CLIENT_LEFT, Refusal
from codex_client.gateway.state import Gateway

# What a provider says before it begins to answer.
_HANDSHAKE = (Created, RateLimits, ServerModel, ModelsEtag, RawEvent)


class TurnEndpoint:
    """An ASGI app for one route."""

    def __init__(self, gateway: Gateway, dialect: Dialect) -> None:
        self._gateway = gateway
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gateway, request, record = self._gateway, Request(scope, receive), record_of(scope)
        # Before the body is read: so much of it is held at most, for so many turns.
        with gateway.activity.turn() as turn:
            bridged = self._dialect.parse(await read_json(request, max_bytes=gateway.config.max_body_bytes))
            conversation_id = conversation_of(request.headers, bridged.prompt)
            bridged = replace(bridged, prompt=replace(bridged.prompt, conversation_id=conversation_id))
            record.model = bridged.prompt.model or gateway.default_model
            answer = self._answer(bridged, (scope, receive, send))
            await self._run(bridged, answer, turn, record, receive)

    def _answer(self, request: BridgedRequest, channel: tuple[Scope, Receive, Send]) -> Answer:
        clock, model = self._gateway.clock, request.prompt.model or self._gateway.default_model
        if request.stream:
            heartbeat = self._gateway.config.heartbeat_seconds
            return StreamedAnswer(channel, self._dialect, request, model=model, clock=clock, heartbeat=heartbeat)
        return WholeAnswer(channel, self._dialect, request, model=model, clock=clock)

    async def _run(
        self, request: BridgedRequest, answer: Answer, turn: RunningTurn, record: RequestRecord, receive: Receive
    ) -> None:
        """The turn, until it ends, its caller leaves or the gateway ends."""
        fault: Exception | None = None
        over = left = False

        async def end_with_caller() -> None:
            nonlocal left
            while (await receive())["type"] != "http.disconnect":
                pass
            # It also comes after the last byte of the answer.
            left = not over
            turn.scope.cancel()

        with turn.scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(end_with_caller)
                tasks.start_soon(answer.keep_alive)
                try:
                    await self._serve(request, answer, record)
                except Exception as error:  # noqa: BLE001
                    # Kept, because out of the group it would come wrapped.
                    fault = error
                over = True
                tasks.cancel_scope.cancel()
        if fault is not None:
            raise fault
        if left:
            record.status = CLIENT_LEFT
        elif not over:
            record.error = ServerOverloadedError(
                "the gateway ended before the turn did; try again in a moment", status=503
            )
            await answer.fail(record.error)

    async def _serve(self, request: BridgedRequest, answer: Answer, record: RequestRecord) -> None:
        try:
            async with self._gateway.client.stream(request.prompt) as stream:
                answer.request_id = stream.request_id
                while events := await stream.next_events():
                    says_something = not all(isinstance(event, _HANDSHAKE) for event in events)
                    record.note_events(len(events), says_something=says_something)
                    await answer.feed(events)
                response = stream.response
        except CodexError as error:
            record.token_usage = error.partial.token_usage if error.partial else None
            if not isinstance(error, IncompleteResponseError):
                record.error = error
            await answer.fail(error)
        else:
            record.token_usage = response.token_usage
            await answer.finish(response)


async def read_json(request: Request, *, max_bytes: int) -> Mapping[str, Any]:
    """The request's body, a JSON object. Raises `Refusal`."""
    headers = request.headers
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "the body must be JSON, sent with content-type: application/json")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(415, "compressed bodies are not taken; send it plain")
    try:
        value = from_json(await _read_body(request, max_bytes), allow_inf_nan=False)
    except ValueError as error:
        # Such as "expected value at line 1 column 2": places, no content.
        raise Refusal(400, f"the body is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise Refusal(400, "the body is no JSON object")
    return cast("dict[str, Any]", value)


async def _read_body(request: Request, max_bytes: int) -> bytes:
    too_large = Refusal(413, f"the body is larger than {max_bytes} bytes, which is all the gateway takes")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise too_large
    body = bytearray()
    async with aclosing(request.stream()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > max_bytes:
                raise too_large
    return bytes(body)
