"""`codex-client accounts`."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import pytest

from codex_client.credentials.file_state import FilePoolState
from codex_client.credentials.pool_record import ALL_LIMITS, Block, Loan, Parking, PoolRecord
from tests.support.command_line import CommandLine, plain
from tests.support.secrecy import assert_unseen

NOW = 1_700_000_000.0
HOUR = 3600.0


def remember(line: CommandLine, key: str, **members: object) -> None:
    """Change what the pool remembers of an account."""

    def change(record: PoolRecord) -> None:
        for name, value in members.items():
            setattr(record.account(key), name, value)

    anyio.run(FilePoolState(line.home / "pool.json").update, change)


def lend_twice(record: PoolRecord, key: str) -> None:
    record.loans |= {name: Loan(key, NOW + 60) for name in "ab"}


def state_of(line: CommandLine) -> str:
    """The last column of the only account."""
    shown = line.run("accounts").stdout.splitlines()
    column = shown[0].index("State")
    return "\n".join(text[column:].strip() for text in shown[2:]).strip()


def test_without_accounts_it_says_how_to_log_in(line: CommandLine):
    ended = line.run("accounts")
    assert (ended.exit_code, ended.stdout) == (0, "")
    assert "no account is logged in; log in with `codex-client login`" in ended.stderr
    assert json.loads(line.run("accounts", "--json").stdout) == {"accounts": []}


def test_each_account_has_a_row(line: CommandLine):
    account = line.server.add_account("acct-1", email="one@example.test", plan_type="pro")
    first, second = line.keep(account, lifetime=2 * HOUR + 600), line.keep()
    line.put(replace(second, borrowed=True, refresh_token=None, source="codex", expires_at=NOW - 120))
    shown = [" ".join(text.split()) for text in line.run("accounts").stdout.splitlines()]
    assert shown[0] == "Key E-mail Plan Workspace Source Token ends State"
    assert shown[2] == f"{first.key} one@example.test pro acct-1 login in 2 h 10 min ready"
    row = "codex, borrowed 2 min ago, for good ended; import it again"
    assert shown[3] == f"{second.key} {second.email} plus acct-2 {row}"


WORKSPACE = "5b0e6a3c-7d1f-4c2a-9e88-1f2d3c4b5a69"
LONG = "somebody.with.a.long.name@company.example"


@pytest.mark.parametrize("columns", [30, 40, 60, 80, 100, 110, 140])
def test_on_a_terminal_of_any_width_every_word_of_every_cell_is_there(line: CommandLine, columns: int):
    account = line.server.add_account(WORKSPACE, email=LONG, plan_type="business")
    first = line.keep(account, lifetime=2 * HOUR + 600)
    second = replace(line.keep(), borrowed=True, refresh_token=None, source="codex", expires_at=NOW - 120)
    line.put(second)
    remember(line, first.key, blocks={"codex": until(7800, "usage limit reached (5 h)")})
    assert line.run("accounts", terminal=True, size=(columns, 25)).exit_code == 0
    lines = plain(line.screen.getvalue()).splitlines()
    assert max(map(len, lines)) <= columns
    # A table breaks words into several lines of a cell: only there they are not all in one piece.
    shown = "".join("".join(lines).split())
    cells = (
        first.key,
        "business",
        "usage limit reached (5 h), until Wed 15 Nov 00:23, in 2 h 10 min",
        second.key,
        "codex, borrowed",
        "2 min ago, for good",
        "ended; import it again",
    )
    if columns < 110:
        assert [cell for cell in (LONG, WORKSPACE, *cells) if "".join(cell.split()) not in shown] == []
    else:
        words = {word for cell in cells for word in cell.split()}
        assert words - set(" ".join(lines).split()) == set()


def test_an_address_that_is_wider_than_its_column_is_broken_and_not_cut(line: CommandLine):
    line.keep(line.server.add_account("acct-1", email="x" * 90 + "@company.example"))
    assert line.run("accounts", terminal=True, size=(120, 25)).exit_code == 0
    shown = plain(line.screen.getvalue())
    assert shown.count("x") == 90 + shown.count("example") == 91
    assert "State" in shown


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"borrowed": True, "refresh_token": None}, "ended; import it again"),
        ({"refresh_token": None}, "ended; log in again"),
        ({"refresh_token": None, "source": "environment"}, "ended; set a new token"),
    ],
    ids=["borrowed", "own", "environment"],
)
def test_a_login_that_nothing_renews_cannot_serve_when_its_token_has_ended(
    line: CommandLine, changes: dict[str, Any], told: str
):
    line.put(replace(line.keep(), **changes))
    assert (state_of(line), served(line)) == ("ready", [True])
    line.clock.advance(HOUR)
    assert (state_of(line), served(line)) == (told, [False])


def test_a_login_that_is_renewed_can_serve_when_its_token_has_ended(line: CommandLine):
    line.keep()
    line.clock.advance(HOUR)
    assert (state_of(line), served(line)) == ("ready", [True])


def served(line: CommandLine) -> list[bool]:
    return [each["can_serve"] for each in json.loads(line.run("accounts", "--json").stdout)["accounts"]]


def test_into_a_pipe_no_line_ends_in_blanks(line: CommandLine):
    line.keep()
    shown = line.run("accounts").stdout.splitlines()
    assert shown == [text.rstrip() for text in shown]


def test_into_a_pipe_it_writes_whole_lines_without_control_codes(line: CommandLine):
    workspace = "workspace-" + "x" * 150
    line.keep(line.server.add_account(workspace))
    shown = line.run("accounts").stdout
    assert "\x1b" not in shown
    assert workspace in shown
    assert len(shown.splitlines()) == 3


def until(seconds: float, reason: str) -> Block:
    return Block("usage", reason, NOW, NOW + seconds)


@pytest.mark.parametrize(
    "members, told",
    [
        ({}, "ready"),
        ({"blocks": {"codex": until(7800, "used up")}}, "used up, until Wed 15 Nov 00:23, in 2 h 10 min"),
        ({"blocks": {"codex": until(60, "a"), ALL_LIMITS: until(120, "b")}}, "b, until 22:15, in 2 min"),
        ({"blocks": {"spark": until(30, "used up")}}, "ready\nspark: used up, until 22:13, in 30 s"),
        ({"blocks": {"codex": until(-1, "over")}}, "ready"),
        ({"parking": Parking("permission denied", NOW)}, "parked: permission denied"),
    ],
    ids=["ready", "blocked", "blocked twice", "other limit", "over", "parked"],
)
def test_its_state_is_told_in_words(line: CommandLine, members: dict[str, object], told: str):
    key = line.keep().key
    fingerprint = line.kept()[key].fingerprint
    if isinstance(parking := members.get("parking"), Parking):
        members = {"parking": replace(parking, fingerprint=fingerprint)}
    remember(line, key, **members)
    assert state_of(line) == told


def test_turns_under_way_are_counted(line: CommandLine):
    key = line.keep().key
    anyio.run(FilePoolState(line.home / "pool.json").update, partial(lend_twice, key=key))
    assert state_of(line) == "ready\n2 in flight"


def test_unblocking_takes_an_account_back_into_service(line: CommandLine):
    key = line.keep().key
    remember(line, key, blocks={"codex": Block("usage", "used up", NOW, NOW + HOUR)})
    assert state_of(line).startswith("used up, until")
    ended = line.run("accounts", "--unblock", key[:8])
    assert ended.exit_code == 0
    assert f"{key} is back in service" in ended.stderr
    assert state_of(line) == "ready"


def test_unblocking_nobody_is_wrong_usage(line: CommandLine):
    line.keep()
    assert line.run("accounts", "--unblock", "nobody").exit_code == 2


def test_json_has_every_member_and_no_token(line: CommandLine):
    account = line.server.add_account("acct-1", email="one@example.test", plan_type="pro")
    tokens = line.keep(account)
    remember(line, tokens.key, blocks={"codex": Block("usage", "used up", NOW, NOW + HOUR)})
    ended = line.run("accounts", "--json")
    assert json.loads(ended.stdout) == {
        "accounts": [
            {
                "key": tokens.key,
                "email": "one@example.test",
                "plan_type": "pro",
                "account_id": "acct-1",
                "subject": "user-acct-1",
                "issuer": line.server.url,
                "source": "login",
                "borrowed": False,
                "can_renew": True,
                "expires_at": NOW + HOUR,
                "expires_at_iso": "2023-11-14T23:13:20Z",
                "refreshed_at": NOW,
                "refreshed_at_iso": "2023-11-14T22:13:20Z",
                "can_serve": False,
                "parked": None,
                "blocks": [
                    {
                        "limit_id": "codex",
                        "reason": "used up",
                        "ends_at": NOW + HOUR,
                        "ends_at_iso": "2023-11-14T23:13:20Z",
                    }
                ],
                "in_flight": 0,
                "conversations": 0,
                "leases": 0,
                "last_used_at": None,
                "last_used_at_iso": None,
            }
        ]
    }
    assert_unseen(ended.output, line.server.secrets - {tokens.email})


def test_the_environments_accounts_come_first_and_that_is_said(line: CommandLine, monkeypatch: pytest.MonkeyPatch):
    line.keep()
    other = line.server.issue(line.server.add_account("acct-env"))
    monkeypatch.setenv("CODEX_1_ACCESS_TOKEN", other.access_token)
    ended = line.run("accounts", "--json")
    assert [each["account_id"] for each in json.loads(ended.stdout)["accounts"]] == ["acct-env"]
    told = "is set: the environment's accounts come before those that are kept"
    assert f"a numbered CODEX_…_ACCESS_TOKEN {told}" in ended.stderr
    monkeypatch.setenv("CODEX_ACCESS_TOKEN", other.access_token)
    assert f"CODEX_ACCESS_TOKEN {told}" in line.run("accounts").stderr.splitlines()


def test_what_others_wrote_does_not_steer_the_terminal(line: CommandLine):
    tokens = line.keep()
    line.put(replace(tokens, email="\x1b]0;title\x07one@example.test"))
    remember(line, tokens.key, parking=Parking("\x1b]0;no", NOW, tokens.fingerprint))
    assert line.run("accounts", terminal=True).exit_code == 0
    assert "\x1b]0;" not in line.screen.getvalue()
    assert "one@example.test" in line.screen.getvalue()
    assert line.run("logout", terminal=True).exit_code == 1
    assert "one@example.test" in line.screen.getvalue()
    assert "\x1b]0;" not in line.screen.getvalue()
