"""Chat requests as prompts."""

from __future__ import annotations

from typing import Any

import pytest

from codex_client.bridge.reasoning import ReasoningFormat
from codex_client.bridge.requests import BridgedRequest, parse_chat_request
from codex_client.errors import InvalidPayloadError
from codex_client.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputFile,
    InputImage,
    InputText,
    Message,
    OutputText,
    Reasoning,
    ReasoningText,
    Refusal,
    ResponseItem,
    SummaryText,
    dump_item,
)
from codex_client.model_provider import WireApi
from codex_client.payload.chat_messages import chat_messages
from codex_client.payload.tools import chat_tools, responses_tools
from codex_client.prompt import CustomTool, FunctionTool, RawTool, ReasoningOptions

HI = {"role": "user", "content": "hi"}
CALL: dict[str, Any] = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def parse(*messages: Any, upstream: WireApi = WireApi.RESPONSES, **fields: Any) -> BridgedRequest:
    return parse_chat_request({"messages": list(messages or (HI,)), **fields}, upstream=upstream)


def to_chat(*messages: Any, **fields: Any) -> BridgedRequest:
    return parse(*messages, upstream=WireApi.CHAT, **fields)


def items_of(*messages: Any, **options: Any) -> list[ResponseItem]:
    return list(parse(*messages, **options).prompt.items)


def answer(content: str, call_id: str = "call_1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def param_of(body: Any, **options: Any) -> str | None:
    with pytest.raises(InvalidPayloadError) as caught:
        parse_chat_request(body, **options)
    assert caught.value.message
    return caught.value.param


CACHED = {"cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize("kind", ["function", "custom"])
def test_what_stands_beside_a_tool_stays_on_the_same_api_and_is_named_on_the_other(kind: str) -> None:
    tool: dict[str, Any] = {"type": kind, kind: {"name": "f"}, **CACHED, "nothing": None}
    request = to_chat(tools=[tool])
    assert (request.prompt.tools, request.ignored) == ((RawTool(tool),), ())
    assert chat_tools(request.prompt.tools, takes_custom=True) == [tool]
    lossy = parse(tools=[tool, {"type": kind, kind: {"name": "g"}}])
    assert lossy.ignored == ("tools.cache_control",)
    assert all("cache_control" not in tool for tool in responses_tools(lossy.prompt.tools))


def test_a_tool_without_a_form_on_the_chat_api_is_refused_where_it_stands() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}, {"type": "web_search"}]
    assert param_of({"messages": [HI], "tools": tools}, upstream=WireApi.CHAT) == "tools[1]"
    search = {"type": "web_search", "web_search": {"enable": True}}
    assert chat_tools(to_chat(tools=[search]).prompt.tools) == [search]


def test_options_of_which_nothing_is_made_are_named() -> None:
    schema = {"name": "n", "schema": {"type": "object"}}
    request = parse(
        response_format={"type": "json_schema", "json_schema": schema, "bar": 2, "none": None},
        stream_options={"include_usage": True, "foo": 1},
    )
    assert request.include_usage
    assert sorted(request.ignored) == ["response_format.bar", "stream_options.foo"]
    form = {"type": "json_schema", "json_schema": schema, "bar": 2}
    assert (to_chat(response_format=form).prompt.extra or {})["response_format"] == form


def test_leading_system_messages_are_instructions_and_later_ones_the_developers() -> None:
    """V1."""
    listed = {"role": "developer", "content": [{"type": "text", "text": "be "}, {"type": "text", "text": "brief"}]}
    request = parse({"role": "system", "content": "You are."}, listed, HI, {"role": "system", "content": "Now."})
    assert request.prompt.instructions == "You are.\n\nbe brief"
    assert request.prompt.items == (Message.user("hi"), Message.developer("Now."))


def test_a_system_message_with_marks_stays_whole_for_a_chat_server() -> None:
    marked = {"role": "system", "content": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}]}
    request = to_chat(marked, HI)
    assert request.prompt.instructions == ""
    first = request.prompt.items[0]
    assert isinstance(first, Message)
    assert (first.role, first.content[0].model_extra) == ("system", {"cache_control": {"type": "ephemeral"}})
    lossy = parse(marked, HI)
    assert (lossy.prompt.instructions, lossy.ignored) == ("S", ("messages.content.cache_control",))


