"""`codex-client login`, in each of its forms, against an issuer on a real socket."""

from __future__ import annotations

import re
import socket
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from codex_client.auth.device_code import DEVICE_WARNING
from codex_client.auth.store import MemoryTokenStore
from codex_client.credentials.pool_state import MemoryPoolState
from codex_client.errors import TokenStoreError
from codex_client.testing import Reply
from tests.support.command_line import CommandLine, Person, Screen, address_in
from tests.support.secrecy import assert_unseen

PLACE = "accounts.json"


def no_browser(_: str) -> bool:
    raise AssertionError("a browser was opened")


def test_a_browser_is_opened_and_its_answer_logs_in(line: CommandLine):
    line.server.add_account("acct-1", email="one@example.test", plan_type="pro")
    ended = line.run("login")
    assert ended.exit_code == 0, ended.output
    [(key, tokens)] = line.kept().items()
    assert (tokens.account_id, tokens.refresh_token is not None) == ("acct-1", True)
    whose = "logged in as one@example.test (plan pro, workspace acct-1)"
    assert f"{whose}, kept as {key} in {line.home / PLACE}" in ended.stderr
    assert ended.stdout.strip() == address_in(ended.stdout)
    line.server.assert_complete()


def test_the_address_is_one_line_however_long_it_is(line: CommandLine):
    line.server.add_account()
    assert line.run("login", terminal=True).exit_code == 0
    [shown] = [text for text in line.screen.getvalue().splitlines() if "/oauth/authorize" in text]
    assert "state=" in shown
    assert "originator=" in shown


def test_without_a_browser_the_answer_of_one_that_somebody_opens_logs_in(line: CommandLine):
    line.server.add_account()
    ended = line.run("login", "--no-browser", terminal=Screen(line.log_in), open_browser=no_browser)
    assert ended.exit_code == 0, line.shown
    assert len(line.kept()) == 1


def test_without_a_browser_a_host_that_shows_none_waits_for_one_through_a_tunnel(line: CommandLine):
    line.server.add_account()
    ended = line.run("login", "--no-browser", terminal=Screen(line.log_in), is_headless=lambda: True)
    assert ended.exit_code == 0, line.shown


def test_a_login_that_nobody_completes_ends_after_the_timeout(line: CommandLine):
    line.clock.over = {7.0}
    ended = line.run("login", "--no-browser", "--timeout", "7")
    assert ended.exit_code == 1
    assert "error: nobody logged in within 7 s; start the login again" in ended.stderr


@pytest.mark.parametrize("raises", [False, True])
def test_a_browser_that_does_not_open_is_told_of(line: CommandLine, raises: bool):
    line.server.add_account()

    def open_browser(url: str) -> bool:
        if raises:
            raise OSError("no display")
        return False

    # The login waits in the meantime: it is completed by who reads the warning.
    screen = Screen(line.log_in)
    ended = line.run("login", terminal=screen, open_browser=open_browser)
    assert ended.exit_code == 0, line.shown
    assert "no browser could be opened; open the address yourself" in line.shown


def test_a_refused_login_fails_with_its_reason(line: CommandLine):
    line.server.add_account()
    ended = line.run("login", open_browser=lambda url: line.answer(line.server.visit(url, deny=True)))
    assert ended.exit_code == 1
    assert "error: the login was refused on the page (access_denied); start the login again" in ended.stderr
    assert line.kept() == {}


def test_where_nobody_sees_a_browser_the_answer_is_pasted_and_both_other_ways_are_shown(line: CommandLine):
    line.server.add_account()
    person = Person(line, lambda screen: line.server.visit(address_in(screen)))
    ended = line.run("login", is_headless=lambda: True, terminal=True, stdin=person, open_browser=no_browser)
    assert ended.exit_code == 0, line.shown
    assert "paste the address that the browser shows then" in line.shown
    assert "codex-client login --device" in line.shown
    assert len(line.kept()) == 1


def test_a_typing_error_may_be_mended_twice(line: CommandLine):
    line.server.add_account()
    right = lambda screen: line.server.visit(address_in(screen))  # noqa: E731
    person = Person(line, lambda _: "nonsense!", lambda _: "http://localhost:1455/auth/callback?x=1", right)
    ended = line.run("login", "--paste", terminal=True, stdin=person)
    assert ended.exit_code == 0, line.shown
    assert line.shown.count("warning: this is neither an address with a code in it nor a code") == 2


