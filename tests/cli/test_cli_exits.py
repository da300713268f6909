"""What all commands share: exit statuses, errors, colours, the entry point."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
from typer.testing import CliRunner

from codex_client.auth.store import MemoryTokenStore
from codex_client.cli.advice import in_command_words
from codex_client.cli.app import app
from codex_client.cli.exits import EXIT_HELP, ExitStatus, exit_status
from codex_client.cli.interrupts import end_on_interrupt, interruptible
from codex_client.cli.output import local_time, printable, with_iso
from codex_client.cli.quota import QUOTA_HELP
from codex_client.cli.surroundings import new_console
from codex_client.credentials.pool_state import MemoryPoolState
from codex_client.errors import (
    CodexError,
    ConfigurationError,
    LoginError,
    LoginRequiredError,
    MissingExtraError,
    PoolExhaustedError,
    TokenRefreshError,
    TokenStoreError,
)
from codex_client.testing import Reply
from codex_client.version import __version__
from tests.support.command_line import CommandLine, hearing_interrupts
from tests.support.error_texts import texts_of_errors
from tests.support.secrecy import assert_unseen

full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows replaces no process by another")

COMMANDS = (
    *("login", "logout", "accounts", "quota", "import", "export", "models", "stream", "record", "replay", "doctor"),
    "serve",
)


@pytest.mark.parametrize(
    "error, status",
    [
        (LoginRequiredError("x"), 3),
        (TokenRefreshError("x", permanent=True), 3),
        (TokenRefreshError("x"), 1),
        (PoolExhaustedError("x"), 4),
        (ConfigurationError("x"), 2),
        (MissingExtraError("x", extra="redis"), 2),
        (LoginError("x"), 1),
        (TokenStoreError("x"), 1),
        (CodexError("x"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, CodexError) else str(value),
)
def test_each_error_has_its_exit_status(error: CodexError, status: int):
    assert exit_status(error) == status


def test_help_tells_every_exit_status(line: CommandLine):
    told = " ".join(line.run("--help").stdout.split())
    assert EXIT_HELP in told
    assert all(f"{status:d} {status.meaning}" in EXIT_HELP for status in ExitStatus)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(line: CommandLine, command: str):
    ended = line.run(command, "--help")
    assert ended.exit_code == 0
    assert f"Usage: codex-client {command}" in ended.stdout
    assert "[[" not in ended.stdout
    # What an option takes is named in capitals; one that takes nothing has no type.
    assert not re.search(r"--\S+.* <", ended.stdout)
    assert line.run(command, "-h").stdout == ended.stdout


def test_help_tells_what_the_status_of_quota_means(line: CommandLine):
    told = " ".join(line.run("quota", "--help").stdout.split())
    assert QUOTA_HELP in told
    assert "1 those that may be able to could not be asked" in QUOTA_HELP


def test_help_breaks_no_sentence(line: CommandLine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 200)
    told = [text.strip() for text in line.run("login", "--help").stdout.splitlines()]
    [sentence] = [text for text in told if text.startswith("Without options")]
    assert sentence.endswith("the answer is pasted.")


def test_the_version_is_the_packages(line: CommandLine):
    assert line.run("--version").stdout == f"codex-client {__version__}\n"


def test_no_command_is_wrong_usage(line: CommandLine):
    assert line.run("nonsense").exit_code == 2
    assert line.run().exit_code == 2


@pytest.mark.parametrize("command", ["login", "accounts", "quota"])
def test_a_wrong_setting_is_one_line_and_wrong_usage(line: CommandLine, monkeypatch: pytest.MonkeyPatch, command: str):
    monkeypatch.setenv("CODEX_CLIENT_STORE", "cupboard")
    ended = line.run(command)
    assert ended.exit_code == 2
    assert ended.stderr.splitlines()[-1].startswith("error: CODEX_CLIENT_STORE is neither 'file' nor 'keyring'")
    assert len(ended.stderr.splitlines()) == 1


def test_an_issuer_without_tls_is_a_wrong_setting(line: CommandLine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CODEX_CLIENT_ISSUER", "http://issuer.test")
    ended = line.run("login", issuer=None)
    assert ended.exit_code == 2
    assert ended.stderr.startswith("error: the issuer 'http://issuer.test' is no plain https URL")


def test_an_error_shows_where_it_came_from_only_under_debug_and_never_locals(line: CommandLine):
    tokens = line.keep()
    line.server.fail("/oauth/revoke", Reply(status=500, body=f"{tokens.refresh_token}".encode()), times=2)
    arguments = ("logout", "--revoke", "--yes")
    plain, debugged = line.run(*arguments), line.run("--debug", *arguments)
    assert (plain.exit_code, debugged.exit_code) == (1, 1)
    assert "Traceback" not in plain.output
    assert "Traceback (most recent call last)" in debugged.stderr
    assert "locals" not in debugged.stderr
    assert debugged.stderr.endswith(plain.stderr)
    assert_unseen(plain.output + debugged.output, line.server.secrets)


def test_no_advice_on_the_command_line_is_one_for_python():
    """Whatever is raised below, with what it says of classes of the configuration and arguments of `connect`."""
    python = re.compile(
        r"\b(?:RetryPolicy|GuardPolicy|Timeouts|StreamLimits|ModelProviderInfo)\b|\bauth=|connect\(|azure_provider|"
        r"`(?:strict_parameters|wire_api|catalogue|\.partial)`|`Prompt\.|for_limit|base_url|"
        r"query_params|env_key|OAuthIssuer\(|unknown wire_api"
    )
    told = [text for text in texts_of_errors() if python.search(text)]
    assert len(told) > 15
    assert [words for words in map(in_command_words, told) if python.search(words) or "; ;" in words] == []


def test_an_error_is_one_line(line: CommandLine):
    line.home.mkdir()
    (line.home / "accounts.json").write_text("{")
    ended = line.run("accounts")
    assert (ended.exit_code, ended.stdout) == (1, "")
    [told] = ended.stderr.splitlines()
    assert told.startswith(f"error: {line.home / 'accounts.json'} holds no JSON object")


def test_without_colours_a_terminal_gets_none(line: CommandLine):
    line.server.add_account("one").limit(50)
    line.keep(line.server.accounts[0])
    line.run("quota", terminal=True)
    assert "\x1b[32m" in line.screen.getvalue()
    line.run("--no-color", "quota", terminal=True)
    assert "\x1b[32m" not in line.screen.getvalue()
    assert "50 % left" in line.shown


def test_global_options_may_stand_behind_the_command(line: CommandLine):
    line.home.mkdir()
    (line.home / "accounts.json").write_text("{")
    before, behind = line.run("--debug", "accounts"), line.run("accounts", "--json", "--debug", "--no-color")
    assert "Traceback" in before.stderr
    assert "Traceback" in behind.stderr
    assert line.run("logout", "--", "--debug").stderr.count("Traceback") == 0
    assert line.run("--debug").exit_code == 2


@full
@pytest.mark.parametrize(
    "arguments", [("accounts", "--json"), ("accounts",), ("quota",), ("--version",), ("--help",), ("login", "--device")]
)
def test_output_that_cannot_be_written_is_one_line(line: CommandLine, arguments: tuple[str, ...]):
    line.keep(lifetime=1e9)
    with open("/dev/full", "w") as stdout:
        ended = line.run_process(*arguments, stdout=stdout)
    assert ended.returncode == 1
    told = "error: the output could not be written: No space left on device; see to where it goes"
    assert [text for text in ended.stderr.splitlines() if not text.startswith("Open")] == [told]


@full
def test_where_output_could_not_be_written_is_shown_under_debug(line: CommandLine):
    with open("/dev/full", "w") as stdout:
        ended = line.run_process("accounts", "--json", "--debug", stdout=stdout)
    assert ended.returncode == 1
    assert "emit_json" in ended.stderr
    assert "locals" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("error: the output could not be written")


RECORDED = str(Path(__file__).parents[2] / "fixtures" / "responses" / "text.sse")
CLOSED = "error: the output could not be written: Bad file descriptor; see to where it goes"


def run_without_output(line: CommandLine, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As by `>&-` in a shell."""
    code = (
        "import os, sys; os.close(1); "
        "os.execv(sys.executable, [sys.executable, '-m', 'codex_client.cli', *sys.argv[1:]])"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=line.home.parent,
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=line.environment,
    )


