"""The models that callers are told of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from codex_client.api import ApiClient, Clock
from codex_client.bridge.errors import error_answer
from codex_client.client.config import ClientConfig
from codex_client.errors import CodexError, FirstEventTimeoutError, InvalidPayloadError
from codex_client.gateway.record import record_of
from codex_client.gateway.refusals import Refusal
from codex_client.models import ModelCatalogue, ModelInfo, parse_model_name

_Fetch = Callable[[ModelCatalogue | None], Awaitable[ModelCatalogue]]
# Callers show the list to people who wait.
_PATIENCE_SECONDS = 10.0


@dataclass(eq=False, slots=True)
class _Question:
    """The list, asked for. `over`: it is no more; `ended`: with an answer, which is `failure` where it is none."""

    over: anyio.Event = field(default_factory=anyio.Event)
    ended: bool = False
    failure: CodexError | None = None


class ModelList:
    """A catalogue that was given, else the one that the client fetches, asked for anew when it is old.

    Where it cannot be had, the old one serves, or the built-in one for the providers whose models that tells. A client
    without `models()` knows none. A model is found by every name that a turn takes: an alias, and an effort behind it.
    """

    def __init__(self, client: ApiClient, given: ModelCatalogue | None, clock: Clock) -> None:
        self._fetch: _Fetch | None = None
        if given is None:
            self._fetch = getattr(client, "models", None)
        # How the client reads names, where it does.
        config: ClientConfig | None = getattr(client, "config", None)
        self._names = config.catalogue if config and config.provider.backend.uses_catalogue else None
        self._known = given
        self._clock = clock
        self._asking: _Question | None = None

    async def list_models(self, request: Request) -> Response:
        """`GET /v1/models`."""
        models = [_object(model) for model in await self._catalogue(request) if not model.hidden]
        return JSONResponse({"object": "list", "data": models})

    async def show_model(self, request: Request) -> Response:
        """`GET /v1/models/{id}`."""
        name: str = request.path_params["id"]
        model = self._find(name, await self._catalogue(request)) if name else None
        if model is None:
            raise Refusal(404, "there is no such model; /v1/models lists those there are", code="model_not_found")
        return JSONResponse(_object(model))

    def _find(self, name: str, catalogue: ModelCatalogue) -> ModelInfo | None:
        found = catalogue.get(name)
        if found is not None or self._names is None:
            return found
        try:
            choice = parse_model_name(name, self._names)
        except InvalidPayloadError:
            # Such as an effort that the model does not take.
            return None
        return catalogue.get(choice.slug)

    async def _catalogue(self, request: Request) -> ModelCatalogue:
        """The list, which may be old, or the built-in one, where the provider's cannot be had. Raises `Refusal`."""
        if self._fetch is None:
            return self._known or ModelCatalogue()
        if self._known is not None and not self._known.is_stale(None, self._clock.time()):
            return self._known
        # One asks; whoever else wants to know meanwhile shares what comes of it.
        failure = await self._asked(self._fetch)
        if failure is not None:
            record_of(request.scope).error = failure
        known = self._known or self._names
        if known is None:
            assert failure is not None
            answer = error_answer(failure, now=self._clock.time())
            message = "the provider's list of models cannot be had; turns are served all the same, so name a model"
            raise Refusal(answer.status, message, code=answer.body["error"]["code"], headers=answer.headers)
        return known

    async def _asked(self, fetch: _Fetch) -> CodexError | None:
        """What became of the question that is on its way, or of one that is asked now."""
        while (asked := self._asking) is not None:
            await asked.over.wait()
            if asked.ended:
                return asked.failure
            # Who asked was cancelled.
        asking = self._asking = _Question()
        try:
            with self._clock.move_on_after(_PATIENCE_SECONDS) as limit:
                self._known = await fetch(self._known)
            if limit.cancelled_caught:
                message = f"the provider told no list of models within {_PATIENCE_SECONDS} s; try again in a moment"
                asking.failure = FirstEventTimeoutError(message)
            asking.ended = True
        except CodexError as error:
            asking.failure, asking.ended = error, True
        finally:
            self._asking = None
            asking.over.set()
        return asking.failure


def _object(model: ModelInfo) -> dict[str, Any]:
    # The API demands a date and an owner, and lists of models do not tell them.
    return {"id": model.slug, "object": "model", "created": 0, "owned_by": "codex_client"}