def test_three_typing_errors_end_the_login(line: CommandLine):
    person = Person(line, *[lambda _: "nonsense!"] * 4)
    ended = line.run("login", "--paste", terminal=True, stdin=person)
    assert ended.exit_code == 1
    assert line.shown.count("this is neither an address with a code in it nor a code") == 3


def test_a_login_that_is_refused_is_not_asked_for_again(line: CommandLine):
    line.server.add_account()
    person = Person(line, lambda screen: line.server.visit(address_in(screen), deny=True), lambda _: "another")
    ended = line.run("login", "--paste", terminal=True, stdin=person)
    assert ended.exit_code == 1
    assert "error: the login was refused on the page (access_denied); start the login again" in line.shown
    assert line.shown.count("press Enter") == 1


def test_a_code_that_the_issuer_does_not_accept_is_not_asked_for_again(line: CommandLine):
    person = Person(line, *[lambda _: "code-of-nobody"] * 3)
    ended = line.run("login", "--paste", terminal=True, stdin=person)
    assert ended.exit_code == 1
    assert "error: the issuer refused the code" in line.shown
    assert "start the login again" in line.shown
    assert line.shown.count("press Enter") == 1


def test_a_refusal_of_another_login_may_be_mended(line: CommandLine):
    line.server.add_account()
    other = "http://localhost:1455/auth/callback?error=access_denied&state=of-another"
    person = Person(line, lambda _: other, lambda screen: line.server.visit(address_in(screen)))
    assert line.run("login", "--paste", terminal=True, stdin=person).exit_code == 0, line.shown
    assert "warning: the state does not match" in line.shown


def test_a_code_is_pasted_once_more_where_the_issuer_fails_for_a_moment(line: CommandLine):
    line.server.add_account()
    line.server.fail("/oauth/token", Reply.error(503, "down"))
    address: list[str] = []

    def visit(screen: str) -> str:
        address.append(line.server.visit(address_in(screen)))
        return address[0]

    person = Person(line, visit, lambda _: address[0])
    ended = line.run("login", "--paste", terminal=True, stdin=person)
    assert ended.exit_code == 0, line.shown
    assert re.search(r"warning: the issuer [^;]*\(503[^;]*; paste it once more", line.shown)
    assert "start the login again" not in line.shown
    assert len(line.kept()) == 1


def test_a_browser_need_not_log_in_again_where_the_issuer_fails_for_a_moment(line: CommandLine):
    line.server.add_account()
    line.server.fail("/oauth/token", Reply.error(503, "down"))
    ended = line.run("login")
    assert ended.exit_code == 0, ended.output
    assert [request.path for request in line.server.requests].count("/oauth/token") == 2


def test_an_issuer_that_goes_on_failing_ends_a_browsers_login(line: CommandLine):
    line.server.add_account()
    line.server.fail("/oauth/token", Reply.error(503, "down"), times=3)
    ended = line.run("login")
    assert (ended.exit_code, line.kept()) == (1, {})
    assert re.search(r"error: the issuer .*\(503", ended.stderr)
    assert [request.path for request in line.server.requests].count("/oauth/token") == 2


def test_ports_that_are_taken_are_no_end_of_all_logins(line: CommandLine):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        issuer = replace(line.server.issuer, ports=(taken.getsockname()[1],))
        ended = line.run("login", issuer=issuer)
    assert ended.exit_code == 1
    assert "is taken" in ended.stderr
    assert ended.stderr.endswith("`codex-client login --paste` or `--device`\n")


def test_a_pipe_that_ends_is_asked_once(line: CommandLine):
    ended = line.run("login", "--paste")
    assert ended.exit_code == 1
    assert "error: nothing was pasted" in ended.stderr
    assert ended.stderr.count("press Enter") == 1


def test_a_paste_takes_two_steps_for_scripts(line: CommandLine, tmp_path: Path):
    line.server.add_account()
    file = tmp_path / "login.json"
    started = line.run("login", "--paste", "--start", str(file))
    assert started.exit_code == 0, started.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"codex-client login --paste --complete {file}" in started.stderr
    redirect = line.server.visit(started.stdout.strip())
    # As mail and terminals break it.
    completed = line.run("login", "--paste", "--complete", str(file), piped=f"{redirect[:50]}\n{redirect[50:]}\n")
    assert completed.exit_code == 0, completed.output
    assert len(line.kept()) == 1
    assert not file.exists()


