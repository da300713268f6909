"""Items and the Chat messages they become, written down shortly."""

from __future__ import annotations

from typing import Any, TypeAlias

from codex_client.items import FunctionCall, FunctionCallOutput, Message, ResponseItem
from codex_client.payload.chat_messages import chat_messages
from codex_client.testing.request_checker import check_chat_request

Messages: TypeAlias = list[dict[str, Any]]

USER = Message.user("hi")
HI = {"role": "user", "content": "hi"}


def messages(
    *items: ResponseItem, instructions: str = "", reasoning_field: str = "reasoning", tool_media: bool = True
) -> Messages:
    return chat_messages(items, instructions=instructions, reasoning_field=reasoning_field, tool_media=tool_media)


def accepted(*items: ResponseItem, **options: Any) -> Messages:
    """The messages, taken by the strict checker."""
    built = messages(*items, **options)
    check_chat_request({"model": "m", "messages": built, "stream": True})
    return built


def call(number: int, arguments: str = "{}") -> FunctionCall:
    return FunctionCall(call_id=f"c{number}", name=f"f{number}", arguments=arguments)


def output(number: int) -> FunctionCallOutput:
    return FunctionCallOutput(call_id=f"c{number}", output=f"out {number}")


def called(number: int, arguments: str = "{}") -> dict[str, Any]:
    return {"id": f"c{number}", "type": "function", "function": {"name": f"f{number}", "arguments": arguments}}


def answered(number: int) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"c{number}", "content": f"out {number}"}


def said(content: str | None, *tool_calls: dict[str, Any], **fields: Any) -> dict[str, Any]:
    calls = {"tool_calls": list(tool_calls)} if tool_calls else {}
    return {"role": "assistant", "content": content, **calls, **fields}
