"""Rate limits as values."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given, strategies as st

from codex_client.model_variants import Credits, RateLimitSnapshot, RateLimitWindow


@pytest.mark.parametrize(
    "window, exhausted",
    [
        (RateLimitWindow(99.9), False),
        (RateLimitWindow(100.0), True),
        (RateLimitWindow(130.0), True),
        (RateLimitWindow(99.0, limit=100, remaining=1), False),
        (RateLimitWindow(0.0, limit=100, remaining=0), True),
    ],
)
def test_a_window_is_exhausted_when_nothing_is_left(window: RateLimitWindow, exhausted: bool) -> None:
    assert window.exhausted is exhausted
    assert (window.remaining_percent == 0) is exhausted


@given(st.floats(allow_nan=False), st.none() | st.integers(0))
def test_the_rest_is_a_share(used: float, remaining: int | None) -> None:
    assert 0 <= RateLimitWindow(used, remaining=remaining).remaining_percent <= 100


@pytest.mark.parametrize(
    "minutes, label",
    [
        pytest.param(300, "5 h", id="Q5-five-hours"),
        pytest.param(299, "5 h", id="Q5-as-recorded"),
        pytest.param(297, "5 h", id="Q5-at-the-bias"),
        pytest.param(303, "5 h", id="Q5-above"),
        pytest.param(296, "296 min", id="Q5-beyond-the-bias"),
        pytest.param(60, "1 h", id="Q5-an-hour"),
        pytest.param(15, "15 min", id="Q5-additional-limits"),
        pytest.param(1, "1 min", id="Q5-per-minute"),
        pytest.param(1443, "24 h", id="Q5-a-day"),
        pytest.param(1444, "weekly", id="Q5-more-than-a-day"),
        pytest.param(10_079, "weekly", id="Q5-a-week-as-recorded"),
        pytest.param(10_083, "weekly", id="Q5-a-week"),
        pytest.param(10_084, "monthly", id="Q5-more-than-a-week"),
        pytest.param(43_200, "monthly", id="Q5-30-days"),
        pytest.param(44_643, "monthly", id="Q5-31-days"),
        pytest.param(44_644, "annual", id="Q5-more-than-a-month"),
        pytest.param(525_600, "annual", id="Q5-a-year"),
        pytest.param(0, "window", id="Q5-zero"),
        pytest.param(None, "window", id="Q5-unknown"),
    ],
)
def test_a_window_is_named_by_its_length(minutes: int | None, label: str) -> None:
    window = RateLimitWindow(1.0, window_minutes=minutes)
    assert window.label == label
    assert RateLimitSnapshot(primary=window).windows[0].label == RateLimitSnapshot(secondary=window).windows[0].label


@pytest.mark.parametrize(
    "one, other, alike", [(300, 303, True), (300, 304, False), (None, 300, False), (300, None, False), (0, 0, False)]
)
def test_lengths_are_alike_within_three_minutes(one: int | None, other: int | None, alike: bool) -> None:
    assert RateLimitWindow(0.0, one).is_as_long_as(RateLimitWindow(0.0, other)) is alike


@pytest.mark.parametrize(
    "window, has_limit",
    [
        (RateLimitWindow(0.0), False),
        (RateLimitWindow(0.0, window_minutes=0), False),
        (RateLimitWindow(1.0), True),
        (RateLimitWindow(0.0, window_minutes=300), True),
        (RateLimitWindow(0.0, resets_at=0.0), True),
        (RateLimitWindow(0.0, limit=100), True),
    ],
)
def test_Q9_a_window_of_zeros_is_no_limit(window: RateLimitWindow, has_limit: bool) -> None:
    assert window.has_limit is has_limit
    assert RateLimitSnapshot(secondary=window).has_limit is has_limit


def test_Q9_a_family_without_windows_has_no_limit_but_one_that_is_refused_has() -> None:
    assert not RateLimitSnapshot(plan_type="pro").has_limit
    assert RateLimitSnapshot(refused=True).has_limit


@pytest.mark.parametrize(
    "snapshot, exhausted",
    [
        (RateLimitSnapshot(), False),
        (RateLimitSnapshot(primary=RateLimitWindow(99.0)), False),
        (RateLimitSnapshot(primary=RateLimitWindow(1.0), secondary=RateLimitWindow(100.0)), True),
        (RateLimitSnapshot(primary=RateLimitWindow(1.0), refused=True), True),
    ],
)
def test_any_window_or_the_server_s_word_exhausts_a_snapshot(snapshot: RateLimitSnapshot, exhausted: bool) -> None:
    assert snapshot.exhausted is exhausted


@pytest.mark.parametrize(
    "credit, can_pay", [(Credits(), False), (Credits(has_credits=True), True), (Credits(unlimited=True), True)]
)
def test_credits_pay_where_there_are_any(credit: Credits, can_pay: bool) -> None:
    assert credit.can_pay is can_pay


def test_Q6_two_snapshots_are_equal_when_they_say_the_same_and_keep_who_said_it_when() -> None:
    header = RateLimitSnapshot(primary=RateLimitWindow(1.0), source="header", fetched_at=1.0)
    event = RateLimitSnapshot(primary=RateLimitWindow(1.0), source="event", fetched_at=2.0)
    assert header == event
    assert hash(header) == hash(event)
    assert header != RateLimitSnapshot(primary=RateLimitWindow(1.0), refused=True)
    for twin in (copy.deepcopy(header), pickle.loads(pickle.dumps(header))):
        assert (twin, twin.source, twin.fetched_at) == (header, "header", 1.0)


def test_a_snapshot_lists_the_windows_that_it_has() -> None:
    window = RateLimitWindow(1.0)
    assert RateLimitSnapshot(secondary=window).windows == (window,)
    assert RateLimitSnapshot().windows == ()
