"""The clients end to end: prompts with everything in them, over a real socket, to a server that checks what it gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import httpx
import pytest
from httpx_sse import ServerSentEvent
from pydantic import BaseModel

from codex_client.aggregate import ToolCall
from codex_client.api import (
    ApiRequest,
    Retry,
    SseEvent,
    TurnContext,
    TurnEnded,
    TurnObserver,
    TurnRecord,
)
from codex_client.client.config import ChatConfig, ClientConfig, ResponsesConfig, RetryPolicy, StreamLimits
from codex_client.clients.chat import ChatCompletionsApiClient
from codex_client.clients.generic import GenericClient
from codex_client.clients.responses import ResponsesApiClient
from codex_client.condense import AggregateMode
from codex_client.errors import (
    CodexError,
    InvalidPayloadError,
    MissingCredentialsError,
    ServerError,
    StreamClosedError,
    UnsupportedOperationError,
)
from codex_client.events import (
    Completed,
    Created,
    ModelsEtag,
    OutputTextDelta,
    RateLimits,
    RawEvent,
    ResponseEvent,
    ServerModel,
)
from codex_client.items import (
    FunctionCall,
    FunctionCallOutput,
    InputImage,
    InputText,
    Message,
    Reasoning,
    ReasoningText,
    SummaryText,
)
from codex_client.model_provider import ModelProviderInfo, WireApi
from codex_client.model_variants import TokenUsage
from codex_client.prompt import FunctionTool, Prompt, RawTool, ReasoningOptions
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import (
    ManualClock,
    ReplayServer,
    Reply,
    Stall,
    chat_turn,
    check_api_client,
    ev_rate_limits,
    ev_text_delta,
    responses_turn,
    sse,
)

pytestmark = pytest.mark.usefixtures("transport")

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[RoutedApiClient, ReplayServer]]]

TEXT = "The quick brown fox."
USAGE = TokenUsage(100, 20, 30, 10, 130)
BODIES = {
    "responses": sse(responses_turn(TEXT, usage=USAGE)),
    "chat": sse(chat_turn(TEXT, usage=USAGE), done=True),
}
APIS = pytest.mark.parametrize("wire_api", ["responses", "chat"])


def look_up(name: str, limit: int = 3) -> str:
    """Look a name up."""
    raise AssertionError


TOOL = FunctionTool.from_callable(look_up, strict=True)
HISTORY = (
    Message.developer("Answer in verse."),
    Message.user("What is this?", InputImage.from_bytes(b"\x89PNG", "image/png", detail="low")),
    Reasoning(
        id="rs_1",
        summary=[SummaryText(text="A picture.")],
        content=[ReasoningText(text="I should look it up.")],
        encrypted_content="gAAAAB",
    ),
    FunctionCall(call_id="call_1", name="look_up", arguments='{"name":"fox","limit":1}'),
    FunctionCall(call_id="call_2", name="look_up", arguments='{"name":"dog","limit":1}'),
    FunctionCallOutput(call_id="call_1", output="an animal"),
    FunctionCallOutput(call_id="call_2", output=[InputText(text="another")]),
    Message.assistant("A fox, it seems."),
    Message.user("And now?"),
)


@APIS
async def test_a_prompt_with_everything_is_taken_by_a_strict_server(wire_api: str) -> None:
    prompt = Prompt(
        HISTORY,
        instructions="Be brief.",
        tools=[TOOL],
        tool_choice="required",
        parallel_tool_calls=False,
        reasoning=ReasoningOptions(effort="low", summary="auto"),
        verbosity="low",
        prompt_cache_key="key",
        service_tier="flex",
        max_output_tokens=1000,
        metadata={"purpose": "test"},
    )
    async with ReplayServer([BODIES[wire_api]], strict=True) as server:
        config = ClientConfig(provider=server.provider(WireApi(wire_api)), model="m", conversation_id="conv_1")
        async with RoutedApiClient(config) as client:
            response = await client.collect(prompt)
        server.assert_complete()
    assert (response.text, response.token_usage) == (TEXT, USAGE)
    assert server.requests[0].json()["model"] == "m"
    assert server.requests[0].json()["stream"] is True


@APIS
async def test_a_tool_loop_goes_round_on_a_strict_server(wire_api: str) -> None:
    call = ToolCall("call_1", "look_up", '{"name":"fox","limit":1}')
    replies = {
        "responses": [sse(responses_turn(reasoning_summary="Hm.", tool_calls=[call])), BODIES["responses"]],
        "chat": [sse(chat_turn(reasoning="Hm.", tool_calls=[call]), done=True), BODIES["chat"]],
    }
    async with ReplayServer(replies[wire_api], strict=True) as server:
        config = ClientConfig(provider=server.provider(WireApi(wire_api)), model="m")
        async with RoutedApiClient(config) as client:
            prompt = Prompt("What is a fox?", tools=[TOOL])
            first = await client.collect(prompt)
            outputs = [FunctionCallOutput(call_id=asked.call_id, output="an animal") for asked in first.tool_calls]
            second = await client.collect(prompt.with_history(first, *outputs))
        server.assert_complete()
    assert first.tool_calls == [call]
    assert second.text == TEXT


async def test_structured_output_comes_back_as_a_model() -> None:
    class Animal(BaseModel):
        name: str
        legs: int | None = None

    async with ReplayServer([sse(responses_turn('{"name": "fox", "legs": 4}'))], strict=True) as server:
        async with RoutedApiClient(ClientConfig(provider=server.provider(), model="m")) as client:
            response = await client.collect(Prompt("?", output_schema=Animal))
        server.assert_complete()
    assert response.parse(Animal) == Animal(name="fox", legs=4)


@pytest.mark.parametrize(
    "config_class, wire_api, client_class",
    [
        (ResponsesConfig, WireApi.RESPONSES, ResponsesApiClient),
        (ChatConfig, WireApi.CHAT, ChatCompletionsApiClient),
        (ClientConfig, WireApi.RESPONSES, ResponsesApiClient),
        (ClientConfig, WireApi.CHAT, ChatCompletionsApiClient),
    ],
)
def test_the_route_follows_from_the_config_or_the_provider(
    config_class: type[ClientConfig], wire_api: WireApi, client_class: type[GenericClient]
) -> None:
    provider = ModelProviderInfo(name="p", base_url="http://localhost/v1", wire_api=wire_api)
    assert type(RoutedApiClient(config_class(provider=provider, model="m")).api) is client_class


@APIS
async def test_a_client_holds_to_its_protocol(serve: Serve, wire_api: str) -> None:
    async with serve([BODIES[wire_api]] * 5, wire_api=wire_api) as (client, server):
        assert (await check_api_client(client, Prompt("hello"))).text == TEXT
        server.assert_complete()


@pytest.mark.parametrize(
    "wire_api, prompt, error, message",
    [
        (
            "chat",
            Prompt("x", output_schema={"type": "object"}),
            UnsupportedOperationError,
            "output_schema is not supported for Chat Completions API",
        ),
        ("chat", Prompt("x", previous_response_id="resp_1"), UnsupportedOperationError, "previous_response_id"),
        ("chat", Prompt("x", tools=[RawTool({"type": "web_search"})]), UnsupportedOperationError, "web_search"),
        ("chat", Prompt([]), InvalidPayloadError, "empty"),
        ("responses", Prompt([]), InvalidPayloadError, "empty"),
        ("responses", Prompt([FunctionCallOutput(call_id="c9", output="?")]), InvalidPayloadError, "c9"),
        ("responses", Prompt("x", temperature=float("nan")), InvalidPayloadError, "temperature is nan"),
    ],
)
async def test_what_cannot_be_sent_is_refused_before_any_network_use(
    serve: Serve, wire_api: str, prompt: Prompt, error: type[CodexError], message: str
) -> None:
    async with serve([], wire_api=wire_api) as (client, server):
        with pytest.raises(error, match=message):
            client.stream(prompt)
        assert server.connections_made == 0


async def test_headers_come_first_as_events(serve: Serve) -> None:
    headers = {
        "openai-model": "gpt-5-2026",
        "x-codex-primary-used-percent": "12.5",
        "x-codex-primary-window-minutes": "300",
        "x-codex-other-primary-used-percent": "3",
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "9",
        "x-models-etag": "etag",
        "x-request-id": "req_1",
    }
    body = sse([ev_rate_limits(), *responses_turn(TEXT)])
    async with (
        serve([Reply.from_sse(body, headers=headers)]) as (client, _),
        client.stream(Prompt("x")) as stream,
    ):
        events = [event async for event in stream]
        assert [type(event) for event in events[:7]] == [
            ServerModel,
            RateLimits,
            RateLimits,
            RateLimits,
            ModelsEtag,
            RateLimits,
            Created,
        ]
        assert (stream.request_id, stream.status_code) == ("req_1", 200)
        assert stream.headers["x-models-etag"] == "etag"
        assert {snapshot.limit_id for snapshot in stream.rate_limits} == {"codex", "codex_other", "requests"}
        assert stream.response.model == "gpt-5-2026"


@APIS
async def test_a_whole_json_answer_is_decoded_into_the_same_events(serve: Serve, wire_api: str) -> None:
    answers: dict[str, Any] = {
        "responses": responses_turn(TEXT, usage=USAGE)[-1]["response"],
        "chat": {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 30, "total_tokens": 130},
        },
    }
    async with (
        serve([Reply.from_json(answers[wire_api])], wire_api=wire_api) as (client, _),
        client.stream(Prompt("x")) as stream,
    ):
        events = [event async for event in stream]
    assert "".join(event.delta for event in events if isinstance(event, OutputTextDelta)) == TEXT
    assert isinstance(events[-1], Completed)
    assert events[-1].token_usage is not None
    assert events[-1].token_usage.total_tokens == 130


async def test_an_error_in_a_whole_json_answer_is_told(serve: Serve) -> None:
    body = {"error": {"message": "Model overloaded", "code": "server_is_overloaded"}}
    async with serve([Reply.from_json(body)]) as (client, _):
        with pytest.raises(CodexError, match="Model overloaded"):
            await client.collect(Prompt("x"))


async def test_raw_events_show_what_means_nothing_here(serve: Serve) -> None:
    body = sse([*responses_turn(TEXT)[:2], {"type": "response.unheard_of", "x": 1}, *responses_turn(TEXT)[2:]])
    async with serve([body], limits=StreamLimits(raw_events=True)) as (client, _), client.stream(Prompt("x")) as stream:
        events = [event async for event in stream]
    raw = [event for event in events if isinstance(event, RawEvent) and event.type == "response.unheard_of"]
    assert [event.json() for event in raw] == [{"type": "response.unheard_of", "x": 1}]


async def test_aggregated_events_come_through_the_whole_client(serve: Serve) -> None:
    async with serve([BODIES["responses"]]) as (client, _), client.stream(Prompt("x")) as stream:
        events = [event async for event in stream.aggregate(AggregateMode.AGGREGATED_ONLY)]
    assert [event.type for event in events] == ["output_item_added", "output_item_done", "completed"]


async def test_a_missing_key_is_told_by_its_name_before_any_network_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    async with ReplayServer([]) as server:
        provider = ModelProviderInfo(name="mine", base_url=server.base_url, env_key="MY_KEY")
        async with ResponsesApiClient(ResponsesConfig(provider=provider, model="m")) as client:
            with pytest.raises(MissingCredentialsError, match="MY_KEY") as raised:
                await client.collect(Prompt("x"))
        assert (raised.value.env_key, server.connections_made) == ("MY_KEY", 0)


async def test_keys_are_sent_as_the_provider_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "from-env")
    async with ReplayServer([BODIES["chat"]] * 3) as server:
        plain = ModelProviderInfo(name="p", base_url=server.base_url, wire_api=WireApi.CHAT, env_key="MY_KEY")
        azure = ModelProviderInfo(
            name="azure",
            base_url=server.base_url,
            wire_api=WireApi.CHAT,
            api_key_header="api-key",
            query_params={"api-version": "2025-04-01"},
        )
        for config in (
            ChatConfig(provider=plain, model="m"),
            ChatConfig(provider=plain, model="m", auth="explicit"),
            ChatConfig(provider=azure, model="m", auth="explicit"),
        ):
            async with ChatCompletionsApiClient(config) as client:
                await client.collect(Prompt("x"))
        sent = [(request.headers.get("authorization"), request.headers.get("api-key")) for request in server.requests]
        assert sent == [("Bearer from-env", None), ("Bearer explicit", None), (None, "explicit")]
        assert server.requests[2].target == "/v1/chat/completions?api-version=2025-04-01"


async def test_a_callers_own_http_client_is_used_and_left_open() -> None:
    async with ReplayServer([BODIES["responses"]] * 2) as server, httpx.AsyncClient() as http_client:
        for _ in range(2):
            config = ClientConfig(provider=server.provider(), model="m", http_client=http_client)
            async with RoutedApiClient(config) as client:
                assert (await client.collect(Prompt("x"))).text == TEXT
        assert not http_client.is_closed
        assert server.connections_made == 1


class Lines:
    """A decoder for a made-up API: each frame is a piece of text, an empty one the end."""

    def __init__(self, *, tolerate_malformed: bool, raw_events: bool, request_id: str | None) -> None:
        self.finished = False
        self.failure: CodexError | None = None
        self.ignored: Counter[str] = Counter()
        self.malformed = 0

    def feed(self, frame: ServerSentEvent) -> list[ResponseEvent]:
        if frame.data == "end":
            self.finished = True
            return [Completed("lines")]
        return [OutputTextDelta(frame.data)]

    def feed_eof(self) -> list[ResponseEvent]:
        raise StreamClosedError("stream closed before its end")

    def feed_body(self, body: bytes) -> list[ResponseEvent]:
        raise AssertionError


class Echo:
    """A payload builder for the same."""

    def build(self, prompt: Prompt) -> dict[str, Any]:
        return {"say": prompt.items[0].model_dump()["content"][0]["text"]}


async def test_a_decoder_and_a_builder_of_ones_own_can_be_plugged_in() -> None:
    async with ReplayServer([sse(["Hel", "lo", "end"])]) as server:
        config = ClientConfig(provider=server.provider(), model="m")
        async with GenericClient(config, builder=Echo(), decoder=Lines) as client:
            assert (await client.collect(Prompt("hi"))).text == "Hello"
        assert server.requests[0].json() == {"say": "hi"}


class Notebook:
    """Telemetry that writes down."""

    def __init__(self) -> None:
        self.turns: list[TurnContext] = []
        self.records: list[TurnRecord] = []

    def start_turn(self, turn: TurnContext) -> TurnObserver | None:
        self.turns.append(turn)
        return self

    def record(self, record: TurnRecord) -> None:
        self.records.append(record)


async def test_telemetry_is_told_of_every_step(serve: Serve, clock: ManualClock) -> None:
    notes = Notebook()
    script = [500, Reply.from_sse(BODIES["responses"], headers={"x-request-id": "req_2"})]
    retry = RetryPolicy(jitter=0)
    async with serve(script, clock=clock, retry=retry, telemetry=notes) as (client, _):
        await client.collect(Prompt("x"))
    assert [(turn.model, turn.wire_api) for turn in notes.turns] == [("test-model", "responses")]
    requests = [record for record in notes.records if isinstance(record, ApiRequest)]
    assert [(request.attempt, request.status, request.request_id) for request in requests] == [
        (1, 500, None),
        (2, 200, "req_2"),
    ]
    assert isinstance(requests[0].error, ServerError)
    retries = [record for record in notes.records if isinstance(record, Retry)]
    assert [(retry.layer, retry.attempt, retry.delay) for retry in retries] == [("request", 2, 0.2)]
    frames = [record for record in notes.records if isinstance(record, SseEvent)]
    assert (frames[0].kind, frames[0].first, frames[0].elapsed) == ("response.created", True, 0.2)
    assert [frame.first for frame in frames[1:]] == [False] * (len(frames) - 1)
    assert frames[-1].kind == "response.completed"
    ended = notes.records[-1]
    assert isinstance(ended, TurnEnded)
    assert (ended.token_usage, ended.error, ended.cancelled, ended.response_id) == (USAGE, None, False, "resp_1")


async def test_telemetry_is_told_of_a_stream_that_is_begun_anew(serve: Serve, clock: ManualClock) -> None:
    notes = Notebook()
    script = [sse(responses_turn(TEXT)[:1]), BODIES["responses"]]
    async with serve(script, clock=clock, retry=RetryPolicy(jitter=0), telemetry=notes) as (client, _):
        await client.collect(Prompt("x"))
    retries = [record for record in notes.records if isinstance(record, Retry)]
    assert [(retry.layer, retry.attempt, type(retry.reason)) for retry in retries] == [("stream", 2, StreamClosedError)]
    assert sum(isinstance(record, SseEvent) and record.first for record in notes.records) == 1


async def test_telemetry_hears_of_each_frame_up_to_the_end_of_the_turn(serve: Serve) -> None:
    notes = Notebook()
    turn = responses_turn(TEXT)
    events = [*turn[:2], *[ev_text_delta("a")] * 5, *turn[2:], ev_text_delta("late")]
    async with serve([sse(events)], telemetry=notes) as (client, _):
        await client.collect(Prompt("x"))
    kinds = [record.kind for record in notes.records if isinstance(record, SseEvent)]
    assert kinds == [event["type"] for event in events[:-1]]


async def test_telemetry_hears_of_the_end_in_every_case(serve: Serve) -> None:
    notes = Notebook()
    stalled = Reply.from_sse(BODIES["responses"]).at(1000, Stall())
    async with serve([stalled, sse([]), 400], telemetry=notes) as (client, _):
        async with client.stream(Prompt("x")) as stream:
            await anext(stream)
        for _ in range(2):
            with pytest.raises(CodexError):
                await client.collect(Prompt("x"))
    ends = [record for record in notes.records if isinstance(record, TurnEnded)]
    assert [(end.cancelled, type(end.error).__name__) for end in ends] == [
        (True, "NoneType"),
        (False, "StreamClosedError"),
        (False, "InvalidRequestError"),
    ]


async def test_telemetry_that_does_not_look_costs_nothing_and_breaks_nothing(serve: Serve) -> None:
    class Blind:
        def start_turn(self, turn: TurnContext) -> TurnObserver | None:
            return None

    async with serve([BODIES["responses"]], telemetry=Blind()) as (client, _):
        assert (await client.collect(Prompt("x"))).text == TEXT
