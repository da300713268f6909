"""The old frames that have no type: which field they have says what they are."""

from __future__ import annotations

from typing import Any

import pytest

from codex_client import errors
from codex_client.aggregate import TurnAccumulator
from codex_client.events import (
    Completed,
    Created,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    RawEvent,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    ResponseEvent,
)
from codex_client.items import Message, Reasoning, parse_item
from codex_client.model_variants import TokenUsage
from codex_client.testing import message_item
from tests.support.responses_stream import decode

MESSAGE = message_item("hi")
USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


@pytest.mark.parametrize(
    "frame, expected",
    [
        ({"response_output_item": {"type": "response.output_item.created"}}, [Created("")]),
        ({"response_output_item": {"type": "response.output_item.other"}}, []),
        (
            {"response_output_text_delta": {"text": "hi"}},
            [OutputItemAdded(Message(id=None, role="assistant", content=[]), 0), OutputTextDelta("hi")],
        ),
        (
            {"response_message_delta": {"text": "hi"}},
            [OutputItemAdded(Message(id=None, role="assistant", content=[]), 0), OutputTextDelta("hi")],
        ),
        (
            {"response_message_delta": "hi"},
            [OutputItemAdded(Message(id=None, role="assistant", content=[]), 0), OutputTextDelta("hi")],
        ),
        (
            {"response_output_reasoning_delta": {"text": "because"}},
            [OutputItemAdded(Reasoning(id=None, summary=[]), 0), ReasoningContentDelta("because")],
        ),
        (
            {"response_output_reasoning_summary_delta": {"text": "why"}},
            [
                OutputItemAdded(Reasoning(id=None, summary=[]), 0),
                ReasoningSummaryPartAdded(0),
                ReasoningSummaryDelta("why"),
            ],
        ),
        (
            {"response_output_item_done": {"item": MESSAGE}},
            [
                OutputItemAdded(parse_item({**MESSAGE, "content": [], "status": "in_progress"}), 0),
                OutputTextDelta("hi", 0, 0, "msg_1"),
                OutputItemDone(parse_item(MESSAGE), 0),
            ],
        ),
        ({"response_output_item_done": {}}, []),
        ({"response_content": "hi"}, []),
        ({"response_event": {"a": 1}}, []),
        ({"responses": None}, []),
        ({"responses": [{"response.other": {}}, 5]}, []),
        (
            {"responses": [{"response.completed": {"id": "resp_1", "usage": USAGE}}]},
            [Created("resp_1"), Completed("resp_1", TokenUsage(1, 0, 2, 0, 3))],
        ),
        (
            {"responses": [{"response.completed": {"id": "resp_1"}}, {"response.completed": {"id": "resp_2"}}]},
            [Created("resp_1"), Completed("resp_1")],
        ),
    ],
)
def test_each_field_becomes_its_events(frame: dict[str, Any], expected: list[ResponseEvent]) -> None:
    events, decoder = decode(frame)
    assert events == expected
    assert decoder.failure is None


@pytest.mark.parametrize(
    "frame",
    [
        {"responses": [{"response.error": {"code": "c", "message": "m", "retry_after": 2.5}}]},
        {"response_error": {"code": "c", "message": "m", "retry_after": 2.5}},
    ],
)
def test_a_field_shaped_error_ends_the_turn(frame: dict[str, Any]) -> None:
    _, decoder = decode(frame, {"response_output_text_delta": {"text": "late"}})
    failure = decoder.failure
    assert isinstance(failure, errors.ResponseFailedError)
    assert (failure.code, failure.server_message, failure.retry_after) == ("c", "m", 2.5)


def test_max_response_tokens_is_a_full_context_window() -> None:
    _, decoder = decode({"response_error": {"code": "max_response_tokens", "message": "m"}})
    assert type(decoder.failure) is errors.ContextWindowExceededError
    assert str(decoder.failure).startswith("context window exceeded")


def test_a_whole_field_shaped_turn_adds_up() -> None:
    events, decoder = decode(
        {"response_output_item": {"type": "response.output_item.created"}},
        {"response_output_reasoning_summary_delta": {"text": "w"}},
        {"response_output_reasoning_summary_delta": {"text": "hy"}},
        {"response_output_text_delta": {"text": "h"}},
        {"response_output_text_delta": {"text": "i"}},
        {"response_output_item_done": {"item": MESSAGE}},
        {"responses": [{"response.completed": {"id": "resp_1", "usage": USAGE}}]},
    )
    turn = TurnAccumulator()
    turn.feed(events)
    response = turn.response()
    assert (response.response_id, response.text, response.reasoning_summary) == ("resp_1", "hi", ["why"])
    assert decoder.ignored == {}


def test_a_field_that_gives_nothing_is_a_raw_event() -> None:
    events, _ = decode({"response_content": "hi"}, raw_events=True)
    assert events == [RawEvent("", '{"response_content":"hi"}')]
