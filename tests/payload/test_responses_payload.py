"""The body of `POST /responses`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from codex_client.errors import InvalidPayloadError
from codex_client.items import (
    Compaction,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputFile,
    InputImage,
    InputText,
    LocalShellCall,
    Message,
    OutputText,
    Reasoning,
    ReasoningText,
    Refusal,
    ResponseItem,
    SummaryText,
    WebSearchCall,
    parse_item,
)
from codex_client.model_provider import ModelProviderInfo, azure_provider, built_in_providers
from codex_client.payload.encode import encode_payload
from codex_client.payload.responses import ResponsesPayloadBuilder
from codex_client.prompt import CustomTool, FunctionTool, Prompt, RawTool, ReasoningOptions
from codex_client.testing.request_checker import check_responses_request

BUILT_IN = built_in_providers()
OPENAI = BUILT_IN["openai"]
OTHER = ModelProviderInfo(name="vllm", base_url="http://localhost:8000/v1")
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


def item_as_sent(item: ResponseItem, **options: Any) -> dict[str, Any]:
    return ResponsesPayloadBuilder(model="gpt-5", provider=options.pop("provider", OPENAI), **options).build(
        Prompt([Message.user("hi"), item], previous_response_id=options.pop("previous", None))
    )["input"][1]


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
    body = build(Prompt("hi", reasoning=options))
    assert (body["reasoning"], body["include"]) == (expected, ["reasoning.encrypted_content"])


def test_the_prompts_reasoning_goes_before_the_clients():
    client = ReasoningOptions("high", "auto")
    assert build(Prompt("hi"), reasoning=client)["reasoning"] == {"effort": "high", "summary": "auto"}
    assert build(Prompt("hi", reasoning=ReasoningOptions("low")), reasoning=client)["reasoning"] == {"effort": "low"}


def test_the_conversation_is_the_default_cache_key():
    assert build(Prompt("hi"), conversation_id="conv")["prompt_cache_key"] == "conv"
    assert build(Prompt("hi", prompt_cache_key="key"), conversation_id="conv")["prompt_cache_key"] == "key"


def test_a_schema_given_as_json_is_sent_as_it_is():
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


# Item ids.

CALL = FunctionCall(id="fc_1", call_id="c1", name="f", arguments='{"a": 1}', status="completed")
SHELL = LocalShellCall(
    id="lsh_1", call_id="c3", status="completed", action={"type": "exec", "command": ["ls"], "env": {}}
)
HISTORY: Sequence[ResponseItem] = [
    Message.user("hi"),
    Reasoning(id="rs_1", summary=[SummaryText(text="s")], encrypted_content="gAAA"),
    Message(id="msg_1", role="assistant", content="a", status="completed", phase="commentary"),
    WebSearchCall(id="ws_1", status="completed", action={"type": "search", "query": "q"}),
    CALL,
    CustomToolCall(id="ctc_1", call_id="c2", name="c", input="raw"),
    SHELL,
    FunctionCallOutput(id="fco_1", call_id="c1", output=""),
    CustomToolCallOutput(id="ctco_1", call_id="c2", output="2"),
    FunctionCallOutput(id="fco_3", call_id="c3", output=[InputText(text="t"), InputImage(image_url="data:,")]),
    Compaction(id="cmp_1", encrypted_content="gBBB"),
    parse_item({"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "aGk="}),
]
WITH_IDS = [
    HI,
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "s"}],
        "encrypted_content": "gAAA",
    },
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "a"}],
        "status": "completed",
        "phase": "commentary",
    },
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
    {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "c1",
        "name": "f",
        "arguments": '{"a": 1}',
        "status": "completed",
    },
    {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c2", "name": "c", "input": "raw"},
    {
        "type": "local_shell_call",
        "id": "lsh_1",
        "call_id": "c3",
        "status": "completed",
        "action": {"type": "exec", "command": ["ls"], "env": {}},
    },
    {"type": "function_call_output", "id": "fco_1", "call_id": "c1", "output": ""},
    {"type": "custom_tool_call_output", "id": "ctco_1", "call_id": "c2", "output": "2"},
    {
        "type": "function_call_output",
        "id": "fco_3",
        "call_id": "c3",
        "output": [{"type": "input_text", "text": "t"}, {"type": "input_image", "image_url": "data:,"}],
    },
    {"type": "compaction", "id": "cmp_1", "encrypted_content": "gBBB"},
    {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "aGk="},
]
# Items that the server keeps no trace of without `store`: their ids would be looked up and not be found.
WITHOUT_IDS = [
    {key: field for key, field in item.items() if key != "id"}
    if item["type"] not in ("compaction", "image_generation_call")
    else item
    for item in WITH_IDS
]


@pytest.mark.parametrize("provider", [OPENAI, BUILT_IN["chatgpt"], azure_provider("mine"), OTHER], ids=lambda p: p.name)
def test_item_ids_stay_at_home_when_the_server_keeps_nothing(provider: ModelProviderInfo):
    assert build(Prompt(HISTORY), provider=provider)["input"] == WITHOUT_IDS


@pytest.mark.parametrize("provider", [OPENAI, azure_provider("mine")], ids=lambda p: p.name)
def test_item_ids_are_sent_to_a_server_that_keeps_them(provider: ModelProviderInfo):
    assert build(Prompt(HISTORY), provider=provider, store=True)["input"] == WITH_IDS
    assert build(Prompt(HISTORY, previous_response_id="resp_1"), provider=provider)["input"] == WITH_IDS
    assert build(Prompt(HISTORY, extra={"conversation": "conv_1"}), provider=provider)["input"] == WITH_IDS


@pytest.mark.parametrize("item_id", ["", None], ids=["empty", "null"])
def test_an_id_that_is_none_is_never_sent(item_id: str | None):
    item = Message(id=item_id, role="assistant", content="a")
    assert item_as_sent(item, store=True) == {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "a"}],
    }


def test_a_shell_call_without_a_call_id_gets_its_id_for_one():
    shell = LocalShellCall(id="lsh_1", status="completed", action={"type": "exec", "command": ["ls"]})
    prompt = Prompt([shell, FunctionCallOutput(call_id="lsh_1", output="")])
    assert build(prompt)["input"][0] == {
        "type": "local_shell_call",
        "status": "completed",
        "action": {"type": "exec", "command": ["ls"]},
        "call_id": "lsh_1",
    }


# Reasoning.

RAW = [ReasoningText(text="hm"), ReasoningText(type="text", text="…")]


@pytest.mark.parametrize(
    "item, openai, other",
    [
        pytest.param(
            Reasoning(id="rs_1", content=RAW, encrypted_content="gAAA"),
            {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"},
            {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"},
            id="encrypted_says_it_already",
        ),
        pytest.param(
            Reasoning(id="rs_1", content=RAW),
            None,
            {
                "type": "reasoning",
                "content": [{"type": "reasoning_text", "text": "hm"}, {"type": "text", "text": "…"}],
                "summary": [],
            },
            id="raw_text_is_all_there_is",
        ),
        pytest.param(
            Reasoning(content=None, encrypted_content="gAAA", summary=[], status=None),
            {"type": "reasoning", "content": None, "encrypted_content": "gAAA", "summary": []},
            {"type": "reasoning", "content": None, "encrypted_content": "gAAA", "summary": []},
            id="null_status_is_left_out",
        ),
        pytest.param(
            Reasoning(status="completed", summary=[SummaryText(text="s")]),
            {"type": "reasoning", "status": "completed", "summary": [{"type": "summary_text", "text": "s"}]},
            {"type": "reasoning", "status": "completed", "summary": [{"type": "summary_text", "text": "s"}]},
            id="a_summary_alone",
        ),
        pytest.param(
            Reasoning(id="rs_1", encrypted_content=None, status="completed", content=[]), None, None, id="nothing"
        ),
        pytest.param(
            parse_item({"type": "reasoning", "summary": [], "reasoning_details": [{"type": "reasoning.text"}]}),
            None,
            None,
            id="details_of_a_chat_server",
        ),
    ],
)
def test_of_reasoning_goes_back_what_the_server_takes(
    item: Reasoning, openai: dict[str, Any] | None, other: dict[str, Any] | None
):
    prompt = Prompt([item, Message.user("hi")])
    for provider, expected in ((OPENAI, openai), (OTHER, other)):
        body = ResponsesPayloadBuilder(model="m", provider=provider).build(prompt)
        assert body["input"] == ([HI] if expected is None else [expected, HI])


def test_a_bare_reasoning_item_is_sent_where_its_id_says_enough():
    assert item_as_sent(Reasoning(id="rs_1"), store=True) == {"type": "reasoning", "id": "rs_1", "summary": []}


# Content.


def test_images_and_files_are_sent_as_given():
    parts = [
        InputImage.from_bytes(b"hi", "image/png", detail="high"),
        InputImage(file_id="file_1"),
        InputFile.from_bytes(b"hi", "text/plain", filename="a.txt"),
        InputFile(file_url="https://a.example/b.pdf"),
    ]
    assert build(Prompt([Message.user("see", *parts)]))["input"][0]["content"] == [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "high"},
        {"type": "input_image", "file_id": "file_1"},
        {"type": "input_file", "file_data": "data:text/plain;base64,aGk=", "filename": "a.txt"},
        {"type": "input_file", "file_url": "https://a.example/b.pdf"},
    ]


@pytest.mark.parametrize(
    "item, message",
    [
        pytest.param(
            Message(role="assistant", content=[InputText(text="a")]),
            "input[0], a message of the assistant, has a part of type input_text, which belongs to the other side; "
            "use OutputText",
            id="assistant_with_input",
        ),
        pytest.param(
            Message(role="developer", content=[OutputText(text="a")]),
            "input[0], a message of the developer, has a part of type output_text, which belongs to the other side; "
            "use InputText",
            id="developer_with_output",
        ),
        pytest.param(
            Message(role="user", content=[Refusal(refusal="no")]),
            "input[0], a message of the user, has a part of type refusal, which belongs to the other side; "
            "use InputText",
            id="user_with_refusal",
        ),
        pytest.param(
            CustomToolCallOutput(call_id="c1", output=[OutputText(text="a")]),
            "input[0], a tool's output, has a part of type output_text, which belongs to the other side; use InputText",
            id="tool_with_output",
        ),
    ],
)
def test_parts_of_the_wrong_side_are_refused(item: ResponseItem, message: str):
    with pytest.raises(InvalidPayloadError) as caught:
        build(Prompt([item], previous_response_id="resp_1"))
    assert str(caught.value) == message


def test_unknown_items_and_parts_are_sent_as_they_came():
    item = {"type": "new_item", "id": "new_1", "nested": {"a": [1, None]}, "status": None}
    part = {"type": "input_scent", "scent": "rose"}
    assert item_as_sent(parse_item(item)) == item
    assert item_as_sent(parse_item({"role": "user", "content": [part]}))["content"] == [part]


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
