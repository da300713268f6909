"""The client that wires the parts together: payload builder, request executor, frame reader, decoder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

from codex_client.aggregate import CollectedResponse
from codex_client.api import (
    AttemptOutcome,
    AuthProvider,
    DecoderFactory,
    PayloadBuilder,
    RateLimitProvider,
    TurnContext,
)
from codex_client.auth.static import EnvAuth, StaticAuth
from codex_client.client.config import ClientConfig
from codex_client.client.http import RequestExecutor
from codex_client.client.rate_limits import HeaderRateLimits, models_etag, server_model
from codex_client.client.retry import AttemptBudget
from codex_client.client.sse import FrameReader
from codex_client.clients.attempt import Attempt
from codex_client.clients.guarded import GuardedAttempt, Guards, guards_of
from codex_client.clients.restart import RestartingSource
from codex_client.clients.turn import TurnBlock, TurnWatch
from codex_client.clients.turn_request import Learnt, TurnRequest
from codex_client.errors import InvalidPayloadError
from codex_client.events import ModelsEtag, RateLimits, ResponseEvent, ServerModel
from codex_client.prompt import Prompt
from codex_client.stream import EventSource, ResponseStream

if TYPE_CHECKING:
    from codex_client.client.exchange import Exchange
    from codex_client.decode.usage import UsageReport
    from codex_client.models import ModelCatalogue

# Codex's list of models holds the instructions for each, some 40 kB; routers list hundreds of models.
_MAX_ANSWER_BYTES = 16 * 1024 * 1024


class GenericClient:
    """A client for any API that has a payload builder and a decoder.

    `ResponsesApiClient` and `ChatCompletionsApiClient` are this with both filled in. It owns its connections unless the
    configuration brings an `http_client`; close it with `async with` or `aclose`. Any number of turns may run at once.
    """

    def __init__(self, config: ClientConfig, *, builder: PayloadBuilder, decoder: DecoderFactory) -> None:
        self._config = config
        self._builder = builder
        self._decoder = decoder
        self._auth = _resolve_auth(config)
        self._executor = RequestExecutor(config, auth=self._auth)
        self._learnt = Learnt(config)
        self._exchange: Exchange | None = None
        self._closed = False

    @property
    def config(self) -> ClientConfig:
        """What it was made with."""
        return self._config

    def stream(self, prompt: Prompt) -> AbstractAsyncContextManager[ResponseStream]:
        """One turn, as `async with client.stream(prompt) as stream`.

        A prompt that cannot be sent is refused here, before any network use (`InvalidPayloadError`,
        `UnsupportedOperationError`). What the provider refuses by a 400 that names it is left out, and the request sent
        once more, with a `DroppedParameterWarning`: parameters (unless `strict_parameters`) and encrypted reasoning,
        never what changes the meaning. Entering the block sends the request and raises what the request layer raises;
        leaving it, in whatever way, closes the response.
        """
        if not isinstance(cast("object", prompt), Prompt):
            raise InvalidPayloadError(f"the prompt is of type {type(prompt).__name__}; give it as Prompt(…)")
        request = TurnRequest(prompt, self._builder, self._config, self._learnt)
        guards = guards_of(prompt, self._config)
        return TurnBlock(
            lambda watch: self._open_source(request, guards, watch), lambda: self._start_watch(prompt, request)
        )

    async def collect(self, prompt: Prompt) -> CollectedResponse:
        """The same turn, awaited whole."""
        async with self.stream(prompt) as stream:
            return await stream.collect()

    async def usage(self) -> UsageReport:
        """What the ChatGPT backend's usage endpoint says of the account: limits, plan and credits, without a turn.

        Other providers have no such endpoint (`NotFoundError`). One forced refresh after a 401, no other retry. Raises
        what a turn's request raises, and `UnexpectedContentError` for an answer that tells no usage.
        """
        from codex_client.clients.usage import fetch_usage

        config, exchange = self._config, self._small_requests()
        return await fetch_usage(
            config.provider,
            self._auth,
            exchange,
            clock=config.clock,
            headers=config.extra_headers,
            customizer=config.customizer,
        )

    async def models(self, known: ModelCatalogue | None = None) -> ModelCatalogue:
        """The models that the provider lists, and nothing but what it says of them.

        `BUILT_IN_MODELS.merged(…)` adds what the library knows. `known`: what this gave before; where the server says
        that it still holds, it comes back with its new age. One forced refresh after a 401, no other retry. Raises what
        a turn's request raises, and `UnexpectedContentError` for an answer that lists no models.
        """
        from codex_client.clients.models import fetch_models

        config, exchange = self._config, self._small_requests()
        return await fetch_models(
            config.provider,
            self._auth,
            exchange,
            clock=config.clock,
            known=known,
            headers=config.extra_headers,
            customizer=config.customizer,
        )

    async def aclose(self) -> None:
        """Close the connections that this client owns."""
        self._closed = True
        try:
            await self._executor.aclose()
        finally:
            if self._exchange is not None:
                await self._exchange.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _small_requests(self) -> Exchange:
        if self._closed:
            raise RuntimeError("the client is closed; make a new one")
        if self._exchange is None:
            # Few programs ask, so the others do not wait for it.
            from codex_client.client.exchange import Exchange

            config = self._config
            self._exchange = Exchange(
                http_client=config.http_client,
                transport=config.transport,
                timeouts=config.timeouts,
                clock=config.clock,
                max_body_bytes=_MAX_ANSWER_BYTES,
            )
        return self._exchange

    async def _open_source(self, request: TurnRequest, guards: Guards, watch: TurnWatch | None) -> EventSource:
        config = self._config
        request.begin()
        budget = AttemptBudget(
            request_max_retries=config.request_max_retries, stream_max_retries=config.stream_max_retries
        )
        observer = watch.observer if watch else None

        async def open_attempt() -> Attempt | GuardedAttempt:
            attempt = await self._open_attempt(request, budget, watch)
            return GuardedAttempt(attempt, guards) if guards else attempt

        first = await open_attempt()
        return RestartingSource(first, open_attempt, config=config, budget=budget, observer=observer)

    async def _open_attempt(self, request: TurnRequest, budget: AttemptBudget, watch: TurnWatch | None) -> Attempt:
        config = self._config
        answer = await self._executor.open(request, budget=budget, observer=watch.observer if watch else None)
        request.learn(answer.lease, answer.headers)
        # What the headers tell is kept and shown, so a credential that they echo must go first.
        told = {name: answer.clean(value) for name, value in answer.headers.items()}
        report = _once(partial(self._auth.report, answer.lease))
        answer.on_buried(report)
        try:
            reader = FrameReader(
                answer,
                clock=config.clock,
                first_event=config.first_event_timeout,
                idle=config.idle_timeout,
                max_frame_bytes=config.limits.max_frame_bytes,
            )
            decoder = self._decoder(
                tolerate_malformed=config.limits.tolerate_malformed,
                raw_events=config.limits.raw_events,
                request_id=answer.request_id,
            )
            return Attempt(
                answer,
                reader,
                decoder,
                header_events=header_events(told, config.rate_limits, now=config.clock.time()),
                report=report,
                on_frame=watch.on_frame if watch else None,
                rate_limits=config.rate_limits,
                clock=config.clock,
                complete_item=partial(request.complete_item, answer.lease),
            )
        except BaseException:
            # A decoder or a rate-limit provider that was plugged in may raise; the answer must not stay open for it.
            await answer.aclose()
            raise

    def _start_watch(self, prompt: Prompt, request: TurnRequest) -> TurnWatch | None:
        config = self._config
        if config.telemetry is None:
            return None
        context = TurnContext(
            provider=config.provider.name,
            wire_api=config.provider.wire_api.value,
            model=request.model,
            url=self._executor.url,
            conversation_id=request.conversation_id,
            prompt=prompt,
        )
        observer = config.telemetry.start_turn(context)
        return TurnWatch(observer, config.clock) if observer is not None else None


def _once(
    report: Callable[[AttemptOutcome], Awaitable[bool | None]],
) -> Callable[[AttemptOutcome], Awaitable[bool | None]]:
    """A report that is made by who comes first: the attempt that is closed, or the answer whose stream was dropped."""
    told = False

    async def report_first(outcome: AttemptOutcome) -> bool | None:
        nonlocal told
        if told:
            return None
        told = True
        return await report(outcome)

    return report_first


def _resolve_auth(config: ClientConfig) -> AuthProvider:
    match config.auth:
        case None:
            return EnvAuth(config.provider)
        case str() as key:
            return StaticAuth(key, header=config.provider.api_key_header)
        case auth:
            return auth


def header_events(
    headers: Mapping[str, str], rate_limits: RateLimitProvider | None, *, now: float
) -> list[ResponseEvent]:
    """What the response headers tell, in codex's order: the model that serves, the limits, the version of the model
    list.
    """
    events: list[ResponseEvent] = []
    if model := server_model(headers):
        events.append(ServerModel(model))
    snapshots = (rate_limits or HeaderRateLimits()).parse(headers, now=now)
    events += [RateLimits(snapshot) for snapshot in snapshots]
    if etag := models_etag(headers):
        events.append(ModelsEtag(etag))
    return events
