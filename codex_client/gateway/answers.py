"""The answer to one turn: as a stream, or whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

import anyio
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from codex_client.aggregate import CollectedResponse
from codex_client.api import Clock
from codex_client.bridge.requests import BridgedRequest
from codex_client.errors import CodexError, IncompleteResponseError
from codex_client.events import ResponseEvent
from codex_client.gateway.dialects import Dialect
from codex_client.gateway.refusals import failed

_COMMENT = b": keep-alive\n\n"
IGNORED = "x-codex-client-ignored"
"""The header that names the fields of a request which nothing was made of."""
# Names of fields are the caller's text.
_FIELD = re.compile(r"[\w.]{1,64}", re.ASCII)
_MAX_FIELDS = 20


class Answer(Protocol):
    """Where a turn goes. One of `finish` and `fail` ends it. `request_id` is the provider's, for its support."""

    request_id: str | None

    async def feed(self, events: Sequence[ResponseEvent]) -> None: ...

    async def finish(self, response: CollectedResponse) -> None: ...

    async def fail(self, error: CodexError) -> None: ...

    async def keep_alive(self) -> None:
        """Runs beside the turn, and is cancelled at its end."""
        ...


class StreamedAnswer:
    """Server-sent events.

    States: held, nothing has been sent; open; over. It opens with the first words, or when the provider has accepted
    the turn and then been silent for `heartbeat` seconds: until then a failure is an HTTP status, which callers know
    how to repeat.
    """

    def __init__(
        self,
        channel: tuple[Scope, Receive, Send],
        dialect: Dialect,
        request: BridgedRequest,
        *,
        model: str,
        clock: Clock,
        heartbeat: float,
    ) -> None:
        self.request_id: str | None = None
        self._channel = channel
        self._send = channel[2]
        self._dialect = dialect
        self._headers = ignored_header(request)
        self._encoder = dialect.new_encoder(
            request=request, model=model, created=int(clock.time()), response_id=dialect.new_id()
        )
        self._clock = clock
        self._heartbeat = heartbeat
        self._accepted = False
        self._open = False
        self._over = False
        self._heard_at = clock.monotonic()
        # The turn and the heartbeat both send, and a send may wait for a slow caller.
        self._lock = anyio.Lock()

    async def feed(self, events: Sequence[ResponseEvent]) -> None:
        """One send for a batch."""
        self._accepted = True
        frames = self._frames(each for event in events for each in self._encoder.feed(event))
        if frames:
            await self._write(frames)

    async def finish(self, response: CollectedResponse) -> None:
        await self._write(self._dialect.ending, last=True)

    async def fail(self, error: CodexError) -> None:
        cut_short = isinstance(error, IncompleteResponseError)
        if not self._open and not cut_short:
            self._over = True
            await failed(error, now=self._clock.time(), headers=self._headers)(*self._channel)
            return
        frames = self._frames(self._encoder.fail(error))
        await self._write(frames + self._dialect.ending if cut_short else frames, last=True)

    async def keep_alive(self) -> None:
        while True:
            silent_for = self._clock.monotonic() - self._heard_at
            if silent_for < self._heartbeat:
                await self._clock.sleep(self._heartbeat - silent_for)
                continue
            self._heard_at = self._clock.monotonic()
            if self._accepted:
                await self._write(_COMMENT)

    def _frames(self, objects: Iterable[Mapping[str, Any]]) -> bytes:
        return b"".join(map(self._dialect.frame, objects))

    async def _write(self, content: bytes, *, last: bool = False) -> None:
        async with self._lock:
            if self._over:
                return
            self._over = last
            self._heard_at = self._clock.monotonic()
            if not self._open:
                self._open = True
                headers = [*_STREAM_HEADERS, *Headers(self._headers | _named(self.request_id)).raw]
                await self._send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._send({"type": "http.response.body", "body": content, "more_body": not last})


# The last two are for proxies on the way: they would wait for more, or change the encoding.
_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"x-accel-buffering", b"no"),
    (b"cache-control", b"no-cache, no-transform"),
]


class WholeAnswer:
    """One JSON object at the end."""

    def __init__(
        self,
        channel: tuple[Scope, Receive, Send],
        dialect: Dialect,
        request: BridgedRequest,
        *,
        model: str,
        clock: Clock,
    ) -> None:
        self.request_id: str | None = None
        self._channel = channel
        self._dialect = dialect
        self._request = request
        self._model = model
        self._clock = clock

    async def feed(self, events: Sequence[ResponseEvent]) -> None:
        """The stream adds them up."""

    async def finish(self, response: CollectedResponse) -> None:
        await self._answer(response, None)

    async def fail(self, error: CodexError) -> None:
        if isinstance(error, IncompleteResponseError):
            await self._answer(error.partial or CollectedResponse(), error)
        else:
            await failed(error, now=self._clock.time(), headers=ignored_header(self._request))(*self._channel)

    async def keep_alive(self) -> None:
        """There is nothing to put before a JSON object."""

    async def _answer(self, response: CollectedResponse, cut_short: IncompleteResponseError | None) -> None:
        whole = self._dialect.whole(
            response,
            request=self._request,
            model=self._model,
            created=int(self._clock.time()),
            response_id=self._dialect.new_id(),
            error=cut_short,
        )
        await JSONResponse(whole, headers=ignored_header(self._request) | _named(self.request_id))(*self._channel)


def ignored_header(request: BridgedRequest) -> dict[str, str]:
    """`x-codex-client-ignored`, where there is something to tell."""
    names = list(islice(filter(_FIELD.fullmatch, request.ignored), _MAX_FIELDS))
    return {IGNORED: ", ".join(names)} if names else {}


def _named(request_id: str | None) -> dict[str, str]:
    return {} if request_id is None else {"x-request-id": request_id}