def test_an_empty_system_message_gives_no_instructions() -> None:
    """V2: what a server demands is its profile's affair."""
    assert parse(HI).prompt.instructions == ""
    empty = {"role": "system", "content": ""}
    prompt = parse(empty, HI, empty).prompt
    assert (prompt.instructions, prompt.items) == ("", (Message.user("hi"), Message.developer("")))


@pytest.mark.parametrize("upstream", list(WireApi))
@pytest.mark.parametrize("nothing", [[], [{"role": "user", "content": ""}], [{"role": "user", "content": " \n"}]])
def test_system_messages_alone_are_what_is_asked(upstream: WireApi, nothing: list[Any]) -> None:
    systems = [{"role": "system", "content": "Write"}, {"role": "developer", "content": "a haiku."}]
    systems.append({"role": "system", "content": ""})
    prompt = parse(*systems, *nothing, upstream=upstream).prompt
    asked = [Message.developer("Write"), Message.developer("a haiku.")]
    assert (prompt.instructions, list(prompt.items)) == ("", [*asked, *(Message.user(m["content"]) for m in nothing)])


def test_an_empty_user_message_is_kept_beside_others() -> None:
    assert items_of(HI, {"role": "user", "content": ""}) == [Message.user("hi"), Message.user("")]


def test_ids_that_begin_anew_are_paired_in_order_and_told_apart() -> None:
    """OpenAI's Chat API takes them; some servers call the first call of every step `call_1`."""
    custom = {"id": "call_1", "type": "custom", "custom": {"name": "g", "input": "raw"}}
    step = [{"role": "assistant", "tool_calls": [CALL, custom]}, answer("1"), answer("2")]
    taken = {"role": "assistant", "tool_calls": [{**CALL, "id": "call_1_3"}]}
    messages = [HI, *step, taken, answer("3", "call_1_3"), HI, {"role": "assistant", "tool_calls": [CALL]}, answer("4")]
    items = items_of(*messages)
    outputs = (FunctionCallOutput, CustomToolCallOutput)
    calls = [item.call_id for item in items if isinstance(item, FunctionCall | CustomToolCall)]
    assert calls == ["call_1", "call_1_2", "call_1_3", "call_1_4"]
    assert [item.call_id for item in items if isinstance(item, outputs)] == calls
    assert [type(item) for item in items if isinstance(item, outputs)] == [outputs[0], outputs[1], *outputs[:1] * 2]
    assert items[: 1 + 4] == items_of(HI, *step)


@pytest.mark.parametrize(
    "messages, param",
    [
        ([HI, {"role": "tool", "tool_call_id": "call_9", "content": "1"}], "messages[1].tool_call_id"),
        ([HI, {"role": "assistant", "tool_calls": [CALL]}, HI], "messages[1].tool_calls[0]"),
    ],
    ids=["no call", "no output"],
)
def test_a_call_or_an_output_alone_is_named_by_the_callers_own_place(messages: list[Any], param: str) -> None:
    system = {"role": "system", "content": "S"}
    assert param_of({"messages": messages}) == param
    assert param_of({"messages": [system, *messages]}) == param.replace("[1]", "[2]")
    again = [{"role": "assistant", "tool_calls": [CALL]}, answer("1"), answer("2")]
    assert param_of({"messages": [HI, *again]}) == "messages[3].tool_call_id"


@pytest.mark.parametrize("mode", ["auto", "none", "required"])
def test_a_choice_may_be_an_object_of_its_mode(mode: str) -> None:
    assert parse(tool_choice={"type": mode}).prompt.tool_choice == mode


@pytest.mark.parametrize("fields", [{"functions": []}, {"function_call": "none"}, {"function_call": "auto"}])
@pytest.mark.parametrize("upstream", list(WireApi))
def test_old_fields_that_ask_for_nothing_are_left_out(upstream: WireApi, fields: dict[str, Any]) -> None:
    request = parse(**fields, upstream=upstream)
    assert (request.prompt.extra, request.ignored) == (None, ())


def test_user_content_keeps_text_images_and_files() -> None:
    """V4."""
    content = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "https://a.example/i.png", "detail": "low", "odd": 1}},
        {"type": "image_url", "image_url": "data:image/png;base64,AA=="},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA==", "odd": 1}},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
    ]
    request = parse({"role": "user", "content": content})
    (message,) = request.prompt.items
    assert isinstance(message, Message)
    assert message.content[:4] == [
        InputText(text="look"),
        InputImage(image_url="https://a.example/i.png", detail="low"),
        InputImage(image_url="data:image/png;base64,AA=="),
        InputFile(filename="a.pdf", file_data="data:application/pdf;base64,AA=="),
    ]
    assert dump_item(message)["content"][4] == content[4]
    assert request.ignored == ("messages.content.image_url.odd", "messages.content.file.odd")


