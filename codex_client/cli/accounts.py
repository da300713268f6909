"""`codex-client accounts`: who is logged in, and in which state."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from codex_client.auth.tokens import TokenSet
from codex_client.cli.chosen import HOW_TO_LOG_IN, KEY_HELP, chosen_keys
from codex_client.cli.exits import run
from codex_client.cli.output import emit_json, moment_and_countdown, printable, say
from codex_client.cli.surroundings import Accounts, Surroundings, note_environment, used_accounts
from codex_client.credentials.explain import AccountBlock, AccountStatus
from codex_client.credentials.pool_record import ALL_LIMITS
from codex_client.credentials.quota_state import duration

PLAN_LIMIT = "codex"
# Enough to tell one workspace id from another.
_NARROW = 13
# Few addresses are longer.
_WIDE = 28


def accounts(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, without tokens.")] = False,
    unblock: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help=f"Take an account back into service first. {KEY_HELP}")
    ] = None,
) -> None:
    """List the accounts that are logged in: plans, tokens, and which of them can serve."""
    run(context, partial(_accounts, as_json=as_json, unblock=unblock or []))


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as it is kept and as the pool knows it."""

    tokens: TokenSet
    status: AccountStatus
    can_serve: bool

    def to_json(self) -> dict[str, Any]:
        tokens, status = self.tokens, self.status
        return {
            "key": status.key,
            "email": tokens.email,
            "plan_type": status.plan_type,
            "account_id": tokens.account_id,
            "subject": tokens.subject,
            "issuer": tokens.issuer,
            "source": tokens.source,
            "borrowed": tokens.borrowed,
            "can_renew": tokens.refresh_token is not None,
            "expires_at": tokens.expires_at,
            "refreshed_at": tokens.refreshed_at,
            **state_json(status, can_serve=self.can_serve),
            "in_flight": status.in_flight,
            "conversations": status.conversations,
            "leases": status.leases,
            "last_used_at": status.last_used_at,
        }


def state_json(status: AccountStatus, *, can_serve: bool) -> dict[str, Any]:
    """Whether and until when an account is out of service."""
    blocks = [{"limit_id": each.limit_id, "reason": each.reason, "ends_at": each.until} for each in status.blocks]
    return {"can_serve": can_serve, "parked": status.parked, "blocks": blocks}


def state_text(status: AccountStatus, *, now: float, timezone: tzinfo | None) -> Text:
    """The same in words, for the plan's own models first."""
    own = [each for each in status.blocks if each.limit_id in {ALL_LIMITS, PLAN_LIMIT}]
    others = [each for each in status.blocks if each not in own]
    last = max(own, key=lambda block: block.until, default=None)
    if status.parked is not None:
        state = Text(f"parked: {printable(status.parked)}", "red")
    elif last is not None:
        state = Text(_block_words(last, now, timezone), "yellow")
    else:
        state = Text("ready", "green")
    for block in others:
        state.append(f"\n{printable(block.limit_id)}: {_block_words(block, now, timezone)}", "yellow")
    if status.in_flight:
        state.append(f"\n{status.in_flight} in flight", "dim")
    return state


def accounts_table(
    rows: Collection[AccountRow], *, now: float, timezone: tzinfo | None, is_narrow: bool = False
) -> Table:
    """One row each. `is_narrow`: workspace ids are cut short, as on a terminal."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Key", no_wrap=True)
    longest = max((len(row.tokens.email or "") for row in rows), default=0)
    table.add_column("E-mail", overflow="fold", min_width=min(longest, _WIDE))
    table.add_column("Plan", overflow="fold")
    table.add_column("Workspace", no_wrap=True, overflow="ellipsis", max_width=_NARROW if is_narrow else None)
    for name in ("Source", "Token ends", "State"):
        table.add_column(name)
    for row in rows:
        tokens = row.tokens
        source = f"{tokens.source}, borrowed" if tokens.borrowed else tokens.source
        texts = (row.status.key, tokens.email, row.status.plan_type, tokens.account_id, source, _ending(tokens, now))
        table.add_row(*(printable(text or "–") for text in texts), state_text(row.status, now=now, timezone=timezone))
    return table


async def account_rows(opened: Accounts) -> list[AccountRow]:
    """All accounts as they are now, in the order of the store."""
    stored = await opened.store.load()
    async with opened.pool() as pool:
        statuses, explanation = await pool.accounts(), await pool.explain()
    free = {each.key for each in explanation.candidates}
    return [AccountRow(stored[each.key], each, each.key in free) for each in statuses if each.key in stored]


async def _accounts(around: Surroundings, *, as_json: bool, unblock: Collection[str]) -> None:
    async with used_accounts(around) as opened:
        if unblock:
            await _unblock(opened, chosen_keys(await opened.store.load(), list(unblock)))
        rows = await account_rows(opened)
        note_environment(around)
    if as_json:
        emit_json(around.out, {"accounts": [row.to_json() for row in rows]})
    elif rows:
        now, is_narrow = around.clock.time(), around.out.is_terminal
        around.out.print(accounts_table(rows, now=now, timezone=around.timezone, is_narrow=is_narrow))
    if not rows:
        say(around.err, f"no account is logged in; {HOW_TO_LOG_IN}")


async def _unblock(opened: Accounts, keys: Collection[str]) -> None:
    async with opened.pool() as pool:
        for key in keys:
            await pool.unblock(key)
            say(opened.around.err, f"{key} is back in service")


def _block_words(block: AccountBlock, now: float, timezone: tzinfo | None) -> str:
    return f"{printable(block.reason)}, until {moment_and_countdown(block.until, now=now, timezone=timezone)}"


def _ending(tokens: TokenSet, now: float) -> str:
    if tokens.expires_at is None:
        return "not told"
    left = tokens.expires_at - now
    if left > 0:
        return f"in {duration(left)}"
    return f"{duration(-left)} ago" + ("" if tokens.refresh_token else ", for good")
