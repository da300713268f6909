"""Names and attributes of a turn's records, what counts as content, and the silent and the logging observer."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from codex_client.aggregate import CollectedResponse
from codex_client.api import ApiRequest, Retry, SseEvent, TurnContext, TurnEnded, TurnRecord
from codex_client.client.telemetry import (
    LoggingTelemetry,
    SilentTelemetry,
    error_attributes,
    event_name,
    frame_kind,
    record_attributes,
    turn_attributes,
    turn_usage,
)
from codex_client.errors import (
    CodexError,
    IdleTimeoutError,
    IncompleteResponseError,
    RateLimitedInStreamError,
    RateLimitError,
    ResponseFailedError,
    RetryLimitError,
    ServerError,
)
from codex_client.items import (
    Message,
    Reasoning,
    ResponseItem,
    SummaryText,
)
from codex_client.model_variants import TokenUsage
from codex_client.prompt import FunctionTool, Prompt

CANARY = "canary"
USAGE = TokenUsage(120, 100, 30, 20, 150)
TURN = TurnContext(
    provider="openai", wire_api="responses", model="gpt-5", url="https://api.openai.com/v1/responses?key=canary-key"
)
TARGET = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5",
    "server.address": "api.openai.com",
    "server.port": 443,
}


def answered(*items: ResponseItem) -> CollectedResponse:
    return CollectedResponse(response_id="resp_1", items=items)


def secretive_turn() -> TurnContext:
    """Whatever of it is content says so."""
    return replace(
        TURN,
        conversation_id=f"{CANARY}-conversation",
        prompt=Prompt(
            f"{CANARY} prompt",
            instructions=f"{CANARY} instructions",
            tools=[FunctionTool(f"{CANARY}_tool", f"{CANARY} description")],
            metadata={"user": CANARY},
            prompt_cache_key=CANARY,
            temperature=0.5,
            top_p=0.9,
            max_output_tokens=64,
            output_schema={"type": "object", "description": CANARY},
        ),
    )


def secretive_records() -> list[TurnRecord]:
    """One of each record; whatever in them is content says so."""
    refused = RateLimitError(
        f"{CANARY} 429", status=429, body=f"{CANARY} body", code=f"{CANARY} is no code at all", headers={"x": CANARY}
    )
    response = answered(
        Message.assistant(f"{CANARY} answer"), Reasoning(summary=[SummaryText(text=f"{CANARY} thought")])
    )
    failed = ResponseFailedError(f"{CANARY} failed", code="server_error", server_message=CANARY, partial=response)
    return [
        ApiRequest(1, 0.5, status=429, request_id="req_1", error=refused),
        Retry("request", 1, 0.25, refused),
        ApiRequest(2, 0.75, status=200, request_id="req_2"),
        SseEvent("response.created", 1.5, first=True),
        SseEvent(f"{CANARY} is no kind", 1.75),
        TurnEnded(2.0, "resp_1", "gpt-5-2026", USAGE, "stop", failed, response=response),
    ]


# Names and attributes.


@pytest.mark.parametrize(
    "record, name, attributes",
    [
        pytest.param(
            ApiRequest(2, 1.23456789, status=200, request_id="req_1"),
            "codex.api_request",
            {"attempt": 2, "duration_ms": 1234.568, "http.response.status_code": 200, "request_id": "req_1"},
            id="an_answered_attempt",
        ),
        pytest.param(
            ApiRequest(1, 0.001, error=ServerError("500", status=500, code="server_error")),
            "codex.api_request",
            {"attempt": 1, "duration_ms": 1.0, "error.type": "ServerError", "error.code": "server_error"},
            id="a_failed_attempt",
        ),
        pytest.param(
            SseEvent("response.created", 0.5, first=True),
            "codex.sse_event",
            {"event.kind": "response.created", "elapsed_ms": 500.0, "first": True},
            id="the_first_frame",
        ),
        pytest.param(
            SseEvent("", 0.5), "codex.sse_event", {"event.kind": "message", "elapsed_ms": 500.0}, id="a_frame"
        ),
        pytest.param(
            Retry("stream", 2, 0.4, IdleTimeoutError("no frame")),
            "codex.retry",
            {"retry.layer": "stream", "retry.attempt": 2, "retry.delay_ms": 400.0, "error.type": "IdleTimeoutError"},
            id="a_retry",
        ),
        pytest.param(
            TurnEnded(2.0, "resp_1", "gpt-5-2026", USAGE, "stop"),
            "codex.turn_ended",
            {
                "duration_ms": 2000.0,
                "gen_ai.response.id": "resp_1",
                "gen_ai.response.model": "gpt-5-2026",
                "gen_ai.response.finish_reasons": ("stop",),
                "gen_ai.usage.input_tokens": 120,
                "gen_ai.usage.output_tokens": 30,
                "gen_ai.usage.cache_read.input_tokens": 100,
                "gen_ai.usage.reasoning.output_tokens": 20,
            },
            id="a_completed_turn",
        ),
        pytest.param(
            TurnEnded(2.0, cancelled=True),
            "codex.turn_ended",
            {"duration_ms": 2000.0, "codex.cancelled": True},
            id="a_turn_that_was_left",
        ),
        pytest.param(
            TurnEnded(2.0, error=IncompleteResponseError("stopped", reason="max_output_tokens", token_usage=USAGE)),
            "codex.turn_ended",
            {
                "duration_ms": 2000.0,
                "gen_ai.response.finish_reasons": ("max_output_tokens",),
                "gen_ai.usage.input_tokens": 120,
                "gen_ai.usage.output_tokens": 30,
                "gen_ai.usage.cache_read.input_tokens": 100,
                "gen_ai.usage.reasoning.output_tokens": 20,
                "error.type": "IncompleteResponseError",
            },
            id="an_incomplete_turn_tells_its_reason_and_what_it_spent",
        ),
    ],
)
def test_a_record_has_a_name_and_its_known_facts(record: TurnRecord, name: str, attributes: dict[str, Any]):
    assert (event_name(record), record_attributes(record)) == (name, attributes)


def test_a_retry_limit_is_named_by_the_failure_behind_it():
    last = RateLimitedInStreamError("slow down", code="rate_limit_exceeded")
    assert error_attributes(RetryLimitError("5 attempts failed", attempts=5, last_error=last)) == {
        "error.type": "RateLimitedInStreamError",
        "error.code": "rate_limit_exceeded",
        "attempts": 5,
    }
    assert error_attributes(RetryLimitError("none made")) == {"error.type": "RetryLimitError", "attempts": 0}
    assert error_attributes(None) == {}


@pytest.mark.parametrize("code", ["Invalid argument provided", "", "x" * 65, "line\nbreak", "schlüssel"])
def test_a_code_that_is_no_name_counts_as_words(code: str):
    assert error_attributes(ResponseFailedError("failed", code=code)) == {"error.type": "ResponseFailedError"}


@pytest.mark.parametrize(
    "wire_type, kind",
    [
        ("", "message"),
        ("response.output_text.delta", "response.output_text.delta"),
        ("codex.rate_limits", "codex.rate_limits"),
        ("two words", "_OTHER"),
        ("line\nbreak", "_OTHER"),
        ("x" * 65, "_OTHER"),
    ],
)
def test_a_frame_kind_is_a_name(wire_type: str, kind: str):
    assert frame_kind(wire_type) == kind


@pytest.mark.parametrize(
    "finish_reason, recorded",
    [("STOP", "STOP"), ("content_filter: PROHIBITED_CONTENT", "content_filter"), ("it is over", "_OTHER")],
)
def test_a_finish_reason_is_a_name(finish_reason: str, recorded: str):
    attributes = record_attributes(TurnEnded(1.0, finish_reason=finish_reason))
    assert attributes["gen_ai.response.finish_reasons"] == (recorded,)


def test_usage_is_the_turns_own_before_that_of_its_error():
    spent = TokenUsage(input_tokens=1)
    error = ResponseFailedError("failed", token_usage=spent)
    assert turn_usage(TurnEnded(1.0, token_usage=USAGE, error=error)) == USAGE
    assert turn_usage(TurnEnded(1.0, error=error)) == spent
    assert turn_usage(TurnEnded(1.0, error=IdleTimeoutError("no frame"))) is None


def test_a_turn_is_known_by_whom_it_asks_for_what():
    asked = secretive_turn()
    assert turn_attributes(asked) == TARGET | {
        "codex.wire_api": "responses",
        "openai.api.type": "responses",
        "gen_ai.request.stream": True,
        "gen_ai.request.max_tokens": 64,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.output.type": "json",
    }


@pytest.mark.parametrize(
    "provider, name",
    [
        ("openai", "openai"),
        ("chatgpt", "openai"),
        ("Azure", "azure.ai.openai"),
        ("mistral", "mistral_ai"),
        ("xai", "x_ai"),
        ("groq", "groq"),
        ("My-Server", "My-Server"),
    ],
)
def test_a_provider_has_the_name_that_the_conventions_give_it(provider: str, name: str):
    attributes = turn_attributes(replace(TURN, provider=provider))
    assert attributes["gen_ai.provider.name"] == name
    assert attributes.get("openai.api.type") == ("responses" if name == "openai" else None)


@pytest.mark.parametrize(
    "url, address, port",
    [
        ("http://localhost:11434/v1/chat/completions", "localhost", 11434),
        ("http://localhost/v1/chat/completions", "localhost", 80),
        ("https://[::1]/v1/responses", "::1", 443),
        ("fixture", None, None),
    ],
)
def test_the_server_is_its_host_and_port(url: str, address: str | None, port: int | None):
    attributes = turn_attributes(replace(TURN, url=url))
    assert (attributes.get("server.address"), attributes.get("server.port")) == (address, port)


def test_a_wire_api_of_ones_own_has_no_openai_api_type():
    assert "openai.api.type" not in turn_attributes(replace(TURN, wire_api="mine"))


# Content.


def test_no_content_is_recorded_unasked():
    facts = [turn_attributes(secretive_turn()), *(record_attributes(record) for record in secretive_records())]
    assert CANARY not in repr(facts)


def test_asked_for_the_words_of_errors_are_recorded():
    error = CodexError("the words")
    assert error_attributes(error, include_content=True) == {"error.type": "CodexError", "error.message": "the words"}


def test_asked_for_the_conversation_and_the_prompt_are_recorded():
    with_content = turn_attributes(secretive_turn(), include_content=True)
    added = {name: with_content[name] for name in with_content.keys() - turn_attributes(secretive_turn()).keys()}
    assert added == {
        "gen_ai.conversation.id": "canary-conversation",
        "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"canary prompt"}]}]',
        "gen_ai.system_instructions": '[{"type":"text","content":"canary instructions"}]',
        "gen_ai.tool.definitions": '[{"type":"function","name":"canary_tool"}]',
    }


def test_a_turn_without_prompt_has_no_content():
    assert turn_attributes(TURN, include_content=True) == turn_attributes(TURN)


# Observers.


class Lines(logging.Handler):
    """Keeps what a handler gets."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def lines(self) -> list[tuple[str, str]]:
        return [(record.levelname, record.getMessage()) for record in self.records]


