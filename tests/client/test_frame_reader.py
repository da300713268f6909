"""Reading a body under its limits, and telling a stream from what is none. Time is turned by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import anyio
import anyio.lowlevel
import pytest

from codex_client.client.sse import FrameReader
from codex_client.errors import (
    CodexError,
    FirstEventTimeoutError,
    FrameTooLargeError,
    IdleTimeoutError,
    UnexpectedContentError,
)
from codex_client.testing.clock import ManualClock

EVENT_STREAM = {"content-type": "text/event-stream; charset=utf-8"}


class WrittenAnswer:
    """Gives the chunks written down; a number among them lets so many seconds pass, None waits for ever."""

    status_code: int | None = 200
    request_id: str | None = None

    def __init__(
        self, clock: ManualClock, *chunks: bytes | float | None, headers: Mapping[str, str] = EVENT_STREAM
    ) -> None:
        self._clock = clock
        self._chunks = list(chunks)
        self.headers = headers
        self.started_at = clock.monotonic()

    async def read_ready(self) -> bytes:
        return b""

    async def read_chunk(self) -> bytes:
        while self._chunks:
            await anyio.lowlevel.checkpoint()
            chunk = self._chunks.pop(0)
            if isinstance(chunk, bytes):
                return chunk
            if chunk is None:
                await anyio.sleep_forever()
            else:
                self._clock.advance(chunk)
                await anyio.lowlevel.checkpoint()
        return b""

    async def aclose(self, *, drain: bool = False) -> None: ...

    def abandon(self) -> None: ...

    def clean(self, text: str) -> str:
        return text


def reader(
    *chunks: bytes | float | None, headers: Mapping[str, str] = EVENT_STREAM, max_frame_bytes: int = 1000
) -> FrameReader:
    clock = ManualClock()
    answer = WrittenAnswer(clock, *chunks, headers=headers)
    return FrameReader(answer, clock=clock, first_event=20.0, idle=10.0, max_frame_bytes=max_frame_bytes)


async def data_of(frames: FrameReader) -> list[str]:
    data: list[str] = []
    while batch := await frames.read():
        data += [frame.data for frame in batch]
    return data


async def test_frames_come_in_batches_one_per_network_read() -> None:
    frames = reader(b"data: a\n\ndata: b\n\n", b"data: ", b"c\n\n")
    assert [frame.data for frame in await frames.read()] == ["a", "b"]
    assert [frame.data for frame in await frames.read()] == ["c"]
    assert await frames.read() == []


async def test_id_and_retry_are_exposed() -> None:
    frames = reader(b"id: 7\nretry: 300\ndata: a\n\n")
    await frames.read()
    assert (frames.last_event_id, frames.retry_ms) == ("7", 300)


async def test_a_last_block_without_its_blank_line_is_kept_apart() -> None:
    frames = reader(b"data: a\n\ndata: [DONE]")
    assert await data_of(frames) == ["a"]
    assert frames.unterminated is not None
    assert frames.unterminated.data == "[DONE]"


async def test_the_first_frame_may_take_longer_than_the_others() -> None:
    assert await data_of(reader(19.0, b"data: a\n\n", 9.0, b"data: b\n\n")) == ["a", "b"]


async def test_a_late_first_frame_is_a_first_event_timeout() -> None:
    with pytest.raises(
        FirstEventTimeoutError, match=r"no first frame within 20.0 s; raise `Timeouts.first_event`"
    ) as raised:
        await reader(20.0, b"data: a\n\n").read()
    assert raised.value.limit_seconds == 20.0


async def test_silence_after_a_frame_is_an_idle_timeout() -> None:
    frames = reader(b"data: a\n\n", 10.0, b"data: b\n\n")
    await frames.read()
    with pytest.raises(IdleTimeoutError, match=r"no frame for 10.0 s; raise `Timeouts.idle`"):
        await frames.read()


@pytest.mark.parametrize("noise", [b": keepalive\n\n", b"data: half", b"event: x\n"])
async def test_comments_and_partial_bytes_move_no_limit(noise: bytes) -> None:
    frames = reader(b"data: a\n\n", 4.0, noise, 4.0, noise, 4.0, noise, b"\n\n")
    await frames.read()
    with pytest.raises(IdleTimeoutError):
        await frames.read()
    with pytest.raises(FirstEventTimeoutError):
        await reader(9.0, noise, 9.0, noise, 9.0, noise).read()


async def test_the_callers_time_before_the_first_read_is_not_the_servers() -> None:
    clock = ManualClock()
    answer = WrittenAnswer(clock, 5.0, b"data: a\n\n")
    frames = FrameReader(answer, clock=clock, first_event=20.0, idle=10.0, max_frame_bytes=1000)
    clock.advance(3600.0)
    assert [frame.data for frame in await frames.read()] == ["a"]


BODIES = [
    (b"\xef\xbb\xbfdata: a\n\ndata: b\n\n", None),
    (b"event: x\ndata: a\n\ndata: b\n\n", None),
    (b"\r\n\r\n: hi\n\ndata: a\n\ndata: b\n\n", None),
    (b"retry: 5\nid: 1\ndata: a\n\ndata: b\n\n", None),
    (b'\xef\xbb\xbf \n{"a": 1}', b'\xef\xbb\xbf \n{"a": 1}'),
    (b'[{"a": 1}]', b'[{"a": 1}]'),
]


@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json", "text/plain", ""])
@pytest.mark.parametrize("cut", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize("body, whole", BODIES)
async def test_what_a_body_is_depends_neither_on_its_cuts_nor_on_its_label(
    body: bytes, whole: bytes | None, cut: int, content_type: str
) -> None:
    chunks = [body[at : at + cut] for at in range(0, len(body), cut)]
    frames = reader(*chunks, headers={"content-type": content_type})
    assert await frames.read_body() == whole
    if whole is None:
        assert await data_of(frames) == ["a", "b"]


async def test_html_under_the_label_of_a_stream_is_told() -> None:
    with pytest.raises(UnexpectedContentError, match="<html>"):
        await reader(b"<html>sign in</html>").read_body()


async def test_an_unknown_field_first_is_still_a_stream_where_the_label_says_so() -> None:
    frames = reader(b"x: 1\ndata: a\n\n")
    assert await frames.read_body() is None
    assert await data_of(frames) == ["a"]


async def test_blanks_without_end_are_refused_at_the_cap() -> None:
    with pytest.raises(FrameTooLargeError, match="more than 1000 bytes and no frame"):
        await reader(*[b" " * 300] * 4, headers={}).read_body()


async def test_a_key_in_a_body_that_is_no_stream_is_masked() -> None:
    with pytest.raises(UnexpectedContentError) as raised:
        await reader(b"Incorrect API key provided: sk-proj-abcdefghijklmnop", headers={}).read_body()
    assert "abcdefghijklmnop" not in str(raised.value) + raised.value.excerpt


async def test_the_callers_own_time_is_not_the_servers() -> None:
    clock = ManualClock()
    answer = WrittenAnswer(clock, b"data: a\n\n", 5.0, b"data: b\n\n")
    frames = FrameReader(answer, clock=clock, first_event=20.0, idle=10.0, max_frame_bytes=1000)
    await frames.read()
    clock.advance(3600.0)
    assert [frame.data for frame in await frames.read()] == ["b"]


async def test_the_first_limit_counts_from_the_attempts_start() -> None:
    clock = ManualClock()
    answer = WrittenAnswer(clock, 5.0, b"data: a\n\n")
    clock.advance(16.0)
    with pytest.raises(FirstEventTimeoutError):
        await FrameReader(answer, clock=clock, first_event=20.0, idle=10.0, max_frame_bytes=1000).read()


async def test_a_frame_above_the_cap_is_refused() -> None:
    with pytest.raises(FrameTooLargeError, match=r"StreamLimits\.max_frame_bytes"):
        await data_of(reader(b"data: " + b"x" * 2000))


async def test_an_event_stream_is_no_body() -> None:
    frames = reader(b"data: a\n\n")
    assert await frames.read_body() is None
    assert await data_of(frames) == ["a"]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
@pytest.mark.parametrize(
    "start", [b"data: a\n\n", b": hi\n\ndata: a\n\n", b"\xef\xbb\xbfdata: a\n\n", b"\r\nevent: x\ndata: a\n\n"]
)
async def test_a_mislabelled_stream_is_told_by_its_first_bytes(content_type: str | None, start: bytes) -> None:
    frames = reader(start, b"data: b\n\n", headers={"content-type": content_type} if content_type else {})
    assert await frames.read_body() is None
    assert await data_of(frames) == ["a", "b"]


@pytest.mark.parametrize("head", [b'{"a": 1', b"\n  ", b"\xef\xbb\xbf[1", b'{"'])
async def test_a_json_answer_is_read_whole(head: bytes) -> None:
    rest = b'{"b": 2}' if not head.strip() else b"]}"
    assert await reader(head, rest, headers={"content-type": "application/json"}).read_body() == head + rest


@pytest.mark.parametrize(
    "chunks, content_type, message",
    [
        (
            [b"<!doctype html><title>Sign in</title>"],
            "text/html",
            r"status 200 with a body of type text/html where .* begins: '<!doctype html><title>Sign in</title>'",
        ),
        ([b"upstream is busy"], "text/plain", "a body of type text/plain"),
        ([b"  "], None, "an empty body"),
        ([], "application/json", "an empty body"),
    ],
)
async def test_what_is_no_answer_is_told_with_its_beginning(
    chunks: list[bytes], content_type: str | None, message: str
) -> None:
    frames = reader(*chunks, headers={"content-type": content_type} if content_type else {})
    with pytest.raises(UnexpectedContentError, match=message) as raised:
        await frames.read_body()
    assert raised.value.content_type == content_type


async def test_a_json_answer_above_the_cap_is_refused() -> None:
    with pytest.raises(FrameTooLargeError, match="more than 1000 bytes"):
        await reader(b"{", b" " * 600, b" " * 600, headers={}).read_body()


@pytest.mark.parametrize("read", [FrameReader.read_body, FrameReader.read])
async def test_a_stall_ends_every_kind_of_read(
    read: Callable[[FrameReader], Awaitable[object]],
) -> None:
    clock = ManualClock()
    frames = FrameReader(
        WrittenAnswer(clock, None, headers={}), clock=clock, first_event=20.0, idle=10.0, max_frame_bytes=10
    )
    failures: list[CodexError] = []

    async def read_on() -> None:
        try:
            await read(frames)
        except CodexError as error:
            failures.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read_on)
        await clock.wait_for_timer(20.0)
        clock.advance(20.0)
    assert isinstance(failures[0], FirstEventTimeoutError)


class Flood(WrittenAnswer):
    """Comments that have always arrived already; each look takes a second of the clock."""

    async def read_ready(self) -> bytes:
        self._clock.advance(1.0)
        return b":\n\n"


async def test_a_flood_of_comments_that_is_never_waited_for_does_not_outrun_the_limit() -> None:
    clock = ManualClock()
    frames = FrameReader(Flood(clock), clock=clock, first_event=20.0, idle=10.0, max_frame_bytes=1000)
    with anyio.fail_after(30), pytest.raises(FirstEventTimeoutError):
        await frames.read()
    assert clock.monotonic() == 20.0
