"""Items as servers really send them: what is missing or odd, and has one plain meaning, is set right before parsing."""

from __future__ import annotations

from typing import Any

from codex_client.decode.wire import as_json_text, as_object
from codex_client.items import ResponseItem, parse_item


def item_of(value: Any) -> ResponseItem | None:
    """The item, None for what is none (no object, no type). A call without a `call_id` has "" there."""
    fields = as_object(value)
    if not (fields.get("type") or fields.get("role")):
        return None
    try:
        return parse_item(_whole(fields))
    except ValueError:
        return None


def _whole(fields: dict[str, Any]) -> dict[str, Any]:
    """With the fields that an item just announced may lack, and that its model demands."""
    if not isinstance(fields.get("id", ""), str | None):
        # No item is given up for an id that is a number.
        fields = {**fields, "id": str(fields["id"])}
    match fields.get("type", "message"):
        case "function_call":
            return {
                **fields,
                "call_id": fields.get("call_id") or "",
                "arguments": as_json_text(fields.get("arguments")),
            }
        case "custom_tool_call":
            return {**fields, "call_id": fields.get("call_id") or "", "input": as_json_text(fields.get("input"))}
        case "message" if fields.get("content") is None or not fields.get("role"):
            return {**fields, "content": fields.get("content") or [], "role": fields.get("role") or "assistant"}
        case "reasoning" if fields.get("summary", ()) is None:
            return {**fields, "summary": []}
        case _:
            return fields
