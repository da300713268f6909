"""What the helpers of OpenAI's clients add to an answer comes back in the history, and goes no further."""

from __future__ import annotations

from typing import Any

import pytest

from codex_client.bridge.requests import parse_chat_request, parse_responses_request
from codex_client.items import dump_item
from codex_client.model_provider import WireApi

BOTH = [WireApi.RESPONSES, WireApi.CHAT]
CALL = {"type": "function_call", "call_id": "call_1", "name": "get", "arguments": "{}", "status": "completed"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "1"}
TEXT = {"type": "output_text", "text": "Hi", "annotations": []}


@pytest.mark.parametrize("upstream", BOTH)
def test_items_of_responses_lose_what_was_parsed(upstream: WireApi) -> None:
    message = {"type": "message", "role": "assistant", "content": [{**TEXT, "parsed": None}]}
    body: Any = {"input": [message, {**CALL, "parsed_arguments": {"a": 1}}, OUTPUT]}
    first, second, _ = parse_responses_request(body, upstream=upstream).prompt.items
    assert dump_item(first)["content"] == [TEXT]
    assert dump_item(second) == CALL


def test_an_items_type_of_null_is_none() -> None:
    [item] = parse_responses_request({"input": [{"type": None, "role": "user", "content": "Hi"}]}).prompt.items
    assert item.type == "message"


def test_content_that_is_no_list_of_objects_is_left_to_the_items() -> None:
    body: Any = {"input": [{"type": "reasoning", "id": "rs_1", "summary": [], "content": ["odd"], "parsed": 1}]}
    [item] = parse_responses_request(body).prompt.items
    assert "parsed" not in dump_item(item)


@pytest.mark.parametrize("upstream", BOTH)
def test_messages_of_chat_lose_what_was_parsed(upstream: WireApi) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get", "arguments": "{}", "parsed_arguments": {}}}
    message = {
        "role": "assistant",
        "content": "Hi",
        "parsed": {"a": 1},
        "tool_calls": [{**call, "parsed_arguments": {}}],
    }
    answer = {"role": "tool", "tool_call_id": "call_1", "content": "1"}
    request = parse_chat_request({"messages": [message, answer]}, upstream=upstream)
    first, second, _ = request.prompt.items
    own_id = {"id": "messages[0]"} if upstream is WireApi.CHAT else {}
    assert dump_item(first) == {
        "type": "message",
        **own_id,
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Hi"}],
    }
    assert "parsed" not in repr(dump_item(second))
    assert request.ignored == ()
