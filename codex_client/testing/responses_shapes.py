"""The body of `POST /responses` as OpenAI's public API reference describes it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from codex_client.testing.request_shapes import (
    LEFT_OUT,
    CacheOptions,
    CacheRetention,
    Effort,
    Metadata,
    Name,
    Shape,
    Temperature,
    Text,
    TextOrList,
    TokenCount,
    TopP,
    Verbosity,
)
from codex_client.testing.responses_item_shapes import InputItem

JsonObject = dict[str, Any]


class ReasoningOptions(Shape):
    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    context: Literal["auto", "current_turn", "all_turns"] | None = None
    mode: str = LEFT_OUT


class TextFormat(Shape):
    type: Literal["text", "json_object"]


class SchemaFormat(Shape):
    type: Literal["json_schema"]
    name: Name
    schema_: JsonObject = Field(alias="schema")
    description: str = LEFT_OUT
    strict: bool | None = None


class TextOptions(Shape):
    format: Annotated[TextFormat | SchemaFormat, Field(discriminator="type")] = LEFT_OUT
    verbosity: Verbosity | None = None


class StreamOptions(Shape):
    include_obfuscation: bool = LEFT_OUT


Includable = Literal[
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
]


class ResponsesRequest(Shape):
    model: Text
    stream: Literal[True]
    access_programs: JsonObject = LEFT_OUT
    background: bool | None = None
    context_management: list[JsonObject] | None = None
    conversation: str | JsonObject | None = None
    image: JsonObject = LEFT_OUT
    include: list[Includable] | None = None
    input: Annotated[TextOrList[InputItem], Field(min_length=1)] = LEFT_OUT
    instructions: str | None = None
    max_output_tokens: TokenCount | None = None
    max_tool_calls: int | None = None
    metadata: Metadata | None = None
    moderation: JsonObject | None = None
    parallel_tool_calls: bool | None = None
    previous_response_id: str | None = None
    prompt: JsonObject | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: CacheOptions = LEFT_OUT
    prompt_cache_retention: CacheRetention | None = None
    reasoning: ReasoningOptions | None = None
    safety_identifier: Annotated[str, StringConstraints(max_length=128)] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"] | None = None
    store: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    text: TextOptions = LEFT_OUT
    tool_choice: str | JsonObject = LEFT_OUT
    tools: list[JsonObject] = LEFT_OUT
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    top_p: TopP | None = None
    truncation: Literal["auto", "disabled"] | None = None
    user: str = LEFT_OUT
