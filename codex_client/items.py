"""Items: what a turn is made of, in the Responses API's shape, which is also how history is kept for the Chat API.

Every model keeps fields it does not know, and `dump_item` gives back just the fields that were there, so that what a
server sent survives the round trip through history. A `type` (or a shape) that is not known becomes an `Other…` model.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo, field_validator


class _Wire(BaseModel):
    """A JSON object of the wire: unknown fields are kept, nothing can be changed in place."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="allow", frozen=True, protected_namespaces=(), defer_build=True
    )

    def model_post_init(self, context: Any, /) -> None:
        # `dump_item` leaves out what was never set; the tag must not count as that.
        self.__pydantic_fields_set__.add("type")


class InputText(_Wire):
    """Text from the user's side."""

    type: Literal["input_text"] = "input_text"
    text: str


class InputImage(_Wire):
    """An image by `image_url` (http(s) or a data URL) or by `file_id`; `detail`: low, high, auto, original."""

    type: Literal["input_image"] = "input_image"
    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None

    @classmethod
    def from_bytes(cls, content: bytes, media_type: str, *, detail: str | None = None) -> InputImage:
        """The image itself as a base64 data URL; `media_type` such as `image/png`."""
        fields: dict[str, Any] = {"image_url": data_url(content, media_type)}
        if detail is not None:
            fields["detail"] = detail
        return cls(**fields)


class InputFile(_Wire):
    """A file by `file_id`, by `file_url`, or by `file_data` (a base64 data URL) with its `filename`."""

    type: Literal["input_file"] = "input_file"
    file_id: str | None = None
    file_url: str | None = None
    file_data: str | None = None
    filename: str | None = None

    @classmethod
    def from_bytes(cls, content: bytes, media_type: str, *, filename: str) -> InputFile:
        return cls(file_data=data_url(content, media_type), filename=filename)


class OutputText(_Wire):
    """Text from the model; `annotations` and `logprobs` as the server sent them."""

    type: Literal["output_text"] = "output_text"
    text: str


class Refusal(_Wire):
    """The model's refusal, in its own words."""

    type: Literal["refusal"] = "refusal"
    refusal: str


class SummaryText(_Wire):
    """One part of a reasoning summary."""

    type: Literal["summary_text"] = "summary_text"
    text: str


class ReasoningText(_Wire):
    """One part of the raw chain of thought; some servers tag it `text`."""

    type: Literal["reasoning_text", "text"] = "reasoning_text"
    text: str


class OtherContent(_Wire):
    """A content part of a type that this version does not know."""

    type: str


_CONTENT: dict[str, type[_Wire]] = {
    "input_text": InputText,
    "input_image": InputImage,
    "input_file": InputFile,
    "output_text": OutputText,
    "refusal": Refusal,
}


def _parse_part(part: Any) -> Any:
    return _by_type(part, _CONTENT, OtherContent)


# Each part is parsed by its tag alone: a smart union would try every member, and would refuse what none of them knows.
ContentPart: TypeAlias = Annotated[
    InputText | InputImage | InputFile | OutputText | Refusal | OtherContent, BeforeValidator(_parse_part)
]
ToolOutput: TypeAlias = str | list[ContentPart]


class Message(_Wire):
    """A message of `role` user, assistant, system or developer. A plain string as `content` becomes one text part."""

    type: Literal["message"] = "message"
    id: str | None = None
    role: str
    content: list[ContentPart]
    status: str | None = None
    phase: str | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            role: str,
            content: str | Sequence[ContentPart],
            id: str | None = None,
            status: str | None = None,
            phase: str | None = None,
            type: Literal["message"] = "message",
        ) -> None: ...

    @field_validator("content", mode="before")
    @classmethod
    def _text_as_part(cls, content: Any, info: ValidationInfo) -> Any:
        if not isinstance(content, str):
            return content
        return [OutputText(text=content) if info.data.get("role") == "assistant" else InputText(text=content)]

    @classmethod
    def user(cls, *content: str | ContentPart) -> Message:
        return cls(role="user", content=[InputText(text=part) if isinstance(part, str) else part for part in content])

    @classmethod
    def developer(cls, text: str) -> Message:
        return cls(role="developer", content=text)

    @classmethod
    def system(cls, text: str) -> Message:
        return cls(role="system", content=text)

    @classmethod
    def assistant(cls, text: str) -> Message:
        return cls(role="assistant", content=text)

    @property
    def text(self) -> str:
        """All text parts of either side, joined."""
        return "".join(part.text for part in self.content if isinstance(part, InputText | OutputText))

    @property
    def refusal(self) -> str:
        return "".join(part.refusal for part in self.content if isinstance(part, Refusal))


