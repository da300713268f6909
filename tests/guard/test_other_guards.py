"""Empty answers, refusals in the form of an answer, and the structure that counts for nothing yet."""

from __future__ import annotations

import pytest

from codex_client.errors import EmptyResponseError, ServerOverloaded, ServerOverloadedInStreamError
from codex_client.events import (
    Completed,
    Created,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    RateLimits,
    RawEvent,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    RefusalDelta,
    ResponseEvent,
    ToolCallInputDelta,
)
from codex_client.guard.capacity import CAPACITY_TEXTS, CapacityGuard
from codex_client.guard.empty import EmptyGuard, may_be_empty
from codex_client.guard.structure import StructureHold
from codex_client.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    LocalShellCall,
    Message,
    OtherContent,
    OtherItem,
    OutputText,
    Reasoning,
    ReasoningText,
    Refusal,
    ResponseItem,
    SummaryText,
    WebSearchCall,
)
from codex_client.model_variants import RateLimitSnapshot, TokenUsage
from codex_client.prompt import Prompt

CALL = FunctionCall(call_id="c", name="look", arguments="{}")
NO_TEXT = Message(role="assistant", content=[])
BLANK = Message(role="assistant", content=[OutputText(text=""), Refusal(refusal="")])
SEALED = Reasoning(summary=[], encrypted_content="x")
SUMMARISED = Reasoning(summary=[SummaryText(text="thought")])
LIMITS = RateLimits(RateLimitSnapshot())
END = Completed("r")

SILENT: list[list[ResponseEvent]] = [
    [],
    [OutputItemAdded(NO_TEXT, 0), OutputItemDone(BLANK, 0)],
    [OutputItemAdded(SEALED, 0), OutputItemDone(SEALED, 0)],
    [ReasoningSummaryDelta("thought"), ReasoningContentDelta("more"), OutputItemDone(SUMMARISED, 0)],
    [OutputTextDelta(""), RefusalDelta(""), ToolCallInputDelta("")],
    [Created("r"), LIMITS, RawEvent("ping", "{}"), ReasoningSummaryPartAdded(0)],
]
SAYING: list[ResponseEvent] = [
    OutputTextDelta(" "),
    RefusalDelta("no"),
    ToolCallInputDelta("{"),
    OutputItemAdded(CALL, 0),
    OutputItemDone(Message.assistant("yes"), 0),
    OutputItemDone(Message(role="assistant", content=[Refusal(refusal="no")]), 0),
    OutputItemDone(Message(role="assistant", content=[OtherContent(type="output_image")]), 0),
    OutputItemDone(CustomToolCall(call_id="c", name="look", input=""), 0),
    OutputItemDone(LocalShellCall(action={}), 0),
    OutputItemDone(WebSearchCall(), 0),
    OutputItemDone(OtherItem(type="image_generation_call"), 0),
]


@pytest.mark.parametrize("before", SILENT)
def test_a_turn_that_completes_and_has_said_nothing_is_empty(before: list[ResponseEvent]):
    guard = EmptyGuard()
    assert guard.feed(before) == before
    with pytest.raises(EmptyResponseError) as raised:
        guard.feed([END])
    assert (raised.value.attempts, raised.value.retryable) == (1, True)
    assert "completed without text" in raised.value.message


def test_an_empty_turn_tells_what_it_cost():
    with pytest.raises(EmptyResponseError, match="after 7 output tokens"):
        EmptyGuard().feed([Completed("r", TokenUsage(1, 0, 7, 7, 8))])


@pytest.mark.parametrize("event", SAYING)
def test_a_turn_that_has_said_something_is_not_empty(event: ResponseEvent):
    guard = EmptyGuard()
    assert guard.feed([event]) == [event]
    assert guard.feed([END]) == [END]
    assert EmptyGuard().feed([event, END]) == [event, END]


def test_a_turn_that_asks_for_the_next_one_may_be_empty():
    going_on = [Completed("r", end_turn=False)]
    assert EmptyGuard().feed(going_on) == going_on
    with pytest.raises(EmptyResponseError):
        EmptyGuard().feed([Completed("r", end_turn=True)])


def test_a_turn_that_broke_off_is_not_empty():
    assert EmptyGuard().feed_eof() == []


@pytest.mark.parametrize(
    "last, expected",
    [
        (FunctionCallOutput(call_id="c", output="done"), True),
        (CustomToolCallOutput(call_id="c", output="done"), True),
        (OtherItem.model_validate({"type": "local_shell_call_output", "call_id": "c"}), True),
        (Message.user("and?"), False),
        (CALL, False),
    ],
)
def test_after_the_output_of_a_tool_an_answer_may_be_empty(last: ResponseItem, expected: bool):
    assert may_be_empty(Prompt([Message.user("hello"), last])) is expected


def test_a_prompt_without_items_wants_an_answer():
    assert not may_be_empty(Prompt([]))


