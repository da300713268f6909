"""A body that gives what has arrived: with `ready` in one piece and without a wait, else chunk by chunk."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import httpcore
import httpx
import pytest
from hypothesis import given, strategies as st

from codex_client.client.body import EagerBody
from codex_client.client.network import Network, PausingStream

T = TypeVar("T")

BROKEN = httpcore.ReadError("broken")
# The line after which, as in a body of known length, nothing is read any more.
LAST = b"end\n"


class FakeNetwork(httpcore.AsyncNetworkStream):
    """Reads that are given beforehand, then the end. `arrived` is set when the next one may be had."""

    def __init__(self, *reads: bytes | Exception) -> None:
        self.arrived: anyio.Event | None = None
        self.reads_made: int = 0
        self._reads = list(reads)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        self.reads_made += 1
        if self.arrived is not None:
            await self.arrived.wait()
        content = self._reads.pop(0) if self._reads else b""
        if isinstance(content, Exception):
            raise content
        return content


@contextmanager
def renamed() -> Generator[None]:
    try:
        yield
    except httpcore.ReadError as error:
        raise httpx.ReadError(str(error)) from error


class Opened:
    """A body over these reads, with all that it touches. As with httpcore one read is many chunks: a line each.

    `before` is awaited before each line.
    """

    def __init__(self, *reads: bytes | Exception, before: Callable[[bytes], Awaitable[None]] | None = None) -> None:
        self.closed: list[bool] = []
        self.network = FakeNetwork(*reads)
        self.stream = PausingStream(self.network)
        self.chunks = self._lines(before)
        self.body = EagerBody(self.chunks, self.stream, renamed, self.close)

    async def close(self, was_read: bool) -> None:
        self.closed.append(was_read)
        await self.chunks.aclose()

    async def _lines(self, before: Callable[[bytes], Awaitable[None]] | None) -> AsyncGenerator[bytes]:
        while content := await self.stream.read(64):
            for line in content.splitlines(keepends=True):
                if before is not None:
                    await before(line)
                if line == LAST:
                    return
                yield line


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """What it returns without any event loop; fails where it would wait for one."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    work.close()
    raise AssertionError("it waits")


async def test_the_chunks_come_one_by_one() -> None:
    opened = Opened(b"1\n2\n", b"3\n")
    assert [chunk async for chunk in opened.body] == [b"1\n", b"2\n", b"3\n"]
    with pytest.raises(StopAsyncIteration):
        await anext(opened.body)


async def test_what_one_read_brought_is_ready_in_one_piece() -> None:
    opened = Opened(b"1\n2\n3\n", b"4\n5\n")
    assert await anext(opened.body) == b"1\n"
    assert await opened.body.ready() == b"2\n3\n"
    assert await opened.body.ready() == b""
    assert await anext(opened.body) == b"4\n"
    assert await opened.body.ready() == b"5\n"
    with pytest.raises(StopAsyncIteration):
        await anext(opened.body)


def test_a_piece_has_at_most_32_chunks() -> None:
    opened = Opened(b"x\n" * 100)
    assert at_once(opened.body.__anext__()) == b"x\n"
    sizes = [len(at_once(opened.body.ready())) // 2 for _ in range(5)]
    assert sizes == [32, 32, 32, 3, 0]
    with pytest.raises(StopAsyncIteration):
        at_once(opened.body.__anext__())


def test_looking_never_begins_a_read() -> None:
    opened = Opened(b"1\n2\n", b"3\n")
    for _ in range(2):
        assert at_once(opened.body.ready()) == b""
        assert opened.network.reads_made == 0
    at_once(opened.body.__anext__())
    assert [at_once(opened.body.ready()) for _ in range(3)] == [b"2\n", b"", b""]
    assert opened.network.reads_made == 1
    assert not opened.stream.pausing
    assert at_once(opened.body.__anext__()) == b"3\n"
    with pytest.raises(StopAsyncIteration):
        at_once(opened.body.__anext__())


async def test_a_read_that_looking_came_to_is_made_by_the_next_that_waits() -> None:
    opened = Opened(b"1\n", b"2\n3\n")
    assert await anext(opened.body) == b"1\n"
    assert await opened.body.ready() == b""
    opened.network.arrived = anyio.Event()
    read: list[bytes] = []

    async def read_on() -> None:
        read.append(await anext(opened.body))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read_on)
        await anyio.wait_all_tasks_blocked()
        assert (read, opened.network.reads_made) == ([], 2)
        opened.network.arrived.set()
    assert read == [b"2\n"]
    assert await opened.body.ready() == b"3\n"
    assert [chunk async for chunk in opened.body] == []


async def test_a_read_that_looking_came_to_can_be_cancelled() -> None:
    opened = Opened(b"1\n", b"2\n")
    await anext(opened.body)
    await opened.body.ready()
    opened.network.arrived = anyio.Event()
    with anyio.move_on_after(0.01) as scope:
        await anext(opened.body)
    assert scope.cancelled_caught


