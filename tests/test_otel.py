"""Turns as OpenTelemetry spans and metrics: names, values, parentage, ends in every case, and no content unasked."""

from __future__ import annotations

import gc
import importlib.util
import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from codex_client import ResponsesApiClient, ResponsesConfig
from codex_client.aggregate import CollectedResponse
from codex_client.api import ApiRequest, Retry, SseEvent, Telemetry, TurnContext, TurnEnded, TurnObserver, TurnRecord
from codex_client.errors import (
    IdleTimeoutError,
    IncompleteResponseError,
    MissingExtraError,
    RateLimitError,
    ResponseFailedError,
)
from codex_client.items import Message, Reasoning, SummaryText
from codex_client.model_provider import ModelProviderInfo
from codex_client.model_variants import TokenUsage
from codex_client.otel import OpenTelemetry
from codex_client.prompt import FunctionTool, Prompt
from codex_client.testing import ManualClock, Reply, ScriptedTransport, ev_completed, ev_created, ev_text_delta, sse

CANARY = "canary"
USAGE = TokenUsage(120, 100, 30, 20, 150)
TURN = TurnContext(
    provider="xai", wire_api="chat", model="grok-4", url="https://api.x.ai/v1/chat/completions?key=canary"
)
TARGET: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "x_ai",
    "gen_ai.request.model": "grok-4",
    "server.address": "api.x.ai",
    "server.port": 443,
}
REQUEST = TARGET | {"codex.wire_api": "chat", "gen_ai.request.stream": True}
ANSWER = CollectedResponse(response_id="resp_1", items=(Message.assistant(f"{CANARY} answer"),))


@dataclass(frozen=True)
class Point:
    """One data point: a counter's value, or a histogram's count and sum."""

    value: float
    attributes: dict[str, Any]
    count: int = 1
    bounds: tuple[float, ...] = ()


class Kit:
    """An `OpenTelemetry` whose spans and metrics stay in memory."""

    def __init__(self, *, include_content: bool = False, sampler: Sampler | None = None) -> None:
        self._spans = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        self.tracers = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.telemetry = OpenTelemetry(self.tracers, meters, include_content=include_content)

    @property
    def spans(self) -> list[ReadableSpan]:
        """Those that have ended, in order."""
        return list(self._spans.get_finished_spans())

    @property
    def span(self) -> ReadableSpan:
        (span,) = self.spans
        return span

    def points(self) -> dict[str, list[Point]]:
        """Every metric recorded so far."""
        data = self.reader.get_metrics_data()
        if data is None:
            return {}
        metrics = [
            metric for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
        ]
        return {metric.name: [_point(point) for point in metric.data.data_points] for metric in metrics}

    def everything(self) -> str:
        """All that left the process, as text."""
        return "".join(span.to_json() for span in self.spans) + repr(self.points())


def _point(point: Any) -> Point:
    attributes = dict(point.attributes)
    if isinstance(point, HistogramDataPoint):
        return Point(point.sum, attributes, point.count, tuple(point.explicit_bounds))
    return Point(point.value, attributes)


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def events_of(span: ReadableSpan) -> list[tuple[str, dict[str, Any]]]:
    return [(event.name, dict(event.attributes or {})) for event in span.events]


def observe(kit: Kit, turn: TurnContext, records: Iterable[TurnRecord]) -> None:
    observer = kit.telemetry.start_turn(turn)
    for record in records:
        observer.record(record)


def drop(kit: Kit, turn: TurnContext, records: Iterable[TurnRecord]) -> None:
    """A turn whose observer goes without having been told of its end."""
    observe(kit, turn, records)
    gc.collect()


def test_it_is_a_telemetry():
    telemetry: Telemetry = OpenTelemetry()
    observer: TurnObserver | None = telemetry.start_turn(TURN)
    assert observer is not None
    observer.record(TurnEnded(1.0))


# Spans.


def test_a_completed_turn_is_one_client_span():
    kit = Kit()
    observe(
        kit,
        TURN,
        [
            ApiRequest(1, 0.25, status=200, request_id="req_1"),
            SseEvent("", 0.5, first=True),
            SseEvent("", 0.75),
            TurnEnded(2.0, "chatcmpl-1", "grok-4-0709", USAGE, "stop", response=ANSWER),
        ],
    )
    span = kit.span
    assert (span.name, span.kind, span.parent) == ("chat grok-4", SpanKind.CLIENT, None)
    assert attributes_of(span) == REQUEST | {
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "grok-4-0709",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.5,
        "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.usage.cache_read.input_tokens": 100,
        "gen_ai.usage.reasoning.output_tokens": 20,
    }
    attempt = {"attempt": 1, "duration_ms": 250.0, "http.response.status_code": 200, "request_id": "req_1"}
    assert events_of(span) == [("codex.api_request", attempt)]
    assert (span.status.status_code, span.status.description) == (StatusCode.UNSET, None)


