"""Reading a response body: bytes to frames under the time limits, and what to do with a body that is no stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Protocol

from anyio.lowlevel import checkpoint
from httpx_sse import ServerSentEvent

from codex_client.api import Clock
from codex_client.client.framer import SseFramer
from codex_client.errors import FirstEventTimeoutError, FrameTooLargeError, IdleTimeoutError, UnexpectedContentError
from codex_client.masking import excerpt

_EVENT_STREAM = "text/event-stream"


class ByteAnswer(Protocol):
    """The answer to a request as the transport gives it: status, headers, and a body to pull."""

    @property
    def status_code(self) -> int | None: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Lower-case names."""
        ...

    @property
    def request_id(self) -> str | None: ...

    @property
    def started_at(self) -> float:
        """When the attempt began, by the clock's `monotonic`."""
        ...

    async def read_ready(self) -> bytes:
        """What there is without waiting for the network; empty where there is nothing, or it cannot be told."""
        ...

    async def read_chunk(self) -> bytes:
        """The next bytes, content decoding undone; empty at the end."""
        ...

    async def aclose(self, *, drain: bool = False) -> None:
        """Release the connection; `drain` first gives the body a moment to end, so that the connection can be used
        again.
        """
        ...

    def abandon(self) -> None:
        """Cut the connection where nothing can be awaited."""
        ...

    def clean(self, text: str) -> str:
        """The text without the credential that the request carried."""
        ...


