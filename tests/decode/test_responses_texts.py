"""Texts and items that a server tells in one place only: deltas, whole texts, done items, the final list.

The wire of each test is our own; the habit is a real server's.
"""

from __future__ import annotations

from typing import Any

import pytest

from codex_client.client.framer import SseFramer
from codex_client.decode.responses import ResponsesDecoder
from codex_client.events import (
    Completed,
    Created,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    RefusalDelta,
    ResponseEvent,
    ToolCallInputDelta,
)
from codex_client.items import (
    CustomToolCall,
    FunctionCall,
    Message,
    OtherItem,
    OutputText,
    Reasoning,
    ReasoningText,
    SummaryText,
    parse_item,
)
from codex_client.testing import (
    custom_tool_call_item,
    ev_completed,
    ev_created,
    ev_function_arguments_delta,
    ev_function_arguments_done,
    ev_item_added,
    ev_item_done,
    ev_reasoning_summary_delta,
    ev_reasoning_text_delta,
    ev_refusal_delta,
    ev_text_delta,
    function_call_item,
    message_item,
    reasoning_item,
    sse,
)
from tests.support.responses_stream import collect, events_of, parts

MESSAGE = message_item("hi")
CALL = function_call_item("call_1", "f", "{}")


# ChatGPT backend: the final response repeats no items.


def test_items_are_kept_when_the_final_response_repeats_none() -> None:
    assert collect(ev_item_added(MESSAGE), ev_item_done(MESSAGE), ev_completed(output=[])).text == "hi"


def test_items_that_only_the_final_response_has_are_given_whole() -> None:
    reasoning = reasoning_item(["why"], text="because")
    custom = custom_tool_call_item("call_2", "g", "raw")
    events = events_of(ev_created(), ev_completed(output=[reasoning, CALL, custom, MESSAGE]))
    assert parts(events) == [
        OutputItemAdded(Reasoning.model_validate({**reasoning, "summary": [], "content": []}), 0),
        ReasoningSummaryPartAdded(0, 0, "rs_1"),
        ReasoningSummaryDelta("why", 0, 0, "rs_1"),
        ReasoningContentDelta("because", 0, 0, "rs_1"),
        OutputItemDone(parse_item(reasoning), 0),
        OutputItemAdded(FunctionCall.model_validate({**CALL, "arguments": "", "status": "in_progress"}), 1),
        ToolCallInputDelta("{}", "call_1", "fc_call_1", 1),
        OutputItemDone(parse_item(CALL), 1),
        OutputItemAdded(CustomToolCall.model_validate({**custom, "input": "", "status": "in_progress"}), 2),
        ToolCallInputDelta("raw", "call_2", "ctc_call_2", 2),
        OutputItemDone(parse_item(custom), 2),
        OutputItemAdded(Message.model_validate({**MESSAGE, "content": [], "status": "in_progress"}), 3),
        OutputTextDelta("hi", 3, 0, "msg_1"),
        OutputItemDone(parse_item(MESSAGE), 3),
    ]


def test_an_item_of_an_unknown_type_is_announced_as_it_is() -> None:
    spell = {"type": "spell", "id": "sp_1", "status": "completed", "mana": 3}
    item = OtherItem.model_validate(spell)
    assert parts(events_of(ev_completed(output=[spell]))) == [OutputItemAdded(item, 0), OutputItemDone(item, 0)]


def test_an_item_that_was_announced_but_never_done_is_taken_from_the_final_response() -> None:
    tools = {"type": "mcp_list_tools", "id": "mcpl_1", "tools": []}
    whole = {**tools, "tools": [{"name": "ask"}]}
    events = events_of(ev_item_added(tools, 0), ev_item_done(MESSAGE, 1), ev_completed(output=[whole, MESSAGE]))
    assert OutputItemDone(parse_item(whole), 0) in events
    assert sum(isinstance(event, OutputItemDone) for event in events) == 2


def test_items_that_nothing_ends_are_what_their_pieces_make_them() -> None:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    events = events_of(
        ev_item_added(reasoning_item(), 0),
        ev_reasoning_summary_delta("w", 0, 0),
        ev_reasoning_summary_delta("hy", 0, 0),
        ev_reasoning_text_delta("because", 0, 0),
        ev_item_added({**CALL, "arguments": "", "status": "in_progress"}, 1),
        ev_function_arguments_delta('{"a":', 1),
        ev_function_arguments_delta("1}", 1),
        ev_item_added(message, 2),
        ev_text_delta("h", 2),
        ev_text_delta("i", 2),
        ev_refusal_delta("no", 2, content_index=1),
        ev_item_added({"type": "spell", "id": "sp_1"}, 3),
        ev_completed(output=[]),
    )
    assert [event for event in events if isinstance(event, OutputItemDone)] == [
        OutputItemDone(
            Reasoning(id="rs_1", summary=[SummaryText(text="why")], content=[ReasoningText(text="because")]), 0
        ),
        OutputItemDone(parse_item({**CALL, "arguments": '{"a":1}'}), 1),
        OutputItemDone(
            parse_item(
                {
                    **message,
                    "status": "completed",
                    "content": [{"type": "output_text", "text": "hi"}, {"type": "refusal", "refusal": "no"}],
                }
            ),
            2,
        ),
        OutputItemDone(OtherItem(type="spell", id="sp_1"), 3),
    ]
    assert isinstance(events[-1], Completed)


