"""JSON schemas from Python types, in the form that tool calling and structured output take."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, cast, get_type_hints

from pydantic import BaseModel, Field, create_model

from codex_client.errors import ConfigurationError


def model_schema(model: type[BaseModel], *, strict: bool) -> dict[str, Any]:
    """The model's JSON schema; `strict` brings it into the form that strict mode demands."""
    schema = model.model_json_schema()
    if not strict:
        return schema
    try:
        return strict_schema(schema, name=model.__name__)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error.message}, or strict=False") from None


def strict_schema(schema: Mapping[str, Any], *, name: str = "schema") -> dict[str, Any]:
    """The same schema as OpenAI's strict mode takes it: every object closed, every property required, no
    defaults, unions as `anyOf`, nothing beside a `$ref`. What has that form already stays as it is.

    Source: the structured-output guide ("additionalProperties: false must always be set", "all fields must be
    required"). An optional field stays optional in meaning because pydantic writes it as a union with null. Raises
    `ConfigurationError` for objects with free keys (`dict[str, …]`), which strict mode cannot express; it names their
    place, beginning with `name`.
    """
    return _strict_node(_with_root_resolved(schema), name)


# Strict mode has neither, and no `oneOf`: pydantic writes that with a discriminator, so one member fits at most.
_NOT_STRICT = frozenset({"default", "discriminator"})
_MAPS_OF_SCHEMAS = frozenset({"properties", "$defs", "definitions", "patternProperties"})
_SCHEMAS = frozenset({"items", "additionalProperties", "not", "if", "then", "else", "contains"})
_LISTS_OF_SCHEMAS = frozenset({"anyOf", "allOf", "oneOf", "prefixItems"})


def _with_root_resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Pydantic writes a model that contains itself as a `$ref` alone, which may not stand at the root."""
    rest = {key: value for key, value in schema.items() if key != "$ref"}
    folder, _, model = str(schema.get("$ref", "")).removeprefix("#/").partition("/")
    definitions = schema.get(folder)
    target: Any = cast("Mapping[str, Any]", definitions).get(model) if isinstance(definitions, Mapping) else None
    return {**cast("Mapping[str, Any]", target), **rest} if isinstance(target, Mapping) else schema


def _strict_node(schema: Mapping[str, Any], place: str) -> dict[str, Any]:
    node = _close({key: value for key, value in schema.items() if key not in _NOT_STRICT}, place)
    if "$ref" in node and len(node) > 1 and "anyOf" not in node:
        node["anyOf"] = [{"$ref": node.pop("$ref")}]
    return {"anyOf" if key == "oneOf" else key: _strict(key, value, f"{place}.{key}") for key, value in node.items()}


def _strict(key: str, value: Any, place: str) -> Any:
    """One keyword's value; what is no schema (enum, const, examples) is left as it is."""
    if key in _MAPS_OF_SCHEMAS and isinstance(value, Mapping):
        named = cast("Mapping[str, Any]", value)
        return {name: _strict_part(part, f"{place}.{name}") for name, part in named.items()}
    if key in _LISTS_OF_SCHEMAS and isinstance(value, list | tuple):
        listed = cast("Sequence[Any]", value)
        return [_strict_part(part, f"{place}.{index}") for index, part in enumerate(listed)]
    return _strict_part(value, place) if key in _SCHEMAS else value


def _strict_part(schema: Any, place: str) -> Any:
    return _strict_node(cast("Mapping[str, Any]", schema), place) if isinstance(schema, Mapping) else schema


def _close(schema: dict[str, Any], place: str) -> dict[str, Any]:
    kind: Any = schema.get("type")
    if kind != "object" and "properties" not in schema and not (isinstance(kind, list | tuple) and "object" in kind):
        return schema
    if schema.get("additionalProperties"):
        raise ConfigurationError(
            f"{place} has free keys, which a strict schema cannot have; use a list of {{key, value}} objects"
        )
    properties: Any = schema.get("properties", {})
    names = list(cast("Mapping[str, Any]", properties)) if isinstance(properties, Mapping) else []
    return {**schema, "additionalProperties": False, "properties": properties, "required": names}


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
        if name.startswith("_") or hasattr(BaseModel, name):
            raise ConfigurationError(
                f"{_name(function)}: pydantic takes no field of the name {name!r}; rename the parameter"
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
