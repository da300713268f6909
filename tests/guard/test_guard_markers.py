"""Which markers count: those of a prompt with tools that does not speak of them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field

from codex_client.guard.markers import MARKERS, Marker, active_markers, texts_not_in
from codex_client.items import FunctionCall, FunctionCallOutput, InputText, Message, OtherItem
from codex_client.prompt import CustomTool, FunctionTool, Prompt, RawTool

TOOL = FunctionTool("look", "Looks.", {"type": "object", "properties": {}})
MARK = "sign: ♀♀♀♀"
SIGNS = Marker("sign run", "♀♀♀♀")


class Noted(BaseModel):
    note: str = Field(description=MARK)


def test_all_built_in_markers_count_where_the_prompt_offers_tools():
    assert active_markers(Prompt("hello", tools=[TOOL])) == MARKERS


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt("hello", extra={"tools": [{"type": "function", "name": "look"}]}),
        Prompt([{"type": "additional_tools", "tools": [{"type": "function", "name": "look"}]}, Message.user("hello")]),
    ],
    ids=["extra", "item"],
)
def test_tools_in_the_extra_fields_and_in_an_item_count_as_tools(prompt: Prompt):
    assert active_markers(prompt) == MARKERS


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt("hello"),
        Prompt("hello", extra={"tools": []}),
        Prompt("hello", extra={}),
        Prompt([{"type": "additional_tools", "tools": []}, {"type": "additional_tools"}]),
        Prompt([{"type": "odd", "tools": [{"type": "function", "name": "look"}]}]),
    ],
)
def test_no_marker_counts_where_the_prompt_offers_no_tools(prompt: Prompt):
    assert active_markers(prompt) == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"input": f"what does {MARK} mean?"},
        {"instructions": f"never write {MARK}"},
        {"input": [Message.developer(f"{MARK}!")]},
        {"input": [Message(role="user", content=[InputText(text=MARK)])]},
        {"input": [{"role": "user", "content": MARK}]},
        {"input": [FunctionCall(call_id="c", name="look", arguments=MARK), Message.user("go on")]},
        {"input": [FunctionCallOutput(call_id="c", output=f"a file with {MARK} in it")]},
        {"input": [FunctionCallOutput(call_id="c", output=[InputText(text=MARK)])]},
        {"input": [OtherItem.model_validate({"type": "odd", "deep": {"list": [1, None, MARK]}})]},
        {"tools": [FunctionTool("look", f"Finds {MARK}.")]},
        {"tools": [FunctionTool("look", parameters={"type": "object", "properties": {MARK: {}}})]},
        {"tools": [CustomTool("look", MARK)]},
        {"tools": [RawTool({"type": "odd", "note": MARK})]},
        {"output_schema": {"type": "object", "properties": {"note": {"type": "string", "description": MARK}}}},
        {"output_schema": Noted},
        {"extra": {"note": MARK}},
    ],
)
def test_a_marker_that_stands_in_the_prompt_does_not_count(fields: dict[str, Any]):
    prompt = Prompt(**{"input": "hello", "tools": [TOOL], **fields})
    left = active_markers(prompt)
    assert [marker for marker in MARKERS if marker not in left] == [SIGNS]


def test_a_prompt_that_holds_one_control_token_speaks_of_all_of_them_and_of_nothing_else():
    left = active_markers(Prompt("what does <|channel|> mean?", tools=[TOOL]))
    assert left == tuple(marker for marker in MARKERS if not marker.text.startswith("<|"))
    assert SIGNS in left


def test_markers_without_a_family_are_none():
    one, other = Marker("one", "11"), Marker("other", "22")
    assert active_markers(Prompt("11", tools=[TOOL]), [one, other]) == (other,)


def test_a_plain_text_is_a_marker_that_counts_anywhere_and_has_itself_as_its_name():
    prompt = Prompt("hello", tools=[TOOL])
    assert active_markers(prompt, ["!!", Marker("dots", "...", "line")]) == (
        Marker("!!", "!!", "anywhere"),
        Marker("dots", "...", "line"),
    )


def test_texts_are_looked_for_as_they_stand():
    assert texts_not_in(Prompt("One two", instructions="three"), ["One", "one", "three", "four"]) == ["one", "four"]


def test_names_and_texts_of_the_built_in_markers_are_unique_and_none_holds_a_sign_of_code():
    assert len({marker.name for marker in MARKERS}) == len({marker.text for marker in MARKERS}) == len(MARKERS)
    assert not any(sign in marker.text for marker in MARKERS for sign in "`~\n")
