"""The `codex.rate_limits` event."""

from __future__ import annotations

from typing import Any

import pytest

from codex_client.decode.rate_limit_event import parse_rate_limits
from codex_client.model_variants import Credits, RateLimitSnapshot, RateLimitWindow


def test_Q3_every_field_is_read() -> None:
    event = {
        "type": "codex.rate_limits",
        "plan_type": "pro",
        "rate_limits": {
            "allowed": True,
            "limit_reached": False,
            "primary": {"used_percent": 42, "window_minutes": 300, "reset_at": 1_999_999_999},
            "secondary": {"used_percent": 100.0, "window_minutes": 10_080, "reset_at": 2_000_000_000},
        },
        "code_review_rate_limits": None,
        "credits": {"has_credits": True, "unlimited": False, "balance": "9.99"},
        "metered_limit_name": "codex-other",
        "limit_name": "Other",
        "rate_limit_reached_type": {"type": "workspace_member_credits_depleted"},
        "promo": None,
    }
    assert parse_rate_limits(event) == RateLimitSnapshot(
        limit_id="codex_other",
        limit_name="Other",
        primary=RateLimitWindow(42.0, window_minutes=300, resets_at=1_999_999_999.0),
        secondary=RateLimitWindow(100.0, window_minutes=10_080, resets_at=2_000_000_000.0),
        credits=Credits(has_credits=True, unlimited=False, balance="9.99"),
        plan_type="pro",
        reached_type="workspace_member_credits_depleted",
    )


@pytest.mark.parametrize(
    "event", [{}, {"rate_limits": None, "credits": None}, {"rate_limits": [], "credits": 5, "metered_limit_name": 5}]
)
def test_an_event_that_says_nothing_is_an_empty_snapshot(event: dict[str, Any]) -> None:
    assert parse_rate_limits(event) == RateLimitSnapshot(limit_id="codex")


@pytest.mark.parametrize(
    "window, expected",
    [
        (None, None),
        ({}, None),
        ({"window_minutes": 300}, None),
        ({"used_percent": None, "window_minutes": 300}, None),
        ({"used_percent": "NaN", "window_minutes": 300}, None),
        ({"used_percent": "x", "window_minutes": 300}, None),
        ({"used_percent": True, "window_minutes": 300}, None),
        ({"used_percent": 10**400, "window_minutes": 300}, None),
        ({"used_percent": 0, "window_minutes": 0, "reset_at": None}, None),
        ({"used_percent": 0, "window_minutes": 300}, RateLimitWindow(0.0, window_minutes=300)),
        ({"used_percent": 0, "reset_at": 5}, RateLimitWindow(0.0, resets_at=5.0)),
        ({"used_percent": "12.5", "window_minutes": "300"}, RateLimitWindow(12.5)),
        ({"used_percent": 130, "window_minutes": -1}, RateLimitWindow(130.0)),
        ({"used_percent": -1, "window_minutes": 300}, None),
        ({"used_percent": 7, "window_minutes": 0}, RateLimitWindow(7.0)),
    ],
)
def test_a_window_that_says_nothing_is_none(window: object, expected: RateLimitWindow | None) -> None:
    snapshot = parse_rate_limits({"rate_limits": {"primary": window}})
    assert snapshot == RateLimitSnapshot(primary=expected)


@pytest.mark.parametrize(
    "credits, expected",
    [
        ({"has_credits": True, "unlimited": True}, Credits(has_credits=True, unlimited=True)),
        ({"has_credits": "yes", "balance": 9.5}, Credits(balance="9.5")),
        ({"balance": None}, Credits()),
        ({"balance": {}}, Credits()),
    ],
)
def test_credits_are_read_as_told(credits: dict[str, Any], expected: Credits) -> None:
    assert parse_rate_limits({"credits": credits}).credits == expected


def test_the_reached_type_may_be_a_plain_word() -> None:
    assert parse_rate_limits({"rate_limit_reached_type": "rate_limit_reached"}).reached_type == "rate_limit_reached"


def test_Q3_an_event_says_that_it_is_one_and_not_when() -> None:
    snapshot = parse_rate_limits({})
    assert (snapshot.source, snapshot.fetched_at) == ("event", None)


USED_UP, HALF = {"used_percent": 100, "window_minutes": 300}, {"used_percent": 50, "window_minutes": 300}
PAYS = {"has_credits": True, "unlimited": False}


@pytest.mark.parametrize(
    "limits, credits, refused",
    [
        ({"allowed": True, "limit_reached": False, "primary": HALF}, None, False),
        ({"allowed": False, "limit_reached": True, "primary": HALF}, None, True),
        ({"limit_reached": True, "primary": HALF}, None, True),
        ({"allowed": False, "primary": HALF}, None, True),
        # The windows say it already.
        ({"allowed": False, "limit_reached": True, "primary": USED_UP}, None, False),
        # Credits pay, and the server says so.
        ({"allowed": True, "limit_reached": True, "primary": USED_UP}, PAYS, False),
        ({"allowed": False, "limit_reached": True, "primary": USED_UP}, PAYS, True),
        ({"allowed": "no", "limit_reached": 1, "primary": HALF}, None, False),
        ({"allowed": False}, None, True),
    ],
)
def test_a_server_that_does_not_serve_is_believed(limits: dict[str, Any], credits: Any, refused: bool) -> None:
    assert parse_rate_limits({"rate_limits": limits, "credits": credits}).refused is refused
