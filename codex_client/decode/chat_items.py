"""Items under construction: the message and the reasoning of a Chat answer.

A Chat server does not announce items. So each begins with its first piece and is whole when the answer is: at most
one message and one reasoning item, however their pieces are mixed.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

from codex_client.decode.wire import as_list, as_object, as_text
from codex_client.events import OutputTextDelta, ReasoningContentDelta, RefusalDelta
from codex_client.items import Message, OutputText, Reasoning, ReasoningText, Refusal, ResponseItem


class OpenItem(Protocol):
    """An item that is not whole yet."""

    def build(self) -> ResponseItem | None:
        """The item with all its pieces; None for one that was never announced."""
        ...


class OpenMessage:
    """The message: text, a refusal, or both. The kind that comes first has `content_index` 0, the other one 1."""

    def __init__(self, output_index: int) -> None:
        self._output_index = output_index
        self._texts: list[str] = []
        self._refusals: list[str] = []
        self._refusal_first = False

    def text(self, delta: str) -> OutputTextDelta:
        self._texts.append(delta)
        return OutputTextDelta(delta, self._output_index, int(self._refusal_first))

    def refusal(self, delta: str) -> RefusalDelta:
        self._refusals.append(delta)
        self._refusal_first = self._refusal_first or not self._texts
        return RefusalDelta(delta, self._output_index, int(not self._refusal_first))

    def build(self) -> Message:
        text = [OutputText(text="".join(self._texts))] if self._texts else []
        refusal = [Refusal(refusal="".join(self._refusals))] if self._refusals else []
        return Message(role="assistant", content=[*refusal, *text] if self._refusal_first else [*text, *refusal])


class OpenReasoning:
    """The reasoning: its text, and the entries of `reasoning_details` that must go back with the next turn.

    All text is one part, with `content_index` 0. (codex counts the index up with each delta, which makes every delta
    a part of its own.) The entries are kept as the extra field `reasoning_details` of the item, also where there is
    no text.
    """

    def __init__(self, output_index: int) -> None:
        self._output_index = output_index
        self._pieces: list[str] = []
        self._details: list[_Detail] = []
        self._blocks: dict[tuple[str, int], _Detail] = {}

    def text(self, delta: str) -> ReasoningContentDelta:
        self._pieces.append(delta)
        return ReasoningContentDelta(delta, 0, self._output_index)

    def keep(self, entries: list[Any]) -> None:
        """Keep entries of `reasoning_details` in order; the pieces of one block (same type and index) become one entry.

        A stream cuts a block of text into many entries, and its signature often stands in one of its own. It signs
        the whole text, so Anthropic refuses a history that holds the pieces. Encrypted entries are whole, and stay as
        they came.
        """
        for entry in entries:
            key = _block_key(as_object(entry))
            block = self._blocks.get(key) if key else None
            if block is not None:
                block.add(cast("dict[str, Any]", entry))
                continue
            detail = _Detail(entry)
            self._details.append(detail)
            if key:
                self._blocks[key] = detail

    def build(self) -> Reasoning:
        fields: dict[str, Any] = {"summary": []}
        if self._pieces:
            fields["content"] = [ReasoningText(text="".join(self._pieces))]
        if self._details:
            fields["reasoning_details"] = [detail.build() for detail in self._details]
        return Reasoning(**fields)


# The kinds of entries that come in pieces, and their fields that are to be joined. Of the other fields the last value
# counts.
_BLOCK_TYPES = frozenset({"reasoning.text", "reasoning.summary"})
_JOINED = ("text", "summary")


class _Detail:
    """One entry of `reasoning_details`, put together from its pieces."""

    def __init__(self, first: Any) -> None:
        self._first = first
        self._changed: dict[str, Any] = {}
        self._joined: dict[str, list[str]] = {}

    def add(self, piece: dict[str, Any]) -> None:
        for name, value in piece.items():
            if name in _JOINED:
                self._joined.setdefault(name, [as_text(self._first.get(name))]).append(as_text(value))
            elif value:
                self._changed[name] = value

    def build(self) -> Any:
        if not self._changed:
            return self._first
        return {**self._first, **self._changed, **{name: "".join(pieces) for name, pieces in self._joined.items()}}


def _block_key(entry: dict[str, Any]) -> tuple[str, int] | None:
    """What the pieces of one block have in common; None for an entry that stands alone."""
    kind, index = entry.get("type"), entry.get("index")
    # A bool is an int to `isinstance`.
    return (kind, index) if isinstance(kind, str) and kind in _BLOCK_TYPES and type(index) is int else None


def plain_reasoning(delta: dict[str, Any]) -> str:
    """The reasoning of a delta or message in its plain spellings, "" for none. Where there are two, one is taken."""
    if text := as_text(delta.get("reasoning_content")):
        return text
    reasoning = delta.get("reasoning")
    fields = as_object(reasoning)
    return as_text(reasoning) or as_text(fields.get("text")) or as_text(fields.get("content"))


def details_text(entries: list[Any]) -> str:
    """The readable text of `reasoning_details`, for servers that send it nowhere else."""
    return "".join(as_text(entry.get("text")) or as_text(entry.get("summary")) for entry in map(as_object, entries))


def thinking_text(part: dict[str, Any]) -> str:
    """The text of a content part of type `thinking` (Mistral): a string, or a list of text parts."""
    thinking = part.get("thinking")
    return as_text(thinking) or "".join(as_text(as_object(piece).get("text")) for piece in as_list(thinking))
