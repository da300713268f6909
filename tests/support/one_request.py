"""An executor that sends each request once, and answers that are read to their end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from codex_client.auth.static import NoAuth
from codex_client.client.answer import HttpAnswer
from codex_client.client.config import ClientConfig, RetryPolicy
from codex_client.client.http import RequestExecutor
from codex_client.client.retry import AttemptBudget
from codex_client.testing import ReplayServer, Reply, Stall

FIRST = b"data: 1\n\n"
LAST = b"data: 2\n\n"
OPEN_ENDED = Reply(body=[FIRST, Stall()], transfer="chunked")


@asynccontextmanager
async def executing(replies: Any, **options: Any) -> AsyncIterator[tuple[RequestExecutor, ReplayServer]]:
    """An executor of a server with these replies; when the block is left no connection may be open."""
    async with ReplayServer(replies) as server:
        config = ClientConfig(provider=server.provider(), model="m", retry=RetryPolicy(), **options)
        executor = RequestExecutor(config, auth=NoAuth())
        yield executor, server
        await executor.aclose()
        await server.idle()


async def open_one(executor: RequestExecutor) -> HttpAnswer:
    return await executor.open(b"{}", budget=AttemptBudget(0, 0))


async def rest_of(answer: HttpAnswer) -> bytes:
    body = b""
    while chunk := await answer.read_chunk():
        body += chunk
    return body
