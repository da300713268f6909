"""The accounts that are logged in on this machine, where the environment's settings say that they are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from codex_client import settings
from codex_client.api import Clock
from codex_client.auth.environment_store import EnvironmentTokenStore
from codex_client.auth.file_store import FileTokenStore
from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.keyring_store import KeyringTokenStore
from codex_client.auth.store import TokenStore
from codex_client.credentials.file_state import FilePoolState
from codex_client.credentials.pool import CredentialPool
from codex_client.credentials.pool_state import PoolState
from codex_client.credentials.redis_state import RedisPoolState
from codex_client.credentials.redis_store import RedisTokenStore
from codex_client.errors import ConfigurationError
from codex_client.model_provider import ModelProviderInfo, built_in_providers

_REDIS = ("redis://", "rediss://", "unix://")


def local_issuer() -> OAuthIssuer:
    """Whom to log in with: CODEX_CLIENT_ISSUER, else ChatGPT's."""
    url = settings.ISSUER.read()
    return OAuthIssuer(url=url) if url else OAuthIssuer()


def local_store(*, clock: Clock | None = None) -> TokenStore:
    """Where logins are kept: CODEX_CLIENT_STORE, else the file of the user. Raises `ConfigurationError`."""
    place = _place()
    if place == "keyring":
        return KeyringTokenStore(clock=clock)
    return FileTokenStore(clock=clock) if place == "file" else RedisTokenStore(place, clock=clock)


def local_state(*, clock: Clock | None = None) -> PoolState:
    """What all pools over `local_store` remember together: in the same Redis, else in a file of the user."""
    place = _place()
    return RedisPoolState(place, clock=clock) if place.startswith(_REDIS) else FilePoolState(clock=clock)


def local_provider() -> ModelProviderInfo:
    """Whom the accounts are for: ChatGPT, at CODEX_CLIENT_BASE_URL where CODEX_CLIENT_PROVIDER is "chatgpt".

    A base URL alone may be of any provider, and the accounts' tokens are not for that one.
    """
    chatgpt, base_url = built_in_providers()["chatgpt"], settings.BASE_URL.read()
    is_of_chatgpt = settings.PROVIDER.read() == chatgpt.name
    return replace(chatgpt, base_url=base_url) if base_url and is_of_chatgpt else chatgpt


def local_pool(*, clock: Clock | None = None, **options: Any) -> CredentialPool:
    """A pool of the accounts in the environment's variables, else of those that are logged in.

    `options` are those of `CredentialPool`; without a `provider` it asks `local_provider` for usage. Nothing is read
    from a disk or sent before the first lease.
    """
    options.setdefault("provider", local_provider())
    if settings.ACCESS_TOKEN.is_set():
        return CredentialPool(EnvironmentTokenStore(), clock=clock, **options)
    store, state = local_store(clock=clock), local_state(clock=clock)
    owned = [each for each in (store, state) if isinstance(each, RedisTokenStore | RedisPoolState)]
    return CredentialPool(store, state=state, owned=owned, clock=clock, **options)


def _place() -> str:
    place = settings.STORE.read() or "file"
    if place not in ("file", "keyring") and not place.startswith(_REDIS):
        raise ConfigurationError(
            f"{settings.STORE.name} is neither 'file' nor 'keyring' nor the URL of a Redis server (redis://…); set it "
            "to one of these"
        )
    return place