def test_an_announced_item_that_holds_its_text_already_is_closed_with_it() -> None:
    events = events_of(ev_item_added(CALL), ev_completed())
    assert parts(events) == [
        OutputItemAdded(parse_item(CALL), 0),
        ToolCallInputDelta("{}", "call_1", "fc_call_1", 0),
        OutputItemDone(parse_item(CALL), 0),
    ]


def test_a_final_list_that_lacks_an_item_repeats_none_of_the_others() -> None:
    second = message_item("ho", item_id="msg_2")
    events = events_of(
        ev_item_done(reasoning_item(), 0),
        ev_item_done(MESSAGE, 1),
        ev_item_done(second, 2),
        ev_completed(output=[MESSAGE, second]),
    )
    assert [event.output_index for event in events if isinstance(event, OutputItemDone)] == [0, 1, 2]


def test_an_open_item_is_found_in_a_final_list_that_lacks_another() -> None:
    events = events_of(
        ev_item_done(reasoning_item(), 0), ev_item_added(message_item(""), 1), ev_completed(output=[MESSAGE])
    )
    assert [event for event in events if isinstance(event, OutputItemDone)] == [
        OutputItemDone(parse_item(reasoning_item()), 0),
        OutputItemDone(parse_item(MESSAGE), 1),
    ]


def test_a_final_list_with_one_item_more_gives_that_one() -> None:
    """A stream that is resumed in its middle lacks the items before."""
    first = message_item("before", item_id="msg_0")
    events = events_of(ev_item_done(MESSAGE, 1), ev_completed(output=[first, MESSAGE]))
    assert [event.item for event in events if isinstance(event, OutputItemDone)] == [
        parse_item(MESSAGE),
        parse_item(first),
    ]


def test_what_is_no_item_in_the_final_list_is_passed_over() -> None:
    events = events_of(ev_completed(output=[None, 5, {}, MESSAGE]))  # pyright: ignore[reportArgumentType]
    assert [event.item for event in events if isinstance(event, OutputItemDone)] == [parse_item(MESSAGE)]


# GitHub Copilot: another id with every event.


def test_items_are_matched_by_index_when_ids_change() -> None:
    events = events_of(
        ev_created("resp_a"),
        ev_item_added({**CALL, "id": "a", "arguments": ""}, 0),
        ev_function_arguments_delta("{", 0, item_id="b"),
        ev_function_arguments_delta("}", 0, item_id="c"),
        ev_function_arguments_done("{}", 0, item_id="d"),
        ev_item_done({**CALL, "id": "e"}, 0),
        ev_completed("resp_b", output=[{**CALL, "id": "f"}]),
    )
    assert [type(event) for event in events] == [
        Created,
        OutputItemAdded,
        ToolCallInputDelta,
        ToolCallInputDelta,
        OutputItemDone,
        Completed,
    ]
    assert [event.call_id for event in events if isinstance(event, ToolCallInputDelta)] == ["call_1", "call_1"]
    assert events[-1] == Completed("resp_b", events[-1].token_usage if isinstance(events[-1], Completed) else None)


# LM Studio: arguments without deltas.


def test_arguments_that_come_only_whole_are_given_as_a_delta() -> None:
    events = events_of(
        ev_item_added({**CALL, "arguments": ""}), ev_function_arguments_done('{"city":"Rome"}'), ev_completed()
    )
    assert [event.delta for event in events if isinstance(event, ToolCallInputDelta)] == ['{"city":"Rome"}']
    assert isinstance(events[-2], OutputItemDone)


