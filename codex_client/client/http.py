"""The HTTP layer's front: a request in, an answer with its body unread out."""

from __future__ import annotations

import os
import random
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import httpx
from anyio.lowlevel import EventLoopToken, current_token

from codex_client.api import AuthProvider, HttpClient, Lease, TurnObserver
from codex_client.client.answer import HttpAnswer
from codex_client.client.attempts import Attempts
from codex_client.client.compression import ENCODING, compressed, compresses, is_worth_it
from codex_client.client.config import ClientConfig
from codex_client.client.connection_pool import loop_is_over
from codex_client.client.connections import RequestBody, new_http_client
from codex_client.client.http_errors import transport_error
from codex_client.client.outgoing import Outgoing
from codex_client.client.rate_limits import HeaderRateLimits
from codex_client.client.redirects import redirect_location, redirect_target
from codex_client.client.request_headers import request_headers, secret_values
from codex_client.client.retry import AttemptBudget
from codex_client.errors import (
    CodexError,
    ConfigurationError,
    FirstEventTimeoutError,
    ReadError,
    RedirectError,
    TransportError,
    UnexpectedStatusError,
)
from codex_client.masking import safe_url

# 201 is what some frameworks answer to every POST, 203 what a rewriting proxy makes of 200. 202, 204, 205 and 206
# promise no whole answer.
_ANSWER_STATUSES = frozenset({200, 201, 203})
# An error's text is worth this wait, and no more.
_ERROR_BODY_SECONDS = 5.0


