"""Tools in the shapes of both APIs.

The Responses API is flat: {type: function, name, description, strict, parameters}. The Chat API nests everything but
`type` under a key of its own: {type: function, function: {name, …}}. That nesting is also how a Chat-shaped tool is
known.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

from pydantic import BaseModel

from codex_client.errors import InvalidPayloadError, UnsupportedOperationError
from codex_client.payload.encode import plain
from codex_client.prompt import CustomTool, FunctionTool, RawTool, Tool, ToolChoice

_FUNCTION_KEYS = frozenset({"type", "name", "description", "strict", "parameters"})
_CUSTOM_KEYS = frozenset({"type", "name", "description", "format"})
_MODES = ("auto", "none", "required")

# OpenAI's rule for the names of functions and custom tools on both APIs, which most servers share. One that takes more
# can be given a RawTool, whose name nobody judges.
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def responses_tools(tools: Iterable[Tool]) -> list[dict[str, Any]]:
    """All of a prompt's tools as the Responses API takes them.

    Raises `InvalidPayloadError` for what is no list of tools, and for two tools of one name: a call could not tell
    them apart.
    """
    return _converted(tools, responses_tool)


def chat_tools(tools: Iterable[Tool], *, takes_custom: bool = False) -> list[dict[str, Any]]:
    """All of a prompt's tools as the Chat API takes them. Raises as `responses_tools` and `chat_tool` do."""
    return _converted(tools, partial(chat_tool, takes_custom=takes_custom))


def responses_tool(tool: Tool) -> dict[str, Any]:
    """The tool as the Responses API takes it. A `RawTool` is sent as it is, unless it is Chat-shaped: that is made
    flat.
    """
    _check_is_tool(tool)
    return chat_tool_to_responses(tool.definition) if isinstance(tool, RawTool) else _flat(tool)


def chat_tool(tool: Tool, *, takes_custom: bool = False) -> dict[str, Any]:
    """The tool as the Chat API takes it; `takes_custom`: as OpenAI's own does, which has free-form tools too.

    Raises `UnsupportedOperationError` for what that API has no form for.
    """
    _check_is_tool(tool)
    flat = tool.definition if isinstance(tool, RawTool) else _flat(tool)
    return responses_tool_to_chat(flat, takes_custom=takes_custom)


