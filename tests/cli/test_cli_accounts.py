"""`codex-client accounts`."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import anyio
import pytest

from codex_client.credentials.file_state import FilePoolState
from codex_client.credentials.pool_record import ALL_LIMITS, Block, Loan, Parking, PoolRecord
from tests.support.command_line import CommandLine
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
    row = "codex, borrowed 2 min ago, for good ready"
    assert shown[3] == f"{second.key} {second.email} plus acct-2 {row}"


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
    assert "CODEX_ACCESS_TOKEN is set: the environment's accounts come before those that are kept" in ended.stderr


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
