"""Calls and their outputs: ids that a server takes, always in pairs; and histories mended by leaving orphans out."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, strategies as st

from codex_client.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    LocalShellCall,
    Message,
    OtherItem,
    ResponseItem,
    WebSearchCall,
)
from codex_client.model_provider import ModelProviderInfo, WireApi, built_in_providers
from codex_client.payload.calls import fitting_id, with_fitting_ids, without_orphans
from codex_client.payload.chat import ChatPayloadBuilder
from codex_client.payload.history import checked_items
from codex_client.payload.responses import ResponsesPayloadBuilder
from codex_client.prompt import Prompt

OPENAI = built_in_providers()["openai"]
GENERIC = ModelProviderInfo(name="some", base_url="http://localhost:9000/v1")
SAID = Message.user("hi")


def call(call_id: str) -> FunctionCall:
    return FunctionCall(call_id=call_id, name="f", arguments="{}")


def output(call_id: str) -> FunctionCallOutput:
    return FunctionCallOutput(call_id=call_id, output="1")


def other(kind: str, call_id: Any) -> OtherItem:
    return OtherItem.model_validate({"type": kind, "call_id": call_id})


@pytest.mark.parametrize("call_id", ["call_1", "a" * 64, "toolu_01 x:y;z=~!", ""])
def test_an_id_that_the_server_takes_stays(call_id: str) -> None:
    assert fitting_id(call_id, 64) == call_id


@pytest.mark.parametrize("call_id", ["a" * 65, "<call>", "a<b", "ä", "a\nb", "\x7f", "\ud800"])
def test_v7_any_other_is_replaced_always_by_the_same(call_id: str) -> None:
    fitted = fitting_id(call_id, 64)
    assert re.fullmatch(r"call_[0-9a-f]{24}", fitted)
    assert fitting_id(call_id, 64) == fitted
    assert fitting_id(fitted, 64) == fitted
    assert fitting_id(call_id + "x", 64) != fitted


LONG = "x" * 70
PAIRS: list[list[ResponseItem]] = [
    [call(LONG), output(LONG)],
    [CustomToolCall(call_id=LONG, name="c", input=""), CustomToolCallOutput(call_id=LONG, output="")],
    [LocalShellCall(call_id=LONG, action={}), output(LONG)],
    [LocalShellCall(id=LONG, action={}), output(LONG)],
    [LocalShellCall(id=LONG, action={}), OtherItem.model_validate({"type": "local_shell_call_output", "id": LONG})],
    [other("shell_call", LONG), other("shell_call_output", LONG)],
    [other("hologram_call", LONG), other("hologram_result", LONG)],
]


@pytest.mark.parametrize(
    "pair", PAIRS, ids=["function", "custom", "shell", "shell_by_id", "shell_output", "without_a_model", "unknown"]
)
def test_v7_a_call_and_its_output_stay_a_pair(pair: list[ResponseItem]) -> None:
    prompt = Prompt([SAID, *pair])
    _, asked, answered = ResponsesPayloadBuilder(model="m", provider=OPENAI).build(prompt)["input"]
    assert asked["call_id"] == answered.get("call_id", answered.get("id")) == fitting_id(LONG, 64)
    same = ResponsesPayloadBuilder(model="m", provider=GENERIC).build(prompt)["input"]
    assert same[1]["call_id"] == LONG


def test_v7_openais_chat_api_takes_ids_of_forty_characters() -> None:
    openai = ModelProviderInfo(name="openai", base_url="https://api.openai.com/v1", wire_api=WireApi.CHAT)
    for call_id, fits in (("y" * 40, True), ("y" * 41, False)):
        prompt = Prompt([SAID, call(call_id), output(call_id)])
        _, asked, answered = ChatPayloadBuilder(model="m", provider=openai).build(prompt)["messages"]
        assert asked["tool_calls"][0]["id"] == answered["tool_call_id"]
        assert (asked["tool_calls"][0]["id"] == call_id) is fits


def test_ids_go_back_as_they_came_where_no_rule_is_known() -> None:
    items = [call("<" + LONG), output("<" + LONG)]
    assert with_fitting_ids(items, None) == items


@pytest.mark.parametrize("call_id", [None, 5, "x" * 64])
def test_an_item_that_nobody_knows_keeps_a_call_id_that_is_none(call_id: Any) -> None:
    item = other("hologram_call", call_id)
    assert with_fitting_ids([item], 64) == [item]


@pytest.mark.parametrize(
    "items, kept",
    [
        pytest.param([SAID, call("1"), output("1")], [0, 1, 2], id="whole"),
        pytest.param([SAID, output("1")], [0], id="F6b_output_without_call"),
        pytest.param([SAID, call("1")], [0], id="F6b_call_without_output"),
        pytest.param([output("1"), call("1")], [], id="output_before_its_call"),
        pytest.param([call("1"), SAID, output("1")], [0, 1, 2], id="apart"),
        pytest.param([call("1"), output("1"), output("1")], [0, 1], id="second_output"),
        pytest.param([call("1"), call("1"), output("1")], [0, 2], id="second_call"),
        pytest.param([call("1"), output("1"), call("1"), output("1")], [0, 1], id="a_pair_of_a_used_id"),
        pytest.param([call("1"), CustomToolCallOutput(call_id="1", output="")], [], id="output_of_another_sort"),
        pytest.param([call(""), output("")], [], id="no_id"),
        pytest.param(PAIRS[4], [0, 1], id="shell"),
        pytest.param([*PAIRS[5], other("shell_call_output", "2"), other("shell_call", "3")], [0, 1], id="no_model"),
        pytest.param([other("hologram_call", "1"), other("shell_call", 5)], [0, 1], id="what_nothing_is_known_of"),
        pytest.param([WebSearchCall(status="completed"), SAID], [0, 1], id="what_needs_no_output"),
    ],
)
def test_orphans_are_left_out_and_nothing_else(items: list[ResponseItem], kept: list[int]) -> None:
    assert without_orphans(items) == [items[index] for index in kept]


IDS = st.sampled_from(["1", "2", "3", ""])
HALVES: st.SearchStrategy[Any] = st.one_of(
    IDS.map(call),
    IDS.map(output),
    IDS.map(lambda call_id: CustomToolCall(call_id=call_id, name="c", input="")),
    IDS.map(lambda call_id: CustomToolCallOutput(call_id=call_id, output="")),
    IDS.map(lambda call_id: LocalShellCall(call_id=call_id, action={})),
    IDS.map(lambda call_id: other("shell_call", call_id)),
    IDS.map(lambda call_id: other("shell_call_output", call_id)),
    IDS.map(lambda call_id: OtherItem.model_validate({"type": "local_shell_call_output", "id": call_id})),
    st.just(SAID),
)


@given(st.lists(HALVES, max_size=10))
def test_any_history_can_be_mended_so_and_needs_it_only_once(items: list[ResponseItem]) -> None:
    mended = without_orphans(items)
    assert checked_items(Prompt([SAID, *mended])) == [SAID, *mended]
    assert without_orphans(mended) == mended
