"""The guard against refusals in the form of an answer: some servers and proxies write "at capacity" as the message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from codex_client.events import (
    Completed,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    RefusalDelta,
    ResponseEvent,
    ToolCallInputDelta,
)
from codex_client.items import Message

CAPACITY_TEXTS: tuple[str, ...] = (
    # What codex's clients show for `server_is_overloaded`, and what the backend itself says with that code.
    "Selected model is at capacity. Please try a different model.",
    "Our servers are currently overloaded. Please try again later.",
)
"""Messages that are no answer of the model when they are the whole of it."""


class CapacityGuard:
    """Raises `ServerOverloadedInStreamError` where the turn's first message has one of the texts and nothing else.

    The message is held while its text may still become one of them, and what comes behind it too.
    """

    def __init__(self, texts: Iterable[str] = CAPACITY_TEXTS) -> None:
        self._texts = frozenset(_plain(text) for text in texts)
        self._pieces = ""
        self._held: list[ResponseEvent] = []
        self._done = False

    def feed(self, events: Sequence[ResponseEvent]) -> Sequence[ResponseEvent]:
        """The events that may go on now."""
        if self._done:
            return events
        out: list[ResponseEvent] = []
        for event in events:
            self._judge(event)
            self._held.append(event)
            if self._done or not self._pieces:
                out += self.feed_eof()
        return out

    def feed_eof(self) -> list[ResponseEvent]:
        """What is held, where the turn broke off."""
        held, self._held = self._held, []
        return held

    def _judge(self, event: ResponseEvent) -> None:
        if self._done:
            return
        match event:
            case OutputTextDelta():
                self._pieces += event.delta
                text = _plain(self._pieces)
                self._done = not any(known.startswith(text) for known in self._texts)
            case OutputItemDone(item=Message() as message):
                self._end(message.text)
            case Completed():
                self._end(self._pieces)
            case RefusalDelta() | ToolCallInputDelta() | OutputItemAdded():
                # Another part or item: the text is not all that is said.
                self._done = self._pieces != ""
            case _:
                pass

    def _end(self, text: str) -> None:
        """The message is whole; none after it is looked at."""
        self._done = True
        if _plain(text) in self._texts:
            self._held.clear()
            # The rules of failures are loaded with the first one.
            from codex_client.classify import ServerFailure, in_stream_error

            raise in_stream_error(ServerFailure(code="server_is_overloaded", message=text.strip()))


def _plain(text: str) -> str:
    return text.strip().casefold()
