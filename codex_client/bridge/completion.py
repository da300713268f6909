"""A whole turn as a Chat completion."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from codex_client.aggregate import CollectedResponse
from codex_client.bridge.chat_chunks import finish_reason_of
from codex_client.bridge.chat_deltas import ChatDelta, ChatDeltas
from codex_client.bridge.requests import NOTHING_ASKED, BridgedRequest
from codex_client.bridge.usage import chat_usage, known_tier
from codex_client.decode.wire import as_object
from codex_client.errors import IncompleteResponseError
from codex_client.events import OutputItemDone

_JOINED = ("content", "reasoning_content", "refusal")
_LISTS = ("annotations", "reasoning_details")


def chat_completion(
    response: CollectedResponse,
    *,
    model: str,
    created: int,
    response_id: str,
    request: BridgedRequest | None = None,
    error: IncompleteResponseError | None = None,
) -> dict[str, Any]:
    """The `chat.completion` object, with the message that the chunks of the same turn add up to.

    `model`, `created`, `request` and `response_id` as for `ChatChunks`. `error` is what ended a turn that was cut
    short, whose `.partial` this is.
    """
    deltas = ChatDeltas((request or NOTHING_ASKED).reasoning_format)
    given = [delta for index, item in enumerate(response.items) for delta in deltas.feed(OutputItemDone(item, index))]
    message = _message([*given, *deltas.end(cut_short=error is not None)])
    plain_end = "tool_calls" if deltas.called else "stop"
    usage, tier = response.token_usage, known_tier(response.service_tier)
    return {
        "id": response.response_id or response_id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": plain_end if error is None else finish_reason_of(error),
                "logprobs": None,
            }
        ],
        "usage": None if usage is None else chat_usage(usage),
        **({} if tier is None else {"service_tier": tier}),
    }


def _message(deltas: list[ChatDelta]) -> dict[str, Any]:
    texts: defaultdict[str, list[str]] = defaultdict(list)
    lists: defaultdict[str, list[Any]] = defaultdict(list)
    calls: list[dict[str, Any]] = []
    for delta in deltas:
        for name, value in delta.items():
            if name in _JOINED:
                texts[name].append(value)
            elif name in _LISTS:
                lists[name] += value
            else:
                _add_calls(calls, value)
    joined = {name: "".join(pieces) for name, pieces in texts.items()}
    message = {"role": "assistant", "content": None, "refusal": None, **joined, **lists}
    return {**message, "tool_calls": calls} if calls else message


def _add_calls(calls: list[dict[str, Any]], entries: list[dict[str, Any]]) -> None:
    for entry in entries:
        if "id" in entry:
            calls.append({name: value for name, value in entry.items() if name != "index"})
            continue
        call = calls[int(entry["index"])]
        named, piece = as_object(call[call["type"]]), as_object(entry[call["type"]])
        named.update({name: named[name] + text for name, text in piece.items()})
