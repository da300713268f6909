"""The decoder of the Chat API as a state machine: how a turn begins and ends, and what is read of a chunk."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from httpx_sse import ServerSentEvent

from codex_client.decode.chat import ChatDecoder
from codex_client.errors import (
    StreamClosedError,
)
from codex_client.events import (
    Completed,
    Created,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    ReasoningContentDelta,
    RefusalDelta,
    ToolCallInputDelta,
)
from codex_client.items import FunctionCall, Message, OutputText, Reasoning, ReasoningText, Refusal
from codex_client.model_variants import TokenUsage
from tests.support.chat_stream import DONE, EMPTY_MESSAGE, HELLO, HELLO_EVENTS, chunk, frame, run, text
from tests.support.collected import collected

# How a turn begins.


def test_created_comes_with_the_first_id_before_any_content() -> None:
    decoder = ChatDecoder()
    assert decoder.feed(chunk({"role": "assistant", "content": ""})) == [Created("c1", "m1")]
    assert decoder.feed(text("Hello")) == [OutputItemAdded(EMPTY_MESSAGE, 0), OutputTextDelta("Hello", 0, 0)]


def test_azures_filter_chunk_with_an_empty_id_does_not_begin_the_turn() -> None:
    decoder = ChatDecoder()
    filtered = frame({"id": "", "model": "", "object": "", "created": 0, "choices": [], "prompt_filter_results": []})
    assert decoder.feed(filtered) == []
    assert decoder.feed(text("Hello"))[0] == Created("c1", "m1")


def test_the_first_id_counts_where_every_chunk_has_another() -> None:
    events, _ = run(text("a", id="first"), text("b", id="second", finish="stop"), DONE)
    assert [event for event in events if isinstance(event, Created)] == [Created("first", "m1")]
    assert events[-1] == Completed("first", None, "stop")


@pytest.mark.parametrize("missing", [{"id": ""}, {"id": None}, {"id": 7}])
def test_content_begins_the_turn_where_no_id_comes(missing: dict[str, Any]) -> None:
    events, _ = run(text("Hello", finish="stop", **missing))
    assert events[0] == Created("", "m1")
    assert events[-1] == Completed("", None, "stop")


def test_an_id_that_comes_after_the_content_is_on_completed() -> None:
    events, _ = run(text("a", id=""), text("b", id="late", finish="stop"))
    assert events[0] == Created("", "m1")
    assert events[-1] == Completed("late", None, "stop")


@pytest.mark.parametrize("model", ["", None, 3])
def test_a_model_that_is_not_told_is_none(model: Any) -> None:
    assert ChatDecoder().feed(text("", model=model)) == [Created("c1", None)]


def test_a_model_told_before_the_id_is_kept() -> None:
    decoder = ChatDecoder()
    assert decoder.feed(frame({"id": "", "model": "m1", "choices": []})) == []
    assert decoder.feed(frame({"id": "c1", "choices": []})) == [Created("c1", "m1")]


def test_a_stream_of_nothing_but_done_is_a_turn_without_items() -> None:
    assert run(DONE)[0] == [Created(""), Completed("")]


# How it ends.


@pytest.mark.parametrize("done", ["[DONE]", "DONE", " [DONE] "])
def test_done_is_terminal_at_once_and_nothing_after_it_is_read(done: str) -> None:
    decoder = ChatDecoder()
    events = [*decoder.feed(text("Hello")), *decoder.feed(chunk(finish="stop"))]
    assert not decoder.finished
    events += decoder.feed(frame(done))
    assert decoder.finished
    assert events == HELLO_EVENTS
    assert decoder.feed(frame({"choices": [], "cost": "0"})) == []
    assert decoder.feed(frame({"error": "too late"})) == []
    assert decoder.feed_eof() == []
    assert decoder.failure is None


def test_the_end_of_the_body_completes_after_a_finish_reason() -> None:
    assert run(text("Hello"), chunk(finish="stop"))[0] == HELLO_EVENTS


def test_done_completes_without_a_finish_reason() -> None:
    events, _ = run(text("Hello"), DONE)
    assert events == [*HELLO_EVENTS[:-1], Completed("c1", None, None)]


@pytest.mark.parametrize("frames", [[], [text("Hello")], [text("Hello", finish=""), text("", finish=None)]])
def test_the_end_of_the_body_before_both_is_an_early_close(frames: list[ServerSentEvent]) -> None:
    decoder = ChatDecoder()
    for one in frames:
        decoder.feed(one)
    with pytest.raises(StreamClosedError, match=r"^stream closed before a finish reason or \[DONE\].*; try again"):
        decoder.feed_eof()
    assert not decoder.finished


def test_usage_after_the_finish_reason_is_read() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    events, _ = run(text("Hello", finish="stop"), frame({"id": "c1", "choices": [], "usage": usage}), DONE)
    assert events[-1] == Completed("c1", TokenUsage(5, 0, 2, 0, 7), "stop")


def test_the_last_usage_counts_and_none_is_added() -> None:
    first, second = ({"prompt_tokens": 5, "completion_tokens": count} for count in (1, 2))
    frames = [text("Hel", usage=first), text("lo", usage=None, x_groq={"usage": second})]
    frames.append(chunk(finish="stop", usage={}))
    assert run(*frames)[0][-1] == Completed("c1", TokenUsage(5, 0, 2, 0, 7), "stop")


def test_usage_beside_the_finish_reason_is_read() -> None:
    choice = {"index": 0, "delta": {}, "finish_reason": "stop", "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    assert run(frame({"id": "c1", "choices": [choice]}))[0][-1] == Completed("c1", TokenUsage(5, 0, 2, 0, 7), "stop")


def test_content_in_the_finish_chunk_and_after_it_is_kept() -> None:
    events, _ = run(text("Hel", finish="stop"), text("lo", finish="stop"), DONE)
    assert collected(events).text == "Hello"
    assert events[-1] == Completed("c1", None, "stop")


@pytest.mark.parametrize(
    "reason", ["stop", "tool_calls", "function_call", "eos", "eos_token", "end_turn", "STOP", "tool_use", "new_one"]
)
def test_every_other_finish_reason_completes_and_is_kept_as_written(reason: str) -> None:
    assert run(text("Hello", finish=reason))[0][-1] == Completed("c1", None, reason)


@pytest.mark.parametrize("tiers", [("default", "default"), (None, "default"), ("auto", "default"), ("default", None)])
def test_the_tier_that_served_is_the_last_one_told(tiers: tuple[str | None, str | None]) -> None:
    first, last = tiers
    events, _ = run(text("Hello", service_tier=first), text("", finish="stop", service_tier=last), DONE)
    assert events[-1] == Completed("c1", None, "stop", service_tier="default")


def test_the_last_finish_reason_counts() -> None:
    events, _ = run(text("Hello", finish="tool_calls"), chunk(finish="stop"), chunk(finish=""), DONE)
    assert events[-1] == Completed("c1", None, "stop")


# What is read of a chunk.


def test_items_are_added_once_and_done_in_the_order_in_which_they_began() -> None:
    call = {"index": 0, "id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    events, _ = run(
        chunk({"role": "assistant", "reasoning": "Hm"}),
        chunk({"reasoning": "m."}),
        text("Hello"),
        chunk({"tool_calls": [call]}),
        chunk(finish="tool_calls"),
    )
    reasoning = Reasoning(summary=[], content=[ReasoningText(text="Hmm.")])
    assert events == [
        Created("c1", "m1"),
        OutputItemAdded(Reasoning(summary=[]), 0),
        ReasoningContentDelta("Hm", 0, 0),
        ReasoningContentDelta("m.", 0, 0),
        OutputItemAdded(EMPTY_MESSAGE, 1),
        OutputTextDelta("Hello", 1, 0),
        OutputItemAdded(FunctionCall(call_id="x", name="f", arguments=""), 2),
        ToolCallInputDelta("{}", "x", None, 2),
        OutputItemDone(reasoning, 0),
        OutputItemDone(HELLO, 1),
        OutputItemDone(FunctionCall(call_id="x", name="f", arguments="{}"), 2),
        Completed("c1", None, "tool_calls"),
    ]


@pytest.mark.parametrize(
    "nothing",
    [
        {"content": None},
        {"content": "", "role": "assistant"},
        {"role": None},
        {"content": 5},
        {"content": [], "tool_calls": None, "refusal": None, "reasoning": None, "reasoning_content": ""},
        {"tool_calls": [], "reasoning_details": [], "function_call": None, "refusal": ""},
        {"audio": {"transcript": "Hello"}, "refusal": 4, "reasoning": [1]},
    ],
)
def test_deltas_without_content_give_no_items(nothing: dict[str, Any]) -> None:
    assert run(chunk(nothing, finish="stop"))[0] == [Created("c1", "m1"), Completed("c1", None, "stop")]


@pytest.mark.parametrize(
    "choices", [None, "none", 3, {}, [None], ["x"], [{}], [{"index": 0, "delta": None, "message": None}], [[]]]
)
def test_choices_of_any_other_shape_give_nothing(choices: Any) -> None:
    decoder = ChatDecoder()
    assert decoder.feed(frame({"id": "c1", "choices": choices})) == [Created("c1")]
    assert decoder.ignored == Counter()


@pytest.mark.parametrize("index", [0, None])
def test_an_index_that_is_missing_or_null_is_choice_0(index: Any) -> None:
    assert collected(run(text("Hello", index=index, finish="stop"))[0]).text == "Hello"
    bare = frame({"id": "c1", "choices": [{"delta": {"content": "Hello"}, "finish_reason": "stop"}]})
    assert collected(run(bare)[0]).text == "Hello"


def test_other_choices_are_not_mixed_in() -> None:
    both = {
        "id": "c1",
        "choices": [
            {"index": 1, "delta": {"content": "no"}, "finish_reason": "length", "error": "no"},
            {"index": 0, "delta": {"content": "Hello"}},
        ],
    }
    decoder = ChatDecoder()
    events = decoder.feed(frame(both))
    assert collected(events).text == "Hello"
    assert decoder.feed(text("no", index=1, finish="stop")) == []
    with pytest.raises(StreamClosedError):
        decoder.feed_eof()


def test_a_message_beside_deltas_is_not_read() -> None:
    def perplexity(delta: str, so_far: str) -> ServerSentEvent:
        choice = {"index": 0, "delta": {"content": delta}, "message": {"content": so_far}, "finish_reason": "stop"}
        return frame({"id": "c1", "choices": [choice]})

    assert collected(run(perplexity("Hel", "Hel"), perplexity("lo", "Hello"))[0]).text == "Hello"


def test_a_message_without_a_delta_is_the_answer_unless_one_has_begun() -> None:
    whole = frame({"id": "c1", "choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}]})
    assert collected(run(whole)[0]).text == "Hello"
    assert collected(run(text("Hello"), whole)[0]).text == "Hello"


def test_keys_of_no_meaning_here_change_nothing() -> None:
    extras = {
        "system_fingerprint": "",
        "obfuscation": "xx",
        "service_tier": None,
        "p": "abc",
        "timings": {},
        "x_groq": {"id": "r"},
        "error": None,
        "usage": None,
        "object": "text_completion",
    }
    assert run(text("Hello", finish="stop", **extras))[0] == HELLO_EVENTS


def test_a_message_holds_its_text_and_its_refusal_in_order_of_appearance() -> None:
    events, _ = run(text("Hello"), chunk({"refusal": "No"}), text("!"), chunk(finish="stop"))
    assert events[2:6] == [
        OutputTextDelta("Hello", 0, 0),
        RefusalDelta("No", 0, 1),
        OutputTextDelta("!", 0, 0),
        OutputItemDone(Message(role="assistant", content=[OutputText(text="Hello!"), Refusal(refusal="No")]), 0),
    ]
    events, _ = run(chunk({"refusal": "No"}), text("Hello"), chunk({"refusal": "!"}), chunk(finish="stop"))
    assert events[2:6] == [
        RefusalDelta("No", 0, 0),
        OutputTextDelta("Hello", 0, 1),
        RefusalDelta("!", 0, 0),
        OutputItemDone(Message(role="assistant", content=[Refusal(refusal="No!"), OutputText(text="Hello")]), 0),
    ]


def test_a_made_up_call_id_is_made_from_the_response() -> None:
    def call_id(**fields: Any) -> str:
        call = {"function": {"name": "f", "arguments": "{}"}}
        return collected(run(chunk({"tool_calls": [call]}, finish="stop", **fields))[0]).tool_calls[0].call_id

    ids = [call_id(), call_id(id="c2"), call_id(id="", created=1), call_id(id="", created=2), call_id(id="")]
    assert len(set(ids)) == 5
    assert call_id(created=1) == call_id(created=2) == ids[0]
