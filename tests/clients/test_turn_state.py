"""A turn's routing state goes back with the rest of the turn, to the account that told it, and no further."""

from __future__ import annotations

import dataclasses
import gc
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from codex_client.aggregate import ToolCall
from codex_client.backend_profile import CHATGPT_CODEX, OPENAI, BackendProfile
from codex_client.client.config import ClientConfig
from codex_client.clients.turn_state import Strand, TurnStates, just_answered
from codex_client.errors import InvalidRequestError
from codex_client.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    Message,
    ResponseItem,
)
from codex_client.prompt import FunctionTool, Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import ManualClock, RecordedRequest, ReplayServer, Reply, ev_created, responses_turn
from tests.support.chosen_account import ChosenAccount

ASKED: list[ResponseItem] = [Message.user("hi")]
CALLED = [*ASKED, FunctionCall(call_id="1", name="f", arguments="{}"), FunctionCallOutput(call_id="1", output="2")]
ASKED_AGAIN = [*CALLED, Message.user("and?")]
CALLED_AGAIN = [
    *ASKED_AGAIN,
    FunctionCall(call_id="3", name="f", arguments="{}"),
    FunctionCallOutput(call_id="3", output="4"),
]


def told(state: str | None = None, *calls: str) -> Reply:
    """An answer that tells this state and makes calls of these ids."""
    turn = responses_turn("Hi.", tool_calls=[ToolCall(call_id, "f", "{}") for call_id in calls])
    return Reply.from_events(turn, headers={"x-codex-turn-state": state} if state else {})


def called(*call_ids: str) -> list[ResponseItem]:
    """A step: these calls, then their outputs."""
    calls = [FunctionCall(call_id=call_id, name="f", arguments="{}") for call_id in call_ids]
    return [*calls, *(FunctionCallOutput(call_id=call_id, output="2") for call_id in call_ids)]


def task_of(request: RecordedRequest) -> str:
    return request.json()["input"][0]["content"][0]["text"]


def answer_with_its_task(request: RecordedRequest) -> Reply:
    """A call for the task's message, and text after its output."""
    is_called = request.json()["input"][-1]["type"] == "function_call_output"
    turn = responses_turn("Hi.") if is_called else responses_turn(tool_calls=[ToolCall("1", "f", "{}")])
    return Reply.from_events(turn, headers={"x-codex-turn-state": f"state of {task_of(request)}"})


@asynccontextmanager
async def backend(
    replies: Any, profile: BackendProfile = CHATGPT_CODEX, **options: Any
) -> AsyncGenerator[tuple[RoutedApiClient, ReplayServer, ChosenAccount]]:
    accounts = ChosenAccount()
    async with ReplayServer(replies) as server:
        provider = dataclasses.replace(server.provider(), profile=profile)
        async with RoutedApiClient(
            ClientConfig(provider=provider, model="gpt-5.2", auth=accounts, **options)
        ) as client:
            yield client, server, accounts
        server.assert_complete()


def states(server: ReplayServer) -> list[str | None]:
    return [request.headers.get("x-codex-turn-state") for request in server.requests]


async def test_the_first_answers_state_goes_back_with_the_outputs_of_the_turn() -> None:
    async with backend([told("one"), told("two"), told()]) as (client, server, _):
        for items in (ASKED, CALLED, CALLED):
            await client.collect(Prompt(items))
        assert states(server) == [None, "one", "one"]


async def test_it_goes_no_further_than_the_users_next_message() -> None:
    async with backend([told("one"), told(), told("two"), told()]) as (client, server, _):
        for items in (ASKED, ASKED_AGAIN, CALLED_AGAIN, CALLED_AGAIN):
            await client.collect(Prompt(items))
        assert states(server) == [None, None, None, "two"]


@pytest.mark.parametrize("conversation", [None, "of all"])
async def test_tool_loops_that_run_at_once_keep_their_own(conversation: str | None) -> None:
    async with backend(answer_with_its_task, conversation_id=conversation) as (client, server, _):

        async def loop(task: str) -> None:
            first = Prompt(task, tools=[FunctionTool("f")])
            answer = await client.collect(first)
            await client.collect(first.with_history(answer, FunctionCallOutput(call_id="1", output="2")))

        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(loop, f"task {number}")
        sent = {(task_of(request), request.headers.get("x-codex-turn-state")) for request in server.requests}
    assert sent == {(f"task {number}", state) for number in range(8) for state in (None, f"state of task {number}")}


async def test_samples_of_one_prompt_keep_their_own() -> None:
    replies = [told("one", "1", "2"), told("two", "3"), told("other", "5"), told(), told(), told()]
    async with backend(replies) as (client, server, _):
        for items in ([], [], called("1", "2"), called("3"), [*called("1", "2"), *called("5")], called("3")):
            await client.collect(Prompt([*ASKED, *items]))
        assert states(server) == [None, None, "one", "two", "one", "two"]


@pytest.mark.parametrize("made, answered", [("1", ["1"]), ("2", ["1", "2"]), ("2", ["9"])])
async def test_a_step_that_may_be_of_either_sample_goes_without_and_is_known_from_then_on(
    made: str, answered: list[str]
) -> None:
    replies = [told("one", "1"), told("two", made), told("three", "7"), told()]
    async with backend(replies) as (client, server, _):
        for items in ([], [], called(*answered), [*called(*answered), *called("7")]):
            await client.collect(Prompt([*ASKED, *items]))
        assert states(server) == [None, None, None, "three"]


async def test_a_turn_that_is_asked_anew_is_told_anew() -> None:
    async with backend([told("one", "1"), told("two", "2"), told(), told()]) as (client, server, _):
        for items in ([], [], called("2"), called("1")):
            await client.collect(Prompt([*ASKED, *items]))
        assert states(server) == [None, None, "two", "one"]


