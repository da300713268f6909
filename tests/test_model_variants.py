"""Rate limits as values."""

from __future__ import annotations

import pytest

from codex_client.model_variants import RateLimitSnapshot, RateLimitWindow


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


def test_a_snapshot_lists_the_windows_that_it_has() -> None:
    window = RateLimitWindow(1.0)
    assert RateLimitSnapshot(secondary=window).windows == (window,)
    assert RateLimitSnapshot().windows == ()