def test_a_part_of_an_unknown_type_is_refused_unless_a_chat_server_may_know_it() -> None:
    """V4."""
    video = {"type": "video_url", "video_url": {"url": "https://a.example/v"}}
    assert param_of({"messages": [{"role": "user", "content": [video]}]}) == "messages[0].content[0].type"
    message = to_chat({"role": "user", "content": [video]}).prompt.items[0]
    assert dump_item(message)["content"] == [video]
    odd = {"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}
    assert param_of(odd, upstream=WireApi.CHAT) == "messages[0].content[0].type"


def test_assistant_messages_keep_text_refusal_and_calls() -> None:
    """V5: also where openai-python sends back all the nulls that it was given."""
    spoken = {
        "role": "assistant",
        "content": "ok",
        "refusal": "No.",
        "audio": None,
        "annotations": [],
        "function_call": None,
    }
    called = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    answered = {"role": "tool", "tool_call_id": "call_1", "content": "42"}
    items = items_of(HI, {**spoken, "tool_calls": None}, called, answered, {"role": "assistant", "content": ""})
    assert items[1:] == [
        Message(role="assistant", content=[OutputText(text="ok"), Refusal(refusal="No.")]),
        FunctionCall(call_id="call_1", name="f", arguments="{}"),
        FunctionCallOutput(call_id="call_1", output="42"),
    ]


def test_assistant_parts_are_output_parts() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}]
    items = items_of(HI, {"role": "assistant", "content": content})
    assert items[1] == Message(role="assistant", content=[OutputText(text="a"), Refusal(refusal="b")])


def test_calls_without_ids_get_the_same_ones_each_time_and_their_outputs_find_them() -> None:
    """V5."""
    calls = [{"function": {"name": "f", "arguments": {"x": 1}}}, {"function": {"name": "f", "arguments": {"x": 1}}}]
    messages = [
        HI,
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "content": "1"},
        {"role": "tool", "content": "2"},
    ]
    items = items_of(*messages)
    assert items == items_of(*messages)
    first, second, one, two = items[1:]
    assert isinstance(first, FunctionCall)
    assert isinstance(second, FunctionCall)
    assert first.arguments == '{"x":1}'
    assert first.call_id != second.call_id
    assert [dump_item(each)["call_id"] for each in (one, two)] == [first.call_id, second.call_id]
    assert len(first.call_id) == len("call_") + 24


def test_tool_outputs_may_be_parts_and_answer_custom_calls_in_kind() -> None:
    """V6."""
    custom = {"id": "call_2", "type": "custom", "custom": {"name": "g", "input": "raw"}}
    parts = [{"type": "text", "text": "1"}]
    items = items_of(HI, {"role": "assistant", "tool_calls": [CALL, custom]},
                     {"role": "tool", "tool_call_id": "call_1", "content": parts},
                     {"role": "tool", "tool_call_id": "call_2", "content": None})  # fmt: skip
    assert items[2:] == [
        CustomToolCall(call_id="call_2", name="g", input="raw"),
        FunctionCallOutput(call_id="call_1", output=[InputText(text="1")]),
        CustomToolCallOutput(call_id="call_2", output=""),
    ]


def test_tools_of_every_kind_pass() -> None:
    """V8."""
    function = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
    custom = {"type": "custom", "custom": {"name": "g", "format": {"type": "text"}}}
    search = {"type": "web_search", "search_context_size": "low"}
    choice = {"type": "function", "function": {"name": "f"}}
    request = parse(tools=[function, custom, search], tool_choice=choice, parallel_tool_calls=False)
    assert request.prompt.tools == (
        FunctionTool("f", "d", {"type": "object"}),
        CustomTool("g", format={"type": "text"}),
        RawTool(search),
    )
    assert (request.prompt.tool_choice, request.prompt.parallel_tool_calls) == (choice, False)
    assert to_chat(tools=[function, custom]).prompt.tools == (
        FunctionTool("f", "d", {"type": "object"}),
        RawTool(custom),
    )
    assert parse(tool_choice="none").prompt.tool_choice == "none"