class RequestExecutor:
    """Sends the requests of one client. Any number of turns may use it at once, in more than one event loop.

    Owns its connections, or borrows `config.http_client` and never closes that. `url` is where it sends to, without
    query. `dice` (jitter), `new_request_id` and `environ` are there for tests to replace.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        auth: AuthProvider,
        dice: Callable[[], float] = random.random,
        new_request_id: Callable[[], str] = lambda: str(uuid4()),
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.url: str = config.provider.base_url.rstrip("/") + config.provider.wire_api.path
        self._config = config
        self._auth = auth
        self._compresses = compresses(config.provider)
        self._dice = dice
        self._new_request_id = new_request_id
        self._environ = environ
        self._own_client: httpx.AsyncClient | None = None
        if config.http_client is not None:
            self._client: HttpClient = config.http_client
        else:
            self._client = self._own_client = new_http_client(config.clock, config.transport)
        self._open: set[HttpAnswer] = set()
        self._buried: dict[EventLoopToken, deque[HttpAnswer]] = {}
        self._closed = False

    async def open(
        self, request: Outgoing | bytes, *, budget: AttemptBudget, observer: TurnObserver | None = None
    ) -> HttpAnswer:
        """Send a request until a server answers it, at most as often as the budget allows. The caller closes the
        answer.

        Bytes are a body in the configuration's conversation. Every attempt with one account carries the same bytes,
        unless the request is amended, and all of them the same `x-client-request-id`, and a credential each. Failed
        attempts are reported to the auth provider here; the one that is answered is reported by who reads the answer.
        Raises what the last attempt failed with: a `TransportError`, an `UnexpectedStatusError`, a
        `FirstEventTimeoutError`, an error of the auth provider; wrapped in a `RetryLimitError` where it was worth
        another try, several had been made and none was left. `ConfigurationError` for what HTTP cannot carry; a
        `ReadError` that is not retryable where the client is closed meanwhile, `RuntimeError` where it was before.
        """
        if self._closed and budget.attempts == 0:
            raise RuntimeError("the client is closed; make a new one")
        self._raise_if_closed()
        await self._finish_buried()
        request_id = budget.client_request_id = budget.client_request_id or self._new_request_id()
        if isinstance(request, bytes):
            request = Outgoing(request, conversation_id=self._config.conversation_id)
        send = partial(self._send, request, request_id)
        return await Attempts(
            send, request, config=self._config, auth=self._auth, budget=budget, observer=observer, dice=self._dice
        ).run()

    async def aclose(self) -> None:
        """Cut the answers that are still open, then close the connections if they are owned. Safe to call twice."""
        self._closed = True
        here = current_token()
        for answer in list(self._open):
            # An answer of another event loop can only be cut; that loop closes it.
            if answer.loop == here:
                await answer.aclose()
            else:
                answer.abandon()
        await self._finish_buried()
        if self._own_client is not None:
            await self._own_client.aclose()

    def release(self, answer: HttpAnswer) -> None:
        """An answer tells that it is closed."""
        self._open.discard(answer)

    def bury(self, answer: HttpAnswer) -> None:
        """An answer tells, perhaps from a finaliser, that it is cut; the next `open` in its loop closes it."""
        self._buried.setdefault(answer.loop, deque()).append(answer)
        self._open.discard(answer)

    async def _finish_buried(self) -> None:
        """Close those of this loop, and forget those of loops that are over: their connections ended with the loop."""
        for loop in list(self._buried):
            if loop_is_over(loop):
                self._buried.pop(loop, None)
        # Only tasks of this loop take from its queue, and nothing awaits between the look and the taking.
        mine = self._buried.get(current_token(), deque[HttpAnswer]())
        while mine:
            answer = mine.popleft()
            try:
                await answer.finish()
            except BaseException:
                mine.append(answer)
                raise

    def _raise_if_closed(self) -> None:
        if self._closed:
            raise self._closed_error()

    def _closed_error(self) -> ReadError:
        error = ReadError(
            f"the client was closed while a turn with {self.url} was under way; "
            "close it when its turns are over, or make a new one",
            url=self.url,
        )
        error.retryable = False
        return error

    async def _send(self, request: Outgoing, client_request_id: str, lease: Lease) -> HttpAnswer:
        """One attempt: the answer with a good status, or an error."""
        # It may have been closed while the credential was fetched, or before another try.
        self._raise_if_closed()
        headers = request_headers(
            self._config,
            lease,
            client_request_id=client_request_id,
            environ=self._environ,
            conversation_id=request.conversation_id,
            of_turn=request.headers_for(lease),
        )
        body = request.body_for(lease)
        # Who sets an encoding sends it through a client that does it.
        if self._compresses and is_worth_it(body) and "content-encoding" not in headers:
            body, headers["content-encoding"] = compressed(body), ENCODING
        try:
            answer = await self._answer(body, headers, lease)
        except Exception as error:
            # Whatever closing looks like from inside the request.
            if self._closed:
                raise self._closed_error() from error
            raise
        if answer.status_code in _ANSWER_STATUSES:
            return answer
        raise await self._status_error(answer)

    async def _answer(self, body: bytes, headers: Mapping[str, str], lease: Lease) -> HttpAnswer:
        """The first answer that is no redirect, whatever its status."""
        clock, limit = self._config.clock, self._config.first_event_timeout
        post = partial(self._post, body, headers, lease, clock.monotonic())
        with clock.move_on_after(limit):
            return await self._follow(post)
        raise FirstEventTimeoutError(
            f"no answer from {self.url} within {limit} s; raise `Timeouts.first_event` or check the provider's status",
            limit_seconds=limit,
        )

    async def _follow(self, post: Callable[[str], Awaitable[HttpAnswer]]) -> HttpAnswer:
        query = urlencode(self._config.provider.query_params, quote_via=quote)
        visited = [f"{self.url}?{query}" if query else self.url]
        while True:
            answer = await post(visited[-1])
            location = redirect_location(answer.status_code, answer.headers)
            if location is None:
                return answer
            await answer.aclose(drain=True)
            visited.append(redirect_target(answer.status_code, location, visited))

    async def _post(
        self, body: bytes, headers: Mapping[str, str], lease: Lease, started_at: float, url: str
    ) -> HttpAnswer:
        """One request on the wire, without following anything."""
        outer = sys.exception()
        translate = partial(transport_error, url=safe_url(url), timeouts=self._config.timeouts)
        sent = False
        try:
            request = self._build_request(url, headers, body)
            sent = True
            response = await self._client.send(request, stream=True, follow_redirects=False)
        except Exception as error:
            failure = translate(error, outer=outer, sent=sent)
            if failure is None:
                raise
            # What the library says of a request that it cannot send may quote a header, and of a redirect its query.
            cause = None if isinstance(failure, ConfigurationError | RedirectError) else error
        else:
            secrets = secret_values(headers, self._config.provider.query_params, lease)
            return self._adopt(response, safe_url(url), lease, secrets, started_at, translate)
        raise failure from cause

    def _build_request(self, url: str, headers: Mapping[str, str], body: bytes) -> httpx.Request:
        limits, address = self._config.timeouts, httpx.URL(url)
        extensions: dict[str, Any] = {}
        if address.query and self._own_client is not None:
            # httpx logs the URL of every request, and some providers take their key in the query.
            extensions["target"] = address.raw_path
            address = address.copy_with(query=None)
        request = self._client.build_request(
            "POST",
            # Text, because a client of another family (httpx2) has a URL class of its own.
            str(address),
            # Bytes, because httpx takes text to be ASCII.
            headers=[(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
            content=body,
            timeout=(limits.connect, None, limits.write, limits.pool),
            extensions=extensions,
        )
        if isinstance(request, httpx.Request):
            request.stream = RequestBody(body)
        return request

    def _adopt(
        self,
        response: httpx.Response,
        url: str,
        lease: Lease,
        secrets: list[str],
        started_at: float,
        translate: Callable[[Exception], CodexError | None],
    ) -> HttpAnswer:
        answer = HttpAnswer(
            response,
            url=url,
            lease=lease,
            secrets=secrets,
            started_at=started_at,
            clock=self._config.clock,
            owner=self,
            translate=translate,
        )
        self._open.add(answer)
        return answer

    async def _status_error(self, answer: HttpAnswer) -> UnexpectedStatusError:
        # The rules of failures are loaded with the first one.
        from codex_client.classify import status_error

        provider, now = self._config.provider, self._config.clock.time()
        body = await self._error_text(answer)
        told = {name: answer.clean(value) for name, value in answer.headers.items()}
        return status_error(
            status=answer.status_code,
            body=body,
            headers=told,
            url=answer.url,
            now=now,
            rate_limits=(self._config.rate_limits or HeaderRateLimits()).parse(told, now=now),
            env_key=provider.env_key if self._config.auth is None else None,
        )

    async def _error_text(self, answer: HttpAnswer) -> str:
        """The beginning of the body, as much as comes in time, without secrets; then the answer is closed."""
        most = self._config.limits.max_error_body_bytes
        body, is_whole = bytearray(), False
        try:
            with self._config.clock.move_on_after(_ERROR_BODY_SECONDS), suppress(TransportError):
                while len(body) <= most and not is_whole:
                    chunk = await answer.read_chunk()
                    body += chunk
                    is_whole = not chunk
        finally:
            await answer.aclose(drain=True)
        return answer.clean(body[:most].decode("utf-8", "replace"), is_cut=not is_whole)
