"""The answer of a Chat server as it grows: the deltas of choice 0 in, events of items out."""

from __future__ import annotations

from collections import Counter
from typing import Any

from codex_client.decode.chat_items import (
    OpenItem,
    OpenMessage,
    OpenReasoning,
    details_text,
    plain_reasoning,
    thinking_text,
)
from codex_client.decode.chat_tools import ToolCalls
from codex_client.decode.wire import as_list, as_object, as_text
from codex_client.events import OutputItemAdded, OutputItemDone, ResponseEvent
from codex_client.items import Message, Reasoning


class ChatAnswer:
    """Choice 0: at most one message and one reasoning item, and any number of calls, in the order in which they began.

    `ignored` is the decoder's counter of what it does not know; content parts of unknown types are counted there.
    """

    def __init__(self, ignored: Counter[str]) -> None:
        self._ignored = ignored
        self._items: list[OpenItem] = []
        self._message: OpenMessage | None = None
        self._reasoning: OpenReasoning | None = None
        self._calls = ToolCalls(self._items)
        self._plain_seen = False

    @property
    def begun(self) -> bool:
        """Whether any item has begun."""
        return bool(self._items)

    @property
    def unnamed_arguments(self) -> list[str]:
        """The arguments of calls that never got a name, one string for each such call."""
        return self._calls.unnamed_arguments

    def feed(self, delta: dict[str, Any], seed: str) -> list[ResponseEvent]:
        """The events of one delta, or of a whole `message`. `seed` is what made-up call ids are made from."""
        events: list[ResponseEvent] = []
        plain = ""
        if delta.get("reasoning_content") or delta.get("reasoning"):
            plain = plain_reasoning(delta)
            self._think(plain, events)
            self._plain_seen = self._plain_seen or bool(plain)
        if "reasoning_details" in delta:
            self._keep(as_list(delta["reasoning_details"]), events)
        content = delta.get("content")
        if isinstance(content, str):
            self._say(content, events)
        elif content:
            self._read_parts(as_list(content), events, with_thinking=not plain)
        if refusal := delta.get("refusal"):
            self._refuse(as_text(refusal), events)
        if calls := delta.get("tool_calls"):
            events += self._calls.feed(as_list(calls), seed)
        elif function_call := delta.get("function_call"):
            # The API before tools: one call, without an id.
            events += self._calls.feed([{"index": 0, "function": function_call}], seed)
        return events

    def done(self) -> list[ResponseEvent]:
        """Every item, whole."""
        built = ((index, item.build()) for index, item in enumerate(self._items))
        return [OutputItemDone(item, index) for index, item in built if item is not None]

    def _say(self, text: str, events: list[ResponseEvent]) -> None:
        if text:
            events.append((self._message or self._open_message(events)).text(text))

    def _refuse(self, text: str, events: list[ResponseEvent]) -> None:
        if text:
            events.append((self._message or self._open_message(events)).refusal(text))

    def _think(self, text: str, events: list[ResponseEvent]) -> None:
        if text:
            events.append((self._reasoning or self._open_reasoning(events)).text(text))

    def _keep(self, entries: list[Any], events: list[ResponseEvent]) -> None:
        if entries:
            (self._reasoning or self._open_reasoning(events)).keep(entries)
        # Who sends the text in a plain spelling repeats it here.
        if not self._plain_seen:
            self._think(details_text(entries), events)

    def _open_message(self, events: list[ResponseEvent]) -> OpenMessage:
        message = self._message = OpenMessage(len(self._items))
        events.append(OutputItemAdded(Message(role="assistant", content=[]), len(self._items)))
        self._items.append(message)
        return message

    def _open_reasoning(self, events: list[ResponseEvent]) -> OpenReasoning:
        reasoning = self._reasoning = OpenReasoning(len(self._items))
        events.append(OutputItemAdded(Reasoning(summary=[]), len(self._items)))
        self._items.append(reasoning)
        return reasoning

    def _read_parts(self, parts: list[Any], events: list[ResponseEvent], *, with_thinking: bool) -> None:
        for part in parts:
            fields = {"text": part} if isinstance(part, str) else as_object(part)
            if "thinking" in fields:
                self._think(thinking_text(fields) if with_thinking else "", events)
            elif "text" in fields:
                self._say(as_text(fields["text"]), events)
            elif "refusal" in fields:
                self._refuse(as_text(fields["refusal"]), events)
            else:
                self._ignored[f"content part {as_text(fields.get('type'))}".rstrip()] += 1
