"""A refresh whose turn is cancelled by the event loop itself: the token that was paid for is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from codex_client.auth.file_store import FileTokenStore
from codex_client.errors import TokenStoreError
from codex_client.testing.scripts import Hold
from tests.support.logged_in import LoggedIn, logged_in

pytestmark = pytest.mark.parametrize("anyio_backend", ["asyncio"])


async def by_cancel(here: LoggedIn) -> None:
    task = asyncio.ensure_future(here.token())
    await here.server.received(1)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    here.server.release()
    await task


async def by_timeout(here: LoggedIn) -> None:
    async with asyncio.timeout(None) as limit:
        await during_the_call(here, lambda: limit.reschedule(0))


async def during_the_call(here: LoggedIn, cancel: Callable[[], None]) -> None:
    async def act() -> None:
        await here.server.received(1)
        cancel()
        await asyncio.sleep(0)
        here.server.release()

    acting = asyncio.ensure_future(act())
    try:
        await here.token()
    finally:
        await acting


@pytest.mark.parametrize("cancelling", [by_cancel, by_timeout])
@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_the_new_tokens_are_saved_though_the_turn_is_cancelled(
    cancelling: Callable[[LoggedIn], Awaitable[None]], kind: str, tmp_path: Path
) -> None:
    store = FileTokenStore(tmp_path / "accounts.json") if kind == "file" else None
    async with logged_in(lifetime=-1, store=store) as here:
        here.server.disturb("/oauth/token", Hold())
        with pytest.raises((asyncio.CancelledError, TimeoutError)):
            await cancelling(here)
        assert (await here.stored()).access_token != here.first.access_token
        assert await here.token() == (await here.stored()).access_token
        assert (here.server.refreshes, here.server.problems) == (1, [])


async def test_what_could_not_be_saved_then_is_saved_by_the_next_turn() -> None:
    async with logged_in(lifetime=-1) as here:
        here.store.failures = 1
        here.server.disturb("/oauth/token", Hold())
        with pytest.raises(asyncio.CancelledError):
            await by_cancel(here)
        assert await here.stored() == here.first
        assert await here.token() == (await here.stored()).access_token != here.first.access_token
        assert (here.server.refreshes, here.server.problems) == (1, [])


async def test_saving_again_is_finished_though_the_turn_is_cancelled() -> None:
    async with logged_in(lifetime=-1) as here:
        here.store.failures = 1
        with pytest.raises(TokenStoreError):
            await here.token()
        save, saving, go_on = here.store.save, asyncio.Event(), asyncio.Event()

        async def slow(*args: object, **kwargs: object) -> None:
            saving.set()
            await go_on.wait()
            await save(*args, **kwargs)

        here.store.save = slow
        task = asyncio.ensure_future(here.token())
        await saving.wait()
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await here.stored()).access_token != here.first.access_token
