"""What the tests of the clients share: a client over a real socket, and the count of what must not leak."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from codex_client.client.config import ClientConfig, RetryPolicy
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import ManualClock, ReplayServer

NO_RETRIES = RetryPolicy(request_max_retries=0, stream_max_retries=0)


def open_files() -> int:
    """Sockets, files and pipes that this process holds."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@asynccontextmanager
async def serve(
    script: Any, *, wire_api: Any = "responses", retry: RetryPolicy = NO_RETRIES, **options: Any
) -> AsyncGenerator[tuple[RoutedApiClient, ReplayServer]]:
    """A client and a server that answers by `script`. After the block no connection, file or problem may be left."""
    gc.collect()
    before = open_files()
    async with ReplayServer(script) as server:
        config = ClientConfig(provider=server.provider(wire_api), model="test-model", retry=retry, **options)
        async with RoutedApiClient(config) as client:
            yield client, server
        await server.idle()
    gc.collect()
    assert open_files() <= before


@pytest.fixture(name="serve")
def serve_fixture() -> Callable[..., AbstractAsyncContextManager[tuple[RoutedApiClient, ReplayServer]]]:
    return serve


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(auto_advance=True)
