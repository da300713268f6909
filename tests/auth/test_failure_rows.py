"""The failures of the ChatGPT Codex backend, one by one: which error, retried or not, another account or not, the wait
that was told, and how many requests it cost. The ids are the rows' names.

Each is met by a real client on a real socket. Where the server's own rules lead to the failure they are left to do so;
what only the real backend can do is scripted.
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import anyio
import pytest

from codex_client import (
    AuthenticationError,
    CodexError,
    ContextWindowExceededError,
    FirstEventTimeoutError,
    IdleTimeoutError,
    InvalidPayloadError,
    InvalidPromptError,
    InvalidPromptStatusError,
    InvalidRequestError,
    ModelNotFoundError,
    NetworkBlockedError,
    NotFoundError,
    PermissionDeniedError,
    Prompt,
    RetryLimitError,
    RetryPolicy,
    ServerOverloadedInStreamError,
    StreamClosedError,
    Timeouts,
    UsageLimitReachedError,
    UsageNotIncludedError,
    connect,
)
from codex_client.auth.refresh import RefreshingAuth
from codex_client.auth.static import StaticAuth
from codex_client.auth.store import MemoryTokenStore
from codex_client.auth.tokens import TokenSet
from codex_client.credentials.pool import CredentialPool
from codex_client.errors import (
    ConfigurationError,
    DroppedParameterWarning,
    LoginRequiredError,
    TokenRefreshError,
)
from codex_client.events import OutputTextDelta
from codex_client.items import FunctionCall, FunctionCallOutput, Message, dump_item
from codex_client.prompt import ReasoningOptions
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import (
    AccountServer,
    Close,
    ManualClock,
    Reply,
    ServerAccount,
    Stall,
    ev_completed,
    ev_created,
    ev_error,
    ev_failed,
    responses_turn,
    sse,
)
from codex_client.testing.refusals import AccountRefusal, blocked_page

RETRIES = RetryPolicy(request_max_retries=1, stream_max_retries=1, jitter=0)
PROMPT = Prompt("Say hello.", instructions="Be brief.")
TURN = responses_turn("Hello there.")


@dataclass
class Scene:
    """A server with one account, its login, and a client that retries once."""

    server: AccountServer
    account: ServerAccount
    login: TokenSet
    client: RoutedApiClient
    clock: ManualClock

    @property
    def turns(self) -> int:
        """How often the backend was asked for a turn."""
        return sum(request.path.endswith("/responses") for request in self.server.requests)

    def meet(self, reply: Reply) -> None:
        """Let this be the answer to every turn."""
        self.server.fail("/responses", reply, times=9)

    async def failure(self, prompt: Prompt = PROMPT) -> CodexError:
        """What the turn failed with, the last attempt's own error where there were several."""
        with pytest.raises(CodexError) as raised:
            await self.client.collect(prompt)
        error = raised.value
        if isinstance(error, RetryLimitError):
            assert error.last_error is not None
            return error.last_error
        return error


@dataclass(frozen=True)
class Verdict:
    """What a failure is taken for."""

    kind: type[CodexError]
    retryable: bool = False
    rotate: bool = False
    retry_after: float | None = None
    turns: int = 1

    def check(self, scene: Scene, error: CodexError) -> None:
        met = Verdict(type(error), error.retryable, error.rotate_account, error.retry_after, scene.turns)
        assert met == self, error.message


BAD_REQUEST = Verdict(InvalidRequestError)
REFUSED_LOGIN = Verdict(AuthenticationError, rotate=True)
FORBIDDEN = Verdict(PermissionDeniedError, rotate=True)


@asynccontextmanager
async def scene(*, refreshing: bool = False, lifetime: float = 3600.0, **options: Any) -> AsyncGenerator[Scene]:
    clock = options.pop("clock", None) or ManualClock(auto_advance=True)
    async with AccountServer(clock) as server:
        account = server.add_account("acct-1")
        login = server.issue(account, lifetime)
        store = MemoryTokenStore([login])
        async with RefreshingAuth(store, clock=clock) as refreshing_auth:
            static = StaticAuth(login.access_token, account_id=login.account_id)
            auth = options.pop("auth", None) or (refreshing_auth if refreshing else static)
            async with connect(
                "gpt-5", provider=server.provider(), auth=auth, retry=RETRIES, clock=clock, **options
            ) as client:
                yield Scene(server, account, login, client, clock)
        await server.idle()


