"""`codex-client stream`: what is asked, what is shown where, and how it ends."""

from __future__ import annotations

import base64
import io
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from codex_client.cli.turn_output import event_json
from codex_client.clients.generic import GenericClient
from codex_client.errors import DroppedParameterWarning
from codex_client.model_provider import WireApi
from codex_client.sync import stream_from_fixture
from codex_client.testing import (
    ReplayServer,
    Reply,
    Stall,
    chat_turn,
    ev_completed,
    ev_created,
    ev_item_done,
    ev_reasoning_summary_delta,
    ev_reasoning_summary_part_added,
    ev_reasoning_text_delta,
    ev_text_delta,
    message_item,
    responses_turn,
    sse,
)
from tests.support.command_line import CommandLine, Screen, interrupt, plain
from tests.support.secrecy import assert_unseen

FIXTURES = Path(__file__).parents[2] / "fixtures"
TEXT = "The quick brown fox."
Serve = Callable[[Any], ReplayServer]


@pytest.fixture
def serve(line: CommandLine) -> Iterator[Serve]:
    blocks: list[Any] = []

    def start(script: Any) -> ReplayServer:
        block = line.portal.wrap_async_context_manager(ReplayServer(script, strict=True))
        server = block.__enter__()
        blocks.append((server, block))
        return server

    yield start
    for server, block in blocks:
        try:
            line.portal.call(server.idle)
        finally:
            block.__exit__(None, None, None)


def asked(line: CommandLine, server: ReplayServer, *arguments: str, **options: Any) -> Result:
    return line.run("stream", "--model", "test-model", "--base-url", server.base_url, *arguments, **options)


def fixture(name: str) -> str:
    return str(FIXTURES / name)


USAGE = "gpt-5, 42 tokens in (16 cached), 23 out (8 reasoning), 0 s\n"


@pytest.mark.parametrize("form", [[], ["--json"], ["--raw"]], ids=lambda form: "".join(form) or "text")
def test_the_turn_goes_to_standard_output_and_what_it_has_used_to_standard_error(
    line: CommandLine, serve: Serve, form: list[str]
):
    server = serve(sse(responses_turn(TEXT)))
    told, quiet = asked(line, server, "Hi", *form), asked(line, server, "Hi", "--quiet", *form)
    assert (told.exit_code, told.stderr) == (0, USAGE)
    assert (quiet.exit_code, quiet.stderr) == (0, "")
    assert quiet.stdout == told.stdout
    assert told.stdout == f"{TEXT}\n" or form


def test_the_other_api_is_an_option(line: CommandLine, serve: Serve):
    server = serve(sse(chat_turn(TEXT), done=True))
    ended = asked(line, server, "Hi", "--wire-api", "chat")
    assert (ended.exit_code, ended.stdout) == (0, f"{TEXT}\n")
    assert [request.path for request in server.requests] == ["/v1/chat/completions"]


def test_whom_to_ask_is_told_by_the_environment(line: CommandLine, serve: Serve, monkeypatch: pytest.MonkeyPatch):
    server = serve(sse(responses_turn(TEXT)))
    monkeypatch.setenv("CODEX_CLIENT_BASE_URL", server.base_url)
    monkeypatch.setenv("CODEX_CLIENT_MODEL", "model-of-the-environment")
    monkeypatch.setenv("CODEX_CLIENT_API_KEY", "sk-of-the-environment")
    ended = line.run("stream", "Hi")
    assert (ended.exit_code, ended.stdout) == (0, f"{TEXT}\n")
    assert server.requests[0].json()["model"] == "model-of-the-environment"
    assert server.requests[0].headers["authorization"] == "Bearer sk-of-the-environment"


