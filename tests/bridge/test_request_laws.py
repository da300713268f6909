"""Requests of any shape: parsed, or refused with a reason; and what is parsed can be built into the same body again."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st

from codex_client.bridge.requests import BridgedRequest, parse_chat_request, parse_responses_request
from codex_client.errors import CodexError, InvalidPayloadError
from codex_client.model_provider import ModelProviderInfo, WireApi
from codex_client.payload.chat import ChatPayloadBuilder
from codex_client.payload.responses import ResponsesPayloadBuilder

BUILDERS = {WireApi.CHAT: ChatPayloadBuilder, WireApi.RESPONSES: ResponsesPayloadBuilder}
PARSERS: dict[str, Callable[..., BridgedRequest]] = {"chat": parse_chat_request, "responses": parse_responses_request}

# From a few letters of every kind: the table of all there are takes seconds to make.
texts = st.text("aB0. <\n\0\x7fé漢😀\ud800", max_size=3)
leaves = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | texts
words = st.sampled_from(
    [
        "user",
        "assistant",
        "tool",
        "system",
        "text",
        "image_url",
        "file",
        "function",
        "custom",
        "message",
        "reasoning",
        "function_call",
        "auto",
        "none",
        "required",
        "function_call_output",
        "input_text",
        "output_text",
        "refusal",
        "json_schema",
        "allowed_tools",
        "c1",
        "f",
    ]
)
keys = st.sampled_from(
    [
        "type",
        "role",
        "content",
        "text",
        "image_url",
        "url",
        "file",
        "tool_calls",
        "tool_call_id",
        "id",
        "index",
        "function",
        "custom",
        "name",
        "arguments",
        "input",
        "output",
        "call_id",
        "summary",
        "parameters",
        "strict",
        "description",
        "format",
        "grammar",
        "tools",
        "mode",
        "refusal",
        "schema",
        "json_schema",
        "encrypted_content",
        "reasoning_details",
        "reasoning_content",
        "effort",
        "verbosity",
        "include_usage",
    ]
)
anything = st.recursive(
    leaves | words, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)
fields = st.sampled_from(
    [
        "messages",
        "input",
        "model",
        "instructions",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "reasoning",
        "reasoning_effort",
        "text",
        "stream",
        "n",
        "response_format",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "temperature",
        "top_p",
        "metadata",
        "store",
        "previous_response_id",
        "include",
        "background",
        "conversation",
        "prompt",
        "seed",
        "logprobs",
        "modalities",
        "functions",
        "user",
    ]
)
part = st.fixed_dictionaries({"type": words}, optional={"text": leaves, "image_url": anything, "file": anything})
message = st.fixed_dictionaries(
    {"role": words},
    optional={
        "content": texts | st.lists(part, max_size=2) | anything,
        "tool_calls": st.lists(st.fixed_dictionaries({"function": anything}, optional={"id": words}), max_size=2),
        "tool_call_id": words,
        "type": words,
    },
)
bodies = st.dictionaries(fields, anything, max_size=5) | st.builds(
    lambda some, listed: {**some, "messages": listed, "input": listed},
    st.dictionaries(fields, anything, max_size=3),
    st.lists(message | st.dictionaries(keys, anything, max_size=4), max_size=4),
)


def build(request: BridgedRequest, upstream: WireApi) -> dict[str, Any]:
    provider = ModelProviderInfo(name="plain", base_url="http://plain.example/v1", wire_api=upstream)
    return BUILDERS[upstream](model=request.prompt.model or "m", provider=provider).build(request.prompt)


@pytest.mark.parametrize("upstream", list(WireApi))
@pytest.mark.parametrize("api", PARSERS)
@given(body=bodies | anything)
def test_any_json_is_parsed_or_refused_and_stays_as_it_was(api: str, upstream: WireApi, body: Any) -> None:
    before = copy.deepcopy(body)
    try:
        request = PARSERS[api](body, upstream=upstream)
    except InvalidPayloadError as error:
        assert error.message
    else:
        try:
            build(request, upstream)
        except CodexError as error:
            assert error.message
    assert body == before


USER = {"role": "user", "content": "hi"}
CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}


@given(steps=st.lists(st.lists(st.sampled_from(["a", "a_2", "a_2_2", "b", ""]), min_size=1, max_size=3), max_size=4))
def test_whatever_ids_calls_have_each_gets_its_own_output(steps: list[list[str]]) -> None:
    history: list[dict[str, Any]] = [USER]
    earlier: list[Any] = []
    for number, ids in enumerate(steps):
        names = [f"f{number}_{place}" for place in range(len(ids))]
        calls = [{"id": own, "function": {"name": name}} for own, name in zip(ids, names, strict=True)]
        outputs = [{"role": "tool", "tool_call_id": own, "content": name} for own, name in zip(ids, names, strict=True)]
        history += [{"role": "assistant", "tool_calls": calls}, *outputs]
        items = build(parse_chat_request({"messages": history}), WireApi.RESPONSES)["input"]
        named = {item["call_id"]: item["name"] for item in items if item["type"] == "function_call"}
        told = {item["call_id"]: item["output"] for item in items if item["type"] == "function_call_output"}
        assert named == told
        assert len(named) == sum(map(len, steps[: number + 1]))
        assert items[: len(earlier)] == earlier
        earlier = items


SIGNED = [{"type": "reasoning.text", "text": "hm", "signature": "s"}]
SEEN = [
    {"type": "text", "text": "see", "cache_control": {"type": "ephemeral"}},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
    {"type": "file", "file": {"file_id": "f1"}},
    {"type": "video_url", "video_url": {"url": "https://a.example/v"}},
]
CHAT_BODY: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "S"},
        {"role": "user", "content": SEEN},
        {"role": "assistant", "content": "A picture."},
        {"role": "system", "content": "Now be brief."},
        {"role": "user", "content": "How many?", "name": "ann"},
        {**CALLED, "reasoning": "hm", "reasoning_details": SIGNED},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
    ],
    "stream": True,
    "stream_options": {"include_usage": True},
    "tools": [{"type": "function", "function": {"name": "f", "strict": False, "parameters": {"type": "object"}}},
              {"type": "custom", "custom": {"name": "g"}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "parallel_tool_calls": False,
    "reasoning_effort": "low",
    "verbosity": "low",
    "service_tier": "flex",
    "prompt_cache_key": "k",
    "max_tokens": 5,
    "temperature": 0.5,
    "top_p": 0.5,
    "metadata": {"a": "b"},
    "user": "u",
    "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}},
    "seed": 3,
    "stop": ["x"],
}  # fmt: skip
RESPONSES_BODY: dict[str, Any] = {
    "model": "m",
    "instructions": "S",
    "input": [
        {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "T"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": "https://a.example/i"}]},
        {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "42"},
        {"type": "hologram_call", "frames": [1]},
    ],
    "tools": [{"type": "function", "name": "f", "strict": True, "parameters": {"type": "object"}},
              {"type": "web_search", "search_context_size": "low"}],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
    "parallel_tool_calls": False,
    "reasoning": {"effort": "low", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "service_tier": "flex",
    "prompt_cache_key": "k",
    "text": {"format": {"type": "json_schema", "name": "s", "schema": {"type": "object"}}, "verbosity": "low"},
    "max_output_tokens": 5,
    "temperature": 0.5,
    "top_p": 0.5,
    "metadata": {"a": "b"},
    "truncation": "auto",
    "max_tool_calls": 2,
    "safety_identifier": "s",
}  # fmt: skip


@pytest.mark.parametrize("api, body", [("chat", CHAT_BODY), ("responses", RESPONSES_BODY)], ids=["chat", "responses"])
def test_a_request_for_a_server_of_its_own_api_is_built_into_itself(api: str, body: dict[str, Any]) -> None:
    upstream = WireApi(api)
    request = PARSERS[api](body, upstream=upstream)
    assert request.ignored == ()
    assert build(request, upstream) == body


def test_what_is_always_sent_is_added_and_nothing_else_changes() -> None:
    plain = {"model": "m", "messages": [USER]}
    assert build(parse_chat_request(plain, upstream=WireApi.CHAT), WireApi.CHAT) == {
        **plain,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    asked = {"model": "m", "input": "hi", "tools": [{"type": "function", "name": "f"}]}
    assert build(parse_responses_request(asked), WireApi.RESPONSES) == {
        "model": "m",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "store": False,
        "stream": True,
    }


SCHEMA = {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    "api, upstream, tool, sent",
    [
        # A Responses server takes silence for a wish to be strict, a Chat server for none.
        pytest.param("responses", "responses", {"strict": None}, {}, id="null_is_silence"),
        pytest.param("responses", "responses", {"strict": True}, {"strict": True}, id="strict"),
        pytest.param("responses", "responses", {"strict": False}, {"strict": False}, id="not_strict"),
        pytest.param("responses", "chat", {}, {"strict": False}, id="a_chat_server_has_no_such_wish"),
        pytest.param("chat", "responses", {}, {"strict": False}, id="from_chat"),
        pytest.param("chat", "responses", {"parameters": None}, {"strict": False}, id="null_parameters"),
        pytest.param("chat", "chat", {"name": "fs.read"}, {"name": "fs.read", "strict": False}, id="name_to_chat"),
        pytest.param("chat", "responses", {"name": "fs.read"}, {"name": "fs.read", "strict": False}, id="name"),
        pytest.param("responses", "responses", {"name": "fs.read"}, {"name": "fs.read"}, id="name_and_silence"),
    ],
)
def test_the_tools_that_are_sent_mean_what_was_said_of_them(
    api: str, upstream: str, tool: dict[str, Any], sent: dict[str, Any]
) -> None:
    body = {"name": "f", "parameters": SCHEMA, **tool}
    asked = {"messages": [USER], "tools": [{"type": "function", "function": body}]}
    if api == "responses":
        asked = {"input": "hi", "tools": [{"type": "function", **body}]}
    built = build(PARSERS[api]({"model": "m", **asked}, upstream=WireApi(upstream)), WireApi(upstream))["tools"]
    body = {"name": "f", "parameters": SCHEMA, **sent}
    assert built == [
        {"type": "function", **body} if upstream == "responses" else {"type": "function", "function": body}
    ]


def test_a_chat_request_for_a_responses_server_says_the_same_there() -> None:
    body = {
        "model": "m",
        "messages": [
            {"role": "system", "content": "S"},
            USER,
            CALLED,
            {"role": "tool", "tool_call_id": "c1", "content": "42"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": "required",
        "response_format": {"type": "json_object"},
    }
    assert build(parse_chat_request(body), WireApi.RESPONSES) == {
        "model": "m",
        "instructions": "S",
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "42"},
        ],
        "tools": [{"type": "function", "name": "f", "strict": False, "parameters": {"type": "object"}}],
        "tool_choice": "required",
        "parallel_tool_calls": True,
        "store": False,
        "stream": True,
        "text": {"format": {"type": "json_object"}},
    }


def test_a_responses_request_for_a_chat_server_says_the_same_there() -> None:
    body = {key: value for key, value in RESPONSES_BODY.items() if key in ("model", "instructions", "text")}
    items = [item for item in RESPONSES_BODY["input"] if item["type"].startswith("function")]
    tools = RESPONSES_BODY["tools"][:1]
    given = build(
        parse_responses_request({**body, "input": items, "tools": tools}, upstream=WireApi.CHAT),
        WireApi.CHAT,
    )
    assert given["messages"] == [
        {"role": "system", "content": "S"},
        CALLED,
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
    ]
    assert given["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "s", "schema": {"type": "object"}},
    }
    assert given["verbosity"] == "low"
    assert json.loads(json.dumps(given)) == given
