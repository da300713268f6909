"""History as Chat messages: steps, reasoning, content."""

from __future__ import annotations

from typing import Any

import pytest

from codex_client.errors import InvalidPayloadError, UnsupportedOperationError
from codex_client.items import (
    Compaction,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCallOutput,
    LocalShellCall,
    Message,
    OtherItem,
    Reasoning,
    ReasoningText,
    ResponseItem,
    SummaryText,
    WebSearchCall,
    dump_item,
    parse_item,
)
from codex_client.payload.chat_messages import chat_messages
from tests.support.chat_history import HI, USER, Messages, accepted, answered, call, called, messages, output, said
from tests.support.scenarios import holds


def thought(text: str, **fields: Any) -> Reasoning:
    return Reasoning(summary=[], content=[ReasoningText(text=text)], **fields)


# Roles and steps.


def test_instructions_come_first_and_developers_speak_as_the_system():
    assert accepted(Message.developer("a"), Message.system("b"), USER, instructions="be brief") == [
        {"role": "system", "content": "be brief"},
        {"role": "system", "content": "a"},
        {"role": "system", "content": "b"},
        HI,
    ]


def test_text_and_calls_of_a_step_are_one_message():
    assert accepted(USER, Message.assistant("let me"), call(1), call(2), output(1), output(2)) == [
        HI,
        said("let me", called(1), called(2)),
        answered(1),
        answered(2),
    ]


def test_calls_without_text_have_null_content():
    assert accepted(USER, call(1), output(1), call(2), output(2)) == [
        HI,
        said(None, called(1)),
        answered(1),
        said(None, called(2)),
        answered(2),
    ]


def test_text_after_a_call_joins_the_message_of_the_call():
    assert accepted(USER, call(1), Message.assistant("wait"), output(1)) == [HI, said("wait", called(1)), answered(1)]


def test_the_calls_of_a_step_stand_on_its_last_message():
    built = accepted(USER, Message.assistant("a"), call(1), Message.assistant("b"), call(2), output(2), output(1))
    assert built == [HI, said("a"), said("b", called(1), called(2)), answered(1), answered(2)]


def test_an_output_is_brought_up_to_its_call():
    built = accepted(call(1), call(2), output(1), call(3), USER, output(3), output(2), Message.assistant("done"))
    assert built == [
        said(None, called(1), called(2)),
        answered(1),
        answered(2),
        said(None, called(3)),
        answered(3),
        HI,
        said("done"),
    ]


def test_a_message_right_after_its_double_is_not_repeated():
    double = Message.assistant("done")
    assert accepted(USER, double, double, thought("hm"), double) == [HI, said("done", reasoning="hm")]


def test_doubles_under_ids_of_their_own_are_two_messages():
    first, second = (Message(id=own, role="assistant", content="done") for own in ("msg_1", "msg_2"))
    assert accepted(USER, first, first, second) == [HI, said("done"), said("done")]


@pytest.mark.parametrize("stray", ["role", "content", "tool_call_id", "tool_calls", "function"])
def test_unknown_fields_never_replace_what_the_item_says(stray: str):
    built = messages(
        *(
            parse_item({stray: "other", **dump_item(item)})
            for item in (USER, Message.assistant("ok"), call(1), output(1))
        )
    )
    holds(built, [HI, said("ok", called(1)), answered(1)])


def test_unknown_fields_never_replace_a_custom_call():
    custom = parse_item({"type": "custom_tool_call", "call_id": "c1", "name": "g", "input": "raw", "custom": 5})
    built = chat_messages([custom, output(1)], instructions="", reasoning_field="", tool_media=False, custom_calls=True)
    assert built[0]["tool_calls"] == [{"id": "c1", "type": "custom", "custom": {"name": "g", "input": "raw"}}]


@pytest.mark.parametrize(
    "between, messages_between",
    [
        pytest.param([USER], [HI], id="user"),
        pytest.param([Message.assistant("no")], [said("no")], id="other_text"),
        pytest.param([call(1), output(1)], [], id="call"),
    ],
)
def test_a_message_that_comes_again_later_is_kept(between: list[ResponseItem], messages_between: Messages):
    done = Message.assistant("done")
    first = said("done", called(1)) if between[0] == call(1) else said("done")
    after = [answered(1)] if between[0] == call(1) else messages_between
    assert accepted(USER, done, *between, done) == [HI, first, *after, said("done")]


