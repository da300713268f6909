"""The account server as an issuer: logins in a browser and on a second device, API keys."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from codex_client.auth.tokens import TokenSet
from codex_client.testing import AccountServer, ManualClock
from tests.support.account_http import CHALLENGE, REDIRECT_URI, VERIFIER, Caller, calling, claims_of, code_of, query_of

AUTH = "https://api.openai.com/auth"


async def test_a_login_gives_tokens_that_say_whose_they_are() -> None:
    clock = ManualClock(start=1_800_000_000.0)
    async with calling(clock) as caller:
        caller.server.add_account("acct-9", email="nine@example.test", plan_type="pro", subject="user-9")
        answer = await caller.redeem(caller.new_code())
        granted = answer.json()
        tokens = TokenSet.from_tokens(
            granted["access_token"],
            refresh_token=granted["refresh_token"],
            id_token=granted["id_token"],
            issuer=caller.server.url,
        )
    assert answer.status_code == 200
    assert (tokens.account_id, tokens.subject, tokens.plan_type) == ("acct-9", "user-9", "pro")
    assert (tokens.email, tokens.expires_at) == ("nine@example.test", 1_800_003_600.0)
    assert granted["expires_in"] == 3600
    assert granted["refresh_token"].startswith("rt_")
    assert claims_of(granted["id_token"])["aud"] == [caller.server.issuer.client_id]
    caller.server.assert_complete()


async def test_the_browser_is_sent_back_with_code_and_state() -> None:
    async with calling() as caller:
        caller.server.add_account()
        back = caller.server.visit(caller.authorize_url())
        over_the_socket = await caller.http.get(caller.authorize_url())
    assert back.partition("?")[0] == REDIRECT_URI
    assert query_of(back)["state"] == "state-1"
    assert over_the_socket.status_code == 302
    assert query_of(over_the_socket.headers["location"]).keys() == {"code", "scope", "state"}


async def test_a_user_may_refuse() -> None:
    async with calling() as caller:
        caller.server.add_account()
        told = query_of(caller.server.visit(caller.authorize_url(), deny=True))
    assert (told["error"], told["state"]) == ("access_denied", "state-1")
    assert "code" not in told


@pytest.mark.parametrize(
    "changes, error",
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"state": None}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "profile email"}, "invalid_scope"),
        ({"scope": "openid everything"}, "invalid_scope"),
    ],
)
async def test_faulty_login_parameters_come_back_as_an_error(changes: dict[str, str | None], error: str) -> None:
    async with calling() as caller:
        caller.server.add_account()
        told = query_of(caller.server.visit(caller.authorize_url(**changes)))
    assert told["error"] == error
    assert "code" not in told


@pytest.mark.parametrize(
    "changes, problem",
    [
        ({"client_id": "app_other"}, "client id 'app_other'"),
        ({"redirect_uri": "http://example.com/auth/callback"}, "redirect_uri"),
        ({"redirect_uri": "https://localhost:1455/auth/callback"}, "redirect_uri"),
        ({"redirect_uri": "http://localhost:1455/elsewhere"}, "redirect_uri"),
        ({"redirect_uri": None}, "redirect_uri"),
    ],
)
async def test_nobody_is_sent_to_an_address_that_the_issuer_does_not_know(
    changes: dict[str, str | None], problem: str
) -> None:
    async with calling() as caller:
        caller.server.add_account()
        with pytest.raises(AssertionError, match=problem):
            caller.server.visit(caller.authorize_url(**changes))
        answer = await caller.http.get(caller.authorize_url(**changes))
    assert (answer.status_code // 100, "location" in answer.headers) == (4, False)
    assert len(caller.server.problems) == 2


async def test_a_url_of_another_server_is_not_visited() -> None:
    async with calling() as caller:
        with pytest.raises(AssertionError, match="the login page is"):
            caller.server.visit("https://auth.openai.com/oauth/authorize?state=x")


async def test_who_logs_in_is_the_first_account_the_named_one_or_that_of_the_workspace() -> None:
    async with calling() as caller:
        caller.server.add_account("acct-1")
        second = caller.server.add_account("acct-2")
        url = caller.authorize_url(allowed_workspace_id="acct-2")
        named = query_of(caller.server.visit(caller.authorize_url(), second))["code"]
        forced = query_of(caller.server.visit(url))["code"]
        elsewhere = query_of(caller.server.visit(caller.authorize_url(allowed_workspace_id="acct-3")))
        accounts = [
            claims_of((await caller.redeem(code)).json()["access_token"])[AUTH]["chatgpt_account_id"]
            for code in (caller.new_code(), named, forced)
        ]
    assert accounts == ["acct-1", "acct-2", "acct-2"]
    assert elsewhere["error"] == "access_denied"


async def test_a_code_is_good_for_one_exchange_and_its_second_use_revokes_the_first() -> None:
    async with calling() as caller:
        account = caller.server.add_account()
        code = caller.new_code()
        first = (await caller.redeem(code)).json()
        assert code_of(await caller.redeem(code)) == (400, "invalid_grant")
        tokens = TokenSet(access_token=first["access_token"], account_id="acct-1")
        assert code_of(await caller.usage(tokens)) == (401, "token_revoked")
        assert code_of(await caller.refresh(first["refresh_token"])) == (401, "refresh_token_invalidated")
    assert account.refusals == ["token_revoked"]
    assert caller.server.problems == ["an authorization code was used a second time"]


@pytest.mark.parametrize(
    "changes, refusal",
    [
        ({"code_verifier": VERIFIER + "x"}, (400, "invalid_grant")),
        ({"code_verifier": ""}, (400, "invalid_grant")),
        ({"redirect_uri": "http://localhost:1457/auth/callback"}, (400, "invalid_grant")),
        ({"code": "ac_unknown"}, (400, "invalid_grant")),
        ({"client_id": "app_other"}, (401, "invalid_client")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
    ],
)
async def test_a_code_is_redeemed_only_as_it_was_asked_for(changes: dict[str, str], refusal: tuple[int, str]) -> None:
    async with calling() as caller:
        caller.server.add_account()
        assert code_of(await caller.redeem(caller.new_code(), **changes)) == refusal


async def test_a_code_expires() -> None:
    clock = ManualClock()
    async with calling(clock) as caller:
        caller.server.add_account()
        late, in_time = caller.new_code(), caller.new_code()
        clock.advance(599)
        assert (await caller.redeem(in_time)).status_code == 200
        clock.advance(1)
        assert code_of(await caller.redeem(late)) == (400, "invalid_grant")


async def test_a_code_is_redeemed_by_a_form_only() -> None:
    async with calling() as caller:
        caller.server.add_account()
        answer = await caller.http.post("/oauth/token", json={"grant_type": "authorization_code"})
    assert code_of(answer) == (400, "invalid_request")


async def test_without_offline_access_there_is_no_refresh_token() -> None:
    async with calling() as caller:
        caller.server.add_account()
        granted = (await caller.redeem(caller.new_code(scope="openid email"))).json()
    assert "refresh_token" not in granted


async def start_device(caller: Caller) -> dict[str, str]:
    answer = await caller.http.post(
        "/api/accounts/deviceauth/usercode", json={"client_id": caller.server.issuer.client_id}
    )
    assert answer.status_code == 200
    return answer.json()


async def poll(caller: Caller, device: dict[str, str]) -> tuple[int, dict[str, Any]]:
    asked = {"device_auth_id": device["device_auth_id"], "user_code": device["user_code"]}
    answer = await caller.http.post("/api/accounts/deviceauth/token", json=asked)
    return answer.status_code, answer.json()


async def test_a_device_login_waits_for_its_user() -> None:
    clock = ManualClock()
    async with calling(clock) as caller:
        account = caller.server.add_account("acct-1")
        device = await start_device(caller)
        assert device["interval"] == "5"
        for _ in range(2):
            status, told = await poll(caller, device)
            assert (status, told["error"]["code"]) == (403, "authorization_pending")
            clock.advance(5)
        caller.server.approve(device["user_code"], account)
        status, granted = await poll(caller, device)
        assert status == 200
        answer = await caller.redeem(
            granted["authorization_code"],
            code_verifier=granted["code_verifier"],
            redirect_uri=caller.server.issuer.device_redirect_uri,
        )
        assert claims_of(answer.json()["access_token"])[AUTH]["chatgpt_account_id"] == "acct-1"
        status, told = await poll(caller, device)
        assert (status, told["error"]) == (400, "expired_token")
    assert granted["code_challenge"] != CHALLENGE
    caller.server.assert_complete()


async def test_a_device_login_polled_too_fast_is_told_to_slow_down() -> None:
    clock = ManualClock()
    async with calling(clock) as caller:
        caller.server.add_account()
        caller.server.device_interval = 10.0
        device = await start_device(caller)
        await poll(caller, device)
        clock.advance(9.5)
        status, told = await poll(caller, device)
        assert (status, told["error"]["code"]) == (403, "slow_down")
        clock.advance(10)
        status, told = await poll(caller, device)
        assert (status, told["error"]["code"]) == (403, "authorization_pending")
    assert caller.server.problems == ["a device login was polled faster than its interval"]


@pytest.mark.parametrize("how, error", [("deny", "access_denied"), ("expire", "expired_token")])
async def test_a_device_login_may_be_refused_or_run_out(how: str, error: str) -> None:
    async with calling() as caller:
        caller.server.add_account()
        device = await start_device(caller)
        getattr(caller.server, how)(device["user_code"])
        status, told = await poll(caller, device)
    assert (status, told["error"]) == (400, error)


async def test_a_device_login_runs_out_by_itself_after_fifteen_minutes() -> None:
    clock = ManualClock()
    async with calling(clock) as caller:
        caller.server.add_account()
        device = await start_device(caller)
        clock.advance(899)
        assert (await poll(caller, device))[0] == 403
        clock.advance(5)
        assert (await poll(caller, device))[0] == 400


async def test_a_device_login_needs_its_own_id_and_may_be_switched_off() -> None:
    async with calling() as caller:
        caller.server.add_account()
        device = await start_device(caller)
        assert (await poll(caller, {**device, "device_auth_id": "other"}))[0] == 404
        caller.server.device_login = False
        asked = {"client_id": caller.server.issuer.client_id}
        answer = await caller.http.post("/api/accounts/deviceauth/usercode", json=asked)
    assert answer.status_code == 404


@pytest.mark.parametrize("organization, status", [("org-1", 200), (None, 401)])
async def test_an_id_token_is_exchanged_for_an_api_key_where_there_is_an_organization(
    organization: str | None, status: int
) -> None:
    async with calling() as caller:
        account = caller.server.add_account(organization_id=organization, project_id="proj-1")
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "client_id": caller.server.issuer.client_id,
            "requested_token": "openai-api-key",
            "subject_token": caller.server.issue(account).id_token or "",
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        }
        answer = await caller.http.post("/oauth/token", data=form)
        forged = await caller.http.post("/oauth/token", data={**form, "subject_token": "a.b.c"})
        other = await caller.http.post("/oauth/token", data={**form, "requested_token": "other"})
    assert answer.status_code == status
    if organization:
        assert answer.json()["access_token"] in caller.server.secrets
    assert (forged.status_code, other.status_code) == (401, 400)


async def test_every_secret_is_known_and_what_the_server_makes_is_marked() -> None:
    async with calling() as caller:
        account = caller.server.add_account(email="who@example.test")
        tokens = caller.server.issue(account)
        code = caller.new_code()
        granted = (await caller.redeem(code)).json()
        device = await start_device(caller)
        caller.server.approve(device["user_code"])
        _, collected = await poll(caller, device)
    made = {tokens.refresh_token, tokens.access_token, tokens.id_token, code, device["device_auth_id"]}
    made |= {granted[name] for name in ("access_token", "id_token", "refresh_token")}
    made |= {collected["authorization_code"], collected["code_verifier"]}
    assert made | {VERIFIER, "who@example.test"} <= caller.server.secrets
    # A JWT has the mark in its signature, so that it is found in plain text, too.
    assert all(secret is not None and "canary" in secret for secret in made)


def test_an_account_is_added_once() -> None:
    server = AccountServer()
    server.add_account("acct-1")
    server.add_account("acct-1", subject="user-2")
    with pytest.raises(ValueError, match="has an account 'acct-1' already"):
        server.add_account("acct-1")


def test_the_repr_of_an_account_shows_no_address() -> None:
    account = AccountServer().add_account(email="who@example.test")
    assert "who@" not in repr(account)


async def test_the_server_says_where_its_parts_are() -> None:
    async with AccountServer() as server:
        assert server.issuer.url == server.url
        assert server.issuer.ports == (0,)
        assert urlsplit(server.base_url).path == "/backend-api/codex"
        assert server.provider().base_url == server.base_url
