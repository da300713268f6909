"""`connect` with accounts: those of the environment, else those that are logged in on this machine."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from codex_client import settings
from codex_client.auth.codex_store import CodexTokenStore
from codex_client.auth.file_store import FileTokenStore
from codex_client.auth.store import MemoryTokenStore
from codex_client.connecting import connect
from codex_client.credentials.accounts import local_issuer, local_pool, local_provider, local_state, local_store
from codex_client.credentials.pool import CredentialPool
from codex_client.decode.usage import UsageReport
from codex_client.errors import ConfigurationError, LoginRequiredError, MissingCredentialsError, PoolExhaustedError
from codex_client.model_provider import ModelProviderInfo, built_in_providers
from codex_client.prompt import Prompt
from codex_client.testing import AccountServer, ReplayServer, responses_turn, sse

PROMPT = Prompt("hello", instructions="Be brief.")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(settings.HOME.name, str(tmp_path))
    return tmp_path


@pytest.fixture
async def server() -> AsyncIterator[AccountServer]:
    async with AccountServer() as server:
        yield server


def at(server: AccountServer) -> ModelProviderInfo:
    """The built-in provider, moved to the double."""
    return replace(built_in_providers()["chatgpt"], base_url=server.base_url)


async def test_a_login_of_this_machine_serves_the_provider_chatgpt(server: AccountServer) -> None:
    tokens = server.issue(server.add_account("acct-1", email="one@example.test"))
    await FileTokenStore().save(tokens)
    async with connect("gpt-5", provider=at(server)) as client:
        assert (await client.collect(PROMPT)).text
    [request] = [request for request in server.requests if request.path.endswith("/responses")]
    assert request.headers["chatgpt-account-id"] == "acct-1"


async def test_what_the_pool_learns_is_kept_for_the_next_client(server: AccountServer, home: Path) -> None:
    first = server.add_account("acct-1", email="one@example.test")
    second = server.add_account("acct-2", email="two@example.test")
    first.limit(100)
    second.limit(100)
    for account in (first, second):
        await FileTokenStore().save(server.issue(account))
    second.limit(1)
    for _ in range(2):
        async with connect("gpt-5", provider=at(server)) as client:
            await client.collect(PROMPT)
    asked = [request.headers["chatgpt-account-id"] for request in server.requests if request.path.endswith("responses")]
    assert asked.count("acct-1") <= 1
    assert asked.count("acct-2") == 2
    assert (home / "pool.json").exists()


@pytest.mark.parametrize("prefix", ["CODEX_", "CODEX_7_"], ids=["single", "numbered"])
async def test_tokens_in_the_environment_go_before_logins(
    server: AccountServer, monkeypatch: pytest.MonkeyPatch, prefix: str, home: Path
) -> None:
    tokens = server.issue(server.add_account("acct-env", email="env@example.test"))
    monkeypatch.setenv(f"{prefix}ACCESS_TOKEN", tokens.access_token)
    async with connect("gpt-5", provider=at(server)) as client:
        await client.collect(PROMPT)
    assert server.requests[-1].headers["chatgpt-account-id"] == "acct-env"
    assert os.listdir(home) == []


async def test_a_refresh_token_in_the_environment_renews_what_has_expired(
    server: AccountServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = server.issue(server.add_account("acct-1", email="one@example.test"), lifetime=-10)
    monkeypatch.setenv(settings.ISSUER.name, server.url)
    monkeypatch.setenv(settings.ACCESS_TOKEN.name, tokens.access_token)
    async with connect("gpt-5", provider=at(server)) as client:
        with pytest.raises(PoolExhaustedError, match="needs a login"):
            await client.collect(PROMPT)
    assert server.refreshes == 0
    monkeypatch.setenv(settings.REFRESH_TOKEN.name, tokens.refresh_token or "")
    async with connect("gpt-5", provider=at(server)) as client:
        assert (await client.collect(PROMPT)).text
    assert server.refreshes == 1


async def test_the_account_id_and_the_id_token_tell_whose_a_bare_token_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async with AccountServer() as server:
        tokens = server.issue(server.add_account("acct-1", email="one@example.test"))
    monkeypatch.setenv(settings.ACCESS_TOKEN.name, "opaque")
    for name, value in ((settings.ACCOUNT_ID.name, "acct-1"), (settings.ID_TOKEN.name, tokens.id_token or "")):
        async with ReplayServer(sse(responses_turn("Hello."))) as server:
            provider = replace(built_in_providers()["chatgpt"], base_url=server.base_url)
            async with connect("gpt-5", provider=provider) as client:
                await client.collect(PROMPT)
            assert "chatgpt-account-id" not in server.requests[0].headers
        async with ReplayServer(sse(responses_turn("Hello."))) as server:
            provider = replace(built_in_providers()["chatgpt"], base_url=server.base_url)
            with monkeypatch.context() as patch:
                patch.setenv(name, value)
                async with connect("gpt-5", provider=provider) as client:
                    await client.collect(PROMPT)
            assert server.requests[0].headers["chatgpt-account-id"] == "acct-1"


async def test_nobody_logged_in_is_told_by_the_first_turn(server: AccountServer) -> None:
    async with connect("gpt-5", provider=at(server)) as client:
        with pytest.raises(LoginRequiredError, match="log in"):
            await client.collect(PROMPT)
    assert server.requests == []


async def test_a_key_that_is_given_goes_before_logins(server: AccountServer) -> None:
    tokens = server.issue(server.add_account("acct-1", email="one@example.test"))
    async with ReplayServer(sse(responses_turn("Hello."))) as other:
        provider = replace(built_in_providers()["chatgpt"], base_url=other.base_url)
        async with connect("gpt-5", provider=provider, auth=tokens.access_token) as client:
            await client.collect(PROMPT)
        assert "chatgpt-account-id" not in other.requests[0].headers


def test_other_providers_take_no_logins() -> None:
    with pytest.raises(MissingCredentialsError):
        connect("gpt-5", provider="openai")


async def test_a_local_pool_asks_for_usage_where_the_settings_say(
    server: AccountServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await FileTokenStore().save(server.issue(server.add_account("acct-1", email="one@example.test")))
    monkeypatch.setenv(settings.PROVIDER.name, "chatgpt")
    monkeypatch.setenv(settings.BASE_URL.name, server.base_url)
    async with local_pool() as pool:
        [report] = (await pool.prime()).values()
    assert isinstance(report, UsageReport)
    assert report.account_id == "acct-1"


def test_a_base_url_alone_is_not_where_accounts_are_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.BASE_URL.name, "https://other.example.test/v1")
    assert local_provider() == built_in_providers()["chatgpt"]


@pytest.mark.parametrize("base_url", ["http://proxy.example.test/backend-api/codex", "http://10.0.0.1/codex"])
def test_a_login_is_not_sent_in_the_clear(base_url: str) -> None:
    with pytest.raises(ConfigurationError, match="would travel in the clear"):
        connect("gpt-5", provider="chatgpt", base_url=base_url)


async def test_what_a_pool_owns_is_closed_with_it() -> None:
    class Owned:
        closed = 0

        async def aclose(self) -> None:
            self.closed += 1

    owned = Owned()
    async with CredentialPool(MemoryTokenStore(), owned=[owned]):
        assert owned.closed == 0
    assert owned.closed == 1


def test_the_place_of_logins_is_what_the_variable_says(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    assert repr(local_store()) == f"FileTokenStore({str(home / 'accounts.json')!r})"
    monkeypatch.setenv(settings.STORE.name, "keyring")
    assert type(local_store()).__name__ == "KeyringTokenStore"
    assert type(local_state()).__name__ == "FilePoolState"
    monkeypatch.setenv(settings.STORE.name, "redis://127.0.0.1:1/0")
    assert type(local_store()).__name__ == "RedisTokenStore"
    assert type(local_state()).__name__ == "RedisPoolState"
    monkeypatch.setenv(settings.STORE.name, "vault")
    with pytest.raises(ConfigurationError, match="CODEX_CLIENT_STORE is neither"):
        local_pool()


def test_the_issuer_is_what_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert local_issuer().url == "https://auth.openai.com"
    monkeypatch.setenv(settings.ISSUER.name, "https://login.example.test")
    assert local_issuer().url == "https://login.example.test"


async def test_codex_is_looked_for_where_the_variable_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(settings.CODEX_HOME.name, str(tmp_path / "elsewhere"))
    with pytest.raises(LoginRequiredError, match="elsewhere"):
        await CodexTokenStore().load()
