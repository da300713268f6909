"""A turn whose answer is garbled, empty or no answer at all is asked for again while nobody has seen any of it."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import pytest
from httpx_sse import ServerSentEvent
from hypothesis import HealthCheck, given, settings, strategies as st

from codex_client.aggregate import ToolCall
from codex_client.api import AttemptOutcome, Lease, Retry, TurnContext, TurnRecord
from codex_client.backend_profile import CHATGPT_CODEX, OPENAI
from codex_client.client.config import ClientConfig, GuardPolicy, ResponsesConfig, RestartPolicy, RetryPolicy
from codex_client.clients.generic import GenericClient
from codex_client.clients.guarded import guards_of
from codex_client.decode.responses import ResponsesDecoder
from codex_client.errors import (
    CodexError,
    EmptyResponseError,
    GarbledOutputError,
    IncompleteResponseError,
    ReadError,
    RetryLimitError,
    ServerOverloadedInStreamError,
    StreamClosedError,
)
from codex_client.events import (
    Completed,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    ResponseEvent,
    StreamRestarted,
)
from codex_client.guard.capacity import CAPACITY_TEXTS
from codex_client.guard.markers import MARKERS
from codex_client.items import FunctionCall, FunctionCallOutput, Message
from codex_client.model_provider import ModelProviderInfo
from codex_client.payload.responses import ResponsesPayloadBuilder
from codex_client.prompt import FunctionTool, Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import (
    Close,
    Hold,
    ManualClock,
    ReplayServer,
    Reply,
    Reset,
    Stall,
    chat_chunk,
    chat_turn,
    ev_completed,
    ev_created,
    ev_incomplete,
    ev_item_added,
    ev_item_done,
    ev_text_delta,
    message_item,
    reasoning_item,
    responses_turn,
    sse,
)

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[RoutedApiClient, ReplayServer]]]

TOOL = FunctionTool("look", "Looks.")
FIXTURES = Path(__file__).parents[2] / "fixtures"
PROMPT = Prompt("hello", tools=[TOOL])
TEXT = "The quick brown fox jumps over the lazy dog."
BAD = "♀♀♀♀assistant to=functions.look json {}"
GUARDS = GuardPolicy(garbled=True, empty=True)
HOLD_ALL = GuardPolicy(garbled=True, empty=True, hold="all")
EVEN = RetryPolicy(jitter=0)
NO_RETRIES = RetryPolicy(request_max_retries=0, stream_max_retries=0, jitter=0)

GOOD_BODY = sse(responses_turn(TEXT))
GARBLED = sse(responses_turn(f"Well, {BAD}"))
LATE_GARBLED = Reply.from_sse(sse(responses_turn(f"{TEXT} {BAD}")))
EMPTY = sse(responses_turn(""))


async def failure_of(client: RoutedApiClient, prompt: Prompt = PROMPT) -> CodexError:
    with pytest.raises(CodexError) as raised:
        await client.collect(prompt)
    return raised.value


def text_of(events: Sequence[ResponseEvent]) -> str:
    return "".join(event.delta for event in events if isinstance(event, OutputTextDelta))


def held_apart(*deltas: str, end: Mapping[str, Any] | None = None) -> Reply:
    """A turn whose deltas come one network read after the other."""
    item = message_item("".join(deltas))
    last = [ev_item_done(item), ev_completed()] if end is None else [end]
    events = [ev_created(), ev_item_added(message_item()), *map(ev_text_delta, deltas), *last]
    return Reply(
        body=[sse([event]) for event in events], headers={"content-type": "text/event-stream"}, transfer="chunked"
    )


@pytest.mark.parametrize(
    "fixture, kind, attempts",
    [
        ("responses/garbled-call.sse", GarbledOutputError, 3),
        ("chat/garbled-call.sse", GarbledOutputError, 3),
        ("responses/silent.sse", EmptyResponseError, 3),
        ("responses/at-capacity.sse", ServerOverloadedInStreamError, 1),
    ],
)
async def test_the_bad_answers_among_the_fixtures_are_refused(
    serve: Serve, clock: ManualClock, fixture: str, kind: type[CodexError], attempts: int
) -> None:
    body = (FIXTURES / fixture).read_bytes()
    wire_api = fixture.partition("/")[0]
    async with serve([body] * 3, wire_api=wire_api, clock=clock, retry=NO_RETRIES, guards=GUARDS) as (client, server):
        error = await failure_of(client)
        assert (type(error), len(server.requests)) == (kind, attempts)
    assert error.partial is not None
    assert error.partial.items == ()
    async with serve([body], wire_api=wire_api, guards=GuardPolicy()) as (client, _):
        assert (await client.collect(PROMPT)).items != ()


async def test_a_garbled_turn_is_asked_for_again(
    serve: Serve, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve([GARBLED, GARBLED, GOOD_BODY], clock=clock, retry=NO_RETRIES, guards=GUARDS) as (client, server):
        with caplog.at_level(logging.DEBUG, logger="codex_client"):
            response = await client.collect(PROMPT)
        assert (response.text, len(server.requests)) == (TEXT, 3)
        assert len({request.headers["x-client-request-id"] for request in server.requests}) == 1
    assert clock.sleeps == pytest.approx([0.2, 0.4])
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "attempt 1 was refused: the output is garbled: marker 'sign run' after 6 characters" in caplog.text
    assert not any(shown in caplog.text for shown in ("Well", "♀", "json", "to="))


async def test_a_turn_that_stays_garbled_is_an_error_that_holds_nothing_of_it(serve: Serve, clock: ManualClock) -> None:
    script = [held_apart("Well, ", BAD)] * 3
    async with serve(script, clock=clock, retry=NO_RETRIES, guards=GUARDS) as (client, server):
        error = await failure_of(client)
        assert len(server.requests) == 3
    assert isinstance(error, GarbledOutputError)
    assert (error.attempts, error.marker) == (3, "sign run")
    assert error.partial is not None
    assert error.partial.items == ()


@pytest.mark.parametrize("retries", [0, 1])
async def test_the_number_of_retries_is_the_policys(serve: Serve, clock: ManualClock, retries: int) -> None:
    guards = GuardPolicy(garbled=True, garbled_retries=retries)
    async with serve([GARBLED] * (retries + 1), clock=clock, retry=EVEN, guards=guards) as (client, server):
        error = await failure_of(client)
        assert len(server.requests) == retries + 1
    assert isinstance(error, GarbledOutputError)
    assert error.attempts == retries + 1


@pytest.mark.parametrize(
    "script, told",
    [
        (
            [GARBLED] * 3,
            "3 attempts were refused, the last one with: the output is garbled: marker 'sign run' after 6 ",
        ),
        ([EMPTY] * 3, "3 attempts were refused, the last one with: the turn completed "),
        ([GARBLED, EMPTY, EMPTY, GARBLED, EMPTY], "5 attempts were refused, the last one with: the turn completed "),
        ([GARBLED, held_apart(TEXT, " ", BAD)], "2 attempts were refused, the last one with: the output is garbled: "),
        ([held_apart(TEXT, " ", BAD)], "the output is garbled: marker 'sign run' after "),
    ],
)
async def test_the_last_verdict_says_how_many_attempts_were_made(
    serve: Serve, clock: ManualClock, script: list[Any], told: str
) -> None:
    async with serve(script, clock=clock, retry=NO_RETRIES, guards=GUARDS) as (client, server):
        error = await failure_of(client)
        assert len(server.requests) == len(script)
    assert str(error).startswith(told), error
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


async def test_after_released_text_the_error_holds_just_that(serve: Serve, clock: ManualClock) -> None:
    reply = held_apart(TEXT, " ", BAD)
    async with (
        serve([reply], clock=clock, retry=EVEN, guards=GUARDS) as (client, _),
        client.stream(PROMPT) as stream,
    ):
        events: list[ResponseEvent] = []
        with pytest.raises(GarbledOutputError) as raised:
            async for event in stream:
                events.append(event)
    assert raised.value.partial is not None
    text = raised.value.partial.text
    assert text
    assert text == text_of(events)
    assert TEXT.startswith(text)
    assert clock.sleeps == []


async def test_restart_after_output_begins_a_garbled_turn_anew(serve: Serve, clock: ManualClock) -> None:
    restart = RestartPolicy(after_output="restart")
    script = [held_apart(TEXT, " ", BAD), GOOD_BODY]
    async with (
        serve(script, clock=clock, retry=NO_RETRIES, guards=GUARDS, restart=restart) as (client, _),
        client.stream(PROMPT) as stream,
    ):
        events = [event async for event in stream]
        assert stream.response.text == TEXT
    at = next(index for index, event in enumerate(events) if isinstance(event, StreamRestarted))
    restarted = events[at]
    assert isinstance(restarted, StreamRestarted)
    assert (restarted.attempt, "marker 'sign run'" in restarted.reason) == (2, True)
    assert TEXT.startswith(text_of(events[:at]))
    assert text_of(events[at:]) == TEXT


async def test_an_attempt_that_showed_nothing_gives_way_without_a_word_after_one_that_had(
    serve: Serve, clock: ManualClock
) -> None:
    restart = RestartPolicy(after_output="restart")
    script = [held_apart(TEXT, " ", BAD), GARBLED, sse([ev_created()]), GOOD_BODY]
    retry = RetryPolicy(stream_max_retries=1, jitter=0)
    async with (
        serve(script, clock=clock, retry=retry, guards=GUARDS, restart=restart) as (client, server),
        client.stream(PROMPT) as stream,
    ):
        events = [event async for event in stream]
        assert len(server.requests) == 4
    assert [event.attempt for event in events if isinstance(event, StreamRestarted)] == [2]
    assert isinstance(events[-1], Completed)


@pytest.mark.parametrize("guards", [GuardPolicy(hold="all"), GuardPolicy(markers=("lazy dog",))])
async def test_who_says_how_garbled_output_is_looked_for_has_it_looked_for(
    serve: Serve, clock: ManualClock, guards: GuardPolicy
) -> None:
    bad = sse(responses_turn(f"The lazy dog. {BAD}"))
    async with serve([bad, sse(responses_turn("Good."))], clock=clock, retry=EVEN, guards=guards) as (client, server):
        assert (await client.collect(PROMPT)).text == "Good."
        assert len(server.requests) == 2


async def test_white_space_in_front_of_an_answer_is_live(serve: Serve) -> None:
    blank = sse([ev_created(), ev_item_added(message_item()), *[ev_text_delta("\n")] * 50])
    stalled = Reply.from_sse(blank).at(len(blank), Stall())
    async with serve([stalled], guards=GUARDS) as (client, _), client.stream(PROMPT) as stream:
        with anyio.fail_after(20):
            async for event in stream:
                if isinstance(event, OutputTextDelta):
                    assert event.delta.strip("\n") == ""
                    break


async def test_holding_all_makes_a_retry_possible_for_the_whole_turn(serve: Serve, clock: ManualClock) -> None:
    script = [held_apart(TEXT, " ", BAD), held_apart(TEXT)]
    async with serve(script, clock=clock, retry=EVEN, guards=HOLD_ALL) as (client, server):
        assert (await client.collect(PROMPT)).text == TEXT
        assert len(server.requests) == 2


async def test_structure_and_sealed_reasoning_before_it_do_not_commit_the_turn(
    serve: Serve, clock: ManualClock
) -> None:
    sealed = reasoning_item(encrypted_content="gAAAA")
    beginning = [ev_created(), ev_item_added(sealed), ev_item_done(sealed), ev_item_added(message_item(), 1)]
    garbled = sse([*beginning, ev_text_delta(BAD, 1), ev_item_done(message_item(BAD), 1), ev_completed()])
    async with serve([garbled, GOOD_BODY], clock=clock, retry=EVEN, guards=GUARDS) as (client, _):
        assert (await client.collect(PROMPT)).text == TEXT


async def test_a_garbled_message_that_comes_only_as_a_whole_is_found(serve: Serve, clock: ManualClock) -> None:
    garbled = sse([ev_created(), ev_item_done(message_item(f"{TEXT}\n{BAD}")), ev_completed()])
    async with serve([garbled, GOOD_BODY], clock=clock, retry=EVEN, guards=GUARDS) as (client, _):
        assert (await client.collect(PROMPT)).text == TEXT


async def test_the_chat_api_is_guarded_just_the_same(serve: Serve, clock: ManualClock) -> None:
    script = [sse(chat_turn(f"Well, {BAD}"), done=True), sse(chat_turn(""), done=True), sse(chat_turn(TEXT), done=True)]
    async with serve(script, wire_api="chat", clock=clock, retry=NO_RETRIES, guards=GUARDS) as (client, server):
        assert (await client.collect(PROMPT)).text == TEXT
        assert len(server.requests) == 3


async def test_a_call_behind_text_does_not_wait_for_the_end_of_the_turn(serve: Serve) -> None:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    chunks = [chat_chunk("I look."), chat_chunk(tool_calls=[call]), chat_chunk(finish_reason="tool_calls")]
    reply = Reply.from_sse(sse(chunks, done=True)).at(len(sse(chunks[:2])), Hold())
    async with (
        serve([reply], wire_api="chat", guards=GUARDS) as (client, server),
        client.stream(PROMPT) as stream,
    ):
        text = ""
        with anyio.fail_after(20):
            async for event in stream:
                match event:
                    case OutputTextDelta():
                        text += event.delta
                    case OutputItemAdded(item=FunctionCall()):
                        server.release()
                        break
                    case _:
                        pass
        assert text == "I look."


@pytest.mark.parametrize(
    "text",
    [
        "Control tokens such as `<|start|>` are reserved:\n\n```text\nassistant to=functions.look\n```\nThat is all.",
        "It looks like this:\n~~~\n+#+#+#\n~~~",
    ],
)
async def test_good_text_that_shows_a_marker_as_code_passes(serve: Serve, text: str) -> None:
    async with serve([sse(responses_turn(text))], guards=GUARDS) as (client, server):
        assert (await client.collect(PROMPT)).text == text
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "prompt", [Prompt("hello"), Prompt("what is `to=functions.`, ♀♀♀♀ or assistant to=?", tools=[TOOL])]
)
async def test_without_tools_and_for_who_asks_about_it_a_marker_is_text(serve: Serve, prompt: Prompt) -> None:
    async with serve([GARBLED], guards=GUARDS) as (client, _):
        assert (await client.collect(prompt)).text == f"Well, {BAD}"


async def test_own_markers_of_the_policy_count_beside_the_built_in_ones(serve: Serve, clock: ManualClock) -> None:
    guards = GuardPolicy(garbled=True, markers=("quick brown",))
    async with serve([GOOD_BODY, GARBLED, GOOD_BODY], clock=clock, retry=EVEN, guards=guards) as (client, _):
        error = await failure_of(client)
    assert isinstance(error, GarbledOutputError)
    assert (error.marker, error.attempts) == ("quick brown", 3)


async def test_an_empty_turn_is_asked_for_again_and_then_an_error(serve: Serve, clock: ManualClock) -> None:
    async with serve([EMPTY, EMPTY, GOOD_BODY], clock=clock, retry=NO_RETRIES, guards=GUARDS) as (client, _):
        assert (await client.collect(PROMPT)).text == TEXT
    assert clock.sleeps == pytest.approx([0.2, 0.4])
    async with serve([EMPTY] * 3, clock=clock, retry=NO_RETRIES, guards=GUARDS) as (client, server):
        error = await failure_of(client)
        assert len(server.requests) == 3
    assert isinstance(error, EmptyResponseError)
    assert error.attempts == 3


async def test_an_empty_turn_without_retries_is_an_error_at_once(serve: Serve) -> None:
    guards = GuardPolicy(empty=True, empty_retries=0)
    async with serve([EMPTY], retry=EVEN, guards=guards) as (client, _):
        assert isinstance(await failure_of(client, Prompt("hello")), EmptyResponseError)


async def test_an_empty_answer_is_good_after_a_tools_output_and_where_the_turn_goes_on(serve: Serve) -> None:
    call = FunctionCall(call_id="c", name="look", arguments="{}")
    after = Prompt([Message.user("look"), call, FunctionCallOutput(call_id="c", output="seen")], tools=[TOOL])
    going_on = sse([ev_created(), ev_completed(end_turn=False)])
    async with serve([EMPTY, going_on], guards=GUARDS) as (client, server):
        assert (await client.collect(after)).text == ""
        assert (await client.collect(PROMPT)).end_turn is False
        assert len(server.requests) == 2


async def test_garbled_and_empty_turns_and_broken_streams_have_a_budget_each(serve: Serve, clock: ManualClock) -> None:
    retry = RetryPolicy(request_max_retries=1, stream_max_retries=1, jitter=0)
    cut = sse([ev_created()])
    script = Reply.sequence([500, cut, EMPTY, GARBLED, EMPTY, GARBLED, GOOD_BODY])
    async with serve(script, clock=clock, retry=retry, guards=GUARDS) as (client, server):
        assert (await client.collect(PROMPT)).text == TEXT
        assert len(server.requests) == 7
    assert clock.sleeps == pytest.approx([0.2, 0.2, 0.2, 0.2, 0.4, 0.4])


async def test_a_capacity_text_in_place_of_an_answer_is_an_overloaded_server(serve: Serve, clock: ManualClock) -> None:
    busy = sse(responses_turn(CAPACITY_TEXTS[0]))
    async with serve([busy, GOOD_BODY], clock=clock, retry=EVEN, guards=GUARDS) as (client, _):
        assert (await client.collect(Prompt("hello"))).text == TEXT
    async with serve([busy], clock=clock, retry=NO_RETRIES, guards=GUARDS) as (client, _):
        error = await failure_of(client, Prompt("hello"))
    assert isinstance(error, ServerOverloadedInStreamError)
    assert error.partial is not None
    assert error.partial.text == ""
    async with serve([busy], guards=GUARDS) as (client, _):
        assert (await client.collect(Prompt(f"say {CAPACITY_TEXTS[0]}"))).text == CAPACITY_TEXTS[0]


@pytest.mark.parametrize("guards", [GUARDS, HOLD_ALL])
async def test_what_was_held_of_a_good_answer_goes_out_before_a_final_failure(
    serve: Serve, guards: GuardPolicy
) -> None:
    reply = held_apart("The quick", " brown fox", end=ev_incomplete("max_output_tokens"))
    async with serve([reply], retry=EVEN, guards=guards) as (client, _), client.stream(PROMPT) as stream:
        events: list[ResponseEvent] = []
        with pytest.raises(IncompleteResponseError) as raised:
            async for event in stream:
                events.append(event)
        assert stream.error is raised.value
    assert text_of(events) == "The quick brown fox"
    assert raised.value.partial is not None
    assert raised.value.partial.text == "The quick brown fox"


async def test_held_text_of_a_broken_stream_is_dropped_while_another_attempt_is_left(
    serve: Serve, clock: ManualClock
) -> None:
    retry = RetryPolicy(stream_max_retries=1, jitter=0)
    cut = sse([ev_created(), ev_item_added(message_item()), ev_text_delta("The quick")])
    async with serve([cut, GOOD_BODY], clock=clock, retry=retry, guards=GUARDS) as (client, _):
        assert (await client.collect(PROMPT)).text == TEXT
    async with serve([cut, cut], clock=clock, retry=retry, guards=GUARDS) as (client, _):
        error = await failure_of(client)
    assert isinstance(error, RetryLimitError)
    assert error.partial is not None
    assert error.partial.text == "The quick"


async def test_garbled_text_that_was_held_when_the_stream_broke_never_goes_out(serve: Serve) -> None:
    cut = sse([ev_created(), ev_item_added(message_item()), ev_text_delta("so `<|call|>")])
    async with serve([cut], guards=GUARDS) as (client, _):
        error = await failure_of(client)
    assert isinstance(error, StreamClosedError)
    assert error.partial is not None
    assert error.partial.text == ""


class NeverCompletes(ResponsesDecoder):
    """A decoder that was plugged in and gives no `Completed`."""

    def feed(self, frame: ServerSentEvent) -> list[ResponseEvent]:
        return [event for event in super().feed(frame) if not isinstance(event, Completed)]


async def test_what_is_held_goes_out_at_an_end_that_nothing_announced() -> None:
    async with ReplayServer([sse([ev_created(), ev_text_delta("Yes"), ev_completed()])]) as server:
        config = ResponsesConfig(provider=server.provider(), model="m", guards=HOLD_ALL)
        builder = ResponsesPayloadBuilder(model="m", provider=config.provider)
        async with GenericClient(config, builder=builder, decoder=NeverCompletes) as client:
            assert (await client.collect(PROMPT)).text == "Yes"


class Outcomes:
    """A credential source that keeps what it is told."""

    can_refresh = False

    def __init__(self) -> None:
        self.outcomes: list[AttemptOutcome] = []

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        return Lease()

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> None:
        self.outcomes.append(outcome)


class Records:
    """Telemetry that keeps what it is told."""

    def __init__(self) -> None:
        self.records: list[TurnRecord] = []

    def start_turn(self, turn: TurnContext) -> Records:
        return self

    def record(self, record: TurnRecord) -> None:
        self.records.append(record)


async def test_telemetry_hears_of_the_retry_and_the_account_of_no_fault(serve: Serve, clock: ManualClock) -> None:
    auth, telemetry = Outcomes(), Records()
    script = [GARBLED, EMPTY, GOOD_BODY]
    async with serve(script, clock=clock, retry=EVEN, guards=GUARDS, auth=auth, telemetry=telemetry) as (client, _):
        assert (await client.collect(PROMPT)).text == TEXT
    retries = [record for record in telemetry.records if isinstance(record, Retry)]
    assert [(retry.layer, retry.attempt, retry.delay) for retry in retries] == [
        ("stream", 2, pytest.approx(0.2)),
        ("stream", 3, pytest.approx(0.2)),
    ]
    assert [type(retry.reason) for retry in retries] == [GarbledOutputError, EmptyResponseError]
    assert auth.outcomes == [AttemptOutcome(200)] * 3


@pytest.mark.parametrize("wire_api", ["responses", "chat"])
async def test_a_good_turn_is_the_same_with_and_without_guards(serve: Serve, wire_api: str) -> None:
    calls = [ToolCall("c", "look", '{"at": "it"}')]
    body = sse(responses_turn(TEXT, reasoning_summary="thought", tool_calls=calls))
    if wire_api == "chat":
        body = sse(chat_turn(TEXT, reasoning="thought", tool_calls=calls), done=True)
    whole = []
    for guards in (GuardPolicy(), GUARDS, HOLD_ALL):
        async with serve([body], wire_api=wire_api, guards=guards) as (client, _), client.stream(PROMPT) as stream:
            response = await stream.collect()
            whole.append((response, stream.request_id, stream.status_code, stream.malformed, dict(stream.ignored)))
    assert whole[0] == whole[1] == whole[2]


async def test_a_guarded_stream_may_be_left_before_its_end(serve: Serve) -> None:
    begun = sse([ev_created(), ev_item_added(message_item()), ev_text_delta(TEXT)])
    stalled = Reply.from_sse(begun).at(len(begun), Stall())
    async with serve([stalled], guards=GUARDS) as (client, server):
        async with client.stream(PROMPT) as stream:
            async for event in stream:
                if isinstance(event, OutputTextDelta):
                    break
            assert not stream.completed
        await server.idle()
        assert (len(server.requests), server.connections_made) == (1, 1)


def config(**options: Any) -> ClientConfig:
    profile = options.pop("profile")
    provider = ModelProviderInfo(name="p", base_url="http://localhost/v1", profile=profile)
    return ClientConfig(provider=provider, model="m", **options)


def test_guards_are_the_profiles_unless_the_policy_says_otherwise():
    off = GuardPolicy(garbled=False, empty=False)
    assert guards_of(PROMPT, config(profile=OPENAI)) == []
    assert guards_of(PROMPT, config(profile=CHATGPT_CODEX, guards=off)) == []
    assert guards_of(PROMPT, config(profile=OPENAI, guards=GuardPolicy(garbled=False, empty=False, hold="all"))) == []
    kinds = [type(make()).__name__ for make in guards_of(PROMPT, config(profile=CHATGPT_CODEX))]
    assert kinds == ["CapacityGuard", "GarbleGuard", "EmptyGuard", "StructureHold"]
    for policy in (GuardPolicy(hold="all"), GuardPolicy(markers=("quick brown",))):
        kinds = [type(make()).__name__ for make in guards_of(PROMPT, config(profile=OPENAI, guards=policy))]
        assert kinds == ["CapacityGuard", "GarbleGuard", "StructureHold"]
    off = GuardPolicy(garbled=False, markers=("quick brown",))
    assert guards_of(PROMPT, config(profile=OPENAI, guards=off)) == []
    empty = guards_of(PROMPT, config(profile=OPENAI, guards=GuardPolicy(empty=True)))
    assert [type(make()).__name__ for make in empty] == ["EmptyGuard", "StructureHold"]


async def test_holding_all_holds_where_only_empty_turns_are_guarded(serve: Serve, clock: ManualClock) -> None:
    guards = GuardPolicy(garbled=False, empty=True, hold="all")
    retry = RetryPolicy(stream_max_retries=1, jitter=0)
    cut = Reply.from_sse(GOOD_BODY).at(len(GOOD_BODY) - 200, Close())
    async with serve([cut, GOOD_BODY], clock=clock, retry=retry, guards=guards) as (client, server):
        assert (await client.collect(Prompt("hello"))).text == TEXT
        assert len(server.requests) == 2


PARTS = ["The ", "`quick` ", "brown\n", "```\nfox <|start|>\n```\n", "jumps to=", "assistant over ", "the lazy dog."]
WHOLE = "".join(PARTS)


def reply_to(fault: Any) -> Any:
    """The reply that a drawn fault stands for. All texts have the same beginning."""
    kind, share, sizes = fault
    if kind in (429, 500):
        return kind
    if kind == "empty":
        return EMPTY
    if kind == "busy":
        return sse(responses_turn(CAPACITY_TEXTS[1]))
    text = WHOLE
    if isinstance(kind, int):
        # Where every marker counts: at the beginning, or behind white space.
        text = f"{''.join(PARTS[: int(5 * share)])}{MARKERS[kind].text}garbage {WHOLE}"
    deltas, rest = list[str](), text
    for size in sizes:
        deltas.append(rest[:size])
        rest = rest[size:]
    reply = held_apart(*filter(None, [*deltas, rest]))
    if kind in ("close", "reset"):
        return reply.at(int(len(reply.content) * share), Close() if kind == "close" else Reset())
    return reply


kinds = st.sampled_from([*range(len(MARKERS)), 429, 500, "empty", "busy", "close", "reset", "close", "reset", "good"])
faults = st.tuples(kinds, st.floats(0, 1, exclude_max=True), st.lists(st.integers(1, 12), max_size=8))


@pytest.mark.parametrize("after_output", ["raise", "restart"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(faults, max_size=5), st.sampled_from([GUARDS, HOLD_ALL]))
async def test_released_text_is_always_a_prefix_of_the_final_text_and_none_comes_twice(
    serve: Serve, after_output: Any, script: list[Any], guards: GuardPolicy
) -> None:
    clock = ManualClock(auto_advance=True)
    restart = RestartPolicy(after_output=after_output)
    replies = [*map(reply_to, script), *[reply_to(("good", 0, [3, 5, 2]))] * 16]
    async with serve(replies, clock=clock, retry=EVEN, guards=guards, restart=restart) as (client, server):
        text, events = "", list[ResponseEvent]()
        try:
            async with client.stream(PROMPT) as stream:
                async for event in stream:
                    events.append(event)
                    match event:
                        case StreamRestarted():
                            assert after_output == "restart"
                            text = ""
                        case OutputTextDelta():
                            text += event.delta
                        case OutputItemDone(item=Message() as message):
                            assert message.text == WHOLE
                        case _:
                            pass
                    assert WHOLE.startswith(text)
            assert isinstance(events[-1], Completed)
            assert text == stream.response.text == WHOLE
        except CodexError as error:
            allowed = (GarbledOutputError, EmptyResponseError, StreamClosedError, ReadError, RetryLimitError)
            assert isinstance(error, allowed), repr(error)
            assert error.partial is None or error.partial.text == text
            if isinstance(error, GarbledOutputError | EmptyResponseError):
                assert error.attempts == 3 or (text and after_output == "raise")
        assert len(server.requests) <= 1 + 4 + 5 + 2 + 2
