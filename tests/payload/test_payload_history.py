"""Histories that no server takes are refused before anything is sent, on both APIs."""

from __future__ import annotations

from typing import Any

import pytest

from codex_client.errors import InvalidPayloadError
from codex_client.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputFile,
    InputImage,
    InputText,
    LocalShellCall,
    Message,
    OtherItem,
    ResponseItem,
    parse_item,
)
from codex_client.payload.history import checked_items
from codex_client.prompt import Prompt

USER = Message.user("hi")
CALL = FunctionCall(call_id="c1", name="f", arguments="{}")
OUTPUT = FunctionCallOutput(call_id="c1", output="1")
CUSTOM = CustomToolCall(call_id="c1", name="g", input="x")
CUSTOM_OUTPUT = CustomToolCallOutput(call_id="c1", output="1")
ACTION: dict[str, Any] = {"type": "exec", "command": ["ls"]}
SHELL = LocalShellCall(call_id="c1", action=ACTION, status="completed")
SHELL_OUTPUT = parse_item({"type": "local_shell_call_output", "id": "c1", "output": "1"})
MODELLESS = [
    (parse_item({"type": kind, "call_id": "c1"}), parse_item({"type": f"{kind}_output", "call_id": "c1"}))
    for kind in ("shell_call", "apply_patch_call", "computer_call")
]
GHOST = parse_item({"type": "ghost_snapshot", "ghost_commit": {"id": "a"}})


@pytest.mark.parametrize(
    "items",
    [
        pytest.param([USER], id="a_message"),
        pytest.param([USER, CALL, OUTPUT], id="call_and_output"),
        pytest.param([CALL, Message.assistant("so"), USER, OUTPUT], id="output_later"),
        pytest.param([CUSTOM, CUSTOM_OUTPUT], id="custom"),
        pytest.param([SHELL, OUTPUT], id="shell_answered_as_codex_does"),
        pytest.param([SHELL, SHELL_OUTPUT], id="shell_answered_by_its_own_type"),
        pytest.param([LocalShellCall(id="c1", action=ACTION), OUTPUT], id="shell_known_by_its_id"),
        pytest.param([parse_item({"type": "hologram_call", "call_id": "x"})], id="what_is_not_known_is_not_judged"),
        pytest.param([parse_item({"type": "shell_call", "call_id": None})], id="what_no_output_can_answer"),
        pytest.param([parse_item({"type": "function_call", "id": "fc_1", "call_id": "x"})], id="odd_call_of_a_server"),
        *(pytest.param(list(pair), id=pair[0].type) for pair in MODELLESS),
        pytest.param([Message.developer("a"), Message.system("b"), Message.assistant("c")], id="every_role"),
    ],
)
def test_whole_histories_pass(items: list[ResponseItem]):
    assert checked_items(Prompt(items)) == items