def test_every_option_of_the_prompt_is_sent(line: CommandLine, serve: Serve, tmp_path: Path):
    server = serve(sse(responses_turn("{}")))
    schema, image = tmp_path / "schema.json", tmp_path / "cat.png"
    schema.write_text('{"type": "object", "properties": {"name": {"type": "string"}}}')
    image.write_bytes(b"png")
    options = ("--instructions", "Be brief.", "--effort", "high", "--verbosity", "low", "--max-output-tokens", "99")
    ended = asked(line, server, "Who?", *options, "--schema", str(schema), "--image", str(image), "--reasoning")
    assert ended.exit_code == 0, ended.stderr
    body = server.requests[0].json()
    assert body["input"][0]["content"] == [
        {"type": "input_text", "text": "Who?"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{base64.b64encode(b'png').decode()}"},
    ]
    assert (body["instructions"], body["max_output_tokens"]) == ("Be brief.", 99)
    assert body["reasoning"] == {"effort": "high", "summary": "auto"}
    assert body["text"]["verbosity"] == "low"
    assert body["text"]["format"]["schema"]["properties"] == {"name": {"type": "string"}}


@pytest.mark.parametrize("way", ["argument", "file", "piped", "dash"])
def test_the_prompt_is_an_argument_a_file_or_standard_input(line: CommandLine, serve: Serve, tmp_path: Path, way: str):
    server, file = serve(sse(responses_turn(TEXT))), tmp_path / "prompt.txt"
    file.write_text("Why «so»?\n", "utf-8")
    arguments = {"argument": ["Why «so»?\n"], "file": ["--file", str(file)], "piped": [], "dash": ["-"]}[way]
    ended = asked(line, server, *arguments, piped="Why «so»?\n" if way in ("piped", "dash") else "unread")
    assert ended.exit_code == 0, ended.stderr
    assert server.requests[0].json()["input"][0]["content"][0]["text"] == "Why «so»?\n"


class Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["Hi", "--file", "x"], "give the prompt as an argument or by --file, not both"),
        (["Hi", "--json", "--raw"], "--json and --raw are two forms"),
        (["Hi", "--max-output-tokens", "0"], "greater than or equal to 1"),
        ([], "what shall be asked?"),
        (["  "], "the prompt is empty"),
        (["--file", "nowhere.txt"], "nowhere.txt could not be read: No such file or directory"),
        (["Hi", "--image", "cat.txt"], "cat.txt has no name of an image"),
        (["Hi", "--image", "nowhere.png"], "nowhere.png could not be read"),
        (["Hi", "--schema", "nowhere.json"], "nowhere.json could not be read"),
        (["Hi", "--provider", "nonsense"], "unknown provider 'nonsense'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_asked_is_wrong_usage(line: CommandLine, arguments: list[str], told: str):
    ended = line.run("stream", "--model", "m", *arguments, stdin=Keyboard())
    assert ended.exit_code == 2
    assert told in " ".join(ended.stderr.replace("│", " ").split())
    assert ended.stdout == ""


@pytest.mark.parametrize("content, told", [("[1]", "holds no JSON object"), ("{", "is no JSON"), (b"\xff", "no UTF-8")])
def test_a_schema_that_is_none_is_wrong_usage(line: CommandLine, tmp_path: Path, content: str | bytes, told: str):
    file = tmp_path / "schema.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    ended = line.run("stream", "--model", "m", "Hi", "--schema", str(file))
    assert (ended.exit_code, told in ended.stderr) == (2, True)


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["nowhere.sse"], "nowhere.sse could not be read"),
        ([__file__], "has the suffix '.py'"),
        (["x.sse", "Hi"], "leave out PROMPT"),
        (["x.sse", "-i", "Be brief.", "--schema", "s.json"], "leave out --instructions, --schema"),
        (["x.sse", "--image", "a.png", "--effort", "low", "-m", "m"], "leave out --effort, --image, --model"),
        (["x.sse", "--base-url", "http://127.0.0.1:9/v1", "--strict"], "leave out --base-url, --strict"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_a_fixture_cannot_be_or_makes_nothing_of_is_wrong_usage(
    line: CommandLine, arguments: list[str], told: str
):
    ended = line.run("stream", "--fixture", *arguments)
    assert ended.exit_code == 2
    assert told in " ".join(ended.stderr.replace("│", " ").split())


def test_a_fixture_is_shown_with_every_option_of_showing(line: CommandLine):
    ended = line.run(
        "stream", "--fixture", fixture("responses/text.sse"), "-r", "-q", "--json", "--wire-api", "responses"
    )
    assert (ended.exit_code, ended.stderr) == (0, "")


@pytest.mark.parametrize("way", ["argument", "piped"])
def test_bytes_that_are_no_text_are_told_as_such(line: CommandLine, way: str):
    undecoded = b"caf\xe9".decode("utf-8", "surrogateescape")
    options: dict[str, Any] = {"stdin": io.StringIO(undecoded)} if way == "piped" else {}
    ended = line.run("stream", "--model", "m", *([undecoded] if way == "argument" else []), **options)
    assert (ended.exit_code, "the prompt has bytes that are no text" in ended.stderr) == (2, True), ended.output


def test_standard_input_that_is_no_text_is_wrong_usage(line: CommandLine):
    piped = io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), "utf-8")
    ended = line.run("stream", "--model", "m", stdin=piped)
    assert (ended.exit_code, "standard input is no utf-8 text (byte 0)" in ended.stderr) == (2, True)


