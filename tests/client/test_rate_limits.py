"""Rate-limit headers of every dialect become snapshots; what is not told is not made up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from hypothesis import given, strategies as st

from codex_client.api import RateLimitProvider
from codex_client.client.rate_limits import HeaderRateLimits, models_etag, server_model
from codex_client.model_variants import Credits, RateLimitSnapshot, RateLimitWindow

NOW = 1_773_000_000.0
PROVIDER: RateLimitProvider = HeaderRateLimits()


def parsed(headers: Mapping[str, str]) -> list[RateLimitSnapshot]:
    return list(PROVIDER.parse(headers, now=NOW))


FULL = {
    "X-Codex-Active-Limit": "codex",
    "X-Codex-Plan-Type": "pro",
    "X-Codex-Primary-Used-Percent": "42.5",
    "X-Codex-Primary-Window-Minutes": "300",
    "X-Codex-Primary-Reset-At": "1999999999",
    "X-Codex-Secondary-Used-Percent": "16",
    "X-Codex-Secondary-Window-Minutes": "10080",
    "X-Codex-Secondary-Reset-After-Seconds": "600",
    "X-Codex-Credits-Has-Credits": "True",
    "X-Codex-Credits-Unlimited": "false",
    "X-Codex-Credits-Balance": "9.99",
    "X-Codex-Rate-Limit-Reached-Type": "rate_limit_reached",
    "X-Codex-Limit-Name": "Codex",
}


@pytest.mark.parametrize("shape", [dict, httpx.Headers])
def test_Q1_all_that_the_codex_family_tells_is_read(shape: type) -> None:
    assert parsed(shape(FULL)) == [
        RateLimitSnapshot(
            limit_id="codex",
            limit_name="Codex",
            primary=RateLimitWindow(used_percent=42.5, window_minutes=300, resets_at=1_999_999_999.0),
            secondary=RateLimitWindow(used_percent=16.0, window_minutes=10_080, resets_at=NOW + 600),
            credits=Credits(has_credits=True, unlimited=False, balance="9.99"),
            plan_type="pro",
            reached_type="rate_limit_reached",
        )
    ]


def test_an_exhausted_weekly_window_as_seen_with_a_usage_limit() -> None:
    headers = {
        "x-codex-active-limit": "codex",
        "x-codex-plan-type": "free",
        "x-codex-primary-used-percent": "100",
        "x-codex-secondary-used-percent": "0",
        "x-codex-primary-window-minutes": "10080",
        "x-codex-primary-over-secondary-limit-percent": "0",
        "x-codex-secondary-window-minutes": "0",
        "x-codex-primary-reset-after-seconds": "471285",
        "x-codex-secondary-reset-after-seconds": "0",
        "x-codex-primary-reset-at": "1773860656",
        "x-codex-secondary-reset-at": "",
        "x-codex-credits-has-credits": "False",
        "x-codex-credits-balance": "",
        "x-codex-credits-unlimited": "False",
    }
    assert parsed(headers) == [
        RateLimitSnapshot(
            limit_id="codex",
            primary=RateLimitWindow(used_percent=100.0, window_minutes=10_080, resets_at=1_773_860_656.0),
            credits=Credits(has_credits=False, unlimited=False, balance=None),
            plan_type="free",
        )
    ]


def test_Q6_every_snapshot_says_that_headers_told_it_and_when() -> None:
    told = parsed({**FULL, "x-spark-primary-used-percent": "5", "x-ratelimit-limit-requests": "5",
                   "x-ratelimit-remaining-requests": "4"})  # fmt: skip
    assert [snapshot.limit_id for snapshot in told] == ["codex", "spark", "requests"]
    assert {(snapshot.source, snapshot.fetched_at) for snapshot in told} == {("header", NOW)}


def test_Q1_a_used_up_window_without_length_and_reset_as_seen_with_usage_limits_is_kept() -> None:
    headers = {"used-percent": "100", "window-minutes": "0", "reset-at": "", "reset-after-seconds": "0"}
    (snapshot,) = parsed({f"x-codex-primary-{name}": value for name, value in headers.items()})
    assert snapshot == RateLimitSnapshot(primary=RateLimitWindow(100.0))
    assert snapshot.windows[0].label == "window"


@pytest.mark.parametrize("name", ["spark-five", "spark_five", "Spark-Five"])
def test_Q2_a_limit_id_is_the_same_with_dashes_and_underscores(name: str) -> None:
    headers = {f"x-{name}-primary-used-percent": "5", f"x-{name}-limit-name": "Spark"}
    assert parsed(headers) == [
        RateLimitSnapshot(limit_id="spark_five", limit_name="Spark", primary=RateLimitWindow(5.0))
    ]


def test_Q5_the_recorded_windows_are_five_hours_and_a_week(captures: Path) -> None:
    (recording,) = (captures / "headers" / "openai-chatgpt-codex").glob("*.json")
    (snapshot,) = parsed(dict(json.loads(recording.read_text())["headers"]))
    assert [window.label for window in snapshot.windows] == ["5 h", "weekly"]


def test_Q2_the_default_family_comes_first_and_only_families_that_hold_data_come() -> None:
    headers = {
        "x-codex-other-primary-used-percent": "70",
        "x-codex-other-primary-window-minutes": "15",
        "x-codex-other-limit-name": "codex_other",
        "x-spark-primary-used-percent": "0",
        "x-spark-secondary-used-percent": "5",
        "x-empty-primary-used-percent": "0",
        "x-codex-primary-used-percent": "1",
        "x-codex-plan-type": "pro",
        "x-codex-rate-limit-reached-type": "rate_limit_reached",
        "x-codex-credits-unlimited": "true",
    }
    assert parsed(headers) == [
        RateLimitSnapshot(
            limit_id="codex",
            primary=RateLimitWindow(used_percent=1.0),
            credits=Credits(unlimited=True),
            plan_type="pro",
            reached_type="rate_limit_reached",
        ),
        RateLimitSnapshot(
            limit_id="codex_other",
            limit_name="codex_other",
            primary=RateLimitWindow(used_percent=70.0, window_minutes=15),
        ),
        RateLimitSnapshot(limit_id="spark", secondary=RateLimitWindow(used_percent=5.0)),
    ]


@pytest.mark.parametrize(
    "headers, window",
    [
        ({"used-percent": "0"}, None),
        ({"used-percent": "0", "window-minutes": "0", "reset-at": "", "reset-after-seconds": "0"}, None),
        ({"used-percent": "0", "reset-at": "0"}, None),
        ({"used-percent": "nan", "window-minutes": "300"}, None),
        ({"used-percent": "inf", "window-minutes": "300"}, None),
        ({"used-percent": "", "window-minutes": "300"}, None),
        ({"window-minutes": "300", "reset-at": "1999999999"}, None),
        ({"used-percent": "0", "window-minutes": "300"}, RateLimitWindow(0.0, 300)),
        ({"used-percent": "0", "reset-at": "1999999999"}, RateLimitWindow(0.0, None, 1_999_999_999.0)),
        ({"used-percent": "0", "reset-after-seconds": "60"}, RateLimitWindow(0.0, None, NOW + 60)),
        ({"used-percent": "7", "window-minutes": "x", "reset-at": "y"}, RateLimitWindow(7.0)),
        (
            {"used-percent": "7", "reset-at": "1999999999", "reset-after-seconds": "60"},
            RateLimitWindow(7.0, None, 1_999_999_999.0),
        ),
        ({"used-percent": "130"}, RateLimitWindow(130.0)),
    ],
)
def test_a_window_exists_where_a_share_is_told_and_not_all_is_zero(
    headers: dict[str, str], window: RateLimitWindow | None
) -> None:
    snapshots = parsed({f"x-codex-primary-{name}": value for name, value in headers.items()})
    assert snapshots == ([RateLimitSnapshot(primary=window)] if window else [])


@pytest.mark.parametrize(
    "has, unlimited, credits",
    [
        ("true", "0", Credits(has_credits=True)),
        ("1", "TRUE", Credits(has_credits=True, unlimited=True)),
        ("False", "1", Credits(unlimited=True)),
        (" no ", "", Credits()),
        ("", "off", Credits()),
        ("perhaps", "", None),
    ],
)
def test_booleans_are_read_in_any_spelling(has: str, unlimited: str, credits: Credits | None) -> None:
    headers = {"x-codex-credits-has-credits": has, "x-codex-credits-unlimited": unlimited}
    assert parsed(headers) == ([RateLimitSnapshot(credits=credits)] if credits else [])


@pytest.mark.parametrize(
    "name, value, snapshot",
    [
        ("x-codex-plan-type", " plus ", RateLimitSnapshot(plan_type="plus")),
        (
            "x-codex-rate-limit-reached-type",
            "Workspace_Owner_Credits_Depleted",
            RateLimitSnapshot(reached_type="workspace_owner_credits_depleted"),
        ),
        ("x-codex-rate-limit-reached-type", "something else", None),
        ("x-codex-promo-message", "buy more", None),
        ("x-codex-limit-name", "Codex", None),
    ],
)
def test_a_plan_or_a_reached_type_alone_is_data(name: str, value: str, snapshot: RateLimitSnapshot | None) -> None:
    assert parsed({name: value}) == ([snapshot] if snapshot else [])


@pytest.mark.parametrize("shape", [dict, httpx.Headers])
def test_the_model_and_the_model_list_s_version_are_read_in_any_case(shape: type) -> None:
    headers = shape({"OpenAI-Model": " gpt-5 ", "X-Models-Etag": 'W/"1"'})
    assert (server_model(headers), models_etag(headers)) == ("gpt-5", 'W/"1"')
    assert server_model(shape({"X-OpenAI-Model": "gpt-5"})) == "gpt-5"
    assert (server_model(shape({})), models_etag(shape({"x-models-etag": " "}))) == (None, None)


# Families per recorded file; those not named here tell nothing that can be mapped.
FAMILIES = {
    "dd-trace-py--ni-chat-completions-api-version": ["requests", "tokens"],
    "openllmetry--opentelemetry-instrumentation-openai": ["requests", "tokens"],
    "ruby-llm--with-azure-gpt-5-nano": ["requests", "tokens"],
    "ccproxy-api--endpoint-samples-copilot": ["premium_interactions"],
    "dd-trace-py--litellm-completion": ["requests", "tokens"],
    "mirascope--test-mirascope-provider-openai": ["requests", "tokens"],
    "agentops--test-mistral-provider": ["size", "size-minute", "size-month"],
    "chatlas--vcr-test-provider-mistral": ["req-minute", "tokens-minute", "tokens-month"],
    "crewai--ewai-teststreamingcrew": ["project-tokens", "requests", "tokens"],
    "crewai--llms-openai-test-openai": ["project-requests", "requests", "tokens"],
    "dd-trace-py--openai-openai-chat": ["input-images", "requests", "tokens"],
    "ccproxy-api--endpoint-samples-codex": ["codex"],
    "openllmetry--try-instrumentation-together": ["default"],
    "llm-rb--xai-chat": ["tokens", "requests"],
}


@pytest.mark.each_capture("headers/*/*.json")
def test_each_recorded_header_set_gives_its_families(capture: Path) -> None:
    headers = dict(json.loads(capture.read_text())["headers"])
    expected = next((families for start, families in FAMILIES.items() if capture.name.startswith(start)), [])
    assert [snapshot.limit_id for snapshot in parsed(headers)] == expected
    assert parsed(httpx.Headers(headers)) == parsed(headers)


@pytest.mark.each_capture("*/*/*.headers.json")
def test_the_headers_of_each_recorded_stream_are_read(capture: Path) -> None:
    for snapshot in parsed(dict(json.loads(capture.read_text())["headers"])):
        assert snapshot.windows or snapshot.plan_type
        assert all(0 <= window.used_percent <= 100 for window in snapshot.windows)


NAMES = st.sampled_from([*FULL, "x-codex-primary-reset-after-seconds", "x-a-b-primary-used-percent"]) | st.builds(
    "{}ratelimit{}-{}{}".format,
    st.sampled_from(["x-", "", "X-", "y-"]),
    st.sampled_from(["", "bysize"]),
    st.sampled_from(["limit", "remaining", "reset", "renewalperiod", "policy", ""]),
    st.sampled_from(["", "-tokens", "-requests-day", "-"]),
)
TEXTS = st.text() | st.sampled_from(
    ["0", "1", "100", "9" * 30, "0.0", "1e9", "-1", "9" * 15, "True", '"a";r=1;q=1;w=0', "١"]
)


@given(st.dictionaries(NAMES | st.text(), TEXTS | st.integers().map(str) | st.floats().map(str)))
def test_no_headers_raise_and_each_family_comes_once(headers: dict[str, str]) -> None:
    snapshots = parsed(headers)
    assert all(
        snapshot.windows or snapshot.credits or snapshot.plan_type or snapshot.reached_type for snapshot in snapshots
    )
    assert all(window.used_percent >= 0 for snapshot in snapshots for window in snapshot.windows)
    assert len({snapshot.limit_id for snapshot in snapshots}) == len(snapshots)