def refused(status: int, value: Any, **headers: str) -> Reply:
    return Reply.from_json(value, status=status, headers=headers)


CALL = FunctionCall(call_id="call_1", name="f", arguments="{}")
OUTPUT = FunctionCallOutput(call_id="call_1", output="x")
SYSTEM = Message(role="system", content="Be brief.")
RAW_SYSTEM = {"type": "message", "role": "system", "content": "Be brief."}
RAW_CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
RAW_OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "x"}


def with_extra(**extra: Any) -> Prompt:
    return Prompt("Say hello.", instructions="Be brief.", extra=extra)


@pytest.mark.parametrize(
    "prompt, verdict, words",
    [
        pytest.param(with_extra(input=[RAW_SYSTEM]), BAD_REQUEST, "System messages are not allowed", id="F5"),
        pytest.param(
            with_extra(input=[{**RAW_CALL, "id": "fc_1"}, RAW_OUTPUT]),
            Verdict(NotFoundError),
            "Item with id 'fc_1' not found",
            id="F6-unknown",
        ),
        pytest.param(
            with_extra(input=[{**RAW_CALL, "call_id": "c" * 65}]), BAD_REQUEST, "string too long", id="F6-long"
        ),
        pytest.param(with_extra(input=[RAW_OUTPUT]), BAD_REQUEST, "No tool call found", id="F6b-orphan"),
        pytest.param(with_extra(input=[RAW_CALL]), BAD_REQUEST, "No tool output found", id="F6b-unanswered"),
    ],
)
async def test_a_faulty_request_is_refused_once_and_by_no_other_account(
    prompt: Prompt, verdict: Verdict, words: str
) -> None:
    async with scene() as on:
        error = await on.failure(prompt)
        verdict.check(on, error)
    assert words in error.message


@pytest.mark.parametrize(
    "prompt, dropped",
    [
        pytest.param(Prompt("Hello."), [], id="F1"),
        pytest.param(Prompt("Hello.", max_output_tokens=10), ["max_output_tokens"], id="F2-max_output_tokens"),
        pytest.param(Prompt("Hello.", temperature=0.5), ["temperature"], id="F2-temperature"),
        pytest.param(with_extra(prompt_cache_retention="24h"), ["prompt_cache_retention"], id="F2-extra"),
        pytest.param(with_extra(brand_new=1), ["brand_new"], id="F2-not_known_before"),
        pytest.param(with_extra(stream=False), [], id="F3-stream"),
        pytest.param(with_extra(input="Hello."), [], id="F3-input"),
        pytest.param(Prompt([SYSTEM, Message.user("Hello."), SYSTEM]), [], id="F5"),
    ],
)
async def test_what_the_backend_demands_is_sent_and_what_it_refuses_is_not(prompt: Prompt, dropped: list[str]) -> None:
    """`dropped`: the fields that the caller is warned of; one that nobody knew costs a refusal."""
    async with scene() as on:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert (await on.client.collect(prompt)).text == on.server.text
        refusals = ["invalid_request"] if "brand_new" in dropped else []
        assert (on.account.refusals, on.turns) == (refusals, 1 + len(refusals))
    told = [warning for warning in caught if warning.category is DroppedParameterWarning]
    assert [name for name, warning in zip(dropped, told, strict=True) if name not in str(warning.message)] == []


async def test_what_would_be_kept_nowhere_is_refused_before_anything_is_sent() -> None:
    """F4"""
    async with scene() as on:
        Verdict(ConfigurationError, turns=0).check(on, await on.failure(with_extra(store=True)))
    with pytest.raises(ConfigurationError, match="stores no responses"):
        async with scene(store=True):
            pass


@pytest.mark.parametrize("items", [[CALL], [OUTPUT]], ids=["F6b-unanswered", "F6b-orphan"])
async def test_calls_and_outputs_that_do_not_pair_are_found_before_anything_is_sent(items: list[Any]) -> None:
    async with scene() as on:
        Verdict(InvalidPayloadError, turns=0).check(on, await on.failure(Prompt(items, instructions="x")))