def test_no_model_is_wrong_usage_and_told_in_the_words_of_the_command_line(line: CommandLine):
    ended = line.run("stream", "Hi", "--provider", "ollama")
    told = "error: no model given; name one by --model, or set CODEX_CLIENT_MODEL\n"
    assert (ended.exit_code, ended.stderr) == (2, told)


@pytest.mark.parametrize("provider, told", [("nope", "unknown provider 'nope'; known are"), ("groq", "GROQ_API_KEY")])
def test_what_is_wrong_with_the_provider_is_told_before_a_missing_model(line: CommandLine, provider: str, told: str):
    ended = line.run("stream", "Hi", "--provider", provider)
    assert (ended.exit_code, told in ended.stderr, "model" in ended.stderr) == (2, True, False)


def test_an_effort_that_the_model_does_not_take_is_told_without_python(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    ended = line.run("stream", "Hi", "--model", "gpt-5", "--effort", "max", "--provider", "openai")
    assert ended.exit_code == 2
    assert "'max'" in ended.stderr
    assert "high" in ended.stderr
    assert "catalogue" not in ended.stderr


def test_retries_are_as_many_as_are_allowed(line: CommandLine, serve: Serve):
    server = serve(500)
    for retries in ("0", "2"):
        ended = asked(line, server, "Hi", "--retries", retries)
        assert ended.exit_code == 1
    assert len(server.requests) == 1 + 3
    assert "give more --retries, or try again later" in ended.stderr


def test_an_empty_answer_is_asked_anew_but_without_guards(
    line: CommandLine, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    server = serve(sse([ev_created(), ev_completed()]))
    monkeypatch.setenv("CODEX_CLIENT_PROVIDER", "chatgpt")
    monkeypatch.setenv("CODEX_CLIENT_BASE_URL", server.base_url)
    monkeypatch.setenv("CODEX_CLIENT_API_KEY", "sk-test")
    guarded = line.run("stream", "Hi", "--model", "gpt-5")
    assert (guarded.exit_code, len(server.requests)) == (1, 3)
    assert "or take such answers with --no-guards" in guarded.stderr
    bare = line.run("stream", "Hi", "--model", "gpt-5", "--no-guards")
    assert (bare.exit_code, len(server.requests)) == (0, 4)


def test_what_a_provider_does_not_take_is_left_out_or_with_strict_an_error(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CODEX_CLIENT_PROVIDER", "chatgpt")
    monkeypatch.setenv("CODEX_CLIENT_BASE_URL", line.server.base_url)
    line.keep()
    arguments = ("stream", "Hi", "--model", "gpt-5", "--max-output-tokens", "9")
    dropped, strict = line.run(*arguments), line.run(*arguments, "--strict")
    assert (dropped.exit_code, strict.exit_code) == (0, 2), dropped.stderr
    assert dropped.stderr.startswith("warning: ")
    assert "max_output_tokens" in strict.stderr
    assert "do without --strict" in strict.stderr


def test_a_key_that_is_missing_is_told_with_its_variable(line: CommandLine):
    ended = line.run("stream", "Hi", "--model", "m", "--provider", "openrouter")
    assert ended.exit_code == 2
    assert "set OPENROUTER_API_KEY" in ended.stderr


def test_logins_serve_and_none_of_them_is_shown(line: CommandLine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CODEX_CLIENT_PROVIDER", "chatgpt")
    monkeypatch.setenv("CODEX_CLIENT_BASE_URL", line.server.base_url)
    none = line.run("stream", "Hi", "--model", "gpt-5")
    assert (none.exit_code, none.stdout) == (3, "")
    line.keep()
    ended = line.run("stream", "Hi", "--model", "gpt-5", "--json")
    assert ended.exit_code == 0, ended.stderr
    assert [json.loads(each)["type"] for each in ended.stdout.splitlines()][-1] == "completed"
    assert_unseen(ended.output + none.output, line.server.secrets)


@pytest.mark.parametrize("status, exit_code", [(401, 1), (429, 1), (500, 1)])
def test_a_refusal_is_one_line(line: CommandLine, serve: Serve, status: int, exit_code: int):
    ended = asked(line, serve(status), "Hi")
    assert (ended.exit_code, ended.stdout) == (exit_code, "")
    assert ended.stderr.startswith("error: ")
    assert len(ended.stderr.splitlines()) == 1


def test_an_answer_that_breaks_off_ends_its_line_and_is_said_to_be_no_whole_one(line: CommandLine):
    ended = line.run("stream", "--fixture", fixture("responses/incomplete.sse"))
    assert (ended.exit_code, ended.stdout) == (1, "The history of the lighthouse begins in 1802, when the harbour\n")
    warning, error = ended.stderr.splitlines()
    assert warning == "warning: the answer ends after 62 characters; it is not whole"
    assert error.startswith("error: incomplete response returned, reason: max_output_tokens")


@pytest.mark.parametrize(
    "name", ["text.sse", "codex-lines.txt", "local-shell.json", "refusal.sse", "raw-reasoning.sse"]
)
def test_a_fixture_gives_its_text_once(line: CommandLine, name: str):
    path = FIXTURES / "responses" / name
    expected = json.loads((FIXTURES / "expected.json").read_text("utf-8"))[f"responses/{name}"]
    ended = line.run("stream", "--fixture", str(path))
    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout.strip() == (expected.get("text") or expected.get("refusal") or "").strip()


def test_messages_begin_on_lines_of_their_own(line: CommandLine, serve: Serve):
    events = [
        ev_created(),
        ev_text_delta("One", output_index=0, item_id="msg_1"),
        ev_item_done(message_item("One", item_id="msg_1"), output_index=0),
        ev_item_done(message_item("Two", item_id="msg_2"), output_index=1),
        ev_completed(),
    ]
    assert asked(line, serve(sse(events)), "Hi").stdout == "One\nTwo\n"


def test_reasoning_and_calls_go_to_standard_error(line: CommandLine):
    shown = line.run("stream", "--fixture", fixture("responses/weather-call.sse"), "--reasoning")
    assert shown.stdout == "I will look at today's weather in Bergen.\n"
    thought, call = shown.stderr.rsplit("\n", 3)[:2]
    assert thought == (
        "**Looking up the weather**\n\nWhether an umbrella is needed depends on today's weather in Bergen."
    )
    assert call == 'call: get_weather({"city":"Bergen"})'
    quiet = line.run("stream", "--fixture", fixture("responses/weather-call.sse"), "--quiet")
    assert (quiet.stdout, quiet.stderr) == (shown.stdout, "")


@pytest.mark.parametrize("name", ["responses/weather-call.sse", "responses/web-search.sse", "chat/reasoning.sse"])
def test_json_is_one_event_a_line(line: CommandLine, name: str):
    wire_api = WireApi.CHAT if name.startswith("chat") else WireApi.RESPONSES
    ended = line.run("stream", "--fixture", fixture(name), "--json", "--wire-api", wire_api.value)
    with stream_from_fixture(FIXTURES / name, wire_api=wire_api, clock=line.clock) as stream:
        expected = [event_json(event) for event in stream]
    shown = [json.loads(each) for each in ended.stdout.splitlines()]
    assert as_sent(shown) == as_sent(json.loads(json.dumps(expected)))
    assert shown[-1]["type"] == "completed"
    assert ended.stdout.isascii()


def as_sent(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """When a limit was told, and to whom a reasoning belongs, is no part of what was sent."""
    for each in events:
        each.get("snapshot", {}).pop("fetched_at", None)
        each.get("item", {}).pop("issuer", None)
    return events


@pytest.mark.parametrize("name", ["comments-crlf.sse", "rotating-ids.sse", "unnamed-frames.sse"])
def test_raw_is_the_stream_to_the_byte(line: CommandLine, serve: Serve, name: str):
    body = (FIXTURES / "responses" / name).read_bytes()
    offline = line.run("stream", "--fixture", fixture(f"responses/{name}"), "--raw")
    live = asked(line, serve(Reply.from_sse(body, cut=11)), "Hi", "--raw")
    assert (offline.stdout_bytes, live.stdout_bytes) == (body, body)


def test_raw_shows_nothing_of_a_refused_request(line: CommandLine, serve: Serve):
    ended = asked(line, serve(400), "Hi", "--raw")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: ")


def test_a_terminal_is_told_what_was_used_and_quiet_is_not(line: CommandLine, serve: Serve):
    server = serve(sse(responses_turn(TEXT)))
    told = asked(line, server, "Hi", terminal=True)
    assert told.exit_code == 0
    assert TEXT in line.shown
    assert "tokens in" in line.shown
    asked(line, server, "Hi", "--quiet", terminal=True)
    assert plain(line.screen.getvalue()) == f"{TEXT}\n"


def test_a_terminal_is_not_steered_by_what_a_model_writes(line: CommandLine, serve: Serve):
    server = serve(sse(responses_turn("\x1b]0;owned\x07a\tb\nc\x9b2J", reasoning_summary="\x1b[2Jthought")))
    for form in ([], ["--raw"]):
        asked(line, server, "Hi", "--reasoning", "--quiet", *form, terminal=Screen())
        shown = line.screen.getvalue()
        assert "thought" in shown
        assert not {"\x07", "\x9b"} & set(shown)
        assert "\x1b]" not in shown
        assert "\x1b[2J" not in shown
    piped = asked(line, server, "Hi")
    assert piped.stdout == "\x1b]0;owned\x07a\tb\nc\x9b2J\n"


def test_a_terminal_gets_every_letter_that_is_text(line: CommandLine, serve: Serve):
    # Blanks that do not break, narrow and wide ones, what joins and parts letters, a family, a flag of tags.
    text = "5\xa0€ 1\u202f000 日\u3000本 می\u200cخواهم 👩\u200d👧 🏴\U000e0067\U000e007f \u200eLTR \ue000"
    server = serve(sse(responses_turn(f"{text}\u202e\u2066\x85", reasoning_summary=text)))
    asked(line, server, "Hi", "--reasoning", "--quiet", terminal=True)
    assert plain(line.screen.getvalue()) == f"{text}\n{text}\n"


def test_reasoning_and_text_share_a_terminal_line_by_line(line: CommandLine, serve: Serve):
    server = serve(sse(responses_turn("Answer.", reasoning_summary="Thought.")))
    asked(line, server, "Hi", "--reasoning", "--quiet", terminal=True)
    assert plain(line.screen.getvalue()) == "Thought.\nAnswer.\n"


def test_the_parts_of_a_reasoning_are_paragraphs_and_text_between_them_is_on_lines_of_its_own(
    line: CommandLine, serve: Serve
):
    events = [
        ev_created(),
        *(ev_reasoning_summary_part_added(0), ev_reasoning_summary_delta("One.", summary_index=0)),
        *(ev_reasoning_summary_part_added(1), ev_reasoning_summary_delta("Two.", summary_index=1)),
        ev_text_delta("Text", output_index=1),
        ev_reasoning_text_delta("Three.", output_index=2),
        ev_text_delta("more", output_index=3),
        ev_completed(usage=None),
    ]
    asked(line, serve(sse(events)), "Hi", "--reasoning", terminal=True)
    shown = [each.strip() for each in plain(line.screen.getvalue()).splitlines() if "waiting" not in each]
    assert shown[-7:-1] == ["One.", "", "Two.", "Text", "Three.", "more"]
    assert "token usage not told" in shown[-1]


def test_a_warning_of_the_library_is_a_line_for_people(
    line: CommandLine, serve: Serve, monkeypatch: pytest.MonkeyPatch
):
    def warned(client: GenericClient, prompt: Any, stream: Any = GenericClient.stream) -> Any:
        warnings.warn("something was left out", DroppedParameterWarning, stacklevel=2)
        return stream(client, prompt)

    monkeypatch.setattr(GenericClient, "stream", warned)
    ended = asked(line, serve(sse(responses_turn(TEXT))), "Hi")
    assert (ended.stdout, ended.stderr) == (f"{TEXT}\n", f"warning: something was left out\n{USAGE}")


def begun() -> Reply:
    """One line, and nothing more."""
    body = sse([ev_created(), ev_text_delta("Begun\n")])
    return Reply.from_sse(body).at(len(body), Stall())


def test_ctrl_c_closes_the_stream_and_exits_130(line: CommandLine, serve: Serve):
    server = serve(begun())
    with line.process("stream", "Hi", "--model", "m", "--base-url", server.base_url) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Begun\n"
        status, out, err = interrupt(process)
    assert (status, out, err) == (130, "", "warning: the answer ends after 6 characters; it is not whole\n")


def test_ctrl_c_ends_the_line_that_is_open(line: CommandLine, serve: Serve):
    body = sse([ev_created(), ev_text_delta("Begun")])
    server = serve(Reply.from_sse(body).at(len(body), Stall()))
    for arguments, told in (([], "warning: the answer ends after 5 characters; it is not whole\n"), (["-q"], "")):
        with line.process("stream", "Hi", "-m", "m", "--base-url", server.base_url, *arguments) as process:
            assert process.stdout is not None
            assert process.stdout.read(5) == "Begun"
            assert interrupt(process) == (130, "\n", told)
    line.portal.call(server.idle)


def test_a_reader_that_has_gone_is_not_worth_a_word(line: CommandLine, serve: Serve):
    server = serve(begun())
    with line.process("stream", "Hi", "--model", "m", "--base-url", server.base_url) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(60) != 0
        assert process.stderr.read() == ""
    line.portal.call(server.idle)
