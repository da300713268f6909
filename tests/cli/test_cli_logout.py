"""`codex-client logout`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from codex_client.auth.file_store import FileTokenStore
from codex_client.credentials.file_state import FilePoolState
from codex_client.credentials.pool import CredentialPool
from codex_client.testing import Reply
from tests.support.command_line import CommandLine, Person
from tests.support.secrecy import assert_unseen


@pytest.mark.parametrize("by", ["key", "prefix", "address", "workspace", "nothing"])
def test_an_account_goes_by_its_key_a_prefix_its_address_or_its_workspace(line: CommandLine, by: str):
    other = None if by == "nothing" else line.keep()
    account = line.server.add_account("acct-x", email="One@example.test")
    tokens = line.keep(account)
    names = {"key": [tokens.key], "prefix": [tokens.key[:6]], "address": ["one@EXAMPLE.test"], "workspace": ["acct-x"]}
    ended = line.run("logout", *names.get(by, []), "--yes")
    assert ended.exit_code == 0, ended.output
    assert list(line.kept()) == ([other.key] if other else [])
    assert f"logged out of {tokens.key}" in ended.stderr
    assert line.server.requests == []


def test_a_name_that_fits_several_lists_them_and_changes_nothing(line: CommandLine):
    account = line.server.add_account("acct-a", email="one@example.test")
    same = line.server.add_account("acct-b", email="one@example.test")
    keys = [line.keep(account).key, line.keep(same).key]
    ended = line.run("logout", "one@example.test", "--yes")
    assert ended.exit_code == 2
    listed = f"{keys[0]} (workspace acct-a), {keys[1]} (workspace acct-b)"
    assert f"error: that e-mail address fits 2 accounts, {listed}; give the key of one" in ended.stderr
    assert "one@example.test" not in ended.output
    assert list(line.kept()) == keys


def test_a_name_that_fits_none_lists_what_there_is(line: CommandLine):
    key = line.keep().key
    ended = line.run("logout", "nobody", "--yes")
    assert ended.exit_code == 2
    assert line.run("logout", "", "--yes").exit_code == 2
    assert list(line.kept()) == [key]
    assert f"error: 'nobody' fits no account; there are {key} (workspace acct-1)" in ended.stderr


def test_of_several_accounts_one_must_be_named(line: CommandLine):
    keys = [line.keep().key, line.keep().key]
    ended = line.run("logout", "--yes")
    assert ended.exit_code == 2
    assert f"there are 2 accounts, {keys[0]}, {keys[1]}; name those to log out of, or --all" in ended.stderr
    assert line.run("logout", "--all", "--yes").exit_code == 0
    assert line.kept() == {}


def test_names_and_all_at_once_are_wrong_usage(line: CommandLine):
    assert line.run("logout", "x", "--all").exit_code == 2


def test_without_an_account_it_says_how_to_log_in(line: CommandLine):
    ended = line.run("logout", "--all")
    assert ended.exit_code == 3
    assert "error: no account is logged in; log in with `codex-client login`" in ended.stderr


@pytest.mark.parametrize("answer, agreed", [("y", True), ("YES ", True), ("n", False), ("", False), ("yellow", False)])
def test_it_asks_first(line: CommandLine, answer: str, agreed: bool):
    tokens = line.keep()
    ended = line.run("logout", terminal=True, stdin=Person(line, lambda _: answer))
    assert f"About to log out of {tokens.key} ({tokens.email}). Go on? [y/N]" in line.shown
    assert (ended.exit_code, line.kept() == {}) == ((0, True) if agreed else (1, False))
    assert ("nothing was changed" in line.shown) is not agreed


def test_a_pipe_that_has_ended_agrees_to_nothing(line: CommandLine):
    line.keep()
    assert line.run("logout").exit_code == 1
    assert len(line.kept()) == 1


def test_revoking_ends_the_login_at_the_issuer(line: CommandLine):
    tokens = line.keep()
    assert line.run("logout", "--revoke", "--yes").exit_code == 0
    [request] = line.server.requests
    assert request.path == "/oauth/revoke"
    assert line.kept() == {}
    line.put(tokens)
    assert "parked: it needs a login" in line.run("quota").stdout
    assert line.run("quota").exit_code != 0


def test_an_account_whose_login_could_not_be_revoked_is_kept(line: CommandLine):
    first, second = line.keep(), line.keep()
    line.server.fail("/oauth/revoke", Reply.error(503, "down"))
    ended = line.run("logout", "--all", "--revoke", "--yes")
    assert ended.exit_code == 1
    assert list(line.kept()) == [first.key]
    assert "error: the issuer did not revoke the login (503" in ended.stderr
    assert (
        f"account {first.key} was kept; `codex-client logout {first.key}` forgets it without the issuer" in ended.stderr
    )
    assert f"logged out of {second.key}" in ended.stderr
    assert_unseen(ended.output, line.server.secrets)


def test_a_borrowed_login_is_never_revoked(line: CommandLine):
    line.put(line.keep().lent())
    ended = line.run("logout", "--revoke", "--yes")
    assert ended.exit_code == 0
    assert "its login is its owner's to end, and only the copy here is deleted" in ended.stderr
    assert (line.server.requests, line.kept()) == ([], {})


def test_another_issuers_login_is_revoked_there(line: CommandLine):
    tokens = line.keep()
    elsewhere = replace(line.server.issuer, url="https://issuer.test")
    assert line.run("logout", "--revoke", "--yes", issuer=elsewhere).exit_code == 0
    assert [request.path for request in line.server.requests] == ["/oauth/revoke"]
    assert tokens.issuer == line.server.url


async def _lend(home: Path, state: FilePoolState) -> None:
    async with CredentialPool(FileTokenStore(home / "accounts.json"), state=state) as pool:
        await pool.lease(conversation_id="c", forced_refresh=False)


def test_nothing_stays_of_an_account_that_is_logged_out(line: CommandLine):
    line.server.add_account("acct-1").limit(10)
    key = line.keep(line.server.accounts[0]).key
    assert line.run("quota").exit_code == 0
    state = FilePoolState(line.home / "pool.json")
    anyio.run(_lend, line.home, state)
    lent = anyio.run(state.load)
    assert key in lent.accounts
    assert [loan.key for loan in lent.loans.values()] == list(lent.previous.values()) == [key]
    assert [one.key for one in lent.conversations.values()] == [key]
    assert line.run("logout", "--yes").exit_code == 0
    assert anyio.run(state.load).accounts == {}
    assert key not in (line.home / "pool.json").read_text()
