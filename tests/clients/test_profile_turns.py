"""Profiles in whole turns: conversations, headers, refusals that are amended, reasoning that only its issuer reads."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import anyio
import anyio.lowlevel
import pytest

from codex_client.api import ApiRequest, Retry, TurnContext, TurnEnded, TurnRecord
from codex_client.auth.static import StaticAuth
from codex_client.backend_profile import CHATGPT_CODEX, OPENAI, BackendProfile
from codex_client.client.config import ClientConfig, RetryPolicy
from codex_client.clients.chat import ChatCompletionsApiClient
from codex_client.errors import (
    DroppedParameterWarning,
    FirstEventTimeoutError,
    InvalidRequestError,
    RetryLimitError,
)
from codex_client.items import Message, Reasoning, SummaryText
from codex_client.prompt import Prompt, ReasoningOptions
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import (
    AccountServer,
    ManualClock,
    RecordedRequest,
    ReplayServer,
    Reply,
    ServerAccount,
    Stall,
    chat_turn,
    responses_turn,
)
from tests.support.chosen_account import ChosenAccount

TURN = Reply.from_events(responses_turn("Hi."))
CHAT_TURN = Reply.from_events(chat_turn("Hi."))
NO_RETRIES = RetryPolicy(request_max_retries=0, stream_max_retries=0)


def refusing(name: str) -> Reply:
    return Reply.from_json({"detail": f"Unsupported parameter: {name}"}, status=400)


def openai_refusal(message: str, param: str | None, code: str | None) -> Reply:
    told = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return Reply.from_json({"error": told}, status=400)


CANNOT_READ = openai_refusal("The encrypted content could not be verified.", None, "invalid_encrypted_content")
UNTAGGED = Reasoning(summary=[SummaryText(text="s")], encrypted_content="g0")


class Watch:
    """Keeps what telemetry is told of every turn."""

    def __init__(self) -> None:
        self.turns: list[TurnContext] = []
        self.records: list[TurnRecord] = []

    def start_turn(self, turn: TurnContext) -> Watch:
        self.turns.append(turn)
        return self

    def record(self, record: TurnRecord) -> None:
        self.records.append(record)


@asynccontextmanager
async def replaying(
    replies: Any, profile: BackendProfile = CHATGPT_CODEX, *, wire_api: Any = "responses", **options: Any
) -> AsyncGenerator[tuple[RoutedApiClient, ReplayServer]]:
    """A client of a server of this kind, and that server; nothing may be retried unless told."""
    chosen: dict[str, Any] = {"retry": NO_RETRIES, "model": "gpt-5.2"} | options
    async with ReplayServer(replies) as server:
        provider = dataclasses.replace(server.provider(wire_api), profile=profile)
        async with RoutedApiClient(ClientConfig(provider=provider, **chosen)) as client:
            yield client, server
        server.assert_complete()


NAMES = ("conversation_id", "session_id", "session-id", "thread-id")


def conversations(server: ReplayServer) -> list[set[str | None]]:
    return [
        {*(request.headers.get(name) for name in NAMES), request.json().get("prompt_cache_key")}
        for request in server.requests
    ]


async def test_f16_a_prompt_to_a_backend_that_needs_one_is_in_the_conversation_that_it_goes_on_with() -> None:
    accounts, watch = ChosenAccount(), Watch()
    begun = Prompt("one")
    async with replaying([TURN, TURN, TURN, TURN], auth=accounts, telemetry=watch) as (client, server):
        answer = await client.collect(begun)
        await client.collect(begun.with_history(answer, Message.user("and?")))
        await client.collect(Prompt("two"))
        await client.collect(Prompt("three", conversation_id="mine"))
        (first,), (second,), (other,), (named,) = conversations(server)
    assert first == second == str(UUID(str(first)))
    assert other == str(UUID(str(other))) != first
    assert named == "mine"
    assert accounts.conversations == [turn.conversation_id for turn in watch.turns] == [first, first, other, "mine"]


async def test_the_prompts_cache_key_names_its_conversation() -> None:
    async with replaying(TURN) as (client, server):
        await client.collect(Prompt("one", prompt_cache_key="key"))
        assert conversations(server) == [{"key"}]


async def test_the_configured_conversation_holds_and_others_need_none() -> None:
    async with replaying(TURN, conversation_id="c") as (client, server):
        await client.collect(Prompt("one"))
        assert conversations(server) == [{"c"}]
    async with replaying(TURN, OPENAI) as (client, server):
        await client.collect(Prompt("one"))
        await client.collect(Prompt("two", conversation_id="mine"))
        assert conversations(server) == [{None}, {"mine"}]


async def test_a_conversation_is_known_again_by_another_client() -> None:
    async with replaying(TURN) as (one, server), replaying(TURN) as (other, other_server):
        await one.collect(Prompt("hi", instructions="i"))
        await other.collect(Prompt([{"role": "user", "content": "hi"}], instructions="i"))
        assert conversations(server) == conversations(other_server)


async def test_the_profiles_headers_go_out_and_the_agent_is_honest() -> None:
    async with replaying(TURN) as (client, server):
        await client.collect(Prompt("hi"))
        headers = server.requests[0].headers
    assert headers["originator"] == "codex_client"
    assert headers["user-agent"].startswith("codex_client/")


async def test_the_prompts_model_is_asked_and_told_to_telemetry() -> None:
    watch = Watch()
    async with replaying(TURN, telemetry=watch) as (client, server):
        await client.collect(Prompt("hi", model="gpt-5.1:low"))
        body = server.requests[0].json()
    assert (body["model"], body["reasoning"]["effort"], watch.turns[0].model) == ("gpt-5.1", "low", "gpt-5.1")


async def test_f2_a_newly_refused_parameter_is_left_out_once_with_a_warning_and_from_then_on() -> None:
    watch = Watch()
    async with replaying([refusing("service_tier"), TURN, TURN], telemetry=watch) as (client, server):
        with pytest.warns(
            DroppedParameterWarning, match=r"refused the parameter 'service_tier' for the model 'gpt-5\.2'"
        ):
            assert (await client.collect(Prompt("hi", service_tier="flex"))).text == "Hi."
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await client.collect(Prompt("hi", service_tier="flex"))
        bodies = [request.json() for request in server.requests]
        ids = {request.headers["x-client-request-id"] for request in server.requests[:2]}
    assert [body.pop("service_tier", None) for body in bodies] == ["flex", None, None]
    assert bodies[0] == bodies[1] == bodies[2]
    assert len(ids) == 1
    retries = [record for record in watch.records if isinstance(record, Retry)]
    attempts = [(record.attempt, record.status) for record in watch.records if isinstance(record, ApiRequest)]
    assert attempts == [(1, 400), (2, 200), (1, 200)]
    assert [(retry.layer, retry.attempt, retry.delay) for retry in retries] == [("request", 2, 0.0)]
    assert isinstance(retries[0].reason, InvalidRequestError)


async def test_what_one_model_refuses_another_is_still_asked_for() -> None:
    temperature = openai_refusal("Unsupported parameter: 'temperature'", "temperature", None)
    async with replaying([temperature, TURN, TURN], OPENAI) as (client, server):
        with pytest.warns(DroppedParameterWarning):
            await client.collect(Prompt("hi", temperature=0.5, model="o3"))
        await client.collect(Prompt("hi", temperature=0.5, model="gpt-4o"))
        assert [request.json().get("temperature") for request in server.requests] == [0.5, None, 0.5]


UNSUPPORTED = openai_refusal("Unsupported parameter: 'temperature'", "temperature", "unsupported_parameter")


async def test_f2_what_is_refused_at_one_effort_is_still_asked_for_at_another() -> None:
    efforts = ("high", "none", None, "high")
    async with replaying([UNSUPPORTED, TURN, TURN, TURN, TURN], OPENAI) as (client, server):
        with pytest.warns(DroppedParameterWarning, match="for the model 'gpt-5.2' at effort 'high'; it is") as caught:
            for effort in efforts:
                await client.collect(Prompt("hi", temperature=0, reasoning=ReasoningOptions(effort)))
        assert [request.json().get("temperature") for request in server.requests] == [0, None, 0, 0, None]
    assert len(caught) == 1


async def test_the_effort_of_a_chat_request_counts_as_well() -> None:
    replies = [UNSUPPORTED, CHAT_TURN, CHAT_TURN]
    async with replaying(replies, OPENAI, wire_api="chat") as (client, server):
        with pytest.warns(DroppedParameterWarning):
            await client.collect(Prompt("hi", temperature=0, reasoning=ReasoningOptions("high")))
        await client.collect(Prompt("hi", temperature=0, reasoning=ReasoningOptions("none")))
        assert [request.json().get("temperature") for request in server.requests] == [0, None, 0]


async def test_f2_what_one_account_is_refused_another_still_asks_for() -> None:
    accounts = ChosenAccount()
    prompt = Prompt("hi", service_tier="priority")
    async with replaying([refusing("service_tier"), TURN, TURN, TURN], auth=accounts) as (client, server):
        with pytest.warns(DroppedParameterWarning, match="for the model 'gpt-5.2' with this account; it is left out"):
            await client.collect(prompt)
        for account in ("b", "a"):
            accounts.account = account
            await client.collect(prompt)
        sent = [request.json().get("service_tier") for request in server.requests]
    assert sent == ["priority", None, "priority", None]


async def test_f2_an_account_that_takes_over_is_asked_in_full_and_nothing_is_learnt_of_the_first() -> None:
    accounts = ChosenAccount()

    def reply(request: RecordedRequest) -> Reply:
        accounts.account, asked = "b", request.headers["authorization"]
        return TURN if asked == "Bearer b" else refusing("service_tier")

    prompt = Prompt("hi", service_tier="priority")
    async with replaying(reply, auth=accounts) as (client, server):
        with pytest.warns(DroppedParameterWarning):
            await client.collect(prompt)
        accounts.account = "a"
        await client.collect(prompt)
        sent = [(each.headers["authorization"][-1], each.json().get("service_tier")) for each in server.requests]
    assert sent == [("a", "priority"), ("b", "priority"), ("a", "priority"), ("b", "priority")]


async def test_f2_nothing_is_learnt_of_a_request_that_is_refused_without_the_field_too() -> None:
    odd = openai_refusal("The tool is odd.", "tools", "invalid_value")
    prompt = Prompt("hi", service_tier="flex")
    async with replaying([refusing("service_tier"), odd, refusing("service_tier"), TURN, TURN]) as (client, server):
        with pytest.warns(DroppedParameterWarning) as caught:
            with pytest.raises(InvalidRequestError):
                await client.collect(prompt)
            await client.collect(prompt)
            await client.collect(prompt)
        sent = [request.json().get("service_tier") for request in server.requests]
    assert sent == ["flex", None, "flex", None, None]
    assert len(caught) == 1


async def test_a_refusal_of_what_was_never_sent_is_raised() -> None:
    class Refusing(ChosenAccount):
        async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Any:
            raise InvalidRequestError("Unsupported parameter: scope", status=400, body="", url="", param="scope")

    async with replaying([], auth=Refusing()) as (client, _):
        with pytest.raises(InvalidRequestError):
            await client.collect(Prompt("hi"))


async def test_a_verbosity_that_the_model_does_not_take_is_medium_from_then_on() -> None:
    refusal = openai_refusal("Unsupported value: 'low'", "text.verbosity", "unsupported_value")
    async with replaying([refusal, TURN, TURN]) as (client, server):
        with pytest.warns(DroppedParameterWarning, match=r"the value of 'text\.verbosity'.*; it is sent as 'medium'"):
            await client.collect(Prompt("hi", verbosity="low"))
        await client.collect(Prompt("hi", verbosity="low"))
        sent = [request.json()["text"]["verbosity"] for request in server.requests]
    assert sent == ["low", "medium", "medium"]


def refusing_always(refusal: Reply, holds: Callable[[Any], bool]) -> Callable[[RecordedRequest], Reply]:
    """A server that refuses every body for which that holds."""
    return lambda request: refusal if holds(request.json()) else TURN


async def collect_at_once(client: RoutedApiClient, prompt: Prompt, turns: int) -> list[str]:
    texts: list[str] = []

    async def turn() -> None:
        texts.append((await client.collect(prompt)).text)

    async with anyio.create_task_group() as group:
        for _ in range(turns):
            group.start_soon(turn)
    return texts


async def test_turns_that_are_refused_at_once_are_all_sent_without_it_and_tell_of_it_once() -> None:
    server_rule = refusing_always(refusing("service_tier"), lambda body: "service_tier" in body)
    async with replaying(server_rule) as (client, server):
        with pytest.warns(DroppedParameterWarning) as caught:
            texts = await collect_at_once(client, Prompt("hi", service_tier="flex"), 20)
        assert len(server.requests) == 40
    assert (texts, len(caught)) == (["Hi."] * 20, 1)


async def test_f7_turns_whose_reasoning_is_refused_at_once_are_all_sent_without_it() -> None:
    def is_sealed(body: Any) -> bool:
        return any(item.get("encrypted_content") for item in body["input"])

    async with replaying(refusing_always(CANNOT_READ, is_sealed)) as (client, server):
        with pytest.warns(DroppedParameterWarning) as caught:
            texts = await collect_at_once(client, Prompt([UNTAGGED, Message.user("hi")]), 20)
        assert len(server.requests) == 40
    assert (texts, len(caught)) == (["Hi."] * 20, 1)


@pytest.mark.parametrize("prompt", [Prompt("hi", temperature=0.5), Prompt("hi", service_tier="flex")])
async def test_a_warning_that_is_made_an_error_is_raised_by_each_turn(prompt: Prompt) -> None:
    server_rule = refusing_always(refusing("service_tier"), lambda body: "service_tier" in body)
    async with replaying(server_rule) as (client, _):
        with warnings.catch_warnings():
            warnings.simplefilter("error", DroppedParameterWarning)
            for _ in range(2):
                with pytest.raises(DroppedParameterWarning):
                    await client.collect(prompt)


async def test_f7_reasoning_that_is_refused_is_raised_by_each_turn_where_warnings_are_errors() -> None:
    async with replaying([CANNOT_READ, CANNOT_READ]) as (client, _):
        with warnings.catch_warnings():
            warnings.simplefilter("error", DroppedParameterWarning)
            for _ in range(2):
                with pytest.raises(DroppedParameterWarning):
                    await client.collect(Prompt([UNTAGGED, Message.user("hi")]))


@pytest.mark.parametrize("prompt", [Prompt("hi", temperature=0.5), Prompt("hi", service_tier="flex")])
async def test_a_warning_names_the_callers_line(prompt: Prompt) -> None:
    server_rule = refusing_always(refusing("service_tier"), lambda body: "service_tier" in body)
    async with replaying(server_rule) as (client, _):
        with pytest.warns(DroppedParameterWarning) as caught:
            await client.collect(prompt)
    assert [warning.filename for warning in caught] == [__file__]


async def test_a_second_refusal_of_the_same_kind_is_raised() -> None:
    prompt = Prompt("hi", service_tier="flex", extra={"client_metadata": {}})
    async with replaying([refusing("service_tier"), refusing("client_metadata")]) as (client, server):
        with pytest.warns(DroppedParameterWarning), pytest.raises(InvalidRequestError) as raised:
            await client.collect(prompt)
        assert len(server.requests) == 2
    assert raised.value.param == "client_metadata"


async def test_each_kind_has_one_try_of_its_own() -> None:
    value = openai_refusal("Unsupported value: 'low'", "text.verbosity", "unsupported_value")
    async with replaying([refusing("service_tier"), value, TURN]) as (client, _):
        with pytest.warns(DroppedParameterWarning) as caught:
            await client.collect(Prompt("hi", service_tier="flex", verbosity="low"))
    assert len(caught) == 2


@pytest.mark.parametrize("options", [{"service_tier": "flex"}, {"verbosity": "low"}])
async def test_strict_parameters_leave_the_refusal_to_the_caller(options: Any) -> None:
    refusal = {
        "service_tier": refusing("service_tier"),
        "verbosity": openai_refusal("Unsupported value", "text.verbosity", "unsupported_value"),
    }
    replies = [refusal[next(iter(options))]]
    async with replaying(replies, strict_parameters=True) as (client, _):
        with pytest.raises(InvalidRequestError):
            await client.collect(Prompt("hi", **options))


async def test_an_amended_request_draws_on_no_retry() -> None:
    retry = RetryPolicy(request_max_retries=1, stream_max_retries=0)
    replies = [refusing("service_tier"), Reply.error(500), TURN]
    clock = ManualClock(auto_advance=True)
    async with replaying(replies, retry=retry, clock=clock) as (client, _):
        with pytest.warns(DroppedParameterWarning):
            assert (await client.collect(Prompt("hi", service_tier="flex"))).text == "Hi."
    assert len(clock.sleeps) == 1


async def test_a_refusal_that_no_leaving_out_helps_is_raised_at_once() -> None:
    async with replaying([refusing("tools")]) as (client, _):
        with pytest.raises(InvalidRequestError):
            await client.collect(Prompt("hi"))


async def test_chat_requests_are_amended_too() -> None:
    text = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    replies = [openai_refusal(text, "max_tokens", "unsupported_parameter"), CHAT_TURN, CHAT_TURN]
    generic = BackendProfile(name="p")
    async with replaying(replies, generic, wire_api="chat") as (client, server):
        assert isinstance(client.api, ChatCompletionsApiClient)
        with pytest.warns(DroppedParameterWarning, match="it is sent as 'max_completion_tokens'"):
            await client.collect(Prompt("hi", max_output_tokens=16))
        await client.collect(Prompt("hi", max_output_tokens=16))
        bodies = [request.json() for request in server.requests]
    limits = [(body.get("max_tokens"), body.get("max_completion_tokens")) for body in bodies]
    assert limits == [(16, None), (None, 16), (None, 16)]


def reasoned(seal: str) -> Reply:
    """A turn whose reasoning is encrypted."""
    events = json.loads(json.dumps(responses_turn("Hi.", reasoning_summary="Thinking.")))
    for event in events:
        for item in [event.get("item"), *(event.get("response") or {}).get("output", ())]:
            if item and item["type"] == "reasoning":
                item["encrypted_content"] = seal
    return Reply.from_events(events)


def seals(server: ReplayServer) -> list[list[str]]:
    """The encrypted reasoning of each request, and that of others' summaries."""
    return [
        [item.get("encrypted_content") or "open" for item in request.json()["input"] if item["type"] == "reasoning"]
        for request in server.requests
    ]


