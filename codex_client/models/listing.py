"""What servers answer to `GET /models`: codex's list, OpenAI's, and what its imitators add to that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from codex_client.models.model import VERBOSITIES, ModelInfo

T = TypeVar("T")

# The one that holds for models that take no other.
_ONLY_VERBOSITY = ("medium",)
# Whose names for the same number these are: codex and groq, OpenRouter, vLLM, Mistral.
_CONTEXT = ("context_window", "context_length", "max_model_len", "max_context_length")
_OUTPUT = ("max_output_tokens", "max_completion_tokens")
_LAST = 1 << 30


def is_model_list(told: Any) -> bool:
    """Whether this JSON value is an answer of a models endpoint, be it an empty one."""
    return _entries(told) is not None


def parse_models(told: Any) -> tuple[ModelInfo, ...]:
    """The models of an answer, in the order in which the server would offer them: codex's go by its `priority`.

    Takes codex's `{"models": [{"slug": …}]}`, OpenAI's `{"object": "list", "data": [{"id": …}]}` and a bare list of
    either's entries. Raises nothing: an entry without a name is left out, a field of the wrong kind is one not told,
    and what is no such answer has no models (see `is_model_list`).
    """
    objects = [cast("dict[str, Any]", each) for each in _entries(told) or () if isinstance(each, dict)]
    # Stable: what has no priority stays where it was, behind what has one.
    objects.sort(key=lambda entry: _of(int, entry.get("priority"), _LAST))
    models = [model for entry in objects if (model := _model(entry)) is not None]
    return tuple({model.slug: model for model in reversed(models)}[slug] for slug in _once(models))


def _once(models: Iterable[ModelInfo]) -> Iterable[str]:
    return dict.fromkeys(model.slug for model in models)


def _entries(told: Any) -> list[Any] | None:
    if isinstance(told, list):
        return cast("list[Any]", told)
    if not isinstance(told, dict):
        return None
    answer = cast("dict[str, Any]", told)
    for name in ("models", "data"):
        if isinstance(answer.get(name), list):
            return answer[name]
    # Ollama without a model says null.
    return [] if answer.get("object") == "list" and answer.get("data") is None else None


def _model(entry: dict[str, Any]) -> ModelInfo | None:
    if slug := _text(entry.get("slug")):
        return _codex_model(slug, entry)
    if slug := _text(entry.get("id")):
        return _openai_model(slug, entry)
    return None


def _codex_model(slug: str, entry: dict[str, Any]) -> ModelInfo:
    levels = entry.get("supported_reasoning_levels")
    efforts = _texts(levels, _effort)
    verbose = _of(bool, entry.get("support_verbosity"), None)
    return ModelInfo(
        slug=slug,
        display_name=_text(entry.get("display_name")),
        reasons=bool(efforts) if isinstance(levels, list) else None,
        efforts=efforts,
        default_effort=_text(entry.get("default_reasoning_level")),
        verbosities=() if verbose is None else VERBOSITIES if verbose else _ONLY_VERBOSITY,
        default_verbosity=_text(entry.get("default_verbosity")),
        context_window=_count(entry, _CONTEXT),
        max_output_tokens=_count(entry, _OUTPUT),
        plans=_texts(entry.get("available_in_plans")),
        # "hide", and "none" for what is not even in codex's own menus.
        hidden=entry.get("visibility", "list") != "list",
        supported_in_api=_of(bool, entry.get("supported_in_api"), None),
    )


def _openai_model(slug: str, entry: dict[str, Any]) -> ModelInfo:
    top = entry.get("top_provider")
    nested = cast("dict[str, Any]", top) if isinstance(top, dict) else {}
    return ModelInfo(
        slug=slug,
        display_name=_text(entry.get("name")) or _text(entry.get("display_name")),
        context_window=_count(entry, _CONTEXT),
        max_output_tokens=_count(entry, _OUTPUT) or _count(nested, _OUTPUT),
    )


def _effort(level: Any) -> Any:
    """A level is an object with a description; a bare word is understood as well."""
    return cast("dict[str, Any]", level).get("effort") if isinstance(level, dict) else level


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _texts(value: Any, pick: Callable[[Any], Any] = lambda each: each) -> tuple[str, ...]:
    """The texts of a list, each once."""
    if not isinstance(value, list):
        return ()
    texts = [text for each in cast("list[Any]", value) if (text := _text(pick(each)))]
    return tuple(dict.fromkeys(texts))


def _count(entry: dict[str, Any], names: Iterable[str]) -> int | None:
    """The first of these that is a number of tokens."""
    counts = (_of(int, entry.get(name), 0) for name in names)
    return next((count for count in counts if count > 0), None)


def _of(kind: type[T], value: Any, otherwise: Any) -> Any:
    """The value where it is of this kind; a JSON boolean is no number."""
    return value if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)) else otherwise
