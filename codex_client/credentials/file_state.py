"""A pool's record in a file, shared by the processes of one machine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from codex_client.api import Clock, SystemClock
from codex_client.auth.file_store import accounts_folder
from codex_client.auth.locked_file import LockedFile
from codex_client.credentials.fallback import Fallback
from codex_client.credentials.pool_record import PoolRecord
from codex_client.errors import TokenStoreError

R = TypeVar("R")

_log = logging.getLogger("codex_client")

_WAIT_LIMIT = 10.0


class FilePoolState:
    """Keeps the record in one JSON file, which also outlives the process. It holds no secret.

    `path`: None for `pool.json` beside the accounts. A record that cannot be read, such as one of another version, is
    begun anew: what it knew is learnt again from the next answers. While the file cannot be written the record is in
    memory. Both are logged, and raise nothing. Needs the extra [accounts].
    """

    def __init__(self, path: Path | None = None, *, clock: Clock | None = None) -> None:
        clock = clock or SystemClock()
        self._file = LockedFile(path or accounts_folder() / "pool.json", wait_limit=_WAIT_LIMIT, clock=clock)
        self._fallback = Fallback(str(self._file.path), clock=clock)
        self._is_warned = False

    @property
    def path(self) -> Path:
        return self._file.path

    async def load(self) -> PoolRecord:
        return await self._fallback.load(self._load)

    async def update(self, change: Callable[[PoolRecord], R]) -> R:
        return await self._fallback.update(self._update, change)

    async def _load(self) -> PoolRecord:
        return self._parsed(self._read())

    async def _update(self, change: Callable[[PoolRecord], R]) -> R:
        async with self._file.locked():
            document = self._read()
            self._fallback.note_seen(partial(self._parsed, document))
            record = self._parsed(document)
            result = change(record)
            document = record.to_document()
            # Losing the last change to a power cut costs one refused request; waiting for the disk costs every turn.
            await self._file.write(document, durable=False)
            self._fallback.note_seen(partial(self._parsed, document))
            return result

    def _read(self) -> dict[str, Any] | None:
        try:
            return self._file.read()
        except TokenStoreError:
            self._warn(f"{self.path} cannot be read, or holds no JSON object")
            return None

    def _parsed(self, document: Mapping[str, Any] | None) -> PoolRecord:
        if document is None:
            return PoolRecord()
        try:
            return PoolRecord.from_document(document)
        except ValueError as error:
            # Its class only: the error quotes what it could not read.
            self._warn(f"{self.path} holds no record of a pool ({type(error).__name__})")
            return PoolRecord()

    def _warn(self, problem: str) -> None:
        if not self._is_warned:
            self._is_warned = True
            _log.warning("the pool's record is begun anew: %s", problem)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"