async def test_f7_reasoning_goes_back_to_who_encrypted_it_and_to_nobody_else() -> None:
    accounts = ChosenAccount()
    async with replaying([reasoned("g1"), reasoned("g2"), TURN, TURN], auth=accounts) as (client, server):
        prompt = Prompt("hi")
        prompt = prompt.with_history(await client.collect(prompt), Message.user("more"))
        accounts.account = "b"
        prompt = prompt.with_history(await client.collect(prompt), Message.user("more"))
        await client.collect(prompt)
        accounts.account = "a"
        await client.collect(prompt)
        assert seals(server) == [[], [], ["g2"], ["g1"]]
        assert all("issuer" not in request.content.decode() for request in server.requests)
    tags = [item.issuer for item in prompt.items if isinstance(item, Reasoning)]
    assert len({*tags, None}) == 3


async def test_f7_another_model_is_another_issuer() -> None:
    clock, retry = ManualClock(auto_advance=True), RetryPolicy()
    replies = [reasoned("g1"), Reply.error(500), TURN, TURN]
    async with replaying(replies, retry=retry, clock=clock) as (client, server):
        prompt = Prompt("hi")
        prompt = prompt.with_history(await client.collect(prompt), Message.user("more"))
        await client.collect(dataclasses.replace(prompt, model="gpt-5.1"))
        await client.collect(dataclasses.replace(prompt, model="gpt-5.2:high"))
        assert seals(server) == [[], [], [], ["g1"]]
        assert server.requests[1].body == server.requests[2].body


