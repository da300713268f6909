"""One turn through the gateway: a request of one of the two APIs in, its answer out."""

from __future__ import annotations

from dataclasses import replace

import anyio
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from codex_client.bridge.requests import BridgedRequest
from codex_client.errors import (
    AuthError,
    CodexError,
    ConfigurationError,
    IncompleteResponseError,
    InvalidPayloadError,
    PoolExhaustedError,
    ServerOverloadedError,
)
from codex_client.gateway.answers import IGNORED, Answer, StreamedAnswer, WholeAnswer, ignored_header
from codex_client.gateway.body import read_json
from codex_client.gateway.conversation import conversation_of
from codex_client.gateway.dialects import Dialect
from codex_client.gateway.record import RequestRecord, record_of
from codex_client.gateway.refusals import CLIENT_LEFT
from codex_client.gateway.state import Gateway
from codex_client.guard.structure import HANDSHAKE

# What fails before the provider is asked.
_UNASKED = (ConfigurationError, AuthError, PoolExhaustedError)


class TurnEndpoint:
    """An ASGI app for one route."""

    def __init__(self, gateway: Gateway, dialect: Dialect) -> None:
        self._gateway = gateway
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gateway, request, record = self._gateway, Request(scope, receive), record_of(scope)
        with gateway.activity.arrival():
            body = await read_json(request, max_bytes=gateway.config.max_body_bytes, clock=gateway.clock)
        with gateway.activity.turn() as turn:
            bridged = self._dialect.parse(body)
            model = record.model = self._model_of(bridged)
            record.ignored = ignored_header(bridged).get(IGNORED)
            conversation_id = conversation_of(request.headers, bridged.prompt)
            bridged = replace(bridged, prompt=replace(bridged.prompt, conversation_id=conversation_id))
            answer = self._answer(bridged, model, (scope, receive, send))
            await self._run(bridged, answer, turn, record, receive)

    def _model_of(self, request: BridgedRequest) -> str:
        """The one that is asked for, "" where only somebody's own client knows it. Raises `InvalidPayloadError`."""
        model = request.prompt.model or self._gateway.default_model
        if model is not None and not model.strip():
            raise InvalidPayloadError(
                "model is missing, and the gateway has none of its own; name one, GET /v1/models lists them",
                param="model",
            )
        return model or ""

    def _answer(self, request: BridgedRequest, model: str, channel: tuple[Scope, Receive, Send]) -> Answer:
        clock = self._gateway.clock
        if request.stream:
            heartbeat = self._gateway.config.heartbeat_seconds
            return StreamedAnswer(channel, self._dialect, request, model=model, clock=clock, heartbeat=heartbeat)
        return WholeAnswer(channel, self._dialect, request, model=model, clock=clock)

    async def _run(
        self, request: BridgedRequest, answer: Answer, turn: anyio.CancelScope, record: RequestRecord, receive: Receive
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
            turn.cancel()

        with turn:
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
        record.asked = True
        try:
            async with self._gateway.client.stream(request.prompt) as stream:
                answer.request_id = stream.request_id
                while events := await stream.next_events():
                    says_something = not all(isinstance(event, HANDSHAKE) for event in events)
                    record.note_events(len(events), says_something=says_something)
                    await answer.feed(events)
                response = stream.response
        except CodexError as error:
            record.asked = not isinstance(error, _UNASKED)
            record.token_usage = error.partial.token_usage if error.partial else None
            if not isinstance(error, IncompleteResponseError):
                record.error = error
            await answer.fail(error)
        else:
            record.token_usage = response.token_usage
            await answer.finish(response)
