"""The three forms of a fixture as the bytes of an event stream, and what is said of a file that is in none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_client.client.fixtures import load_fixture
from codex_client.client.framer import SseFramer
from codex_client.errors import ConfigurationError

ODD = b"\xef\xbb\xbf: comment\r\ndata:{broken\rdata: \xff\n\nno end"


def fixture(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def frames_of(body: bytes) -> list[tuple[str, str]]:
    return [(frame.event, frame.data) for frame in SseFramer().feed(body)]


def test_a_raw_stream_is_taken_as_it_is(tmp_path: Path):
    path = fixture(tmp_path, "a.SSE", ODD)
    assert load_fixture(path) == load_fixture(str(path)) == ODD


@pytest.mark.parametrize("suffix", [".jsonl", ".txt"])
@pytest.mark.parametrize(
    "content, body",
    [
        pytest.param('data: {"a":1}\ndata: {"b":2}\n', b'data: {"a":1}\n\ndata: {"b":2}\n\n', id="codexs_own_lines"),
        pytest.param('{"a":1}\n[DONE]', b'data: {"a":1}\n\ndata: [DONE]\n\n', id="the_json_alone"),
        pytest.param('event: x\ndata: {"a":1}', b'event: x\n\ndata: {"a":1}\n\n', id="an_event_line_is_its_own_block"),
        pytest.param('\n  \n  {"a":1} \r\n\r\n', b'data: {"a":1}\n\n', id="blank_lines_and_crlf"),
        pytest.param(": ping\nid: 7\nretry: 5\ndata", b": ping\n\nid: 7\n\nretry: 5\n\ndata\n\n", id="other_fields"),
        pytest.param("data: {broken", b"data: {broken\n\n", id="a_line_that_is_meant_to_be_broken"),
        pytest.param('\ufeff{"a":1}', b'data: {"a":1}\n\n', id="a_byte_order_mark"),
        pytest.param(
            '{"a":"\u2028\u0085"}', 'data: {"a":"\u2028\u0085"}\n\n'.encode(), id="no_line_ends_but_cr_and_lf"
        ),
        pytest.param("", b"", id="nothing"),
    ],
)
def test_each_line_is_a_frame(tmp_path: Path, suffix: str, content: str, body: bytes):
    assert load_fixture(fixture(tmp_path, f"a{suffix}", content)) == body


@pytest.mark.parametrize(
    "content, body",
    [
        pytest.param("[]", b"", id="nothing"),
        pytest.param(
            '[{"type": "a", "n": 1.0}, "[DONE]"]', b'data: {"type":"a","n":1.0}\n\ndata: [DONE]\n\n', id="events"
        ),
        pytest.param('["two\\nlines"]', b"data: two\ndata: lines\n\n", id="a_string_of_two_lines"),
        pytest.param('[{"a":"é\\u2028"}]', 'data: {"a":"é\u2028"}\n\n'.encode(), id="text_as_utf8"),
        pytest.param('[{"a":"\\ud83d"}]', b'data: {"a":"\\ud83d"}\n\n', id="a_lone_surrogate_stays_an_escape"),
        pytest.param("\ufeff[]", b"", id="a_byte_order_mark"),
    ],
)
def test_a_list_gives_a_frame_for_each_event(tmp_path: Path, content: str, body: bytes):
    assert load_fixture(fixture(tmp_path, "a.json", content)) == body


def test_the_forms_of_one_stream_give_the_same_frames(tmp_path: Path):
    bodies = [
        load_fixture(fixture(tmp_path, "a.sse", 'data: {"a":1}\n\ndata: [DONE]\n\n')),
        load_fixture(fixture(tmp_path, "a.jsonl", '{"a":1}\n[DONE]\n')),
        load_fixture(fixture(tmp_path, "a.txt", 'event: a\ndata: {"a":1}\n\ndata: [DONE]\n')),
        load_fixture(fixture(tmp_path, "a.json", '[\n  {"a": 1},\n  "[DONE]"\n]\n')),
    ]
    assert [frames_of(body) for body in bodies] == [[("message", '{"a":1}'), ("message", "[DONE]")]] * 4


@pytest.mark.parametrize(
    "name, content, words",
    [
        pytest.param("a.yaml", b"", ["suffix '.yaml'", ".sse", ".jsonl", ".txt", ".json"], id="unknown_suffix"),
        pytest.param("a", b"", ["suffix ''"], id="no_suffix"),
        pytest.param(
            "a.jsonl",
            b'{"a":1}\n\n{"a":}\n',
            ["line 3", "nor JSON (expecting value at column 6)", "`data: `"],
            id="line",
        ),
        pytest.param("a.txt", b'{"a":"\xff"}', ["line 1", "invalid UTF-8"], id="line_that_is_no_utf8"),
        pytest.param("a.json", b'[\n  {"a":1},\n  {"a" 1}\n]', ["line 3", "not JSON", "column 8"], id="list"),
        pytest.param("a.json", b'["\xff"]', ["not JSON (invalid UTF-8)"], id="list_that_is_no_utf8"),
        pytest.param("a.json", b'{"a":1}', ["holds a JSON object", "list of events"], id="one_object"),
        pytest.param("a.json", b'"x"', ["holds a JSON string"], id="one_string"),
        pytest.param("a.json", b'[{}, "", null]', ["event 3 is a JSON null"], id="null_as_event"),
        pytest.param("a.json", b"[1.5]", ["event 1 is a JSON number"], id="number_as_event"),
        pytest.param("a.json", b"[true]", ["event 1 is a JSON boolean"], id="boolean_as_event"),
        pytest.param("a.json", b"[[]]", ["event 1 is a JSON list"], id="list_as_event"),
    ],
)
def test_a_file_in_none_of_the_forms_is_refused(tmp_path: Path, name: str, content: bytes, words: list[str]):
    path = fixture(tmp_path, name, content)
    with pytest.raises(ConfigurationError) as caught:
        load_fixture(path)
    assert [word for word in [repr(str(path)), *words] if word not in caught.value.message] == []


def test_a_missing_file_is_named_with_the_folder_it_was_looked_for_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as relative:
        load_fixture("folder/missing.sse")
    assert str(relative.value) == f"[Errno 2] no such fixture, looked for from {str(tmp_path)!r}: 'folder/missing.sse'"
    with pytest.raises(FileNotFoundError) as absolute:
        load_fixture(tmp_path / "missing.json")
    assert str(absolute.value) == f"[Errno 2] no such fixture: {str(tmp_path / 'missing.json')!r}"


def test_an_unknown_suffix_is_refused_before_the_file_is_looked_for():
    with pytest.raises(ConfigurationError):
        load_fixture("missing.yaml")
