"""The requests of OAuth over a real socket: what is sent, what is made of the answer, and what nobody may see."""

from __future__ import annotations

import json
import logging
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import anyio
import pytest

from codex_client.auth.device_code import DeviceCode
from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.oauth import OAuthClient, RefreshReason
from codex_client.auth.tokens import TokenSet
from codex_client.errors import (
    AuthError,
    CodexError,
    ConfigurationError,
    ConnectError,
    LoginError,
    ReadError,
    TokenRefreshError,
)
from codex_client.testing import Close, ManualClock, ReplayServer, Reply, Reset, Stall
from tests.support.kept_secrets import assert_kept
from tests.support.loopback import closed_port

NOW = 1_700_000_000.0
CODE, VERIFIER = "ac_canary-code-0123456789", "canary-verifier-0123456789"
REFRESH, ACCESS, EMAIL = "rt_canary-refresh-0123456789", "canary-access-0123456789", "canary@example.test"
DEVICE_ID, USER_CODE = "deviceauth_canary-0123456789", "CANA-RY123"
SECRETS = [CODE, VERIFIER, REFRESH, ACCESS, EMAIL, DEVICE_ID, USER_CODE]
REDIRECT = "http://localhost:1455/auth/callback"


def jwt(**claims: Any) -> str:
    payload = urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJub25lIn0.{payload}.canary-signature"


def identity(account: str = "acct-1", *, plan: str = "plus", **auth: str) -> str:
    claim = {"chatgpt_account_id": account, "chatgpt_plan_type": plan, **auth}
    return jwt(sub="user-1", email=EMAIL, **{"https://api.openai.com/auth": claim})


def tokens_of(server: ReplayServer, **options: Any) -> TokenSet:
    known = {"refresh_token": REFRESH, "id_token": identity(), "client_id": "app_1", **options}
    return TokenSet.from_tokens(ACCESS, issuer=server.url, **known)


@asynccontextmanager
async def issuing(*replies: Any, **options: Any) -> AsyncIterator[tuple[ReplayServer, OAuthClient]]:
    clock = options.pop("clock", None) or ManualClock(start=NOW)
    async with (
        ReplayServer(Reply.sequence(replies)) as server,
        OAuthClient(OAuthIssuer(url=server.url, originator="my_agent", **options), clock=clock) as oauth,
    ):
        yield server, oauth
    server.assert_complete()


async def failing(awaitable: Awaitable[object]) -> CodexError:
    with pytest.raises(CodexError) as caught:
        await awaitable
    return caught.value


async def test_a_code_is_exchanged_by_a_form() -> None:
    answer = {"access_token": jwt(exp=NOW + 60), "refresh_token": REFRESH, "id_token": identity(), "expires_in": 9}
    async with issuing(Reply.from_json(answer)) as (server, oauth):
        tokens = await oauth.exchange_code(CODE, verifier=VERIFIER, redirect_uri=REDIRECT)
    [request] = server.requests
    assert (request.method, request.target) == ("POST", "/oauth/token")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["originator"] == "my_agent"
    assert parse_qsl(request.body.decode()) == [
        ("grant_type", "authorization_code"),
        ("client_id", "app_EMoamEEZ73f0CkXaXp7hrann"),
        ("code", CODE),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ]
    assert tokens == TokenSet(
        access_token=answer["access_token"],
        refresh_token=REFRESH,
        id_token=answer["id_token"],
        issuer=server.url,
        client_id="app_EMoamEEZ73f0CkXaXp7hrann",
        account_id="acct-1",
        subject="user-1",
        email=EMAIL,
        plan_type="plus",
        expires_at=NOW + 60,
        refreshed_at=NOW,
    )


@pytest.mark.parametrize("expires_in", [120, "120", 120.0], ids=repr)
async def test_the_expiry_is_the_answers_where_the_token_tells_none(expires_in: Any) -> None:
    answer = {"access_token": ACCESS, "expires_in": expires_in}
    async with issuing(Reply.from_json(answer)) as (_, oauth):
        tokens = await oauth.exchange_code(CODE, verifier=VERIFIER, redirect_uri=REDIRECT)
    assert tokens.expires_at == NOW + 120