def test_a_first_step_overwrites_no_file(line: CommandLine, tmp_path: Path):
    file = tmp_path / "login.json"
    file.write_text("mine")
    started = line.run("login", "--paste", "--start", str(file))
    assert (started.exit_code, file.read_text()) == (2, "mine")
    assert f"{file} is there already and is not overwritten" in started.stderr


def test_a_second_step_that_fails_may_be_made_again(line: CommandLine, tmp_path: Path):
    line.server.add_account()
    file = tmp_path / "login.json"
    url = line.run("login", "--paste", "--start", str(file)).stdout.strip()
    failed = line.run("login", "--paste", "--complete", str(file), piped="what?!")
    assert (failed.exit_code, file.exists()) == (1, True)
    again = line.run("login", "--paste", "--complete", str(file), piped=line.server.visit(url))
    assert (again.exit_code, file.exists()) == (0, False)


@pytest.mark.parametrize("content", [None, "{}", "\udcff"])
def test_a_second_step_wants_the_file_of_a_first(line: CommandLine, tmp_path: Path, content: str | None):
    file = tmp_path / "login.json"
    if content is not None:
        file.write_text(content, "utf-8", "surrogateescape")
    ended = line.run("login", "--paste", "--complete", str(file), piped="x")
    assert ended.exit_code == 1
    assert str(file) in ended.stderr
    assert "; start a login with `codex-client login --paste --start " in ended.stderr


def test_a_device_login_shows_page_code_and_warning_and_waits(line: CommandLine):
    line.server.add_account(email="one@example.test")
    line.clock.on_sleep = lambda number: line.server.approve(code_on(line)) if number == 3 else None
    ended = line.run("login", "--device", terminal=True)
    assert ended.exit_code == 0, line.shown
    assert f"page {line.server.issuer.device_page} code {code_on(line)} {DEVICE_WARNING}" in line.shown
    assert "logged in as one@example.test" in line.shown
    assert len(line.kept()) == 1
    line.server.assert_complete()


def test_a_device_login_gives_scripts_page_and_code_on_standard_output(line: CommandLine):
    ended = line.run("login", "--device", "--timeout", "20")
    assert re.fullmatch(r"page  http://\S+/codex/device\ncode  [A-Z0-9]{4}-[A-Z0-9]{5}\n", ended.stdout)
    assert DEVICE_WARNING in ended.stderr
    assert ended.exit_code == 1
    assert "error: nobody agreed to the login within 20 s; start it again" in ended.stderr


def test_a_device_login_ends_when_the_user_refuses_or_the_code_does(line: CommandLine):
    line.server.add_account()
    line.clock.on_sleep = lambda number: line.server.deny(code_on(line)) if number == 2 else None
    assert line.run("login", "--device", terminal=True).exit_code == 1
    assert "error: the login was refused on the page" in line.shown
    line.clock.on_sleep = lambda _: None
    assert line.run("login", "--device", terminal=True).exit_code == 1
    assert "error: the device code has expired before it was typed; start again for a new one" in line.shown
    assert line.kept() == {}


def test_a_device_login_that_is_not_enabled_says_where_to_allow_it(line: CommandLine):
    line.server.device_login = False
    ended = line.run("login", "--device")
    assert ended.exit_code == 1
    assert "allow it in ChatGPT's security settings" in ended.stderr


@pytest.mark.parametrize("borrowed", [False, True])
def test_an_account_that_was_here_already_is_replaced_with_a_warning(line: CommandLine, borrowed: bool):
    old = line.keep()
    line.put(replace(old, borrowed=borrowed))
    ended = line.run("login")
    assert ended.exit_code == 0
    what = "a borrowed copy" if borrowed else "an earlier login"
    assert f"warning: this account was here already; the new login has taken the place of {what} of it" in ended.stderr
    assert [each.refresh_token == old.refresh_token for each in line.kept().values()] == [False]


def test_another_account_is_kept_beside_those_that_are_there(line: CommandLine):
    line.keep()
    account = line.server.add_account("acct-2")
    ended = line.run("login", open_browser=lambda url: line.answer(line.server.visit(url, account)))
    assert ended.exit_code == 0
    assert "warning" not in ended.stderr
    assert [each.account_id for each in line.kept().values()] == ["acct-1", "acct-2"]


