"""The login on another device: the code, the questions and their pace, and every way it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import pytest

from codex_client.auth.device_code import DEVICE_WARNING, DeviceCode
from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.login import DeviceLogin
from codex_client.auth.oauth import OAuthClient
from codex_client.errors import CodexError, LoginError
from codex_client.testing import ManualClock, ReplayServer, Reply, Reset
from tests.support.kept_secrets import assert_kept

NOW = 1_700_000_000.0
ID, USER_CODE = "deviceauth_canary-0123456789", "CANA-RY123"
CODE, VERIFIER = "ac_canary-code-0123456789", "canary-verifier-0123456789"
SECRETS = [ID, USER_CODE, CODE, VERIFIER]
START = Reply.from_json({"device_auth_id": ID, "user_code": USER_CODE, "interval": "5"})
AGREED = Reply.from_json({"authorization_code": CODE, "code_challenge": "x", "code_verifier": VERIFIER})
GRANTED = Reply.from_json({"access_token": "access", "refresh_token": "rt_new"})
PENDING = Reply.error(403, code="authorization_pending")
PATHS = {"/usercode": "start", "/deviceauth/token": "ask", "/oauth/token": "exchange"}


@asynccontextmanager
async def issuing(*replies: Any) -> AsyncIterator[tuple[ReplayServer, OAuthClient, ManualClock]]:
    clock = ManualClock(start=NOW, auto_advance=True)
    async with (
        ReplayServer(Reply.sequence(replies)) as server,
        OAuthClient(OAuthIssuer(url=server.url), clock=clock) as oauth,
    ):
        yield server, oauth, clock
    server.assert_complete()


async def failing(login: DeviceLogin) -> CodexError:
    with pytest.raises(CodexError) as caught:
        await login.start()
        await login.complete()
    return caught.value


def steps(server: ReplayServer) -> list[str]:
    return [next(step for end, step in PATHS.items() if each.path.endswith(end)) for each in server.requests]


async def test_the_user_types_the_code_and_there_are_tokens() -> None:
    async with issuing(START, PENDING, Reply(status=404), AGREED, GRANTED) as (server, oauth, clock):
        login = DeviceLogin(oauth)
        code = await login.start()
        tokens = await login.complete()
    assert code == DeviceCode(
        user_code=USER_CODE,
        device_auth_id=ID,
        page=f"{server.url}/codex/device",
        interval=5.0,
        expires_at=NOW + 900,
    )
    assert (tokens.access_token, tokens.refresh_token, login.code) == ("access", "rt_new", None)
    assert steps(server) == ["start", "ask", "ask", "ask", "exchange"]
    start, ask, *_, exchange = server.requests
    assert (start.path, start.json()) == (
        "/api/accounts/deviceauth/usercode",
        {"client_id": "app_EMoamEEZ73f0CkXaXp7hrann"},
    )
    assert ask.json() == {"device_auth_id": ID, "user_code": USER_CODE}
    sent = parse_qs(exchange.body.decode())
    assert sent["redirect_uri"] == [f"{server.url}/deviceauth/callback"]
    assert (sent["code"], sent["code_verifier"]) == ([CODE], [VERIFIER])
    assert clock.sleeps == [5.0, 5.0, 5.0]


@pytest.mark.parametrize("name", ["user_code", "usercode"])
@pytest.mark.parametrize(
    "interval, seconds",
    [("7", 7.0), (7, 7.0), (0.5, 0.5), (None, 5.0), ("soon", 5.0), (0, 5.0), (-1, 5.0), (True, 5.0)],
    ids=repr,
)
async def test_both_spellings_and_every_form_of_the_interval_are_read(name: str, interval: Any, seconds: float) -> None:
    told = {"device_auth_id": ID, name: USER_CODE, "interval": interval}
    async with issuing(Reply.from_json(told)) as (_, oauth, _):
        code = await oauth.request_device_code()
    assert (code.user_code, code.interval) == (USER_CODE, seconds)


@pytest.mark.parametrize(
    "reply, text",
    [
        (Reply.error(404), "device code login is not enabled for this account or issuer; allow it in ChatGPT's"),
        (Reply.error(403, code="unsupported_country"), "the issuer refused a device code: the issuer does not serve"),
        (Reply(status=500), "the issuer could not answer when it was asked for a device code: it has a fault or"),
        (Reply.from_json({"user_code": USER_CODE}), "the issuer refused a device code: the answer has no tokens"),
    ],
    ids=["404", "403", "500", "no id"],
)
async def test_where_there_is_no_code_the_reason_is_told(reply: Reply, text: str) -> None:
    async with issuing(reply) as (_, oauth, _):
        error = await failing(DeviceLogin(oauth))
    assert isinstance(error, LoginError)
    assert str(error).startswith(text)
    assert_kept(SECRETS, error)


@pytest.mark.parametrize(
    "reply, interval",
    [
        (PENDING, 5.0),
        (Reply(status=403, body=b"<html>"), 5.0),
        (Reply(status=404), 5.0),
        (Reply.from_json({"error": "authorization_pending"}, status=400), 5.0),
        (Reply.from_json({"error": "slow_down"}, status=400), 10.0),
        (Reply.error(403, code="slow_down"), 10.0),
        (Reply(status=429), 10.0),
        (Reply(status=429, headers={"retry-after": "30"}), 35.0),
        (Reply(status=503), 10.0),
        (Reply().at("head", Reset()), 10.0),
    ],
    ids=["pending", "page", "404", "rfc", "slow down", "403", "429", "429 after", "503", "reset"],
)
async def test_until_then_it_asks_again_and_slower_if_told(reply: Reply, interval: float) -> None:
    async with issuing(START, reply, AGREED, GRANTED) as (_, oauth, clock):
        login = DeviceLogin(oauth)
        await login.start()
        await login.complete()
    assert clock.sleeps == [5.0, interval]


async def test_each_slow_down_adds_to_the_last() -> None:
    slow = Reply(status=429)
    async with issuing(START, slow, slow, PENDING, AGREED, GRANTED) as (_, oauth, clock):
        login = DeviceLogin(oauth)
        await login.start()
        await login.complete()
    assert clock.sleeps == [5.0, 10.0, 15.0, 15.0]


@pytest.mark.parametrize(
    "reply, text",
    [
        (Reply.from_json({"error": "access_denied"}, status=400), "the login was refused on the page"),
        (Reply.error(403, code="access_denied"), "the login was refused on the page"),
        (Reply.from_json({"error": "expired_token"}, status=400), "the device code has expired"),
        (Reply.error(404, code="expired_token"), "the device code has expired"),
        (Reply.error(401, "no", code="invalid_client"), "the issuer refused the device code"),
        (Reply.from_json({"authorization_code": CODE}), "the issuer refused the device code"),
    ],
    ids=["denied", "denied 403", "expired", "expired 404", "client", "no verifier"],
)
async def test_a_refusal_ends_it(reply: Reply, text: str) -> None:
    async with issuing(START, reply) as (server, oauth, _):
        error = await failing(DeviceLogin(oauth))
    assert isinstance(error, LoginError)
    assert str(error).startswith(text)
    assert steps(server) == ["start", "ask"]
    assert_kept(SECRETS, error)


async def test_after_15_minutes_it_is_over() -> None:
    clock = ManualClock(start=NOW, auto_advance=True)
    script = {"/usercode": START, "/deviceauth/token": PENDING}
    async with ReplayServer(script) as server, OAuthClient(OAuthIssuer(url=server.url), clock=clock) as oauth:
        error = await failing(DeviceLogin(oauth))
    assert str(error) == "the device code has expired before it was typed; start again for a new one"
    assert (clock.time(), len(server.requests)) == (NOW + 900, 1 + 180)


@pytest.mark.parametrize(
    "reply, interval",
    [
        (Reply(status=503), 10.0),
        (Reply(status=429, headers={"retry-after": "30"}), 35.0),
        (Reply().at("head", Reset()), 10.0),
    ],
)
async def test_after_an_exchange_that_failed_for_the_moment_only_that_is_tried_again(
    reply: Reply, interval: float
) -> None:
    async with issuing(START, AGREED, reply, GRANTED) as (server, oauth, clock):
        login = DeviceLogin(oauth)
        code = await login.start()
        assert (await login.complete()).access_token == "access"
    assert (steps(server), clock.sleeps) == (["start", "ask", "exchange", "exchange"], [5.0, interval])
    assert (login.code, code.grant) == (None, None)


async def test_an_exchange_that_is_refused_ends_it() -> None:
    async with issuing(START, AGREED, Reply.error(400, code="invalid_grant")) as (_, oauth, _):
        error = await failing(DeviceLogin(oauth))
    assert isinstance(error, LoginError)
    assert str(error).startswith("the issuer refused the code (400 invalid_grant)")
    assert_kept(SECRETS, error)


async def test_an_exchange_that_fails_until_the_end_is_told_apart_from_a_code_that_nobody_typed() -> None:
    clock = ManualClock(start=NOW, auto_advance=True)
    script = {"/usercode": START, "/deviceauth/token": AGREED, "/oauth/token": Reply(status=503)}
    async with ReplayServer(script) as server, OAuthClient(OAuthIssuer(url=server.url), clock=clock) as oauth:
        error = await failing(DeviceLogin(oauth))
    assert str(error) == "the user has agreed, but the issuer gave no tokens for that in time; start again"
    assert_kept(SECRETS, error)


async def test_it_must_be_started_first() -> None:
    async with issuing() as (_, oauth, _):
        with pytest.raises(LoginError, match="start one first"):
            await DeviceLogin(oauth).complete()


def test_the_warning_is_plain() -> None:
    assert "give it to nobody" in DEVICE_WARNING
