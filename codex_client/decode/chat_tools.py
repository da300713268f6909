"""Putting tool calls together from the entries of `tool_calls`, which servers number, name and identify in many ways.

State: the calls in order of first appearance. Input: the entries of one delta. An entry is a header (it has an id or
a name), a piece of arguments, or both. It belongs to

1. the call with its `index`, if it has one (null and negative ones are none);
2. else the call with its id;
3. else the last call that an entry went to.

A header begins another call where its id is another one, both being known: some servers number all calls 0. Where
there is no id to compare: without an `index` every name is a call of its own; with one, a name is taken for a
repetition, unless an entry of the same delta went to that call already, or the call's arguments are complete and more
come. The first id and the first name of a call stay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from codex_client.decode.chat_items import OpenItem
from codex_client.decode.wire import as_json_text, as_object, as_text, is_complete_json
from codex_client.events import OutputItemAdded, ResponseEvent, ToolCallInputDelta
from codex_client.items import CustomToolCall, FunctionCall


@dataclass(slots=True, eq=False)
class _OpenCall:
    """One call. `server_id` is "" until the server tells it, `call_id` until the call is announced; then they stay."""

    output_index: int
    server_id: str = ""
    call_id: str = ""
    name: str = ""
    custom: bool = False
    pieces: list[str] = field(default_factory=list[str])

    def build(self) -> FunctionCall | CustomToolCall | None:
        return self.item("".join(self.pieces)) if self.call_id else None

    def is_complete(self) -> bool:
        """Whether the arguments are a whole JSON object."""
        # A look at the end spares most of the joining: quadratic where a server repeats the name with every piece.
        return bool(self.pieces) and self.pieces[-1].endswith("}") and is_complete_json("".join(self.pieces))

    def item(self, text: str) -> FunctionCall | CustomToolCall:
        if self.custom:
            return CustomToolCall(call_id=self.call_id, name=self.name, input=text)
        return FunctionCall(call_id=self.call_id, name=self.name, arguments=text)


@dataclass(slots=True)
class _Entry:
    """One entry of `tool_calls`, read. `index` is None where the server gives none that can be used."""

    index: int | None
    call_id: str
    name: str
    text: str
    custom: bool


class ToolCalls:
    """The calls of one answer. `items` is the answer's list of items in output order; new calls are appended to it."""

    def __init__(self, items: list[OpenItem]) -> None:
        self._items = items
        self._calls: list[_OpenCall] = []
        self._by_index: dict[int, _OpenCall] = {}
        self._next_index = 0
        self._by_id: dict[str, _OpenCall] = {}
        self._last: _OpenCall | None = None

    @property
    def unnamed_arguments(self) -> list[str]:
        """The arguments of calls that never got a name. Such a call cannot be answered, and was not announced."""
        return [text for call in self._calls if not call.name and (text := "".join(call.pieces))]

    def feed(self, entries: list[Any], seed: str) -> list[ResponseEvent]:
        """The events of one delta's entries.

        A call without an id of its own gets one made from `seed` (the response's id) and its output index: the same
        for the same stream, and in the form of OpenAI's, which takes ids of up to 40 characters. An id that comes
        after the call was announced is not taken over.
        """
        events: list[ResponseEvent] = []
        before: set[_OpenCall] = set()
        for fields in entries:
            entry = _read(as_object(fields))
            call = self._last = self._call_of(entry, before)
            before.add(call)
            events += self._fill(call, entry, seed)
        return events

    def _call_of(self, entry: _Entry, before: set[_OpenCall]) -> _OpenCall:
        call = self._without_index(entry.call_id) if entry.index is None else self._by_index.get(entry.index)
        return self._open(entry.index) if call is None or _begins_another(entry, call, before) else call

    def _without_index(self, call_id: str) -> _OpenCall | None:
        if not call_id or call_id in self._by_id:
            return self._by_id.get(call_id, self._last)
        # A new id may still be that of a call which has none so far.
        return self._last if self._last and not self._last.server_id else None

    def _open(self, index: int | None) -> _OpenCall:
        call = _OpenCall(len(self._items))
        self._items.append(call)
        self._calls.append(call)
        # Later entries may have the index that this one lacks.
        index = self._next_index if index is None else index
        self._next_index = max(self._next_index, index + 1)
        self._by_index[index] = call
        return call

    def _fill(self, call: _OpenCall, entry: _Entry, seed: str) -> Iterator[ResponseEvent]:
        if entry.call_id and not call.server_id:
            call.server_id = entry.call_id
            self._by_id[entry.call_id] = call
        text = entry.text
        if text:
            call.pieces.append(text)
        if entry.name and not call.name:
            call.name, call.custom = entry.name, entry.custom
            call.call_id = call.server_id or _made_up_id(seed, call.output_index)
            yield OutputItemAdded(call.item(""), call.output_index)
            text = "".join(call.pieces)
        if text and call.name:
            yield ToolCallInputDelta(text, call.call_id, None, call.output_index)


def _begins_another(entry: _Entry, call: _OpenCall, before: set[_OpenCall]) -> bool:
    if not entry.name or not call.name:
        return False
    if entry.call_id and call.server_id:
        return entry.call_id != call.server_id
    if entry.index is None or call in before:
        return True
    return bool(entry.text) and call.is_complete()


def _read(fields: dict[str, Any]) -> _Entry:
    index = fields.get("index")
    custom = as_object(fields.get("custom"))
    body = custom or as_object(fields.get("function"))
    return _Entry(
        # A bool is an int to `isinstance`.
        index=index if type(index) is int and index >= 0 else None,
        call_id=as_text(fields.get("id")),
        name=as_text(body.get("name")),
        text=as_json_text(body.get("input" if custom else "arguments")),
        custom=bool(custom),
    )


def _made_up_id(seed: str, output_index: int) -> str:
    return "call_" + hashlib.sha256(f"{seed}/{output_index}".encode()).hexdigest()[:24]
