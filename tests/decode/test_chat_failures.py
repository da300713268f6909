"""Frames of the Chat API that carry no answer: unknown kinds, broken JSON, and failures that the server tells."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from httpx_sse import ServerSentEvent

from codex_client.decode.chat import ChatDecoder
from codex_client.errors import (
    ContextWindowExceededError,
    IncompleteResponseError,
    InvalidRequestInStreamError,
    MalformedFrameError,
    RateLimitedInStreamError,
    ResponseFailedError,
)
from codex_client.events import (
    Completed,
    Created,
    OutputItemAdded,
    RawEvent,
    ToolCallInputDelta,
)
from codex_client.items import FunctionCall
from codex_client.model_variants import TokenUsage
from tests.support.chat_stream import DONE, HELLO, HELLO_EVENTS, chunk, frame, run, text
from tests.support.collected import collected


@pytest.mark.parametrize("data", ["", "  ", "\n"])
def test_empty_data_is_skipped(data: str) -> None:
    decoder = ChatDecoder(raw_events=True)
    assert decoder.feed(frame(data)) == []
    assert (decoder.ignored, decoder.malformed) == (Counter(), 0)


@pytest.mark.parametrize(
    "odd, kind",
    [
        (frame({"object": "chat.completion.chunk", "audio": {}}), "chat.completion.chunk"),
        (frame({"type": "ping"}), "ping"),
        (frame({"hello": 1}, event="note"), "note"),
        (frame({}), ""),
        (frame([1, 2]), ""),
        (frame("5"), ""),
        (frame('"text"'), ""),
        (frame("null"), ""),
    ],
)
def test_frames_without_choices_are_ignored_counted_and_shown_on_request(odd: ServerSentEvent, kind: str) -> None:
    decoder = ChatDecoder()
    assert decoder.feed(odd) == []
    assert decoder.ignored == Counter({kind: 1})
    wire_type = "" if kind == "chat.completion.chunk" else kind
    assert ChatDecoder(raw_events=True).feed(odd) == [RawEvent(wire_type, odd.data)]


def test_a_chunk_without_choices_may_have_the_id_and_the_usage() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    events, decoder = run(frame({"id": "c1", "usage": usage}), DONE)
    assert events == [Created("c1"), Completed("c1", TokenUsage(1, 0, 1, 0, 2))]
    assert decoder.ignored == Counter({"": 1})


def test_raw_events_stand_for_frames_that_gave_no_other_event() -> None:
    decoder = ChatDecoder(raw_events=True)
    usage = frame({"id": "c1", "choices": [], "usage": {"prompt_tokens": 1}})
    assert decoder.feed(text("Hello")) == HELLO_EVENTS[:3]
    assert decoder.feed(usage) == [RawEvent("", usage.data)]
    assert decoder.feed(DONE)[-1] == Completed("c1", TokenUsage(1, 0, 0, 0, 1))
    assert decoder.feed(usage) == []


def test_broken_json_is_raised_with_its_beginning() -> None:
    with pytest.raises(MalformedFrameError) as raised:
        ChatDecoder(raw_events=True).feed(frame('{"id":"c1","choices":[{"index":'))
    assert raised.value.excerpt == '{"id":"c1","choices":[{"index":'


def test_broken_json_is_counted_where_it_is_tolerated() -> None:
    decoder = ChatDecoder(tolerate_malformed=True, raw_events=True)
    events, _ = run(text("Hello"), frame('{"id'), chunk(finish="stop"), DONE, decoder=decoder)
    assert decoder.malformed == 1
    assert [event for event in events if not isinstance(event, RawEvent)] == HELLO_EVENTS
    assert RawEvent("", '{"id') in events


def test_half_a_surrogate_pair_does_not_break_the_stream() -> None:
    events, _ = run(frame('{"id":"c1","choices":[{"delta":{"content":"a\\ud83d"},"finish_reason":"stop"}]}'))
    assert collected(events).text == "a\ufffd"


# Failures that the server tells.


@pytest.mark.parametrize(
    "told, expected, code, message",
    [
        pytest.param(
            frame({"error": {"message": "bad call", "code": "tool_use_failed", "status_code": 400}}, event="error"),
            InvalidRequestInStreamError,
            "tool_use_failed",
            "bad call",
            id="groq",
        ),
        pytest.param(
            frame({"id": "c1", "choices": [], "error": {"code": 429, "message": "slow down"}}),
            RateLimitedInStreamError,
            "429",
            "slow down",
            id="openrouter",
        ),
        pytest.param(
            frame({"error": "Input validation error", "error_type": "validation"}),
            ResponseFailedError,
            None,
            "Input validation error",
            id="tgi",
        ),
        pytest.param(
            frame({"id": "c1", "choices": [], "x_groq": {"error": "over capacity now"}}),
            ResponseFailedError,
            None,
            "over capacity now",
            id="x-groq",
        ),
        pytest.param(
            frame({"object": "error", "message": "too long", "code": "context_length_exceeded"}),
            ContextWindowExceededError,
            "context_length_exceeded",
            "too long",
            id="vllm",
        ),
        pytest.param(
            frame({"type": "error", "message": "broken"}), ResponseFailedError, None, "broken", id="flat-event"
        ),
        pytest.param(frame("upstream gone", event="error"), ResponseFailedError, None, "upstream gone", id="plain"),
        pytest.param(frame("null", event="error"), ResponseFailedError, None, None, id="error-event-without-words"),
        pytest.param(
            frame({"choices": [{"index": 0, "delta": {}, "error": {"code": 502, "message": "gone"}}]}),
            ResponseFailedError,
            "502",
            "gone",
            id="in-the-choice",
        ),
        pytest.param(
            chunk(finish="error", error={"code": "server_error", "message": "Provider disconnected"}),
            ResponseFailedError,
            "server_error",
            "Provider disconnected",
            id="finish-and-error",
        ),
    ],
)
def test_a_told_failure_ends_the_turn_at_once(
    told: ServerSentEvent, expected: type[ResponseFailedError], code: str | None, message: str | None
) -> None:
    decoder = ChatDecoder(request_id="req-1")
    decoder.feed(text("Hello"))
    assert decoder.feed(told) == []
    failure = decoder.failure
    assert decoder.finished
    assert type(failure) is expected
    assert isinstance(failure, ResponseFailedError)
    assert (failure.code, failure.server_message, failure.request_id) == (code, message, "req-1")
    assert decoder.feed(DONE) == []
    assert decoder.feed_eof() == []


@pytest.mark.parametrize(
    "finish, native, code",
    [
        ("error", None, "error"),
        ("error", "network_error", "network_error"),
        ("error", "MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL"),
        ("function_call_filter: MALFORMED_FUNCTION_CALL", None, "MALFORMED_FUNCTION_CALL"),
        ("MALFORMED_FUNCTION_CALL", None, "MALFORMED_FUNCTION_CALL"),
        ("network_error", None, "network_error"),
        ("insufficient_system_resource", None, "insufficient_system_resource"),
    ],
)
def test_a_finish_reason_that_is_a_failure_fails(finish: str, native: str | None, code: str) -> None:
    decoder = ChatDecoder()
    choice = {"index": 0, "delta": {"content": "Hello"}, "finish_reason": finish, "native_finish_reason": native}
    assert decoder.feed(frame({"id": "c1", "model": "m1", "choices": [choice]})) == HELLO_EVENTS[:3]
    failure = decoder.failure
    assert isinstance(failure, ResponseFailedError)
    assert (failure.code, failure.server_message, failure.retryable) == (code, None, True)
    assert decoder.finished


def test_a_failure_carries_the_usage_told_so_far() -> None:
    decoder = ChatDecoder()
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    decoder.feed(text("Hello", usage=usage, error="gone"))
    assert isinstance(decoder.failure, ResponseFailedError)
    assert decoder.failure.token_usage == TokenUsage(5, 0, 2, 0, 7)


def test_events_of_the_frame_that_tells_the_failure_are_given_before_it() -> None:
    decoder = ChatDecoder()
    assert decoder.feed(text("Hello", error={"message": "gone"})) == HELLO_EVENTS[:3]
    assert decoder.finished


@pytest.mark.parametrize("error", [None, "", {}, [], False])
def test_an_empty_error_is_none(error: Any) -> None:
    choice = {"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop", "error": error}
    assert run(frame({"id": "c1", "model": "m1", "choices": [choice], "error": error}))[0] == HELLO_EVENTS


# Answers that were cut short.


@pytest.mark.parametrize(
    "reason, advice",
    [
        ("length", "max_output_tokens"),
        ("max_tokens", "max_output_tokens"),
        ("MAX_TOKENS", "max_output_tokens"),
        ("max_output_tokens", "max_output_tokens"),
        ("model_length", "max_output_tokens"),
        ("model_context_window_exceeded", "max_output_tokens"),
        ("content_filter", "content filter"),
        ("content_filter: PROHIBITED_CONTENT", "content filter"),
        ("SAFETY", "content filter"),
        ("sensitive", "content filter"),
    ],
)
@pytest.mark.parametrize("last", [[], [DONE]])
def test_an_answer_cut_short_fails_after_its_usage_with_all_of_it_in_the_deltas(
    reason: str, advice: str, last: list[ServerSentEvent]
) -> None:
    decoder = ChatDecoder(request_id="req-1")
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    call = {"index": 0, "id": "x", "function": {"name": "f", "arguments": '{"a'}}
    frames = [text("Hello"), chunk({"tool_calls": [call]}), chunk(finish=reason), chunk(usage=usage), *last]
    events, _ = run(*frames, decoder=decoder)
    assert events == [
        *HELLO_EVENTS[:3],
        OutputItemAdded(FunctionCall(call_id="x", name="f", arguments=""), 1),
        ToolCallInputDelta('{"a', "x", None, 1),
    ]
    assert collected(events).items == (HELLO, FunctionCall(call_id="x", name="f", arguments='{"a'))
    failure = decoder.failure
    assert type(failure) is IncompleteResponseError
    assert (failure.reason, failure.token_usage) == (reason, TokenUsage(5, 0, 2, 0, 7))
    assert (failure.request_id, failure.retryable) == ("req-1", False)
    assert str(failure).startswith(f"incomplete response returned, reason: {reason}; ")
    assert advice in str(failure)
    assert decoder.finished


def test_a_reason_that_cut_the_answer_is_not_overwritten() -> None:
    _, decoder = run(text("Hello", finish="length"), chunk(finish="stop"), DONE)
    assert isinstance(decoder.failure, IncompleteResponseError)
    assert decoder.failure.reason == "length"


def test_an_answer_cut_before_any_content_still_began() -> None:
    events, decoder = run(chunk(finish="content_filter", id=""))
    assert events == [Created("", "m1")]
    assert isinstance(decoder.failure, IncompleteResponseError)


# A call that cannot be answered.


def nameless(arguments: str) -> ServerSentEvent:
    return chunk({"tool_calls": [{"index": 0, "id": "x", "function": {"arguments": arguments}}]})


def test_arguments_of_a_call_without_a_name_fail_the_turn() -> None:
    events, decoder = run(text("Hello"), nameless('{"a"'), nameless(":1}"), chunk(finish="tool_calls"), DONE)
    assert events == HELLO_EVENTS[:3]
    assert type(decoder.failure) is MalformedFrameError
    assert decoder.failure.excerpt == '{"a":1}'
    assert str(decoder.failure).startswith(
        "1 tool call(s) of the answer have arguments but no name, the first '{\"a\":1}'; "
    )


def test_a_call_without_a_name_is_dropped_and_counted_where_it_is_tolerated() -> None:
    decoder = ChatDecoder(tolerate_malformed=True)
    assert run(text("Hello"), nameless("{}"), chunk(finish="stop"), DONE, decoder=decoder)[0] == HELLO_EVENTS
    assert decoder.malformed == 1


def test_a_call_without_a_name_and_without_arguments_is_nothing() -> None:
    assert run(text("Hello"), nameless(""), chunk(finish="stop"), DONE)[0] == HELLO_EVENTS