@posix
def test_a_closed_output_is_no_fault_where_nothing_goes_there(line: CommandLine):
    ended = run_without_output(line, "accounts")
    assert "Traceback" not in ended.stderr
    assert (ended.returncode, "no account is logged in" in ended.stderr) == (0, True)


@posix
@pytest.mark.parametrize(
    "arguments",
    [
        ("accounts", "--json"),
        ("accounts",),
        ("quota",),
        ("models", "--offline"),
        ("export", "--all", "--format", "env", "--show-secrets"),
        ("login", "--device"),
        ("doctor", "--offline"),
        ("replay", RECORDED, "--serve"),
        ("replay", RECORDED),
    ],
)
def test_output_that_is_closed_is_output_that_cannot_be_written(line: CommandLine, arguments: tuple[str, ...]):
    line.keep(lifetime=1e9)
    ended = run_without_output(line, *arguments)
    assert ended.returncode == 1
    assert [text for text in ended.stderr.splitlines() if not text.startswith(("Open", "these"))] == [CLOSED]


@posix
@pytest.mark.parametrize("command", ["stream", "stream --json", "stream --raw", "record --output never-written.sse"])
def test_nobody_is_asked_for_what_cannot_be_shown(line: CommandLine, command: str):
    line.keep(lifetime=1e9)
    ended = run_without_output(line, *command.split(), "--model", "gpt-5", "Hi")
    assert (ended.returncode, ended.stderr.splitlines()) == (1, [CLOSED])
    assert line.server.requests == []


