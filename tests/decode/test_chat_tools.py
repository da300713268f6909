"""Tool calls: however a server numbers, names and identifies them, each comes out once and whole."""

from __future__ import annotations

from typing import Any

import pytest

from codex_client.decode.chat_tools import ToolCalls
from codex_client.events import OutputItemAdded, ResponseEvent, ToolCallInputDelta
from codex_client.items import CustomToolCall, FunctionCall

Entries = list[Any]
MADE_UP = "made up"


def entry(arguments: Any = None, **fields: Any) -> dict[str, Any]:
    """An entry of `tool_calls`; `name` goes into `function`."""
    function = {"name": fields.pop("name")} if "name" in fields else {}
    return {**fields, "function": {**function, **({} if arguments is None else {"arguments": arguments})}}


def assemble(*deltas: Entries) -> tuple[list[tuple[str, str, str]], list[ResponseEvent]]:
    """The calls as (id, name, arguments), made-up ids as MADE_UP, and the events, which must tell the same calls."""
    items: list[Any] = []
    calls = ToolCalls(items)
    events = [event for entries in deltas for event in calls.feed(entries, "seed")]
    told = {event.output_index: event.item for event in events if isinstance(event, OutputItemAdded)}
    for event in events:
        if isinstance(event, ToolCallInputDelta):
            call = told[event.output_index]
            assert isinstance(call, FunctionCall)
            assert event.call_id == call.call_id
            told[event.output_index] = call.model_copy(update={"arguments": call.arguments + event.delta})
    built = {index: item for index, open_item in enumerate(items) if (item := open_item.build())}
    assert built == told
    assert len({call.call_id for call in built.values()}) == len(built)
    return [(shown(call.call_id), call.name, call.arguments) for call in built.values()], events


def shown(call_id: str) -> str:
    return MADE_UP if len(call_id) == 29 else call_id


HEADER = entry("", index=0, id="x", type="function", name="f")
STREAMED = [[HEADER], [entry('{"a"', index=0)], [entry(":1}", index=0)]]
ONE_CALL = [("x", "f", '{"a":1}')]


def test_a_streamed_call_is_added_with_its_name_and_then_given_piece_by_piece() -> None:
    calls, events = assemble(*STREAMED)
    assert calls == ONE_CALL
    assert events == [
        OutputItemAdded(FunctionCall(call_id="x", name="f", arguments=""), 0),
        ToolCallInputDelta('{"a"', "x", None, 0),
        ToolCallInputDelta(":1}", "x", None, 0),
    ]


