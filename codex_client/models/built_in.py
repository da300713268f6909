"""The models that come with the library, and other names for them. Data to print and to override, not a fence: a name
that is not in it is passed on, and a server's own list tells more (`client.models()`).

Where it is from, as of November 2026. Slugs: the model types of openai-python 3.54, codex's models.json and the model
presets before it. OpenAI's own model page was read for gpt-6-sol only. The other windows, limits, efforts and defaults
are at second hand: from LiteLLM's table, from the model pages of those who host them, and from Azure's text on
`reasoning.effort`; for the codex models from codex's list. Windows are the API's; the ChatGPT backend lists smaller
ones. What none of these tells is left empty.
"""

from __future__ import annotations

from types import MappingProxyType

from codex_client.models.catalogue import ModelCatalogue
from codex_client.models.model import VERBOSITIES, ModelInfo

_K = 1000
_MILLION = (1_050 * _K, 128 * _K)
_LARGE = (400 * _K, 128 * _K)
_O_SERIES = (200 * _K, 100 * _K)

_LOW_TO_HIGH = ("low", "medium", "high")
_LOW_TO_XHIGH = (*_LOW_TO_HIGH, "xhigh")
_LOW_TO_MAX = (*_LOW_TO_XHIGH, "max")
_NONE_TO_HIGH = ("none", *_LOW_TO_HIGH)
_NONE_TO_XHIGH = ("none", *_LOW_TO_XHIGH)
_NONE_TO_MAX = ("none", *_LOW_TO_MAX)
_MINIMAL_TO_HIGH = ("minimal", *_LOW_TO_HIGH)


def _gpt(slug: str, size: tuple[int, int], efforts: tuple[str, ...], default: str | None = None) -> ModelInfo:
    """A model of the GPT-5 line and after: it reasons, and takes every verbosity."""
    return ModelInfo(
        slug=slug,
        reasons=True,
        efforts=efforts,
        default_effort=default,
        verbosities=VERBOSITIES,
        default_verbosity="medium",
        context_window=size[0],
        max_output_tokens=size[1],
    )


def _codex(slug: str, efforts: tuple[str, ...]) -> ModelInfo:
    """A codex model of 2025: it has one verbosity. The API took them off in July 2026, other servers may have them."""
    return ModelInfo(
        slug=slug,
        reasons=True,
        efforts=efforts,
        default_effort="medium",
        verbosities=("medium",),
        default_verbosity="medium",
        context_window=_LARGE[0],
        max_output_tokens=_LARGE[1],
        hidden=True,
    )


def _o(slug: str) -> ModelInfo:
    return ModelInfo(
        slug=slug,
        reasons=True,
        efforts=_LOW_TO_HIGH,
        default_effort="medium",
        context_window=_O_SERIES[0],
        max_output_tokens=_O_SERIES[1],
    )


def _plain(slug: str, context_window: int, max_output_tokens: int) -> ModelInfo:
    """A model that does not reason."""
    return ModelInfo(slug=slug, reasons=False, context_window=context_window, max_output_tokens=max_output_tokens)


_MODELS = (
    _gpt("gpt-6.2-astra", _MILLION, _LOW_TO_MAX),
    _gpt("gpt-6.2-sol", _MILLION, _LOW_TO_MAX),
    _gpt("gpt-6.1-sol", _MILLION, _LOW_TO_MAX),
    _gpt("gpt-6.1-terra", _MILLION, _NONE_TO_MAX),
    _gpt("gpt-6-astra", _MILLION, _LOW_TO_MAX),
    _gpt("gpt-6-sol", _MILLION, _NONE_TO_MAX, "medium"),
    _gpt("gpt-6-luna", _MILLION, _NONE_TO_MAX),
    _gpt("gpt-5.6-sol", _MILLION, _NONE_TO_MAX),
    _gpt("gpt-5.6-terra", _MILLION, _NONE_TO_MAX),
    _gpt("gpt-5.6-luna", _MILLION, _NONE_TO_MAX),
    _gpt("gpt-5.5", _MILLION, _NONE_TO_XHIGH),
    _gpt("gpt-5.5-pro", _MILLION, ("medium", "high", "xhigh")),
    _gpt("gpt-5.4", _MILLION, _NONE_TO_XHIGH, "none"),
    _gpt("gpt-5.4-pro", _MILLION, ()),
    _gpt("gpt-5.4-mini", _LARGE, _NONE_TO_XHIGH, "none"),
    _gpt("gpt-5.4-nano", _LARGE, _NONE_TO_XHIGH, "none"),
    _gpt("gpt-5.3-codex", _LARGE, _LOW_TO_XHIGH, "medium"),
    # A model of its own, for ChatGPT only; some lists took it for another name of gpt-5.3-codex.
    ModelInfo(
        slug="gpt-5.3-codex-spark", reasons=True, context_window=128 * _K, plans=("pro",), supported_in_api=False
    ),
    _gpt("gpt-5.2", _LARGE, _NONE_TO_XHIGH, "none"),
    _gpt("gpt-5.2-pro", _LARGE, ()),
    _gpt("gpt-5.1", _LARGE, _NONE_TO_HIGH, "none"),
    _gpt("gpt-5", _LARGE, _MINIMAL_TO_HIGH, "medium"),
    _gpt("gpt-5-mini", _LARGE, _MINIMAL_TO_HIGH, "medium"),
    _gpt("gpt-5-nano", _LARGE, _MINIMAL_TO_HIGH, "medium"),
    _gpt("gpt-5-pro", (400 * _K, 272 * _K), ("high",), "high"),
    _codex("gpt-5.2-codex", _LOW_TO_XHIGH),
    _codex("gpt-5.1-codex-max", _LOW_TO_XHIGH),
    _codex("gpt-5.1-codex", _LOW_TO_HIGH),
    _codex("gpt-5.1-codex-mini", ("medium", "high")),
    _codex("gpt-5-codex", _LOW_TO_HIGH),
    _codex("gpt-5-codex-mini", ("medium", "high")),
    *(_o(slug) for slug in ("o4-mini", "o3", "o3-pro", "o3-mini", "o1", "o1-pro")),
    *(_plain(slug, 1_047_576, 32_768) for slug in ("gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano")),
    *(_plain(slug, 128_000, 16_384) for slug in ("gpt-4o", "gpt-4o-mini")),
)

MODEL_ALIASES = MappingProxyType(
    {
        "gpt5": "gpt-5",
        "gpt5-latest": "gpt-5",
        "gpt-5-latest": "gpt-5",
        "gpt5-mini": "gpt-5-mini",
        "gpt5-nano": "gpt-5-nano",
        "gpt5-codex": "gpt-5-codex",
        "gpt5mini-latest": "gpt-5-mini",
        "codex-mini": "gpt-5.1-codex-mini",
        "codex-spark": "gpt-5.3-codex-spark",
    }
)
"""Other names that people write, and the slugs that they mean. Read-only; `ModelCatalogue.with_aliases` adds to it."""

BUILT_IN_MODELS = ModelCatalogue(models=_MODELS, aliases=dict(MODEL_ALIASES))
"""What is known without asking a server."""
