"""The `input` of a Responses request as items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codex_client.bridge.fields import Fields, without_parsed
from codex_client.decode.wire import as_list, as_object
from codex_client.errors import InvalidPayloadError
from codex_client.items import (
    ContentPart,
    CustomToolCallOutput,
    FunctionCallOutput,
    Message,
    OtherContent,
    ResponseItem,
    parse_item,
)

_ROLES = ("user", "assistant", "system", "developer")
# Known types that came out as `OtherContent` have a shape of their own making.
_KNOWN_PARTS = frozenset({"input_text", "input_image", "input_file", "output_text", "refusal"})
_CHAT_PARTS = frozenset({"text", "image_url", "file"})


def parsed_input(request: Fields) -> str | tuple[ResponseItem, ...]:
    """A text, or items; none where there is no input. Raises `InvalidPayloadError`."""
    given = request.get("input")
    if isinstance(given, str):
        return given
    return tuple(_item(item) for item in request.children("input"))


def _item(fields: Fields) -> ResponseItem:
    fields.text("type")
    fields.text("role")
    try:
        item = parse_item(_values(fields))
    except ValueError:
        raise fields.fault("type", "is missing; give the item's type, or the role of a message") from None
    match item:
        case Message():
            _check_message(fields, item)
        case FunctionCallOutput() | CustomToolCallOutput() if not isinstance(item.output, str):
            _check_parts(fields, "output", item.output)
        case _:
            pass
    return item


def _values(fields: Fields) -> dict[str, Any]:
    values = without_parsed(fields.values)
    if values.get("type", "") is None:
        del values["type"]
    if isinstance(values.get("content"), list):
        values["content"] = [
            without_parsed(as_object(part)) if isinstance(part, dict) else part for part in as_list(values["content"])
        ]
    return values


def _check_message(fields: Fields, message: Message) -> None:
    if message.role not in _ROLES:
        raise fields.fault("role", f"is {message.role[:40]!r}; it is one of {', '.join(_ROLES)}")
    _check_parts(fields, "content", message.content)


def _check_parts(fields: Fields, name: str, parts: Sequence[ContentPart]) -> None:
    for index, part in enumerate(parts):
        if isinstance(part, OtherContent) and part.type in _KNOWN_PARTS | _CHAT_PARTS:
            raise _wrong_part(f"{fields.at(name)}[{index}]", part.type)


def _wrong_part(place: str, kind: str) -> InvalidPayloadError:
    problem = "is a part of the Chat API" if kind in _CHAT_PARTS else "lacks a field, or has one of the wrong type"
    return InvalidPayloadError(f"{place}, of type {kind!r}, {problem}; write it as the Responses API does", param=place)