@pytest.mark.parametrize(
    "deltas",
    [
        pytest.param([[entry('{"a":1}', index=0, id="x", name="f")]], id="whole"),
        pytest.param([[entry('{"a":1}', id="x", name="f")]], id="whole-without-index"),
        pytest.param([[entry('{"a":1}', index=-1, id="x", name="f")]], id="whole-with-index-minus-one"),
        pytest.param([[entry('{"a"', id="x", name="f")], [entry(":1}")]], id="streamed-without-index"),
        pytest.param([[entry('{"a"', index=None, id="x", name="f")], [entry(":1}", index=None)]], id="index-null"),
        pytest.param([[entry('{"a"', index=-1, id="x", name="f")], [entry(":1}", index=-1)]], id="minus-one-streamed"),
        pytest.param([[entry('{"a"', index="0", id="x", name="f")], [entry(":1}", index=False)]], id="index-no-number"),
        pytest.param([[entry('{"a"', id="x", name="f")], [entry(":1}", index=0)]], id="index-only-later"),
        pytest.param([[entry('{"a"', index=0, id="x", name="f")], [entry(":1}")]], id="index-only-first"),
        pytest.param([[entry('{"a"', id="x", name="f")], [entry(":1}", id="x")]], id="id-repeated-without-index"),
        pytest.param(
            [[entry("", index=0, id="x", name="f")], [entry('{"a":1}', index=0, id="x", name="")]], id="dashscope-id"
        ),
        pytest.param(
            [[entry("", index=0, id="x", name="f")], [entry('{"a":1}', index=0, id="", name="")]], id="dashscope-empty"
        ),
        pytest.param(
            [
                [{"index": 0, "id": "x", "type": "function", "function": {"name": "f", "arguments": None}}],
                [{"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": '{"a":1}'}}],
            ],
            id="writer-nulls",
        ),
        pytest.param(
            [[entry("", index=0, id="x", name="f")], [entry('{"a":1}', index=0, id="x", name="f")]], id="header-twice"
        ),
        pytest.param(
            [[entry("", id="x", name="f")], [entry('{"a":1}', id="x", name="f")]], id="header-twice-without-index"
        ),
        pytest.param(
            [[entry('{"a"', index=0, id="x", name="f")], [entry(":1}", index=0, name="f")]], id="name-twice-without-id"
        ),
        pytest.param(
            [[entry('{"a":1}', index=0, id="x", name="f")], [entry("", index=0, name="f")]], id="name-again-at-the-end"
        ),
        pytest.param([[entry("", index=0, id="x")], [entry('{"a":1}', index=0, name="f")]], id="late-name"),
        pytest.param([[entry('{"a"', index=0)], [entry(":1}", index=0, id="x", name="f")]], id="header-last"),
        pytest.param([[entry('{"a"')], [entry(":1}", id="x", name="f")]], id="header-last-without-index"),
        pytest.param([[entry('{"a"')], [entry(":1}", id="x")], [entry(name="f")]], id="id-then-name-without-index"),
        pytest.param(
            [[entry('{"a":1}', index=0, id="x", name="f")], [entry("", index=0, id="y")]], id="another-id-alone"
        ),
        pytest.param([[entry({"a": 1}, index=0, id="x", name="f")]], id="arguments-as-object"),
        pytest.param([[entry('{"a"', index=0, id="x", name="f"), entry(":1}", index=0)]], id="two-entries-of-one-call"),
        pytest.param([[entry('{"a"', id="x", name="f"), entry(":1}")]], id="two-entries-without-index"),
    ],
)
def test_every_form_of_one_call_gives_that_call(deltas: list[Entries]) -> None:
    assert assemble(*deltas)[0] == ONE_CALL


@pytest.mark.parametrize(
    "deltas",
    [
        pytest.param([[entry("1", index=0, id="x", name="f")], [entry("2", index=1, id="y", name="g")]], id="by-index"),
        pytest.param([[entry("1", id="x", name="f"), entry("2", id="y", name="g")]], id="mistral-one-delta"),
        pytest.param([[entry("1", id="x", name="f")], [entry("2", id="y", name="g")]], id="by-id"),
        pytest.param([[entry("1", index=0, id="x", name="f")], [entry("2", index=0, id="y", name="g")]], id="all-zero"),
        pytest.param(
            [[entry("1", index=0, id="x", name="f"), entry("2", index=0, id="y", name="g")]], id="zero-at-once"
        ),
        pytest.param(
            [[entry("1", index=-1, id="x", name="f")], [entry("2", index=-1, id="y", name="g")]], id="minus-one"
        ),
        pytest.param(
            [[entry("1", id="x", name="f")], [entry("2", id="y")], [entry(name="g")]], id="late-name-of-second"
        ),
        pytest.param(
            [
                [entry("", index=0, id="x", name="f"), entry("", index=1, id="y", name="g")],
                [entry("1", index=0)],
                [entry("2", index=1)],
            ],
            id="interleaved",
        ),
        pytest.param(
            [
                [entry("", id="x", name="f"), entry("", id="y", name="g")],
                [entry("2", id="y"), entry("1", id="x")],
            ],
            id="interleaved-by-id",
        ),
        pytest.param(
            [[entry("", id="x", name="f"), entry("", id="y", name="g")], [entry("1", index=0)], [entry("2", index=1)]],
            id="index-only-later",
        ),
        pytest.param(
            [
                [entry("", index=0, id="x", name="f")],
                [entry("1", index=0)],
                [entry("", index=0, id="y", name="g")],
                [entry("2", index=0)],
            ],
            id="all-zero-streamed",
        ),
    ],
)
def test_every_form_of_two_calls_gives_two_calls(deltas: list[Entries]) -> None:
    assert assemble(*deltas)[0] == [("x", "f", "1"), ("y", "g", "2")]


