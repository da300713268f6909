"""A turn's content as the GenAI conventions write it: every item, every tool, every way that an answer ends."""

from __future__ import annotations

import json

import pytest

from codex_client.aggregate import CollectedResponse
from codex_client.api import TurnEnded
from codex_client.client.telemetry_content import input_content, output_content
from codex_client.errors import (
    CodexError,
    IncompleteResponseError,
)
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
    OtherContent,
    OtherItem,
    OutputText,
    Reasoning,
    ReasoningText,
    Refusal,
    ResponseItem,
    SummaryText,
    WebSearchCall,
)
from codex_client.prompt import CustomTool, Prompt, RawTool


def answered(*items: ResponseItem) -> CollectedResponse:
    return CollectedResponse(response_id="resp_1", items=items)


def test_a_prompt_of_text_alone_is_one_message():
    assert input_content(Prompt("hi")) == {
        "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]'
    }


def test_every_item_becomes_a_message_of_typed_parts():
    items: list[ResponseItem] = [
        Message.developer("be brief"),
        Message.user(
            "look",
            InputImage(image_url="https://example.com/a.png"),
            InputImage.from_bytes(b"png", "image/png"),
            InputImage(file_id="file_1"),
            InputFile.from_bytes(b"pdf", "application/pdf", filename="a.pdf"),
            InputFile(file_url="https://example.com/a.pdf"),
            InputFile(),
            OtherContent.model_validate({"type": "input_audio", "format": "wav"}),
        ),
        Reasoning(summary=[SummaryText(text="short")], content=[ReasoningText(text="long")], encrypted_content="gAAA"),
        Reasoning(),
        Message(role="assistant", content=[OutputText(text="yes"), Refusal(refusal="no")]),
        FunctionCall(call_id="call_1", name="get_weather", arguments='{"city":"Oslo"}'),
        FunctionCall(call_id="call_2", name="get_weather", arguments='{"city":'),
        FunctionCallOutput(call_id="call_1", output="rain"),
        FunctionCallOutput(call_id="call_2", output=[InputText(text="snow")]),
        CustomToolCall(call_id="call_3", name="patch", input="*** Begin"),
        CustomToolCallOutput(call_id="call_3", output="done"),
        LocalShellCall(call_id="call_4", action={"type": "exec", "command": ["ls"]}),
        WebSearchCall(id="ws_1", action={"type": "search", "query": "oslo"}),
        Compaction(id="cmp_1", encrypted_content="gAAA"),
        OtherItem.model_validate({"type": "hologram", "size": 3}),
    ]
    tools = [CustomTool("patch"), RawTool({"type": "web_search"}), RawTool({"type": "mcp", "name": "files"})]
    content = input_content(Prompt(items, tools=tools))
    messages = [(message["role"], message["parts"]) for message in json.loads(content["gen_ai.input.messages"])]
    shell = {"type": "exec", "command": ["ls"]}
    search = {"type": "web_search", "action": {"type": "search", "query": "oslo"}}
    assert messages == [
        ("developer", [{"type": "text", "content": "be brief"}]),
        (
            "user",
            [
                {"type": "text", "content": "look"},
                {"type": "uri", "modality": "image", "uri": "https://example.com/a.png"},
                {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "cG5n"},
                {"type": "file", "modality": "image", "file_id": "file_1"},
                {"type": "blob", "modality": "document", "mime_type": "application/pdf", "content": "cGRm"},
                {"type": "uri", "modality": "document", "uri": "https://example.com/a.pdf"},
                {"type": "file", "modality": "document", "file_id": ""},
                {"type": "input_audio", "format": "wav"},
            ],
        ),
        ("assistant", [{"type": "reasoning", "content": "short"}, {"type": "reasoning", "content": "long"}]),
        ("assistant", []),
        ("assistant", [{"type": "text", "content": "yes"}, {"type": "refusal", "content": "no"}]),
        ("assistant", [{"type": "tool_call", "id": "call_1", "name": "get_weather", "arguments": {"city": "Oslo"}}]),
        ("assistant", [{"type": "tool_call", "id": "call_2", "name": "get_weather", "arguments": '{"city":'}]),
        ("tool", [{"type": "tool_call_response", "id": "call_1", "response": "rain"}]),
        ("tool", [{"type": "tool_call_response", "id": "call_2", "response": [{"type": "text", "content": "snow"}]}]),
        ("assistant", [{"type": "tool_call", "id": "call_3", "name": "patch", "arguments": "*** Begin"}]),
        ("tool", [{"type": "tool_call_response", "id": "call_3", "response": "done"}]),
        ("assistant", [{"type": "tool_call", "id": "call_4", "name": "local_shell", "arguments": shell}]),
        ("assistant", [{"type": "server_tool_call", "id": "ws_1", "name": "web_search", "server_tool_call": search}]),
        ("assistant", [{"type": "compaction", "id": "cmp_1"}]),
        ("assistant", [{"type": "hologram", "size": 3}]),
    ]
    assert json.loads(content["gen_ai.tool.definitions"]) == [
        {"type": "custom", "name": "patch"},
        {"type": "web_search", "name": "web_search"},
        {"type": "mcp", "name": "files"},
    ]


