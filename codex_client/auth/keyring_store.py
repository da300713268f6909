"""Token sets in the system's keyring: Keychain, Credential Manager, Secret Service.

Keyrings keep short texts by name and list none. So there is an index of the accounts, and a text longer than an entry
may be is cut. Each text has a head, under its name: which of two slots holds it now, in how many parts, and its digest.
A text is written into the other slot first, and the head last: whoever dies in between leaves the old text whole.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import anyio.to_thread

from codex_client import settings
from codex_client.api import Clock, SystemClock
from codex_client.auth.file_store import account_lock, accounts_folder
from codex_client.auth.json_fields import read_object
from codex_client.auth.locked_file import exclusive
from codex_client.auth.tokens import TokenSet
from codex_client.auth.uncancelled import uncancelled
from codex_client.errors import MissingExtraError, TokenStoreError

_log = logging.getLogger("codex_client")

T = TypeVar("T")

_INDEX = "accounts"
_VERSION = 1
# The Credential Manager takes 2,560 bytes, and keyring gives it UTF-16; a token alone may be longer. The others take
# whatever comes.
_MAX_CHARS = 1200 if sys.platform == "win32" else 1_000_000
# A reader is overtaken only by a writer that rewrote the text meanwhile.
_READS = 3


class Keyring(Protocol):
    """What is used of a `keyring.backend.KeyringBackend`."""

    def get_password(self, service: str, username: str, /) -> str | None: ...

    def set_password(self, service: str, username: str, password: str, /) -> None: ...

    def delete_password(self, service: str, username: str, /) -> None: ...


class KeyringTokenStore:
    """Keeps token sets in the keyring of the user who is logged in to the system. Calls to it are made in a thread.

    `service`: the name that its entries are listed under. `backend`: a keyring other than the one that keyring chooses.
    `max_chars`: the length of an entry, None for what the system takes. Locks are files in `accounts_folder`, so they
    reach as far as the machine. Needs the extra [keyring].
    """

    def __init__(
        self,
        service: str = "codex-client",
        *,
        backend: Keyring | None = None,
        max_chars: int | None = None,
        folder: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._service = service
        self._entries = _Entries(backend or _system_keyring(), service, max_chars or _MAX_CHARS)
        self._clock = clock or SystemClock()
        self._told: set[str] = set()
        self._path = (folder or accounts_folder()) / f"keyring-{_digest(service)}"

    async def load(self) -> Mapping[str, TokenSet]:
        """An account that cannot be read is left out with a warning, and can be deleted."""
        return await self._run(self._read_sets)

    async def save(self, tokens: TokenSet, *, key: str | None = None) -> None:
        kept_as = key or tokens.key
        async with self._changing():
            await uncancelled(lambda: self._run(lambda: self._add(kept_as, tokens)))

    async def delete(self, key: str) -> None:
        async with self._changing():
            await uncancelled(lambda: self._run(lambda: self._remove(key)))

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        return account_lock(self._path, key, clock=self._clock)

    def _changing(self) -> AbstractAsyncContextManager[None]:
        return exclusive(self._path.with_name(f"{self._path.name}.lock"), clock=self._clock)

    def __repr__(self) -> str:
        return f"KeyringTokenStore({self._service!r})"

    async def _run(self, step: Callable[[], T]) -> T:
        """In a thread: a keyring may ask the user to unlock it. Whatever it fails with is told without its frames,
        which hold what was written.
        """
        outcome = await anyio.to_thread.run_sync(_outcome_of, step)
        if outcome.problem is None:
            return cast("T", outcome.value)
        raise TokenStoreError(f"the keyring of {self._service!r} failed: {outcome.problem}")

    def _add(self, key: str, tokens: TokenSet) -> None:
        index = self._read_index()
        self._entries.write(key, {"version": _VERSION, "tokens": tokens.to_dict()})
        if key not in index:
            self._entries.write(_INDEX, {"version": _VERSION, "keys": [*index, key]})

    def _remove(self, key: str) -> None:
        index = self._read_index()
        if key in index:
            self._entries.write(_INDEX, {"version": _VERSION, "keys": [each for each in index if each != key]})
        self._entries.delete(key)

    def _read_index(self) -> list[str]:
        document = _checked(self._entries.read(_INDEX))
        keys = document.get("keys", [])
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in cast("list[Any]", keys)):
            raise _ProblemError("its index of accounts is broken; remove its entries and log in again")
        return cast("list[str]", keys)

    def _read_sets(self) -> dict[str, TokenSet]:
        found: dict[str, TokenSet] = {}
        for key in self._read_index():
            try:
                found[key] = self._read_set(key)
            except _ProblemError as error:
                if key not in self._told:
                    self._told.add(key)
                    _log.warning("account %s in the keyring of %r is left out: %s", key, self._service, error)
        return found

    def _read_set(self, key: str) -> TokenSet:
        document = _checked(self._entries.read(key))
        try:
            return TokenSet.from_dict(document.get("tokens") or {})
        except (ValueError, AttributeError, TypeError):
            raise _ProblemError(f"the entry of account {key} is broken; remove it and log in again") from None


class _ProblemError(Exception):
    """A text that may be shown."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    value: Any = field(default=None, repr=False)
    problem: str | None = None


