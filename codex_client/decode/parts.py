"""The parts of an item that arrive in pieces: which text they make up, and what an item looks like before and after.

A part is named by its kind and its index within the item: `content_index` of a text, a refusal or a raw thought,
`summary_index` of a summary; a call's input is one part with index 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, assert_never

from codex_client.aggregate import TurnAccumulator
from codex_client.events import (
    OutputItemAdded,
    OutputTextDelta,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    RefusalDelta,
    ToolCallInputDelta,
)
from codex_client.items import (
    CustomToolCall,
    FunctionCall,
    Message,
    OutputText,
    Reasoning,
    Refusal,
    ResponseItem,
)

PartKind: TypeAlias = Literal["text", "refusal", "reasoning", "summary", "input"]
PartKey: TypeAlias = tuple[PartKind, int]
Delta: TypeAlias = OutputTextDelta | RefusalDelta | ReasoningContentDelta | ReasoningSummaryDelta | ToolCallInputDelta

# The items that a part of each kind may belong to.
ITEMS_OF_PART: Mapping[PartKind, tuple[type[Message | Reasoning | FunctionCall | CustomToolCall], ...]] = {
    "text": (Message,),
    "refusal": (Message,),
    "reasoning": (Reasoning,),
    "summary": (Reasoning,),
    "input": (FunctionCall, CustomToolCall),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a frame says that a part belongs; None for what it does not say. `custom`: the input of a custom tool."""

    output_index: int | None = None
    part_index: int | None = None
    item_id: str | None = None
    call_id: str | None = None
    name: str = ""
    custom: bool = False


def texts_of(item: ResponseItem) -> dict[PartKey, str]:
    """The item's parts that have text."""
    parts: dict[PartKey, str] = {}
    match item:
        case Message():
            for index, part in enumerate(item.content):
                if isinstance(part, OutputText):
                    parts["text", index] = part.text
                elif isinstance(part, Refusal):
                    parts["refusal", index] = part.refusal
        case Reasoning():
            parts.update({("summary", index): text for index, text in enumerate(item.summary_texts)})
            parts.update({("reasoning", index): part.text for index, part in enumerate(item.content or ())})
        case FunctionCall():
            parts["input", 0] = item.arguments
        case CustomToolCall():
            parts["input", 0] = item.input
        case _:
            pass
    return {key: text for key, text in parts.items() if text}


def without_texts(item: ResponseItem) -> ResponseItem:
    """The item as a server announces it: as it is, but its parts are still to come."""
    status: dict[str, Any] = {"status": "in_progress"} if getattr(item, "status", None) else {}
    match item:
        case Message():
            return item.model_copy(update={"content": [], **status})
        case Reasoning():
            content: dict[str, Any] = {"content": []} if item.content else {}
            return item.model_copy(update={"summary": [], **content, **status})
        case FunctionCall():
            return item.model_copy(update={"arguments": "", **status})
        case CustomToolCall():
            return item.model_copy(update={"input": "", **status})
        case _:
            return item


def unannounced_item(kind: PartKind, place: Place) -> ResponseItem:
    """The item that a part belongs to whose server announced none. A call's name may be known only when it is done."""
    match kind:
        case "text" | "refusal":
            return Message(id=place.item_id, role="assistant", content=[])
        case "reasoning" | "summary":
            return Reasoning(id=place.item_id, summary=[])
        case "input" if place.custom:
            return CustomToolCall(id=place.item_id, call_id=place.call_id or "", name=place.name, input="")
        case "input":
            return FunctionCall(id=place.item_id, call_id=place.call_id or "", name=place.name, arguments="")
        case _:
            assert_never(kind)


def delta_of(key: PartKey, delta: str, *, output_index: int, item_id: str | None, call_id: str | None) -> Delta:
    """The event that brings a piece of a part."""
    kind, index = key
    match kind:
        case "text":
            return OutputTextDelta(delta, output_index, index, item_id)
        case "refusal":
            return RefusalDelta(delta, output_index, index, item_id)
        case "reasoning":
            return ReasoningContentDelta(delta, index, output_index, item_id)
        case "summary":
            return ReasoningSummaryDelta(delta, index, output_index, item_id)
        case "input":
            return ToolCallInputDelta(delta, call_id, item_id, output_index)
        case _:
            assert_never(kind)


def with_call_id(item: ResponseItem, output_index: int) -> ResponseItem:
    """A call that can be answered: without a `call_id`, its own id serves, else a name made of its index."""
    if isinstance(item, FunctionCall | CustomToolCall) and not item.call_id:
        return item.model_copy(update={"call_id": item.id or f"call_{output_index}"})
    return item


def completed(item: ResponseItem) -> ResponseItem:
    """The item with the status of the turn that it was complete in."""
    return item.model_copy(update={"status": "completed"}) if getattr(item, "status", None) else item


def with_pieces(item: ResponseItem, pieces: Mapping[PartKey, Sequence[str]]) -> ResponseItem:
    """The item with the text of its pieces where it has none of that kind itself: nothing that was shown gets lost."""
    own = {kind for kind, _ in texts_of(item)}
    deltas = [
        delta_of(key, text, output_index=0, item_id=None, call_id=None)
        for key, given in pieces.items()
        if key[0] not in own and (text := "".join(given))
    ]
    # Texts and refusals share a message's content: pieces of one must not replace the other.
    if not deltas or (isinstance(item, Message) and item.content):
        return item
    turn = TurnAccumulator()
    turn.feed([OutputItemAdded(item, 0), *deltas])
    return turn.response().items[0]
