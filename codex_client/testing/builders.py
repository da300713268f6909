"""Events of the Responses API as OpenAI sends them, and the bytes of a stream.

Each `ev_…` gives one event. Its keyword `fields` are put in last and win: into the `response` object where the event
has one, else into the event itself. Ids and indexes have defaults that fit together; `responses_turn` gives the events
of a whole turn.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from codex_client.model_variants import TokenUsage

Event: TypeAlias = dict[str, Any]

DEFAULT_MODEL = "gpt-5"
DEFAULT_USAGE = TokenUsage(
    input_tokens=42, cached_input_tokens=16, output_tokens=23, reasoning_output_tokens=8, total_tokens=65
)
_CREATED_AT = 1_760_000_000


def sse(
    events: Iterable[Mapping[str, Any] | str | bytes], *, names: bool = True, newline: str = "\n", done: bool = False
) -> bytes:
    """The body of a stream.

    An object becomes a frame of its JSON, with an `event:` line of its `type` where it has one and `names` is on; a
    string is a frame's data as it is (a line each); bytes are put in as they are, for comments and broken frames.
    `done` adds the frame `[DONE]`.
    """
    frames = [event if isinstance(event, bytes) else _frame(event, names, newline) for event in events]
    return b"".join([*frames, _frame("[DONE]", names, newline)] if done else frames)


def _frame(event: Mapping[str, Any] | str, names: bool, newline: str) -> bytes:
    lines: list[str] = []
    if isinstance(event, str):
        lines += [f"data: {line}" for line in event.split("\n")]
    else:
        if names and "type" in event:
            lines.append(f"event: {event['type']}")
        lines.append(f"data: {json.dumps(event, ensure_ascii=False, separators=(',', ':'))}")
    return "".join(line + newline for line in [*lines, ""]).encode()


def ev_created(response_id: str = "resp_1", model: str = DEFAULT_MODEL, **fields: Any) -> Event:
    return {"type": "response.created", "response": _response(response_id, model, "in_progress", **fields)}


def ev_in_progress(response_id: str = "resp_1", model: str = DEFAULT_MODEL, **fields: Any) -> Event:
    return {"type": "response.in_progress", "response": _response(response_id, model, "in_progress", **fields)}


def ev_item_added(item: Mapping[str, Any], index: int = 0, **fields: Any) -> Event:
    return {"type": "response.output_item.added", "output_index": index, "item": dict(item), **fields}


def ev_item_done(item: Mapping[str, Any], index: int = 0, **fields: Any) -> Event:
    return {"type": "response.output_item.done", "output_index": index, "item": dict(item), **fields}


def ev_text_delta(
    delta: str, index: int = 0, *, content_index: int = 0, item_id: str = "msg_1", **fields: Any
) -> Event:
    event = _delta("response.output_text.delta", delta, index, item_id, content_index=content_index)
    return {**event, "logprobs": [], **fields}


def ev_refusal_delta(
    delta: str, index: int = 0, *, content_index: int = 0, item_id: str = "msg_1", **fields: Any
) -> Event:
    return {**_delta("response.refusal.delta", delta, index, item_id, content_index=content_index), **fields}


def ev_reasoning_summary_part_added(
    summary_index: int = 0, index: int = 0, *, item_id: str = "rs_1", **fields: Any
) -> Event:
    return {
        "type": "response.reasoning_summary_part.added",
        "item_id": item_id,
        "output_index": index,
        "summary_index": summary_index,
        "part": {"type": "summary_text", "text": ""},
        **fields,
    }


def ev_reasoning_summary_delta(
    delta: str, summary_index: int = 0, index: int = 0, *, item_id: str = "rs_1", **fields: Any
) -> Event:
    event = _delta("response.reasoning_summary_text.delta", delta, index, item_id, summary_index=summary_index)
    return {**event, **fields}


def ev_reasoning_text_delta(
    delta: str, content_index: int = 0, index: int = 0, *, item_id: str = "rs_1", **fields: Any
) -> Event:
    return {**_delta("response.reasoning_text.delta", delta, index, item_id, content_index=content_index), **fields}


def ev_function_call(
    call_id: str, name: str, arguments: str | Mapping[str, Any] = "{}", index: int = 0, **fields: Any
) -> Event:
    """A whole call, as its `response.output_item.done`; `fields` go into the item."""
    return ev_item_done({**function_call_item(call_id, name, arguments), **fields}, index)


def ev_function_arguments_delta(delta: str, index: int = 0, *, item_id: str = "fc_call_1", **fields: Any) -> Event:
    return {**_delta("response.function_call_arguments.delta", delta, index, item_id), **fields}


def ev_function_arguments_done(arguments: str, index: int = 0, *, item_id: str = "fc_call_1", **fields: Any) -> Event:
    event = {"type": "response.function_call_arguments.done", "item_id": item_id, "output_index": index}
    return {**event, "arguments": arguments, **fields}


def ev_custom_tool_call(call_id: str, name: str, input: str, index: int = 0, **fields: Any) -> Event:
    """A whole free-form call, as its `response.output_item.done`; `fields` go into the item."""
    return ev_item_done({**custom_tool_call_item(call_id, name, input), **fields}, index)


def ev_custom_tool_input_delta(delta: str, index: int = 0, *, item_id: str = "ctc_call_1", **fields: Any) -> Event:
    return {**_delta("response.custom_tool_call_input.delta", delta, index, item_id), **fields}


def ev_completed(
    response_id: str = "resp_1",
    usage: TokenUsage | Mapping[str, Any] | None = DEFAULT_USAGE,
    *,
    output: Sequence[Mapping[str, Any]] = (),
    model: str = DEFAULT_MODEL,
    **fields: Any,
) -> Event:
    """The terminal event. `end_turn=False` and other fields of the response may be added."""
    ended = {"output": list(output), "usage": responses_usage(usage), **fields}
    return {"type": "response.completed", "response": _response(response_id, model, "completed", **ended)}


def ev_failed(
    code: str | None, message: str = "", *, response_id: str = "resp_1", model: str = DEFAULT_MODEL, **fields: Any
) -> Event:
    """The turn failed. `code=None` leaves the error object out; pass `error={…}` for one with more than code and
    message.
    """
    error = None if code is None else {"code": code, "message": message}
    return {
        "type": "response.failed",
        "response": _response(response_id, model, "failed", **{"error": error, **fields}),
    }


def ev_incomplete(
    reason: str | None = "max_output_tokens",
    usage: TokenUsage | Mapping[str, Any] | None = DEFAULT_USAGE,
    *,
    response_id: str = "resp_1",
    output: Sequence[Mapping[str, Any]] = (),
    model: str = DEFAULT_MODEL,
    **fields: Any,
) -> Event:
    details = None if reason is None else {"reason": reason}
    ended = {"incomplete_details": details, "output": list(output), "usage": responses_usage(usage)}
    return {"type": "response.incomplete", "response": _response(response_id, model, "incomplete", **ended, **fields)}


def ev_error(code: str | None, message: str, *, nested: bool = True, **fields: Any) -> Event:
    """An `error` event: with an `error` object, as servers send it, or flat, as the API's reference has it. `fields` go
    beside the code.
    """
    error = {"type": "invalid_request_error", "code": code, "message": message, "param": None, **fields}
    return {"type": "error", "error": error} if nested else {**error, "type": "error"}


def ev_rate_limits(
    used_percent: float = 42.0,
    *,
    window_minutes: int = 300,
    reset_at: int = 1_999_999_999,
    secondary: Mapping[str, Any] | None = None,
    plan_type: str = "pro",
    **fields: Any,
) -> Event:
    """A `codex.rate_limits` event; `secondary` is a second window: used_percent, window_minutes, reset_at."""
    primary = {"used_percent": used_percent, "window_minutes": window_minutes, "reset_at": reset_at}
    reached = used_percent >= 100
    return {
        "type": "codex.rate_limits",
        "plan_type": plan_type,
        "rate_limits": {"allowed": not reached, "limit_reached": reached, "primary": primary, "secondary": secondary},
        "code_review_rate_limits": None,
        "credits": {"has_credits": False, "unlimited": False, "balance": None},
        "metered_limit_name": "codex",
        "limit_name": None,
        "promo": None,
        **fields,
    }


def message_item(text: str = "", *, refusal: str = "", item_id: str = "msg_1", status: str = "completed") -> Event:
    content: list[Event] = []
    if text:
        content.append({"type": "output_text", "annotations": [], "logprobs": [], "text": text})
    if refusal:
        content.append({"type": "refusal", "refusal": refusal})
    return {"id": item_id, "type": "message", "status": status, "content": content, "role": "assistant"}


def reasoning_item(
    summary: Sequence[str] = (), *, text: str = "", encrypted_content: str | None = None, item_id: str = "rs_1"
) -> Event:
    item: Event = {
        "id": item_id,
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": part} for part in summary],
    }
    if text:
        item["content"] = [{"type": "reasoning_text", "text": text}]
    if encrypted_content is not None:
        item["encrypted_content"] = encrypted_content
    return item


def function_call_item(
    call_id: str, name: str, arguments: str | Mapping[str, Any] = "{}", *, status: str = "completed"
) -> Event:
    """`arguments` as the model's own text, or as an object that is written as JSON."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, separators=(",", ":"))
    item = {"id": f"fc_{call_id}", "type": "function_call", "status": status, "arguments": text}
    return {**item, "call_id": call_id, "name": name}


