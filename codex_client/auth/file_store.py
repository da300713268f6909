"""Token sets in a file of the user's, shared by all processes of the machine."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from codex_client import settings
from codex_client.api import Clock, SystemClock
from codex_client.auth.json_fields import read_object
from codex_client.auth.locked_file import LockedFile, exclusive, missing_accounts_extra
from codex_client.auth.tokens import TokenSet
from codex_client.errors import TokenStoreError

_log = logging.getLogger("codex_client")

_VERSION = 1
# Longer than a refresh may take that another process has just begun, with some queue before it.
_REFRESH_WAIT_LIMIT = 120.0
_FILE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class FileTokenStore:
    """Keeps the token sets of all accounts in one JSON file that only its owner may read.

    `path`: None for `accounts.json` in `accounts_folder`. Its lock is one per account and reaches as far as the
    machine; on a network file system as far as that one's locks do. An account that cannot be read is left out with a
    warning, and can be deleted. Needs the extra [accounts].
    """

    def __init__(self, path: Path | None = None, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._file = LockedFile(path or accounts_folder() / "accounts.json", clock=self._clock)
        self._told: dict[str, str] = {}

    @property
    def path(self) -> Path:
        return self._file.path

    async def load(self) -> Mapping[str, TokenSet]:
        try:
            found, problems = _token_sets(self._file.read())
        except ValueError as error:
            problem = str(error)
        else:
            self._tell(problems)
            return found
        raise self._unusable(problem)

    async def save(self, tokens: TokenSet, *, key: str | None = None) -> None:
        async with self._file.locked():
            await self._file.write(self._changed(key or tokens.key, tokens))

    async def delete(self, key: str) -> None:
        async with self._file.locked():
            if self._has(key):
                await self._file.write(self._changed(key, None))

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        return account_lock(self.path, key, clock=self._clock)

    def _has(self, key: str) -> bool:
        """Also one that cannot be read."""
        try:
            return key in _accounts(self._file.read())
        except ValueError as error:
            problem = str(error)
        raise self._unusable(problem)

    def _changed(self, key: str, tokens: TokenSet | None) -> dict[str, Any]:
        """The document with one set replaced, or removed. What else is in it stays, of versions to come as well."""
        try:
            return _with(self._file.read(), key, tokens)
        except ValueError as error:
            problem = str(error)
        raise self._unusable(problem)

    def _unusable(self, problem: str) -> TokenStoreError:
        return TokenStoreError(f"{self.path} was left as it is: {problem}")

    def _tell(self, problems: Mapping[str, str]) -> None:
        """Each once: a store is read often."""
        for key, problem in problems.items():
            if self._told.get(key) != problem:
                _log.warning(
                    "account %s in %s is left out: %s; log in again, or delete the account", key, self.path, problem
                )
        self._told = dict(problems)

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self.path)!r})"


def account_lock(path: Path, key: str, *, clock: Clock) -> AbstractAsyncContextManager[None]:
    """The lock of one account of those that are kept at `path`, as a file next to that."""
    name = key if _FILE_NAME.fullmatch(key) else sha256(key.encode()).hexdigest()
    path = Path(os.path.realpath(path))
    return exclusive(path.with_name(f"{path.name}.{name}.lock"), wait_limit=_REFRESH_WAIT_LIMIT, clock=clock)


def accounts_folder() -> Path:
    """Where logins and what is known of accounts are kept: CODEX_CLIENT_HOME, else the system's folder for a user's
    configuration.
    """
    if chosen := settings.HOME.read():
        return Path(chosen).expanduser()
    try:
        from platformdirs import user_config_path
    except ImportError:
        raise missing_accounts_extra() from None
    return user_config_path("codex-client", appauthor=False)


def _token_sets(document: dict[str, Any] | None) -> tuple[dict[str, TokenSet], dict[str, str]]:
    """The sets, and what is wrong with each that cannot be read. Raises `ValueError`, which shows no value either."""
    found: dict[str, TokenSet] = {}
    problems: dict[str, str] = {}
    for key, stored in _accounts(document).items():
        try:
            found[key] = TokenSet.from_dict(read_object(stored))
        except ValueError as error:
            problems[key] = str(error)
    return found, problems


def _with(document: dict[str, Any] | None, key: str, tokens: TokenSet | None) -> dict[str, Any]:
    # In its place: the order of the accounts is the one in which a pool chooses.
    accounts = dict(_accounts(document))
    if tokens is None:
        del accounts[key]
    else:
        accounts[key] = {**read_object(accounts.get(key)), **tokens.to_dict()}
    return {**(document or {}), "version": _VERSION, "accounts": accounts}


def _accounts(document: dict[str, Any] | None) -> dict[str, Any]:
    if document is None:
        return {}
    version, accounts = document.get("version"), document.get("accounts")
    if isinstance(version, int) and version > _VERSION:
        raise ValueError(f"it has version {version} and this program knows {_VERSION}; upgrade codex-client")
    if version != _VERSION or not isinstance(accounts, dict):
        raise ValueError("it is no file of accounts; choose another path, or move it away to begin anew")
    return cast("dict[str, Any]", accounts)
