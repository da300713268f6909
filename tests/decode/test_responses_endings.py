"""Every way in which a turn of the Responses API ends."""

from __future__ import annotations

from typing import Any

import pytest

from codex_client import errors
from codex_client.client.framer import SseFramer
from codex_client.decode.responses import ResponsesDecoder
from codex_client.events import (
    Completed,
    Created,
    OutputItemDone,
    OutputTextDelta,
    ToolCallInputDelta,
)
from codex_client.model_variants import TokenUsage
from codex_client.testing import (
    ev_completed,
    ev_created,
    ev_error,
    ev_failed,
    ev_function_arguments_delta,
    ev_incomplete,
    ev_item_added,
    ev_item_done,
    ev_text_delta,
    function_call_item,
    message_item,
    sse,
)
from tests.support.responses_stream import USAGE, added, decode, done

NOT_THIS_API = "none of them belongs to the Responses API: check the provider's base_url and wire_api"
MESSAGE = message_item("hi")
CALL = function_call_item("call_1", "f", "{}")


EMPTY_MESSAGE = message_item("", status="in_progress")
EMPTY_CALL = {**CALL, "arguments": "", "status": "in_progress"}

# How a turn fails: the code of `response.failed`, the class, whether trying again may help.
FAILED = [
    ("context_length_exceeded", errors.ContextWindowExceededError, False),
    ("insufficient_quota", errors.QuotaExceededError, False),
    ("credit_balance_exhausted", errors.QuotaExceededError, False),
    ("organization_spend_limit_exceeded", errors.QuotaExceededError, False),
    ("project_spend_limit_exceeded", errors.QuotaExceededError, False),
    ("usage_not_included", errors.UsageNotIncludedInStreamError, False),
    ("invalid_prompt", errors.InvalidPromptError, False),
    ("cyber_policy", errors.PolicyViolationError, False),
    ("bio_policy", errors.PolicyViolationError, False),
    ("misalignment_policy_violation", errors.PolicyViolationError, False),
    ("content_policy_violation", errors.PolicyViolationError, False),
    ("access_program_not_enabled", errors.PolicyViolationError, False),
    ("inference_hook_denied", errors.PolicyViolationError, False),
    ("model_not_found", errors.ModelNotFoundInStreamError, False),
    ("flex_unavailable", errors.ServerOverloadedInStreamError, False),
    ("policy_capacity_unavailable", errors.ServerOverloadedInStreamError, False),
    ("server_is_overloaded", errors.ServerOverloadedInStreamError, True),
    ("rate_limit_exceeded", errors.RateLimitedInStreamError, True),
    ("slow_down", errors.RateLimitedInStreamError, True),
    ("usage_limit_reached", errors.UsageLimitReachedInStreamError, False),
    ("server_error", errors.ResponseFailedError, True),
    ("brand_new_code", errors.ResponseFailedError, True),
    (None, errors.ResponseFailedError, True),
]


@pytest.mark.parametrize("code, expected, retryable", FAILED)
def test_response_failed_ends_the_turn_at_once_with_its_class(
    code: str | None, expected: type[errors.ResponseFailedError], retryable: bool
) -> None:
    events, decoder = decode(ev_created(), ev_failed(code, "told so", usage=None), ev_completed(), request_id="req_1")
    assert events == [Created("resp_1", "gpt-5")]
    assert decoder.finished
    failure = decoder.failure
    assert isinstance(failure, errors.ResponseFailedError)
    assert type(failure) is expected
    assert (failure.code, failure.retryable, failure.request_id) == (code, retryable, "req_1")
    assert failure.server_message == ("told so" if code else None)
    assert failure.token_usage is None


@pytest.mark.parametrize("nested", [True, False], ids=["nested", "flat"])
@pytest.mark.parametrize("code, expected, retryable", [row for row in FAILED if row[0]])
def test_error_events_end_the_turn_at_once_with_their_class(
    code: str, expected: type[errors.ResponseFailedError], retryable: bool, nested: bool
) -> None:
    told = ev_error(code, "told so", nested=nested, **({"type": None} if nested else {}))
    events, decoder = decode(ev_created(), told, ev_failed("server_error"))
    assert events == [Created("resp_1", "gpt-5")]
    failure = decoder.failure
    assert isinstance(failure, errors.ResponseFailedError)
    assert type(failure) is expected
    assert (failure.code, failure.retryable, failure.server_message) == (code, retryable, "told so")
    assert decoder.feed_eof() == []


