"""The usage endpoint's answer becomes a report of the same snapshots that headers and events give."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from codex_client.client.rate_limits import HeaderRateLimits
from codex_client.decode.rate_limit_event import parse_rate_limits
from codex_client.decode.usage import UsageReport, parse_usage
from codex_client.model_variants import Credits, RateLimitSnapshot, RateLimitWindow

NOW = 1_773_000_000.0
WINDOW = {"used_percent": 42, "limit_window_seconds": 18_000, "reset_after_seconds": 100, "reset_at": 1_999_999_999}
WHOLE: dict[str, Any] = {
    "user_id": "user-x",
    "account_id": "acct-x",
    "email": "somebody@example.test",
    "plan_type": "pro",
    "rate_limit": {"allowed": True, "limit_reached": False, "primary_window": WINDOW, "secondary_window": None},
    "code_review_rate_limit": {"allowed": True, "limit_reached": False, "primary_window": WINDOW},
    "additional_rate_limits": [
        {
            "limit_name": "Codex-Other",
            "metered_feature": "codex_other",
            "rate_limit": {
                "allowed": True,
                "limit_reached": False,
                "primary_window": {
                    "used_percent": 70,
                    "limit_window_seconds": 900,
                    "reset_after_seconds": 0,
                    "reset_at": 789,
                },
                "secondary_window": None,
            },
        }
    ],
    "credits": {
        "has_credits": True,
        "unlimited": False,
        "overage_limit_reached": False,
        "balance": "9.99",
        "approx_local_messages": [0, 0],
    },
    "spend_control": {"reached": False},
    "rate_limit_reached_type": {"type": "workspace_member_credits_depleted"},
    "rate_limit_reset_credits": {"available_count": 4},
    "promo": None,
    "something_new": {"a": [1]},
}
CREDITS = Credits(has_credits=True, balance="9.99")


def parsed(**changes: Any) -> UsageReport:
    return parse_usage({**WHOLE, **changes}, now=NOW)


def test_Q4_all_that_the_endpoint_tells_is_read() -> None:
    report = parsed()
    window = RateLimitWindow(42.0, window_minutes=300, resets_at=1_999_999_999.0)
    assert report == UsageReport(
        snapshots=(
            RateLimitSnapshot(
                "codex", None, window, None, CREDITS, "pro", reached_type="workspace_member_credits_depleted"
            ),
            RateLimitSnapshot("codex_other", "Codex-Other", RateLimitWindow(70.0, window_minutes=15, resets_at=789.0)),
            RateLimitSnapshot("code_review", None, window),
        ),
        plan_type="pro",
        account_id="acct-x",
        user_id="user-x",
        email="somebody@example.test",
        credits=CREDITS,
        reset_credits=4,
    )
    assert report.fetched_at == NOW
    assert {(snapshot.source, snapshot.fetched_at) for snapshot in report.snapshots} == {("endpoint", NOW)}


def test_no_address_is_in_a_report_s_repr() -> None:
    assert "example.test" not in repr(parsed())


def test_Q3_headers_event_and_endpoint_give_the_same_snapshot() -> None:
    """Minutes there, seconds here; names, order and kinds of value differ."""
    headers = {
        "x-codex-primary-used-percent": "42",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-at": "1999999999",
        "x-codex-secondary-used-percent": "5",
        "x-codex-secondary-window-minutes": "10080",
        "x-codex-secondary-reset-after-seconds": "600",
        "x-codex-credits-has-credits": "True",
        "x-codex-credits-unlimited": "false",
        "x-codex-credits-balance": "9.99",
        "x-codex-plan-type": "pro",
    }
    event = {
        "plan_type": "pro",
        "rate_limits": {
            "allowed": True,
            "limit_reached": False,
            "primary": {"used_percent": 42, "window_minutes": 300, "reset_at": 1_999_999_999},
            "secondary": {"used_percent": 5, "window_minutes": 10_080, "reset_at": NOW + 600},
        },
        "credits": {"has_credits": True, "unlimited": False, "balance": "9.99"},
        "metered_limit_name": "codex",
    }
    week = {"used_percent": 5, "limit_window_seconds": 604_800, "reset_after_seconds": 600}
    report = parsed(rate_limit={"primary_window": WINDOW, "secondary_window": week}, rate_limit_reached_type=None)
    (from_headers,) = HeaderRateLimits().parse(headers, now=NOW)
    assert from_headers == parse_rate_limits(event) == report.snapshot()


@pytest.mark.parametrize(
    "changes, window",
    [
        pytest.param({"limit_window_seconds": 1}, RateLimitWindow(42.0, 1, 1_999_999_999.0), id="Q4-rounded-up"),
        pytest.param({"limit_window_seconds": 18_001}, RateLimitWindow(42.0, 301, 1_999_999_999.0), id="Q4-above"),
        pytest.param({"limit_window_seconds": "900"}, RateLimitWindow(42.0, 15, 1_999_999_999.0), id="Q4-digits"),
        pytest.param({"limit_window_seconds": 0}, RateLimitWindow(42.0, None, 1_999_999_999.0), id="Q4-zero"),
        pytest.param({"limit_window_seconds": -60}, RateLimitWindow(42.0, None, 1_999_999_999.0), id="Q4-negative"),
        pytest.param({"limit_window_seconds": 1e300}, RateLimitWindow(42.0, None, 1_999_999_999.0), id="Q4-endless"),
        pytest.param({"limit_window_seconds": None}, RateLimitWindow(42.0, None, 1_999_999_999.0), id="Q4-null"),
        pytest.param({"reset_at": None}, RateLimitWindow(42.0, 300, NOW + 100), id="Q4-relative"),
        pytest.param({"reset_at": 0}, RateLimitWindow(42.0, 300, NOW + 100), id="Q4-zero-reset"),
        pytest.param({"reset_at": "x", "reset_after_seconds": "60"}, RateLimitWindow(42.0, 300, NOW + 60), id="text"),
        pytest.param({"reset_at": 0, "reset_after_seconds": 0}, RateLimitWindow(42.0, 300), id="Q4-no-reset"),
        pytest.param({"reset_at": -1, "reset_after_seconds": 1e300}, RateLimitWindow(42.0, 300), id="odd-resets"),
        pytest.param({"used_percent": 130}, RateLimitWindow(130.0, 300, 1_999_999_999.0), id="more-than-all"),
        pytest.param({"used_percent": "42.5"}, RateLimitWindow(42.5, 300, 1_999_999_999.0), id="share-as-text"),
        pytest.param({"used_percent": None}, None, id="no-share"),
        pytest.param({"used_percent": -1}, None, id="negative-share"),
        pytest.param({"used_percent": float("nan")}, None, id="no-number"),
    ],
)
def test_a_window_counts_seconds(changes: dict[str, Any], window: RateLimitWindow | None) -> None:
    report = parsed(rate_limit={"primary_window": {**WINDOW, **changes}})
    assert report.snapshots[0].primary == window


def test_a_window_of_zeros_is_none() -> None:
    zeros = dict.fromkeys(WINDOW, 0)
    assert parsed(rate_limit={"primary_window": zeros, "secondary_window": zeros}).snapshots[0].windows == ()


def test_Q5_a_free_plan_s_month_in_the_first_place_is_named_so() -> None:
    report = parsed(rate_limit={"primary_window": {**WINDOW, "limit_window_seconds": 30 * 86_400}})
    assert [window.label for window in report.snapshots[0].windows] == ["monthly"]


@pytest.mark.parametrize("rate_limit", [None, {}, {"primary_window": None, "secondary_window": None}, 5, []])
def test_Q9_a_limit_without_windows_is_told_and_marked(rate_limit: Any) -> None:
    own = parsed(rate_limit=rate_limit).snapshots[0]
    assert (own.limit_id, own.plan_type, own.windows, own.has_limit) == ("codex", "pro", (), False)


@pytest.mark.parametrize(
    "additional, ids",
    [
        (None, []),
        ({}, []),
        ([None, 5, {}, {"rate_limit": {}}], []),
        ([{"limit_name": "GPT-5.3-Codex-Spark"}], ["gpt_5.3_codex_spark"]),
        ([{"metered_feature": " Codex-Other ", "limit_name": 5}], ["codex_other"]),
        ([{"metered_feature": "a"}, {"metered_feature": "A"}, {"metered_feature": "codex"}], ["a"]),
    ],
)
def test_Q2_each_additional_limit_is_a_family_of_its_own(additional: Any, ids: list[str]) -> None:
    report = parsed(additional_rate_limits=additional, code_review_rate_limit=None)
    assert [snapshot.limit_id for snapshot in report.snapshots] == ["codex", *ids]


@pytest.mark.parametrize("reached, expected", [({"type": "a"}, "a"), ("a", "a"), (None, None), ({}, None), (5, None)])
def test_the_reached_type_is_a_word_or_an_object(reached: Any, expected: str | None) -> None:
    assert parsed(rate_limit_reached_type=reached).snapshots[0].reached_type == expected


@pytest.mark.parametrize(
    "block, count",
    [({"available_count": 0}, 0), ({"available_count": -1}, None), ({"available_count": True}, None), (None, None)],
)
def test_Q10_reset_credits_are_counted_and_nothing_more(block: Any, count: int | None) -> None:
    assert parsed(rate_limit_reset_credits=block).reset_credits == count


USED_UP = {"primary_window": {**WINDOW, "used_percent": 100}}
NO_CREDITS = {"credits": {"has_credits": False, "unlimited": False}}


@pytest.mark.parametrize(
    "changes, exhausted",
    [
        pytest.param({}, False, id="room"),
        pytest.param({"rate_limit": USED_UP, **NO_CREDITS}, True, id="used-up"),
        pytest.param({"rate_limit": USED_UP, "credits": None}, True, id="used-up-and-no-word-of-credits"),
        pytest.param({"rate_limit": USED_UP}, False, id="used-up-and-paid"),
        pytest.param({"rate_limit": {**USED_UP, "allowed": False}}, True, id="used-up-and-not-paid-says-the-server"),
        pytest.param(
            {"rate_limit": {"primary_window": WINDOW, "limit_reached": True}}, True, id="reached-says-the-server"
        ),
        pytest.param({"spend_control": {"reached": True}}, True, id="spend-control"),
        pytest.param({"spend_control": {"reached": "yes"}}, False, id="odd-spend-control"),
        pytest.param({"rate_limit": None}, False, id="no-limit"),
        pytest.param({"code_review_rate_limit": USED_UP, **NO_CREDITS}, False, id="only-code-review"),
    ],
)
def test_an_account_is_exhausted_when_it_cannot_serve(changes: dict[str, Any], exhausted: bool) -> None:
    assert parsed(**changes).exhausted is exhausted


def test_spend_control_stops_the_plan_s_own_limit() -> None:
    report = parsed(spend_control={"reached": True})
    assert report.spend_control_reached
    assert [snapshot.refused for snapshot in report.snapshots] == [True, False, False]


def test_a_report_without_snapshots_is_not_exhausted() -> None:
    assert not UsageReport().exhausted
    assert UsageReport(spend_control_reached=True).exhausted
    assert parsed().snapshot("codex_other") is not None
    assert parsed().snapshot("none") is None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([10**400, "1e999", "9" * 5000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(sorted(WINDOW)), inner),
    max_leaves=8,
)


def changed(draw: st.DrawFn, value: Any) -> Any:
    """The value with some of its parts replaced by anything."""
    if draw(st.integers(0, 9)) == 0:
        return draw(JSON)
    if isinstance(value, dict):
        return {name: changed(draw, part) for name, part in value.items()}
    return [changed(draw, part) for part in value] if isinstance(value, list) else value


@given(JSON | st.composite(lambda draw: changed(draw, WHOLE))())
def test_no_json_raises_and_what_is_read_is_sound(value: Any) -> None:
    report = parse_usage(value, now=NOW)
    ids = [snapshot.limit_id for snapshot in report.snapshots]
    assert ids[0] == "codex"
    assert len(set(ids)) == len(ids)
    for window in (window for snapshot in report.snapshots for window in snapshot.windows):
        assert window.used_percent >= 0
        assert window.window_minutes is None or window.window_minutes > 0
        assert window.resets_at is None or window.resets_at > 0
        assert window.label
    assert isinstance(report.exhausted, bool)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_no_event_raises(value: Any) -> None:
    fields = json.loads(json.dumps(value))
    for event in (fields if isinstance(fields, dict) else {}, {"rate_limits": fields, "credits": fields}):
        assert parse_rate_limits(event).source == "event"
