"""The wire events of each kind of part of an item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from codex_client.bridge.response import wire_part
from codex_client.decode.parts import PartKind
from codex_client.items import (
    CustomToolCall,
    FunctionCall,
    Message,
    OutputText,
    Reasoning,
    Refusal,
    ResponseItem,
    dump_item,
)

WireKind: TypeAlias = PartKind | Literal["other"]
WireKey: TypeAlias = tuple[WireKind, int]


@dataclass(frozen=True, slots=True)
class PartEvents:
    """Event types, "" where there is none. `text_field` holds the whole text in the `done` event, and in the part
    itself; `index_field` says which part it is; `part_type` and `more` are what a part and its events hold besides.
    """

    delta: str = ""
    done: str = ""
    text_field: str = "text"
    index_field: str = "content_index"
    part_added: str = "response.content_part.added"
    part_done: str = "response.content_part.done"
    part_type: str = ""

    def empty_part(self) -> dict[str, Any]:
        return wire_part({"type": self.part_type, self.text_field: ""})


PART_EVENTS: dict[WireKind, PartEvents] = {
    "text": PartEvents("response.output_text.delta", "response.output_text.done", part_type="output_text"),
    "refusal": PartEvents("response.refusal.delta", "response.refusal.done", "refusal", part_type="refusal"),
    "reasoning": PartEvents(
        "response.reasoning_text.delta", "response.reasoning_text.done", part_type="reasoning_text"
    ),
    "summary": PartEvents(
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        index_field="summary_index",
        part_added="response.reasoning_summary_part.added",
        part_done="response.reasoning_summary_part.done",
        part_type="summary_text",
    ),
    "input": PartEvents(
        "response.function_call_arguments.delta", "response.function_call_arguments.done", "arguments", "", "", ""
    ),
    "other": PartEvents(),
}
CUSTOM_INPUT = PartEvents(
    "response.custom_tool_call_input.delta", "response.custom_tool_call_input.done", "input", "", "", ""
)


def whole_parts(item: ResponseItem) -> Iterator[tuple[WireKey, str, dict[str, Any]]]:
    """The parts of an item that is done: the key under which `texts_of` knows it, its text, the part itself."""
    match item:
        case Message():
            for index, (part, fields) in enumerate(zip(item.content, dump_item(item)["content"], strict=True)):
                match part:
                    case OutputText():
                        yield ("text", index), part.text, wire_part(fields)
                    case Refusal():
                        yield ("refusal", index), part.refusal, fields
                    case _:
                        yield ("other", index), "", fields
        case Reasoning():
            for index, text in enumerate(item.summary_texts):
                yield ("summary", index), text, {"type": "summary_text", "text": text}
            for index, part in enumerate(item.content or ()):
                yield ("reasoning", index), part.text, {"type": "reasoning_text", "text": part.text}
        case FunctionCall():
            yield ("input", 0), item.arguments, {}
        case CustomToolCall():
            yield ("input", 0), item.input, {}
        case _:
            pass