async def test_a_login_for_another_workspace_than_asked_is_refused() -> None:
    reply = Reply.from_json({"access_token": ACCESS, "id_token": identity("acct-2")})
    async with issuing(reply, reply, workspace_id="acct-1") as (_, oauth):
        error = await failing(oauth.exchange_code(CODE, verifier=VERIFIER, redirect_uri=REDIRECT))
        assert isinstance(error, LoginError)
        assert "for workspace acct-2, but acct-1 was asked for" in str(error)
        assert_kept(SECRETS, error)
        oauth.issuer = OAuthIssuer(url=oauth.issuer.url, workspace_id="acct-2")
        tokens = await oauth.exchange_code(CODE, verifier=VERIFIER, redirect_uri=REDIRECT)
    assert tokens.account_id == "acct-2"


@pytest.mark.parametrize("reason", ["proactive_expiry", "scheduled", "unauthorized_recovery", "forced"])
async def test_a_refresh_is_one_json_post(reason: RefreshReason) -> None:
    answer = {"access_token": jwt(exp=NOW + 3600), "refresh_token": "rt_new", "id_token": identity(plan="pro")}
    async with issuing(Reply.from_json(answer)) as (server, oauth):
        old = tokens_of(server)
        new = await oauth.refresh(old, reason=reason)
    [request] = server.requests
    assert (request.method, request.target) == ("POST", "/oauth/token")
    assert (request.headers["content-type"], request.headers["originator"]) == ("application/json", "my_agent")
    assert request.headers["user-agent"].startswith("codex_client/")
    assert request.json() == {
        "client_id": "app_1",
        "grant_type": "refresh_token",
        "refresh_reason": reason,
        "refresh_token": REFRESH,
    }
    assert (new.access_token, new.refresh_token, new.id_token) == (
        answer["access_token"],
        "rt_new",
        answer["id_token"],
    )
    assert (new.plan_type, new.expires_at, new.refreshed_at, new.key) == ("pro", NOW + 3600, NOW, old.key)


@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
async def test_each_token_replaces_only_its_own(name: str) -> None:
    async with issuing(Reply.from_json({name: "new", "expires_in": 60})) as (server, oauth):
        old = tokens_of(server)
        new = await oauth.refresh(old, reason="forced")
    before = {each: getattr(old, each) for each in ("access_token", "refresh_token", "id_token")}
    assert {each: getattr(new, each) for each in before} == before | {name: "new"}


async def test_the_expiry_after_a_refresh_is_never_the_old_tokens() -> None:
    async with issuing(
        Reply.from_json({"access_token": "opaque"}), Reply.from_json({"access_token": "opaque", "expires_in": 60})
    ) as (
        server,
        oauth,
    ):
        old = tokens_of(server, expires_at=NOW + 5)
        assert (await oauth.refresh(old, reason="forced")).expires_at is None
        assert (await oauth.refresh(old, reason="forced")).expires_at == NOW + 60


