"""Responses requests as prompts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from codex_client.backend_profile import built_in_profiles
from codex_client.bridge.requests import BridgedRequest, parse_chat_request, parse_responses_request
from codex_client.errors import InvalidPayloadError
from codex_client.items import Message, OtherItem, dump_item
from codex_client.model_provider import WireApi
from codex_client.prompt import RawTool, ReasoningOptions


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
    function = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
    assert prompt.tools == (RawTool(function), RawTool({"type": "web_search"}))
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
    request = to_chat(**more, reasoning={"effort": "low", "summary": "auto", "context": "x"})
    assert request.prompt.extra == {"user": "u"}
    assert request.ignored == ("reasoning.summary", "reasoning.context", "include", "truncation", "odd")
    assert request.prompt.reasoning == ReasoningOptions("low")
    assert to_chat(reasoning={"summary": None}).ignored == ()
    assert to_chat(reasoning={"summary": "auto"}).prompt.reasoning is None


def call(call_id: str, kind: str = "function_call", **fields: Any) -> dict[str, Any]:
    text = {"function_call": "arguments", "custom_tool_call": "input"}[kind]
    return {"type": kind, "call_id": call_id, "name": "f", text: "{}", **fields}


def answer(call_id: str, kind: str = "function_call_output") -> dict[str, Any]:
    return {"type": kind, "call_id": call_id, "output": "1"}


def test_ids_that_begin_anew_are_paired_in_order_and_told_apart() -> None:
    custom = [call("c", "custom_tool_call"), answer("c", "custom_tool_call_output")]
    shell = {"type": "local_shell_call", "call_id": "c", "status": "completed", "action": {"type": "exec"}}
    given = [call("c"), answer("c"), *custom, shell, {"type": "local_shell_call_output", "id": "c", "output": "1"}]
    given += [answer("c", "shell_call"), answer("c", "shell_call_output")]
    items = [dump_item(item) for item in parse(input=given).prompt.items]
    assert [item.get("call_id") for item in items] == ["c", "c", "c_2", "c_2", "c_3", None, "c_4", "c_4"]
    assert items[5]["id"] == "c_3"


@pytest.mark.parametrize(
    "items, param",
    [
        ([answer("c")], "input[0].call_id"),
        ([call("c")], "input[0]"),
        ([call("c"), answer("c"), answer("c")], "input[2].call_id"),
        ([call("c"), answer("c", "custom_tool_call_output")], "input[1].type"),
        ([call(""), answer("")], "input[0].call_id"),
        ([call("c"), answer("")], "input[1].call_id"),
        ([answer("c", "apply_patch_call_output")], "input[0].call_id"),
        ([call("c"), answer("c", "shell_call_output")], "input[1].type"),
        ([{"type": "local_shell_call_output", "id": "c", "output": "1"}], "input[0].id"),
    ],
    ids=[
        "no call",
        "no output",
        "twice",
        "other kind",
        "no id",
        "nothing answered",
        "no patch",
        "no function",
        "no shell call",
    ],
)
def test_a_call_or_an_output_alone_is_named_by_its_place(items: list[Any], param: str) -> None:
    with pytest.raises(InvalidPayloadError) as caught:
        parse(input=items)
    assert caught.value.param == param


@pytest.mark.parametrize("earlier", [{"previous_response_id": "r0"}, {"conversation": "conv_1"}])
def test_a_call_may_be_in_the_part_that_the_server_holds(earlier: dict[str, Any]) -> None:
    request = parse(input=[answer("c0"), call("c"), answer("c")], **earlier)
    assert [dump_item(item)["call_id"] for item in request.prompt.items] == ["c0", "c", "c"]
    assert parse(input=[], **earlier).prompt.input == ()
    referred = [{"type": "item_reference", "id": "fc_1"}, answer("c0")]
    assert [item.type for item in parse(input=referred).prompt.items] == ["item_reference", "function_call_output"]


@pytest.mark.parametrize("nothing", [None, "", " ", [], [{"role": "user", "content": ""}]])
def test_a_request_that_asks_for_nothing_is_refused(nothing: Any) -> None:
    with pytest.raises(InvalidPayloadError) as caught:
        parse(input=nothing)
    assert caught.value.param == "input"
    assert parse(input=nothing, prompt={"id": "p"}).prompt.extra == {"prompt": {"id": "p"}}


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
        ({"tools": [{"type": "namespace", "name": "n", "tools": {"a": 1}}]}, "tools[0].tools"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": ["f"]}]}, "tools[0].tools[0]"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": {}}]}]}, "tools[0].tools[0].type"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function"}]}]}, "tools[0].tools[0].name"),
        ({"stream_options": 5}, "stream_options"),
    ],
)
def test_a_fault_names_its_field(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidPayloadError) as caught:
        parse_responses_request({"input": "hi", **fields})
    assert caught.value.param == param


CODEX = built_in_profiles()["chatgpt-codex"]


@pytest.mark.parametrize("server", [{"upstream": WireApi.CHAT}, {"backend": CODEX}], ids=["chat", "stores nothing"])
@pytest.mark.parametrize(
    "field, words",
    [
        ({"previous_response_id": "r0"}, "send the whole history as input"),
        ({"conversation": {"id": "x"}}, "send the whole history as input"),
        ({"prompt": {"id": "x"}}, "send it as instructions and input"),
    ],
    ids=["response", "conversation", "prompt"],
)
def test_what_the_server_behind_does_not_keep_is_refused(
    field: dict[str, Any], words: str, server: dict[str, Any]
) -> None:
    body = {"input": "hi", **field}
    prompt = parse_responses_request(body).prompt
    assert {**(prompt.extra or {}), "previous_response_id": prompt.previous_response_id}.items() >= field.items()
    with pytest.raises(InvalidPayloadError, match=words) as caught:
        parse_responses_request(body, **server)
    assert [caught.value.param] == list(field)


@pytest.mark.parametrize("parse_any", [parse_chat_request, parse_responses_request])
@pytest.mark.parametrize("upstream", list(WireApi))
def test_where_nothing_is_stored_a_wish_to_store_is_ignored_on_both_apis(parse_any: Any, upstream: WireApi) -> None:
    body = {"input": "hi", "messages": [{"role": "user", "content": "hi"}], "store": True}
    request = parse_any(body, upstream=upstream, backend=CODEX)
    assert "store" in request.ignored
    assert "store" not in (request.prompt.extra or {})
    neutral = parse_any({**body, "store": False}, upstream=upstream, backend=CODEX)
    assert "store" not in (*neutral.ignored, *(neutral.prompt.extra or {}))


def test_what_the_server_is_known_to_refuse_is_named_as_the_caller_knows_it() -> None:
    asked = {"temperature": 1, "top_p": None, "metadata": {}, "truncation": "disabled", "text": {"verbosity": "low"}}
    refusing = replace(CODEX, refused=CODEX.refused | {"text.verbosity", "reasoning.effort"})
    request = parse_responses_request({"input": "hi", **asked, "max_output_tokens": 5, "user": "u"}, backend=refusing)
    assert request.ignored == ("max_output_tokens", "temperature", "text.verbosity", "user")
    # Leaving it out is the client's, which may be strict about it.
    assert (request.prompt.temperature, request.prompt.max_output_tokens) == (1, 5)
    body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5, "verbosity": "low", "seed": 7}
    chat = parse_chat_request({**body, "reasoning_effort": "low"}, backend=refusing)
    assert chat.ignored == ("seed", "max_tokens", "reasoning_effort", "verbosity")
