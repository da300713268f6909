"""Providers: where a model is served, over which API, and what that server wants in every request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import cast
from urllib.parse import SplitResult, quote, urlsplit

from codex_client.backend_profile import (
    AZURE,
    CHATGPT_CODEX,
    GENERIC_CHAT,
    GENERIC_RESPONSES,
    BackendProfile,
    built_in_profiles,
    known_profile,
)
from codex_client.errors import ConfigurationError
from codex_client.masking import safe_url


class WireApi(StrEnum):
    """The HTTP API that a provider speaks."""

    RESPONSES = "responses"
    CHAT = "chat"

    @property
    def path(self) -> str:
        """What is appended to the provider's base URL."""
        return "/responses" if self is WireApi.RESPONSES else "/chat/completions"

    @classmethod
    def _missing_(cls, value: object) -> WireApi:
        names = " or ".join(repr(member.value) for member in cls)
        raise ConfigurationError(f"unknown wire_api {value!r}; it is {names}")


_MAX_RETRIES_CAP = 100


@dataclass(frozen=True, kw_only=True)
class ModelProviderInfo:
    """One server. Plain data: nothing is read from the environment before a request is made.

    `base_url` up to, not including, `/responses` or `/chat/completions`. `env_key`: the environment variable with the
    API key, None where no key is needed; `env_key_instructions`: where to get one. `api_key_header`: None sends
    `authorization: Bearer …`. `env_http_headers`: header name to environment variable, left out while that is unset or
    blank. Retries count beyond the first try, 0 to 100. `stream_idle_timeout` in seconds. None leaves a number to the
    client's configuration. `include_usage`: whether a Chat server takes `stream_options.include_usage`.
    `account_login`: the credential is a ChatGPT login; `connect` takes those of this machine. `profile`: what this kind
    of server requires and refuses, or the name of a built-in one; None goes by the host, so that a proxy of a known
    service must be given the profile of that (see `backend`).
    """

    name: str
    base_url: str
    wire_api: WireApi = WireApi.RESPONSES
    env_key: str | None = None
    env_key_instructions: str | None = None
    api_key_header: str | None = None
    query_params: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    http_headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    env_http_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    request_max_retries: int | None = None
    stream_max_retries: int | None = None
    stream_idle_timeout: float | None = None
    include_usage: bool = True
    account_login: bool = False
    profile: BackendProfile | str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "wire_api", WireApi(self.wire_api))
        object.__setattr__(self, "profile", _profile(self))
        _check_base_url(self)
        for name in ("request_max_retries", "stream_max_retries"):
            retries = getattr(self, name)
            if retries is not None and not 0 <= retries <= _MAX_RETRIES_CAP:
                raise ConfigurationError(
                    f"provider {self.name!r}: {name} is {retries}; it must be 0 to {_MAX_RETRIES_CAP}"
                )
        # NaN fails every comparison.
        if self.stream_idle_timeout is not None and not self.stream_idle_timeout > 0:
            raise ConfigurationError(
                f"provider {self.name!r}: stream_idle_timeout is {self.stream_idle_timeout}; it must be above 0"
            )

    @property
    def is_azure(self) -> bool:
        """Whether this is Azure, by name or by the address's known forms: codex's, and Foundry's OpenAI surface."""
        base_url = self.base_url.lower()
        return self.name.lower() == "azure" or any(marker in base_url for marker in _AZURE_MARKERS)

    @cached_property
    def backend(self) -> BackendProfile:
        """The profile of this server: the one that was given, else told by the host, else a generic one.

        Azure is also known by its name, and so are programs that run on any host.
        """
        if isinstance(self.profile, BackendProfile):
            return self.profile
        if self.is_azure:
            return AZURE
        generic = GENERIC_RESPONSES if self.wire_api is WireApi.RESPONSES else GENERIC_CHAT
        return known_profile(self.name.lower(), self.host) or generic

    @property
    def host(self) -> str:
        """The host of the base URL, in lower case, without port and without the dot that may end a full name."""
        return (urlsplit(self.base_url).hostname or "").removesuffix(".")


_AZURE_MARKERS = (
    "openai.azure.",
    "cognitiveservices.azure.",
    "aoai.azure.",
    "azure-api.",
    "azurefd.",
    "windows.net/openai",
    # Foundry has other surfaces at the same host, which are not OpenAI's.
    "services.ai.azure.com/openai",
    "services.ai.azure.us/openai",
)


def _profile(provider: ModelProviderInfo) -> BackendProfile | None:
    """The profile that was given, by itself or by its name."""
    given, known = cast("object", provider.profile), built_in_profiles()
    if given is None or isinstance(given, BackendProfile):
        return given
    if isinstance(given, str) and given in known:
        return known[given]
    raise ConfigurationError(
        f"provider {provider.name!r}: profile is {given!r}; give a BackendProfile, or the name of a built-in one: "
        f"{', '.join(known)}"
    )


