"""Processes that share a store make one refresh between them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest

from codex_client.auth.file_store import FileTokenStore
from codex_client.auth.refresh import RefreshingAuth
from codex_client.testing.account_server import AccountServer
from codex_client.testing.scripts import Hold
from tests.support.processes import waiting

MODULE = "tests.support.refreshing_process"


async def raced(path: Path, backend: str, count: int, server: AccountServer, *, holds: int) -> list[dict[str, Any]]:
    """What became of so many processes that begin at the same moment."""
    outcomes: list[dict[str, Any]] = []
    async with AsyncExitStack() as stack:
        running = [await stack.enter_async_context(waiting(MODULE, str(path), backend, "--wait")) for _ in range(count)]
        for each in running:
            await each.ready()
        for each in running:
            await each.start()
        if holds:
            await server.received(1, within=30)
            server.release(holds)
        for each in running:
            outcomes.append(await each.outcome())
    return outcomes


@pytest.mark.parametrize("count, holds", [(2, 0), (3, 1)])
async def test_processes_that_refresh_one_store_at_once_make_one_call_and_all_go_on(
    tmp_path: Path, anyio_backend: str, count: int, holds: int
) -> None:
    store = FileTokenStore(tmp_path / "accounts.json")
    async with AccountServer() as server:
        first = server.issue(server.add_account(), lifetime=-10)
        await store.save(first)
        if holds:
            server.disturb("/oauth/token", Hold())
        outcomes = await raced(store.path, anyio_backend, count, server, holds=holds)
        stored = (await store.load())[first.key]
        assert outcomes == [{"fingerprint": stored.fingerprint}] * count
        assert stored.fingerprint != first.fingerprint
        assert (server.refreshes, server.problems) == (1, [])


async def test_two_stores_of_one_file_in_one_process_make_one_call(tmp_path: Path) -> None:
    async with AccountServer() as server:
        first = server.issue(server.add_account(), lifetime=-10)
        await FileTokenStore(tmp_path / "accounts.json").save(first)
        tokens: list[str] = []

        async def renew() -> None:
            async with RefreshingAuth(FileTokenStore(tmp_path / "accounts.json")) as auth:
                tokens.append((await auth.tokens()).fingerprint)

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(renew)
        assert (len(tokens), len(set(tokens)), server.refreshes, server.problems) == (5, 1, 1, [])
        assert first.fingerprint not in tokens
