"""Tools and tool choices as OpenAI's public API reference describes them for each API."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from codex_client.testing.request_shapes import LEFT_OUT, Name, Shape, Text

JsonObject = dict[str, Any]


class TextInput(Shape):
    type: Literal["text"]


class Grammar(Shape):
    definition: Text
    syntax: Literal["lark", "regex"]


class FlatGrammar(Grammar):
    type: Literal["grammar"]


class NestedGrammar(Shape):
    type: Literal["grammar"]
    grammar: Grammar


class FlatFunction(Shape):
    """`strict` must be there: left out, the server tries to be strict."""

    type: Literal["function"]
    name: Name
    parameters: JsonObject | None
    strict: bool | None
    description: str | None = None
    allowed_callers: list[Literal["direct", "programmatic"]] | None = None
    async_: bool = Field(LEFT_OUT, alias="async")
    defer_loading: bool = LEFT_OUT
    output_schema: JsonObject | None = None


class FlatCustom(Shape):
    type: Literal["custom"]
    name: Name
    description: str = LEFT_OUT
    format: Annotated[TextInput | FlatGrammar, Field(discriminator="type")] = LEFT_OUT
    allowed_callers: list[Literal["direct", "programmatic"]] | None = None
    async_: bool = Field(LEFT_OUT, alias="async")
    defer_loading: bool = LEFT_OUT


class Namespace(Shape):
    type: Literal["namespace"]
    name: Name
    description: str
    tools: list[Annotated[FlatFunction | FlatCustom, Field(discriminator="type")]]


class BuiltIn(Shape):
    """A tool that the server runs or defines itself; its options are not looked into."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")

    type: Literal[
        "apply_patch",
        "code_interpreter",
        "computer",
        "computer_use_preview",
        "file_search",
        "image_generation",
        "local_shell",
        "mcp",
        "programmatic_tool_calling",
        "shell",
        "tool_search",
        "web_search",
        "web_search_2025_08_26",
        "web_search_preview",
        "web_search_preview_2025_03_11",
    ]


class NestedFunctionFields(Shape):
    name: Name
    description: str = LEFT_OUT
    parameters: JsonObject = LEFT_OUT
    strict: bool | None = None


class NestedFunction(Shape):
    type: Literal["function"]
    function: NestedFunctionFields


class NestedCustomFields(Shape):
    name: Name
    description: str = LEFT_OUT
    format: Annotated[TextInput | NestedGrammar, Field(discriminator="type")] = LEFT_OUT


class NestedCustom(Shape):
    type: Literal["custom"]
    custom: NestedCustomFields


class NamedChoice(Shape):
    """A choice by name; which names are on offer is checked apart."""

    name: Text


class FlatChoice(NamedChoice):
    type: Literal["function", "custom"]


class McpChoice(Shape):
    type: Literal["mcp"]
    server_label: Text
    name: str | None = None


class BuiltInChoice(Shape):
    type: Literal[
        "apply_patch",
        "code_interpreter",
        "computer",
        "computer_use",
        "computer_use_preview",
        "file_search",
        "image_generation",
        "programmatic_tool_calling",
        "shell",
        "web_search_preview",
        "web_search_preview_2025_03_11",
    ]


class Allowed(Shape):
    mode: Literal["auto", "required"]
    tools: Annotated[list[JsonObject], Field(min_length=1)]


class FlatAllowed(Allowed):
    type: Literal["allowed_tools"]


class NestedAllowed(Shape):
    type: Literal["allowed_tools"]
    allowed_tools: Allowed


class FunctionChoice(Shape):
    type: Literal["function"]
    function: NamedChoice


class CustomChoice(Shape):
    type: Literal["custom"]
    custom: NamedChoice


Mode = Literal["none", "auto", "required"]

RESPONSES_TOOLS: TypeAdapter[Any] = TypeAdapter(
    list[Annotated[FlatFunction | FlatCustom | Namespace | BuiltIn, Field(discriminator="type")]]
)
CHAT_TOOLS: TypeAdapter[Any] = TypeAdapter(list[Annotated[NestedFunction | NestedCustom, Field(discriminator="type")]])
RESPONSES_CHOICES: TypeAdapter[Any] = TypeAdapter(
    Annotated[FlatChoice | McpChoice | BuiltInChoice | FlatAllowed, Field(discriminator="type")]
)
CHAT_CHOICES: TypeAdapter[Any] = TypeAdapter(
    Annotated[FunctionChoice | CustomChoice | NestedAllowed, Field(discriminator="type")]
)
MODES: TypeAdapter[Any] = TypeAdapter(Mode)
