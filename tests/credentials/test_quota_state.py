"""What a snapshot means later: left, used up, reset since; in states, moments and words."""

from __future__ import annotations

import pytest

from codex_client.credentials.quota_state import (
    QuotaState,
    blocked_until,
    describe,
    describe_window,
    duration,
    percent,
    snapshot_state,
    window_state,
)
from codex_client.model_variants import Credits, LimitSource, RateLimitSnapshot, RateLimitWindow

NOW = 1_773_000_000.0
HOUR = 3600.0
ROOM = RateLimitWindow(42.0, 300, NOW + 7800)
LOW = RateLimitWindow(95.0, 300, NOW + 60)
SPENT = RateLimitWindow(100.0, 300, NOW + 2 * HOUR)
SPENT_WEEK = RateLimitWindow(100.0, 10_080, NOW + 50 * HOUR)
OVER = RateLimitWindow(100.0, 300, NOW - 120)
ZERO = RateLimitWindow(0.0)


def told(
    primary: RateLimitWindow | None = None,
    secondary: RateLimitWindow | None = None,
    *,
    credits: Credits | None = None,
    refused: bool = False,
    source: LimitSource = "header",
    age: float = 0.0,
) -> RateLimitSnapshot:
    return RateLimitSnapshot(
        primary=primary, secondary=secondary, credits=credits, refused=refused, source=source, fetched_at=NOW - age
    )


STATES = [
    pytest.param(told(ROOM), "available", "58 % left, resets in 2 h 10 min", id="Q8-remaining"),
    pytest.param(told(LOW), "low", "5 % left, resets in 1 min", id="Q8-low"),
    pytest.param(told(RateLimitWindow(99.7)), "low", "under 1 % left", id="Q8-nearly-nothing"),
    pytest.param(told(SPENT), "exhausted", "used up, resets in 2 h", id="Q8-exhausted"),
    pytest.param(told(RateLimitWindow(100.0)), "exhausted", "used up", id="Q8-exhausted-without-reset"),
    pytest.param(told(OVER), "unknown", "unknown since its reset 2 min ago", id="Q8-unknown"),
    pytest.param(None, "no_data", "no data", id="Q8-no-data"),
    pytest.param(told(), "no_limit", "no limit", id="Q9-no-window"),
    pytest.param(told(ZERO), "no_limit", "no limit", id="Q9-no-limit-in-any-window"),
    pytest.param(told(ZERO, ROOM), "available", "58 % left, resets in 2 h 10 min", id="Q9-one-with-a-limit"),
    pytest.param(
        told(ROOM, SPENT_WEEK),
        "exhausted",
        "5 h: 58 % left, resets in 2 h 10 min; weekly: used up, resets in 2 d 2 h",
        id="Q8-two-windows",
    ),
    pytest.param(
        told(OVER, ROOM),
        "available",
        "5 h: unknown since its reset 2 min ago; 5 h: 58 % left, resets in 2 h 10 min",
        id="a-reset-window-says-nothing-against-the-other",
    ),
    pytest.param(
        told(ROOM, refused=True),
        "exhausted",
        "refused by the server; 58 % left, resets in 2 h 10 min",
        id="refused",
    ),
    pytest.param(told(refused=True), "exhausted", "refused by the server", id="refused-without-windows"),
    pytest.param(told(refused=True, age=900), "unknown", "refused by the server", id="refused-long-ago"),
    pytest.param(told(ROOM, age=7200), "available", "58 % left, resets in 2 h 10 min", id="age-alone-is-nothing"),
    pytest.param(
        told(RateLimitWindow(42.0, 300), age=18_000),
        "unknown",
        "unknown since its reset",
        id="its-length-has-passed",
    ),
    pytest.param(told(RateLimitWindow(42.0), age=1e6), "available", "58 % left", id="nothing-tells-its-reset"),
]


@pytest.mark.parametrize("snapshot, state, words", STATES)
def test_a_snapshot_has_a_state_and_words(snapshot: RateLimitSnapshot | None, state: str, words: str) -> None:
    assert snapshot_state(snapshot, NOW) == QuotaState(state)
    assert describe(snapshot, NOW) == words


def test_a_window_without_a_limit_says_so_by_itself() -> None:
    assert window_state(ZERO, NOW, seen_at=NOW) is QuotaState.NO_LIMIT
    assert describe_window(ZERO, NOW, seen_at=NOW) == "no limit"


def test_every_state_has_a_case_above() -> None:
    assert {case.values[1] for case in STATES} == set(QuotaState)


PAYS = Credits(has_credits=True)


@pytest.mark.parametrize(
    "snapshot, until",
    [
        pytest.param(None, None, id="no-data"),
        pytest.param(told(ROOM, LOW), None, id="room"),
        pytest.param(told(SPENT, ROOM), NOW + 2 * HOUR, id="C8-one-window"),
        pytest.param(told(SPENT, SPENT_WEEK), NOW + 50 * HOUR, id="C8-the-last-of-two"),
        pytest.param(told(SPENT_WEEK, SPENT), NOW + 50 * HOUR, id="C8-in-either-place"),
        pytest.param(told(OVER), None, id="a-reset-that-has-passed"),
        pytest.param(told(OVER, SPENT), NOW + 2 * HOUR, id="only-what-is-still-used-up"),
        pytest.param(told(RateLimitWindow(100.0, 300), age=100), NOW + 800, id="no-reset-told"),
        pytest.param(told(RateLimitWindow(100.0, 1), age=20), NOW + 40, id="no-reset-told-and-a-short-window"),
        pytest.param(told(RateLimitWindow(100.0), age=900), None, id="no-reset-told-long-ago"),
        pytest.param(told(SPENT, credits=PAYS), None, id="credits-pay"),
        pytest.param(told(SPENT, credits=Credits()), NOW + 2 * HOUR, id="no-credits"),
        pytest.param(told(SPENT, credits=PAYS, source="error"), NOW + 2 * HOUR, id="refused-although-credits-pay"),
        pytest.param(told(SPENT, credits=PAYS, refused=True), NOW + 2 * HOUR, id="refused-by-its-word"),
        pytest.param(told(ROOM, refused=True, age=100), NOW + 800, id="refused-with-room"),
        pytest.param(told(ROOM, refused=True, age=901), None, id="refused-long-ago"),
    ],
)
def test_an_account_is_blocked_until_the_last_used_up_window_resets(
    snapshot: RateLimitSnapshot | None, until: float | None
) -> None:
    assert blocked_until(snapshot, NOW) == until


def test_an_undated_snapshot_is_of_now() -> None:
    assert blocked_until(RateLimitSnapshot(primary=RateLimitWindow(100.0)), NOW) == NOW + 900


@pytest.mark.parametrize(
    "seconds, text",
    [
        (-5, "0 s"),
        (0.9, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (7800, "2 h 10 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d"),
        (86_400 * 3 + 3600 * 4 + 59, "3 d 4 h"),
    ],
)
def test_a_length_of_time_is_told_in_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("share, text", [(0, "0 %"), (0.4, "under 1 %"), (1, "1 %"), (57.6, "58 %"), (100, "100 %")])
def test_a_share_is_told_in_whole_percent(share: float, text: str) -> None:
    assert percent(share) == text
