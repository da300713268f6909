"""`codex-client record` and `replay`: what a server sent, kept without its secrets, and played again."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from typer.testing import Result

from codex_client.cli.recordings import Played, wire_api_of
from codex_client.cli.served_recording import ServedRecording
from codex_client.model_provider import WireApi
from codex_client.sync import stream_from_fixture
from codex_client.testing import (
    ManualClock,
    Pause,
    RecordedChunk,
    RecordedRequest,
    Recording,
    ReplayServer,
    Reply,
    Send,
    chat_turn,
    load_recording,
    responses_turn,
    sse,
)
from tests.support.command_line import CommandLine, HookedClock, interrupt
from tests.support.secrecy import assert_unseen

FIXTURES = Path(__file__).parents[2] / "fixtures"
TEXT = "The quick brown fox."
KEY = "sk-test-0123456789abcdefghij"


@pytest.fixture
def server(line: CommandLine) -> Iterator[ReplayServer]:
    """It rests a second after the first event and half a second after the second."""
    first, second, *rest = Reply.from_events(responses_turn(TEXT)).steps
    reply = Reply.from_sse(b"").at(0, first, Pause(1.0), second, Pause(0.5), *rest)
    clock = HookedClock()
    with line.portal.wrap_async_context_manager(
        ReplayServer({"/responses": reply, "/chat/completions": sse(chat_turn(TEXT), done=True)}, clock=clock)
    ) as server:
        yield server


def recorded(line: CommandLine, server: ReplayServer, output: Path, *arguments: str) -> Result:
    return line.run("record", "Hi", "--model", "m", "--base-url", server.base_url, "--output", str(output), *arguments)


def pauses(clock: HookedClock) -> list[float]:
    return [each for each in clock.sleeps if each]


def test_a_recording_is_a_fixture_and_a_replay(
    line: CommandLine, server: ReplayServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    body, whole = tmp_path / "answer.sse", tmp_path / "answer.jsonl"
    ended = recorded(line, server, body)
    assert (ended.exit_code, ended.stdout) == (0, f"{TEXT}\n")
    assert f"with status 200 (complete) are in {body}" in ended.stderr
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    with stream_from_fixture(body) as stream:
        assert stream.collect().text == TEXT
    assert load_recording(whole).body == body.read_bytes() == sse(responses_turn(TEXT))
    assert_unseen(whole.read_text() + body.read_text() + ended.output, {KEY})
    for path in (body, whole):
        played = line.run("replay", str(path), "--quiet")
        assert (played.exit_code, played.stdout, played.stderr) == (0, f"{TEXT}\n", "")
        assert line.run("stream", "--fixture", str(path)).stdout == f"{TEXT}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_only_the_owner_may_read_a_recording(line: CommandLine, server: ReplayServer, tmp_path: Path):
    recorded(line, server, tmp_path / "answer.jsonl")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("answer.*")}
    assert modes == {"answer.sse": 0o600, "answer.jsonl": 0o600}


@pytest.mark.parametrize(
    "path", sorted(FIXTURES.glob("[cr][he]*/*.*")), ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_a_file_tells_its_api_by_its_first_frame(path: Path):
    assert Played.load(path).wire_api is (WireApi.CHAT if path.parent.name == "chat" else WireApi.RESPONSES)


@pytest.mark.parametrize("body", [b"", b"data: [DONE]\n\n", b"data: {\n\n", b"data: [1]\n\n", b"data: {}\n\n"])
def test_a_stream_that_tells_nothing_is_taken_for_one_of_the_responses_api(body: bytes):
    assert wire_api_of(body) is WireApi.RESPONSES
    assert wire_api_of(body.replace(b"data: {\n\n", b"") + b'data: {"choices": []}\n\n') is WireApi.CHAT


def test_a_fixture_of_the_other_api_needs_no_option_and_an_option_wins(line: CommandLine):
    path = str(FIXTURES / "chat/text.sse")
    for arguments in (["replay", path], ["stream", "--fixture", path]):
        assert line.run(*arguments).exit_code == 0
        assert line.run(*arguments, "--wire-api", "responses").exit_code == 1


def test_a_recording_knows_its_api(line: CommandLine, server: ReplayServer, tmp_path: Path):
    path = tmp_path / "answer.jsonl"
    recorded(line, server, path, "--wire-api", "chat")
    ended = line.run("replay", str(path))
    assert (ended.exit_code, ended.stdout) == (0, f"{TEXT}\n"), ended.stderr


@pytest.mark.parametrize("name", ["answer.sse", "answer.jsonl"])
def test_nothing_is_overwritten_and_nothing_asked_then(
    line: CommandLine, server: ReplayServer, tmp_path: Path, name: str
):
    (tmp_path / name).write_text("mine")
    ended = recorded(line, server, tmp_path / "answer.sse")
    assert (ended.exit_code, server.requests) == (2, [])
    assert f"{tmp_path / name} is there already and is not overwritten" in ended.stderr
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("name, told", [("a.txt", "another suffix"), ("nowhere/a.sse", "is not there; make it first")])
def test_a_place_that_will_not_do_is_told_before_anything_is_asked(
    line: CommandLine, server: ReplayServer, tmp_path: Path, name: str, told: str
):
    ended = recorded(line, server, tmp_path / name)
    assert (ended.exit_code, server.requests) == (2, [])
    assert told in " ".join(ended.stderr.replace("│", " ").split())


def test_the_last_attempt_is_kept_and_a_failed_turn_as_well(line: CommandLine, tmp_path: Path):
    replies = [500, sse(responses_turn(TEXT)), sse(responses_turn(TEXT)[:3]), *[400] * 9]
    with line.portal.wrap_async_context_manager(ReplayServer(replies)) as server:
        second = recorded(line, server, tmp_path / "second.sse")
        third = recorded(line, server, tmp_path / "third.sse")
    assert second.exit_code == 0, second.stderr
    assert "of attempt 2;" in second.stderr
    assert load_recording(tmp_path / "second.jsonl").status == 200
    assert third.exit_code == 1
    assert (tmp_path / "third.sse").exists()


def test_a_server_that_is_not_there_leaves_no_file(line: CommandLine, server: ReplayServer, tmp_path: Path):
    ended = line.run(
        "record", "Hi", "--model", "m", "--base-url", "http://127.0.0.1:9/v1", "--output", str(tmp_path / "a.sse")
    )
    assert (ended.exit_code, list(tmp_path.glob("a.*"))) == (1, [])


@pytest.mark.parametrize("speed, rests", [([], [1.0, 0.5]), (["--speed", "4"], [0.25, 0.125]), (["--speed", "0"], [])])
def test_a_replay_keeps_its_pace(line: CommandLine, tmp_path: Path, speed: list[str], rests: list[float]):
    path = tmp_path / "paced.jsonl"
    pace(path)
    ended = line.run("replay", str(path), *speed)
    assert (ended.exit_code, ended.stdout) == (0, f"{TEXT}\n"), ended.stderr
    assert pauses(line.clock)[: len(rests) + 1] == pytest.approx(rests)


def pace(path: Path) -> None:
    """A recording whose first chunk came after a second, its second half a second later."""
    first, *rest = (step.content for step in Reply.from_events(responses_turn(TEXT)).steps if isinstance(step, Send))
    chunks = (RecordedChunk(1.0, first), RecordedChunk(1.5, b"".join(rest)))
    Recording(
        method="POST",
        url="https://api.test/v1/responses",
        status=200,
        headers=(("content-type", "text/event-stream"), ("x-request-id", "req_1")),
        chunks=chunks,
    ).save(path)


def test_a_recorded_refusal_fails_as_it_did(line: CommandLine, tmp_path: Path):
    path = tmp_path / "refused.jsonl"
    body = json.dumps({"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}).encode()
    Recording(method="POST", url="https://api.test/v1/responses", status=429, chunks=(RecordedChunk(0, body),)).save(
        path
    )
    ended = line.run("replay", str(path))
    assert (ended.exit_code, "429" in ended.stderr) == (1, True)


@pytest.mark.parametrize(
    "content, told",
    [
        (b'{"format": "codex_client.recording/1", "request": {}}\n', "is a broken recording"),
        (b"nonsense\n", "neither a field of an event stream nor JSON"),
        (None, "could not be read: No such file or directory"),
    ],
)
def test_a_file_that_is_no_recording_is_wrong_usage(
    line: CommandLine, tmp_path: Path, content: bytes | None, told: str
):
    path = tmp_path / "broken.jsonl"
    if content is not None:
        path.write_bytes(content)
    ended = line.run("replay", str(path))
    assert (ended.exit_code, told in ended.stderr) == (2, True), ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--port", "4000"], ["--serve", "--json"], ["--serve", "--reasoning"]])
def test_options_that_do_not_go_together_are_wrong_usage(line: CommandLine, arguments: list[str]):
    assert line.run("replay", str(FIXTURES / "responses/text.sse"), *arguments).exit_code == 2


def test_a_served_recording_answers_other_programs_until_ctrl_c(line: CommandLine):
    file = str(FIXTURES / "responses/text.sse")
    with line.process("replay", file, "--serve") as process:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        answers = [post(f"{base_url}/responses", stream=True) for _ in range(2)]
        whole = post(f"{base_url}/responses", model="gpt-5").json()
        elsewhere = post(f"{base_url}/other")
        again = line.run("replay", file, "--serve", "--port", str(urlsplit(base_url).port))
        status, _, err = interrupt(process)
    body = (FIXTURES / "responses/text.sse").read_bytes()
    assert [each.content for each in answers] == [body, body]
    assert (whole["object"], whole["model"], whole["status"]) == ("response", "gpt-5", "completed")
    assert elsewhere.status_code == 404
    assert elsewhere.json()["error"]["message"].startswith("POST /v1/other is not served; the recording answers POST")
    assert (status, err.count("POST /v1/responses"), "Traceback" in err) == (130, 3, False)
    assert (again.exit_code, "cannot be had: " in again.stderr) == (2, True), again.stderr
    assert "--port" in again.stderr


def post(url: str, **body: Any) -> Any:
    return httpx.post(url, json=body, trust_env=False, timeout=60)


SERVED_WHOLE = [
    ("responses/text.sse", 200, ["output", -1, "content", 0, "text"], "Tides follow the moon"),
    ("responses/incomplete.sse", 200, ["incomplete_details", "reason"], "max_output_tokens"),
    ("responses/failed-context-length.sse", 400, ["error", "code"], "context_length_exceeded"),
    ("chat/text.sse", 200, ["choices", 0, "message", "content"], "A kilogram of feathers"),
]


@pytest.mark.parametrize("name, status, place, told", SERVED_WHOLE, ids=[each[0] for each in SERVED_WHOLE])
async def test_a_caller_that_wants_no_stream_gets_the_recording_whole(
    name: str, status: int, place: list[str | int], told: str
):
    clock = ManualClock(auto_advance=True)
    served = await ServedRecording.load(FIXTURES / name, wire_api=None, speed=1.0, clock=clock)
    for body in (b'{"stream": false}', b"{}", b"[1]", b"nothing"):
        reply = served.answer(RecordedRequest("POST", f"/v1{served.played.wire_api.path}", httpx.Headers(), body))
        value: Any = json.loads(reply.content)
        assert reply.status == status
        for step in place:
            value = value[step]
        assert value.startswith(told)


async def test_a_recorded_refusal_is_served_as_it_was(tmp_path: Path):
    path, body = tmp_path / "refused.jsonl", b'{"error": {"message": "slow down"}}'
    Recording(method="POST", url="https://api.test/v1/responses", status=429, chunks=(RecordedChunk(0, body),)).save(
        path
    )
    clock = ManualClock(auto_advance=True)
    served = await ServedRecording.load(path, wire_api=None, speed=1.0, clock=clock)
    reply = served.answer(RecordedRequest("POST", "/v1/responses", httpx.Headers(), b"{}"))
    assert (reply.status, reply.content) == (429, body)