def test_an_assistant_message_that_says_nothing_is_left_out():
    empty = Message(role="assistant", content=[])
    assert accepted(USER, empty, call(1), output(1), Message.assistant("")) == [HI, said(None, called(1)), answered(1)]
    assert accepted(USER, thought("hm"), empty) == [HI, said("", reasoning="hm")]
    assert accepted(USER, thought("hm"), empty, call(1), output(1)) == [
        HI,
        said(None, called(1), reasoning="hm"),
        answered(1),
    ]


# Calls of other kinds.

ACTION: dict[str, Any] = {"type": "exec", "command": ["ls", "é"]}


def test_custom_and_shell_calls_become_function_calls_with_json_arguments():
    items = [
        CustomToolCall(call_id="c1", name="patch", input='a "b"\n'),
        LocalShellCall(call_id="c2", action=ACTION, status="completed"),
        LocalShellCall(id="c3", action=ACTION, status="completed"),
        CustomToolCallOutput(call_id="c1", output="1"),
        FunctionCallOutput(call_id="c2", output="2"),
        parse_item({"type": "local_shell_call_output", "id": "c3", "output": "3", "status": "completed"}),
    ]
    shell = {"name": "shell", "arguments": '{"type":"exec","command":["ls","é"]}'}
    assert accepted(*items) == [
        said(
            None,
            {
                "id": "c1",
                "type": "function",
                "function": {"name": "patch", "arguments": '{"input":"a \\"b\\"\\n"}'},
            },
            {"id": "c2", "type": "function", "function": shell},
            {"id": "c3", "type": "function", "function": shell},
        ),
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "tool", "tool_call_id": "c2", "content": "2"},
        {"role": "tool", "tool_call_id": "c3", "content": "3"},
    ]


@pytest.mark.parametrize(
    "arguments, sent",
    [
        pytest.param("", "{}", id="none"),
        pytest.param(" \n", "{}", id="blank"),
        pytest.param('{"a": 1}', '{"a": 1}', id="as_they_came"),
        pytest.param('{"a": ', '{"a": ', id="broken_ones_too"),
    ],
)
def test_arguments_are_sent_as_the_model_wrote_them_unless_there_are_none(arguments: str, sent: str):
    assert accepted(call(1, arguments), output(1))[0] == said(None, called(1, sent))


def test_a_shell_action_that_is_no_json_is_refused():
    shell = LocalShellCall(call_id="c1", action={"timeout_ms": float("nan")})
    with pytest.raises(InvalidPayloadError, match=r"^call 'c1'.timeout_ms is nan; JSON has finite numbers only$"):
        messages(shell, output(1))


def test_searches_and_odd_reasoning_are_left_out():
    items = [
        WebSearchCall(id="ws_1", status="completed"),
        parse_item({"type": "web_search_call", "id": "ws_2", "action": 5}),
        parse_item({"type": "reasoning", "id": "rs_1", "summary": 5}),
    ]
    assert accepted(USER, *items, Message.assistant("found")) == [HI, said("found")]


@pytest.mark.parametrize(
    "item, message",
    [
        pytest.param(
            OtherItem(type="file_search_call", id="fs_1"),
            "the input holds an item of type 'file_search_call', for which the Chat Completions API has no form; "
            "leave it out, or say in a message what it says",
            id="type_that_is_not_known",
        ),
        pytest.param(
            parse_item({"type": "message", "id": "msg_1", "role": "assistant", "content": 5}),
            "the input holds an item of type 'message' in a shape that this library does not know, "
            "for which the Chat Completions API has no form; leave it out, or say in a message what it says",
            id="shape_that_is_not_known",
        ),
    ],
)
def test_what_has_no_form_is_refused_and_not_dropped(item: ResponseItem, message: str):
    with pytest.raises(UnsupportedOperationError) as caught:
        messages(USER, item)
    assert str(caught.value) == message


def test_a_compaction_is_refused():
    with pytest.raises(UnsupportedOperationError) as caught:
        messages(Compaction(encrypted_content="gAAA"), USER)
    assert str(caught.value) == (
        "the input holds a compaction, which only the Responses API that wrote it can read; "
        "send the history that it replaced, or a summary in a message"
    )


# Reasoning.

ANSWER, DONE = Message.assistant("a"), Message.assistant("done")

