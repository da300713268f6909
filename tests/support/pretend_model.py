"""A model that does what the last user message tells it, over both APIs: so that clients need no order to ask in.

| the message says | what it does                                                                                   |
|------------------|------------------------------------------------------------------------------------------------|
| say WORDS        | answers with the words                                                                         |
| think            | thinks visibly, then answers                                                                   |
| weather          | calls `get_weather`; when it has the output, tells it                                          |
| both             | calls `get_weather` for two cities at once; when it has the outputs, tells them                |
| patch            | calls the free-form tool `apply_patch`; when it has the output, tells it                       |
| json             | an object, where a schema was asked for                                                        |
| images           | how many it has been shown, and the kinds of their addresses                                   |
| who              | the instructions that it has been given                                                        |
| refuse           | refuses                                                                                        |
| cut              | a few words, then the limit on output is reached                                               |
| break            | a few words, then an error in the stream                                                       |
| stall            | a few words, then nothing more                                                                 |
| wait             | nothing at all, not even a status                                                              |
| bad, busy, limit | status 400, 503, 429                                                                           |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from codex_client.aggregate import ToolCall
from codex_client.model_provider import WireApi
from codex_client.testing import (
    Reply,
    Stall,
    chat_chunk,
    chat_turn,
    ev_created,
    ev_failed,
    ev_incomplete,
    ev_item_added,
    ev_text_delta,
    message_item,
    responses_turn,
    sse,
)
from codex_client.testing.builders import custom_tool_call_item

STREAM = {"content-type": "text/event-stream"}
SAID = "The sky is"
"""The few words."""
PATCH = "*** Begin Patch\n*** End Patch"
_CITIES = {"weather": ["Oslo"], "both": ["Oslo", "Rome"]}
_BAD = {
    "error": {
        "message": "the input is not like this",
        "type": "invalid_request_error",
        "param": "input[0]",
        "code": "invalid_value",
    }
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request of either API. `outputs`: what tools gave since the last user message."""

    text: str
    outputs: tuple[str, ...]
    images: tuple[str, ...]
    instructions: str
    tools: tuple[str, ...]
    has_schema: bool


def asked_of(body: dict[str, Any], wire_api: WireApi) -> Asked:
    return _asked_of_chat(body) if wire_api is WireApi.CHAT else _asked_of_responses(body)


def act(body: dict[str, Any], wire_api: WireApi) -> Reply:
    """The answer to a request."""
    asked = asked_of(body, wire_api)
    command, _, rest = asked.text.partition(" ")
    match command:
        case "say":
            return _told(wire_api, rest)
        case "think":
            return _told(wire_api, "It is so.", thought="Let me think.")
        case "weather" | "both" | "patch" if asked.outputs:
            return _told(wire_api, " and ".join(asked.outputs))
        case "weather" | "both":
            assert "get_weather" in asked.tools, asked.tools
            return _called(wire_api, _CITIES[command])
        case "patch":
            assert "apply_patch" in asked.tools, asked.tools
            return _patched(wire_api)
        case "json":
            return _told(wire_api, '{"name": "Oslo", "people": 700000}') if asked.has_schema else Reply.error(400)
        case "images":
            return _told(wire_api, f"{len(asked.images)}: {', '.join(asked.images)}")
        case "who":
            return _told(wire_api, asked.instructions)
        case "refuse":
            return _told(wire_api, "", refusal="I will not do that.")
        case "cut" | "break" | "stall":
            return _ended_early(wire_api, command)
        case "wait":
            return Reply(before_head=[Stall()])
        case "bad":
            return Reply.from_json(_BAD, status=400)
        case "busy":
            return Reply.error(503, "busy")
        case "limit":
            return Reply.error(429, "slow down", headers={"retry-after": "3"})
        case _:
            raise AssertionError(f"the model was told {asked.text!r}")


def _told(wire_api: WireApi, text: str, *, thought: str = "", refusal: str = "") -> Reply:
    if wire_api is WireApi.CHAT:
        return _stream(wire_api, chat_turn(text, reasoning=thought, refusal=refusal))
    return _stream(wire_api, responses_turn(text, reasoning_summary=thought, refusal=refusal))