async def test_the_ids_of_a_response_that_was_not_kept_are_not_sent_back() -> None:
    """F6: the next turn has the last one's items, and not their ids."""
    async with scene() as on:
        first = await on.client.collect(PROMPT)
        assert [item.id for item in first.items] == ["msg_1"]
        await on.client.collect(PROMPT.with_history(first))
        assert on.turns == 2
        assert not any("id" in item for item in on.server.requests[-1].json()["input"])


@pytest.mark.parametrize(
    "reply, verdict",
    [
        pytest.param(refused(400, {"detail": "Instructions are not valid"}), BAD_REQUEST, id="F1b"),
        pytest.param(
            refused(400, {"error": {"code": "unsupported_parameter", "param": "user", "message": "Unsupported."}}),
            BAD_REQUEST,
            id="F2-coded",
        ),
        pytest.param(blocked_page("8f1-FRA"), Verdict(NetworkBlockedError, retryable=True, turns=2), id="F9"),
        pytest.param(
            Reply(status=403, headers={"cf-ray": "8f1-FRA", "cf-mitigated": "challenge"}, body=b"<html></html>"),
            Verdict(NetworkBlockedError, retryable=True, turns=2),
            id="F9-challenge",
        ),
        pytest.param(
            refused(429, {"error": {"type": "usage_limit_reached", "resets_in_seconds": 90, "plan_type": "plus"}}),
            Verdict(UsageLimitReachedError, rotate=True, retry_after=90.0),
            id="F10-body",
        ),
        pytest.param(
            refused(
                429,
                {"error": {"type": "usage_limit_reached", "resets_in_seconds": 90}},
                **{
                    "x-codex-primary-used-percent": "100",
                    "x-codex-primary-window-minutes": "0",
                    "x-codex-primary-reset-at": "",
                },
            ),
            Verdict(UsageLimitReachedError, rotate=True, retry_after=90.0),
            id="F10-window-0",
        ),
        pytest.param(
            refused(429, {"error": {"type": "usage_limit_reached", "message": "Limit reached."}}),
            Verdict(UsageLimitReachedError, rotate=True),
            id="F10-bare",
        ),
        pytest.param(
            Reply.from_events([ev_created(), ev_failed("server_is_overloaded", "Overloaded.")]),
            Verdict(ServerOverloadedInStreamError, retryable=True, turns=2),
            id="F10c-failed",
        ),
        pytest.param(
            Reply.from_events([ev_created(), ev_error("server_is_overloaded", "Overloaded.")]),
            Verdict(ServerOverloadedInStreamError, retryable=True, turns=2),
            id="F10c-error",
        ),
        pytest.param(
            Reply.from_events([ev_created(), ev_failed(None, error={"message": "The model is at capacity."})]),
            Verdict(ServerOverloadedInStreamError, retryable=True, turns=2),
            id="F10c-text",
        ),
        pytest.param(Reply.from_events([ev_created()]), Verdict(StreamClosedError, retryable=True, turns=2), id="F12"),
        pytest.param(refused(400, {"detail": "Request blocked."}), Verdict(InvalidPromptStatusError), id="F15b-detail"),
        pytest.param(
            Reply.from_events([ev_created(), ev_failed("invalid_prompt", "Request blocked.")]),
            Verdict(InvalidPromptError),
            id="F15b-stream",
        ),
        pytest.param(
            Reply.from_events([ev_created(), ev_failed("context_length_exceeded", "Too long.")]),
            Verdict(ContextWindowExceededError),
            id="F18",
        ),
        pytest.param(
            Reply.from_events(
                [ev_created(), ev_failed(None, error={"message": "Your input exceeds the context window."})]
            ),
            Verdict(ContextWindowExceededError),
            id="F18-text",
        ),
    ],
)
async def test_a_failure_of_the_real_backend(reply: Reply, verdict: Verdict) -> None:
    async with scene() as on:
        on.meet(reply)
        verdict.check(on, await on.failure())


