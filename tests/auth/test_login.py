"""The browser login as a conversation: started here, completed there, and what goes wrong in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.login import BrowserLogin, is_headless, login_hints, runs_in_container
from codex_client.auth.login_handle import LoginHandle
from codex_client.auth.oauth import OAuthClient
from codex_client.errors import CodexError, LoginError, ReadError
from codex_client.testing import ManualClock, ReplayServer, Reply, Reset
from tests.support.kept_secrets import assert_kept

CODE = "ac_canary-code-0123456789"
GRANTED = Reply.from_json({"access_token": "canary-access-0123456789", "refresh_token": "rt_canary-0123456789"})
BAD_GRANT = Reply.from_json({"error": "invalid_grant", "error_description": CODE}, status=400)


@asynccontextmanager
async def issuing(*replies: Any, clock: ManualClock | None = None) -> AsyncIterator[tuple[ReplayServer, OAuthClient]]:
    async with (
        ReplayServer(Reply.sequence(replies)) as server,
        OAuthClient(OAuthIssuer(url=server.url), clock=clock or ManualClock()) as oauth,
    ):
        yield server, oauth
    server.assert_complete()


def state_of(handle: LoginHandle) -> str:
    return parse_qs(urlsplit(handle.url).query)["state"][0]


async def failing(login: BrowserLogin, text: str) -> CodexError:
    with pytest.raises(CodexError) as caught:
        await login.complete(text)
    return caught.value


async def test_the_redirect_that_is_pasted_gives_tokens() -> None:
    async with issuing(GRANTED) as (server, oauth):
        login = BrowserLogin(oauth)
        handle = login.start()
        tokens = await login.complete(f"{handle.redirect_uri}?code={CODE}&state={state_of(handle)}")
    assert tokens.access_token == "canary-access-0123456789"
    sent = parse_qs(server.requests[0].body.decode())
    assert (sent["code"], sent["code_verifier"]) == ([CODE], [handle.verifier])
    assert sent["redirect_uri"] == ["http://localhost:1455/auth/callback"]


async def test_another_process_completes_it() -> None:
    async with issuing(GRANTED) as (server, oauth):
        text = BrowserLogin(oauth).start(redirect_uri="http://localhost:1457/auth/callback").to_json()
        handle = LoginHandle.from_json(text)
        await BrowserLogin(oauth, handle=handle).complete(f"{CODE}#{state_of(handle)}")
    sent = parse_qs(server.requests[0].body.decode())
    assert sent["code_verifier"] == [handle.verifier]
    assert sent["redirect_uri"] == ["http://localhost:1457/auth/callback"]


async def test_a_bare_code_is_taken_with_a_warning_that_does_not_show_it(caplog: pytest.LogCaptureFixture) -> None:
    async with issuing(GRANTED) as (_, oauth):
        login = BrowserLogin(oauth)
        login.start()
        await login.complete(CODE)
    [warning] = [record for record in caplog.records if record.name == "codex_client"]
    assert (warning.levelname, "came without its state" in warning.getMessage()) == ("WARNING", True)
    assert_kept([CODE], warning)


async def test_with_its_state_a_code_is_taken_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    async with issuing(GRANTED) as (_, oauth):
        login = BrowserLogin(oauth)
        await login.complete(f"{CODE}#{state_of(login.start())}")
    assert [record for record in caplog.records if record.name == "codex_client"] == []


@pytest.mark.parametrize(
    "text",
    ["", "?", "hello there", f"code={CODE}", f"code={CODE}&state=canary-other-state", f"{CODE}#canary-other-state"],
)
async def test_what_is_no_answer_reaches_no_issuer_and_may_be_corrected(text: str) -> None:
    async with issuing(GRANTED) as (server, oauth):
        login = BrowserLogin(oauth)
        handle = login.start()
        error = await failing(login, text)
        assert isinstance(error, LoginError)
        assert server.requests == []
        assert_kept([CODE, handle.verifier, handle.state, "canary-other-state"], error)
        await login.complete(f"code={CODE}&state={handle.state}")


async def test_a_refusal_on_the_page_is_told_in_words() -> None:
    async with issuing() as (_, oauth):
        login = BrowserLogin(oauth)
        handle = login.start()
        error = await failing(login, f"{handle.redirect_uri}?error=access_denied&state={handle.state}")
    assert str(error) == "the login was refused on the page (access_denied); start the login again"


async def test_a_code_of_another_login_is_refused_by_the_issuer() -> None:
    async with issuing(BAD_GRANT) as (_, oauth):
        login = BrowserLogin(oauth)
        handle = login.start()
        error = await failing(login, CODE)
    assert "belongs to another login; start the login again" in str(error)
    assert_kept([CODE, handle.verifier, handle.state], error)


async def test_an_issuer_that_cannot_be_reached_tells_nothing() -> None:
    async with issuing(Reply().at("head", Reset())) as (_, oauth):
        login = BrowserLogin(oauth)
        handle = login.start()
        error = await failing(login, CODE)
    assert isinstance(error, ReadError)
    assert_kept([CODE, handle.verifier, handle.state], error)


async def test_a_login_that_was_not_started_or_is_over_says_so() -> None:
    async with issuing(GRANTED) as (_, oauth):
        login = BrowserLogin(oauth)
        assert "start one first" in str(await failing(login, CODE))
        login.start()
        await login.complete(CODE)
        error = await failing(login, CODE)
        assert "was completed already; start one first" in str(error)
        assert_kept([CODE], error)


async def test_a_login_that_has_expired_says_so() -> None:
    clock = ManualClock()
    async with issuing(clock=clock) as (_, oauth):
        login = BrowserLogin(oauth)
        login.start()
        clock.advance(1801)
        assert str(await failing(login, CODE)) == "the login was not completed within 30 minutes; start it again"


async def test_the_login_of_another_issuer_is_not_completed() -> None:
    async with issuing() as (server, oauth), OAuthClient() as other:
        login = BrowserLogin(oauth, handle=BrowserLogin(other).start())
        error = await failing(login, CODE)
    assert "was started at https://auth.openai.com" in str(error)
    assert server.requests == []


async def test_each_start_has_a_verifier_and_a_state_of_its_own() -> None:
    async with OAuthClient() as oauth:
        login = BrowserLogin(oauth)
        first, second = login.start(), login.start()
    assert login.handle is second
    assert first.verifier != second.verifier
    assert first.state != second.state


async def test_the_dice_may_be_given() -> None:
    async with OAuthClient(clock=ManualClock()) as oauth:
        handles = [BrowserLogin(oauth, random_bytes=bytes).start() for _ in range(2)]
    assert handles[0] == handles[1]
    assert handles[0].verifier == "A" * 86


@pytest.mark.parametrize(
    "environ, platform, headless",
    [
        ({"DISPLAY": ":0"}, "linux", False),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", False),
        ({}, "linux", True),
        ({"DISPLAY": ""}, "linux", True),
        ({}, "freebsd14", True),
        ({}, "darwin", False),
        ({}, "win32", False),
        ({"SESSIONNAME": "Console"}, "win32", False),
        ({"SESSIONNAME": "Services"}, "win32", True),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, "linux", True),
        ({"SSH_TTY": "/dev/pts/0"}, "darwin", True),
        ({"SSH_CLIENT": "10.0.0.1 1 22"}, "win32", True),
        ({"DISPLAY": ":0", "SSH_AUTH_SOCK": "/run/agent"}, "linux", False),
        ({"DISPLAY": ":0", "CI": "true"}, "linux", True),
        ({"DISPLAY": ":0", "CI": "false"}, "linux", False),
        ({"DISPLAY": ":0", "GITHUB_ACTIONS": "true"}, "linux", True),
        ({"DISPLAY": ":0", "JENKINS_URL": "http://ci"}, "linux", True),
        ({"DISPLAY": ":0", "container": "podman"}, "linux", True),
        ({"DISPLAY": ":0", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "linux", True),
    ],
    ids=str,
)
def test_whether_somebody_would_see_a_browser(environ: dict[str, str], platform: str, headless: bool) -> None:
    """O2."""
    assert is_headless(environ, platform=platform) is headless


def test_in_a_container_nobody_would() -> None:
    assert is_headless({"DISPLAY": ":0"}, platform="linux", in_container=True)


def test_a_container_is_known_by_its_file(tmp_path: Any) -> None:
    mark = tmp_path / ".dockerenv"
    assert not runs_in_container((str(mark),))
    mark.touch()
    assert runs_in_container((str(mark),))


def test_a_headless_host_is_told_both_other_ways() -> None:
    paste, device = login_hints(headless=True)
    assert "paste the address" in paste
    assert "another device" in device
    assert login_hints(headless=False) != (paste, device)
