"""One client for every provider: the API is picked by `provider.wire_api`."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import fields
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from codex_client.aggregate import CollectedResponse
from codex_client.api import Closeable
from codex_client.client.config import ChatConfig, ClientConfig, ResponsesConfig
from codex_client.model_provider import WireApi
from codex_client.prompt import Prompt
from codex_client.stream import ResponseStream

if TYPE_CHECKING:
    from codex_client.clients.generic import GenericClient
    from codex_client.decode.usage import UsageReport
    from codex_client.models import ModelCatalogue

C = TypeVar("C", bound=ClientConfig)


class RoutedApiClient:
    """A `ResponsesApiClient` or a `ChatCompletionsApiClient`, whichever the provider speaks.

    Takes a plain `ClientConfig`, or one of its two special forms. `api` is the client behind it. `owned` is closed with
    it, such as a pool that was made for it alone.
    """

    def __init__(self, config: ClientConfig, *, owned: Closeable | None = None) -> None:
        self.api: GenericClient = _client_for(config)
        self._owned = owned

    @property
    def config(self) -> ClientConfig:
        """What the client behind it was made with."""
        return self.api.config

    def stream(self, prompt: Prompt) -> AbstractAsyncContextManager[ResponseStream]:
        """See `GenericClient.stream`."""
        return self.api.stream(prompt)

    async def collect(self, prompt: Prompt) -> CollectedResponse:
        """See `GenericClient.collect`."""
        return await self.api.collect(prompt)

    async def usage(self) -> UsageReport:
        """See `GenericClient.usage`."""
        return await self.api.usage()

    async def models(self, known: ModelCatalogue | None = None) -> ModelCatalogue:
        """See `GenericClient.models`."""
        return await self.api.models(known)

    async def aclose(self) -> None:
        """Close the connections that this client owns."""
        try:
            await self.api.aclose()
        finally:
            if self._owned is not None:
                await self._owned.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _client_for(config: ClientConfig) -> GenericClient:
    # Only the API that is spoken is loaded: most programs begin with one request, and wait for it.
    if config.provider.wire_api is WireApi.RESPONSES:
        from codex_client.clients.responses import ResponsesApiClient

        return ResponsesApiClient(_as(ResponsesConfig, config))
    from codex_client.clients.chat import ChatCompletionsApiClient

    return ChatCompletionsApiClient(_as(ChatConfig, config))


def _as(kind: type[C], config: ClientConfig) -> C:
    """The configuration in its special form; `dataclasses.asdict` would copy what the fields hold."""
    if isinstance(config, kind):
        return config
    return kind(**{field.name: getattr(config, field.name) for field in fields(config)})