REFUSED: dict[str, tuple[list[ResponseItem], str]] = {
    "output_without_call": (
        [USER, OUTPUT],
        (
            "input[1], a function_call_output, answers call 'c1', which does not come before it; "
            "keep the call in the input, ahead of its output"
        ),
    ),
    "output_before_its_call": (
        [OUTPUT, CALL],
        (
            "input[0], a function_call_output, answers call 'c1', which does not come before it; "
            "keep the call in the input, ahead of its output"
        ),
    ),
    "shell_output_without_call": (
        [parse_item({"type": "local_shell_call_output", "output": "1"})],
        (
            "input[0], a local_shell_call_output, answers call '', which does not come before it; "
            "keep the call in the input, ahead of its output"
        ),
    ),
    "patch_output_without_call": (
        [USER, MODELLESS[1][1]],
        (
            "input[1], an apply_patch_call_output, answers call 'c1', which does not come before it; "
            "keep the call in the input, ahead of its output"
        ),
    ),
    "shell_call_without_output": (
        [USER, MODELLESS[0][0]],
        (
            "call 'c1' (a shell_call) has no output; add a shell_call_output with this call_id "
            "(its output may be 'aborted' where the tool was not run), or remove the call"
        ),
    ),
    "shell_call_answered_as_function": (
        [MODELLESS[0][0], OUTPUT],
        (
            "input[1], a function_call_output, answers call 'c1', which is a shell_call; "
            "answer that by a shell_call_output"
        ),
    ),
    "shell_call_with_an_empty_id": (
        [USER, parse_item({"type": "shell_call", "call_id": ""})],
        "input[1] is a shell_call without a call_id, so no output can answer it; give it one",
    ),
    "function_answered_as_custom": (
        [CALL, CUSTOM_OUTPUT],
        (
            "input[1], a custom_tool_call_output, answers call 'c1', which is a function_call; "
            "answer that by a function_call_output"
        ),
    ),
    "custom_answered_as_function": (
        [CUSTOM, OUTPUT],
        (
            "input[1], a function_call_output, answers call 'c1', which is a custom_tool_call; "
            "answer that by a custom_tool_call_output"
        ),
    ),
    "call_in_the_middle_without_output": (
        [USER, CALL, USER],
        (
            "call 'c1' (a function_call) has no output; add a function_call_output with this call_id "
            "(its output may be 'aborted' where the tool was not run), or remove the call"
        ),
    ),
    "last_call_without_output": (
        [USER, CUSTOM],
        (
            "call 'c1' (a custom_tool_call) has no output; add a custom_tool_call_output with this call_id "
            "(its output may be 'aborted' where the tool was not run), or remove the call"
        ),
    ),
    "two_calls_with_one_id": (
        [CALL, OUTPUT, CUSTOM],
        "input[2] is a second call with call_id 'c1'; every call needs its own",
    ),
    "two_outputs_for_one_call": (
        [CALL, OUTPUT, OUTPUT],
        "input[2] is a second output of call 'c1'; a call has one output, remove the other",
    ),
    "call_without_id": (
        [FunctionCall(call_id="", name="f", arguments="")],
        "input[0] is a function_call without a call_id, so no output can answer it; give it one",
    ),
    "shell_call_without_any_id": (
        [USER, LocalShellCall(action=ACTION)],
        "input[1] is a local_shell_call without a call_id, so no output can answer it; give it one",
    ),
    "role_of_the_chat_api": (
        [Message(role="tool", content="1")],
        (
            "input[0] has role 'tool'; messages have one of user, assistant, system, developer, "
            "and a tool's answer is a FunctionCallOutput"
        ),
    ),
    "message_without_content": (
        [USER, GHOST, Message(role="developer", content=[])],
        "input[2] is a message of the developer without content; give it a text, or leave it out",
    ),
    "message_that_lacks_a_field": (
        [USER, parse_item({"role": "user", "text": "oops"})],
        ("input[1] is no message that can be sent: content: field required; mend it, best by making it as a Message"),
    ),
    "call_with_two_faults": (
        [parse_item({"type": "function_call", "id": "", "call_id": "c1", "name": 7})],
        (
            "input[0] is no function_call that can be sent: name: input should be a valid string; "
            "arguments: field required; mend it, best by making it as a FunctionCall"
        ),
    ),
    "image_of_the_assistant": (
        [Message(role="assistant", content=[InputImage(image_url="https://a.example/b.png")])],
        "input[0] is an assistant message with an image or a file, which no API takes; move it to a user message",
    ),
    "file_of_the_assistant": (
        [Message(role="assistant", content=[InputFile(file_id="file_1")])],
        "input[0] is an assistant message with an image or a file, which no API takes; move it to a user message",
    ),
    "image_that_is_none": (
        [Message.user(InputText(text="see"), InputImage(detail="low"))],
        "input[0] has an input_image without an image; give it an image_url or a file_id",
    ),
    "file_that_is_none": (
        [CALL, FunctionCallOutput(call_id="c1", output=[InputFile(filename="a.txt")])],
        "input[1] has an input_file without a file; give it file_data, a file_url or a file_id",
    ),
}


@pytest.mark.parametrize("items, message", list(REFUSED.values()), ids=list(REFUSED))
def test_broken_histories_are_refused_by_the_item_at_fault(items: list[ResponseItem], message: str):
    with pytest.raises(InvalidPayloadError) as caught:
        checked_items(Prompt(items))
    assert str(caught.value) == message


def test_an_output_may_answer_a_call_that_the_server_holds():
    assert checked_items(Prompt([OUTPUT]), continues=True) == [OUTPUT]


def test_two_outputs_for_a_call_that_the_server_holds_are_refused():
    with pytest.raises(InvalidPayloadError, match="second output of call 'c1'"):
        checked_items(Prompt([OUTPUT, OUTPUT]), continues=True)


def test_an_item_of_a_known_type_is_read_as_that():
    fields: dict[str, Any] = {"call_id": "c1", "name": "f", "arguments": "{}"}
    assert checked_items(Prompt([OtherItem(type="function_call", **fields), OUTPUT])) == [CALL, OUTPUT]


def test_an_odd_item_with_an_id_came_from_a_server_and_goes_back_as_it_is():
    odd = parse_item({"type": "message", "id": "msg_1", "role": "assistant", "content": 5})
    assert isinstance(odd, OtherItem)
    assert checked_items(Prompt([USER, odd])) == [USER, odd]


EMPTY: list[Prompt] = [
    Prompt(""),
    Prompt(" \n"),
    Prompt([]),
    Prompt([GHOST]),
    Prompt([Message.user()]),
    Prompt([Message.user("", " "), GHOST, Message.assistant("")]),
]


@pytest.mark.parametrize("prompt", EMPTY, ids=repr)
def test_empty_input_is_refused_unless_something_else_stands_for_it(prompt: Prompt):
    with pytest.raises(InvalidPayloadError, match=r"^the prompt's input is empty; give it a message"):
        checked_items(prompt)
    assert checked_items(prompt, may_be_empty=True) == []


def test_ghost_snapshots_stay_at_home():
    assert checked_items(Prompt([GHOST, USER, GHOST])) == [USER]
