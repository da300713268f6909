"""Items on their way into a Responses body: ids, reasoning, content."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

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
from codex_client.prompt import Prompt
from codex_client.testing.request_checker import check_responses_request

BUILT_IN = built_in_providers()
OPENAI = BUILT_IN["openai"]
OTHER = ModelProviderInfo(name="vllm", base_url="http://localhost:8000/v1")
HI = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}


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


@pytest.mark.parametrize("provider", [OPENAI, azure_provider("mine"), OTHER], ids=lambda p: p.name)
def test_item_ids_stay_at_home_when_the_server_keeps_nothing(provider: ModelProviderInfo):
    assert build(Prompt(HISTORY), provider=provider)["input"] == WITHOUT_IDS


def test_f6_a_server_that_never_keeps_anything_is_sent_no_id_at_all():
    sent = ResponsesPayloadBuilder(model="gpt-5", provider=BUILT_IN["chatgpt"]).build(Prompt(HISTORY))["input"]
    assert sent == [{key: field for key, field in item.items() if key != "id"} for item in WITH_IDS]


@pytest.mark.parametrize("provider", [OPENAI, BUILT_IN["chatgpt"]], ids=lambda p: p.name)
def test_the_id_of_a_shells_output_is_its_calls_and_stays(provider: ModelProviderInfo):
    output = {"type": "local_shell_call_output", "id": "lsh_1", "output": ""}
    prompt = Prompt([Message.user("hi"), LocalShellCall(id="lsh_1", action={}), output])
    assert ResponsesPayloadBuilder(model="gpt-5", provider=provider).build(prompt)["input"][2] == output


@pytest.mark.parametrize("provider", [OPENAI, azure_provider("mine")], ids=lambda p: p.name)
def test_item_ids_are_sent_to_a_server_that_keeps_them(provider: ModelProviderInfo):
    assert build(Prompt(HISTORY), provider=provider, store=True)["input"] == WITH_IDS
    assert build(Prompt(HISTORY, previous_response_id="resp_1"), provider=provider)["input"] == WITH_IDS
    assert build(Prompt(HISTORY, extra={"conversation": "conv_1"}), provider=provider)["input"] == WITH_IDS
    assert build(Prompt(HISTORY, extra={"store": True}), provider=provider)["input"] == WITH_IDS
    assert build(Prompt(HISTORY, extra={"store": False}), provider=provider, store=True)["input"] == WITHOUT_IDS


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