def test_attempts_and_retries_are_events_of_the_span_and_frames_are_not():
    kit = Kit()
    refused = RateLimitError("slow down", status=429, code="rate_limit_exceeded")
    observe(
        kit,
        TURN,
        [
            ApiRequest(1, 0.25, status=429, error=refused),
            Retry("request", 2, 0.5, refused),
            ApiRequest(2, 0.25, status=200),
            SseEvent("", 1.5, first=True),
            Retry("stream", 3, 0.0, IdleTimeoutError("no frame")),
            ApiRequest(3, 0.25, status=200),
            TurnEnded(2.0),
        ],
    )
    failed = {"error.type": "RateLimitError", "error.code": "rate_limit_exceeded"}
    stalled = {"error.type": "IdleTimeoutError"}
    answered = {"duration_ms": 250.0, "http.response.status_code": 200}
    assert events_of(kit.span) == [
        ("codex.api_request", {"attempt": 1, "duration_ms": 250.0, "http.response.status_code": 429} | failed),
        ("codex.retry", {"retry.layer": "request", "retry.attempt": 2, "retry.delay_ms": 500.0} | failed),
        ("codex.api_request", {"attempt": 2} | answered),
        ("codex.retry", {"retry.layer": "stream", "retry.attempt": 3, "retry.delay_ms": 0.0} | stalled),
        ("codex.api_request", {"attempt": 3} | answered),
    ]


def test_a_failed_turn_has_the_status_error_and_its_type():
    kit = Kit()
    observe(kit, TURN, [TurnEnded(2.0, error=ResponseFailedError("words", code="server_error"))])
    assert attributes_of(kit.span) == REQUEST | {"error.type": "ResponseFailedError", "error.code": "server_error"}
    assert (kit.span.status.status_code, kit.span.status.description) == (StatusCode.ERROR, None)


def test_a_turn_that_the_caller_leaves_is_no_error():
    kit = Kit()
    observe(kit, TURN, [TurnEnded(2.0, cancelled=True)])
    assert attributes_of(kit.span) == REQUEST | {"codex.cancelled": True}
    assert kit.span.status.status_code is StatusCode.UNSET


def test_the_span_is_a_child_of_the_one_that_is_current_at_the_start():
    kit = Kit()
    tracer = kit.tracers.get_tracer("caller")
    with tracer.start_as_current_span("caller"):
        observer = kit.telemetry.start_turn(TURN)
    with tracer.start_as_current_span("other"):
        observer.record(TurnEnded(1.0))
    caller, turn, other = kit.spans
    assert (caller.name, turn.name, other.name) == ("caller", "chat grok-4", "other")
    assert turn.parent == caller.context


def test_the_turn_does_not_become_the_current_span():
    before = get_current_span()
    observer = Kit().telemetry.start_turn(TURN)
    assert get_current_span() is before
    observer.record(TurnEnded(1.0))


def test_a_sampler_decides_by_what_is_known_at_the_start():
    seen: list[dict[str, Any]] = []

    class Curious(Sampler):
        def should_sample(
            self,
            parent_context: Any,
            trace_id: int,
            name: str,
            kind: Any = None,
            attributes: Any = None,
            *rest: Any,
            **more: Any,
        ) -> Any:
            seen.append(dict(attributes or {}))
            return ALWAYS_OFF.should_sample(parent_context, trace_id, name, kind, attributes)

        def get_description(self) -> str:
            return "curious"

    kit = Kit(sampler=Curious(), include_content=True)
    observe(
        kit, TURN, [ApiRequest(1, 0.25), Retry("request", 2, 0.5, RateLimitError("x")), TurnEnded(1.0, response=ANSWER)]
    )
    assert seen == [REQUEST]
    assert kit.spans == []
    assert set(kit.points()) == {"codex.retry", "gen_ai.client.operation.duration"}


def test_content_is_not_written_out_for_a_span_that_nobody_keeps():
    class Unreadable(list[Any]):
        def __iter__(self) -> Any:
            raise AssertionError("read")

    observe(Kit(sampler=ALWAYS_OFF, include_content=True), replace(TURN, prompt=Prompt(Unreadable())), [TurnEnded(1.0)])
    with pytest.raises(AssertionError, match="read"):
        observe(Kit(include_content=True), replace(TURN, prompt=Prompt(Unreadable())), [TurnEnded(1.0)])


