"""An executor that tries again, on a clock of its own, and who watches it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from codex_client.api import AuthProvider, TurnRecord
from codex_client.auth.static import NoAuth
from codex_client.client.answer import HttpAnswer
from codex_client.client.config import ClientConfig
from codex_client.client.http import RequestExecutor
from codex_client.testing import ManualClock, ReplayServer

STREAM = b"data: {}\n\n"
BODY = b'{"model":"m","text":"\xc3\xa9"}'


class Observer:
    def __init__(self) -> None:
        self.records: list[TurnRecord] = []

    def record(self, record: TurnRecord) -> None:
        self.records.append(record)


@asynccontextmanager
async def executing(
    replies: Any, *, auth: AuthProvider | None = None, random: float = 0.5, **options: Any
) -> AsyncIterator[tuple[RequestExecutor, ReplayServer, ManualClock]]:
    """An executor of a server that gives these replies, with a clock on which sleeping takes no time."""
    clock = ManualClock(auto_advance=True)
    async with ReplayServer(replies) as server:
        config = ClientConfig(provider=server.provider(), model="m", clock=clock, conversation_id="c-1", **options)
        executor = RequestExecutor(
            config, auth=auth or NoAuth(), dice=lambda: random, new_request_id=iter(["turn-1", "turn-2"]).__next__
        )
        yield executor, server, clock
        await executor.aclose()
        await server.idle()


async def read(answer: HttpAnswer) -> bytes:
    body = b""
    while chunk := await answer.read_chunk():
        body += chunk
    await answer.aclose()
    return body
