"""httpcore's network on asyncio's own transports.

The default, anyio's streams, pauses and resumes the socket for every read, and runs TLS in steps of its own on top. A
transport hands over what has arrived, decrypted, in one piece (docs/decisions/0023-transports.md).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from itertools import zip_longest
from typing import Any, TypeVar, cast

import anyio
import httpcore
from anyio.lowlevel import cancel_shielded_checkpoint

from codex_client.client.sockets import is_readable

# Unread bytes from which on the socket is left alone: a slow reader slows the server down.
_HIGH_WATER_BYTES = 256 * 1024
# RFC 8305, 5: how long an address may take before the next one is tried beside it.
_NEXT_ADDRESS_SECONDS = 0.25
_MAX_PORT = 65535
_NO_LIMIT = 24 * 3600.0
_EXTRA_INFO = {"client_addr": "sockname", "server_addr": "peername"}

T = TypeVar("T")


class AsyncioNetwork(httpcore.AsyncNetworkBackend):
    """Opens TCP connections for httpcore, in asyncio's event loop or one in its place, such as uvloop."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        with _translated(httpcore.ConnectTimeout, httpcore.ConnectError):
            raw = await _within(timeout, _connect(host, port, local_address, list(socket_options or ())))
            _, connection = await loop.create_connection(_Connection, sock=raw)
        return AsyncioStream(connection)

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