# The end in every case.


def test_a_dropped_turn_is_ended_when_the_next_one_starts():
    kit = Kit()
    drop(kit, TURN, [SseEvent("", 0.5, first=True), SseEvent("", 0.75)])
    assert kit.spans == []
    observer = kit.telemetry.start_turn(TURN)
    assert attributes_of(kit.span) == REQUEST | {"codex.abandoned": True, "gen_ai.response.time_to_first_chunk": 0.5}
    assert kit.span.status.status_code is StatusCode.UNSET
    assert kit.span.end_time is not None
    points = kit.points()
    assert points["codex.sse_event"] == [Point(2, TARGET | {"event.kind": "message"})]
    assert "gen_ai.client.operation.duration" not in points
    observer.record(TurnEnded(1.0))
    assert [attributes_of(span).get("codex.abandoned") for span in kit.spans] == [True, None]


def test_a_dropped_turn_ended_when_it_was_dropped():
    kit = Kit()
    drop(kit, TURN, [])
    dropped_by = time.time_ns()
    observe(kit, TURN, [TurnEnded(1.0)])
    dropped, _ = kit.spans
    assert dropped.end_time is not None
    assert dropped.end_time <= dropped_by


def test_all_dropped_turns_are_ended():
    kit = Kit()
    observers = [kit.telemetry.start_turn(replace(TURN, model=model)) for model in ("first", "second")]
    while observers:
        observers.pop(0)
    gc.collect()
    assert kit.spans == []
    observe(kit, TURN, [TurnEnded(1.0)])
    assert [span.name for span in kit.spans] == ["chat first", "chat second", "chat grok-4"]


def test_a_turn_that_ended_is_not_ended_again_when_it_is_dropped():
    kit = Kit()
    drop(kit, TURN, [TurnEnded(1.0)])
    observe(kit, TURN, [TurnEnded(1.0)])
    assert [attributes_of(span).get("codex.abandoned") for span in kit.spans] == [None, None]


def test_a_turn_in_use_is_not_ended_by_another_one():
    kit = Kit()
    first = kit.telemetry.start_turn(TURN)
    observe(kit, replace(TURN, model="other"), [TurnEnded(1.0)])
    assert [span.name for span in kit.spans] == ["chat other"]
    first.record(TurnEnded(1.0))
    assert [span.name for span in kit.spans] == ["chat other", "chat grok-4"]


def test_at_exit_a_dropped_turn_reaches_a_provider_that_was_set_late():
    program = """
        from codex_client.api import TurnContext
        from codex_client.otel import OpenTelemetry
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

        telemetry = OpenTelemetry()
        provider = TracerProvider()
        exporter = ConsoleSpanExporter(formatter=lambda span: span.to_json(indent=None))
        provider.add_span_processor(BatchSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        telemetry.start_turn(TurnContext("openai", "responses", "gpt-5", "http://localhost/"))
    """
    done = run(program)
    assert (done.returncode, done.stderr) == (0, "")
    span = json.loads(done.stdout)
    assert (span["name"], span["attributes"]["codex.abandoned"]) == ("chat gpt-5", True)


# Metrics.


def test_the_metrics_of_a_turn():
    kit = Kit()
    refused = RateLimitError("slow down", status=429)
    observe(
        kit,
        TURN,
        [
            Retry("request", 2, 0.5, refused),
            Retry("request", 3, 0.5, refused),
            SseEvent("response.created", 0.5, first=True),
            SseEvent("response.output_text.delta", 0.75),
            SseEvent("response.output_text.delta", 1.0),
            TurnEnded(2.0, "resp_1", "grok-4-0709", USAGE, "stop"),
        ],
    )
    served = TARGET | {"gen_ai.response.model": "grok-4-0709"}
    seconds = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
    tokens = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
    assert kit.points() == {
        "gen_ai.client.operation.duration": [Point(2.0, served, bounds=seconds)],
        "gen_ai.client.operation.time_to_first_chunk": [Point(0.5, served, bounds=seconds)],
        "gen_ai.client.token.usage": [
            Point(120, served | {"gen_ai.token.type": "input"}, bounds=tokens),
            Point(30, served | {"gen_ai.token.type": "output"}, bounds=tokens),
        ],
        "codex.retry": [Point(2, TARGET | {"retry.layer": "request", "error.type": "RateLimitError"})],
        "codex.sse_event": [
            Point(1, served | {"event.kind": "response.created"}),
            Point(2, served | {"event.kind": "response.output_text.delta"}),
        ],
    }


