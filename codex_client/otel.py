"""Turns as OpenTelemetry spans and metrics, by the GenAI semantic conventions. Needs the extra `otel`.

    from codex_client.otel import OpenTelemetry

    client = connect("gpt-5", telemetry=OpenTelemetry())

| span `chat {model}`, kind CLIENT | one per turn, a child of the span that is current when the turn starts |
|---|---|
| event `codex.api_request` | one attempt has its answer's headers, or has failed |
| event `codex.retry` | another attempt follows |

| metric | unit | dimensions beside operation, provider, models, server |
|---|---|---|
| `gen_ai.client.operation.duration` | s | `error.type` of a turn that failed |
| `gen_ai.client.operation.time_to_first_chunk` | s | |
| `gen_ai.client.token.usage` | {token} | `gen_ai.token.type`: input, output |
| `codex.sse_event` | {frame} | `event.kind` |
| `codex.retry` | {retry} | `retry.layer`, `error.type` |

Frames are counted and not put into the span: a turn has thousands. Their counts are recorded when the turn ends. A turn
that its caller leaves is marked `codex.cancelled` and is no error; one that is dropped without any end is marked
`codex.abandoned`. The span is not made the current one, since a turn may be entered in one context and left in another:
spans of an instrumented HTTP library become its siblings. No header is added to requests; who wants `traceparent` sent
calls `opentelemetry.propagate.inject` in a `RequestCustomizer`.
"""

from __future__ import annotations

import atexit
import time
import weakref
from collections import deque
from typing import Final

from codex_client.api import Retry, SseEvent, TurnContext, TurnEnded, TurnObserver, TurnRecord
from codex_client.client.telemetry import (
    OTHER,
    Attributes,
    error_attributes,
    event_name,
    frame_kind,
    record_attributes,
    response_attributes,
    target_attributes,
    turn_attributes,
    turn_usage,
)
from codex_client.errors import MissingExtraError

try:
    from opentelemetry.metrics import Meter, MeterProvider, get_meter
    from opentelemetry.trace import Span, SpanKind, StatusCode, TracerProvider, get_tracer
except ImportError:
    raise MissingExtraError(
        "OpenTelemetry is not installed; install it with: pip install 'codex-client[otel]'", extra="otel"
    ) from None

_SCOPE: Final = "codex_client"

# The conventions' own bounds; an SDK's defaults are made for milliseconds.
_SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS: Final = tuple(4**power for power in range(14))

# A server can invent kinds without end, and each is a time series of its own. The Responses API has some sixty.
_MAX_KINDS: Final = 200


class OpenTelemetry:
    """Telemetry for `ClientConfig.telemetry`. Without providers the global ones are used, also when they are set later.

    `include_content=True` records prompts, answers, conversation ids and the words of errors
    (`gen_ai.input.messages`, `gen_ai.output.messages`, `gen_ai.system_instructions`, `gen_ai.tool.definitions`).
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        *,
        include_content: bool = False,
    ) -> None:
        self._tracer = get_tracer(_SCOPE, tracer_provider=tracer_provider)
        self._metrics = _Metrics(get_meter(_SCOPE, meter_provider=meter_provider))
        self._include_content = include_content

    def start_turn(self, turn: TurnContext) -> TurnObserver:
        _end_dropped()
        # Given at once and not set afterwards, because samplers decide by them.
        span = self._tracer.start_span(f"chat {turn.model}", kind=SpanKind.CLIENT, attributes=turn_attributes(turn))
        include_content = self._include_content and span.is_recording()
        if include_content:
            span.set_attributes(turn_attributes(turn, include_content=True))
        return _Observer(_Turn(span, self._metrics, target_attributes(turn), include_content))


class _Metrics:
    """The instruments, made once."""

    def __init__(self, meter: Meter) -> None:
        self.duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="Duration of a turn.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            unit="s",
            description="Time from the start of a turn to its first frame.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Tokens of a turn, as the server counted them.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self.retries = meter.create_counter("codex.retry", unit="{retry}", description="Attempts after the first.")
        self.frames = meter.create_counter("codex.sse_event", unit="{frame}", description="Frames read, by kind.")
        self._kinds: dict[str, str] = {}

    def kind(self, wire_type: str) -> str:
        """The frame's kind as a dimension: one of a bounded number."""
        kind = self._kinds.get(wire_type)
        if kind is None:
            if len(self._kinds) >= _MAX_KINDS:
                return OTHER
            kind = self._kinds[wire_type] = frame_kind(wire_type)
        return kind


