"""httpcore's network on asyncio's transports: connecting, reading, writing, and leaving no socket behind."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from collections.abc import Iterator
from typing import Any

import anyio
import httpcore
import pytest

from codex_client.client import asyncio_network
from codex_client.client.asyncio_network import AsyncioNetwork, _in_turn
from tests.support.loopback import (
    HERE,
    KIB,
    SMALL_BUFFERS,
    Address,
    cancelled_by_a_scope,
    cancelled_natively,
    closed_port,
    connect,
    hanging,
    is_open,
    listening,
    pair,
    reset,
    until,
)
from tests.support.open_files import open_files

WAYS_TO_CANCEL = pytest.mark.parametrize("cancelled", [cancelled_natively, cancelled_by_a_scope])


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    gc.collect()
    before = open_files()
    yield
    gc.collect()
    assert open_files() == before


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, Address]:
    """What the resolver finds, to be filled: addresses by their names on the wire, each led to one on loopback."""
    addresses: dict[str, Address] = {}

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (name, port)) for name in addresses]

    async def sock_connect(loop: Any, sock: socket.socket, address: Address) -> None:
        await connect(loop, sock, addresses[address[0]])

    connect = asyncio.SelectorEventLoop.sock_connect
    monkeypatch.setattr(anyio, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", sock_connect)
    return addresses


async def test_a_refused_connection_says_so() -> None:
    with pytest.raises(httpcore.ConnectError) as caught:
        await connect(closed_port())
    assert isinstance(caught.value.__cause__, OSError)
    assert isinstance(caught.value.__cause__.__cause__, ConnectionRefusedError)


async def test_a_name_that_does_not_resolve_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(httpcore.ConnectError, match="no such name") as caught:
        await AsyncioNetwork().connect_tcp("api.test", 1)
    assert isinstance(caught.value.__cause__, socket.gaierror)


async def test_a_port_out_of_range_is_not_wrapped_around() -> None:
    with listening() as listener:
        port = listener.getsockname()[1]
        with pytest.raises(httpcore.ConnectError, match="is above 65535"):
            await connect(port + 65536)


async def test_an_address_that_hangs_does_not_hold_up_the_next(
    found: dict[str, Address], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncio_network, "_NEXT_ADDRESS_SECONDS", 0.01)
    with hanging() as hung, listening() as listener:
        found |= {"first": hung, "second": listener.getsockname()}
        before = open_files()
        stream = await connect()
        assert stream.get_extra_info("server_addr") == listener.getsockname()
        assert open_files() == before + 1
        await stream.aclose()


async def test_an_address_that_fails_is_followed_by_the_next_at_once(
    found: dict[str, Address], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncio_network, "_NEXT_ADDRESS_SECONDS", 1e6)
    with listening() as listener:
        found |= {"first": (HERE, closed_port()), "second": listener.getsockname()}
        with anyio.fail_after(10):
            await (await connect()).aclose()


async def test_a_family_that_the_system_lacks_is_passed_over(
    found: dict[str, Address], monkeypatch: pytest.MonkeyPatch
) -> None:
    make, refused = socket.socket, list[int]()

    def without_the_first(family: int = -1, *options: Any, **more: Any) -> socket.socket:
        if not refused:
            refused.append(family)
            raise OSError(97, "Address family not supported by protocol")
        return make(family, *options, **more)

    with listening() as listener:
        found |= {"first": (HERE, closed_port()), "second": listener.getsockname()}
        monkeypatch.setattr(asyncio_network.socket, "socket", without_the_first)
        stream = await connect()
        monkeypatch.undo()
        await stream.aclose()
    assert len(refused) == 1


async def test_of_two_that_answer_together_one_is_closed(
    found: dict[str, Address], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncio_network, "_NEXT_ADDRESS_SECONDS", 0.01)
    both, connected = asyncio.Event(), list[socket.socket]()
    sock_connect = asyncio.SelectorEventLoop.sock_connect

    async def connect_with_the_other(loop: Any, sock: socket.socket, address: Address) -> None:
        await sock_connect(loop, sock, address)
        connected.append(sock)
        if len(connected) == 2:
            both.set()
        await both.wait()

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", connect_with_the_other)
    with listening() as first, listening() as second:
        found |= {"first": first.getsockname(), "second": second.getsockname()}
        stream = await connect()
        assert [sock.fileno() == -1 for sock in connected].count(True) == 1
        await stream.aclose()


@WAYS_TO_CANCEL
async def test_connecting_that_is_cancelled_leaves_no_socket(found: dict[str, Address], cancelled: Any) -> None:
    with hanging() as hung:
        found["only"] = hung
        before = open_files()
        await cancelled(connect(), lambda: open_files() > before)
        assert open_files() == before


async def test_a_connection_won_in_a_race_that_is_cancelled_is_closed(
    found: dict[str, Address], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asyncio_network, "_NEXT_ADDRESS_SECONDS", 0.01)
    both, is_over, sockets = asyncio.Event(), asyncio.Event(), list[socket.socket]()

    async def sock_connect(loop: Any, sock: socket.socket, address: Address) -> None:
        sockets.append(sock)
        if address[0] == "second":
            both.set()
            # The winner waits for it.
            with anyio.CancelScope(shield=True):
                await is_over.wait()
        await both.wait()

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_connect", sock_connect)
    found |= {"first": (HERE, 1), "second": (HERE, 2)}
    task = asyncio.ensure_future(connect())
    await both.wait()
    await anyio.wait_all_tasks_blocked()
    task.cancel()
    is_over.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [sock.fileno() for sock in sockets] == [-1, -1]


async def test_connecting_has_a_time_limit(found: dict[str, Address]) -> None:
    with hanging() as hung:
        found["only"] = hung
        with pytest.raises(httpcore.ConnectTimeout):
            await connect(timeout=0.01)


async def test_where_all_addresses_fail_each_failure_is_told_once(found: dict[str, Address]) -> None:
    one, other = (HERE, closed_port()), (HERE, closed_port())
    found |= {"first": one, "second": one, "third": other}
    with pytest.raises(httpcore.ConnectError) as caught:
        await connect()
    first, second = str(caught.value).split("; ")
    assert str(one) in first
    assert str(other) in second


def test_families_take_turns_in_the_resolvers_order() -> None:
    v4, v6 = socket.AF_INET, socket.AF_INET6
    names = [(v6, "::1"), (v6, "::2"), (v6, "::3"), (v4, "1.1.1.1"), (v4, "2.2.2.2")]
    turns = _in_turn([(family, socket.SOCK_STREAM, 6, "", host) for family, host in names])
    assert turns == [(v6, "::1"), (v4, "1.1.1.1"), (v6, "::2"), (v4, "2.2.2.2"), (v6, "::3")]


async def test_socket_options_are_set() -> None:
    async with pair(socket_options=[(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]) as (stream, _):
        connected: socket.socket = stream.get_extra_info("socket")
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        # Nagle's algorithm is off without being asked for.
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


async def test_an_option_that_the_system_refuses_is_an_error_and_leaves_no_socket() -> None:
    before = open_files()
    with listening() as listener, pytest.raises(httpcore.ConnectError):
        await connect(listener.getsockname()[1], socket_options=[(socket.SOL_SOCKET, 9999, 1)])
    assert open_files() == before


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.2 is not the machine's own unless it is set up")
async def test_the_local_address_is_the_one_asked_for() -> None:
    async with pair(local_address="127.0.0.2") as (stream, server):
        assert server.getpeername() == stream.get_extra_info("client_addr")
        assert server.getpeername()[0] == "127.0.0.2"
        assert stream.get_extra_info("server_addr") == server.getsockname()


async def test_a_read_takes_what_has_arrived_at_most_so_much_and_keeps_the_rest() -> None:
    async with pair() as (stream, server):
        server.send(b"one")
        await until(lambda: stream.get_extra_info("is_readable"))
        server.send(b"two")
        await anyio.wait_all_tasks_blocked()
        assert await stream.read(2) == b"on"
        assert await stream.read(1) + await stream.read(3) == b"etwo"
        assert not stream.get_extra_info("is_readable")


async def test_a_stream_is_readable_with_bytes_and_at_the_end() -> None:
    async with pair() as (stream, server):
        assert not stream.get_extra_info("is_readable")
        server.send(b"x")
        await until(lambda: stream.get_extra_info("is_readable"))
        await stream.read(1)
        assert not stream.get_extra_info("is_readable")
        server.close()
        await until(lambda: stream.get_extra_info("is_readable"))


async def test_the_end_is_told_again_and_again() -> None:
    async with pair() as (stream, server):
        server.send(b"x")
        server.close()
        assert [await stream.read(10, timeout=10) for _ in range(4)] == [b"x", b"", b"", b""]


async def test_a_reset_comes_after_the_bytes_before_it_and_is_told_again_and_again() -> None:
    async with pair() as (stream, server):
        server.send(b"x")
        await until(lambda: stream.get_extra_info("is_readable"))
        reset(server)
        await until(lambda: not is_open(stream))
        assert await stream.read(10) == b"x"
        for _ in range(2):
            with pytest.raises(httpcore.ReadError):
                await stream.read(10)


async def test_a_read_waits_no_longer_than_told_and_loses_nothing_by_it() -> None:
    async with pair() as (stream, server):
        with pytest.raises(httpcore.ReadTimeout):
            await stream.read(10, timeout=0.01)
        server.send(b"x")
        assert await stream.read(10, timeout=10) == b"x"


async def test_a_slow_reader_stops_the_server_and_gets_all_in_the_end() -> None:
    # More than the two ends hold at most.
    size, received = 4 * KIB * KIB, 0
    async with pair() as (stream, server):
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 128 * KIB)
        sent = asyncio.ensure_future(asyncio.get_running_loop().sock_sendall(server, b"x" * size))
        sent.add_done_callback(lambda _: server.close())
        connection: Any = vars(stream)["_connection"]
        await until(lambda: not connection.transport.is_reading())
        await anyio.wait_all_tasks_blocked()
        assert not sent.done()
        while piece := await stream.read(64 * KIB, timeout=10):
            received += len(piece)
            # Time for more to arrive.
            await anyio.sleep(0.001)
            held = sum(map(len, connection._chunks))
            # The transport reads so much at once.
            assert held <= asyncio_network._HIGH_WATER_BYTES + 256 * KIB
        assert received == size


async def test_a_server_that_ends_its_half_is_heard_though_it_reads_nothing() -> None:
    async with pair(socket_options=SMALL_BUFFERS) as (stream, server), anyio.create_task_group() as tasks:
        tasks.start_soon(stream.write, b"x" * KIB * KIB)
        await anyio.wait_all_tasks_blocked()
        server.shutdown(socket.SHUT_WR)
        assert await stream.read(10, timeout=10) == b""
        await stream.aclose()


async def test_a_write_waits_until_the_server_takes_it() -> None:
    size, loop = 256 * KIB, asyncio.get_running_loop()
    async with pair(socket_options=SMALL_BUFFERS) as (stream, server), anyio.create_task_group() as tasks:
        written = anyio.Event()

        async def write() -> None:
            await stream.write(b"x" * size, timeout=60)
            written.set()

        tasks.start_soon(write)
        await anyio.wait_all_tasks_blocked()
        assert not written.is_set()
        taken = 0
        while taken < size:
            taken += len(await loop.sock_recv(server, 64 * KIB))
        await written.wait()


async def test_a_write_waits_no_longer_than_told() -> None:
    async with pair(socket_options=SMALL_BUFFERS) as (stream, _):
        with pytest.raises(httpcore.WriteTimeout):
            await stream.write(b"x" * KIB * KIB, timeout=0.01)


async def test_a_write_does_not_outlast_its_connection() -> None:
    async with pair(socket_options=SMALL_BUFFERS) as (stream, server), anyio.create_task_group() as tasks:
        tasks.start_soon(stream.write, b"x" * KIB * KIB)
        await anyio.wait_all_tasks_blocked()
        reset(server)
        with pytest.raises(httpcore.ReadError):
            await stream.read(10)


async def test_a_closed_stream_is_neither_read_nor_written() -> None:
    async with pair() as (stream, server):
        server.send(b"x")
        await until(lambda: stream.get_extra_info("is_readable"))
        await stream.aclose()
        assert not is_open(stream)
        with pytest.raises(httpcore.ReadError, match="the connection is closed"):
            await stream.read(10)
        with pytest.raises(httpcore.WriteError, match="the connection is closed"):
            await stream.write(b"x")
        await stream.aclose()


async def test_a_read_that_waits_while_the_stream_is_closed_finds_no_end() -> None:
    async with pair() as (stream, _), anyio.create_task_group() as tasks:

        async def read() -> None:
            with pytest.raises(httpcore.ReadError, match="the connection is closed"):
                await stream.read(10)

        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await stream.aclose()


async def test_closing_is_done_when_it_returns_even_if_cancelled() -> None:
    async with pair() as (stream, server):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await stream.aclose()
        assert not is_open(stream)
        assert await asyncio.get_running_loop().sock_recv(server, 10) == b""


async def test_sleeping_can_be_cancelled() -> None:
    with anyio.move_on_after(0.01) as scope:
        await AsyncioNetwork().sleep(1e6)
    assert scope.cancelled_caught
