"""Recorded turns for the laws of the bridge: the project's fixtures, and captures where there are any."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.bridged import Turn, turn_of

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture(
    params=sorted(path for path in FIXTURES.glob("*/*") if path.parent.name in ("chat", "responses")),
    ids=lambda path: f"{path.parent.name}-{path.name}",
)
def fixture_turn(request: pytest.FixtureRequest) -> Turn:
    return turn_of(request.param)


@pytest.fixture
def captured_turn(capture: Path) -> Turn:
    return turn_of(capture)