@full
def test_nothing_can_be_said_where_nothing_can_be_written(line: CommandLine):
    with open("/dev/full", "w") as broken:
        assert line.run_process("accounts", "--json", stdout=broken, stderr=broken).returncode == 1


def test_letters_that_the_outputs_encoding_lacks_are_written_in_another_way(line: CommandLine):
    line.put(replace(line.keep(lifetime=1e9), email="j\u00f6rg@example.test", plan_type=None))
    program = """
import sys
from contextlib import suppress
from codex_client.cli import main
for command in ("accounts", "quota", "--help"):
    sys.argv = ["codex-client", command]
    with suppress(SystemExit):
        main()
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        timeout=60,
        check=True,
        env=line.environment | {"PYTHONIOENCODING": "ascii"},
    )
    assert b"Traceback" not in ended.stderr
    assert ended.stdout.isascii()
    assert ended.stdout.count(rb"j\xf6rg@example.test") == 2
    assert b"Usage: codex-client" in ended.stdout


def test_an_export_is_never_written_in_another_way(line: CommandLine):
    line.put(replace(line.keep(), account_id="acct-\u00f6"))
    arguments = ("export", "--all", "--format", "env", "--show-secrets")
    ended = line.run_process(*arguments, environment={"PYTHONIOENCODING": "ascii"})
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "lacks some of its characters; set PYTHONIOENCODING=utf-8" in ended.stderr
    assert "_ACCOUNT_ID=acct-\u00f6\n" in line.run_process(*arguments, environment={"PYTHONIOENCODING": "utf-8"}).stdout


def test_no_color_in_the_environment_is_obeyed(line: CommandLine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert new_console().no_color


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_without_its_packages_it_names_the_extra_to_install(package: str):
    code = f"import sys; sys.modules[{package!r}] = None; from codex_client.cli import main; main()"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    told = f"the command line needs the package '{package}'; pip install 'codex-client[cli]'\n"
    assert ended.stderr == told


def test_another_module_that_is_missing_is_a_fault_and_not_an_extra():
    code = "import sys; sys.modules['codex_client.cli.quota'] = None; from codex_client.cli import main; main()"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "ModuleNotFoundError" in ended.stderr


@posix
@pytest.mark.parametrize("module", ["codex_client.cli.app", "typer.core", "pydantic_core", "codex_client.cli.serve"])
def test_an_interruption_while_it_loads_is_one_too(module: str):
    code = f"""
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            # As in an import that swallows what comes up in it.
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt:
                pass
