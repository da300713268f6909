"""Logins in the system's keyring, whose entries may be short and whose errors are its own."""

from __future__ import annotations

import builtins
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backends import fail, null

from codex_client.auth.keyring_store import KeyringTokenStore
from codex_client.errors import MissingExtraError, TokenStoreError
from tests.support.keyrings import DictKeyring
from tests.support.logins import CANARY, login, secrets_of
from tests.support.secrecy import assert_unseen, everything_of


class Killed(BaseException):
    """The process ends here."""


class DyingKeyring(DictKeyring):
    """Ends the process at its n-th change."""

    def __init__(self, lives: int, *, limit: int) -> None:
        super().__init__(limit=limit)
        self.lives = lives

    def set_password(self, service: str, username: str, password: str, /) -> None:
        self.count()
        super().set_password(service, username, password)

    def delete_password(self, service: str, username: str, /) -> None:
        self.count()
        super().delete_password(service, username)

    def count(self) -> None:
        self.lives -= 1
        if self.lives == 0:
            raise Killed


async def test_entries_are_no_longer_than_allowed_and_none_is_left_behind(tmp_path: Path) -> None:
    ring = DictKeyring(limit=300)
    store = KeyringTokenStore(backend=ring, max_chars=300, folder=tmp_path)
    for _ in range(3):
        await store.save(login())
    count = len(ring.entries)
    assert {service for service, _ in ring.entries} == {"codex-client"}
    await store.save(login())
    assert len(ring.entries) == count
    await store.delete(login().key)
    assert {name for _, name in ring.entries if name.startswith(login().key)} == set()


async def test_a_writer_that_dies_at_any_step_leaves_the_old_set_or_the_new_one(tmp_path: Path) -> None:
    old, new = login(), login(lifetime=7200)
    outcomes: list[str] = []
    for step in range(1, 50):
        ring = DyingKeyring(-1, limit=200)
        store = KeyringTokenStore(backend=ring, max_chars=200, folder=tmp_path)
        await store.save(old)
        ring.lives = step
        try:
            await store.save(new)
        except Killed:
            stored = (await store.load())[old.key]
            outcomes.append("old" if stored == old else "new")
            assert stored in (old, new)
            ring.lives = -1
            await store.save(new)
            assert await store.load() == {new.key: new}
        else:
            break
    assert outcomes[0] == "old"
    assert outcomes[-1] == "new"


async def test_parts_that_do_not_belong_together_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ring = DictKeyring()
    store = KeyringTokenStore(backend=ring, folder=tmp_path)
    await store.save(login())
    await store.save(login("two"))
    ring.entries["codex-client", f"{login().key}/a/0"] = json.dumps({"version": 1, "tokens": {}})
    for _ in range(2):
        assert set(await store.load()) == {login("two").key}
    assert len(caplog.records) == 1
    assert f"account {login().key} in the keyring of 'codex-client' is left out: " in caplog.text
    assert "do not belong together" in caplog.text
    await store.delete(login().key)
    assert {name.split("/")[0] for _, name in ring.entries} == {"accounts", login("two").key}


@pytest.mark.parametrize(
    "name, document, told",
    [
        ("accounts", {"version": 1, "keys": [1]}, "its index of accounts is broken"),
        (login().key, {"version": 1, "tokens": {"access_token": [CANARY]}}, None),
        (login().key, {"version": 1, "tokens": CANARY}, None),
    ],
)
async def test_a_document_of_another_form_is_told_unseen(
    tmp_path: Path, name: str, document: dict[str, Any], told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    ring = DictKeyring()
    store = KeyringTokenStore(backend=ring, folder=tmp_path)
    await store.save(login())
    text = json.dumps(document)
    head = {"version": 1, "slot": "z", "parts": 1, "digest": sha256(text.encode()).hexdigest()[:16]}
    ring.entries["codex-client", name] = json.dumps(head)
    ring.entries["codex-client", f"{name}/z/0"] = text
    if told is None:
        assert await store.load() == {}
        assert f"the entry of account {name} is broken" in caplog.text
        assert_unseen(caplog.text, [CANARY])
        return
    with pytest.raises(TokenStoreError, match=told) as caught:
        await store.load()
    assert_unseen(everything_of(caught.value), [CANARY])


@pytest.mark.parametrize(
    "name, value, told",
    [
        ("accounts", "no json", "its entry of accounts is broken"),
        ("accounts", "[]", "its entry of accounts is broken"),
    ],
)
async def test_a_broken_entry_is_told_and_left(tmp_path: Path, name: str, value: str, told: str) -> None:
    ring = DictKeyring()
    store = KeyringTokenStore(backend=ring, folder=tmp_path)
    await store.save(login())
    ring.entries["codex-client", name] = value
    for action in (store.load(), store.save(login("two"))):
        with pytest.raises(TokenStoreError, match=told):
            await action
    assert ring.entries["codex-client", name] == value


async def test_entries_of_a_newer_version_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = DictKeyring()
    with monkeypatch.context() as patch:
        patch.setattr("codex_client.auth.keyring_store._VERSION", 2)
        await KeyringTokenStore(backend=ring, folder=tmp_path).save(login())
    with pytest.raises(TokenStoreError, match="version 2 and this program knows 1"):
        await KeyringTokenStore(backend=ring, folder=tmp_path).load()


async def test_an_entry_that_is_too_long_for_the_keyring_is_told_without_its_content(tmp_path: Path) -> None:
    store = KeyringTokenStore(backend=DictKeyring(limit=100), max_chars=5000, folder=tmp_path)
    with pytest.raises(TokenStoreError, match=r"the keyring of 'codex-client' failed: ValueError; see that") as caught:
        await store.save(login())
    assert_unseen(everything_of(caught.value), [*secrets_of(login()), CANARY])


async def test_a_keyring_that_keeps_nothing_is_noticed(tmp_path: Path) -> None:
    store = KeyringTokenStore(backend=null.Keyring(), folder=tmp_path)
    with pytest.raises(TokenStoreError, match="does not keep what is written"):
        await store.save(login())


async def test_where_there_is_no_keyring_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "get_keyring", fail.Keyring)
    with pytest.raises(
        TokenStoreError, match="this system has no keyring service; keep logins in a file: CODEX_CLIENT_STORE=file"
    ):
        await KeyringTokenStore(folder=tmp_path).load()


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "keyring":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"codex-client\[keyring\]") as caught:
        KeyringTokenStore(folder=tmp_path)
    assert caught.value.extra == "keyring"
