"""What a server was found to refuse holds for who asked so, and only once the rest of the request was taken."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from codex_client.errors import DroppedParameterWarning
from codex_client.payload import refused
from codex_client.payload.amend import Amendment
from codex_client.payload.refused import Asked, LearntRefusals

ASKED = Asked("a", "m", "high")
TIER = Amendment("parameter", "service_tier")
VERBOSITY = Amendment("value", "text.verbosity", value="medium")


@pytest.mark.parametrize(
    "payload, asked, told",
    [
        ({"model": "m", "reasoning": {"effort": "high"}}, (None, "m", "high"), "the model 'm' at effort 'high'"),
        ({"model": "m", "reasoning_effort": "none"}, (None, "m", "none"), "the model 'm' at effort 'none'"),
        ({"model": "m", "reasoning": {"summary": "auto"}}, (None, "m", None), "the model 'm'"),
        ({"model": "m", "reasoning": None}, (None, "m", None), "the model 'm'"),
        ({"model": "m", "reasoning": {"effort": ["odd"]}}, (None, "m", "['odd']"), "the model 'm' at effort"),
        ({}, (None, "", None), "the model ''"),
    ],
)
def test_a_request_is_told_by_its_model_and_its_effort(payload: dict[str, Any], asked: Any, told: str) -> None:
    assert Asked.by(payload) == asked
    assert str(Asked.by(payload)).startswith(told)


def test_an_account_is_told_of_and_not_named() -> None:
    asked = Asked.by({"model": "m"}, "ann@example.test")
    assert (asked.account, str(asked)) == ("ann@example.test", "the model 'm' with this account")


def test_what_was_taken_so_is_known_of_the_same_request_alone() -> None:
    known = LearntRefusals(server="s")
    known.learn(ASKED, [TIER])
    known.learn(ASKED, [TIER, VERBOSITY])
    known.learn(ASKED, [])
    assert known.of(ASKED) == (TIER, VERBOSITY)
    for other in (ASKED._replace(account="b"), ASKED._replace(model="n"), ASKED._replace(effort=None)):
        assert known.of(other) == ()


def test_each_change_is_told_once_of_each_request_and_learns_nothing() -> None:
    known = LearntRefusals(server="s")
    with pytest.warns(DroppedParameterWarning) as caught:
        for asked in (ASKED, ASKED, ASKED._replace(account=None)):
            known.tell(asked, TIER)
            known.tell(asked, VERBOSITY)
    tier, verbosity = "s refused the parameter 'service_tier' for", "s refused the value of 'text.verbosity' for"
    both = "the model 'm' at effort 'high'"
    assert [str(warning.message) for warning in caught] == [
        f"{tier} {both} with this account; it is left out",
        f"{verbosity} {both} with this account; it is sent as 'medium'",
        f"{tier} {both}; it is left out",
        f"{verbosity} {both}; it is sent as 'medium'",
    ]
    assert known.of(ASKED) == ()


def test_what_is_longest_ago_is_forgotten_and_told_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers of a gateway name the models and efforts."""
    monkeypatch.setattr(refused, "_MAX_REMEMBERED", 2)
    known = LearntRefusals(server="s")
    asked = [ASKED._replace(model=name * 500) for name in "abc"]
    with pytest.warns(DroppedParameterWarning) as caught:
        for each in [*asked, asked[2], asked[0]]:
            known.tell(each, TIER)
            known.learn(each, [TIER])
    assert [bool(known.of(each)) for each in asked] == [True, False, True]
    told = [str(warning.message).partition("the model '")[2] for warning in caught]
    assert [each[:81] for each in told] == [f"{name * 80}'" for name in "abca"]


def test_a_warning_that_is_made_an_error_is_raised_each_time() -> None:
    known = LearntRefusals(server="s")
    with warnings.catch_warnings():
        warnings.simplefilter("error", DroppedParameterWarning)
        for _ in range(2):
            with pytest.raises(DroppedParameterWarning):
                known.tell(ASKED, TIER)
