"""Responses requests as prompts."""

from __future__ import annotations

from typing import Any

import pytest

from codex_client.bridge.requests import BridgedRequest, parse_responses_request
from codex_client.errors import InvalidPayloadError
from codex_client.items import Message, OtherItem, dump_item
from codex_client.model_provider import WireApi
from codex_client.prompt import FunctionTool, RawTool, ReasoningOptions


def parse(upstream: WireApi = WireApi.RESPONSES, **fields: Any) -> BridgedRequest:
    return parse_responses_request({"input": "hi", **fields}, upstream=upstream)


def to_chat(**fields: Any) -> BridgedRequest:
    return parse(WireApi.CHAT, **fields)


def test_options_find_their_place_in_the_prompt() -> None:
    request = parse(
        model="m", instructions="be brief", stream=True, max_output_tokens=5, temperature=1.0, top_p=0.5,
        reasoning={"effort": "low", "summary": "auto"}, text={"verbosity": "low"}, previous_response_id="r0",
        tools=[{"type": "function", "name": "f", "parameters": {}}, {"type": "web_search"}], service_tier="flex",
    )  # fmt: skip
    prompt = request.prompt
    assert (prompt.input, prompt.model, prompt.instructions, request.stream) == ("hi", "m", "be brief", True)
    assert (prompt.max_output_tokens, prompt.temperature, prompt.top_p) == (5, 1.0, 0.5)
    assert (prompt.reasoning, prompt.verbosity) == (ReasoningOptions("low", "auto"), "low")
    assert prompt.tools == (FunctionTool("f"), RawTool({"type": "web_search"}))
    assert (prompt.previous_response_id, prompt.service_tier, prompt.extra) == ("r0", "flex", None)


def test_items_are_kept_as_they_came() -> None:
    given = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "gAAA"},
        {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "1"}]},
        {"type": "hologram_call", "frames": [1]},
        {"type": "message", "role": "user", "content": [{"type": "input_hologram", "frames": 3}]},
    ]
    assert [dump_item(item) for item in parse(input=given).prompt.items] == given


def test_a_message_may_be_written_short() -> None:
    """V1: its role is left as it is; a server that takes no such message has a profile that says so."""
    given = [{"role": "system", "content": "S"}, {"type": None, "role": "user", "content": "hi"}]
    assert parse(input=given).prompt.items == (Message.system("S"), Message.user("hi"))


def test_no_input_is_left_to_who_builds_the_payload() -> None:
    assert parse_responses_request({"previous_response_id": "r0"}).prompt.input == ()


def test_what_the_prompt_has_no_place_for_is_sent_beside_it() -> None:
    more = {"include": ["x"], "truncation": "auto", "store": True, "user": "u", "odd": {"a": 1}}
    request = parse(**more, background=False, stream_options={"include_obfuscation": False})
    assert (request.prompt.extra, request.ignored) == (more, ("stream_options",))


def test_a_chat_server_gets_what_it_knows_and_the_rest_is_named() -> None:
    more = {"include": ["x"], "truncation": "auto", "store": False, "user": "u", "odd": {"a": 1}}
    request = to_chat(**more, reasoning={"effort": "low", "context": "x"})
    assert request.prompt.extra == {"user": "u"}
    assert request.ignored == ("reasoning.context", "include", "truncation", "odd")
    assert request.prompt.reasoning == ReasoningOptions("low")


def test_reasoning_options_that_the_prompt_lacks_keep_the_object_whole() -> None:
    asked = {"effort": "low", "generate_summary": "auto"}
    assert parse(reasoning=asked).prompt.extra == {"reasoning": asked}
    assert parse(reasoning={}).prompt.reasoning is None


def test_the_format_of_the_answer_is_written_as_the_upstream_takes_it() -> None:
    schema = {"name": "s", "schema": {"type": "object"}}
    text = {"verbosity": "low", "format": {"type": "json_schema", **schema}}
    assert (parse(text=text).prompt.extra, parse(text=text).prompt.verbosity) == ({"text": text}, None)
    chat = to_chat(text=text).prompt
    assert chat.extra == {"response_format": {"type": "json_schema", "json_schema": schema}}
    assert chat.verbosity == "low"
    plain = to_chat(text={"format": {"type": "json_object"}}).prompt
    assert plain.extra == {"response_format": {"type": "json_object"}}
    for asked in ({"format": {"type": "text"}}, {}):
        assert (parse(text=asked).prompt.extra, to_chat(text=asked).prompt.extra) == (None, None)


def test_an_item_in_an_odd_shape_is_left_to_who_builds_the_payload() -> None:
    (item,) = parse(input=[{"type": "function_call", "name": "f"}]).prompt.items
    assert isinstance(item, OtherItem)


@pytest.mark.parametrize(
    "fields, param",
    [
        ({"input": 5}, "input"),
        ({"input": ["hi"]}, "input[0]"),
        ({"input": [{}]}, "input[0].type"),
        ({"input": [{"type": 5}]}, "input[0].type"),
        ({"input": [{"role": 5}]}, "input[0].role"),
        ({"input": [{"role": "robot", "content": "hi"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0]"),
        (
            {"input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "image_url"}]}]},
            "input[0].output[0]",
        ),
        ({"instructions": []}, "instructions"),
        ({"background": True}, "background"),
        ({"reasoning": "high"}, "reasoning"),
        ({"text": {"format": {}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.name"),
        ({"tools": [{"type": "custom"}]}, "tools[0].name"),
        ({"tools": [{}]}, "tools[0].name"),
        ({"tools": [{"type": "custom", "name": "g", "format": {"grammar": 5}}]}, "tools[0].format.grammar"),
        ({"stream_options": 5}, "stream_options"),
    ],
)
def test_a_fault_names_its_field(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidPayloadError) as caught:
        parse_responses_request({"input": "hi", **fields})
    assert caught.value.param == param


@pytest.mark.parametrize("name", ["conversation", "prompt"])
def test_what_only_a_responses_server_keeps_is_refused_for_others(name: str) -> None:
    body = {"input": "hi", name: {"id": "x"}}
    assert parse_responses_request(body).prompt.extra == {name: {"id": "x"}}
    with pytest.raises(InvalidPayloadError, match=name):
        parse_responses_request(body, upstream=WireApi.CHAT)