@pytest.fixture
def lines() -> Iterator[Lines]:
    logger = logging.getLogger("codex_client")
    kept = Lines()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(kept)
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    yield kept
    logger.removeHandler(kept)
    logger.propagate = propagate
    logger.setLevel(level)


def observe(telemetry: LoggingTelemetry, turn: TurnContext, records: list[TurnRecord]) -> None:
    observer = telemetry.start_turn(turn)
    assert observer is not None
    for record in records:
        observer.record(record)


def test_silent_telemetry_observes_nothing():
    assert SilentTelemetry().start_turn(TURN) is None


def test_each_record_is_one_line_of_its_facts(lines: Lines):
    observe(LoggingTelemetry(), secretive_turn(), secretive_records())
    assert lines.lines == [
        (
            "INFO",
            (
                "codex.api_request attempt=1 duration_ms=500.0 http.response.status_code=429 request_id=req_1 "
                "error.type=RateLimitError"
            ),
        ),
        ("INFO", "codex.retry retry.layer=request retry.attempt=1 retry.delay_ms=250.0 error.type=RateLimitError"),
        ("INFO", "codex.api_request attempt=2 duration_ms=750.0 http.response.status_code=200 request_id=req_2"),
        ("DEBUG", "codex.sse_event event.kind=response.created elapsed_ms=1500.0 first=true"),
        ("DEBUG", "codex.sse_event event.kind=_OTHER elapsed_ms=1750.0"),
        (
            "INFO",
            (
                "codex.turn_ended duration_ms=2000.0 gen_ai.response.id=resp_1 gen_ai.response.model=gpt-5-2026 "
                'gen_ai.response.finish_reasons=["stop"] gen_ai.usage.input_tokens=120 gen_ai.usage.output_tokens=30 '
                "gen_ai.usage.cache_read.input_tokens=100 gen_ai.usage.reasoning.output_tokens=20 "
                "error.type=ResponseFailedError error.code=server_error"
            ),
        ),
    ]


