"""The prompt: everything that one turn sends, independent of the API that carries it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias

from pydantic import BaseModel

from codex_client.items import Message, ResponseItem, parse_item
from codex_client.models import Effort, Verbosity
from codex_client.schema import arguments_model, description_of, model_schema

Summary: TypeAlias = Literal["auto", "concise", "detailed", "none"]
ToolChoice: TypeAlias = str | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReasoningOptions:
    """How hard to think and how to summarise it. What a model allows differs; None leaves it to the server."""

    effort: Effort | str | None = None
    summary: Summary | str | None = None


@dataclass(frozen=True)
class FunctionTool:
    """A tool whose arguments are JSON. `parameters` is a JSON schema of an object.

    `strict=True` makes the server hold the model to the schema; `from_callable` and `from_model` then write it in the
    form that strict mode demands. `arguments_type` is set by these two and makes `parse` possible.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    strict: bool = False
    arguments_type: type[BaseModel] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def from_callable(
        cls,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        strict: bool = False,
    ) -> FunctionTool:
        """A tool from a function's signature, type hints and the first paragraph of its docstring. The function is not
        kept.
        """
        return FunctionTool.from_model(
            arguments_model(function),
            name=name,
            description=description_of(function) if description is None else description,
            strict=strict,
        )

    @classmethod
    def from_model(
        cls, model: type[BaseModel], *, name: str | None = None, description: str | None = None, strict: bool = False
    ) -> FunctionTool:
        """A tool whose arguments are a pydantic model."""
        return FunctionTool(
            name=name or model.__name__,
            description=_model_description(model) if description is None else description,
            parameters=model_schema(model, strict=strict),
            strict=strict,
            arguments_type=model,
        )

    def parse(self, arguments: str) -> BaseModel:
        """A call's arguments, validated. Raises `pydantic.ValidationError` (a `ValueError`) whose text may be sent to
        the model as the output.

        For a tool made by `from_callable`, call the function with `dict(tool.parse(call.arguments))`.
        """
        if self.arguments_type is None:
            raise TypeError(
                f"tool {self.name!r} was made from a schema alone; make it by from_callable or from_model to parse"
            )
        return self.arguments_type.model_validate_json(arguments or "{}")


@dataclass(frozen=True)
class CustomTool:
    """A free-form tool: the model writes raw text. `format` such as {type: grammar, syntax: lark, definition: …}.
    For the Responses API, and Chat servers that have such tools (`BackendProfile.takes_custom_tools`).
    """

    name: str
    description: str = ""
    format: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class RawTool:
    """Any other tool as its JSON object, such as {"type": "web_search"}; sent as it is."""

    definition: Mapping[str, Any]


Tool: TypeAlias = FunctionTool | CustomTool | RawTool


class HasItems(Protocol):
    """What `with_history` reads: a `CollectedResponse`, or anything with items."""

    @property
    def items(self) -> Sequence[ResponseItem]: ...


@dataclass(frozen=True)
class Prompt:
    """One turn's input and options. Never changed in place; `dataclasses.replace` and `with_history` give new ones.

    `input`: one string (a user message), or items; JSON objects are parsed as items. `tool_choice`: auto, none,
    required, or {"type": "function", "name": …}. `output_schema`: a JSON schema of an object, or a pydantic model; both
    are sent in strict form, with every object closed and every property required. `max_output_tokens` counts reasoning
    too. `temperature` 0 to 2, `top_p` 0 to 1. `model` and `conversation_id` stand in for the client's own, so that one
    client can serve many of both. `extra` is merged into the payload last and wins, for fields that this library does
    not know.
    """

    input: str | Sequence[ResponseItem | Mapping[str, Any]]
    instructions: str = ""
    tools: Sequence[Tool] = ()
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    output_schema: Mapping[str, Any] | type[BaseModel] | None = None
    reasoning: ReasoningOptions | None = None
    verbosity: Verbosity | str | None = None
    prompt_cache_key: str | None = None
    previous_response_id: str | None = None
    service_tier: str | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    metadata: Mapping[str, str] | None = None
    extra: Mapping[str, Any] | None = None
    model: str | None = field(default=None, kw_only=True)
    conversation_id: str | None = field(default=None, kw_only=True)

    @cached_property
    def items(self) -> tuple[ResponseItem, ...]:
        """`input` as items, whatever form it was given in."""
        if isinstance(self.input, str):
            return (Message.user(self.input),)
        return tuple(parse_item(item) if isinstance(item, Mapping) else item for item in self.input)

    def with_history(self, response: HasItems, *more: ResponseItem) -> Prompt:
        """The next turn: this input, then the response's items, then `more` (tool outputs, the next user message)."""
        return replace(self, input=(*self.items, *response.items, *more))


def _model_description(model: type[BaseModel]) -> str:
    """The model's own docstring; the one that it inherits from `BaseModel` says nothing about the tool."""
    return description_of(model) if model.__doc__ else ""
