"""The file of logins: its place, its form, and what is never done to it."""

from __future__ import annotations

import builtins
import json
import os
from pathlib import Path
from typing import Any

import anyio
import platformdirs
import pytest

from codex_client.auth.file_store import FileTokenStore, accounts_folder
from codex_client.errors import MissingExtraError, TokenStoreError
from tests.support.logins import CANARY, login, secrets_of
from tests.support.secrecy import assert_unseen, everything_of


def test_logins_are_kept_where_the_system_keeps_configuration() -> None:
    expected = Path(platformdirs.user_config_dir("codex-client", appauthor=False))
    assert FileTokenStore().path == expected / "accounts.json"


def test_the_environment_names_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CODEX_CLIENT_HOME", str(tmp_path))
    assert FileTokenStore().path == tmp_path / "accounts.json"
    monkeypatch.setenv("CODEX_CLIENT_HOME", "~/there")
    assert accounts_folder() == Path.home() / "there"


def test_without_platformdirs_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "platformdirs":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"codex-client\[accounts\]") as caught:
        FileTokenStore()
    assert caught.value.extra == "accounts"
    assert FileTokenStore(tmp_path / "a.json").path == tmp_path / "a.json"


async def test_the_form_of_the_file(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path / "accounts.json")
    await store.save(login())
    assert json.loads(store.path.read_bytes()) == {"version": 1, "accounts": {login().key: login().to_dict()}}
    assert store.path.stat().st_mode & 0o777 == 0o600 or os.name != "posix"


async def test_what_later_versions_wrote_beside_is_preserved(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    stored = login().to_dict() | {"later": [1]}
    path.write_text(json.dumps({"version": 1, "accounts": {login().key: stored}, "also": {"x": 1}}))
    path.chmod(0o600)
    store = FileTokenStore(path)
    await store.save(login(lifetime=7200))
    await store.save(login("two"))
    document = json.loads(path.read_bytes())
    assert document["also"] == {"x": 1}
    assert document["accounts"][login().key] == login(lifetime=7200).to_dict() | {"later": [1]}


@pytest.mark.parametrize(
    "content, told",
    [
        (b"", "holds no JSON object"),
        (b'{"version": 1, "acc', "holds no JSON object"),
        (b"{}", "it is no file of accounts"),
        (b'{"version": "1", "accounts": {}}', "it is no file of accounts"),
        (b'{"version": 1, "accounts": []}', "it is no file of accounts"),
        (b'{"version": 2, "accounts": {}}', "version 2 and this program knows 1; upgrade"),
        (b'{"version": 1, "accounts": {"k": {"access_token": ["canary"]}}}', "account k: access_token: missing or"),
        (b'{"version": 1, "accounts": {"k": "canary"}}', "account k: access_token: missing or"),
    ],
)
async def test_a_file_that_is_not_understood_is_told_and_left_as_it_is(
    tmp_path: Path, content: bytes, told: str
) -> None:
    path = tmp_path / "accounts.json"
    path.write_bytes(content)
    path.chmod(0o600)
    store = FileTokenStore(path)
    with pytest.raises(TokenStoreError, match=told) as caught:
        await store.load()
    assert str(path) in str(caught.value)
    assert_unseen(everything_of(caught.value), ["canary"])
    if "account k" not in told:
        with pytest.raises(TokenStoreError, match=told):
            await store.save(login())
    with pytest.raises(TokenStoreError, match=told):
        await store.delete("k")
    assert path.read_bytes() == content


async def test_a_save_that_fails_shows_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    store = FileTokenStore(tmp_path / "accounts.json")
    await store.save(login("two"))
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(TokenStoreError, match="No space left") as caught:
        await store.save(login())
    assert_unseen(everything_of(caught.value), [*secrets_of(login()), *secrets_of(login("two")), CANARY])


async def test_many_savers_lose_nothing(tmp_path: Path) -> None:
    names = [f"user{number}" for number in range(12)]
    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(FileTokenStore(tmp_path / "accounts.json").save, login(name))
    assert set(await FileTokenStore(tmp_path / "accounts.json").load()) == {login(name).key for name in names}