def test_a_line_carries_the_facts_of_its_record_and_its_turn(lines: Lines):
    observe(LoggingTelemetry(), TURN, [ApiRequest(1, 0.5, status=200)])
    facts = {"attempt": 1, "duration_ms": 500.0, "http.response.status_code": 200}
    assert lines.records[0].__dict__["codex"] == turn_attributes(TURN) | facts


def test_no_log_record_holds_content_unasked(lines: Lines):
    observe(LoggingTelemetry(), secretive_turn(), secretive_records())
    assert len(lines.records) == 6
    assert CANARY not in repr([record.__dict__ for record in lines.records])
    assert CANARY not in repr(pickle.dumps([record.__dict__ for record in lines.records]))


def test_asked_for_the_log_tells_prompt_answer_and_errors(lines: Lines):
    observe(LoggingTelemetry(include_content=True), secretive_turn(), secretive_records())
    last = lines.records[-1]
    assert "canary answer" in last.getMessage()
    assert 'error.message="canary failed"' in last.getMessage()
    assert "canary prompt" in last.__dict__["codex"]["gen_ai.input.messages"]


def test_nothing_a_server_sends_begins_a_line_of_its_own(lines: Lines):
    observe(LoggingTelemetry(), TURN, [TurnEnded(1.0, 'resp"\nERROR forged', "a model")])
    assert lines.lines == [
        (
            "INFO",
            (
                'codex.turn_ended duration_ms=1000.0 gen_ai.response.id="resp\\"\\nERROR forged" '
                'gen_ai.response.model="a model"'
            ),
        )
    ]


