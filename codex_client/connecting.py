"""The short way in: arguments, then environment, make a client."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict, Unpack

from codex_client import settings
from codex_client.api import AuthProvider, Clock, HttpClient, RateLimitProvider, RequestCustomizer, Telemetry
from codex_client.auth.static import missing_key
from codex_client.client.config import (
    ChatConfig,
    ClientConfig,
    GuardPolicy,
    ResponsesConfig,
    RestartPolicy,
    RetryPolicy,
    StreamLimits,
    Timeouts,
    Transport,
)
from codex_client.errors import ConfigurationError
from codex_client.masking import is_private, safe_url
from codex_client.model_provider import ModelProviderInfo, WireApi, built_in_providers
from codex_client.models import ModelCatalogue
from codex_client.prompt import ReasoningOptions
from codex_client.routed_client import RoutedApiClient

if TYPE_CHECKING:
    from codex_client.credentials.pool import CredentialPool

BASE_URLS_OF_THEIR_OWN: Mapping[str, settings.Variable] = {"openai": settings.OPENAI_BASE_URL}
"""The variables with the addresses of single providers, by name. `CODEX_CLIENT_BASE_URL` wins over them."""


class ConnectOptions(TypedDict, total=False):
    """The keyword arguments of `connect` that are fields of `ClientConfig`, unchanged."""

    conversation_id: str | None
    reasoning: ReasoningOptions | None
    retry: RetryPolicy
    restart: RestartPolicy
    guards: GuardPolicy
    strict_parameters: bool
    timeouts: Timeouts
    limits: StreamLimits
    extra_headers: Mapping[str, str]
    http_client: HttpClient | None
    transport: Transport
    telemetry: Telemetry | None
    customizer: RequestCustomizer | None
    rate_limits: RateLimitProvider | None
    catalogue: ModelCatalogue
    clock: Clock


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
    """A client from arguments, then from the environment. Nothing is sent, opened or read but environment variables.

    Use it as `async with connect("gpt-5") as client`. Each argument wins over its variable:

    | argument   | variables, first one set wins                      | else                                  |
    |------------|----------------------------------------------------|---------------------------------------|
    | `model`    | `CODEX_CLIENT_MODEL`                               | each prompt names its own             |
    | `provider` | `CODEX_CLIENT_PROVIDER`                            | "openai", or "custom" with a base URL |
    | `base_url` | `CODEX_CLIENT_BASE_URL`; `OPENAI_BASE_URL` (openai) | the provider's                        |
    | `wire_api` | `CODEX_CLIENT_WIRE_API`                            | the provider's                        |
    | `auth`     | `CODEX_CLIENT_API_KEY`                             | the provider's `env_key`, or a login  |

    A `provider` or `base_url` given as an argument is asked as it stands: the other `CODEX_CLIENT_` variables but the
    model's are not read then, so that no key goes to another provider's address. Only where `provider` is the very name
    in `CODEX_CLIENT_PROVIDER` do they describe the same server, and hold. `provider` is a name of
    `built_in_providers()` or a `ModelProviderInfo`; `auth` an API key or a credential source; `store` asks a server of
    the Responses API to keep the response. The other arguments are fields of `ClientConfig`. The provider "chatgpt"
    without a key is served by the accounts in `CODEX_ACCESS_TOKEN` and its kin, else by those that are logged in on
    this machine: a pool of them, which the client owns.

    Raises `ConfigurationError`, and `MissingCredentialsError` naming the variable where a key is needed and none is
    set. That nobody is logged in is told by the first turn (`LoginRequiredError`).
    """
    config, pool = configured(
        model, provider=provider, base_url=base_url, wire_api=wire_api, auth=auth, store=store, **options
    )
    return RoutedApiClient(config, owned=pool)


def configured(
    model: str | None = None,
    *,
    provider: str | ModelProviderInfo | None = None,
    base_url: str | None = None,
    wire_api: WireApi | str | None = None,
    auth: AuthProvider | str | None = None,
    store: bool = False,
    **options: Unpack[ConnectOptions],
) -> tuple[ClientConfig, CredentialPool | None]:
    """The configuration that `connect` makes its client of, and the pool that this client has to close."""
    info = resolve_provider(provider, base_url=base_url, wire_api=wire_api)
    auth = auth or (settings.API_KEY.read() if is_of_environment(provider, base_url) else None)
    model = model or settings.MODEL.read() or ""
    if store and info.wire_api is not WireApi.RESPONSES:
        raise ConfigurationError(f"store is an option of the Responses API; provider {info.name!r} speaks Chat")
    pool = _pool_of_logins(info, options.get("clock")) if auth is None and info.account_login else None
    if auth is None and pool is None and info.env_key and not os.environ.get(info.env_key, "").strip():
        raise missing_key(info, info.env_key)
    if info.wire_api is WireApi.RESPONSES:
        config: ClientConfig = ResponsesConfig(provider=info, model=model, auth=auth or pool, store=store, **options)
    else:
        config = ChatConfig(provider=info, model=model, auth=auth or pool, **options)
    return config, pool


def resolve_provider(
    provider: str | ModelProviderInfo | None = None,
    *,
    base_url: str | None = None,
    wire_api: WireApi | str | None = None,
) -> ModelProviderInfo:
    """The server that `connect` asks for these arguments, else the environment's. Raises `ConfigurationError`."""
    if is_of_environment(provider, base_url):
        return _provider_of_environment(wire_api)
    return _provider(provider, base_url, wire_api)