class Reasoning(_Wire):
    """Reasoning: a summary for people, the raw text where the server gives it, the encrypted form for the next turn.

    `issuer` tags who encrypted it (a digest of server, account and model), for nobody else can read it. Clients set it;
    it is kept with the item and never sent.
    """

    type: Literal["reasoning"] = "reasoning"
    id: str | None = None
    summary: list[SummaryText] = []
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None
    status: str | None = None
    issuer: str | None = None

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.content or ())

    @property
    def summary_texts(self) -> list[str]:
        return [part.text for part in self.summary]


class FunctionCall(_Wire):
    """A call of a function tool; `arguments` is the JSON text as the model wrote it, valid or not."""

    type: Literal["function_call"] = "function_call"
    id: str | None = None
    call_id: str
    name: str
    arguments: str
    status: str | None = None


class FunctionCallOutput(_Wire):
    """The answer to the call with the same `call_id`: text, or content parts."""

    type: Literal["function_call_output"] = "function_call_output"
    id: str | None = None
    call_id: str
    output: ToolOutput


class CustomToolCall(_Wire):
    """A call of a free-form tool; `input` is raw text."""

    type: Literal["custom_tool_call"] = "custom_tool_call"
    id: str | None = None
    call_id: str
    name: str
    input: str
    status: str | None = None


class CustomToolCallOutput(_Wire):
    """The answer to the free-form call with the same `call_id`."""

    type: Literal["custom_tool_call_output"] = "custom_tool_call_output"
    id: str | None = None
    call_id: str
    output: ToolOutput


class LocalShellCall(_Wire):
    """A command for the user's own shell: `action` is {type: exec, command[], timeout_ms?, working_directory?, env?,
    user?}.
    """

    type: Literal["local_shell_call"] = "local_shell_call"
    id: str | None = None
    call_id: str | None = None
    status: str | None = None
    action: dict[str, Any]


class WebSearchCall(_Wire):
    """A search that the server ran itself; `action` is {type: search | open_page | find_in_page, …}."""

    type: Literal["web_search_call"] = "web_search_call"
    id: str | None = None
    status: str | None = None
    action: dict[str, Any] | None = None


class Compaction(_Wire):
    """Earlier history, condensed and encrypted by the server."""

    type: Literal["compaction", "compaction_summary"] = "compaction"
    id: str | None = None
    encrypted_content: str


class OtherItem(_Wire):
    """An item of a type, or with a shape, that this version does not know; every field is kept and sent back as it
    came.
    """

    type: str
    id: str | None = None


ResponseItem: TypeAlias = (
    Message
    | Reasoning
    | FunctionCall
    | FunctionCallOutput
    | CustomToolCall
    | CustomToolCallOutput
    | LocalShellCall
    | WebSearchCall
    | Compaction
    | OtherItem
)

_ITEMS: dict[str, type[_Wire]] = {
    "message": Message,
    "reasoning": Reasoning,
    "function_call": FunctionCall,
    "function_call_output": FunctionCallOutput,
    "custom_tool_call": CustomToolCall,
    "custom_tool_call_output": CustomToolCallOutput,
    "local_shell_call": LocalShellCall,
    "web_search_call": WebSearchCall,
    "compaction": Compaction,
    "compaction_summary": Compaction,
}


def parse_item(fields: Mapping[str, Any]) -> ResponseItem:
    """The item that a JSON object describes. Never fails on an object with a `type`: what does not fit is an
    `OtherItem`.

    A message without a `type` (the API's short form) is a `Message`. Raises `ValueError` where there is neither.
    """
    if "type" not in fields and "role" in fields:
        fields = {"type": "message", **fields}
    return cast("ResponseItem", _by_type(fields, _ITEMS, OtherItem))


def dump_item(item: ResponseItem) -> dict[str, Any]:
    """The item's JSON object: `type` first, then just the fields that were given, unknown ones included."""
    fields = item.model_dump(mode="json", exclude_unset=True)
    return {"type": fields.pop("type"), **fields}


def data_url(content: bytes, media_type: str) -> str:
    """RFC 2397 in its base64 form, the one that providers take."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def output_text(output: str | Sequence[Any]) -> str:
    """A tool's output as text: the string itself, or its text parts joined."""
    if isinstance(output, str):
        return output
    return "".join(part.text for part in output if isinstance(part, InputText | OutputText))


def _by_type(fields: Any, known: Mapping[str, type[_Wire]], other: type[_Wire]) -> Any:
    """Parse by the tag alone; a known tag with an unknown shape is kept as `other` rather than refused."""
    if not isinstance(fields, Mapping):
        return fields
    fields = cast("Mapping[str, Any]", fields)
    tag: Any = fields.get("type")
    model = known.get(tag) if isinstance(tag, str) else None
    if model is not None:
        try:
            return model.model_validate(fields)
        except ValidationError:
            pass
    return other.model_validate(fields)
