"""The commands as processes of their own, with nothing but the environment to go by, and Ctrl-C."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from codex_client.api import SystemClock
from codex_client.auth.tokens import TokenSet
from codex_client.version import __version__
from tests.support.command_line import CommandLine, address_in, interrupt
from tests.support.secrecy import assert_unseen

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")


def account(line: CommandLine, used: float) -> TokenSet:
    one = line.server.add_account(f"acct-{len(line.server.accounts)}")
    one.limit(used, resets_at=line.clock.time() + 7800)
    return line.keep(one, lifetime=1e9)


def files_in(folder: Path) -> list[str]:
    """All but the locks, which stay."""
    return sorted(file.name for file in folder.rglob("*") if file.suffix != ".lock") if folder.exists() else []


def test_the_module_runs_as_a_program(line: CommandLine):
    ended = line.run_process("--version")
    assert (ended.returncode, ended.stdout) == (0, f"codex-client {__version__}\n")


def test_a_login_in_two_steps_then_a_look_then_a_logout(line: CommandLine, tmp_path: Path):
    line.server.add_account("acct-1", email="one@example.test")
    line.server.access_lifetime = 1e9
    file = tmp_path / "login.json"
    started = line.run_process("login", "--paste", "--start", str(file))
    assert started.returncode == 0, started.stderr
    answer = line.server.visit(address_in(started.stdout))
    completed = line.run_process("login", "--paste", "--complete", str(file), piped=answer)
    assert completed.returncode == 0, completed.stderr
    assert "logged in as one@example.test" in completed.stderr
    listed = line.run_process("accounts", "--json")
    assert [each["email"] for each in json.loads(listed.stdout)["accounts"]] == ["one@example.test"]
    out = line.run_process("logout", "one@example.test", "--revoke", "--yes")
    assert (out.returncode, line.kept()) == (0, {})
    said = "".join(each.stdout + each.stderr for each in (completed, listed, out))
    assert_unseen(said, line.server.secrets - {"one@example.test"})


def test_quota_says_by_its_status_whether_any_account_can_serve(line: CommandLine):
    assert line.run_process("quota").returncode == 3
    # The process has the real time, and the server goes by that.
    line.clock.advance(SystemClock().time() - line.clock.time())
    account(line, 100)
    assert line.run_process("quota").returncode == 4
    account(line, 10)
    ended = line.run_process("quota")
    assert ended.returncode == 0, ended.stderr
    assert "90 % left" in ended.stdout
    assert "\x1b" not in ended.stdout


def test_an_export_of_one_process_is_the_import_of_another(line: CommandLine, tmp_path: Path):
    line.keep()
    file = tmp_path / "export.json"
    exported = line.run_process("export", "--all", "--format", "json", "--show-secrets", "--output", str(file))
    assert exported.returncode == 0, exported.stderr
    line.home = tmp_path / "elsewhere"
    imported = line.run_process("import", str(file))
    assert imported.returncode == 0, imported.stderr
    assert len(line.kept()) == 1
    assert_unseen(exported.stderr + imported.stderr, line.server.secrets - {line.server.accounts[0].email})


@posix
def test_a_device_login_that_is_interrupted_leaves_nothing_behind(line: CommandLine):
    with line.process("login", "--device") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("page  ")
        status, _, err = interrupt(process)
    assert (status, "Traceback" in err) == (130, False)
    assert files_in(line.home) == []


@posix
def test_a_browser_login_that_is_interrupted_leaves_nothing_behind(line: CommandLine):
    with line.process(module="tests.support.listening_login") as process:
        assert process.stdout is not None
        address_in(process.stdout.readline())
        status, _, err = interrupt(process)
    assert (status, "Traceback" in err) == (130, False)
    assert files_in(line.home) == []


@posix
def test_a_paste_that_is_interrupted_leaves_nothing_behind(line: CommandLine):
    with line.process("login", "--paste") as process:
        assert process.stdout is not None
        address_in(process.stdout.readline())
        assert process.stderr is not None
        # It waits for the paste: the question comes without an end of line.
        while not process.stderr.read(1).endswith(":"):
            pass
        status, _, err = interrupt(process)
    assert (status, "Traceback" in err) == (130, False)
    assert files_in(line.home) == []


@posix
def test_a_watch_that_is_interrupted_ends_at_once(line: CommandLine):
    line.keep()
    with line.process("quota", "--watch") as process:
        assert process.stdout is not None
        assert "acct-1" in process.stdout.readline()
        status, _, err = interrupt(process)
    assert (status, "Traceback" in err) == (130, False)
