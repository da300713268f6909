"""What a snapshot means later: left, used up, reset since; in states, moments and words."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from codex_client.credentials.quota_state import (
    QuotaState,
    blocked_until,
    describe,
    describe_window,
    duration,
    percent,
    remaining_percent,
    rest_until,
    snapshot_state,
    spends_credit,
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
    pytest.param(told(refused=True, age=1e6), "exhausted", "refused by the server", id="refused-and-nothing-newer"),
    pytest.param(
        told(OVER, refused=True),
        "exhausted",
        "refused by the server; unknown since its reset 2 min ago",
        id="refused-although-the-window-had-reset",
    ),
    pytest.param(
        told(OVER, refused=True, age=121),
        "unknown",
        "refused by the server; unknown since its reset 2 min ago",
        id="refused-until-the-used-up-window-reset",
    ),
    pytest.param(
        told(SPENT_WEEK, RateLimitWindow(42.0, 300, NOW - 120), refused=True),
        "exhausted",
        "refused by the server; weekly: used up, resets in 2 d 2 h; 5 h: unknown since its reset 2 min ago",
        id="refused-and-a-window-with-room-reset",
    ),
    pytest.param(told(ROOM, age=7200), "available", "58 % left, resets in 2 h 10 min", id="age-alone-is-nothing"),
    pytest.param(
        told(RateLimitWindow(42.0, 300), age=18_000),
        "unknown",
        "unknown since its reset",
        id="its-length-has-passed",
    ),
    pytest.param(told(RateLimitWindow(42.0), age=1e6), "available", "58 % left", id="nothing-tells-its-reset"),
    pytest.param(
        told(RateLimitWindow(100.0), age=1e6), "exhausted", "used up", id="used-up-and-nothing-tells-its-reset"
    ),
    pytest.param(told(RateLimitWindow(100.0, 300), age=17_999), "exhausted", "used up", id="used-up-for-its-length"),
    pytest.param(
        told(RateLimitWindow(100.0, 300), age=18_000),
        "unknown",
        "unknown since its reset",
        id="used-up-and-its-length-has-passed",
    ),
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
        pytest.param(told(ROOM, LOW), None, id="room"),
        pytest.param(told(ZERO), None, id="no-limit"),
        pytest.param(told(SPENT, ROOM), NOW + 2 * HOUR, id="C8-one-window"),
        pytest.param(told(SPENT, SPENT_WEEK), NOW + 50 * HOUR, id="C8-the-last-of-two"),
        pytest.param(told(SPENT_WEEK, SPENT), NOW + 50 * HOUR, id="C8-in-either-place"),
        pytest.param(told(OVER), None, id="a-reset-that-has-passed"),
        pytest.param(told(RateLimitWindow(100.0, 300, NOW)), None, id="a-reset-that-is-now"),
        pytest.param(told(OVER, SPENT), NOW + 2 * HOUR, id="only-what-is-still-used-up"),
        pytest.param(told(RateLimitWindow(100.0, 300, NOW + 1e6)), NOW + 5 * HOUR, id="no-later-than-its-length"),
        pytest.param(told(RateLimitWindow(100.0, None, NOW + 1e6)), NOW + 168 * HOUR, id="no-length-told"),
        pytest.param(told(RateLimitWindow(100.0, 300), age=100), NOW + 300, id="no-reset-told"),
        pytest.param(told(RateLimitWindow(100.0, 1), age=20), NOW + 60, id="no-reset-told-and-a-short-window"),
        pytest.param(told(RateLimitWindow(100.0, 1), age=60), None, id="no-reset-told-and-its-length-has-passed"),
        pytest.param(told(RateLimitWindow(100.0), SPENT), NOW + 2 * HOUR, id="one-reset-told-of-two"),
        pytest.param(told(SPENT, credits=PAYS), None, id="credits-pay"),
        pytest.param(told(SPENT, credits=Credits()), NOW + 2 * HOUR, id="no-credits"),
        pytest.param(told(SPENT, credits=PAYS, source="error"), NOW + 2 * HOUR, id="refused-although-credits-pay"),
        pytest.param(told(SPENT, credits=PAYS, refused=True), NOW + 2 * HOUR, id="refused-by-its-word"),
        pytest.param(told(ROOM, refused=True, age=100), NOW + 300, id="refused-with-room"),
        pytest.param(told(OVER, refused=True), NOW + 300, id="refused-although-the-window-had-reset"),
        pytest.param(told(OVER, refused=True, age=121), None, id="refused-until-the-used-up-window-reset"),
    ],
)
def test_an_account_is_blocked_until_the_last_used_up_window_resets(
    snapshot: RateLimitSnapshot, until: float | None
) -> None:
    assert blocked_until(snapshot, NOW) == until


def test_an_undated_snapshot_is_of_now() -> None:
    undated = RateLimitSnapshot(primary=RateLimitWindow(100.0, 1))
    assert (blocked_until(undated, NOW), snapshot_state(undated, NOW)) == (NOW + 60, QuotaState.EXHAUSTED)


@pytest.mark.parametrize(
    "snapshot, told_at, until",
    [
        pytest.param(None, None, NOW + 300, id="nothing-known"),
        pytest.param(None, NOW + 9000, NOW + 9000, id="its-moment"),
        pytest.param(None, NOW, NOW + 300, id="a-moment-that-is-over"),
        pytest.param(told(SPENT), NOW + 60, NOW + 2 * HOUR, id="C8-a-later-reset"),
        pytest.param(told(SPENT), NOW + 3 * HOUR, NOW + 3 * HOUR, id="an-earlier-reset"),
        pytest.param(told(RateLimitWindow(100.0)), NOW + 60, NOW + 60, id="the-default-only-where-nobody-told"),
        pytest.param(told(ROOM), None, NOW + 300, id="room-as-was-thought"),
        pytest.param(told(ROOM), NOW + 1e6, NOW + 5 * HOUR, id="no-longer-than-the-window"),
        pytest.param(told(ROOM, SPENT_WEEK), NOW + 1e7, NOW + 7 * 24 * HOUR, id="no-longer-than-the-longest-window"),
        pytest.param(told(SPENT, credits=PAYS), None, NOW + 2 * HOUR, id="refused-although-credit-was-to-pay"),
    ],
)
def test_a_refused_account_rests_until_the_latest_moment_that_is_believed(
    snapshot: RateLimitSnapshot | None, told_at: float | None, until: float
) -> None:
    assert rest_until(snapshot, NOW, told_at=told_at) == until


moments = st.none() | st.floats(NOW - 1e6, NOW + 6e6)
windows = st.builds(
    RateLimitWindow,
    used_percent=st.sampled_from([0.0, 50.0, 99.9, 100.0, 130.0]),
    window_minutes=st.none() | st.sampled_from([0, 15, 300, 10_080]),
    resets_at=moments,
)


@given(used=windows, other=windows, told_at=moments, age=st.floats(0, 1e6))
def test_C8_a_rest_covers_every_reset_that_is_believed(
    used: RateLimitWindow, other: RateLimitWindow, told_at: float | None, age: float
) -> None:
    end = rest_until(told(used, other, age=age), NOW, told_at=told_at)
    assert end > NOW
    for window in (used, other):
        if window.exhausted and window.resets_at is not None and window.window_minutes:
            assert end >= min(window.resets_at, NOW + 60 * window.window_minutes)


@given(used=windows, other=windows, credits=st.none() | st.just(PAYS), refused=st.booleans(), age=st.floats(0, 1e6))
def test_what_is_shown_and_what_the_pool_does_say_the_same(
    used: RateLimitWindow, other: RateLimitWindow, credits: Credits | None, refused: bool, age: float
) -> None:
    snapshot = told(used, other, credits=credits, refused=refused, age=age)
    state = snapshot_state(snapshot, NOW)
    is_blocked = blocked_until(snapshot, NOW) is not None
    assert (state is QuotaState.EXHAUSTED) == (is_blocked or spends_credit(snapshot, NOW))
    assert not (is_blocked and spends_credit(snapshot, NOW))
    if not refused:
        assert (state is QuotaState.EXHAUSTED) == (remaining_percent(snapshot, NOW) == 0)


@pytest.mark.parametrize(
    "snapshot, left",
    [
        pytest.param(None, 100, id="nothing-known"),
        pytest.param(told(), 100, id="no-window"),
        pytest.param(told(ROOM, LOW), 5, id="the-tightest"),
        pytest.param(told(SPENT, ROOM), 0, id="used-up"),
        pytest.param(told(OVER, ROOM), 58, id="but-not-one-that-has-reset"),
        pytest.param(told(OVER), 100, id="reset"),
    ],
)
def test_what_is_left_is_that_of_the_tightest_window(snapshot: RateLimitSnapshot | None, left: float) -> None:
    assert remaining_percent(snapshot, NOW) == left


@pytest.mark.parametrize(
    "snapshot, spends",
    [
        (None, False),
        (told(ROOM, credits=PAYS), False),
        (told(SPENT, credits=PAYS), True),
        (told(SPENT, credits=Credits(unlimited=True)), True),
        (told(OVER, credits=PAYS), False),
        (told(SPENT, credits=PAYS, source="error"), False),
        (told(SPENT), False),
    ],
)
def test_credit_is_spent_only_where_a_window_is_used_up(snapshot: RateLimitSnapshot | None, spends: bool) -> None:
    assert spends_credit(snapshot, NOW) is spends


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