async def _connect(
    host: str, port: int, local_address: str | None, options: list[httpcore.SOCKET_OPTION]
) -> socket.socket:
    """A connected socket: IPv6 and IPv4 in turn, a quarter of a second apart, the first that answers (RFC 8305).

    Not asyncio's own race, which loses sockets when it is cancelled, and errors that are no OSError.
    """
    loop, won, failures = asyncio.get_running_loop(), list[socket.socket](), list[OSError]()

    async def attempt(family: int, address: Any, done: anyio.Event) -> None:
        with ExitStack() as undo:
            # With its protocol named, or asyncio does not see that it is TCP and leaves Nagle's algorithm on.
            try:
                raw = undo.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
                raw.setblocking(False)
                for option in options:
                    raw.setsockopt(*cast("tuple[int, int, int]", option))
                if local_address is not None:
                    raw.bind((local_address, 0))
                await loop.sock_connect(raw, address)
            except OSError as error:
                failures.append(error)
            else:
                if not won:
                    undo.pop_all()
                    won.append(raw)
                    race.cancel_scope.cancel()
        done.set()

    if port > _MAX_PORT:
        # The resolver would wrap it around.
        raise OSError(f"port {port} is above {_MAX_PORT}")
    addresses = _in_turn(await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    try:
        async with anyio.create_task_group() as race:
            for family, address in addresses:
                done = anyio.Event()
                race.start_soon(attempt, family, address, done)
                with anyio.move_on_after(_NEXT_ADDRESS_SECONDS):
                    await done.wait()
    except BaseException:
        for raw in won:
            raw.close()
        raise
    if not won:
        told = "; ".join(dict.fromkeys(map(str, failures))) or f"{host} has no address that this system can use"
        raise OSError(told) from (failures[-1] if failures else None)
    return won[0]


def _in_turn(found: Iterable[tuple[Any, ...]]) -> list[tuple[int, Any]]:
    """Addresses in the resolver's order, the families alternating."""
    queues: dict[int, list[tuple[int, Any]]] = {}
    for family, *_, address in found:
        queues.setdefault(family, []).append((family, address))
    return [entry for turn in zip_longest(*queues.values()) for entry in turn if entry is not None]


class AsyncioStream(httpcore.AsyncNetworkStream):
    """One connection. One task reads it at a time."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self._closed = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has arrived, at most `max_bytes`; empty at the end. Waits only where nothing has."""
        connection = self._connection
        with _translated(httpcore.ReadTimeout, httpcore.ReadError):
            if not connection.is_readable:
                await _within(timeout, connection.wait_readable())
            if self._closed:
                raise ConnectionResetError("the connection is closed")
            return connection.take(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        connection = self._connection
        with _translated(httpcore.WriteTimeout, httpcore.WriteError):
            if self._closed:
                raise ConnectionResetError("the connection is closed")
            if connection.transport.is_closing():
                # The peer has ended it. The next read tells that, after what came before: HTTP/2 writes while it reads.
                return
            connection.transport.write(buffer)
            if not connection.is_writable:
                await _within(timeout, connection.wait_writable())

    async def aclose(self) -> None:
        """Cut the connection; on return its socket is closed."""
        self._closed = True
        self._connection.transport.abort()
        # The transport closes its socket in the loop's next round.
        await cancel_shielded_checkpoint()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        connection, loop = self._connection, asyncio.get_running_loop()
        try:
            with _translated(httpcore.ConnectTimeout, httpcore.ConnectError):
                handshake = loop.start_tls(
                    connection.transport,
                    connection,
                    ssl_context,
                    server_hostname=server_hostname,
                    # asyncio's own limit would be 60 s, whatever is asked for.
                    ssl_handshake_timeout=_NO_LIMIT,
                )
                transport = await _within(timeout, handshake)
                if transport is None or self._closed:
                    raise ConnectionResetError("the connection was closed during the TLS handshake")
        except BaseException:
            await self.aclose()
            raise
        connection.transport = transport
        return AsyncioStream(connection)

    def _is_readable(self) -> bool:
        """Also what the event loop has not come round to yet."""
        connection, transport = self._connection, self._connection.transport
        return connection.is_readable or transport.is_closing() or is_readable(transport.get_extra_info("socket"))

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return self._is_readable()
        return self._connection.transport.get_extra_info(_EXTRA_INFO.get(info, info))


class _Connection(asyncio.Protocol):
    """A transport, and what has arrived on it and was not read yet."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0
        self._is_held = False
        self._at_end = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self.is_writable: bool = True

    @property
    def is_readable(self) -> bool:
        """Whether there is something to `take`: bytes, the end, or what broke the connection."""
        return bool(self._chunks) or self._at_end

    async def wait_readable(self) -> None:
        self._reader = asyncio.get_running_loop().create_future()
        await self._reader

    async def wait_writable(self) -> None:
        """Until the peer has taken enough of what was written."""
        self._writer = asyncio.get_running_loop().create_future()
        await self._writer

    def take(self, max_bytes: int) -> bytes:
        """Bytes; empty at the end. Raises what broke the connection."""
        if not self._chunks:
            if self._error is not None:
                raise self._error
            return b""
        taken = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        rest = taken[max_bytes:]
        self._chunks = [rest] if rest else []
        self._size = len(rest)
        # Each time it is resumed as much again may arrive, more than one read takes.
        if self._is_held and self._size <= _HIGH_WATER_BYTES:
            self._is_held = False
            self.transport.resume_reading()
        return taken[:max_bytes] if rest else taken

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._chunks.append(data)
        self._size += len(data)
        if self._size > _HIGH_WATER_BYTES:
            self._is_held = True
            self.transport.pause_reading()
        _wake(self._reader)

    def eof_received(self) -> None:
        self._at_end = True
        _wake(self._reader)

    def connection_lost(self, exc: Exception | None) -> None:
        self._at_end = True
        self._error = exc
        self.resume_writing()
        _wake(self._reader)

    def pause_writing(self) -> None:
        self.is_writable = False

    def resume_writing(self) -> None:
        self.is_writable = True
        _wake(self._writer)


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


async def _within(seconds: float | None, work: Awaitable[T]) -> T:
    # A scope costs as much as all the rest of a read.
    if seconds is None:
        return await work
    with anyio.fail_after(seconds):
        return await work


@contextmanager
def _translated(timeout: type[Exception], failure: type[Exception]) -> Generator[None]:
    """httpcore's errors for asyncio's."""
    try:
        yield
    except TimeoutError as error:
        raise timeout(str(error)) from error
    except OSError as error:
        # TLS errors are of this class as well.
        raise failure(str(error)) from error