def _check_base_url(provider: ModelProviderInfo) -> None:
    parts = _http_parts(provider.base_url)
    if parts is None:
        raise ConfigurationError(
            f"provider {provider.name!r}: base_url {safe_url(provider.base_url)!r} is no http(s) URL; "
            "give one such as https://api.openai.com/v1"
        )
    for wire_api in WireApi:
        if parts.path.rstrip("/").endswith(wire_api.path):
            raise ConfigurationError(
                f"provider {provider.name!r}: base_url ends with {wire_api.path}, which is appended to it; leave it out"
            )
    if parts.query or parts.fragment:
        raise ConfigurationError(f"provider {provider.name!r}: base_url has a query or fragment; use query_params")
    if parts.username or parts.password:
        raise ConfigurationError(f"provider {provider.name!r}: base_url holds credentials; use auth or env_key")


def _http_parts(url: str) -> SplitResult | None:
    """The URL's parts, None where it cannot be an address. Reading the port is what checks it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if usable and url.isprintable() and " " not in url else None


def azure_provider(
    resource: str,
    *,
    api_version: str | None = None,
    deployment: str | None = None,
    wire_api: WireApi = WireApi.RESPONSES,
) -> ModelProviderInfo:
    """Azure OpenAI. `resource` is the resource's name or its whole endpoint URL.

    Without `api_version` the version-less `/openai/v1` surface is used; with it, `/openai` and the `api-version` query.
    The model of a prompt is a deployment's name; only the versioned Chat API has it in its address, so that needs
    `deployment` here, and lists no models there. The key is read from AZURE_OPENAI_API_KEY and sent as `api-key`.
    """
    endpoint = resource.rstrip("/") if "://" in resource else f"https://{resource}.openai.azure.com"
    return ModelProviderInfo(
        name="azure",
        base_url=f"{endpoint}/openai/{_azure_path(api_version, deployment, WireApi(wire_api))}".rstrip("/"),
        wire_api=wire_api,
        env_key="AZURE_OPENAI_API_KEY",
        env_key_instructions="Azure portal: your resource, Keys and Endpoint",
        api_key_header="api-key",
        query_params={"api-version": api_version} if api_version else {},
    )


def _azure_path(api_version: str | None, deployment: str | None, wire_api: WireApi) -> str:
    """What is between `/openai/` and the API's own path."""
    in_address = api_version is not None and wire_api is WireApi.CHAT
    if in_address and not deployment:
        raise ConfigurationError(
            f"api_version {api_version!r}: the versioned Chat API of Azure has the deployment in its address; "
            "give deployment=, or leave api_version out"
        )
    if deployment and not in_address:
        raise ConfigurationError(
            f"deployment {deployment!r}: only the versioned Chat API of Azure has it in its address; "
            "give it as the model instead"
        )
    if deployment:
        return f"deployments/{quote(deployment, safe='')}"
    return "" if api_version else "v1"


def built_in_providers() -> dict[str, ModelProviderInfo]:
    """The providers known by name, a new dictionary each time. Azure needs a resource: see `azure_provider`."""
    return {provider.name: provider for provider in _built_in()}


def _built_in() -> tuple[ModelProviderInfo, ...]:
    chat = WireApi.CHAT
    return (
        ModelProviderInfo(
            name="openai",
            base_url="https://api.openai.com/v1",
            env_key="OPENAI_API_KEY",
            env_key_instructions="https://platform.openai.com/api-keys",
            env_http_headers={"openai-organization": "OPENAI_ORGANIZATION", "openai-project": "OPENAI_PROJECT"},
        ),
        ModelProviderInfo(
            name="chatgpt",
            base_url="https://chatgpt.com/backend-api/codex",
            env_key="CODEX_ACCESS_TOKEN",
            account_login=True,
            # Given, so that it holds at any other address: who asks a proxy for this provider means that backend.
            profile=CHATGPT_CODEX,
        ),
        _chat("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "https://openrouter.ai/keys"),
        _chat("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY", "https://console.groq.com/keys"),
        _chat(
            "mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", "https://console.mistral.ai", include_usage=False
        ),
        _chat("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", "https://platform.deepseek.com/api_keys"),
        _chat("xai", "https://api.x.ai/v1", "XAI_API_KEY", "https://console.x.ai"),
        _chat(
            "together", "https://api.together.xyz/v1", "TOGETHER_API_KEY", "https://api.together.ai/settings/api-keys"
        ),
        ModelProviderInfo(name="ollama", base_url="http://localhost:11434/v1", wire_api=chat),
        ModelProviderInfo(name="lmstudio", base_url="http://localhost:1234/v1"),
        ModelProviderInfo(name="vllm", base_url="http://localhost:8000/v1", wire_api=chat),
        ModelProviderInfo(name="llamacpp", base_url="http://localhost:8080/v1", wire_api=chat),
    )


def _chat(name: str, base_url: str, env_key: str, where: str, *, include_usage: bool = True) -> ModelProviderInfo:
    return ModelProviderInfo(
        name=name,
        base_url=base_url,
        wire_api=WireApi.CHAT,
        env_key=env_key,
        env_key_instructions=where,
        include_usage=include_usage,
    )
