"""A replay server that speaks HTTP/2."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Any, Literal, TypeAlias, assert_never

import anyio
import h2.config
import h2.connection
import h2.events
import h2.exceptions
import httpx
from anyio.abc import ByteStream
from anyio.streams.tls import TLSAttribute
from h2.errors import ErrorCodes
from hyperframe.frame import GoAwayFrame

from codex_client.testing import Close, Hold, Pause, RecordedRequest, ReplayServer, Reply, Reset, Send, Stall
from codex_client.testing.connection import SocketStream
from codex_client.testing.reply_encoding import BodyPieces
from codex_client.testing.scripts import PlainStep, unrolled
from codex_client.testing.waits import Changes

ResetForm: TypeAlias = Literal["rst_stream", "goaway", "goaway behind", "drain", "garbage", "tcp"]
"""What a `Reset` step is over HTTP/2: reset the stream; end the connection with an error, or say that this stream was
not even seen; announce that no further stream is taken, and go on; send a frame that may not be; break the connection.
"""

_RECEIVE_BYTES = 64 * 1024
# A byte of content for stream 0, which carries none (RFC 9113, section 6.1).
_FORBIDDEN_FRAME = b"\x00\x00\x01\x00\x00\x00\x00\x00\x00x"
# A write after the client's goodbye is a protocol error to h2, and an end of the stream to anyio's TLS.
_CLIENT_LEFT = (anyio.BrokenResourceError, anyio.EndOfStream, ssl.SSLError, h2.exceptions.ProtocolError)


class H2Server(ReplayServer):
    """`ReplayServer` over TLS and HTTP/2 only. `ssl_context` must offer "h2" by ALPN.

    A `Close` ends the connection (FIN) with all its streams. A reply's `transfer` does not matter; "raw" cannot be.
    """

    reset_form: ResetForm = "rst_stream"

    def __init__(self, script: Any, *, ssl_context: ssl.SSLContext) -> None:
        super().__init__(script, ssl_context=ssl_context)
        self.client_resets: int = 0
        """How many streams clients have reset."""
        self._connections: set[H2Connection] = set()

    def close_connections(self) -> None:
        """End every connection (FIN), whatever goes over it."""
        for connection in self._connections:
            connection.close()

    async def _serve(self, sock: socket.socket, number: int) -> None:
        # As in HTTP/1.1: the client may leave at any moment, and may dislike our certificate.
        with self._registered(sock), suppress(*_CLIENT_LEFT):
            wire = SocketStream(sock)
            stream = await self._secured(wire)
            if stream.extra(TLSAttribute.alpn_protocol, None) != "h2":
                self.problems.append("a client did not offer HTTP/2")
                return
            connection = H2Connection(self, stream, wire, number)
            self._connections.add(connection)
            try:
                await connection.serve()
            finally:
                self._connections.discard(connection)

    def choose_reply(self, request: RecordedRequest) -> Reply:
        self.requests.append(request)
        self._changes.notify()
        return self._choose(request)

    async def rest(self, step: Pause | Hold | Stall) -> None:
        await self._rests.rest(step)


class _Exchange:
    """One request of a connection and its answer."""

    def __init__(self, head: list[tuple[str, str]]) -> None:
        self.head = head
        self.body = bytearray()
        self.scope = anyio.CancelScope()

    def request(self, connection: int) -> RecordedRequest:
        pseudo = {name: value for name, value in self.head if name.startswith(":")}
        headers = httpx.Headers([(name, value) for name, value in self.head if not name.startswith(":")])
        return RecordedRequest(pseudo[":method"], pseudo[":path"], headers, bytes(self.body), connection)


class H2Connection:
    """One connection: streams answered side by side, each within the client's flow control."""

    def __init__(self, server: H2Server, stream: ByteStream, wire: SocketStream, number: int) -> None:
        self._server = server
        self._stream = stream
        self._wire = wire
        self._number = number
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self._h2 = h2.connection.H2Connection(config)
        self._exchanges: dict[int, _Exchange] = {}
        self._writing = anyio.Lock()
        self._window = Changes()
        self._broken = False
        self._tasks = anyio.create_task_group()

    def close(self) -> None:
        self._tasks.cancel_scope.cancel()

    async def serve(self) -> None:
        """Until either side ends the connection."""
        self._h2.initiate_connection()
        async with self._tasks:
            with suppress(*_CLIENT_LEFT):
                await self._flush()
                while True:
                    for event in self._h2.receive_data(await self._stream.receive(_RECEIVE_BYTES)):
                        self._react(event)
                    await self._flush()
            self.close()
        if self._broken:
            self._wire.reset()

    def _react(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived(stream_id=int(number), headers=list(head)):
                self._exchanges[number] = _Exchange([(str(name), str(value)) for name, value in head])
            case h2.events.DataReceived(stream_id=int(number), data=bytes(content), flow_controlled_length=int(size)):
                self._exchanges[number].body += content
                self._h2.acknowledge_received_data(size, number)
            case h2.events.StreamEnded(stream_id=int(number)):
                self._tasks.start_soon(self._answer, number, self._exchanges[number])
            case h2.events.StreamReset(stream_id=int(number)):
                self._server.client_resets += 1
                if exchange := self._exchanges.pop(number, None):
                    exchange.scope.cancel()
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                self._window.notify()
            case h2.events.ConnectionTerminated():
                self.close()
            case _:
                pass

    async def _answer(self, number: int, exchange: _Exchange) -> None:
        reply = self._server.choose_reply(exchange.request(self._number))
        with exchange.scope, suppress(*_CLIENT_LEFT):
            if await self._play(number, reply):
                await self._send(number, b"", end=True)
        self._exchanges.pop(number, None)

    async def _play(self, number: int, reply: Reply) -> bool:
        """Whether the reply is to be ended in the proper way."""
        pieces = BodyPieces(reply)
        for step in unrolled(reply.before_head):
            if not await self._do(number, step, pieces):
                return False
        names = [(":status", str(reply.status)), *((name.lower(), value) for name, value in reply.header_list)]
        self._h2.send_headers(number, [*names, ("content-encoding", "gzip")] if reply.gzip else names)
        await self._flush()
        for step in unrolled(reply.steps):
            if not await self._do(number, step, pieces):
                return False
        for piece in pieces.feed_eof():
            await self._send(number, piece)
        return True

    async def _do(self, number: int, step: PlainStep, pieces: BodyPieces) -> bool:
        match step:
            case Send(content):
                for piece in pieces.feed(content):
                    await self._send(number, piece)
                return True
            case Pause() | Hold() | Stall():
                await self._server.rest(step)
                return True
            case Close():
                self.close()
                return False
            case Reset():
                return await self._reset(number)
            case _:
                assert_never(step)

    async def _send(self, number: int, content: bytes, *, end: bool = False) -> None:
        """In frames and at the pace that the client allows."""
        rest = memoryview(content)
        while rest:
            await self._window.wait_until(lambda: self._h2.local_flow_control_window(number) > 0)
            size = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
            self._h2.send_data(number, bytes(rest[:size]))
            rest = rest[size:]
            await self._flush()
        if end:
            self._h2.end_stream(number)
            await self._flush()

    async def _reset(self, number: int) -> bool:
        """Whether the answer goes on."""
        match self._server.reset_form:
            case "rst_stream":
                self._h2.reset_stream(number, ErrorCodes.INTERNAL_ERROR)
                await self._flush()
            case "goaway":
                await self._write(_goaway(number, ErrorCodes.INTERNAL_ERROR))
            case "goaway behind":
                await self._write(_goaway(max(number - 2, 0), ErrorCodes.NO_ERROR))
            case "drain":
                await self._write(_goaway(number, ErrorCodes.NO_ERROR))
                return True
            case "garbage":
                await self._write(_FORBIDDEN_FRAME)
            case "tcp":
                await self._wire.all_sent()
                self._broken = True
                self.close()
        return False

    async def _flush(self) -> None:
        await self._write(self._h2.data_to_send())

    async def _write(self, content: bytes) -> None:
        async with self._writing:
            if content:
                await self._stream.send(content)


def _goaway(last_stream: int, code: ErrorCodes) -> bytes:
    """By hand, for h2 would let nothing follow it."""
    return GoAwayFrame(last_stream_id=last_stream, error_code=code).serialize()
