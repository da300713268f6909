"""The login's callback over real sockets: what a browser, a stranger and another login may do to it."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
import pytest

from codex_client.auth.callback import CallbackListener, _Request, _Waiting
from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.login import BrowserLogin
from codex_client.auth.oauth import OAuthClient
from codex_client.auth.tokens import TokenSet
from codex_client.errors import CodexError, LoginError, ReadError
from codex_client.testing import Hold, ManualClock, ReplayServer, Reply, Reset
from tests.support.kept_secrets import assert_kept
from tests.support.open_files import open_files

CODE = "ac_canary-code-0123456789"
GRANTED = Reply.from_json({"access_token": "canary-access-0123456789", "refresh_token": "rt_canary-0123456789"})
HOSTS = ["127.0.0.1", "[::1]"]


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this system has no ::1")
each_loopback = pytest.mark.parametrize("host", [HOSTS[0], pytest.param(HOSTS[1], marks=needs_ipv6)])


@dataclass
class Scene:
    """A login that waits for its callback, and what came of it."""

    server: ReplayServer
    listener: CallbackListener
    login: BrowserLogin
    clock: ManualClock
    tokens: TokenSet | None = None
    error: CodexError | None = None

    def __post_init__(self) -> None:
        self.handle = self.login.start(redirect_uri=self.listener.redirect_uri)
        self.port = int(self.listener.redirect_uri.split(":")[2].split("/")[0])

    def url(self, query: str, host: str = HOSTS[0], path: str = "/auth/callback") -> str:
        return f"http://{host}:{self.port}{path}?{query}"

    @property
    def answer(self) -> str:
        return f"code={CODE}&state={self.handle.state}"

    async def get(self, query: str, host: str = HOSTS[0], **options: Any) -> httpx.Response:
        path = options.pop("path", "/auth/callback")
        async with httpx.AsyncClient() as browser:
            return await browser.request(options.pop("method", "GET"), self.url(query, host, path), **options)

    @property
    def secrets(self) -> list[str]:
        return [CODE, self.handle.state, self.handle.verifier, "canary-access-0123456789", "rt_canary-0123456789"]


@asynccontextmanager
async def listening(*replies: Any) -> AsyncIterator[Scene]:
    clock = ManualClock()
    async with ReplayServer(Reply.sequence(replies)) as server:
        issuer = OAuthIssuer(url=server.url, ports=(0,))
        async with OAuthClient(issuer, clock=clock) as oauth, CallbackListener(issuer, clock=clock) as listener:
            yield Scene(server, listener, BrowserLogin(oauth), clock)
    server.assert_complete()


async def play(scene: Scene, visit: Callable[[], Awaitable[object]]) -> None:
    """Let the listener wait while somebody visits it."""

    async def receive() -> None:
        try:
            scene.tokens = await scene.listener.receive(scene.login)
        except CodexError as error:
            scene.error = error

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(receive)
        await visit()


@each_loopback
async def test_the_browser_gets_a_page_and_the_program_its_tokens(host: str) -> None:
    """O1."""
    async with listening(GRANTED) as scene:
        pages: list[httpx.Response] = []

        async def visit() -> None:
            pages.append(await scene.get(scene.answer, host))

        await play(scene, visit)
    [page] = pages
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "You are logged in" in page.text
    assert scene.tokens is not None
    assert scene.tokens.access_token == "canary-access-0123456789"
    assert_kept(scene.secrets, page.text, page.headers)


async def test_a_page_loads_nothing_and_is_not_kept() -> None:
    async with listening() as scene:

        async def visit() -> None:
            page = await scene.get("error=access_denied&state=" + scene.handle.state)
            assert page.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'"
            assert page.headers["referrer-policy"] == "no-referrer"
            assert page.headers["cache-control"] == "no-store"
            assert not re.search(r"https?://|src=|href=|<script|@import|url\(", page.text)

        await play(scene, visit)


async def test_a_refusal_is_shown_in_both_places() -> None:
    async with listening() as scene:

        async def visit() -> None:
            page = await scene.get(f"error=odd%3Cb%3E&error_description={CODE}&state={scene.handle.state}")
            assert page.status_code == 400
            assert "the issuer ended the login: odd&lt;b&gt;" in page.text
            assert_kept(scene.secrets, page.text)

        await play(scene, visit)
    assert isinstance(scene.error, LoginError)
    assert str(scene.error).startswith("the issuer ended the login: odd<b>")
    assert_kept(scene.secrets, scene.error)


@pytest.mark.parametrize(
    "reply, kind",
    [
        (Reply.from_json({"error": "invalid_grant", "x": CODE}, status=400), LoginError),
        (Reply().at("head", Reset()), ReadError),
    ],
    ids=["refused", "reset"],
)
async def test_an_exchange_that_fails_is_shown_in_both_places(reply: Reply, kind: type[CodexError]) -> None:
    async with listening(reply) as scene:

        async def visit() -> None:
            page = await scene.get(scene.answer)
            assert (page.status_code, "The login failed" in page.text) == (400, True)
            assert_kept(scene.secrets, page.text)

        await play(scene, visit)
    assert isinstance(scene.error, kind)
    assert_kept(scene.secrets, scene.error)


@pytest.mark.parametrize(
    "method, path, query, status",
    [
        ("GET", "/auth/callback", f"code={CODE}&state=other", 400),
        ("GET", "/auth/callback", f"code={CODE}", 400),
        ("GET", "/auth/callback", "", 400),
        ("GET", "/auth/callback", "error=access_denied", 400),
        ("GET", "/auth/callback", "error=access_denied&state=other", 400),
        ("GET", "/", "", 404),
        ("GET", "/favicon.ico", "", 404),
        ("GET", "/auth/callback/", "OURS", 404),
        ("POST", "/auth/callback", "OURS", 404),
        ("HEAD", "/auth/callback", "OURS", 404),
        ("POST", "/cancel", "", 404),
    ],
)
async def test_a_stray_request_is_answered_and_changes_nothing(method: str, path: str, query: str, status: int) -> None:
    async with listening(GRANTED) as scene:

        async def visit() -> None:
            stray = await scene.get(query.replace("OURS", scene.answer), method=method, path=path)
            assert stray.status_code == status
            assert scene.server.requests == []
            assert (await scene.get(scene.answer)).status_code == 200

        await play(scene, visit)
    assert scene.tokens is not None


@each_loopback
async def test_another_login_may_cancel_this_one(host: str) -> None:
    async with listening() as scene:

        async def visit() -> None:
            page = await scene.get("", host, path="/cancel")
            assert (page.status_code, "Login cancelled" in page.text) == (200, True)

        await play(scene, visit)
    assert isinstance(scene.error, LoginError)
    assert str(scene.error).startswith("the login was cancelled by a request to /cancel")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_web_page_may_not(site: str) -> None:
    async with listening(GRANTED) as scene:

        async def visit() -> None:
            assert (await scene.get("", path="/cancel", headers={"Sec-Fetch-Site": site})).status_code == 403
            await scene.get(scene.answer)

        await play(scene, visit)
    assert scene.tokens is not None


async def test_silent_and_slow_connections_hold_up_nobody() -> None:
    async with listening(GRANTED) as scene:

        async def visit() -> None:
            async with (
                await anyio.connect_tcp("127.0.0.1", scene.port),
                await anyio.connect_tcp("127.0.0.1", scene.port) as slow,
            ):
                await slow.send(b"GET /auth/callback?code=")
                assert (await scene.get(scene.answer)).status_code == 200

        await play(scene, visit)
    assert scene.tokens is not None


@pytest.mark.parametrize("sent", [b"", b"GET /auth/callback?code=x HTTP/1.1\r\nHost: a\r\n"], ids=["silent", "slow"])
async def test_a_request_must_come_within_10_seconds(sent: bytes) -> None:
    async with listening(GRANTED) as scene:

        async def visit() -> None:
            async with await anyio.connect_tcp("127.0.0.1", scene.port) as stream:
                await stream.send(sent)
                await scene.clock.wait_for_timer(10.0)
                scene.clock.advance(10.0)
                assert (await stream.receive()).startswith(b"HTTP/1.1 408 ")
            await scene.get(scene.answer)

        await play(scene, visit)
    assert scene.tokens is not None


@pytest.mark.parametrize(
    "sent, status",
    [
        (b"GET /auth/callback HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000, b"431"),
        (b"GET /" + b"x" * 20_000, b"431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"GET /auth/callback HTTP/1.1\r\n\r\n", b"400"),
    ],
    ids=["long header", "long target", "TLS", "no host"],
)
async def test_what_is_no_request_is_refused(sent: bytes, status: bytes) -> None:
    async with listening(GRANTED) as scene:

        async def visit() -> None:
            async with await anyio.connect_tcp("127.0.0.1", scene.port) as stream:
                await stream.send(sent)
                assert (await stream.receive()).split(b" ", 2)[1] == status
            await scene.get(scene.answer)

        await play(scene, visit)
    assert scene.tokens is not None


async def test_a_browser_that_leaves_before_its_page_leaves_the_tokens() -> None:
    held = Reply.from_json({"access_token": "access"}, before_head=[Hold()])
    async with listening(held) as scene:

        async def visit() -> None:
            async with await anyio.connect_tcp("127.0.0.1", scene.port) as stream:
                await stream.send(f"GET /auth/callback?{scene.answer} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                await scene.server.at_rest()
            scene.server.release()

        await play(scene, visit)
    assert scene.tokens is not None


async def test_a_browser_that_asks_twice_has_one_code_exchanged() -> None:
    held = Reply.from_json({"access_token": "access"}, before_head=[Hold()])
    async with listening(held) as scene:
        pages: list[str] = []

        async def browse() -> None:
            pages.append((await scene.get(scene.answer)).text)

        async def visit() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(browse)
                await scene.server.at_rest()
                tasks.start_soon(browse)
                async with await anyio.connect_tcp("127.0.0.1", scene.port) as stream:
                    await stream.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    await stream.receive()
                scene.server.release()

        await play(scene, visit)
    assert len(scene.server.requests) == 1
    assert ["You are logged in" in page for page in pages] == [True, True]


async def test_the_waiting_ends_when_every_browser_has_its_page() -> None:
    async with listening() as scene:
        waiting = _Waiting(scene.login, scene.handle)
        with waiting.answering():
            with waiting.answering():
                assert (await waiting.answer(_Request("GET", "/cancel", "", b""))).status == 200
            assert not waiting.finished.is_set()
        assert waiting.finished.is_set()


async def test_nobody_comes() -> None:
    async with listening() as scene:

        async def visit() -> None:
            await scene.clock.wait_for_timer(300.0)
            scene.clock.advance(300.0)

        await play(scene, visit)
    assert isinstance(scene.error, LoginError)
    assert str(scene.error) == "nobody logged in within 300 s; start the login again"


async def test_an_address_that_comes_before_the_waiting_is_waited_for() -> None:
    async with listening(GRANTED) as scene, await anyio.connect_tcp("127.0.0.1", scene.port) as browser:
        await browser.send(f"GET /auth/callback?{scene.answer} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await scene.listener.receive(scene.login)
        assert (await browser.receive()).startswith(b"HTTP/1.1 200 ")


async def test_a_login_that_was_not_started_is_not_waited_for() -> None:
    async with listening() as scene, OAuthClient(OAuthIssuer()) as oauth:
        with pytest.raises(LoginError, match="start one with this listener's redirect_uri"):
            await scene.listener.receive(BrowserLogin(oauth))


@pytest.mark.skipif(sys.platform != "linux", reason="open files are counted by /proc")
@pytest.mark.parametrize("way", ["success", "cancelled outside", "left"])
async def test_nothing_stays_open(way: str) -> None:
    before = open_files()
    async with listening(*[GRANTED] if way == "success" else []) as scene:
        silent = await anyio.connect_tcp("127.0.0.1", scene.port)
        if way == "success":
            await play(scene, lambda: scene.get(scene.answer))
        elif way == "cancelled outside":
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(scene.listener.receive, scene.login)
                await scene.clock.wait_for_timer(10.0)
                tasks.cancel_scope.cancel()
        port = scene.port
    await silent.aclose()
    for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        if family == socket.AF_INET or has_ipv6():
            with socket.socket(family) as probe:
                assert probe.connect_ex((host, port)) != 0
    assert open_files() == before
