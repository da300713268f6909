"""The items of one response under way: who keeps the order of events that `events.py` promises.

Per item: `open` (announced, pieces may come) then `done` (nothing more comes). The inputs are what the wire tells of an
item: that it begins, a piece, the whole text of a part, that it is done, and at last the final response's own list.
Whatever a server leaves out or says twice, out come one `OutputItemAdded`, the deltas, one `OutputItemDone`.

An item is found by its `output_index`, never by its id where there is an index: GitHub Copilot gives each event another
id. Servers that give no index, or index 0 to every item, are followed by the order of their frames.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from pydantic_core import ValidationError

from codex_client.api import RawFrame
from codex_client.decode.deltas import TextFrame
from codex_client.decode.parts import (
    ITEMS_OF_PART,
    Delta,
    PartKey,
    PartKind,
    Place,
    completed,
    delta_of,
    texts_of,
    unannounced_item,
    with_call_id,
    with_pieces,
    without_texts,
)
from codex_client.events import (
    OutputItemAdded,
    OutputItemDone,
    ReasoningSummaryPartAdded,
    ResponseEvent,
    ToolCallInputDelta,
)
from codex_client.items import CustomToolCall, FunctionCall, OtherItem, ResponseItem

Run: TypeAlias = tuple[bytes, TextFrame, Delta]
"""Pieces of one part, one after the other: the name of their frames, and the last of their events."""


@dataclass(slots=True)
class _Item:
    """`index` is the one given to the caller: the wire's own, but for servers that use one twice.

    `guessed`: no frame announced the item, it is made up from its first piece.
    """

    index: int
    item: ResponseItem
    guessed: bool = False
    done: bool = False
    pieces: dict[PartKey, list[str]] = field(default_factory=dict[PartKey, list[str]])

    def last_index(self, kind: PartKind) -> int | None:
        """The newest part of a kind, where a piece without an index belongs."""
        return max((index for own, index in self.pieces if own == kind), default=None)

    def is_same(self, item: ResponseItem) -> bool:
        return self.item.id == item.id if self.item.id else self.item == item


class OutputItems:
    """Turns what the wire tells of items into events in the promised order; each method gives those that follow."""

    def __init__(self) -> None:
        self._items: dict[int, _Item] = {}
        self._open: dict[int, _Item] = {}
        self._by_wire_index: dict[int, _Item] = {}
        self._next_index = 0

    def begin(self, item: ResponseItem, output_index: int | None) -> list[ResponseEvent]:
        """The server announces an item."""
        entry = self._at(output_index)
        if entry is None or entry.done or not (entry.guessed or entry.item.type == item.type):
            return self._begin(item, output_index)[1]
        # Told twice, or after its first piece: the event is out, the fields may be new.
        entry.item = with_call_id(item, entry.index)
        entry.guessed = False
        return []

    def add_piece(self, frame: TextFrame, data: str) -> list[ResponseEvent] | None:
        """A piece of a part that has begun, in the documented shape: nearly every frame is one. None for all others,
        which `add_text` takes.
        """
        try:
            event = frame.exact.validate_json(data)
        except ValidationError:
            return None
        entry = self._by_wire_index.get(event.output_index)
        if entry is None or entry.index != event.output_index or not event.delta:
            return None
        pieces = entry.pieces.get((frame.kind, frame.part_index(event)))
        if pieces is None:
            return None
        pieces.append(event.delta)
        if isinstance(event, ToolCallInputDelta):
            return [ToolCallInputDelta(event.delta, _call_id(entry.item), event.item_id, entry.index)]
        return [event]

    def add_run(self, run: Run, frames: Sequence[RawFrame], start: int) -> list[Delta]:
        """The pieces from `start` on that go on with a run; ends before the first frame that does not."""
        name, frame, last = run
        read, part_index = frame.exact.validate_json, frame.part_index
        index, part = last.output_index, part_index(last)
        events: list[Delta] = []
        for position in range(start, len(frames)):
            event_name, data = frames[position]
            if event_name != name:
                break
            try:
                event = read(data)
            except ValidationError:
                break
            if event.output_index != index or part_index(event) != part or not event.delta:
                break
            events.append(event)
        self._by_wire_index[index].pieces[frame.kind, part] += [event.delta for event in events]
        if isinstance(last, ToolCallInputDelta):
            return [ToolCallInputDelta(event.delta, last.call_id, event.item_id, index) for event in events]
        return events

    def add_text(self, kind: PartKind, text: str, place: Place) -> list[ResponseEvent]:
        """A piece of a part, anywhere."""
        entry, events = self._owner(kind, place)
        if entry.done:
            return []
        index = place.part_index if place.part_index is not None else entry.last_index(kind) or 0
        events.extend(self._add(entry, (kind, index), text, place.item_id))
        return events

    def end_part(self, kind: PartKind, text: str, place: Place) -> list[ResponseEvent]:
        """The whole text of a part: what no piece has brought of it."""
        entry = self._owner_so_far(kind, place)
        if entry is None:
            return self.add_text(kind, text, place) if text else []
        index = place.part_index if place.part_index is not None else entry.last_index(kind) or 0
        rest = _rest(entry.pieces.get((kind, index), ()), text)
        return self._add(entry, (kind, index), rest, place.item_id) if rest and not entry.done else []

    def begin_summary_part(self, place: Place) -> list[ResponseEvent]:
        """A new part of a reasoning's summary; without an index, the one after the last."""
        entry, events = self._owner("summary", place)
        if entry.done:
            return []
        last = entry.last_index("summary")
        following = 0 if last is None else last + 1
        index = place.part_index if place.part_index is not None else following
        events.extend(self._begin_part(entry, ("summary", index), place.item_id))
        return events

    def end(self, item: ResponseItem, output_index: int | None) -> list[ResponseEvent]:
        """The server gives an item as a whole."""
        entry = self._under_way(item, output_index)
        if entry is None:
            return self._begin_and_end(item, output_index)
        return [] if entry.done else self._end(entry, item)

    def end_with(self, output: Sequence[ResponseItem]) -> list[ResponseEvent]:
        """The final response's own list: what of it has not been given as done. Items keep their place in it.

        An item of another type at the same place means that one side left something out; then the order within a
        type decides.
        """
        matched = {
            position: entry
            for position, item in enumerate(output)
            if (entry := self._items.get(position)) is not None and entry.item.type == item.type
        }
        spare: defaultdict[str, deque[_Item]] = defaultdict(deque)
        for index, entry in sorted(self._items.items()):
            if index not in matched:
                spare[entry.item.type].append(entry)
        events: list[ResponseEvent] = []
        for position, item in enumerate(output):
            entry = matched.get(position)
            if entry is None and spare[item.type]:
                entry = spare[item.type].popleft()
            if entry is None:
                events.extend(self._begin_and_end(item, position))
            elif not entry.done:
                events.extend(self._end(entry, item))
        return events

    def end_open(self) -> list[ResponseEvent]:
        """The turn is complete: items that nothing has ended are what their pieces make them."""
        events: list[ResponseEvent] = []
        for _, entry in sorted(self._open.items()):
            item = without_texts(entry.item) if any(entry.pieces.values()) else entry.item
            events.extend(self._end(entry, completed(with_pieces(item, entry.pieces))))
        return events

    def _at(self, output_index: int | None) -> _Item | None:
        return None if output_index is None else self._by_wire_index.get(output_index)

    def _owner(self, kind: PartKind, place: Place) -> tuple[_Item, list[ResponseEvent]]:
        """The item that a piece belongs to, and the event that announces it where nothing has."""
        entry = self._owner_so_far(kind, place)
        if entry is not None:
            return entry, []
        entry, events = self._begin(unannounced_item(kind, place), place.output_index)
        entry.guessed = True
        return entry, events

    def _owner_so_far(self, kind: PartKind, place: Place) -> _Item | None:
        """The item that a piece belongs to, perhaps done by now (a late piece); None where the piece is its first."""
        models = ITEMS_OF_PART[kind]
        if place.output_index is None:
            fitting = [entry for entry in self._open.values() if isinstance(entry.item, models)]
            return _by_id(fitting, place.item_id) or (fitting[-1] if fitting else None)
        entry = self._at(place.output_index)
        if entry is not None and entry.done and not isinstance(entry.item, (*models, OtherItem)):
            return None
        return entry

    def _under_way(self, item: ResponseItem, output_index: int | None) -> _Item | None:
        """The entry of an item that is said to be done; a done one where it is said once more."""
        entry = self._at(output_index)
        if entry is not None and (entry.is_same(item) if entry.done else entry.item.type == item.type):
            return entry
        if entry is None and output_index is not None:
            return None
        fitting = [entry for entry in self._open.values() if entry.item.type == item.type]
        other = _by_id(fitting, item.id) or (fitting[0] if fitting else None)
        # Announced, or guessed from its pieces, as something else.
        return entry if other is None and entry is not None and not entry.done else other

    def _begin_and_end(self, item: ResponseItem, output_index: int | None) -> list[ResponseEvent]:
        entry, events = self._begin(without_texts(item), output_index)
        events.extend(self._end(entry, item))
        return events

    def _begin(self, item: ResponseItem, output_index: int | None) -> tuple[_Item, list[ResponseEvent]]:
        index = self._next_index if output_index is None or output_index in self._items else output_index
        self._next_index = max(self._next_index, index + 1)
        entry = _Item(index, with_call_id(item, index))
        self._items[index] = self._open[index] = entry
        self._by_wire_index[index if output_index is None else output_index] = entry
        return entry, [OutputItemAdded(entry.item, index)]

    def _begin_part(self, entry: _Item, key: PartKey, item_id: str | None) -> list[ResponseEvent]:
        if key in entry.pieces:
            return []
        entry.pieces[key] = []
        kind, index = key
        return [ReasoningSummaryPartAdded(index, entry.index, item_id)] if kind == "summary" else []

    def _add(self, entry: _Item, key: PartKey, text: str, item_id: str | None) -> list[ResponseEvent]:
        events = self._begin_part(entry, key, item_id)
        entry.pieces[key].append(text)
        call_id = _call_id(entry.item)
        events.append(delta_of(key, text, output_index=entry.index, item_id=item_id, call_id=call_id))
        return events

    def _end(self, entry: _Item, item: ResponseItem) -> list[ResponseEvent]:
        events: list[ResponseEvent] = []
        for key, rest in _rests(entry.pieces, texts_of(item)):
            events.extend(self._add(entry, key, rest, item.id))
        entry.item = with_pieces(with_call_id(item, entry.index), entry.pieces)
        entry.done = True
        entry.pieces = {}
        del self._open[entry.index]
        events.append(OutputItemDone(entry.item, entry.index))
        return events


def _call_id(item: ResponseItem) -> str | None:
    return item.call_id if isinstance(item, FunctionCall | CustomToolCall) else None


def _by_id(entries: Sequence[_Item], item_id: str | None) -> _Item | None:
    return next((entry for entry in entries if entry.item.id == item_id), None) if item_id else None


def _rests(pieces: Mapping[PartKey, Sequence[str]], whole: Mapping[PartKey, str]) -> list[tuple[PartKey, str]]:
    """What no piece has brought of each part; nothing for a kind with pieces under indexes that the item has not."""
    elsewhere = {kind for (kind, index), given in pieces.items() if given and (kind, index) not in whole}
    return [
        (key, rest)
        for key, text in whole.items()
        if key[0] not in elsewhere and (rest := _rest(pieces.get(key, ()), text))
    ]


def _rest(given: Sequence[str], whole: str) -> str:
    """The end of the text that its pieces lack; "" where they have all of it, or have another text."""
    length = sum(map(len, given))
    return whole[length:] if length < len(whole) and whole.startswith("".join(given)) else ""
