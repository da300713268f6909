"""`ModelCatalogue`: what it knows, what two of them know together, and until when."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest

from codex_client.models import BUILT_IN_MODELS, EFFORTS, MODEL_ALIASES, ModelCatalogue, ModelInfo

SEA = ModelInfo(slug="sea", efforts=("low",), context_window=5, hidden=True, reasons=True)
LAKE = ModelInfo(slug="lake", display_name="Lake")
BOTH = ModelCatalogue(models=(SEA, LAKE), aliases={"ocean": "sea", "lake": "sea"}, etag='"1"', fetched_at=100.0)


def test_a_model_is_found_by_its_slug_and_by_an_alias() -> None:
    assert BOTH.get("sea") is BOTH.get("ocean") is SEA
    assert BOTH.get("pond") is None
    assert ("sea" in BOTH, "ocean" in BOTH, "pond" in BOTH) == (True, False, False)
    assert (BOTH.slugs, list(BOTH)) == (("sea", "lake"), [SEA, LAKE])


def test_M4_a_slug_is_never_redirected_by_an_alias() -> None:
    assert BOTH.get("lake") is LAKE


def test_a_dated_snapshot_is_told_by_its_model_unless_it_is_listed() -> None:
    assert BOTH.get("sea-2025-08-07") == replace(SEA, slug="sea-2025-08-07")
    assert BOTH.get("pond-2025-08-07") is None
    assert BOTH.get("sea-2025") is None
    own = replace(LAKE, slug="sea-2025-08-07")
    assert replace(BOTH, models=(SEA, own)).get("sea-2025-08-07") is own


def test_the_first_of_two_with_one_name_is_found() -> None:
    assert ModelCatalogue(models=(SEA, replace(SEA, context_window=7))).get("sea") is SEA


def test_two_lists_know_together_what_either_tells_and_the_newer_one_wins() -> None:
    newer = ModelCatalogue(
        models=(ModelInfo(slug="pond"), ModelInfo(slug="sea", context_window=9, reasons=False)),
        aliases={"ocean": "pond"},
        etag='"2"',
        fetched_at=200.0,
    )
    assert BOTH.merged(newer) == ModelCatalogue(
        models=(ModelInfo(slug="pond"), replace(SEA, context_window=9, reasons=False, hidden=False), LAKE),
        aliases={"ocean": "pond", "lake": "sea"},
        etag='"2"',
        fetched_at=200.0,
    )


def test_aliases_can_be_added_and_overridden() -> None:
    own = BUILT_IN_MODELS.with_aliases({"mine": "gpt-5.2", "gpt5": "gpt-5.1"})
    assert own.get("mine") is own.get("gpt-5.2") is not None
    assert own.get("gpt5") is own.get("gpt-5.1") is not None
    assert own.get("codex-mini") is own.get("gpt-5.1-codex-mini") is not None
    assert BUILT_IN_MODELS.get("mine") is None


@pytest.mark.parametrize(
    "etag, now, stale",
    [
        ('"1"', 100.0, False),
        ("1", 1e9, False),
        ('W/"1"', 1e9, False),
        ('"2"', 100.0, True),
        (None, 399.9, False),
        ("", 399.9, False),
        (None, 400.0, True),
        (None, 99.0, True),
    ],
)
def test_M1_a_list_holds_as_long_as_its_version_else_for_a_time(etag: str | None, now: float, stale: bool) -> None:
    assert BOTH.is_stale(etag, now) is stale


def test_how_long_a_list_holds_can_be_said() -> None:
    assert not BOTH.is_stale(None, 1000.0, max_age=901)
    assert BOTH.is_stale(None, 101.0, max_age=0)


def test_a_list_without_a_version_goes_by_its_age_and_one_that_no_server_told_is_stale() -> None:
    unversioned = replace(BOTH, etag=None)
    assert (unversioned.is_stale('"2"', 101.0), unversioned.is_stale('"2"', 400.0)) == (False, True)
    assert BUILT_IN_MODELS.is_stale(None, 0.0)
    assert BUILT_IN_MODELS.is_stale('"1"', 0.0)


def test_a_catalogue_survives_pickling() -> None:
    copy = pickle.loads(pickle.dumps(BOTH))
    assert copy == BOTH
    assert copy.get("ocean") == SEA


def test_a_model_has_a_name_for_people() -> None:
    assert [model.name for model in BOTH] == ["sea", "Lake"]


@pytest.mark.parametrize("model", BUILT_IN_MODELS.models, ids=lambda model: model.slug)
def test_M1_what_the_built_in_list_tells_fits_together(model: ModelInfo) -> None:
    assert set(model.efforts) <= set(EFFORTS)
    assert list(model.efforts) == sorted(model.efforts, key=EFFORTS.index)
    assert model.default_effort is None or model.default_effort in model.efforts
    assert model.default_verbosity is None or model.default_verbosity in model.verbosities
    assert model.reasons is True or not model.efforts
    assert model.context_window is not None
    assert model.max_output_tokens is None or model.max_output_tokens <= model.context_window


def test_M4_the_built_in_aliases_are_read_only() -> None:
    aliases: Any = MODEL_ALIASES
    with pytest.raises(TypeError):
        aliases["gpt5"] = "gpt-4.1"
    assert BUILT_IN_MODELS.with_aliases({"gpt5": "gpt-4.1"}).get("gpt5") == BUILT_IN_MODELS.get("gpt-4.1")
    assert BUILT_IN_MODELS.get("gpt5") == BUILT_IN_MODELS.get("gpt-5")


@pytest.mark.parametrize("alias", ["gpt5", "gpt5-mini"])
def test_M4_the_latest_of_a_name_is_what_the_name_leads_to(alias: str) -> None:
    newest = f"{alias.replace('-', '')}-latest"
    assert MODEL_ALIASES[newest] == MODEL_ALIASES[alias]


def test_M4_every_built_in_alias_leads_to_a_slug_and_is_none() -> None:
    assert len(set(BUILT_IN_MODELS.slugs)) == len(BUILT_IN_MODELS.models)
    for alias, slug in MODEL_ALIASES.items():
        assert slug in BUILT_IN_MODELS
        assert alias not in BUILT_IN_MODELS
