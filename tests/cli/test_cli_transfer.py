"""`codex-client import` and `codex-client export`."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from codex_client.auth.importing import export_secrets_as_json
from codex_client.auth.tokens import TokenSet
from tests.support.command_line import CommandLine
from tests.support.secrecy import assert_unseen

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file for standard input")


def write_codex_login(folder: Path, tokens: TokenSet) -> None:
    folder.mkdir()
    told = {"access_token": tokens.access_token, "refresh_token": tokens.refresh_token, "id_token": tokens.id_token}
    (folder / "auth.json").write_text(json.dumps({"auth_mode": "chatgpt", "tokens": told}))


@pytest.fixture
def codex_login(line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TokenSet:
    tokens = line.server.issue(line.server.add_account("acct-codex", email="codex@example.test"))
    write_codex_login(tmp_path / "codex", tokens)
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    return tokens


def test_codexs_login_is_borrowed_without_its_refresh_token(line: CommandLine, codex_login: TokenSet):
    ended = line.run("import")
    assert ended.exit_code == 0, ended.output
    [(key, kept)] = line.kept().items()
    assert (kept.access_token == codex_login.access_token, kept.refresh_token, kept.borrowed) == (True, None, True)
    assert f"added {key} (codex@example.test): borrowed; import it again when its owner has renewed it" in ended.stderr
    assert "warning" not in ended.stderr
    assert f"updated {key}" in line.run("import", "codex").stderr


def test_a_login_that_is_taken_over_warns_of_the_other_program(line: CommandLine, codex_login: TokenSet):
    ended = line.run("import", "codex", "--take-over")
    assert ended.exit_code == 0
    [kept] = line.kept().values()
    assert (kept.refresh_token == codex_login.refresh_token, kept.borrowed) == (True, False)
    assert "this program renews it from now on" in ended.stderr
    assert "warning: log out of the program that these logins are from" in ended.stderr


def test_an_own_login_is_kept_where_a_copy_of_it_is_imported(line: CommandLine, codex_login: TokenSet):
    assert line.run("import", "--take-over").exit_code == 0
    ended = line.run("import")
    assert ended.exit_code == 0
    assert "the login that is here is an own one, and no copy takes its place" in ended.stderr
    assert [each.borrowed for each in line.kept().values()] == [False]


def test_without_a_login_of_codex_one_is_required(line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "nowhere"))
    ended = line.run("import")
    assert ended.exit_code == 3
    assert "auth.json; run `codex login`" in ended.stderr


def test_the_environments_logins_are_imported(line: CommandLine, monkeypatch: pytest.MonkeyPatch):
    assert line.run("import", "env").exit_code == 3
    for number in (1, 2):
        tokens = line.server.issue(line.server.add_account(f"acct-{number}"))
        monkeypatch.setenv(f"CODEX_{number}_ACCESS_TOKEN", tokens.access_token)
    ended = line.run("import", "env")
    assert ended.exit_code == 0
    assert [(each.account_id, each.source) for each in line.kept().values()] == [
        ("acct-1", "environment"),
        ("acct-2", "environment"),
    ]


def test_a_file_is_imported_and_a_missing_one_told_of(line: CommandLine, tmp_path: Path):
    file = tmp_path / "export.json"
    missing = line.run("import", str(file))
    assert missing.exit_code == 1
    assert f"there is no {file}" in missing.stderr
    file.write_text(export_secrets_as_json([line.server.issue(line.server.add_account())]))
    assert line.run("import", str(file)).exit_code == 0
    assert len(line.kept()) == 1


def test_a_login_of_an_export_is_from_a_file(line: CommandLine, tmp_path: Path):
    file = tmp_path / "export.json"
    file.write_text(export_secrets_as_json([line.server.issue(line.server.add_account())]))
    assert line.run("import", str(file)).exit_code == 0
    assert [each.source for each in line.kept().values()] == ["file"]


def test_codexs_own_file_is_codexs_wherever_it_lies(line: CommandLine, tmp_path: Path):
    write_codex_login(tmp_path / "codex", line.server.issue(line.server.add_account()))
    assert line.run("import", str(tmp_path / "codex" / "auth.json")).exit_code == 0
    assert [each.source for each in line.kept().values()] == ["codex"]


@posix
def test_an_import_may_come_through_a_pipe(line: CommandLine):
    exported = export_secrets_as_json([line.server.issue(line.server.add_account())])
    ended = line.run_process("import", "-", piped=exported)
    assert ended.returncode == 0, ended.stderr
    assert len(line.kept()) == 1
    assert_unseen(ended.stdout + ended.stderr, line.server.secrets - {line.server.accounts[0].email})
    assert line.run_process("import", "-", piped="what?").returncode == 1


def test_a_token_that_tells_no_account_is_doubted(line: CommandLine, tmp_path: Path):
    file = tmp_path / "accounts.json"
    file.write_text(json.dumps([{"access_token": "garbage"}]))
    ended = line.run("import", str(file))
    assert ended.exit_code == 0
    [key] = line.kept()
    assert f"warning: {key}: no account is told by this token; check it" in ended.stderr


def test_a_borrowed_token_that_has_ended_already_is_told_of(line: CommandLine, codex_login: TokenSet):
    line.clock.advance(3600 + 120)
    ended = line.run("import")
    assert ended.exit_code == 0
    [key] = line.kept()
    assert f"warning: {key}: this token ended 2 min ago; import it again when it has been renewed" in ended.stderr
    assert "this token ended" not in line.run("import", "--take-over").stderr


@pytest.mark.parametrize("form", ["env", "json"])
def test_an_export_is_imported_again_whole(
    line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
):
    kept = {tokens.key: tokens for tokens in (line.keep(), line.keep())}
    exported = line.run("export", "--all", "--format", form, "--show-secrets")
    assert exported.exit_code == 0, exported.stderr
    monkeypatch.setenv("CODEX_CLIENT_HOME", str(tmp_path / "other"))
    line.home = tmp_path / "other"
    if form == "env":
        for name, _, value in (text.partition("=") for text in exported.stdout.splitlines()):
            monkeypatch.setenv(name, value)
        source = "env"
    else:
        source = str(tmp_path / "export.json")
        Path(source).write_text(exported.stdout)
    assert line.run("import", source, "--take-over").exit_code == 0
    held = {each.access_token: each.refresh_token for each in line.kept().values()}
    assert held == {each.access_token: each.refresh_token for each in kept.values()}


def test_an_export_without_the_flag_shows_nothing(line: CommandLine):
    line.keep()
    ended = line.run("export", "--all", "--format", "json")
    assert ended.exit_code == 2
    assert "--show-secrets" in ended.stderr
    assert_unseen(ended.output, line.server.secrets)


@pytest.mark.parametrize("names", [(), ("x", "--all")])
def test_an_export_is_of_named_accounts_or_of_all(line: CommandLine, names: tuple[str, ...]):
    line.keep()
    assert line.run("export", *names, "--format", "json", "--show-secrets").exit_code == 2


def test_an_export_may_be_of_one_account(line: CommandLine):
    line.keep()
    second = line.keep()
    ended = line.run("export", second.key, "--format", "json", "--show-secrets")
    assert list(json.loads(ended.stdout)["accounts"]) == [second.key]


def test_without_an_account_there_is_nothing_to_export(line: CommandLine):
    assert line.run("export", "--all", "--format", "json", "--show-secrets").exit_code == 3


def test_an_export_to_a_file_is_its_owners_alone_and_overwrites_none(line: CommandLine, tmp_path: Path):
    tokens = line.keep()
    file = tmp_path / "export.env"
    arguments = ("export", "--all", "--format", "env", "--show-secrets", "--output", str(file))
    ended = line.run(*arguments)
    assert ended.exit_code == 0
    assert (stat.S_IMODE(file.stat().st_mode), ended.stdout) == (0o600, "")
    assert f"CODEX_ACCESS_TOKEN={tokens.access_token}\n" in file.read_text()
    assert f"1 account is in {file}; who reads it is logged in" in ended.stderr
    again = line.run(*arguments)
    assert again.exit_code == 2
    assert f"{file} is there already and is not overwritten" in again.stderr


def test_an_export_to_a_file_that_cannot_be_made_fails_without_a_secret(line: CommandLine, tmp_path: Path):
    line.keep()
    file = tmp_path / "no such folder" / "export.env"
    ended = line.run("--debug", "export", "--all", "--format", "env", "--show-secrets", "--output", str(file))
    assert ended.exit_code == 1
    assert f"error: {file} could not be written: No such file or directory" in ended.stderr
    assert_unseen(ended.output, line.server.secrets)


def test_an_export_to_a_terminal_warns_and_one_to_a_pipe_does_not(line: CommandLine):
    line.keep()
    arguments = ("export", "--all", "--format", "env", "--show-secrets")
    assert "on your screen" not in line.run(*arguments).stderr
    line.run(*arguments, terminal=True)
    assert "warning: these tokens are on your screen and in its history" in line.shown


def test_an_export_with_refresh_tokens_warns_of_two_programs(line: CommandLine):
    tokens = line.keep()
    arguments = ("export", "--all", "--format", "json", "--show-secrets")
    assert "two programs with one refresh token" in line.run(*arguments).stderr
    line.put(tokens.lent())
    assert "two programs with one refresh token" not in line.run(*arguments).stderr
