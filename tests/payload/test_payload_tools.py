"""Tools and tool choices in both shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel

from codex_client.errors import InvalidPayloadError, UnsupportedOperationError
from codex_client.payload.tools import (
    chat_tool,
    chat_tool_choice,
    chat_tool_to_responses,
    chat_tools,
    check_tool_choice,
    parse_tool,
    responses_tool,
    responses_tool_choice,
    responses_tool_to_chat,
    responses_tools,
)
from codex_client.prompt import CustomTool, FunctionTool, RawTool, Tool

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = FunctionTool("weather", "Tells the weather.", SCHEMA)
FLAT: dict[str, Any] = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather.",
    "strict": False,
    "parameters": SCHEMA,
}
NESTED: dict[str, Any] = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells the weather.", "strict": False, "parameters": SCHEMA},
}
GRAMMAR: dict[str, Any] = {"type": "grammar", "syntax": "lark", "definition": "start: /a/"}
CUSTOM = CustomTool("patch", "Applies a patch.", GRAMMAR)
FLAT_CUSTOM: dict[str, Any] = {
    "type": "custom",
    "name": "patch",
    "description": "Applies a patch.",
    "format": GRAMMAR,
}
NESTED_CUSTOM: dict[str, Any] = {
    "type": "custom",
    "custom": {
        "name": "patch",
        "description": "Applies a patch.",
        "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /a/"}},
    },
}


@pytest.mark.parametrize(
    "tool, expected",
    [
        pytest.param(FUNCTION, FLAT, id="function"),
        pytest.param(
            FunctionTool("f"),
            {"type": "function", "name": "f", "strict": False, "parameters": {"type": "object", "properties": {}}},
            id="bare_function",
        ),
        pytest.param(CUSTOM, FLAT_CUSTOM, id="custom"),
        pytest.param(CustomTool("c"), {"type": "custom", "name": "c"}, id="bare_custom"),
        pytest.param(RawTool({"type": "web_search"}), {"type": "web_search"}, id="raw"),
        pytest.param(RawTool(NESTED), FLAT, id="raw_in_chat_shape"),
    ],
)
def test_responses_tools_are_flat(tool: Tool, expected: dict[str, Any]):
    assert responses_tool(tool) == expected


def test_the_keys_of_a_function_are_in_codexs_order():
    assert list(responses_tool(FUNCTION)) == ["type", "name", "description", "strict", "parameters"]


@pytest.mark.parametrize(
    "tool, expected",
    [
        pytest.param(FUNCTION, NESTED, id="function"),
        pytest.param(RawTool(FLAT), NESTED, id="raw_in_flat_shape"),
        pytest.param(RawTool(NESTED), NESTED, id="raw"),
        pytest.param(RawTool({"function": {"name": "f"}}), {"function": {"name": "f"}}, id="without_a_type"),
        pytest.param(
            RawTool({"type": "builtin_function", "function": {"name": "$web_search"}}),
            {"type": "builtin_function", "function": {"name": "$web_search"}},
            id="function_of_another_type",
        ),
        pytest.param(RawTool(NESTED_CUSTOM), NESTED_CUSTOM, id="raw_custom"),
        pytest.param(
            RawTool({"type": "web_search", "web_search": {"enable": True}}),
            {"type": "web_search", "web_search": {"enable": True}},
            id="a_servers_own",
        ),
    ],
)
def test_chat_tools_are_nested(tool: Tool, expected: dict[str, Any]):
    assert chat_tool(tool) == expected


@pytest.mark.parametrize(
    "tool, expected",
    [
        pytest.param(CUSTOM, NESTED_CUSTOM, id="grammar"),
        pytest.param(RawTool(FLAT_CUSTOM), NESTED_CUSTOM, id="raw"),
        pytest.param(RawTool(NESTED_CUSTOM), NESTED_CUSTOM, id="nested_already"),
        pytest.param(CustomTool("c"), {"type": "custom", "custom": {"name": "c"}}, id="bare"),
        pytest.param(
            CustomTool("c", format={"type": "text"}),
            {"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}},
            id="text",
        ),
        pytest.param(
            CustomTool("c", format=NESTED_CUSTOM["custom"]["format"]),
            {"type": "custom", "custom": {"name": "c", "format": NESTED_CUSTOM["custom"]["format"]}},
            id="grammar_in_chat_form",
        ),
        pytest.param(FUNCTION, NESTED, id="function"),
    ],
)
def test_a_free_form_tool_is_nested_where_the_server_takes_it(tool: Tool, expected: dict[str, Any]):
    assert chat_tool(tool, takes_custom=True) == expected
    assert chat_tools([tool], takes_custom=True) == [expected]


@pytest.mark.parametrize(
    "tool, message",
    [
        pytest.param(
            CUSTOM,
            "the Chat Completions API has no form for a tool of type 'custom'; "
            "use the Responses API, or a FunctionTool with one text parameter `input`",
            id="custom",
        ),
        pytest.param(
            RawTool({"type": "local_shell"}),
            "the Chat Completions API has no form for a tool of type 'local_shell'; "
            "use the Responses API, or a FunctionTool named 'shell'",
            id="local_shell",
        ),
        pytest.param(
            RawTool({"type": "web_search"}),
            "the Chat Completions API has no form for a tool of type 'web_search'; "
            "use the Responses API, or write it in the server's own Chat form: {'type': T, T: {…}}",
            id="web_search",
        ),
    ],
)
def test_a_tool_without_a_chat_form_is_refused_and_not_dropped(tool: Tool, message: str):
    with pytest.raises(UnsupportedOperationError) as caught:
        chat_tool(tool)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "nested, flat",
    [
        pytest.param(NESTED, FLAT, id="function"),
        pytest.param(NESTED_CUSTOM, FLAT_CUSTOM, id="custom"),
        pytest.param(
            {"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}},
            {"type": "custom", "name": "c", "format": {"type": "text"}},
            id="custom_text",
        ),
        pytest.param({"type": "custom", "custom": {"name": "c"}}, {"type": "custom", "name": "c"}, id="bare_custom"),
        pytest.param({"function": {"name": "f"}}, {"type": "function", "name": "f", "strict": False}, id="no_type"),
        pytest.param(
            {"type": "function", "function": {"name": "f", "strict": None}},
            {"type": "function", "name": "f", "strict": False},
            id="null_strict_means_no",
        ),
        pytest.param({"type": "mcp", "server_label": "a"}, {"type": "mcp", "server_label": "a"}, id="other"),
        pytest.param({"type": "x", "x": {"a": 1}}, {"type": "x", "x": {"a": 1}}, id="other_nested"),
        pytest.param(
            {"type": "custom", "custom": {"name": "c", "type": {}}}, {"type": "custom", "name": "c"}, id="type_within"
        ),
    ],
)
def test_chat_shapes_become_flat(nested: dict[str, Any], flat: dict[str, Any]):
    assert chat_tool_to_responses(nested) == flat


NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)


@given(NAMES, st.text(), st.booleans())
def test_a_function_survives_the_way_to_chat_and_back(name: str, description: str, strict: bool):
    tool = FunctionTool(name, description, SCHEMA, strict)
    assert parse_tool(responses_tool(tool)) == tool
    assert parse_tool(chat_tool(tool)) == tool
    flat = responses_tool(tool)
    assert chat_tool_to_responses(responses_tool_to_chat(flat)) == flat


def test_conversions_share_nothing_with_their_input():
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}
    frozen = MappingProxyType({"type": "function", "name": "f", "parameters": MappingProxyType(schema)})
    for converted in (responses_tool_to_chat(frozen)["function"], responses_tool(FunctionTool("f", parameters=schema))):
        converted["parameters"]["properties"]["a"]["type"] = "number"
    assert schema == {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    "definition, tool",
    [
        pytest.param(FLAT, FUNCTION, id="flat"),
        pytest.param(NESTED, FUNCTION, id="nested"),
        pytest.param({"type": "function", "name": "f", "parameters": None}, FunctionTool("f"), id="no_parameters"),
        pytest.param({"function": {"name": "f", "description": None}}, FunctionTool("f"), id="no_type"),
        pytest.param(FLAT_CUSTOM, CUSTOM, id="custom"),
        pytest.param(NESTED_CUSTOM, CUSTOM, id="nested_custom"),
        pytest.param({"type": "custom", "name": "c"}, CustomTool("c"), id="bare_custom"),
        pytest.param({**FLAT, "name": "a.b"}, RawTool({**FLAT, "name": "a.b"}), id="name_that_some_server_takes"),
        pytest.param({**FLAT_CUSTOM, "name": "ä"}, RawTool({**FLAT_CUSTOM, "name": "ä"}), id="custom_of_such_a_name"),
        pytest.param({"type": "web_search"}, RawTool({"type": "web_search"}), id="other"),
        pytest.param({**FLAT, "defer_loading": True}, RawTool({**FLAT, "defer_loading": True}), id="more_than_we_know"),
        pytest.param(
            {**FLAT_CUSTOM, "defer_loading": True},
            RawTool({**FLAT_CUSTOM, "defer_loading": True}),
            id="custom_with_more_than_we_know",
        ),
    ],
)
def test_tools_are_parsed_from_either_shape(definition: dict[str, Any], tool: Tool):
    assert parse_tool(definition) == tool


@pytest.mark.parametrize(
    "definition, message",
    [
        pytest.param(
            {"name": "f", "inputSchema": {}},
            "a tool without a type (its keys: inputSchema, name); add one, such as 'type': 'function'",
            id="no_type",
        ),
        pytest.param({}, "a tool without a type (its keys: none); add one, such as 'type': 'function'", id="nothing"),
        pytest.param({"type": "function"}, "a tool of type 'function' without a name; give it one", id="no_name"),
        pytest.param({"type": "custom", "name": ""}, "a tool of type 'custom' without a name; give it one", id="blank"),
    ],
)
def test_what_is_no_tool_is_refused(definition: dict[str, Any], message: str):
    with pytest.raises(InvalidPayloadError) as caught:
        parse_tool(definition)
    assert str(caught.value) == message


FLAT_CHOICES: list[dict[str, Any]] = [
    {"type": "function", "name": "f"},
    {"type": "custom", "name": "c"},
    {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
]
NESTED_CHOICES: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": "f"}},
    {"type": "custom", "custom": {"name": "c"}},
    {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
    },
]


@pytest.mark.parametrize(
    "flat, nested", list(zip(FLAT_CHOICES, NESTED_CHOICES, strict=True)), ids=["function", "custom", "allowed_tools"]
)
def test_choices_convert_both_ways(flat: dict[str, Any], nested: dict[str, Any]):
    assert chat_tool_choice(flat) == nested
    assert chat_tool_choice(nested) == nested
    assert responses_tool_choice(nested) == flat
    assert responses_tool_choice(flat) == flat


@pytest.mark.parametrize("tools", [None, 5])
def test_a_choice_whose_tools_are_no_list_is_left_to_the_server(tools: Any):
    flat = {"type": "allowed_tools", "mode": "auto", "tools": tools}
    nested = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": tools}}
    assert (responses_tool_choice(nested), chat_tool_choice(flat)) == (flat, nested)


@pytest.mark.parametrize("mode", ["auto", "none", "required"])
def test_modes_are_the_same_on_both_apis(mode: str):
    assert (chat_tool_choice(mode), responses_tool_choice(mode)) == (mode, mode)


def test_a_choice_of_a_servers_tool_is_kept_on_responses_and_refused_on_chat():
    assert responses_tool_choice({"type": "mcp", "server_label": "a"}) == {"type": "mcp", "server_label": "a"}
    with pytest.raises(UnsupportedOperationError) as caught:
        chat_tool_choice({"type": "file_search"})
    assert str(caught.value) == (
        "the Chat Completions API cannot choose a tool of type 'file_search'; choose a function, auto, none or required"
    )


NAMESPACE: dict[str, Any] = {"type": "namespace", "name": "n", "description": "", "tools": [FLAT]}


@pytest.mark.parametrize(
    "choice, tools",
    [
        pytest.param("auto", [], id="auto"),
        pytest.param("none", [], id="none"),
        pytest.param("required", [NESTED], id="required"),
        pytest.param({"type": "function", "name": "weather"}, [FLAT], id="flat"),
        pytest.param({"type": "function", "function": {"name": "weather"}}, [NESTED], id="nested"),
        pytest.param({"type": "function", "name": "weather"}, [{"type": "web_search"}, NAMESPACE], id="in_a_namespace"),
        pytest.param({"type": "mcp", "server_label": "a"}, [{"type": "mcp"}], id="not_a_function"),
        pytest.param(
            {"type": "function", "name": "weather"}, [{"type": "namespace", "tools": [FLAT, "f"]}], id="beside_no_tool"
        ),
    ],
)
def test_a_choice_among_the_tools_passes(choice: str | Mapping[str, Any], tools: list[dict[str, Any]]):
    check_tool_choice(choice, tools)


@pytest.mark.parametrize(
    "choice, tools, message",
    [
        pytest.param(
            "required",
            [],
            "tool_choice 'required' demands a tool, but the prompt offers none; add one to `tools`",
            id="required_of_none",
        ),
        pytest.param(
            {"type": "function", "name": "f"},
            [FLAT, NAMESPACE],
            "tool_choice names the function 'f', but the prompt offers weather, weather; name one that it offers",
            id="another_name",
        ),
        pytest.param(
            {"type": "function", "function": {"name": "f"}},
            [{"type": "web_search"}],
            "tool_choice names the function 'f', but the prompt offers no function; name one that it offers",
            id="no_function",
        ),
        *(
            pytest.param(
                {"type": "function", "name": "f"},
                [{"type": "namespace", "tools": tools}, {"type": {}}],
                "tool_choice names the function 'f', but the prompt offers no function; name one that it offers",
                id=f"in_a_namespace_of_{tools}",
            )
            for tools in (None, {"f": 1}, "f", [])
        ),
    ],
)
def test_a_choice_that_is_not_on_offer_is_refused(
    choice: str | Mapping[str, Any], tools: list[dict[str, Any]], message: str
):
    with pytest.raises(InvalidPayloadError) as caught:
        check_tool_choice(choice, tools)
    assert str(caught.value) == message


class Answer(BaseModel):
    text: str


def look_up(city: str) -> str:
    return city


SEVERAL = "give a list of FunctionTool, CustomTool or RawTool"


@pytest.mark.parametrize("convert", [chat_tools, responses_tools])
@pytest.mark.parametrize(
    "tools, message",
    [
        pytest.param(FUNCTION, "tools is a single FunctionTool; put it in a list", id="single"),
        pytest.param(look_up, "tools is a single function; put it in a list", id="single_function"),
        pytest.param(
            [look_up],
            "one of the tools is of type function; make it one by FunctionTool.from_callable(look_up)",
            id="function",
        ),
        pytest.param(
            [FUNCTION, Answer],
            "one of the tools is of type ModelMetaclass; make it one by FunctionTool.from_model(Answer)",
            id="model",
        ),
        pytest.param([FLAT], "one of the tools is of type dict; wrap the JSON object as RawTool({…})", id="object"),
        pytest.param(FLAT, f"one of the tools is of type str; {SEVERAL}", id="single_object"),
        pytest.param(["weather"], f"one of the tools is of type str; {SEVERAL}", id="name"),
        pytest.param([None], f"one of the tools is of type NoneType; {SEVERAL}", id="none"),
        pytest.param(
            [FUNCTION, FunctionTool("weather")],
            "2 tools have the name 'weather'; give each a name of its own",
            id="twice",
        ),
        pytest.param(
            [RawTool(NESTED_CUSTOM), RawTool({**FLAT, "name": "patch"})],
            "2 tools have the name 'patch'; give each a name of its own",
            id="twice_as_raw_tools_of_two_kinds",
        ),
    ],
)
def test_what_is_no_list_of_tools_is_refused(convert: Callable[[Any], list[dict[str, Any]]], tools: Any, message: str):
    with pytest.raises(InvalidPayloadError) as caught:
        convert(tools)
    assert str(caught.value) == message


def test_tools_that_are_told_apart_pass():
    assert responses_tools((FUNCTION, CUSTOM, RawTool({"type": "mcp"}), RawTool({"type": "mcp"}))) == [
        FLAT,
        FLAT_CUSTOM,
        {"type": "mcp"},
        {"type": "mcp"},
    ]
    assert chat_tools(tool for tool in (FUNCTION, RawTool(NESTED_CUSTOM))) == [NESTED, NESTED_CUSTOM]
    assert responses_tools([FUNCTION, RawTool(NAMESPACE)]) == [FLAT, NAMESPACE]


CONVERTERS = (responses_tool, chat_tool)
BAD_NAMES: list[Any] = ["", "a b", "a.b", "<lambda>", "naïve", "a\n", "a" * 65, None]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_servers_refuse_are_refused(name: Any):
    for convert, tool in ((responses_tool, CustomTool(name)), *((to, FunctionTool(name)) for to in CONVERTERS)):
        with pytest.raises(InvalidPayloadError) as caught:
            convert(tool)
        assert str(caught.value) == (
            f"the tool name {name!r} would be refused by most servers; it takes 1 to 64 letters of a-z and A-Z, "
            "digits, _ and -, so give it another by `name`, or give a RawTool to a server that takes it"
        )


def test_the_longest_name_passes_and_a_raw_tool_may_have_any():
    assert responses_tool(CustomTool("a" * 64))["name"] == "a" * 64
    assert responses_tool(RawTool({"type": "function", "name": "a.b"}))["name"] == "a.b"


@pytest.mark.parametrize(
    "choice, message",
    [
        pytest.param(
            "weather",
            "tool_choice is 'weather'; it is one of auto, none, required, "
            "or names a tool, as by {'type': 'function', 'name': 'weather'}",
            id="bare_name",
        ),
        pytest.param(
            FUNCTION,
            "tool_choice is of type FunctionTool; it is one of auto, none, required, "
            "or names a tool, as by {'type': 'function', 'name': '…'}",
            id="tool",
        ),
        pytest.param(
            None,
            "tool_choice is of type NoneType; it is one of auto, none, required, "
            "or names a tool, as by {'type': 'function', 'name': '…'}",
            id="none",
        ),
    ],
)
def test_what_is_no_choice_is_refused(choice: Any, message: str):
    for convert in (responses_tool_choice, chat_tool_choice, lambda choice: check_tool_choice(choice, [FLAT])):
        with pytest.raises(InvalidPayloadError) as caught:
            convert(choice)
        assert str(caught.value) == message
