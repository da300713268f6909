"""A reply's bytes on the wire: head, compression, cuts and framing. Pure."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator

from codex_client.testing.scripts import Reply, Send, Transfer, reason_phrase, unrolled

# zlib's number for a gzip wrapper with the largest window.
_GZIP = 31

# What one write may gather, so that cuts of one byte do not cost a system call each.
_WRITE_BYTES = 64 * 1024


class BodyPieces:
    """Cuts a body's bytes into the pieces that a client is to see, after compression."""

    def __init__(self, reply: Reply) -> None:
        self._gzip = zlib.compressobj(wbits=_GZIP) if reply.gzip else None
        self._cut = reply.cut
        self._dice = random.Random(reply.seed)

    def feed(self, content: bytes) -> list[bytes]:
        """The pieces of one `Send`; none is empty."""
        if self._gzip is not None:
            content = self._gzip.compress(content) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
        return list(self._pieces(content))

    def feed_eof(self) -> list[bytes]:
        """The pieces of what compression still holds."""
        return list(self._pieces(self._gzip.flush())) if self._gzip is not None else []

    def _pieces(self, content: bytes) -> Iterator[bytes]:
        position = 0
        while position < len(content):
            size = self._piece_bytes(len(content))
            yield content[position : position + size]
            position += size

    def _piece_bytes(self, whole: int) -> int:
        if isinstance(self._cut, str):
            # Drawn by powers of two, so that small pieces are as frequent as large ones.
            return self._dice.randint(1, 2 ** self._dice.randint(0, 10))
        return self._cut or whole


class ReplyWire:
    """One reply as an answer to one request: `head`, then the writes of each part of the body, then of its end.

    `keep_alive`: whether the connection may serve another request after it.
    """

    def __init__(
        self, reply: Reply, *, method: str = "POST", http_version: str = "1.1", keep_alive: bool = True
    ) -> None:
        self._pieces = BodyPieces(reply)
        self._transfer = _transfer(reply, http_version)
        bodiless = method == "HEAD" or reply.status < 200 or reply.status in (204, 304)
        self._has_body = self._transfer == "raw" or not bodiless
        self.keep_alive: bool = keep_alive and self._transfer in ("length", "chunked") and http_version == "1.1"
        self.head: bytes = b"" if self._transfer == "raw" else self._build_head(reply)

    def feed(self, content: bytes) -> list[bytes]:
        """What to write for this part of the body, each in a write of its own."""
        return self._frame(self._pieces.feed(content))

    def feed_eof(self) -> list[bytes]:
        """What to write for the end of the body."""
        writes = self._frame(self._pieces.feed_eof())
        return [*writes, b"0\r\n\r\n"] if self._transfer == "chunked" and self._has_body else writes

    def _frame(self, pieces: list[bytes]) -> list[bytes]:
        if not self._has_body:
            return []
        if self._transfer != "chunked":
            return pieces
        return list(_gathered(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces))

    def _build_head(self, reply: Reply) -> bytes:
        given = {name.lower() for name, _ in reply.header_list}
        framing = [header for header in self._framing_headers(reply) if header[0] not in given]
        lines = [f"HTTP/1.1 {reply.status} {reason_phrase(reply.status)}"]
        lines += [f"{name}: {value}" for name, value in [*reply.header_list, *framing]]
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")

    def _framing_headers(self, reply: Reply) -> Iterator[tuple[str, str]]:
        if reply.gzip:
            yield "content-encoding", "gzip"
        if self._transfer == "chunked":
            yield "transfer-encoding", "chunked"
        if self._transfer == "length" and reply.status >= 200 and reply.status != 204:
            yield "content-length", str(_body_bytes(reply))
        if not self.keep_alive:
            yield "connection", "close"


def _transfer(reply: Reply, http_version: str) -> Transfer:
    transfer = reply.transfer
    if transfer is None:
        transfer = "length" if all(isinstance(step, Send) for step in reply.steps) else "chunked"
    # HTTP/1.0 has no chunks; the connection's end is all it knows.
    return "close" if transfer == "chunked" and http_version == "1.0" else transfer


def _body_bytes(reply: Reply) -> int:
    """The length of the body after compression; the cuts do not matter."""
    pieces = BodyPieces(reply)
    parts = [piece for step in unrolled(reply.steps) if isinstance(step, Send) for piece in pieces.feed(step.content)]
    return sum(map(len, [*parts, *pieces.feed_eof()]))


def _gathered(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks joined to writes of some size."""
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size >= _WRITE_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
