"""Frames that come late, twice or before their item, and items that are numbered badly or not at all.

The wire of each test is our own; the habit is a real server's.
"""

from __future__ import annotations

from typing import Any

import pytest

from codex_client.aggregate import ToolCall
from codex_client.client.framer import SseFramer
from codex_client.decode.responses import ResponsesDecoder
from codex_client.events import (
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    ToolCallInputDelta,
)
from codex_client.items import (
    CustomToolCall,
    FunctionCall,
    Message,
    OutputText,
    Reasoning,
    ReasoningText,
    parse_item,
)
from codex_client.testing import (
    ev_completed,
    ev_created,
    ev_custom_tool_input_delta,
    ev_function_arguments_delta,
    ev_item_added,
    ev_item_done,
    ev_reasoning_summary_delta,
    ev_reasoning_summary_part_added,
    ev_reasoning_text_delta,
    ev_refusal_delta,
    ev_text_delta,
    function_call_item,
    message_item,
    reasoning_item,
    sse,
)
from tests.support.responses_stream import collect, events_of, parts, without

MESSAGE = message_item("hi")
CALL = function_call_item("call_1", "f", "{}")


# Frames that come late, twice, or before their item.


def test_items_are_announced_before_the_first_piece_when_the_server_does_not() -> None:
    events = events_of(
        ev_reasoning_summary_delta("why", 0, 0),
        ev_reasoning_text_delta("because", 0, 1, item_id="rs_2"),
        ev_text_delta("h", 2),
        ev_refusal_delta("no", 3, item_id="msg_2"),
        ev_function_arguments_delta("{}", 4, call_id="call_9"),
        ev_custom_tool_input_delta("raw", 5),
    )
    assert [event for event in events if isinstance(event, OutputItemAdded)] == [
        OutputItemAdded(Reasoning(id="rs_1", summary=[]), 0),
        OutputItemAdded(Reasoning(id="rs_2", summary=[]), 1),
        OutputItemAdded(Message(id="msg_1", role="assistant", content=[]), 2),
        OutputItemAdded(Message(id="msg_2", role="assistant", content=[]), 3),
        OutputItemAdded(FunctionCall(id="fc_call_1", call_id="call_9", name="", arguments=""), 4),
        OutputItemAdded(CustomToolCall(id="ctc_call_1", call_id="ctc_call_1", name="", input=""), 5),
    ]


def test_a_whole_text_without_an_item_announces_one() -> None:
    done = {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "hi"}
    assert parts(events_of(done)) == [
        OutputItemAdded(Message(id=None, role="assistant", content=[]), 0),
        OutputTextDelta("hi", 0, 0, None),
    ]


def test_a_summary_part_without_an_item_announces_one_and_is_told_once() -> None:
    part = ev_reasoning_summary_part_added(0, 0)
    assert parts(events_of(part, part, ev_reasoning_summary_delta("why"))) == [
        OutputItemAdded(Reasoning(id="rs_1", summary=[]), 0),
        ReasoningSummaryPartAdded(0, 0, "rs_1"),
        ReasoningSummaryDelta("why", 0, 0, "rs_1"),
    ]


def test_an_item_announced_after_its_first_piece_gives_its_name_to_what_is_left() -> None:
    response = collect(
        ev_function_arguments_delta('{"a":', 0),
        ev_item_added(CALL, 0),
        ev_function_arguments_delta("1}", 0),
        ev_completed(),
    )
    assert response.tool_calls == [ToolCall("call_1", "f", '{"a":1}')]


def test_an_item_guessed_wrong_is_done_as_what_it_is() -> None:
    program = {"type": "program", "id": "p_1", "code": "x"}
    events = events_of(ev_function_arguments_delta("x", 0), ev_item_done(program, 0), ev_completed())
    assert [event for event in events if isinstance(event, OutputItemDone)] == [OutputItemDone(parse_item(program), 0)]


def test_an_item_guessed_wrong_is_what_it_is_announced_as_later() -> None:
    program = {"type": "program", "id": "p_1", "code": "x"}
    events = events_of(
        ev_function_arguments_delta("x", 0),
        ev_item_added(program, 0),
        ev_item_added(message_item(""), 0),
        ev_completed(),
    )
    assert [event for event in events if isinstance(event, OutputItemDone)] == [
        OutputItemDone(parse_item(program), 0),
        OutputItemDone(parse_item(message_item("")), 1),
    ]


def test_an_item_announced_twice_is_announced_once() -> None:
    events = events_of(ev_item_added(message_item("")), ev_item_added(message_item("")), ev_item_done(MESSAGE))
    assert sum(isinstance(event, OutputItemAdded) for event in events) == 1


def test_an_item_done_twice_is_done_once() -> None:
    events = events_of(ev_item_done(MESSAGE), ev_item_done(MESSAGE), ev_completed(output=[MESSAGE]))
    assert sum(isinstance(event, OutputItemDone) for event in events) == 1