def chat_tool_to_responses(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A Chat-shaped function or custom tool made flat; anything else as it is.

    A function without `strict` gets `strict: false`: that is what it means on the Chat API, while the Responses API
    takes its absence for a wish to be strict.
    """
    nested = _nested(tool)
    if nested is None:
        return plain(tool)
    nested.pop("type", None)
    match tool.get("type", "function"):
        case "function":
            return {"type": "function", **nested, "strict": bool(nested.get("strict"))}
        case "custom":
            return {"type": "custom", **nested, **_flat_format(nested)}
        case _:
            return plain(tool)


def responses_tool_to_chat(tool: Mapping[str, Any], *, takes_custom: bool = False) -> dict[str, Any]:
    """A flat function nested, and a custom tool where the server takes those; a Chat-shaped tool untouched, whatever
    it is.

    Raises `UnsupportedOperationError` for the rest: local_shell, web_search and the like have no form that Chat servers
    share. Codex drops them without a word; a model that lacks a tool it was promised is worse than an error.
    """
    if _nested(tool) is not None:
        return plain(tool)
    kind = tool.get("type")
    if kind == "custom" and takes_custom:
        custom: dict[str, Any] = {key: plain(field) for key, field in tool.items() if key != "type"}
        return {"type": "custom", "custom": custom | _nested_format(custom)}
    if kind != "function":
        raise UnsupportedOperationError(
            f"the Chat Completions API has no form for a tool of type {kind!r}; {_instead(kind)}"
        )
    return {"type": "function", "function": {key: plain(field) for key, field in tool.items() if key != "type"}}


def parse_tool(tool: Mapping[str, Any]) -> Tool:
    """The tool that a JSON object of either shape describes.

    One with fields that `FunctionTool` and `CustomTool` have no place for is a `RawTool`, so that nothing is lost; so
    is one with a name that they refuse, for its server may take it. A missing `strict` counts as false. Raises
    `InvalidPayloadError` for an object without `type`, and for a function without a name.
    """
    flat = chat_tool_to_responses(tool)
    kind = flat.get("type")
    if not isinstance(kind, str):
        keys = ", ".join(sorted(tool)) or "none"
        raise InvalidPayloadError(f"a tool without a type (its keys: {keys}); add one, such as 'type': 'function'")
    if kind not in ("function", "custom"):
        return RawTool(flat)
    if not isinstance(flat.get("name"), str) or not flat["name"]:
        raise InvalidPayloadError(f"a tool of type {kind!r} without a name; give it one")
    known = _FUNCTION_KEYS if kind == "function" else _CUSTOM_KEYS
    if not flat.keys() <= known or not _is_common_name(flat["name"]):
        return RawTool(flat)
    return _parse_function(flat) if kind == "function" else _parse_custom(flat)


def responses_tool_choice(choice: ToolChoice) -> str | dict[str, Any]:
    """The choice in flat form, such as {type: function, name}; what is flat already, as it is."""
    _check_is_choice(choice)
    if isinstance(choice, str):
        return choice
    flat = {**choice, **_inner(choice)}
    flat.pop(str(choice.get("type")), None)
    if isinstance(flat.get("tools"), list | tuple):
        flat["tools"] = [responses_tool_choice(tool) for tool in flat["tools"]]
    return plain(flat)


def chat_tool_choice(choice: ToolChoice) -> str | dict[str, Any]:
    """The choice in nested form, such as {type: function, function: {name}}; what is nested already, as it is.

    Raises `UnsupportedOperationError` for a tool that the server itself would run: the Chat API cannot name one.
    """
    _check_is_choice(choice)
    if isinstance(choice, str):
        return choice
    if _nested(choice) is not None:
        return plain(choice)
    kind, rest = choice.get("type"), {key: field for key, field in choice.items() if key != "type"}
    if kind not in ("function", "custom", "allowed_tools"):
        raise UnsupportedOperationError(
            f"the Chat Completions API cannot choose a tool of type {kind!r}; choose a function, auto, none or required"
        )
    if isinstance(rest.get("tools"), list | tuple):
        rest["tools"] = [chat_tool_choice(tool) for tool in rest["tools"]]
    return {"type": kind, kind: plain(rest)}


def check_tool_choice(choice: ToolChoice, tools: Iterable[Mapping[str, Any]]) -> None:
    """Raises `InvalidPayloadError` where the choice is none, or demands a tool that is not among `tools` (of either
    shape).
    """
    _check_is_choice(choice)
    if choice in ("auto", "none"):
        return
    offered = list(tools)
    if not offered:
        raise InvalidPayloadError(
            f"tool_choice {choice!r} demands a tool, but the prompt offers none; add one to `tools`"
        )
    if isinstance(choice, str) or choice.get("type") != "function":
        return
    name = _inner(choice).get("name")
    names = list(_function_names(offered))
    if name not in names:
        raise InvalidPayloadError(
            f"tool_choice names the function {name!r}, but the prompt offers {', '.join(names) or 'no function'}; "
            "name one that it offers"
        )


def _converted(tools: Iterable[Tool], convert: Callable[[Tool], dict[str, Any]]) -> list[dict[str, Any]]:
    if not isinstance(cast("object", tools), Iterable):
        raise InvalidPayloadError(f"tools is a single {type(tools).__name__}; put it in a list")
    converted = [convert(tool) for tool in tools]
    for name, count in Counter(_names(converted)).items():
        if count > 1:
            raise InvalidPayloadError(f"{count} tools have the name {name!r}; give each a name of its own")
    return converted


def _names(tools: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The names by which the model calls functions and custom tools. Those in a namespace are apart from the rest."""
    for tool in tools:
        flat = chat_tool_to_responses(tool)
        if flat.get("type") in ("function", "custom"):
            yield str(flat.get("name"))


def _check_is_tool(tool: object) -> None:
    if isinstance(tool, FunctionTool | CustomTool | RawTool):
        return
    name = getattr(tool, "__name__", "…")
    if isinstance(tool, type(BaseModel)):
        instead = f"make it one by FunctionTool.from_model({name})"
    elif callable(tool):
        instead = f"make it one by FunctionTool.from_callable({name})"
    elif isinstance(tool, Mapping):
        instead = "wrap the JSON object as RawTool({…})"
    else:
        instead = "give a list of FunctionTool, CustomTool or RawTool"
    raise InvalidPayloadError(f"one of the tools is of type {type(cast('object', tool)).__name__}; {instead}")


def _check_is_choice(choice: object) -> None:
    if choice in _MODES or isinstance(choice, Mapping):
        return
    asked = repr(choice) if isinstance(choice, str) else f"of type {type(choice).__name__}"
    name = choice if isinstance(choice, str) else "…"
    raise InvalidPayloadError(
        f"tool_choice is {asked}; it is one of {', '.join(_MODES)}, "
        f"or names a tool, as by {{'type': 'function', 'name': {name!r}}}"
    )


def _is_common_name(name: object) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _check_name(name: object) -> None:
    if not _is_common_name(name):
        raise InvalidPayloadError(
            f"the tool name {name!r} would be refused by most servers; it takes 1 to 64 letters of a-z and A-Z, "
            "digits, _ and -, so give it another by `name`, or give a RawTool to a server that takes it"
        )


def _flat(tool: FunctionTool | CustomTool) -> dict[str, Any]:
    """Keys in codex's order; a description only where there is one."""
    _check_name(tool.name)
    kind = "function" if isinstance(tool, FunctionTool) else "custom"
    fields: dict[str, Any] = {"type": kind, "name": tool.name}
    if tool.description:
        fields["description"] = tool.description
    if isinstance(tool, FunctionTool):
        fields |= {"strict": tool.strict, "parameters": plain(tool.parameters)}
    elif tool.format is not None:
        fields["format"] = plain(tool.format)
    return fields


def _nested(tool: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a Chat-shaped object nests, None for a flat one. The key is `function`, or the type's own name."""
    for key in ("function", tool.get("type")):
        if isinstance(key, str) and isinstance(inner := tool.get(key), Mapping):
            return plain(inner)
    return None


def _inner(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    nested = _nested(choice)
    return choice if nested is None else nested


def _flat_format(nested: Mapping[str, Any]) -> dict[str, Any]:
    """A custom tool's grammar is one level deeper on the Chat API."""
    form: Any = nested.get("format")
    if not isinstance(form, dict) or "grammar" not in form:
        return {}
    return {"format": {"type": "grammar", **cast("dict[str, Any]", form)["grammar"]}}


def _nested_format(flat: dict[str, Any]) -> dict[str, Any]:
    """The way back of `_flat_format`."""
    given: Any = flat.get("format")
    form = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    if form.get("type") != "grammar" or "grammar" in form:
        return {}
    grammar = {key: field for key, field in form.items() if key != "type"}
    return {"format": {"type": "grammar", "grammar": grammar}}


def _instead(kind: object) -> str:
    if kind == "custom":
        return "use the Responses API, or a FunctionTool with one text parameter `input`"
    if kind == "local_shell":
        return "use the Responses API, or a FunctionTool named 'shell'"
    return "use the Responses API, or write it in the server's own Chat form: {'type': T, T: {…}}"


def _parse_function(flat: dict[str, Any]) -> FunctionTool:
    """A function without parameters may leave them out or null on both APIs."""
    tool = FunctionTool(name=flat["name"], description=flat.get("description") or "", strict=bool(flat.get("strict")))
    return replace(tool, parameters=flat["parameters"]) if flat.get("parameters") else tool


def _parse_custom(flat: dict[str, Any]) -> CustomTool:
    return CustomTool(name=flat["name"], description=flat.get("description") or "", format=flat.get("format"))


def _function_names(tools: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The functions on offer, those inside namespaces too."""
    for tool in tools:
        flat = chat_tool_to_responses(tool)
        if flat.get("type") == "function":
            yield str(flat.get("name"))
        elif flat.get("type") == "namespace":
            yield from _function_names(_objects(flat.get("tools")))


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of a list, none of anything else: what is wrong with it, the server says."""
    for element in cast("list[Any]", value) if isinstance(value, list) else ():
        if isinstance(element, Mapping):
            yield cast("Mapping[str, Any]", element)