async def test_f7_a_stored_answer_and_a_whole_body_are_tagged_too() -> None:
    events = responses_turn("Hi.", reasoning_summary="Thinking.")
    whole = json.loads(json.dumps(events[-1]["response"]))
    whole["output"][0]["encrypted_content"] = "g1"
    async with replaying([Reply.from_json(whole)]) as (client, _):
        response = await client.collect(Prompt("hi"))
    assert [bool(item.issuer) for item in response.items if isinstance(item, Reasoning)] == [True]


async def test_reasoning_that_is_not_encrypted_has_no_issuer() -> None:
    turn = Reply.from_events(responses_turn("Hi.", reasoning_summary="Thinking."))
    async with replaying(turn) as (client, _):
        response = await client.collect(Prompt("hi"))
    assert [item.issuer for item in response.items if isinstance(item, Reasoning)] == [None]


@pytest.mark.parametrize("strict", [True, False])
async def test_f7_what_nobody_knows_the_issuer_of_is_sent_until_it_is_refused(strict: bool) -> None:
    replies = [CANNOT_READ, reasoned("g1"), TURN]
    async with replaying(replies, strict_parameters=strict) as (client, server):
        prompt = Prompt([UNTAGGED, Message.user("hi")])
        with pytest.warns(DroppedParameterWarning, match="cannot read the encrypted reasoning of the input"):
            prompt = prompt.with_history(await client.collect(prompt), Message.user("more"))
        await client.collect(prompt)
        assert seals(server) == [["g0"], [], ["g1"]]


