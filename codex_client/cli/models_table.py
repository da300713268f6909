"""Lists of models for people and for programs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.console import Group
from rich.table import Table
from rich.text import Text

from codex_client.cli.output import counted, printable
from codex_client.credentials.quota_state import duration
from codex_client.models import ModelInfo


@dataclass(frozen=True, slots=True)
class ListedModels:
    """Models, and who told them. `fetched_at`: Unix seconds; None for those that come with the library."""

    provider: str
    source: Literal["server", "cache", "built-in"]
    models: tuple[ModelInfo, ...]
    fetched_at: float | None = None
    etag: str | None = None

    def to_json(self, aliases: Mapping[str, str]) -> dict[str, Any]:
        told = asdict(self)
        models = told.pop("models")
        return {**told, "models": models, "aliases": dict(aliases)}


def models_table(listed: ListedModels, *, now: float) -> Group:
    """The models that are meant to be offered, and where they are known from. `now`: Unix seconds."""
    table = _table("MODEL", "EFFORT", "VERBOSITY", "CONTEXT", "OUTPUT")
    table.columns[3].justify = table.columns[4].justify = "right"
    offered = [model for model in listed.models if not model.hidden]
    for model in offered:
        table.add_row(
            printable(model.slug),
            "takes none" if model.reasons is False else _choices(model.efforts, model.default_effort),
            _choices(model.verbosities, model.default_verbosity),
            _tokens(model.context_window),
            _tokens(model.max_output_tokens),
        )
    return Group(table, Text(), *(Text(line, "dim") for line in _notes(listed, offered, now)))


def aliases_table(aliases: Mapping[str, str]) -> Table:
    table = _table("ALIAS", "MODEL")
    for alias, slug in sorted(aliases.items()):
        table.add_row(printable(alias), printable(slug))
    return table


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in titles:
        table.add_column(title, no_wrap=title in ("MODEL", "ALIAS"), overflow="fold")
    return table


def _choices(values: Collection[str], default: str | None) -> str:
    return printable(" ".join(f"{value}*" if value == default else value for value in values)) or "-"


def _tokens(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def _notes(listed: ListedModels, offered: Collection[ModelInfo], now: float) -> list[str]:
    notes = [_origin(listed, now)]
    if hidden := len(listed.models) - len(offered):
        notes.append(f"{counted(hidden, 'hidden model')} left out; --json has all")
    if any(model.default_effort or model.default_verbosity for model in offered):
        notes.append("* holds where a request names none; - is not known")
    return notes


def _origin(listed: ListedModels, now: float) -> str:
    models, provider = counted(len(listed.models), "model"), printable(listed.provider)
    if listed.fetched_at is None:
        return f"{models} of the list that comes with codex-client; {provider} has not been asked"
    if listed.source == "server":
        return f"{models}, told by {provider} just now"
    return f"{models}, told by {provider} {duration(now - listed.fetched_at)} ago"
