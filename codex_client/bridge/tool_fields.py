"""Tools and the choice among them, as either API writes them."""

from __future__ import annotations

from collections.abc import Mapping

from codex_client.bridge.fields import Fields
from codex_client.errors import InvalidPayloadError
from codex_client.payload.tools import parse_tool
from codex_client.prompt import RawTool, Tool, ToolChoice

_MODES = ("auto", "none", "required")


def parsed_tools(request: Fields, *, to_chat: bool) -> tuple[Tool, ...]:
    """The tools. `to_chat`: they go on to a Chat server, where whatever is no function stays as it is."""
    return tuple(_tool(tool, to_chat=to_chat) for tool in request.children("tools"))


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
    kind = tool.text("type") or "function"
    body = tool.child(kind) if isinstance(tool.values.get(kind), Mapping) else tool
    assert body is not None
    if kind in ("function", "custom"):
        body.needed("name")
        body.text("description")
        body.flag("strict")
        body.child("parameters")
        _check_format(body)
    if to_chat and kind != "function":
        return RawTool(tool.values)
    try:
        return parse_tool(tool.values)
    except InvalidPayloadError as error:
        raise InvalidPayloadError(f"{tool.path}: {error.message}", param=tool.path) from None


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