@pytest.mark.parametrize("no_id", [{}, {"id": ""}, {"id": None}, {"id": 3}])
@pytest.mark.parametrize(
    "deltas",
    [
        pytest.param([[entry("{}", name="f"), entry('{"a":1}', name="f")]], id="gemini-one-delta"),
        pytest.param([[entry("{}", name="f")], [entry('{"a":1}', name="f")]], id="ollama-two-deltas"),
        pytest.param([[entry("{}", index=0, name="f"), entry('{"a":1}', index=0, name="f")]], id="all-zero-at-once"),
        pytest.param([[entry("{}", index=0, name="f")], [entry('{"a":1}', index=0, name="f")]], id="all-zero"),
        pytest.param([[entry("{}", index=0, name="f")], [entry('{"a":1}', index=1, name="f")]], id="by-index"),
    ],
)
def test_calls_without_ids_are_told_apart_and_get_ids(no_id: dict[str, Any], deltas: list[Entries]) -> None:
    calls, _ = assemble(*[[{**one, **no_id} for one in entries] for entries in deltas])
    assert calls == [(MADE_UP, "f", "{}"), (MADE_UP, "f", '{"a":1}')]


@pytest.mark.parametrize(
    "deltas",
    [
        pytest.param([[entry("", name="f")], [entry("{}", name="g")]], id="without-index"),
        pytest.param([[entry("", index=-1, name="f")], [entry("{}", index=-1, name="g")]], id="index-minus-one"),
        pytest.param([[entry("", index=0, name="f"), entry("{}", index=0, name="g")]], id="one-delta"),
    ],
)
def test_a_name_without_an_id_begins_a_call_after_one_without_arguments(deltas: list[Entries]) -> None:
    assert assemble(*deltas)[0] == [(MADE_UP, "f", ""), (MADE_UP, "g", "{}")]


def test_a_repeated_name_in_the_middle_of_an_object_is_no_other_call() -> None:
    calls, _ = assemble([entry('{"a":{}', index=0, name="f")], [entry("}", index=0, name="f")])
    assert calls == [(MADE_UP, "f", '{"a":{}}')]


def test_the_first_id_stays() -> None:
    header = {"index": 0, "id": "x", "name": "f"}
    assert assemble([entry('{"a"', **header)], [entry(index=0, id="y")], [entry(":1}", **header)])[0] == ONE_CALL


def test_a_made_up_id_depends_on_the_seed_and_the_place_alone() -> None:
    def first_id(seed: str, *, place: int = 0) -> str:
        before: list[Any] = [None] * place
        calls = ToolCalls(before)
        (added, *_) = calls.feed([entry("{}", name="f")], seed)
        assert isinstance(added, OutputItemAdded)
        assert isinstance(added.item, FunctionCall)
        return added.item.call_id

    ids = [first_id("r1"), first_id("r2"), first_id("r1", place=1)]
    assert ids == [first_id("r1"), first_id("r2"), first_id("r1", place=1)]
    assert len(set(ids)) == 3
    assert all(call_id.startswith("call_") and len(call_id) <= 40 for call_id in ids)


def test_an_id_that_comes_after_the_announcement_is_not_taken_over() -> None:
    calls, events = assemble([entry('{"a"', index=0, name="f")], [entry(":1}", index=0, id="x")])
    assert calls == [(MADE_UP, "f", '{"a":1}')]
    assert len([event for event in events if isinstance(event, OutputItemAdded)]) == 1


