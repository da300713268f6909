"""A pool's record in a file, shared by the processes of one machine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from codex_client.api import Clock
from codex_client.auth.file_store import accounts_folder
from codex_client.auth.locked_file import LockedFile
from codex_client.credentials.pool_record import PoolRecord

R = TypeVar("R")

_log = logging.getLogger("codex_client")


class FilePoolState:
    """Keeps the record in one JSON file, which also outlives the process. It holds no secret.

    `path`: None for `pool.json` beside the accounts. A record that cannot be read, such as one of another version, is
    begun anew: what it knew is learnt again from the next answers. Needs the extra [accounts].
    """

    def __init__(self, path: Path | None = None, *, clock: Clock | None = None) -> None:
        self._file = LockedFile(path or accounts_folder() / "pool.json", clock=clock)

    @property
    def path(self) -> Path:
        return self._file.path

    async def load(self) -> PoolRecord:
        return self._parsed(self._file.read())

    async def update(self, change: Callable[[PoolRecord], R]) -> R:
        async with self._file.locked():
            record = self._parsed(self._file.read())
            result = change(record)
            # Losing the last change to a power cut costs one refused request; waiting for the disk costs every turn.
            await self._file.write(record.to_document(), durable=False)
            return result

    def _parsed(self, document: dict[str, Any] | None) -> PoolRecord:
        if document is None:
            return PoolRecord()
        try:
            return PoolRecord.from_document(document)
        except ValueError as error:
            # Its class only: the error quotes what it could not read.
            _log.warning("%s holds no record of a pool (%s); begun anew", self.path, type(error).__name__)
            return PoolRecord()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"