@pytest.mark.parametrize(
    "frame, code, message",
    [
        ('{"error":{"code":"server_error","message":"m"}}', "server_error", "m"),
        ('{"error":"m"}', None, "m"),
        ('{"error":{"message":"m"},"type":"invalid_request_error"}', None, "m"),
        ('{"detail":"m"}', None, "m"),
        ('{"object":"error","message":"m","type":"BadRequestError","code":400}', "400", "m"),
        ('{"type":"response.error","error":{"code":"c","message":"m"}}', "c", "m"),
        ('{"type":"error"}', None, None),
        ('{"type":"error","error":null}', None, None),
        ('{"type":"error","error":["m"]}', None, "m"),
        ('{"type":"error","status":429,"error":{"code":"c","message":"m"}}', "c", "m"),
        ('{"type":"response.failed","error":{"code":"c","message":"m"}}', "c", "m"),
        ('{"type":"response.completed","response":{"status":"failed","error":{"code":"c","message":"m"}}}', "c", "m"),
        ('{"type":"response.completed","response":{"error":{"code":"c","message":"m"}}}', "c", "m"),
    ],
)
def test_failures_are_told_in_many_shapes(frame: str, code: str | None, message: str | None) -> None:
    events, decoder = decode(frame)
    assert decoder.finished
    assert isinstance(decoder.failure, errors.ResponseFailedError)
    assert (decoder.failure.code, decoder.failure.server_message) == (code, message)
    assert not any(isinstance(event, Completed) for event in events)


def test_an_error_event_in_plain_text_is_a_failure_with_that_text() -> None:
    decoder = ResponsesDecoder()
    (frame,) = SseFramer().feed(b"event: error\ndata: Internal Server Error\n\n")
    assert decoder.feed(frame) == []
    assert isinstance(decoder.failure, errors.ResponseFailedError)
    assert decoder.failure.server_message == "Internal Server Error"


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "response.mcp_call.failed", "output_index": 0, "error": {"message": "tool broke"}},
        {"type": "keepalive", "error": None},
        {"type": "note", "level": "error", "detail": "all well"},
        '{"type":"ping","error": broken',
        '{"error":null}',
        '{"type":"note","detail":"all well"}',
    ],
)
def test_an_error_that_is_not_the_turns_own_ends_nothing(frame: dict[str, Any] | str) -> None:
    events, decoder = decode(frame)
    assert (events, decoder.finished, decoder.failure) == ([], False, None)


def test_a_failure_carries_the_usage_and_the_items_that_it_tells() -> None:
    events, decoder = decode(
        ev_created(),
        ev_failed("server_error", usage={"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}, output=[MESSAGE]),
    )
    assert events[1:] == [added(EMPTY_MESSAGE), OutputTextDelta("hi", 0, 0, "msg_1"), done(MESSAGE)]
    assert isinstance(decoder.failure, errors.ResponseFailedError)
    assert decoder.failure.token_usage == TokenUsage(5, 0, 2, 0, 7)


@pytest.mark.parametrize(
    "details, reason, advice",
    [
        (
            {"reason": "max_output_tokens"},
            "max_output_tokens",
            "raise `Prompt.max_output_tokens`, lower the reasoning effort or shorten the input",
        ),
        ({"reason": "content_filter"}, "content_filter", "the provider's content filter stopped it: change the prompt"),
        ({"reason": "something_new"}, "something_new", "try again"),
        ({}, "unknown", "try again"),
        (None, "unknown", "try again"),
    ],
)
def test_an_incomplete_response_is_an_error_with_its_reason(details: object, reason: str, advice: str) -> None:
    last = ev_incomplete()
    last["response"]["incomplete_details"] = details
    events, decoder = decode(ev_created(), last, ev_completed(), request_id="req_1")
    assert events == [Created("resp_1", "gpt-5")]
    failure = decoder.failure
    assert isinstance(failure, errors.IncompleteResponseError)
    assert str(failure) == (
        f"incomplete response returned, reason: {reason}; {advice}; what came before it is on `.partial`"
    )
    assert (failure.reason, failure.token_usage, failure.retryable, failure.request_id) == (
        reason,
        USAGE,
        False,
        "req_1",
    )


def test_an_interrupted_response_completes_and_asks_to_go_on() -> None:
    events, decoder = decode(
        ev_created(), ev_item_added(EMPTY_MESSAGE), ev_text_delta("h"), ev_incomplete("interrupted")
    )
    assert events[-2:] == [
        done(message_item("h") | {"content": [{"type": "output_text", "text": "h"}]}),
        Completed("resp_1", USAGE, end_turn=False),
    ]
    assert decoder.failure is None


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "response.cancelled", "response": {"id": "resp_1", "status": "cancelled"}},
        {"type": "response.completed", "response": {"id": "resp_1", "status": "cancelled"}},
    ],
)
def test_a_cancelled_response_is_incomplete(frame: dict[str, Any]) -> None:
    _, decoder = decode(ev_created(), frame)
    assert isinstance(decoder.failure, errors.IncompleteResponseError)
    assert decoder.failure.reason == "cancelled"


