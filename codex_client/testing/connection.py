"""The server's end of one HTTP/1.1 connection: requests read by the rules, answers written as they come."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Sequence
from contextlib import suppress

import anyio
import anyio.lowlevel
import h11
import httpx
from anyio.abc import ByteStream

from codex_client.testing.requests import RecordedRequest

_RECEIVE_BYTES = 64 * 1024
_MAX_HEAD_BYTES = 64 * 1024

# SO_LINGER on, for 0 seconds: the close throws away what is unsent and sends RST.
_LINGER_ZERO = struct.pack("ii", 1, 0)


class SocketStream(ByteStream):
    """A connected socket, the same on every event loop, that can also be broken.

    The streams of the event loops say goodbye (FIN) on every way of closing, which makes a reset look like an orderly
    end.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        # Without it the system joins small writes while one is on its way.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock

    async def receive(self, max_bytes: int = _RECEIVE_BYTES) -> bytes:
        while True:
            await anyio.wait_readable(self._sock)
            try:
                content = self._sock.recv(max_bytes)
            except BlockingIOError:
                continue
            except OSError as error:
                raise anyio.BrokenResourceError from error
            if not content:
                raise anyio.EndOfStream
            return content

    async def send(self, item: bytes) -> None:
        rest = memoryview(item)
        # One turn of the loop per write lets a client in the same process read it before the next.
        await anyio.lowlevel.checkpoint()
        while rest:
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._sock)
            except OSError as error:
                raise anyio.BrokenResourceError from error

    async def send_eof(self) -> None:
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    async def aclose(self) -> None:
        self._sock.close()

    async def all_sent(self) -> None:
        """Wait until the system has nothing unsent, so that a reset throws nothing away. Elsewhere than on Linux and
        macOS: no wait.
        """
        lowat = getattr(socket, "TCP_NOTSENT_LOWAT", None)
        if lowat is not None:
            # With this mark the socket counts as writable only when nothing waits to be sent.
            self._sock.setsockopt(socket.IPPROTO_TCP, lowat, 1)
            await anyio.wait_writable(self._sock)

    def reset(self) -> None:
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._sock.close()


class RefusedRequestError(Exception):
    """What arrived is no request that can be served; `status` is the answer to it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class HttpConnection:
    """Reads requests, one after the other, from `stream`: `wire` or its encryption. `number` is put into each."""

    def __init__(self, stream: ByteStream, wire: SocketStream, *, number: int, max_request_bytes: int) -> None:
        self._stream = stream
        self._wire = wire
        self._number = number
        self._max_request_bytes = max_request_bytes
        self._ahead = bytearray()
        self.http_version: str = "1.1"
        self.keep_alive: bool = True

    async def next_request(self) -> RecordedRequest | None:
        """The next request, whole; None when the client has closed. Raises `RefusedRequestError`, after which nothing
        more can be read.
        """
        # Only the client's half is h11's: a new parser per request spares it our answers, which need not be valid HTTP.
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD_BYTES)
        if self._ahead:
            # No bytes at all would tell h11 that the client has closed.
            parser.receive_data(bytes(self._ahead))
            self._ahead.clear()
        try:
            return await self._read(parser)
        except h11.RemoteProtocolError as error:
            raise RefusedRequestError(error.error_status_hint, f"malformed request: {error}") from error
        except anyio.EndOfStream:
            return None

    async def _read(self, parser: h11.Connection) -> RecordedRequest:
        head: h11.Request | None = None
        body = bytearray()
        while True:
            match parser.next_event():
                case h11.Request() as head:
                    pass
                case h11.Data() as part:
                    body += part.data
                    if len(body) > self._max_request_bytes:
                        raise RefusedRequestError(413, f"the request body is above {self._max_request_bytes} bytes")
                case h11.EndOfMessage() if head is not None:
                    self._ahead += parser.trailing_data[0]
                    return self._request(head, bytes(body))
                case _:
                    if parser.they_are_waiting_for_100_continue:
                        interim = parser.send(h11.InformationalResponse(status_code=100, headers=[]))
                        await self._stream.send(interim or b"")
                    parser.receive_data(await self._stream.receive())

    def _request(self, head: h11.Request, body: bytes) -> RecordedRequest:
        headers = httpx.Headers([(name, value) for name, value in head.headers])
        tokens = {token.strip().lower() for token in headers.get("connection", "").split(",")}
        self.http_version = head.http_version.decode("ascii")
        self.keep_alive = "close" not in tokens
        method, target = head.method.decode("ascii"), head.target.decode("latin-1")
        return RecordedRequest(method, target, headers, body, self._number)

    async def send(self, writes: Sequence[bytes]) -> None:
        for write in writes:
            await self._stream.send(write)

    async def client_left(self) -> None:
        """Wait until the client closes. A request that it sends meanwhile is kept for `next_request`."""
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, ssl.SSLError):
            while len(self._ahead) <= self._max_request_bytes:
                self._ahead += await self._stream.receive()

    async def all_sent(self) -> None:
        await self._wire.all_sent()

    def reset(self) -> None:
        self._wire.reset()

    async def drain(self) -> None:
        """End our half and read until the client closes: closing first would reset the connection under our answer."""
        await self._wire.send_eof()
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            while True:
                await self._wire.receive()