@pytest.mark.parametrize("looks", [True, False])
async def test_bytes_come_before_the_failure_and_the_failure_again_and_again(looks: bool) -> None:
    async def refuse(line: bytes) -> None:
        if line == b"bad\n":
            raise BROKEN

    opened = Opened(b"1\n2\nbad\n", before=refuse)
    assert await anext(opened.body) == b"1\n"
    assert await (opened.body.ready() if looks else anext(opened.body)) == b"2\n"
    for _ in range(3):
        with pytest.raises(httpx.ReadError, match="broken") as caught:
            await anext(opened.body)
        assert caught.value.__cause__ is BROKEN
        assert await opened.body.ready() == b""
    await opened.body.aclose()
    assert opened.closed == [False]


async def test_a_failure_of_the_network_is_a_failure_of_the_next_read() -> None:
    opened = Opened(b"1\n2\n", BROKEN)
    await anext(opened.body)
    assert [await opened.body.ready() for _ in range(2)] == [b"2\n", b""]
    for _ in range(2):
        with pytest.raises(httpx.ReadError, match="broken"):
            await anext(opened.body)


async def test_the_end_comes_after_what_is_ready() -> None:
    opened = Opened(b"1\n2\nend\n")
    await anext(opened.body)
    assert await opened.body.ready() == b"2\n"
    assert await opened.body.ready() == b""
    for _ in range(2):
        with pytest.raises(StopAsyncIteration):
            await anext(opened.body)
    await opened.body.aclose()
    assert opened.closed == [True]


@pytest.mark.parametrize("reads, was_read", [(0, False), (1, False), (2, False), (3, True)])
async def test_closing_tells_whether_the_body_was_read_to_its_end(reads: int, was_read: bool) -> None:
    opened = Opened(b"1\n2\n")
    for _ in range(reads):
        await anext(opened.body, None)
    await opened.body.aclose()
    assert opened.closed == [was_read]


async def test_without_a_network_to_watch_nothing_is_ready() -> None:
    opened = Opened(b"1\n2\n")
    body = EagerBody(opened.chunks, None, renamed, opened.close)
    assert await body.ready() == b""
    assert await anext(body) == b"1\n"
    assert await body.ready() == b""
    assert [chunk async for chunk in body] == [b"2\n"]


async def test_what_the_generator_awaits_besides_the_network_is_awaited() -> None:
    lock = anyio.Lock()

    async def wait(line: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        async with lock:
            await anyio.lowlevel.checkpoint()

    opened = Opened(b"1\n2\n3\n", before=wait)
    await anext(opened.body)
    read: list[bytes] = []

    async def look() -> None:
        read.append(await opened.body.ready())

    async with anyio.create_task_group() as tasks, lock:
        tasks.start_soon(look)
        await anyio.wait_all_tasks_blocked()
        assert read == []
    assert read == [b"2\n3\n"]
    assert [chunk async for chunk in opened.body] == []


async def test_a_look_that_is_cancelled_tells_the_generator() -> None:
    told: list[str] = []

    async def wait(line: bytes) -> None:
        if line == b"1\n":
            return
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            told.append("cancelled")
            raise

    opened = Opened(b"1\n2\n", before=wait)
    await anext(opened.body)
    with anyio.move_on_after(0.01) as scope:
        await opened.body.ready()
    assert scope.cancelled_caught
    assert told == ["cancelled"]
    assert not opened.stream.pausing


async def test_a_generator_that_goes_on_after_an_exception_is_followed() -> None:
    async def wait(line: bytes) -> None:
        with anyio.move_on_after(0.01 if line != b"1\n" else 0):
            await anyio.sleep_forever()
        await anyio.lowlevel.checkpoint()

    opened = Opened(b"1\n2\n3\nend\n", before=wait)
    await anext(opened.body)
    assert await opened.body.ready() == b"2\n3\n"


@given(
    st.lists(st.lists(st.text("ab", max_size=3), min_size=1, max_size=40)),
    st.lists(st.booleans()),
    st.sampled_from([b"", LAST]),
)
def test_however_it_is_cut_and_asked_for_the_bytes_are_the_same(
    pieces: list[list[str]], looks: list[bool], end: bytes
) -> None:
    reads = ["".join(f"{line}\n" for line in lines).encode() for lines in pieces]
    opened = Opened(*reads, *[end] * bool(end))
    received, asked = b"", iter(looks)
    while True:
        if next(asked, False):
            received += at_once(opened.body.ready())
            continue
        try:
            received += at_once(opened.body.__anext__())
        except StopAsyncIteration:
            break
    assert received == b"".join(reads)
    assert opened.network.reads_made == len(reads) + 1


async def test_a_stream_that_does_not_pause_reads_at_once() -> None:
    stream = PausingStream(FakeNetwork(b"1"))
    assert await stream.read(10) == b"1"


async def test_the_network_remembers_the_newest_connection() -> None:
    network = Network()
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        for _ in range(2):
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            stream = await network.connect_tcp("127.0.0.1", port)
            assert isinstance(stream, PausingStream)
            assert network.newest is vars(stream)["_stream"]
            await stream.aclose()


async def test_sleeping_can_be_cancelled() -> None:
    with anyio.move_on_after(0.01) as scope:
        await Network().sleep(1e6)
    assert scope.cancelled_caught
