"""A pool's record in memory while the shared one cannot be had: what it knows is advice, and no turn fails for it."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar
from weakref import WeakKeyDictionary

import anyio
from anyio.lowlevel import current_token

from codex_client.api import Clock
from codex_client.credentials.pool_record import PoolRecord
from codex_client.credentials.pool_state import MemoryPoolState
from codex_client.errors import TokenStoreError

R = TypeVar("R")

_log = logging.getLogger("codex_client")

# After a failure the shared record is left alone for so long, so that no turn waits for what has just failed.
_PAUSE = 10.0
# A turn waits for those before it no longer than that.
_PATIENCE = 10.0


class Fallback:
    """Runs steps on a shared record, one at a time in each event loop, and in memory while that fails.

    Memory begins with what the shared record was when it was last seen. `place` names that record. What is learnt
    meanwhile is not carried over: the next answers tell it again.
    """

    def __init__(self, place: str, *, clock: Clock) -> None:
        self._place = place
        self._clock = clock
        self._last_seen: Callable[[], PoolRecord] = PoolRecord
        self._memory: MemoryPoolState | None = None
        self._retry_at = -math.inf
        self._is_warned = False
        self._turns: WeakKeyDictionary[object, anyio.Lock] = WeakKeyDictionary()

    def note_seen(self, parse: Callable[[], PoolRecord]) -> None:
        """`parse` gives what the shared record is now."""
        self._last_seen = parse

    async def load(self, shared: Callable[[], Awaitable[PoolRecord]]) -> PoolRecord:
        """As `PoolState.load`; `shared` raises `TokenStoreError` or `OSError` where it fails."""
        if self._memory is None and not self._is_resting:
            try:
                return await self._in_turn(shared)
            except (TokenStoreError, OSError) as error:
                self._rest(error)
        memory = self._memory
        return self._last_seen() if memory is None else await memory.load()

    async def update(
        self, shared: Callable[[Callable[[PoolRecord], R]], Awaitable[R]], change: Callable[[PoolRecord], R]
    ) -> R:
        """As `PoolState.update`."""
        if not self._is_resting:
            try:
                result = await self._in_turn(partial(shared, change))
            except (TokenStoreError, OSError) as error:
                self._rest(error)
            else:
                self._recover()
                return result
        memory = self._memory = self._memory or MemoryPoolState(self._last_seen())
        return await memory.update(change)

    @property
    def _is_resting(self) -> bool:
        return self._clock.monotonic() < self._retry_at

    async def _in_turn(self, step: Callable[[], Awaitable[R]]) -> R:
        # A lock is bound to the loop in which it was waited for.
        lock = self._turns.setdefault(current_token().native_token, anyio.Lock())
        with anyio.move_on_after(_PATIENCE) as waiting:
            await lock.acquire()
        if waiting.cancelled_caught:
            raise TokenStoreError(f"{self._place} has been in use for {_PATIENCE:g} s")
        try:
            if self._is_resting:
                raise TokenStoreError(f"{self._place} has just failed")
            return await step()
        finally:
            lock.release()

    def _rest(self, error: Exception) -> None:
        if self._is_resting:
            return
        self._retry_at = self._clock.monotonic() + _PAUSE
        if not self._is_warned:
            self._is_warned = True
            # The text of an error that is not this library's may quote anything.
            told = error if isinstance(error, TokenStoreError) else type(error).__name__
            _log.warning("the pool goes on in memory, its shared record cannot be had: %s", told)

    def _recover(self) -> None:
        self._memory = None
        if self._is_warned:
            self._is_warned = False
            _log.warning("the pool has its shared record again: %s", self._place)