sys.meta_path.insert(0, Interrupting())
from codex_client.cli import main
main()
"""
    with hearing_interrupts():
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_within_a_commands_work_an_interruption_is_an_exception_and_outside_it_again_is_none():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        end_on_interrupt()
        outside = signal.getsignal(signal.SIGINT)
        with interruptible():
            inside = signal.getsignal(signal.SIGINT)
        assert (inside, signal.getsignal(signal.SIGINT)) == (signal.default_int_handler, outside)
        assert outside is not inside
    finally:
        signal.signal(signal.SIGINT, before)


@posix
def test_a_program_that_is_to_ignore_interruptions_does():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        end_on_interrupt()
        with interruptible():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_shells_can_complete_the_commands(line: CommandLine):
    asked = {"_CODEX_CLIENT_COMPLETE": "complete_bash", "COMP_WORDS": "codex-client log", "COMP_CWORD": "1"}
    ended = line.run_process(environment=asked)
    assert ended.stdout.split() == ["login", "logout"]


def completed(line: CommandLine, words: str, **environment: str) -> list[str]:
    """What a shell is offered; told in this process, since a shell starts one for each."""
    asked = {"_CODEX_CLIENT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    ended = CliRunner().invoke(app, prog_name="codex-client", env=line.environment | asked | environment)
    assert (ended.exit_code, ended.stderr) == (0, "")
    return ended.stdout.split()


def test_shells_can_complete_keys(line: CommandLine):
    keys = [line.keep().key, line.keep().key]
    for command in ("logout", "quota", "export", "accounts --unblock"):
        assert completed(line, f"codex-client {command} ") == keys
    assert completed(line, f"codex-client logout {keys[1][:6]}") == keys[1:]
    other = line.server.issue(line.server.add_account("acct-env"))
    assert completed(line, "codex-client quota ", CODEX_ACCESS_TOKEN=other.access_token) == [other.key]


def test_shells_can_complete_what_to_import(line: CommandLine):
    assert completed(line, "codex-client import ") == ["codex", "env"]
    # Nothing: the shell goes on with files.
    assert completed(line, "codex-client import acc") == []


def test_completion_says_nothing_of_what_is_wrong(line: CommandLine):
    assert completed(line, "codex-client logout ") == []
    line.home.mkdir()
    (line.home / "accounts.json").write_text("{")
    assert completed(line, "codex-client logout ") == []
    assert completed(line, "codex-client logout ", CODEX_CLIENT_STORE="cupboard") == []


def test_places_with_connections_are_closed(line: CommandLine, monkeypatch: pytest.MonkeyPatch):
    closed: list[str] = []

    class Store(MemoryTokenStore):
        async def aclose(self) -> None:
            closed.append("store")

    class State(MemoryPoolState):
        async def aclose(self) -> None:
            closed.append("state")

    monkeypatch.setattr("codex_client.cli.surroundings.local_store", lambda clock: Store())
    monkeypatch.setattr("codex_client.cli.surroundings.local_state", lambda clock: State())
    assert line.run("accounts").exit_code == 0
    assert closed == ["state", "store"]


def test_the_package_loads_nothing_of_the_command_line():
    code = "import sys, codex_client; from codex_client import *; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    # httpx loads rich where it is installed.
    assert {"typer", "codex_client.cli"} & set(ended.stdout.split()) == set()


@pytest.mark.parametrize(
    "at, told",
    [
        (1_700_000_000.0, "22:13"),
        (1_700_050_000.0, "Wed 15 Nov 12:06"),
        (1_710_000_000.0, "2024-03-09 16:00"),
        (1e18, "some day"),
        (float("inf"), "some day"),
    ],
)
def test_a_moment_is_told_as_short_as_it_is_clear(at: float, told: str):
    assert local_time(at, now=1_700_000_000.0, timezone=UTC) == told


def test_every_moment_in_json_is_there_in_both_forms():
    told = with_iso({"a_at": 0, "b": [{"c_at": None}], "d_at": 1e18})
    assert told == {
        "a_at": 0,
        "a_at_iso": "1970-01-01T00:00:00Z",
        "b": [{"c_at": None, "c_at_iso": None}],
        "d_at": 1e18,
        "d_at_iso": None,
    }


def test_what_steers_a_terminal_is_taken_out():
    assert printable("a\x1b[2Jb\rc\nd\u202ee é\xa0\u200d") == "a [2Jb c d e é\xa0\u200d"
