"""Which profile holds for a provider: the one that was given, else what its name or its host tells."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from codex_client.backend_profile import AZURE, CHATGPT_CODEX, OPENAI, BackendProfile, built_in_profiles
from codex_client.client.config import ClientConfig, ResponsesConfig, Timeouts
from codex_client.errors import ConfigurationError
from codex_client.model_provider import ModelProviderInfo, WireApi, azure_provider, built_in_providers
from codex_client.payload.calls import fitting_id

BUILT_IN = built_in_providers()


def at(base_url: str) -> ModelProviderInfo:
    return ModelProviderInfo(name="some", base_url=base_url)


def named(name: str) -> ModelProviderInfo:
    return ModelProviderInfo(name=name, base_url="http://localhost:9000/v1")


@pytest.mark.parametrize(
    "provider, profile",
    [
        pytest.param(BUILT_IN["openai"], "openai", id="openai"),
        pytest.param(BUILT_IN["chatgpt"], "chatgpt-codex", id="chatgpt"),
        pytest.param(azure_provider("mine"), "azure", id="azure"),
        pytest.param(at("https://eu.api.openai.com/v1"), "openai", id="openai_in_europe"),
        pytest.param(at("https://API.OpenAI.com/v1"), "openai", id="openai_in_capitals"),
        pytest.param(at("https://api.openai.com.evil.example/v1"), "generic-responses", id="a_host_that_begins_alike"),
        pytest.param(at("https://MINE.OpenAI.Azure.com/openai"), "azure", id="azure_by_host"),
        pytest.param(at("https://chatgpt.com/backend-api/codex"), "chatgpt-codex", id="chatgpt_by_host"),
        pytest.param(named("OpenAI"), "generic-responses", id="openai_elsewhere"),
        pytest.param(named("chatgpt"), "generic-responses", id="chatgpt_elsewhere"),
        pytest.param(named("mistral"), "generic-responses", id="mistral_elsewhere"),
        pytest.param(named("LlamaCpp"), "deepseek", id="llamacpp_by_name"),
        pytest.param(named("azure"), "azure", id="azure_by_name"),
        pytest.param(at("https://api.openai.com./v1"), "openai", id="full_name_of_a_host"),
        pytest.param(
            dataclasses.replace(BUILT_IN["chatgpt"], base_url="http://localhost:9000/v1"),
            "chatgpt-codex",
            id="the_built_in_chatgpt_behind_a_proxy",
        ),
        pytest.param(
            dataclasses.replace(BUILT_IN["openai"], base_url="http://localhost:11434/v1"),
            "generic-responses",
            id="the_built_in_openai_elsewhere",
        ),
        pytest.param(at("https://api.moonshot.ai/v1"), "deepseek", id="moonshot_by_host"),
        pytest.param(at("https://api.moonshot.cn/v1"), "deepseek", id="moonshot_china_by_host"),
        pytest.param(at("https://api.z.ai/api/paas/v4"), "deepseek", id="zai_by_host"),
        pytest.param(at("https://dashscope.aliyuncs.com/v1"), "deepseek", id="dashscope_by_host"),
        pytest.param(at("https://open.bigmodel.cn/api/paas/v4"), "deepseek", id="glm_by_host"),
        pytest.param(at("https://api.deepseek.com"), "deepseek", id="deepseek_by_host"),
        pytest.param(BUILT_IN["llamacpp"], "deepseek", id="llamacpp"),
        pytest.param(BUILT_IN["mistral"], "mistral", id="mistral"),
        pytest.param(at("https://api.mistral.ai/v1"), "mistral", id="mistral_by_host"),
        pytest.param(BUILT_IN["openrouter"], "openrouter", id="openrouter"),
        pytest.param(at("https://openrouter.ai/api/v1"), "openrouter", id="openrouter_by_host"),
        pytest.param(BUILT_IN["vllm"], "generic-chat", id="vllm"),
        pytest.param(BUILT_IN["lmstudio"], "generic-responses", id="lmstudio"),
        pytest.param(at("https://notz.ai/v1"), "generic-responses", id="a_name_that_only_ends_alike"),
        pytest.param(
            ModelProviderInfo(name="llamacpp", base_url="https://openrouter.ai/api/v1"),
            "openrouter",
            id="host_before_name",
        ),
    ],
)
def test_a_provider_is_known_by_its_name_or_its_host(provider: ModelProviderInfo, profile: str) -> None:
    assert provider.backend is built_in_profiles()[profile]


def test_a_profile_that_was_given_holds() -> None:
    mine = BackendProfile(name="mine")
    assert dataclasses.replace(BUILT_IN["openai"], profile=mine).backend is mine
    assert dataclasses.replace(azure_provider("a"), profile=mine).backend is mine


@pytest.mark.parametrize(
    "profile, field",
    [(OPENAI, ""), (AZURE, ""), (CHATGPT_CODEX, ""), ("deepseek", "reasoning_content"), ("mistral", ""),
     ("openrouter", "reasoning"), ("generic-chat", "reasoning")],
)  # fmt: skip
def test_reasoning_goes_back_under_the_name_that_the_server_reads(profile: BackendProfile | str, field: str) -> None:
    known = built_in_profiles()[profile] if isinstance(profile, str) else profile
    assert known.reasoning_field == field


def test_only_openais_own_servers_are_spoken_to_as_openai() -> None:
    strict = {"max_tokens_field", "takes_cache_key", "takes_tool_media", "takes_raw_reasoning", "max_call_id_chars"}
    plain = BackendProfile(name="plain")
    for profile in built_in_profiles().values():
        differs = {name for name in strict if getattr(profile, name) != getattr(plain, name)}
        assert differs == (strict if profile.name in ("openai", "azure", "chatgpt-codex") else set())


@pytest.mark.parametrize(
    "fields, told",
    [
        ({"name": ""}, "a profile's name is empty"),
        ({"refused": "temperature"}, r"refused is of type str; give several texts, such as \{'a', 'b'\}"),
        ({"refused": frozenset({"temperature", ""})}, "refused holds what is no text, or an empty one"),
        ({"refused": frozenset({"temperature", 7})}, "refused holds what is no text"),
        ({"refused": frozenset({"top_p", "stream"})}, "refused holds 'stream', which is never left out"),
        ({"refused": frozenset({"text.format"})}, "refused holds 'text.format'"),
        ({"refused": frozenset({"text"})}, "refused holds 'text'"),
        ({"refused": frozenset({"input[0].id"})}, r"refused holds 'input\[0\].id'"),
        ({"domains": "example.com"}, "domains is of type str"),
        ({"provider_names": {" "}}, "provider_names holds what is no text"),
        ({"default_verbosity": ""}, "default_verbosity is empty; None leaves it to the model"),
        ({"models_path": "models"}, "models_path is 'models'; it begins with '/'"),
        ({"max_tokens_field": "max_output_tokens"}, "it is 'max_tokens' or 'max_completion_tokens'"),
        ({"first_event_timeout": 0}, "first_event_timeout is 0; it must be above 0, or None"),
        ({"first_event_timeout": math.nan}, "first_event_timeout is nan"),
        ({"max_call_id_chars": 29}, "max_call_id_chars is 29; it must be at least 30, or None"),
    ],
)
def test_a_profile_that_cannot_hold_is_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        BackendProfile(**{"name": "mine", **fields})


def test_the_least_that_a_profile_may_say_is_taken() -> None:
    mine = BackendProfile(
        name="mine", max_call_id_chars=30, first_event_timeout=math.inf, refused=frozenset({"text.verbosity"})
    )
    assert len(fitting_id("<" * 99, mine.max_call_id_chars or 0)) <= 30


def test_a_profile_may_be_given_by_its_name() -> None:
    provider = dataclasses.replace(at("http://localhost:9000/v1"), profile="chatgpt-codex")
    assert provider.backend is provider.profile is CHATGPT_CODEX
    assert dataclasses.replace(provider, base_url="http://localhost:9001/v1").backend is CHATGPT_CODEX


@pytest.mark.parametrize("wrong", ["chatgpt", "", 7, {"name": "mine"}])
def test_what_is_no_profile_is_told_with_those_there_are(wrong: Any) -> None:
    told = f"provider 'some': profile is {wrong!r}; give a BackendProfile, or the name of a built-in one: "
    with pytest.raises(ConfigurationError) as raised:
        dataclasses.replace(at("http://localhost:9000/v1"), profile=wrong)
    assert str(raised.value) == told + ", ".join(built_in_profiles())


def test_what_stores_nothing_cannot_be_asked_to_store() -> None:
    with pytest.raises(ConfigurationError, match=r"^provider 'chatgpt' stores no responses; leave store out$"):
        ResponsesConfig(provider=BUILT_IN["chatgpt"], model="gpt-5", store=True)


@pytest.mark.parametrize(
    "provider, given, expected",
    [(BUILT_IN["chatgpt"], None, 120.0), (BUILT_IN["chatgpt"], 7.0, 7.0), (BUILT_IN["openai"], None, 300.0)],
)
def test_the_first_event_is_awaited_as_long_as_the_profile_says_unless_told(
    provider: ModelProviderInfo, given: float | None, expected: float
) -> None:
    config = ClientConfig(provider=provider, model="m", timeouts=Timeouts(first_event=given))
    assert config.first_event_timeout == expected


def test_a_host_is_told_without_its_port_and_in_lower_case() -> None:
    assert at("http://LocalHost:1234/v1").host == "localhost"
    assert at("http://localhost.:1234/v1").host == "localhost"
    assert dataclasses.replace(at("http://a/v1"), wire_api=WireApi.CHAT).host == "a"