@pytest.mark.parametrize("tagged", [True, False])
async def test_reasoning_that_another_account_encrypted_is_left_out(tagged: bool) -> None:
    """F7: before it is sent where its tag tells, else after one refusal."""
    async with scene() as on:
        prompt = Prompt("Think.", instructions="x", reasoning=ReasoningOptions(effort="low", summary="auto"))
        response = await on.client.collect(prompt)
        prompt = prompt.with_history(response)
        if not tagged:
            untagged = [{**dump_item(item), "issuer": None} for item in prompt.items]
            prompt = replace(prompt, input=untagged)
        account = on.server.add_account("acct-2")
        auth = StaticAuth(on.server.issue(account).access_token, account_id="acct-2")
        async with connect("gpt-5", provider=on.server.provider(), auth=auth, clock=on.clock) as second:
            with nullcontext() if tagged else pytest.warns(DroppedParameterWarning):
                await second.collect(prompt)
    assert account.refusals == ([] if tagged else ["invalid_encrypted_content"])
    assert account.turns == 1


@pytest.mark.parametrize("refusal", ["token_expired", "token_invalidated", "token_revoked"])
async def test_a_refused_token_that_cannot_be_renewed_is_final(refusal: AccountRefusal) -> None:
    """F8 with a bare token"""
    async with scene() as on:
        on.account.refusal = refusal
        error = await on.failure()
        REFUSED_LOGIN.check(on, error)
    assert isinstance(error, AuthenticationError)
    assert error.code == refusal


@pytest.mark.parametrize("refusal", ["token_expired", "token_invalidated", "token_revoked"])
async def test_a_refused_token_is_renewed_once_and_the_turn_repeated_once(refusal: AccountRefusal) -> None:
    """F8 where the new token is refused, too"""
    async with scene(refreshing=True) as on:
        on.account.refusal = refusal
        error = await on.failure()
        Verdict(AuthenticationError, rotate=True, turns=2).check(on, error)
        assert on.server.refreshes == 1
        bearers = {request.headers["authorization"] for request in on.account.requests}
    assert len(bearers) == 2


async def test_a_token_that_the_server_finds_expired_is_renewed_and_the_turn_goes_on() -> None:
    """F8 as it mostly is: the server's clock is ahead"""
    async with scene(refreshing=True, lifetime=1000.0) as on:
        on.clock.advance(600)
        on.server.skew = 500.0
        assert (await on.client.collect(PROMPT)).text == on.server.text
        assert (on.turns, on.server.refreshes, on.account.refusals) == (2, 1, ["token_expired"])
    on.server.assert_complete()


async def test_a_reused_refresh_token_needs_a_login_and_no_second_try() -> None:
    """F8b"""
    async with scene(refreshing=True, lifetime=1.0) as on:
        thief = MemoryTokenStore([on.login])
        async with RefreshingAuth(thief, clock=on.clock) as other_program:
            await other_program.refresh()
        on.clock.advance(2)
        Verdict(LoginRequiredError, turns=0).check(on, await on.failure())
        assert on.server.refreshes == 2
        Verdict(LoginRequiredError, turns=0).check(on, await on.failure())
        assert on.server.refreshes == 2
    assert on.server.problems == ["a refresh token was used a second time"]


async def test_a_newer_token_in_the_store_is_taken_up_without_a_call() -> None:
    """F8b mended: the other program shares the store"""
    clock = ManualClock(auto_advance=True)
    async with AccountServer(clock) as server:
        account = server.add_account()
        store = MemoryTokenStore([server.issue(account, lifetime=1000.0)])
        async with RefreshingAuth(store, clock=clock) as one, RefreshingAuth(store, clock=clock) as two:
            assert await one.tokens() == await two.tokens()
            await one.refresh()
            clock.advance(990)
            assert await one.tokens() == await two.tokens()
            async with connect("gpt-5", provider=server.provider(), auth=two, clock=clock) as client:
                await client.collect(PROMPT)
        assert (server.refreshes, account.turns) == (1, 1)
    server.assert_complete()


@pytest.mark.parametrize(
    "reply, retry_after",
    [
        pytest.param(blocked_page(), None, id="page"),
        pytest.param(
            Reply.error(403, "Country not supported.", code="unsupported_country_region_territory"), None, id="country"
        ),
        pytest.param(Reply.error(503, headers={"retry-after": "7"}), 7.0, id="5xx"),
    ],
)
async def test_a_refresh_refused_by_the_edge_keeps_the_login(reply: Reply, retry_after: float | None) -> None:
    """F8c"""
    async with scene(refreshing=True, lifetime=1.0) as on:
        on.clock.advance(2)
        on.server.fail("/oauth/token", reply, times=3)
        error = await on.failure()
        Verdict(TokenRefreshError, retryable=True, retry_after=retry_after, turns=0).check(on, error)
        assert isinstance(error, TokenRefreshError)
        assert not error.permanent
        assert (await on.client.collect(PROMPT)).text == on.server.text
    on.server.assert_complete()


