"""A turn's content as OpenTelemetry's GenAI conventions write it: messages made of typed parts, as JSON text.

The shapes are those of the conventions' `gen-ai-input-messages.json`, `gen-ai-output-messages.json`,
`gen-ai-system-instructions.json` and `gen-ai-tool-definitions.json`. Nothing here is recorded unless the user asked for
content.
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from pydantic_core import from_json

from codex_client.aggregate import CollectedResponse
from codex_client.api import TurnEnded
from codex_client.errors import IncompleteResponseError
from codex_client.items import (
    ContentPart,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputFile,
    InputImage,
    InputText,
    LocalShellCall,
    Message,
    OutputText,
    Reasoning,
    Refusal,
    ResponseItem,
    WebSearchCall,
    dump_item,
)
from codex_client.prompt import CustomTool, FunctionTool, Prompt, Tool

Part: TypeAlias = dict[str, Any]

# The conventions' words for two of the reasons; they take any other as it is.
_FINISH_REASONS = {"tool_calls": "tool_call", "max_output_tokens": "length"}


def input_content(prompt: Prompt) -> dict[str, str]:
    """What the prompt says. Tools by type and name only: the conventions advise against recording large schemas."""
    content = {"gen_ai.input.messages": _json([_message(item) for item in prompt.items])}
    if prompt.instructions:
        content["gen_ai.system_instructions"] = _json([_text(prompt.instructions)])
    if prompt.tools:
        content["gen_ai.tool.definitions"] = _json([_tool(tool) for tool in prompt.tools])
    return content


def output_content(record: TurnEnded) -> dict[str, str]:
    """What was answered, as one message: a whole turn's, or as much as came before it broke off."""
    response = record.response
    if response is None and record.error is not None:
        response = record.error.partial
    if response is None or not response.items:
        return {}
    parts = [part for item in response.items for part in _parts(item)]
    message = {"role": "assistant", "parts": parts, "finish_reason": _finish_reason(record, response)}
    return {"gen_ai.output.messages": _json([message])}


def _finish_reason(record: TurnEnded, response: CollectedResponse) -> str:
    """The conventions demand one; the Responses API gives none, so there it is read from how the turn ended."""
    if isinstance(record.error, IncompleteResponseError):
        reason = record.error.reason
    elif record.error is not None:
        reason = "error"
    elif record.cancelled:
        reason = "cancelled"
    else:
        reason = record.finish_reason or ("tool_call" if response.tool_calls else "stop")
    return _FINISH_REASONS.get(reason, reason)


def _message(item: ResponseItem) -> Part:
    match item:
        case Message():
            role = item.role
        case FunctionCallOutput() | CustomToolCallOutput():
            role = "tool"
        case _:
            role = "assistant"
    return {"role": role, "parts": _parts(item)}


def _parts(item: ResponseItem) -> list[Part]:
    match item:
        case Message():
            return [_content(part) for part in item.content]
        case Reasoning():
            return [{"type": "reasoning", "content": text} for text in (*item.summary_texts, item.text) if text]
        case FunctionCall():
            return [_call(item.call_id, item.name, _json_or_text(item.arguments))]
        case CustomToolCall():
            return [_call(item.call_id, item.name, item.input)]
        case LocalShellCall():
            return [_call(item.call_id, "local_shell", item.action)]
        case FunctionCallOutput() | CustomToolCallOutput():
            output = item.output
            response = output if isinstance(output, str) else [_content(part) for part in output]
            return [{"type": "tool_call_response", "id": item.call_id, "response": response}]
        case WebSearchCall():
            call = {"type": "web_search", "action": item.action}
            return [{"type": "server_tool_call", "id": item.id, "name": "web_search", "server_tool_call": call}]
        case _:
            return [{name: value for name, value in dump_item(item).items() if name != "encrypted_content"}]


def _content(part: ContentPart) -> Part:
    match part:
        case InputText() | OutputText():
            return _text(part.text)
        case Refusal():
            return {"type": "refusal", "content": part.refusal}
        case InputImage():
            return _attachment("image", part.file_id, part.image_url)
        case InputFile():
            return _attachment("document", part.file_id, part.file_url or part.file_data)
        case _:
            return part.model_dump(mode="json")


def _attachment(modality: str, file_id: str | None, url: str | None) -> Part:
    if url is None:
        return {"type": "file", "modality": modality, "file_id": file_id or ""}
    if not url.startswith("data:"):
        return {"type": "uri", "modality": modality, "uri": url}
    media_type, _, content = url.removeprefix("data:").partition(";base64,")
    return {"type": "blob", "modality": modality, "mime_type": media_type, "content": content}


def _tool(tool: Tool) -> Part:
    match tool:
        case FunctionTool():
            return {"type": "function", "name": tool.name}
        case CustomTool():
            return {"type": "custom", "name": tool.name}
        case _:
            kind = tool.definition.get("type", "")
            return {"type": kind, "name": tool.definition.get("name", kind)}


def _text(text: str) -> Part:
    return {"type": "text", "content": text}


def _call(call_id: str | None, name: str, arguments: Any) -> Part:
    return {"type": "tool_call", "id": call_id, "name": name, "arguments": arguments}


def _json_or_text(text: str) -> Any:
    try:
        # Unlike `json.loads`, this fails with a ValueError on arguments that are nested too deeply.
        return from_json(text)
    except ValueError:
        return text


def _json(value: Any) -> str:
    # An observer must not raise: what a caller put into an item and JSON does not know is written as Python shows it,
    # and half an emoji, which no exporter could encode, as "?".
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return text.encode("utf-8", "replace").decode("utf-8")
