"""The body of `POST /chat/completions`, but for its messages."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from pydantic import BaseModel

from codex_client.errors import InvalidPayloadError, UnsupportedOperationError
from codex_client.items import (
    FunctionCallOutput,
    Message,
    OtherItem,
    Reasoning,
    Refusal,
    ResponseItem,
    WebSearchCall,
)
from codex_client.model_provider import ModelProviderInfo, WireApi, azure_provider, built_in_providers
from codex_client.payload.chat import ChatPayloadBuilder
from codex_client.payload.encode import encode_payload
from codex_client.prompt import CustomTool, FunctionTool, Prompt, RawTool, ReasoningOptions
from codex_client.testing.request_checker import check_chat_request

BUILT_IN = built_in_providers()
OPENAI, OLLAMA = BUILT_IN["openai"], BUILT_IN["ollama"]
HI = {"role": "user", "content": "hi"}
TOOL = FunctionTool("f")
NESTED_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "f", "strict": False, "parameters": {"type": "object", "properties": {}}},
}


def build(prompt: Prompt, *, provider: ModelProviderInfo = OLLAMA, **options: Any) -> dict[str, Any]:
    """The body as the server gets it, accepted by the strict checker."""
    body = ChatPayloadBuilder(model="m", provider=provider, **options).build(prompt)
    received = json.loads(encode_payload(body))
    assert received == body
    check_chat_request(received)
    return body


def test_a_bare_prompt_sends_no_more_than_it_says():
    assert build(Prompt("hi")) == {
        "model": "m",
        "messages": [HI],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_usage_is_not_asked_for_where_the_server_would_refuse_that():
    assert build(Prompt("hi"), provider=BUILT_IN["mistral"]) == {"model": "m", "messages": [HI], "stream": True}


EVERYTHING = Prompt(
    "hi",
    instructions="be brief",
    tools=[TOOL],
    tool_choice={"type": "function", "name": "f"},
    parallel_tool_calls=False,
    reasoning=ReasoningOptions("high", "auto"),
    verbosity="low",
    prompt_cache_key="key",
    service_tier="flex",
    max_output_tokens=100,
    temperature=0.5,
    top_p=0.9,
    metadata={"a": "b"},
    extra={"seed": 1},
)


@pytest.mark.parametrize(
    "provider, max_tokens",
    [
        pytest.param(OPENAI, "max_completion_tokens", id="openai"),
        pytest.param(azure_provider("mine"), "max_completion_tokens", id="azure"),
        pytest.param(OLLAMA, "max_tokens", id="other"),
    ],
)
def test_everything_at_once(provider: ModelProviderInfo, max_tokens: str):
    expected = {
        "model": "m",
        "messages": [{"role": "system", "content": "be brief"}, HI],
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [NESTED_TOOL],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
        "reasoning_effort": "high",
        "verbosity": "low",
        "service_tier": "flex",
        "prompt_cache_key": "key",
        max_tokens: 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "metadata": {"a": "b"},
        "seed": 1,
    }
    body = build(EVERYTHING, provider=provider)
    assert body == expected
    assert list(body) == list(expected)


def test_extra_is_merged_last_and_wins_at_the_top_level():
    body = build(Prompt("hi", temperature=0.5, extra={"temperature": 1.0, "stream_options": {"include_usage": False}}))
    assert (body["temperature"], body["stream_options"]) == (1.0, {"include_usage": False})


def test_what_a_server_does_unasked_is_not_mentioned():
    body = build(Prompt("hi", tools=[TOOL]))
    assert body["tools"] == [NESTED_TOOL]
    assert not body.keys() & {"tool_choice", "parallel_tool_calls"}


def test_without_tools_there_are_no_options_of_tools():
    body = build(Prompt("hi", parallel_tool_calls=False, tool_choice="none"))
    assert not body.keys() & {"tools", "tool_choice", "parallel_tool_calls"}


def test_tools_given_elsewhere_count_for_the_choice():
    body = build(Prompt("hi", tool_choice="required", extra={"tools": [NESTED_TOOL]}))
    assert (body["tools"], body["tool_choice"]) == ([NESTED_TOOL], "required")


def test_a_choice_that_is_not_on_offer_is_refused():
    with pytest.raises(InvalidPayloadError, match=r"^tool_choice names the function 'g'"):
        build(Prompt("hi", tools=[TOOL], tool_choice={"type": "function", "name": "g"}))


def test_the_prompts_reasoning_goes_before_the_clients():
    client = ReasoningOptions("high", "auto")
    assert build(Prompt("hi"), reasoning=client)["reasoning_effort"] == "high"
    assert build(Prompt("hi", reasoning=ReasoningOptions("low")), reasoning=client)["reasoning_effort"] == "low"
    assert "reasoning_effort" not in build(Prompt("hi", reasoning=ReasoningOptions(summary="auto")))


def test_the_conversation_is_the_cache_key_for_openai_only():
    assert build(Prompt("hi"), provider=OPENAI, conversation_id="conv")["prompt_cache_key"] == "conv"
    assert "prompt_cache_key" not in build(Prompt("hi"), conversation_id="conv")
    key = Prompt("hi", prompt_cache_key="key")
    assert build(key, conversation_id="conv")["prompt_cache_key"] == "key"
    assert build(key, provider=OPENAI, conversation_id="conv")["prompt_cache_key"] == "key"


class Answer(BaseModel):
    text: str


@pytest.mark.parametrize(
    "prompt, message",
    [
        pytest.param(
            Prompt("hi", output_schema=Answer),
            "output_schema is not supported for Chat Completions API",
            id="output_schema",
        ),
        pytest.param(
            Prompt("hi", previous_response_id="resp_1"),
            "previous_response_id is not supported for Chat Completions API; "
            "send the history, as Prompt.with_history does",
            id="previous_response_id",
        ),
        pytest.param(
            Prompt("hi", tools=[CustomTool("c")]),
            "the Chat Completions API has no form for a tool of type 'custom'; "
            "use the Responses API, or a FunctionTool with one text parameter `input`",
            id="custom_tool",
        ),
        pytest.param(
            Prompt("hi", tools=[TOOL, RawTool({"type": "web_search"})]),
            "the Chat Completions API has no form for a tool of type 'web_search'; "
            "use the Responses API, or write it in the server's own Chat form: {'type': T, T: {…}}",
            id="hosted_tool",
        ),
    ],
)
def test_what_the_api_has_no_form_for_is_refused(prompt: Prompt, message: str):
    with pytest.raises(UnsupportedOperationError) as caught:
        build(prompt)
    assert str(caught.value) == message


CUSTOM_HISTORY = [
    {"role": "user", "content": "hi"},
    {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "raw"},
    {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
]
AS_CUSTOM = {"id": "c1", "type": "custom", "custom": {"name": "patch", "input": "raw"}}
AS_FUNCTION = {"id": "c1", "type": "function", "function": {"name": "patch", "arguments": '{"input":"raw"}'}}
CHAT_CUSTOM = {"type": "custom", "custom": {"name": "patch"}}


@pytest.mark.parametrize(
    "options, provider, call",
    [
        pytest.param({"tools": [CustomTool("patch")]}, "openai", AS_CUSTOM, id="offered_to_openai"),
        pytest.param({"tools": [RawTool(CHAT_CUSTOM)]}, "groq", AS_CUSTOM, id="offered_as_it_is"),
        pytest.param({"extra": {"tools": [CHAT_CUSTOM]}}, "groq", AS_CUSTOM, id="offered_by_extra"),
        pytest.param({"tools": [TOOL]}, "openai", AS_FUNCTION, id="another_tool_offered"),
        pytest.param({}, "openai", AS_FUNCTION, id="none_offered"),
        pytest.param({"extra": {"tools": "odd"}}, "openai", AS_FUNCTION, id="offered_in_no_list"),
    ],
)
def test_a_custom_call_goes_back_as_what_it_is_where_custom_tools_are_offered(
    options: dict[str, Any], provider: str, call: dict[str, Any]
):
    server = dataclasses.replace(built_in_providers()[provider], wire_api=WireApi.CHAT)
    body = ChatPayloadBuilder(model="m", provider=server).build(Prompt(CUSTOM_HISTORY, **options))
    assert body["messages"][1]["tool_calls"] == [call]
    assert body["messages"][2] == {"role": "tool", "tool_call_id": "c1", "content": "done"}


REFERENCE = OtherItem(type="item_reference", id="fc_1")


@pytest.mark.parametrize(
    "prompt",
    [
        pytest.param(Prompt(""), id="empty"),
        pytest.param(Prompt([FunctionCallOutput(call_id="c1", output="")]), id="orphan"),
        pytest.param(
            Prompt([FunctionCallOutput(call_id="c1", output="")], extra={"conversation": "c"}),
            id="no_conversations_here",
        ),
        pytest.param(Prompt([REFERENCE, FunctionCallOutput(call_id="fc_1", output="")]), id="no_references_here"),
    ],
)
def test_broken_input_is_refused(prompt: Prompt):
    with pytest.raises(InvalidPayloadError):
        build(prompt)


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(Reasoning(summary=[]), id="reasoning"),
        pytest.param(WebSearchCall(id="ws_1"), id="search"),
        pytest.param(Message(role="assistant", content=[Refusal(refusal="")]), id="assistant_that_says_nothing"),
    ],
)
@pytest.mark.parametrize("instructions", ["", "be brief"])
def test_input_of_which_nothing_is_left_is_empty(item: ResponseItem, instructions: str):
    with pytest.raises(InvalidPayloadError) as caught:
        build(Prompt([item], instructions=instructions))
    assert str(caught.value) == "the prompt's input is empty; give it a message, such as Prompt('…')"


def test_items_without_a_form_are_refused():
    with pytest.raises(UnsupportedOperationError, match=r"^the input holds an item of type 'zzz'"):
        build(Prompt([OtherItem(type="zzz")]))


@pytest.mark.parametrize("reasoning", ["high", {"effort": "high"}])
def test_reasoning_that_is_no_options_is_refused(reasoning: Any):
    message = f"reasoning is of type {type(reasoning).__name__}; give it as ReasoningOptions(effort=…, summary=…)"
    for build_one in (
        lambda: build(Prompt("hi", reasoning=reasoning)),
        lambda: build(Prompt("hi"), reasoning=reasoning),
    ):
        with pytest.raises(InvalidPayloadError) as caught:
            build_one()
        assert str(caught.value) == message


def test_endless_extra_is_refused():
    extra: dict[str, Any] = {}
    extra["seed"] = [extra]
    with pytest.raises(InvalidPayloadError, match=r"^extra\.seed\[0\]\.seed.* contains itself; flatten it$"):
        build(Prompt("hi", extra=extra))


def test_tools_of_one_name_are_refused():
    with pytest.raises(InvalidPayloadError, match=r"^2 tools have the name 'f'"):
        build(Prompt("hi", tools=[TOOL, TOOL]))


def test_messages_of_its_own_may_stand_for_the_input():
    for items in ([], [WebSearchCall(id="ws_1")]):
        assert build(Prompt(items, extra={"messages": [HI]}))["messages"] == [HI]


def test_the_name_for_reasoning_may_be_given():
    items = [
        Message.user("hi"),
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
        Message.assistant("ho"),
    ]
    said = {"role": "assistant", "content": "ho"}
    assert build(Prompt(items))["messages"][1] == said | {"reasoning": "hm"}
    given = build(Prompt(items), reasoning_field="reasoning_content")
    assert given["messages"][1] == said | {"reasoning_content": "hm"}
    assert build(Prompt(items), reasoning_field="")["messages"][1] == said
    assert build(Prompt(items), provider=OPENAI)["messages"][1] == said
