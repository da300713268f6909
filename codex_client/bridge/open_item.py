"""One item of a Responses stream under way: the wire events of its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from codex_client.bridge.part_events import CUSTOM_INPUT, PART_EVENTS, PartEvents, WireKey, WireKind, whole_parts
from codex_client.decode.wire import as_list
from codex_client.items import CustomToolCall, ResponseItem

WireEvent: TypeAlias = dict[str, Any]
_NO_PART: Mapping[str, Any] = {}


class OpenItem:
    """An item that was announced at the place `index`. Its parts are numbered in the order in which they begin."""

    def __init__(self, index: int, item_id: str, item: ResponseItem) -> None:
        self.index: int = index
        self.item_id: str = item_id
        self.item: ResponseItem = item
        self._places: dict[WireKey, int] = {}

    def begin_part(self, key: WireKey, part: dict[str, Any] | None = None) -> list[WireEvent]:
        """Announces a part with its first piece. `part` is a whole one that has no pieces."""
        if key in self._places:
            return []
        kinds = self._kinds(key[0])
        self._places[key] = sum(kinds.index_field == self._kinds(other).index_field for other, _ in self._places)
        if not kinds.part_added:
            return []
        return [{"type": kinds.part_added, **self._place(key), "part": part or kinds.empty_part()}]

    def delta(self, key: WireKey, text: str) -> WireEvent:
        return {"type": self._kinds(key[0]).delta, **self._place(key), "delta": text, **_more(key)}

    def end_parts(self, item: ResponseItem, missing: Mapping[WireKey, str]) -> list[WireEvent]:
        """All parts of the item, which is done: what is `missing` of each, and its end."""
        events: list[WireEvent] = []
        given = sorted(self._places)
        for own, text, part in whole_parts(item):
            key = self._given_key(own[0], text, given)
            events += self.begin_part(key, part if own[0] == "other" else None)
            if rest := missing.get(own):
                events.append(self.delta(key, rest))
            events += self._end_part(key, text, part)
        return events

    def _end_part(self, key: WireKey, text: str, part: dict[str, Any]) -> list[WireEvent]:
        kinds, place = self._kinds(key[0]), self._place(key)
        events: list[WireEvent] = []
        if key[0] == "text":
            added = {"type": "response.output_text.annotation.added", **place}
            for index, annotation in enumerate(as_list(part.get("annotations"))):
                events.append({**added, "annotation_index": index, "annotation": annotation})
        if kinds.done:
            events.append({"type": kinds.done, **place, kinds.text_field: text, **_more(key, part)})
        if kinds.part_done:
            events.append({"type": kinds.part_done, **place, "part": part})
        return events

    def _given_key(self, kind: WireKind, text: str, given: list[WireKey]) -> WireKey:
        """The part that came in pieces, taken from the `given` ones: the first of its kind, as servers number parts in
        many ways. One without text had no pieces, and a part that is not `given` is new.
        """
        same = [key for key in given if key[0] == kind] if text else []
        if not same:
            return kind, 1 + max((index for other, index in self._places if other == kind), default=-1)
        given.remove(same[0])
        return same[0]

    def _kinds(self, kind: WireKind) -> PartEvents:
        custom = kind == "input" and isinstance(self.item, CustomToolCall)
        return CUSTOM_INPUT if custom else PART_EVENTS[kind]

    def _place(self, key: WireKey) -> dict[str, Any]:
        field = self._kinds(key[0]).index_field
        place = {"item_id": self.item_id, "output_index": self.index}
        return {**place, field: self._places[key]} if field else place


def _more(key: WireKey, part: Mapping[str, Any] = _NO_PART) -> dict[str, Any]:
    """Events of texts hold log probabilities; they are known of whole parts only."""
    return {"logprobs": as_list(part.get("logprobs"))} if key[0] == "text" else {}
