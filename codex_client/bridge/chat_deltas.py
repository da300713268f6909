"""Events as the deltas of a Chat answer, without the chunks around them.

Per call: `pending` (its name is not known, pieces are held) then `open` (it has its index, pieces go out). Reasoning in
think tags: inside or outside of them; all that is no reasoning leads outside. Encrypted reasoning: held until something
is said or called, or the answer is whole, for of a thought that the answer was cut short in nothing came, and servers
refuse it alone. A piece is given once; when an item is done, what no piece has brought follows. The texts of several
messages are one text, with a blank line between them, and so are refusals.

Not carried, as the API has no form for it: items that are neither message, reasoning nor call; log probabilities;
citations other than of web pages.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, TypeAlias

from codex_client.bridge.parts import Delta, Given, key_of, missing_texts
from codex_client.bridge.reasoning import CLOSING, OPENING, SEPARATOR, ReasoningFormat, details_of
from codex_client.decode.parts import PartKey
from codex_client.decode.wire import as_list, as_object
from codex_client.errors import UnsupportedOperationError
from codex_client.events import OutputItemAdded, OutputItemDone, ResponseEvent, StreamRestarted
from codex_client.guard.structure import says_nothing
from codex_client.items import CustomToolCall, FunctionCall, Message, OutputText, Reasoning, ResponseItem

ChatDelta: TypeAlias = dict[str, Any]
_Output: TypeAlias = OutputItemAdded | OutputItemDone | Delta
_Place: TypeAlias = tuple[int | str, ...]
"""What a text belongs to: a message, a part of a thought."""


class ChatDeltas:
    """One answer. `called` once it holds a call."""

    def __init__(self, reasoning_format: ReasoningFormat) -> None:
        self._format = reasoning_format
        self._given: defaultdict[int, defaultdict[PartKey, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._calls: dict[int, tuple[int, str]] = {}
        self._thinking = False
        self._last: dict[str, _Place] = {}
        self._sealed: list[Any] = []
        self._content_chars = 0
        self._starts: dict[tuple[int, PartKey], int] = {}

    @property
    def called(self) -> bool:
        return bool(self._calls)

    def feed(self, event: ResponseEvent) -> list[ChatDelta]:
        """The deltas of one event, often none. Raises `UnsupportedOperationError` for `StreamRestarted`: what was given
        cannot be taken back.
        """
        if isinstance(event, StreamRestarted):
            raise restarted()
        if not isinstance(event, _Output):
            return []
        return [*(self._release_seal() if _says_something(event) else []), *self._output(event)]

    def end(self, *, cut_short: bool = False) -> list[ChatDelta]:
        """The answer is over. `cut_short`: before its own end."""
        return self._leave_thought() if cut_short else [*self._leave_thought(), *self._release_seal()]

    def _output(self, event: _Output) -> list[ChatDelta]:
        match event:
            case OutputItemAdded(item=FunctionCall() | CustomToolCall() as call) if call.name:
                return self._open_call(event.output_index, call)
            case OutputItemAdded():
                return []
            case OutputItemDone():
                return self._finish_item(event.output_index, event.item)
            case _:
                return self._add(event.output_index, key_of(event), event.delta)

    def _add(self, output_index: int, key: PartKey, text: str) -> list[ChatDelta]:
        if not text:
            return []
        self._given[output_index][key].append(text)
        return self._piece(output_index, key, text)

    def _piece(self, output_index: int, key: PartKey, text: str) -> list[ChatDelta]:
        match key[0]:
            case "text":
                deltas, break_before = self._leave_thought(), self._break_before("content", (output_index,))
                self._starts.setdefault((output_index, key), self._content_chars + len(break_before))
                return [*deltas, self._content(break_before + text)]
            case "refusal":
                return [*self._leave_thought(), {"refusal": self._break_before("refusal", (output_index,)) + text}]
            case "input":
                return self._input(output_index, text)
            case kind:
                return self._think((output_index, kind, key[1] if kind == "summary" else 0), text)

    def _break_before(self, field: str, place: _Place) -> str:
        """What stands between a piece of a field and the one before it: nothing within one place."""
        before, self._last[field] = self._last.get(field, place), place
        return "" if before == place else SEPARATOR

    def _content(self, text: str) -> ChatDelta:
        self._content_chars += len(text)
        return {"content": text}

    def _think(self, place: _Place, text: str) -> list[ChatDelta]:
        if self._format is ReasoningFormat.NONE:
            return []
        text = self._break_before("thought", place) + text
        if self._format is ReasoningFormat.REASONING_CONTENT:
            return [{"reasoning_content": text}]
        opening, self._thinking = "" if self._thinking else OPENING, True
        return [self._content(opening + text)]

    def _leave_thought(self) -> list[ChatDelta]:
        if not self._thinking:
            return []
        self._thinking = False
        # The closing tag brings a blank line of its own.
        for field in ("content", "thought"):
            self._last.pop(field, None)
        return [self._content(CLOSING)]

    def _open_call(self, output_index: int, call: FunctionCall | CustomToolCall) -> list[ChatDelta]:
        kind, field = ("custom", "input") if isinstance(call, CustomToolCall) else ("function", "arguments")
        index = len(self._calls)
        self._calls[output_index] = index, kind
        header = {"index": index, "id": call.call_id, "type": kind, kind: {"name": call.name, field: ""}}
        return [*self._leave_thought(), {"tool_calls": [header]}]

    def _input(self, output_index: int, text: str) -> list[ChatDelta]:
        if output_index not in self._calls:
            return []
        index, kind = self._calls[output_index]
        return [{"tool_calls": [{"index": index, kind: {"input" if kind == "custom" else "arguments": text}}]}]

    def _finish_item(self, output_index: int, item: ResponseItem) -> list[ChatDelta]:
        given: Given = self._given.pop(output_index, {})
        deltas: list[ChatDelta] = []
        if isinstance(item, FunctionCall | CustomToolCall) and output_index not in self._calls:
            given = {}
            deltas += self._open_call(output_index, item)
        for key, text in missing_texts(item, given):
            deltas += self._piece(output_index, key, text)
        if isinstance(item, Message) and (annotations := self._annotations(output_index, item)):
            deltas.append({"annotations": annotations})
        if isinstance(item, Reasoning) and self._format is not ReasoningFormat.NONE and (kept := details_of(item)):
            if not item.encrypted_content:
                return [*deltas, {"reasoning_details": kept}]
            self._sealed += kept
        return deltas

    def _release_seal(self) -> list[ChatDelta]:
        if not self._sealed:
            return []
        kept, self._sealed = self._sealed, []
        return [{"reasoning_details": kept}]

    def _annotations(self, output_index: int, message: Message) -> list[dict[str, Any]]:
        """The web pages that the text cites, with their places in the answer's whole content."""
        found: list[dict[str, Any]] = []
        for index, part in enumerate(message.content):
            start = self._starts.get((output_index, ("text", index)))
            if not isinstance(part, OutputText) or start is None:
                continue
            entries = map(as_object, as_list((part.model_extra or {}).get("annotations")))
            found += [_shifted(entry, start) for entry in entries if entry.get("type") == "url_citation"]
        return found


def restarted() -> UnsupportedOperationError:
    """For both encoders: neither API can take back what was sent."""
    return UnsupportedOperationError(
        "the stream was restarted after output, which clients of OpenAI's APIs cannot be told; "
        "use RestartPolicy(after_output='raise')"
    )


def _shifted(entry: dict[str, Any], start: int) -> dict[str, Any]:
    places = {name: place + start for name in ("start_index", "end_index") if isinstance(place := entry.get(name), int)}
    citation = {name: value for name, value in entry.items() if name != "type"} | places
    return {"type": "url_citation", "url_citation": citation}


def _says_something(event: _Output) -> bool:
    """Whether it is more than a thought and the announcement of what may come."""
    match event:
        case OutputItemAdded():
            return isinstance(event.item, FunctionCall | CustomToolCall) and bool(event.item.name)
        case OutputItemDone():
            return not says_nothing(event.item)
        case _:
            return key_of(event)[0] not in ("reasoning", "summary")
