"""Bytes to frames: the WHATWG rules for event streams as a pure state machine.

| state      | what it means                                      | left by                                       |
|------------|----------------------------------------------------|-----------------------------------------------|
| `HEAD`     | all bytes so far are a BOM or its beginning        | the next other byte, the end                  |
| `OPEN`     | inside the stream                                  | a CR at the end of a chunk, the cap, the end  |
| `AFTER_CR` | as `OPEN`; an LF that comes next belongs to the CR | the next byte, the cap, the end               |
| `OVERSIZE` | a block passed the cap; nothing is held            | never: `feed` and `feed_eof` raise            |
| `FINISHED` | the end was fed; nothing is held                   | never: `feed` raises, `feed_eof` gives None   |

The inputs are `feed(chunk)` and `feed_eof()`. One framer serves one response body.

Blocks are cut out at their blank lines and only then read: no field has an effect before its block is complete, bytes
are copied and searched a fixed number of times however they are cut, and the usual block needs no loop over lines.

The rules: https://html.spec.whatwg.org/multipage/server-sent-events.html, 9.2.5 (parsing) and 9.2.6 (interpreting).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import assert_never, overload

from httpx_sse import ServerSentEvent

from codex_client.api import RawFrame
from codex_client.errors import FrameTooLargeError

# The last event of a Responses stream repeats the whole output, base64 images included: several MB. A limit of 1 MiB,
# as others have it, breaks there.
DEFAULT_MAX_FRAME_BYTES = 16 * 1024 * 1024

# 18 digits of milliseconds are 30 million years; `int` refuses more than 4,300 digits with a ValueError.
_MAX_RETRY_DIGITS = 18

# What nearly all servers send: "data: y", alone or after "event: x". Split by it, such blocks alone leave b"" between
# them. A match begins only where a line does: that keeps the search linear in whatever is sent.
_USUAL_BLOCKS = re.compile(rb"(?<!.)(?:event: (.*)\n)?data: (.*)(?:\n\n|\Z)")
_USUAL_BEGINNINGS = (b"event: ", b"data: ")

_CR = 0x0D
_BOM = b"\xef\xbb\xbf"


class RawFrames(Sequence[ServerSentEvent]):
    """Frames of which the bytes are cut out, and each made when it is looked at: most are read from their bytes."""

    raw: Sequence[RawFrame]

    def __init__(self, raw: Sequence[RawFrame], last_event_id: str) -> None:
        self.raw = raw
        self._last_event_id = last_event_id

    def __len__(self) -> int:
        return len(self.raw)

    @overload
    def __getitem__(self, index: int) -> ServerSentEvent: ...

    @overload
    def __getitem__(self, index: slice) -> RawFrames: ...

    def __getitem__(self, index: int | slice) -> ServerSentEvent | RawFrames:
        if isinstance(index, slice):
            return RawFrames(self.raw[index], self._last_event_id)
        return next(iter(self[index : index + 1]))

    def __iter__(self) -> Iterator[ServerSentEvent]:
        for event, data in self.raw:
            name = event.decode("utf-8", "replace") if event else ""
            yield ServerSentEvent(name, data.decode("utf-8", "replace"), self._last_event_id)


class _State(Enum):
    HEAD = auto()
    OPEN = auto()
    AFTER_CR = auto()
    OVERSIZE = auto()
    FINISHED = auto()


class SseFramer:
    """Cuts one response body into frames.

    The bytes are read as UTF-8 whatever the Content-Type says; invalid ones become U+FFFD. Only CR, LF and CRLF end a
    line. A CR ends it at once, without a wait for the LF that may follow, so a complete frame is never held back.

    `max_frame_bytes` bounds one block and with it the memory held. All lines between two blank lines count, comments
    and unknown fields too, and one byte per line end between them. So comments may flow for ever if each is followed by
    a blank line, as servers send them; without blank lines they are one growing block that ends at the cap.
    """

    last_event_id: str
    """The id in force: what a reconnect sends as `Last-Event-ID`. "" when there is none."""

    retry_ms: int | None
    """The last valid reconnection time, in milliseconds."""

    comments: int
    """Comment lines so far, counted when their block ends. For telemetry: a comment is no frame."""

    def __init__(self, *, max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES) -> None:
        self.last_event_id = ""
        self.retry_ms = None
        self.comments = 0
        self._max_frame_bytes = max_frame_bytes
        self._state = _State.HEAD
        self._head: bytes = b""
        self._pending = bytearray()
        self._oversize_bytes = 0

    def feed(self, chunk: bytes) -> Sequence[ServerSentEvent]:
        """The frames that this chunk completes, in order; the same frames for any cutting of the same bytes.

        Raises `FrameTooLargeError` when a block is above the cap. Frames completed before it in the same chunk are
        returned first; then the next `feed` (`feed(b"")` will do) or `feed_eof` raises, and so does every later call.
        """
        if self._state is not _State.OPEN or _CR in chunk:
            chunk = self._normalise(chunk)
        if self._pending:
            chunk = self._join_or_hold(chunk)
        complete, _, rest = chunk.rpartition(b"\n\n")
        if rest:
            # An LF at its beginning ends a blank line whose other half ended the block before.
            self._hold(rest.removeprefix(b"\n"))
        if len(complete) > self._max_frame_bytes:
            complete = self._before_oversize(complete)
        frames = self._read_blocks(complete) if complete else list[ServerSentEvent]()
        if not frames and self._state is _State.OVERSIZE:
            raise self._too_large()
        return frames

    def feed_eof(self) -> ServerSentEvent | None:
        """The block that the end of the body left without its blank line, if it has a data line.

        WHATWG discards it; real servers leave out the last blank line, so the caller decides. The connection may also
        have broken inside it: its last line, which needs no line end here, can be cut short. `last_event_id` takes it
        as dispatched. The framer is finished after this. Raises `FrameTooLargeError` as `feed` does.
        """
        if self._state is _State.OVERSIZE:
            raise self._too_large()
        self._state = _State.FINISHED
        block = self._pending.decode("utf-8", "replace")
        self._pending.clear()
        id_before = self.last_event_id
        frame = self._read_lines(block)
        if frame is None:
            # An id is in force from the blank line on, and this block has none.
            self.last_event_id = id_before
        return frame

    def _normalise(self, chunk: bytes) -> bytes:
        """The chunk without a BOM and with LF as the only line end."""
        match self._state:
            case _State.FINISHED:
                raise RuntimeError("feed after feed_eof; use one SseFramer per response body")
            case _State.OVERSIZE:
                raise self._too_large()
            case _State.HEAD:
                chunk = self._head + chunk
                if _BOM.startswith(chunk):
                    self._head = chunk
                    return b""
                chunk = chunk.removeprefix(_BOM)
            case _State.AFTER_CR:
                if not chunk:
                    return b""
                chunk = chunk.removeprefix(b"\n")
            case _State.OPEN:
                pass
            case _ as never:
                assert_never(never)
        self._state = _State.AFTER_CR if chunk.endswith(b"\r") else _State.OPEN
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _join_or_hold(self, chunk: bytes) -> bytes:
        """What is held with the chunk, if that brings a blank line; else the chunk is held too, and b"" is left."""
        pending = self._pending
        # Only the chunk is searched: to search what is held again makes a long line in small chunks quadratic.
        if b"\n\n" in chunk or (chunk.startswith(b"\n") and pending.endswith(b"\n")):
            joined = b"".join((pending, chunk))
            pending.clear()
            return joined
        self._hold(chunk)
        return b""

    def _hold(self, part: bytes) -> None:
        self._pending += part
        if len(self._pending) > self._max_frame_bytes:
            # A last LF may be the first half of the blank line, which is not part of the block.
            self._check_size(len(self._pending) - self._pending.endswith(b"\n"))

    def _before_oversize(self, complete: bytes) -> bytes:
        """The blocks before the first one above the cap; all when there is none."""
        blocks = complete.split(b"\n\n")
        for number, block in enumerate(blocks):
            if self._check_size(len(block.strip(b"\n"))):
                return b"\n\n".join(blocks[:number])
        return complete

    def _check_size(self, block_bytes: int) -> bool:
        """Whether a block is above the cap; if so, the framer stops here."""
        above = block_bytes > self._max_frame_bytes
        if above:
            self._state = _State.OVERSIZE
            self._oversize_bytes = block_bytes
            self._pending.clear()
        return above

    def _read_blocks(self, blocks: bytes) -> Sequence[ServerSentEvent]:
        # `_read_lines` reads the usual blocks alike; cut in one step they cost a third.
        if b"\n\n" not in blocks and (usual := _USUAL_BLOCKS.fullmatch(blocks)):
            return RawFrames([(usual[1], usual[2])], self.last_event_id)
        if blocks.startswith(_USUAL_BEGINNINGS):
            pieces = _USUAL_BLOCKS.split(blocks)
            if not any(pieces[::3]):
                return RawFrames(list(zip(pieces[1::3], pieces[2::3], strict=True)), self.last_event_id)
        text = blocks.decode("utf-8", "replace")
        return [frame for block in text.split("\n\n") if (frame := self._read_lines(block))]

    def _read_lines(self, block: str) -> ServerSentEvent | None:
        """The frame of any block; None when it has no data line, as the rules dispatch nothing then."""
        event = ""
        data: list[str] = []
        retry: int | None = None
        for line in block.split("\n"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match field:
                case "data":
                    data.append(value)
                case "event":
                    event = value
                case "id" if "\0" not in value:
                    self.last_event_id = value
                case "retry" if value.isascii() and value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
                    self.retry_ms = retry = int(value)
                case "" if line:
                    self.comments += 1
                case _:
                    pass
        if not data:
            return None
        return ServerSentEvent(event, "\n".join(data), self.last_event_id, retry)

    def _too_large(self) -> FrameTooLargeError:
        size, limit = self._oversize_bytes, self._max_frame_bytes
        return FrameTooLargeError(
            f"a frame has {size} bytes so far, the limit is {limit}; raise `StreamLimits.max_frame_bytes`",
            size_bytes=size,
            limit_bytes=limit,
        )
