"""A pool's record in Redis, shared by machines."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast

from codex_client.credentials.pool_record import PoolRecord
from codex_client.credentials.redis_link import RedisLink
from codex_client.errors import TokenStoreError

if TYPE_CHECKING:
    from redis import Redis

R = TypeVar("R")

_log = logging.getLogger("codex_client")

# Of those that meet one always gets through, and a process sends one at a time.
_MAX_TRIES = 100


class RedisPoolState:
    """Keeps the record under one key of a Redis. It holds no secret.

    `url` as Redis clients take it, with its password; it shows nowhere. Pools with the same `prefix` share the record.
    A record that cannot be read is begun anew. Close it with `aclose`. Needs the extra [redis].
    """

    def __init__(self, url: str, *, prefix: str = "codex-client") -> None:
        self._name = f"{prefix}:pool"
        self._link = RedisLink(url)
        del url
        self._link.check()
        # Tasks of one process take turns here, so that they need not find out by trying.
        self._turn = Lock()

    async def load(self) -> PoolRecord:
        return _parsed(await self._link.run(lambda client: client.get(self._name)))

    async def update(self, change: Callable[[PoolRecord], R]) -> R:
        def step(client: Redis) -> tuple[R] | None:
            with self._turn:
                return self._try(client, change)

        changed = await self._link.run(step)
        if changed is None:
            raise TokenStoreError(
                f"the pool's record in Redis was changed by others in each of {_MAX_TRIES} tries; "
                "let fewer processes share it, or give some of them another prefix"
            )
        return changed[0]

    async def aclose(self) -> None:
        """Close the connections."""
        await self._link.aclose()

    def _try(self, client: Redis, change: Callable[[PoolRecord], R]) -> tuple[R] | None:
        """Read, change and write, until nobody has written in between (https://redis.io/docs/latest/develop/interact/transactions/)."""
        from redis.exceptions import WatchError

        with cast("Any", client).pipeline() as steps:
            for _ in range(_MAX_TRIES):
                try:
                    steps.watch(self._name)
                    record = _parsed(steps.get(self._name))
                    result = change(record)
                    steps.multi()
                    steps.set(self._name, record.to_json())
                    steps.execute()
                except WatchError:
                    continue
                return (result,)
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r})"


def _parsed(stored: Any) -> PoolRecord:
    if stored is None:
        return PoolRecord()
    try:
        return PoolRecord.from_json(stored)
    except ValueError as error:
        # Its class only: the error quotes what it could not read.
        _log.warning("Redis holds no record of a pool (%s); begun anew", type(error).__name__)
        return PoolRecord()
