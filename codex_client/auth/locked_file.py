"""A JSON document that processes share: written whole or not at all, by one of them at a time.

Waiting for the lock polls, on the given clock. Reading a few kilobytes and asking for the lock take microseconds and
are done in place; a durable write waits for the disk and is done in a thread, to its end, before the lock is freed.

What is written may be secret. Tracebacks with locals show what is bound in their frames, so no frame that an error
leaves through holds the document.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import anyio.to_thread

from codex_client.api import Clock, SystemClock
from codex_client.auth.polling import poll
from codex_client.auth.uncancelled import uncancelled
from codex_client.errors import MissingExtraError, TokenStoreError

if TYPE_CHECKING:
    from filelock import BaseFileLock

_log = logging.getLogger("codex_client")

_WAIT_LIMIT = 60.0
_ADVICE = "restore it from a copy, or move it away to begin anew"


class LockedFile:
    """A JSON object in a file. Reads need no lock: the file is only ever replaced as a whole.

    The file is the user's alone (0600); its folder is, too (0700), where it is made here. A symbolic link is followed:
    what it names is replaced, and locked. `wait_limit`: seconds to wait for the lock. Needs the extra [accounts].
    """

    def __init__(self, path: Path, *, wait_limit: float = _WAIT_LIMIT, clock: Clock | None = None) -> None:
        # What is missing is told now, and not when a login has been made that cannot be kept.
        _lock_class()
        self._path = path
        self._wait_limit = wait_limit
        self._clock = clock or SystemClock()
        self._is_held = False

    @property
    def path(self) -> Path:
        return self._path

    def read(self) -> dict[str, Any] | None:
        """The document, None where there is no file. Raises `TokenStoreError` for a file that is no JSON object."""
        _tighten(self._path)
        return read_document(self._path)

    @asynccontextmanager
    async def locked(self) -> AsyncGenerator[None]:
        """Excludes every other holder, in this process and in others. Not to be entered twice by one task.

        Raises `TokenStoreError` after `wait_limit` seconds, or where the file system cannot lock.
        """
        target = _resolved(self._path)
        async with exclusive(target.with_name(f"{target.name}.lock"), wait_limit=self._wait_limit, clock=self._clock):
            self._is_held = True
            try:
                yield
            finally:
                self._is_held = False

    async def write(self, document: Mapping[str, Any], *, durable: bool = True) -> None:
        """Replace the document, inside `locked`. `durable`: on the disk, not only with the system, when this returns.

        Raises `TokenStoreError`; the old document is then still there.
        """
        if not self._is_held:
            raise RuntimeError("LockedFile.write was called outside of `async with file.locked()`")
        content = _Content(json.dumps(document).encode() + b"\n")
        del document
        target = _resolved(self._path)
        if durable:
            failure = await uncancelled(lambda: anyio.to_thread.run_sync(_replace, target, content, True))
        else:
            failure = _replace(target, content, False)
        if failure is not None:
            raise TokenStoreError(
                f"{self._path} could not be written: {failure}; see to the disk's space and the folder's rights"
            )

    def __repr__(self) -> str:
        return f"LockedFile({str(self._path)!r})"


class _Content:
    """Bytes that no repr shows."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


@asynccontextmanager
async def exclusive(path: Path, *, wait_limit: float = _WAIT_LIMIT, clock: Clock | None = None) -> AsyncGenerator[None]:
    """Holds the lock of a file that exists for that alone; the system frees it if the process dies.

    Raises `TokenStoreError` after `wait_limit` seconds, or where the file system cannot lock.
    """
    clock = clock or SystemClock()
    _make_folder(path.parent)
    # A lock object counts its holders; one for each holder excludes tasks, too.
    lock = _new_lock(path)
    if not await poll(lambda: _acquired(lock, path), wait_limit=wait_limit, clock=clock):
        raise TokenStoreError(
            f"another task or process has held {path} for {wait_limit} s; it may be waiting for the issuer, or "
            "be stopped: find it (`fuser` names it on Linux) and end it, then try again"
        )
    try:
        yield
    finally:
        lock.release()


def read_document(path: Path, *, wrap_lists: str | None = None, advice: str = _ADVICE) -> dict[str, Any] | None:
    """The JSON object in a file, None where there is no file. Raises `TokenStoreError`, which shows nothing of it.

    `wrap_lists`: a list is given as the one member of this name; without it a list is an error. `advice`: what to do
    about a file that holds none.
    """
    try:
        document = _parsed(path.read_bytes(), wrap_lists)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TokenStoreError(
            f"{path} could not be read: {error.strerror or type(error).__name__}; see to its rights"
        ) from None
    if document is None:
        raise TokenStoreError(f"{path} holds no JSON object and was left as it is; {advice}")
    return document


def _parsed(content: bytes, wrap_lists: str | None) -> dict[str, Any] | None:
    """None for what is no JSON object; raises nothing, because the decoder's errors carry the whole text."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if wrap_lists is not None and isinstance(value, list):
        return {wrap_lists: value}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def missing_accounts_extra() -> MissingExtraError:
    return MissingExtraError(
        "to keep logins in files needs the packages 'filelock' and 'platformdirs'; "
        "pip install 'codex-client[accounts]'",
        extra="accounts",
    )


def _new_lock(path: Path) -> BaseFileLock:
    # Not bound to a thread: the event loop may run in any.
    return _lock_class()(path, mode=0o600, thread_local=False)


def _lock_class() -> type[BaseFileLock]:
    try:
        from filelock import FileLock
    except ImportError:
        raise missing_accounts_extra() from None
    return FileLock


def _acquired(lock: BaseFileLock, path: Path) -> bool:
    from filelock import Timeout

    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    except (OSError, NotImplementedError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        raise TokenStoreError(
            f"{path} could not be locked: {reason}; see to the folder's rights, or choose a folder on a local disk"
        ) from None
    return True


def _resolved(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise TokenStoreError(
            f"the folder {folder} could not be made: {error.strerror}; make it, or choose another"
        ) from None


def _tighten(path: Path) -> None:
    """Take the rights to a file from everybody but its owner."""
    if os.name != "posix":
        return
    try:
        rights = path.stat().st_mode & 0o777
    except OSError:
        # Where that matters, reading says it.
        return
    if not rights & 0o077:
        return
    try:
        path.chmod(0o600)
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("%s is open to other users (%03o) and stays so: %s", path, rights, error.strerror)
    else:
        _log.warning("%s was open to other users (%03o); it is now the owner's alone (600)", path, rights)


def _replace(target: Path, content: _Content, durable: bool) -> str | None:
    """What went wrong, None where nothing did. No exception: its frames would show the content."""
    # One name: writers exclude each other, so what is there was left by one that died.
    temporary = target.with_name(f".{target.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        _write_private(temporary, content, durable)
        os.replace(temporary, target)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        return error.strerror or type(error).__name__
    if durable:
        _sync_folder(target.parent)
    return None


def _write_private(path: Path, content: _Content, durable: bool) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content.data)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the new name durable. Windows opens no folders, and some network file systems sync none: the content is
    safe either way.
    """
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
