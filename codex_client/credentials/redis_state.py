"""A pool's record in Redis, shared by machines."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from hashlib import sha1
from typing import TYPE_CHECKING, Any, TypeVar, cast

from codex_client.api import Clock, SystemClock
from codex_client.credentials.fallback import Fallback
from codex_client.credentials.pool_record import PoolRecord
from codex_client.credentials.redis_link import RedisLink
from codex_client.errors import TokenStoreError

if TYPE_CHECKING:
    from redis import Redis

R = TypeVar("R")

_log = logging.getLogger("codex_client")

# A step on a server nearby takes a millisecond. One that does not answer must not hold a turn for long.
_TIMEOUT = 1.0
# Of those that meet one always gets through, and a process sends one at a time.
_MAX_TRIES = 100
# Writes if nobody has written since the record with this digest was read. Scripts run alone, and leave nothing watched
# on a connection that breaks.
_SWAP = """
local held = redis.call('GET', KEYS[1])
if (held and redis.sha1hex(held) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""


class RedisPoolState:
    """Keeps the record under one key of a Redis. It holds no secret.

    `url` as Redis clients take it, with its password; it shows nowhere. Pools with the same `prefix` share the record.
    A record that cannot be read is begun anew. While Redis cannot be reached or does not answer the record is in
    memory. Both are logged, and raise nothing. Close it with `aclose`. Needs the extra [redis].
    """

    def __init__(self, url: str, *, prefix: str = "codex-client", clock: Clock | None = None) -> None:
        self._name = f"{prefix}:pool"
        self._link = RedisLink(url, timeout=_TIMEOUT, is_patient=False)
        del url
        self._link.check()
        self._fallback = Fallback(f"{self._name} in Redis", clock=clock or SystemClock())

    async def load(self) -> PoolRecord:
        return await self._fallback.load(self._load)

    async def update(self, change: Callable[[PoolRecord], R]) -> R:
        return await self._fallback.update(self._update, change)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._link.aclose()

    async def _load(self) -> PoolRecord:
        return _parsed(await self._link.run(lambda client: client.get(self._name), may_abandon=True))

    async def _update(self, change: Callable[[PoolRecord], R]) -> R:
        changed = await self._link.run(partial(self._try, change=change), may_abandon=True)
        if changed is None:
            raise TokenStoreError(
                f"the pool's record in Redis was changed by others in each of {_MAX_TRIES} tries; "
                "let fewer processes share it, or give some of them another prefix"
            )
        return changed[0]

    def _try(self, client: Redis, *, change: Callable[[PoolRecord], R]) -> tuple[R] | None:
        """Read, change and write, until nobody has written in between."""
        for _ in range(_MAX_TRIES):
            read = cast("bytes | None", client.get(self._name))
            self._fallback.note_seen(partial(_parsed, read))
            record = _parsed(read)
            result = change(record)
            written, digest = record.to_json(), "" if read is None else sha1(read).hexdigest()
            if cast("Any", client).eval(_SWAP, 1, self._name, digest, written):
                self._fallback.note_seen(partial(_parsed, written))
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
