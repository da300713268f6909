"""Chunks of a Chat Completions stream as OpenAI sends them, with the reasoning fields of the other servers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from codex_client.aggregate import ToolCall
from codex_client.model_variants import TokenUsage
from codex_client.testing.builders import DEFAULT_USAGE, Event, cache_counts
from codex_client.testing.turns import tokens_of, words_of

ReasoningKey: TypeAlias = Literal["reasoning_content", "reasoning"]

CHAT_DONE = "[DONE]"
"""The data of the frame that ends a Chat stream: `sse([*chat_turn("Hi"), CHAT_DONE])`."""

DEFAULT_CHAT_MODEL = "gpt-4.1"


def chat_chunk(
    content: Any = None,
    *,
    role: str | None = None,
    reasoning: Any = None,
    reasoning_key: ReasoningKey = "reasoning_content",
    refusal: str | None = None,
    tool_calls: Sequence[Mapping[str, Any]] | None = None,
    finish_reason: str | None = None,
    usage: TokenUsage | Mapping[str, Any] | None = None,
    index: int = 0,
    response_id: str = "chatcmpl-1",
    model: str = DEFAULT_CHAT_MODEL,
    **fields: Any,
) -> Event:
    """One chunk. What is None is left out of the delta; a chunk with nothing but a usage has `choices: []`.

    `content` and `reasoning` may be a string, or what some servers send instead: a list of parts, an object.
    `tool_calls` are deltas such as `chat_tool_call` makes. `fields` go into the chunk and win.
    """
    delta = {
        "role": role,
        "content": content,
        reasoning_key: reasoning,
        "refusal": refusal,
        "tool_calls": None if tool_calls is None else [dict(call) for call in tool_calls],
    }
    delta = {key: value for key, value in delta.items() if value is not None}
    only_usage = usage is not None and not delta and finish_reason is None
    return {
        "id": response_id,
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": None,
        "choices": [] if only_usage else [{"index": index, "delta": delta, "finish_reason": finish_reason}],
        "usage": chat_usage(usage),
        **fields,
    }


def chat_tool_call(
    arguments: str | None = None, *, index: int | None = 0, call_id: str | None = None, name: str | None = None
) -> Event:
    """A delta of a call: its head where `call_id` or `name` is given, a piece of its arguments else. None leaves a
    field out.
    """
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    head = {} if call_id is None and name is None else {"id": call_id, "type": "function"}
    return {
        **({} if index is None else {"index": index}),
        **{key: value for key, value in head.items() if value is not None},
        "function": function,
    }


def chat_usage(usage: TokenUsage | Mapping[str, Any] | None) -> Event | None:
    """The wire form of a usage; an object is taken as it is."""
    if not isinstance(usage, TokenUsage):
        return None if usage is None else dict(usage)
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {**cache_counts(usage), "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_output_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def chat_turn(
    text: str = "",
    *,
    reasoning: str = "",
    reasoning_key: ReasoningKey = "reasoning_content",
    refusal: str = "",
    tool_calls: Iterable[ToolCall] = (),
    finish_reason: str | None = None,
    usage: TokenUsage | Mapping[str, Any] | None = DEFAULT_USAGE,
    response_id: str = "chatcmpl-1",
    model: str = DEFAULT_CHAT_MODEL,
) -> list[Event]:
    """Every chunk of a turn, the usage last; without `CHAT_DONE`, which `sse(…, done=True)` adds.

    `finish_reason` None: `tool_calls` where there are any, else `stop`. `usage` None: no usage chunk.
    """
    calls = list(tool_calls)
    chunks = [chat_chunk("", role="assistant")]
    chunks += [chat_chunk(reasoning=piece, reasoning_key=reasoning_key) for piece in words_of(reasoning)]
    chunks += [chat_chunk(piece) for piece in words_of(text)]
    chunks += [chat_chunk(refusal=piece) for piece in words_of(refusal)]
    for index, call in enumerate(calls):
        head = chat_tool_call("", index=index, call_id=call.call_id, name=call.name)
        pieces = [chat_tool_call(piece, index=index) for piece in tokens_of(call.arguments)]
        chunks += [chat_chunk(tool_calls=[delta]) for delta in (head, *pieces)]
    chunks.append(chat_chunk(finish_reason=finish_reason or ("tool_calls" if calls else "stop")))
    if usage is not None:
        chunks.append(chat_chunk(usage=usage))
    return [{**chunk, "id": response_id, "model": model} for chunk in chunks]
