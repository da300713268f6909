"""The book of limits: the newest of each account and limit, whatever order it comes in, and through JSON."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, strategies as st

from codex_client.credentials.quota import (
    AccountQuota,
    PlanSource,
    QuotaBook,
    snapshot_from_json,
    snapshot_json,
)
from codex_client.credentials.quota_state import QuotaState
from codex_client.decode.usage import parse_usage
from codex_client.model_variants import Credits, LimitSource, RateLimitSnapshot, RateLimitWindow

NOW = 1_773_000_000.0


def told(
    used: float | None = 50.0,
    *,
    at: float = NOW,
    source: LimitSource | None = "header",
    limit_id: str = "codex",
    plan: str | None = None,
    credits: Credits | None = None,
    refused: bool = False,
) -> RateLimitSnapshot:
    window = None if used is None else RateLimitWindow(used, 300, NOW + 3600)
    return RateLimitSnapshot(
        limit_id, primary=window, credits=credits, plan_type=plan, refused=refused, source=source, fetched_at=at
    )


def book_of(*snapshots: RateLimitSnapshot, account: str = "a") -> QuotaBook:
    book = QuotaBook()
    book.add(account, snapshots, now=NOW)
    return book


def known(book: QuotaBook, limit_id: str = "codex") -> tuple[float | None, str | None]:
    snapshot = book.account("a").snapshot(limit_id)
    assert snapshot is not None
    return snapshot.fetched_at, snapshot.source


@pytest.mark.parametrize("first, second", [(NOW, NOW - 1), (NOW - 1, NOW)])
def test_Q6_an_older_snapshot_never_overwrites_a_newer_one(first: float, second: float) -> None:
    book = book_of(told(1.0, at=first, source="event"), told(2.0, at=second, source="event"))
    assert known(book) == (NOW, "event")


@pytest.mark.parametrize("older", ["header", "event", "endpoint", "error"])
def test_Q6_the_time_counts_before_the_source(older: LimitSource) -> None:
    book = book_of(told(100.0, source=older, at=NOW - 1), told(1.0, source="event"))
    assert known(book) == (NOW, "event")


@pytest.mark.parametrize(
    "weaker, stronger", [(None, "event"), ("event", "header"), ("header", "endpoint"), ("endpoint", "error")]
)
@pytest.mark.parametrize("turned", [False, True])
def test_Q6_at_the_same_moment_the_source_decides(
    weaker: LimitSource | None, stronger: LimitSource, turned: bool
) -> None:
    snapshots = [told(1.0, source=weaker), told(2.0, source=stronger)]
    assert known(book_of(*(reversed(snapshots) if turned else snapshots))) == (NOW, stronger)


def test_who_adds_learns_whether_it_was_news() -> None:
    book = QuotaBook()
    assert book.add("a", [told(at=NOW)], now=NOW)
    assert not book.add("a", [told(at=NOW)], now=NOW)
    assert not book.add("a", [told(at=NOW - 1)], now=NOW)
    assert not book.add("a", [], now=NOW)
    assert book.add("a", [told(at=NOW - 1), told(at=NOW - 1, limit_id="spark")], now=NOW)


def test_a_fresher_snapshot_with_room_ends_a_block() -> None:
    book = book_of(told(100.0, source="error"))
    assert book.account("a").blocked_until(now=NOW) == NOW + 3600
    book.add("a", [told(3.0, at=NOW + 1)], now=NOW)
    assert book.account("a").blocked_until(now=NOW + 1) is None


@pytest.mark.parametrize("source", ["header", "event", "error"])
def test_what_tells_no_window_does_not_end_a_block(source: LimitSource) -> None:
    book = book_of(told(100.0), told(None, at=NOW + 1, source=source, plan="pro", credits=Credits()))
    quota = book.account("a")
    assert quota.blocked_until(now=NOW + 1) == NOW + 3600
    assert quota.plan_type == "pro"


def test_the_endpoint_without_a_window_says_that_there_is_no_limit() -> None:
    quota = book_of(told(100.0), told(None, at=NOW + 1, source="endpoint")).account("a")
    assert (quota.blocked_until(now=NOW + 1), quota.state(now=NOW + 1)) == (None, QuotaState.NO_LIMIT)


def test_a_refusal_without_a_window_is_kept() -> None:
    assert book_of(told(None, refused=True)).account("a").state(now=NOW) is QuotaState.EXHAUSTED


def test_C8_limits_are_blocked_each_by_themselves() -> None:
    quota = book_of(told(100.0, limit_id="spark"), told(1.0)).account("a")
    assert quota.blocked_until("spark", now=NOW) == NOW + 3600
    assert quota.blocked_until(now=NOW) is None


def test_an_undated_snapshot_is_of_the_moment_it_is_added() -> None:
    book = QuotaBook()
    book.add("a", [RateLimitSnapshot(primary=RateLimitWindow(1.0))], now=NOW)
    assert book.account("a").fetched_at == NOW


@pytest.mark.parametrize("anything, stale", [(False, True), (True, False)])
def test_Q6_what_is_not_known_is_stale(anything: bool, stale: bool) -> None:
    assert (book_of(told()) if anything else QuotaBook()).account("a").stale(now=NOW) is stale


@pytest.mark.parametrize("age, after, stale", [(900, 900, False), (901, 900, True), (11, 10, True), (10, 10, False)])
def test_Q6_it_is_stale_after_900_s_or_as_told(age: float, after: float, stale: bool) -> None:
    quota = book_of(told(at=NOW - age), told(at=NOW - age - 5000, limit_id="spark")).account("a")
    assert quota.stale(now=NOW, after=after) is stale
    assert quota.stale(now=NOW) is (age > 900)


@pytest.mark.parametrize(
    "plans, expected",
    [
        pytest.param({}, None, id="Q7-none"),
        pytest.param({"token": (NOW, "free")}, "free", id="Q7-token"),
        pytest.param({"token": (NOW, "free"), "header": (NOW - 9e9, "plus")}, "plus", id="Q7-header-over-token"),
        pytest.param({"token": (NOW, "free"), "endpoint": (NOW - 9e9, "pro")}, "pro", id="Q7-endpoint-over-token"),
        pytest.param({"header": (NOW, "plus"), "endpoint": (NOW - 900, "pro")}, "pro", id="Q7-endpoint-over-header"),
        pytest.param({"header": (NOW, "plus"), "endpoint": (NOW - 901, "pro")}, "plus", id="Q7-stale-endpoint"),
    ],
)
def test_a_plan_is_believed_by_its_source(plans: dict[PlanSource, tuple[float, str]], expected: str | None) -> None:
    quota = AccountQuota()
    for source, (at, plan) in plans.items():
        quota.tell_plan(plan, source=source, at=at)
        quota.tell_plan("older", source=source, at=at - 1)
    assert quota.plan_type == expected


@pytest.mark.parametrize(
    "source, kept", [("endpoint", "endpoint"), ("header", "header"), ("event", "header"), ("error", "header")]
)
def test_Q1_the_plan_is_kept_where_later_snapshots_tell_none(source: LimitSource, kept: str) -> None:
    quota = book_of(told(source=source, plan="pro"), told(at=NOW + 1)).account("a")
    assert quota.plan_type == "pro"
    assert list(quota.plans) == [kept]


def test_credits_are_kept_where_later_snapshots_tell_none() -> None:
    pays = Credits(has_credits=True)
    quota = book_of(told(100.0, credits=pays), told(100.0, at=NOW + 1), told(1.0, limit_id="spark")).account("a")
    assert quota.snapshot() == told(100.0, credits=pays)
    assert quota.snapshot("spark") == told(1.0, limit_id="spark")
    assert quota.snapshot("none") is None
    assert quota.blocked_until(now=NOW) is None


def test_Q8_a_limit_is_described() -> None:
    quota = book_of(told(42.0)).account("a")
    assert quota.describe(now=NOW) == "58 % left, resets in 1 h"
    assert quota.describe("spark", now=NOW) == "no data"


def test_Q4_a_report_of_the_endpoint_fills_the_book() -> None:
    window = {"used_percent": 100, "limit_window_seconds": 18_000, "reset_at": NOW + 60}
    report = parse_usage({"plan_type": "pro", "rate_limit": {"primary_window": window}}, now=NOW)
    quota = book_of(told(1.0, at=NOW, plan="free"), *report.snapshots).account("a")
    assert (quota.blocked_until(now=NOW), quota.plan_type) == (NOW + 60, "pro")


def test_an_account_can_be_forgotten() -> None:
    book = book_of(told())
    book.forget("a")
    book.forget("a")
    assert book.accounts == ()


WINDOWS = st.none() | st.builds(
    RateLimitWindow,
    st.sampled_from([0.0, 42.5, 100.0]),
    st.sampled_from([None, 300, 10_080]),
    st.sampled_from([None, NOW + 60, NOW + 9000]),
)
SNAPSHOTS = st.builds(
    RateLimitSnapshot,
    st.sampled_from(["codex", "spark"]),
    primary=WINDOWS,
    secondary=WINDOWS,
    credits=st.none() | st.builds(Credits, st.booleans(), balance=st.none() | st.just("1")),
    plan_type=st.sampled_from([None, "free", "pro"]),
    refused=st.booleans(),
    source=st.sampled_from([None, "header", "event", "endpoint", "error"]),
    fetched_at=st.sampled_from([NOW, NOW + 1, NOW + 2]),
)
ARRIVALS = st.lists(st.tuples(st.sampled_from(["a", "b"]), SNAPSHOTS), max_size=8)


def filled(arrivals: list[tuple[str, RateLimitSnapshot]]) -> QuotaBook:
    book = QuotaBook()
    for account, snapshot in arrivals:
        book.add(account, [snapshot], now=NOW)
    return book


def content(book: QuotaBook) -> str:
    return json.dumps(book.to_json(), sort_keys=True)


@given(ARRIVALS, st.randoms(use_true_random=False))
def test_Q6_any_order_of_arrival_gives_the_same_book(
    arrivals: list[tuple[str, RateLimitSnapshot]], dice: random.Random
) -> None:
    shuffled = dice.sample(arrivals, len(arrivals))
    assert content(filled(shuffled)) == content(filled(arrivals))


@given(ARRIVALS)
def test_Q6_no_snapshot_in_the_book_is_older_than_one_that_came(arrivals: list[tuple[str, RateLimitSnapshot]]) -> None:
    book = filled(arrivals)
    for account, snapshot in arrivals:
        if snapshot.windows or snapshot.refused or snapshot.source == "endpoint":
            kept = book.account(account).limits[snapshot.limit_id]
            assert (kept.fetched_at or 0) >= (snapshot.fetched_at or 0)


@given(ARRIVALS, ARRIVALS)
def test_two_books_merge_into_that_of_all_arrivals_in_either_direction(
    mine: list[tuple[str, RateLimitSnapshot]], theirs: list[tuple[str, RateLimitSnapshot]]
) -> None:
    whole = filled([*mine, *theirs])
    for first, second in ((mine, theirs), (theirs, mine)):
        book = filled(first)
        book.merge(filled(second))
        assert content(book) == content(whole)


@given(ARRIVALS)
def test_a_book_survives_json(arrivals: list[tuple[str, RateLimitSnapshot]]) -> None:
    book = filled(arrivals)
    book.account("a").tell_plan("plus", source="token", at=NOW)
    twin = QuotaBook.from_json(json.loads(content(book)))
    assert content(twin) == content(book)
    assert twin.account("a") == book.account("a")


@given(SNAPSHOTS)
def test_a_snapshot_survives_json_with_its_source_and_time(snapshot: RateLimitSnapshot) -> None:
    twin = snapshot_from_json(json.loads(json.dumps(snapshot_json(snapshot))))
    assert twin == snapshot
    assert twin is not None
    assert (twin.source, twin.fetched_at) == (snapshot.source, snapshot.fetched_at)


def test_Q9_the_json_keeps_what_has_no_limit_and_marks_it() -> None:
    snapshot = RateLimitSnapshot(primary=RateLimitWindow(0.0), secondary=RateLimitWindow(42.0, 10_080))
    value = snapshot_json(snapshot)
    empty = {"used_percent": 0.0, "window_minutes": None, "resets_at": None, "limit": None, "remaining": None}
    assert value["primary"] == {**empty, "label": "window", "remaining_percent": 100.0, "has_limit": False}
    assert (value["secondary"]["label"], value["secondary"]["has_limit"]) == ("weekly", True)
    assert QuotaBook.from_json(book_of(told(None, source="endpoint")).to_json()).account("a").limits


@pytest.mark.parametrize("value", [None, 5, "x", [], {"primary": 5}, {"limit_id": None}, {"source": "hearsay"}])
def test_what_is_no_snapshot_is_none(value: Any) -> None:
    assert snapshot_from_json(value) is None


@pytest.mark.parametrize(
    "broken",
    [
        None,
        5,
        {"limits": 5},
        {"limits": {"codex": {"primary": {"used_percent": float("nan")}}}},
        {"plans": {"me": [1, "a"]}},
    ],
)
def test_an_account_that_cannot_be_read_costs_no_other(broken: Any) -> None:
    whole = book_of(told()).to_json()
    book = QuotaBook.from_json({"b": broken, 5: whole["a"], **whole})
    assert book.accounts == ("a",)
    assert book.account("a").snapshot() == told()


@pytest.mark.parametrize("value", [None, 5, [], "x"])
def test_what_is_no_book_is_an_empty_one(value: Any) -> None:
    assert QuotaBook.from_json(value).accounts == ()