def custom_tool_call_item(call_id: str, name: str, input: str, *, status: str = "completed") -> Event:
    item = {"id": f"ctc_{call_id}", "type": "custom_tool_call", "status": status, "call_id": call_id}
    return {**item, "input": input, "name": name}


def responses_usage(usage: TokenUsage | Mapping[str, Any] | None) -> Event | None:
    """The wire form of a usage; an object is taken as it is."""
    if not isinstance(usage, TokenUsage):
        return None if usage is None else dict(usage)
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": cache_counts(usage),
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_output_tokens},
        "total_tokens": usage.total_tokens,
    }


def cache_counts(usage: TokenUsage) -> Event:
    """The counts of the prompt cache; what was written only where that is known."""
    written = {} if usage.cache_write_tokens is None else {"cache_write_tokens": usage.cache_write_tokens}
    return {"cached_tokens": usage.cached_input_tokens, **written}


def _response(response_id: str, model: str, status: str, **fields: Any) -> Event:
    return {
        "id": response_id,
        "object": "response",
        "created_at": _CREATED_AT,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": "medium", "summary": None},
        "safety_identifier": None,
        "service_tier": None,
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
        "metadata": {},
        **fields,
    }


def _delta(kind: str, delta: str, index: int, item_id: str, **place: int) -> Event:
    return {"type": kind, "item_id": item_id, "output_index": index, **place, "delta": delta}
