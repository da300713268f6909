"""Which port a login listens on, and what it does about one that is taken."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute

from codex_client.auth.loopback import listen_on_loopback
from codex_client.errors import LoginError
from codex_client.testing import ManualClock, ReplayServer, Reply, Stall

FAMILIES = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


@contextmanager
def taken(family: socket.AddressFamily = socket.AF_INET) -> Iterator[int]:
    """A port that somebody holds who takes no connections."""
    with socket.socket(family) as holder:
        try:
            holder.bind((FAMILIES[family], 0))
        except OSError:
            pytest.skip("this system has no ::1")
        yield holder.getsockname()[1]


@asynccontextmanager
async def listening(*ports: int, clock: ManualClock | None = None) -> AsyncIterator[tuple[int, list[Any]]]:
    port, listeners = await listen_on_loopback(ports, clock=clock or ManualClock(auto_advance=True))
    try:
        yield port, [each.extra(SocketAttribute.local_address)[:2] for each in listeners]
    finally:
        for each in listeners:
            await each.aclose()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def hosts() -> list[str]:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return ["127.0.0.1", "::1"]
    except OSError:
        return ["127.0.0.1"]


async def test_it_listens_on_both_loopbacks_with_one_port() -> None:
    wanted = free_port()
    async with listening(wanted) as (port, addresses):
        assert port == wanted
        assert addresses == [(host, wanted) for host in hosts()]


async def test_a_system_without_ipv6_has_one_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    # An address that no machine has stands for one that this machine does not have.
    loopbacks = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "2001:db8::1"))
    monkeypatch.setattr("codex_client.auth.loopback._LOOPBACKS", loopbacks)
    wanted = free_port()
    async with listening(wanted) as (_, addresses):
        assert addresses == [("127.0.0.1", wanted)]


async def test_the_system_may_choose_the_port() -> None:
    async with listening(0) as (port, addresses):
        assert port > 0
        assert addresses == [(host, port) for host in hosts()]


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_port_that_is_taken_on_one_loopback_is_taken(family: socket.AddressFamily) -> None:
    wanted = free_port()
    with taken(family) as busy:
        async with listening(busy, wanted, clock=ManualClock()) as (port, addresses):
            assert (port, len(addresses)) == (wanted, len(hosts()))


async def test_where_all_are_taken_it_says_which_and_what_to_do() -> None:
    with taken() as first, taken() as second:
        with pytest.raises(LoginError) as caught:
            await listen_on_loopback((first, second), clock=ManualClock(auto_advance=True))
        assert str(caught.value) == (
            f"ports {first} and {second} are taken (another login, or the official CLI, is running) or not allowed; "
            "end what runs there, or log in by pasting the address or with a device code"
        )
        with pytest.raises(LoginError, match=f"^port {first} is taken "):
            await listen_on_loopback((first,), clock=ManualClock(auto_advance=True))


class EndsWhileWaiting(ManualClock):
    """While somebody sleeps by this clock, the holder of the port goes away."""

    def __init__(self, holder: socket.socket) -> None:
        super().__init__(auto_advance=True)
        self._holder = holder

    async def sleep(self, seconds: float) -> None:
        if len(self.sleeps) == 2:
            self._holder.close()
        await super().sleep(seconds)


async def test_who_agrees_to_end_its_login_is_waited_for() -> None:
    """As the Codex CLI does it."""
    answered: list[bytes] = []

    async def agree(holder: socket.socket) -> None:
        await anyio.wait_readable(holder)
        sock, _ = holder.accept()
        async with await anyio.abc.SocketStream.from_socket(sock) as stream:
            answered.append(await stream.receive())
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as holder:
        holder.setblocking(False)
        clock, wanted = EndsWhileWaiting(holder), holder.getsockname()[1]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(agree, holder)
            async with listening(wanted, clock=clock) as (port, _):
                assert port == wanted
    assert clock.sleeps == [0.2] * 3
    assert answered[0].startswith(f"GET /cancel HTTP/1.1\r\nHost: 127.0.0.1:{wanted}\r\n".encode())


async def test_who_says_nothing_is_waited_for_for_two_seconds() -> None:
    clock, wanted = ManualClock(), free_port()
    ports: list[int] = []

    async def listen(busy: int) -> None:
        async with listening(busy, wanted, clock=clock) as (port, _):
            ports.append(port)

    async with ReplayServer(Reply(before_head=[Stall()])) as holder, anyio.create_task_group() as tasks:
        tasks.start_soon(listen, int(holder.url.rpartition(":")[2]))
        await holder.at_rest()
        await clock.wait_for_timer(2.0)
        clock.advance(2.0)
    assert ports == [wanted]


@pytest.mark.parametrize(
    "reply, waits",
    [(Reply(), 10), (Reply(status=404), 0), (Reply.raw(b"SSH-2.0 200 \r\n"), 0)],
    ids=["agrees and stays", "404", "no HTTP"],
)
async def test_it_waits_only_for_who_agrees_and_then_takes_the_next(reply: Reply, waits: int) -> None:
    clock, wanted = ManualClock(auto_advance=True), free_port()
    async with ReplayServer([reply]) as holder:
        async with listening(int(holder.url.rpartition(":")[2]), wanted, clock=clock) as (port, _):
            assert port == wanted
        assert len(holder.requests) == 1
    assert clock.sleeps == [0.2] * waits
