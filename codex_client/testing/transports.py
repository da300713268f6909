"""An httpx transport that answers by a script, without a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Self, TypeAlias, assert_never

import anyio.lowlevel
import httpx

from codex_client.api import Clock, SystemClock
from codex_client.testing.reply_encoding import BodyPieces
from codex_client.testing.requests import RecordedRequest, Replies, Script, recorded
from codex_client.testing.scripts import (
    Close,
    Hold,
    Pause,
    PlainStep,
    Reply,
    ReplyLike,
    Reset,
    Send,
    Stall,
    as_reply,
    unrolled,
)
from codex_client.testing.waits import Changes, Rests

TransportReply: TypeAlias = ReplyLike | Exception


class ScriptedTransport(httpx.AsyncBaseTransport):
    """Answers by a script: `httpx.AsyncClient(transport=ScriptedTransport([...]))`.

    `replies` as for `ReplayServer`; an exception among them, such as `httpx.ConnectError("refused")`, is raised in
    place of an answer. Steps do what they do to a client of the server: `Reset` is a `httpx.ReadError`, `Close` within
    the body a `httpx.RemoteProtocolError`. A request that finds no reply raises `AssertionError` at once.
    """

    requests: list[RecordedRequest]
    """Every request, in order."""

    open_responses: int
    """Responses that were given and are not closed."""

    def __init__(
        self, replies: Replies[TransportReply] | Mapping[str, Replies[TransportReply]], *, clock: Clock | None = None
    ) -> None:
        self.requests = []
        self.open_responses = 0
        self._missing: list[str] = []
        self._script: Script[TransportReply] = Script(replies)
        self._rests = Rests(clock or SystemClock(), Changes())

    def release(self, holds: int = 1) -> None:
        """Let that many `Hold`s go, reached or still to come."""
        self._rests.release(holds)

    async def at_rest(self, replies: int = 1, *, within: float = 10.0) -> None:
        """Wait until that many replies stand at a `Hold` or `Stall`. Raises `AssertionError` after `within` seconds."""
        await self._rests.reached(replies, within)

    def assert_complete(self) -> None:
        """Raise `AssertionError` if a request found no reply, a reply is left, or a response is not closed."""
        unused = [f"{self._script.unused} replies were not asked for"] if self._script.unused else []
        unclosed = [f"{self.open_responses} responses are not closed"] if self.open_responses else []
        if complaints := [*self._missing, *unused, *unclosed]:
            raise AssertionError("; ".join(complaints))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        await anyio.lowlevel.checkpoint()
        self.requests.append(recorded(request))
        reply = self._script.choose(self.requests[-1])
        if reply is None:
            missing = f"no reply for request {len(self.requests)}, {request.method} {self.requests[-1].path}"
            self._missing.append(missing)
            raise AssertionError(f"{missing}, is in the script or left")
        if isinstance(reply, Exception):
            raise reply
        return await self._answer(as_reply(reply))

    async def _answer(self, reply: Reply) -> httpx.Response:
        if reply.transfer == "raw":
            raise ValueError("a raw reply needs a connection; play it with a ReplayServer")
        for step in unrolled(reply.before_head):
            await self._before_head(step)
        encoding = [("content-encoding", "gzip")] if reply.gzip else []
        self.open_responses += 1
        stream = ScriptedStream(reply, self._rests, self._closed)
        return httpx.Response(reply.status, headers=[*reply.header_list, *encoding], stream=stream)

    async def _before_head(self, step: PlainStep) -> None:
        match step:
            case Pause() | Hold() | Stall():
                await self._rests.rest(step)
            case Reset():
                raise httpx.ReadError("the connection was reset before the head, as scripted")
            case Close() | Send():
                raise httpx.RemoteProtocolError("server disconnected without sending a response, as scripted")
            case _:
                assert_never(step)

    def _closed(self) -> None:
        self.open_responses -= 1


class ScriptedStream(httpx.AsyncByteStream):
    """The body of a scripted reply. An iterator and not a generator, since a generator that is left early wants closing
    of its own.
    """

    def __init__(self, reply: Reply, rests: Rests, on_close: Callable[[], None]) -> None:
        self._parts = _parts(reply)
        self._ends_by_closing = reply.transfer == "close"
        self._rests = rests
        self._on_close: Callable[[], None] | None = on_close

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        await anyio.lowlevel.checkpoint()
        for part in self._parts:
            match part:
                case bytes():
                    return part
                case Pause() | Hold() | Stall():
                    await self._rests.rest(part)
                case Reset() | Close():
                    self._parts = iter(())
                    raise self._end_by(part)
                case _:
                    assert_never(part)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        if self._on_close is not None:
            self._on_close()
            self._on_close = None

    def _end_by(self, step: Reset | Close) -> Exception:
        if isinstance(step, Reset):
            return httpx.ReadError("the connection was reset within the body, as scripted")
        if self._ends_by_closing:
            return StopAsyncIteration()
        return httpx.RemoteProtocolError("peer closed the connection within the body, as scripted")


def _parts(reply: Reply) -> Iterator[bytes | Pause | Hold | Stall | Close | Reset]:
    pieces = BodyPieces(reply)
    for step in unrolled(reply.steps):
        if isinstance(step, Send):
            yield from pieces.feed(step.content)
        else:
            yield step
    yield from pieces.feed_eof()
