"""The models that a user of httpx-sse and pydantic would write: the few fields that are read."""

from __future__ import annotations

from pydantic import BaseModel, TypeAdapter

from bench.contenders.base import chat_object_length


class Event(BaseModel):
    type: str
    sequence_number: int
    item_id: str | None = None
    output_index: int | None = None
    delta: str = ""


class Function(BaseModel):
    name: str | None = None
    arguments: str = ""


class ToolCall(BaseModel):
    index: int
    id: str | None = None
    function: Function


class Delta(BaseModel):
    role: str | None = None
    content: str | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(BaseModel):
    index: int
    delta: Delta
    finish_reason: str | None = None


class Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Chunk(BaseModel):
    id: str
    choices: list[Choice]
    usage: Usage | None = None


EVENT = TypeAdapter(Event)
CHUNK = TypeAdapter(Chunk)


def chunk_length(chunk: Chunk) -> int:
    return chat_object_length(chunk.choices)
