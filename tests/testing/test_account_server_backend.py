"""The account server as the ChatGPT Codex backend: credentials, bodies, limits, usage."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from codex_client import Prompt, connect
from codex_client.auth.static import StaticAuth
from codex_client.client.rate_limits import HeaderRateLimits
from codex_client.events import RateLimits
from codex_client.model_variants import Credits
from codex_client.prompt import ReasoningOptions
from codex_client.testing import AccountServer, ManualClock
from tests.support.account_http import Caller, calling, code_of, credentials

START = 1_700_000_000.0


async def test_a_turn_of_a_real_client_is_answered_and_counted() -> None:
    async with AccountServer() as server:
        account = server.add_account("acct-1")
        tokens = server.issue(account)
        server.text = "Forty-two."
        auth = StaticAuth(tokens.access_token, account_id=tokens.account_id)
        async with connect("gpt-5", provider=server.provider(), auth=auth) as client:
            response = await client.collect(Prompt("Answer.", instructions="Be brief."))
    assert response.text == "Forty-two."
    assert response.response_id == "resp_1"
    assert (account.turns, [request.path for request in account.requests]) == (1, ["/backend-api/codex/responses"])
    server.assert_complete()


@pytest.mark.parametrize(
    "authorization, refusal",
    [
        (None, (401, "Unauthorized")),
        ("Basic abc", (401, "Unauthorized")),
        ("Bearer abc", (401, "Could not parse your authentication token. Please try signing in again.")),
    ],
)
async def test_a_bearer_that_is_none_is_refused(authorization: str | None, refusal: tuple[int, str]) -> None:
    async with calling() as caller:
        caller.server.add_account()
        headers = {} if authorization is None else {"authorization": authorization}
        answer = await caller.http.get("/backend-api/wham/usage", headers=headers)
    assert code_of(answer) == refusal


@pytest.mark.parametrize("told", ["acct-2", None])
async def test_a_bearer_sent_for_another_account_is_refused_and_a_problem(told: str | None) -> None:
    async with calling() as caller:
        account = caller.server.add_account("acct-1")
        caller.server.add_account("acct-2")
        headers = credentials(caller.server.issue(account)) | {"chatgpt-account-id": told or ""}
        if told is None:
            del headers["chatgpt-account-id"]
        answer = await caller.http.get("/backend-api/wham/usage", headers=headers)
    assert code_of(answer) == (403, "invalid_workspace_selected")
    assert "the bearer token of account 'acct-1' was sent for" in caller.server.problems[0]
    assert account.refusals == ["wrong_workspace"]


@pytest.mark.parametrize(
    "refusal, status, code",
    [
        ("account_deactivated", 401, "account_deactivated"),
        ("deactivated_workspace", 402, "deactivated_workspace"),
        ("wrong_workspace", 403, "invalid_workspace_selected"),
        ("unsupported_country", 403, "unsupported_country_region_territory"),
        ("token_expired", 401, "token_expired"),
        ("token_invalidated", 401, "token_invalidated"),
        ("token_revoked", 401, "token_revoked"),
    ],
)
async def test_an_account_is_refused_as_it_is_told(refusal: Any, status: int, code: str) -> None:
    async with calling() as caller:
        account = caller.server.add_account()
        tokens = caller.server.issue(account)
        account.refusal = refusal
        assert code_of(await caller.turn(tokens)) == (status, code)
        assert code_of(await caller.usage(tokens)) == (status, code)
        account.refusal = None
        assert (await caller.turn(tokens)).status_code == 200
    assert (account.turns, len(account.refusals)) == (1, 2)
    caller.server.assert_complete()


async def test_a_plan_without_codex_is_refused_by_type() -> None:
    async with calling() as caller:
        account = caller.server.add_account(plan_type="free")
        account.refusal = "usage_not_included"
        answer = await caller.turn(caller.server.issue(account))
    assert answer.status_code == 429
    assert answer.json()["error"]["type"] == "usage_not_included"
    assert answer.json()["error"]["plan_type"] == "free"


CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "x"}


@pytest.mark.parametrize(
    "changes, status, words",
    [
        ({"instructions": ...}, 400, "Instructions are required"),
        ({"instructions": ""}, 400, "Instructions are required"),
        ({"input": "hello"}, 400, "Input must be a list"),
        ({"store": ...}, 400, "Store must be set to false"),
        ({"store": True}, 400, "Store must be set to false"),
        ({"stream": False}, 400, "Stream must be set to true"),
        ({"max_output_tokens": 100}, 400, "Unsupported parameter: max_output_tokens"),
        ({"temperature": 0.5}, 400, "Unsupported parameter: temperature"),
        ({"metadata": {}}, 400, "Unsupported parameter: metadata"),
        ({"model": "gpt-1"}, 400, "The 'gpt-1' model is not supported when using Codex with a ChatGPT account."),
        ({"input": [{"role": "system", "content": "x"}]}, 400, "System messages are not allowed"),
        ({"input": [CALL]}, 400, "No tool output found for function call call_1."),
        ({"input": [OUTPUT]}, 400, "No tool call found for function call output with call_id call_1."),
        ({"input": [{**CALL, "id": "fc_1"}, OUTPUT]}, 404, "Item with id 'fc_1' not found."),
        ({"input": [{**CALL, "call_id": "c" * 65}]}, 400, "string too long"),
        ({"input": [{"type": "reasoning", "encrypted_content": "gAAAAx"}]}, 400, "could not be verified"),
    ],
)
async def test_a_faulty_body_is_refused_in_the_backends_words(changes: dict[str, Any], status: int, words: str) -> None:
    async with calling() as caller:
        account = caller.server.add_account()
        answer = await caller.turn(caller.server.issue(account), **changes)
    assert answer.status_code == status
    assert words in answer.text
    assert account.turns == 0


async def test_a_body_that_is_no_object_is_refused() -> None:
    async with calling() as caller:
        headers = credentials(caller.server.issue(caller.server.add_account()))
        for content in ("{", "[]"):
            answer = await caller.http.post("/backend-api/codex/responses", content=content, headers=headers)
            assert (answer.status_code, answer.json()) == (400, {"detail": "Invalid JSON body"})


async def test_calls_with_their_outputs_are_taken() -> None:
    async with calling() as caller:
        answer = await caller.turn(caller.server.issue(caller.server.add_account()), input=[CALL, OUTPUT])
    assert answer.status_code == 200


async def test_encrypted_reasoning_is_good_for_the_account_that_it_was_made_for() -> None:
    async with AccountServer() as server:
        one, two = server.issue(server.add_account("acct-1")), server.issue(server.add_account("acct-2"))
        options = ReasoningOptions(effort="low", summary="auto")
        prompt = Prompt("Think.", instructions="Be brief.", reasoning=options)
        statuses: list[int] = []
        async with connect(
            "gpt-5", provider=server.provider(), auth=StaticAuth(one.access_token, account_id="acct-1")
        ) as client:
            response = await client.collect(prompt)
            again = prompt.with_history(response)
            assert (await client.collect(again)).text == server.text
            body = server.requests[-1].json()
        assert [item["type"] for item in body["input"]] == ["message", "reasoning", "message"]
        async with httpx.AsyncClient(base_url=server.url) as http:
            for tokens in (one, two):
                answer = await http.post("/backend-api/codex/responses", json=body, headers=credentials(tokens))
                statuses.append(answer.status_code)
    assert statuses == [200, 400]
    assert answer.json()["error"]["code"] == "invalid_encrypted_content"


async def test_an_account_may_be_kept_from_a_model() -> None:
    async with calling() as caller:
        account = caller.server.add_account(models=["gpt-5-mini"])
        tokens = caller.server.issue(account)
        assert (await caller.turn(tokens, model="gpt-5")).status_code == 400
        assert (await caller.turn(tokens, model="gpt-5-mini")).status_code == 200
        listed = await caller.http.get("/backend-api/codex/models?client_version=1", headers=credentials(tokens))
    assert [model["slug"] for model in listed.json()["models"]] == ["gpt-5-mini"]
    assert listed.headers["etag"]


def header_windows(answer: httpx.Response, clock: ManualClock) -> dict[str, Any]:
    """Each family's windows as (used percent, minutes, reset), by the library's own parser."""
    snapshots = HeaderRateLimits().parse(answer.headers, now=clock.time())
    return {
        each.limit_id: [(window.used_percent, window.window_minutes, window.resets_at) for window in each.windows]
        for each in snapshots
    }


async def test_headers_event_and_usage_endpoint_tell_the_same_windows() -> None:
    clock = ManualClock(start=START)
    async with calling(clock) as caller:
        server = caller.server
        server.rate_limit_events = True
        account = server.add_account("acct-1", plan_type="pro")
        account.limit(12.5, 300, START + 1000)
        account.limit(40, 10_080, START + 90_000, which="secondary")
        account.limit(70, 15, START + 60, limit_id="codex_other")
        account.credits = Credits(has_credits=True, balance="9.99")
        tokens = server.issue(account)
        answer, usage = await caller.turn(tokens), (await caller.usage(tokens)).json()
        auth = StaticAuth(tokens.access_token, account_id="acct-1")
        async with (
            connect("gpt-5", provider=server.provider(), auth=auth, clock=clock) as client,
            client.stream(Prompt("Hi.", instructions="x")) as stream,
        ):
            snapshots = [event.snapshot async for event in stream if isinstance(event, RateLimits)]
    assert header_windows(answer, clock) == {
        "codex": [(12.5, 300, START + 1000), (40.0, 10_080, START + 90_000)],
        "codex_other": [(70.0, 15, START + 60)],
    }
    assert answer.headers["x-codex-plan-type"] == "pro"
    assert answer.headers["x-codex-credits-balance"] == "9.99"
    assert answer.headers["x-codex-active-limit"] == "codex"
    assert usage["plan_type"] == "pro"
    assert usage["rate_limit"] == {
        "allowed": True,
        "limit_reached": False,
        "primary_window": {
            "used_percent": 12.5,
            "limit_window_seconds": 18_000,
            "reset_after_seconds": 1000,
            "reset_at": START + 1000,
        },
        "secondary_window": {
            "used_percent": 40,
            "limit_window_seconds": 604_800,
            "reset_after_seconds": 90_000,
            "reset_at": START + 90_000,
        },
    }
    assert [extra["limit_name"] for extra in usage["additional_rate_limits"]] == ["codex_other"]
    assert usage["credits"] == {"has_credits": True, "unlimited": False, "balance": "9.99"}
    # The headers' two families, then the event's one.
    assert [snapshot.limit_id for snapshot in snapshots] == ["codex", "codex_other", "codex"]
    assert snapshots[2].windows == snapshots[0].windows
    assert snapshots[2].credits == snapshots[0].credits == Credits(has_credits=True, balance="9.99")


async def test_turns_use_a_window_up_until_it_resets() -> None:
    clock = ManualClock(start=START)
    async with calling(clock) as caller:
        account = caller.server.add_account(plan_type="plus")
        account.limit(0, 300, per_turn=40)
        account.limit(0, 10_080, which="secondary", per_turn=1)
        tokens = caller.server.issue(account, lifetime=1e6)
        statuses = [(await caller.turn(tokens)).status_code for _ in range(3)]
        refused = await caller.turn(tokens)
        assert (await caller.usage(tokens)).json()["rate_limit"]["limit_reached"] is True
        clock.advance(17_999)
        almost = await caller.turn(tokens)
        clock.advance(1)
        free = await caller.turn(tokens)
    assert statuses == [200, 200, 200]
    assert (refused.status_code, almost.status_code, free.status_code) == (429, 429, 200)
    assert refused.json()["error"] == {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": "plus",
        "resets_at": START + 18_000,
        "resets_in_seconds": 18_000,
    }
    assert refused.headers["x-codex-primary-used-percent"] == "100"
    assert header_windows(free, clock)["codex"] == [(40.0, 300, START + 36_000), (4.0, 10_080, START + 604_800)]
    assert account.refusals == ["usage_limit_reached"] * 2
    assert account.turns == 4


async def test_who_comes_when_it_was_told_finds_room_whatever_the_fraction() -> None:
    clock = ManualClock(start=START + 0.4)
    async with calling(clock) as caller:
        account = caller.server.add_account()
        account.limit(100, 1)
        tokens = caller.server.issue(account)
        refused = await caller.turn(tokens)
        told, usage = refused.json()["error"], (await caller.usage(tokens)).json()
        clock.advance(told["resets_at"] - clock.time())
        assert (await caller.turn(tokens)).status_code == 200
    assert told["resets_in_seconds"] == 60
    resets = refused.headers["x-codex-primary-reset-at"], usage["rate_limit"]["primary_window"]["reset_at"]
    assert {told["resets_at"], *map(float, resets)} == {START + 61}


async def test_the_latest_of_the_used_up_windows_counts() -> None:
    clock = ManualClock(start=START)
    async with calling(clock) as caller:
        account = caller.server.add_account()
        account.limit(100, 300, START + 100)
        account.limit(100, 10_080, START + 5000, which="secondary")
        answer = await caller.turn(caller.server.issue(account))
    assert answer.json()["error"]["resets_in_seconds"] == 5000


async def test_a_window_that_ended_long_ago_begins_on_its_own_grid() -> None:
    clock = ManualClock(start=START)
    server = AccountServer(clock)
    account = server.add_account()
    account.limit(90, 1, START + 10)
    clock.advance(10 + 60 * 7)
    window = account.limits["codex"]["primary"]
    assert (window.used_percent, window.resets_at) == (0.0, START + 10 + 60 * 8)
    with pytest.raises(ValueError, match="window_minutes is 0"):
        account.limit(0, 0)


async def test_a_model_may_count_against_a_family_of_its_own() -> None:
    clock = ManualClock(start=START)
    async with calling(clock) as caller:
        caller.server.limit_ids["gpt-5-mini"] = "codex_mini"
        account = caller.server.add_account()
        account.limit(0, per_turn=10)
        account.limit(100, 60, limit_id="codex_mini")
        tokens = caller.server.issue(account)
        refused, answered = await caller.turn(tokens, model="gpt-5-mini"), await caller.turn(tokens)
    assert (refused.status_code, refused.headers["x-codex-active-limit"]) == (429, "codex_mini")
    assert answered.status_code == 200
    assert header_windows(answered, clock)["codex"][0][0] == 10.0


async def test_an_account_without_limits_tells_its_plan_only() -> None:
    clock = ManualClock()
    async with calling(clock) as caller:
        tokens = caller.server.issue(caller.server.add_account(plan_type="team"))
        answer, usage = await caller.turn(tokens), (await caller.usage(tokens)).json()
    assert header_windows(answer, clock) == {"codex": []}
    assert usage["rate_limit"] == {
        "allowed": True,
        "limit_reached": False,
        "primary_window": None,
        "secondary_window": None,
    }


async def test_the_usage_endpoint_is_there_for_other_base_urls_too() -> None:
    async with calling() as caller:
        tokens = caller.server.issue(caller.server.add_account("acct-1"))
        answer = await caller.http.get("/api/codex/usage", headers=credentials(tokens))
    assert answer.json()["account_id"] == "acct-1"


async def test_every_answer_has_a_request_id_of_its_own() -> None:
    async with calling() as caller:
        tokens = caller.server.issue(caller.server.add_account())
        ids = [(await answered(caller, tokens)).headers["x-request-id"] for answered in (Caller.turn, Caller.usage)]
    assert ids == ["req_1", "req_2"]
