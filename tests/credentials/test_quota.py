"""What is known of an account's limits: the newest of each, whatever order they come in, and through JSON."""

from __future__ import annotations

import json
import random
from dataclasses import asdict

import pytest
from hypothesis import given, strategies as st

from codex_client.credentials.pool_record import AccountRecord, PoolRecord
from codex_client.credentials.quota import AccountQuota, PlanSource, snapshot_json
from codex_client.credentials.quota_state import QuotaState, spends_credit
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


def quota_of(*snapshots: RateLimitSnapshot) -> AccountQuota:
    quota = AccountQuota()
    for snapshot in snapshots:
        quota.add(snapshot)
    return quota


def known(quota: AccountQuota, limit_id: str = "codex") -> tuple[float | None, str | None]:
    snapshot = quota.snapshot(limit_id)
    assert snapshot is not None
    return snapshot.fetched_at, snapshot.source


@pytest.mark.parametrize("first, second", [(NOW, NOW - 1), (NOW - 1, NOW)])
def test_Q6_an_older_snapshot_never_overwrites_a_newer_one(first: float, second: float) -> None:
    quota = quota_of(told(1.0, at=first, source="event"), told(2.0, at=second, source="event"))
    assert known(quota) == (NOW, "event")


@pytest.mark.parametrize("older", ["header", "event", "endpoint", "error"])
def test_Q6_the_time_counts_before_the_source(older: LimitSource) -> None:
    quota = quota_of(told(100.0, source=older, at=NOW - 1), told(1.0, source="event"))
    assert known(quota) == (NOW, "event")


@pytest.mark.parametrize(
    "weaker, stronger", [(None, "event"), ("event", "header"), ("header", "endpoint"), ("endpoint", "error")]
)
@pytest.mark.parametrize("turned", [False, True])
def test_Q6_at_the_same_moment_the_source_decides(
    weaker: LimitSource | None, stronger: LimitSource, turned: bool
) -> None:
    snapshots = [told(1.0, source=weaker), told(2.0, source=stronger)]
    assert known(quota_of(*(reversed(snapshots) if turned else snapshots))) == (NOW, stronger)


def test_who_adds_learns_whether_it_was_news() -> None:
    quota = AccountQuota()
    assert quota.add(told(at=NOW))
    assert not quota.add(told(at=NOW))
    assert not quota.add(told(at=NOW - 1))
    assert quota.add(told(at=NOW - 1, limit_id="spark"))


def test_a_fresher_snapshot_with_room_counts() -> None:
    quota = quota_of(told(100.0, source="error"))
    assert quota.state(now=NOW) is QuotaState.EXHAUSTED
    quota.add(told(3.0, at=NOW + 1))
    assert quota.state(now=NOW + 1) is QuotaState.AVAILABLE


@pytest.mark.parametrize("source", ["header", "event", "error"])
def test_what_tells_no_window_says_nothing_of_one(source: LimitSource) -> None:
    quota = quota_of(told(100.0), told(None, at=NOW + 1, source=source, plan="pro", credits=Credits()))
    assert (quota.state(now=NOW + 1), quota.plan_type) == (QuotaState.EXHAUSTED, "pro")


def test_the_endpoint_without_a_window_says_that_there_is_no_limit() -> None:
    quota = quota_of(told(100.0), told(None, at=NOW + 1, source="endpoint"))
    assert quota.state(now=NOW + 1) is QuotaState.NO_LIMIT


def test_a_refusal_without_a_window_is_kept() -> None:
    assert quota_of(told(None, refused=True)).state(now=NOW) is QuotaState.EXHAUSTED


def test_C8_each_limit_has_a_state_of_its_own() -> None:
    quota = quota_of(told(100.0, limit_id="spark"), told(1.0))
    assert [quota.state("spark", now=NOW), quota.state(now=NOW)] == [QuotaState.EXHAUSTED, QuotaState.AVAILABLE]


@pytest.mark.parametrize("anything, stale", [(False, True), (True, False)])
def test_Q6_what_is_not_known_is_stale(anything: bool, stale: bool) -> None:
    assert (quota_of(told()) if anything else AccountQuota()).stale(now=NOW) is stale


