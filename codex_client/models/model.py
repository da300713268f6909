"""One model, as a list of models tells it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal, TypeAlias, get_args

Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Verbosity: TypeAlias = Literal["low", "medium", "high"]

EFFORTS: tuple[str, ...] = get_args(Effort)
"""The values of `reasoning.effort` in OpenAI's API, the least first."""

VERBOSITIES: tuple[str, ...] = get_args(Verbosity)
"""The values of `text.verbosity`, the least first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What is known of a model. None, or an empty tuple, is what nobody has told.

    | field               | meaning                                                                                |
    |---------------------|----------------------------------------------------------------------------------------|
    | `slug`              | the name that goes into a request                                                      |
    | `display_name`      | the name for people                                                                    |
    | `reasons`           | False: it takes no effort at all                                                       |
    | `efforts`           | the values of `reasoning.effort` that it takes, the least first                        |
    | `default_effort`    | what holds where a request names none                                                  |
    | `verbosities`       | the values of `text.verbosity` that it takes                                           |
    | `default_verbosity` | what holds where a request names none                                                  |
    | `context_window`    | tokens of input and output together; a backend may allow less than the model can       |
    | `max_output_tokens` | tokens of one answer, its reasoning among them                                         |
    | `plans`             | ChatGPT plans that it is offered to, as the server writes them; a hint, not a promise  |
    | `hidden`            | it can be asked for, and is not meant to be offered                                    |
    | `supported_in_api`  | whether it can be had with an API key too                                              |
    """

    slug: str
    display_name: str | None = None
    reasons: bool | None = None
    efforts: tuple[str, ...] = ()
    default_effort: str | None = None
    verbosities: tuple[str, ...] = ()
    default_verbosity: str | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    plans: tuple[str, ...] = ()
    hidden: bool = False
    supported_in_api: bool | None = None

    @property
    def name(self) -> str:
        """The name for people, else the slug."""
        return self.display_name or self.slug

    def updated(self, newer: ModelInfo) -> ModelInfo:
        """This with all that `newer` tells. `hidden` is always told."""
        told = {each.name: getattr(newer, each.name) for each in fields(newer)}
        return replace(self, **{name: value for name, value in told.items() if value not in (None, ())})
