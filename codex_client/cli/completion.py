"""What a shell offers for an argument. Nothing is said: whoever presses the tab key has asked for no warning."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress

import anyio

from codex_client.auth.tokens import TokenSet
from codex_client.cli.output import printable
from codex_client.cli.surroundings import Accounts, Surroundings, kept_accounts, used_accounts
from codex_client.errors import CodexError
from codex_client.model_provider import built_in_providers


def kept_keys(incomplete: str) -> list[tuple[str, str]]:
    """The keys of the accounts that are kept, with whose they are."""
    return _keys(kept_accounts, incomplete)


def used_keys(incomplete: str) -> list[tuple[str, str]]:
    """The same for the accounts that programs take."""
    return _keys(used_accounts, incomplete)


def import_sources(incomplete: str) -> list[tuple[str, str]]:
    """The words for `import`; where none fits, the shell goes on with files."""
    known = (("codex", "the Codex CLI's login"), ("env", "the environment's variables"))
    return [each for each in known if each[0].startswith(incomplete)]


def provider_names(incomplete: str) -> list[str]:
    """The names of the providers that are known."""
    return [name for name in built_in_providers() if name.startswith(incomplete)]


def _keys(
    opened: Callable[[Surroundings], AbstractAsyncContextManager[Accounts]], incomplete: str
) -> list[tuple[str, str]]:
    async def load() -> dict[str, TokenSet]:
        async with opened(Surroundings()) as accounts:
            return dict(await accounts.store.load())

    stored: dict[str, TokenSet] = {}
    logging.disable()
    try:
        with suppress(CodexError, OSError):
            stored = anyio.run(load)
    finally:
        logging.disable(logging.NOTSET)
    return [
        (key, printable(tokens.email or tokens.account_id or ""))
        for key, tokens in stored.items()
        if key.startswith(incomplete)
    ]
