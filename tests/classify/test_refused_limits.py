"""A usage limit's refusal becomes a snapshot: what the body tells of the limit that was hit, beside the headers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from codex_client.classify import date_failure, in_stream_error, parse_failure, status_error
from codex_client.classify.limits import with_refusal
from codex_client.errors import ResponseFailedError, UnexpectedStatusError, UsageLimitReachedError
from codex_client.model_variants import Credits, RateLimitSnapshot, RateLimitWindow

NOW = 1_773_000_000.0
USAGE = {"type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "plus"}


def error_of(
    body: Any, *told: RateLimitSnapshot, headers: dict[str, str] | None = None, status: int = 429
) -> UnexpectedStatusError:
    text = json.dumps({"error": body})
    return status_error(status=status, body=text, headers=headers or {}, url=None, now=NOW, rate_limits=told)


def refused(window: RateLimitWindow, limit_id: str = "codex", plan_type: str | None = "plus") -> RateLimitSnapshot:
    return RateLimitSnapshot(limit_id, primary=window, plan_type=plan_type)


@pytest.mark.parametrize(
    "facts, window",
    [
        pytest.param(
            {"resets_at": NOW + 90, "resets_in_seconds": 91, "limit_window_minutes": 300},
            RateLimitWindow(100.0, 300, NOW + 90),
            id="whole",
        ),
        pytest.param({"resets_in_seconds": 90}, RateLimitWindow(100.0, None, NOW + 90), id="a-length-only"),
        pytest.param(
            {"resets_at": str(NOW + 90), "limit_window_minutes": "10080"},
            RateLimitWindow(100.0, 10_080, NOW + 90),
            id="numeric-strings",
        ),
        pytest.param({"resets_in_seconds": "90"}, RateLimitWindow(100.0, None, NOW + 90), id="a-length-as-string"),
        pytest.param(
            {"metadata": {"resets_at": NOW + 90, "limit_window_minutes": 300}},
            RateLimitWindow(100.0, 300, NOW + 90),
            id="metadata",
        ),
        pytest.param(
            {"details": [{"resets_in_seconds": 90, "limit_window_minutes": 300}]},
            RateLimitWindow(100.0, 300, NOW + 90),
            id="details",
        ),
        pytest.param({}, RateLimitWindow(100.0), id="nothing-but-the-refusal"),
    ],
)
def test_F10_a_usage_limit_s_body_is_a_snapshot(facts: dict[str, Any], window: RateLimitWindow) -> None:
    error = error_of({**USAGE, **facts})
    assert type(error) is UsageLimitReachedError
    assert error.rate_limits == (refused(window),)
    assert [(each.source, each.fetched_at) for each in error.rate_limits] == [("error", NOW)]


@pytest.mark.parametrize(
    "minutes",
    [0, -5, 65_536, 10**400, 300.0, 1.5, "", "x", "00", True, None, [], {}],
    ids=lambda value: repr(value)[:9],
)
def test_a_window_s_length_counts_only_as_a_whole_number_of_16_bits(minutes: Any) -> None:
    assert parse_failure({"error": {**USAGE, "limit_window_minutes": minutes}}).window_minutes is None


@pytest.mark.parametrize("minutes", [1, 65_535, "300"])
def test_lengths_within_16_bits_are_read(minutes: Any) -> None:
    assert parse_failure({"error": {**USAGE, "limit_window_minutes": minutes}}).window_minutes == int(minutes)


@pytest.mark.parametrize(
    "body, status",
    [({"code": "rate_limit_exceeded", "resets_in_seconds": 9}, 429), ({"type": "usage_not_included"}, 429), ({}, 500)],
)
def test_only_a_usage_limit_refuses_a_window(body: Any, status: int) -> None:
    assert error_of(body, status=status).rate_limits == ()


HALF, FULL = RateLimitWindow(50.0, 300, NOW + 60), RateLimitWindow(100.0, 300, NOW + 60)
WEEK = RateLimitWindow(60.0, 10_080, NOW + 9000)
CREDITS = Credits(has_credits=True)


@pytest.mark.parametrize(
    "told, facts, expected",
    [
        pytest.param(
            RateLimitSnapshot(primary=FULL, secondary=WEEK), {"resets_at": NOW + 5}, None, id="headers-tell-the-window"
        ),
        pytest.param(
            RateLimitSnapshot(primary=RateLimitWindow(100.0), secondary=WEEK),
            {"resets_at": NOW + 5, "limit_window_minutes": 300},
            (RateLimitWindow(100.0, 300, NOW + 5), WEEK),
            id="Q1-used-up-without-length-and-reset",
        ),
        pytest.param(
            RateLimitSnapshot(primary=HALF, secondary=WEEK),
            {"resets_at": NOW + 5, "limit_window_minutes": 10_080},
            (HALF, RateLimitWindow(100.0, 10_080, NOW + 5)),
            id="the-window-of-that-length",
        ),
        pytest.param(
            RateLimitSnapshot(primary=HALF, secondary=WEEK),
            {"resets_at": NOW + 9001},
            (HALF, RateLimitWindow(100.0, 10_080, NOW + 9001)),
            id="the-window-with-that-reset",
        ),
        pytest.param(
            RateLimitSnapshot(primary=HALF, secondary=RateLimitWindow(60.0)),
            {"resets_at": NOW + 9001},
            (HALF, RateLimitWindow(100.0, None, NOW + 9001)),
            id="the-fuller-window",
        ),
        pytest.param(
            RateLimitSnapshot(primary=HALF, secondary=RateLimitWindow(49.0)),
            {},
            (RateLimitWindow(100.0, 300, NOW + 60), RateLimitWindow(49.0)),
            id="the-fuller-window-keeps-its-reset",
        ),
        pytest.param(
            RateLimitSnapshot(secondary=WEEK),
            {"resets_at": NOW + 5},
            (RateLimitWindow(100.0, None, NOW + 5), WEEK),
            id="a-free-first-place",
        ),
        pytest.param(
            RateLimitSnapshot(secondary=WEEK),
            {"limit_window_minutes": 10_080},
            (None, RateLimitWindow(100.0, 10_080, NOW + 9000)),
            id="no-free-place-is-taken-where-one-is-alike",
        ),
        pytest.param(
            RateLimitSnapshot(primary=HALF),
            {"resets_at": NOW + 900},
            (HALF, RateLimitWindow(100.0, None, NOW + 900)),
            id="a-free-second-place",
        ),
        pytest.param(
            RateLimitSnapshot(primary=RateLimitWindow(130.0)),
            {},
            (RateLimitWindow(130.0), None),
            id="more-than-all-is-kept",
        ),
    ],
)
def test_the_headers_snapshot_takes_the_refused_window_in(
    told: RateLimitSnapshot,
    facts: dict[str, Any],
    expected: tuple[RateLimitWindow | None, RateLimitWindow | None] | None,
) -> None:
    told = RateLimitSnapshot("codex", "Codex", told.primary, told.secondary, CREDITS, source="header", fetched_at=NOW)
    (snapshot,) = error_of({**USAGE, **facts}, told).rate_limits
    if expected is None:
        assert snapshot is told
    else:
        assert snapshot == RateLimitSnapshot("codex", "Codex", *expected, CREDITS, "plus")
        assert (snapshot.source, snapshot.fetched_at) == ("error", NOW)


def test_Q2_the_active_limit_names_the_family_that_was_hit() -> None:
    own = RateLimitSnapshot("codex", primary=FULL)
    error = error_of({**USAGE, "resets_at": NOW + 5}, own, headers={"X-Codex-Active-Limit": "Codex-Spark"})
    assert error.rate_limits == (refused(RateLimitWindow(100.0, None, NOW + 5), "codex_spark"), own)


def test_where_no_family_is_named_the_one_that_is_used_up_was_hit() -> None:
    own, other = RateLimitSnapshot("codex", primary=HALF), RateLimitSnapshot("spark", primary=FULL)
    assert error_of({**USAGE, "resets_at": NOW + 5}, own, other).rate_limits == (own, other)


def test_a_refusal_without_a_window_adds_nothing() -> None:
    assert with_refusal((), RateLimitSnapshot(source="error"), {}) == ()


def test_no_key_is_in_the_family_s_name() -> None:
    error = error_of(USAGE, headers={"x-codex-active-limit": "sk-canary1234567890"})
    assert "canary" not in repr(error.rate_limits)


USED_UP_HEADERS = {"x-codex-primary-used-percent": "100", "x-codex-primary-reset-after-seconds": "600"}


@pytest.mark.parametrize(
    "headers, body, seconds",
    [
        pytest.param({"retry-after-ms": "2500", "retry-after": "3"}, {"resets_in_seconds": 8}, 2.5, id="E4-ms"),
        pytest.param({"retry-after": "3"}, {"resets_in_seconds": 8}, 3.0, id="E4-retry-after"),
        pytest.param({"retry-after": "Sun, 08 Mar 2026 20:00:30 GMT"}, {"resets_in_seconds": 8}, 30.0, id="E4-date"),
        pytest.param(USED_UP_HEADERS, {"resets_in_seconds": 8, "resets_at": NOW + 9}, 8.0, id="E4-resets_in_seconds"),
        pytest.param(USED_UP_HEADERS, {"resets_at": NOW + 9}, 9.0, id="E4-resets_at"),
        pytest.param(USED_UP_HEADERS, {"message": "try again in 7s"}, 600.0, id="E4-the-window-before-the-text"),
        pytest.param({}, {"message": "try again in 6m0s"}, 360.0, id="E4-text-with-compound-units"),
        pytest.param({}, {"message": "try again in 500ms"}, 0.5, id="E4-text-in-milliseconds"),
        pytest.param({}, {"message": "try again in 1.5s"}, 1.5, id="E4-text-with-fractions"),
        pytest.param({}, {"resets_in_seconds": "-1", "resets_at": NOW + 9}, 9.0, id="E4-what-is-no-length"),
        pytest.param({}, {"resets_at": NOW - 9}, 0.0, id="E4-a-reset-that-has-passed"),
        pytest.param({}, {"message": "no time"}, None, id="E4-nothing-told"),
    ],
)
def test_a_usage_limit_s_wait_is_taken_in_its_order(
    headers: dict[str, str], body: dict[str, Any], seconds: float | None
) -> None:
    error = error_of({**USAGE, **body}, headers=headers)
    assert error.retry_after == seconds
    assert error.resets_at == (body.get("resets_at") or (None if seconds is None else NOW + seconds))


OBSERVED = {
    "type": "error",
    "status_code": 429,
    "error": {**USAGE, "resets_at": NOW + 9568, "resets_in_seconds": 9568},
    "headers": {
        "X-Codex-Primary-Window-Minutes": "300",
        "X-Codex-Primary-Used-Percent": "100",
        "X-Codex-Primary-Reset-At": NOW + 9569,
        "X-Codex-Turn-State": "canary",
        "Set-Cookie": "canary",
        "Retry-After": None,
    },
}


def in_stream(event: Any) -> ResponseFailedError:
    return in_stream_error(parse_failure(event))


def test_only_the_headers_about_limits_inside_an_event_are_kept() -> None:
    assert in_stream(OBSERVED).headers == {
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-used-percent": "100",
        "x-codex-primary-reset-at": repr(NOW + 9569),
    }


def test_a_usage_limit_inside_the_stream_is_a_snapshot_before_its_time_is_known() -> None:
    error = in_stream(OBSERVED)
    assert error.rate_limits == (refused(RateLimitWindow(100.0, None, NOW + 9568)),)
    assert [(each.source, each.fetched_at) for each in error.rate_limits] == [("error", None)]
    assert in_stream({"code": "rate_limit_exceeded"}).rate_limits == ()


def test_a_failure_is_dated_once_its_reader_knows_the_time() -> None:
    error = in_stream({**USAGE, "resets_in_seconds": 90})
    assert (error.resets_at, error.retry_after) == (None, 90.0)
    date_failure(error, (), now=NOW)
    assert (error.resets_at, error.retry_after) == (NOW + 90, 90.0)
    assert error.rate_limits == (refused(RateLimitWindow(100.0, None, NOW + 90)),)
    assert error.rate_limits[0].fetched_at == NOW


@pytest.mark.parametrize("resets_at, seconds", [(NOW + 9, 9.0), (NOW - 9, 0.0)])
def test_E4_a_moment_inside_the_stream_is_a_wait_and_comes_before_the_text(resets_at: float, seconds: float) -> None:
    error = in_stream({**USAGE, "resets_at": resets_at, "message": "try again in 5s"})
    assert error.retry_after is None
    date_failure(error, (), now=NOW)
    assert (error.resets_at, error.retry_after) == (resets_at, seconds)


def test_a_failure_that_is_no_limit_is_dated_with_what_its_headers_tell() -> None:
    error, told = in_stream({"code": "server_error", "retry_after": 5}), RateLimitSnapshot(primary=HALF)
    date_failure(error, [told], now=NOW)
    assert (error.rate_limits, error.retry_after, error.resets_at) == ((told,), 5.0, None)


def test_dating_a_failure_without_any_reset_leaves_its_window_without_one() -> None:
    error = in_stream(USAGE)
    date_failure(error, (), now=NOW)
    assert (error.rate_limits, error.retry_after) == ((refused(RateLimitWindow(100.0)),), None)


WINDOWS = st.none() | st.builds(
    RateLimitWindow,
    st.sampled_from([0.0, 50.0, 100.0]),
    st.sampled_from([None, 300, 10_080]),
    st.sampled_from([None, NOW + 5, NOW + 9000]),
)
TOLD = st.builds(RateLimitSnapshot, st.sampled_from(["codex", "spark"]), primary=WINDOWS, secondary=WINDOWS)


@given(
    st.lists(TOLD, unique_by=lambda snapshot: snapshot.limit_id),
    st.sampled_from([{}, {"x-codex-active-limit": "spark"}, {"x-codex-active-limit": "codex"}]),
    st.sampled_from([{}, {"resets_at": NOW + 5}, {"resets_at": NOW + 9000, "limit_window_minutes": 10_080}]),
)
def test_after_a_usage_limit_one_family_is_used_up_and_none_comes_twice(
    told: list[RateLimitSnapshot], headers: dict[str, str], facts: dict[str, Any]
) -> None:
    limits = error_of({**USAGE, **facts}, *told, headers=headers).rate_limits
    ids = [snapshot.limit_id for snapshot in limits]
    assert len(set(ids)) == len(ids)
    assert {snapshot.limit_id for snapshot in told} <= set(ids)
    named = headers.get("x-codex-active-limit")
    assert any(snapshot.exhausted for snapshot in limits if named in (None, snapshot.limit_id))
