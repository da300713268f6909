"""`codex-client quota`: what is asked for, what is shown of it, and which status the command ends with."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import anyio
import pytest

from codex_client.auth.tokens import TokenSet
from codex_client.cli.surroundings import Surroundings
from codex_client.credentials.file_state import FilePoolState
from codex_client.credentials.pool_record import Parking, PoolRecord
from codex_client.model_variants import Credits, RateLimitSnapshot, RateLimitWindow
from codex_client.testing import Hold, Reply
from tests.support.command_line import CommandLine, plain, words_of
from tests.support.secrecy import assert_unseen

NOW = 1_700_000_000.0
HOUR, DAY = 3600.0, 86_400.0


def account(line: CommandLine, name: str, used: float | None = None, **more: Any) -> TokenSet:
    """A login of an account with a window of five hours; `used` in percent, None for no limit."""
    one = line.server.add_account(name, email=f"{name}@example.test", **more)
    if used is not None:
        one.limit(used, 300, NOW + 2 * HOUR + 600)
    return line.keep(one)


def shown(line: CommandLine, *arguments: str) -> list[str]:
    """The lines of the command, each with single blanks."""
    return [" ".join(text.split()) for text in line.run("quota", *arguments).stdout.splitlines()]


def last_frame(line: CommandLine) -> list[str]:
    """The lines of a display that is drawn in place, as they were drawn last."""
    return plain(re.split(r"(?:\r|\x1b\[2K|\x1b\[1A)+", line.screen.getvalue())[-1]).rstrip().splitlines()


def interrupt_at(line: CommandLine, sleep: int) -> None:
    def on_sleep(number: int) -> None:
        if number >= sleep:
            raise KeyboardInterrupt

    line.clock.on_sleep = on_sleep


def test_each_window_has_its_name_what_is_left_and_when_it_resets(line: CommandLine):
    tokens = account(line, "one", 42, plan_type="pro")
    line.server.accounts[0].limit(91, 10_080, NOW + 3 * DAY, which="secondary")
    line.server.accounts[0].credits = Credits(has_credits=True, balance="12.50")
    ended = line.run("quota")
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert shown(line) == [
        f"one@example.test pro, 12.50 credits, {tokens.key}",
        "ready",
        "5 h 58 % left resets Wed 15 Nov 00:23, in 2 h 10 min",
        "weekly 9 % left resets Fri 17 Nov 22:13, in 3 d",
    ]
    assert "\x1b" not in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) < 100
    assert [text for text in ended.stdout.splitlines() if text != text.rstrip()] == []


@pytest.mark.parametrize("columns, has_bar, is_beside", [(90, True, True), (89, False, True), (60, False, True)])
def test_a_narrow_terminal_has_no_bar(line: CommandLine, columns: int, has_bar: bool, is_beside: bool):
    account(line, "one", 42)
    assert line.run("quota", terminal=True, size=(columns, 25)).exit_code == 0
    [row] = [text for text in plain(line.screen.getvalue()).splitlines() if "58 % left" in text]
    assert ("━" in row, "resets Wed 15 Nov 00:23, in 2 h 10 min" in row) == (has_bar, is_beside)


@pytest.mark.parametrize("columns", [20, 30, 40, 58])
def test_a_very_narrow_terminal_has_the_reset_on_a_line_of_its_own(line: CommandLine, columns: int):
    tokens = account(line, "one", 42)
    line.server.accounts[0].limit(30, 60, NOW + HOUR, limit_id="a_limit_with_a_long_name")
    assert line.run("quota", terminal=True, size=(columns, 40)).exit_code == 0
    lines = plain(line.screen.getvalue()).splitlines()
    assert max(map(len, lines)) <= columns
    shown = "".join("".join(lines).split())
    cells = ("one@example.test", tokens.key, "5 h", "58 % left", "resets Wed 15 Nov 00:23, in 2 h 10 min")
    cells += ("a_limit_with_a_long_name 1 h", "70 % left", "resets 23:13, in 1 h")
    assert [cell for cell in cells if "".join(cell.split()) not in shown] == []
    if columns >= 40:
        [at] = [index for index, text in enumerate(lines) if "58 % left" in text]
        assert lines[at + 1].strip().startswith("resets Wed 15 Nov")


def test_on_a_terminal_each_window_has_a_bar_of_what_is_left(line: CommandLine):
    account(line, "one", 50)
    assert line.run("quota", terminal=True).exit_code == 0
    [row] = [text for text in line.shown.split("one@") if "5 h" in text]
    bar = "━" * 10 + "╺" + "━" * 9
    assert f"5 h {bar} 50 % left" in row


def test_a_limit_that_there_is_not_is_in_the_json_only(line: CommandLine):
    account(line, "one")
    empty = {"used_percent": 0, "limit_window_seconds": 0, "reset_after_seconds": 0, "reset_at": 0}
    told = {"plan_type": "plus", "rate_limit": {"allowed": True, "limit_reached": False, "primary_window": empty}}
    line.server.fail("/wham/usage", Reply.from_json(told), times=2)
    assert shown(line)[1:] == ["ready", "no limit"]
    [one] = json.loads(line.run("quota", "--json").stdout)["accounts"]
    assert [(limit["limit_id"], limit["primary"], limit["secondary"]) for limit in one["limits"]] == [
        ("codex", None, None)
    ]


def test_a_window_without_a_limit_is_in_the_json_only(line: CommandLine):
    key = account(line, "one").key
    told = RateLimitSnapshot(primary=RateLimitWindow(50, 300), secondary=RateLimitWindow(0), fetched_at=NOW)

    def change(record: PoolRecord) -> None:
        record.account(key).quota.add(told)

    anyio.run(FilePoolState(line.home / "pool.json").update, change)
    line.server.fail("/wham/usage", Reply.error(503, "down"), times=2)
    assert [text for text in shown(line) if "% left" in text] == ["5 h 50 % left"]
    [one] = json.loads(line.run("quota", "--json").stdout)["accounts"]
    assert one["limits"][0]["secondary"]["has_limit"] is False


def test_other_limits_have_their_names(line: CommandLine):
    account(line, "one", 10)
    line.server.accounts[0].limit(30, 60, NOW + HOUR, limit_id="codex_spark")
    assert shown(line)[2:] == [
        "5 h 90 % left resets Wed 15 Nov 00:23, in 2 h 10 min",
        "codex_spark 1 h 70 % left resets 23:13, in 1 h",
    ]


def test_early_resets_that_are_left_are_shown(line: CommandLine):
    account(line, "one")
    told = {"plan_type": "plus", "rate_limit_reset_credits": {"available_count": 2}}
    line.server.fail("/wham/usage", Reply.from_json(told))
    assert "plus, 2 early resets, " in shown(line)[0]
    line.server.fail("/wham/usage", Reply.from_json(told | {"rate_limit_reset_credits": {"available_count": 1}}))
    assert "plus, 1 early reset, " in shown(line)[0]
    line.server.fail("/wham/usage", Reply.from_json(told))
    assert json.loads(line.run("quota", "--json").stdout)["accounts"][0]["reset_credits"] == 2


def test_a_window_that_does_not_tell_its_reset_has_none(line: CommandLine):
    account(line, "one")
    window = {"used_percent": 30, "limit_window_seconds": 18_000}
    line.server.fail("/wham/usage", Reply.from_json({"rate_limit": {"primary_window": window}}))
    assert shown(line)[-1] == "5 h 70 % left"


def test_an_account_that_is_used_up_does_not_matter_while_another_can_serve(line: CommandLine):
    account(line, "one", 100)
    account(line, "two", 20)
    ended = line.run("quota")
    assert (ended.exit_code, ended.stderr) == (0, "")
    told = words_of(ended.stdout)
    assert "usage limit reached (5 h), until Wed 15 Nov 00:23, in 2 h 10 min 5 h used up resets" in told
    assert "two@example.test" in told


def test_where_none_can_serve_the_status_is_4_and_until_when_is_said(line: CommandLine):
    account(line, "one", 100)
    account(line, "two", 100)
    ended = line.run("quota")
    assert ended.exit_code == 4
    told = "error: no account can serve, the next one is free at Wed 15 Nov 00:23, in 2 h 10 min\n"
    assert ended.stderr == told
    line.clock.advance(3 * HOUR)
    assert line.run("quota").exit_code == 0


def test_credits_pay_where_a_window_is_used_up(line: CommandLine):
    account(line, "one", 100)
    window = {"used_percent": 100, "limit_window_seconds": 18_000, "reset_at": NOW + HOUR}
    told = {
        "rate_limit": {"allowed": True, "limit_reached": False, "primary_window": window},
        "credits": {"has_credits": True, "unlimited": True, "balance": None},
    }
    line.server.fail("/wham/usage", Reply.from_json(told))
    ended = line.run("quota")
    assert ended.exit_code == 0
    assert "plus, unlimited credits" in ended.stdout
    assert "used up" in ended.stdout


def test_an_account_that_needs_a_login_cannot_serve_and_none_comes_back(line: CommandLine):
    tokens = account(line, "one", 10)
    line.server.revoke_family(tokens)
    ended = line.run("quota")
    assert ended.exit_code == 4
    told = "and none comes back by itself; log in again, or with another account, by `codex-client login`"
    assert told in ended.stderr
    assert "parked: it needs a login" in ended.stdout
    # Why it is parked is why there are no numbers: once is enough.
    assert "usage not fetched" not in ended.stdout
    assert ended.stdout.count("the refresh token was revoked") == 1


def test_a_failure_that_is_not_why_an_account_is_parked_is_shown_as_well(line: CommandLine):
    key = account(line, "one", 10).key
    parking = Parking("permission denied; check the account and its workspace", NOW, line.kept()[key].fingerprint)

    def change(record: PoolRecord) -> None:
        record.account(key).parking = parking

    anyio.run(FilePoolState(line.home / "pool.json").update, change)
    line.server.fail("/wham/usage", Reply.error(503, "down"))
    told = words_of(line.run("quota").stdout)
    assert "usage not fetched: unexpected status 503" in told
    assert "parked: permission denied" in told


def test_without_a_login_the_status_is_3(line: CommandLine):
    ended = line.run("quota")
    assert (ended.exit_code, ended.stdout) == (3, "")
    assert "no account is logged in" in ended.stderr
    as_json = line.run("quota", "--json")
    assert (as_json.exit_code, json.loads(as_json.stdout), as_json.stderr) == (3, {"accounts": []}, ended.stderr)


def test_a_failure_is_shown_where_the_numbers_would_be_and_is_no_answer(line: CommandLine):
    account(line, "one", 10)
    line.server.fail("/wham/usage", Reply.error(503, "down"))
    ended = line.run("quota")
    assert ended.exit_code == 1
    told = words_of(ended.stdout)
    assert "usage not fetched: unexpected status 503 " in told
    assert "ready" not in told


def test_a_failure_of_one_account_stops_no_other(line: CommandLine):
    account(line, "one", 10)
    account(line, "two", 20)
    line.server.fail("/wham/usage", Reply.error(503, "down"))
    ended = line.run("quota")
    assert ended.exit_code == 0
    assert ended.stdout.count("usage not fetched: unexpected status 503") == 1
    assert ended.stdout.count("% left") == 1


def test_after_a_failure_the_older_numbers_stay_and_are_marked(line: CommandLine):
    account(line, "one", 10)
    assert line.run("quota").exit_code == 0
    line.clock.advance(720)
    line.server.fail("/wham/usage", Reply.error(503, "down"), times=2)
    assert "90 % left resets Wed 15 Nov 00:23, in 1 h 58 min; stale, 12 min old" in shown(line)[-1]
    [one] = json.loads(line.run("quota", "--json").stdout)["accounts"]
    assert ("503" in one["failure"], [limit["stale"] for limit in one["limits"]]) == (True, [True])


def test_a_window_that_has_reset_since_is_unknown(line: CommandLine):
    account(line, "one", 10)
    assert line.run("quota").exit_code == 0
    line.clock.advance(3 * HOUR)
    line.keep(line.server.accounts[0])
    line.server.fail("/wham/usage", Reply.error(503, "down"))
    assert shown(line)[-1] == "5 h unknown reset 50 min ago; stale, 3 h old"


def test_all_accounts_are_asked_at_once(line: CommandLine):
    for name in ("one", "two", "three"):
        account(line, name, 10)
    line.server.disturb("/wham/usage", Hold(), times=3)
    together: list[int] = []

    async def watch() -> None:
        await line.server.received(3)
        together.append(len(line.server.requests))
        line.server.release(3)

    line.portal.start_task_soon(watch)
    assert line.run("quota").exit_code == 0
    assert together == [3]


def test_only_the_accounts_that_were_named_are_asked_and_count(line: CommandLine):
    account(line, "one", 10)
    second = account(line, "two", 100)
    ended = line.run("quota", second.key[:5])
    assert ended.exit_code == 4
    assert ended.stderr.startswith("error: none of the accounts asked for can serve, the next one is free at ")
    assert "one@example.test" not in ended.stdout
    assert len(line.server.requests) == 1
    assert line.run("quota", "three").exit_code == 2


def test_an_expired_token_is_renewed_on_the_way(line: CommandLine):
    one = line.server.add_account("one")
    one.limit(10)
    old = line.keep(one, lifetime=10)
    line.clock.advance(60)
    assert line.run("quota").exit_code == 0
    assert (line.server.refreshes, old.access_token in {each.access_token for each in line.kept().values()}) == (
        1,
        False,
    )


def test_json_has_stable_members(line: CommandLine):
    tokens = account(line, "one", 42, plan_type="pro")
    ended = line.run("quota", "--json")
    told = json.loads(ended.stdout)
    [limit] = told["accounts"][0].pop("limits")
    [one] = told.pop("accounts")
    assert told == {
        "asked_at": NOW,
        "asked_at_iso": "2023-11-14T22:13:20Z",
        "can_serve": True,
        "next_available_at": None,
        "next_available_at_iso": None,
    }
    assert one == {
        "key": tokens.key,
        "email": "one@example.test",
        "plan_type": "pro",
        "account_id": "one",
        "can_serve": True,
        "parked": None,
        "blocks": [],
        "failure": None,
        "credits": None,
        "reset_credits": None,
    }
    assert limit == {
        "limit_id": "codex",
        "limit_name": None,
        "primary": {
            "used_percent": 42.0,
            "window_minutes": 300,
            "resets_at": NOW + 7800,
            "resets_at_iso": "2023-11-15T00:23:20Z",
            "limit": None,
            "remaining": None,
            "label": "5 h",
            "remaining_percent": 58.0,
            "has_limit": True,
        },
        "secondary": None,
        "credits": None,
        "plan_type": "pro",
        "reached_type": None,
        "refused": False,
        "source": "endpoint",
        "fetched_at": NOW,
        "fetched_at_iso": "2023-11-14T22:13:20Z",
        "stale": False,
    }
    assert_unseen(ended.output, line.server.secrets - {"one@example.test"})


def test_json_says_when_the_next_account_is_free(line: CommandLine):
    account(line, "one", 100)
    ended = line.run("quota", "--json")
    told = json.loads(ended.stdout)
    assert (ended.exit_code, told["can_serve"], told["next_available_at"]) == (4, False, NOW + 7800)
    [block] = told["accounts"][0]["blocks"]
    assert block == {
        "limit_id": "codex",
        "reason": "usage limit reached (5 h)",
        "ends_at": NOW + 7800,
        "ends_at_iso": "2023-11-15T00:23:20Z",
    }


def test_watching_asks_at_the_interval_until_it_is_interrupted(line: CommandLine):
    account(line, "one", 10)
    interrupt_at(line, 4)
    ended = line.run("quota", "--watch", "--interval", "30")
    assert ended.exit_code == 130
    assert line.clock.sleeps == [30, 30, 30]
    assert [request.path for request in line.server.requests] == ["/backend-api/wham/usage"] * 4
    assert ended.stdout.count("one@example.test") == 4
    assert "Traceback" not in ended.output


def test_reports_that_are_watched_through_a_pipe_have_their_time_between_them(line: CommandLine):
    account(line, "one", 10)
    interrupt_at(line, 3)
    lines = line.run("quota", "--watch", "--interval", "30").stdout.splitlines()
    starts = [index for index, text in enumerate(lines) if text.startswith("one@")]
    assert [lines[index - 2 : index] for index in starts] == [
        [],
        ["", "2023-11-14 22:13:50"],
        ["", "2023-11-14 22:14:20"],
    ]


@pytest.mark.parametrize("lines, whole, listed", [(40, 10, 10), (24, 0, 10), (8, 0, 6), (3, 0, 1), (2, 0, 0)])
def test_what_is_watched_is_never_higher_than_the_screen(line: CommandLine, lines: int, whole: int, listed: int):
    names = [f"person-{number}@example.test" for number in range(10)]
    for name in names:
        account(line, name.partition("@")[0], 40)
    interrupt_at(line, 1)
    line.run("quota", "--watch", terminal=True, size=(80, lines))
    frame = last_frame(line)
    assert len(frame) <= lines
    assert sum(name in text for text in frame for name in names) == listed
    assert sum("resets Wed 15 Nov" in text for text in frame) == whole
    assert sum("ready, 5 h 60 % left" in text for text in frame) == (0 if whole else listed)
    more = 10 - listed
    assert (f"… and {more} more account" in "".join(frame)) == bool(more)
    assert frame[-1].startswith("asked again in 1 min")


def test_the_short_form_says_of_each_account_what_is_the_matter(line: CommandLine):
    account(line, "up", 100)
    account(line, "down", 10)
    line.server.fail("/wham/usage", Reply.error(503, "down"), times=1)
    gone = account(line, "gone", 10)
    line.server.revoke_family(gone)
    interrupt_at(line, 1)
    line.run("quota", "--watch", terminal=True, size=(300, 5))
    frame = last_frame(line)
    assert [text.partition(" ")[0] for text in frame] == [
        "up@example.test",
        "down@example.test",
        "gone@example.test",
        "asked",
    ]
    assert frame[2].startswith("gone@example.test  parked: it needs a login: the refresh token was revoked")
    assert "".join(frame).count("  usage not fetched: unexpected status 503") == 1


def test_watching_as_json_prints_a_line_each_time(line: CommandLine):
    account(line, "one", 10)
    interrupt_at(line, 2)
    ended = line.run("quota", "--watch", "--json")
    assert ended.exit_code == 130
    assert [json.loads(text)["asked_at"] for text in ended.stdout.splitlines()] == [NOW, NOW + 60]


def test_watching_on_a_terminal_counts_down_in_place(line: CommandLine):
    account(line, "one", 10)
    interrupt_at(line, 13)
    ended = line.run("quota", "--watch", "--interval", "10", terminal=True)
    assert ended.exit_code == 130
    assert line.clock.sleeps == [1.0] * 12
    assert len(line.server.requests) == 2
    assert [f"asked again in {left} s" in line.shown for left in (10, 9, 1)] == [True] * 3
    # The cursor that the display hid is back.
    assert line.screen.getvalue().rstrip().endswith("\x1b[?25h")


def test_watching_goes_on_where_one_fetch_fails(line: CommandLine):
    account(line, "one", 10)
    interrupt_at(line, 3)
    line.server.fail("/wham/usage", Reply.error(503, "down"))
    ended = line.run("quota", "--watch")
    assert ended.exit_code == 130
    assert ended.stdout.count("usage not fetched: unexpected status 503") == 1
    assert ended.stdout.count("90 % left") == 2


def test_an_interval_below_ten_seconds_is_wrong_usage(line: CommandLine):
    assert line.run("quota", "--watch", "--interval", "9").exit_code == 2


def test_an_interval_without_a_watch_is_wrong_usage(line: CommandLine):
    account(line, "one", 10)
    ended = line.run("quota", "--interval", "20")
    assert (ended.exit_code, line.server.requests) == (2, [])
    assert "--interval goes with --watch" in ended.stderr


def test_tokens_are_sent_to_no_other_provider(line: CommandLine, monkeypatch: pytest.MonkeyPatch):
    account(line, "one", 10)
    monkeypatch.setenv("CODEX_CLIENT_BASE_URL", f"{line.server.url}/v1")
    providers: list[str] = []
    for name in ("chatgpt", "openai", ""):
        monkeypatch.setenv("CODEX_CLIENT_PROVIDER", name)
        providers.append(Surroundings().usage_provider().base_url)
    assert providers == [f"{line.server.url}/v1", *["https://chatgpt.com/backend-api/codex"] * 2]


def test_an_address_that_is_not_asked_is_told_of(line: CommandLine, monkeypatch: pytest.MonkeyPatch):
    account(line, "one", 10)
    monkeypatch.setenv("CODEX_CLIENT_BASE_URL", "https://elsewhere.test/v1")
    told = "CODEX_CLIENT_BASE_URL is not used: it may be of any provider, and the accounts' tokens are for "
    ended = line.run("quota")
    assert ended.stderr.startswith(f"{told}{line.server.base_url}; set CODEX_CLIENT_PROVIDER=chatgpt")
    monkeypatch.setenv("CODEX_CLIENT_BASE_URL", line.server.base_url)
    assert line.run("quota").stderr == ""


@pytest.mark.parametrize("plan_type", [None, "\x1b[2Jpro"])
def test_odd_plans_do_not_steer_the_terminal(line: CommandLine, plan_type: str | None):
    tokens = account(line, "one", 10)
    line.put(replace(tokens, plan_type=plan_type))
    line.server.fail("/wham/usage", Reply.error(503, "down"))
    line.run("quota", terminal=True)
    assert "\x1b[2J" not in line.screen.getvalue()


def test_nothing_secret_is_shown_when_everything_fails(line: CommandLine):
    tokens = account(line, "one", 10)
    line.server.fail("/wham/usage", Reply(status=500, body=f"{tokens.access_token} {tokens.email}".encode()))
    ended = line.run("--debug", "quota")
    assert ended.exit_code == 1
    assert_unseen(ended.output.replace("one@example.test  plus", ""), line.server.secrets)
