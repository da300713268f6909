"""The gateway under a client that nobody here wrote: openai-python, both of its faces, over both kinds of provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest
from anyio import to_thread
from openai.lib.streaming.chat import ChunkEvent
from pydantic import BaseModel

from codex_client.testing import AccountServer
from tests.support.pretend_model import PATCH, SAID
from tests.support.running_gateway import KEY, KINDS, MODELS, THOUGHTS, Kind, RunningGateway, running_gateway

MODEL = MODELS[0]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION: Any = {"name": "get_weather", "description": "The weather of a city.", "parameters": PARAMETERS}
CHAT_TOOL: Any = {"type": "function", "function": FUNCTION}
TOOL: Any = {"type": "function", **FUNCTION}
# Nobody here looks at it.
DOT = "data:image/png;base64,iVBORw0KGgo="


class City(BaseModel):
    name: str
    people: int


OSLO = City(name="Oslo", people=700000)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Its streams leave generators open, which asyncio closes by itself and trio complains of."""
    return "asyncio"


@pytest.fixture(scope="module", params=KINDS)
def gateway(request: pytest.FixtureRequest) -> Iterator[RunningGateway]:
    """One for all tests that leave its accounts as they were."""
    with running_gateway(request.param) as running:
        yield running


@pytest.fixture
def accounts() -> Iterator[tuple[AccountServer, openai.OpenAI]]:
    """A gateway of its own over two ChatGPT accounts, and a client of it."""
    with running_gateway("chatgpt") as gateway, client_of(gateway) as client:
        assert isinstance(gateway.upstream, AccountServer)
        yield gateway.upstream, client


