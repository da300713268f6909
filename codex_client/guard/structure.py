"""What an event says, and the guard that holds back those that say nothing yet."""

from __future__ import annotations

from collections.abc import Iterable

from codex_client.events import (
    Created,
    ModelsEtag,
    OutputItemAdded,
    OutputItemDone,
    RateLimits,
    RawEvent,
    ReasoningSummaryPartAdded,
    ResponseEvent,
    ServerModel,
)
from codex_client.items import Message, OutputText, Reasoning, Refusal, ResponseItem

HANDSHAKE = (Created, RateLimits, ServerModel, ModelsEtag, RawEvent)
"""What a server says before it has begun to answer; having handed it out does not stand against a second try."""


def says_nothing(item: ResponseItem) -> bool:
    """Whether an item is no answer: reasoning, or a message without a character of text or refusal."""
    if isinstance(item, Message):
        return not any(map(_says_something, item.content))
    return isinstance(item, Reasoning)


def _says_something(part: object) -> bool:
    match part:
        case OutputText():
            return part.text != ""
        case Refusal():
            return part.refusal != ""
        case _:
            return True


class StructureHold:
    """Holds the structure of a turn until the first event with something to show, so that it does not count as output.

    Structure: the beginning of a message, reasoning of which nothing can be read, the announcement of a part. A turn of
    which only that has come can be asked for again, and nobody has seen anything of it.
    """

    def __init__(self) -> None:
        self._held: list[ResponseEvent] = []
        self._shown = False

    def feed(self, events: Iterable[ResponseEvent]) -> list[ResponseEvent]:
        """The events that may go on now."""
        out: list[ResponseEvent] = []
        for event in events:
            self._held.append(event)
            if self._shows(event):
                self._shown = True
            if self._shown or (len(self._held) == 1 and isinstance(event, HANDSHAKE)):
                out += self._held
                self._held.clear()
        return out

    def feed_eof(self) -> list[ResponseEvent]:
        """What is held, where the turn ended before anything was shown."""
        held, self._held = self._held, []
        return held

    def _shows(self, event: ResponseEvent) -> bool:
        match event:
            case OutputItemAdded() | OutputItemDone():
                return not _is_unreadable(event.item)
            case ReasoningSummaryPartAdded():
                return False
            case _:
                return not isinstance(event, HANDSHAKE)


def _is_unreadable(item: ResponseItem) -> bool:
    if isinstance(item, Reasoning):
        return not (item.text or any(item.summary_texts))
    return says_nothing(item)