def is_of_environment(provider: str | ModelProviderInfo | None = None, base_url: str | None = None) -> bool:
    """Whether the `CODEX_CLIENT_` variables describe the server of these arguments: there are none, or they name the
    variables' own.
    """
    return base_url is None and (provider is None or provider == settings.PROVIDER.read())


def require_private(provider: ModelProviderInfo) -> None:
    """Raises `ConfigurationError` for a server to which the tokens of a login would travel in the clear."""
    if not is_private(provider.base_url):
        raise ConfigurationError(
            f"provider {provider.name!r}: base_url {safe_url(provider.base_url)!r} is not https, and the tokens of a "
            "login would travel in the clear; use https, or pass auth="
        )


def _pool_of_logins(provider: ModelProviderInfo, clock: Clock | None) -> CredentialPool:
    """The accounts of this machine, as the command line keeps them. Loaded here: few programs use them."""
    from codex_client.credentials.accounts import local_pool

    require_private(provider)
    return local_pool(provider=provider, clock=clock)


def _provider(
    provider: str | ModelProviderInfo | None, base_url: str | None, wire_api: WireApi | str | None
) -> ModelProviderInfo:
    provider = provider or ("custom" if base_url else "openai")
    info = _named(provider, base_url) if isinstance(provider, str) else provider
    if base_url:
        info = replace(info, base_url=base_url)
    return replace(info, wire_api=WireApi(wire_api)) if wire_api else info


def _provider_of_environment(wire_api: WireApi | str | None) -> ModelProviderInfo:
    """The server that the variables describe. They belong together: none of them is mixed with a server that the
    caller names, because one's key would go to the other's address.
    """
    provider, base_url = settings.PROVIDER.read(), settings.BASE_URL.read()
    return _provider(provider, base_url, wire_api or settings.WIRE_API.read())


def _named(name: str, base_url: str | None) -> ModelProviderInfo:
    if name == "custom" and base_url:
        return ModelProviderInfo(name="custom", base_url=base_url, env_key=_custom_env_key())
    known = built_in_providers()
    if name not in known:
        raise ConfigurationError(
            f"unknown provider {name!r}; known are {', '.join(sorted(known))}. For Azure pass azure_provider(…), "
            "for another server base_url= alone or a ModelProviderInfo"
        )
    own = BASE_URLS_OF_THEIR_OWN.get(name)
    base_url = own.read() if own else None
    return replace(known[name], base_url=base_url) if base_url else known[name]


def _custom_env_key() -> str | None:
    """A server named only by its URL gets the common key where there is one, and is taken to need none where there is
    not.
    """
    return settings.OPENAI_API_KEY.name if settings.OPENAI_API_KEY.read() else None