async def test_a_block_by_the_edge_names_its_ray_and_is_asked_again_after_a_short_while() -> None:
    """F9"""
    async with scene() as on:
        on.server.fail("/responses", blocked_page("8f1-FRA"))
        on.server.fail("/responses", blocked_page("8f2-FRA"))
        error = await on.failure()
        assert on.clock.sleeps == [0.2]
    assert isinstance(error, NetworkBlockedError)
    assert error.cf_ray == "8f2-FRA"


@pytest.mark.parametrize("refusal", ["deactivated_workspace", "wrong_workspace", "account_deactivated"])
async def test_a_workspace_that_may_not_is_left_at_once(refusal: AccountRefusal) -> None:
    """F9b"""
    async with scene(refreshing=True) as on:
        on.account.refusal = refusal
        FORBIDDEN.check(on, await on.failure())
        assert on.server.refreshes == 0


async def test_a_token_sent_for_another_workspace_is_refused_once() -> None:
    """F9b: the header is checked against the token"""
    async with scene() as on:
        auth = StaticAuth(on.login.access_token, account_id="acct-2")
        async with connect("gpt-5", provider=on.server.provider(), auth=auth, clock=on.clock) as client:
            with pytest.raises(PermissionDeniedError) as raised:
                await client.collect(PROMPT)
        FORBIDDEN.check(on, raised.value)
    assert raised.value.code == "invalid_workspace_selected"


async def test_a_used_up_window_is_told_with_its_time_and_never_waited_for() -> None:
    """F10"""
    async with scene() as on:
        on.account.limit(100, 300, on.clock.time() + 50)
        error = await on.failure()
        Verdict(UsageLimitReachedError, rotate=True, retry_after=50.0).check(on, error)
        assert on.clock.sleeps == []
    assert isinstance(error, UsageLimitReachedError)
    assert (error.resets_at, error.plan_type) == (on.clock.time() + 50, "plus")
    (snapshot,) = error.rate_limits
    assert [(window.used_percent, window.window_minutes) for window in snapshot.windows] == [(100.0, 300)]


async def test_a_plan_without_codex_is_final_for_the_account() -> None:
    """F10b"""
    async with scene() as on:
        on.account.refusal = "usage_not_included"
        Verdict(UsageNotIncludedError, rotate=True).check(on, await on.failure())


async def test_an_overload_before_output_is_got_over() -> None:
    """F10c"""
    async with scene() as on:
        on.server.fail("/responses", Reply.from_events([ev_created(), ev_failed("server_is_overloaded", "x")]))
        assert (await on.client.collect(PROMPT)).text == on.server.text
        assert (on.turns, on.clock.sleeps) == (2, [0.2])


async def test_items_that_were_streamed_count_where_the_last_event_lists_none() -> None:
    """F11"""
    events = [event for event in TURN if event["type"] != "response.completed"]
    async with scene() as on:
        on.meet(Reply.from_events([*events, ev_completed(output=[])]))
        response = await on.client.collect(PROMPT)
        assert (response.text, len(response.items), on.turns) == ("Hello there.", 1, 1)


async def test_a_stream_cut_after_output_is_raised_with_what_came_and_not_repeated() -> None:
    """F12 and F14: a second try would double the text"""
    whole = Reply.from_events(TURN)
    texts: list[str] = []
    async with scene() as on:
        on.meet(whole.at(whole.content.index(b" there."), Close()))
        with pytest.raises(CodexError) as raised:
            async with on.client.stream(PROMPT) as stream:
                async for event in stream:
                    texts += [event.delta] if isinstance(event, OutputTextDelta) else []
        assert (texts, on.turns) == (["Hello"], 1)
    assert raised.value.retryable
    assert raised.value.partial is not None
    assert raised.value.partial.text == "Hello"


