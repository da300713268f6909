"""Rate limits told as counts become snapshots where both limit and rest are told."""

from __future__ import annotations

import pytest

from codex_client.client.rate_limits import HeaderRateLimits
from codex_client.model_variants import RateLimitSnapshot, RateLimitWindow

NOW = 1_773_000_000.0


def counted(limit_id: str, window: RateLimitWindow) -> RateLimitSnapshot:
    return RateLimitSnapshot(limit_id=limit_id, primary=window)


@pytest.mark.parametrize(
    "headers, snapshots",
    [
        (
            {
                "x-ratelimit-limit-requests": "10000",
                "x-ratelimit-remaining-requests": "9999",
                "x-ratelimit-reset-requests": "6ms",
                "x-ratelimit-limit-tokens": "200",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-limit-project-tokens": "100",
                "x-ratelimit-remaining-project-tokens": "100",
            },
            [
                counted("requests", RateLimitWindow(0.01, None, NOW + 0.006, 10_000, 9999)),
                counted("tokens", RateLimitWindow(100.0, None, NOW + 360, 200, 0)),
                counted("project-tokens", RateLimitWindow(0.0, None, None, 100, 100)),
            ],
        ),
        (
            {
                "x-ratelimit-limit-tokens_usage_based": "100",
                "x-ratelimit-remaining-tokens-usage-based": "25",
            },
            [counted("tokens-usage-based", RateLimitWindow(75.0, None, None, 100, 25))],
        ),
        (
            {"x-ratelimit-limit": "2", "x-ratelimit-remaining": "1", "x-ratelimit-reset": "1773000060000"},
            [counted("default", RateLimitWindow(50.0, None, NOW + 60, 2, 1))],
        ),
        (
            {"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "75", "ratelimit-reset": "30"},
            [counted("default", RateLimitWindow(25.0, None, NOW + 30, 100, 75))],
        ),
        (
            {
                "x-ratelimit-limit-req-minute": "60",
                "x-ratelimit-remaining-req-minute": "45",
                "x-ratelimit-limit-tokens-month": "1000",
                "x-ratelimit-remaining-tokens-month": "1000",
                "x-ratelimitbysize-limit-minute": "100",
                "x-ratelimitbysize-remaining-minute": "99",
                "ratelimitbysize-limit": "100",
                "ratelimitbysize-remaining": "99",
                "ratelimitbysize-reset": "21",
                "ratelimitbysize-query-cost": "32013",
            },
            [
                counted("req-minute", RateLimitWindow(25.0, 1, None, 60, 45)),
                counted("tokens-month", RateLimitWindow(0.0, 43_200, None, 1000, 1000)),
                counted("size-minute", RateLimitWindow(1.0, 1, None, 100, 99)),
                counted("size", RateLimitWindow(1.0, None, NOW + 21, 100, 99)),
            ],
        ),
        (
            {
                "x-ratelimit-limit-requests": "120",
                "x-ratelimit-remaining-requests": "90",
                "x-ratelimit-reset-requests": "500",
                "x-ratelimit-renewalperiod-requests": "60",
                "x-ratelimit-limit-tokens": "10",
                "x-ratelimit-remaining-tokens": "10",
                "x-ratelimit-reset-tokens": "20",
                "x-ratelimit-renewalperiod-tokens": "10",
            },
            [
                counted("requests", RateLimitWindow(25.0, 1, NOW + 0.5, 120, 90)),
                counted("tokens", RateLimitWindow(0.0, None, NOW + 0.02, 10, 10)),
            ],
        ),
        (
            {"x-ratelimit-limit-requests": "10.0", "x-ratelimit-remaining-requests": "20"},
            [counted("requests", RateLimitWindow(0.0, None, None, 10, 20))],
        ),
        ({"x-ratelimit-limit-tokens": "-1", "x-ratelimit-remaining-tokens": "-1", "x-ratelimit-reset-tokens": "0"}, []),
        ({"x-ratelimit-limit-tokens": "0", "x-ratelimit-remaining-tokens": "0"}, []),
        ({"x-ratelimit-remaining-tokens-day": "9223372036854767616"}, []),
        ({"x-ratelimit-limit-tokens": "9223372036854767616", "x-ratelimit-remaining-tokens": "1"}, []),
        ({"x-ratelimit-limit": "100", "x-ratelimit-reset": "1769759903"}, []),
        ({"x-ratelimit-limit-requests": "many", "x-ratelimit-remaining-requests": "few"}, []),
        ({"llm_provider-x-ratelimit-limit": "10", "llm_provider-x-ratelimit-remaining": "1"}, []),
        ({"x-ratelimit": "5", "x-ratelimit-key": "gpt", "x-ratelimit-abusepenalty-active": "False"}, []),
        (
            {"ratelimit": '"api";r=499;t=278', "ratelimit-policy": '"fixed window";"api";q=500;w=300'},
            [counted("api", RateLimitWindow(0.2, 5, NOW + 278, 500, 499))],
        ),
        (
            {"ratelimit": '"api";r=0', "ratelimit-policy": '"api";q=500'},
            [counted("api", RateLimitWindow(100.0, None, None, 500, 0))],
        ),
        (
            {
                "ratelimit": '"requests";r=1',
                "ratelimit-policy": '"requests";q=2',
                "x-ratelimit-limit-requests": "4",
                "x-ratelimit-remaining-requests": "1",
            },
            [counted("requests", RateLimitWindow(75.0, None, None, 4, 1))],
        ),
        ({"ratelimit": '"api";r=499;t=278'}, []),
        ({"ratelimit": "r=1", "ratelimit-policy": '"api";q=500'}, []),
        ({"ratelimit": '"api";t=1', "ratelimit-policy": '"api";q=500'}, []),
        (
            {
                "x-quota-snapshot-premium_interactions": "ent=300&ov=0.0&rem=75&rst=2026-03-09T00%3A00%3A00Z",
                "x-quota-snapshot-chat": "ent=-1&ov=0.0&ovPerm=false&rem=100.0&rst=2026-03-09T00%3A00%3A00Z",
                "x-quota-snapshot-completions": "garbage",
                "x-quota-snapshot-odd": "ent=5&rem=much",
            },
            [counted("premium_interactions", RateLimitWindow(25.0, None, 1_773_014_400.0, 300))],
        ),
        ({}, []),
        ({"content-type": "text/event-stream", "retry-after": "2"}, []),
    ],
)
def test_counts_are_read_where_limit_and_rest_are_told(
    headers: dict[str, str], snapshots: list[RateLimitSnapshot]
) -> None:
    assert HeaderRateLimits().parse(headers, now=NOW) == snapshots
