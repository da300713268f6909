"""Given keys, keys from the environment and no key at all: headers for an attempt, and the key shown nowhere."""

from __future__ import annotations

import pytest

from codex_client.api import AttemptOutcome, AuthProvider, Lease
from codex_client.auth.static import EnvAuth, NoAuth, StaticAuth
from codex_client.errors import ConfigurationError, MissingCredentialsError
from codex_client.model_provider import ModelProviderInfo

CANARY = "canary-1234567890"
PROVIDER = ModelProviderInfo(
    name="acme",
    base_url="http://localhost/v1",
    env_key="ACME_API_KEY",
    env_key_instructions="https://acme.example/keys",
)


async def lease_of(auth: AuthProvider, *, forced_refresh: bool = False) -> Lease:
    return await auth.lease(conversation_id="conv_1", forced_refresh=forced_refresh)


@pytest.mark.parametrize(
    "auth, headers, account",
    [
        (StaticAuth(CANARY), {"authorization": f"Bearer {CANARY}"}, None),
        (StaticAuth(CANARY, header="Api-Key"), {"api-key": CANARY}, None),
        (StaticAuth(f"Token {CANARY}", header="authorization"), {"authorization": f"Token {CANARY}"}, None),
        (
            StaticAuth(CANARY, account_id="acct_1"),
            {"authorization": f"Bearer {CANARY}", "chatgpt-account-id": "acct_1"},
            "acct_1",
        ),
        (NoAuth(), {}, None),
    ],
)
async def test_a_credential_is_lent_as_headers(
    auth: AuthProvider, headers: dict[str, str], account: str | None
) -> None:
    lease = await lease_of(auth)
    assert (dict(lease.headers), lease.account) == (headers, account)
    assert not auth.can_refresh
    assert await lease_of(auth, forced_refresh=True) == lease
    await auth.report(lease, AttemptOutcome(status=200))


async def test_a_function_is_asked_for_every_attempt() -> None:
    tokens = iter(["one", "two", "three"])
    auth = StaticAuth(lambda: next(tokens))
    assert auth.can_refresh
    assert [(await lease_of(auth)).headers["authorization"] for _ in range(2)] == ["Bearer one", "Bearer two"]
    assert (await lease_of(auth, forced_refresh=True)).headers["authorization"] == "Bearer three"


async def test_an_async_function_is_awaited() -> None:
    async def fetch() -> str:
        return CANARY

    auth = StaticAuth(fetch, header="x-key")
    assert auth.can_refresh
    assert (await lease_of(auth)).headers == {"x-key": CANARY}


UNSENDABLE = [
    f"{CANARY}\n",
    f" {CANARY}",
    f"{CANARY}\r\nx-evil: 1",
    f"{CANARY}\x00",
    f"{CANARY}\x7f",
    f"{CANARY}ß",
    f"{CANARY}€",
]


@pytest.mark.parametrize("token", [*UNSENDABLE, f"Bearer {CANARY}"])
def test_a_token_that_a_header_cannot_carry_is_refused_unseen(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        StaticAuth(token)
    assert not isinstance(caught.value, MissingCredentialsError)
    assert "canary" not in f"{caught.value!r} {caught.value.__context__!r}"
    assert str(caught.value).startswith("the token given has a ")


@pytest.mark.parametrize("token", UNSENDABLE)
async def test_a_token_from_a_function_is_checked_when_it_is_lent(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await lease_of(StaticAuth(lambda: token, header="api-key"))
    assert "canary" not in repr(caught.value)


@pytest.mark.parametrize("token", ["", "   ", "\n"])
def test_an_empty_token_is_a_missing_one(token: str) -> None:
    with pytest.raises(MissingCredentialsError, match="the token given is empty; give an API key or token"):
        StaticAuth(token)


def test_header_name_and_account_id_are_checked_at_once() -> None:
    with pytest.raises(ConfigurationError, match="'bad header' is no header name"):
        StaticAuth(CANARY, header="bad header")
    with pytest.raises(ConfigurationError, match="'' is no header name"):
        StaticAuth(CANARY, header="")
    with pytest.raises(ConfigurationError, match="the account id given has a line break"):
        StaticAuth(CANARY, account_id="acct\n1")


@pytest.mark.parametrize(
    "auth, shown",
    [
        (StaticAuth(CANARY), "StaticAuth(***)"),
        (StaticAuth(lambda: CANARY), "StaticAuth(***)"),
        (StaticAuth(CANARY, header="api-key", account_id="a"), "StaticAuth(***, header='api-key', account_id='a')"),
        (EnvAuth(PROVIDER), "EnvAuth(provider='acme', env_key='ACME_API_KEY')"),
        (NoAuth(), "NoAuth()"),
    ],
)
def test_a_repr_shows_where_from_and_never_the_token(auth: AuthProvider, shown: str) -> None:
    assert repr(auth) == shown


async def test_the_environment_is_read_for_every_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    auth = EnvAuth(PROVIDER)
    monkeypatch.setenv("ACME_API_KEY", CANARY)
    lease = await lease_of(auth)
    assert lease == Lease(headers={"authorization": f"Bearer {CANARY}"})
    assert "canary" not in repr(lease)
    monkeypatch.setenv("ACME_API_KEY", "other")
    assert (await lease_of(auth)).headers == {"authorization": "Bearer other"}
    assert not auth.can_refresh
    await auth.report(lease, AttemptOutcome(status=200))


async def test_the_provider_s_key_header_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_KEY", CANARY)
    azure = ModelProviderInfo(name="azure", base_url="http://h/v1", env_key="AZURE_KEY", api_key_header="Api-Key")
    assert (await lease_of(EnvAuth(azure))).headers == {"api-key": CANARY}


async def test_a_provider_without_a_variable_gets_no_credential() -> None:
    assert await lease_of(EnvAuth(ModelProviderInfo(name="local", base_url="http://localhost/v1"))) == Lease()


@pytest.mark.parametrize("value, state", [(None, ""), ("", ""), (" \n", ": ACME_API_KEY is blank")])
async def test_a_missing_key_is_named_with_where_to_get_one(
    value: str | None, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is None:
        monkeypatch.delenv("ACME_API_KEY", raising=False)
    else:
        monkeypatch.setenv("ACME_API_KEY", value)
    with pytest.raises(MissingCredentialsError) as caught:
        await lease_of(EnvAuth(PROVIDER))
    assert str(caught.value) == (
        f"no API key for provider 'acme'{state}; set ACME_API_KEY (get one: https://acme.example/keys), or pass auth="
    )
    assert caught.value.env_key == "ACME_API_KEY"


async def test_a_missing_key_without_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACME_API_KEY", raising=False)
    plain = ModelProviderInfo(name="acme", base_url="http://localhost/v1", env_key="ACME_API_KEY")
    with pytest.raises(
        MissingCredentialsError, match="no API key for provider 'acme'; set ACME_API_KEY, or pass auth="
    ):
        await lease_of(EnvAuth(plain))


async def test_a_variable_that_a_header_cannot_carry_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", f"{CANARY}\n")
    with pytest.raises(ConfigurationError, match="ACME_API_KEY has a line break") as caught:
        await lease_of(EnvAuth(PROVIDER))
    assert "canary" not in repr(caught.value)
