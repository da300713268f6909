"""`codex-client logout`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated

import anyio
import typer

from codex_client.auth.oauth import OAuthClient
from codex_client.auth.tokens import TokenSet
from codex_client.cli.chosen import KEY_HELP, chosen_keys, require_any
from codex_client.cli.completion import kept_keys
from codex_client.cli.exits import ExitStatus, guard, report
from codex_client.cli.output import say, warn
from codex_client.cli.surroundings import Accounts, Surroundings, kept_accounts
from codex_client.credentials.pool_record import PoolRecord
from codex_client.errors import CodexError, ConfigurationError


def logout(
    context: typer.Context,
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY", help=f"{KEY_HELP} Not needed where there is only one.", autocompletion=kept_keys),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Log out of all accounts.")] = False,
    revoke: Annotated[
        bool,
        typer.Option(
            "--revoke", help="Also end the login at the issuer. An account for which that fails is kept, to try again."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget the tokens of accounts.

    Without --revoke copies of them that are elsewhere go on working.
    """
    if every and keys:
        raise typer.BadParameter("give accounts or --all, not both")
    guard(context, partial(_logout, wanted=keys or [], every=every, revoke=revoke, yes=yes))


def _logout(around: Surroundings, *, wanted: Sequence[str], every: bool, revoke: bool, yes: bool) -> ExitStatus | None:
    stored = anyio.run(_stored, around)
    keys = _keys(stored, wanted, every=every)
    if not yes and not _agrees(around, [stored[key] for key in keys]):
        say(around.err, "nothing was changed")
        return ExitStatus.FAILED
    return anyio.run(partial(_forget, around, keys, revoke=revoke))


async def _stored(around: Surroundings) -> Mapping[str, TokenSet]:
    async with kept_accounts(around) as accounts:
        return await accounts.store.load()


def _keys(stored: Mapping[str, TokenSet], wanted: Sequence[str], *, every: bool) -> list[str]:
    require_any(stored)
    if wanted:
        return chosen_keys(stored, wanted)
    if len(stored) > 1 and not every:
        raise ConfigurationError(
            f"there are {len(stored)} accounts, {', '.join(stored)}; name those to log out of, or --all"
        )
    return list(stored)


def _agrees(around: Surroundings, logins: Sequence[TokenSet]) -> bool:
    names = ", ".join(f"{each.key} ({each.email})" if each.email else each.key for each in logins)
    say(around.err, f"About to log out of {names}.")
    around.err.print("Go on? [y/N] ", end="")
    return around.input.readline().strip().lower() in {"y", "yes"}


async def _forget(around: Surroundings, keys: Sequence[str], *, revoke: bool) -> ExitStatus | None:
    failed = False
    async with kept_accounts(around) as accounts:
        for key in keys:
            try:
                await _forget_one(accounts, key, revoke=revoke)
            except CodexError as error:
                failed = True
                report(around, error)
                kept = f"account {key} was kept"
                say(
                    around.err, f"{kept}; `codex-client logout {key}` forgets it without the issuer" if revoke else kept
                )
    return ExitStatus.FAILED if failed else None


async def _forget_one(accounts: Accounts, key: str, *, revoke: bool) -> None:
    # The lock keeps a refresh of another process from saving new tokens after this.
    async with accounts.store.lock(key):
        tokens = (await accounts.store.load()).get(key)
        if revoke and tokens is not None:
            await _revoke(accounts.around, key, tokens)
        await accounts.store.delete(key)
    say(accounts.around.err, f"logged out of {key}")
    await accounts.state.update(partial(_strike_out, key=key))


async def _revoke(around: Surroundings, key: str, tokens: TokenSet) -> None:
    if tokens.borrowed:
        warn(around.err, f"{key} is borrowed: its login is its owner's to end, and only the copy here is deleted")
        return
    async with OAuthClient(replace(around.login_issuer(), url=tokens.issuer), clock=around.clock) as oauth:
        await oauth.revoke(tokens)


def _strike_out(record: PoolRecord, *, key: str) -> None:
    """Nothing stays of an account that is logged out, not even when it was used."""
    record.accounts.pop(key, None)
    record.conversations = {name: one for name, one in record.conversations.items() if one.key != key}
    record.loans = {name: one for name, one in record.loans.items() if one.key != key}
    record.previous = {name: previous for name, previous in record.previous.items() if previous != key}
