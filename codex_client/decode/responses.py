"""Frames of the Responses API as events.

| state    | what it means                              | left by                                                |
|----------|--------------------------------------------|--------------------------------------------------------|
| waiting  | no frame told the response so far          | the first that does: `Created`; a terminal frame       |
| open     | items come (`output_items.py`)             | a terminal frame                                       |
| finished | `Completed` was given, or `failure` is set | never: nothing more is read                            |

Terminal frames are `response.completed`, `.incomplete`, `.failed`, `.cancelled`, `error`, and an error object without a
type; each ends the turn at once. `[DONE]` and `response.done` mean nothing. The end of the body is always too early.

Other than codex: a failure is not held back until the socket closes, errors of every code count, the text of a server
that sends no pieces or no items is not lost, and an item of an unknown shape is kept as `OtherItem`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

from httpx_sse import ServerSentEvent

from codex_client.api import RawFrame
from codex_client.decode.deltas import PIECES, WHOLES
from codex_client.decode.field_shaped import event_shaped, is_field_shaped
from codex_client.decode.frame_headers import FrameHeaders
from codex_client.decode.incomplete import incomplete_error
from codex_client.decode.odd_items import item_of
from codex_client.decode.output_items import OutputItems, Run
from codex_client.decode.parts import Delta, Place
from codex_client.decode.rate_limit_event import parse_rate_limits
from codex_client.decode.response_object import (
    FRAMES_WITH_RESPONSE,
    incomplete_reason,
    outcome_of,
    parse_response_frame,
    usage_of,
)
from codex_client.decode.wire import as_index, as_list, as_object, as_text, excerpt, leading_type, parse_json, wire_type
from codex_client.errors import CodexError, MalformedFrameError, StreamClosedError, UnexpectedContentError
from codex_client.events import Completed, Created, RateLimits, RawEvent, ResponseEvent
from codex_client.model_variants import TokenUsage

_DONE = "[DONE]"
_ERRORS = frozenset({"error", "response.error"})


class ResponsesDecoder:
    """Decodes one response.

    A failure that the server tells is not raised: `feed` returns the events still owed and sets `failure` and
    `finished`; who drives the decoder raises `failure` after handing them out. `feed` itself raises only
    `MalformedFrameError`, for a frame that is not JSON; with `tolerate_malformed` it is counted in `malformed` instead.
    Frames of types that mean nothing here are counted in `ignored`; their bodies are not parsed.
    """

    finished: bool
    failure: CodexError | None
    ignored: Counter[str]
    malformed: int

    def __init__(
        self, *, tolerate_malformed: bool = False, raw_events: bool = False, request_id: str | None = None
    ) -> None:
        self.finished = False
        self.failure = None
        self.ignored = Counter()
        self.malformed = 0
        self._tolerate_malformed = tolerate_malformed
        self._raw_events = raw_events
        self._request_id = request_id
        self._frames = 0
        self._response_id: str | None = None
        self._headers = FrameHeaders()
        self._items = OutputItems()
        self._run: Run | None = None

    def feed(self, frame: ServerSentEvent) -> list[ResponseEvent]:
        """The events of one frame."""
        self._run = None
        if self.finished:
            return []
        kind, data = wire_type(frame), frame.data
        if (piece := PIECES.get(kind)) is not None and (events := self._items.add_piece(piece, data)) is not None:
            self._frames += 1
            [event] = events
            if frame.event == kind and isinstance(event, Delta):
                self._run = kind.encode(), piece, event
            return events
        if not data or data.isspace():
            return []
        self._frames += 1
        try:
            events = self._read(kind, data)
        except MalformedFrameError:
            if not self._tolerate_malformed:
                raise
            self.malformed += 1
            events = []
        if self._raw_events and not events:
            events.append(RawEvent(kind, data))
        return events

    def feed_run(self, frames: Sequence[RawFrame], start: int) -> Sequence[ResponseEvent]:
        """See `RunDecoder`. Nearly every frame brings the next piece of the text that the last one brought."""
        if self._run is None:
            return []
        events = self._items.add_run(self._run, frames, start)
        self._frames += len(events)
        return events

    def feed_eof(self) -> list[ResponseEvent]:
        """The end of the body: nothing after a terminal frame, else raises `StreamClosedError`."""
        if self.finished:
            return []
        known = self._frames - self.malformed - self.ignored.total()
        if known:
            advice = "try again; what came before it is on `.partial`"
        else:
            advice = "none of them belongs to the Responses API: check the provider's base_url and wire_api"
        raise StreamClosedError(f"stream closed before response.completed, after {self._frames} frames; {advice}")

    def feed_body(self, body: bytes) -> list[ResponseEvent]:
        """A whole answer (`"object": "response"`) from a server that does not stream, as the events of a stream.

        Raises `UnexpectedContentError` for a body that is neither that nor an error.
        """
        text = body.decode("utf-8-sig", "replace")
        try:
            answer = as_object(parse_json(text))
        except MalformedFrameError:
            answer = {}
        is_answer = answer.get("object") == "response" or isinstance(answer.get("output"), list)
        status = as_text(answer.get("status"))
        if is_answer and status not in ("queued", "in_progress"):
            return self._end("response." + (status or "completed"), {"response": answer})
        if not is_answer and (_tells_failure(answer) or answer.get("detail")):
            return self._fail(answer)
        found = f"a response that is still {status}" if is_answer else "neither an event stream nor a Responses answer"
        raise UnexpectedContentError(
            f"a body of {len(body)} bytes is {found}; "
            "check the base URL, and that the server speaks this `wire_api` and streams",
            excerpt=excerpt(text),
        )

    def _read(self, kind: str, data: str) -> list[ResponseEvent]:
        if kind in FRAMES_WITH_RESPONSE:
            return self._step(kind, parse_response_frame(data))
        if kind in _ERRORS:
            # In plain text, too, an error is one.
            return self._fail(_parsed_if_json(data) or data)
        if self._is_known(kind):
            return self._step(kind, as_object(parse_json(data)))
        return self._read_other(kind, data)

    def _read_other(self, kind: str, data: str) -> list[ResponseEvent]:
        """A frame whose name is not known: it may have a known type, be field-shaped, or tell a failure."""
        own = leading_type(data)
        if own != kind and self._is_known(own):
            return self._read(own, data)
        if data.strip() == _DONE:
            self.ignored[_DONE] += 1
            return []
        # The events of a hosted tool may carry its error, which is not the turn's.
        if not kind or ('"error"' in data and not kind.startswith("response.")):
            fields = as_object(_parsed_if_json(data) if kind else parse_json(data))
            if not kind and is_field_shaped(fields):
                return self._read_field_shaped(fields)
            if _tells_failure(fields) or (not kind and fields.get("detail")):
                return self._fail(fields)
        self.ignored[kind] += 1
        return []

    def _is_known(self, kind: str) -> bool:
        return kind in PIECES or kind in WHOLES or kind in self._steps

    def _read_field_shaped(self, fields: dict[str, Any]) -> list[ResponseEvent]:
        events: list[ResponseEvent] = []
        for kind, event in event_shaped(fields):
            if not self.finished:
                events += self._step(kind, event)
        return events

    def _step(self, kind: str, fields: dict[str, Any]) -> list[ResponseEvent]:
        """The events of a frame of a known type, whose fields may be missing or odd."""
        if (frame := PIECES.get(kind)) is not None and (text := frame.text_of(fields)):
            return self._items.add_text(frame.kind, text, frame.place_of(fields))
        if (frame := WHOLES.get(kind)) is not None:
            return self._items.end_part(frame.kind, frame.text_of(fields), frame.place_of(fields))
        if (step := self._steps.get(kind)) is not None:
            return step(self, kind, fields)
        self.ignored[kind] += 1
        return []

    def _begin(self, kind: str, fields: dict[str, Any]) -> list[ResponseEvent]:
        """A frame that tells the response: `Created`, once. A resumed stream may begin with any of them."""
        events = self._headers.feed(fields)
        response = fields.get("response")
        if self._response_id is None and isinstance(response, dict):
            fields = cast("dict[str, Any]", response)
            self._response_id = as_text(fields.get("id"))
            events.append(Created(self._response_id, as_text(fields.get("model")) or None))
        return events

    def _read_headers(self, kind: str, fields: dict[str, Any]) -> list[ResponseEvent]:
        return self._headers.feed(fields)

    def _read_rate_limits(self, kind: str, fields: dict[str, Any]) -> list[ResponseEvent]:
        return [RateLimits(parse_rate_limits(fields))]

    def _begin_item(self, kind: str, fields: dict[str, Any]) -> list[ResponseEvent]:
        if (item := item_of(fields.get("item"))) is not None:
            return self._items.begin(item, as_index(fields.get("output_index")))
        self.ignored[kind] += 1
        return []

    def _end_item(self, kind: str, fields: dict[str, Any]) -> list[ResponseEvent]:
        if (item := item_of(fields.get("item"))) is not None:
            return self._items.end(item, as_index(fields.get("output_index")))
        self.ignored[kind] += 1
        return []

    def _begin_summary_part(self, kind: str, fields: dict[str, Any]) -> list[ResponseEvent]:
        place = Place(
            output_index=as_index(fields.get("output_index")),
            part_index=as_index(fields.get("summary_index")),
            item_id=as_text(fields.get("item_id")) or None,
        )
        return self._items.begin_summary_part(place)

    def _tell_failure(self, kind: str, fields: dict[str, Any]) -> list[ResponseEvent]:
        return self._fail(fields)

    def _end(self, kind: str, fields: dict[str, Any]) -> list[ResponseEvent]:
        """The final response: what it brings that was not given, then what became of the turn."""
        response = as_object(fields.get("response"))
        events = self._begin(kind, fields)
        output = (item_of(value) for value in as_list(response.get("output")))
        events += self._items.end_with([item for item in output if item is not None])
        usage = usage_of(response)
        match outcome_of(kind, response):
            case "failed":
                return events + self._fail(response.get("error") or fields.get("error"), usage)
            case "incomplete" if (reason := incomplete_reason(response)) != "interrupted":
                return events + self._stop(reason, usage)
            case "cancelled":
                return events + self._stop("cancelled", usage)
            case "incomplete":
                end_turn = False
            case _:
                told = response.get("end_turn", fields.get("end_turn"))
                end_turn = told if isinstance(told, bool) else None
        self.finished = True
        response_id = as_text(response.get("id")) or self._response_id or ""
        tier = as_text(response.get("service_tier")) or None
        return [*events, *self._items.end_open(), Completed(response_id, usage, end_turn=end_turn, service_tier=tier)]

    def _fail(self, told: Any, usage: TokenUsage | None = None) -> list[ResponseEvent]:
        """End with the failure that the server told, in any of the shapes of an error body; returns no events."""
        # The rules of failures are loaded with the first one.
        from codex_client.classify import in_stream_error, parse_failure

        failure = in_stream_error(parse_failure(told), request_id=self._request_id)
        failure.token_usage = usage
        self.failure = failure
        self.finished = True
        return []

    def _stop(self, reason: str, usage: TokenUsage | None) -> list[ResponseEvent]:
        self.failure = incomplete_error(reason, token_usage=usage, request_id=self._request_id)
        self.finished = True
        return []

    _steps: ClassVar[Mapping[str, Callable[[Self, str, dict[str, Any]], list[ResponseEvent]]]] = {
        "response.created": _begin,
        "response.queued": _begin,
        "response.in_progress": _begin,
        "response.completed": _end,
        "response.incomplete": _end,
        "response.failed": _end,
        "response.cancelled": _end,
        "response.output_item.added": _begin_item,
        "response.output_item.done": _end_item,
        "response.reasoning_summary_part.added": _begin_summary_part,
        "response.metadata": _read_headers,
        "codex.response.metadata": _read_headers,
        "codex.rate_limits": _read_rate_limits,
        "error": _tell_failure,
        "response.error": _tell_failure,
    }


def _parsed_if_json(data: str) -> Any:
    try:
        return parse_json(data)
    except MalformedFrameError:
        return None


def _tells_failure(fields: dict[str, Any]) -> bool:
    return bool(fields.get("error")) or fields.get("object") == "error"
