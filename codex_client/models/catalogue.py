"""A list of models, with other names for them, and how old it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from codex_client.models.model import ModelInfo

_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")
# Codex keeps its list as long as this.
_MAX_AGE = 300.0


@dataclass(frozen=True, kw_only=True)
class ModelCatalogue:
    """Models in the order in which to offer them. A value: whatever changes it gives a new one.

    `aliases`: other name to slug; a slug of the list is never redirected by one. `etag`: the server's version of the
    list. `fetched_at`: Unix seconds at which the server told it; None for a list that no server told.
    """

    models: tuple[ModelInfo, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    etag: str | None = None
    fetched_at: float | None = None
    _by_slug: Mapping[str, ModelInfo] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Who is first in the list stays, should a server name one twice.
        object.__setattr__(self, "_by_slug", {model.slug: model for model in reversed(self.models)})

    @property
    def slugs(self) -> tuple[str, ...]:
        return tuple(model.slug for model in self.models)

    def get(self, name: str) -> ModelInfo | None:
        """The model of this slug, else of this alias, None where there is neither.

        A dated snapshot ("gpt-5-2025-08-07") that is not listed is told by the model that it is of.
        """
        found = self._by_slug.get(name) or self._by_slug.get(self.aliases.get(name, ""))
        if found is not None:
            return found
        model = self._by_slug.get(_DATE.sub("", name))
        return replace(model, slug=name, display_name=None) if model is not None else None

    def merged(self, other: ModelCatalogue) -> ModelCatalogue:
        """The models and aliases of both, `other`'s first. What `other` tells wins, and its version and age hold."""
        updated = tuple(self._known(model) for model in other.models)
        rest = tuple(model for model in self.models if model.slug not in other)
        return replace(other, models=updated + rest, aliases={**self.aliases, **other.aliases})

    def with_aliases(self, aliases: Mapping[str, str]) -> ModelCatalogue:
        """The same models; these aliases beside those that there are, which they win over."""
        return replace(self, aliases={**self.aliases, **aliases})

    def is_stale(self, etag: str | None, now: float, *, max_age: float = _MAX_AGE) -> bool:
        """Whether to ask the server for its list again.

        `etag`: what the last answer said (`ModelsEtag`). It decides alone where both sides have one; without it the
        list's age does, in seconds. A list that no server told is always stale, and so is one from the future: some
        clock is wrong.
        """
        if self.fetched_at is None:
            return True
        if etag and self.etag:
            return _opaque(etag) != _opaque(self.etag)
        return not 0 <= now - self.fetched_at < max_age

    def _known(self, model: ModelInfo) -> ModelInfo:
        mine = self._by_slug.get(model.slug)
        return mine.updated(model) if mine is not None else model

    def __contains__(self, slug: object) -> bool:
        """Whether it is a slug of the list; aliases are none."""
        return slug in self._by_slug

    def __iter__(self) -> Iterator[ModelInfo]:
        return iter(self.models)


def _opaque(etag: str) -> str:
    """What a tag says, without quotes and weakness (RFC 9110, 8.8.3): headers and events write it differently."""
    return etag.strip().removeprefix("W/").strip('"')