def test_while_the_logger_is_off_turns_are_not_observed(lines: Lines):
    logging.getLogger("codex_client").setLevel(logging.WARNING)
    assert LoggingTelemetry().start_turn(TURN) is None
    assert LoggingTelemetry(level=logging.WARNING).start_turn(TURN) is not None


def test_frames_are_logged_at_debug_only(lines: Lines):
    logging.getLogger("codex_client").setLevel(logging.INFO)
    observe(LoggingTelemetry(), TURN, [SseEvent("response.created", 0.5), ApiRequest(1, 0.5)])
    assert lines.lines == [("INFO", "codex.api_request attempt=1 duration_ms=500.0")]


def test_while_debug_is_off_a_frame_is_not_looked_at(lines: Lines):
    class Untouchable(str):
        def __bool__(self) -> bool:
            raise AssertionError("looked at")

    logging.getLogger("codex_client").setLevel(logging.INFO)
    observe(LoggingTelemetry(), TURN, [SseEvent(Untouchable("response.created"), 0.5)])
    with pytest.raises(AssertionError, match="looked at"):
        record_attributes(SseEvent(Untouchable("response.created"), 0.5))


def test_a_logger_of_ones_own_is_used():
    kept = Lines()
    mine = logging.getLogger("codex_client.mine")
    mine.addHandler(kept)
    mine.propagate = False
    observe(LoggingTelemetry(mine, level=logging.ERROR), TURN, [Retry("stream", 2, 0.0, CodexError("x"))])
    assert kept.lines == [
        ("ERROR", "codex.retry retry.layer=stream retry.attempt=2 retry.delay_ms=0.0 error.type=CodexError")
    ]