def _called(wire_api: WireApi, cities: Sequence[str]) -> Reply:
    calls = [ToolCall(f"call_{city}", "get_weather", f'{{"city": "{city}"}}') for city in cities]
    return _stream(
        wire_api, chat_turn(tool_calls=calls) if wire_api is WireApi.CHAT else responses_turn(tool_calls=calls)
    )


def _patched(wire_api: WireApi) -> Reply:
    if wire_api is WireApi.RESPONSES:
        return _stream(wire_api, responses_turn(tool_calls=[custom_tool_call_item("call_patch", "apply_patch", PATCH)]))
    head = {"index": 0, "id": "call_patch", "type": "custom", "custom": {"name": "apply_patch", "input": ""}}
    piece = {"index": 0, "custom": {"input": PATCH}}
    chunks = [chat_chunk("", role="assistant"), chat_chunk(tool_calls=[head]), chat_chunk(tool_calls=[piece])]
    return _stream(wire_api, [*chunks, chat_chunk(finish_reason="tool_calls")])


def _ended_early(wire_api: WireApi, how: str) -> Reply:
    """Some words, then a limit, an error or nothing."""
    if wire_api is WireApi.CHAT:
        start = [chat_chunk("", role="assistant"), chat_chunk(SAID)]
        last: Any = chat_chunk(finish_reason="length")
        error: Any = {"error": {"message": "the model fell over", "type": "server_error", "code": "server_error"}}
    else:
        item = message_item(status="in_progress")
        start = [ev_created(), ev_item_added(item), ev_text_delta(SAID)]
        last, error = ev_incomplete("max_output_tokens"), ev_failed("server_error", "the model fell over")
    if how == "stall":
        return Reply(body=[sse(start), Stall()], headers=STREAM)
    return _stream(wire_api, [*start, last if how == "cut" else error])


def _stream(wire_api: WireApi, events: Iterable[Any]) -> Reply:
    return Reply.from_events(events, done=wire_api is WireApi.CHAT)


def _asked_of_responses(body: dict[str, Any]) -> Asked:
    items = body["input"]
    last = max(at for at, item in enumerate(items) if item.get("role") == "user")
    told = [item["content"] for item in items if item.get("role") in ("system", "developer")]
    images = [part for item in items for part in _parts(item.get("content")) if part["type"] == "input_image"]
    return Asked(
        text=_text(items[last]["content"]),
        outputs=tuple(_text(item["output"]) for item in items[last:] if str(item["type"]).endswith("_call_output")),
        images=tuple(_scheme(part["image_url"]) for part in images),
        instructions=" | ".join([body.get("instructions") or "", *map(_text, told)]).strip(" |"),
        tools=tuple(tool.get("name", "") for tool in body.get("tools", ())),
        has_schema=(body.get("text") or {}).get("format", {}).get("type") == "json_schema",
    )


def _asked_of_chat(body: dict[str, Any]) -> Asked:
    messages = body["messages"]
    last = max(at for at, message in enumerate(messages) if message["role"] == "user")
    told = [message["content"] for message in messages if message["role"] in ("system", "developer")]
    images = [part for each in messages for part in _parts(each.get("content")) if part["type"] == "image_url"]
    return Asked(
        text=_text(messages[last]["content"]),
        outputs=tuple(_text(message["content"]) for message in messages[last:] if message["role"] == "tool"),
        images=tuple(_scheme(part["image_url"]["url"]) for part in images),
        instructions=" | ".join(map(_text, told)),
        tools=tuple(tool[tool["type"]]["name"] for tool in body.get("tools", ())),
        has_schema=(body.get("response_format") or {}).get("type") == "json_schema",
    )


def _parts(content: Any) -> list[dict[str, Any]]:
    return content if isinstance(content, list) else []


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _scheme(url: str) -> str:
    return url.partition(":")[0]