@pytest.mark.parametrize(
    "messages", [None, [], [{"role": "system", "content": ""}], [{"role": "user", "content": " "}]]
)
def test_a_request_that_asks_for_nothing_is_refused(messages: Any) -> None:
    """V9."""
    assert param_of({"messages": messages}) == "messages"


def test_options_find_their_place_in_the_prompt() -> None:
    prompt = parse(
        model="m", max_tokens=1, max_completion_tokens=2, temperature=1, top_p=0.5, metadata={"a": "b"},
        reasoning_effort="high", verbosity="low", service_tier="flex", prompt_cache_key="k", user="u",
    ).prompt  # fmt: skip
    assert (prompt.model, prompt.max_output_tokens, prompt.temperature, prompt.top_p) == ("m", 2, 1, 0.5)
    assert (prompt.reasoning, prompt.verbosity) == (ReasoningOptions("high"), "low")
    assert (prompt.service_tier, prompt.prompt_cache_key, prompt.metadata) == ("flex", "k", {"a": "b"})
    assert prompt.extra == {"user": "u"}
    assert parse(max_tokens=1).prompt.max_output_tokens == 1


def test_how_to_answer_is_no_part_of_the_prompt() -> None:
    request = parse(stream=True, stream_options={"include_usage": True})
    assert (request.stream, request.include_usage, request.prompt.extra) == (True, True, None)
    assert not parse(stream=True, stream_options={}).include_usage
    assert not parse().stream
    tagged = parse_chat_request({"messages": [HI]}, reasoning_format=ReasoningFormat.THINK_TAGS)
    assert tagged.reasoning_format is ReasoningFormat.THINK_TAGS


def test_fields_that_only_chat_servers_know_go_to_those_and_are_named_elsewhere() -> None:
    asked = {"seed": 3, "stop": ["x"], "logprobs": True, "top_logprobs": 2, "top_k": 5, "store": True}
    assert parse(**asked).ignored == ("logprobs", "top_logprobs", "seed", "stop", "top_k", "store")
    request = to_chat(**asked)
    assert request.prompt.extra == {"seed": 3, "stop": ["x"], "top_k": 5, "store": True}
    assert request.ignored == ("logprobs", "top_logprobs")


def test_fields_that_ask_for_nothing_are_not_named() -> None:
    asked = {
        "n": 1,
        "store": False,
        "logprobs": False,
        "presence_penalty": 0,
        "top_logprobs": 0,
        "modalities": ["text"],
        "logit_bias": {},
        "seed": None,
    }
    assert parse(**asked).ignored == ()


def test_the_format_of_the_answer_is_written_as_the_upstream_takes_it() -> None:
    schema = {"name": "s", "schema": {"type": "object"}, "strict": True}
    form = {"type": "json_schema", "json_schema": schema}
    flat = {"type": "json_schema", **schema}
    assert parse(response_format=form, verbosity="low").prompt.extra == {"text": {"format": flat, "verbosity": "low"}}
    assert parse(response_format=form, verbosity="low").prompt.verbosity is None
    assert parse(response_format={"type": "json_object"}).prompt.extra == {"text": {"format": {"type": "json_object"}}}
    assert parse(response_format={"type": "text"}).prompt.extra is None
    assert to_chat(response_format=form, verbosity="low").prompt.extra == {"response_format": form}
    assert to_chat(response_format=form, verbosity="low").prompt.verbosity == "low"


def test_openrouters_reasoning_object_is_understood() -> None:
    asked = {"effort": "low", "summary": "auto", "exclude": True}
    request = parse(reasoning=asked, reasoning_effort="high")
    assert (request.prompt.reasoning, request.ignored) == (ReasoningOptions("low", "auto"), ("reasoning.exclude",))
    assert parse(reasoning={"exclude": True}).prompt.reasoning is None
    assert to_chat(reasoning=asked).prompt.extra == {"reasoning": asked}
    assert to_chat(reasoning=asked).prompt.reasoning is None
    assert to_chat(reasoning=asked, reasoning_effort="high").prompt.reasoning == ReasoningOptions("high")


def test_reasoning_comes_back_as_an_item_before_what_it_led_to() -> None:
    (_, reasoning, message) = items_of(HI, {"role": "assistant", "content": "ok", "reasoning_content": "hm"})
    assert reasoning == Reasoning(summary=[], content=[ReasoningText(text="hm")])
    assert message == Message.assistant("ok")
    own = [{"type": "reasoning.text", "text": "hm", "signature": "s"}]
    (_, kept, _) = items_of(HI, {"role": "assistant", "content": "ok", "reasoning": "hm", "reasoning_details": own})
    assert dump_item(kept)["reasoning_details"] == own


