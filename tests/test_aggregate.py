"""Adding up a turn, at its end and at every moment before it."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, ValidationError

from codex_client.aggregate import CollectedResponse, ToolCall, TurnAccumulator
from codex_client.condense import AggregateMode, Aggregator
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
    StreamRestarted,
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
    Refusal,
    SummaryText,
)
from codex_client.model_variants import RateLimitSnapshot, TokenUsage

USAGE = TokenUsage(10, 4, 5, 2, 15)
EMPTY = Message(role="assistant", content=[])
ONLY, STREAMING = AggregateMode.AGGREGATED_ONLY, AggregateMode.STREAMING


def collected(*events: ResponseEvent) -> CollectedResponse:
    turn = TurnAccumulator()
    turn.feed(events)
    return turn.response()


def test_a_whole_turn_adds_up() -> None:
    done = Message(id="msg_1", role="assistant", content=[OutputText(text="Hello")])
    assert collected(
        ServerModel("gpt-5-2026"),
        RateLimits(RateLimitSnapshot("codex")),
        Created("resp_1", model="gpt-5"),
        ModelsEtag("etag"),
        OutputItemAdded(EMPTY, 0),
        OutputTextDelta("Hel", 0),
        OutputTextDelta("lo", 0),
        OutputItemDone(done, 0),
        Completed("resp_1", USAGE, "stop", end_turn=True, service_tier="flex"),
    ) == CollectedResponse(
        response_id="resp_1",
        items=(done,),
        token_usage=USAGE,
        rate_limits=(RateLimitSnapshot("codex"),),
        finish_reason="stop",
        end_turn=True,
        model="gpt-5-2026",
        service_tier="flex",
    )


def test_the_newest_snapshot_of_each_family_counts() -> None:
    old, new, other = RateLimitSnapshot("a"), RateLimitSnapshot("a", plan_type="pro"), RateLimitSnapshot("b")
    assert collected(RateLimits(old), RateLimits(other), RateLimits(new)).rate_limits == (new, other)


def test_items_come_in_output_order_whatever_the_order_of_arrival() -> None:
    first, second = Message.assistant("1"), Message.assistant("2")
    assert collected(OutputItemDone(second, 1), OutputItemDone(first, 0)).items == (first, second)


@pytest.mark.parametrize(
    "events, item",
    [
        (
            [OutputTextDelta("a", 0, 0), OutputTextDelta("b", 0, 1)],
            Message(role="assistant", content=[OutputText(text="a"), OutputText(text="b")]),
        ),
        (
            [OutputItemAdded(Message(id="m", role="assistant", content=[]), 0), OutputTextDelta("a", 0)],
            Message(id="m", role="assistant", content=[OutputText(text="a")]),
        ),
        ([RefusalDelta("n", 0), RefusalDelta("o", 0)], Message(role="assistant", content=[Refusal(refusal="no")])),
        (
            [RefusalDelta("no", 0, 0), OutputTextDelta("so", 0, 0), OutputTextDelta("first", 0, 1)],
            Message(role="assistant", content=[OutputText(text="so"), Refusal(refusal="no"), OutputText(text="first")]),
        ),
        ([ReasoningSummaryPartAdded(0), ReasoningSummaryDelta("s", 0)], Reasoning(summary=[SummaryText(text="s")])),
        (
            [ReasoningSummaryDelta("s", 1), ReasoningSummaryDelta("r", 0)],
            Reasoning(summary=[SummaryText(text="r"), SummaryText(text="s")]),
        ),
        (
            [OutputItemAdded(Reasoning(id="r", summary=[]), 0), ReasoningContentDelta("t")],
            Reasoning(id="r", summary=[], content=[ReasoningText(text="t")]),
        ),
        (
            [
                OutputItemAdded(FunctionCall(call_id="c", name="f", arguments=""), 0),
                ToolCallInputDelta('{"a"'),
                ToolCallInputDelta(":"),
            ],
            FunctionCall(call_id="c", name="f", arguments='{"a":'),
        ),
        (
            [OutputItemAdded(FunctionCall(call_id="c", name="f", arguments="{}"), 0)],
            FunctionCall(call_id="c", name="f", arguments="{}"),
        ),
        (
            [OutputItemAdded(CustomToolCall(call_id="c", name="f", input=""), 0), ToolCallInputDelta("raw")],
            CustomToolCall(call_id="c", name="f", input="raw"),
        ),
        ([OutputItemAdded(OtherItem(type="mcp_call", id="m"), 0)], OtherItem(type="mcp_call", id="m")),
        ([OutputItemAdded(EMPTY, 0)], EMPTY),
        ([OutputItemAdded(Reasoning(summary=[]), 0)], Reasoning(summary=[])),
    ],
)
def test_an_item_cut_short_is_built_from_its_pieces(events: Sequence[ResponseEvent], item: object) -> None:
    assert collected(*events).items == (item,)


def test_pieces_of_nothing_known_are_no_item() -> None:
    assert collected(ToolCallInputDelta("x", output_index=3)).items == ()


def test_a_restart_voids_what_came_before_it_but_the_rate_limits() -> None:
    turn = collected(
        RateLimits(RateLimitSnapshot("codex")),
        Created("resp_1"),
        OutputTextDelta("half"),
        StreamRestarted(2, "cut"),
        Created("resp_2"),
        OutputTextDelta("whole"),
    )
    assert (turn.response_id, turn.text, len(turn.rate_limits)) == ("resp_2", "whole", 1)


def test_a_response_answers_by_kind() -> None:
    turn = CollectedResponse(
        items=(
            Reasoning(summary=[SummaryText(text="s1"), SummaryText(text="s2")], content=[ReasoningText(text="why")]),
            Message(role="assistant", content=[OutputText(text="a"), Refusal(refusal="no")]),
            FunctionCall(call_id="c1", name="f", arguments="{}"),
            CustomToolCall(call_id="c2", name="g", input="raw"),
            Message.assistant("b"),
        )
    )
    assert turn.text == "ab"
    assert turn.refusal == "no"
    assert turn.reasoning_text == "why"
    assert turn.reasoning_summary == ["s1", "s2"]
    assert turn.tool_calls == [ToolCall("c1", "f", "{}"), ToolCall("c2", "g", "raw")]
    assert pickle.loads(pickle.dumps(turn)) == turn


def test_parse_gives_a_model_or_says_why_not() -> None:
    class Answer(BaseModel):
        n: int

    assert CollectedResponse(items=(Message.assistant('{"n": 3}'),)).parse(Answer) == Answer(n=3)
    with pytest.raises(ValidationError):
        CollectedResponse().parse(Answer)


def condensed(mode: AggregateMode, *events: ResponseEvent) -> list[ResponseEvent]:
    aggregator = Aggregator(mode)
    return [out for event in events for out in aggregator.feed(event)]


CALL = OutputItemDone(FunctionCall(call_id="c", name="f", arguments="{}"), 2)
ADDED = OutputItemAdded(EMPTY, 1)
LIMITS = RateLimits(RateLimitSnapshot())
END = Completed("resp_1")
TURN = (
    LIMITS,
    Created("resp_1"),
    ReasoningSummaryPartAdded(0),
    ReasoningSummaryDelta("s"),
    ReasoningContentDelta("th", output_index=0),
    ReasoningContentDelta("ink", output_index=0),
    ADDED,
    OutputTextDelta("Hel", 1),
    OutputTextDelta("lo", 1),
    OutputItemDone(Message.assistant("Hello"), 1),
    ToolCallInputDelta("{}", output_index=2),
    CALL,
    END,
)


def test_aggregated_only_gives_whole_items_before_completed() -> None:
    assert condensed(ONLY, *TURN) == [
        LIMITS,
        ADDED,
        CALL,
        OutputItemDone(Reasoning(id="", summary=[], content=[ReasoningText(text="think")]), 0),
        OutputItemDone(Message.assistant("Hello"), 1),
        END,
    ]


def test_streaming_gives_the_deltas_and_the_message_once() -> None:
    assert condensed(STREAMING, *TURN) == [
        LIMITS,
        ReasoningContentDelta("th", output_index=0),
        ReasoningContentDelta("ink", output_index=0),
        ADDED,
        OutputTextDelta("Hel", 1),
        OutputTextDelta("lo", 1),
        ToolCallInputDelta("{}", output_index=2),
        CALL,
        OutputItemDone(Message.assistant("Hello"), 1),
        END,
    ]


def test_a_message_without_deltas_is_not_lost() -> None:
    done = OutputItemDone(Message.assistant("Hello"), 1)
    assert condensed(ONLY, done, END) == [done, END]
    assert condensed(STREAMING, done, END) == [done, END]


def test_messages_with_and_without_deltas_are_joined() -> None:
    events = (
        OutputTextDelta("a", 0),
        OutputItemDone(Message.assistant("a"), 0),
        OutputItemDone(Message.assistant("b"), 1),
    )
    assert condensed(ONLY, *events, END) == [OutputItemDone(Message.assistant("ab"), 0), END]


def test_a_refusal_is_passed_on_whole() -> None:
    refusal = OutputItemDone(Message(role="assistant", content=[Refusal(refusal="no")]), 0)
    assert condensed(ONLY, RefusalDelta("no"), refusal, END) == [refusal, END]
    assert condensed(STREAMING, RefusalDelta("no"), refusal, END) == [RefusalDelta("no"), refusal, END]


BOTH = OutputItemDone(Message(role="assistant", content=[OutputText(text="so"), Refusal(refusal="no")]), 1)


def test_a_refusal_beside_text_is_kept() -> None:
    pieces = (OutputTextDelta("so", 1), RefusalDelta("no", 1))
    assert condensed(ONLY, *pieces, BOTH, END) == [BOTH, END]
    assert condensed(STREAMING, *pieces, BOTH, END) == [*pieces, BOTH, END]
    assert condensed(ONLY, BOTH, END) == [BOTH, END]
    assert condensed(STREAMING, BOTH, END) == [BOTH, END]


def test_a_refusal_whose_item_was_never_finished_is_kept() -> None:
    refused = OutputItemDone(Message(role="assistant", content=[Refusal(refusal="no")]), 1)
    pieces = (RefusalDelta("n", 1), RefusalDelta("o", 1))
    assert condensed(ONLY, *pieces, END) == [refused, END]
    assert condensed(STREAMING, *pieces, END) == [*pieces, refused, END]
    assert condensed(ONLY, OutputTextDelta("so", 1), *pieces, END) == [BOTH, END]


def test_refusals_of_a_voided_attempt_are_forgotten() -> None:
    restart = StreamRestarted(2, "cut")
    before = (OutputTextDelta("so", 1), BOTH, RefusalDelta("no", 2), restart)
    assert condensed(ONLY, *before, END) == [restart, END]


def test_reasoning_that_came_whole_is_not_given_twice() -> None:
    whole = OutputItemDone(Reasoning(id="rs", summary=[], content=[ReasoningText(text="t")]), 0)
    assert condensed(ONLY, ReasoningContentDelta("t"), whole, END) == [whole, END]


def test_a_restart_empties_the_aggregator() -> None:
    restart = StreamRestarted(2, "cut")
    assert condensed(ONLY, OutputTextDelta("half"), ReasoningContentDelta("r"), restart, OutputTextDelta("x"), END) == [
        restart,
        OutputItemDone(Message.assistant("x"), 0),
        END,
    ]


deltas = st.lists(
    st.builds(OutputTextDelta, st.text(max_size=3), st.integers(0, 2), st.integers(0, 1))
    | st.builds(ReasoningContentDelta, st.text(max_size=3), st.just(0), st.integers(3, 4)),
    max_size=20,
)


@given(deltas)
def test_joined_deltas_equal_the_collected_text(events: list[ResponseEvent]) -> None:
    ordered = sorted(
        (event for event in events if isinstance(event, OutputTextDelta)),
        key=lambda event: (event.output_index, event.content_index),
    )
    assert collected(*events).text == "".join(event.delta for event in ordered)


@given(deltas, st.integers(0, 20))
def test_looking_at_the_sum_changes_nothing(events: list[ResponseEvent], at: int) -> None:
    turn = TurnAccumulator()
    turn.feed(events[:at])
    turn.response()
    turn.feed(events[at:])
    assert turn.response() == collected(*events)
