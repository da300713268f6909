"""What the ChatGPT Codex backend refuses in the body of a turn, with its words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from codex_client.testing.accounts import ServerAccount
from codex_client.testing.refusals import RefusalError, detail_refused, refused
from codex_client.testing.requests import RecordedRequest

# What codex itself sends; anything else is refused by name.
_FIELDS = frozenset(
    {
        "client_metadata",
        "include",
        "input",
        "instructions",
        "model",
        "parallel_tool_calls",
        "prompt_cache_key",
        "reasoning",
        "service_tier",
        "store",
        "stream",
        "text",
        "tool_choice",
        "tools",
    }
)
_MAX_ID_CHARS = 64
_BAD_ID = re.compile(r"[^ -;=-~]")
# Of a reasoning item; what a client notes for itself has no place in a request.
_REASONING_FIELDS = frozenset({"type", "id", "summary", "content", "encrypted_content", "status"})


def checked_body(request: RecordedRequest) -> dict[str, Any]:
    """The body, if the backend would take it. Raises `RefusalError` for its first fault."""
    try:
        value = request.json()
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _bad_body("Invalid JSON body")
    body = cast("dict[str, Any]", value)
    if not body.get("instructions") or not isinstance(body["instructions"], str):
        raise _bad_body("Instructions are required")
    if not isinstance(body.get("input"), list):
        raise _bad_body("Input must be a list")
    if body.get("store") is not False:
        raise _bad_body("Store must be set to false")
    if body.get("stream") is not True:
        raise _bad_body("Stream must be set to true")
    if unknown := sorted(body.keys() - _FIELDS):
        raise _bad_body(f"Unsupported parameter: {unknown[0]}")
    _check_items(_objects(body["input"]))
    return body


def check_seals(items: list[Any], seals: Mapping[str, ServerAccount], account: ServerAccount) -> None:
    """Encrypted reasoning is readable only for the account that it was made for."""
    for item in _objects(items):
        seal = item.get("encrypted_content")
        if seal is not None and seals.get(str(seal)) is not account:
            told = "The encrypted content could not be verified."
            raise refused(400, "invalid_encrypted_content", told)


def _check_items(items: list[dict[str, Any]]) -> None:
    if any(item.get("role") == "system" for item in items):
        raise _bad_body("System messages are not allowed")
    for index, item in enumerate(items):
        _check_ids(index, item)
        if item.get("type") == "reasoning" and (unknown := sorted(item.keys() - _REASONING_FIELDS)):
            raise refused(400, "unknown_parameter", f"Unknown parameter: 'input[{index}].{unknown[0]}'.")
    calls = _call_ids(items, "_call")
    outputs = _call_ids(items, "_call_output")
    if orphan := _first(outputs - calls):
        raise _bad_history(f"No tool call found for function call output with call_id {orphan}.")
    if unanswered := _first(calls - outputs):
        raise _bad_history(f"No tool output found for function call {unanswered}.")


def _check_ids(index: int, item: dict[str, Any]) -> None:
    for name in ("id", "call_id"):
        length = len(str(item.get(name) or ""))
        if length > _MAX_ID_CHARS:
            told = (
                f"Invalid 'input[{index}].{name}': string too long. Expected a string with maximum length "
                f"{_MAX_ID_CHARS}, but got a string with length {length} instead."
            )
            raise refused(400, "string_above_max_length", told)
    if _BAD_ID.search(str(item.get("call_id") or "")):
        raise refused(400, "invalid_value", f"Invalid 'input[{index}].call_id': it holds characters that no id has.")
    if item.get("id"):
        told = (
            f"Item with id '{item['id']}' not found. Items are not persisted when `store` is set to false. "
            "Try again with `store` set to true, or remove this item from your input."
        )
        raise refused(404, "not_found", told)


def _objects(items: Iterable[Any]) -> list[dict[str, Any]]:
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def _call_ids(items: list[dict[str, Any]], ending: str) -> set[str]:
    return {str(item["call_id"]) for item in items if str(item.get("type")).endswith(ending) and item.get("call_id")}


def _first(ids: set[str]) -> str | None:
    return min(ids, default=None)


def _bad_body(detail: str) -> RefusalError:
    return detail_refused(400, detail, name="invalid_request")


def _bad_history(message: str) -> RefusalError:
    return refused(400, "invalid_request_error", message)