def test_a_failed_turn_is_measured_with_its_error_and_what_it_spent():
    kit = Kit()
    cut = IncompleteResponseError("cut", reason="max_output_tokens", token_usage=USAGE)
    observe(kit, TURN, [TurnEnded(2.0, error=cut)])
    points = kit.points()
    assert [point.attributes for point in points["gen_ai.client.operation.duration"]] == [
        TARGET | {"error.type": "IncompleteResponseError"}
    ]
    assert [point.value for point in points["gen_ai.client.token.usage"]] == [120, 30]


def test_without_frames_and_usage_only_the_duration_is_measured():
    kit = Kit()
    observe(kit, TURN, [TurnEnded(2.0, cancelled=True)])
    assert [(name, [point.attributes for point in points]) for name, points in kit.points().items()] == [
        ("gen_ai.client.operation.duration", [TARGET])
    ]


def test_kinds_that_a_server_invents_are_bounded_within_a_turn_and_over_all():
    kit = Kit()
    for turn in range(3):
        observe(kit, TURN, [*(SseEvent(f"kind.{turn}.{number}", 0.5) for number in range(250)), TurnEnded(1.0)])
    points = kit.points()["codex.sse_event"]
    assert len(points) <= 201
    assert sum(point.value for point in points) == 750
    assert {point.attributes["event.kind"] for point in points} >= {"kind.0.0", "_OTHER"}


def test_the_instruments_have_units():
    kit = Kit()
    observe(
        kit,
        TURN,
        [
            SseEvent("", 0.5, first=True),
            Retry("request", 2, 0.5, RateLimitError("x")),
            TurnEnded(1.0, token_usage=USAGE),
        ],
    )
    data = kit.reader.get_metrics_data()
    assert data is not None
    (resource,) = data.resource_metrics
    (scope,) = resource.scope_metrics
    assert scope.scope.name == "codex_client"
    assert {metric.name: metric.unit for metric in scope.metrics} == {
        "gen_ai.client.operation.duration": "s",
        "gen_ai.client.operation.time_to_first_chunk": "s",
        "gen_ai.client.token.usage": "{token}",
        "codex.retry": "{retry}",
        "codex.sse_event": "{frame}",
    }


# Content.


def secretive_turn() -> tuple[TurnContext, list[TurnRecord]]:
    """A turn of which whatever is content says so."""
    prompt = Prompt(
        f"{CANARY} prompt",
        instructions=f"{CANARY} instructions",
        tools=[FunctionTool(f"{CANARY}_tool", f"{CANARY} description")],
        metadata={"user": CANARY},
    )
    refused = RateLimitError(
        f"{CANARY} 429", status=429, body=f"{CANARY} body", code=f"{CANARY} words", headers={"x": CANARY}
    )
    response = CollectedResponse(items=(*ANSWER.items, Reasoning(summary=[SummaryText(text=f"{CANARY} thought")])))
    failed = ResponseFailedError(f"{CANARY} failed", code="server_error", server_message=CANARY, partial=response)
    records: list[TurnRecord] = [
        ApiRequest(1, 0.5, status=429, request_id="req_1", error=refused),
        Retry("request", 2, 0.25, refused),
        SseEvent(f"{CANARY} is no kind", 1.5, first=True),
        TurnEnded(2.0, "resp_1", "grok-4", USAGE, f"{CANARY} is no reason", failed, response=response),
    ]
    return replace(TURN, conversation_id=f"{CANARY}-conversation", prompt=prompt), records


def test_no_span_and_no_metric_holds_content_unasked():
    kit = Kit()
    observe(kit, *secretive_turn())
    drop(kit, secretive_turn()[0], [SseEvent(CANARY + " ", 0.5)])
    observe(kit, TURN, [TurnEnded(1.0)])
    assert len(kit.spans) == 3
    assert CANARY not in kit.everything()


