"""What the guard against garbled output lets pass, and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Literal

import pytest
from hypothesis import given, strategies as st

from codex_client.aggregate import TurnAccumulator
from codex_client.errors import GarbledOutputError
from codex_client.events import (
    Completed,
    Created,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    RateLimits,
    ReasoningContentDelta,
    RefusalDelta,
    ResponseEvent,
    StreamRestarted,
    ToolCallInputDelta,
)
from codex_client.guard.garbled import GarbleGuard
from codex_client.guard.markers import MARKERS, Marker
from codex_client.items import FunctionCall, InputText, Message, OutputText, Refusal
from codex_client.model_variants import RateLimitSnapshot

WINDOW = max(len(marker.text) for marker in MARKERS) - 1
LONG = "A text that is longer than any marker is, by far."
BAD = "to=functions.exec {}"
CALL = FunctionCall(call_id="c", name="look", arguments="{}")


def message(text: str) -> Message:
    return Message.assistant(text)


def turn(*deltas: str, text: str | None = None) -> list[ResponseEvent]:
    """A turn with one message in these pieces."""
    return [
        Created("r"),
        OutputItemAdded(Message(role="assistant", content=[]), 0),
        *map(OutputTextDelta, deltas),
        OutputItemDone(message("".join(deltas) if text is None else text), 0),
        Completed("r"),
    ]


def text_of(events: Iterable[ResponseEvent]) -> str:
    return "".join(event.delta for event in events if isinstance(event, OutputTextDelta))


def kinds(events: Sequence[ResponseEvent]) -> list[str]:
    return [event.type for event in events]


def test_text_goes_on_but_for_as_many_characters_as_a_marker_may_still_need():
    guard = GarbleGuard()
    out = guard.feed([OutputTextDelta(LONG)])
    assert text_of(out) == LONG[:-WINDOW]
    out += guard.feed([OutputTextDelta("!")])
    assert text_of(out) == f"{LONG}!"[:-WINDOW]
    out += guard.feed([OutputItemDone(message(f"{LONG}!"), 0)])
    assert text_of(out) == f"{LONG}!"


def test_a_short_text_waits_until_its_item_is_done():
    guard = GarbleGuard()
    assert guard.feed([OutputTextDelta("Yes")]) == []
    done = OutputItemDone(message("Yes"), 0)
    assert guard.feed([done]) == [OutputTextDelta("Yes"), done]


def test_what_stands_behind_waiting_text_waits_too():
    guard = GarbleGuard()
    limits = RateLimits(RateLimitSnapshot())
    assert guard.feed([OutputTextDelta("Yes"), limits]) == []
    assert guard.feed([OutputTextDelta(f", {LONG}")]) == [
        OutputTextDelta("Yes"),
        limits,
        OutputTextDelta(f", {LONG}"[:-WINDOW]),
    ]


def test_the_next_item_sets_the_text_free():
    guard = GarbleGuard()
    added, arguments = OutputItemAdded(CALL, 1), ToolCallInputDelta("{", output_index=1)
    assert guard.feed([OutputTextDelta("I look")]) == []
    assert guard.feed([added]) == [OutputTextDelta("I look"), added]
    assert guard.feed([arguments]) == [arguments]


def test_the_parts_of_a_message_and_of_several_are_told_apart():
    guard = GarbleGuard()
    pieces = [OutputTextDelta("to=func", 0, 0), OutputTextDelta("to=func", 0, 1), OutputTextDelta("to=func", 1, 0)]
    assert guard.feed(pieces) == []
    with pytest.raises(GarbledOutputError):
        guard.feed([OutputTextDelta("tions.x and more to come", 0, 1)])
    guard = GarbleGuard()
    guard.feed(pieces)
    assert guard.feed([Completed("r")]) == [*pieces, Completed("r")]


def test_a_delta_keeps_its_place_and_the_id_of_its_item_where_it_is_cut():
    guard = GarbleGuard()
    out = guard.feed([OutputTextDelta(LONG, 3, 1, "msg_1")])
    assert out == [OutputTextDelta(LONG[:-WINDOW], 3, 1, "msg_1")]
    assert guard.feed_eof() == [OutputTextDelta(LONG[-WINDOW:], 3, 1, "msg_1")]


@pytest.mark.parametrize("hold", ["tail", "all"])
def test_on_a_marker_nothing_that_was_held_goes_out(hold: Literal["tail", "all"]):
    guard = GarbleGuard(hold=hold)
    guard.feed([OutputTextDelta(LONG)])
    with pytest.raises(GarbledOutputError) as raised:
        guard.feed([OutputTextDelta(f" {BAD}{LONG}")])
    assert (raised.value.marker, raised.value.attempts) == ("recipient functions", 1)
    assert f"after {len(LONG) + 1} characters" in raised.value.message
    assert "exec" not in raised.value.message
    assert guard.feed_eof() == []


@pytest.mark.parametrize("marker", MARKERS, ids=lambda marker: marker.name)
def test_of_a_marker_split_at_any_place_over_two_or_three_deltas_nothing_goes_out(marker: Marker):
    text = marker.text
    splits = [(0, at) for at in range(1, len(text))]
    for first, second in [*splits, *combinations(range(1, len(text)), 2)]:
        guard, out = GarbleGuard(), list[ResponseEvent]()
        with pytest.raises(GarbledOutputError) as raised:
            for delta in ("Good. ", text[:first], text[first:second], text[second:], LONG):
                out += guard.feed([OutputTextDelta(delta)])
        assert raised.value.marker == marker.name
        assert "Good. ".startswith(text_of(out))


@pytest.mark.parametrize("hold", ["tail", "all"])
@pytest.mark.parametrize("event", [Completed("r"), OutputItemDone(message(""), 0)])
def test_a_marker_in_inline_code_that_nothing_closes_counts_at_the_end(
    event: ResponseEvent, hold: Literal["tail", "all"]
):
    guard = GarbleGuard(hold=hold)
    guard.feed([OutputTextDelta(f"{LONG} `<|call|>")])
    with pytest.raises(GarbledOutputError):
        guard.feed([event])


@pytest.mark.parametrize("hold", ["tail", "all"])
def test_a_marker_that_is_whole_is_found_before_the_text_in_front_of_it_goes_out(hold: Literal["tail", "all"]):
    with pytest.raises(GarbledOutputError):
        GarbleGuard(hold=hold).feed([OutputTextDelta(f"{LONG}<|call|>")])


@pytest.mark.parametrize("event", [OutputItemAdded(CALL, 1), OutputItemDone(CALL, 1)])
@pytest.mark.parametrize("end, good", [("` to stop.", True), (f" to stop.\nAnd\n{LONG}", False)])
def test_another_item_says_nothing_about_inline_code_that_is_open(event: ResponseEvent, end: str, good: bool):
    guard = GarbleGuard()
    first, last = OutputTextDelta(f"{LONG} `x <|call|> "), OutputTextDelta(f"y{end}")
    out = [*guard.feed([first]), *guard.feed([event])]
    assert text_of(out) == f"{LONG} `x "
    assert event not in out
    if good:
        out += [*guard.feed([last]), *guard.feed([OutputItemDone(message(""), 0)])]
        assert text_of(out) == first.delta + last.delta
        assert event in out
    else:
        with pytest.raises(GarbledOutputError):
            guard.feed([last])


@pytest.mark.parametrize("at", range(1, len("```\n<|call|>")))
def test_another_item_within_a_sign_of_code_or_a_marker_changes_nothing_about_it(at: int):
    for text, good in [("```\n<|call|>\n```\n", True), ("\n~~\n<|call|>", False)]:
        guard, event = GarbleGuard(), OutputItemAdded(CALL, 1)
        assert guard.feed([OutputTextDelta(text[:at]), event]) == [OutputTextDelta(text[:at]), event]
        rest = [OutputTextDelta(text[at:]), Completed("r")]
        if good:
            assert guard.feed(rest) == rest
        else:
            with pytest.raises(GarbledOutputError):
                guard.feed(rest)


def test_a_fence_behind_text_lets_its_code_go_on_live():
    guard, out = GarbleGuard(), list[ResponseEvent]()
    for character in (code := f"Like this: ```x\n{LONG}"):
        out += guard.feed([OutputTextDelta(character)])
    assert text_of(out) == code[:-WINDOW]
    with pytest.raises(GarbledOutputError):
        guard.feed([OutputTextDelta(f"```\n{BAD}")])


@pytest.mark.parametrize("event", [OutputItemAdded(CALL, 1), OutputItemDone(CALL, 1)])
def test_from_a_marker_in_a_fence_behind_text_on_nothing_goes_out_before_it_is_closed(event: ResponseEvent):
    guard, begun = GarbleGuard(), "Like this: ```x\n"
    out = guard.feed([OutputTextDelta(f"{begun}<|call|>\n{LONG}"), event, OutputTextDelta(LONG)])
    assert text_of(out) == begun
    out += guard.feed([OutputTextDelta("\n```\n"), OutputItemDone(message(""), 0)])
    assert text_of(out) == f"{begun}<|call|>\n{LONG}{LONG}\n```\n"
    assert event in out


@pytest.mark.parametrize("hold", ["tail", "all"])
@pytest.mark.parametrize("event", [Completed("r"), OutputItemDone(message(""), 0), None])
def test_a_marker_behind_a_stray_run_of_backticks_counts_at_the_end(
    event: ResponseEvent | None, hold: Literal["tail", "all"]
):
    guard = GarbleGuard(hold=hold)
    guard.feed([OutputTextDelta(f"Done ```\nassistant {BAD}{LONG}")])
    with pytest.raises(GarbledOutputError) as raised:
        guard.feed([event]) if event else guard.feed_eof()
    assert raised.value.marker == "role assistant"


@pytest.mark.parametrize("end", [Completed("r"), OutputItemDone(message(""), 0), None])
def test_inline_code_that_another_item_left_open_is_judged_when_its_own_item_ends(end: ResponseEvent | None):
    guard = GarbleGuard()
    guard.feed([OutputTextDelta("`x <|call|> "), OutputItemAdded(CALL, 1), OutputItemDone(CALL, 1)])
    with pytest.raises(GarbledOutputError):
        guard.feed([end]) if end else guard.feed_eof()


def test_text_that_another_item_set_free_goes_out_once_and_what_follows_waits_as_ever():
    guard, added = GarbleGuard(), OutputItemAdded(CALL, 1)
    out = guard.feed([OutputTextDelta("I look")])
    out += guard.feed([added])
    assert guard.feed([OutputTextDelta("ten chars.")]) == []
    guard, out = GarbleGuard(), guard.feed_eof()
    assert text_of(out) == "ten chars."
    out = guard.feed([OutputTextDelta("I look"), added])
    for character in LONG:
        out += guard.feed([OutputTextDelta(character)])
        assert f"I look{LONG}".startswith(text_of(out))
    assert text_of([*out, *guard.feed_eof()]) == f"I look{LONG}"


def test_a_marker_in_a_stream_that_broke_off_is_found():
    guard = GarbleGuard()
    guard.feed([OutputTextDelta("so `<|call|>")])
    with pytest.raises(GarbledOutputError):
        guard.feed_eof()


@pytest.mark.parametrize("kind", [OutputItemAdded, OutputItemDone])
def test_a_message_that_comes_as_a_whole_is_looked_through(kind: type[OutputItemAdded] | type[OutputItemDone]):
    with pytest.raises(GarbledOutputError):
        GarbleGuard().feed([kind(message(f"{LONG}\n{BAD}"), 0)])
    good = kind(Message(role="assistant", content=[OutputText(text=LONG), Refusal(refusal=BAD)]), 0)
    assert GarbleGuard().feed([good]) == [good]


def test_only_the_text_of_messages_is_looked_through():
    events: list[ResponseEvent] = [
        ReasoningContentDelta(BAD),
        RefusalDelta(BAD),
        ToolCallInputDelta(BAD),
        OutputItemDone(FunctionCall(call_id="c", name="look", arguments=BAD), 0),
        OutputItemDone(Message(role="assistant", content=[InputText(text=BAD)]), 1),
    ]
    assert GarbleGuard().feed(events) == events


def test_holding_all_gives_the_handshake_at_once_and_all_else_at_the_end_as_it_came():
    guard = GarbleGuard(hold="all")
    events = turn("one ", "two ", LONG)
    assert guard.feed(events[:1]) == events[:1]
    for event in events[1:-1]:
        assert guard.feed([event]) == []
    assert guard.feed([RateLimits(RateLimitSnapshot())]) == []
    assert guard.feed(events[-1:]) == [*events[1:-1], RateLimits(RateLimitSnapshot()), events[-1]]


@pytest.mark.parametrize("hold", ["tail", "all"])
def test_where_a_stream_broke_off_the_rest_is_there(hold: Literal["tail", "all"]):
    guard = GarbleGuard(hold=hold)
    out = [*guard.feed(turn(LONG, "!")[:-2]), *guard.feed_eof()]
    assert text_of(out) == f"{LONG}!"
    assert guard.feed_eof() == []


@pytest.mark.parametrize("hold", ["tail", "all"])
def test_a_restarted_stream_is_guarded_from_its_beginning(hold: Literal["tail", "all"]):
    guard = GarbleGuard(hold=hold)
    guard.feed([OutputTextDelta("this is void to=func")])
    restarted = StreamRestarted(2, "broke")
    assert guard.feed([restarted]) == [restarted]
    events = turn("tions.x is good")
    assert text_of(guard.feed(events)) == "tions.x is good"


def test_own_markers_take_the_place_of_the_built_in_ones():
    guard = GarbleGuard([Marker("bang", "!!")])
    out = guard.feed([OutputTextDelta(f"{BAD}!")])
    assert text_of(out) == BAD
    with pytest.raises(GarbledOutputError) as raised:
        guard.feed([OutputTextDelta("!")])
    assert raised.value.marker == "bang"


def test_without_markers_text_is_free_at_once():
    assert GarbleGuard(()).feed([OutputTextDelta(BAD)]) == [OutputTextDelta(BAD)]


words = st.sampled_from(["a", " and ", "`", "```\n", "\n", "to=functions", ".", "<|", "assistant ", "♀♀", ": ```x\n"])
sizes = st.lists(st.integers(1, 6), max_size=40)


@given(st.lists(words, max_size=25), sizes, sizes, st.sampled_from(["tail", "all"]))
def test_a_good_turn_is_the_same_behind_the_guard_and_a_bad_one_is_a_beginning_of_it(
    parts: list[str], cuts: list[int], batches: list[int], hold: Literal["tail", "all"]
):
    text = "".join(parts)
    rest, deltas = text, list[str]()
    for size in cuts:
        deltas.append(rest[:size])
        rest = rest[size:]
    events = turn(*filter(None, [*deltas, rest]))
    guard, out = GarbleGuard(hold=hold), list[ResponseEvent]()
    left = list(events)
    try:
        for size in [*batches, len(events)]:
            out += guard.feed(left[:size])
            assert text.startswith(text_of(out))
            left = left[size:]
    except GarbledOutputError:
        assert text.startswith(text_of(out))
        assert not any(marker.text in text_of(out).replace("`", "") for marker in MARKERS) or "`" in text
    else:
        assert added_up(out) == added_up(events)
        assert text_of(out) == text
        assert [kind for kind in kinds(out) if kind != "output_text_delta"] == [
            kind for kind in kinds(events) if kind != "output_text_delta"
        ]


def added_up(events: Sequence[ResponseEvent]) -> object:
    turn_sum = TurnAccumulator()
    turn_sum.feed(events)
    return turn_sum.response()
