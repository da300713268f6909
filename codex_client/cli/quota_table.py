"""A report of quota for people: under each account its windows, a bar for what is left of each."""

from __future__ import annotations

from datetime import tzinfo

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from codex_client.cli.accounts import state_text
from codex_client.cli.output import moment_and_countdown, printable
from codex_client.cli.quota_report import QuotaReport, QuotaRow
from codex_client.credentials.quota_state import QuotaState, duration, percent, window_state
from codex_client.model_variants import Credits, RateLimitSnapshot, RateLimitWindow

_BAR_WIDTH, _INDENT = 20, 2
_STYLES = {
    QuotaState.EXHAUSTED: "red",
    QuotaState.LOW: "yellow",
    QuotaState.AVAILABLE: "green",
    QuotaState.UNKNOWN: "dim",
}


def quota_table(report: QuotaReport, *, now: float, timezone: tzinfo | None, has_bars: bool) -> Group:
    """How the report looks at a moment (`now`, Unix seconds). Without bars it is for files and pipes."""
    width = max((len(label) for row in report.rows for label, _, _ in _limited(row)), default=0)
    parts: list[RenderableType] = []
    for row in report.rows:
        parts += [_heading(row, now, timezone), *_state_lines(row, now, timezone)]
        parts += [_windows(report, row, width, now, timezone, has_bars), ""]
    return Group(*parts[:-1])


def _heading(row: QuotaRow, now: float, timezone: tzinfo | None) -> Text:
    facts = [row.status.plan_type or "plan unknown", *_credit_words(row.credits), row.status.key]
    if row.reset_credits:
        facts.insert(-1, f"{row.reset_credits} early resets")
    name = row.email or row.status.account_id or "unknown account"
    return Text.assemble((printable(name), "bold"), (f"  {printable(', '.join(facts))}", "dim"))


def _state_lines(row: QuotaRow, now: float, timezone: tzinfo | None) -> list[Padding]:
    lines = list(state_text(row.status, now=now, timezone=timezone).split("\n"))
    if row.failure is not None:
        failure = Text(f"usage not fetched: {printable(row.failure)}", "red")
        # What cannot be asked is not known to be ready.
        lines = [failure, *(lines[1:] if row.can_serve else lines)]
    elif not _limited(row):
        lines.append(Text("no limit"))
    return [Padding.indent(line, _INDENT) for line in lines]


def _windows(
    report: QuotaReport, row: QuotaRow, width: int, now: float, timezone: tzinfo | None, has_bars: bool
) -> Padding:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=width, no_wrap=True)
    if has_bars:
        table.add_column(width=_BAR_WIDTH)
    table.add_column(width=len("under 1 % left"), justify="right")
    table.add_column()
    for label, snapshot, window in _limited(row):
        seen_at = now if snapshot.fetched_at is None else snapshot.fetched_at
        state = window_state(window, now, seen_at=seen_at)
        style = _STYLES[state]
        told = [_reset_words(state, window, now, timezone)]
        if report.is_stale(snapshot):
            told.append(f"stale, {duration(now - seen_at)} old")
        cells: list[RenderableType] = [
            Text(label),
            Text(_left(state, window), style),
            Text("; ".join(filter(None, told))),
        ]
        if has_bars:
            cells.insert(1, _bar(state, window, style))
        table.add_row(*cells)
    return Padding.indent(table, _INDENT)


def _bar(state: QuotaState, window: RateLimitWindow, style: str) -> ProgressBar:
    remaining = 0.0 if state is QuotaState.UNKNOWN else window.remaining_percent
    return ProgressBar(100, remaining, _BAR_WIDTH, complete_style=style, finished_style=style)


def _reset_words(state: QuotaState, window: RateLimitWindow, now: float, timezone: tzinfo | None) -> str:
    if window.resets_at is None:
        return ""
    if state is QuotaState.UNKNOWN:
        return f"reset {duration(now - window.resets_at)} ago"
    return f"resets {moment_and_countdown(window.resets_at, now=now, timezone=timezone)}"


def _limited(row: QuotaRow) -> list[tuple[str, RateLimitSnapshot, RateLimitWindow]]:
    """The windows that limit something, with their names: those without a limit have no place in a table."""
    return [
        (_label(snapshot, window), snapshot, window)
        for snapshot in row.snapshots
        for window in snapshot.windows
        if window.has_limit
    ]


def _label(snapshot: RateLimitSnapshot, window: RateLimitWindow) -> str:
    if snapshot.limit_id == "codex":
        return window.label
    return printable(f"{snapshot.limit_name or snapshot.limit_id} {window.label}")


def _left(state: QuotaState, window: RateLimitWindow) -> str:
    match state:
        case QuotaState.EXHAUSTED:
            return "used up"
        case QuotaState.UNKNOWN:
            return "unknown"
        case _:
            return f"{percent(window.remaining_percent)} left"


def _credit_words(credits: Credits | None) -> list[str]:
    if credits is None:
        return []
    if credits.unlimited:
        return ["unlimited credits"]
    return [f"{credits.balance or 'some'} credits" if credits.has_credits else "no credits"]
