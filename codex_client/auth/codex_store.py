"""The login of the Codex CLI, as it keeps it in `auth.json`: looked at, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from codex_client import settings
from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.json_fields import read_object, read_text
from codex_client.auth.locked_file import read_document
from codex_client.auth.tokens import TokenSet
from codex_client.errors import LoginRequiredError, TokenStoreError


class CodexTokenStore:
    """A view of the Codex CLI's login, read anew each time. What it gives is borrowed: Codex alone renews it.

    `home`: the folder with `auth.json`; None for CODEX_HOME, else `~/.codex`.
    """

    def __init__(self, home: Path | None = None) -> None:
        self._path = (home or codex_home()) / "auth.json"

    @property
    def path(self) -> Path:
        return self._path

    async def load(self) -> Mapping[str, TokenSet]:
        """Raises `LoginRequiredError` where Codex has no ChatGPT login there, `TokenStoreError` for a broken file."""
        tokens = codex_login(self._path).lent()
        return {tokens.key: tokens}

    async def save(self, tokens: TokenSet, *, key: str | None = None) -> None:
        raise self._refusal()

    async def delete(self, key: str) -> None:
        raise self._refusal()

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        """Locks nothing: who only reads need not be kept out."""
        return nullcontext()

    def _refusal(self) -> TokenStoreError:
        return TokenStoreError(
            f"{self._path} belongs to the Codex CLI and is only read; use `codex login` or `codex logout`, or import "
            "the login into a store of your own"
        )

    def __repr__(self) -> str:
        return f"CodexTokenStore({str(self._path)!r})"


def codex_home() -> Path:
    """The Codex CLI's folder: CODEX_HOME, else `~/.codex`."""
    return Path(settings.CODEX_HOME.read() or "~/.codex").expanduser()


def codex_login(path: Path) -> TokenSet:
    """The login in an `auth.json`, with its refresh token. Errors as of `CodexTokenStore.load`."""
    document = read_document(path, advice="run `codex login` to have it written anew")
    if document is None:
        raise LoginRequiredError(
            f"there is no {path}; run `codex login`. If Codex is logged in, it may keep the login in the system's "
            'keyring, where it cannot be read from here: set cli_auth_credentials_store = "file" in its config.toml'
        )
    tokens, kind = parse_codex_login(document), _kind(document)
    del document
    if tokens is not None:
        return tokens
    if kind == "apikey":
        raise LoginRequiredError(
            f"{path} holds an API key and no ChatGPT login; run `codex login`, or give the key as auth=StaticAuth(key)"
        )
    raise LoginRequiredError(
        f"{path} holds no ChatGPT login that can be used here (auth_mode {kind[:40]!r}); run `codex login`"
    )


def parse_codex_login(document: Mapping[str, Any]) -> TokenSet | None:
    """The ChatGPT login in the JSON of an `auth.json`, None where it holds none. Members that are not known are passed
    over.
    """
    tokens = read_object(document.get("tokens"))
    access_token = read_text(tokens.get("access_token"))
    if access_token is None or _kind(document) == "apikey":
        return None
    provenance = read_object(tokens.get("oauth_provenance"))
    return TokenSet.from_tokens(
        access_token,
        refresh_token=read_text(tokens.get("refresh_token")),
        id_token=read_text(tokens.get("id_token")),
        issuer=read_text(provenance.get("issuer")) or OAuthIssuer().url,
        client_id=read_text(provenance.get("client_id")),
        account_id=read_text(tokens.get("account_id")),
        refreshed_at=_moment(document.get("last_refresh")),
        source="codex",
    )


def _kind(document: Mapping[str, Any]) -> str:
    """`auth_mode`; older versions of Codex wrote none, and used the key where there was one."""
    return read_text(document.get("auth_mode")) or (
        "apikey" if read_text(document.get("OPENAI_API_KEY")) else "chatgpt"
    )


def _moment(value: Any) -> float | None:
    """Unix seconds of an RFC 3339 time."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
