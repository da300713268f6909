"""The table of the Responses API: every type of event."""

from __future__ import annotations

from typing import Any

import pytest

from codex_client.events import (
    Completed,
    Created,
    ModelsEtag,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    RateLimits,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    RefusalDelta,
    ResponseEvent,
    ServerModel,
    ToolCallInputDelta,
)
from codex_client.items import CustomToolCall, FunctionCall, Message, OtherItem, Reasoning
from codex_client.model_variants import Credits, RateLimitSnapshot, RateLimitWindow, TokenUsage
from codex_client.testing import (
    custom_tool_call_item,
    ev_completed,
    ev_created,
    ev_custom_tool_input_delta,
    ev_function_arguments_delta,
    ev_in_progress,
    ev_item_added,
    ev_item_done,
    ev_rate_limits,
    ev_reasoning_summary_delta,
    ev_reasoning_summary_part_added,
    ev_reasoning_text_delta,
    ev_refusal_delta,
    ev_text_delta,
    function_call_item,
    message_item,
    reasoning_item,
)
from tests.support.responses_stream import USAGE, added, decode, done

MESSAGE = message_item("hi")
REASONING = reasoning_item(["why"], text="because")
CALL = function_call_item("call_1", "f", "{}")
CUSTOM = custom_tool_call_item("call_2", "g", "raw")


EMPTY_MESSAGE = message_item("", status="in_progress")
EMPTY_REASONING = reasoning_item()
EMPTY_CALL = {**CALL, "arguments": "", "status": "in_progress"}
EMPTY_CUSTOM = {**CUSTOM, "input": "", "status": "in_progress"}

