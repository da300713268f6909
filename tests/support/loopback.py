"""Connections of the network below the HTTP library, to sockets that a test holds in its hand. asyncio only."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeAlias

import anyio
import httpcore
import pytest

from codex_client.client.asyncio_network import AsyncioNetwork

HERE = "127.0.0.1"
KIB = 1024
# So little that a sender soon has to wait.
_SMALL = 16 * KIB
SMALL_BUFFERS = [(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL), (socket.SOL_SOCKET, socket.SO_SNDBUF, _SMALL)]

Address: TypeAlias = tuple[str, int]
Stream: TypeAlias = httpcore.AsyncNetworkStream


@contextmanager
def listening(backlog: int = 8) -> Iterator[socket.socket]:
    with socket.create_server((HERE, 0), backlog=backlog) as listener:
        listener.setblocking(False)
        for option in SMALL_BUFFERS:
            listener.setsockopt(*option)
        yield listener


@contextmanager
def hanging() -> Iterator[Address]:
    """An address where a connection is neither made nor refused: the queue of the listener is full."""
    with listening(backlog=0) as listener, socket.socket() as first, socket.socket() as second:
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()


def closed_port() -> int:
    with listening() as listener:
        return listener.getsockname()[1]


async def connect(port: int = 1, **options: Any) -> Stream:
    return await AsyncioNetwork().connect_tcp(HERE, port, **options)


@asynccontextmanager
async def pair(**options: Any) -> AsyncIterator[tuple[Stream, socket.socket]]:
    """A connection: our stream, and the server's socket. Both are closed after the block."""
    with listening() as listener:
        stream = await connect(listener.getsockname()[1], **options)
        server, _ = await asyncio.get_running_loop().sock_accept(listener)
        with server:
            server.setblocking(False)
            try:
                yield stream, server
            finally:
                await stream.aclose()


def is_open(stream: Any) -> bool:
    """Whether the socket under a stream or transport is open."""
    raw = stream.get_extra_info("socket")
    # TLS forgets it.
    return raw is not None and raw.fileno() != -1


def reset(server: socket.socket) -> None:
    """Close it with a RST."""
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()


async def until(reached: Callable[[], bool]) -> None:
    """Wait for what nobody tells of, ten seconds at most."""
    for _ in range(5000):
        if reached():
            return
        await anyio.sleep(0.002)
    raise AssertionError("it did not come to pass")


async def cancelled_natively(work: Awaitable[Any], when: Callable[[], bool]) -> None:
    """Cancel this work, by its task, as soon as `when` says so."""
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    await until(when)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def cancelled_by_a_scope(work: Awaitable[Any], when: Callable[[], bool]) -> None:
    """Cancel this work, by the scope around it, as soon as `when` says so."""

    async def run() -> None:
        await work

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await asyncio.sleep(0)
        await until(when)
        tasks.cancel_scope.cancel()
