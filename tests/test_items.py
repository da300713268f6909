"""Items survive the round trip through history, whatever a server put into them."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

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
    SummaryText,
    WebSearchCall,
    dump_item,
    output_text,
    parse_item,
)

WIRE_ITEMS: list[tuple[dict[str, Any], type]] = [
    ({"type": "message", "id": "msg_1", "role": "assistant", "content": [], "phase": "final_answer"}, Message),
    (
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}],
        },
        Message,
    ),
    ({"type": "message", "role": "user", "content": [{"type": "input_image", "file_id": "file_1"}]}, Message),
    ({"type": "message", "role": "user", "content": [{"type": "input_audio", "input_audio": {"d": 1}}]}, Message),
    ({"type": "reasoning", "id": "rs_1", "summary": [], "content": None, "encrypted_content": "gAAA"}, Reasoning),
    ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "s"}], "reasoning_details": [1]}, Reasoning),
    ({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "namespace": "n"}, FunctionCall),
    ({"type": "function_call_output", "call_id": "c", "output": "text"}, FunctionCallOutput),
    (
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "t"}]},
        FunctionCallOutput,
    ),
    ({"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "raw"}, CustomToolCall),
    ({"type": "custom_tool_call_output", "call_id": "c", "output": "raw"}, CustomToolCallOutput),
    ({"type": "local_shell_call", "call_id": "c", "action": {"type": "exec", "command": ["ls"]}}, LocalShellCall),
    ({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}, WebSearchCall),
    ({"type": "compaction", "encrypted_content": "x"}, Compaction),
    ({"type": "compaction_summary", "encrypted_content": "x"}, Compaction),
    ({"type": "mcp_list_tools", "tools": [{"name": "t"}]}, OtherItem),
    ({"type": "message", "role": "assistant"}, OtherItem),
    ({"type": "function_call", "name": 7}, OtherItem),
]


@pytest.mark.parametrize("wire, kind", WIRE_ITEMS)
def test_an_item_of_the_wire_is_given_back_as_it_came(wire: dict[str, Any], kind: type) -> None:
    item = parse_item(wire)
    assert type(item) is kind
    assert dump_item(item) == wire
    assert next(iter(dump_item(item))) == "type"
    assert pickle.loads(pickle.dumps(item)) == item


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=6,
)
kinds = st.sampled_from([wire["type"] for wire, _ in WIRE_ITEMS] + ["unheard_of"])


@given(kinds, st.dictionaries(st.sampled_from(["id", "role", "content", "summary", "x"]), json_values))
def test_no_object_with_a_type_is_refused_or_loses_a_field(kind: str, fields: dict[str, Any]) -> None:
    wire = {"type": kind, **fields}
    if not isinstance(fields.get("id"), str | None):
        wire.pop("id")
    assert set(dump_item(parse_item(wire))) == set(wire)


def test_the_short_form_of_a_message_needs_no_type() -> None:
    assert parse_item({"role": "user", "content": "hi"}) == Message.user("hi")


def test_an_object_without_type_and_role_is_refused() -> None:
    with pytest.raises(ValidationError):
        parse_item({"text": "?"})


def test_something_that_is_no_object_is_refused_as_content() -> None:
    with pytest.raises(ValidationError):
        Message.model_validate({"role": "user", "content": [7]})


def test_a_string_as_content_becomes_the_part_of_its_side() -> None:
    assert Message.user("q").content == [InputText(text="q")]
    assert Message.developer("d").content == [InputText(text="d")]
    assert Message.system("s").content == [InputText(text="s")]
    assert Message.assistant("a").content == [OutputText(text="a")]
    assert Message(role="assistant", content="a") == Message.assistant("a")
    assert Message(role="user", content="q") == Message.user("q")
    assert dump_item(Message(role="user", content="q")) == {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "q"}],
    }


def test_a_string_as_content_is_read_from_json_too() -> None:
    for role, message in (("user", Message.user("a")), ("assistant", Message.assistant("a"))):
        # The content may stand before the role that decides on it.
        assert parse_item({"content": "a", "role": role}) == message
        assert Message.model_validate({"type": "message", "content": "a", "role": role}) == message
        assert Message.model_validate_json(f'{{"content": "a", "role": "{role}"}}') == message


def test_a_field_of_ones_own_survives_beside_a_string_as_content() -> None:
    fields = {"type": "message", "role": "user", "content": "a", "mine": 1}
    assert dump_item(parse_item(fields)) == {**fields, "content": [{"type": "input_text", "text": "a"}]}


def test_a_misspelt_role_is_seen_by_type_checkers_and_refused() -> None:
    with pytest.raises(ValidationError):
        Message(rol="user", content="a")  # pyright: ignore[reportCallIssue]


def test_a_message_gives_its_text_and_its_refusal() -> None:
    message = Message(role="assistant", content=[OutputText(text="a"), Refusal(refusal="no"), OutputText(text="b")])
    assert (message.text, message.refusal) == ("ab", "no")


def test_reasoning_gives_its_text_and_its_summary() -> None:
    reasoning = Reasoning(summary=[SummaryText(text="s")], content=[ReasoningText(text="r1"), ReasoningText(text="r2")])
    assert (reasoning.text, reasoning.summary_texts) == ("r1r2", ["s"])
    assert Reasoning().text == ""


def test_an_image_and_a_file_carry_their_bytes_as_a_data_url() -> None:
    image = InputImage.from_bytes(b"\x89PNG", "image/png")
    assert dump_item(Message.user(image))["content"] == [
        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw=="}
    ]
    assert InputImage.from_bytes(b"", "image/png", detail="low").detail == "low"
    file = InputFile.from_bytes(b"%PDF", "application/pdf", filename="a.pdf")
    assert (file.file_data, file.filename) == ("data:application/pdf;base64,JVBERg==", "a.pdf")


def test_a_tools_output_is_read_as_text_in_both_forms() -> None:
    assert output_text("plain") == "plain"
    parts = [InputText(text="a"), OtherContent(type="x"), InputText(text="b")]
    assert output_text(parts) == "ab"


def test_items_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError):
        Message.user("x").role = "assistant"
