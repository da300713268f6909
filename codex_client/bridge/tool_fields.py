"""Tools and the choice among them, as either API writes them."""

from __future__ import annotations

from collections.abc import Mapping

from codex_client.bridge.fields import Fields
from codex_client.errors import InvalidPayloadError, UnsupportedOperationError
from codex_client.payload.tools import chat_tool, parse_tool, responses_tool
from codex_client.prompt import FunctionTool, RawTool, Tool, ToolChoice

_MODES = ("auto", "none", "required")


def parsed_tools(request: Fields, ignored: dict[str, None], *, to_chat: bool) -> tuple[Tool, ...]:
    """The tools. `to_chat`: they go on to a Chat server, where whatever has a form of that API stays as it is.

    Members beside what has a tool's name, such as `cache_control`, are none of the tool on the Responses API: they are
    noted in `ignored`.
    """
    tools = list(request.children("tools"))
    parsed = tuple(_tool(tool, to_chat=to_chat) for tool in tools)
    if not to_chat:
        ignored.update(dict.fromkeys(f"tools.{name}" for tool in tools for name in _beside(tool)))
    return parsed


def parsed_choice(request: Fields) -> ToolChoice:
    """The choice in the request's own shape, `auto` where there is none: builders read both shapes."""
    choice = request.get("tool_choice")
    if choice is None:
        return "auto"
    if isinstance(choice, str):
        if choice not in _MODES:
            raise request.fault("tool_choice", f"is {choice[:40]!r}; it is one of {', '.join(_MODES)}, or names a tool")
        return choice
    fields = request.child("tool_choice")
    assert fields is not None
    kind = fields.needed("type")
    if kind in _MODES:
        return kind
    body = fields.child(kind) if isinstance(fields.values.get(kind), Mapping) else fields
    assert body is not None
    if kind in ("function", "custom"):
        body.needed("name")
    for each in body.children("tools"):
        each.needed("type")
    return fields.values


def _tool(tool: Fields, *, to_chat: bool) -> Tool:
    kind, body = _checked(tool)
    for inner in tool.children("tools") if kind == "namespace" else ():
        _checked(inner)
    as_it_is = to_chat and (kind != "function" or bool(_beside(tool)))
    try:
        parsed = RawTool(tool.values) if as_it_is else parse_tool(tool.values)
        if as_it_is:
            chat_tool(parsed, takes_custom=True)
    except (InvalidPayloadError, UnsupportedOperationError) as error:
        raise InvalidPayloadError(f"{tool.path}: {error.message}", param=tool.path) from None
    if isinstance(parsed, FunctionTool) and body is tool and body.flag("strict") is None and not to_chat:
        return _with_strictness_open(parsed)
    return parsed


def _checked(tool: Fields) -> tuple[str, Fields]:
    """The tool's type, and what has its name, of either shape."""
    kind = tool.text("type") or "function"
    body = tool.child(kind) if isinstance(tool.values.get(kind), Mapping) else tool
    assert body is not None
    if kind in ("function", "custom"):
        body.needed("name")
        body.text("description")
        body.flag("strict")
        body.child("parameters")
        _check_format(body)
    return kind, body


def _beside(tool: Fields) -> list[str]:
    """The members of a Chat-shaped function or custom tool that stand beside its type and itself."""
    kind = tool.values.get("type", "function")
    if kind not in ("function", "custom") or not isinstance(tool.values.get(kind), Mapping):
        return []
    return [name for name, value in tool.values.items() if name not in ("type", kind) and value is not None]


def _with_strictness_open(tool: FunctionTool) -> RawTool:
    """A Responses server holds the model to the schema, where it can, unless it is told not to: a function that says
    nothing of it must go on saying nothing.
    """
    definition = responses_tool(tool)
    del definition["strict"]
    return RawTool(definition)


def _check_format(body: Fields) -> None:
    form = body.child("format")
    if form is not None:
        form.child("grammar")


def check_json_schema(form: Fields) -> None:
    """The schema of an answer, with its name and options, from wherever an API keeps them."""
    form.needed("name")
    form.child("schema")
    form.flag("strict")
    form.text("description")
