"""The clients without `await`, and the short way to one."""

from __future__ import annotations

import warnings
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from codex_client import connecting, routed_client
from codex_client.aggregate import CollectedResponse
from codex_client.api import ApiClient, AuthProvider, Closeable
from codex_client.client.config import ChatConfig, ClientConfig, ResponsesConfig
from codex_client.connecting import ConnectOptions
from codex_client.model_provider import ModelProviderInfo, WireApi
from codex_client.models import ModelCatalogue
from codex_client.prompt import Prompt
from codex_client.sync.loop_thread import LoopThread
from codex_client.sync.stream import StreamBlock

if TYPE_CHECKING:
    from codex_client.clients.generic import GenericClient
    from codex_client.decode.usage import UsageReport


class BlockingClient:
    """The face of any `ApiClient`, also of one that you wrote. It is this one's alone from then on.

    Close it with `with` or `close`: that also closes what is open of its streams. Dropped without, it says so
    (`ResourceWarning`) and closes itself.
    """

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._loop = LoopThread()
        self._loop.add_ending(client, client.aclose)
        self._closed = False

    def stream(self, prompt: Prompt) -> StreamBlock:
        """One turn, as `with client.stream(prompt) as stream`; see `GenericClient.stream`."""
        return StreamBlock(self._client.stream(prompt), self._loop)

    def collect(self, prompt: Prompt) -> CollectedResponse:
        """The same turn, awaited whole."""
        return self._loop.call(self._client.collect, prompt)

    def close(self) -> None:
        """Close the connections that this client owns, and its loop. Safe to call twice."""
        self._closed = True
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True) and self._loop.is_of_this_process:
            self._loop.abandon()
            warnings.warn(
                f"a {type(self).__name__} of codex_client.sync was dropped without being closed; use it in a `with` "
                "block, or call its `close`",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )


class ProviderClient(BlockingClient):
    """The same of a client that knows its provider: a `GenericClient` of your own, or one of those below."""

    def __init__(self, client: GenericClient | routed_client.RoutedApiClient) -> None:
        super().__init__(client)
        self._provider_client = client

    @property
    def config(self) -> ClientConfig:
        """What it was made with."""
        return self._provider_client.config

    def usage(self) -> UsageReport:
        """See `GenericClient.usage`."""
        return self._loop.call(self._provider_client.usage)

    def models(self, known: ModelCatalogue | None = None) -> ModelCatalogue:
        """See `GenericClient.models`."""
        return self._loop.call(self._provider_client.models, known)


class ResponsesApiClient(ProviderClient):
    """`codex_client.ResponsesApiClient` without `await`."""

    def __init__(self, config: ResponsesConfig) -> None:
        from codex_client.clients.responses import ResponsesApiClient as AsyncClient

        super().__init__(AsyncClient(config))


class ChatCompletionsApiClient(ProviderClient):
    """`codex_client.ChatCompletionsApiClient` without `await`."""

    def __init__(self, config: ChatConfig) -> None:
        from codex_client.clients.chat import ChatCompletionsApiClient as AsyncClient

        super().__init__(AsyncClient(config))


class RoutedApiClient(ProviderClient):
    """`codex_client.RoutedApiClient` without `await`."""

    def __init__(self, config: ClientConfig, *, owned: Closeable | None = None) -> None:
        super().__init__(routed_client.RoutedApiClient(config, owned=owned))


def connect(
    model: str | None = None,
    *,
    provider: str | ModelProviderInfo | None = None,
    base_url: str | None = None,
    wire_api: WireApi | str | None = None,
    auth: AuthProvider | str | None = None,
    store: bool = False,
    **options: Unpack[ConnectOptions],
) -> RoutedApiClient:
    """A client from arguments, then from the environment, by the same rules as `codex_client.connect`.

    Use it as `with connect("gpt-5") as client`.
    """
    config, pool = connecting.configured(
        model, provider=provider, base_url=base_url, wire_api=wire_api, auth=auth, store=store, **options
    )
    return RoutedApiClient(config, owned=pool)
