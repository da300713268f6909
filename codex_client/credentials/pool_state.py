"""Where a pool keeps what it knows: the seam, and the state that forgets when the process ends."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
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
    """A record for as long as the process runs."""

    def __init__(self) -> None:
        self._record = PoolRecord()

    async def load(self) -> PoolRecord:
        return deepcopy(self._record)

    async def update(self, change: Callable[[PoolRecord], R]) -> R:
        return change(self._record)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._record.accounts)} accounts)"
