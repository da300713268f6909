"""What the tests of accounts share: a real Redis, and the three states of a pool."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TypeAlias

import pytest

from codex_client.credentials.file_state import FilePoolState
from codex_client.credentials.pool_state import MemoryPoolState, PoolState
from codex_client.credentials.redis_state import RedisPoolState
from tests.support.redis_server import redis_server

NewState: TypeAlias = Callable[[], PoolState]

_numbers = count()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with redis_server() as url:
        yield url


@pytest.fixture
def redis_prefix() -> str:
    """A name of the test's own in the Redis of all."""
    return f"test-{next(_numbers)}"


@pytest.fixture(params=["memory", "file", "redis"])
async def new_state(request: pytest.FixtureRequest, tmp_path: Path, redis_prefix: str) -> AsyncIterator[NewState]:
    """Makes states that share one record, as other processes would; of memory there is one only."""
    match request.param:
        case "memory":
            only = MemoryPoolState()
            yield lambda: only
        case "file":
            yield lambda: FilePoolState(tmp_path / "pool.json")
        case _:
            url, made = request.getfixturevalue("redis_url"), list[RedisPoolState]()

            def new_redis_state() -> PoolState:
                made.append(RedisPoolState(url, prefix=redis_prefix))
                return made[-1]

            yield new_redis_state
            for state in made:
                await state.aclose()
