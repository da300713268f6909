"""The body of `POST /chat/completions` as OpenAI's public API reference describes it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from codex_client.testing.request_shapes import (
    LEFT_OUT,
    CacheBreakpoint,
    CacheOptions,
    CacheRetention,
    Detail,
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
    needs_one_of,
)

JsonObject = dict[str, Any]


class TextPart(Shape):
    type: Literal["text"]
    text: str
    prompt_cache_breakpoint: CacheBreakpoint = LEFT_OUT


class ImageUrl(Shape):
    url: Text
    detail: Detail = LEFT_OUT


class ImagePart(Shape):
    type: Literal["image_url"]
    image_url: ImageUrl
    prompt_cache_breakpoint: CacheBreakpoint = LEFT_OUT


class Audio(Shape):
    data: Text
    format: Literal["wav", "mp3"]


class AudioPart(Shape):
    type: Literal["input_audio"]
    input_audio: Audio
    prompt_cache_breakpoint: CacheBreakpoint = LEFT_OUT


class File(Shape):
    file_data: str = LEFT_OUT
    file_id: str = LEFT_OUT
    filename: str = LEFT_OUT

    @model_validator(mode="after")
    def _has_a_file(self) -> Self:
        return needs_one_of(self, "file_id", "file_data")


class FilePart(Shape):
    type: Literal["file"]
    file: File
    prompt_cache_breakpoint: CacheBreakpoint = LEFT_OUT


class RefusalPart(Shape):
    type: Literal["refusal"]
    refusal: str


UserPart = Annotated[TextPart | ImagePart | AudioPart | FilePart, Field(discriminator="type")]
AssistantPart = Annotated[TextPart | RefusalPart, Field(discriminator="type")]


class SystemMessage(Shape):
    role: Literal["system", "developer"]
    content: TextOrList[TextPart]
    name: str = LEFT_OUT


class UserMessage(Shape):
    role: Literal["user"]
    content: TextOrList[UserPart]
    name: str = LEFT_OUT


class CalledFunction(Shape):
    name: Name
    arguments: str


class FunctionCall(Shape):
    id: Text
    type: Literal["function"]
    function: CalledFunction


class CalledCustom(Shape):
    name: Name
    input: str


class CustomCall(Shape):
    id: Text
    type: Literal["custom"]
    custom: CalledCustom


class AssistantMessage(Shape):
    role: Literal["assistant"]
    content: TextOrList[AssistantPart] | None = None
    refusal: str | None = None
    name: str = LEFT_OUT
    audio: JsonObject | None = None
    tool_calls: Annotated[
        list[Annotated[FunctionCall | CustomCall, Field(discriminator="type")]], Field(min_length=1)
    ] = LEFT_OUT


class ToolMessage(Shape):
    role: Literal["tool"]
    tool_call_id: Text
    content: TextOrList[TextPart]


Message = Annotated[SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]


class StreamOptions(Shape):
    include_usage: bool = LEFT_OUT
    include_obfuscation: bool = LEFT_OUT


class PlainFormat(Shape):
    type: Literal["text", "json_object"]


class SchemaFields(Shape):
    name: Name
    description: str = LEFT_OUT
    schema_: JsonObject = Field(LEFT_OUT, alias="schema")
    strict: bool | None = None


class SchemaFormat(Shape):
    type: Literal["json_schema"]
    json_schema: SchemaFields


class ChatRequest(Shape):
    model: Text
    messages: Annotated[list[Message], Field(min_length=1)]
    stream: Literal[True]
    audio: JsonObject | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: dict[str, int] | None = None
    logprobs: bool | None = None
    max_completion_tokens: TokenCount | None = None
    max_tokens: TokenCount | None = None
    metadata: Metadata | None = None
    modalities: list[Literal["text", "audio"]] | None = None
    moderation: JsonObject | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    parallel_tool_calls: bool = LEFT_OUT
    prediction: JsonObject | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: CacheOptions = LEFT_OUT
    prompt_cache_retention: CacheRetention | None = None
    reasoning_effort: Effort | None = None
    response_format: Annotated[PlainFormat | SchemaFormat, Field(discriminator="type")] = LEFT_OUT
    safety_identifier: Annotated[str, StringConstraints(max_length=128)] | None = None
    seed: int | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    store: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    tool_choice: str | JsonObject = LEFT_OUT
    tools: list[JsonObject] = LEFT_OUT
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    top_p: TopP | None = None
    user: str = LEFT_OUT
    verbosity: Verbosity | None = None
    web_search_options: JsonObject = LEFT_OUT
