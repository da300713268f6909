"""What both decoders need to look at a frame."""

from __future__ import annotations

import json
import re

import pytest
from httpx_sse import ServerSentEvent
from hypothesis import given, strategies as st

from codex_client.decode.wire import (
    as_count,
    as_index,
    as_json_text,
    as_list,
    as_object,
    as_text,
    is_complete_json,
    json_type,
    leading_type,
    parse_json,
    wire_type,
)
from codex_client.errors import MalformedFrameError


@pytest.mark.parametrize(
    "event, data, expected",
    [
        ("response.created", '{"type":"other"}', "response.created"),
        ("response.created", "not json", "response.created"),
        ("", '{"type":"response.created","item":{"type":"message"}}', "response.created"),
        ("message", ' {\n "type" : "keepalive"}', "keepalive"),
        ("", '{"item":{"type":"message"},"type":"response.output_item.done"}', "response.output_item.done"),
        ("", '{"item":{"type":"message"}}', ""),
        ("", '{"type":"response\\u002ecreated"}', "response.created"),
        ("", '{"type":5}', ""),
        ("", '{"type":null}', ""),
        ("", '["type"]', ""),
        ("", '{"a":1,"type":"cut', ""),
        ("", "[DONE]", ""),
        ("", '{"object":"chat.completion.chunk","choices":[]}', ""),
        ("", "", ""),
    ],
)
def test_the_type_is_the_event_name_else_the_type_in_the_json(event: str, data: str, expected: str) -> None:
    assert wire_type(ServerSentEvent(event, data)) == expected


def test_the_leading_type_is_read_without_a_look_into_the_object() -> None:
    assert leading_type('{"type":"error","message":') == "error"
    assert leading_type('{"message":"x","type":"error"}') == ""
    assert json_type('{"message":"x","type":"error"}') == "error"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nul",
        '{"a":1',
        '{"a":1}x',
        "[" * 100_000,
        '{"a":"\\ud83d',
        '"\\ud8"',
        '"\\',
        "data: {}",
        '{"a":"\\ud8\\u0041"}',
    ],
)
def test_what_is_not_json_raises_with_its_beginning_and_what_to_do(text: str) -> None:
    with pytest.raises(MalformedFrameError) as raised:
        parse_json(text)
    assert raised.value.excerpt in (text, text[:299] + "…")
    assert str(raised.value) == (
        f"a frame of {len(text)} characters is not valid JSON: {raised.value.excerpt!r}; "
        "the server or a proxy in between broke it: try again, "
        "or skip such frames with `StreamLimits.tolerate_malformed`"
    )


def test_no_key_gets_into_the_error_of_a_broken_frame() -> None:
    with pytest.raises(MalformedFrameError) as raised:
        parse_json('{"headers":{"authorization":"Bearer sk-abcdefghijklmnopqrstuvwxyz"')
    assert "abcdefghij" not in repr(raised.value) + raised.value.excerpt


@pytest.mark.parametrize(
    "text, expected",
    [
        ('{"a":"x\\ud83dy"}', {"a": "x\ufffdy"}),
        ('{"a":"\\uDE00"}', {"a": "\ufffd"}),
        ('["\\ud83d\\ud83d\\ude00"]', ["\ufffd\U0001f600"]),
        ('["\\\\ud83d", "\\\\\\ud83d"]', ["\\ud83d", "\\\ufffd"]),
        ('{"\\ud83d":1}', {"\ufffd": 1}),
    ],
)
def test_half_an_emoji_becomes_a_replacement_character(text: str, expected: object) -> None:
    assert parse_json(text) == expected


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_valid_json_is_read_as_it_is(value: object) -> None:
    for ascii_only in (True, False):
        assert parse_json(json.dumps(value, ensure_ascii=ascii_only)) == value


@given(st.text(st.characters(categories=["Cs", "L"]), max_size=8))
def test_any_escaped_utf16_is_read_and_can_be_encoded(text: str) -> None:
    read = parse_json(json.dumps(text))
    # Two halves that stand together are one character, in whichever way they got there.
    paired = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    assert read == re.sub("[\ud800-\udfff]", "\ufffd", paired)


@pytest.mark.parametrize(
    "text, whole",
    [
        ("{}", True),
        ('{"a":"b"}', True),
        ("1", True),
        (' {"a": [1, 2]} ', True),
        ("", False),
        ('{"a":', False),
        ("{}{", False),
    ],
)
def test_arguments_are_complete_when_they_are_one_json_value(text: str, whole: bool) -> None:
    assert is_complete_json(text) is whole


@pytest.mark.parametrize(
    "value, expected",
    [
        (5, 5),
        (0, 0),
        (12.0, 12),
        (12.9, 12),
        (-1, 0),
        (True, 0),
        (None, 0),
        ("5", 0),
        (float("nan"), 0),
        (float("inf"), 0),
    ],
)
def test_a_count_is_never_negative_and_never_missing(value: object, expected: int) -> None:
    assert as_count(value) == expected


@pytest.mark.parametrize(
    "value, expected", [(5, 5), (0, 0), (-1, None), (True, None), (1.0, None), ("1", None), (None, None)]
)
def test_an_index_is_a_whole_number_or_missing(value: object, expected: int | None) -> None:
    assert as_index(value) == expected


@pytest.mark.parametrize(
    "arguments, expected",
    [('{"a": 1', '{"a": 1'), ("", ""), (None, ""), ({"ä": [1, 2]}, '{"ä":[1,2]}'), ({}, "{}"), (False, "false")],
)
def test_arguments_are_text_whatever_the_server_made_of_them(arguments: object, expected: str) -> None:
    assert as_json_text(arguments) == expected


def test_what_is_of_another_type_counts_as_empty() -> None:
    assert (as_object([1]), as_list({"a": 1}), as_text(5)) == ({}, [], "")
    assert (as_object({"a": 1}), as_list([1]), as_text("a")) == ({"a": 1}, [1], "a")