class FrameReader:
    """Pulls the frames of one answer, a batch per network read.

    `first_event` seconds cover the time from the attempt's start to its headers and all waiting from there to the first
    frame, `idle` the waiting for each further one: the time that the caller takes is not the server's. Comments and
    partial bytes move neither limit.
    """

    def __init__(
        self, answer: ByteAnswer, *, clock: Clock, first_event: float, idle: float, max_frame_bytes: int
    ) -> None:
        self._answer = answer
        self._clock = clock
        self._first_event = first_event
        self._idle = idle
        self._max_bytes = max_frame_bytes
        self._framer = SseFramer(max_frame_bytes=max_frame_bytes)
        self._seconds_left = first_event - (clock.monotonic() - answer.started_at)
        self._head = b""
        self._seen_frame = False
        self.unterminated: ServerSentEvent | None = None

    @property
    def last_event_id(self) -> str:
        """The id in force, as a reconnecting EventSource would send it."""
        return self._framer.last_event_id

    @property
    def retry_ms(self) -> int | None:
        """The reconnection time that the server asked for, milliseconds."""
        return self._framer.retry_ms

    async def read(self) -> Sequence[ServerSentEvent]:
        """The frames that the next bytes complete, at least one; empty at the end of the body.

        At the end a last block without its closing blank line, if there is one, is in `unterminated`. Raises
        `FirstEventTimeoutError`, `IdleTimeoutError`, `FrameTooLargeError` or a `TransportError`.
        """
        if self._seen_frame:
            self._seconds_left = self._idle
        while True:
            chunk = await self._next_chunk()
            if not chunk:
                self.unterminated = self._framer.feed_eof()
                return []
            began = self._clock.monotonic()
            frames = self._framer.feed(chunk)
            if frames:
                self._seen_frame = True
                return frames
            # A flood of comments is never waited for: it must not outrun the limit, nor keep all other tasks waiting.
            self._seconds_left -= self._clock.monotonic() - began
            if self._seconds_left <= 0:
                raise self._timed_out()
            await checkpoint()

    async def read_body(self) -> bytes | None:
        """The whole body where it is one JSON value, None where it is a stream of events.

        The first characters decide, because servers mislabel both: no line of a stream begins with a brace, and the
        content type counts only where they tell nothing. Raises `UnexpectedContentError` for HTML, other text, and a
        body that is empty and not labelled as a stream.
        """
        labelled = self._answer.headers.get("content-type", "").lower().startswith(_EVENT_STREAM)
        head, kind = await self._read_head(labelled=labelled)
        match kind:
            case _Kind.JSON:
                return await self._read_rest(head)
            case _Kind.EVENTS:
                self._head = head
                return None
            case _Kind.OTHER:
                raise self._no_stream(head)

    async def _next_chunk(self) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head
        began = self._clock.monotonic()
        chunk = await self._answer.read_ready()
        if not chunk:
            # A scope for each wait only: it costs more than to decode an event.
            with self._clock.move_on_after(max(0.0, self._seconds_left)) as scope:
                chunk = await self._answer.read_chunk()
            if scope.cancelled_caught:
                raise self._timed_out()
        self._seconds_left -= self._clock.monotonic() - began
        return chunk

    async def _read_head(self, *, labelled: bool) -> tuple[bytes, _Kind]:
        """The bytes up to where it is clear what they begin."""
        pieces: list[bytes] = []
        size, probe, kind = 0, b"", None
        while kind is None:
            chunk = await self._next_chunk()
            if not chunk:
                kind = _Kind.EVENTS if labelled else _Kind.OTHER
                break
            pieces.append(chunk)
            size += len(chunk)
            self._check_size(size)
            probe = _probe(probe + chunk)
            kind = _kind_of(probe, labelled=labelled)
        return b"".join(pieces), kind

    async def _read_rest(self, head: bytes) -> bytes:
        pieces, size = [head], len(head)
        while chunk := await self._next_chunk():
            pieces.append(chunk)
            size += len(chunk)
            self._check_size(size)
        return b"".join(pieces)

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise FrameTooLargeError(
                f"the answer has more than {self._max_bytes} bytes and no frame; raise `StreamLimits.max_frame_bytes`",
                size_bytes=size,
                limit_bytes=self._max_bytes,
            )

    def _no_stream(self, head: bytes) -> UnexpectedContentError:
        content_type = self._answer.headers.get("content-type")
        shown = excerpt(head.decode("utf-8", "replace"))
        what = f"a body of type {content_type or 'unknown'}" if shown else "an empty body"
        return UnexpectedContentError(
            f"status {self._answer.status_code} with {what} where an event stream was due; "
            f"check the provider's base_url and any proxy in between. It begins: {shown!r}",
            content_type=content_type,
            excerpt=shown,
        )

    def _timed_out(self) -> IdleTimeoutError | FirstEventTimeoutError:
        if self._seen_frame:
            return IdleTimeoutError(
                f"no frame for {self._idle} s; raise `Timeouts.idle` or check the provider's status",
                limit_seconds=self._idle,
            )
        return FirstEventTimeoutError(
            f"no first frame within {self._first_event} s; raise `Timeouts.first_event` or check the provider's status",
            limit_seconds=self._first_event,
        )


class _Kind(Enum):
    """What a body is, by its beginning."""

    EVENTS = auto()
    JSON = auto()
    OTHER = auto()


_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"
_FIELDS = (b"data", b"event", b"id", b"retry", b":")
_PROBE_BYTES = 16


def _probe(head: bytes) -> bytes:
    """The first bytes that say something, without a BOM and blanks."""
    return head.lstrip(_BLANKS).removeprefix(_BOM).lstrip(_BLANKS)[:_PROBE_BYTES]


def _kind_of(probe: bytes, *, labelled: bool) -> _Kind | None:
    """What begins with these bytes; None where more are needed. `labelled`: the content type says event stream."""
    if not probe or (len(probe) < len(_BOM) and _BOM.startswith(probe)):
        return None
    if probe.startswith((b"{", b"[")):
        return _Kind.JSON
    if labelled:
        return _Kind.OTHER if probe.startswith(b"<") else _Kind.EVENTS
    if probe.startswith(_FIELDS):
        return _Kind.EVENTS
    return None if any(field.startswith(probe) for field in _FIELDS) else _Kind.OTHER
