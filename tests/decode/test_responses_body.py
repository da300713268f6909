"""A whole JSON answer in place of a stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_client import errors
from codex_client.client.framer import SseFramer
from codex_client.decode.responses import ResponsesDecoder
from codex_client.events import (
    Completed,
    Created,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    ResponseEvent,
    ServerModel,
)
from codex_client.items import parse_item
from codex_client.testing import (
    check_events,
    ev_completed,
    ev_failed,
    ev_incomplete,
    function_call_item,
    message_item,
    reasoning_item,
    sse,
)
from tests.support.responses_stream import USAGE

MESSAGE = message_item("hi")


def decode(answer: object) -> tuple[list[ResponseEvent], ResponsesDecoder]:
    decoder = ResponsesDecoder(request_id="req_1")
    events = decoder.feed_body(json.dumps(answer).encode())
    check_events(events)
    return events, decoder


def test_a_whole_answer_gives_the_events_of_a_stream() -> None:
    events, decoder = decode(ev_completed(output=[MESSAGE])["response"])
    assert events == [
        Created("resp_1", "gpt-5"),
        OutputItemAdded(parse_item({**MESSAGE, "content": [], "status": "in_progress"}), 0),
        OutputTextDelta("hi", 0, 0, "msg_1"),
        OutputItemDone(parse_item(MESSAGE), 0),
        Completed("resp_1", USAGE),
    ]
    assert decoder.finished
    assert decoder.feed_eof() == []


def test_a_whole_answer_gives_what_its_last_frame_alone_would_give() -> None:
    frame = ev_completed(output=[reasoning_item(["why"], text="because"), function_call_item("c", "f"), MESSAGE])
    (streamed,) = SseFramer().feed(sse([frame]))
    assert decode(frame["response"])[0] == ResponsesDecoder().feed(streamed)


@pytest.mark.parametrize(
    "answer",
    [
        {"object": "response", "id": "r", "output": [MESSAGE]},
        {"id": "r", "output": [MESSAGE], "status": "completed"},
        {"object": "response", "id": "r", "output": [MESSAGE], "status": "something new"},
    ],
)
def test_an_answer_may_lack_its_status_or_its_object(answer: dict[str, Any]) -> None:
    events, _ = decode(answer)
    assert events[0] == Created("r")
    assert events[-1] == Completed("r")


def test_a_byte_order_mark_before_an_answer_is_passed_over() -> None:
    events = ResponsesDecoder().feed_body(b"\xef\xbb\xbf" + b'{"object":"response","id":"r"}')
    assert events == [Created("r"), Completed("r")]


def test_headers_inside_an_answer_are_read() -> None:
    events, _ = decode({"object": "response", "id": "r", "headers": {"openai-model": "m"}})
    assert events == [ServerModel("m"), Created("r"), Completed("r")]


def test_an_answer_that_failed_is_a_failure() -> None:
    events, decoder = decode(ev_failed("context_length_exceeded", "too long")["response"])
    assert events == [Created("resp_1", "gpt-5")]
    assert type(decoder.failure) is errors.ContextWindowExceededError
    assert (decoder.failure.server_message, decoder.failure.request_id) == ("too long", "req_1")


def test_an_incomplete_answer_is_an_error_after_its_items() -> None:
    events, decoder = decode(ev_incomplete("max_output_tokens", output=[MESSAGE])["response"])
    assert events[-1] == OutputItemDone(parse_item(MESSAGE), 0)
    assert isinstance(decoder.failure, errors.IncompleteResponseError)
    assert (decoder.failure.reason, decoder.failure.token_usage) == ("max_output_tokens", USAGE)


def test_a_cancelled_answer_is_incomplete() -> None:
    _, decoder = decode({"object": "response", "id": "r", "status": "cancelled", "output": []})
    assert isinstance(decoder.failure, errors.IncompleteResponseError)
    assert decoder.failure.reason == "cancelled"


@pytest.mark.parametrize(
    "body, code, message",
    [
        ({"error": {"code": "rate_limit_exceeded", "message": "slow"}}, "rate_limit_exceeded", "slow"),
        ({"error": "slow"}, None, "slow"),
        ({"detail": "slow"}, None, "slow"),
        ({"object": "error", "message": "slow", "code": 400}, "400", "slow"),
    ],
)
def test_an_error_body_is_a_failure(body: dict[str, Any], code: str | None, message: str) -> None:
    events, decoder = decode(body)
    assert events == []
    assert isinstance(decoder.failure, errors.ResponseFailedError)
    assert (decoder.failure.code, decoder.failure.server_message) == (code, message)
    assert decoder.finished


@pytest.mark.parametrize(
    "body, found",
    [
        (b"<html>login</html>", "neither an event stream nor a Responses answer"),
        (b"", "neither an event stream nor a Responses answer"),
        (b'{"object":"response","output":[', "neither an event stream nor a Responses answer"),
        (b"[1]", "neither an event stream nor a Responses answer"),
        (b'{"object":"chat.completion","choices":[]}', "neither an event stream nor a Responses answer"),
        (b'{"error":null}', "neither an event stream nor a Responses answer"),
        (b'{"object":"response","status":"queued","output":[]}', "a response that is still queued"),
        (b'{"object":"response","status":"in_progress"}', "a response that is still in_progress"),
    ],
)
def test_every_other_body_is_unexpected(body: bytes, found: str) -> None:
    decoder = ResponsesDecoder()
    with pytest.raises(errors.UnexpectedContentError) as raised:
        decoder.feed_body(body)
    assert str(raised.value) == (
        f"a body of {len(body)} bytes is {found}; "
        "check the base URL, and that the server speaks this `wire_api` and streams"
    )
    assert raised.value.excerpt == body.decode()
    assert (decoder.finished, decoder.failure) == (False, None)
