"""Options that several commands share: dataclasses whose fields are the options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any

import typer


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command for typer that has the fields of a dataclass in place of each parameter of that class.

    The names of all these fields must differ.
    """
    parameters = signature(command, eval_str=True).parameters
    classes: Mapping[str, Any] = {name: each.annotation for name, each in parameters.items()}
    groups = {name: _fields(each) for name, each in classes.items() if is_dataclass(each)}

    @wraps(command)
    def run(**given: Any) -> None:
        for name, fields in groups.items():
            given[name] = classes[name](**{field: given.pop(field) for field in fields})
        command(**given)

    # Typer reads the options off the signature.
    vars(run)["__signature__"] = Signature(list(_spread(parameters, groups)))
    return run


def given_options(context: typer.Context) -> list[str]:
    """What was typed behind the command: its options by their long names, its arguments as its help calls them."""
    typed = [each for each in context.command.params if _is_typed(context, each.name or "")]
    return [next((name for name in each.opts if name.startswith("--")), each.metavar or "") for each in typed]


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _fields(group: Any) -> Mapping[str, Parameter]:
    return signature(group, eval_str=True).parameters


def _spread(parameters: Mapping[str, Parameter], groups: Mapping[str, Mapping[str, Parameter]]) -> Iterator[Parameter]:
    for name, each in parameters.items():
        for parameter in groups.get(name, {name: each}).values():
            yield parameter.replace(kind=Parameter.KEYWORD_ONLY)
