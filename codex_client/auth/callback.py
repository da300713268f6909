"""The end of a browser login on this machine: a small HTTP server that the issuer sends the browser to.

listening ──GET /auth/callback with our state──▶ exchanging ──▶ settled: tokens, or an error
    │  └──any other request: answered, nothing changes
    └──GET /cancel, or the time is over──▶ settled: an error
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Self

import anyio
import h11
from anyio.abc import SocketListener, SocketStream

from codex_client.api import Clock, SystemClock
from codex_client.auth.callback_pages import Page
from codex_client.auth.issuer import CALLBACK_PATH, OAuthIssuer
from codex_client.auth.login import BrowserLogin
from codex_client.auth.login_handle import Callback, LoginHandle
from codex_client.auth.loopback import listen_on_loopback
from codex_client.auth.tokens import TokenSet
from codex_client.errors import CodexError, LoginError

_MAX_HEAD_BYTES = 16 * 1024
# For a browser on the same machine; a connection that says nothing holds up nobody but itself.
_REQUEST_SECONDS = 10.0
_ANSWER_SECONDS = 5.0
# After an answer to what was not read whole: closing at once would throw the answer away.
_LINGER_SECONDS = 1.0
_LOGIN_SECONDS = 300.0
# A page of somebody else's must not end a login by linking to it. Programs do not send the header.
_FOREIGN = frozenset({b"cross-site", b"same-site"})


class CallbackListener:
    """Takes the callback of a browser login: `async with CallbackListener(issuer) as listener`.

    Inside the block `redirect_uri` is known and browsers can connect; they are answered while `receive` runs. On the
    way out everything is closed. Entering raises `LoginError` where all of the issuer's ports are taken.
    """

    def __init__(self, issuer: OAuthIssuer | None = None, *, clock: Clock | None = None) -> None:
        self._issuer = issuer or OAuthIssuer()
        self._clock = clock or SystemClock()
        self._port = 0
        self._listeners: list[SocketListener] = []

    @property
    def redirect_uri(self) -> str:
        """For `BrowserLogin.start`."""
        return self._issuer.redirect_uri(self._port)

    async def receive(self, login: BrowserLogin, *, within: float = _LOGIN_SECONDS) -> TokenSet:
        """The tokens of a login that was started with this `redirect_uri`.

        Raises `LoginError` where it was refused, cancelled or not completed `within` so many seconds, a
        `TransportError` where the issuer cannot be reached. A request that does not belong to the login is answered
        with an error and changes nothing.
        """
        if login.handle is None:
            raise LoginError("no login is under way; start one with this listener's redirect_uri first")
        waiting = _Waiting(login, login.handle)
        with self._clock.move_on_after(within):
            async with anyio.create_task_group() as tasks:
                for listener in self._listeners:
                    tasks.start_soon(listener.serve, partial(self._serve, waiting), tasks)
                await waiting.finished.wait()
                tasks.cancel_scope.cancel()
        if waiting.error is not None:
            raise waiting.error
        if waiting.tokens is None:
            raise LoginError(f"nobody logged in within {within:g} s; start the login again")
        return waiting.tokens

    async def __aenter__(self) -> Self:
        self._port, self._listeners = await listen_on_loopback(self._issuer.ports, clock=self._clock)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            for listener in self._listeners:
                await listener.aclose()

    async def _serve(self, waiting: _Waiting, stream: SocketStream) -> None:
        """One request of one connection."""
        async with stream:
            # The browser may leave at any moment; trio's streams then say so in the system's own words.
            with suppress(anyio.BrokenResourceError, anyio.EndOfStream, OSError):
                request = Page.timed_out()
                with self._clock.move_on_after(_REQUEST_SECONDS):
                    request = await _read_request(stream)
                if isinstance(request, Page):
                    await self._send(stream, request)
                    await self._linger(stream)
                    return
                with waiting.answering():
                    await self._send(stream, await waiting.answer(request))

    async def _send(self, stream: SocketStream, page: Page) -> None:
        with self._clock.move_on_after(_ANSWER_SECONDS):
            await stream.send(page.encode())
            await stream.send_eof()

    async def _linger(self, stream: SocketStream) -> None:
        with self._clock.move_on_after(_LINGER_SECONDS):
            while await stream.receive():
                pass


class _Waiting:
    """One login that waits for its callback. `finished`: it is settled, and every browser has its page."""

    def __init__(self, login: BrowserLogin, handle: LoginHandle) -> None:
        self.tokens: TokenSet | None = None
        self.error: CodexError | None = None
        self.finished = anyio.Event()
        self._login = login
        self._handle = handle
        self._begun = False
        self._settled = anyio.Event()
        self._answering = 0

    @contextmanager
    def answering(self) -> Generator[None]:
        self._answering += 1
        try:
            yield
        finally:
            self._answering -= 1
            if self._settled.is_set() and not self._answering:
                self.finished.set()

    async def answer(self, request: _Request) -> Page:
        if request.method != "GET" or request.path not in (CALLBACK_PATH, "/cancel"):
            return Page.not_found()
        return await self._callback(request.query) if request.path == CALLBACK_PATH else await self._cancel(request)

    async def _callback(self, query: str) -> Page:
        callback = self._handle.read_redirect(query)
        del query
        if callback.is_stray:
            return Page.stray()
        if not self._begun:
            self._begun = True
            await self._redeem(callback)
        # Browsers ask twice at times; a code is good for once.
        await self._settled.wait()
        return Page.logged_in() if self.error is None else Page.failed(str(self.error))

    async def _redeem(self, callback: Callback) -> None:
        try:
            self.tokens = await self._login.redeem(callback)
        except CodexError as error:
            # Bare: the frames below hold the request.
            self.error = error.with_traceback(None)
        self._settled.set()

    async def _cancel(self, request: _Request) -> Page:
        if request.fetch_site in _FOREIGN:
            return Page.forbidden()
        if not self._begun:
            self._begun = True
            self.error = LoginError(
                "the login was cancelled by a request to /cancel, as another login on this machine sends it; "
                "start it again when that one is over"
            )
            self._settled.set()
        await self._settled.wait()
        return Page.cancelled()


@dataclass(frozen=True, slots=True)
class _Request:
    """What counts of a request. The query has the code in it."""

    method: str
    path: str
    query: str = field(repr=False)
    fetch_site: bytes


async def _read_request(stream: SocketStream) -> _Request | Page:
    """The head of the request, or the page that refuses it."""
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD_BYTES)
    try:
        while (event := parser.next_event()) is h11.NEED_DATA:
            parser.receive_data(await stream.receive())
    except h11.RemoteProtocolError as error:
        return Page.refused(error.error_status_hint)
    if not isinstance(event, h11.Request):
        return Page.refused(400)
    path, _, query = event.target.decode("latin-1").partition("?")
    fetch_site = next((value for name, value in event.headers if name == b"sec-fetch-site"), b"")
    return _Request(event.method.decode("latin-1"), path, query, fetch_site)
