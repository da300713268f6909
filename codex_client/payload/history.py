"""Checks on a prompt that hold for both APIs, made before anything is sent. Most are on its items.

Both APIs answer 400 to a history whose calls and outputs do not pair, and the history stays broken for every later
turn. Here it is said which call it is and how to mend it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias, cast, get_args

from pydantic import BaseModel, ValidationError

from codex_client.errors import InvalidPayloadError
from codex_client.items import (
    ContentPart,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputFile,
    InputImage,
    InputText,
    LocalShellCall,
    Message,
    OtherItem,
    OutputText,
    ResponseItem,
)
from codex_client.prompt import Prompt, ReasoningOptions

ToolCallItem: TypeAlias = FunctionCall | CustomToolCall | LocalShellCall

_ROLES = ("user", "assistant", "system", "developer")

# The model of each type of item that this version knows, by the tags it says it has; an `OtherItem` has none.
_MODELS: dict[str, type[BaseModel]] = {
    tag: model for model in get_args(ResponseItem) for tag in get_args(model.model_fields["type"].annotation)
}

# The output types that answer a call, of those calls that the caller runs. Codex answers its local shell calls by
# function_call_output; the API's own type for it is local_shell_call_output, whose `id` is the call's.
ANSWERS: dict[str, tuple[str, ...]] = {
    "apply_patch_call": ("apply_patch_call_output",),
    "computer_call": ("computer_call_output",),
    "custom_tool_call": ("custom_tool_call_output",),
    "function_call": ("function_call_output",),
    "local_shell_call": ("function_call_output", "local_shell_call_output"),
    "shell_call": ("shell_call_output",),
}
_OUTPUTS = frozenset(chain.from_iterable(ANSWERS.values()))


def checked_items(prompt: Prompt, *, continues: bool = False, may_be_empty: bool = False) -> list[ResponseItem]:
    """The items to send, none if all are messages that say nothing. Raises `InvalidPayloadError` for what no server
    takes; errors count the items as the prompt does.

    `continues`: the server holds the earlier part of the conversation, so an output's call may be there. A
    `ghost_snapshot` is codex's local note on the working directory and never sent.
    """
    items = {index: item for index, item in enumerate(prompt.items) if item.type != "ghost_snapshot"}
    if all(is_blank(item) for item in items.values()):
        items = {}
    check_not_empty(items.values(), may_be_empty=may_be_empty)
    items = {index: _as_known(f"input[{index}]", item) for index, item in items.items()}
    _check(items, continues=continues)
    return list(items.values())


def check_not_empty(built: Collection[object], *, may_be_empty: bool) -> None:
    """For the items, and again for what became of them: an API may have no form for the only ones there are."""
    if not built and not may_be_empty:
        raise InvalidPayloadError("the prompt's input is empty; give it a message, such as Prompt('…')")


def checked_reasoning(prompt: Prompt, default: ReasoningOptions | None) -> ReasoningOptions | None:
    """The prompt's own options, else `default`. Raises `InvalidPayloadError` for what are no options at all."""
    options = default if prompt.reasoning is None else prompt.reasoning
    if options is not None and not isinstance(cast("object", options), ReasoningOptions):
        raise InvalidPayloadError(
            f"reasoning is of type {type(options).__name__}; give it as ReasoningOptions(effort=…, summary=…)"
        )
    return options


def is_known_type(kind: str) -> bool:
    """Whether items of this type have a model of their own. An `OtherItem` of such a type has an odd shape."""
    return kind in _MODELS


def call_id_of(call: ToolCallItem) -> str:
    """What the call's output refers to. A local shell call without `call_id` goes by its `id`; "" without either."""
    if isinstance(call, LocalShellCall):
        return call.call_id or call.id or ""
    return call.call_id


def asked_call_id(item: ResponseItem) -> str | None:
    """What the output of a call refers to, None for an item that is no call, or none that the caller runs."""
    match item:
        case FunctionCall() | CustomToolCall() | LocalShellCall():
            return call_id_of(item)
        case OtherItem() if item.type in ANSWERS and not is_known_type(item.type):
            return given_call_id(item)
        case _:
            return None


def answered_call_id(item: ResponseItem) -> str | None:
    """The `call_id` that an output answers, None for an item that is no output."""
    match item:
        case FunctionCallOutput() | CustomToolCallOutput():
            return item.call_id
        case OtherItem(type="local_shell_call_output"):
            return item.id or ""
        case OtherItem() if item.type in _OUTPUTS and not is_known_type(item.type):
            return given_call_id(item)
        case _:
            return None


