"""TLS on the network of asyncio's transports: handshakes that end in every way, and a connection that is encrypted."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpcore
import pytest
import trustme

from tests.support.loopback import (
    HERE,
    KIB,
    SMALL_BUFFERS,
    Stream,
    cancelled_by_a_scope,
    cancelled_natively,
    is_open,
    pair,
    reset,
    until,
)
from tests.support.open_files import open_files


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HERE).configure_cert(context)
    return context


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    gc.collect()
    before = open_files()
    yield
    gc.collect()
    assert open_files() == before


class TlsServer(asyncio.Protocol):
    """The server's end of a connection."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.received: bytes = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data


@asynccontextmanager
async def tls_pair(
    trusting: ssl.SSLContext, server_tls: ssl.SSLContext, layers: int = 1, **options: Any
) -> AsyncIterator[tuple[Stream, TlsServer]]:
    loop = asyncio.get_running_loop()
    async with pair(**options) as (stream, sock):
        _, server = await loop.connect_accepted_socket(TlsServer, sock)
        for _ in range(layers):
            handshake = loop.start_tls(server.transport, server, server_tls, server_side=True)
            task = asyncio.ensure_future(handshake)
            stream = await stream.start_tls(trusting, HERE, 10)
            upgraded = await task
            assert upgraded is not None
            server.transport = upgraded
        yield stream, server
        await stream.aclose()
        server.transport.abort()


@pytest.mark.parametrize("layers", [1, 2], ids=["to the server", "to a proxy, and through it to the server"])
async def test_both_ends_understand_each_other(
    trusting: ssl.SSLContext, server_tls: ssl.SSLContext, layers: int
) -> None:
    async with tls_pair(trusting, server_tls, layers) as (stream, server):
        assert isinstance(stream.get_extra_info("ssl_object"), ssl.SSLObject)
        await stream.write(b"ping")
        await until(lambda: server.received == b"ping")
        assert not stream.get_extra_info("is_readable")
        server.transport.write(b"pong")
        assert await stream.read(10, timeout=10) == b"pong"


async def test_a_certificate_that_is_refused_is_told_and_leaves_no_socket(server_tls: ssl.SSLContext) -> None:
    async with pair() as (stream, sock):
        loop = asyncio.get_running_loop()
        accepting = asyncio.ensure_future(loop.connect_accepted_socket(TlsServer, sock, ssl=server_tls))
        with pytest.raises(httpcore.ConnectError, match="certificate verify failed") as caught:
            await stream.start_tls(ssl.create_default_context(), HERE, 10)
        assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
        assert not is_open(stream)
        await asyncio.wait([accepting])
        assert accepting.exception() is not None


@pytest.mark.parametrize("leave", [socket.socket.close, reset])
async def test_a_server_that_leaves_in_the_middle_of_the_handshake(trusting: ssl.SSLContext, leave: Any) -> None:
    async with pair() as (stream, server), anyio.create_task_group() as tasks:

        async def serve() -> None:
            assert await asyncio.get_running_loop().sock_recv(server, 64 * KIB)
            leave(server)

        tasks.start_soon(serve)
        with pytest.raises(httpcore.ConnectError):
            await stream.start_tls(trusting, HERE, 10)
        assert not is_open(stream)


async def test_a_server_without_tls_is_told_apart(trusting: ssl.SSLContext) -> None:
    async with pair() as (stream, server):
        server.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(httpcore.ConnectError) as caught:
            await stream.start_tls(trusting, HERE, 10)
        assert isinstance(caught.value.__cause__, ssl.SSLError)
        assert not is_open(stream)


async def test_a_handshake_has_a_time_limit(trusting: ssl.SSLContext) -> None:
    async with pair() as (stream, _):
        with pytest.raises(httpcore.ConnectTimeout):
            await stream.start_tls(trusting, HERE, 0.01)
        assert not is_open(stream)


@pytest.mark.parametrize("cancelled", [cancelled_natively, cancelled_by_a_scope])
@pytest.mark.parametrize("at", ["at once", "when it has begun"])
async def test_a_handshake_that_is_cancelled_leaves_no_socket(
    trusting: ssl.SSLContext, cancelled: Any, at: str
) -> None:
    async with pair() as (stream, server):
        begun = lambda: at == "at once" or peeked(server) != b""  # noqa: E731
        await cancelled(stream.start_tls(trusting, HERE), begun)
        await until(lambda: not is_open(stream))


async def test_a_handshake_whose_connection_is_closed_from_elsewhere_ends(trusting: ssl.SSLContext) -> None:
    async with pair() as (stream, server), anyio.create_task_group() as tasks:

        async def shake_hands() -> None:
            with pytest.raises(httpcore.ConnectError):
                await stream.start_tls(trusting, HERE)

        tasks.start_soon(shake_hands)
        await until(lambda: peeked(server) != b"")
        await stream.aclose()


async def test_closing_is_done_when_it_returns(trusting: ssl.SSLContext, server_tls: ssl.SSLContext) -> None:
    async with tls_pair(trusting, server_tls) as (stream, _):
        await stream.aclose()
        assert not is_open(stream)
        with pytest.raises(httpcore.ReadError, match="the connection is closed"):
            await stream.read(10)
        with pytest.raises(httpcore.WriteError, match="the connection is closed"):
            await stream.write(b"x")


@pytest.mark.parametrize("size", [300 * KIB, 500 * KIB, 1000 * KIB])
async def test_a_slow_reader_gets_all_though_the_server_has_left(
    trusting: ssl.SSLContext, server_tls: ssl.SSLContext, size: int
) -> None:
    async with tls_pair(trusting, server_tls, socket_options=SMALL_BUFFERS) as (stream, server):
        server.transport.write(b"x" * size)
        server.transport.close()
        connection: Any = vars(stream)["_connection"]
        await until(lambda: not connection.transport.is_reading())
        await anyio.wait_all_tasks_blocked()
        received = 0
        while piece := await stream.read(10_000, timeout=10):
            received += len(piece)
        assert received == size


def peeked(server: socket.socket) -> bytes:
    """What has arrived there; it stays."""
    try:
        return server.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return b""
