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
    with pytest.raises(
        MissingExtraError, match=r"'filelock' and 'platformdirs'; pip install 'codex-client\[accounts\]'$"
    ) as caught:
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
    with pytest.raises(TokenStoreError, match=told):
        await store.save(login())
    with pytest.raises(TokenStoreError, match=told):
        await store.delete("k")
    assert path.read_bytes() == content


@pytest.mark.parametrize("broken", ['{"access_token": ["canary"]}', '"canary"'])
async def test_an_account_that_cannot_be_read_is_left_out_told_once_and_can_be_deleted(
    tmp_path: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "accounts.json"
    path.write_text(f'{{"version": 1, "accounts": {{"k": {broken}, "good": {json.dumps(login().to_dict())}}}}}')
    path.chmod(0o600)
    store = FileTokenStore(path)
    for _ in range(3):
        assert await store.load() == {"good": login()}
    (record,) = caplog.records
    assert record.getMessage() == (
        f"account k in {path} is left out: access_token: missing or of the wrong type; log in again, or delete the "
        "account"
    )
    await store.save(login("two"))
    assert list(json.loads(path.read_bytes())["accounts"]) == ["k", "good", login("two").key]
    await store.delete("k")
    assert list(json.loads(path.read_bytes())["accounts"]) == ["good", login("two").key]


async def test_a_login_that_is_saved_again_keeps_its_place(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path / "accounts.json")
    names = ["one", "two", "three"]
    for name in names:
        await store.save(login(name))
    await store.save(login("one", lifetime=7200))
    loaded = await store.load()
    assert list(loaded) == [login(name).key for name in names]
    assert loaded[login("one").key] == login("one", lifetime=7200)


async def test_whether_logins_can_be_kept_shows_before_there_is_one(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path / "new" / "accounts.json")
    async with store.lock("login"):
        assert await store.load() == {}
    assert not store.path.exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(TokenStoreError, match="could not be made"):
        async with FileTokenStore(tmp_path / "file" / "accounts.json").lock("login"):
            pytest.fail("entered")


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
