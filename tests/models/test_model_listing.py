"""`parse_models`: whatever a models endpoint answers becomes models, and nothing raises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from codex_client.models import ModelInfo, is_model_list, parse_models

FULL = {
    "slug": "gpt-a",
    "display_name": "GPT A",
    "supported_reasoning_levels": [
        {"effort": "low", "description": "fast"},
        {"effort": "ultra", "description": "slow"},
        {"effort": "low"},
        {"description": "no effort"},
        "max",
        7,
    ],
    "default_reasoning_level": "low",
    "support_verbosity": True,
    "default_verbosity": "low",
    "context_window": 272_000,
    "max_context_window": 372_000,
    "available_in_plans": ["plus", "pro", None],
    "visibility": "hide",
    "supported_in_api": False,
    "priority": 3,
}


def test_M1_M5_codex_s_list_tells_everything() -> None:
    assert parse_models({"models": [FULL]}) == (
        ModelInfo(
            slug="gpt-a",
            display_name="GPT A",
            reasons=True,
            efforts=("low", "ultra", "max"),
            default_effort="low",
            verbosities=("low", "medium", "high"),
            default_verbosity="low",
            context_window=272_000,
            plans=("plus", "pro"),
            hidden=True,
            supported_in_api=False,
        ),
    )


@pytest.mark.parametrize(
    "entry, model",
    [
        ({}, ModelInfo(slug="m")),
        ({"supported_reasoning_levels": []}, ModelInfo(slug="m", reasons=False)),
        ({"supported_reasoning_levels": None}, ModelInfo(slug="m")),
        ({"support_verbosity": False}, ModelInfo(slug="m", verbosities=("medium",))),
        ({"support_verbosity": 1}, ModelInfo(slug="m")),
        ({"visibility": "none"}, ModelInfo(slug="m", hidden=True)),
        ({"visibility": "list"}, ModelInfo(slug="m")),
        ({"context_window": True, "display_name": " "}, ModelInfo(slug="m")),
        ({"context_window": -1, "context_length": 9}, ModelInfo(slug="m", context_window=9)),
        ({"available_in_plans": "plus", "display_name": 7}, ModelInfo(slug="m")),
    ],
)
def test_M1_what_codex_s_list_does_not_tell_is_not_known(entry: dict[str, Any], model: ModelInfo) -> None:
    assert parse_models({"models": [{"slug": "m", **entry}]}) == (model,)


def test_codex_s_models_come_by_priority_and_those_without_one_behind() -> None:
    entries = [{"slug": "none"}, {"slug": "two", "priority": 2}, {"slug": "one", "priority": 1}, {"slug": "also none"}]
    assert [model.slug for model in parse_models({"models": entries})] == ["one", "two", "none", "also none"]


@pytest.mark.parametrize(
    "entry, model",
    [
        ({"object": "model", "owned_by": "me"}, ModelInfo(slug="m")),
        (
            {"name": "M", "context_length": 8, "top_provider": {"max_completion_tokens": 4}},
            ModelInfo(slug="m", display_name="M", context_window=8, max_output_tokens=4),
        ),
        (
            {"context_window": 8, "max_completion_tokens": 4, "top_provider": None},
            ModelInfo(slug="m", context_window=8, max_output_tokens=4),
        ),
        ({"max_model_len": 8}, ModelInfo(slug="m", context_window=8)),
        ({"max_context_length": 8}, ModelInfo(slug="m", context_window=8)),
        ({"display_name": "M"}, ModelInfo(slug="m", display_name="M")),
    ],
    ids=["openai", "openrouter", "groq", "vllm", "mistral", "named"],
)
def test_openai_s_list_and_what_others_add_to_it(entry: dict[str, Any], model: ModelInfo) -> None:
    assert parse_models({"object": "list", "data": [{"id": "m", **entry}]}) == (model,)


def test_a_bare_list_is_one_too_and_keeps_its_order() -> None:
    assert [model.slug for model in parse_models([{"id": "b"}, {"id": "a"}])] == ["b", "a"]


def test_entries_without_a_name_are_left_out_and_the_first_of_a_name_stays() -> None:
    entries = [{"id": "a", "name": "first"}, None, "b", {}, {"id": ""}, {"id": 7}, {"id": "a", "name": "second"}]
    assert parse_models({"data": entries}) == (ModelInfo(slug="a", display_name="first"),)


@pytest.mark.parametrize(
    "told, listed",
    [
        ({"models": []}, True),
        ({"data": []}, True),
        ([], True),
        ({"object": "list", "data": None}, True),
        ({"data": None}, False),
        ({"object": "list", "data": "x"}, False),
        ({"models": {}, "data": 1}, False),
        ({"error": {}}, False),
        ("gpt-5", False),
        (None, False),
    ],
)
def test_an_empty_list_is_told_from_no_list(told: Any, listed: bool) -> None:
    assert is_model_list(told) is listed
    assert parse_models(told) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("slug", "id", "name", "priority", "top_provider", *FULL)


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6) | JSON, max_size=4))
def test_no_answer_raises_and_each_model_has_a_name_of_its_own(entries: list[Any]) -> None:
    for told in ({"models": entries}, {"data": entries}, entries):
        models = parse_models(told)
        assert all(model.slug and (model.context_window or 1) > 0 for model in models)
        assert len({model.slug for model in models}) == len(models)
