"""`python -m bench.server`: the server of the benchmark, a process of its own on loopback.

It speaks HTTP/1.1 by hand on asyncio's raw protocol and sends bytes that were prepared before, so that it is never what
a client waits for. The path says what to send (`bench.workloads.Cell`), the prompt whether it is a warm-up; where the
path does not, as behind a proxy, the prompt says both. One line of JSON on stdout tells the ports and the file of the
certificate authority; it ends when its stdin ends.

Besides streams it answers two requests of the orchestrator. HEAD prepares a stream and tells what it holds, in the
headers x-text (characters) and x-bytes (of the body). GET /sent tells when the first byte of each stream since the last
GET left, in seconds of the machine's monotonic clock; warm-ups are not in it.
"""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from bench.workloads import CELL_PATHS, WARM_UP, WARM_UP_EVENTS, Cell, Shape, build

_CHUNK = 64 * 1024
# What one write hands to the socket at once. Small enough for the socket's buffer to take most of it.
_WRITE = 256 * 1024
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
_STREAM_HEAD = _HEAD + b"x-request-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"

_sent_at: deque[float] = deque()


def _chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


@lru_cache(maxsize=8)
def _writes(cell: Cell) -> list[list[bytes]]:
    """What is to be written, in order: the HTTP chunks that go to the socket at once."""
    frames = build(cell.workload, cell.events, cell.chars).frames
    if cell.shape is Shape.HOLD:
        return [[_chunk(frames[0])]]
    bodies: Iterable[bytes] = _cut(b"".join(frames), _CHUNK) if cell.shape is Shape.COALESCED else frames
    chunks = [*map(_chunk, bodies), _LAST_CHUNK]
    return list(_batches(chunks, 1 if cell.shape is Shape.PACED else _WRITE))


def _cut(whole: bytes, size: int) -> list[bytes]:
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def _batches(chunks: list[bytes], size: int) -> Iterator[list[bytes]]:
    """The chunks in lists of at least `size` bytes; the empty chunk that ends the body is never alone."""
    batch: list[bytes] = []
    length = 0
    for chunk in chunks[:-1]:
        if length >= size:
            yield batch
            batch, length = [], 0
        batch.append(chunk)
        length += len(chunk)
    yield [*batch, chunks[-1]]


class Connection(asyncio.Protocol):
    """One client's connection, kept alive: idle, then waiting for the rest of a request, then sending, then idle."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._left: deque[list[bytes]] = deque()
        self._may_write = True
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=_WRITE)

    def connection_lost(self, exc: Exception | None) -> None:
        self._left.clear()
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < _content_length(head):
            return
        self._received.clear()
        self._answer(bytes(head), bytes(body))

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._write()

    def _answer(self, head: bytes, body: bytes) -> None:
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        if path == "/sent":
            return self._answer_json([_sent_at.popleft() for _ in range(len(_sent_at))])
        try:
            cell = Cell.parse(path) if path.startswith(CELL_PATHS) else Cell.named_in(body.decode())
        except ValueError:
            return self._transport.write(_NOT_FOUND)
        if method == "HEAD":
            return self._prepare(cell)
        if WARM_UP.encode() in body:
            warm_up = replace(cell, shape=Shape.ONE_PER_CHUNK, events=WARM_UP_EVENTS, chars=0, wait_ms=0)
            return self._begin(warm_up, counted=False)
        if cell.wait_ms:
            self._timer = asyncio.get_running_loop().call_later(cell.wait_ms / 1000, self._begin, cell)
        else:
            self._begin(cell)

    def _prepare(self, cell: Cell) -> None:
        _writes(cell)
        stream = build(cell.workload, cell.events, cell.chars)
        sizes = f"x-text: {len(stream.text)}\r\nx-bytes: {stream.body_bytes}\r\n"
        self._transport.write(_HEAD + sizes.encode() + b"content-length: 0\r\n\r\n")

    def _answer_json(self, value: object) -> None:
        body = json.dumps(value).encode()
        self._transport.write(_HEAD + b"content-length: %d\r\n\r\n" % len(body) + body)

    def _begin(self, cell: Cell, *, counted: bool = True) -> None:
        writes = _writes(cell)
        if counted:
            _sent_at.append(time.monotonic())
        # Under TLS each chunk becomes a record of its own, as where a server flushes each event.
        self._transport.writelines([_STREAM_HEAD, *writes[0]])
        self._left = deque(writes[1:])
        if cell.shape is Shape.PACED:
            self._write_paced(1 / cell.rate, asyncio.get_running_loop().time())
        else:
            self._write()

    def _write(self) -> None:
        while self._left and self._may_write:
            self._transport.writelines(self._left.popleft())

    def _write_paced(self, interval: float, due: float) -> None:
        """One write at each tick from `due` on; a late tick does not shift those after it."""
        if self._left:
            due += interval
            self._timer = asyncio.get_running_loop().call_at(due, self._tick, interval, due)

    def _tick(self, interval: float, due: float) -> None:
        self._transport.writelines(self._left.popleft())
        self._write_paced(interval, due)


def _content_length(head: bytes | bytearray) -> int:
    for line in bytes(head).lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context for localhost, and the file with the authority that signed its certificate."""
    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    file = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    return context, file


async def _serve(folder: Path) -> None:
    loop = asyncio.get_running_loop()
    context, file = _tls(folder)
    plain = await loop.create_server(Connection, "127.0.0.1", 0, backlog=4096)
    secure = await loop.create_server(Connection, "127.0.0.1", 0, backlog=4096, ssl=context)
    ports = {"http": plain.sockets[0].getsockname()[1], "https": secure.sockets[0].getsockname()[1]}
    print(json.dumps({**ports, "authority": str(file)}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    # An interrupt from the keyboard goes to the whole group; the orchestrator ends this process by closing its stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        asyncio.run(_serve(Path(folder)))
