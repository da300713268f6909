"""What the bridge encodes is the turn that it was given, streamed or whole, and OpenAI's own types take it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from codex_client.bridge.chat_chunks import finish_reason_of
from codex_client.bridge.completion import chat_completion
from codex_client.bridge.reasoning import CLOSING, OPENING, ReasoningFormat, split_think_tags
from codex_client.bridge.response import response_object
from codex_client.bridge.usage import known_tier
from codex_client.decode.chat import ChatDecoder
from codex_client.decode.responses import ResponsesDecoder
from codex_client.errors import IncompleteResponseError, StreamError
from codex_client.events import OutputItemAdded
from tests.support.bridged import (
    ALL_FORMATS,
    CREATED,
    MODEL,
    OWN_ID,
    Turn,
    asked,
    chat_chunks,
    decode_body,
    decode_chat,
    decode_responses,
    deltas,
    in_responses_terms,
    joined,
    responses_events,
)

each_capture = pytest.mark.each_capture("[cr][he][as][tp]*/*/*.sse")
# What OpenAI's types know of items, among all that servers send.
KNOWN_ITEMS = {"message", "reasoning", "function_call", "custom_tool_call"}


@cache
def stream_event_types() -> TypeAdapter[Any]:
    return TypeAdapter(ResponseStreamEvent)


def check_chat_stream(turn: Turn) -> None:
    source, decoded = turn.whole, decode_chat(chat_chunks(turn))
    whole = decoded.whole
    assert (whole.text, whole.refusal, whole.tool_calls) == (turn.text, turn.refusal, source.tool_calls)
    assert whole.reasoning_text == turn.reasoning
    check_end(turn, decoded)
    if turn.failure is None:
        assert (whole.token_usage, whole.service_tier) == (source.token_usage, known_tier(source.service_tier))
        assert whole.response_id == turn.told_id
        assert whole.finish_reason == ("tool_calls" if source.tool_calls else "stop")


def check_end(turn: Turn, decoded: Turn) -> None:
    failure = turn.failure
    if isinstance(failure, StreamError):
        # The server broke off; to the bridge's clients that is told.
        assert decoded.failure is not None
    else:
        assert type(decoded.failure) is type(failure)
    if isinstance(failure, IncompleteResponseError):
        assert isinstance(decoded.failure, IncompleteResponseError)
        assert finish_reason_of(decoded.failure) == finish_reason_of(failure)
        assert decoded.failure.token_usage == failure.token_usage


def check_chat_whole(turn: Turn) -> None:
    """W5: the message is the one that the chunks add up to, in every form of reasoning."""
    for form in ALL_FORMATS:
        chunks = chat_chunks(turn, asked(form))
        completion = chat_completion(turn.whole, model=MODEL, created=CREATED, response_id=OWN_ID, request=asked(form))
        message = completion["choices"][0]["message"]
        texts = {name: message[name] for name in ("content", "refusal", "reasoning_content") if message.get(name)}
        assert texts == joined(chunks)
        calls = [entry for delta in deltas(chunks) for entry in delta.get("tool_calls", ()) if "id" in entry]
        assert [call["id"] for call in message.get("tool_calls", ())] == [call["id"] for call in calls]
        assert [entry["index"] for entry in calls] == list(range(len(calls)))
    if turn.failure is None:
        given = chat_completion(turn.whole, model=MODEL, created=CREATED, response_id=OWN_ID)
        decoded = decode_body(ChatDecoder(), given)
        source = turn.whole
        assert (decoded.text, decoded.refusal, decoded.tool_calls) == (turn.text, turn.refusal, source.tool_calls)
        assert decoded.token_usage == source.token_usage


def check_chat_form(turn: Turn) -> None:
    """W1: one id, the role once and first."""
    chunks = [chunk for chunk in chat_chunks(turn) if "error" not in chunk]
    assert len({chunk["id"] for chunk in chunks}) <= 1
    assert ["role" in delta for delta in deltas(chunks)] == [True, *[False] * (len(deltas(chunks)) - 1)][: len(chunks)]


def check_think_tags(turn: Turn) -> None:
    """Where the model thinks first and then speaks, its tagged text comes apart again, and no tag is ever cut."""
    pieces = [
        piece
        for delta in deltas(chat_chunks(turn, asked(ReasoningFormat.THINK_TAGS)))
        if (piece := delta.get("content"))
    ]
    text = "".join(pieces)
    if "think>" in turn.whole.text or text.count(CLOSING) > 1:
        return
    assert sum(tag in piece for piece in pieces for tag in (OPENING, CLOSING)) == (2 if turn.reasoning else 0)
    assert split_think_tags(text) == (turn.reasoning, turn.text)


def check_responses(turn: Turn) -> None:
    source = in_responses_terms(turn.whole)
    events = responses_events(turn)
    decoded = decode_responses(events)
    whole = in_responses_terms(decoded.whole)
    check_end(turn, decoded)
    check_numbers(events)
    if turn.failure is not None:
        assert whole.items == source.items
        return
    source = replace(source, response_id=turn.told_id)
    assert whole == source
    told = replace(turn.whole, response_id=turn.told_id)
    given = response_object(told, model=MODEL, created=CREATED, response_id=OWN_ID)
    assert in_responses_terms(decode_body(ResponsesDecoder(), given)) == source
    assert given == events[-1]["response"] or made_up_differently(turn)


def made_up_differently(turn: Turn) -> bool:
    """Whether the stream's own ids, or its order, cannot be known from the whole: rotating ids, items in turns."""
    announced = [event.item.id for event in turn.events if isinstance(event, OutputItemAdded)]
    return announced != [item.id for item in turn.whole.items]


