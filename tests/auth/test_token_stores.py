"""What every store of token sets promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from codex_client.auth.environment_store import EnvironmentTokenStore
from codex_client.auth.file_store import FileTokenStore
from codex_client.auth.keyring_store import KeyringTokenStore
from codex_client.auth.store import MemoryTokenStore, TokenStore
from tests.support.keyrings import DictKeyring
from tests.support.logins import login, secrets_of
from tests.support.secrecy import assert_unseen

KINDS: dict[str, Callable[[Path], TokenStore]] = {
    "memory": lambda folder: MemoryTokenStore(),
    "file": lambda folder: FileTokenStore(folder / "accounts.json"),
    "keyring": lambda folder: KeyringTokenStore(backend=DictKeyring(), folder=folder),
    "small keyring": lambda folder: KeyringTokenStore(backend=DictKeyring(limit=200), max_chars=200, folder=folder),
    "environment": lambda folder: EnvironmentTokenStore({}),
}


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> TokenStore:
    return KINDS[request.param](tmp_path)


async def test_an_empty_store_has_no_sets(store: TokenStore) -> None:
    assert dict(await store.load()) == {}


async def test_what_was_saved_is_loaded_by_its_key(store: TokenStore) -> None:
    one, two = login("one"), login("two").lent()
    await store.save(one)
    await store.save(two)
    assert dict(await store.load()) == {one.key: one, two.key: two}


async def test_a_newer_set_takes_the_place_of_the_one_of_its_key(store: TokenStore) -> None:
    await store.save(login())
    newer = replace(login(), access_token="newer", refresh_token=None)
    await store.save(newer)
    assert dict(await store.load()) == {newer.key: newer}


async def test_a_set_is_kept_under_the_key_that_is_given(store: TokenStore) -> None:
    await store.save(login(), key="elsewhere")
    assert dict(await store.load()) == {"elsewhere": login()}


async def test_a_deleted_set_is_gone_and_deleting_is_idempotent(store: TokenStore) -> None:
    await store.save(login("one"))
    await store.save(login("two"))
    for _ in range(2):
        await store.delete(login("one").key)
    assert dict(await store.load()) == {login("two").key: login("two")}


async def test_the_lock_of_an_account_has_one_holder(store: TokenStore) -> None:
    inside, most = 0, 0

    async def enter() -> None:
        nonlocal inside, most
        async with store.lock("key"):
            inside += 1
            most = max(most, inside)
            await anyio.lowlevel.checkpoint()
            inside -= 1

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(enter)
    assert (inside, most) == (0, 1)


async def test_two_accounts_do_not_wait_for_each_other_nor_saving_for_either(store: TokenStore) -> None:
    async with store.lock("one"), store.lock("a/../odd: key"):
        await store.save(login())
    assert login().key in await store.load()


async def test_the_wait_for_a_lock_can_be_cancelled(store: TokenStore) -> None:
    async def enter() -> None:
        async with store.lock("key"):
            pytest.fail("entered")

    async with store.lock("key"), anyio.create_task_group() as tasks:
        tasks.start_soon(enter)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    with anyio.fail_after(10):
        async with store.lock("key"):
            pass


async def test_no_repr_shows_a_token(store: TokenStore) -> None:
    await store.save(login())
    assert_unseen(repr(store), secrets_of(login()))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_store_serves_one_event_loop_after_the_other(backend: str, tmp_path: Path) -> None:
    async def contended(store: TokenStore) -> None:
        async def enter() -> None:
            async with store.lock("key"):
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(enter)
            tasks.start_soon(enter)

    for name, make in KINDS.items():
        (tmp_path / name).mkdir()
        store = make(tmp_path / name)
        for _ in range(2):
            anyio.run(contended, store, backend=backend)
