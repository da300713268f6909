"""`codex-client accounts`: who is logged in, and in which state."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Annotated

import typer

from codex_client.cli.accounts_report import account_rows
from codex_client.cli.accounts_table import accounts_view
from codex_client.cli.chosen import HOW_TO_LOG_IN, KEY_HELP, chosen_keys
from codex_client.cli.completion import used_keys
from codex_client.cli.exits import run
from codex_client.cli.output import emit_json, say, show
from codex_client.cli.surroundings import Accounts, Surroundings, note_environment, used_accounts


def accounts(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, without tokens.")] = False,
    unblock: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY", help=f"Take an account back into service first. {KEY_HELP}", autocompletion=used_keys
        ),
    ] = None,
) -> None:
    """List the accounts that are logged in: plans, tokens, and which of them can serve."""
    run(context, partial(_accounts, as_json=as_json, unblock=unblock or []))


async def _accounts(around: Surroundings, *, as_json: bool, unblock: Collection[str]) -> None:
    async with used_accounts(around) as opened:
        if unblock:
            await _unblock(opened, chosen_keys(await opened.store.load(), list(unblock)))
        rows = await account_rows(opened)
        note_environment(around)
    if as_json:
        emit_json(around.out, {"accounts": [row.to_json() for row in rows]})
    elif rows:
        now, width = around.clock.time(), around.out.width if around.out.is_terminal else None
        show(around.out, accounts_view(rows, now=now, timezone=around.timezone, width=width))
    if not rows:
        say(around.err, f"no account is logged in; {HOW_TO_LOG_IN}")


async def _unblock(opened: Accounts, keys: Collection[str]) -> None:
    async with opened.pool() as pool:
        for key in keys:
            await pool.unblock(key)
            say(opened.around.err, f"{key} is back in service")