@pytest.mark.parametrize("age, after, stale", [(900, 900, False), (901, 900, True), (11, 10, True), (10, 10, False)])
def test_Q6_it_is_stale_after_900_s_or_as_told(age: float, after: float, stale: bool) -> None:
    quota = quota_of(told(at=NOW - age), told(at=NOW - age - 5000, limit_id="spark"))
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
    quota = quota_of(told(source=source, plan="pro"), told(at=NOW + 1))
    assert quota.plan_type == "pro"
    assert list(quota.plans) == [kept]


def test_credits_are_kept_where_later_snapshots_tell_none() -> None:
    pays = Credits(has_credits=True)
    quota = quota_of(told(100.0, credits=pays), told(100.0, at=NOW + 1), told(1.0, limit_id="spark"))
    assert quota.snapshot() == told(100.0, credits=pays)
    assert quota.snapshot("spark") == told(1.0, limit_id="spark")
    assert quota.snapshot("none") is None
    assert spends_credit(quota.snapshot(), NOW)


def test_Q8_a_limit_is_described() -> None:
    quota = quota_of(told(42.0))
    assert quota.describe(now=NOW) == "58 % left, resets in 1 h"
    assert quota.describe("spark", now=NOW) == "no data"


def test_Q4_a_report_of_the_endpoint_is_taken_in() -> None:
    window = {"used_percent": 100, "limit_window_seconds": 18_000, "reset_at": NOW + 60}
    report = parse_usage({"plan_type": "pro", "rate_limit": {"primary_window": window}}, now=NOW)
    quota = quota_of(told(1.0, at=NOW, plan="free"), *report.snapshots)
    assert (quota.describe(now=NOW), quota.plan_type) == ("used up, resets in 1 min", "pro")


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
ARRIVALS = st.lists(SNAPSHOTS, max_size=8)


def content(quota: AccountQuota) -> str:
    """All of it: snapshots are equal whoever told them, and when."""
    return json.dumps(asdict(quota), sort_keys=True)


@given(ARRIVALS, st.randoms(use_true_random=False))
def test_Q6_in_any_order_of_arrival_the_same_is_known(arrivals: list[RateLimitSnapshot], dice: random.Random) -> None:
    shuffled = dice.sample(arrivals, len(arrivals))
    assert content(quota_of(*shuffled)) == content(quota_of(*arrivals))


@given(ARRIVALS)
def test_Q6_no_snapshot_that_is_kept_is_older_than_one_that_came(arrivals: list[RateLimitSnapshot]) -> None:
    quota = quota_of(*arrivals)
    for snapshot in arrivals:
        if snapshot.windows or snapshot.refused or snapshot.source == "endpoint":
            assert (quota.limits[snapshot.limit_id].fetched_at or 0) >= (snapshot.fetched_at or 0)


@given(ARRIVALS)
def test_what_is_known_survives_the_json_of_a_pools_record(arrivals: list[RateLimitSnapshot]) -> None:
    quota = quota_of(*arrivals)
    quota.tell_plan("plus", source="token", at=NOW)
    record = PoolRecord(accounts={"a": AccountRecord(quota=quota)})
    for again in (PoolRecord.from_json(record.to_json()), PoolRecord.from_document(record.to_document())):
        twin = again.accounts["a"].quota
        assert content(twin) == content(quota)
        assert twin == quota


def test_Q9_the_json_keeps_what_has_no_limit_and_marks_it() -> None:
    snapshot = RateLimitSnapshot(primary=RateLimitWindow(0.0), secondary=RateLimitWindow(42.0, 10_080))
    value = snapshot_json(snapshot)
    empty = {"used_percent": 0.0, "window_minutes": None, "resets_at": None, "limit": None, "remaining": None}
    assert value["primary"] == {**empty, "label": "window", "remaining_percent": 100.0, "has_limit": False}
    assert (value["secondary"]["label"], value["secondary"]["has_limit"]) == ("weekly", True)
    assert snapshot_json(RateLimitSnapshot())["primary"] is None


@given(SNAPSHOTS)
def test_the_json_of_a_snapshot_has_all_of_it(snapshot: RateLimitSnapshot) -> None:
    value = json.loads(json.dumps(snapshot_json(snapshot)))
    told_of_windows = {name: asdict(snapshot)[name] for name in ("primary", "secondary")}
    for name, window in told_of_windows.items():
        assert (value[name] is None) == (window is None)
        assert (window or {}).items() <= (value[name] or {}).items()
    assert {**value, **told_of_windows} == asdict(snapshot)
