"""Where a pool keeps what it knows: the seam, and the state that forgets when the process ends."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from threading import Lock
from typing import Protocol, TypeVar

from codex_client.credentials.pool_record import PoolRecord

R = TypeVar("R")


class PoolState(Protocol):
    """Keeps one `PoolRecord`, for one pool or for all that share it. Used by any number of tasks at once."""

    async def load(self) -> PoolRecord:
        """The record as it is now, to read. Raises `TokenStoreError`."""
        ...

    async def update(self, change: Callable[[PoolRecord], R]) -> R:
        """Change the record and give what `change` gives: one atomic step, as far as the state reaches.

        `change` is pure but for the record that it is given. It may run more than once, each time on the record as it
        is then, and in a thread. Raises `TokenStoreError`; nothing has been changed then.
        """
        ...


class MemoryPoolState:
    """A record for as long as the process runs, for all of its threads. It begins with `record`, which is its own."""

    def __init__(self, record: PoolRecord | None = None) -> None:
        self._record = record or PoolRecord()
        # Held for microseconds, and never while anything is awaited.
        self._lock = Lock()

    async def load(self) -> PoolRecord:
        with self._lock:
            return deepcopy(self._record)

    async def update(self, change: Callable[[PoolRecord], R]) -> R:
        with self._lock:
            return change(self._record)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._record.accounts)} accounts)"
