"""One client for every provider: the API is picked by `provider.wire_api`."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import fields
from types import TracebackType
from typing import Any, Self

from codex_client.aggregate import CollectedResponse
from codex_client.client.config import ChatConfig, ClientConfig, ResponsesConfig
from codex_client.clients.chat import ChatCompletionsApiClient
from codex_client.clients.generic import GenericClient
from codex_client.clients.responses import ResponsesApiClient
from codex_client.model_provider import WireApi
from codex_client.prompt import Prompt
from codex_client.stream import ResponseStream


class RoutedApiClient:
    """A `ResponsesApiClient` or a `ChatCompletionsApiClient`, whichever the provider speaks.

    Takes a plain `ClientConfig`, or one of its two special forms. `api` is the client behind it.
    """

    def __init__(self, config: ClientConfig) -> None:
        self.api: GenericClient = _client_for(config)

    def stream(self, prompt: Prompt) -> AbstractAsyncContextManager[ResponseStream]:
        """See `GenericClient.stream`."""
        return self.api.stream(prompt)

    async def collect(self, prompt: Prompt) -> CollectedResponse:
        """See `GenericClient.collect`."""
        return await self.api.collect(prompt)

    async def aclose(self) -> None:
        """Close the connections that this client owns."""
        await self.api.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _client_for(config: ClientConfig) -> GenericClient:
    match config:
        case ResponsesConfig():
            return ResponsesApiClient(config)
        case ChatConfig():
            return ChatCompletionsApiClient(config)
        case _ if config.provider.wire_api is WireApi.RESPONSES:
            return ResponsesApiClient(ResponsesConfig(**_arguments(config)))
        case _:
            return ChatCompletionsApiClient(ChatConfig(**_arguments(config)))


def _arguments(config: ClientConfig) -> dict[str, Any]:
    """The configuration's fields as they are; `dataclasses.asdict` would copy what they hold."""
    return {field.name: getattr(config, field.name) for field in fields(config)}