async def test_f7_a_body_without_anothers_reasoning_is_amended_too() -> None:
    foreign = UNTAGGED.model_copy(update={"issuer": "another"})
    async with replaying([refusing("service_tier"), TURN]) as (client, server):
        with pytest.warns(DroppedParameterWarning):
            await client.collect(Prompt([foreign, Message.user("hi")], service_tier="flex"))
        assert seals(server) == [[], []]
        assert [request.json().get("service_tier") for request in server.requests] == ["flex", None]


async def test_f7_a_second_refusal_of_the_reasoning_is_raised() -> None:
    async with replaying([CANNOT_READ, CANNOT_READ]) as (client, _):
        with pytest.warns(DroppedParameterWarning), pytest.raises(InvalidRequestError):
            await client.collect(Prompt([UNTAGGED, Message.user("hi")]))


async def test_f7_reasoning_of_ones_own_that_is_refused_goes_for_this_turn() -> None:
    async with replaying([reasoned("g1"), CANNOT_READ, TURN, TURN]) as (client, server):
        prompt = Prompt("hi")
        prompt = prompt.with_history(await client.collect(prompt), Message.user("more"))
        with pytest.warns(DroppedParameterWarning):
            await client.collect(prompt)
        await client.collect(prompt)
        assert seals(server) == [[], ["g1"], [], ["g1"]]