CALL = FunctionCall(call_id="call_1", name="f", arguments="{}")
ANSWER = Message.assistant("hello")


@pytest.mark.parametrize(
    "record, finish_reason",
    [
        pytest.param(TurnEnded(1.0, response=answered(ANSWER)), "stop", id="an_answer"),
        pytest.param(TurnEnded(1.0, response=answered(ANSWER, CALL)), "tool_call", id="a_call"),
        pytest.param(TurnEnded(1.0, finish_reason="tool_calls", response=answered(CALL)), "tool_call", id="chats_word"),
        pytest.param(TurnEnded(1.0, finish_reason="eos", response=answered(ANSWER)), "eos", id="a_word_of_the_servers"),
        pytest.param(TurnEnded(1.0, cancelled=True, response=answered(ANSWER)), "cancelled", id="left"),
        pytest.param(TurnEnded(1.0, error=CodexError("x"), response=answered(ANSWER)), "error", id="failed"),
        pytest.param(
            TurnEnded(1.0, error=IncompleteResponseError("x", reason="max_output_tokens", partial=answered(ANSWER))),
            "length",
            id="cut_short_with_the_answer_on_the_error",
        ),
    ],
)
def test_the_answer_is_one_message_with_its_finish_reason(record: TurnEnded, finish_reason: str):
    (message,) = json.loads(output_content(record)["gen_ai.output.messages"])
    assert (message["role"], message["finish_reason"]) == ("assistant", finish_reason)
    assert len(message["parts"]) == len((record.response or answered(ANSWER)).items)


@pytest.mark.parametrize(
    "record",
    [TurnEnded(1.0), TurnEnded(1.0, response=answered()), TurnEnded(1.0, error=CodexError("no answer"))],
    ids=["nothing_known", "nothing_said", "failed_before_any_output"],
)
def test_without_output_there_is_no_output_message(record: TurnEnded):
    assert output_content(record) == {}


@pytest.mark.parametrize(
    "item, finish_reason, part",
    [
        pytest.param(
            FunctionCall(call_id="1", name="f", arguments="[" * 100_000),
            "tool_call",
            {"type": "tool_call", "id": "1", "name": "f", "arguments": "[" * 100_000},
            id="arguments_nested_without_end",
        ),
        pytest.param(
            LocalShellCall(call_id="1", action={"type": "exec", "command": {"ls"}}),
            "stop",
            {"type": "tool_call", "id": "1", "name": "local_shell", "arguments": {"type": "exec", "command": "{'ls'}"}},
            id="a_value_that_json_does_not_know",
        ),
        pytest.param(
            Message.assistant("half an emoji \ud83d"),
            "stop",
            {"type": "text", "content": "half an emoji ?"},
            id="a_lone_surrogate",
        ),
    ],
)
def test_content_that_cannot_be_written_is_written_as_well_as_can_be(
    item: ResponseItem, finish_reason: str, part: dict[str, object]
):
    text = output_content(TurnEnded(1.0, response=answered(item)))["gen_ai.output.messages"]
    assert json.loads(text.encode("utf-8")) == [{"role": "assistant", "parts": [part], "finish_reason": finish_reason}]
