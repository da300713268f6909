"""The Codex CLI's login, looked at and left alone."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codex_client.auth.codex_store import CodexTokenStore, codex_login
from codex_client.errors import LoginRequiredError, TokenStoreError
from tests.support.logins import CANARY, ISSUER, login, secrets_of
from tests.support.secrecy import assert_unseen, everything_of

LOGIN = login()
TOKENS = {
    "id_token": LOGIN.id_token,
    "access_token": LOGIN.access_token,
    "refresh_token": LOGIN.refresh_token,
    "account_id": "acct-one",
}
FILE: dict[str, Any] = {
    "auth_mode": "chatgpt",
    "OPENAI_API_KEY": None,
    "tokens": TOKENS,
    "last_refresh": "2023-11-14T22:13:20.123456789Z",
}


def store_with(folder: Path, document: Any) -> CodexTokenStore:
    (folder / "auth.json").write_text(json.dumps(document))
    return CodexTokenStore(folder)


async def test_the_login_is_lent_without_what_could_be_rotated(tmp_path: Path) -> None:
    (tokens,) = (await store_with(tmp_path, FILE).load()).values()
    expected = replace(
        LOGIN.lent(), issuer="https://auth.openai.com", source="codex", refreshed_at=1_700_000_000.123456
    )
    assert tokens == expected


async def test_it_is_read_anew_each_time(tmp_path: Path) -> None:
    store = store_with(tmp_path, FILE)
    key = next(iter(await store.load()))
    newer = login(lifetime=7200).access_token
    store_with(tmp_path, FILE | {"tokens": TOKENS | {"access_token": newer}})
    assert (await store.load())[key].access_token == newer


def test_for_an_import_the_refresh_token_is_there_and_unknown_members_do_no_harm(tmp_path: Path) -> None:
    provenance = {"issuer": ISSUER, "client_id": "app_x", "more": 1}
    store = store_with(
        tmp_path, FILE | {"login_owner_id": "x", "tokens": TOKENS | {"oauth_provenance": provenance, "y": []}}
    )
    tokens = codex_login(store.path)
    assert (tokens.refresh_token, tokens.issuer, tokens.client_id) == (LOGIN.refresh_token, ISSUER, "app_x")


@pytest.mark.parametrize("moment", ["2023-11-14T22:13:20+00:00", "2023-11-14T22:13:20", "2023-11-14T23:13:20+01:00"])
def test_the_last_refresh_is_a_moment(tmp_path: Path, moment: str) -> None:
    assert codex_login(store_with(tmp_path, FILE | {"last_refresh": moment}).path).refreshed_at == 1_700_000_000


@pytest.mark.parametrize("moment", [None, "soon", 5, ["x"]])
def test_an_odd_last_refresh_is_none(tmp_path: Path, moment: Any) -> None:
    assert codex_login(store_with(tmp_path, FILE | {"last_refresh": moment}).path).refreshed_at is None


async def test_the_folder_is_codex_home_else_in_the_users_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert CodexTokenStore().path == Path.home() / ".codex" / "auth.json"
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))
    assert CodexTokenStore().path == tmp_path / "auth.json"


async def test_a_missing_file_is_no_proof_that_nobody_is_logged_in(tmp_path: Path) -> None:
    with pytest.raises(LoginRequiredError, match=r"there is no .*auth\.json; run `codex login`.*system's keyring"):
        await CodexTokenStore(tmp_path).load()


@pytest.mark.parametrize(
    "document",
    [
        {"OPENAI_API_KEY": CANARY},
        {"auth_mode": "apikey", "OPENAI_API_KEY": CANARY},
        FILE | {"auth_mode": "apikey", "OPENAI_API_KEY": CANARY},
    ],
)
async def test_an_api_key_is_no_login(tmp_path: Path, document: Any) -> None:
    with pytest.raises(LoginRequiredError, match=r"holds an API key and no ChatGPT login.*StaticAuth") as caught:
        await store_with(tmp_path, document).load()
    assert_unseen(everything_of(caught.value), [CANARY, *secrets_of(LOGIN)])


@pytest.mark.parametrize(
    "document", [{}, {"tokens": None}, {"tokens": {"access_token": ""}}, {"auth_mode": "agentIdentity", "x": CANARY}]
)
async def test_another_kind_of_login_is_told(tmp_path: Path, document: Any) -> None:
    with pytest.raises(LoginRequiredError, match="holds no ChatGPT login that can be used here") as caught:
        await store_with(tmp_path, document).load()
    assert_unseen(everything_of(caught.value), [CANARY])


async def test_a_broken_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "auth.json").write_text(json.dumps(FILE)[:-5])
    with pytest.raises(TokenStoreError, match="holds no JSON object") as caught:
        await CodexTokenStore(tmp_path).load()
    assert_unseen(everything_of(caught.value), secrets_of(LOGIN))


async def test_it_is_never_written(tmp_path: Path) -> None:
    store = store_with(tmp_path, FILE)
    (tmp_path / "auth.json").chmod(0o644)
    before = store.path.read_bytes()
    for change in (store.save(LOGIN), store.delete(LOGIN.key)):
        with pytest.raises(TokenStoreError, match="belongs to the Codex CLI and is only read"):
            await change
    async with store.lock("any"):
        await store.load()
    assert store.path.read_bytes() == before
    assert (store.path.stat().st_mode & 0o777, os.listdir(tmp_path)) == (0o644, ["auth.json"])
    assert repr(store) == f"CodexTokenStore({str(store.path)!r})"
