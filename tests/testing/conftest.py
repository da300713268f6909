"""What the tests of the kit share: a plain httpx client before a replay server, and the count of what must not leak."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import httpx
import pytest

from codex_client.testing import ReplayServer

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[ReplayServer, httpx.AsyncClient]]]


def open_files() -> int:
    """Sockets, files and pipes that this process holds."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@pytest.fixture(name="serve")
def serve_fixture() -> Serve:
    return serve


@asynccontextmanager
async def serve(script: Any, **options: Any) -> AsyncGenerator[tuple[ReplayServer, httpx.AsyncClient]]:
    """A server and a client of it. Once the client is closed no connection may be left, in the end no file."""
    gc.collect()
    before = open_files()
    verify = options.pop("verify", False)
    async with ReplayServer(script, **options) as server:
        async with httpx.AsyncClient(base_url=server.base_url, verify=verify, timeout=30) as client:
            yield server, client
        await server.idle()
        assert server.open_connections == 0
    gc.collect()
    assert open_files() <= before


@pytest.fixture
def read_chunks() -> Callable[[httpx.AsyncClient], Any]:
    """POST to `/responses` and give the body's chunks as they came, and the error that ended them, if one did."""

    async def read(client: httpx.AsyncClient) -> tuple[list[bytes], httpx.TransportError | None]:
        chunks: list[bytes] = []
        async with client.stream("POST", "/responses") as response:
            try:
                async for chunk in response.aiter_raw():
                    chunks.append(chunk)
            except httpx.TransportError as error:
                return chunks, error
        return chunks, None

    return read
