"""Token sets in Redis, shared by machines."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from codex_client.api import Clock, SystemClock
from codex_client.auth.tokens import TokenSet
from codex_client.auth.uncancelled import uncancelled
from codex_client.credentials.background import Background
from codex_client.credentials.redis_link import RedisLink
from codex_client.errors import TokenStoreError

if TYPE_CHECKING:
    from redis import Redis
    from redis.lock import Lock

_log = logging.getLogger("codex_client")

# How long the lock of a machine that died stands in the way; one that lives prolongs it three times as often.
_LOCK_SECONDS = 30.0
# A save must not be given up early: the tokens that it has are the only ones that are good.
_TIMEOUT = 5.0
_PROLONG_INTERVAL = 10.0
_POLL_INTERVAL = 0.1
_WAIT_LIMIT = 120.0


class RedisTokenStore:
    """Keeps the token sets of all accounts in a Redis; its lock reaches as far as that.

    `url` as Redis clients take it, with its password; it shows nowhere. The tokens are in there as they are: who can
    read that Redis can use the accounts, so give it a password and TLS. They are as durable as that Redis is; one
    without persistence loses every login. Close it with `aclose`. Needs the extra [redis].
    """

    def __init__(self, url: str, *, prefix: str = "codex-client", clock: Clock | None = None) -> None:
        self._name = f"{prefix}:accounts"
        self._link = RedisLink(url, timeout=_TIMEOUT, is_patient=True)
        del url
        self._link.check()
        self._clock = clock or SystemClock()

    async def load(self) -> Mapping[str, TokenSet]:
        stored = _Stored(await self._link.run(lambda client: client.hgetall(self._name), may_abandon=True))
        found, problem = stored.token_sets()
        if problem is not None:
            raise TokenStoreError(f"Redis holds an account that cannot be read, {problem}; remove it, and log in again")
        return found

    async def save(self, tokens: TokenSet, *, key: str | None = None) -> None:
        await self._link.run(lambda client: client.hset(self._name, key or tokens.key, json.dumps(tokens.to_dict())))

    async def delete(self, key: str) -> None:
        await self._link.run(lambda client: client.hdel(self._name, key))

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        return _RedisLock(self._link, f"{self._name}:{key}:lock", self._clock)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._link.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r})"


class _Stored:
    """What Redis gave: texts that no repr shows."""

    __slots__ = ("_texts",)

    def __init__(self, texts: Any) -> None:
        self._texts = cast("dict[bytes, bytes]", texts)

    def token_sets(self) -> tuple[dict[str, TokenSet], str | None]:
        """The sets, and what is wrong with one of them; raises nothing, since a decoder's errors carry the text."""
        found: dict[str, TokenSet] = {}
        for name, text in self._texts.items():
            key = name.decode()
            try:
                found[key] = TokenSet.from_dict(json.loads(text))
            except (ValueError, TypeError, AttributeError):
                return {}, key
        return found, None


class _RedisLock:
    """Held by one at a time: `SET NX PX` with a token of its own, prolonged while it is held, freed only by its holder
    (https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/). To be entered once.
    """

    def __init__(self, link: RedisLink, name: str, clock: Clock) -> None:
        self._link = link
        self._name = name
        self._clock = clock
        self._lock: Lock | None = None
        # What is done under the lock may be shielded from a cancellation, so prolonging it is, too.
        self._held = anyio.CancelScope(shield=True)
        self._prolonging = Background(self._prolong)

    async def __aenter__(self) -> None:
        try:
            self._lock = await self._link.run(self._new_lock)
            await self._acquire(self._lock, self._clock.monotonic() + _WAIT_LIMIT)
            await self._prolonging.__aenter__()
        except BaseException:
            # Whoever is cancelled while it is got has it.
            await self._release()
            raise

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._held.cancel()
        try:
            await self._prolonging.__aexit__(exc_type, exc, traceback)
        finally:
            await self._release()

    def _new_lock(self, client: Redis) -> Lock:
        # Each step may run in another thread.
        return client.lock(self._name, timeout=_LOCK_SECONDS, blocking=False, thread_local=False)

    async def _acquire(self, lock: Lock, deadline: float) -> None:
        while not await uncancelled(lambda: self._link.run(lambda _: lock.acquire())):
            if self._clock.monotonic() >= deadline:
                raise TokenStoreError(
                    f"{self._name} in Redis has been held by others for {_WAIT_LIMIT} s; find out what they wait for, "
                    "then try again"
                )
            await self._clock.sleep(_POLL_INTERVAL)
        # Nothing of what the lock is for has begun, so who is cancelled need not begin it.
        await checkpoint_if_cancelled()

    async def _prolong(self) -> None:
        with self._held:
            while True:
                await self._clock.sleep(_PROLONG_INTERVAL)
                await self._try("prolonged", lambda lock: lock.reacquire())

    async def _release(self) -> None:
        if self._lock is not None and self._lock.local.token is not None:
            await uncancelled(lambda: self._try("freed", lambda lock: lock.release()))

    async def _try(self, what: str, step: Callable[[Lock], object]) -> None:
        """It ends by itself after a while; what has been done under it counts all the same."""
        lock = self._lock
        assert lock is not None
        try:
            await self._link.run(lambda _: step(lock))
        except TokenStoreError as error:
            _log.warning("%s could not be %s: %s", self._name, what, error)