@pytest.mark.parametrize(
    "item, expected",
    [
        (MESSAGE, [OutputTextDelta("hi", 0, 0, "msg_1")]),
        (message_item(refusal="no"), [RefusalDelta("no", 0, 0, "msg_1")]),
        (message_item("hi", refusal="no"), [OutputTextDelta("hi", 0, 0, "msg_1"), RefusalDelta("no", 0, 1, "msg_1")]),
        (CALL, [ToolCallInputDelta("{}", "call_1", "fc_call_1", 0)]),
        (custom_tool_call_item("call_2", "g", "raw"), [ToolCallInputDelta("raw", "call_2", "ctc_call_2", 0)]),
        (
            reasoning_item(["a", "b"], text="c"),
            [
                ReasoningSummaryPartAdded(0, 0, "rs_1"),
                ReasoningSummaryDelta("a", 0, 0, "rs_1"),
                ReasoningSummaryPartAdded(1, 0, "rs_1"),
                ReasoningSummaryDelta("b", 1, 0, "rs_1"),
                ReasoningContentDelta("c", 0, 0, "rs_1"),
            ],
        ),
        (message_item(""), []),
        ({"type": "web_search_call", "id": "ws_1", "status": "completed"}, []),
    ],
)
def test_text_that_only_the_done_item_has_is_given_as_deltas(
    item: dict[str, Any], expected: list[ResponseEvent]
) -> None:
    announced = events_of(
        ev_item_added({**item, "content": []} if item["type"] == "message" else item), ev_item_done(item)
    )
    assert announced[1:-1] == expected
    unannounced = events_of(ev_item_done(item))
    assert unannounced[1:] == [*expected, OutputItemDone(parse_item(item), 0)]


def test_only_the_rest_of_a_text_is_given() -> None:
    events = events_of(ev_item_added(message_item("")), ev_text_delta("h"), ev_item_done(MESSAGE))
    assert [event.delta for event in events if isinstance(event, OutputTextDelta)] == ["h", "i"]


def test_a_done_item_with_another_text_stands_and_its_deltas_too() -> None:
    decoder = ResponsesDecoder()
    frames = SseFramer().feed(
        sse([ev_item_added(message_item("")), ev_text_delta("ho"), ev_item_done(message_item("hip"))])
    )
    events = [event for frame in frames for event in decoder.feed(frame)]
    assert [event.delta for event in events if isinstance(event, OutputTextDelta)] == ["ho"]
    assert events[-1] == OutputItemDone(parse_item(message_item("hip")), 0)


@pytest.mark.parametrize(
    "delta, item",
    [
        (ev_reasoning_summary_delta("wherefore"), reasoning_item(["why"])),
        (ev_reasoning_text_delta("therefore"), reasoning_item(text="because")),
        (ev_function_arguments_delta("[]"), CALL),
    ],
)
def test_a_done_item_with_another_text_than_its_pieces_stands(delta: dict[str, Any], item: dict[str, Any]) -> None:
    assert events_of(delta, ev_item_done(item))[-1] == OutputItemDone(parse_item(item), 0)


def test_pieces_under_an_index_that_the_done_item_has_not_are_not_given_again() -> None:
    events = events_of(ev_item_added(message_item("")), ev_text_delta("hi", content_index=1), ev_item_done(MESSAGE))
    assert [event.delta for event in events if isinstance(event, OutputTextDelta)] == ["hi"]


def test_a_done_item_without_text_keeps_what_its_deltas_gave() -> None:
    response = collect(
        ev_item_added(reasoning_item(), 0),
        ev_reasoning_text_delta("because", 0, 0),
        ev_item_done(reasoning_item(["why"], encrypted_content="x"), 0),
        ev_item_added({**CALL, "arguments": ""}, 1),
        ev_function_arguments_delta("{}", 1),
        ev_item_done({**CALL, "arguments": ""}, 1),
        ev_item_added(message_item(""), 2),
        ev_text_delta("hi", 2),
        ev_item_done(message_item(""), 2),
        ev_completed(),
    )
    assert response.items == (
        Reasoning(
            id="rs_1",
            summary=[SummaryText(text="why")],
            content=[ReasoningText(text="because")],
            encrypted_content="x",
        ),
        parse_item(CALL),
        Message.model_validate({**MESSAGE, "content": [OutputText(text="hi")]}),
    )


def test_a_done_item_with_text_takes_nothing_from_stray_pieces() -> None:
    events = events_of(
        ev_item_added(message_item("")),
        ev_text_delta(""),
        ev_refusal_delta("no", content_index=4),
        ev_item_done(MESSAGE),
    )
    assert events[-1] == OutputItemDone(parse_item(MESSAGE), 0)


def test_a_message_with_content_of_another_kind_is_left_as_it_is() -> None:
    sound = {**MESSAGE, "content": [{"type": "output_audio", "data": "aGk="}]}
    decoder = ResponsesDecoder()
    frames = SseFramer().feed(sse([ev_item_added(message_item("")), ev_text_delta("hi"), ev_item_done(sound)]))
    events = [event for frame in frames for event in decoder.feed(frame)]
    assert events[-1] == OutputItemDone(parse_item(sound), 0)
