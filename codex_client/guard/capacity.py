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

# White space that may stand before such a text, and behind it. A message with more is one of the model.
_MAX_BLANK = 8


class CapacityGuard:
    """Raises `ServerOverloadedInStreamError` where the turn's first message has one of the texts and nothing else.

    The message is held while its text may still become one of them, with a little white space around it, and what comes
    behind it too.
    """

    def __init__(self, texts: Iterable[str] = CAPACITY_TEXTS) -> None:
        self._texts = frozenset(_plain(text) for text in texts)
        self._longest = max(map(len, self._texts), default=0) + 2 * _MAX_BLANK
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
                self._done = not self._may_become_one(self._pieces)
            case OutputItemDone(item=Message() as message):
                self._end(message.text)
            case Completed():
                self._end(self._pieces)
            case RefusalDelta() | ToolCallInputDelta() | OutputItemAdded():
                # Another part or item: the text is not all that is said.
                self._done = self._pieces != ""
            case _:
                pass

    def _may_become_one(self, text: str) -> bool:
        """A bounded look: what is longer than all of them is none."""
        if len(text) > self._longest or len(text) - len(text.lstrip()) > _MAX_BLANK:
            return False
        plain = _plain(text)
        return any(known.startswith(plain) for known in self._texts)

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