def test_encrypted_reasoning_comes_back_as_it_was() -> None:
    form = {"format": "openai-responses-v1"}
    details = [
        {"type": "reasoning.summary", "summary": "Why", "id": "rs_1", **form},
        {"type": "reasoning.encrypted", "data": "gAAA", "id": "rs_1", **form},
        {"type": "reasoning.encrypted", "data": "gBBB", "id": None, "issuer": "i1", **form},
        {"type": "reasoning.text", "text": "of another kind"},
        {"type": "reasoning.encrypted", "data": 5, **form},
    ]
    answer = {"role": "assistant", "content": "ok", "reasoning_content": "Why", "reasoning_details": details}
    items = items_of(HI, answer)
    assert items[1:3] == [
        Reasoning(id="rs_1", summary=[SummaryText(text="Why")], encrypted_content="gAAA"),
        Reasoning(summary=[], encrypted_content="gBBB", issuer="i1"),
    ]
    (_, kept, _) = items_of(HI, answer, upstream=WireApi.CHAT)
    assert dump_item(kept)["reasoning_details"] == details


def test_details_that_hold_nothing_encrypted_are_kept_beside_the_text() -> None:
    details = [{"type": "reasoning.summary", "summary": "Why", "format": "openai-responses-v1"}]
    (_, item, _) = items_of(
        HI, {"role": "assistant", "content": "ok", "reasoning_content": "Why", "reasoning_details": details}
    )
    assert dump_item(item) == {
        "type": "reasoning",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "Why"}],
        "reasoning_details": details,
    }


@pytest.mark.parametrize(
    "text, wanted",
    [
        (
            "<think>\nhm\n</think>\n\nok",
            [Reasoning(summary=[], content=[ReasoningText(text="hm")]), Message.assistant("ok")],
        ),
        ("<think>hm</think>ok", [Reasoning(summary=[], content=[ReasoningText(text="hm")]), Message.assistant("ok")]),
        ("<think>\nhm", [Message.assistant("<think>\nhm")]),
        ("The tag <think>a</think>", [Message.assistant("The tag <think>a</think>")]),
        ("<think>\nhm\n</think>\n\n", [Reasoning(summary=[], content=[ReasoningText(text="hm")])]),
        (
            "<think>\nnot </think> yet\n</think>\n\nok",
            [Reasoning(summary=[], content=[ReasoningText(text="not </think> yet")]), Message.assistant("ok")],
        ),
        (
            "<think>\na\n</think>\n\nb<think>\nc\n</think>\n\nd",
            [
                Reasoning(summary=[], content=[ReasoningText(text="a")]),
                Message.assistant("b<think>\nc\n</think>\n\nd"),
            ],
        ),
    ],
)
def test_think_tags_are_read_back_where_they_are_written(text: str, wanted: list[ResponseItem]) -> None:
    body = {"messages": [HI, {"role": "assistant", "content": text}]}
    assert list(parse_chat_request(body, reasoning_format=ReasoningFormat.THINK_TAGS).prompt.items[1:]) == wanted
    assert parse_chat_request(body).prompt.items[1] == Message.assistant(text)


def test_further_fields_of_messages_and_calls_go_to_chat_servers() -> None:
    signed = {**CALL, "index": 0, "extra_content": {"google": {"thought_signature": "s"}}}
    messages = [{**HI, "name": "ann"}, {"role": "assistant", "tool_calls": [signed], "odd": 1},
                {"role": "tool", "tool_call_id": "call_1", "content": "1", "name": "f"}]  # fmt: skip
    user, call, output = to_chat(*messages).prompt.items
    assert (user.model_extra, output.model_extra) == ({"name": "ann"}, {"name": "f"})
    assert call.model_extra == {"extra_content": {"google": {"thought_signature": "s"}}}
    assert parse(*messages).ignored == ("messages.name", "messages.tool_calls.extra_content", "messages.odd")


CUSTOM: dict[str, Any] = {"id": "call_1", "type": "custom", "custom": {"name": "g", "input": "raw"}}
OWN_NAMES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (CALL, {"name": "zz"}),
    (CALL, {"call_id": "other"}),
    (CALL, {"arguments": {"x": 1}}),
    (CALL, {"status": 5}),
    (CUSTOM, {"input": ["x"]}),
]


