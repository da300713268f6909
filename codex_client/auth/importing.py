"""Logins of other programs, and logins to carry elsewhere.

An import gives borrowed copies of the access tokens. Two programs with one refresh token log each other out: the first
refresh uses it up, and the second ends the login. So it is taken over only where that is asked for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar, cast

from codex_client.auth.codex_store import codex_home, codex_login, parse_codex_login
from codex_client.auth.environment_store import logins_in_environment
from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.json_fields import read_moment, read_object, read_text
from codex_client.auth.locked_file import read_document
from codex_client.auth.store import TokenStore
from codex_client.auth.tokens import TokenSet
from codex_client.errors import AuthError, TokenStoreError

T = TypeVar("T")

ImportOutcome: TypeAlias = Literal["added", "updated", "kept"]
"""What became of an imported login. "kept": the store has an own one for the account, which a copy does not replace."""

_VERSION = 1
_FORMS = "give an export of this library, an auth.json of Codex, or a list of accounts"


def import_from_codex(home: Path | None = None, *, take_over: bool = False) -> list[TokenSet]:
    """The login of the Codex CLI (`home`: None for CODEX_HOME, else `~/.codex`).

    `take_over`: with its refresh token; log out of Codex then, or it will log this program out. Errors as of
    `CodexTokenStore.load`.
    """
    path = (home or codex_home()) / "auth.json"
    return _offered([codex_login(path)], take_over, path)


def import_from_environment(environ: Mapping[str, str] = os.environ, *, take_over: bool = False) -> list[TokenSet]:
    """The logins in the environment's variables, as of `EnvironmentTokenStore`."""
    return _offered(logins_in_environment(environ), take_over)


def import_from_file(path: Path, *, take_over: bool = False) -> list[TokenSet]:
    """The logins in a JSON file: of `export_secrets_as_json`, an `auth.json` of Codex, or a list of accounts as in
    `~/.codex-accounts.json`.

    An account that is in it several times is given once, with the token that ends last. Raises `TokenStoreError`.
    """
    found = _logins_in(path)
    if found is None:
        raise TokenStoreError(f"{path} holds no login in a form that is known; {_FORMS}")
    return _offered(found, take_over, path)


def imported_again(borrowed: TokenSet) -> TokenSet | None:
    """What the file that a copy came from has for the same account now; None where there is nothing to be had."""
    if borrowed.origin is None:
        return None
    try:
        found = import_from_file(Path(borrowed.origin))
    except AuthError:
        return None
    return next((each for each in found if each.key == borrowed.key), None)


async def import_into(store: TokenStore, logins: Iterable[TokenSet]) -> dict[str, ImportOutcome]:
    """Save imported logins; what became of each, by key. A borrowed copy never takes the place of an own login."""
    outcomes: dict[str, ImportOutcome] = {}
    for tokens in logins:
        async with store.lock(tokens.key):
            present = (await store.load()).get(tokens.key)
            if present is not None and tokens.borrowed and not present.borrowed:
                outcomes[tokens.key] = "kept"
                continue
            await store.save(tokens)
            outcomes[tokens.key] = "added" if present is None else "updated"
    return outcomes


def export_secrets_as_json(logins: Iterable[TokenSet]) -> str:
    """The logins with all their tokens in the clear, for `import_from_file`. Who reads this is logged in."""
    return json.dumps({"version": _VERSION, "accounts": {each.key: each.to_dict() for each in logins}}, indent=2)


def export_secrets_as_env(logins: Sequence[TokenSet]) -> str:
    """The logins with all their tokens in the clear, as lines of a `.env` file for `EnvironmentTokenStore`: a single
    one without a number, several from 1 on. Who reads this is logged in.
    """
    prefixes = ["CODEX_"] if len(logins) == 1 else [f"CODEX_{number}_" for number in range(1, len(logins) + 1)]
    lines = [line for prefix, tokens in zip(prefixes, logins, strict=True) for line in _env_lines(prefix, tokens)]
    return "".join(f"{line}\n" for line in lines)


def _env_lines(prefix: str, tokens: TokenSet) -> Iterator[str]:
    yield f"{prefix}ACCESS_TOKEN={tokens.access_token}"
    if tokens.refresh_token is not None:
        yield f"{prefix}REFRESH_TOKEN={tokens.refresh_token}"
    if tokens.id_token is not None:
        yield f"{prefix}ID_TOKEN={tokens.id_token}"
    if tokens.account_id is not None:
        yield f"{prefix}ACCOUNT_ID={tokens.account_id}"


def _offered(found: Iterable[TokenSet], take_over: bool, path: Path | None = None) -> list[TokenSet]:
    """`path`: where they were found, for the copies to be read again from."""
    origin = None if path is None else str(path.absolute())
    latest: dict[str, TokenSet] = {}
    for tokens in found:
        known = latest.get(tokens.key)
        if known is None or (tokens.expires_at or 0) > (known.expires_at or 0):
            latest[tokens.key] = tokens
    return [
        replace(each, borrowed=False, origin=None)
        if take_over and each.refresh_token
        else replace(each.lent(), origin=origin)
        for each in latest.values()
    ]


def _logins_in(path: Path) -> list[TokenSet] | None:
    """None for a form that is not known; an account in it that cannot be read makes it one."""
    document = read_document(path, wrap_lists="accounts", advice=_FORMS)
    if document is None:
        raise TokenStoreError(f"there is no {path}; give the path of an export or of another program's accounts")
    accounts = document.get("accounts")
    if isinstance(accounts, list):
        found = [_listed_login(read_object(each)) for each in cast("list[Any]", accounts)]
    elif isinstance(accounts, dict):
        found = [_exported_login(read_object(each)) for each in cast("dict[str, Any]", accounts).values()]
    else:
        found = [parse_codex_login(document) or _listed_login(document)]
    logins = [each for each in found if each is not None]
    return logins if logins and len(logins) == len(found) else None


def _exported_login(stored: dict[str, Any]) -> TokenSet | None:
    try:
        return TokenSet.from_dict(stored)
    except ValueError:
        return None


def _listed_login(entry: dict[str, Any]) -> TokenSet | None:
    """One account of a list. Programs differ in the names; the expiry is in milliseconds or in seconds."""
    access_token = _first(read_text, entry, "access", "access_token", "accessToken")
    if access_token is None:
        return None
    return TokenSet.from_tokens(
        access_token,
        refresh_token=_first(read_text, entry, "refresh", "refresh_token", "refreshToken"),
        id_token=_first(read_text, entry, "idToken", "id_token"),
        issuer=_first(read_text, entry, "issuer") or OAuthIssuer().url,
        client_id=_first(read_text, entry, "client_id", "clientId"),
        account_id=_first(read_text, entry, "accountId", "account_id", "chatgpt_account_id"),
        expires_at=_first(read_moment, entry, "expires", "expires_at", "expiresAt", "expiry_date"),
        source="file",
    )


def _first(read: Callable[[Any], T | None], entry: dict[str, Any], *names: str) -> T | None:
    """The first member of use."""
    return next((found for name in names if (found := read(entry.get(name))) is not None), None)
