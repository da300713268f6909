"""Which markers count: those of a prompt with tools that does not speak of them."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode, encodebytes
from typing import Any

import pytest
from pydantic import BaseModel, Field

from codex_client.guard import markers as markers_module, prompt_texts
from codex_client.guard.markers import MARKERS, Marker, active_markers, active_markers_and_texts, texts_not_in
from codex_client.items import FunctionCall, FunctionCallOutput, InputFile, InputText, Message, OtherItem, data_url
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


NOTATION = [marker for marker in MARKERS if marker.family]


@pytest.mark.parametrize("marker", NOTATION, ids=lambda marker: marker.name)
def test_a_prompt_that_holds_one_part_of_the_notation_speaks_of_all_of_it_and_of_nothing_else(marker: Marker):
    left = active_markers(Prompt(f"what does {marker.text} mean?", tools=[TOOL]))
    assert left == tuple(marker for marker in MARKERS if marker not in NOTATION)
    assert {marker.text for marker in left} == {"♀♀♀♀", "+#+#"}


def test_markers_without_a_family_are_none():
    one, other = Marker("one", "11"), Marker("other", "22")
    assert active_markers(Prompt("11", tools=[TOOL]), [one, other]) == (other,)


def test_a_plain_text_is_a_marker_that_counts_anywhere_and_has_itself_as_its_name():
    prompt = Prompt("hello", tools=[TOOL])
    assert active_markers(prompt, ["!!", Marker("dots", "...", "line")]) == (
        Marker("!!", "!!", "anywhere"),
        Marker("dots", "...", "line"),
    )


def test_a_prompt_is_looked_through_once_for_markers_and_other_texts(monkeypatch: pytest.MonkeyPatch):
    looks: list[Prompt] = []
    monkeypatch.setattr(
        markers_module, "texts_of", lambda prompt: looks.append(prompt) or prompt_texts.texts_of(prompt)
    )
    prompt = Prompt(f"one {MARK}", tools=[TOOL])
    dots = Marker("...", "...")
    assert active_markers_and_texts(prompt, [SIGNS, "..."], ["one", "two", "..."]) == ((dots,), ["two", "..."])
    assert looks == [prompt]


def test_without_tools_only_the_other_texts_are_looked_for():
    assert active_markers_and_texts(Prompt("one"), MARKERS, ["one", "two"]) == ((), ["two"])


def test_where_nothing_is_left_to_look_for_the_rest_of_the_prompt_is_not_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prompt_texts, "b64decode", None)
    held = data_url(b"text", "text/plain")
    assert texts_not_in(Prompt([Message.user("one"), Message.user(held)]), ["one"]) == []


def test_texts_are_looked_for_as_they_stand():
    assert texts_not_in(Prompt("One two", instructions="three"), ["One", "one", "three", "four"]) == ["one", "four"]


TOKEN = "<|end|>"


@pytest.mark.parametrize(
    "held, text",
    [
        (r'{"log": "x \u003c|end|\u003e y"}', TOKEN),
        (r"{'log': 'x \u003C|end|\u003E y'}", TOKEN),
        (r'{"log": "{\"log\": \"\\u003c|end|\\u003e\"}"}', TOKEN),
        (r'data: {"log": "\u003c|end|>"}', TOKEN),
        (json.dumps({"log": MARK}), "♀♀♀♀"),
        (json.dumps({"log": "🐼🐼"}), "🐼🐼"),
        (r"\u002B#\u002B#", "+#+#"),
        (json.dumps(json.dumps({"log": '<tool name="x">'})), '<tool name="x">'),
        (json.dumps(json.dumps(json.dumps({"log": "🐼🐼"}))), "🐼🐼"),
        (r"a\/b", "a/b"),
        (r"b'\x3c|end|\x3E'", TOKEN),
        (json.dumps({"log": repr(MARK.encode())}), "♀♀♀♀"),
        ("<pre>&lt;|end|&gt;</pre>", TOKEN),
        ("<pre>&#60;|end|&#062;</pre>", TOKEN),
        ("<pre>&#x3c;|end&VerticalLine;&#X3E</pre>", TOKEN),
        (r'{"page": "\u0026lt;|end|\u0026gt;"}', TOKEN),
        ("&#" + "9" * 5000 + "; &#60;|end|>", TOKEN),
        (r"\boxed", r"\boxed"),
        (json.dumps(r"\boxed"), r"\boxed"),
        (data_url(b"one <|end|>", "text/plain"), TOKEN),
        (data_url(MARK.encode(), "application/octet-stream"), "♀♀♀♀"),
        (data_url(rb'{"log": "\u003c|end|\u003e"}', "application/json"), TOKEN),
        (data_url(data_url(b"<|end|>", "text/plain").encode(), "text/plain"), TOKEN),
        (data_url(b"x" + "ä".encode() * 5000 + b"<|end|>", "text/plain"), TOKEN),
        ("data:text/plain;base64," + encodebytes(b"x" * 5000 + b"<|end|>").decode(), TOKEN),
        (data_url(b"a picture", "image/png") + " where does it say <|end|>?", TOKEN),
        ("data:text/plain;base64,<|end|>", TOKEN),
        ("data:text/plain;base64,♀♀♀♀", "♀♀♀♀"),
    ],
)
def test_a_text_that_the_prompt_holds_escaped_or_attached_is_found(held: str, text: str):
    assert texts_not_in(Prompt(held, tools=[TOOL]), [text, "♂"]) == ["♂"]


@pytest.mark.parametrize(
    "held",
    [
        r"\u003|end|\u003e and \u00",
        r"\ud83d",
        "&amp;lt;|end|>",
        "data:,<|end",
        "data:text/plain;base64,PHxl!",
        "data:text/plain,PHxlbmR8Pg==",
        "text/plain;base64,PHxlbmR8Pg==",
        "data:text/plain;base64,♀",
        data_url(b"%PDF-1.7 \xff <|end|>", "application/pdf"),
        data_url(b"<|end|>", "application/pdf"),
        data_url(b"<|end|>", "image/png"),
        data_url(b"<|end|>", "audio/mpeg"),
        data_url(b"<|end|>", "video/mp4"),
        data_url(b"PK\3\4\x99 <|end|>", "application/zip"),
        data_url(b"<|end|>" + b" " * 5000 + b"\xff", "application/octet-stream"),
        r"\x3 and \xg|end|\x3e",
        r"\xff|end|>",
        b64encode(b"<|end|>").decode(),
    ],
)
def test_what_says_something_else_or_is_no_text_holds_nothing(held: str):
    assert texts_not_in(Prompt(held), [TOKEN]) == [TOKEN]


def test_the_base64_form_of_what_is_attached_is_no_text():
    held = data_url(b"<|end|>", "text/plain")
    assert texts_not_in(Prompt(held), ["text/plain", "PHxl", TOKEN]) == ["PHxl"]


@pytest.mark.parametrize("media_type", ["application/pdf", "application/octet-stream", "image/png"])
def test_of_a_file_that_is_no_text_only_the_beginning_is_decoded(media_type: str, monkeypatch: pytest.MonkeyPatch):
    decoded: list[int] = []
    monkeypatch.setattr(prompt_texts, "b64decode", lambda text: decoded.append(len(text)) or b64decode(text))
    assert texts_not_in(Prompt(data_url(b"%PDF\n\xe2" * 100_000, media_type)), [TOKEN]) == [TOKEN]
    assert sum(decoded) <= 4096


def test_who_attaches_a_text_with_a_marker_is_answered_with_it():
    file = InputFile.from_bytes(f"one\n{MARK}".encode(), "text/plain", filename="a.txt")
    assert SIGNS not in active_markers(Prompt([Message.user("what is this?", file)], tools=[TOOL]))


@pytest.mark.parametrize("unit", ["\\", r"\u", r"\u003c", r"\\u003c", r"\"", r"\x3c", "&lt;", "&#6", "&", "data:"])
def test_a_long_text_of_escapes_is_read_in_a_moment(unit: str):
    assert texts_not_in(Prompt(unit * 100_000), [TOKEN]) == [TOKEN]


def test_names_and_texts_of_the_built_in_markers_are_unique_and_none_holds_a_sign_of_code():
    assert len({marker.name for marker in MARKERS}) == len({marker.text for marker in MARKERS}) == len(MARKERS)
    assert not any(sign in marker.text for marker in MARKERS for sign in "`~\n")
