"""The project's own fixtures: listed in their README, and each adding up to what `expected.json` says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import to_jsonable_python

from codex_client import stream_from_fixture
from codex_client.aggregate import CollectedResponse, TurnAccumulator
from codex_client.client.fixtures import load_fixture
from codex_client.client.framer import SseFramer
from codex_client.decode.chat import ChatDecoder
from codex_client.decode.responses import ResponsesDecoder
from codex_client.errors import CodexError
from codex_client.events import Completed, ResponseEvent

FIXTURES = Path(__file__).parent.parent / "fixtures"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FIXTURES / "expected.json").read_text("utf-8"))
# Beside the streams.
OTHER_FILES = {"README.md", "expected.json", ".gitattributes"}

each_fixture = pytest.mark.parametrize("name", EXPECTED)


def wire_api_of(name: str) -> str:
    return name.partition("/")[0]


def pieces(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def decode(name: str, chunks: Iterable[bytes]) -> tuple[list[ResponseEvent], CodexError | None]:
    """The events of a fixture, and what ended it where that was no completion."""
    framer = SseFramer()
    decoder = ChatDecoder() if wire_api_of(name) == "chat" else ResponsesDecoder()
    events: list[ResponseEvent] = []
    for frame in chain.from_iterable(framer.feed(chunk) for chunk in chunks):
        events += decoder.feed(frame)
        if decoder.finished:
            return events, decoder.failure
    try:
        events += decoder.feed_eof()
    except CodexError as error:
        return events, error
    return events, decoder.failure


def added_up(events: Iterable[ResponseEvent]) -> CollectedResponse:
    accumulator = TurnAccumulator()
    accumulator.feed(events)
    return accumulator.response()


def described(response: CollectedResponse, error: CodexError | None, expected: dict[str, Any]) -> dict[str, Any]:
    """The outcome in the form of `expected.json`; of an error as many attributes as are expected."""
    facts = {
        "response_id": response.response_id,
        "model": response.model,
        "items": [item.type for item in response.items],
        "reasoning_summary": response.reasoning_summary,
        "reasoning_text": response.reasoning_text,
        "text": response.text,
        "refusal": response.refusal,
        "tool_calls": [[call.call_id, call.name, call.arguments] for call in response.tool_calls],
        "finish_reason": response.finish_reason,
        # A stream puts what a failure says of it on `.partial`; a decoder leaves it on the error.
        "token_usage": to_jsonable_python(response.token_usage or getattr(error, "token_usage", None)),
        "rate_limits": [snapshot.limit_id for snapshot in response.rate_limits],
    }
    known = {name: fact for name, fact in facts.items() if fact not in (None, "", [])}
    if response.end_turn is not None:
        known["end_turn"] = response.end_turn
    if error is not None:
        names = expected.get("error", {}).keys() - {"class"}
        attributes = {name: to_jsonable_python(getattr(error, name)) for name in names}
        known["error"] = {"class": type(error).__name__, **attributes}
    return known


def test_the_readme_lists_exactly_the_fixtures_there_are():
    files = {path.relative_to(FIXTURES).as_posix() for path in FIXTURES.rglob("*") if path.is_file()} - OTHER_FILES
    rows = re.findall(r"^\| \[(.+?)\]\((.+?)\) \| (.+?) \|$", (FIXTURES / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(target for _, target, _ in rows) == sorted(files)
    # Those of `provider/` are scenarios and say themselves what is expected.
    assert sorted(EXPECTED) == sorted(name for name in files if not name.startswith("provider/"))
    assert [name for name, target, shows in rows if not target.endswith(f"/{name}") or not shows.strip()] == []


@each_fixture
def test_a_fixture_adds_up_to_what_is_expected_of_it(name: str):
    events, error = decode(name, [load_fixture(FIXTURES / name)])
    expected = EXPECTED[name]
    assert described(added_up(events), error, expected) == expected


@each_fixture
def test_a_fixture_gives_the_same_events_however_it_is_cut(name: str):
    body = load_fixture(FIXTURES / name)
    whole, error = decode(name, [body])
    for size in (1, 7, 100):
        cut, cut_error = decode(name, pieces(body, size))
        assert (cut, repr(cut_error)) == (whole, repr(error))


@each_fixture
def test_a_fixture_that_completes_says_so_last_and_once(name: str):
    events, error = decode(name, [load_fixture(FIXTURES / name)])
    completed = [place for place, event in enumerate(events, start=1) if isinstance(event, Completed)]
    assert completed == ([] if error else [len(events)])


@each_fixture
async def test_a_fixture_can_be_streamed(name: str):
    expected = EXPECTED[name]
    async with stream_from_fixture(FIXTURES / name, wire_api=wire_api_of(name), chunk_size=50) as stream:
        if "error" not in expected:
            assert described(await stream.collect(), None, expected) == expected
            return
        with pytest.raises(CodexError) as caught:
            await stream.collect()
        assert caught.value.partial is not None
        assert described(caught.value.partial, caught.value, expected) == expected


@pytest.mark.parametrize("wire_api", ["responses", "chat"])
def test_the_answer_of_the_weather_pair_belongs_to_its_call(wire_api: str):
    turns = [f"{wire_api}/weather-{turn}.sse" for turn in ("call", "answer")]
    call, answer = (added_up(decode(name, [load_fixture(FIXTURES / name)])[0]) for name in turns)
    assert [(each.name, json.loads(each.arguments)) for each in call.tool_calls] == [
        ("get_weather", {"city": "Bergen"})
    ]
    assert "Bergen" in answer.text
    assert answer.token_usage is not None
    assert answer.token_usage.cached_input_tokens > 0


def test_every_form_of_a_fixture_appears():
    assert {Path(name).suffix for name in EXPECTED} == {".sse", ".jsonl", ".txt", ".json"}


def test_line_ends_are_as_written():
    assert b"\r\n" in (FIXTURES / "responses/comments-crlf.sse").read_bytes()
    assert {name for name in EXPECTED if b"\r" in (FIXTURES / name).read_bytes()} == {"responses/comments-crlf.sse"}


@each_fixture
def test_no_fixture_holds_what_looks_like_a_secret_or_a_person(name: str):
    text = (FIXTURES / name).read_text("utf-8")
    assert re.findall(r"\bsk-\w|Bearer |\beyJ\w|\borg-\w|\bproj_\w|@[a-z]+\.[a-z]", text) == []
