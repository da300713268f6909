"""The strict checker on Chat bodies: it takes what OpenAI's reference shows, and names every fault with its place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from codex_client.testing.request_checker import RequestProblem, check_chat_request

OBJECT: dict[str, Any] = {"type": "object", "properties": {}}
FLAT_TOOL: dict[str, Any] = {"type": "function", "name": "f", "strict": False, "parameters": OBJECT}
NESTED_TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f", "parameters": OBJECT}}
HI: dict[str, Any] = {"role": "user", "content": "hi"}
TOOL_CALL: dict[str, Any] = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLING: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [TOOL_CALL]}
ANSWER: dict[str, Any] = {"role": "tool", "tool_call_id": "c1", "content": "1"}


def chat_body(**fields: Any) -> dict[str, Any]:
    return copy.deepcopy({"model": "m", "stream": True, "messages": [HI], **fields})


def problems(check: Callable[[dict[str, Any]], None], body: Any) -> list[str]:
    try:
        check(body)
    except RequestProblem as problem:
        return list(problem.problems)
    return []


GOOD_CHAT: dict[str, dict[str, Any]] = {
    "roles": {
        "messages": [
            {"role": "system", "content": "a"},
            {"role": "developer", "content": [{"type": "text", "text": "b"}]},
            HI,
            {"role": "assistant", "content": "c", "reasoning": "d", "reasoning_details": []},
            {"role": "assistant", "content": "c", "reasoning_content": "d"},
            {"role": "assistant", "refusal": "no"},
            {"role": "assistant", "audio": {"id": "audio_1"}},
        ]
    },
    "tool_loop": {"messages": [HI, CALLING, ANSWER], "tools": [NESTED_TOOL], "tool_choice": "required"},
    "parts": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "data:,", "detail": "low"}},
                    {"type": "file", "file": {"file_data": "data:,", "filename": "a"}},
                    {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
                ],
            }
        ]
    },
    "custom": {
        "messages": [
            HI,
            {
                "role": "assistant",
                "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "c", "input": ""}}],
            },
            ANSWER,
        ],
        "tools": [{"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}}],
        "tool_choice": {"type": "custom", "custom": {"name": "c"}},
    },
    "allowed_tools": {
        "tools": [NESTED_TOOL],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
        },
    },
    "schema": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": OBJECT, "strict": False}}
    },
}


@pytest.mark.parametrize("fields", list(GOOD_CHAT.values()), ids=list(GOOD_CHAT))
def test_good_chat_bodies_are_taken(fields: dict[str, Any]):
    assert problems(check_chat_request, chat_body(**fields)) == []


BAD_CHAT: dict[str, tuple[dict[str, Any], list[str]]] = {
    "keys_of_the_other_api": (
        {"instructions": "a", "input": []},
        ["instructions: Extra inputs are not permitted", "input: Extra inputs are not permitted"],
    ),
    "no_messages": ({"messages": []}, ["messages: List should have at least 1 item after validation, not 0"]),
    "messages_are_no_list": ({"messages": "hi"}, ["messages: Input should be a valid list"]),
    "unknown_key_of_a_message": (
        {"messages": [{**HI, "reasoning": "a"}, {"role": "assistant", "content": "b", "reasoning": {"text": "c"}}]},
        [
            "messages.0.reasoning: Extra inputs are not permitted",
            "messages.1.reasoning: Extra inputs are not permitted",
        ],
    ),
    "image_of_a_tool": (
        {
            "messages": [
                CALLING,
                {**ANSWER, "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]},
            ]
        },
        [
            "messages.1.content.0.type: Input should be 'text'",
            "messages.1.content.0.text: Field required",
            "messages.1.content.0.image_url: Extra inputs are not permitted",
        ],
    ),
    "file_by_url": (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_url": "a"}}]}]},
        ["messages.0.content.0.file.file_url: Extra inputs are not permitted"],
    ),
    "file_that_is_none": (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"filename": "a"}}]}]},
        ["messages.0.content.0.file: Value error, one of file_id, file_data is needed"],
    ),
    "answer_missing_at_the_end": (
        {"messages": [HI, CALLING]},
        ["messages: tool messages are missing at the end for ['c1']"],
    ),
    "answer_too_late": (
        {"messages": [CALLING, HI, ANSWER]},
        [
            "messages.1: tool messages are missing before it for ['c1']",
            "messages.2: a tool message for 'c1', which no call right before it has",
        ],
    ),
    "answer_twice": (
        {"messages": [CALLING, ANSWER, ANSWER]},
        ["messages.2: a tool message for 'c1', which no call right before it has"],
    ),
    "call_id_twice": (
        {"messages": [CALLING, ANSWER, CALLING, ANSWER]},
        ["messages.2: tool call id 'c1' is used by an earlier call"],
    ),
    "assistant_that_says_nothing": (
        {"messages": [{"role": "assistant", "content": None}]},
        ["messages.0: an assistant message needs content, a refusal or tool_calls"],
    ),
    "arguments_as_an_object": (
        {
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [{**TOOL_CALL, "function": {"name": "f", "arguments": {"a": 1}}}],
                },
                ANSWER,
            ]
        },
        ["messages.0.tool_calls.0.function.arguments: Input should be a valid string"],
    ),
    "flat_tool": (
        {"tools": [FLAT_TOOL]},
        [
            "tools.0.function: Field required",
            "tools.0.name: Extra inputs are not permitted",
            "tools.0.strict: Extra inputs are not permitted",
            "tools.0.parameters: Extra inputs are not permitted",
        ],
    ),
    "choice_of_another": (
        {"tools": [NESTED_TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
        ["tool_choice: function 'g' is not among the tools"],
    ),
    "allowed_tools_of_others": (
        {
            "tools": [NESTED_TOOL],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "g"}}]},
            },
        },
        ["tool_choice: function 'g' is not among the tools"],
    ),
    "schema_of_a_tool": (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "text"}, "strict": True}}]},
        [
            "tools.0.parameters: type is 'text'; the root of a schema must be of type 'object'",
            "tools.0.parameters.type: 'text' is no JSON type",
        ],
    ),
    "strict_schema": (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
            }
        },
        ["response_format.schema.additionalProperties: must be false in a strict schema"],
    ),
    "two_limits": (
        {"max_tokens": 1, "max_completion_tokens": 1},
        ["max_tokens: cannot be used together with max_completion_tokens"],
    ),
    "usage_misspelt": (
        {"stream_options": {"include_usages": True}},
        ["stream_options.include_usages: Extra inputs are not permitted"],
    ),
    "schema": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "array"}}}},
        [
            "response_format.schema: type is 'array'; the root of a schema must be of type 'object'",
            "response_format.schema: an array without items",
        ],
    ),
}


@pytest.mark.parametrize("fields, expected", list(BAD_CHAT.values()), ids=list(BAD_CHAT))
def test_every_fault_of_a_chat_body_is_named(fields: dict[str, Any], expected: list[str]):
    assert problems(check_chat_request, chat_body(**fields)) == expected


def test_a_server_as_strict_as_openai_takes_no_reasoning_back():
    body = chat_body(messages=[HI, {"role": "assistant", "content": "a", "reasoning_content": "b"}])
    with pytest.raises(RequestProblem) as caught:
        check_chat_request(body, extensions=())
    assert caught.value.problems == ("messages.1.reasoning_content: Extra inputs are not permitted",)


def test_either_limit_of_tokens_alone_is_taken():
    assert problems(check_chat_request, chat_body(max_tokens=1)) == []
    assert problems(check_chat_request, chat_body(max_completion_tokens=1)) == []