def test_completed_with_status_incomplete_is_incomplete() -> None:
    _, decoder = decode({**ev_incomplete(), "type": "response.completed"})
    assert isinstance(decoder.failure, errors.IncompleteResponseError)


def test_completed_with_a_leftover_error_is_complete() -> None:
    last = ev_completed()
    last["response"]["error"] = {"code": "c", "message": "m"}
    events, decoder = decode(ev_created(), last)
    assert events[-1] == Completed("resp_1", USAGE)
    assert decoder.failure is None


def test_items_cut_short_are_done_as_far_as_they_go() -> None:
    cut = {**CALL, "arguments": '{"x":48', "status": "incomplete"}
    events, decoder = decode(
        ev_item_added(EMPTY_CALL), ev_function_arguments_delta('{"x"'), ev_incomplete(output=[cut])
    )
    assert events == [
        added(EMPTY_CALL),
        ToolCallInputDelta('{"x"', "call_1", "fc_call_1", 0),
        Created("resp_1", "gpt-5"),
        ToolCallInputDelta(":48", "call_1", "fc_call_1", 0),
        done(cut),
    ]
    assert isinstance(decoder.failure, errors.IncompleteResponseError)


def test_items_that_an_incomplete_response_does_not_name_stay_open() -> None:
    events, _ = decode(ev_item_added(EMPTY_MESSAGE), ev_text_delta("h"), ev_incomplete())
    assert not any(isinstance(event, OutputItemDone) for event in events)


@pytest.mark.parametrize(
    "last",
    [ev_completed(), ev_failed("server_error"), ev_error("server_error", "m"), ev_incomplete()],
    ids=lambda last: last["type"],
)
def test_nothing_after_the_terminal_event_changes_anything(last: dict[str, Any]) -> None:
    events, decoder = decode(last)
    failure, ignored = decoder.failure, decoder.ignored.copy()
    late = [ev_text_delta("x"), {"type": "note"}, "{broken", ev_completed(), ev_error("c", "m"), ev_item_done(MESSAGE)]
    assert [decoder.feed(frame) for frame in SseFramer().feed(sse(late))] == [[]] * len(late)
    assert (decoder.finished, decoder.failure, decoder.ignored) == (True, failure, ignored)
    assert decoder.feed_eof() == []
    assert sum(isinstance(event, Completed) for event in events) == (last["type"] == "response.completed")


@pytest.mark.parametrize(
    "events, text",
    [
        (
            [],
            f"stream closed before response.completed, after 0 frames; {NOT_THIS_API}",
        ),
        (
            ['{"object":"chat.completion.chunk","choices":[]}', "[DONE]"],
            f"stream closed before response.completed, after 2 frames; {NOT_THIS_API}",
        ),
        (
            [ev_created(), ev_text_delta("h"), {"type": "keepalive"}],
            "stream closed before response.completed, after 3 frames; try again; what came before it is on `.partial`",
        ),
    ],
    ids=["nothing", "another API", "a cut stream"],
)
def test_the_end_of_the_body_is_too_early_without_a_terminal_event(events: list[Any], text: str) -> None:
    _, decoder = decode(*events)
    with pytest.raises(errors.StreamClosedError) as raised:
        decoder.feed_eof()
    assert str(raised.value) == text
    assert (decoder.finished, decoder.failure) == (False, None)
