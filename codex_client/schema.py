"""JSON schemas from Python types, in the form that tool calling and structured output take."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, cast, get_type_hints

from pydantic import BaseModel, Field, create_model

from codex_client.errors import ConfigurationError


def model_schema(model: type[BaseModel], *, strict: bool) -> dict[str, Any]:
    """The model's JSON schema; `strict` brings it into the form that strict mode demands."""
    schema = model.model_json_schema()
    return strict_schema(schema) if strict else schema


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same schema as OpenAI's strict mode takes it: every object closed, every property required, no
    defaults, unions as `anyOf`.

    Source: the structured-output guide ("additionalProperties: false must always be set", "all fields must be
    required"). An optional field stays optional in meaning because pydantic writes it as a union with null. Raises
    `ConfigurationError` for objects with free keys (`dict[str, …]`), which strict mode cannot express.
    """
    return {"anyOf" if key == "oneOf" else key: _strict(key, value) for key, value in _close(schema).items()}


# Strict mode has neither, and no `oneOf`: pydantic writes that with a discriminator, so one member fits at most.
_NOT_STRICT = frozenset({"default", "discriminator"})
_MAPS_OF_SCHEMAS = frozenset({"properties", "$defs", "definitions", "patternProperties"})
_SCHEMAS = frozenset({"items", "additionalProperties", "not", "if", "then", "else", "contains"})
_LISTS_OF_SCHEMAS = frozenset({"anyOf", "allOf", "oneOf", "prefixItems"})


def _strict(key: str, value: Any) -> Any:
    """One keyword's value; what is no schema (enum, const, examples) is left as it is."""
    if key in _MAPS_OF_SCHEMAS:
        return {name: strict_schema(sub) for name, sub in value.items()}
    if key in _LISTS_OF_SCHEMAS:
        return [strict_schema(sub) for sub in value]
    if key in _SCHEMAS and isinstance(value, Mapping):
        return strict_schema(cast("Mapping[str, Any]", value))
    return value


def _close(schema: Mapping[str, Any]) -> dict[str, Any]:
    closed = {key: value for key, value in schema.items() if key not in _NOT_STRICT}
    if "properties" in closed or closed.get("type") == "object":
        if closed.get("additionalProperties"):
            raise ConfigurationError(
                f"strict schemas cannot have free keys, but {closed.get('title', 'an object')} has; "
                "use a list of {key, value} objects, or strict=False"
            )
        closed["additionalProperties"] = False
        closed["properties"] = closed.get("properties", {})
        closed["required"] = list(closed["properties"])
    return closed


def arguments_model(function: Callable[..., Any]) -> type[BaseModel]:
    """A pydantic model of a function's parameters. `Annotated[int, "text"]` or a pydantic `Field` describes one.

    Raises `ConfigurationError` for parameters that JSON objects cannot carry: positional-only, `*args`, `**kwargs`.
    """
    annotated = function if inspect.isroutine(function) or inspect.isclass(function) else type(function).__call__
    hints = get_type_hints(annotated, include_extras=True)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ConfigurationError(
                f"{_name(function)}: parameter {name!r} is {parameter.kind.description}; "
                "a tool's parameters must be named"
            )
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[name] = (_described(hints.get(name, Any)), default)
    return create_model(_name(function), **fields)


def _described(hint: Any) -> Any:
    """`Annotated[T, "text"]` gives pydantic no description by itself; turn the text into a `Field`."""
    texts = [extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, str)]
    if not texts:
        return hint
    return Annotated[hint, Field(description=texts[0])]


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


def description_of(documented: Any) -> str:
    """The docstring's first paragraph on one line, "" without one."""
    text = inspect.getdoc(documented) or ""
    return " ".join(text.split("\n\n", 1)[0].split())
