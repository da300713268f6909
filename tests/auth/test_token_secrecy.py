"""No token shows where a refresh, a store or a lease fails: not in texts, causes, pickles, logs or frames."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codex_client.auth.file_store import FileTokenStore
from codex_client.auth.keyring_store import KeyringTokenStore
from codex_client.auth.refresh import RefreshingAuth
from codex_client.errors import AuthError, CodexError
from codex_client.testing.scripts import Reply
from tests.support.keyrings import DictKeyring
from tests.support.logged_in import LoggedIn, logged_in
from tests.support.secrecy import assert_unseen, everything_of


async def lost_answer(here: LoggedIn, folder: Path, patch: pytest.MonkeyPatch) -> Any:
    here.server.disturb("/oauth/token")
    return here.store


async def refused(here: LoggedIn, folder: Path, patch: pytest.MonkeyPatch) -> Any:
    here.server.revoke_family(here.first)
    return here.store


async def echoed(here: LoggedIn, folder: Path, patch: pytest.MonkeyPatch) -> Any:
    echo = f"{here.first.refresh_token} {here.first.access_token} {here.first.email}"
    here.server.fail("/oauth/token", Reply.error(400, echo, code=here.first.refresh_token), times=3)
    return here.store


async def unreachable(here: LoggedIn, folder: Path, patch: pytest.MonkeyPatch) -> Any:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    await here.store.save(replace(here.first, issuer=f"http://127.0.0.1:{port}"), key=here.first.key)
    return here.store


async def no_issuer(here: LoggedIn, folder: Path, patch: pytest.MonkeyPatch) -> Any:
    await here.store.save(replace(here.first, issuer="http://issuer.test"), key=here.first.key)
    return here.store


async def disk_full(here: LoggedIn, folder: Path, patch: pytest.MonkeyPatch) -> Any:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    store = FileTokenStore(folder / "accounts.json")
    await store.save(here.first)
    patch.setattr(os, "replace", full)
    return store


async def broken_file(here: LoggedIn, folder: Path, patch: pytest.MonkeyPatch) -> Any:
    store = FileTokenStore(folder / "accounts.json")
    await store.save(here.first)
    os.truncate(store.path, store.path.stat().st_size - 3)
    return store


async def odd_member(here: LoggedIn, folder: Path, patch: pytest.MonkeyPatch) -> Any:
    store = FileTokenStore(folder / "accounts.json")
    await store.save(replace(here.first, plan_type=[here.first.access_token]))
    return store


async def keyring_full(here: LoggedIn, folder: Path, patch: pytest.MonkeyPatch) -> Any:
    ring = DictKeyring()
    store = KeyringTokenStore(backend=ring, folder=folder)
    await store.save(here.first)
    ring.limit = 20
    return store


async def unsendable(here: LoggedIn, folder: Path, patch: pytest.MonkeyPatch) -> Any:
    token = f"{here.first.access_token}\n"
    here.server.secrets.add(token)
    await here.store.save(replace(here.first, access_token=token, expires_at=None), key=here.first.key)
    return here.store


async def borrowed(here: LoggedIn, folder: Path, patch: pytest.MonkeyPatch) -> Any:
    await here.store.save(replace(here.first, borrowed=True))
    return here.store


FAILURES = [
    lost_answer,
    refused,
    echoed,
    unreachable,
    no_issuer,
    disk_full,
    broken_file,
    odd_member,
    keyring_full,
    unsendable,
    borrowed,
]


@pytest.mark.parametrize("fail", FAILURES)
async def test_a_failure_shows_no_secret(
    fail: Callable[[LoggedIn, Path, pytest.MonkeyPatch], Awaitable[Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with logged_in(lifetime=-1) as here:
        with caplog.at_level(logging.DEBUG), monkeypatch.context() as patch:
            store = await fail(here, tmp_path, patch)
            async with RefreshingAuth(store, clock=here.clock) as auth:
                with pytest.raises(CodexError) as caught:
                    await auth.lease(conversation_id=None, forced_refresh=False)
                seen = "\n".join([everything_of(caught.value), repr(auth), repr(store)])
        assert isinstance(caught.value, AuthError) or fail is no_issuer
        assert_unseen(seen + caplog.text, here.server.secrets)


async def test_the_check_itself_finds_a_secret_in_a_frame() -> None:
    namespace: dict[str, Any] = {}
    source = "def leak(secret):\n    held = {'x': [secret]}\n    raise ValueError('nothing')\n"
    exec(compile(source, "leaky.py", "exec"), namespace)
    with pytest.raises(ValueError, match="nothing") as caught:
        namespace["leak"]("canary-0815")
    with pytest.raises(AssertionError):
        assert_unseen(everything_of(caught.value), ["canary-0815"])
