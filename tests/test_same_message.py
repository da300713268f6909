"""One stream is one message, whichever way a caller asks for it: streamed or whole, over either API, in any form."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from codex_client.aggregate import CollectedResponse
from codex_client.bridge.reasoning import CLOSING, OPENING, SEPARATOR, ReasoningFormat
from codex_client.client.config import ClientConfig, RetryPolicy
from codex_client.client.fixtures import load_fixture
from codex_client.decode.chat import ChatDecoder
from codex_client.decode.responses import ResponsesDecoder
from codex_client.errors import CodexError, IncompleteResponseError
from codex_client.gateway import GatewayConfig, create_app
from codex_client.items import Message, Reasoning
from codex_client.model_provider import ModelProviderInfo, WireApi
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import Reply, ScriptedTransport
from tests.support.asgi import AsgiCall, call
from tests.support.bridged import Turn, decode_body, decode_chat, decode_responses, shown_text
from tests.support.gateways import BOTH, CHAT, body_for

FIXTURES = Path(__file__).parent.parent / "fixtures"
STREAMS = sorted(path for path in FIXTURES.glob("*/*") if path.parent.name in ("chat", "responses"))
# Of the recorded streams every one at this distance, from another beginning for each loop.
SPREAD = 8

each_stream = pytest.mark.parametrize("path", STREAMS, ids=lambda path: f"{path.parent.name}-{path.name}")


@dataclass(frozen=True)
class Said:
    """A message, and how its turn ended: None for well, `incomplete` for cut short, else `failed`."""

    text: str
    refusal: str
    reasoning: str
    calls: tuple[tuple[str, str, str], ...]
    output_tokens: int | None
    ending: str | None


def said(response: CollectedResponse, error: CodexError | None) -> Said:
    usage = response.token_usage or getattr(error, "token_usage", None)
    ending = None if error is None else "incomplete" if isinstance(error, IncompleteResponseError) else "failed"
    thoughts = [shown_text(item) for item in response.items if isinstance(item, Reasoning)]
    return Said(
        # The Chat API has one message for all.
        text=SEPARATOR.join(item.text for item in response.items if isinstance(item, Message) and item.text),
        refusal=response.refusal,
        reasoning="\n\n".join(filter(None, thoughts)),
        calls=tuple((call.call_id, call.name, call.arguments) for call in response.tool_calls),
        output_tokens=usage and usage.output_tokens,
        ending=ending,
    )


@asynccontextmanager
async def client_of(reply: Reply, wire_api: WireApi) -> AsyncIterator[RoutedApiClient]:
    """A client whose every request is answered so, once."""
    transport = ScriptedTransport(reply)
    provider = ModelProviderInfo(name="replay", base_url="http://replay.test/v1", wire_api=wire_api)
    retry = RetryPolicy(request_max_retries=0, stream_max_retries=0)
    async with httpx.AsyncClient(transport=transport) as http_client:
        config = ClientConfig(provider=provider, model="gpt-5", retry=retry, http_client=http_client)
        async with RoutedApiClient(config) as client:
            yield client
    transport.assert_complete()


def api_of(path: Path) -> WireApi:
    return WireApi.CHAT if "chat" in path.parts else WireApi.RESPONSES


async def iterated(client: RoutedApiClient) -> tuple[CollectedResponse, CodexError | None]:
    """The turn, event by event."""
    async with client.stream(Prompt("Hello")) as stream:
        try:
            async for _ in stream:
                pass
        except CodexError as error:
            return error.partial or CollectedResponse(), error
        return stream.response, None


async def collected(client: RoutedApiClient) -> tuple[CollectedResponse, CodexError | None]:
    try:
        return await client.collect(Prompt("Hello")), None
    except CodexError as error:
        return error.partial or CollectedResponse(), error


def whole_answers(path: Path) -> list[dict[str, Any]]:
    """The answer that the server would have given to who does not stream: its own last object, where that is whole."""
    lines = load_fixture(path).decode().splitlines()
    ends = [json.loads(line.removeprefix("data: ")) for line in lines if '"type":"response.completed"' in line]
    answers = [event.get("response", {}) for event in ends]
    return [answer for answer in answers if answer.get("output")]


WITH_WHOLE_ANSWER = [path for path in STREAMS if api_of(path) is WireApi.RESPONSES and whole_answers(path)]


@each_stream
async def test_a_stream_is_the_same_turn_iterated_and_collected(path: Path):
    async with client_of(Reply.from_fixture(path), api_of(path)) as client:
        streamed, error = await iterated(client)
        whole, other = await collected(client)
    assert whole == streamed
    assert (type(other), str(other)) == (type(error), str(error))


@pytest.mark.parametrize(
    "path", [path for path in STREAMS if api_of(path) is WireApi.RESPONSES and whole_answers(path)]
)
async def test_a_server_that_does_not_stream_gives_the_same_message(path: Path):
    async with client_of(Reply.from_fixture(path), WireApi.RESPONSES) as client:
        streamed = said(*await iterated(client))
    (answer,) = whole_answers(path)
    async with client_of(Reply.from_json(answer), WireApi.RESPONSES) as client:
        assert said(*await iterated(client)) == streamed
        assert said(*await collected(client)) == streamed


def test_there_are_servers_own_whole_answers_to_compare_with():
    assert len(WITH_WHOLE_ANSWER) > 5


async def ways(body: bytes, wire_api: WireApi, form: ReasoningFormat) -> dict[str, Said]:
    """The message as each kind of caller of the gateway has it."""
    found: dict[str, Said] = {}
    async with client_of(Reply.from_sse(body), wire_api) as client:
        app = create_app(client, config=GatewayConfig(reasoning_format=form))
        for path in BOTH:
            for stream in (True, False):
                options: dict[str, Any] = {"stream_options": {"include_usage": True}} if stream and path == CHAT else {}
                made = await call(app, "POST", path, body=body_for(path, stream=stream, **options))
                found[f"{path}, {'streamed' if stream else 'whole'}"] = heard(made, path)
    return found


def heard(made: AsgiCall, path: str) -> Said:
    """What an answer says. A turn that fails before any output is a status, whether it was to be streamed or not."""
    if made.status != 200:
        assert made.json()["error"]["message"]
        return Said("", "", "", (), None, "failed")
    if made.headers["content-type"].startswith("text/event-stream"):
        events = [event for event in made.events() if event != "[DONE]"]
        turn: Turn = decode_chat(events) if path == CHAT else decode_responses(events)
        return said(turn.whole, turn.failure)
    decoder = ChatDecoder() if path == CHAT else ResponsesDecoder()
    response = decode_body(decoder, made.json())
    return said(response, decoder.failure)


def expected(source: Said, path: str, form: ReasoningFormat) -> Said:
    """What a caller of this path is given of the turn in this form."""
    if path != CHAT or form is ReasoningFormat.REASONING_CONTENT:
        return source
    if form is ReasoningFormat.NONE or not source.reasoning:
        return replace(source, reasoning="")
    return replace(source, reasoning="", text=f"{OPENING}{source.reasoning}{CLOSING}{source.text}")


async def check_ways(body: bytes, wire_api: WireApi, forms: Iterable[ReasoningFormat]) -> None:
    async with client_of(Reply.from_sse(body), wire_api) as client:
        source = said(*await collected(client))
    for form in forms:
        found = await ways(body, wire_api, form)
        for path in BOTH:
            streamed, whole = found[f"{path}, streamed"], found[f"{path}, whole"]
            if source.ending == "failed":
                # A whole answer that failed is its error; of a stream what had come by then is known.
                assert (streamed.ending, whole.ending) == ("failed", "failed")
                continue
            assert streamed == whole
            if form is ReasoningFormat.THINK_TAGS and path == CHAT:
                # What is encrypted goes beside the text, with the summary that belongs to it.
                streamed = replace(streamed, reasoning="")
            assert streamed == expected(source, path, form)


@each_stream
async def test_the_gateway_says_the_same_streamed_and_whole_on_both_apis_in_each_form_of_reasoning(path: Path):
    await check_ways(load_fixture(path), api_of(path), ReasoningFormat)


def spread(captures: Path, begin: int) -> list[Path]:
    return sorted(captures.glob("[cr][he][as][tp]*/*/*.sse"))[begin::SPREAD]


async def test_recorded_streams_are_the_same_message_in_every_way(captures: Path, anyio_backend: str):
    chosen = spread(captures, {"asyncio": 0, "trio": SPREAD // 2}[anyio_backend])
    assert len(chosen) > 40
    for number, file in enumerate(chosen):
        form = tuple(ReasoningFormat)[number % len(ReasoningFormat)]
        try:
            await check_ways(load_fixture(file), api_of(file), [form])
        except AssertionError as error:
            raise AssertionError(f"{file.relative_to(captures)} with {form}: {error}") from error