class _Turn:
    """One turn's span and counts. It does not know its observer, and so can outlive one that was dropped."""

    def __init__(self, span: Span, metrics: _Metrics, target: Attributes, include_content: bool) -> None:
        self._span = span
        self._metrics = metrics
        self._target = target
        self._include_content = include_content
        self._frames: dict[str, int] = {}
        self._first_chunk: float | None = None

    def record(self, record: TurnRecord) -> None:
        match record:
            case SseEvent():
                self._count(record)
            case TurnEnded():
                self._end(record)
            case _:
                self._add_event(record)

    def end_dropped(self, ended_at_ns: int) -> None:
        """End the span of a turn whose end was never told; `ended_at_ns` Unix nanoseconds."""
        self._record_stream(self._target)
        self._span.set_attribute("codex.abandoned", True)
        self._span.end(ended_at_ns)

    def _count(self, record: SseEvent) -> None:
        if record.first:
            self._first_chunk = record.elapsed
        kind = self._metrics.kind(record.kind)
        self._frames[kind] = self._frames.get(kind, 0) + 1

    def _add_event(self, record: TurnRecord) -> None:
        if isinstance(record, Retry):
            error_type = error_attributes(record.reason)["error.type"]
            self._metrics.retries.add(1, self._target | {"retry.layer": record.layer, "error.type": error_type})
        self._span.add_event(event_name(record), record_attributes(record, include_content=self._include_content))

    def _end(self, record: TurnEnded) -> None:
        target = self._target
        if record.model is not None:
            target = target | {"gen_ai.response.model": record.model}
        self._record_stream(target)
        self._record_tokens(record, target)
        facts = response_attributes(record, include_content=self._include_content)
        failed = {"error.type": facts["error.type"]} if record.error is not None else {}
        self._metrics.duration.record(record.duration, target | failed)
        self._span.set_attributes(facts)
        if record.error is not None:
            self._span.set_status(StatusCode.ERROR, record.error.message if self._include_content else None)
        self._span.end()

    def _record_stream(self, target: Attributes) -> None:
        if self._first_chunk is not None:
            self._metrics.first_chunk.record(self._first_chunk, target)
            self._span.set_attribute("gen_ai.response.time_to_first_chunk", self._first_chunk)
        for kind, count in self._frames.items():
            self._metrics.frames.add(count, target | {"event.kind": kind})

    def _record_tokens(self, record: TurnEnded, target: Attributes) -> None:
        usage = turn_usage(record)
        if usage is not None:
            self._metrics.tokens.record(usage.input_tokens, target | {"gen_ai.token.type": "input"})
            self._metrics.tokens.record(usage.output_tokens, target | {"gen_ai.token.type": "output"})


class _Observer:
    """What the client holds of a turn. Dropped before the turn's end was told, its span is ended all the same."""

    def __init__(self, turn: _Turn) -> None:
        self._turn = turn
        self._finalizer = weakref.finalize(self, _drop, turn)

    def record(self, record: TurnRecord) -> None:
        self._turn.record(record)
        if isinstance(record, TurnEnded):
            self._finalizer.detach()


# Turns without an end, and when they were dropped. A finaliser may run at any moment, also while this thread holds a
# lock of the SDK, so it only notes the turn here; the span is ended when the next turn starts, or at exit.
_dropped: deque[tuple[_Turn, int]] = deque()


def _drop(turn: _Turn) -> None:
    if not _dropped:
        # Last registered, first called: before the provider closes, which was there when the turn began.
        atexit.register(_end_dropped)
    _dropped.append((turn, time.time_ns()))


def _end_dropped() -> None:
    while True:
        try:
            turn, dropped_at_ns = _dropped.popleft()
        except IndexError:  # asking first would not do: another thread may take the last one in between
            return
        turn.end_dropped(dropped_at_ns)