async def test_the_same_words_again_are_another_turn() -> None:
    said_again = [*CALLED, *ASKED, *CALLED_AGAIN[-2:]]
    async with backend([told("one"), told()]) as (client, server, _):
        await client.collect(Prompt(ASKED))
        await client.collect(Prompt(said_again))
        assert states(server) == [None, None]


async def test_a_user_turn_that_is_begun_anew_goes_out_without_it() -> None:
    broken = Reply.from_events([ev_created()], headers={"x-codex-turn-state": "one"})
    clock = ManualClock(auto_advance=True)
    async with backend([broken, told(), told()], clock=clock) as (client, server, _):
        await client.collect(Prompt(ASKED))
        await client.collect(Prompt(CALLED))
        assert states(server) == [None, None, "one"]


async def test_it_is_known_to_its_conversation_and_account_only() -> None:
    async with backend([told("one"), told(), told("other"), told(), told()]) as (client, server, accounts):
        await client.collect(Prompt(ASKED, conversation_id="c"))
        await client.collect(Prompt(CALLED, conversation_id="d"))
        accounts.account = "b"
        await client.collect(Prompt(CALLED, conversation_id="c"))
        await client.collect(Prompt(CALLED, conversation_id="c"))
        accounts.account = "a"
        await client.collect(Prompt(CALLED, conversation_id="c"))
        assert states(server) == [None, None, None, "other", "one"]


async def test_ones_own_header_wins() -> None:
    headers = {"X-Codex-Turn-State": "mine"}
    async with backend([told("one"), told()], extra_headers=headers) as (client, server, _):
        await client.collect(Prompt(ASKED))
        await client.collect(Prompt(CALLED))
        assert states(server) == ["mine", "mine"]


async def test_other_backends_are_sent_none() -> None:
    async with backend([told("one"), told()], OPENAI, conversation_id="c") as (client, server, _):
        await client.collect(Prompt(ASKED))
        await client.collect(Prompt(CALLED))
        assert states(server) == [None, None]


async def test_without_a_conversation_there_is_nothing_to_keep_it_by() -> None:
    profile = BackendProfile(name="p", echoes_turn_state=True)
    async with backend([told("one"), told()], profile) as (client, server, _):
        await client.collect(Prompt(ASKED))
        await client.collect(Prompt(CALLED))
        assert states(server) == [None, None]


async def test_a_state_that_a_server_echoes_is_in_no_error() -> None:
    echo = Reply.error(400, "bad: opaque-state-canary")
    async with backend([told("opaque-state-canary"), echo]) as (client, _, _):
        await client.collect(Prompt(ASKED))
        with pytest.raises(InvalidRequestError) as raised:
            await client.collect(Prompt(CALLED))
    assert "canary" not in f"{raised.value} {vars(raised.value)}"


async def test_a_turn_that_is_never_begun_forgets_nothing() -> None:
    async with backend([told("one"), told()]) as (client, server, _):
        await client.collect(Prompt(ASKED))
        client.stream(Prompt(ASKED_AGAIN))
        await client.collect(Prompt(CALLED))
        assert states(server) == [None, "one"]


@pytest.mark.parametrize("state", ["", "x" * 8193, "a\nb", "ä"])
def test_what_no_header_could_carry_is_no_state(state: str) -> None:
    kept = TurnStates()
    strand = kept.begin("t")
    kept.learn(strand, "a", {"x-codex-turn-state": state})
    assert strand.state_of("a") is None


def with_state(kept: TurnStates, turn: str) -> Strand:
    strand = kept.begin(turn)
    kept.learn(strand, "a", {"x-codex-turn-state": f"state of {turn}"})
    return strand


def test_what_was_used_longest_ago_is_forgotten() -> None:
    kept = TurnStates(max_strands=3)
    first = with_state(kept, "1")
    kept.note_call(first, "a")
    with_state(kept, "2")
    assert kept.going_on("1", ["a"]) is first
    for turn in "34":
        with_state(kept, turn)
    assert kept.going_on("1", ["a"]) is first
    assert kept.going_on("2", ["a"]).state_of("a") is None
    for turn in "567":
        with_state(kept, turn)
    assert kept.going_on("1", ["a"]) is not first
    assert kept.going_on("1", []) is not first


def test_a_long_turn_is_known_by_its_newest_calls() -> None:
    kept = TurnStates()
    strand, other = with_state(kept, "1"), with_state(kept, "1")
    for number in range(200):
        kept.note_call(strand, f"call {number % 100}")
        kept.note_call(strand, f"call {number % 100}")
    assert all(kept.going_on("1", [f"call {number}"]) is strand for number in range(36, 100))
    assert kept.going_on("1", ["call 35"]) not in (strand, other)


def test_nothing_is_kept_of_turns_without_a_state() -> None:
    kept = TurnStates()
    names = iter(range(10**6))

    def run() -> None:
        for _ in range(100):
            kept.note_call(kept.begin(f"turn {next(names)}"), f"call {next(names)}")

    run()
    gc.collect()
    tracemalloc.start()
    try:
        run()
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 2000


@pytest.mark.parametrize(
    "items, expected",
    [
        (ASKED, []),
        (CALLED, ["1"]),
        (ASKED_AGAIN, []),
        ([*CALLED, *called("3", "4")], ["4", "3"]),
        ([CustomToolCall(call_id="1", name="c", input=""), CustomToolCallOutput(call_id="1", output="")], ["1"]),
        ([], []),
    ],
)
def test_a_turn_goes_on_where_tools_outputs_have_the_last_word(items: list[ResponseItem], expected: list[str]) -> None:
    assert just_answered(Prompt(items)) == expected
