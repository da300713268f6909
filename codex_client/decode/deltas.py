"""Frames that bring text: which part each type is about, and the quick way through for those in the documented shape.

`PIECES` bring a piece of a part, `WHOLES` its whole text once more at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Any

from pydantic_core import SchemaValidator, core_schema

from codex_client.decode.parts import Delta, PartKind, Place
from codex_client.decode.wire import as_index, as_object, as_text
from codex_client.events import (
    OutputTextDelta,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    RefusalDelta,
    ToolCallInputDelta,
)

_TEXT = core_schema.str_schema(strict=True)
_INDEX = core_schema.int_schema(strict=True, ge=0)
_ID = core_schema.with_default_schema(core_schema.nullable_schema(_TEXT), default=None)


@dataclass(frozen=True)
class TextFrame:
    """One type of frame. `text_field` holds its text, `index_field` the index of its part ("" where it has none)."""

    kind: PartKind
    event: type[Delta]
    text_field: str = "delta"
    index_field: str = "content_index"
    custom: bool = False

    @cached_property
    def exact(self) -> SchemaValidator:
        """Reads JSON text in the documented shape straight into the event; raises `ValidationError` for any other.

        Built at the first use. All indexes are demanded: a default would hide that they are missing.
        """
        schemas = {"delta": _TEXT, "output_index": _INDEX, "item_id": _ID}
        schemas.update({self.index_field: _INDEX} if self.index_field else {"call_id": _ID})
        fields = [core_schema.dataclass_field(name, schema) for name, schema in schemas.items()]
        arguments = core_schema.dataclass_args_schema(self.event.__name__, fields)
        return SchemaValidator(
            core_schema.dataclass_schema(self.event, arguments, list(schemas), slots=True, frozen=True)
        )

    @cached_property
    def part_index(self) -> Callable[[Delta], int]:
        """The index of the part that an event is about."""
        return attrgetter(self.index_field) if self.index_field else lambda _: 0

    def text_of(self, fields: Mapping[str, Any]) -> str:
        """The text of a frame in any shape; old servers put a delta into the item."""
        return as_text(fields.get(self.text_field)) or as_text(as_object(fields.get("item")).get(self.text_field))

    def place_of(self, fields: Mapping[str, Any]) -> Place:
        """Where a frame in any shape says that it belongs."""
        return Place(
            output_index=as_index(fields.get("output_index")),
            part_index=as_index(fields.get(self.index_field)) if self.index_field else 0,
            item_id=as_text(fields.get("item_id")) or None,
            call_id=as_text(fields.get("call_id")) or None,
            name=as_text(fields.get("name")),
            custom=self.custom,
        )


PIECES: Mapping[str, TextFrame] = {
    "response.output_text.delta": TextFrame("text", OutputTextDelta),
    "response.refusal.delta": TextFrame("refusal", RefusalDelta),
    "response.reasoning_text.delta": TextFrame("reasoning", ReasoningContentDelta),
    "response.reasoning_summary_text.delta": TextFrame("summary", ReasoningSummaryDelta, index_field="summary_index"),
    "response.function_call_arguments.delta": TextFrame("input", ToolCallInputDelta, index_field=""),
    "response.custom_tool_call_input.delta": TextFrame("input", ToolCallInputDelta, index_field="", custom=True),
}

WHOLES: Mapping[str, TextFrame] = {
    "response.output_text.done": TextFrame("text", OutputTextDelta, "text"),
    "response.refusal.done": TextFrame("refusal", RefusalDelta, "refusal"),
    "response.reasoning_text.done": TextFrame("reasoning", ReasoningContentDelta, "text"),
    "response.reasoning_summary_text.done": TextFrame("summary", ReasoningSummaryDelta, "text", "summary_index"),
    "response.function_call_arguments.done": TextFrame("input", ToolCallInputDelta, "arguments", ""),
    "response.custom_tool_call_input.done": TextFrame("input", ToolCallInputDelta, "input", "", custom=True),
}
