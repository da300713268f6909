"""Prompts, tools and the schemas behind them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from codex_client.aggregate import CollectedResponse
from codex_client.errors import ConfigurationError
from codex_client.items import FunctionCall, FunctionCallOutput, Message
from codex_client.prompt import FunctionTool, Prompt
from codex_client.schema import arguments_model, description_of, strict_schema


def test_a_string_is_one_user_message() -> None:
    assert Prompt("hi").items == (Message.user("hi"),)


def test_json_objects_in_the_input_are_parsed_and_items_are_kept() -> None:
    item = Message.user("a")
    prompt = Prompt([item, {"role": "assistant", "content": "b"}])
    assert prompt.items == (item, Message.assistant("b"))
    assert prompt.items[0] is item


def test_with_history_appends_the_response_and_what_follows() -> None:
    call = FunctionCall(call_id="c1", name="f", arguments="{}")
    output = FunctionCallOutput(call_id="c1", output="42")
    first = Prompt("q", instructions="be brief")
    second = first.with_history(CollectedResponse(items=(call,)), output)
    assert second == Prompt((Message.user("q"), call, output), instructions="be brief")
    assert first == Prompt("q", instructions="be brief")


def test_a_prompt_cannot_be_changed_in_place() -> None:
    with pytest.raises(FrozenInstanceError):
        Prompt("x").instructions = "y"  # pyright: ignore[reportAttributeAccessIssue]


def weather(city: str, unit: Literal["c", "f"] = "c", *, days: Annotated[int, "how many days ahead"] = 1) -> str:
    """The weather
    of a city.

    More that the model need not read.
    """
    raise AssertionError


def test_a_tool_is_made_from_a_functions_signature() -> None:
    tool = FunctionTool.from_callable(weather)
    assert (tool.name, tool.description, tool.strict) == ("weather", "The weather of a city.", False)
    assert tool.parameters == {
        "title": "weather",
        "type": "object",
        "properties": {
            "city": {"title": "City", "type": "string"},
            "unit": {"title": "Unit", "type": "string", "enum": ["c", "f"], "default": "c"},
            "days": {"title": "Days", "type": "integer", "default": 1, "description": "how many days ahead"},
        },
        "required": ["city"],
    }


def test_a_tool_parses_the_arguments_that_a_model_wrote() -> None:
    tool = FunctionTool.from_callable(weather)
    assert dict(tool.parse('{"city": "Bern"}')) == {"city": "Bern", "unit": "c", "days": 1}
    with pytest.raises(ValidationError, match="unit"):
        tool.parse('{"city": "Bern", "unit": "k"}')


def test_empty_arguments_are_an_empty_object() -> None:
    def ping() -> None: ...

    assert dict(FunctionTool.from_callable(ping).parse("")) == {}


def test_a_tool_made_from_a_bare_schema_cannot_parse() -> None:
    with pytest.raises(TypeError, match="'f' was made from a schema alone"):
        FunctionTool("f").parse("{}")


def test_name_and_description_can_be_given() -> None:
    tool = FunctionTool.from_callable(weather, name="w", description="")
    assert (tool.name, tool.description) == ("w", "")


class Query(BaseModel):
    """Look something up."""

    text: str
    limit: int | None = Field(default=None, description="at most")


class Bare(BaseModel):
    x: int


def test_a_tool_is_made_from_a_model() -> None:
    tool = FunctionTool.from_model(Query, strict=True)
    assert (tool.name, tool.description, tool.strict) == ("Query", "Look something up.", True)
    assert tool.parameters["required"] == ["text", "limit"]
    assert tool.parse('{"text": "a", "limit": null}') == Query(text="a")
    assert FunctionTool.from_model(Bare).description == ""


def nothing(*names: str) -> None: ...


def keywords(**names: str) -> None: ...


def positional(name: str, /) -> None: ...


@pytest.mark.parametrize("function", [nothing, keywords, positional])
def test_parameters_that_have_no_name_are_refused(function: Any) -> None:
    with pytest.raises(ConfigurationError, match="a tool's parameters must be named"):
        arguments_model(function)


def underscored(_city: str) -> None: ...


def shadowing(model_config: str) -> None: ...


@pytest.mark.parametrize("function", [underscored, shadowing])
def test_parameters_that_a_model_cannot_have_are_refused_by_name(function: Any) -> None:
    with pytest.raises(ConfigurationError, match="rename the parameter"):
        arguments_model(function)


def test_parameters_without_hints_take_anything() -> None:
    def free(x): ...

    assert FunctionTool.from_callable(free).parameters["required"] == ["x"]


def test_a_callable_object_is_named_by_its_class() -> None:
    class Adder:
        def __call__(self, a: int) -> int:
            return a

    assert arguments_model(Adder()).__name__ == "Adder"


def test_the_description_is_the_docstrings_first_paragraph() -> None:
    assert description_of(weather) == "The weather of a city."
    assert description_of(nothing) == ""


def test_strict_schemas_are_closed_and_require_everything_at_every_depth() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/Inner"},
            "properties": {"type": "array", "items": {"type": "object", "properties": {"x": {"default": 1}}}},
            "u": {"anyOf": [{"type": "object"}, {"type": "null"}], "default": None},
            "e": {"enum": [{"type": "object"}], "const": {"properties": 1}},
        },
        "$defs": {"Inner": {"type": "object", "properties": {"y": {"type": "string"}}}},
    }
    closed = {"additionalProperties": False}
    assert strict_schema(schema) == {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/Inner"},
            "properties": {
                "type": "array",
                "items": {"type": "object", "properties": {"x": {}}, "required": ["x"], **closed},
            },
            "u": {"anyOf": [{"type": "object", "properties": {}, "required": [], **closed}, {"type": "null"}]},
            "e": {"enum": [{"type": "object"}], "const": {"properties": 1}},
        },
        "$defs": {"Inner": {"type": "object", "properties": {"y": {"type": "string"}}, "required": ["y"], **closed}},
        "required": ["a", "properties", "u", "e"],
        **closed,
    }
    assert schema["properties"]["u"] == {"anyOf": [{"type": "object"}, {"type": "null"}], "default": None}


def test_strict_schemas_write_tagged_unions_as_any_of() -> None:
    class Cat(BaseModel):
        kind: Literal["cat"]

    class Dog(BaseModel):
        kind: Literal["dog"]

    class Owner(BaseModel):
        pet: Annotated[Cat | Dog, Field(discriminator="kind")]

    pet = FunctionTool.from_model(Owner, strict=True).parameters["properties"]["pet"]
    assert pet == {"title": "Pet", "anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]}


def test_strict_schemas_cannot_have_free_keys() -> None:
    class Free(BaseModel):
        names: dict[str, int]

    with pytest.raises(ConfigurationError) as caught:
        FunctionTool.from_model(Free, strict=True)
    assert str(caught.value) == (
        "Free.properties.names has free keys, which a strict schema cannot have; "
        "use a list of {key, value} objects, or strict=False"
    )


def test_free_keys_are_named_with_their_place() -> None:
    free = {"type": "object", "additionalProperties": {"type": "string"}}
    schema = {"$defs": {"A": {"anyOf": [{"type": "null"}, {"type": "array", "items": free}]}}}
    with pytest.raises(ConfigurationError) as caught:
        strict_schema(schema)
    assert str(caught.value) == (
        "schema.$defs.A.anyOf.1.items has free keys, which a strict schema cannot have; "
        "use a list of {key, value} objects"
    )


class Tree(BaseModel):
    left: Tree | None = Field(default=None, description="the smaller ones")
    root: Leaf = Field(description="what it grows from")


class Leaf(BaseModel):
    colour: str


def test_strict_schemas_have_no_reference_at_the_root_and_nothing_beside_one() -> None:
    schema = FunctionTool.from_model(Tree, strict=True).parameters
    tree = {
        "type": "object",
        "title": "Tree",
        "properties": {
            "left": {"anyOf": [{"$ref": "#/$defs/Tree"}, {"type": "null"}], "description": "the smaller ones"},
            "root": {"anyOf": [{"$ref": "#/$defs/Leaf"}], "description": "what it grows from"},
        },
        "required": ["left", "root"],
        "additionalProperties": False,
    }
    assert {**schema, "$defs": ...} == {**tree, "$defs": ...}
    assert schema["$defs"]["Tree"] == tree


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
        dict(FunctionTool.from_model(Tree, strict=True).parameters),
        {"$ref": "#/$defs/Nowhere"},
        {"properties": 7, "required": [], "additionalProperties": False},
        {"type": ["string", "null"], "anyOf": 7, "items": 7, "$defs": 7},
    ],
)
def test_what_is_strict_or_no_schema_stays_as_it_is(schema: dict[str, Any]) -> None:
    assert strict_schema(schema) == schema


def test_an_object_that_may_be_null_is_closed_too() -> None:
    assert strict_schema({"type": ["object", "null"], "properties": {"a": {"type": ["object", "null"]}}}) == {
        "type": ["object", "null"],
        "properties": {
            "a": {"type": ["object", "null"], "properties": {}, "required": [], "additionalProperties": False}
        },
        "required": ["a"],
        "additionalProperties": False,
    }


def test_a_boolean_schema_is_left_alone() -> None:
    assert strict_schema({"type": "array", "items": True}) == {"type": "array", "items": True}
