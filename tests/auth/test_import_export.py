"""Logins of other programs, borrowed or taken over, and logins carried elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codex_client.auth.environment_store import EnvironmentTokenStore
from codex_client.auth.importing import (
    export_secrets_as_env,
    export_secrets_as_json,
    import_from_codex,
    import_from_environment,
    import_from_file,
    import_into,
)
from codex_client.auth.store import MemoryTokenStore
from codex_client.auth.tokens import TokenSet
from codex_client.errors import LoginRequiredError, TokenStoreError
from tests.support.logins import CANARY, NOW, login, secrets_of
from tests.support.secrecy import assert_unseen, everything_of

ONE, TWO = login("one"), login("two")
CODEX = {"tokens": {"access_token": ONE.access_token, "refresh_token": ONE.refresh_token, "id_token": ONE.id_token}}
LISTED = [
    {"label": "a", "accountId": "acct-one", "access": ONE.access_token, "refresh": ONE.refresh_token, "expires": 1},
    {"label": "b", "access": "opaque", "refresh": "rt", "accountId": "acct-b", "expires": int((NOW + 60) * 1000)},
]


def file_with(folder: Path, document: Any) -> Path:
    path = folder / "logins.json"
    path.write_text(json.dumps(document) if not isinstance(document, str) else document)
    return path


def test_an_import_lends_the_access_token_and_leaves_the_refresh_token(tmp_path: Path) -> None:
    (tmp_path / "auth.json").write_text(json.dumps(CODEX))
    (tokens,) = import_from_codex(tmp_path)
    assert (tokens.access_token, tokens.refresh_token, tokens.id_token, tokens.borrowed, tokens.source) == (
        ONE.access_token,
        None,
        None,
        True,
        "codex",
    )
    assert tokens.email == ONE.email


def test_taken_over_only_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "auth.json").write_text(json.dumps(CODEX))
    (tokens,) = import_from_codex(tmp_path, take_over=True)
    assert (tokens.refresh_token, tokens.id_token, tokens.borrowed) == (ONE.refresh_token, ONE.id_token, False)


def test_what_has_no_refresh_token_is_borrowed_even_if_taken_over(tmp_path: Path) -> None:
    (tokens,) = import_from_file(file_with(tmp_path, [{"access": ONE.access_token}]), take_over=True)
    assert tokens.borrowed


def test_codex_logged_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(LoginRequiredError, match="keyring"):
        import_from_codex(tmp_path)


def test_from_the_environment() -> None:
    environ = {"CODEX_ACCESS_TOKEN": ONE.access_token, "CODEX_REFRESH_TOKEN": "rt", "CODEX_2_ACCESS_TOKEN": "opaque"}
    assert [(each.refresh_token, each.borrowed) for each in import_from_environment(environ)] == [(None, True)] * 2
    assert [each.refresh_token for each in import_from_environment(environ, take_over=True)] == ["rt", None]


@pytest.mark.parametrize("document", [LISTED, {"accounts": LISTED, "activeLabel": "a"}], ids=["list", "object"])
def test_a_list_of_accounts_of_another_program(tmp_path: Path, document: Any) -> None:
    first, second = import_from_file(file_with(tmp_path, document), take_over=True)
    assert (first.access_token, first.expires_at, first.account_id) == (ONE.access_token, NOW + 3600, "acct-one")
    assert (second.expires_at, second.account_id, second.refresh_token, second.source) == (
        NOW + 60,
        "acct-b",
        "rt",
        "file",
    )


def test_a_codex_file_by_its_path(tmp_path: Path) -> None:
    (tokens,) = import_from_file(file_with(tmp_path, CODEX))
    assert (tokens.access_token, tokens.source) == (ONE.access_token, "codex")


def test_one_account_several_times_is_given_once_with_the_token_that_ends_last(tmp_path: Path) -> None:
    later = login("one", lifetime=7200)
    entries = [{"access": each.access_token} for each in (ONE, TWO, later, ONE)]
    imported = import_from_file(file_with(tmp_path, entries))
    assert [each.access_token for each in imported] == [later.access_token, TWO.access_token]


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"accounts": []},
        {"OPENAI_API_KEY": CANARY},
        [{"label": CANARY}],
        [{"access": CANARY}, CANARY],
        {"version": 1, "accounts": {"k": {"access_token": CANARY, "issuer": 5}}},
    ],
)
def test_a_form_that_is_not_known_is_refused_unseen(tmp_path: Path, document: Any) -> None:
    with pytest.raises(TokenStoreError, match="holds no login in a form that is known") as caught:
        import_from_file(file_with(tmp_path, document))
    assert_unseen(everything_of(caught.value), [CANARY])


def test_a_broken_file_is_refused_unseen(tmp_path: Path) -> None:
    with pytest.raises(TokenStoreError, match=r"holds no JSON object .*; give an export of this library") as caught:
        import_from_file(file_with(tmp_path, f'["{CANARY}'))
    assert_unseen(everything_of(caught.value), [CANARY])


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(TokenStoreError, match="there is no"):
        import_from_file(tmp_path / "none.json")


def test_an_export_as_json_comes_back_whole(tmp_path: Path) -> None:
    path = file_with(tmp_path, export_secrets_as_json([ONE, TWO]))
    assert import_from_file(path, take_over=True) == [ONE, TWO]
    assert import_from_file(path) == [replace(each.lent(), origin=str(path)) for each in (ONE, TWO)]


@pytest.mark.parametrize("logins", [[], [ONE], [ONE, TWO]], ids=["none", "one", "several"])
async def test_an_export_as_variables_comes_back(logins: list[TokenSet]) -> None:
    lines = export_secrets_as_env(logins).splitlines()
    store = EnvironmentTokenStore(dict(line.split("=", 1) for line in lines))
    issuer = "https://auth.openai.com"
    expected = [replace(each, issuer=issuer, source="environment", refreshed_at=None) for each in logins]
    assert list((await store.load()).values()) == expected
    prefix = {0: "", 1: "CODEX_ACCESS_TOKEN=", 2: "CODEX_1_ACCESS_TOKEN="}[len(logins)]
    assert export_secrets_as_env(logins).startswith(prefix)


async def test_an_import_adds_and_updates_and_never_replaces_an_own_login_by_a_copy() -> None:
    three = login("three")
    store = MemoryTokenStore([ONE, TWO.lent()])
    newer = [replace(each.lent(), access_token=f"newer-{each.subject}") for each in (ONE, TWO, three)]
    outcomes = await import_into(store, newer)
    assert outcomes == {ONE.key: "kept", TWO.key: "updated", three.key: "added"}
    assert await store.load() == {ONE.key: ONE, TWO.key: newer[1], three.key: newer[2]}


async def test_a_login_that_is_taken_over_takes_the_place_of_any() -> None:
    store = MemoryTokenStore([ONE.lent()])
    assert await import_into(store, [ONE]) == {ONE.key: "updated"}
    assert await import_into(store, [login(lifetime=7200)]) == {ONE.key: "updated"}
    assert await store.load() == {ONE.key: login(lifetime=7200)}


def test_forms_without_an_account_show_nothing_in_their_reprs(tmp_path: Path) -> None:
    imported = import_from_file(file_with(tmp_path, export_secrets_as_json([ONE])), take_over=True)
    assert_unseen(repr(imported), [*secrets_of(ONE), CANARY])
