"""The `response` object: in the first and the last frames of a stream, and the body of a server that never streams."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic_core import SchemaValidator, ValidationError, core_schema

from codex_client.decode.wire import as_count, as_index, as_object, as_text, parse_json
from codex_client.model_variants import TokenUsage

# Frames around a `response`.
FRAMES_WITH_RESPONSE = frozenset(
    {
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "response.cancelled",
    }
)

_FIELDS = (
    "id",
    "model",
    "status",
    "error",
    "incomplete_details",
    "output",
    "usage",
    "end_turn",
    "headers",
    "service_tier",
)


def parse_response_frame(text: str) -> dict[str, Any]:
    """The fields of a frame around a `response` that mean something here. Raises `MalformedFrameError`.

    The rest is left unread: such a frame repeats the instructions and the tools of the request.
    """
    try:
        return _frame_validator().validate_json(text)
    except ValidationError:
        return as_object(parse_json(text))


@cache
def _frame_validator() -> SchemaValidator:
    frame = {name: _field(core_schema.any_schema()) for name in ("error", "headers", "end_turn")}
    inside = {name: _field(core_schema.any_schema()) for name in _FIELDS}
    return SchemaValidator(
        core_schema.typed_dict_schema({**frame, "response": _field(core_schema.typed_dict_schema(inside))})
    )


def _field(schema: core_schema.CoreSchema) -> core_schema.TypedDictField:
    return core_schema.typed_dict_field(schema, required=False)


def usage_of(response: dict[str, Any]) -> TokenUsage | None:
    """The tokens of the turn; None while the server has not counted them (null, or an empty object)."""
    usage = as_object(response.get("usage"))
    if not usage:
        return None
    input_tokens, output_tokens = as_count(usage.get("input_tokens")), as_count(usage.get("output_tokens"))
    details = as_object(usage.get("input_tokens_details"))
    return TokenUsage(
        input_tokens=input_tokens,
        cached_input_tokens=as_count(details.get("cached_tokens")),
        output_tokens=output_tokens,
        reasoning_output_tokens=as_count(as_object(usage.get("output_tokens_details")).get("reasoning_tokens")),
        total_tokens=as_count(usage.get("total_tokens")) or input_tokens + output_tokens,
        cache_write_tokens=as_index(details.get("cache_write_tokens")),
    )


def outcome_of(kind: str, response: dict[str, Any]) -> str:
    """What became of the turn: `failed`, `incomplete`, `cancelled`; every other word means that it is complete.

    Some servers call the last frame `response.completed` whatever became of the response, so its status counts, too.
    """
    if kind != "response.completed":
        return kind.removeprefix("response.")
    status = as_text(response.get("status"))
    return "failed" if response.get("error") and status != "completed" else status


def incomplete_reason(response: dict[str, Any]) -> str:
    """Why the response stopped early; "unknown" where the server does not say."""
    return as_text(as_object(response.get("incomplete_details")).get("reason")) or "unknown"
