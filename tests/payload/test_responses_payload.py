"""The body of `POST /responses`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import BaseModel

from codex_client.errors import ConfigurationError, InvalidPayloadError
from codex_client.items import (
    FunctionCallOutput,
    Message,
)
from codex_client.model_provider import ModelProviderInfo, built_in_providers
from codex_client.payload.encode import encode_payload
from codex_client.payload.responses import ResponsesPayloadBuilder
from codex_client.prompt import CustomTool, FunctionTool, Prompt, RawTool, ReasoningOptions
from codex_client.testing.request_checker import check_responses_request

BUILT_IN = built_in_providers()
OPENAI = BUILT_IN["openai"]
HI = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
TOOL = FunctionTool("f")
FLAT_TOOL: dict[str, Any] = {
    "type": "function",
    "name": "f",
    "strict": False,
    "parameters": {"type": "object", "properties": {}},
}


def build(prompt: Prompt, *, provider: ModelProviderInfo = OPENAI, **options: Any) -> dict[str, Any]:
    """The body as the server gets it, accepted by the strict checker."""
    body = ResponsesPayloadBuilder(model="gpt-5", provider=provider, **options).build(prompt)
    received = json.loads(encode_payload(body))
    assert received == body
    check_responses_request(received)
    return body


def test_a_bare_prompt_sends_no_more_than_it_says():
    assert build(Prompt("hi")) == {"model": "gpt-5", "input": [HI], "store": False, "stream": True}


class Weather(BaseModel):
    city: str
    note: str | None = None


def test_everything_at_once_in_codexs_order_of_keys():
    prompt = Prompt(
        "hi",
        instructions="be brief",
        tools=[TOOL, CustomTool("c"), RawTool({"type": "web_search"})],
        tool_choice={"type": "function", "name": "f"},
        parallel_tool_calls=False,
        output_schema=Weather,
        reasoning=ReasoningOptions("high", "auto"),
        verbosity="low",
        prompt_cache_key="key",
        previous_response_id="resp_1",
        service_tier="flex",
        max_output_tokens=100,
        temperature=0.5,
        top_p=0.9,
        metadata={"a": "b"},
        extra={"truncation": "auto"},
    )
    expected = {
        "model": "gpt-5",
        "instructions": "be brief",
        "input": [HI],
        "tools": [FLAT_TOOL, {"type": "custom", "name": "c"}, {"type": "web_search"}],
        "tool_choice": {"type": "function", "name": "f"},
        "parallel_tool_calls": False,
        "reasoning": {"effort": "high", "summary": "auto"},
        "store": True,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "service_tier": "flex",
        "prompt_cache_key": "key",
        "text": {
            "verbosity": "low",
            "format": {
                "type": "json_schema",
                "name": "codex_output_schema",
                "strict": True,
                "schema": {
                    "title": "Weather",
                    "type": "object",
                    "properties": {
                        "city": {"title": "City", "type": "string"},
                        "note": {"title": "Note", "anyOf": [{"type": "string"}, {"type": "null"}]},
                    },
                    "required": ["city", "note"],
                    "additionalProperties": False,
                },
            },
        },
        "previous_response_id": "resp_1",
        "max_output_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "metadata": {"a": "b"},
        "truncation": "auto",
    }
    body = build(prompt, store=True)
    assert body == expected
    assert list(body) == list(expected)


def test_extra_is_merged_last_and_wins_at_the_top_level():
    prompt = Prompt("hi", reasoning=ReasoningOptions("low"), extra={"store": True, "reasoning": {"effort": "high"}})
    body = build(prompt)
    assert (body["store"], body["reasoning"]) == (True, {"effort": "high"})


@pytest.mark.parametrize(
    "options, expected",
    [
        pytest.param(ReasoningOptions("low", "concise"), {"effort": "low", "summary": "concise"}, id="both"),
        pytest.param(ReasoningOptions(effort="none"), {"effort": "none"}, id="effort_none_is_a_value"),
        pytest.param(ReasoningOptions("low", "none"), {"effort": "low"}, id="summary_none_is_no_value"),
        pytest.param(ReasoningOptions(), {}, id="asked_for_with_the_servers_defaults"),
    ],
)
def test_encrypted_reasoning_is_asked_for_with_reasoning(options: ReasoningOptions, expected: dict[str, Any]):
    body = build(Prompt("hi", reasoning=options, model="gpt-5.2"))
    assert (body["reasoning"], body["include"]) == (expected, ["reasoning.encrypted_content"])


def test_the_prompts_reasoning_goes_before_the_clients():
    client = ReasoningOptions("high", "auto")
    assert build(Prompt("hi"), reasoning=client)["reasoning"] == {"effort": "high", "summary": "auto"}
    assert build(Prompt("hi", reasoning=ReasoningOptions("low")), reasoning=client)["reasoning"] == {"effort": "low"}


def test_the_conversation_is_the_default_cache_key():
    assert build(Prompt("hi"), conversation_id="conv")["prompt_cache_key"] == "conv"
    assert build(Prompt("hi", prompt_cache_key="key"), conversation_id="conv")["prompt_cache_key"] == "key"


def test_a_schema_given_as_json_is_brought_into_strict_form():
    schema = {
        "type": "object",
        "properties": {"day": {"type": "object", "properties": {"km": {"type": "number", "default": 1}}}},
    }
    assert build(Prompt("hi", output_schema=schema))["text"]["format"] == {
        "type": "json_schema",
        "name": "codex_output_schema",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {
                "day": {
                    "type": "object",
                    "properties": {"km": {"type": "number"}},
                    "required": ["km"],
                    "additionalProperties": False,
                }
            },
            "required": ["day"],
            "additionalProperties": False,
        },
    }


class Scores(BaseModel):
    points: dict[str, int]


@pytest.mark.parametrize("schema", [Scores, Scores.model_json_schema()], ids=["model", "mapping"])
def test_a_schema_that_cannot_be_strict_is_refused_with_the_way_around_it(schema: Any):
    with pytest.raises(ConfigurationError) as caught:
        build(Prompt("hi", output_schema=schema))
    assert str(caught.value) == (
        "output_schema.properties.points has free keys, which a strict schema cannot have; "
        "use a list of {key, value} objects, "
        "or give extra={'text': …} in place of output_schema for a schema that is not strict"
    )
    loose = {"format": {"type": "json_schema", "name": "n", "strict": False, "schema": Scores.model_json_schema()}}
    assert build(Prompt("hi", extra={"text": loose}))["text"] == loose


def test_a_strict_schema_given_as_json_is_sent_as_it_is():
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    assert build(Prompt("hi", output_schema=schema))["text"]["format"]["schema"] == schema
    assert build(Prompt("hi", verbosity="high"))["text"] == {"verbosity": "high"}


def test_tools_bring_their_options_and_without_tools_there_are_none():
    body = build(Prompt("hi", tools=[TOOL]))
    assert (body["tools"], body["tool_choice"], body["parallel_tool_calls"]) == ([FLAT_TOOL], "auto", True)
    assert not build(Prompt("hi", parallel_tool_calls=False, tool_choice="none")).keys() & {
        "tools",
        "tool_choice",
        "parallel_tool_calls",
    }


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "g"}], ids=["required", "another"])
def test_a_choice_that_is_not_on_offer_is_refused(choice: str | Mapping[str, Any]):
    tools = [] if choice == "required" else [TOOL]
    with pytest.raises(InvalidPayloadError, match=r"^tool_choice"):
        build(Prompt("hi", tools=tools, tool_choice=choice))


def test_tools_given_elsewhere_count_for_the_choice():
    body = build(Prompt("hi", tool_choice="required", extra={"tools": [FLAT_TOOL]}))
    assert (body["tools"], body["tool_choice"]) == ([FLAT_TOOL], "required")
    item = {"type": "additional_tools", "role": "developer", "tools": [FLAT_TOOL]}
    lite = ResponsesPayloadBuilder(model="m", provider=OPENAI).build(
        Prompt([item, Message.user("hi")], tool_choice={"type": "function", "name": "f"}, parallel_tool_calls=False)
    )
    assert lite == {
        "model": "m",
        "input": [item, HI],
        "tool_choice": {"type": "function", "name": "f"},
        "parallel_tool_calls": False,
        "store": False,
        "stream": True,
    }


# What the server holds already.


def test_an_output_alone_is_enough_for_a_response_that_the_server_holds():
    output = FunctionCallOutput(call_id="c1", output="1")
    sent = {"type": "function_call_output", "call_id": "c1", "output": "1"}
    assert build(Prompt([output], previous_response_id="resp_1"))["input"] == [sent]
    assert build(Prompt([output], extra={"conversation": "conv_1"}))["input"] == [sent]
    assert build(Prompt([output], extra={"previous_response_id": "resp_1"}))["input"] == [sent]
    reference = {"type": "item_reference", "id": "fc_1"}
    assert build(Prompt([reference, output]), store=True)["input"] == [reference, sent]


@pytest.mark.parametrize(
    "prompt, expected",
    [
        pytest.param(Prompt([], previous_response_id="resp_1"), {"previous_response_id": "resp_1"}, id="previous"),
        pytest.param(Prompt("", extra={"conversation": "conv_1"}), {"conversation": "conv_1"}, id="conversation"),
        pytest.param(Prompt([], extra={"prompt": {"id": "pmpt_1"}}), {"prompt": {"id": "pmpt_1"}}, id="template"),
        pytest.param(Prompt([], extra={"input": "hi"}), {"input": "hi"}, id="input_of_its_own"),
    ],
)
def test_input_is_left_out_where_something_stands_for_it(prompt: Prompt, expected: dict[str, Any]):
    assert build(prompt) == {"model": "gpt-5", "store": False, "stream": True} | expected


@pytest.mark.parametrize("prompt", [Prompt(""), Prompt([FunctionCallOutput(call_id="c1", output="")])], ids=repr)
def test_broken_input_is_refused(prompt: Prompt):
    with pytest.raises(InvalidPayloadError):
        build(prompt)
