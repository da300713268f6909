"""Names of models as people write them: with an effort behind the name, an alias, or a router's prefix."""

from __future__ import annotations

import re
from dataclasses import dataclass

from codex_client.errors import InvalidPayloadError
from codex_client.models.built_in import BUILT_IN_MODELS
from codex_client.models.catalogue import ModelCatalogue
from codex_client.models.model import EFFORTS

# Routers put the provider before the name; no model of these providers has a slash in its own.
_PREFIXES = ("codex/", "openai/")
# Names of fine-tuned models: ft:BASE:ORGANISATION:NAME:ID.
_FINE_TUNED = "ft:"
# An effort that is also a part of models' names ("gpt-5.1-codex-max"): a model that is newer than the list may have it.
_PARTS_OF_NAMES = frozenset({"max"})
_TAIL = re.compile(r"(.+)[-_]([A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """What a name asks for. `effort` is None where it names none."""

    slug: str
    effort: str | None = None


def parse_model_name(name: str, catalogue: ModelCatalogue = BUILT_IN_MODELS) -> ModelChoice:
    """The model and the effort that a name such as "gpt-5.2:high" asks for.

    In this order:

    1. A slug of the catalogue is that model, whatever it looks like; then an alias of it is its model. Both also behind
       "codex/" or "openai/".
    2. "ft:…" is the name of a fine-tuned model, as it stands.
    3. Behind the last ":" is an effort.
    4. Behind the last "-" or "_" is one if it is an effort by its name; "max" only if the model is known to take it,
       because there are models whose names end so.

    A name that the catalogue does not have is passed on: servers have more models than lists know. Raises
    `InvalidPayloadError`, a `ConfigurationError`, for an empty name, for two efforts, and for an effort that the model
    does not take; it lists those that it does.
    """
    bare = _without_prefix(name.strip(), catalogue)
    if not bare:
        raise _refusal(f"the model's name {name!r} is empty; name one, such as 'gpt-5.2'")
    if catalogue.get(bare) is not None or bare.startswith(_FINE_TUNED):
        return ModelChoice(_slug(bare, catalogue))
    parts = _parts(bare, catalogue)
    if parts is None:
        return ModelChoice(bare)
    base, effort = parts
    _check_one_effort(name, base, catalogue)
    return _chosen(name, base, effort, catalogue)


def _without_prefix(name: str, catalogue: ModelCatalogue) -> str:
    if name in catalogue:
        return name
    prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), "")
    return name.removeprefix(prefix)


def _slug(name: str, catalogue: ModelCatalogue) -> str:
    model = catalogue.get(name)
    return name if model is None else model.slug


def _parts(name: str, catalogue: ModelCatalogue) -> tuple[str, str] | None:
    """What stands before the last sign of an effort, and behind it; None where there is none."""
    base, colon, effort = name.rpartition(":")
    if colon:
        return base, effort
    tail = _TAIL.fullmatch(name)
    return (tail[1], tail[2]) if tail is not None and _is_effort(tail[1], tail[2].lower(), catalogue) else None


def _check_one_effort(name: str, base: str, catalogue: ModelCatalogue) -> None:
    """Raises `InvalidPayloadError` where the model's own part of a name ends with an effort as well: no server has such
    a model.
    """
    parts = None if catalogue.get(base) is not None else _parts(base, catalogue)
    if parts is not None and parts[1].strip().lower() in {*EFFORTS, *_allowed(parts[0], catalogue)}:
        raise _refusal(f"the model's name {name!r} asks for two efforts; write it with one, such as 'gpt-5.2:high'")


def _is_effort(base: str, word: str, catalogue: ModelCatalogue) -> bool:
    model = catalogue.get(base)
    if model is not None and word in model.efforts:
        return True
    return word in EFFORTS and word not in _PARTS_OF_NAMES


def _chosen(name: str, base: str, effort: str, catalogue: ModelCatalogue) -> ModelChoice:
    """The choice of a name that was taken apart. Raises `InvalidPayloadError` where its parts do not fit."""
    if not base:
        raise _refusal(f"the model's name {name!r} has an effort and no model; write 'gpt-5.2:high'")
    word, allowed = effort.strip().lower(), _allowed(base, catalogue)
    if word in allowed:
        return ModelChoice(_slug(base, catalogue), word)
    slug = _slug(base, catalogue)
    if not allowed:
        raise _refusal(f"the model {slug!r} takes no effort, and {name!r} asks for {effort!r}; leave it out")
    raise _refusal(f"the model's name {name!r} asks for the effort {effort!r}; {slug!r} takes {', '.join(allowed)}")


def _allowed(base: str, catalogue: ModelCatalogue) -> tuple[str, ...]:
    model = catalogue.get(base)
    if model is None:
        return EFFORTS
    return () if model.reasons is False else model.efforts or EFFORTS


def _refusal(text: str) -> InvalidPayloadError:
    return InvalidPayloadError(text, param="model")
