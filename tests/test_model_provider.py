"""Providers: checked when they are made, known by name, recognised as Azure."""

from __future__ import annotations

from typing import Any

import pytest

from codex_client.errors import ConfigurationError
from codex_client.model_provider import ModelProviderInfo, WireApi, azure_provider, built_in_providers


def provider(**fields: Any) -> ModelProviderInfo:
    given: dict[str, Any] = {"name": "x", "base_url": "https://example.com/v1", **fields}
    return ModelProviderInfo(**given)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"base_url": "api.openai.com/v1"}, "is no http"),
        ({"base_url": "ftp://example.com"}, "is no http"),
        ({"base_url": "https://"}, "is no http"),
        ({"base_url": "http://127.0.0.1:99999/v1"}, "is no http"),
        ({"base_url": "http://127.0.0.1:0/v1"}, "is no http"),
        ({"base_url": "http://127.0.0.1:abc/v1"}, "is no http"),
        ({"base_url": "http://[::1/v1"}, "is no http"),
        ({"base_url": "http://ex ample/v1"}, "is no http"),
        ({"base_url": " http://example.com/v1"}, "is no http"),
        ({"base_url": "http://example.com/v1\n"}, "is no http"),
        ({"base_url": "ftp://me:canary@example.com"}, "is no http"),
        ({"base_url": "https://example.com/v1/responses"}, "base_url ends with /responses"),
        ({"base_url": "https://example.com/v1/chat/completions/"}, "base_url ends with /chat/completions"),
        ({"base_url": "https://example.com/v1?key=1"}, "use query_params"),
        ({"base_url": "https://example.com/v1#top"}, "use query_params"),
        ({"base_url": "https://me:canary@example.com/v1"}, "use auth or env_key"),
        ({"base_url": "https://:canary@example.com/v1"}, "use auth or env_key"),
        ({"base_url": "https://canary@example.com/v1"}, "use auth or env_key"),
        ({"stream_idle_timeout": 0}, "stream_idle_timeout is 0; it must be above 0"),
        ({"stream_idle_timeout": -1.5}, "stream_idle_timeout is -1.5; it must be above 0"),
        ({"stream_idle_timeout": float("nan")}, "stream_idle_timeout is nan; it must be above 0"),
        ({"request_max_retries": -1}, "request_max_retries is -1; it must be 0 to 100"),
        ({"stream_max_retries": 101}, "stream_max_retries is 101; it must be 0 to 100"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_made(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as raised:
        provider(**fields)
    assert "canary" not in str(raised.value)


def test_the_wire_api_may_be_given_by_name() -> None:
    assert provider(wire_api="chat").wire_api is WireApi.CHAT
    for make in (WireApi, lambda name: provider(wire_api=name)):
        with pytest.raises(ConfigurationError, match=r"^unknown wire_api 'grpc'; it is 'responses' or 'chat'$"):
            make("grpc")


@pytest.mark.parametrize("wire_api, path", [(WireApi.RESPONSES, "/responses"), (WireApi.CHAT, "/chat/completions")])
def test_the_path_follows_from_the_api(wire_api: WireApi, path: str) -> None:
    assert wire_api.path == path


@pytest.mark.parametrize(
    "name, base_url, azure",
    [
        ("Azure", "https://example.com/v1", True),
        ("x", "https://r.openai.azure.com/openai", True),
        ("x", "https://r.OpenAI.Azure.us/openai", True),
        ("x", "https://r.cognitiveservices.azure.cn/openai", True),
        ("x", "https://r.aoai.azure.com/openai", True),
        ("x", "https://r.azure-api.net/openai", True),
        ("x", "https://r.azurefd.net/openai", True),
        ("x", "https://r.services.ai.azure.com/openai/v1", True),
        ("x", "https://r.services.ai.azure.us/openai/v1", True),
        ("x", "https://r.services.ai.azure.com/models", False),
        ("x", "https://r.windows.net/openai", True),
        ("x", "https://r.azurewebsites.net/v1", False),
        ("x", "https://api.openai.com/v1", False),
    ],
)
def test_azure_is_recognised_by_name_or_host(name: str, base_url: str, azure: bool) -> None:
    assert provider(name=name, base_url=base_url).is_azure is azure


def test_azure_is_named_by_its_resource_or_its_endpoint() -> None:
    plain = azure_provider("mine")
    assert (plain.base_url, plain.query_params) == ("https://mine.openai.azure.com/openai/v1", {})
    versioned = azure_provider(
        "https://mine.openai.azure.com/", api_version="2025-04-01-preview", wire_api=WireApi.RESPONSES
    )
    assert versioned.base_url == "https://mine.openai.azure.com/openai"
    assert versioned.query_params == {"api-version": "2025-04-01-preview"}
    assert versioned.is_azure
    assert (versioned.env_key, versioned.api_key_header) == ("AZURE_OPENAI_API_KEY", "api-key")


def test_azures_versioned_chat_api_has_the_deployment_in_its_address() -> None:
    versioned = azure_provider("mine", api_version="2024-10-21", deployment="my gpt/5", wire_api=WireApi.CHAT)
    assert versioned.base_url == "https://mine.openai.azure.com/openai/deployments/my%20gpt%2F5"
    assert versioned.query_params == {"api-version": "2024-10-21"}
    assert azure_provider("mine", wire_api=WireApi.CHAT).base_url == "https://mine.openai.azure.com/openai/v1"


@pytest.mark.parametrize(
    "options, told",
    [
        ({"api_version": "2024-10-21", "wire_api": WireApi.CHAT}, "api_version '2024-10-21': .* give deployment="),
        ({"api_version": "2024-10-21", "wire_api": "chat"}, "give deployment="),
        ({"deployment": "d"}, "deployment 'd': only the versioned Chat API .* give it as the model instead"),
        ({"deployment": "d", "wire_api": WireApi.CHAT}, "deployment 'd'"),
        ({"deployment": "d", "api_version": "v"}, "deployment 'd'"),
    ],
)
def test_a_deployment_is_given_where_azures_address_has_it_and_nowhere_else(options: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        azure_provider("mine", **options)


def test_the_built_in_providers_are_known_by_their_names() -> None:
    known = built_in_providers()
    assert {"openai", "chatgpt", "openrouter", "ollama", "lmstudio", "vllm"} <= set(known)
    assert all(name == info.name for name, info in known.items())
    assert known["openai"].base_url == "https://api.openai.com/v1"
    assert known["openrouter"].wire_api is WireApi.CHAT
    known.clear()
    assert built_in_providers()


@pytest.mark.parametrize(
    "name, base_url, wire_api",
    [
        ("chatgpt", "https://chatgpt.com/backend-api/codex", WireApi.RESPONSES),
        ("deepseek", "https://api.deepseek.com/v1", WireApi.CHAT),
        ("groq", "https://api.groq.com/openai/v1", WireApi.CHAT),
        ("llamacpp", "http://localhost:8080/v1", WireApi.CHAT),
        ("lmstudio", "http://localhost:1234/v1", WireApi.RESPONSES),
        ("mistral", "https://api.mistral.ai/v1", WireApi.CHAT),
        ("ollama", "http://localhost:11434/v1", WireApi.CHAT),
        ("openai", "https://api.openai.com/v1", WireApi.RESPONSES),
        ("openrouter", "https://openrouter.ai/api/v1", WireApi.CHAT),
        ("together", "https://api.together.xyz/v1", WireApi.CHAT),
        ("vllm", "http://localhost:8000/v1", WireApi.CHAT),
        ("xai", "https://api.x.ai/v1", WireApi.CHAT),
    ],
)
def test_where_each_built_in_provider_is(name: str, base_url: str, wire_api: WireApi) -> None:
    info = built_in_providers()[name]
    assert (info.base_url, info.wire_api) == (base_url, wire_api)


def test_a_provider_shows_neither_its_headers_nor_its_query() -> None:
    shown = repr(provider(http_headers={"x-api-key": "canary"}, query_params={"key": "canary"}))
    assert "canary" not in shown
