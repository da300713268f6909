"""`codex-client quota`: what is left of each account's limits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, NoReturn

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from codex_client.cli.chosen import KEY_HELP, chosen_keys, require_any
from codex_client.cli.completion import used_keys
from codex_client.cli.exits import ExitStatus, run
from codex_client.cli.output import counted, emit, emit_json, moment_and_countdown, say, show, stamp
from codex_client.cli.quota_report import QuotaReport, fetch_report
from codex_client.cli.quota_table import quota_lines, quota_table
from codex_client.cli.surroundings import Accounts, Surroundings, note_base_url, note_environment, used_accounts
from codex_client.credentials.pool import CredentialPool
from codex_client.credentials.quota_state import duration

_SHORTEST_INTERVAL, _INTERVAL = 10.0, 60.0
_TICK = 1.0

QUOTA_HELP = (
    "Exit status: 0 an account can serve, 4 none can, 3 nobody is logged in, 1 those that may be able to could not be "
    "asked."
)


def quota(
    context: typer.Context,
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY", help=f"{KEY_HELP} All without one.", autocompletion=used_keys),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print JSON, with windows that have no limit too; one line each time with --watch."
        ),
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Ask again and again, until Ctrl-C.")] = False,
    interval: Annotated[
        float | None,
        typer.Option(
            min=_SHORTEST_INTERVAL,
            metavar="SECONDS",
            help=f"With --watch: between two times of asking ({_INTERVAL:g} where none is given).",
        ),
    ] = None,
) -> None:
    """Ask for the usage of all accounts, and show what is left and until when.

    The exit status says whether any account can serve.
    """
    if interval is not None and not watch:
        raise typer.BadParameter("--interval goes with --watch")
    every = (interval or _INTERVAL) if watch else None
    run(context, partial(_quota, wanted=keys or [], as_json=as_json, interval=every))


async def _quota(
    around: Surroundings, *, wanted: Sequence[str], as_json: bool, interval: float | None
) -> ExitStatus | None:
    async with used_accounts(around) as opened:
        stored = await opened.store.load()
        if as_json and not stored:
            emit_json(around.out, {"accounts": []}, indent=2 if interval is None else None)
        require_any(stored)
        note_environment(around)
        note_base_url(around)
        async with opened.pool(chosen_keys(stored, wanted) if wanted else None) as pool:
            report = await _asked(opened, pool)
            if interval is not None:
                await _watch(opened, pool, report, as_json=as_json, interval=interval)
            _show(around, report, as_json=as_json)
    _say_when(around, report, "of the accounts asked for" if wanted else None)
    return report.exit_status


async def _asked(opened: Accounts, pool: CredentialPool) -> QuotaReport:
    with opened.around.err.status("asking for the accounts' usage"):
        return await fetch_report(opened, pool)


async def _watch(
    opened: Accounts, pool: CredentialPool, report: QuotaReport, *, as_json: bool, interval: float
) -> NoReturn:
    """Show report after report. On a terminal each takes the place of the one before."""
    around = opened.around
    if as_json or not around.out.is_terminal:
        while True:
            _show(around, report, as_json=as_json, indent=None)
            await around.clock.sleep(interval)
            report = await fetch_report(opened, pool)
            if not as_json:
                emit(around.out, f"\n{stamp(report.asked_at, timezone=around.timezone)}\n")
    with Live(console=around.out, auto_refresh=False) as live:
        while True:
            await _count_down(around, report, live, interval)
            report = await fetch_report(opened, pool)


async def _count_down(around: Surroundings, report: QuotaReport, live: Live, interval: float) -> None:
    """Show one report for an interval; its times to the resets run."""
    ends_at = around.clock.monotonic() + interval
    while (left := ends_at - around.clock.monotonic()) > 0:
        footer = Text(f"asked again in {duration(left)}; Ctrl-C ends this", "dim")
        live.update(_fitting(around, report, footer), refresh=True)
        await around.clock.sleep(min(_TICK, left))


def _show(around: Surroundings, report: QuotaReport, *, as_json: bool, indent: int | None = 2) -> None:
    if as_json:
        emit_json(around.out, report.to_json(), indent=indent)
    else:
        show(around.out, _table(around, report))


def _table(around: Surroundings, report: QuotaReport) -> Group:
    width = around.out.width if around.out.is_terminal else None
    return quota_table(report, now=around.clock.time(), timezone=around.timezone, width=width)


def _fitting(around: Surroundings, report: QuotaReport, footer: Text) -> Group:
    """The report no higher than the screen: whole, else with a line for each account, as many as there is room for."""
    whole, room = _table(around, report), around.out.height - _height(around, footer)
    if _height(around, whole) <= room:
        return Group(whole, footer)
    lines = quota_lines(report, now=around.clock.time(), timezone=around.timezone)
    if _height(around, Group(*lines)) <= room:
        return Group(*lines, footer)
    shown = list(lines)
    while shown and _height(around, Group(*shown)) >= room:
        shown.pop()
    more = Text(f"… and {counted(len(lines) - len(shown), 'more account')}", "dim")
    return Group(*shown, more, footer)


def _height(around: Surroundings, what: RenderableType) -> int:
    return len(around.out.render_lines(what, pad=False))


def _say_when(around: Surroundings, report: QuotaReport, which: str | None) -> None:
    """Until when none of the accounts can serve, where that is so. `which`: of them, None for all."""
    if report.exit_status is not ExitStatus.NO_ACCOUNT:
        return
    soonest, now = report.next_available_at, around.clock.time()
    if soonest is None:
        when = "and none comes back by itself; log in again, or with another account, by `codex-client login`"
    else:
        when = f"the next one is free at {moment_and_countdown(soonest, now=now, timezone=around.timezone)}"
    who = f"none {which}" if which else "no account"
    say(around.err, f"{who} can serve, {when}", style="bold red", label="error: ")