def test_items_without_ids_are_the_same_when_they_are_equal() -> None:
    first, second = without(MESSAGE, "id"), without(message_item("ho"), "id")
    events = events_of(ev_item_done(first), ev_item_done(first), ev_item_done(second))
    assert [event for event in events if isinstance(event, OutputItemDone)] == [
        OutputItemDone(parse_item(first), 0),
        OutputItemDone(parse_item(second), 1),
    ]


def test_pieces_after_their_item_is_done_are_dropped() -> None:
    late = [
        ev_text_delta(" there"),
        without(ev_text_delta(" there"), "content_index"),
        {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "hi there"},
    ]
    assert len(events_of(ev_item_done(MESSAGE), *late)) == len(events_of(ev_item_done(MESSAGE)))
    reasoning = ev_item_done(reasoning_item(["why"]))
    assert len(events_of(reasoning, ev_reasoning_summary_part_added(1))) == len(events_of(reasoning))


# Servers that number badly, or not at all.


def test_a_server_that_gives_every_item_index_0_is_followed_by_order() -> None:
    reasoning = reasoning_item(["why"])
    response = collect(
        ev_item_added(reasoning_item(), 0),
        ev_reasoning_summary_delta("why", 0, 0),
        ev_item_done(reasoning, 0),
        ev_item_added(message_item(""), 0),
        ev_text_delta("h", 0),
        ev_text_delta("i", 0),
        ev_item_done(MESSAGE, 0),
        ev_item_added({**CALL, "arguments": ""}, 0),
        ev_function_arguments_delta("{}", 0),
        ev_item_done(CALL, 0),
        ev_completed(output=[reasoning, MESSAGE, CALL]),
    )
    assert response.items == (parse_item(reasoning), parse_item(MESSAGE), parse_item(CALL))


def test_index_0_for_items_that_are_not_announced() -> None:
    second = message_item("ho", item_id="msg_2")
    events = events_of(
        ev_reasoning_text_delta("because", 0, 0),
        ev_item_done(reasoning_item(text="because"), 0),
        ev_text_delta("h", 0),
        ev_text_delta("i", 0),
        ev_item_done(MESSAGE, 0),
        ev_item_done(second, 0),
        ev_completed(),
    )
    assert [event for event in events if isinstance(event, OutputItemDone)] == [
        OutputItemDone(parse_item(reasoning_item(text="because")), 0),
        OutputItemDone(parse_item(MESSAGE), 1),
        OutputItemDone(parse_item(second), 2),
    ]


def test_two_items_open_under_one_index_are_told_apart_by_their_type() -> None:
    reasoning = reasoning_item(["why"])
    events = events_of(
        ev_item_added(reasoning_item(), 0),
        ev_item_added(message_item(""), 0),
        ev_text_delta("hi", 0),
        ev_item_done(reasoning, 0),
        ev_item_done(MESSAGE, 0),
    )
    assert events == [
        OutputItemAdded(parse_item(reasoning_item()), 0),
        OutputItemAdded(parse_item(message_item("")), 1),
        OutputTextDelta("hi", 1, 0, "msg_1"),
        ReasoningSummaryPartAdded(0, 0, "rs_1"),
        ReasoningSummaryDelta("why", 0, 0, "rs_1"),
        OutputItemDone(parse_item(reasoning), 0),
        OutputItemDone(parse_item(MESSAGE), 1),
    ]


def test_an_index_made_up_for_an_item_is_never_one_that_is_taken() -> None:
    events = events_of(
        ev_item_done(MESSAGE, 1),
        ev_item_done(reasoning_item(), 0),
        without(ev_item_done(CALL), "output_index"),
        ev_completed(),
    )
    assert [event.output_index for event in events if isinstance(event, OutputItemDone)] == [1, 0, 2]


def test_a_piece_without_index_and_id_belongs_to_the_item_announced_last() -> None:
    events = events_of(
        ev_item_added(message_item(""), 0),
        ev_item_added(message_item("", item_id="msg_2"), 1),
        without(ev_text_delta("hi"), "output_index", "item_id"),
    )
    assert events[-1] == OutputTextDelta("hi", 1, 0, None)


