"""Reading a response body: bytes to frames under the time limits, and what to do with a body that is no stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from httpx_sse import ServerSentEvent

from codex_client.api import Clock
from codex_client.client.framer import SseFramer
from codex_client.errors import FirstEventTimeoutError, FrameTooLargeError, IdleTimeoutError, UnexpectedContentError

_EVENT_STREAM = "text/event-stream"
_EXCERPT_CHARS = 200


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

    async def read_chunk(self) -> bytes:
        """The next bytes, content decoding undone; empty at the end."""
        ...

    async def aclose(self, *, drain: bool = False) -> None:
        """Release the connection; `drain` first gives the body a moment to end, so that the connection can be used
        again.
        """
        ...

    def abandon(self) -> None: ...


class FrameReader:
    """Pulls the frames of one answer, a batch per network read.

    `first_event` seconds count from the attempt's start to the first frame, `idle` from each call of `read` to its
    first frame: the time that the caller takes is not the server's. Comments and partial bytes move neither limit.
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
        self._head: bytes | None = None
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

    async def read(self) -> list[ServerSentEvent]:
        """The frames that the next bytes complete, at least one; empty at the end of the body.

        At the end a last block without its closing blank line, if there is one, is in `unterminated`. Raises
        `FirstEventTimeoutError`, `IdleTimeoutError`, `FrameTooLargeError` or a `TransportError`.
        """
        started = self._clock.monotonic()
        while True:
            chunk = await self._next_chunk(started)
            if not chunk:
                self.unterminated = self._framer.feed_eof()
                return []
            frames = self._framer.feed(chunk)
            if frames:
                self._seen_frame = True
                return frames

    async def read_body(self) -> bytes | None:
        """The whole body where it is one JSON value, None where it is a stream of events.

        The content type decides if it says event-stream; if not, the first character does, because some servers
        mislabel their streams. Raises `UnexpectedContentError` for HTML, other text and nothing at all.
        """
        if self._answer.headers.get("content-type", "").lower().startswith(_EVENT_STREAM):
            return None
        started = self._clock.monotonic()
        head = await self._read_head(started)
        first = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        if first in (b"{", b"["):
            return await self._read_rest(head, started)
        if _looks_like_events(head):
            self._head = head
            return None
        raise self._no_stream(head)

    async def _next_chunk(self, started: float) -> bytes:
        if self._head is not None:
            head, self._head = self._head, None
            return head
        if self._seen_frame:
            return await self._chunk_before(started + self._idle, IdleTimeoutError, self._idle)
        deadline = self._answer.started_at + self._first_event
        return await self._chunk_before(deadline, FirstEventTimeoutError, self._first_event)

    async def _chunk_before(
        self, deadline: float, error: type[IdleTimeoutError | FirstEventTimeoutError], limit: float
    ) -> bytes:
        with self._clock.move_on_after(max(0.0, deadline - self._clock.monotonic())):
            return await self._answer.read_chunk()
        raise error(_limit_text(error, limit), limit_seconds=limit)

    async def _read_head(self, started: float) -> bytes:
        """The bytes up to where the first character is known."""
        head = b""
        while not head.strip() and (chunk := await self._next_chunk(started)):
            head += chunk
        return head

    async def _read_rest(self, head: bytes, started: float) -> bytes:
        pieces, size = [head], len(head)
        while chunk := await self._next_chunk(started):
            pieces.append(chunk)
            size += len(chunk)
            if size > self._max_bytes:
                raise FrameTooLargeError(
                    f"the JSON answer has more than {self._max_bytes} bytes; raise `StreamLimits.max_frame_bytes`",
                    size_bytes=size,
                    limit_bytes=self._max_bytes,
                )
        return b"".join(pieces)

    def _no_stream(self, head: bytes) -> UnexpectedContentError:
        content_type = self._answer.headers.get("content-type")
        excerpt = head[: _EXCERPT_CHARS * 4].decode("utf-8", "replace").strip()[:_EXCERPT_CHARS]
        what = f"a body of type {content_type or 'unknown'}" if excerpt else "an empty body"
        return UnexpectedContentError(
            f"status {self._answer.status_code} with {what} where an event stream was due; "
            f"check the provider's base_url and any proxy in between. It begins: {excerpt!r}",
            content_type=content_type,
            excerpt=excerpt,
        )


_FIELDS = (b"data", b"event", b"id", b"retry", b":")


def _looks_like_events(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").startswith(_FIELDS)


def _limit_text(error: type[IdleTimeoutError | FirstEventTimeoutError], limit: float) -> str:
    if error is IdleTimeoutError:
        return f"no frame for {limit} s; raise `Timeouts.idle` or check the provider's status"
    return f"no first frame within {limit} s; raise `Timeouts.first_event` or check the provider's status"
