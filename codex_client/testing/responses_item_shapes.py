"""The items of a Responses `input` as OpenAI's public API reference describes them.

Where the reference and the server are known to differ, the server is followed: it takes items without the `id` that the
reference lists as required (codex sends them so with `store: false`), and parts without `annotations` or `detail`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, StringConstraints, Tag, model_validator

from codex_client.testing.request_shapes import (
    LEFT_OUT,
    CacheBreakpoint,
    Detail,
    Name,
    Shape,
    Text,
    TextOrList,
    needs_one_of,
)

Status = Literal["in_progress", "completed", "incomplete"]
CallId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
JsonObject = dict[str, Any]


class InputText(Shape):
    type: Literal["input_text"]
    text: str
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class InputImage(Shape):
    type: Literal["input_image"]
    image_url: str | None = None
    file_id: str | None = None
    detail: Detail | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None

    @model_validator(mode="after")
    def _has_an_image(self) -> Self:
        return needs_one_of(self, "image_url", "file_id")


class InputFile(Shape):
    type: Literal["input_file"]
    file_id: str | None = None
    file_url: str | None = None
    file_data: str | None = None
    filename: str | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None

    @model_validator(mode="after")
    def _has_a_file(self) -> Self:
        return needs_one_of(self, "file_id", "file_url", "file_data")


class OutputText(Shape):
    type: Literal["output_text"]
    text: str
    annotations: list[JsonObject] = LEFT_OUT
    logprobs: list[JsonObject] = LEFT_OUT


class Refusal(Shape):
    type: Literal["refusal"]
    refusal: str


InputPart = Annotated[InputText | InputImage | InputFile, Field(discriminator="type")]
OutputPart = Annotated[OutputText | Refusal, Field(discriminator="type")]
ToolAnswer = TextOrList[InputPart]


class InputMessage(Shape):
    type: Literal["message"] = LEFT_OUT
    id: str = LEFT_OUT
    role: Literal["user", "system", "developer"]
    content: TextOrList[InputPart]
    status: Status | None = None
    phase: str | None = None


class AssistantMessage(Shape):
    type: Literal["message"] = LEFT_OUT
    id: str = LEFT_OUT
    role: Literal["assistant"]
    content: TextOrList[OutputPart]
    status: Status | None = None
    phase: Literal["commentary", "final_answer"] | None = None


class SummaryPart(Shape):
    type: Literal["summary_text"]
    text: str


class ReasoningPart(Shape):
    type: Literal["reasoning_text"]
    text: str


class ReasoningItem(Shape):
    type: Literal["reasoning"]
    id: str = LEFT_OUT
    summary: list[SummaryPart]
    content: list[ReasoningPart] | None = None
    encrypted_content: str | None = None
    status: Status = LEFT_OUT


class FunctionCall(Shape):
    type: Literal["function_call"]
    id: str = LEFT_OUT
    call_id: CallId
    name: Name
    arguments: str
    namespace: str = LEFT_OUT
    caller: JsonObject | None = None
    status: Status | None = None


class FunctionCallOutput(Shape):
    type: Literal["function_call_output"]
    id: str | None = None
    call_id: CallId
    output: ToolAnswer
    name: str | None = None
    namespace: str | None = None
    caller: JsonObject | None = None
    status: Status | None = None


class CustomToolCall(Shape):
    type: Literal["custom_tool_call"]
    id: str = LEFT_OUT
    call_id: CallId
    name: Name
    input: str
    namespace: str = LEFT_OUT
    caller: JsonObject | None = None
    status: Status | None = None


class CustomToolCallOutput(Shape):
    type: Literal["custom_tool_call_output"]
    id: str = LEFT_OUT
    call_id: CallId
    output: ToolAnswer
    caller: JsonObject | None = None


class ShellAction(Shape):
    type: Literal["exec"]
    command: list[str]
    env: dict[str, str] = LEFT_OUT
    timeout_ms: int | None = None
    user: str | None = None
    working_directory: str | None = None


class LocalShellCall(Shape):
    type: Literal["local_shell_call"]
    id: str = LEFT_OUT
    call_id: CallId
    action: ShellAction
    status: Status


class LocalShellCallOutput(Shape):
    type: Literal["local_shell_call_output"]
    id: Text
    output: str
    status: Status | None = None


class SearchCall(Shape):
    type: Literal["web_search_call"]
    id: str = LEFT_OUT
    status: Literal["in_progress", "searching", "completed", "failed"]
    action: JsonObject = LEFT_OUT


class CompactionItem(Shape):
    type: Literal["compaction"]
    id: str | None = None
    encrypted_content: Text


class AdditionalTools(Shape):
    type: Literal["additional_tools"]
    id: str | None = None
    role: Literal["developer"]
    tools: list[JsonObject]


class ItemReference(Shape):
    type: Literal["item_reference"]
    id: Text


class ServerItem(Shape):
    """Work that the server did itself. Its fields are not looked into, but it needs its id."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")

    type: Literal[
        "code_interpreter_call",
        "computer_call",
        "file_search_call",
        "image_generation_call",
        "mcp_approval_request",
        "mcp_call",
        "mcp_list_tools",
        "program",
        "program_output",
    ]
    id: Text


class ClientItem(Shape):
    """Items of the newer client-run tools, whose fields are not looked into."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")

    type: Literal[
        "apply_patch_call",
        "apply_patch_call_output",
        "compaction_trigger",
        "computer_call_output",
        "configuration_update",
        "mcp_approval_response",
        "shell_call",
        "shell_call_output",
        "tool_search_call",
        "tool_search_output",
    ]
    id: str | None = None


OtherKnownItem = Annotated[
    ReasoningItem
    | FunctionCall
    | FunctionCallOutput
    | CustomToolCall
    | CustomToolCallOutput
    | LocalShellCall
    | LocalShellCallOutput
    | SearchCall
    | CompactionItem
    | AdditionalTools
    | ItemReference
    | ServerItem
    | ClientItem,
    Field(discriminator="type"),
]


def _kind(item: Any) -> str:
    """A message may leave out its type; which content it may have depends on its role."""
    if not isinstance(item, dict) or item.get("type", "message") != "message":  # pyright: ignore[reportUnknownMemberType]
        return "item"
    return "assistant" if item.get("role") == "assistant" else "message"  # pyright: ignore[reportUnknownMemberType]


InputItem = Annotated[
    Annotated[InputMessage, Tag("message")]
    | Annotated[AssistantMessage, Tag("assistant")]
    | Annotated[OtherKnownItem, Tag("item")],
    Discriminator(_kind),
]