def _outcome_of(step: Callable[[], Any]) -> _Outcome:
    try:
        return _Outcome(value=step())
    except _ProblemError as error:
        return _Outcome(problem=str(error))
    except Exception as error:  # noqa: BLE001 (each keyring has errors of its own)
        if type(error).__name__ == "NoKeyringError":
            return _Outcome(
                problem=f"this system has no keyring service; keep logins in a file: {settings.STORE.name}=file"
            )
        return _Outcome(problem=f"{type(error).__name__}; see that it is unlocked and has room, or use a file store")


class _Entries:
    """JSON documents by name, each in as many entries as it needs. Its methods block."""

    def __init__(self, backend: Keyring, service: str, max_chars: int) -> None:
        self._backend = backend
        self._service = service
        self._max_chars = max_chars

    def read(self, name: str) -> dict[str, Any] | None:
        """None where there is none."""
        for _ in range(_READS):
            head = self._head(name)
            if head is None:
                return None
            parts = [self._get(f"{name}/{head.slot}/{number}") or "" for number in range(head.parts)]
            text = "".join(parts)
            if _digest(text) == head.digest:
                return read_object(json.loads(text))
        raise _ProblemError(f"its entries of {name} do not belong together; remove them and log in again")

    def write(self, name: str, document: Mapping[str, Any]) -> None:
        text, old = json.dumps(document), self._head(name)
        slot = "b" if old is not None and old.slot == "a" else "a"
        parts = [text[start : start + self._max_chars] for start in range(0, len(text), self._max_chars)]
        for number, part in enumerate(parts):
            self._backend.set_password(self._service, f"{name}/{slot}/{number}", part)
        head = {"version": _VERSION, "slot": slot, "parts": len(parts), "digest": _digest(text)}
        self._backend.set_password(self._service, name, json.dumps(head))
        if self.read(name) != document:
            raise _ProblemError("it does not keep what is written; choose another one, or use a file store")
        self._drop(f"{name}/{slot}", first=len(parts))
        if old is not None:
            self._drop(f"{name}/{old.slot}")

    def delete(self, name: str) -> None:
        """Also what cannot be read."""
        if self._get(name) is not None:
            self._backend.delete_password(self._service, name)
            self._drop(f"{name}/a")
            self._drop(f"{name}/b")

    def _drop(self, slot: str, first: int = 0) -> None:
        """Remove a slot's parts from a number on, those of a writer that died as well."""
        number = first
        while self._get(entry := f"{slot}/{number}") is not None:
            self._backend.delete_password(self._service, entry)
            number += 1

    def _head(self, name: str) -> _Head | None:
        text = self._get(name)
        if text is None:
            return None
        try:
            head = json.loads(text)
            return _Head(str(head["slot"]), int(head["parts"]), str(head["digest"]))
        except (ValueError, KeyError, TypeError):
            raise _ProblemError(f"its entry of {name} is broken; remove it and log in again") from None

    def _get(self, entry: str) -> str | None:
        return self._backend.get_password(self._service, entry)


@dataclass(frozen=True, slots=True)
class _Head:
    """Where a document is: its slot, in how many parts, and the digest of the whole."""

    slot: str
    parts: int
    digest: str


def _system_keyring() -> Keyring:
    try:
        import keyring
    except ImportError:
        raise MissingExtraError(
            "KeyringTokenStore needs the package 'keyring'; pip install 'codex-client[keyring]'", extra="keyring"
        ) from None
    return keyring.get_keyring()


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def _checked(document: dict[str, Any] | None) -> dict[str, Any]:
    version = 0 if document is None else document.get("version")
    if isinstance(version, int) and version > _VERSION:
        raise _ProblemError(f"it has version {version} and this program knows {_VERSION}; upgrade codex-client")
    return document or {}
