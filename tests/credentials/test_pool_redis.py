"""Tokens and the pool's record in a real Redis."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import anyio
import anyio.lowlevel
import pytest
from redis import Redis
from redis.lock import Lock as RedisLock

from codex_client.auth.refresh import RefreshingAuth
from codex_client.auth.store import TokenStore
from codex_client.credentials.pool import CredentialPool
from codex_client.credentials.pool_record import PoolRecord
from codex_client.credentials.redis_link import RedisLink
from codex_client.credentials.redis_state import RedisPoolState
from codex_client.credentials.redis_store import RedisTokenStore
from codex_client.errors import ConfigurationError, MissingExtraError, TokenStoreError
from codex_client.testing import AccountServer, ManualClock
from tests.support.pooled import HOUR, NOW, lend, login, pool_of, serve, used_up
from tests.support.redis_server import PASSWORD, redis_server
from tests.support.secrecy import assert_unseen, everything_of

R = TypeVar("R")


@pytest.fixture
async def stores(redis_url: str, redis_prefix: str) -> AsyncIterator[list[RedisTokenStore]]:
    """Two of one prefix, as two machines would have them."""
    both = [RedisTokenStore(redis_url, prefix=redis_prefix) for _ in range(2)]
    yield both
    for store in both:
        await store.aclose()


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


async def test_machines_see_each_others_tokens(stores: list[RedisTokenStore]) -> None:
    one, other = stores
    providers: list[TokenStore] = [one, other]
    assert await providers[0].load() == {}
    await one.save(login(0))
    await one.save(login(1), key="kept-here")
    assert await other.load() == {login(0).key: login(0), "kept-here": login(1)}
    await other.save(login(0, token="token-canary-new"))
    assert (await one.load())[login(0).key].access_token == "token-canary-new"
    await one.delete(login(0).key)
    await one.delete("nobody")
    assert set(await other.load()) == {"kept-here"}


async def test_machines_refresh_one_at_a_time_and_share_what_comes(stores: list[RedisTokenStore]) -> None:
    async with AccountServer() as server:
        expired = server.issue(server.add_account("acct-1", email="one@example.test"), lifetime=-10)
        await stores[0].save(expired)
        auths = [RefreshingAuth(store) for store in stores for _ in range(3)]
        lent: set[str] = set()

        async def lease(auth: RefreshingAuth) -> None:
            lent.add((await auth.lease(conversation_id=None, forced_refresh=False)).headers["authorization"])
            await auth.aclose()

        async with anyio.create_task_group() as tasks:
            for auth in auths:
                tasks.start_soon(lease, auth)
    assert server.refreshes == 1
    assert len(lent) == 1
    server.assert_complete()


async def test_one_machine_at_a_time_holds_the_lock_of_an_account(stores: list[RedisTokenStore]) -> None:
    inside: list[int] = []

    async def work(number: int) -> None:
        async with stores[number].lock("a"):
            inside.append(number)
            assert len(inside) == 1
            await anyio.sleep(0.01)
            inside.remove(number)

    async with anyio.create_task_group() as tasks:
        for number in (0, 1, 0, 1):
            tasks.start_soon(work, number)
    async with stores[0].lock("a"), stores[1].lock("b"):
        pass


async def test_the_lock_is_prolonged_while_it_is_held_and_freed_at_the_end(
    redis_url: str, redis_prefix: str, redis: Redis
) -> None:
    clock, name = ManualClock(), f"{redis_prefix}:accounts:a:lock"
    store = RedisTokenStore(redis_url, prefix=redis_prefix, clock=clock)
    async with store.lock("a"):
        assert 20_000 < milliseconds_left(redis, name) <= 30_000
        for _ in range(3):
            redis.pexpire(name, 5_000)
            await clock.wait_for_timer(10)
            clock.advance(10)
            await clock.wait_for_timer(10)
            assert milliseconds_left(redis, name) > 20_000
    assert redis.get(name) is None
    await store.aclose()


async def test_the_lock_of_a_machine_that_died_ends_by_itself(
    stores: list[RedisTokenStore], redis: Redis, redis_prefix: str
) -> None:
    redis.set(f"{redis_prefix}:accounts:a:lock", "another's", px=200)
    async with stores[0].lock("a"):
        assert redis.get(f"{redis_prefix}:accounts:a:lock") != b"another's"


async def test_a_lock_that_stays_anothers_is_given_up(redis_url: str, redis_prefix: str, redis: Redis) -> None:
    redis.set(f"{redis_prefix}:accounts:a:lock", "another's")
    store = RedisTokenStore(redis_url, prefix=redis_prefix, clock=ManualClock(auto_advance=True))
    with pytest.raises(TokenStoreError, match=r"held by others for 120.0 s; find out what they wait for"):
        async with store.lock("a"):
            pytest.fail("it was got")
    assert redis.get(f"{redis_prefix}:accounts:a:lock") == b"another's"
    await store.aclose()


async def test_a_lock_that_was_lost_is_not_freed_for_who_has_it_now(
    stores: list[RedisTokenStore], redis: Redis, redis_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"{redis_prefix}:accounts:a:lock"
    async with stores[0].lock("a"):
        redis.set(name, "another's")
    assert redis.get(name) == b"another's"
    assert "could not be freed" in caplog.text


async def test_a_wait_for_the_lock_can_be_cancelled_and_leaves_none(
    stores: list[RedisTokenStore], redis: Redis, redis_prefix: str
) -> None:
    name = f"{redis_prefix}:accounts:a:lock"
    for when in (0.0, 0.005):
        with anyio.move_on_after(when):
            async with stores[0].lock("a"):
                await anyio.sleep_forever()
        assert redis.get(name) is None


async def test_a_lock_that_is_got_while_its_taker_is_cancelled_is_freed(
    stores: list[RedisTokenStore], redis: Redis, redis_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, run = f"{redis_prefix}:accounts:a:lock", RedisLink.run
    held: list[object] = []

    async def run_and_cancel(self: RedisLink, step: Callable[[Redis], R], **options: bool) -> R:
        result = await run(self, step, **options)
        if not held and (value := redis.get(name)) is not None:
            held.append(value)
            scope.cancel()
            await anyio.lowlevel.checkpoint()
        return result

    monkeypatch.setattr(RedisLink, "run", run_and_cancel)
    with anyio.CancelScope() as scope:
        async with stores[0].lock("a"):
            pytest.fail("it was cancelled before that")
    assert held
    assert redis.get(name) is None


def test_a_native_cancellation_while_the_lock_is_got_leaves_none(
    redis_url: str, redis_prefix: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking, acquire = threading.Event(), RedisLock.acquire

    def slow(self: RedisLock, *arguments: Any, **options: Any) -> bool:
        asking.set()
        cancelled.wait(10)
        return acquire(self, *arguments, **options)

    async def take(store: RedisTokenStore) -> None:
        async with store.lock("a"):
            pytest.fail("it was cancelled before that")

    async def main() -> None:
        store = RedisTokenStore(redis_url, prefix=redis_prefix)
        task = asyncio.create_task(take(store))
        assert await asyncio.to_thread(asking.wait, 10)
        task.cancel()
        await asyncio.sleep(0)
        cancelled.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert redis.get(f"{redis_prefix}:accounts:a:lock") is None
        await store.aclose()

    cancelled = threading.Event()
    monkeypatch.setattr(RedisLock, "acquire", slow)
    asyncio.run(main())


async def test_the_lock_is_prolonged_while_what_is_shielded_under_it_runs_on(
    redis_url: str, redis_prefix: str, redis: Redis
) -> None:
    clock, name = ManualClock(), f"{redis_prefix}:accounts:a:lock"
    store = RedisTokenStore(redis_url, prefix=redis_prefix, clock=clock)
    with anyio.CancelScope() as scope:
        async with store.lock("a"):
            scope.cancel()
            with anyio.CancelScope(shield=True):
                await clock.wait_for_timer(10)
                redis.pexpire(name, 5_000)
                clock.advance(10)
                await clock.wait_for_timer(10)
                assert milliseconds_left(redis, name) > 20_000
    assert redis.get(name) is None
    assert clock.timers == []
    await store.aclose()


async def test_what_the_block_under_the_lock_raises_leaves_it_as_it_is(stores: list[RedisTokenStore]) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with stores[0].lock("a"):
            raise KeyError("mine")
    async with stores[1].lock("a"):
        pass


async def test_a_pool_over_redis_serves_from_both_machines(
    stores: list[RedisTokenStore], redis_url: str, redis_prefix: str
) -> None:
    states = [RedisPoolState(redis_url, prefix=redis_prefix) for _ in range(2)]
    pools = [CredentialPool(store, state=state) for store, state in zip(stores, states, strict=True)]
    for number in range(2):
        await stores[0].save(login(number))
    served = [await serve(pools[number % 2], f"c-{number}") for number in range(4)]
    assert sorted(served) == ["0", "0", "1", "1"]
    assert [await serve(pools[1], f"c-{number}") for number in range(4)] == served
    for closing in (*pools, *states):
        await closing.aclose()


async def test_a_record_that_others_keep_changing_is_given_up_after_some_tries(
    redis_url: str, redis_prefix: str, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    state = RedisPoolState(redis_url, prefix=redis_prefix)
    runs: list[int] = []

    def change(record: PoolRecord) -> None:
        runs.append(len(record.accounts))
        redis.set(f"{redis_prefix}:pool", PoolRecord(previous={"codex": str(len(runs))}).to_json())

    await state.update(change)
    assert "changed by others in each of 100 tries" in caplog.text
    # The last one is in memory.
    assert len(runs) == 101
    await state.aclose()


async def test_what_another_wrote_in_between_is_not_lost(redis_url: str, redis_prefix: str, redis: Redis) -> None:
    state = RedisPoolState(redis_url, prefix=redis_prefix)
    between = PoolRecord()
    between.account("b")
    runs: list[int] = []

    def change(record: PoolRecord) -> None:
        if not runs:
            redis.set(f"{redis_prefix}:pool", between.to_json())
        runs.append(len(record.accounts))
        record.account("a")

    await state.update(change)
    assert runs == [0, 1]
    assert set((await state.load()).accounts) == {"a", "b"}
    await state.aclose()


async def test_odd_things_in_redis_are_told_without_being_shown(
    stores: list[RedisTokenStore], redis: Redis, redis_url: str, redis_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    redis.hset(f"{redis_prefix}:accounts", "a", '{"access_token": ["token-canary"]')
    with pytest.raises(TokenStoreError, match="Redis holds an account that cannot be read, a; remove it") as raised:
        await stores[0].load()
    assert_unseen(everything_of(raised.value), ["canary"])
    state = RedisPoolState(redis_url, prefix=redis_prefix)
    redis.set(f"{redis_prefix}:pool", '"token-canary"')
    with caplog.at_level(logging.WARNING):
        assert await state.load() == PoolRecord()
    assert "begun anew" in caplog.text
    assert "canary" not in caplog.text
    await state.aclose()


async def test_neither_url_nor_password_nor_token_shows_where_redis_cannot_be_reached(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"unix://:{PASSWORD}@{tmp_path}/nothing-here"
    store, state = RedisTokenStore(url), RedisPoolState(url)
    assert (repr(store), repr(state)) == (
        "RedisTokenStore('codex-client:accounts')",
        "RedisPoolState('codex-client:pool')",
    )
    for step in (store.load, lambda: store.save(login(0))):
        with pytest.raises(TokenStoreError, match="Redis failed: ConnectionError; check that it runs") as raised:
            await step()
        assert_unseen(everything_of(raised.value), ["canary"])
        assert "nothing-here" not in str(raised.value)
    with caplog.at_level(logging.WARNING):
        assert await state.load() == PoolRecord()
        await state.update(lambda record: record.account("a"))
        assert set((await state.load()).accounts) == {"a"}
    assert caplog.text.count("goes on in memory") == 1
    assert "Redis failed: ConnectionError" in caplog.text
    assert_unseen(caplog.text, ["canary", "nothing-here"])


async def test_a_redis_that_stalls_holds_up_no_turn(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock(start=NOW)
    with redis_server() as url:
        state = RedisPoolState(url, clock=clock)
        pool, _, _ = pool_of(2, state=state, clock=clock)
        await pool.report(await lend(pool, "a"), used_up(HOUR))
        server = process_of(url)
        os.kill(server, signal.SIGSTOP)
        try:
            # A caller's deadline holds: nobody waits for the answer that does not come.
            with anyio.move_on_after(0.05) as deadline:
                await state.update(lambda record: record.account("lost"))
            assert deadline.cancelled_caught
            # The first one finds out, and those that wait for it go on at once, with what was known.
            tried: list[str] = []
            with counted_steps() as steps:
                async with anyio.create_task_group() as turns:
                    for number in range(4):
                        turns.start_soon(serve_into, tried, pool, f"c-{number}")
                assert await serve(pool, "a") == "1"
            assert (tried, len(steps)) == (["1"] * 4, 1)
        finally:
            os.kill(server, signal.SIGCONT)
        assert caplog.text.count("goes on in memory") == 1
        clock.advance(10)
        assert await serve(pool, "a") == "1"
        assert "has its shared record again" in caplog.text
        await state.aclose()


async def serve_into(served: list[str], pool: CredentialPool, conversation_id: str) -> None:
    served.append(await serve(pool, conversation_id))


@contextmanager
def counted_steps() -> Iterator[list[str]]:
    """One for each time that Redis is asked."""
    steps, run = list[str](), RedisLink.run

    async def run_and_count(self: RedisLink, step: Callable[[Redis], R], **options: bool) -> R:
        steps.append("asked")
        return await run(self, step, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RedisLink, "run", run_and_count)
        yield steps


def process_of(url: str) -> int:
    with Redis.from_url(url) as client:
        return int(cast("dict[str, Any]", client.info("server"))["process_id"])


async def test_a_wrong_password_is_not_repeated(redis_url: str) -> None:
    store = RedisTokenStore(redis_url.replace(PASSWORD, "wrong-canary"))
    with pytest.raises(TokenStoreError, match="Redis failed: AuthenticationError") as raised:
        await store.load()
    assert_unseen(everything_of(raised.value), ["canary"])
    await store.aclose()


@pytest.mark.parametrize(
    "url", ["http://password-canary@x", "redis://:password-canary@x:port", "", "redis://x?db=canary"]
)
def test_a_url_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="the URL of Redis cannot be read") as raised:
        RedisPoolState(url)
    assert_unseen(everything_of(raised.value), ["canary"])


def test_without_the_package_the_error_names_the_extra() -> None:
    with without("redis"), pytest.raises(MissingExtraError, match=r"codex-client\[redis\]") as raised:
        RedisTokenStore("redis://:password-canary@localhost")
    assert raised.value.extra == "redis"
    assert_unseen(everything_of(raised.value), ["canary"])


def milliseconds_left(redis: Redis, name: str) -> int:
    left = redis.pttl(name)
    assert isinstance(left, int)
    return left


@contextmanager
def without(package: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in sys.modules if name.split(".")[0] == package]:
            patch.delitem(sys.modules, name)
        patch.setitem(sys.modules, package, None)
        yield