def test_asked_for_the_span_tells_prompt_answer_and_errors_by_the_conventions_names():
    kit = Kit(include_content=True)
    observe(kit, *secretive_turn())
    attributes = attributes_of(kit.span)
    thought, answer = (
        {"type": kind, "content": f"{CANARY} {word}"} for kind, word in [("reasoning", "thought"), ("text", "answer")]
    )
    content = {
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": f"{CANARY} prompt"}]}],
        "gen_ai.system_instructions": [{"type": "text", "content": f"{CANARY} instructions"}],
        "gen_ai.tool.definitions": [{"type": "function", "name": f"{CANARY}_tool"}],
        "gen_ai.output.messages": [{"role": "assistant", "parts": [answer, thought], "finish_reason": "error"}],
    }
    assert {name: json.loads(attributes[name]) for name in content} == content
    assert attributes["gen_ai.conversation.id"] == f"{CANARY}-conversation"
    assert attributes["error.message"] == kit.span.status.description == f"{CANARY} failed"
    assert [facts["error.message"] for _, facts in events_of(kit.span)] == [f"{CANARY} 429", f"{CANARY} 429"]


def test_content_never_goes_into_metrics():
    kit = Kit(include_content=True)
    observe(kit, *secretive_turn())
    assert CANARY not in repr(kit.points())


# Through the client.


async def turn_of_a_client(kit: Kit) -> None:
    """One turn that is refused, tried again and answered, of which whatever is content or a key says so."""
    refusal = {"error": {"message": f"{CANARY} words", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}
    answer = [ev_created("resp_1"), ev_text_delta(f"{CANARY} answer"), ev_completed("resp_1")]
    transport = ScriptedTransport(
        [
            Reply(status=429, headers={"retry-after": "2"}, body=json.dumps(refusal).encode()),
            Reply(headers={"content-type": "text/event-stream", "x-request-id": "req_2"}, body=sse(answer)),
        ]
    )
    config = ResponsesConfig(
        provider=ModelProviderInfo(name="local", base_url="http://localhost:8000/v1", query_params={"key": CANARY}),
        model="gpt-5",
        auth=f"sk-{CANARY}",
        conversation_id=f"{CANARY}-conversation",
        http_client=httpx.AsyncClient(transport=transport),
        telemetry=kit.telemetry,
        clock=ManualClock(auto_advance=True),
    )
    async with ResponsesApiClient(config) as client:
        response = await client.collect(Prompt(f"{CANARY} prompt"))
    assert response.text == f"{CANARY} answer"
    assert {CANARY in request.headers["authorization"] for request in transport.requests} == {True}
    assert {"traceparent" in request.headers for request in transport.requests} == {False}


async def test_a_client_tells_everything_of_a_turn_but_its_content():
    kit = Kit()
    await turn_of_a_client(kit)
    failed = {"error.type": "RateLimitError", "error.code": "rate_limit_exceeded"}
    attempts = [
        (name, {key: facts[key] for key in facts.keys() - {"duration_ms"}}) for name, facts in events_of(kit.span)
    ]
    assert attempts == [
        ("codex.api_request", {"attempt": 1, "http.response.status_code": 429} | failed),
        ("codex.retry", {"retry.layer": "request", "retry.attempt": 2, "retry.delay_ms": 2000.0} | failed),
        ("codex.api_request", {"attempt": 2, "http.response.status_code": 200, "request_id": "req_2"}),
    ]
    assert {point.attributes["event.kind"]: point.value for point in kit.points()["codex.sse_event"]} == {
        "response.created": 1,
        "response.output_text.delta": 1,
        "response.completed": 1,
    }
    assert kit.span.status.status_code is StatusCode.UNSET
    assert CANARY not in kit.everything()


async def test_a_client_tells_content_when_asked_to_and_never_a_key():
    kit = Kit(include_content=True)
    await turn_of_a_client(kit)
    for words in ("prompt", "answer", "words"):
        assert f"{CANARY} {words}" in kit.everything()
    assert f"sk-{CANARY}" not in kit.everything()
    assert f"key={CANARY}" not in kit.everything()


# The extra.


def run(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_without_opentelemetry_the_error_names_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.metrics", None)
    spec = importlib.util.find_spec("codex_client.otel")
    assert spec is not None
    assert spec.loader is not None
    with pytest.raises(MissingExtraError) as caught:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert caught.value.extra == "otel"
    assert "pip install 'codex-client[otel]'" in caught.value.message


def test_without_opentelemetry_the_rest_of_the_library_works():
    program = """
        import sys

        sys.modules["opentelemetry"] = None
        from codex_client import *
        from codex_client import MissingExtraError

        try:
            import codex_client.otel
        except MissingExtraError as error:
            print(error.extra)
    """
    done = run(program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "otel\n", "")


def test_importing_it_registers_nothing_global():
    program = """
        import codex_client.otel
        from opentelemetry import metrics, trace

        codex_client.otel.OpenTelemetry()
        print(type(trace.get_tracer_provider()).__name__)
    """
    assert run(program).stdout == "ProxyTracerProvider\n"
