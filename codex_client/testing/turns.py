"""All events of a whole Responses turn, in the order and with the counters of the real API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from codex_client.aggregate import ToolCall
from codex_client.model_variants import TokenUsage
from codex_client.testing.builders import (
    DEFAULT_MODEL,
    DEFAULT_USAGE,
    Event,
    ev_completed,
    ev_created,
    ev_in_progress,
    ev_item_added,
    ev_item_done,
    ev_reasoning_summary_delta,
    ev_reasoning_summary_part_added,
    ev_reasoning_text_delta,
    ev_refusal_delta,
    ev_text_delta,
    function_call_item,
    message_item,
    reasoning_item,
)

_PARTS = {"output_text": ("text", ev_text_delta), "refusal": ("refusal", ev_refusal_delta)}

# Item type to the field that is streamed and the name of its events.
_INPUTS = {
    "function_call": ("arguments", "function_call_arguments"),
    "custom_tool_call": ("input", "custom_tool_call_input"),
}


def responses_turn(
    text: str = "",
    *,
    reasoning_summary: str | Sequence[str] = (),
    reasoning_text: str = "",
    refusal: str = "",
    tool_calls: Iterable[ToolCall | Mapping[str, Any]] = (),
    usage: TokenUsage | Mapping[str, Any] | None = DEFAULT_USAGE,
    response_id: str = "resp_1",
    model: str = DEFAULT_MODEL,
) -> list[Event]:
    """Every event of a turn: the handshake, reasoning, message, calls, `response.completed`.

    `tool_calls`: a `ToolCall` is a function call; an item object may be of any type, and custom calls stream their
    input.
    """
    summary = [reasoning_summary] if isinstance(reasoning_summary, str) else reasoning_summary
    summary = [part for part in summary if part]
    calls = [_call_item(call) for call in tool_calls]
    items: list[Event] = []
    events = [ev_created(response_id, model), ev_in_progress(response_id, model)]
    if summary or reasoning_text:
        items.append(reasoning_item(summary, text=reasoning_text))
        events += _reasoning_events(items[-1], summary, reasoning_text)
    if text or refusal:
        items.append(message_item(text, refusal=refusal))
        events += _message_events(items[-1], len(items) - 1)
    for call in calls:
        items.append(call)
        events += _call_events(call, len(items) - 1)
    events.append(ev_completed(response_id, usage, output=items, model=model))
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def words_of(text: str) -> list[str]:
    """Text cut as models send it: a word with the space before it. Joined, the pieces give the text."""
    return re.findall(r"\s*\S+|\s+$", text)


def tokens_of(text: str) -> list[str]:
    """JSON and code cut as models send it: names and the marks between them. Joined, the pieces give the text."""
    return re.findall(r"\w+|\W+", text)


def _reasoning_events(item: Event, summary: Sequence[str], text: str) -> list[Event]:
    events = [ev_item_added(reasoning_item())]
    for number, part in enumerate(summary):
        place = {"item_id": item["id"], "output_index": 0, "summary_index": number}
        events.append(ev_reasoning_summary_part_added(number))
        events += [ev_reasoning_summary_delta(piece, number) for piece in words_of(part)]
        events.append({"type": "response.reasoning_summary_text.done", **place, "text": part})
        done = {"type": "summary_text", "text": part}
        events.append({"type": "response.reasoning_summary_part.done", **place, "part": done})
    if text:
        place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
        events += [ev_reasoning_text_delta(piece) for piece in words_of(text)]
        events.append({"type": "response.reasoning_text.done", **place, "text": text})
    return [*events, ev_item_done(item)]


def _message_events(item: Event, index: int) -> list[Event]:
    events = [ev_item_added(message_item(status="in_progress"), index)]
    for number, part in enumerate(item["content"]):
        place = {"item_id": item["id"], "output_index": index, "content_index": number}
        key, delta = _PARTS[part["type"]]
        events.append({"type": "response.content_part.added", **place, "part": {**part, key: ""}})
        events += [delta(piece, index, content_index=number) for piece in words_of(part[key])]
        events.append({"type": f"response.{part['type']}.done", **place, key: part[key]})
        events.append({"type": "response.content_part.done", **place, "part": part})
    return [*events, ev_item_done(item, index)]


def _call_item(call: ToolCall | Mapping[str, Any]) -> Event:
    return function_call_item(call.call_id, call.name, call.arguments) if isinstance(call, ToolCall) else dict(call)


def _call_events(item: Event, index: int) -> list[Event]:
    if item["type"] not in _INPUTS:
        return [ev_item_added(item, index), ev_item_done(item, index)]
    key, kind = _INPUTS[item["type"]]
    place = {"item_id": item["id"], "output_index": index}
    events = [ev_item_added({**item, "status": "in_progress", key: ""}, index)]
    events += [{"type": f"response.{kind}.delta", **place, "delta": piece} for piece in tokens_of(item[key])]
    events.append({"type": f"response.{kind}.done", **place, key: item[key]})
    return [*events, ev_item_done(item, index)]
