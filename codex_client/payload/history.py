"""Checks on a prompt's items that hold for both APIs, made before anything is sent.

Both APIs answer 400 to a history whose calls and outputs do not pair, and the history stays broken for every later
turn. Here it is said which call it is and how to mend it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from codex_client.errors import InvalidPayloadError
from codex_client.items import (
    ContentPart,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputFile,
    InputImage,
    LocalShellCall,
    Message,
    OtherItem,
    ResponseItem,
)
from codex_client.prompt import Prompt

ToolCallItem: TypeAlias = FunctionCall | CustomToolCall | LocalShellCall

_ROLES = ("user", "assistant", "system", "developer")

# The output types that answer a call. Codex answers its local shell calls by function_call_output; the API's own type
# for it is local_shell_call_output, whose `id` is the call's.
_ANSWERS = {
    "function_call": ("function_call_output",),
    "custom_tool_call": ("custom_tool_call_output",),
    "local_shell_call": ("function_call_output", "local_shell_call_output"),
}


def checked_items(prompt: Prompt, *, continues: bool = False, may_be_empty: bool = False) -> list[ResponseItem]:
    """The items to send. Raises `InvalidPayloadError` for what no server takes.

    `continues`: the server holds the earlier part of the conversation, so an output's call may be there. A
    `ghost_snapshot` is codex's local note on the working directory and never sent.
    """
    items = [item for item in prompt.items if item.type != "ghost_snapshot"]
    if isinstance(prompt.input, str) and not prompt.input.strip():
        items = []
    if not items and not may_be_empty:
        raise InvalidPayloadError("the prompt's input is empty; give it a message, such as Prompt('…')")
    _check(items, continues=continues)
    return items


def call_id_of(call: ToolCallItem) -> str:
    """What the call's output refers to. A local shell call without `call_id` goes by its `id`; "" without either."""
    if isinstance(call, LocalShellCall):
        return call.call_id or call.id or ""
    return call.call_id


def answered_call_id(item: ResponseItem) -> str | None:
    """The `call_id` that an output answers, None for an item that is no output."""
    match item:
        case FunctionCallOutput() | CustomToolCallOutput():
            return item.call_id
        case OtherItem(type="local_shell_call_output"):
            return item.id or ""
        case _:
            return None


def content_parts(item: ResponseItem) -> Sequence[ContentPart]:
    """The parts of a message or of a tool's output. None where the output is plain text or the item has no content."""
    match item:
        case Message():
            return item.content
        case FunctionCallOutput() | CustomToolCallOutput() if not isinstance(item.output, str):
            return item.output
        case _:
            return ()


def _check(items: Sequence[ResponseItem], *, continues: bool) -> None:
    calls: dict[str, ToolCallItem] = {}
    answered: set[str] = set()
    for index, item in enumerate(items):
        place = f"input[{index}]"
        _check_parts(place, content_parts(item))
        if isinstance(item, Message):
            _check_message(place, item)
        elif isinstance(item, FunctionCall | CustomToolCall | LocalShellCall):
            _check_call(place, item, calls)
            calls[call_id_of(item)] = item
        elif (call_id := answered_call_id(item)) is not None:
            _check_output(f"{place}, a {item.type}", item.type, call_id, calls.get(call_id), continues=continues)
            if call_id in answered:
                raise InvalidPayloadError(
                    f"{place} is a second output of call {call_id!r}; a call has one output, remove the other"
                )
            answered.add(call_id)
    _check_all_answered(calls, answered)


def _check_message(place: str, message: Message) -> None:
    if message.role not in _ROLES:
        raise InvalidPayloadError(
            f"{place} has role {message.role!r}; "
            f"messages have one of {', '.join(_ROLES)}, and a tool's answer is a FunctionCallOutput"
        )
    if message.role == "assistant" and any(isinstance(part, InputImage | InputFile) for part in message.content):
        raise InvalidPayloadError(
            f"{place} is an assistant message with an image or a file, which no API takes; move it to a user message"
        )


def _check_parts(place: str, parts: Sequence[ContentPart]) -> None:
    for part in parts:
        match part:
            case InputImage(image_url=None | "", file_id=None | ""):
                raise InvalidPayloadError(
                    f"{place} has an input_image without an image; give it an image_url or a file_id"
                )
            case InputFile(file_id=None | "", file_url=None | "", file_data=None | ""):
                raise InvalidPayloadError(
                    f"{place} has an input_file without a file; give it file_data, a file_url or a file_id"
                )
            case _:
                pass


def _check_call(place: str, call: ToolCallItem, calls: dict[str, ToolCallItem]) -> None:
    call_id = call_id_of(call)
    if not call_id:
        raise InvalidPayloadError(
            f"{place} is a {call.type} without a call_id, so no output can answer it; give it one"
        )
    if call_id in calls:
        raise InvalidPayloadError(f"{place} is a second call with call_id {call_id!r}; every call needs its own")


def _check_output(place: str, kind: str, call_id: str, call: ToolCallItem | None, *, continues: bool) -> None:
    if call is None and not continues:
        raise InvalidPayloadError(
            f"{place}, answers call {call_id!r}, which does not come before it; "
            "keep the call in the input, ahead of its output"
        )
    if call is not None and kind not in _ANSWERS[call.type]:
        raise InvalidPayloadError(
            f"{place}, answers call {call_id!r}, which is a {call.type}; answer that by a {_ANSWERS[call.type][0]}"
        )


def _check_all_answered(calls: dict[str, ToolCallItem], answered: set[str]) -> None:
    """Also a call in the last place needs its output: both APIs refuse to go on without it."""
    for call_id, call in calls.items():
        if call_id not in answered:
            raise InvalidPayloadError(
                f"call {call_id!r} (a {call.type}) has no output; add a {_ANSWERS[call.type][0]} with this call_id "
                "(its output may be 'aborted' where the tool was not run), or remove the call"
            )
