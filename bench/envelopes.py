"""The fixed parts of the frames: ids, the response object, items. The keys are those OpenAI's servers send."""

from __future__ import annotations

from typing import Any

MESSAGE_ID = "msg_0f3c9a7be1d24c5800bench0000000000000000000000001"
REASONING_ID = "rs_0f3c9a7be1d24c5800bench0000000000000000000000002"
TOOL_ID = "fc_0f3c9a7be1d24c5800bench0000000000000000000000003"
# Padding that hides the length of a delta from who sees only the sizes of packets.
OBFUSCATION = "Zr4kW0hTq9LxB2vN"
# About as long as the servers' own for a short thought.
ENCRYPTED = "gAAAAAB" + "bEnCh0-q7_" * 120

_TOOL = {
    "type": "function",
    "description": "Write a file.",
    "name": "write_file",
    "parameters": {
        "type": "object",
        "properties": {"text": {"type": "string"}},
        "required": ["text"],
        "additionalProperties": False,
    },
    "strict": True,
}

CHAT_CHUNK: dict[str, Any] = {
    "id": "chatcmpl-Bench0000000000000000000000001",
    "object": "chat.completion.chunk",
    "created": 1764000000,
    "model": "bench-model-2025-11-24",
    "service_tier": "default",
    "system_fingerprint": "fp_0000bench0",
}


def response(status: str, output: list[dict[str, Any]], output_tokens: int) -> dict[str, Any]:
    """The object that the first frames and the last one carry."""
    done = status == "completed"
    return {
        "id": "resp_0f3c9a7be1d24c5800bench0000000000000000000000000",
        "object": "response",
        "created_at": 1764000000,
        "status": status,
        "background": False,
        "completed_at": 1764000009 if done else None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": "bench-model-2025-11-24",
        "output": output,
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "prompt_cache_retention": "in_memory",
        "reasoning": {"effort": "none", "summary": None},
        "safety_identifier": None,
        "service_tier": "default" if done else "auto",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [_TOOL],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": _usage(output_tokens) if done else None,
        "user": None,
        "metadata": {},
    }


def _usage(output_tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": 11,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 11 + output_tokens,
    }


def text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def message_item(text: str | None) -> dict[str, Any]:
    """The message as it is announced (None) and as it ends."""
    status, content = ("in_progress", []) if text is None else ("completed", [text_part(text)])
    return {"id": MESSAGE_ID, "type": "message", "status": status, "content": content, "role": "assistant"}


def reasoning_item(text: str | None, encrypted_content: str) -> dict[str, Any]:
    """The reasoning as it is announced (None) and as it ends."""
    summary = [] if text is None else [{"type": "summary_text", "text": text}]
    return {"id": REASONING_ID, "type": "reasoning", "encrypted_content": encrypted_content, "summary": summary}


def call_item(arguments: str, status: str) -> dict[str, Any]:
    call = {"arguments": arguments, "call_id": "call_bench", "name": "write_file"}
    return {"id": TOOL_ID, "type": "function_call", "status": status, **call}
