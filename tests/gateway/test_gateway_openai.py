"""The gateway under a client that nobody here wrote: openai-python, both of its faces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from anyio import to_thread
from pydantic import BaseModel

from codex_client.aggregate import ToolCall
from codex_client.gateway import GatewayConfig
from codex_client.testing import ReplayServer, Reply, ev_created, ev_failed, ev_text_delta, responses_turn, sse
from tests.support.gateways import gateway_over, served

KEY = "a-key-for-tests"
WEATHER = ToolCall("call_1", "get_weather", '{"city": "Oslo"}')
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
USER: Any = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """uvicorn knows no other loop."""
    return "asyncio"


@asynccontextmanager
async def clients(*script: Any) -> AsyncIterator[tuple[openai.AsyncOpenAI, openai.OpenAI, ReplayServer]]:
    async with (
        ReplayServer(list(script)) as upstream,
        gateway_over(upstream, config=GatewayConfig(keys=(KEY,))) as app,
        served(app) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client,
    ):
        with openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as sync:
            yield client, sync, upstream


async def test_a_chat_completion_whole_and_streamed() -> None:
    turn = sse(responses_turn("Hi there", reasoning_summary="They greet."))
    async with clients(turn, turn) as (client, _, _):
        whole = await client.chat.completions.create(model="gpt-5", messages=USER)
        pieces = await client.chat.completions.create(
            model="gpt-5", messages=USER, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in pieces]
    assert whole.choices[0].message.content == "Hi there"
    assert whole.choices[0].finish_reason == "stop"
    assert (whole.choices[0].message.model_extra or {})["reasoning_content"] == "They greet."
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == "Hi there"
    assert "".join((delta.model_extra or {}).get("reasoning_content") or "" for delta in deltas) == "They greet."
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].usage == whole.usage


async def test_a_response_whole_and_streamed() -> None:
    turn = sse(responses_turn("Hi there"))
    async with clients(turn, turn) as (client, _, _):
        whole = await client.responses.create(model="gpt-5", input="Hello")
        async with client.responses.stream(model="gpt-5", input="Hello") as stream:
            kinds = [event.type async for event in stream]
            streamed = await stream.get_final_response()
    assert whole.output_text == streamed.output_text == "Hi there"
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")


async def test_calls_of_tools_and_their_results() -> None:
    call = sse(responses_turn(tool_calls=[WEATHER]))
    tool: Any = {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}
    async with clients(call, call, sse(responses_turn("4 degrees"))) as (client, _, upstream):
        asked = await client.chat.completions.create(model="gpt-5", messages=USER, tools=[tool])
        async with client.chat.completions.stream(model="gpt-5", messages=USER, tools=[tool]) as stream:
            streamed = await stream.get_final_completion()
        [wanted] = asked.choices[0].message.tool_calls or []
        assert wanted.type == "function"
        answer: Any = {"role": "tool", "tool_call_id": wanted.id, "content": "4"}
        history: Any = [*USER, asked.choices[0].message.model_dump(exclude_none=True), answer]
        last = await client.chat.completions.create(model="gpt-5", messages=history, tools=[tool])
    assert (wanted.function.name, wanted.function.arguments) == ("get_weather", WEATHER.arguments)
    assert asked.choices[0].finish_reason == "tool_calls"
    [again] = streamed.choices[0].message.tool_calls or []
    assert (again.id, again.function.arguments) == ("call_1", WEATHER.arguments)
    assert last.choices[0].message.content == "4 degrees"
    sent = upstream.requests[-1].json()["input"]
    assert [item["type"] for item in sent] == ["message", "function_call", "function_call_output"]


class City(BaseModel):
    name: str


async def test_structured_output_of_both_apis() -> None:
    turn = sse(responses_turn('{"name": "Oslo"}'))
    async with clients(turn, turn) as (client, _, upstream):
        chat = await client.chat.completions.parse(model="gpt-5", messages=USER, response_format=City)
        response = await client.responses.parse(model="gpt-5", input="Hello", text_format=City)
    assert chat.choices[0].message.parsed == response.output_parsed == City(name="Oslo")
    for request in upstream.requests:
        assert request.json()["text"]["format"]["type"] == "json_schema"


async def test_errors_are_the_clients_own_with_their_facts() -> None:
    limit = Reply.error(429, "slow down", headers={"retry-after": "3"})
    failed = sse([ev_created(), ev_text_delta("The"), ev_failed("server_is_overloaded", "busy")])
    async with clients(limit, failed) as (client, _, _):
        with pytest.raises(openai.RateLimitError) as limited:
            await client.chat.completions.create(model="gpt-5", messages=USER)
        assert (limited.value.response.headers["retry-after"], limited.value.code) == ("3", "rate_limit_exceeded")
        stream = await client.chat.completions.create(model="gpt-5", messages=USER, stream=True)
        with pytest.raises(openai.APIError, match="busy"):
            async for _chunk in stream:
                pass
        with pytest.raises(openai.AuthenticationError):
            await client.with_options(api_key="another-key").responses.create(model="gpt-5", input="Hello")
        with pytest.raises(openai.BadRequestError, match="messages"):
            await client.chat.completions.create(model="gpt-5", messages=[])


async def test_its_synchronous_face() -> None:
    turn = sse(responses_turn("Hi there"))
    async with clients(turn, turn) as (_, client, _):

        def ask() -> tuple[str | None, str]:
            whole = client.responses.create(model="gpt-5", input="Hello").output_text
            chunks = client.chat.completions.create(model="gpt-5", messages=USER, stream=True)
            return whole, "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

        assert await to_thread.run_sync(ask) == ("Hi there", "Hi there")


async def test_the_models_that_the_provider_lists() -> None:
    listed = Reply.from_json({"object": "list", "data": [{"id": "gpt-5"}, {"id": "org/model-7"}]})
    async with clients(listed) as (client, _, upstream):
        assert [model.id async for model in client.models.list()] == ["gpt-5", "org/model-7"]
        assert (await client.models.retrieve("org/model-7")).id == "org/model-7"
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("gpt-1")
    assert len(upstream.requests) == 1
