"""The guard against garbled output: a turn that writes its calls as text, in the model's control notation.

State: the events that wait, in order, and per part of text how much of it is free of markers. In the mode "tail" text
goes on as soon as it is free, which its last characters never are: as many as the longest marker has, less one. They
become free with what follows, when their item ends, or when another one begins or ends. A marker in inline code that is
open is judged by what follows in its part, or when its item ends; another item changes nothing about it. What stands
behind waiting text waits too, so the order never changes. In the mode "all" everything waits for `Completed`.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Literal

from codex_client.errors import GarbledOutputError
from codex_client.events import (
    Completed,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    ResponseEvent,
    StreamRestarted,
)
from codex_client.guard.markers import MARKERS, Marker
from codex_client.guard.scanner import MarkerScanner
from codex_client.guard.structure import HANDSHAKE
from codex_client.items import Message, OutputText, ResponseItem

# What need not wait for the end of a turn that is held as a whole: none of it is output.
_AT_ONCE = (*HANDSHAKE, StreamRestarted)


class _Part:
    """One part of a message: what of its text nobody has looked at, its scanner, and how many characters were looked
    at, are free, and went out.
    """

    __slots__ = ("free", "read_so_far", "released", "scanner", "unread")

    def __init__(self, markers: tuple[Marker, ...]) -> None:
        self.scanner = MarkerScanner(markers)
        self.unread: list[str] = []
        self.read_so_far = 0
        self.free = 0
        self.released = 0

    def read(self) -> Marker | None:
        text = "".join(self.unread)
        self.unread.clear()
        self.read_so_far += len(text)
        found = self.scanner.feed(text)
        self._set_free(self.scanner.clear)
        return found

    def finish(self) -> Marker | None:
        found = self.scanner.finish()
        self._set_free(self.scanner.clear)
        return found

    def pause(self) -> bool:
        """Set free what waits for no end of inline code; whether that is all."""
        self._set_free(self.scanner.pause())
        return self.free == self.read_so_far

    def _set_free(self, characters: int) -> None:
        # Never less: what a pause set free may be out, although the scanner still has it in view.
        self.free = max(self.free, characters)


class GarbleGuard:
    """Guards the events of one turn: `feed` gives those that may be shown, `feed_eof` the rest where a turn broke off.

    Both raise `GarbledOutputError` where a marker stands in the text, and drop what was held. Deltas are cut anew, one
    for those that came together; they add up to the same. To guard a stream of your own, give the markers that count
    for its prompt: `GarbleGuard(active_markers(prompt))`.
    """

    def __init__(self, markers: Iterable[Marker] = MARKERS, *, hold: Literal["tail", "all"] = "tail") -> None:
        self._markers = tuple(markers)
        self._hold_all = hold == "all"
        self._reset()

    def feed(self, events: Iterable[ResponseEvent]) -> list[ResponseEvent]:
        """The events that may go on now."""
        for event in events:
            if type(event) is OutputTextDelta:
                place = _place(event)
                part = self._waiting[place] = self._parts[place]
                part.unread.append(event.delta)
            else:
                self._judge(event)
            self._held.append(event)
        self._read()
        return self._release_at_once() if self._hold_all else self._release()

    def feed_eof(self) -> list[ResponseEvent]:
        """What is held, where the turn ended without `Completed`."""
        self._finish(self._waiting)
        held, self._held = self._held, deque[ResponseEvent]()
        return list(held)

    def _reset(self) -> None:
        self._completed = False
        self._held: deque[ResponseEvent] = deque()
        self._parts: defaultdict[tuple[int, int], _Part] = defaultdict(lambda: _Part(self._markers))
        # Those with text that is not free yet, for all that is known.
        self._waiting: dict[tuple[int, int], _Part] = {}

    def _judge(self, event: ResponseEvent) -> None:
        match event:
            case OutputItemAdded():
                self._pause()
                self._judge_whole(event.item)
            case OutputItemDone():
                self._finish(place for place in self._waiting if place[0] == event.output_index)
                self._pause()
                self._judge_whole(event.item)
            case Completed():
                self._finish(self._waiting)
                self._completed = True
            case StreamRestarted():
                self._reset()
            case _:
                pass

    def _judge_whole(self, item: ResponseItem) -> None:
        """A message given as a whole, with or without having come in pieces."""
        for part in item.content if isinstance(item, Message) else ():
            if isinstance(part, OutputText):
                scanner = MarkerScanner(self._markers)
                self._refuse(scanner.feed(part.text) or scanner.finish(), scanner)

    def _read(self) -> None:
        for part in self._waiting.values():
            if part.unread:
                self._refuse(part.read(), part.scanner)

    def _pause(self) -> None:
        """Another item need not wait for the last characters of a text, though the text may go on."""
        self._read()
        self._waiting = {place: part for place, part in self._waiting.items() if not part.pause()}

    def _finish(self, places: Iterable[tuple[int, int]]) -> None:
        """No text of these parts is going on."""
        for place in tuple(places):
            part = self._waiting.pop(place)
            self._refuse(part.read() or part.finish(), part.scanner)

    def _refuse(self, marker: Marker | None, scanner: MarkerScanner) -> None:
        if marker is not None:
            place = scanner.clear
            self._reset()
            raise GarbledOutputError(
                f"the output is garbled: marker {marker.name!r} after {place} characters of a text; "
                "ask again, or with a shorter history; GuardPolicy(garbled=False) lets such output through",
                marker=marker.name,
            )

    def _release_at_once(self) -> list[ResponseEvent]:
        out: list[ResponseEvent] = []
        while self._held and (self._completed or isinstance(self._held[0], _AT_ONCE)):
            out.append(self._held.popleft())
        return out

    def _release(self) -> list[ResponseEvent]:
        out: list[ResponseEvent] = []
        held = self._held
        while held:
            if type(event := held[0]) is not OutputTextDelta:
                out.append(held.popleft())
            elif not self._release_text(event, out):
                break
        return out

    def _release_text(self, first: OutputTextDelta, out: list[ResponseEvent]) -> bool:
        """Release of the text in front what is free, as one delta; False where something of it stays."""
        held, place = self._held, _place(first)
        part, pieces, stays = self._parts[place], list[str](), False
        free = part.free - part.released
        while held and type(event := held[0]) is OutputTextDelta and _place(event) == place:
            if stays := free < len(event.delta):
                if free:
                    pieces.append(event.delta[:free])
                    held[0] = _with_text(event, event.delta[free:])
                    part.released += free
                break
            held.popleft()
            pieces.append(event.delta)
            part.released += len(event.delta)
            free -= len(event.delta)
        if text := "".join(pieces):
            out.append(_with_text(first, text))
        return not stays


def _place(event: OutputTextDelta) -> tuple[int, int]:
    return event.output_index, event.content_index


def _with_text(event: OutputTextDelta, text: str) -> OutputTextDelta:
    return OutputTextDelta(text, event.output_index, event.content_index, event.item_id)
