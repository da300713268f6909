"""The server's side of a request: what OpenAI's public API takes, checked strictly.

Written from the API reference, not from the builders, so that each can show the other's faults. First the shapes, key
by key; then what no single shape can say: that calls and outputs pair, that ids differ, that schemas are schemas,
that the chosen tool is on offer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from codex_client.testing.chat_shapes import ChatRequest
from codex_client.testing.conversation_rules import chat_conversation_problems, responses_conversation_problems
from codex_client.testing.responses_shapes import ResponsesRequest
from codex_client.testing.schema_rules import schema_problems
from codex_client.testing.tool_shapes import CHAT_CHOICES, CHAT_TOOLS, MODES, RESPONSES_CHOICES, RESPONSES_TOOLS

JsonObject = dict[str, Any]

# Fields of assistant messages that OpenAI does not have and compatible servers read: reasoning on its way back to the
# model.
CHAT_EXTENSIONS = ("reasoning", "reasoning_content", "reasoning_details")

_RESPONSES_BODY: TypeAdapter[Any] = TypeAdapter(ResponsesRequest)
_CHAT_BODY: TypeAdapter[Any] = TypeAdapter(ChatRequest)


class RequestProblem(ValueError):
    """A body that a strict server would refuse. `problems`: every one of them, each with the path to it."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)

    @property
    def problems(self) -> tuple[str, ...]:
        return self.args

    def __str__(self) -> str:
        return "\n".join([f"the request body has {len(self.problems)} problem(s):", *self.problems])


def check_responses_request(body: JsonObject) -> None:
    """Raises `RequestProblem` with everything that is wrong in the body of a `POST /responses`."""
    _raise_if_any(_responses_problems(body))


def check_chat_request(body: JsonObject, *, extensions: Collection[str] = CHAT_EXTENSIONS) -> None:
    """Raises `RequestProblem` with everything that is wrong in the body of a `POST /chat/completions`.

    `extensions`: keys of assistant messages that are taken although OpenAI's API has none such; () for a server as
    strict as OpenAI.
    """
    _raise_if_any(_chat_problems(body, extensions))


def _raise_if_any(problems: Iterator[str]) -> None:
    if found := list(problems):
        raise RequestProblem(*found)


def _responses_problems(value: Any) -> Iterator[str]:
    yield from _shape_problems(_RESPONSES_BODY, value)
    body = _object(value)
    continues = bool(body.get("previous_response_id") or body.get("conversation"))
    if body.get("previous_response_id") and body.get("conversation"):
        yield "previous_response_id: cannot be used together with conversation"
    if not continues and not body.get("input") and not body.get("prompt"):
        yield "input: missing, and neither previous_response_id, prompt nor conversation stands in for it"
    yield from responses_conversation_problems(_list(body.get("input")), continues=continues)
    yield from _tools_problems(body, RESPONSES_TOOLS, RESPONSES_CHOICES)
    form = _object(_object(body.get("text")).get("format"))
    if "schema" in form:
        yield from schema_problems(form["schema"], "text.format.schema", strict=form.get("strict") is True)


def _chat_problems(value: Any, extensions: Collection[str]) -> Iterator[str]:
    body = _object(value)
    if isinstance(messages := body.get("messages"), list):
        stripped = [_message_without(message, extensions) for message in cast("list[Any]", messages)]
        value = body = {**body, "messages": stripped}
    yield from _shape_problems(_CHAT_BODY, value)
    if "max_tokens" in body and "max_completion_tokens" in body:
        yield "max_tokens: cannot be used together with max_completion_tokens"
    yield from chat_conversation_problems(_list(body.get("messages")))
    yield from _tools_problems(body, CHAT_TOOLS, CHAT_CHOICES)
    form = _object(_object(body.get("response_format")).get("json_schema"))
    if "schema" in form:
        yield from schema_problems(form["schema"], "response_format.schema", strict=form.get("strict") is True)