async def test_a_stream_cut_before_output_is_repeated_and_its_text_comes_once() -> None:
    """F14"""
    async with scene() as on:
        on.server.fail("/responses", Reply.from_events(TURN[:2]))
        on.meet(Reply.from_events(TURN))
        async with on.client.stream(PROMPT) as stream:
            texts = [event.delta async for event in stream if isinstance(event, OutputTextDelta)]
        assert ("".join(texts), on.turns) == ("Hello there.", 2)


# In one piece: a frame that came later would start the limit anew.
_BEGUN = Reply.from_sse(sse(TURN[:2]))


@pytest.mark.parametrize(
    "reply, seconds, kind",
    [
        pytest.param(_BEGUN.at("head", Stall()), 20.0, FirstEventTimeoutError, id="F13-first"),
        pytest.param(_BEGUN.at(len(_BEGUN.content), Stall()), 10.0, IdleTimeoutError, id="F13-idle"),
    ],
)
async def test_a_silence_has_its_own_limit_before_and_after_the_first_event(
    reply: Reply, seconds: float, kind: type[CodexError]
) -> None:
    failures: list[CodexError] = []
    clock = ManualClock()
    async with scene(clock=clock, timeouts=Timeouts(first_event=20.0, idle=10.0)) as on:
        on.server.fail("/responses", reply, times=2)

        async def turn() -> None:
            failures.append(await on.failure())

        async def pass_by(timer: float) -> None:
            await clock.wait_for_timer(timer)
            clock.advance(timer)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(turn)
            await on.server.received(1)
            await pass_by(seconds)
            await pass_by(RETRIES.base_delay)
            await on.server.received(2)
            await pass_by(seconds)
        Verdict(kind, retryable=True, turns=2).check(on, failures[0])


async def test_a_turn_is_over_with_its_last_event_whatever_the_socket_does() -> None:
    """F13b"""
    whole, clock = Reply.from_events(TURN), ManualClock()
    async with scene(clock=clock) as on, anyio.create_task_group() as tasks:
        on.meet(whole.at(len(whole.content), Stall()))

        async def pass_the_wait_for_the_end() -> None:
            await clock.wait_for_timer(0.05)
            clock.advance(0.05)

        async with on.client.stream(PROMPT) as stream:
            texts = [event.delta async for event in stream if isinstance(event, OutputTextDelta)]
            tasks.start_soon(pass_the_wait_for_the_end)
        assert ("".join(texts), on.turns) == ("Hello there.", 1)


async def test_every_turn_of_a_conversation_names_it_alike() -> None:
    """F16: what the server's prompt cache goes by"""
    async with scene(conversation_id="conv-1") as on:
        response = await on.client.collect(PROMPT)
        await on.client.collect(PROMPT.with_history(response))
        named = {
            (request.headers["session_id"], request.headers["session-id"], request.json()["prompt_cache_key"])
            for request in on.account.requests
        }
    assert named == {("conv-1", "conv-1", "conv-1")}


async def test_a_conversation_stays_with_its_account() -> None:
    """F16: the prompt cache is per account"""
    clock = ManualClock(auto_advance=True)
    async with AccountServer(clock) as server:
        accounts = [server.add_account(f"acct-{number}") for number in (1, 2)]
        store = MemoryTokenStore([server.issue(account) for account in accounts])
        async with CredentialPool(store, provider=server.provider(), clock=clock) as pool:
            for conversation in ("conv-1", "conv-2") * 3:
                async with connect(
                    "gpt-5", provider=server.provider(), auth=pool, conversation_id=conversation, clock=clock
                ) as client:
                    await client.collect(PROMPT)
        served = [{request.headers["session-id"] for request in account.requests} for account in accounts]
    assert sorted(served, key=min) == [{"conv-1"}, {"conv-2"}]
    assert [account.turns for account in accounts] == [3, 3]
    server.assert_complete()


async def test_a_model_that_the_plan_lacks_is_no_fault_of_the_account() -> None:
    """F17"""
    async with scene() as on:
        on.account.models = ["gpt-5-mini"]
        error = await on.failure()
        Verdict(ModelNotFoundError).check(on, error)
    assert "'gpt-5' model is not supported when using Codex with a ChatGPT account" in error.message
