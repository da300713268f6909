"""The accounts for people: as a table where there is room for it, else one under the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import tzinfo

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from codex_client.auth.tokens import TokenSet
from codex_client.cli.accounts_report import AccountRow, has_ended
from codex_client.cli.output import moment_and_countdown, printable
from codex_client.credentials.explain import AccountBlock, AccountStatus
from codex_client.credentials.pool_record import ALL_LIMITS
from codex_client.credentials.quota_state import duration

INDENT = 2
_PLAN_LIMIT = "codex"
# With fewer columns the cells of a table would be broken into many short lines.
_TABLE_WIDTH = 110
# Enough to tell one workspace id from another.
_WORKSPACE = 13


def accounts_view(
    rows: Collection[AccountRow], *, now: float, timezone: tzinfo | None, width: int | None
) -> RenderableType:
    """How the accounts look at a moment (`now`, Unix seconds). `width`: the terminal's, None for files and pipes."""
    if width is not None and width < _TABLE_WIDTH:
        return _list(rows, now, timezone)
    return _table(rows, now, timezone, workspace_width=None if width is None else _WORKSPACE)


def heading(name: str | None, facts: Iterable[str]) -> Text:
    """The line above what is told of an account."""
    told = printable(", ".join(facts))
    return Text.assemble((printable(name or "unknown account"), "bold"), (f"  {told}", "dim"))


def state_text(status: AccountStatus, *, now: float, timezone: tzinfo | None, ended: str | None = None) -> Text:
    """Whether and until when an account is out of service, for the plan's own models first.

    `ended`: what to say of a login that is of no more use, None for one that is.
    """
    own = [each for each in status.blocks if each.limit_id in {ALL_LIMITS, _PLAN_LIMIT}]
    others = [each for each in status.blocks if each not in own]
    last = max(own, key=lambda block: block.until, default=None)
    if status.parked is not None:
        state = Text(f"parked: {printable(status.parked)}", "red")
    elif ended is not None:
        state = Text(ended, "red")
    elif last is not None:
        state = Text(_block_words(last, now, timezone), "yellow")
    else:
        state = Text("ready", "green")
    for block in others:
        state.append(f"\n{printable(block.limit_id)}: {_block_words(block, now, timezone)}", "yellow")
    if status.in_flight:
        state.append(f"\n{status.in_flight} in flight", "dim")
    return state


def _table(rows: Collection[AccountRow], now: float, timezone: tzinfo | None, workspace_width: int | None) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Key", no_wrap=True)
    for name in ("E-mail", "Plan"):
        table.add_column(name, overflow="fold")
    table.add_column("Workspace", no_wrap=True, overflow="ellipsis", max_width=workspace_width)
    for name in ("Source", "Token ends", "State"):
        table.add_column(name, overflow="fold")
    for row in rows:
        tokens, status = row.tokens, row.status
        ending = _ending(tokens, now)
        texts = (status.key, tokens.email, status.plan_type, tokens.account_id, _source(tokens), ending)
        table.add_row(*(printable(text or "-") for text in texts), _state(row, now, timezone))
    return table


def _list(rows: Collection[AccountRow], now: float, timezone: tzinfo | None) -> Group:
    parts: list[RenderableType] = []
    for row in rows:
        tokens, status = row.tokens, row.status
        has_passed = tokens.expires_within(0, now=now)
        facts = (
            f"workspace {tokens.account_id or 'unknown'}",
            _source(tokens),
            f"token {'ended' if has_passed else 'ends'} {_ending(tokens, now)}",
        )
        parts += [
            heading(tokens.email or tokens.account_id, (status.plan_type or "plan unknown", status.key)),
            Padding.indent(_state(row, now, timezone), INDENT),
            Padding.indent(Text(printable("; ".join(facts)), "dim"), INDENT),
            "",
        ]
    return Group(*parts[:-1])


def _state(row: AccountRow, now: float, timezone: tzinfo | None) -> Text:
    ended = _what_to_do(row.tokens) if has_ended(row.tokens, now) else None
    return state_text(row.status, now=now, timezone=timezone, ended=ended)


def _what_to_do(tokens: TokenSet) -> str:
    if tokens.source == "environment" and not tokens.borrowed:
        return "ended; set a new token"
    return "ended; import it again" if tokens.borrowed else "ended; log in again"


def _block_words(block: AccountBlock, now: float, timezone: tzinfo | None) -> str:
    return f"{printable(block.reason)}, until {moment_and_countdown(block.until, now=now, timezone=timezone)}"


def _source(tokens: TokenSet) -> str:
    return f"{tokens.source}, borrowed" if tokens.borrowed else tokens.source


def _ending(tokens: TokenSet, now: float) -> str:
    if tokens.expires_at is None:
        return "not told"
    left = tokens.expires_at - now
    if left > 0:
        return f"in {duration(left)}"
    return f"{duration(-left)} ago" + (", for good" if has_ended(tokens, now) else "")
