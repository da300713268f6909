"""Whole turns: what the builders make is what the library reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from codex_client.aggregate import ToolCall
from codex_client.client.config import ClientConfig
from codex_client.model_provider import WireApi
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import (
    ReplayServer,
    Reply,
    chat_chunk,
    chat_tool_call,
    chat_turn,
    custom_tool_call_item,
    responses_turn,
)
from codex_client.testing.builders import DEFAULT_USAGE
from codex_client.testing.turns import tokens_of, words_of

CALLS = [ToolCall("call_1", "add", '{"a":1,"b":2}'), ToolCall("call_2", "now", "{}")]


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """The types in order, repetitions folded."""
    types = [event["type"] for event in events]
    return [kind for number, kind in enumerate(types) if number == 0 or types[number - 1] != kind]


def test_a_full_turn_comes_in_the_order_of_the_api():
    events = responses_turn("One two.", reasoning_summary=["Plan it.", "Do it."], tool_calls=CALLS[:1])
    assert kinds(events) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        *[
            "response.reasoning_summary_part.added",
            "response.reasoning_summary_text.delta",
            "response.reasoning_summary_text.done",
            "response.reasoning_summary_part.done",
        ]
        * 2,
        "response.output_item.done",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_items_begin_empty_and_end_whole_and_are_repeated_in_completed():
    events = responses_turn("Hi", reasoning_summary="S", reasoning_text="R", tool_calls=CALLS)
    added = [event["item"] for event in events if event["type"] == "response.output_item.added"]
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert [(item["type"], item.get("content"), item.get("arguments")) for item in added] == [
        ("reasoning", None, None),
        ("message", [], None),
        ("function_call", None, ""),
        ("function_call", None, ""),
    ]
    assert events[-1]["response"]["output"] == done
    assert [event["output_index"] for event in events if event["type"] == "response.output_item.done"] == [0, 1, 2, 3]


def test_custom_calls_stream_their_input_and_other_items_come_whole():
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    events = responses_turn(tool_calls=[custom_tool_call_item("call_1", "sh", "ls -l"), search])
    deltas = [event["delta"] for event in events if event["type"] == "response.custom_tool_call_input.delta"]
    assert "".join(deltas) == "ls -l"
    assert [event["item"] for event in events if event.get("output_index") == 1] == [search, search]


def test_a_turn_of_nothing_is_the_handshake_and_the_end():
    assert kinds(responses_turn()) == ["response.created", "response.in_progress", "response.completed"]
    assert responses_turn(reasoning_summary="") == responses_turn()


def test_a_refusal_streams_as_one():
    events = responses_turn(refusal="I cannot.")
    assert "".join(event["delta"] for event in events if event["type"] == "response.refusal.delta") == "I cannot."
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": "I cannot."}]


def test_chat_chunks_leave_out_what_is_not_given():
    assert chat_chunk("Hi", role="assistant")["choices"] == [
        {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}
    ]
    assert chat_chunk(reasoning="why", reasoning_key="reasoning")["choices"][0]["delta"] == {"reasoning": "why"}
    assert chat_chunk(finish_reason="stop", index=1)["choices"] == [{"index": 1, "delta": {}, "finish_reason": "stop"}]
    assert chat_chunk("", provider="p")["provider"] == "p"


def test_a_chunk_with_only_a_usage_has_no_choices():
    assert chat_chunk(usage={"prompt_tokens": 1}) == {
        **chat_chunk("x"),
        "choices": [],
        "usage": {"prompt_tokens": 1},
    }
    assert chat_chunk("x", usage={"prompt_tokens": 1})["choices"] != []


@pytest.mark.parametrize(
    "delta, expected",
    [
        (
            chat_tool_call("", call_id="c", name="f"),
            {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}},
        ),
        (chat_tool_call("{}", index=2), {"index": 2, "function": {"arguments": "{}"}}),
        (
            chat_tool_call("{}", index=None, call_id="c"),
            {"id": "c", "type": "function", "function": {"arguments": "{}"}},
        ),
        (chat_tool_call(name="f"), {"index": 0, "type": "function", "function": {"name": "f"}}),
    ],
)
def test_a_tool_call_delta_has_the_fields_given(delta: dict[str, Any], expected: dict[str, Any]):
    assert delta == expected


def test_a_chat_turn_comes_in_order_with_the_usage_last():
    chunks = chat_turn("One two.", reasoning="Hm.", tool_calls=CALLS[:1], response_id="chatcmpl-9", model="m")
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert [next(iter(delta), "end") for delta in deltas] == [
        "role",
        "reasoning_content",
        "content",
        "content",
        *["tool_calls"] * 10,
        "end",
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[-2:-1]] == ["tool_calls"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {
        "prompt_tokens": 42,
        "completion_tokens": 23,
        "total_tokens": 65,
        "prompt_tokens_details": {"cached_tokens": 16, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 8,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
    assert {(chunk["id"], chunk["model"]) for chunk in chunks} == {("chatcmpl-9", "m")}


def test_a_chat_turn_stops_by_default_and_may_go_without_usage():
    chunks = chat_turn("Hi", usage=None)
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, "stop"]
    assert chat_turn("Hi", finish_reason="length", usage=None)[-1]["choices"][0]["finish_reason"] == "length"


@given(st.text())
def test_the_pieces_of_a_text_join_to_the_text(text: str):
    assert "".join(words_of(text)) == text
    assert "".join(tokens_of(text)) == text
    assert all(words_of(text) + tokens_of(text))


@pytest.mark.parametrize("wire_api", list(WireApi))
async def test_the_clients_read_from_a_turn_what_was_put_in(wire_api: WireApi):
    parts: dict[str, Any] = {"refusal": "But no.", "tool_calls": CALLS, "response_id": "id_7"}
    events = (
        responses_turn("One two.", reasoning_text="Hm, well.", **parts)
        if wire_api is WireApi.RESPONSES
        else chat_turn("One two.", reasoning="Hm, well.", **parts)
    )
    reply = Reply.from_events(events, done=wire_api is WireApi.CHAT)
    async with (
        ReplayServer([reply], strict=True) as server,
        RoutedApiClient(ClientConfig(provider=server.provider(wire_api), model="m", auth="sk-test")) as client,
    ):
        response = await client.collect(Prompt("Hi"))
    server.assert_complete()
    assert (response.response_id, response.text, response.refusal) == ("id_7", "One two.", "But no.")
    assert (response.reasoning_text, response.tool_calls) == ("Hm, well.", CALLS)
    assert response.token_usage == DEFAULT_USAGE
