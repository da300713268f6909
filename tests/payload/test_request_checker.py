"""The strict checker: it takes what OpenAI's reference shows, and names every fault with its place."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st

from codex_client.testing.request_checker import RequestProblem, check_chat_request, check_responses_request

OBJECT: dict[str, Any] = {"type": "object", "properties": {}}
FLAT_TOOL: dict[str, Any] = {"type": "function", "name": "f", "strict": False, "parameters": OBJECT}
NESTED_TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f", "parameters": OBJECT}}
CUSTOM: dict[str, Any] = {
    "type": "custom",
    "name": "c",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /a/"},
}
USER: dict[str, Any] = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
CALL: dict[str, Any] = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT: dict[str, Any] = {"type": "function_call_output", "call_id": "c1", "output": "1"}
HI: dict[str, Any] = {"role": "user", "content": "hi"}


def responses_body(**fields: Any) -> dict[str, Any]:
    return copy.deepcopy({"model": "m", "stream": True, "input": [USER], **fields})


def problems(check: Callable[[dict[str, Any]], None], body: Any) -> list[str]:
    try:
        check(body)
    except RequestProblem as problem:
        return list(problem.problems)
    return []


GOOD_RESPONSES: dict[str, dict[str, Any]] = {
    "text_input": {"input": "hi"},
    "short_messages": {"input": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]},
    "tool_loop": {"input": [USER, CALL, OUTPUT], "tools": [FLAT_TOOL], "tool_choice": "auto"},
    "image_and_file": {
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": "data:,", "detail": "original"},
                    {"type": "input_file", "file_id": "file_1"},
                ],
            }
        ]
    },
    "server_work": {"input": [USER, {"type": "code_interpreter_call", "id": "ci_1", "code": "1", "outputs": None}]},
    "newer_calls": {
        "input": [
            {"type": "apply_patch_call", "call_id": "c1", "status": "completed", "operation": {}},
            {"type": "apply_patch_call_output", "call_id": "c1", "status": "completed"},
        ]
    },
    "shell": {
        "input": [
            {
                "type": "local_shell_call",
                "call_id": "c1",
                "status": "completed",
                "action": {"type": "exec", "command": []},
            },
            {"type": "local_shell_call_output", "id": "c1", "output": ""},
            {**USER, "id": "c1"},
        ]
    },
    "output_of_a_stored_call": {"input": [OUTPUT], "previous_response_id": "resp_1"},
    "output_of_a_referenced_call": {"input": [{"type": "item_reference", "id": "fc_1"}, OUTPUT]},
    "output_in_a_stored_conversation": {"input": [OUTPUT], "conversation": {"id": "conv_1"}},
    "other_client_calls": {
        "input": [
            *({"type": f"{kind}_call", "id": f"{kind}_1", "call_id": kind} for kind in ("computer", "shell")),
            *({"type": f"{kind}_call_output", "call_id": kind} for kind in ("computer", "shell")),
        ]
    },
    "custom_call": {
        "input": [
            {"type": "custom_tool_call", "call_id": "c1", "name": "c", "input": ""},
            {"type": "custom_tool_call_output", "call_id": "c1", "output": ""},
        ]
    },
    "shell_answered_as_a_function": {
        "input": [
            {
                "type": "local_shell_call",
                "call_id": "c1",
                "status": "completed",
                "action": {"type": "exec", "command": []},
            },
            OUTPUT,
        ]
    },
    "every_tool": {
        "tools": [
            FLAT_TOOL,
            CUSTOM,
            {"type": "web_search", "filters": {}},
            {"type": "namespace", "name": "n", "description": "d", "tools": [{**FLAT_TOOL, "name": "g"}]},
            {"type": "function", "name": "h", "strict": None, "parameters": None, "async": True},
        ],
        "tool_choice": {"type": "function", "name": "g"},
    },
    "allowed_tools": {
        "tools": [FLAT_TOOL, {"type": "web_search"}],
        "tool_choice": {
            "type": "allowed_tools",
            "mode": "auto",
            "tools": [{"type": "function", "name": "f"}, {"type": "web_search"}],
        },
    },
    "mcp_choice": {
        "tools": [{"type": "mcp", "server_label": "a"}],
        "tool_choice": {"type": "mcp", "server_label": "a"},
    },
    "schema": {
        "text": {
            "format": {
                "type": "json_schema",
                "name": "n",
                "strict": True,
                "schema": {**OBJECT, "required": [], "additionalProperties": False},
            }
        }
    },
}


@pytest.mark.parametrize("fields", list(GOOD_RESPONSES.values()), ids=list(GOOD_RESPONSES))
def test_good_responses_bodies_are_taken(fields: dict[str, Any]):
    assert problems(check_responses_request, responses_body(**fields)) == []


BAD_RESPONSES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "keys_and_values": (
        {"model": "", "stream": False, "foo": 1, "temperature": 3.0, "top_p": "1", "include": ["all"]},
        [
            "model: String should have at least 1 character",
            "stream: Input should be True",
            (
                "include.0: Input should be 'code_interpreter_call.outputs', 'computer_call_output.output.image_url', "
                "'file_search_call.results', 'message.input_image.image_url', 'message.output_text.logprobs', "
                "'reasoning.encrypted_content', 'web_search_call.action.sources' or 'web_search_call.results'"
            ),
            "temperature: Input should be less than or equal to 2",
            "top_p: Input should be a valid number",
            "foo: Extra inputs are not permitted",
        ],
    ),
    "no_input": (
        {"input": []},
        [
            "input: Value should have at least 1 item after validation, not 0",
            "input: missing, and neither previous_response_id, prompt nor conversation stands in for it",
        ],
    ),
    "no_output_for_other_client_calls": (
        {
            "input": [
                {"type": "computer_call", "id": "cu_1", "call_id": "c1"},
                {"type": "shell_call", "call_id": "c2"},
                {"type": "custom_tool_call", "call_id": "c3", "name": "c", "input": ""},
            ]
        },
        [
            "input: no output found for computer_call 'c1'",
            "input: no output found for shell_call 'c2'",
            "input: no output found for custom_tool_call 'c3'",
        ],
    ),
    "orphan_outputs_of_other_client_calls": (
        {
            "input": [
                {"type": "computer_call_output", "call_id": "c1"},
                {"type": "shell_call_output", "call_id": "c2"},
                {"type": "local_shell_call_output", "id": "c3", "output": ""},
            ]
        },
        [
            "input.0: no call found for the output with call_id 'c1'",
            "input.1: no call found for the output with call_id 'c2'",
            "input.2: no call found for the output with call_id 'c3'",
        ],
    ),
    "allowed_tools_of_others": (
        {
            "tools": [FLAT_TOOL],
            "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "g"}]},
        },
        ["tool_choice: function 'g' is not among the tools"],
    ),
    "two_pasts": (
        {"previous_response_id": "resp_1", "conversation": "conv_1"},
        ["previous_response_id: cannot be used together with conversation"],
    ),
    "unknown_key_of_an_item": (
        {"input": [{**USER, "x": 1}, {**OUTPUT, "success": True}], "previous_response_id": "resp_1"},
        ["input.0.x: Extra inputs are not permitted", "input.1.success: Extra inputs are not permitted"],
    ),
    "missing_key_of_an_item": (
        {"input": [{"type": "reasoning", "encrypted_content": "a"}, {"type": "code_interpreter_call"}]},
        ["input.0.summary: Field required", "input.1.id: Field required"],
    ),
    "null_where_none_may_be": (
        {"input": [{"type": "reasoning", "summary": [], "status": None}]},
        ["input.0.status: Input should be 'in_progress', 'completed' or 'incomplete'"],
    ),
    "wrong_role": (
        {"input": [{"role": "tool", "content": "1"}]},
        ["input.0.role: Input should be 'user', 'system' or 'developer'"],
    ),
    "input_part_of_the_assistant": (
        {"input": [{"role": "assistant", "content": USER["content"]}]},
        [
            (
                "input.0.content.0: Input tag 'input_text' found using 'type' does not match any of the expected tags: "
                "'output_text', 'refusal'"
            )
        ],
    ),
    "image_without_an_image": (
        {"input": [{"role": "user", "content": [{"type": "input_image", "detail": "low"}]}]},
        ["input.0.content.0: Value error, one of image_url, file_id is needed"],
    ),
    "long_call_id": (
        {"input": [{**CALL, "call_id": "c" * 65}, {**OUTPUT, "call_id": "c" * 65}]},
        [
            "input.0.call_id: String should have at most 64 characters",
            "input.1.call_id: String should have at most 64 characters",
        ],
    ),
    "orphan_output": (
        {"input": [OUTPUT, CALL]},
        [
            "input.0: no call found for the output with call_id 'c1'",
        ],
    ),
    "no_output": ({"input": [USER, CALL]}, ["input: no output found for function_call 'c1'"]),
    "output_of_another_kind": (
        {"input": [CALL, {**OUTPUT, "type": "custom_tool_call_output"}]},
        ["input.1: a custom_tool_call_output does not answer the function_call 'c1'"],
    ),
    "call_twice": ({"input": [CALL, CALL, OUTPUT]}, ["input.1: call_id 'c1' is used by an earlier call"]),
    "output_twice": ({"input": [CALL, OUTPUT, OUTPUT]}, ["input.2: call 'c1' has an output already"]),
    "item_id_twice": (
        {"input": [{**USER, "id": "msg_1"}, {**USER, "id": "msg_1"}]},
        ["input.1: id 'msg_1' is used by an earlier item"],
    ),
    "tool_in_chat_shape": (
        {"tools": [NESTED_TOOL]},
        [
            "tools.0.name: Field required",
            "tools.0.parameters: Field required",
            "tools.0.strict: Field required",
            "tools.0.function: Extra inputs are not permitted",
        ],
    ),
    "options_of_tools_without_tools": (
        {"tool_choice": "required", "parallel_tool_calls": True},
        [
            "tool_choice: 'required', but no tools are given",
            "parallel_tool_calls: only allowed when tools are given",
        ],
    ),
    "choice_of_no_kind": (
        {"tools": [FLAT_TOOL], "tool_choice": "f"},
        ["tool_choice: Input should be 'none', 'auto' or 'required'"],
    ),
    "choice_of_another": (
        {"tools": [FLAT_TOOL], "tool_choice": {"type": "custom", "name": "f"}},
        ["tool_choice: custom 'f' is not among the tools"],
    ),
    "choice_in_chat_shape": (
        {"tools": [FLAT_TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        ["tool_choice.name: Field required", "tool_choice.function: Extra inputs are not permitted"],
    ),
    "too_much_metadata": (
        {"metadata": {str(number): "" for number in range(17)}},
        ["metadata: Dictionary should have at most 16 items after validation, not more"],
    ),
}


@pytest.mark.parametrize("fields, expected", list(BAD_RESPONSES.values()), ids=list(BAD_RESPONSES))
def test_every_fault_of_a_responses_body_is_named(fields: dict[str, Any], expected: list[str]):
    assert problems(check_responses_request, responses_body(**fields)) == expected


def test_a_template_stands_for_the_input():
    assert problems(check_responses_request, {"model": "m", "stream": True, "prompt": {"id": "pmpt_1"}}) == []
    assert problems(check_responses_request, {"model": "m", "stream": True}) == [
        "input: missing, and neither previous_response_id, prompt nor conversation stands in for it"
    ]


def test_what_is_no_object_is_told_so():
    fault = "Input should be a valid dictionary or instance of ResponsesRequest"
    assert problems(check_responses_request, [])[0] == f"body: {fault}"


@pytest.mark.parametrize("check", [check_responses_request, check_chat_request])
@pytest.mark.parametrize("body", [{}, [], None, "hi"], ids=repr)
def test_what_is_no_request_at_all_has_problems(check: Callable[[Any], None], body: Any):
    assert problems(check, body)


def test_a_missing_key_is_told_by_its_place():
    assert problems(check_chat_request, {"model": "m", "messages": [HI]}) == ["stream: Field required"]


def test_the_problem_reads_as_a_list_and_survives_pickle():
    problem = RequestProblem("a: wrong", "b: wrong")
    assert str(problem) == "the request body has 2 problem(s):\na: wrong\nb: wrong"
    copied = pickle.loads(pickle.dumps(problem))
    assert (str(copied), copied.problems) == (str(problem), ("a: wrong", "b: wrong"))


KEYS = st.sampled_from(
    [
        *("model", "stream", "input", "messages", "tools", "tool_choice", "role", "content", "type", "name", "text"),
        *("call_id", "id", "output", "function", "custom", "parameters", "properties", "required", "items", "anyOf"),
        *("$ref", "strict", "format", "schema", "response_format", "json_schema", "tool_calls", "tool_call_id"),
    ]
)
VALUES = st.sampled_from(
    [
        *("user", "assistant", "tool", "function", "custom", "object", "array", "namespace", "json_schema", "#/a"),
        *("function_call", "function_call_output", "local_shell_call_output"),
    ]
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=30,
)


@given(st.dictionaries(KEYS, JUNK, max_size=8))
def test_junk_is_refused_and_never_breaks_the_checker(body: dict[str, Any]):
    for check in (check_responses_request, check_chat_request):
        assert all(isinstance(problem, str) for problem in problems(check, body))
