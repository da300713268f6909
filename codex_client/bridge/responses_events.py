"""A turn as the events of a Responses stream.

| state   | what it means                               | left by                                                    |
|---------|---------------------------------------------|------------------------------------------------------------|
| waiting | no output so far; nothing has been given    | the first output: `response.created` and `.in_progress`    |
| open    | items are announced, grow and are done      | `Completed`, `fail`                                        |
| over    | the last event was given                    | never                                                      |

Per item: announced when it begins, or, for a call without a name, when it is done. Indexes of items and parts are
counted anew in the order in which they come, without gaps: clients keep them in lists. An item keeps the id that it
was announced with. What no piece has brought of an item comes before its end, and so do the annotations and the log
probabilities of its texts. Not carried: log probabilities piece by piece, the progress of a server's own tools, limits,
the served model.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from codex_client.bridge.chat_deltas import restarted
from codex_client.bridge.open_item import OpenItem, WireEvent
from codex_client.bridge.part_events import WireKey
from codex_client.bridge.parts import Delta, Given, key_of, missing_texts
from codex_client.bridge.requests import BridgedRequest
from codex_client.bridge.response import ResponseTemplate, end_status, made_up_id, wire_item
from codex_client.decode.parts import PartKey, Place, unannounced_item, with_pieces, without_texts
from codex_client.errors import CodexError, IncompleteResponseError
from codex_client.events import Completed, Created, OutputItemAdded, OutputItemDone, ResponseEvent, StreamRestarted
from codex_client.items import CustomToolCall, FunctionCall, ResponseItem
from codex_client.model_variants import TokenUsage


class ResponsesEvents:
    """Turns the events of one turn into the API's own, ready to be written as JSON under their `type` as event name.

    `model` is the name that the client asked for, `created` Unix seconds; `request` is what was asked: what was sent of
    it is repeated in the `response` objects. The response keeps the id that the server told before any output; one
    without has `response_id`, which should be the caller's for this turn alone: ids of items are made of it. Nothing is
    given before the turn's first output, as by `ChatChunks`.
    """

    def __init__(self, *, model: str, created: int, response_id: str, request: BridgedRequest | None = None) -> None:
        self._model = model
        self._created = created
        self._request = request
        self._response_id = response_id
        self._template: ResponseTemplate | None = None
        self._sequence_number = 0
        self._given: defaultdict[int, defaultdict[PartKey, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._open: dict[int, OpenItem] = {}
        self._announced = 0
        self._output: dict[int, dict[str, Any]] = {}

    def feed(self, event: ResponseEvent) -> list[WireEvent]:
        """The wire events of one event, often one. Raises `UnsupportedOperationError` for `StreamRestarted`."""
        match event:
            case _ if isinstance(event, Delta):
                return self._numbered(self._piece(event))
            case OutputItemAdded(item=FunctionCall() | CustomToolCall() as call) if not call.name:
                return []
            case OutputItemAdded():
                return self._numbered(self._announce(event.output_index, event.item))
            case OutputItemDone():
                return self._numbered(self._finish_item(event.output_index, event.item))
            case Created():
                # It comes again where a turn without output was begun anew.
                self._take_id(event.response_id)
                return []
            case Completed():
                return self._numbered(self._complete(event))
            case StreamRestarted():
                raise restarted()
            case _:
                return []

    def fail(self, error: CodexError) -> list[WireEvent]:
        """What ends a stream that failed: `response.incomplete` for an answer that was cut short, with its items as far
        as they came, else `response.failed`.
        """
        events = self._begin()
        usage: TokenUsage | None = getattr(error, "token_usage", None)
        if isinstance(error, IncompleteResponseError):
            events += self._finish_open(end_status(error))
            return self._numbered([*events, self._last("response.incomplete", usage, error=error)])
        return self._numbered([*events, self._last("response.failed", usage, error=error)])

    def _numbered(self, events: list[WireEvent]) -> list[WireEvent]:
        for event in events:
            event["sequence_number"] = self._sequence_number
            self._sequence_number += 1
        return events

    def _take_id(self, told: str) -> None:
        if told and self._template is None:
            self._response_id = told

    def _begin(self) -> list[WireEvent]:
        if self._template is not None:
            return []
        self._template = ResponseTemplate(
            response_id=self._response_id, model=self._model, created=self._created, request=self._request
        )
        kinds = ("response.created", "response.in_progress")
        return [{"type": kind, "response": self._template.begun()} for kind in kinds]

    def _announce(self, output_index: int, item: ResponseItem) -> list[WireEvent]:
        events = self._begin()
        index, self._announced = self._announced, self._announced + 1
        entry = OpenItem(index, item.id or made_up_id(self._response_id, item.type, index), item)
        self._open[output_index] = entry
        wire = wire_item(without_texts(item), item_id=entry.item_id, status="in_progress")
        return [*events, {"type": "response.output_item.added", "output_index": index, "item": wire}]

    def _piece(self, event: Delta) -> list[WireEvent]:
        if not event.delta:
            return []
        key, output_index = key_of(event), event.output_index
        self._given[output_index][key].append(event.delta)
        entry, events = self._open.get(output_index), list[WireEvent]()
        if entry is None:
            if key[0] == "input":
                # The call's name is still to come.
                return []
            events = self._announce(output_index, unannounced_item(key[0], Place(item_id=event.item_id)))
            entry = self._open[output_index]
        return [*events, *entry.begin_part(key), entry.delta(key, event.delta)]

    def _finish_item(self, output_index: int, item: ResponseItem, status: str = "completed") -> list[WireEvent]:
        given: Given = self._given.pop(output_index, {})
        entry, events = self._open.pop(output_index, None), list[WireEvent]()
        if entry is None:
            events, given = self._announce(output_index, item), {}
            entry = self._open.pop(output_index)
        events += entry.end_parts(item, dict[WireKey, str](missing_texts(item, given)))
        wire = self._output[entry.index] = wire_item(item, item_id=entry.item_id, status=status)
        return [*events, {"type": "response.output_item.done", "output_index": entry.index, "item": wire}]

    def _finish_open(self, status: str) -> list[WireEvent]:
        """The items that nothing has ended are what their pieces make them."""
        events: list[WireEvent] = []
        for output_index, entry in list(self._open.items()):
            given: Given = self._given.get(output_index, {})
            item = with_pieces(without_texts(entry.item) if given else entry.item, given)
            if getattr(item, "status", None):
                item = item.model_copy(update={"status": status})
            events += self._finish_item(output_index, item, status)
        return events

    def _complete(self, event: Completed) -> list[WireEvent]:
        self._take_id(event.response_id)
        events = [*self._begin(), *self._finish_open(end_status(None))]
        told = {"end_turn": event.end_turn, "service_tier": event.service_tier}
        return [*events, self._last("response.completed", event.token_usage, **told)]

    def _last(self, kind: str, usage: TokenUsage | None, **more: Any) -> WireEvent:
        assert self._template is not None
        output = [item for _, item in sorted(self._output.items())]
        return {"type": kind, "response": self._template.ended(output, usage, **more)}
