"""A connection to Redis for who keeps something there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from weakref import WeakKeyDictionary

import anyio
import anyio.to_thread
from anyio.lowlevel import current_token

from codex_client.errors import CodexError, ConfigurationError, MissingExtraError, TokenStoreError

if TYPE_CHECKING:
    from redis import Redis

R = TypeVar("R")

# Enough for every task that waits for one server.
_THREADS = 16


class RedisLink:
    """Runs steps on Redis in threads: its asynchronous client knows asyncio only, and threads serve every event loop.

    `url` as Redis clients take it (`redis://`, `rediss://` for TLS, `unix://`), with its password; it shows nowhere.
    `timeout`: seconds for a connection, and for each answer. A step is tried again where the connection breaks, and
    where it does not answer only if `is_patient`. Connections are opened when first used. Needs the extra [redis].
    """

    def __init__(self, url: str, *, timeout: float, is_patient: bool) -> None:
        self._client, self._problem = _new_client(url, timeout, is_patient)
        # The threads of others must not be used up by a server that does not answer, nor these by others.
        self._limiters: WeakKeyDictionary[object, anyio.CapacityLimiter] = WeakKeyDictionary()

    def check(self) -> None:
        """Raises `ConfigurationError` for a URL that cannot be read, `MissingExtraError` where the package is missing.

        Apart from the constructor, so that its caller can drop the URL first: a traceback with locals would show it.
        """
        if self._problem is not None:
            raise self._problem

    async def run(self, step: Callable[[Redis], R], *, may_abandon: bool = False) -> R:
        """What `step` gives. Raises `TokenStoreError` where Redis cannot be reached, or refuses.

        `may_abandon`: who is cancelled does not wait for its end; it may or may not be done then.
        """
        assert self._client is not None, "check comes first"
        limiter = self._limiters.setdefault(current_token().native_token, anyio.CapacityLimiter(_THREADS))
        outcome = await anyio.to_thread.run_sync(
            _attempt, step, self._client, abandon_on_cancel=may_abandon, limiter=limiter
        )
        if outcome.failure is not None:
            raise TokenStoreError(f"Redis failed: {outcome.failure}; check that it runs, its URL and its rights")
        return outcome.get()

    async def aclose(self) -> None:
        """Close the connections. A later step opens them anew."""
        if self._client is not None:
            await anyio.to_thread.run_sync(self._client.close)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"


class _Outcome(Generic[R]):
    """What a step gave, which may be secret, or in words why it gave nothing."""

    __slots__ = ("_values", "failure")

    def __init__(self, *values: R, failure: str | None = None) -> None:
        self._values = values
        self.failure = failure

    def get(self) -> R:
        return self._values[0]


def _attempt(step: Callable[[Redis], R], client: Redis) -> _Outcome[R]:
    """No exception of the library's leaves here: its frames hold the commands, and with them what is kept."""
    from redis.exceptions import RedisError

    try:
        return _Outcome(step(client))
    except RedisError as error:
        return _Outcome(failure=type(error).__name__)


def _new_client(url: str, timeout: float, is_patient: bool) -> tuple[Redis | None, CodexError | None]:
    """A client, or what stands in its way: the library's own errors may quote the URL."""
    try:
        from redis import Redis
        from redis.backoff import ExponentialWithJitterBackoff
        from redis.exceptions import ConnectionError as BrokenConnection, TimeoutError as NoAnswer
        from redis.retry import Retry
    except ImportError:
        return None, MissingExtraError(
            "what is kept in Redis needs the package 'redis'; pip install 'codex-client[redis]'", extra="redis"
        )
    errors = (BrokenConnection, NoAnswer, TimeoutError) if is_patient else (BrokenConnection,)
    retry = Retry(ExponentialWithJitterBackoff(cap=0.5, base=0.05), 2 if is_patient else 1, errors)
    try:
        client = cast("Any", Redis).from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=retry)
    except (ValueError, TypeError):
        return None, ConfigurationError("the URL of Redis cannot be read; give one such as redis://localhost:6379/0")
    return client, None