def _message_without(message: Any, extensions: Collection[str]) -> Any:
    fields = _object(message)
    if fields.get("role") != "assistant":
        return message
    return {key: field for key, field in fields.items() if key not in extensions or not isinstance(field, str | list)}


def _shape_problems(shape: TypeAdapter[Any], value: Any, under: str = "") -> Iterator[str]:
    try:
        shape.validate_python(value)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False, include_context=False):
            path = [under, *_steps(fault["loc"], value)]
            if fault["type"] == "missing":
                path.append(str(fault["loc"][-1]))
            yield f"{'.'.join(filter(None, path)) or 'body'}: {fault['msg']}"


def _steps(location: tuple[int | str, ...], value: Any) -> Iterator[str]:
    """The way to the place in the body. pydantic's own has the tags of unions in it, which are no steps there.

    A tag is the object's own type, named once and before a field; other tags are not in the body at all.
    """
    tagged = False
    for left, step in zip(reversed(range(len(location))), location, strict=True):
        inner: dict[Any, Any] = dict(enumerate(_list(value))) if isinstance(step, int) else _object(value)
        if left and not tagged and step == inner.get("type"):
            tagged = True
        elif step in inner:
            value, tagged = inner[step], False
            yield str(step)


def _tools_problems(body: JsonObject, tools_shape: TypeAdapter[Any], choices_shape: TypeAdapter[Any]) -> Iterator[str]:
    tools = _list(body.get("tools"))
    yield from _shape_problems(tools_shape, tools, "tools")
    for index, tool in enumerate(tools):
        yield from _tool_schema_problems(_object(tool), f"tools.{index}")
    if "tool_choice" in body:
        yield from _choice_problems(body["tool_choice"], tools, choices_shape)
    if "parallel_tool_calls" in body and not tools:
        yield "parallel_tool_calls: only allowed when tools are given"


def _tool_schema_problems(tool: JsonObject, path: str) -> Iterator[str]:
    function = _object(tool.get("function")) or tool
    if isinstance(function.get("parameters"), dict):
        strict = function.get("strict") is True
        yield from schema_problems(function["parameters"], f"{path}.parameters", strict=strict)
    for index, inner in enumerate(_list(tool.get("tools"))):
        yield from _tool_schema_problems(_object(inner), f"{path}.tools.{index}")


def _choice_problems(choice: Any, tools: list[Any], shape: TypeAdapter[Any]) -> Iterator[str]:
    if isinstance(choice, str):
        yield from _shape_problems(MODES, choice, "tool_choice")
        if choice == "required" and not tools:
            yield "tool_choice: 'required', but no tools are given"
        return
    yield from _shape_problems(shape, choice, "tool_choice")
    for wanted in _choices(_object(choice)):
        if not any(wanted == _key(tool) for tool in _offered(tools)):
            yield f"tool_choice: {wanted[0]} {wanted[1]!r} is not among the tools"


def _choices(choice: JsonObject) -> Iterator[tuple[str, Any]]:
    """The tools that a choice names, as their type and name."""
    allowed = _list(choice.get("tools")) or _list(_object(choice.get("allowed_tools")).get("tools"))
    if allowed:
        yield from (_key(_object(tool)) for tool in allowed)
    elif choice.get("type") in ("function", "custom"):
        yield _key(choice)


def _offered(tools: list[Any]) -> Iterator[JsonObject]:
    for tool in tools:
        fields = _object(tool)
        yield fields
        yield from _offered(_list(fields.get("tools")))


def _key(tool: JsonObject) -> tuple[str, Any]:
    """A tool's type and name in either shape; what tells built-in tools apart is their type alone."""
    kind = str(tool.get("type"))
    name = _object(tool.get(kind)).get("name", tool.get("name"))
    return kind, name if kind in ("function", "custom") else None


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _object(value: Any) -> JsonObject:
    return cast("JsonObject", value) if isinstance(value, dict) else {}
