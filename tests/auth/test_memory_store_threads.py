"""The lock of a store in memory, over threads with an event loop each."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from codex_client.api import SystemClock
from codex_client.auth.environment_store import EnvironmentTokenStore
from codex_client.auth.oauth import OAuthClient, RefreshReason
from codex_client.auth.refresh import RefreshingAuth
from codex_client.auth.store import MemoryTokenStore
from codex_client.auth.tokens import TokenSet
from codex_client.errors import TokenStoreError
from codex_client.testing import ManualClock
from tests.support.logins import NOW, login


class GivenUpError(Exception):
    """Of a task that would have to wait."""


class ImpatientClock(SystemClock):
    async def sleep(self, seconds: float) -> None:
        raise GivenUpError


class SlowOAuth(OAuthClient):
    """Gives a new token after many turns of the loop."""

    refreshes = 0

    async def refresh(self, tokens: TokenSet, *, reason: RefreshReason) -> TokenSet:
        self.refreshes += 1
        token = f"access-{self.refreshes}"
        for _ in range(300):
            await anyio.lowlevel.checkpoint()
        return tokens.refreshed(
            access_token=token, refresh_token="next", id_token=None, now=self.clock.time(), expires_in=3600
        )


@pytest.mark.parametrize("make", [MemoryTokenStore, EnvironmentTokenStore])
async def test_a_holder_keeps_out_the_tasks_of_another_thread_and_not_other_accounts(
    make: Callable[..., MemoryTokenStore], anyio_backend: str
) -> None:
    store = make((), clock=ImpatientClock()) if make is MemoryTokenStore else make({}, clock=ImpatientClock())

    async def enter(key: str) -> str:
        async with store.lock(key):
            return "entered"

    def in_a_thread(key: str) -> str:
        return anyio.run(enter, key, backend=anyio_backend)

    async with store.lock("key"):
        with pytest.raises(GivenUpError):
            await anyio.to_thread.run_sync(in_a_thread, "key")
        assert await anyio.to_thread.run_sync(in_a_thread, "other") == "entered"
    assert await anyio.to_thread.run_sync(in_a_thread, "key") == "entered"


async def test_the_wait_for_another_thread_has_an_end(anyio_backend: str) -> None:
    clock = ManualClock(auto_advance=True)
    store = MemoryTokenStore(clock=clock)

    async def enter() -> None:
        async with store.lock("key"):
            pytest.fail("entered")

    async with store.lock("key"):
        with pytest.raises(TokenStoreError, match=r"another thread has held account key for 120\.0 s"):
            await anyio.to_thread.run_sync(lambda: anyio.run(enter, backend=anyio_backend))
    assert 120 <= sum(clock.sleeps) < 121


async def test_threads_with_a_loop_each_make_one_refresh(anyio_backend: str) -> None:
    clock = ManualClock(start=NOW)
    oauth = SlowOAuth(clock=clock)
    store = MemoryTokenStore([login(lifetime=-1, refreshed_at=None)])
    auth = RefreshingAuth(store, oauth=oauth, clock=clock)
    found: list[str] = []

    def in_a_thread() -> None:
        found.append(anyio.run(auth.tokens, backend=anyio_backend).access_token)

    async with oauth, anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(anyio.to_thread.run_sync, in_a_thread)
    assert (oauth.refreshes, found) == (1, ["access-1"] * 4)
