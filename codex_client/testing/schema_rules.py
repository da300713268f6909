"""JSON schemas as OpenAI's servers check them: tool parameters and structured output.

The general part is JSON Schema's own grammar; the strict part is the structured-output guide ("all fields must be
required", "additionalProperties: false must always be set", the list of keywords that are not supported).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_MAPS = ("properties", "$defs", "definitions", "patternProperties")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_SINGLES = ("items", "additionalProperties", "not", "if", "then", "else", "contains")
_NO_ROOT = (("anyOf", "an anyOf"), ("$ref", "a $ref"))
_NOT_STRICT = ("allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "default")


def schema_problems(schema: Any, path: str, *, strict: bool) -> Iterator[str]:
    """What is wrong with the schema of an object, each with the path to it."""
    if not isinstance(schema, dict):
        yield f"{path}: a schema is an object, not {type(schema).__name__}"
        return
    root = cast("dict[str, Any]", schema)
    if root.get("type") != "object":
        yield f"{path}: type is {root.get('type')!r}; the root of a schema must be of type 'object'"
    if strict:
        yield from (f"{path}: the root of a strict schema must not be {what}" for key, what in _NO_ROOT if key in root)
    yield from _problems(root, path, root, strict=strict)


def _problems(schema: Any, path: str, root: dict[str, Any], *, strict: bool) -> Iterator[str]:
    if isinstance(schema, bool) and not strict:
        return
    if not isinstance(schema, dict):
        yield f"{path}: a schema is an object, not {type(schema).__name__}"
        return
    node = cast("dict[str, Any]", schema)
    yield from _own_problems(node, path, root)
    if strict:
        yield from _strict_problems(node, path)
        # What stands beside it at the root has been told already: no $ref may stand there at all.
        if node is not root:
            yield from _reference_problems(node, path)
    for where, part in _parts(node):
        if not (strict and where == "additionalProperties"):
            yield from _problems(part, f"{path}.{where}", root, strict=strict)


def _parts(node: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for keyword in _MAPS:
        yield from ((f"{keyword}.{name}", part) for name, part in _object(node.get(keyword)).items())
    for keyword in _LISTS:
        yield from ((f"{keyword}[{index}]", part) for index, part in enumerate(_list(node.get(keyword))))
    yield from ((keyword, node[keyword]) for keyword in _SINGLES if keyword in node)


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _own_problems(node: dict[str, Any], path: str, root: dict[str, Any]) -> Iterator[str]:
    kind: Any = node.get("type", [])
    kinds = cast("list[Any]", kind if isinstance(kind, list) else [kind])
    yield from (f"{path}.type: {name!r} is no JSON type" for name in kinds if str(name) not in _TYPES)
    for keyword in _MAPS:
        if keyword in node and not isinstance(node[keyword], dict):
            yield f"{path}.{keyword}: must be an object"
    for keyword in _LISTS:
        if keyword in node and (not isinstance(node[keyword], list) or not node[keyword]):
            yield f"{path}.{keyword}: must be a list with at least one schema"
    if "enum" in node and (not isinstance(node["enum"], list) or not node["enum"]):
        yield f"{path}.enum: must be a list with at least one value"
    if "array" in kinds and not node.keys() & {"items", "prefixItems"}:
        yield f"{path}: an array without items"
    yield from _required_problems(node, path)
    if "$ref" in node and not _resolves(node["$ref"], root):
        yield f"{path}.$ref: {node['$ref']!r} leads nowhere"


def _required_problems(node: dict[str, Any], path: str) -> Iterator[str]:
    required: Any = node.get("required", [])
    if not isinstance(required, list):
        yield f"{path}.required: must be a list of names"
        return
    names = cast("list[Any]", required)
    if not all(isinstance(name, str) for name in names) or len(set(map(str, names))) != len(names):
        yield f"{path}.required: must be a list of different names"


def _strict_problems(node: dict[str, Any], path: str) -> Iterator[str]:
    yield from (f"{path}.{keyword}: not permitted in a strict schema" for keyword in _NOT_STRICT if keyword in node)
    if node.get("type") != "object" and "properties" not in node:
        return
    if node.get("additionalProperties") is not False:
        yield f"{path}.additionalProperties: must be false in a strict schema"
    properties, required = node.get("properties", {}), node.get("required", [])
    if isinstance(properties, dict) and isinstance(required, list):
        names = cast("dict[str, Any]", properties).keys()
        if sorted(names) != sorted(map(str, cast("list[Any]", required))):
            yield f"{path}.required: must name every property of a strict schema, and no other"


def _reference_problems(node: dict[str, Any], path: str) -> Iterator[str]:
    """OpenAI: "$ref cannot have keywords {'description'}", whatever the keyword is."""
    if "$ref" in node and (beside := sorted(node.keys() - {"$ref"})):
        yield f"{path}.$ref: must stand alone in a strict schema, not beside {', '.join(beside)}"


def _resolves(reference: Any, root: dict[str, Any]) -> bool:
    """Only references into the schema itself, such as #/$defs/Name or #."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return False
    node: Any = root
    for step in filter(None, reference[1:].split("/")):
        if not isinstance(node, dict) or step not in node:
            return False
        node = cast("dict[str, Any]", node)[step]
    return True
