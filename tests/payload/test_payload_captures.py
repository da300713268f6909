"""What real servers answered goes back to them: decoded, answered and built, every history is accepted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codex_client.client.framer import SseFramer
from codex_client.decode.chat import ChatDecoder
from codex_client.decode.responses import ResponsesDecoder
from codex_client.errors import CodexError
from codex_client.events import OutputItemDone, ResponseEvent
from codex_client.items import (
    Compaction,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    Message,
    OtherItem,
    ResponseItem,
)
from codex_client.model_provider import built_in_providers
from codex_client.payload.chat import ChatPayloadBuilder
from codex_client.payload.encode import encode_payload
from codex_client.payload.responses import ResponsesPayloadBuilder
from codex_client.prompt import Prompt
from codex_client.testing.request_checker import check_chat_request, check_responses_request

PROVIDERS = [built_in_providers()[name] for name in ("openai", "openrouter", "deepseek", "vllm")]


def answered_items(capture: Path, decoder: ChatDecoder | ResponsesDecoder) -> list[ResponseItem]:
    """The items that the stream completed, and an output for each call."""
    events: list[ResponseEvent] = []
    try:
        for frame in SseFramer().feed(capture.read_bytes()):
            if not decoder.finished:
                events += decoder.feed(frame)
        events += [] if decoder.finished else decoder.feed_eof()
    except CodexError:
        pass  # A broken stream: what it completed before is history all the same.
    items = [event.item for event in events if isinstance(event, OutputItemDone)]
    return [*items, *(output for item in items for output in outputs_of(item))]


def outputs_of(item: ResponseItem) -> list[ResponseItem]:
    match item:
        case FunctionCall():
            return [FunctionCallOutput(call_id=item.call_id, output="1")]
        case CustomToolCall():
            return [CustomToolCallOutput(call_id=item.call_id, output="1")]
        case _:
            return []


def check_on_both_apis(items: list[ResponseItem]) -> None:
    prompt = Prompt([Message.user("hi"), *items])
    for provider in PROVIDERS:
        chat = ChatPayloadBuilder(model="m", provider=provider).build(prompt)
        check_chat_request(json.loads(encode_payload(chat)))
        responses = ResponsesPayloadBuilder(model="m", provider=provider).build(prompt)
        check_responses_request(json.loads(encode_payload(responses)))


@pytest.mark.each_capture("chat/**/*.sse")
def test_the_history_of_a_chat_stream_is_accepted_by_both_apis(capture: Path):
    check_on_both_apis(answered_items(capture, ChatDecoder()))


@pytest.mark.each_capture("responses/openai*/*.sse")
def test_the_history_of_a_responses_stream_is_accepted_by_both_apis(capture: Path):
    items = answered_items(capture, ResponsesDecoder())
    # Other items are the caller's to answer, and a compaction has no form on the Chat API.
    check_on_both_apis([item for item in items if not isinstance(item, OtherItem | Compaction)])