@contextmanager
def client_of(gateway: RunningGateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gateway.url, api_key=KEY, max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
def client(gateway: RunningGateway) -> Iterator[openai.OpenAI]:
    with client_of(gateway) as client:
        yield client


@pytest.fixture
async def async_client(gateway: RunningGateway) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=gateway.url, api_key=KEY, max_retries=0, timeout=30) as client:
        yield client


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def plain(value: Any) -> Any:
    """As JSON, without what the client itself has parsed."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump(exclude_unset=True))
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items() if not name.startswith("parsed")}
    return [plain(each) for each in value] if isinstance(value, list) else value


def test_chat_streamed_and_whole_is_one_message(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=user("say Hi there, you two"))
    asked: Any = {"model": MODEL, "messages": user("say Hi there, you two"), "stream_options": {"include_usage": True}}
    chunks = list(client.chat.completions.create(**asked, stream=True))
    with client.chat.completions.stream(**asked) as stream:
        events = list(stream)
        final = stream.get_final_completion()
    assert whole.choices[0].message.content == "Hi there, you two"
    assert (whole.choices[0].finish_reason, whole.model) == ("stop", MODEL)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert [delta.content for delta in deltas if delta.content] == ["Hi", " there,", " you", " two"]
    assert [delta.role for delta in deltas if delta.role] == ["assistant"]
    assert {(chunk.id, chunk.created, chunk.model) for chunk in chunks} == {(chunks[0].id, chunks[0].created, MODEL)}
    assert chunks[-1].choices == []
    assert whole.usage is not None
    assert chunks[-1].usage == final.usage == whole.usage
    assert whole.usage.prompt_tokens_details is not None
    assert whole.usage.prompt_tokens_details.cached_tokens is not None
    assert final.choices[0].message.content == whole.choices[0].message.content
    assert sum(isinstance(event, ChunkEvent) for event in events) == len(chunks)


def test_without_the_wish_for_usage_no_chunk_is_without_a_choice(client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(model=MODEL, messages=user("say Hi"), stream=True))
    assert [len(chunk.choices) for chunk in chunks] == [1] * len(chunks)
    assert not [chunk.usage for chunk in chunks if chunk.usage]


def test_a_response_streamed_and_whole_is_one_response(client: openai.OpenAI) -> None:
    whole = client.responses.create(model=MODEL, input="say Hi there", instructions="Be kind.")
    wire = list(client.responses.create(model=MODEL, input="say Hi there", stream=True))
    with client.responses.stream(model=MODEL, input="say Hi there", instructions="Be kind.") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert whole.output_text == final.output_text == "Hi there"
    assert (whole.status, whole.model, whole.instructions) == ("completed", MODEL, "Be kind.")
    assert whole.usage == final.usage
    assert whole.usage is not None
    assert [event.type for event in wire] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in wire] == list(range(10))
    assert [event.type for event in events] == [event.type for event in wire]
    assert plain(final.output) == plain(whole.output)


def test_tools_of_chat_in_two_turns(client: openai.OpenAI) -> None:
    asked: Any = {"model": MODEL, "tools": [CHAT_TOOL], "parallel_tool_calls": True}
    first = client.chat.completions.create(messages=user("both"), **asked)
    with client.chat.completions.stream(messages=user("both"), **asked) as stream:
        streamed = stream.get_final_completion()
    calls = first.choices[0].message.tool_calls or []
    assert [(call.id, call.function.name, call.function.arguments) for call in calls if call.type == "function"] == [
        ("call_Oslo", "get_weather", '{"city": "Oslo"}'),
        ("call_Rome", "get_weather", '{"city": "Rome"}'),
    ]
    assert first.choices[0].finish_reason == streamed.choices[0].finish_reason == "tool_calls"
    again = plain(streamed.choices[0].message.tool_calls)
    assert [{name: value for name, value in call.items() if name != "index"} for call in again] == plain(calls)
    outputs: Any = [
        {"role": "tool", "tool_call_id": call.id, "content": f"{at} degrees"} for at, call in enumerate(calls)
    ]
    history: Any = [*user("both"), first.choices[0].message, *outputs]
    second = client.chat.completions.create(messages=history, **asked)
    assert second.choices[0].message.content == "0 degrees and 1 degrees"


def test_tools_of_responses_in_two_turns(client: openai.OpenAI) -> None:
    first = client.responses.create(model=MODEL, input="weather", tools=[TOOL])
    with client.responses.stream(model=MODEL, input="weather", tools=[TOOL]) as stream:
        kinds = [event.type for event in stream]
        streamed = stream.get_final_response()
    [call] = [item for item in first.output if item.type == "function_call"]
    assert (call.call_id, call.name, call.arguments) == ("call_Oslo", "get_weather", '{"city": "Oslo"}')
    assert kinds.count("response.function_call_arguments.done") == 1
    assert [item.type for item in streamed.output] == [item.type for item in first.output]
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "4 degrees"}
    history: Any = [*user("weather"), *first.output, output]
    second = client.responses.create(model=MODEL, input=history, tools=[TOOL])
    assert second.output_text == "4 degrees"


def test_free_form_tools_of_both_apis(client: openai.OpenAI, gateway: RunningGateway) -> None:
    tool: Any = {"type": "custom", "name": "apply_patch", "description": "Change files."}
    chat_tool: Any = {"type": "custom", "custom": {"name": "apply_patch", "description": "Change files."}}
    if gateway.kind == "chat":
        with pytest.raises(openai.BadRequestError, match="no form for a tool of type 'custom'"):
            client.responses.create(model=MODEL, input="patch", tools=[tool])
        return
    response = client.responses.create(model=MODEL, input="patch", tools=[tool])
    [call] = [item for item in response.output if item.type == "custom_tool_call"]
    assert (call.name, call.input) == ("apply_patch", PATCH)
    output: Any = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "done"}
    history: Any = [*user("patch"), *response.output, output]
    assert client.responses.create(model=MODEL, input=history, tools=[tool]).output_text == "done"
    chat = client.chat.completions.create(model=MODEL, messages=user("patch"), tools=[chat_tool])
    [wanted] = chat.choices[0].message.tool_calls or []
    assert wanted.type == "custom"
    assert (wanted.custom.name, wanted.custom.input) == ("apply_patch", PATCH)
    told: Any = {"role": "tool", "tool_call_id": wanted.id, "content": "done"}
    messages: Any = [*user("patch"), chat.choices[0].message, told]
    answered = client.chat.completions.create(model=MODEL, messages=messages, tools=[chat_tool])
    assert answered.choices[0].message.content == "done"


def test_structured_output_of_both_apis(client: openai.OpenAI) -> None:
    chat = client.chat.completions.parse(model=MODEL, messages=user("json"), response_format=City)
    response = client.responses.parse(model=MODEL, input="json", text_format=City)
    assert chat.choices[0].message.parsed == response.output_parsed == OSLO
    with client.chat.completions.stream(model=MODEL, messages=user("json"), response_format=City) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == OSLO
    with client.responses.stream(model=MODEL, input="json", text_format=City) as events:
        assert events.get_final_response().output_parsed == OSLO


def test_tools_made_of_models_are_parsed(client: openai.OpenAI) -> None:
    class GetWeather(BaseModel):
        city: str

    tool = openai.pydantic_function_tool(GetWeather, name="get_weather")
    chat = client.chat.completions.parse(model=MODEL, messages=user("weather"), tools=[tool])
    [call] = chat.choices[0].message.tool_calls or []
    assert call.function.parsed_arguments == GetWeather(city="Oslo")


def test_images_reach_the_model(client: openai.OpenAI) -> None:
    parts: Any = [
        {"type": "text", "text": "images"},
        {"type": "image_url", "image_url": {"url": DOT, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.test/a.png"}},
    ]
    chat = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])
    assert chat.choices[0].message.content == "2: data, https"
    content: Any = [
        {"type": "input_text", "text": "images"},
        {"type": "input_image", "image_url": DOT, "detail": "low"},
    ]
    response = client.responses.create(model=MODEL, input=[{"role": "user", "content": content}])
    assert response.output_text == "1: data"


def test_system_and_developer_messages_keep_their_meaning(client: openai.OpenAI) -> None:
    messages: Any = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": "Be kind."},
        *user("who"),
    ]
    chat = client.chat.completions.create(model=MODEL, messages=messages)
    assert chat.choices[0].message.content in ("Be brief. | Be kind.", "Be brief.\n\nBe kind.")
    response = client.responses.create(model=MODEL, input=messages[1:], instructions="Be brief.")
    assert response.output_text == "Be brief. | Be kind."


def test_reasoning_is_shown_and_taken_back(client: openai.OpenAI, gateway: RunningGateway) -> None:
    thought = THOUGHTS[gateway.kind]
    asked: Any = {"model": MODEL, "reasoning": {"effort": "high", "summary": "auto"}, "store": False}
    asked["include"] = ["reasoning.encrypted_content"]
    response = client.responses.create(input="think", **asked)
    reasoning = [item for item in response.output if item.type == "reasoning"]
    assert len(reasoning) == 1
    said = [part.text for part in reasoning[0].summary] or [part.text for part in reasoning[0].content or ()]
    assert said == [thought]
    with client.responses.stream(input="think", **asked) as stream:
        again = stream.get_final_response()
    assert [item.type for item in again.output] == [item.type for item in response.output] == ["reasoning", "message"]
    history: Any = [*user("think"), *response.output, *user("say And so?")]
    assert client.responses.create(input=history, **asked).output_text == "And so?"
    if gateway.kind == "chatgpt":
        assert [item["encrypted_content"] for item in gateway.turns[-1]["input"] if item["type"] == "reasoning"] == [
            reasoning[0].encrypted_content
        ]
        assert gateway.turns[-1]["reasoning"] == {"effort": "high", "summary": "auto"}


def test_reasoning_of_chat_stands_beside_the_text(client: openai.OpenAI, gateway: RunningGateway) -> None:
    thought = THOUGHTS[gateway.kind]
    chat = client.chat.completions.create(model=MODEL, messages=user("think"), reasoning_effort="low")
    message: Any = chat.choices[0].message
    assert (message.content, message.reasoning_content) == ("It is so.", thought)
    chunks = list(
        client.chat.completions.create(model=MODEL, messages=user("think"), reasoning_effort="low", stream=True)
    )
    deltas: list[Any] = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == thought
    history: Any = [*user("think"), message, *user("say And so?")]
    assert client.chat.completions.create(model=MODEL, messages=history).choices[0].message.content == "And so?"
    turn = gateway.turns[-2]
    assert (turn["reasoning_effort"] if gateway.kind == "chat" else turn["reasoning"]["effort"]) == "low"


def test_a_refusal_is_one(client: openai.OpenAI) -> None:
    said = "I will not do that."
    chat = client.chat.completions.create(model=MODEL, messages=user("refuse"))
    assert (chat.choices[0].message.refusal, chat.choices[0].message.content) == (said, None)
    with client.chat.completions.stream(model=MODEL, messages=user("refuse")) as stream:
        assert stream.get_final_completion().choices[0].message.refusal == said
    [message] = client.responses.create(model=MODEL, input="refuse").output
    assert message.type == "message"
    assert [part.to_dict() for part in message.content] == [{"type": "refusal", "refusal": said}]


def test_an_answer_that_was_cut_short_is_no_error(client: openai.OpenAI) -> None:
    chat = client.chat.completions.create(model=MODEL, messages=user("cut"))
    assert (chat.choices[0].finish_reason, chat.choices[0].message.content) == ("length", SAID)
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model=MODEL, messages=user("cut"), response_format=City)
    response = client.responses.create(model=MODEL, input="cut")
    assert (response.status, response.output_text) == ("incomplete", SAID)
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    last = list(client.responses.create(model=MODEL, input="cut", stream=True))[-1]
    assert last.type == "response.incomplete"
    assert last.response.output_text == SAID


@pytest.mark.parametrize("stream", [True, False])
def test_errors_are_the_clients_own_with_their_facts(client: openai.OpenAI, stream: bool) -> None:
    def chat(text: str) -> Any:
        return client.chat.completions.create(model=MODEL, messages=user(text), stream=stream)

    def response(text: str) -> Any:
        return client.responses.create(model=MODEL, input=text, stream=stream)

    for ask in (chat, response):
        with pytest.raises(openai.BadRequestError, match="the input is not like this") as bad:
            ask("bad")
        assert (bad.value.param, bad.value.code, bad.value.type) == (
            "input[0]",
            "invalid_value",
            "invalid_request_error",
        )
        with pytest.raises(openai.InternalServerError, match="busy") as busy:
            ask("busy")
        assert (busy.value.status_code, busy.value.code) == (503, "server_is_overloaded")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_is_told_with_its_wait(kind: Kind, stream: bool) -> None:
    """In a gateway of its own, as it parks the accounts."""
    limit = pytest.raises(openai.RateLimitError, match="slow down")
    with running_gateway(kind) as gateway, client_of(gateway) as client, limit as limited:
        client.chat.completions.create(model=MODEL, messages=user("limit"), stream=stream)
    assert (limited.value.code, limited.value.response.headers["retry-after"]) == ("rate_limit_exceeded", "3")


def test_what_the_gateway_itself_refuses(client: openai.OpenAI, gateway: RunningGateway) -> None:
    before = len(gateway.upstream.requests)
    with pytest.raises(openai.AuthenticationError) as wrong:
        client.with_options(api_key="another-key").responses.create(model=MODEL, input="say Hi")
    assert wrong.value.code == "invalid_api_key"
    wrong_fields: Any = {"n": {"n": 2, "messages": user("say Hi")}, "messages": {"messages": []}}
    for param, asked in wrong_fields.items():
        with pytest.raises(openai.BadRequestError) as bad:
            client.chat.completions.create(model=MODEL, **asked)
        assert bad.value.param == param
    message: Any = {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
    with pytest.raises(openai.BadRequestError) as bad:
        client.responses.create(model=MODEL, input=[message])
    assert bad.value.param == "input[0].content[0]"
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model=MODEL, input="say Hi")
    assert len(gateway.upstream.requests) == before


def test_an_error_in_a_stream_is_raised_after_what_came_before(client: openai.OpenAI) -> None:
    said: list[str] = []
    with pytest.raises(openai.APIError, match="the model fell over") as fallen:
        for chunk in client.chat.completions.create(model=MODEL, messages=user("break"), stream=True):
            said.append(chunk.choices[0].delta.content or "")
    assert ("".join(said), fallen.value.code) == (SAID, "server_error")
    *before, last = client.responses.create(model=MODEL, input="break", stream=True)
    assert "".join(event.delta for event in before if event.type == "response.output_text.delta") == SAID
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert (last.response.error.code, last.response.error.message) == ("server_error", "the model fell over")


def test_the_same_failure_of_a_whole_answer_is_a_status(client: openai.OpenAI) -> None:
    for ask in (
        lambda: client.chat.completions.create(model=MODEL, messages=user("break")),
        lambda: client.responses.create(model=MODEL, input="break"),
    ):
        with pytest.raises(openai.InternalServerError, match="the model fell over") as fallen:
            ask()
        assert fallen.value.code == "server_error"


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == list(MODELS)
    assert client.models.retrieve(MODELS[1]).id == MODELS[1]
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("gpt-1")
    assert missing.value.code == "model_not_found"


def test_one_conversation_stays_with_one_account(accounts: tuple[AccountServer, openai.OpenAI]) -> None:
    server, client = accounts
    histories: list[Any] = [user(f"say {number}") for number in range(4)]
    for _ in range(3):
        for history in histories:
            message = client.chat.completions.create(model=MODEL, messages=history).choices[0].message
            history += [message, *user("say more")]
    turns = server.requests
    told = {(turn.headers["session_id"], turn.headers["chatgpt-account-id"]) for turn in turns}
    assert len(told) == len({session for session, _ in told}) == 4
    assert {turn.json()["prompt_cache_key"] for turn in turns} == {session for session, _ in told}


def test_an_account_at_its_limit_is_left_unseen(accounts: tuple[AccountServer, openai.OpenAI]) -> None:
    server, client = accounts
    full, other = server.accounts
    full.limit(100)
    other.limit(20)
    for _ in range(3):
        assert client.responses.create(model=MODEL, input="say Hi").output_text == "Hi"
    assert (full.turns, other.turns) == (0, 3)
    other.limit(100)
    with pytest.raises(openai.RateLimitError) as reached:
        client.responses.create(model=MODEL, input="say Hi")
    assert full.refusals == other.refusals == ["usage_limit_reached"]
    assert reached.value.code == "usage_limit_reached"
    assert 0 < int(reached.value.response.headers["retry-after"]) <= 5 * 3600
    assert reached.value.response.headers["x-should-retry"] == "false"


def test_nothing_of_the_caller_but_the_prompt_goes_on(client: openai.OpenAI, gateway: RunningGateway) -> None:
    client.with_options(
        default_headers={"x-secret": "not-to-be-sent", "openai-organization": "not-to-be-sent"}
    ).responses.create(model=MODEL, input="say Hi")
    request = gateway.upstream.requests[-1]
    sent = repr([*request.headers.raw, request.content])
    assert "not-to-be-sent" not in sent
    assert KEY not in sent
    assert "stainless" not in sent.lower()


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_client_out_of_patience_ends_the_turn(kind: Kind, stream: bool) -> None:
    with running_gateway(kind) as gateway, client_of(gateway) as client:
        hasty = client.with_options(timeout=0.2)
        with pytest.raises(openai.APITimeoutError):
            hasty.chat.completions.create(model=MODEL, messages=user("wait"), stream=stream)
        with pytest.raises(openai.APITimeoutError):
            hasty.responses.create(model=MODEL, input="wait", stream=stream)
        gateway.idle()


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_stops_reading_ends_the_turn(kind: Kind) -> None:
    with running_gateway(kind) as gateway, client_of(gateway) as client:
        with client.chat.completions.create(model=MODEL, messages=user("stall"), stream=True) as chunks:
            assert next(chunks).choices[0].delta.role == "assistant"
        gateway.idle()
        with client.responses.stream(model=MODEL, input="stall") as events:
            assert next(events).type == "response.created"
        gateway.idle()


@pytest.mark.parametrize("kind", KINDS)
async def test_an_asynchronous_client_that_stops_reading_ends_the_turn(kind: Kind) -> None:
    with running_gateway(kind) as gateway:
        async with openai.AsyncOpenAI(base_url=gateway.url, api_key=KEY) as client:
            asked: Any = {"model": MODEL, "messages": user("stall"), "stream": True}
            async with await client.chat.completions.create(**asked) as chunks:
                await anext(chunks)
        await to_thread.run_sync(gateway.idle)


async def test_the_asynchronous_face_of_chat(async_client: openai.AsyncOpenAI) -> None:
    whole = await async_client.chat.completions.create(model=MODEL, messages=user("say Hi there"))
    chunks = await async_client.chat.completions.create(model=MODEL, messages=user("say Hi there"), stream=True)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in chunks]) == "Hi there"
    asked: Any = {"model": MODEL, "messages": user("weather"), "tools": [CHAT_TOOL]}
    async with async_client.chat.completions.stream(**asked) as stream:
        final = await stream.get_final_completion()
    [call] = final.choices[0].message.tool_calls or []
    assert (call.id, call.function.arguments) == ("call_Oslo", '{"city": "Oslo"}')
    assert whole.choices[0].message.content == "Hi there"
    parsed = await async_client.chat.completions.parse(model=MODEL, messages=user("json"), response_format=City)
    assert parsed.choices[0].message.parsed == OSLO


async def test_the_asynchronous_face_of_responses(async_client: openai.AsyncOpenAI) -> None:
    whole = await async_client.responses.create(model=MODEL, input="say Hi there")
    async with async_client.responses.stream(model=MODEL, input="say Hi there") as stream:
        text = "".join([event.delta async for event in stream if event.type == "response.output_text.delta"])
        final = await stream.get_final_response()
    assert whole.output_text == final.output_text == text == "Hi there"
    parsed = await async_client.responses.parse(model=MODEL, input="json", text_format=City)
    assert parsed.output_parsed == OSLO
    assert [model.id async for model in async_client.models.list()] == list(MODELS)


async def test_the_asynchronous_face_in_trouble(async_client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as bad:
        await async_client.chat.completions.create(model=MODEL, messages=user("bad"), stream=True)
    assert bad.value.param == "input[0]"
    with pytest.raises(openai.APIError, match="the model fell over"):
        async for _ in await async_client.chat.completions.create(model=MODEL, messages=user("break"), stream=True):
            pass