ANCHORS: dict[str, tuple[list[ResponseItem], Messages]] = {
    "message_before": ([USER, ANSWER, thought("hm")], [HI, said("a", reasoning="hm")]),
    "several_after_one": ([USER, ANSWER, thought("x"), thought("y")], [HI, said("a", reasoning="xy")]),
    "last_of_all_after_an_output": (
        [USER, call(1), output(1), thought("hm")],
        [HI, said(None, called(1)), answered(1)],
    ),
    "message_before_goes_first": (
        [USER, ANSWER, thought("hm"), Message.assistant("b")],
        [HI, said("a", reasoning="hm"), said("b")],
    ),
    "message_after": ([USER, thought("hm"), ANSWER], [HI, said("a", reasoning="hm")]),
    "call_after": (
        [USER, thought("hm"), call(1), output(1)],
        [HI, said(None, called(1), reasoning="hm"), answered(1)],
    ),
    "custom_call_after": (
        [
            USER,
            thought("hm"),
            CustomToolCall(call_id="c1", name="f1", input=""),
            CustomToolCallOutput(call_id="c1", output="out 1"),
        ],
        [HI, said(None, called(1, '{"input":""}'), reasoning="hm"), answered(1)],
    ),
    "shell_call_after": (
        [USER, thought("hm"), LocalShellCall(call_id="c1", action={}), output(1)],
        [
            HI,
            said(None, {**called(1), "function": {"name": "shell", "arguments": "{}"}}, reasoning="hm"),
            answered(1),
        ],
    ),
    "several_for_one": (
        [USER, thought("a"), thought("b"), ANSWER, thought("c")],
        [HI, said("a", reasoning="abc")],
    ),
    "each_step_its_own": (
        [USER, thought("x"), call(1), output(1), thought("y"), DONE],
        [HI, said(None, called(1), reasoning="x"), answered(1), said("done", reasoning="y")],
    ),
    "joined_with_a_new_line_where_a_step_has_several": (
        [USER, thought("x"), call(1), thought("y"), call(2), output(1), output(2)],
        [HI, said(None, called(1), called(2), reasoning="x\ny"), answered(1), answered(2)],
    ),
    "text_and_call_of_a_step": (
        [USER, thought("x"), call(1), thought("y"), ANSWER, output(1)],
        [HI, said("a", called(1), reasoning="y\nx"), answered(1)],
    ),
    "no_anchor": ([USER, thought("hm"), Message.developer("b")], [HI, {"role": "system", "content": "b"}]),
    "nothing_around": ([thought("hm")], []),
    "only_an_output_around": (
        [call(1), output(1), thought("hm"), Message.system("b")],
        [said(None, called(1)), answered(1), {"role": "system", "content": "b"}],
    ),
    "before_the_last_user_message": (
        [USER, thought("x"), ANSWER, USER, thought("y"), DONE],
        [HI, said("a"), HI, said("done", reasoning="y")],
    ),
    "user_has_the_last_word": ([USER, thought("x"), ANSWER, USER], [HI, said("a"), HI]),
    "user_and_then_a_thought_alone": ([ANSWER, USER, thought("x")], [said("a"), HI]),
    "blank": ([USER, thought(" \n"), ANSWER], [HI, said("a")]),
    "only_a_summary": ([USER, Reasoning(summary=[SummaryText(text="s")]), ANSWER], [HI, said("a")]),
    "other_work_in_between_does_not_count": (
        [USER, thought("hm"), WebSearchCall(id="ws_1"), ANSWER],
        [HI, said("a", reasoning="hm")],
    ),
}


@pytest.mark.parametrize("items, expected", list(ANCHORS.values()), ids=list(ANCHORS))
def test_reasoning_goes_with_the_message_it_led_to(items: list[ResponseItem], expected: Messages):
    assert messages(*items) == expected


def test_servers_of_deepseeks_kind_get_all_of_it():
    items = [USER, thought("x"), call(1), output(1), thought("y"), ANSWER, USER]
    assert accepted(*items, reasoning_field="reasoning_content") == [
        HI,
        said(None, called(1), reasoning_content="x"),
        answered(1),
        said("a", reasoning_content="y"),
        HI,
    ]


def test_no_reasoning_goes_to_a_server_that_takes_none():
    details = [{"type": "reasoning.text", "text": "hm"}]
    assert accepted(USER, thought("hm", reasoning_details=details), ANSWER, reasoning_field="") == [HI, said("a")]


def test_reasoning_details_go_back_as_they_came():
    first, second = {"type": "reasoning.encrypted", "data": "AA=="}, {"type": "reasoning.text", "signature": "BB=="}
    encrypted = parse_item({"type": "reasoning", "summary": [], "reasoning_details": [first]})
    signed = thought("hm", reasoning_details=[second])
    assert accepted(USER, encrypted, call(1), signed, call(2), output(1), output(2)) == [
        HI,
        said(None, called(1), called(2), reasoning="hm", reasoning_details=[first, second]),
        answered(1),
        answered(2),
    ]
    assert accepted(USER, thought("hm", reasoning_details="odd"), ANSWER) == [HI, said("a", reasoning="hm")]
