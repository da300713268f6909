"""`parse_model_name`: what people write, and what they get."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from codex_client.errors import ConfigurationError, InvalidPayloadError
from codex_client.models import (
    BUILT_IN_MODELS,
    EFFORTS,
    MODEL_ALIASES,
    ModelCatalogue,
    ModelChoice,
    ModelInfo,
    parse_model_name,
)

OWN = ModelCatalogue(
    models=(
        ModelInfo(slug="sea", efforts=("low", "max", "ultra")),
        ModelInfo(slug="sea-high"),
        ModelInfo(slug="sea-max-low"),
        ModelInfo(slug="lake:low", efforts=("high",)),
        ModelInfo(slug="codex/pond"),
        ModelInfo(slug="dry", reasons=False),
        ModelInfo(slug="deep", reasons=True),
    ),
    aliases={"ocean": "sea", "sea-high": "sea", "gone": "nowhere"},
)


@pytest.mark.parametrize(
    "name, choice",
    [
        pytest.param("gpt-5.2", ModelChoice("gpt-5.2"), id="M1"),
        pytest.param("codex/gpt-5.2", ModelChoice("gpt-5.2"), id="M2-codex"),
        pytest.param("openai/gpt-5.2:low", ModelChoice("gpt-5.2", "low"), id="M2-openai"),
        pytest.param("gpt-5.2:high", ModelChoice("gpt-5.2", "high"), id="M3-colon"),
        pytest.param("gpt-5.2-high", ModelChoice("gpt-5.2", "high"), id="M3-dash"),
        pytest.param("gpt-5.2_xhigh", ModelChoice("gpt-5.2", "xhigh"), id="M3-underscore"),
        pytest.param("gpt-5.2:HIGH", ModelChoice("gpt-5.2", "high"), id="M3-upper"),
        pytest.param("gpt-5.1-codex-max", ModelChoice("gpt-5.1-codex-max"), id="M3-slug-ends-like-an-effort"),
        pytest.param("gpt-5.1-codex-max:high", ModelChoice("gpt-5.1-codex-max", "high"), id="M3-such-a-slug-and-one"),
        pytest.param("gpt-5.1-codex-max-high", ModelChoice("gpt-5.1-codex-max", "high"), id="M3-the-same-by-dash"),
        pytest.param("gpt-9-codex-max", ModelChoice("gpt-9-codex-max"), id="M3-newer-than-the-list"),
        pytest.param("gpt-5.6-sol-max", ModelChoice("gpt-5.6-sol", "max"), id="M3-known-to-take-max"),
        pytest.param("gpt-5-pro-max", ModelChoice("gpt-5-pro-max"), id="M3-known-not-to-take-max"),
        pytest.param("llama:8b:low", ModelChoice("llama:8b", "low"), id="M3-what-is-no-effort-belongs-to-the-model"),
        pytest.param("gpt-9-max:low", ModelChoice("gpt-9-max", "low"), id="M3-nor-is-an-end-of-names"),
        pytest.param("gpt-9:low", ModelChoice("gpt-9", "low"), id="M3-unknown-model"),
        pytest.param("gpt-9-low", ModelChoice("gpt-9", "low"), id="M3-unknown-model-by-dash"),
        pytest.param("gpt-5-mini", ModelChoice("gpt-5-mini"), id="M3-mini-is-none"),
        pytest.param("gpt-5-2025-08-07:minimal", ModelChoice("gpt-5-2025-08-07", "minimal"), id="M3-snapshot"),
        pytest.param("gpt-5-2025-08-07", ModelChoice("gpt-5-2025-08-07"), id="M3-snapshot-alone"),
        pytest.param("gpt5", ModelChoice("gpt-5"), id="M4-alias"),
        pytest.param("codex/codex-mini:high", ModelChoice("gpt-5.1-codex-mini", "high"), id="M4-alias-with-both"),
        pytest.param("gpt5-minimal", ModelChoice("gpt-5", "minimal"), id="M4-alias-by-dash"),
        pytest.param("gpt-5.3-codex-spark", ModelChoice("gpt-5.3-codex-spark"), id="M4-spark-is-a-model"),
        pytest.param("ft:gpt-4o:me::a1", ModelChoice("ft:gpt-4o:me::a1"), id="fine-tuned"),
        pytest.param("openai/ft:gpt-4o:me::a-low", ModelChoice("ft:gpt-4o:me::a-low"), id="fine-tuned-behind-prefix"),
        pytest.param("some/other-model", ModelChoice("some/other-model"), id="other-prefixes-stay"),
    ],
)
def test_a_name_gives_its_model_and_its_effort(name: str, choice: ModelChoice) -> None:
    assert parse_model_name(name) == choice


@pytest.mark.parametrize(
    "name, choice",
    [
        pytest.param("sea:ultra", ModelChoice("sea", "ultra"), id="an-effort-that-only-this-list-has"),
        pytest.param("sea-ultra", ModelChoice("sea", "ultra"), id="the-same-by-dash"),
        pytest.param("ocean-max", ModelChoice("sea", "max"), id="alias-and-effort"),
        pytest.param("sea-high", ModelChoice("sea-high"), id="M4-a-slug-is-not-redirected-by-an-alias"),
        pytest.param("sea-max-low", ModelChoice("sea-max-low"), id="a-slug-is-not-taken-apart"),
        pytest.param("lake:low", ModelChoice("lake:low"), id="not-even-at-a-colon"),
        pytest.param("lake:low:high", ModelChoice("lake:low", "high"), id="the-last-colon-counts"),
        pytest.param("codex/pond", ModelChoice("codex/pond"), id="a-slug-keeps-its-prefix"),
        pytest.param("gone", ModelChoice("gone"), id="an-alias-of-no-model-is-none"),
        pytest.param("deep:max", ModelChoice("deep", "max"), id="efforts-not-told"),
        pytest.param("gpt-5.2:high", ModelChoice("gpt-5.2", "high"), id="not-of-this-list"),
    ],
)
def test_the_catalogue_that_is_given_decides(name: str, choice: ModelChoice) -> None:
    assert parse_model_name(name, OWN) == choice


@pytest.mark.parametrize("name", ["", " ", "codex/", ":high", "openai/:low"])
def test_a_name_without_a_model_is_an_error(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"gpt-5\.2"):
        parse_model_name(name)


@pytest.mark.parametrize("name", ["gpt-5:xhigh", "gpt-5-xhigh", "gpt5_xhigh", "gpt-5:", "gpt-5:8b", "codex/gpt-5:max"])
def test_M3_an_effort_that_the_model_does_not_take_is_an_error_that_lists_those_it_takes(name: str) -> None:
    with pytest.raises(ConfigurationError, match="'gpt-5' takes minimal, low, medium, high"):
        parse_model_name(name)


@pytest.mark.parametrize(
    "name",
    ["gpt-5:high:low", "gpt-5-high:low", "gpt-5_high-low", "gpt-9:max:low", "gpt-4.1: HIGH:low", "gpt5-high:low"],
)
def test_M3_a_second_effort_is_an_error_and_stays_in_no_slug(name: str) -> None:
    with pytest.raises(InvalidPayloadError, match="asks for two efforts"):
        parse_model_name(name)


@pytest.mark.parametrize("name", ["sea:ultra:low", "ocean-max:low"])
def test_M3_a_second_effort_is_one_by_the_catalogue_too(name: str) -> None:
    with pytest.raises(InvalidPayloadError, match="asks for two efforts"):
        parse_model_name(name, OWN)


def test_an_unknown_word_behind_an_unknown_model_lists_all_efforts() -> None:
    with pytest.raises(ConfigurationError, match=", ".join(EFFORTS)):
        parse_model_name("llama:8b")


@pytest.mark.parametrize("name", ["", "gpt-5:utmost", ":high", "gpt-4.1:low"])
def test_a_name_that_cannot_be_is_the_fault_of_the_model_s_field(name: str) -> None:
    with pytest.raises(InvalidPayloadError) as raised:
        parse_model_name(name)
    assert raised.value.param == "model"


@pytest.mark.parametrize("name", ["gpt-4.1:low", "gpt-4.1-low"])
def test_a_model_that_does_not_reason_takes_no_effort(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"'gpt-4\.1' takes no effort"):
        parse_model_name(name)


@pytest.mark.parametrize("model", BUILT_IN_MODELS.models, ids=lambda model: model.slug)
def test_every_slug_is_itself_and_takes_its_efforts_in_every_form(model: ModelInfo) -> None:
    assert parse_model_name(model.slug) == ModelChoice(model.slug)
    for effort in model.efforts:
        for sign in ":-_":
            name = f"{model.slug}{sign}{effort}"
            assert parse_model_name(name) == ModelChoice(model.slug, effort), name


@given(st.text(alphabet="gpt5-_:/.maxlow ", max_size=24))
def test_any_name_is_a_choice_or_one_typed_error(name: str) -> None:
    try:
        choice = parse_model_name(name)
    except ConfigurationError:
        return
    assert choice.slug
    assert choice.slug in name or choice.slug in MODEL_ALIASES.values()
    assert choice.effort is None or choice.effort in EFFORTS
