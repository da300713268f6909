"""What is told by a provider's name or host."""

from __future__ import annotations

import pytest

from codex_client.model_provider import ModelProviderInfo, azure_provider, built_in_providers
from codex_client.payload.dialect import is_openai, reasoning_field

BUILT_IN = built_in_providers()


def at(base_url: str) -> ModelProviderInfo:
    return ModelProviderInfo(name="some", base_url=base_url)


def named(name: str) -> ModelProviderInfo:
    return ModelProviderInfo(name=name, base_url="http://localhost:9000/v1")


@pytest.mark.parametrize(
    "provider, field",
    [
        pytest.param(BUILT_IN["openai"], "", id="openai"),
        pytest.param(BUILT_IN["chatgpt"], "", id="chatgpt"),
        pytest.param(azure_provider("mine"), "", id="azure"),
        pytest.param(at("https://eu.api.openai.com/v1"), "", id="openai_in_europe"),
        pytest.param(at("https://MINE.OpenAI.Azure.com/openai"), "", id="azure_by_host"),
        pytest.param(named("OpenAI"), "", id="openai_by_name"),
        pytest.param(named("chatgpt"), "", id="chatgpt_by_name"),
        pytest.param(named("mistral"), "", id="mistral_by_name"),
        pytest.param(named("deepseek"), "reasoning_content", id="deepseek_by_name"),
        pytest.param(named("moonshot"), "reasoning_content", id="moonshot_by_name"),
        pytest.param(named("zai"), "reasoning_content", id="zai_by_name"),
        pytest.param(at("https://api.moonshot.ai/v1"), "reasoning_content", id="moonshot_by_host"),
        pytest.param(at("https://api.moonshot.cn/v1"), "reasoning_content", id="moonshot_china_by_host"),
        pytest.param(at("https://api.z.ai/api/paas/v4"), "reasoning_content", id="zai_by_host"),
        pytest.param(at("https://dashscope.aliyuncs.com/v1"), "reasoning_content", id="dashscope_by_host"),
        pytest.param(BUILT_IN["mistral"], "", id="mistral"),
        pytest.param(at("https://api.mistral.ai/v1"), "", id="mistral_by_host"),
        pytest.param(BUILT_IN["deepseek"], "reasoning_content", id="deepseek"),
        pytest.param(BUILT_IN["llamacpp"], "reasoning_content", id="llamacpp"),
        pytest.param(at("https://api.deepseek.com"), "reasoning_content", id="deepseek_by_host"),
        pytest.param(at("https://open.bigmodel.cn/api/paas/v4"), "reasoning_content", id="glm_by_host"),
        pytest.param(BUILT_IN["openrouter"], "reasoning", id="openrouter"),
        pytest.param(BUILT_IN["vllm"], "reasoning", id="vllm"),
        pytest.param(at("https://notz.ai/v1"), "reasoning", id="a_name_that_only_ends_alike"),
    ],
)
def test_reasoning_goes_back_under_the_name_that_the_server_reads(provider: ModelProviderInfo, field: str):
    assert reasoning_field(provider) == field


@pytest.mark.parametrize(
    "provider, expected",
    [
        pytest.param(BUILT_IN["openai"], True, id="openai"),
        pytest.param(BUILT_IN["chatgpt"], True, id="chatgpt"),
        pytest.param(azure_provider("mine"), True, id="azure"),
        pytest.param(at("https://us.api.openai.com/v1"), True, id="by_host"),
        pytest.param(at("https://api.openai.com.evil.example/v1"), False, id="host_that_only_begins_alike"),
        pytest.param(BUILT_IN["mistral"], False, id="mistral"),
        pytest.param(BUILT_IN["openrouter"], False, id="openrouter"),
    ],
)
def test_openai_is_known_by_name_or_host(provider: ModelProviderInfo, expected: bool):
    assert is_openai(provider) is expected