@pytest.mark.parametrize(
    "reply, permanent, code, status, lost, retry_after",
    [
        (Reply.error(401, code="refresh_token_reused"), True, "refresh_token_reused", 401, False, None),
        (Reply.from_json({"error": "invalid_grant"}, status=400), True, "invalid_grant", 400, False, None),
        (Reply(status=403, body=b"<html>cf</html>", headers={"cf-ray": "1"}), False, None, 403, False, None),
        (Reply(status=429, headers={"retry-after": "7"}), False, None, 429, False, 7.0),
        (Reply(status=429, headers={"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}), False, None, 429, False, 30.0),
        (Reply(status=500), False, None, 500, False, None),
        (Reply.from_json({}), False, None, 200, True, None),
        (Reply(body=b"hello"), False, None, 200, True, None),
        (Reply().at("head", Close()), False, None, None, True, None),
        (Reply().at("head", Reset()), False, None, None, True, None),
        (Reply(body=[b'{"access_token": "canary', Close()], transfer="chunked"), False, None, None, True, None),
        (Reply(body=b"x" * 2_000_000), False, None, None, True, None),
    ],
    ids=["reused", "grant", "html", "429", "429 date", "500", "empty", "text", "closed", "reset", "cut", "huge"],
)
async def test_a_refresh_fails_in_one_of_these_ways_after_one_request(
    reply: Reply, permanent: bool, code: str | None, status: int | None, lost: bool, retry_after: float | None
) -> None:
    async with issuing(reply) as (server, oauth):
        error = await failing(oauth.refresh(tokens_of(server), reason="forced"))
    assert isinstance(error, TokenRefreshError)
    assert (error.permanent, error.code, error.status, error.answer_lost, error.retry_after) == (
        permanent,
        code,
        status,
        lost,
        retry_after,
    )
    assert len(server.requests) == 1
    assert_kept(SECRETS, error)


async def test_a_refresh_that_could_not_be_sent_has_lost_no_answer() -> None:
    async with OAuthClient(OAuthIssuer(url=f"http://127.0.0.1:{closed_port()}")) as oauth:
        tokens = TokenSet(access_token=ACCESS, refresh_token=REFRESH, issuer=oauth.issuer.url)
        error = await failing(oauth.refresh(tokens, reason="forced"))
    assert isinstance(error, TokenRefreshError)
    assert (error.permanent, error.answer_lost) == (False, False)
    assert isinstance(error.__cause__, ConnectError)
    assert_kept(SECRETS, error)


async def test_a_refresh_waits_for_its_answer_for_30_seconds() -> None:
    clock, errors = ManualClock(), list[CodexError]()
    async with issuing(Reply(before_head=[Stall()]), clock=clock) as (server, oauth):

        async def refresh() -> None:
            errors.append(await failing(oauth.refresh(tokens_of(server), reason="forced")))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(refresh)
            await server.at_rest()
            clock.advance(30.0)
    [error] = errors
    assert isinstance(error, TokenRefreshError)
    assert (error.permanent, error.answer_lost) == (False, True)


async def test_without_a_refresh_token_nothing_is_sent() -> None:
    async with issuing() as (server, oauth):
        error = await failing(oauth.refresh(tokens_of(server, refresh_token=None), reason="forced"))
    assert isinstance(error, TokenRefreshError)
    assert error.permanent
    assert server.requests == []


async def test_tokens_of_another_issuer_are_not_sent() -> None:
    async with issuing() as (server, oauth):
        tokens = TokenSet(access_token=ACCESS, refresh_token=REFRESH, id_token=identity(), issuer="https://id.test/")
        for sending in (oauth.refresh(tokens, reason="forced"), oauth.revoke(tokens), oauth.exchange_api_key(tokens)):
            error = await failing(sending)
            assert isinstance(error, ConfigurationError)
            assert "OAuthClient(OAuthIssuer(url='https://id.test/'))" in str(error)
            assert_kept(SECRETS, error)
    assert server.requests == []


@pytest.mark.parametrize(
    "known, token, hint",
    [({}, REFRESH, "refresh_token"), ({"refresh_token": None}, ACCESS, "access_token")],
    ids=["refresh token", "access token"],
)
async def test_a_login_is_revoked_by_json(known: dict[str, Any], token: str, hint: str) -> None:
    async with issuing(Reply(status=200)) as (server, oauth):
        await oauth.revoke(tokens_of(server, **known))
    [request] = server.requests
    assert (request.target, request.json()) == (
        "/oauth/revoke",
        {"token": token, "token_type_hint": hint, "client_id": "app_1"},
    )


async def test_a_refused_revocation_is_told() -> None:
    async with issuing(Reply.error(503, f"cannot revoke {REFRESH}", code=REFRESH)) as (server, oauth):
        error = await failing(oauth.revoke(tokens_of(server)))
    assert type(error) is AuthError
    assert str(error).startswith("the issuer did not revoke the login (503, server_error); ")
    assert_kept(SECRETS, error)


async def test_an_api_key_is_exchanged_for_the_id_token() -> None:
    id_token = identity(organization_id="org-1", project_id="proj-1")
    async with issuing(Reply.from_json({"access_token": "sk-canary-key"})) as (server, oauth):
        assert await oauth.exchange_api_key(tokens_of(server, id_token=id_token)) == "sk-canary-key"
    [request] = server.requests
    assert parse_qsl(request.body.decode()) == [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("client_id", "app_1"),
        ("requested_token", "openai-api-key"),
        ("subject_token", id_token),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
    ]


@pytest.mark.parametrize("auth", [{}, {"organization_id": "org-1"}, {"project_id": "proj-1"}], ids=str)
async def test_without_organization_and_project_no_api_key_is_asked_for(auth: dict[str, str]) -> None:
    async with issuing() as (server, oauth):
        error = await failing(oauth.exchange_api_key(tokens_of(server, id_token=identity(**auth))))
    assert isinstance(error, LoginError)
    assert "no organization and project" in str(error)
    assert server.requests == []


async def test_a_refused_api_key_is_a_login_error() -> None:
    id_token = identity(organization_id="org-1", project_id="proj-1")
    async with issuing(Reply.error(401, id_token, code="invalid_subject_token")) as (server, oauth):
        error = await failing(oauth.exchange_api_key(tokens_of(server, id_token=id_token)))
    assert isinstance(error, LoginError)
    assert "(401 invalid_subject_token)" in str(error)
    assert_kept([*SECRETS, id_token], error)


def _echo(code: str) -> dict[str, Any]:
    told = " ".join(SECRETS)
    return {"error": {"code": code, "message": told}, "error_description": told, "detail": told, "code": told}


def _device() -> DeviceCode:
    return DeviceCode(user_code=USER_CODE, device_auth_id=DEVICE_ID, page="p", interval=5.0, expires_at=NOW + 900)


_CALLS: dict[str, Callable[[OAuthClient, ReplayServer], Awaitable[object]]] = {
    "code": lambda oauth, _: oauth.exchange_code(CODE, verifier=VERIFIER, redirect_uri=REDIRECT),
    "refresh": lambda oauth, server: oauth.refresh(tokens_of(server), reason="forced"),
    "revoke": lambda oauth, server: oauth.revoke(tokens_of(server)),
    "device code": lambda oauth, _: oauth.request_device_code(),
    "poll": lambda oauth, _: oauth.poll_device_code(_device()),
}


@pytest.mark.parametrize("call", _CALLS)
@pytest.mark.parametrize("code", [*SECRETS, "invalid_grant", "access_denied"])
@pytest.mark.parametrize("status", [400, 401])
async def test_what_an_issuer_echoes_is_not_told(
    call: str, code: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with issuing(Reply.from_json(_echo(code), status=status)) as (server, oauth):
        error = await failing(_CALLS[call](oauth, server))
    assert isinstance(error, AuthError)
    assert_kept(SECRETS, error, *caplog.records)


@pytest.mark.parametrize("call", ["code", "revoke", "device code"])
async def test_what_gets_no_answer_is_a_transport_error_that_tells_nothing(call: str) -> None:
    async with issuing(Reply().at("head", Reset())) as (server, oauth):
        error = await failing(_CALLS[call](oauth, server))
    assert isinstance(error, ReadError)
    assert_kept(SECRETS, error)


async def test_clients_and_tokens_show_no_secret() -> None:
    async with issuing() as (server, oauth):
        assert repr(oauth) == f"OAuthClient({server.url!r})"
        assert_kept(SECRETS, oauth, tokens_of(server), _device())


async def test_an_issuer_that_cannot_be_reached_is_named_by_its_own_setting() -> None:
    issuer = OAuthIssuer(url=f"http://127.0.0.1:{closed_port()}")
    async with OAuthClient(issuer, clock=ManualClock(start=NOW)) as oauth:
        error = await failing(oauth.request_device_code())
    assert isinstance(error, ConnectError)
    assert str(error) == (
        f"connection to {issuer.device_code_url} refused; check that the server runs and listens where the issuer's "
        "address says"
    )
