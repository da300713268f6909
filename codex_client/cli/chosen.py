"""Which accounts a command is about, by what the user typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codex_client.auth.tokens import TokenSet
from codex_client.errors import ConfigurationError, LoginRequiredError

HOW_TO_LOG_IN = "log in with `codex-client login`, or take over another program's with `codex-client import`"

KEY_HELP = "An account: its key or the beginning of it, its e-mail address, or its workspace id."


def chosen_keys(stored: Mapping[str, TokenSet], wanted: Sequence[str]) -> list[str]:
    """The keys of the accounts that were named, each once, in the order of the names.

    Raises `LoginRequiredError` where there is no account at all, `ConfigurationError` where a name fits none or
    several.
    """
    require_any(stored)
    return list(dict.fromkeys(_chosen(stored, each) for each in wanted))


def require_any(stored: Mapping[str, TokenSet]) -> None:
    """Raises `LoginRequiredError` where there is no account."""
    if not stored:
        raise LoginRequiredError(f"no account is logged in; {HOW_TO_LOG_IN}")


def _chosen(stored: Mapping[str, TokenSet], wanted: str) -> str:
    if wanted in stored:
        return wanted
    found = [key for key, tokens in stored.items() if _is_named(key, tokens, wanted)]
    if len(found) == 1:
        return found[0]
    # An e-mail address is no text for an error.
    name = "that e-mail address" if "@" in wanted else repr(wanted)
    if found:
        raise ConfigurationError(f"{name} fits {len(found)} accounts, {_listed(stored, found)}; give the key of one")
    raise ConfigurationError(f"{name} fits no account; there are {_listed(stored, stored)}")


def _is_named(key: str, tokens: TokenSet, wanted: str) -> bool:
    is_address = tokens.email is not None and tokens.email.casefold() == wanted.casefold()
    return bool(wanted) and (key.startswith(wanted) or is_address or tokens.account_id == wanted)


def _listed(stored: Mapping[str, TokenSet], keys: Sequence[str] | Mapping[str, TokenSet]) -> str:
    return ", ".join(f"{key} (workspace {stored[key].account_id or 'unknown'})" for key in keys)
