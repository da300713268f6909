"""Each form of login, and what follows it, against a server that plays the issuer."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest

from codex_client.auth.callback import CallbackListener
from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.login import BrowserLogin, DeviceLogin
from codex_client.auth.login_handle import LoginHandle
from codex_client.auth.oauth import OAuthClient
from codex_client.auth.tokens import TokenSet
from codex_client.errors import CodexError, LoginError, TokenRefreshError
from codex_client.testing import ManualClock
from codex_client.testing.account_server import AccountServer
from tests.support.kept_secrets import assert_kept

NOW = 1_700_000_000.0


@asynccontextmanager
async def issuing(**options: Any) -> AsyncIterator[tuple[AccountServer, OAuthClient]]:
    clock = ManualClock(start=NOW, auto_advance=options.pop("auto_advance", False))
    async with AccountServer(clock) as server:
        server.add_account("acct-1", email="one.canary@example.test", plan_type="plus", subject="user-1")
        server.add_account("acct-2", plan_type="team", subject="user-1", organization_id="org-1", project_id="proj-1")
        issuer = OAuthIssuer(url=server.url, ports=(0,), **options)
        async with OAuthClient(issuer, clock=clock) as oauth:
            yield server, oauth


async def test_by_browser() -> None:
    done: list[TokenSet] = []
    pages: list[httpx.Response] = []
    async with issuing() as (server, oauth), CallbackListener(oauth.issuer, clock=oauth.clock) as listener:
        login = BrowserLogin(oauth)
        back = server.visit(login.start(redirect_uri=listener.redirect_uri).url)

        async def receive() -> None:
            done.append(await listener.receive(login))

        async with anyio.create_task_group() as tasks, httpx.AsyncClient() as browser:
            tasks.start_soon(receive)
            pages.append(await browser.get(back))
        server.assert_complete()
    [page] = pages
    assert page.status_code == 200
    [tokens] = done
    assert (tokens.account_id, tokens.subject, tokens.plan_type) == ("acct-1", "user-1", "plus")
    assert (tokens.email, tokens.expires_at, tokens.source) == ("one.canary@example.test", NOW + 3600, "login")
    assert_kept(server.secrets, page.text, tokens)


async def test_by_browser_and_the_user_refuses() -> None:
    async with issuing() as (server, oauth), CallbackListener(oauth.issuer, clock=oauth.clock) as listener:
        login = BrowserLogin(oauth)
        back = server.visit(login.start(redirect_uri=listener.redirect_uri).url, deny=True)
        errors: list[CodexError] = []

        async def receive() -> None:
            with pytest.raises(LoginError, match="refused on the page") as caught:
                await listener.receive(login)
            errors.append(caught.value)

        async with anyio.create_task_group() as tasks, httpx.AsyncClient() as browser:
            tasks.start_soon(receive)
            assert (await browser.get(back)).status_code == 400
    assert_kept(server.secrets, *errors)


async def test_by_pasting_in_another_process(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with issuing() as (server, oauth):
        kept = BrowserLogin(oauth).start().to_json()
        handle = LoginHandle.from_json(kept)
        tokens = await BrowserLogin(oauth, handle=handle).complete(server.visit(handle.url))
        server.assert_complete()
    assert tokens.account_id == "acct-1"
    assert_kept({*server.secrets, handle.state}, *caplog.records, handle)


async def test_what_was_pasted_twice_is_refused_and_told_without_secrets() -> None:
    async with issuing() as (server, oauth):
        handle = BrowserLogin(oauth).start()
        back = server.visit(handle.url)
        await BrowserLogin(oauth, handle=handle).complete(back)
        with pytest.raises(LoginError, match="it was used already") as caught:
            await BrowserLogin(oauth, handle=handle).complete(back)
    assert_kept({*server.secrets, handle.state}, caught.value)


async def test_the_code_of_another_login_fits_no_verifier() -> None:
    async with issuing() as (server, oauth):
        other, mine = BrowserLogin(oauth).start(), BrowserLogin(oauth)
        mine.start()
        back = server.visit(other.url)
        with pytest.raises(LoginError, match="the state does not match"):
            await mine.complete(back)
        bare = back.partition("code=")[2].partition("&")[0]
        with pytest.raises(LoginError, match="belongs to another login") as caught:
            await mine.complete(bare)
    assert_kept({*server.secrets, other.state}, caught.value)


async def test_into_the_workspace_that_was_asked_for() -> None:
    async with issuing(workspace_id="acct-2") as (server, oauth):
        login = BrowserLogin(oauth)
        tokens = await login.complete(server.visit(login.start().url))
        server.assert_complete()
    assert (tokens.account_id, tokens.plan_type) == ("acct-2", "team")


async def test_by_device_code() -> None:
    async with issuing(auto_advance=True) as (server, oauth):
        login = DeviceLogin(oauth)
        code = await login.start()
        assert await oauth.poll_device_code(code) is None
        server.approve(code.user_code, server.accounts[1])
        tokens = await login.complete()
        server.assert_complete()
    assert tokens.account_id == "acct-2"
    assert_kept({*server.secrets, code.user_code, code.device_auth_id}, code, tokens)


async def test_by_device_code_at_the_pace_that_is_told() -> None:
    async with issuing(auto_advance=True) as (server, oauth):
        server.device_interval = 7.0
        login = DeviceLogin(oauth)
        code = await login.start()
        server.fail("/deviceauth/token", 429)
        server.approve(code.user_code)
        await login.complete()
        # Two sleeps: as told, and slower after the 429.
        assert oauth.clock.time() == NOW + 7 + 12
        server.assert_complete()


@pytest.mark.parametrize("what, text", [("deny", "refused on the page"), ("expire", "has expired")])
async def test_by_device_code_and_it_comes_to_nothing(what: str, text: str) -> None:
    async with issuing(auto_advance=True) as (server, oauth):
        login = DeviceLogin(oauth)
        code = await login.start()
        getattr(server, what)(code.user_code)
        with pytest.raises(LoginError, match=text) as caught:
            await login.complete()
    assert_kept({*server.secrets, code.user_code, code.device_auth_id}, caught.value)


async def test_by_device_code_and_nobody_types_it() -> None:
    async with issuing(auto_advance=True) as (server, oauth):
        login = DeviceLogin(oauth)
        await login.start()
        with pytest.raises(LoginError, match="has expired"):
            await login.complete()
        server.assert_complete()
        assert oauth.clock.time() == NOW + 900


async def test_by_device_code_where_it_is_not_enabled() -> None:
    async with issuing() as (server, oauth):
        server.device_login = False
        with pytest.raises(LoginError, match="allow it in ChatGPT's security settings"):
            await DeviceLogin(oauth).start()


async def test_a_login_is_refreshed_then_revoked_and_is_over() -> None:
    async with issuing() as (server, oauth):
        login = BrowserLogin(oauth)
        first = await login.complete(server.visit(login.start().url))
        server.accounts[0].plan_type = "pro"
        second = await oauth.refresh(first, reason="proactive_expiry")
        assert (second.plan_type, second.key) == ("pro", first.key)
        assert second.refresh_token not in (None, first.refresh_token)
        server.assert_complete()
        await oauth.revoke(second)
        with pytest.raises(TokenRefreshError) as caught:
            await oauth.refresh(second, reason="forced")
    assert (caught.value.permanent, caught.value.code) == (True, "refresh_token_invalidated")
    assert_kept(server.secrets, caught.value)


async def test_a_refresh_token_that_is_used_twice_ends_the_login() -> None:
    """F8b."""
    async with issuing() as (server, oauth):
        tokens = server.issue(server.accounts[0])
        await oauth.refresh(tokens, reason="forced")
        with pytest.raises(TokenRefreshError) as caught:
            await oauth.refresh(tokens, reason="forced")
    assert (caught.value.permanent, caught.value.code) == (True, "refresh_token_reused")
    assert_kept(server.secrets, caught.value)


async def test_an_answer_that_is_lost_on_the_way_is_told_as_such() -> None:
    async with issuing() as (server, oauth):
        tokens = server.issue(server.accounts[0])
        server.disturb("POST /oauth/token")
        with pytest.raises(TokenRefreshError) as caught:
            await oauth.refresh(tokens, reason="forced")
        assert (caught.value.permanent, caught.value.answer_lost, server.refreshes) == (False, True, 1)
    assert_kept(server.secrets, caught.value)


async def test_a_login_with_an_organization_has_an_api_key() -> None:
    async with issuing() as (server, oauth):
        assert (await oauth.exchange_api_key(server.issue(server.accounts[1]))).startswith("sk-")
        with pytest.raises(LoginError, match="no organization and project"):
            await oauth.exchange_api_key(server.issue(server.accounts[0]))
        server.assert_complete()
