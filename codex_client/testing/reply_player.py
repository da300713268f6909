"""Plays one reply on one connection."""

from __future__ import annotations

import ssl
from enum import Enum, auto
from typing import assert_never

import anyio

from codex_client.testing.connection import HttpConnection
from codex_client.testing.reply_encoding import ReplyWire
from codex_client.testing.scripts import Close, Hold, Pause, PlainStep, Reply, Reset, Send, Stall, unrolled
from codex_client.testing.waits import Rests


class Ending(Enum):
    """What becomes of the connection after a reply."""

    KEEP = auto()
    CLOSE = auto()
    RESET = auto()


class ReplyPlayer:
    """One reply to the request that `connection` has just read."""

    def __init__(self, reply: Reply, connection: HttpConnection, rests: Rests, *, method: str) -> None:
        self._reply = reply
        self._connection = connection
        self._rests = rests
        self._wire = ReplyWire(
            reply, method=method, http_version=connection.http_version, keep_alive=connection.keep_alive
        )

    async def play(self) -> Ending:
        """Answer, and say how to go on. The client's leaving ends it at any point, also while it waits."""
        ending = Ending.CLOSE
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch, tasks.cancel_scope)
            try:
                ending = await self._play()
            except (anyio.BrokenResourceError, ssl.SSLError):
                ending = Ending.CLOSE
            tasks.cancel_scope.cancel()
        return ending

    async def _watch(self, answering: anyio.CancelScope) -> None:
        await self._connection.client_left()
        answering.cancel()

    async def _play(self) -> Ending:
        for step in unrolled(self._reply.before_head):
            if ending := await self._do(step):
                return ending
        await self._connection.send([self._wire.head])
        for step in unrolled(self._reply.steps):
            if ending := await self._do(step):
                return ending
        await self._connection.send(self._wire.feed_eof())
        return Ending.KEEP if self._wire.keep_alive else Ending.CLOSE

    async def _do(self, step: PlainStep) -> Ending | None:
        """One step; an ending where it is the last."""
        match step:
            case Send(content):
                await self._connection.send(self._wire.feed(content))
            case Pause() | Hold() | Stall():
                await self._rests.rest(step)
            case Close():
                return Ending.CLOSE
            case Reset():
                await self._connection.all_sent()
                return Ending.RESET
            case _:
                assert_never(step)
        return None
