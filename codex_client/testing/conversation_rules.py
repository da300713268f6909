"""How calls and outputs must follow each other in each API's history."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

JsonObject = dict[str, Any]

# Client-run calls of the Responses API and what may answer them.
_ANSWERS = {
    "apply_patch_call": {"apply_patch_call_output"},
    "computer_call": {"computer_call_output"},
    "custom_tool_call": {"custom_tool_call_output"},
    "function_call": {"function_call_output"},
    "local_shell_call": {"local_shell_call_output", "function_call_output"},
    "shell_call": {"shell_call_output"},
}
_OUTPUTS = {output for outputs in _ANSWERS.values() for output in outputs}


def responses_conversation_problems(items: list[Any], *, continues: bool) -> Iterator[str]:
    """Items of the `input`. `continues`: the server has earlier items, so that an output's call may be among those."""
    fields = [cast("JsonObject", item) for item in items if isinstance(item, dict)]
    yield from _repeated(fields, "input")
    known_elsewhere = continues or any(item.get("type") == "item_reference" for item in fields)
    calls: dict[str, JsonObject] = {}
    answered: set[str] = set()
    for index, item in enumerate(fields):
        kind = _text(item.get("type"))
        if kind in _ANSWERS:
            call_id = _text(item.get("call_id"))
            if call_id in calls:
                yield f"input.{index}: call_id {call_id!r} is used by an earlier call"
            calls[call_id] = item
        elif kind in _OUTPUTS:
            yield from _output_problems(index, item, calls, answered, known_elsewhere=known_elsewhere)
            answered.add(_answered(item))
    for call_id, call in calls.items():
        if call_id not in answered:
            yield f"input: no output found for {call['type']} {call_id!r}"


def _output_problems(
    index: int, item: JsonObject, calls: dict[str, JsonObject], answered: set[str], *, known_elsewhere: bool
) -> Iterator[str]:
    call_id = _answered(item)
    call = calls.get(call_id)
    if call is None and not known_elsewhere:
        yield f"input.{index}: no call found for the output with call_id {call_id!r}"
    if call is not None and item["type"] not in _ANSWERS[call["type"]]:
        yield f"input.{index}: a {item['type']} does not answer the {call['type']} {call_id!r}"
    if call_id in answered:
        yield f"input.{index}: call {call_id!r} has an output already"


def _answered(item: JsonObject) -> str:
    return _text(item.get("id" if item.get("type") == "local_shell_call_output" else "call_id"))


def _text(value: Any) -> str:
    """What has another type is told by its shape; here it must only not be in the way."""
    return value if isinstance(value, str) else ""


def _repeated(items: list[JsonObject], where: str) -> Iterator[str]:
    """An item's own id; a local shell output carries its call's there."""
    seen: set[str] = set()
    for index, item in enumerate(items):
        item_id = "" if item.get("type") == "local_shell_call_output" else _text(item.get("id"))
        if item_id and item_id in seen:
            yield f"{where}.{index}: id {item_id!r} is used by an earlier item"
        seen.add(item_id)


def chat_conversation_problems(messages: list[Any]) -> Iterator[str]:
    """Calls are followed at once by one tool message each, and tool messages stand nowhere else."""
    due: list[str] = []
    used: set[str] = set()
    for index, message in enumerate(messages):
        fields = cast("JsonObject", message) if isinstance(message, dict) else {}
        if fields.get("role") == "tool":
            call_id = _text(fields.get("tool_call_id"))
            if call_id not in due:
                yield f"messages.{index}: a tool message for {call_id!r}, which no call right before it has"
            due = [other for other in due if other != call_id]
            continue
        if due:
            yield f"messages.{index}: tool messages are missing before it for {due!r}"
        due = _call_ids(fields)
        yield from _call_id_problems(index, due, used)
        if fields.get("role") == "assistant" and not due and not _says_anything(fields):
            yield f"messages.{index}: an assistant message needs content, a refusal or tool_calls"
    if due:
        yield f"messages: tool messages are missing at the end for {due!r}"


def _call_ids(message: JsonObject) -> list[str]:
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return []
    return [_text(cast("JsonObject", call).get("id")) for call in cast("list[Any]", calls) if isinstance(call, dict)]


def _call_id_problems(index: int, call_ids: list[str], used: set[str]) -> Iterator[str]:
    for call_id in call_ids:
        if call_id in used:
            yield f"messages.{index}: tool call id {call_id!r} is used by an earlier call"
        used.add(call_id)


def _says_anything(message: JsonObject) -> bool:
    return any(message.get(key) is not None for key in ("content", "refusal", "audio"))