def client_of(server: AccountServer, account: ServerAccount, **options: Any) -> RoutedApiClient:
    auth = StaticAuth(server.issue(account).access_token, account_id=account.account_id)
    return RoutedApiClient(ClientConfig(provider=server.provider(), model="gpt-5", auth=auth, **options))


async def test_the_strict_backend_takes_a_prompt_with_everything_that_it_refuses() -> None:
    async with AccountServer() as server:
        account = server.add_account()
        prompt = Prompt(
            [
                Message.system("Be kind."),
                {"type": "function_call", "id": "fc_1", "call_id": "<" * 80, "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "<" * 80, "output": "1"},
                Message.system("Now be brief."),
            ],
            temperature=0.5,
            max_output_tokens=16,
            metadata={"a": "b"},
            extra={"user": "me"},
        )
        async with client_of(server, account) as client:
            with pytest.warns(DroppedParameterWarning) as caught:
                assert (await client.collect(prompt)).text == server.text
    assert len(caught) == 4
    assert account.refusals == []


async def test_the_strict_backend_takes_a_history_that_another_account_began() -> None:
    async with AccountServer() as server:
        accounts = [server.add_account("acct-1"), server.add_account("acct-2")]
        prompt = Prompt("hi", reasoning=ReasoningOptions("low"))
        for account in accounts * 2:
            async with client_of(server, account) as client:
                prompt = prompt.with_history(await client.collect(prompt), Message.user("more"))
    assert [account.refusals for account in accounts] == [[], []]
    assert [account.turns for account in accounts] == [2, 2]


STALLED_HEADERS, STALLED_BODY = TURN.at("head", Stall()), TURN.at(0, Stall())


async def answered(watch: Watch, answers: int) -> None:
    """Wait until the client has that many answers' headers."""
    with anyio.fail_after(10):
        while sum(isinstance(record, ApiRequest) and record.status == 200 for record in watch.records) < answers:
            await anyio.lowlevel.checkpoint()


async def test_f13_a_stalled_start_is_begun_anew_after_the_profiles_limit() -> None:
    clock, watch, texts = ManualClock(), Watch(), list[str]()
    retry = RetryPolicy(request_max_retries=1, stream_max_retries=1, base_delay=0)
    replies = [STALLED_HEADERS, STALLED_BODY, TURN]
    async with replaying(replies, clock=clock, telemetry=watch, retry=retry) as (client, server):

        async def turn() -> None:
            texts.append((await client.collect(Prompt("hi"))).text)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(turn)
            await server.received(1)
            await clock.wait_for_timer(120.0)
            clock.advance(120.0)
            await answered(watch, 1)
            await clock.wait_for_timer(120.0)
            clock.advance(120.0)
    assert texts == ["Hi."]
    assert clock.monotonic() == 240.0
    retries = [record for record in watch.records if isinstance(record, Retry)]
    assert [(each.layer, each.attempt, type(each.reason)) for each in retries] == [
        ("request", 2, FirstEventTimeoutError),
        ("stream", 3, FirstEventTimeoutError),
    ]
    assert isinstance(watch.records[-1], TurnEnded)


async def test_f13_a_start_that_goes_on_stalling_ends_with_the_budget() -> None:
    clock, watch, errors = ManualClock(), Watch(), list[RetryLimitError]()
    retry = RetryPolicy(request_max_retries=1, stream_max_retries=0, base_delay=0)
    async with replaying([STALLED_HEADERS] * 2, clock=clock, telemetry=watch, retry=retry) as (client, server):

        async def turn() -> None:
            with pytest.raises(RetryLimitError) as raised:
                await client.collect(Prompt("hi"))
            errors.append(raised.value)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(turn)
            for attempt in (1, 2):
                await server.received(attempt)
                await clock.wait_for_timer(120.0)
                clock.advance(120.0)
    assert (errors[0].attempts, type(errors[0].last_error)) == (2, FirstEventTimeoutError)