def test_frames_without_an_index_are_followed_by_order() -> None:
    """The recorded streams of codex's own tests have none."""
    reasoning, second = reasoning_item(["why"], text="because"), {**CALL, "id": "fc_2", "call_id": "call_2"}
    events = events_of(
        ev_created(),
        without(ev_item_added(reasoning_item()), "output_index"),
        without(ev_reasoning_summary_part_added(), "output_index", "summary_index"),
        without(ev_reasoning_summary_delta("why"), "output_index", "summary_index"),
        without(ev_reasoning_text_delta("because"), "output_index", "content_index", "item_id"),
        without(ev_item_done(reasoning), "output_index"),
        without(ev_item_added(message_item("")), "output_index"),
        without(ev_text_delta("h"), "output_index", "content_index"),
        without(ev_text_delta("i"), "output_index", "item_id"),
        without(ev_item_done(MESSAGE), "output_index"),
        without(ev_item_added({**CALL, "arguments": ""}), "output_index"),
        without(ev_item_added({**second, "arguments": ""}), "output_index"),
        without(ev_function_arguments_delta("{}", item_id="fc_call_1"), "output_index"),
        without(ev_function_arguments_delta("{}", item_id="fc_2"), "output_index"),
        without(ev_item_done(second), "output_index"),
        without(ev_item_done(CALL), "output_index"),
        ev_completed(output=[]),
    )
    assert [event for event in events if isinstance(event, OutputItemDone)] == [
        OutputItemDone(parse_item(reasoning), 0),
        OutputItemDone(parse_item(MESSAGE), 1),
        OutputItemDone(parse_item(second), 3),
        OutputItemDone(parse_item(CALL), 2),
    ]
    calls = [event for event in events if isinstance(event, ToolCallInputDelta)]
    assert [(event.call_id, event.output_index) for event in calls] == [("call_1", 2), ("call_2", 3)]


def test_done_items_without_an_index_end_the_oldest_of_their_type() -> None:
    first, second = without(MESSAGE, "id"), without(message_item("ho"), "id")
    events = events_of(
        without(ev_item_added({**first, "content": []}), "output_index"),
        without(ev_item_added({**second, "content": []}), "output_index"),
        without(ev_item_done(first), "output_index"),
        without(ev_item_done(second), "output_index"),
        without(ev_item_done(CALL), "output_index"),
    )
    assert [event for event in events if isinstance(event, OutputItemDone)] == [
        OutputItemDone(parse_item(first), 0),
        OutputItemDone(parse_item(second), 1),
        OutputItemDone(parse_item(CALL), 2),
    ]


def test_pieces_without_an_index_make_one_item_of_each_type() -> None:
    events = events_of(
        without(ev_reasoning_text_delta("be"), "output_index", "content_index"),
        without(ev_reasoning_text_delta("cause"), "output_index", "content_index"),
        without(ev_text_delta("h"), "output_index", "content_index"),
        without(ev_text_delta("i"), "output_index", "content_index"),
        ev_completed(),
    )
    assert [event for event in events if isinstance(event, OutputItemDone)] == [
        OutputItemDone(Reasoning(id="rs_1", summary=[], content=[ReasoningText(text="because")]), 0),
        OutputItemDone(Message(id="msg_1", role="assistant", content=[OutputText(text="hi")]), 1),
    ]


def test_summary_parts_without_an_index_are_counted() -> None:
    part = without(ev_reasoning_summary_part_added(), "summary_index")

    def delta(text: str) -> dict[str, Any]:
        return without(ev_reasoning_summary_delta(text), "summary_index")

    events = events_of(ev_item_added(reasoning_item()), part, delta("a"), part, delta("b"), delta("c"), ev_completed())
    assert [event for event in events if isinstance(event, ReasoningSummaryDelta)] == [
        ReasoningSummaryDelta("a", 0, 0, "rs_1"),
        ReasoningSummaryDelta("b", 1, 0, "rs_1"),
        ReasoningSummaryDelta("c", 1, 0, "rs_1"),
    ]


@pytest.mark.parametrize("odd", [None, -1, "0", 1.5, True, [0]])
def test_an_odd_index_counts_as_missing(odd: object) -> None:
    events = events_of(
        {**ev_item_added(message_item("")), "output_index": odd},
        {**ev_text_delta("h"), "output_index": odd, "content_index": odd},
        {**ev_item_done(MESSAGE), "output_index": odd},
    )
    assert events[1:] == [
        OutputTextDelta("h", 0, 0, "msg_1"),
        OutputTextDelta("i", 0, 0, "msg_1"),
        OutputItemDone(parse_item(MESSAGE), 0),
    ]


@pytest.mark.parametrize("delta", [None, 5, ["x"], {"text": "x"}])
def test_a_delta_that_is_no_text_is_counted_and_passed_over(delta: object) -> None:
    decoder = ResponsesDecoder()
    (frame,) = SseFramer().feed(sse([{**ev_text_delta(""), "delta": delta}]))
    assert decoder.feed(frame) == []
    assert decoder.ignored == {"response.output_text.delta": 1}


def test_an_old_delta_inside_an_item_is_read() -> None:
    events = events_of({"type": "response.output_text.delta", "item": {"delta": "hi"}})
    assert events[1] == OutputTextDelta("hi", 0, 0, None)


def test_far_apart_indexes_cost_nothing() -> None:
    assert collect(ev_text_delta("a", 0), ev_text_delta("b", 10**12), ev_completed()).text == "ab"
