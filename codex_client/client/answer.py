"""The answer to a request as the stream layer sees it: status, headers, and a body to pull."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

import anyio
from anyio.lowlevel import EventLoopToken, current_token

from codex_client.api import AttemptOutcome, Clock, Lease
from codex_client.client.content_encoding import ContentDecoder, EncodingError
from codex_client.client.request_headers import blank_cut_secret, blank_secrets
from codex_client.client.sockets import ABANDON, READY, shut_down
from codex_client.errors import CodexError, ProtocolError, ReadError, TransportError
from codex_client.errors.status import REQUEST_ID_HEADERS

if TYPE_CHECKING:
    import httpx

# Closing awaits next to nothing; a limit all the same, because it is shielded from cancellation.
_CLOSE_SECONDS = 5.0
# After its terminal event a server ends the body at once, or keeps the connection to itself.
_DRAIN_SECONDS = 0.05
_DRAIN_BYTES = 64 * 1024
# What one read of the HTTP library may have left over, in pieces.
_MAX_LEFTOVERS = 64 * 1024
# A report may write to a store; it must end even when the turn was cancelled.
_REPORT_SECONDS = 5.0

Report: TypeAlias = Callable[[AttemptOutcome], Awaitable[bool | None]]

_log = logging.getLogger("codex_client")


async def report_quietly(report: Report, outcome: AttemptOutcome) -> bool:
    """Tell an auth provider how an attempt went, also while cancelled, for at most 5 s. Gives its answer: whether
    another account stands ready.

    What it raises is logged: a store that cannot be written must neither spoil a good turn nor hide why a bad one
    ended.
    """
    with anyio.move_on_after(_REPORT_SECONDS, shield=True):
        try:
            return bool(await report(outcome))
        except Exception as error:  # noqa: BLE001
            # Its class only: the text of a credential's store may quote the credential.
            _log.warning("the auth provider's report failed: %s", type(error).__name__)
    return False


class AnswerOwner(Protocol):
    """Who opened an answer, and is told when it is over."""

    def release(self, answer: HttpAnswer) -> None:
        """It is closed."""
        ...

    def bury(self, answer: HttpAnswer) -> None:
        """It is cut off, but not closed: `finish` it at the next opportunity to await."""
        ...


class HttpAnswer:
    """One HTTP answer with its body unread. One task reads it, and whoever has it closes it.

    `url` is without query, `lease` the credential of the attempt, `secrets` what of its request must not be told,
    longest first, `started_at` when it began, by the clock's `monotonic`, `loop` the event loop that it belongs to.
    Whoever takes an answer over also takes over the report of its attempt to the auth provider.
    """

    def __init__(
        self,
        response: httpx.Response,
        *,
        url: str,
        lease: Lease,
        secrets: list[str],
        started_at: float,
        clock: Clock,
        owner: AnswerOwner,
        translate: Callable[[Exception], CodexError | None],
    ) -> None:
        self.url = url
        self.lease = lease
        self.started_at = started_at
        self.headers: Mapping[str, str] = dict(response.headers.items())
        self.secrets = secrets
        self._response = response
        self._clock = clock
        self._owner = owner
        self._translate = translate
        self._take_ready: Callable[[], Awaitable[bytes]] | None = response.extensions.get(READY)
        self._pieces: AsyncIterator[bytes] | None = None
        self._decoder: ContentDecoder | None = None
        self._ended = False
        self._closed = False
        self._is_cut = False
        self._report: Report | None = None
        self.loop: EventLoopToken = current_token()

    @property
    def status_code(self) -> int:
        return self._response.status_code

    @property
    def request_id(self) -> str | None:
        """The server's id for the request, under the first name that it uses."""
        return next((told for name in REQUEST_ID_HEADERS if (told := self.headers.get(name))), None)

    def clean(self, text: str, *, is_cut: bool = False) -> str:
        """The text without this attempt's credential and its other secrets, which servers like to quote.

        `is_cut`: the text is only the beginning of one; a secret that is cut off at its end is blanked as well.
        """
        return blank_secrets(blank_cut_secret(text, self.secrets) if is_cut else text, self.secrets)

    def on_buried(self, report: Report | None) -> None:
        """Who is told how the attempt went where nobody is left to tell: the answer was abandoned, or its closing was
        cancelled.

        Called once, by the next `open` of the same executor and event loop or by its `aclose`; never after an `aclose`
        that went through. It outlives the answer's reader, so it must not refer to it: else no collector finds a
        stream that was dropped.
        """
        self._report = report

    async def read_ready(self) -> bytes:
        """What there is without waiting for the network; empty where nothing is. Raises what `read_chunk` does."""
        # The first chunk is awaited, alone: the first event shall not wait for all that came with it.
        if self._take_ready is None or self._pieces is None or self._closed:
            return b""
        if self._decoder is None:
            return await self._take_ready()
        return await self._pull(partial(self._next_decoded, self._decoder, self._take_ready))

    async def read_chunk(self) -> bytes:
        """The next bytes, content decoding undone; empty at the end. Raises `ReadError` or its `ProtocolError`."""
        if self._closed:
            error = ReadError(
                "the answer was closed while it was read; read it before its client is closed", url=self.url
            )
            error.retryable = False
            raise error
        return await self._pull(self._next_chunk)

    async def aclose(self, *, drain: bool = False) -> None:
        """Release the connection; safe to call twice, and while cancelled.

        asyncio's own cancellation passes through every shield: where it comes in between, the answer is cut as by
        `abandon`.

        A body that was read to its end leaves its connection for reuse; any other is cut. `drain` reads on first, for
        at most 50 ms and 64 KiB, for a server that has said its last word and only has the end of the body to send.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if drain and not self._ended:
                await self._drain()
            await self.finish()
        except BaseException:
            self._cut()
            raise
        self._owner.release(self)

    def abandon(self) -> None:
        """Cut the connection where nothing can be awaited, such as in a finaliser: the peer sees the end at once.

        The rest is cleared away when the owner opens its next answer or is closed.
        """
        if self._closed:
            return
        self._closed = True
        self._cut()

    def _cut(self) -> None:
        self._is_cut = True
        drop = self._response.extensions.get(ABANDON)
        stream = self._response.extensions.get("network_stream")
        if drop is not None:
            drop()
        # At its end it may be another's by now, and an HTTP/2 connection of a borrowed client is others' as well.
        elif stream is not None and not self._ended and self._response.http_version.startswith("HTTP/1"):
            shut_down(stream)
        self._owner.bury(self)

    async def finish(self) -> None:
        """Close the response, and run what is suspended in it to its end. For the owner.

        Raises nothing but asyncio's own cancellation; call it again then.
        """
        with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
            with suppress(Exception):
                await self._response.aclose()
            await self._end_generators()
        if self._is_cut and self._report is not None:
            report, self._report = self._report, None
            await report_quietly(report, AttemptOutcome(self.status_code))

    async def _pull(self, read: Callable[[], Awaitable[bytes]]) -> bytes:
        try:
            return await read()
        except EncodingError as error:
            raise ProtocolError(
                f"the content-encoding of {self.url} is broken: {error}; check any proxy in between", url=self.url
            ) from error
        except Exception as error:
            translated = self._translate(error)
            if translated is None:
                raise
            raise translated from error

    async def _next_chunk(self) -> bytes:
        decoder = self._begin()
        return await (self._next_piece() if decoder is None else self._next_decoded(decoder, self._next_piece))

    async def _next_decoded(self, decoder: ContentDecoder, read: Callable[[], Awaitable[bytes]]) -> bytes:
        while not (chunk := decoder.take()) and (piece := await read()):
            decoder.feed(piece)
        return chunk

    async def _next_piece(self) -> bytes:
        assert self._pieces is not None
        async for piece in self._pieces:
            if piece:
                return piece
        self._ended = True
        return b""

    def _begin(self) -> ContentDecoder | None:
        """What undoes the body's encoding, None where it has none."""
        if self._pieces is None:
            encoding = self.headers.get("content-encoding", "")
            self._decoder = ContentDecoder(encoding) if encoding else None
            self._pieces = aiter(cast("AsyncIterable[bytes]", self._response.stream))
        return self._decoder

    async def _drain(self) -> None:
        left = _DRAIN_BYTES
        # The second limit is the rule; the first is for a clock that stands still.
        with (
            anyio.move_on_after(_CLOSE_SECONDS, shield=True),
            self._clock.move_on_after(_DRAIN_SECONDS),
            suppress(TransportError),
        ):
            while left > 0 and (chunk := await self._pull(self._next_chunk)):
                left -= len(chunk)

    async def _end_generators(self) -> None:
        """The HTTP library reads through nested generators, which may be suspended in mid-body now.

        Dropped like that, asyncio would close each in a task of its own, and trio complain. Resumed where all waiting
        is cancelled, they end by themselves.
        """
        pieces = self._pieces
        if pieces is None or self._ended:
            return
        with anyio.CancelScope() as cancelled, suppress(Exception):
            cancelled.cancel()
            for _ in range(_MAX_LEFTOVERS):
                await anext(pieces)
        with suppress(Exception):
            await cast("AsyncGenerator[bytes]", pieces).aclose()
