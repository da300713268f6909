"""What a stream has given of an item's texts, and what it still owes when the item is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias, assert_never

from codex_client.decode.parts import PartKey, texts_of
from codex_client.events import (
    OutputTextDelta,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    RefusalDelta,
    ToolCallInputDelta,
)
from codex_client.items import ResponseItem

Given: TypeAlias = Mapping[PartKey, Sequence[str]]
"""The pieces that came of an item, by part."""
Delta: TypeAlias = OutputTextDelta | RefusalDelta | ReasoningContentDelta | ReasoningSummaryDelta | ToolCallInputDelta


def key_of(event: Delta) -> PartKey:
    """The part that a piece belongs to."""
    match event:
        case OutputTextDelta():
            return "text", event.content_index
        case RefusalDelta():
            return "refusal", event.content_index
        case ReasoningContentDelta():
            return "reasoning", event.content_index
        case ReasoningSummaryDelta():
            return "summary", event.summary_index
        case ToolCallInputDelta():
            return "input", 0
        case _:
            assert_never(event)


def missing_texts(item: ResponseItem, given: Given) -> Iterator[tuple[PartKey, str]]:
    """What no piece has brought of the whole item, by its part.

    Parts of one kind are compared in their order and not by their indexes, which servers count in more ways than one.
    Where the pieces say something else than the item, there is nothing to add.
    """
    said = {kind: "" for kind, _ in given}
    for (kind, _), pieces in sorted(given.items()):
        said[kind] += "".join(pieces)
    for key, text in texts_of(item).items():
        before = said.get(key[0], "")
        if before.startswith(text):
            said[key[0]] = before[len(text) :]
        elif text.startswith(before):
            said[key[0]] = ""
            yield key, text[len(before) :]