def check_numbers(events: list[dict[str, Any]]) -> None:
    """Sequence numbers, and the indexes of items and parts, have no gaps: clients keep them in lists."""
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    added = [event["output_index"] for event in events if event["type"] == "response.output_item.added"]
    assert added == list(range(len(added)))
    parts: Counter[tuple[str, int]] = Counter()
    for event in events:
        for kind, index in (("content_part", "content_index"), ("reasoning_summary_part", "summary_index")):
            if event["type"] == f"response.{kind}.added":
                place = (kind, event["output_index"])
                assert event[index] == parts[place]
                parts[place] += 1


def check_openai_types(turn: Turn) -> None:
    for chunk in chat_chunks(turn):
        if "error" not in chunk and not is_custom(chunk):
            ChatCompletionChunk.model_validate(chunk, strict=True)
    if any(item.type not in KNOWN_ITEMS for item in turn.whole.items):
        return
    completion = chat_completion(turn.whole, model=MODEL, created=CREATED, response_id=OWN_ID)
    ChatCompletion.model_validate(completion, strict=True)
    whole = response_object(turn.whole, model=MODEL, created=CREATED, response_id=OWN_ID)
    Response.model_validate(with_cache_writes(whole), strict=True)
    events = responses_events(turn)
    for event in events:
        if "response" in event:
            event = {**event, "response": with_cache_writes(event["response"])}
        if event["type"] == "response.failed":
            # The list of codes there is shorter than that of the codes that OpenAI's servers send.
            event = json.loads(json.dumps(event))
            event["response"]["error"]["code"] = "server_error"
        stream_event_types().validate_python(event, strict=True)


def with_cache_writes(response: dict[str, Any]) -> dict[str, Any]:
    """OpenAI's types demand this count, which is left out where no server told it."""
    if response["usage"] is None:
        return response
    details = {"cache_write_tokens": 0, **response["usage"]["input_tokens_details"]}
    return {**response, "usage": {**response["usage"], "input_tokens_details": details}}


def is_custom(chunk: dict[str, Any]) -> bool:
    """OpenAI streams calls of custom tools, its types for chunks do not know them."""
    return any(entry.get("custom") for delta in deltas([chunk]) for entry in delta.get("tool_calls", ()))


CHECKS = [
    check_chat_stream,
    check_chat_whole,
    check_chat_form,
    check_think_tags,
    check_responses,
    check_openai_types,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_fixture_crosses_the_bridge_unchanged(check: Any, fixture_turn: Turn) -> None:
    check(fixture_turn)


@each_capture
def test_a_recorded_stream_crosses_the_bridge_unchanged(captured_turn: Turn) -> None:
    for check in CHECKS:
        check(captured_turn)