@pytest.mark.parametrize("text", CAPACITY_TEXTS)
@pytest.mark.parametrize("size", [1, 7, 200])
def test_a_capacity_text_that_is_the_whole_message_is_an_overloaded_server(text: str, size: int):
    deltas = [OutputTextDelta(text[at : at + size]) for at in range(0, len(text), size)]
    for end in ([OutputItemDone(Message.assistant(text), 0)], [END]):
        guard = CapacityGuard()
        assert guard.feed([OutputItemAdded(NO_TEXT, 0)]) == [OutputItemAdded(NO_TEXT, 0)]
        for delta in deltas:
            assert guard.feed([delta]) == []
        with pytest.raises(ServerOverloadedInStreamError) as raised:
            guard.feed(end)
        assert isinstance(raised.value, ServerOverloaded)
        assert (raised.value.retryable, raised.value.code) == (True, "server_is_overloaded")
        assert guard.feed_eof() == []


def test_a_capacity_text_that_comes_only_as_a_whole_item_is_one_too():
    text = f" {CAPACITY_TEXTS[0].upper()}\n"
    with pytest.raises(ServerOverloadedInStreamError):
        CapacityGuard().feed([OutputItemDone(SEALED, 0), OutputItemDone(Message.assistant(text), 1)])


def test_text_goes_on_as_soon_as_it_can_be_no_capacity_text():
    guard = CapacityGuard()
    assert guard.feed([OutputTextDelta("Selected "), LIMITS]) == []
    assert guard.feed([OutputTextDelta("files:")]) == [OutputTextDelta("Selected "), LIMITS, OutputTextDelta("files:")]
    later = [OutputTextDelta(CAPACITY_TEXTS[0]), OutputItemDone(Message.assistant(CAPACITY_TEXTS[0]), 0)]
    assert guard.feed(later) is later


@pytest.mark.parametrize("before, after", [("\n" * 8, ""), ("", "\n" * 8), (" \n ", " \n")])
def test_a_capacity_text_may_have_a_little_white_space_around_it(before: str, after: str):
    guard = CapacityGuard()
    for character in f"{before}{CAPACITY_TEXTS[0]}{after}":
        assert guard.feed([OutputTextDelta(character)]) == []
    with pytest.raises(ServerOverloadedInStreamError):
        guard.feed([END])


@pytest.mark.parametrize("beginning", ["", CAPACITY_TEXTS[0]])
def test_white_space_is_held_to_a_bound_and_no_longer(beginning: str):
    guard, out, held = CapacityGuard(), list[ResponseEvent](), 0
    deltas = [OutputTextDelta(beginning), *[OutputTextDelta("\n")] * 100]
    for number, delta in enumerate(deltas, 1):
        out += guard.feed([delta])
        held = max(held, number - len(out))
    assert out == deltas
    assert held <= 1 + max(map(len, CAPACITY_TEXTS)) + 16
    assert beginning or held == 8


def test_text_that_is_no_capacity_text_goes_on_at_once():
    assert CapacityGuard().feed([OutputTextDelta("Hello")]) == [OutputTextDelta("Hello")]


@pytest.mark.parametrize(
    "event",
    [
        OutputItemAdded(CALL, 1),
        RefusalDelta("no"),
        ToolCallInputDelta("{"),
        OutputTextDelta(" I could say."),
        OutputItemDone(Message.assistant(f"{CAPACITY_TEXTS[0]} Or not."), 0),
    ],
)
def test_a_capacity_text_with_something_beside_it_is_an_answer(event: ResponseEvent):
    guard = CapacityGuard()
    text = OutputTextDelta(CAPACITY_TEXTS[0])
    assert guard.feed([text]) == []
    assert guard.feed([event, END]) == [text, event, END]


def test_only_the_first_message_is_looked_at():
    events = [OutputItemDone(Message.assistant("Hello"), 0), OutputItemDone(Message.assistant(CAPACITY_TEXTS[0]), 1)]
    assert CapacityGuard().feed(events) == events


def test_a_part_of_a_capacity_text_is_there_where_the_stream_broke_off():
    guard = CapacityGuard()
    guard.feed([OutputTextDelta("Selected")])
    assert guard.feed_eof() == [OutputTextDelta("Selected")]


STRUCTURE: list[ResponseEvent] = [
    OutputItemAdded(SEALED, 0),
    ReasoningSummaryPartAdded(0),
    OutputItemDone(SEALED, 0),
    OutputItemAdded(NO_TEXT, 1),
    OutputItemDone(BLANK, 1),
]
READABLE: list[ResponseEvent] = [
    *SAYING,
    END,
    ReasoningSummaryDelta("thought"),
    ReasoningContentDelta("thought"),
    OutputItemDone(SUMMARISED, 0),
    OutputItemDone(Reasoning(summary=[], content=[ReasoningText(text="thought")]), 0),
]


def test_the_handshake_is_not_held():
    hold = StructureHold()
    for event in (Created("r"), LIMITS, RawEvent("ping", "{}")):
        assert hold.feed([event]) == [event]


@pytest.mark.parametrize("event", READABLE)
def test_structure_waits_for_something_to_show(event: ResponseEvent):
    hold = StructureHold()
    assert hold.feed([*STRUCTURE, LIMITS]) == []
    assert hold.feed([event]) == [*STRUCTURE, LIMITS, event]
    assert hold.feed(STRUCTURE) == STRUCTURE


def test_structure_is_there_where_the_stream_broke_off():
    hold = StructureHold()
    assert hold.feed([Created("r"), *STRUCTURE]) == [Created("r")]
    assert hold.feed_eof() == STRUCTURE
    assert hold.feed_eof() == []