# What a frame gives after those that must come before it.
TABLE: dict[str, tuple[list[dict[str, Any]], dict[str, Any], list[ResponseEvent]]] = {
    "created": ([], ev_created("resp_7", "gpt-5"), [Created("resp_7", "gpt-5")]),
    "created without a response": ([], {"type": "response.created"}, []),
    "created without an id": ([], {"type": "response.created", "response": {}}, [Created("")]),
    "created twice": ([ev_created()], ev_created("resp_2"), []),
    "in_progress after created": ([ev_created()], ev_in_progress(), []),
    "in_progress first, as on a resumed stream": ([], ev_in_progress("resp_7"), [Created("resp_7", "gpt-5")]),
    "queued first, as on a resumed stream": (
        [],
        {**ev_created("resp_7"), "type": "response.queued"},
        [Created("resp_7", "gpt-5")],
    ),
    "output_item.added": ([], ev_item_added(EMPTY_MESSAGE, 3), [added(EMPTY_MESSAGE, 3)]),
    "output_item.added of an unknown type": (
        [],
        ev_item_added({"type": "spell", "id": "sp_1", "mana": 3}),
        [OutputItemAdded(OtherItem.model_validate({"type": "spell", "id": "sp_1", "mana": 3}), 0)],
    ),
    "output_item.added without an item": ([], {"type": "response.output_item.added", "output_index": 0}, []),
    "output_item.added with no object as item": ([], {"type": "response.output_item.added", "item": [1]}, []),
    "output_item.added with an item without a type": ([], ev_item_added({"id": "x"}), []),
    "output_item.done": (
        [ev_item_added(EMPTY_MESSAGE), ev_text_delta("hi")],
        ev_item_done(MESSAGE),
        [done(MESSAGE)],
    ),
    "output_item.done without an item": ([], {"type": "response.output_item.done", "output_index": 0}, []),
    "output_text.delta": (
        [ev_item_added(EMPTY_MESSAGE)],
        ev_text_delta("hi", content_index=2),
        [OutputTextDelta("hi", 0, 2, "msg_1")],
    ),
    "refusal.delta": (
        [ev_item_added(EMPTY_MESSAGE)],
        ev_refusal_delta("no", content_index=1),
        [RefusalDelta("no", 0, 1, "msg_1")],
    ),
    "reasoning_summary_part.added": (
        [ev_item_added(EMPTY_REASONING)],
        ev_reasoning_summary_part_added(1),
        [ReasoningSummaryPartAdded(1, 0, "rs_1")],
    ),
    "reasoning_summary_text.delta": (
        [ev_item_added(EMPTY_REASONING), ev_reasoning_summary_part_added(1)],
        ev_reasoning_summary_delta("why", 1),
        [ReasoningSummaryDelta("why", 1, 0, "rs_1")],
    ),
    "reasoning_text.delta": (
        [ev_item_added(EMPTY_REASONING)],
        ev_reasoning_text_delta("because", 2),
        [ReasoningContentDelta("because", 2, 0, "rs_1")],
    ),
    "function_call_arguments.delta": (
        [ev_item_added(EMPTY_CALL)],
        ev_function_arguments_delta("{}"),
        [ToolCallInputDelta("{}", "call_1", "fc_call_1", 0)],
    ),
    "custom_tool_call_input.delta": (
        [ev_item_added(EMPTY_CUSTOM)],
        ev_custom_tool_input_delta("raw"),
        [ToolCallInputDelta("raw", "call_2", "ctc_call_1", 0)],
    ),
    "output_text.done brings what no delta gave": (
        [ev_item_added(EMPTY_MESSAGE), ev_text_delta("h")],
        {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "item_id": "msg_1", "text": "hi"},
        [OutputTextDelta("i", 0, 0, "msg_1")],
    ),
    "output_text.done after all deltas": (
        [ev_item_added(EMPTY_MESSAGE), ev_text_delta("hi")],
        {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "hi"},
        [],
    ),
    "output_text.done with another text": (
        [ev_item_added(EMPTY_MESSAGE), ev_text_delta("ho")],
        {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "hip"},
        [],
    ),
    "output_text.done with a shorter text": (
        [ev_item_added(EMPTY_MESSAGE), ev_text_delta("hi")],
        {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "h"},
        [],
    ),
    "output_text.done after its item": (
        [ev_item_done(MESSAGE)],
        {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "hi there"},
        [],
    ),
    "output_text.done of no text and no item": (
        [],
        {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": ""},
        [],
    ),
    "refusal.done without deltas": (
        [ev_item_added(EMPTY_MESSAGE)],
        {"type": "response.refusal.done", "output_index": 0, "content_index": 0, "refusal": "no"},
        [RefusalDelta("no", 0, 0, None)],
    ),
    "reasoning_text.done without deltas": (
        [ev_item_added(EMPTY_REASONING)],
        {"type": "response.reasoning_text.done", "output_index": 0, "content_index": 0, "text": "because"},
        [ReasoningContentDelta("because", 0, 0, None)],
    ),
    "reasoning_summary_text.done without deltas": (
        [ev_item_added(EMPTY_REASONING)],
        {"type": "response.reasoning_summary_text.done", "output_index": 0, "summary_index": 0, "text": "why"},
        [ReasoningSummaryPartAdded(0, 0, None), ReasoningSummaryDelta("why", 0, 0, None)],
    ),
    "function_call_arguments.done without deltas": (
        [ev_item_added(EMPTY_CALL)],
        {"type": "response.function_call_arguments.done", "output_index": 0, "item_id": "fc_1", "arguments": "{}"},
        [ToolCallInputDelta("{}", "call_1", "fc_1", 0)],
    ),
    "custom_tool_call_input.done without deltas": (
        [ev_item_added(EMPTY_CUSTOM)],
        {"type": "response.custom_tool_call_input.done", "output_index": 0, "item_id": "ctc_1", "input": "raw"},
        [ToolCallInputDelta("raw", "call_2", "ctc_1", 0)],
    ),
    "completed": ([ev_created()], ev_completed(), [Completed("resp_1", USAGE)]),
    "completed without created": ([], ev_completed(), [Created("resp_1", "gpt-5"), Completed("resp_1", USAGE)]),
    "completed without usage": ([ev_created()], ev_completed(usage=None), [Completed("resp_1")]),
    "completed with an empty usage": ([ev_created()], ev_completed(usage={}), [Completed("resp_1")]),
    "completed with a usage without details": (
        [ev_created()],
        ev_completed(usage={"input_tokens": 3, "output_tokens": 4}),
        [Completed("resp_1", TokenUsage(3, 0, 4, 0, 7))],
    ),
    "completed with end_turn": (
        [ev_created()],
        ev_completed(end_turn=False),
        [Completed("resp_1", USAGE, end_turn=False)],
    ),
    "completed with the tier that served": (
        [ev_created()],
        ev_completed(service_tier="flex"),
        [Completed("resp_1", USAGE, service_tier="flex")],
    ),
    "completed with an odd end_turn": ([ev_created()], ev_completed(end_turn="no"), [Completed("resp_1", USAGE)]),
    "completed without an id": ([ev_created("resp_7")], ev_completed(""), [Completed("resp_7", USAGE)]),
    "completed without a response": ([], {"type": "response.completed"}, [Completed("")]),
    "completed without output": (
        [ev_created()],
        {"type": "response.completed", "response": {"id": "resp_1", "status": "completed"}},
        [Completed("resp_1")],
    ),
    "response.done": ([ev_created()], {**ev_completed(), "type": "response.done"}, []),
    "response.metadata with the model": (
        [],
        {"type": "response.metadata", "headers": {"OpenAI-Model": "gpt-5-mini"}, "metadata": {}},
        [ServerModel("gpt-5-mini")],
    ),
    "codex.response.metadata with lists": (
        [],
        {"type": "codex.response.metadata", "headers": {"x-openai-model": ["m1", "m2"], "X-Models-Etag": ["e1"]}},
        [ServerModel("m1"), ModelsEtag("e1")],
    ),
    "response.metadata told once": (
        [{"type": "response.metadata", "headers": {"openai-model": "m1", "x-models-etag": "e1"}}],
        {"type": "response.metadata", "headers": {"openai-model": "m1", "x-models-etag": "e1"}},
        [],
    ),
    "response.metadata with a model that changed": (
        [{"type": "response.metadata", "headers": {"openai-model": "m1"}}],
        {"type": "response.metadata", "headers": {"openai-model": "m2"}},
        [ServerModel("m2")],
    ),
    "response.metadata with odd headers": (
        [],
        {"type": "response.metadata", "headers": {"openai-model": [], "x-models-etag": 5}},
        [],
    ),
    "response.metadata without headers": ([], {"type": "response.metadata", "metadata": {"a": 1}}, []),
    "created with headers in its response": (
        [],
        ev_created(headers={"openai-model": "m1"}),
        [ServerModel("m1"), Created("resp_1", "gpt-5")],
    ),
    "codex.rate_limits": (
        [],
        ev_rate_limits(42),
        [
            RateLimits(
                RateLimitSnapshot(
                    primary=RateLimitWindow(42.0, window_minutes=300, resets_at=1_999_999_999.0),
                    credits=Credits(),
                    plan_type="pro",
                )
            )
        ],
    ),
}


@pytest.mark.parametrize("before, frame, expected", TABLE.values(), ids=TABLE.keys())
@pytest.mark.parametrize("names", [True, False], ids=["named", "unnamed"])
def test_each_type_of_frame_becomes_its_events(
    before: list[dict[str, Any]], frame: dict[str, Any], expected: list[ResponseEvent], names: bool
) -> None:
    earlier, _ = decode(*before, names=names)
    events, decoder = decode(*before, frame, names=names)
    assert events[len(earlier) :] == expected
    assert decoder.failure is None


def test_events_of_a_whole_turn_come_in_the_promised_order() -> None:
    events, decoder = decode(
        ev_created(),
        ev_in_progress(),
        ev_item_added(EMPTY_REASONING, 0),
        ev_reasoning_summary_part_added(0, 0),
        ev_reasoning_summary_delta("why", 0, 0),
        ev_reasoning_text_delta("because", 0, 0),
        ev_item_done(REASONING, 0),
        ev_item_added(EMPTY_CALL, 1),
        ev_function_arguments_delta("{}", 1),
        ev_item_done(CALL, 1),
        ev_item_added(EMPTY_CUSTOM, 2),
        ev_custom_tool_input_delta("raw", 2),
        ev_item_done(CUSTOM, 2),
        ev_item_added(EMPTY_MESSAGE, 3),
        ev_text_delta("h", 3),
        ev_text_delta("i", 3),
        ev_item_done(MESSAGE, 3),
        ev_completed(output=[REASONING, CALL, CUSTOM, MESSAGE]),
    )
    assert events == [
        Created("resp_1", "gpt-5"),
        added(EMPTY_REASONING, 0),
        ReasoningSummaryPartAdded(0, 0, "rs_1"),
        ReasoningSummaryDelta("why", 0, 0, "rs_1"),
        ReasoningContentDelta("because", 0, 0, "rs_1"),
        OutputItemDone(Reasoning.model_validate(REASONING), 0),
        added(EMPTY_CALL, 1),
        ToolCallInputDelta("{}", "call_1", "fc_call_1", 1),
        OutputItemDone(FunctionCall.model_validate(CALL), 1),
        added(EMPTY_CUSTOM, 2),
        ToolCallInputDelta("raw", "call_2", "ctc_call_1", 2),
        OutputItemDone(CustomToolCall.model_validate(CUSTOM), 2),
        added(EMPTY_MESSAGE, 3),
        OutputTextDelta("h", 3, 0, "msg_1"),
        OutputTextDelta("i", 3, 0, "msg_1"),
        OutputItemDone(Message.model_validate(MESSAGE), 3),
        Completed("resp_1", USAGE),
    ]
    assert decoder.ignored == {}
