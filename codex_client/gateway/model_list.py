"""The models that callers are told of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from codex_client.api import ApiClient, Clock
from codex_client.errors import CodexError
from codex_client.gateway.refusals import Refusal
from codex_client.models import ModelCatalogue, ModelInfo


class ModelList:
    """A catalogue that was given, else the one that the client fetches, asked for anew when it is old.

    A client without `models()` knows none.
    """

    def __init__(self, client: ApiClient, given: ModelCatalogue | None, clock: Clock) -> None:
        self._fetch: Callable[[ModelCatalogue | None], Awaitable[ModelCatalogue]] | None = None
        if given is None:
            self._fetch = getattr(client, "models", None)
        self._known = given
        self._clock = clock
        self._lock = anyio.Lock()

    async def list_models(self, _: Request) -> Response:
        """`GET /v1/models`."""
        models = [_object(model) for model in await self._catalogue() if not model.hidden]
        return JSONResponse({"object": "list", "data": models})

    async def show_model(self, request: Request) -> Response:
        """`GET /v1/models/{id}`."""
        name: str = request.path_params["id"]
        model = (await self._catalogue()).get(name) if name else None
        if model is None:
            raise Refusal(404, "there is no such model; /v1/models lists those there are", code="model_not_found")
        return JSONResponse(_object(model))

    async def _catalogue(self) -> ModelCatalogue:
        # One asks, whoever else wants to know waits for that answer.
        async with self._lock:
            if self._fetch is not None and (self._known is None or self._known.is_stale(None, self._clock.time())):
                try:
                    self._known = await self._fetch(self._known)
                except CodexError:
                    if self._known is None:
                        raise
            return self._known or ModelCatalogue()


def _object(model: ModelInfo) -> dict[str, Any]:
    # The API demands a date and an owner, and lists of models do not tell them.
    return {"id": model.slug, "object": "model", "created": 0, "owned_by": "codex_client"}