def test_a_late_id_still_leads_to_its_call() -> None:
    calls, _ = assemble(
        [entry("1", name="f")], [entry("", id="x")], [entry("2", id="y", name="g")], [entry("3", id="x")]
    )
    assert calls == [(MADE_UP, "f", "13"), ("y", "g", "2")]


def test_arguments_before_the_name_are_given_right_after_it_in_one_piece() -> None:
    _, events = assemble([entry('{"a"', index=0, id="x")], [entry(":", index=0)], [entry("1}", index=0, name="f")])
    assert events == [
        OutputItemAdded(FunctionCall(call_id="x", name="f", arguments=""), 0),
        ToolCallInputDelta('{"a":1}', "x", None, 0),
    ]


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ({}, "{}"),
        ({"city": "Zürich", "n": [1, None, True]}, '{"city":"Zürich","n":[1,null,true]}'),
        ([1, 2], "[1,2]"),
        (5, "5"),
        ("", ""),
        (None, ""),
        ("not json", "not json"),
    ],
)
def test_arguments_that_are_not_text_become_compact_json(arguments: Any, expected: str) -> None:
    assert assemble([{"index": 0, "id": "x", "function": {"name": "f", "arguments": arguments}}])[0] == [
        ("x", "f", expected)
    ]


def test_a_zero_argument_call_has_empty_arguments_and_no_delta() -> None:
    calls, events = assemble([entry("", index=0, id="x", name="f")], [entry("", index=0)])
    assert calls == [("x", "f", "")]
    assert len(events) == 1


def test_the_first_name_stays() -> None:
    calls, _ = assemble([entry("", index=0, id="x", name="f")], [entry("{}", index=0, id="x", name="g")])
    assert calls == [("x", "f", "{}")]


def test_ids_that_two_calls_share_do_not_mix_them_where_they_have_an_index() -> None:
    items: list[Any] = []
    ToolCalls(items).feed([entry("1", index=0, id="0", name="f"), entry("2", index=1, id="0", name="g")], "seed")
    assert [item.build() for item in items] == [
        FunctionCall(call_id="0", name="f", arguments="1"),
        FunctionCall(call_id="0", name="g", arguments="2"),
    ]


@pytest.mark.parametrize(
    "odd", [None, 5, "x", [], {}, {"function": None}, {"function": "f"}, {"function": {"name": 3}}]
)
def test_entries_of_any_other_shape_make_no_call(odd: Any) -> None:
    items: list[Any] = []
    calls = ToolCalls(items)
    assert calls.feed([odd], "seed") == []
    assert [item.build() for item in items] == [None]
    assert calls.unnamed_arguments == []


def test_a_call_without_a_name_is_not_announced_but_told() -> None:
    items: list[Any] = []
    calls = ToolCalls(items)
    assert calls.feed([entry('{"a"', index=0, id="x"), entry("2", index=1, id="y")], "seed") == []
    assert calls.feed([entry(":1}", index=0), entry("{}", index=2, id="z", name="f")], "seed") != []
    assert calls.unnamed_arguments == ['{"a":1}', "2"]
    assert [item.build() for item in items] == [None, None, FunctionCall(call_id="z", name="f", arguments="{}")]


def test_a_custom_call_is_a_custom_tool_call() -> None:
    items: list[Any] = []
    calls = ToolCalls(items)
    header = {"index": 0, "id": "x", "type": "custom", "custom": {"name": "shell", "input": ""}}
    assert calls.feed([header], "seed") == [OutputItemAdded(CustomToolCall(call_id="x", name="shell", input=""), 0)]
    assert calls.feed([{"index": 0, "custom": {"input": "ls -l"}}], "seed") == [
        ToolCallInputDelta("ls -l", "x", None, 0)
    ]
    assert [item.build() for item in items] == [CustomToolCall(call_id="x", name="shell", input="ls -l")]