@pytest.mark.parametrize("call, stray", OWN_NAMES, ids="-".join)
def test_a_calls_stray_field_is_no_field_of_its_item(call: dict[str, Any], stray: dict[str, Any]) -> None:
    request = to_chat(HI, {"role": "assistant", "tool_calls": [{**call, **stray}]}, answer("1"))
    assert request.prompt.items == to_chat(HI, {"role": "assistant", "tool_calls": [call]}, answer("1")).prompt.items
    assert request.ignored == tuple(f"messages.tool_calls.{name}" for name in stray)


@pytest.mark.parametrize("stray", [{"call_id": "other"}, {"output": {"x": 1}}, {"id": 5}], ids="".join)
def test_an_outputs_stray_field_is_no_field_of_its_item(stray: dict[str, Any]) -> None:
    called = {"role": "assistant", "tool_calls": [CALL]}
    request = to_chat(HI, called, {**answer("1"), **stray})
    assert request.prompt.items == to_chat(HI, called, answer("1")).prompt.items
    assert request.ignored == tuple(f"messages.{name}" for name in stray)


@pytest.mark.parametrize(
    "part, stray",
    [
        ({"type": "image_url", "image_url": {"url": "u", "detail": "low"}}, {"detail": "high", "file_id": "f"}),
        (
            {"type": "file", "file": {"filename": "a", "file_data": "d"}},
            {"filename": 5, "file_data": [], "file_url": 1},
        ),
    ],
    ids=["image", "file"],
)
def test_a_parts_stray_field_is_no_field_of_its_item(part: dict[str, Any], stray: dict[str, Any]) -> None:
    request = to_chat({"role": "user", "content": [{**part, **stray, "odd": 1}]})
    assert request.prompt.items == to_chat({"role": "user", "content": [{**part, "odd": 1}]}).prompt.items
    assert request.ignored == tuple(f"messages.content.{name}" for name in stray)


def test_the_detail_of_an_image_stands_beside_a_url_that_is_a_text() -> None:
    (message,) = items_of({"role": "user", "content": [{"type": "image_url", "image_url": "u", "detail": "low"}]})
    assert message == Message.user(InputImage(image_url="u", detail="low"))


def test_an_answer_that_is_said_twice_is_two_messages() -> None:
    twice = [HI, {"role": "assistant", "content": "ok"}, {"role": "assistant", "content": "ok"}, HI]
    assert items_of(*twice) == [*map(Message.user, ["hi"]), *[Message.assistant("ok")] * 2, Message.user("hi")]
    messages = chat_messages(to_chat(*twice).prompt.items, instructions="", reasoning_field="", tool_media=False)
    assert messages == twice


@pytest.mark.parametrize(
    "fields, param",
    [
        ({"model": 5}, "model"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "robot", "content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "function", "name": "f", "content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].image_url"),
        ({"messages": [{"role": "user", "content": [{"type": "file"}]}]}, "messages[0].content[0].file"),
        (
            {"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": "x"}]}]},
            "messages[0].content",
        ),
        ({"messages": [{"role": "assistant", "function_call": {"name": "f"}}]}, "messages[0].function_call"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"type": "magic"}]}]}, "messages[0].tool_calls[0].type"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "x"}]}]}, "messages[0].tool_calls[0].function"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"n": 2}, "n"),
        ({"n": True}, "n"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"function_call": {"name": "f"}}, "function_call"),
        ({"stream": "yes"}, "stream"),
        ({"temperature": "hot"}, "temperature"),
        ({"metadata": []}, "metadata"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [{"type": 5}]}, "tools[0].type"),
        ({"tools": [{"name": "f"}]}, "tools[0]"),
        ({"tools": [{"function": {"name": "f", "parameters": []}}]}, "tools[0].function.parameters"),
        ({"tool_choice": "always"}, "tool_choice"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"tool_choice": {}}, "tool_choice.type"),
        ({"tool_choice": {"type": "function", "function": {}}}, "tool_choice.function.name"),
        ({"tool_choice": {"type": "custom"}}, "tool_choice.name"),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": [{}]}}},
            "tool_choice.allowed_tools.tools[0].type",
        ),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.name"),
    ],
)
def test_a_fault_names_its_field(fields: dict[str, Any], param: str) -> None:
    assert param_of({"messages": [HI], **fields}) == param


def test_a_body_that_is_no_object_is_refused() -> None:
    assert param_of([]) is None
    assert param_of({1, 2}) is None
