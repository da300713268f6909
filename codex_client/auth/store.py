"""Where token sets are kept: the seam, and the store that forgets when the process ends."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol
from weakref import WeakKeyDictionary

import anyio
from anyio.lowlevel import current_token

from codex_client.api import Clock, SystemClock
from codex_client.auth.polling import poll
from codex_client.auth.tokens import TokenSet
from codex_client.errors import TokenStoreError

# Longer than a refresh may take that another thread has just begun, with some queue before it.
_WAIT_LIMIT = 120.0


class TokenStore(Protocol):
    """Keeps token sets by their `key`. Used by any number of tasks at once, in more than one event loop."""

    async def load(self) -> Mapping[str, TokenSet]:
        """All sets, by key, as they are now. Raises an `AuthError` for what cannot be read."""
        ...

    async def save(self, tokens: TokenSet, *, key: str | None = None) -> None:
        """Keep one set in place of the one of its key (`key`: where it was kept so far). Whole or not at all, and
        durable when this returns. Raises `TokenStoreError`.
        """
        ...

    async def delete(self, key: str) -> None:
        """Forget one set; nothing happens where there is none."""
        ...

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Held by at most one refresher of `key` at a time, as far as the store reaches. Freed if its holder dies.

        The wait for it can be cancelled.
        """
        ...


class MemoryTokenStore:
    """Keeps token sets for as long as the process runs. Its lock reaches as far: over all threads and event loops."""

    def __init__(self, tokens: Iterable[TokenSet] = (), *, clock: Clock | None = None) -> None:
        self._tokens = {each.key: each for each in tokens}
        self._clock = clock or SystemClock()
        # One set of locks for every event loop: a lock is bound to the loop in which it was waited for.
        self._locks: WeakKeyDictionary[object, defaultdict[str, anyio.Lock]] = WeakKeyDictionary()
        # And one for all of them, which the first in each loop's queue asks for.
        self._shared_locks: dict[str, threading.Lock] = {}

    async def load(self) -> Mapping[str, TokenSet]:
        return dict(self._tokens)

    async def save(self, tokens: TokenSet, *, key: str | None = None) -> None:
        self._tokens[key or tokens.key] = tokens

    async def delete(self, key: str) -> None:
        self._tokens.pop(key, None)

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncGenerator[None]:
        here = self._locks.setdefault(current_token().native_token, defaultdict(anyio.Lock))
        shared = self._shared_locks.setdefault(key, threading.Lock())
        async with here[key]:
            if not await poll(lambda: shared.acquire(blocking=False), wait_limit=_WAIT_LIMIT, clock=self._clock):
                raise TokenStoreError(
                    f"another thread has held account {key} for {_WAIT_LIMIT} s; see what it waits for, then try again"
                )
            try:
                yield
            finally:
                shared.release()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._tokens)} accounts)"
