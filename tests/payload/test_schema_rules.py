"""The strict checker on JSON schemas, those of tools above all."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from codex_client.testing.request_checker import RequestProblem, check_responses_request

OBJECT: dict[str, Any] = {"type": "object", "properties": {}}
FLAT_TOOL: dict[str, Any] = {"type": "function", "name": "f", "strict": False, "parameters": OBJECT}
USER: dict[str, Any] = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}


def responses_body(**fields: Any) -> dict[str, Any]:
    return copy.deepcopy({"model": "m", "stream": True, "input": [USER], **fields})


def problems(check: Callable[[dict[str, Any]], None], body: Any) -> list[str]:
    try:
        check(body)
    except RequestProblem as problem:
        return list(problem.problems)
    return []


def flat_schema(**schema: Any) -> dict[str, Any]:
    return {"tools": [{**FLAT_TOOL, "parameters": schema}]}


PLACES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "root_of_a_schema": (
        flat_schema(type="string"),
        ["tools.0.parameters: type is 'string'; the root of a schema must be of type 'object'"],
    ),
    "tool_in_a_namespace": (
        {"tools": [{"type": "namespace", "name": "n", "description": "", "tools": [{**FLAT_TOOL, "parameters": {}}]}]},
        ["tools.0.tools.0.parameters: type is None; the root of a schema must be of type 'object'"],
    ),
    "loose_strict_schema": (
        {
            "text": {
                "format": {
                    "type": "json_schema",
                    "name": "n",
                    "strict": True,
                    "schema": {"type": "object", "properties": {"a": {"type": "string", "default": ""}}},
                }
            }
        },
        [
            "text.format.schema.additionalProperties: must be false in a strict schema",
            "text.format.schema.required: must name every property of a strict schema, and no other",
            "text.format.schema.properties.a.default: not permitted in a strict schema",
        ],
    ),
}


@pytest.mark.parametrize("fields, expected", list(PLACES.values()), ids=list(PLACES))
def test_schemas_are_checked_wherever_a_body_has_them(fields: dict[str, Any], expected: list[str]):
    assert problems(check_responses_request, responses_body(**fields)) == expected


SCHEMA_FAULTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no_type": ({"properties": {"a": {"type": "text"}}}, [".properties.a.type: 'text' is no JSON type"]),
    "properties_as_a_list": ({"properties": []}, [".properties: must be an object"]),
    "empty_union": (
        {"properties": {"a": {"anyOf": []}}},
        [".properties.a.anyOf: must be a list with at least one schema"],
    ),
    "property_that_is_no_schema": ({"properties": {"a": 1}}, [".properties.a: a schema is an object, not int"]),
    "empty_enum": ({"properties": {"a": {"enum": []}}}, [".properties.a.enum: must be a list with at least one value"]),
    "array_of_what": ({"properties": {"a": {"type": "array"}}}, [".properties.a: an array without items"]),
    "required_as_a_name": ({"required": "a"}, [".required: must be a list of names"]),
    "required_twice": ({"required": ["a", "a"]}, [".required: must be a list of different names"]),
    "lost_reference": (
        {"properties": {"a": {"$ref": "#/$defs/B"}, "b": {"$ref": "https://a.example"}}},
        [".properties.a.$ref: '#/$defs/B' leads nowhere", ".properties.b.$ref: 'https://a.example' leads nowhere"],
    ),
}


@pytest.mark.parametrize("schema, expected", list(SCHEMA_FAULTS.values()), ids=list(SCHEMA_FAULTS))
def test_faults_of_schemas_are_named_by_their_place(schema: dict[str, Any], expected: list[str]):
    found = problems(check_responses_request, responses_body(**flat_schema(type="object", **schema)))
    assert found == [f"tools.0.parameters{fault}" for fault in expected]


@pytest.mark.parametrize(
    "keyword", ["items", "additionalProperties", "not", "if", "then", "else", "contains", "$defs", "definitions"]
)
def test_schemas_inside_schemas_are_looked_into(keyword: str):
    inner: dict[str, Any] = {"type": "text"}
    where = keyword
    if keyword in ("$defs", "definitions"):
        inner, where = {"A": inner}, f"{keyword}.A"
    found = problems(check_responses_request, responses_body(**flat_schema(type="object", **{keyword: inner})))
    assert found == [f"tools.0.parameters.{where}.type: 'text' is no JSON type"]


@pytest.mark.parametrize("keyword", ["oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas"])
def test_keywords_that_strict_mode_does_not_know(keyword: str):
    schema = {"type": "object", "additionalProperties": False, "properties": {"a": {keyword: [{}]}}, "required": ["a"]}
    body = responses_body(tools=[{**FLAT_TOOL, "strict": True, "parameters": schema}])
    assert f"tools.0.parameters.properties.a.{keyword}: not permitted in a strict schema" in problems(
        check_responses_request, body
    )


def test_a_good_schema_has_no_faults():
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": ["string", "null"], "enum": ["x", None]},
            "b": {"type": "array", "items": {"$ref": "#/$defs/B"}},
            "c": {"anyOf": [{"type": "integer"}, {"$ref": "#"}]},
            "d": True,
            "e": {"type": "boolean"},
            "f": {"$ref": "#/$defs/B", "description": "only strict schemas want it alone"},
        },
        "required": ["a"],
        "additionalProperties": {"type": "number"},
        "$defs": {"B": {"type": "object", "properties": {}, "additionalProperties": False}},
    }
    assert problems(check_responses_request, responses_body(**flat_schema(**schema))) == []


STRICT_FAULTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "union_at_the_root": (
        {"anyOf": [{"type": "null"}], "additionalProperties": False},
        [": the root of a strict schema must not be an anyOf"],
    ),
    "reference_at_the_root": (
        {"$ref": "#/$defs/A", "$defs": {"A": {"type": "null"}}, "additionalProperties": False},
        [": the root of a strict schema must not be a $ref"],
    ),
    "reference_with_more": (
        {
            "additionalProperties": False,
            "properties": {"a": {"$ref": "#", "title": "A", "description": "a"}, "b": {"$ref": "#"}},
            "required": ["a", "b"],
        },
        [".properties.a.$ref: must stand alone in a strict schema, not beside description, title"],
    ),
    "keywords": (
        {"additionalProperties": False, "properties": {"a": {"oneOf": [{"type": "null"}]}}, "required": ["a"]},
        [".properties.a.oneOf: not permitted in a strict schema"],
    ),
    "open_inside": (
        {
            "additionalProperties": False,
            "properties": {"a": {"properties": {}, "additionalProperties": True}},
            "required": ["a"],
        },
        [".properties.a.additionalProperties: must be false in a strict schema"],
    ),
    "open_object_without_properties": (
        {
            "additionalProperties": False,
            "properties": {"a": {"type": "object"}, "b": {"type": "string"}},
            "required": ["a", "b"],
        },
        [".properties.a.additionalProperties: must be false in a strict schema"],
    ),
    "properties_as_a_list": (
        {"additionalProperties": False, "properties": [], "required": []},
        [".properties: must be an object"],
    ),
    "required_too_much": (
        {"additionalProperties": False, "properties": {}, "required": ["a"]},
        [".required: must name every property of a strict schema, and no other"],
    ),
    "required_as_a_name": (
        {"additionalProperties": False, "properties": {"a": {"type": "null"}}, "required": "a"},
        [".required: must be a list of names"],
    ),
    "no_schema": (
        {"additionalProperties": False, "properties": {"a": True}, "required": ["a"]},
        [".properties.a: a schema is an object, not bool"],
    ),
}


@pytest.mark.parametrize("schema, expected", list(STRICT_FAULTS.values()), ids=list(STRICT_FAULTS))
def test_strict_schemas_keep_the_stricter_rules(schema: dict[str, Any], expected: list[str]):
    tool = {**FLAT_TOOL, "strict": True, "parameters": {"type": "object", **schema}}
    found = problems(check_responses_request, responses_body(tools=[tool]))
    assert found == [f"tools.0.parameters{fault}" for fault in expected]


def test_a_schema_that_is_no_object_is_told():
    body = responses_body(text={"format": {"type": "json_schema", "name": "n", "schema": []}})
    assert problems(check_responses_request, body) == [
        "text.format.schema: Input should be a valid dictionary",
        "text.format.schema: a schema is an object, not list",
    ]
