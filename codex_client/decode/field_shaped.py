"""Frames in the old field-shaped form, told as the event-shaped ones that mean the same.

Such a frame has no `type`; which field it has says what it is: `{"response_output_text_delta": {"text": "…"}}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from codex_client.decode.wire import as_list, as_object, as_text

_TEXTS = {
    "response_message_delta": "response.output_text.delta",
    "response_output_text_delta": "response.output_text.delta",
    "response_output_reasoning_delta": "response.reasoning_text.delta",
    "response_output_reasoning_summary_delta": "response.reasoning_summary_text.delta",
}
_NAMES = frozenset(
    {
        *_TEXTS,
        "responses",
        "response_content",
        "response_error",
        "response_event",
        "response_output_item",
        "response_output_item_done",
    }
)


def is_field_shaped(fields: dict[str, Any]) -> bool:
    return not _NAMES.isdisjoint(fields)


def event_shaped(fields: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Type and fields of each event that the frame holds, in the order of its fields.

    `response_content` and `response_event` repeat what other fields say, and give none.
    """
    for name, value in fields.items():
        match name:
            case "responses":
                for entry in as_list(value):
                    yield from _finals(as_object(entry))
            case "response_error":
                yield "error", {"error": value}
            case "response_output_item":
                if as_object(value).get("type") == "response.output_item.created":
                    yield "response.created", {"response": {}}
            case "response_output_item_done":
                yield "response.output_item.done", as_object(value)
            case _ if name in _TEXTS:
                yield _TEXTS[name], {"delta": as_text(value) or as_text(as_object(value).get("text"))}
            case _:
                pass


def _finals(entry: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """One entry of `responses`: an object with a single key that is the event's type."""
    for name, value in entry.items():
        match name:
            case "response.completed":
                yield name, {"response": value}
            case "response.error":
                yield "error", {"error": value}
            case _:
                pass
