"""Lists of models that servers have told, kept between two commands."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from codex_client.api import Clock, SystemClock
from codex_client.auth.file_store import accounts_folder
from codex_client.auth.locked_file import LockedFile
from codex_client.errors import TokenStoreError
from codex_client.models import ModelCatalogue, ModelInfo

_VERSION = 1
_WAIT_LIMIT = 10.0
# Codex's, for the same list.
_MAX_AGE = 300.0


@dataclass(frozen=True, slots=True)
class _Kept:
    models: tuple[ModelInfo, ...]
    etag: str | None
    fetched_at: float


@dataclass(frozen=True, slots=True)
class _Document:
    version: int = _VERSION
    lists: dict[str, _Kept] = field(default_factory=dict[str, _Kept])


_DOCUMENT = TypeAdapter(_Document)


class CatalogueFile:
    """Keeps the lists of several servers in one JSON file, each by the address that told it. It holds no secret.

    `path`: None for `models.json` beside the accounts. A file that cannot be read, such as one of another version, is
    none: its lists are asked for anew. A list is fresh for `max_age` seconds.
    """

    def __init__(self, path: Path | None = None, *, max_age: float = _MAX_AGE, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._max_age = max_age
        self._file = LockedFile(path or accounts_folder() / "models.json", wait_limit=_WAIT_LIMIT, clock=self._clock)

    @property
    def path(self) -> Path:
        return self._file.path

    def load(self, url: str) -> ModelCatalogue | None:
        """The list that was told there, whatever its age (see `is_fresh`)."""
        kept = self._read().lists.get(url)
        if kept is None:
            return None
        return ModelCatalogue(models=kept.models, etag=kept.etag, fetched_at=kept.fetched_at)

    def is_fresh(self, catalogue: ModelCatalogue) -> bool:
        return not catalogue.is_stale(None, self._clock.time(), max_age=self._max_age)

    async def save(self, url: str, catalogue: ModelCatalogue) -> None:
        """Keep a list that was fetched. Raises `TokenStoreError` where the file cannot be written."""
        async with self._file.locked():
            document = self._read()
            at = self._clock.time() if catalogue.fetched_at is None else catalogue.fetched_at
            document.lists[url] = _Kept(catalogue.models, catalogue.etag, at)
            # Losing the last list to a power cut costs one request.
            await self._file.write(_DOCUMENT.dump_python(document, mode="json"), durable=False)

    def _read(self) -> _Document:
        try:
            document: Any = self._file.read()
            kept = _Document() if document is None else _DOCUMENT.validate_python(document)
        except (TokenStoreError, ValidationError):
            return _Document()
        return kept if kept.version == _VERSION else _Document()