def given_call_id(item: OtherItem) -> str | None:
    """The `call_id` of an item that has no model, if it has one."""
    call_id: Any = (item.model_extra or {}).get("call_id")
    return call_id if isinstance(call_id, str) else None


def answers(output: ResponseItem, call: ResponseItem) -> bool:
    """Whether an output is of the sort that answers such a call."""
    return output.type in ANSWERS[call.type]


def content_parts(item: ResponseItem) -> Sequence[ContentPart]:
    """The parts of a message or of a tool's output. Empty where the output is plain text or the item has no content."""
    match item:
        case Message():
            return item.content
        case FunctionCallOutput() | CustomToolCallOutput() if not isinstance(item.output, str):
            return item.output
        case _:
            return ()


def is_blank(item: ResponseItem) -> bool:
    """Whether it is a message that says nothing."""
    return isinstance(item, Message) and all(
        isinstance(part, InputText | OutputText) and not part.text.strip() for part in item.content
    )


def _as_known(place: str, item: ResponseItem) -> ResponseItem:
    """An item of a known type that `OtherItem` holds, read as what it says it is.

    One that does not fit is refused, as the server would, unless it has an `id`: ids are given by servers, so this is
    what a newer server sent, and it goes back to it as it came.
    """
    model = _MODELS.get(item.type) if isinstance(item, OtherItem) else None
    if model is None:
        return item
    try:
        return cast("ResponseItem", model.model_validate(item.model_dump(exclude_unset=True)))
    except ValidationError as error:
        if item.id:
            return item
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidPayloadError(
            f"{place} is no {item.type} that can be sent: {'; '.join(map(_fault, faults))}; "
            f"mend it, best by making it as a {model.__name__}"
        ) from None


def _fault(fault: Any) -> str:
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].lower()}"


def _check(items: Mapping[int, ResponseItem], *, continues: bool) -> None:
    calls: dict[str, ResponseItem] = {}
    answered: set[str] = set()
    for index, item in items.items():
        place = f"input[{index}]"
        _check_parts(place, content_parts(item))
        if isinstance(item, Message):
            _check_message(place, item)
        elif (call_id := asked_call_id(item)) is not None:
            _check_call(place, item.type, call_id, calls)
            calls[call_id] = item
        elif (call_id := answered_call_id(item)) is not None:
            _check_output(f"{place}, {_a(item.type)}", item.type, call_id, calls.get(call_id), continues=continues)
            if call_id in answered:
                raise InvalidPayloadError(
                    f"{place} is a second output of call {call_id!r}; a call has one output, remove the other"
                )
            answered.add(call_id)
    _check_all_answered(calls, answered)


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _check_message(place: str, message: Message) -> None:
    if message.role not in _ROLES:
        raise InvalidPayloadError(
            f"{place} has role {message.role!r}; "
            f"messages have one of {', '.join(_ROLES)}, and a tool's answer is a FunctionCallOutput"
        )
    if message.role != "assistant" and not message.content:
        raise InvalidPayloadError(
            f"{place} is a message of the {message.role} without content; give it a text, or leave it out"
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


def _check_call(place: str, kind: str, call_id: str, calls: Collection[str]) -> None:
    if not call_id:
        raise InvalidPayloadError(f"{place} is {_a(kind)} without a call_id, so no output can answer it; give it one")
    if call_id in calls:
        raise InvalidPayloadError(f"{place} is a second call with call_id {call_id!r}; every call needs its own")


def _check_output(place: str, kind: str, call_id: str, call: ResponseItem | None, *, continues: bool) -> None:
    if call is None and not continues:
        raise InvalidPayloadError(
            f"{place}, answers call {call_id!r}, which does not come before it; "
            "keep the call in the input, ahead of its output"
        )
    if call is not None and kind not in ANSWERS[call.type]:
        raise InvalidPayloadError(
            f"{place}, answers call {call_id!r}, which is {_a(call.type)}; answer that by {_a(ANSWERS[call.type][0])}"
        )


def _check_all_answered(calls: dict[str, ResponseItem], answered: set[str]) -> None:
    """Also a call in the last place needs its output: both APIs refuse to go on without it."""
    for call_id, call in calls.items():
        if call_id not in answered:
            raise InvalidPayloadError(
                f"call {call_id!r} ({_a(call.type)}) has no output; add {_a(ANSWERS[call.type][0])} with this call_id "
                "(its output may be 'aborted' where the tool was not run), or remove the call"
            )
