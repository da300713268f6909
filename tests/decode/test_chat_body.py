"""A whole Chat answer in place of a stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_client.decode.chat import ChatDecoder
from codex_client.errors import (
    ContextWindowExceededError,
    IncompleteResponseError,
    UnexpectedContentError,
)
from codex_client.events import (
    Completed,
    Created,
)
from codex_client.items import FunctionCall, Message, Reasoning, ReasoningText, Refusal
from codex_client.model_variants import TokenUsage
from tests.support.chat_stream import HELLO_EVENTS
from tests.support.collected import collected


def answer(message: dict[str, Any], **choice: Any) -> bytes:
    choices = [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop", **choice}]
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    return json.dumps(
        {"id": "c1", "model": "m1", "object": "chat.completion", "choices": choices, "usage": usage}
    ).encode()


def test_a_whole_answer_gives_the_events_of_a_stream() -> None:
    completed = Completed("c1", TokenUsage(5, 0, 2, 0, 7), "stop")
    for body in (answer({"content": "Hello"}), b"\xef\xbb\xbf \n" + answer({"content": "Hello"})):
        decoder = ChatDecoder()
        assert decoder.feed_body(body) == [*HELLO_EVENTS[:-1], completed]
        assert decoder.finished


def test_a_whole_answer_may_hold_everything_that_a_stream_may() -> None:
    calls = [
        {"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "y", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
    ]
    body = answer({"reasoning_content": "Hm", "content": None, "refusal": "No", "tool_calls": calls})
    response = collected(ChatDecoder().feed_body(body))
    assert response.items == (
        Reasoning(summary=[], content=[ReasoningText(text="Hm")]),
        Message(role="assistant", content=[Refusal(refusal="No")]),
        FunctionCall(call_id="x", name="f", arguments="{}"),
        FunctionCall(call_id="y", name="f", arguments='{"a":1}'),
    )


def test_a_whole_answer_needs_no_finish_reason_and_no_message() -> None:
    assert ChatDecoder().feed_body(b'{"id":"c1","choices":[{"finish_reason":null}]}') == [
        Created("c1"),
        Completed("c1"),
    ]
    assert ChatDecoder().feed_body(b'{"choices":[]}') == [Created(""), Completed("")]


def test_a_whole_answer_cut_short_fails_like_a_stream() -> None:
    decoder = ChatDecoder()
    assert decoder.feed_body(answer({"content": "Hello"}, finish_reason="length")) == HELLO_EVENTS[:3]
    assert isinstance(decoder.failure, IncompleteResponseError)
    # Gemini's compatible endpoint refuses with a bare choice.
    decoder = ChatDecoder()
    bare = b'{"id":"c1","choices":[{"index":0,"finish_reason":"content_filter: PROHIBITED_CONTENT"}]}'
    assert decoder.feed_body(bare) == [Created("c1")]
    assert isinstance(decoder.failure, IncompleteResponseError)


def test_an_error_in_place_of_the_answer_is_a_told_failure() -> None:
    decoder = ChatDecoder()
    assert decoder.feed_body(b'{"error":{"code":"context_length_exceeded","message":"too long"}}') == []
    assert type(decoder.failure) is ContextWindowExceededError
    assert decoder.finished


@pytest.mark.parametrize(
    "body", [b"", b"<html>login</html>", b'"text"', b"[]", b"null", b'{"ok":true}', b'{"choices":{}}', b"\xff\xfe{"]
)
def test_any_other_body_is_unexpected_content(body: bytes) -> None:
    with pytest.raises(
        UnexpectedContentError, match=f"^a body of {len(body)} bytes is neither .*; check the base URL"
    ) as raised:
        ChatDecoder().feed_body(body)
    assert raised.value.excerpt == body.decode("utf-8", "replace")
