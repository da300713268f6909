"""Credentials that need no login: a given key or token, the provider's environment variable, none at all."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from codex_client.api import AttemptOutcome, Lease
from codex_client.errors import ConfigurationError, MissingCredentialsError
from codex_client.model_provider import ModelProviderInfo

Token: TypeAlias = str | Callable[[], str] | Callable[[], Awaitable[str]]

# RFC 9110, 5.6.2.
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class StaticAuth:
    """A key or token, given once, or by a function that is called for every attempt.

    `header`: the header that carries it as it is; None sends `authorization: Bearer …`. `account_id` goes out as
    `chatgpt-account-id` and names the account in reports. A function is called again after a 401: if it caches, it must
    then give another token.

    Raises `MissingCredentialsError` for an empty token and `ConfigurationError` for one that a header cannot carry: at
    once for a string, from `lease` for a function. Neither shows the token.
    """

    def __init__(self, token: Token, *, header: str | None = None, account_id: str | None = None) -> None:
        if header is not None and not _HEADER_NAME.fullmatch(header):
            raise ConfigurationError(f"{header!r} is no header name; give one such as 'api-key'")
        self._token = token
        self._header = header
        self._account_id = account_id
        if isinstance(token, str):
            self._headers(token)

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        """The credential; a function is asked anew each time, forced or not."""
        return Lease(headers=self._headers(await self._read_token()), account=self._account_id)

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> None:
        """Nothing is kept."""

    @property
    def can_refresh(self) -> bool:
        """A function may give another token, a string cannot."""
        return not isinstance(self._token, str)

    async def _read_token(self) -> str:
        if isinstance(self._token, str):
            return self._token
        token = self._token()
        return await token if inspect.isawaitable(token) else token

    def _headers(self, token: str) -> dict[str, str]:
        headers = _credential_headers(token, self._header, source="the token given")
        if self._account_id is not None:
            headers["chatgpt-account-id"] = _checked(self._account_id, "the account id given")
        return headers

    def __repr__(self) -> str:
        carried = "" if self._header is None else f", header={self._header!r}"
        account = "" if self._account_id is None else f", account_id={self._account_id!r}"
        return f"StaticAuth(***{carried}{account})"


class EnvAuth:
    """The API key in the provider's `env_key`, read for every attempt. A provider without `env_key` gets no credential.

    `lease` raises `MissingCredentialsError` where the variable is not set or blank.
    """

    def __init__(self, provider: ModelProviderInfo) -> None:
        self._provider = provider

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        env_key = self._provider.env_key
        if env_key is None:
            return Lease()
        token = os.environ.get(env_key, "")
        if not token.strip():
            raise missing_key(self._provider, env_key)
        return Lease(headers=_credential_headers(token, self._provider.api_key_header, source=env_key))

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> None:
        """Nothing is kept."""

    @property
    def can_refresh(self) -> bool:
        """The environment of a running program does not change by itself."""
        return False

    def __repr__(self) -> str:
        return f"EnvAuth(provider={self._provider.name!r}, env_key={self._provider.env_key!r})"


class NoAuth:
    """No credential, for servers that ask for none."""

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        return Lease()

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> None:
        """Nothing is kept."""

    @property
    def can_refresh(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "NoAuth()"


def missing_key(provider: ModelProviderInfo, env_key: str) -> MissingCredentialsError:
    """The error for a provider whose variable is unset or blank."""
    state = f": {env_key} is blank" if os.environ.get(env_key) else ""
    where = f" (get one: {provider.env_key_instructions})" if provider.env_key_instructions else ""
    return MissingCredentialsError(
        f"no API key for provider {provider.name!r}{state}; set {env_key}{where}, or pass auth=", env_key=env_key
    )


def _credential_headers(token: str, header: str | None, *, source: str) -> dict[str, str]:
    if header is not None:
        return {header.lower(): _checked(token, source)}
    if " " in _checked(token, source):
        raise ConfigurationError(f"{source} has a space in it; give the bare token, without 'Bearer'")
    return {"authorization": f"Bearer {token}"}


def _checked(value: str, source: str) -> str:
    """The value, if a header can carry it.

    Checked here, because what the HTTP libraries raise for it shows the value. They take ASCII only, and no space at
    either end.
    """
    if not value.strip():
        raise MissingCredentialsError(f"{source} is empty; give an API key or token")
    if value != value.strip() or not (value.isascii() and value.isprintable()):
        raise ConfigurationError(
            f"{source} has a line break, a space at an end or a character outside ASCII; no header can carry that"
        )
    return value