def test_a_workspace_that_was_asked_for_is_the_only_one_taken(line: CommandLine):
    first = line.server.add_account("acct-1")
    line.server.add_account("acct-2")
    refused = line.run(
        "login", "--workspace", "acct-2", open_browser=lambda url: line.answer(line.server.visit(url, first))
    )
    assert (refused.exit_code, line.kept()) == (1, {})
    assert line.run("login", "--workspace", "acct-2").exit_code == 0
    assert [each.account_id for each in line.kept().values()] == ["acct-2"]


def test_a_login_that_the_environment_hides_is_told_of(line: CommandLine, monkeypatch: pytest.MonkeyPatch):
    line.server.add_account()
    monkeypatch.setenv("CODEX_ACCESS_TOKEN", "another-token")
    assert "the environment's accounts come before those that are kept" in line.run("login").stderr


def test_the_store_may_be_any_other_one(line: CommandLine):
    line.server.add_account()
    store = MemoryTokenStore()
    ended = line.run("login", store=store, state=MemoryPoolState())
    assert f"in {store!r}" in ended.stderr
    assert line.kept() == {}


def test_a_store_that_cannot_be_read_is_told_of_before_anybody_logs_in(line: CommandLine):
    line.home.mkdir()
    (line.home / PLACE).write_text("not JSON")
    ended = line.run("login", open_browser=no_browser)
    assert ended.exit_code == 1
    assert "holds no JSON object" in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize("options", [(), ("--paste",), ("--device",)], ids=" ".join)
def test_a_store_that_cannot_be_written_is_told_of_before_anybody_logs_in(line: CommandLine, options: tuple[str, ...]):
    class ReadOnly(MemoryTokenStore):
        @asynccontextmanager
        async def lock(self, key: str) -> AsyncGenerator[None]:
            raise TokenStoreError("the folder could not be made: Read-only file system")
            yield

    ended = line.run("login", *options, store=ReadOnly(), open_browser=no_browser)
    assert ended.exit_code == 1
    assert (ended.stdout, line.server.requests) == ("", [])
    assert ended.stderr == "error: the folder could not be made: Read-only file system\n"


def test_a_login_makes_the_folder_that_it_will_be_kept_in_before_it_asks(line: CommandLine):
    line.server.add_account()
    there: list[bool] = []

    def open_browser(url: str) -> bool:
        there.append(line.home.is_dir())
        return line.log_in(url)

    assert line.run("login", open_browser=open_browser).exit_code == 0
    assert there == [True]


@pytest.mark.parametrize(
    "options",
    [
        ("--device", "--paste"),
        ("--device", "--no-browser"),
        ("--paste", "--no-browser"),
        ("--paste", "--timeout", "5"),
        ("--start", "x"),
        ("--complete", "x"),
        ("--paste", "--start", "x", "--complete", "y"),
        ("--timeout", "0"),
    ],
    ids=" ".join,
)
def test_options_that_do_not_go_together_are_wrong_usage(line: CommandLine, options: tuple[str, ...]):
    ended = line.run("login", *options, open_browser=no_browser)
    assert ended.exit_code == 2
    assert "Usage:" in ended.stderr
    assert line.server.requests == []


@pytest.mark.parametrize("form", ["callback", "paste", "device"])
def test_no_token_code_or_verifier_is_shown(line: CommandLine, form: str):
    line.server.add_account()
    if form == "device":
        line.clock.on_sleep = lambda number: line.server.approve(code_on(line)) if number == 2 else None
    person = Person(line, lambda screen: line.server.visit(address_in(screen)))
    options = () if form == "callback" else (f"--{form}",)
    assert line.run("login", *options, terminal=True, stdin=person).exit_code == 0
    [tokens] = line.kept().values()
    # The address is for the user's own screen, and so is his e-mail address.
    shown = line.screen.getvalue().replace(tokens.email or "", "")
    secrets = line.server.secrets - {tokens.email} | {
        tokens.access_token,
        tokens.refresh_token or "",
        tokens.id_token or "",
    }
    assert len(secrets) > 4
    assert_unseen(shown, secrets)


def code_on(line: CommandLine) -> str:
    """The device code on the screen."""
    found = re.search(r"code  ([A-Z0-9]{4}-[A-Z0-9]{5})", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line.screen.getvalue()))
    assert found is not None
    return found[1]
