"""When a new access token is due."""

from __future__ import annotations

import pytest

from codex_client.auth.thresholds import Thresholds
from codex_client.auth.tokens import TokenSet

NOW = 1_700_000_000.0
THRESHOLDS = Thresholds(early=300.0, latest=30.0)


def tokens(left: float | None, *, age: float | None) -> TokenSet:
    """`left`: seconds to the end, `age`: since the issue."""
    return TokenSet(
        access_token="access",
        expires_at=None if left is None else NOW + left,
        refreshed_at=None if age is None else NOW - age,
    )


@pytest.mark.parametrize(
    "left, age, due",
    [
        (301, 3299, None),
        (300, 3300, "early"),
        (31, 3569, "early"),
        (30, 3570, "latest"),
        (-1, 3601, "latest"),
        (-1, None, "latest"),
        (51, 49, None),
        (50, 50, "early"),
        (26, 74, "early"),
        (25, 75, "latest"),
        (-1, 101, "latest"),
    ],
)
def test_the_thresholds_of_a_short_life_are_a_half_and_a_quarter_of_it(
    left: float, age: float | None, due: str | None
) -> None:
    assert THRESHOLDS.due(tokens(left, age=age), now=NOW) == due


@pytest.mark.parametrize("left, age", [(-7200, 0), (-7200, 3600), (0, 0)])
def test_a_token_that_was_over_when_it_was_issued_is_used_until_it_is_refused(left: float, age: float) -> None:
    assert THRESHOLDS.due(tokens(left, age=age), now=NOW) is None
    assert not THRESHOLDS.is_over(tokens(left, age=age), now=NOW)


def test_an_issue_that_is_still_to_come_tells_nothing_of_its_life() -> None:
    assert THRESHOLDS.due(tokens(-1, age=-7200), now=NOW) == "latest"


@pytest.mark.parametrize("days, due", [(7.9, None), (8.1, "early")])
def test_a_token_that_does_not_tell_its_end_is_due_after_eight_days(days: float, due: str | None) -> None:
    assert THRESHOLDS.due(tokens(None, age=days * 86400), now=NOW) == due
