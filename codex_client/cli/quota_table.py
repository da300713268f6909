"""A report of quota for people: under each account its windows, a bar for what is left of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from codex_client.cli.accounts_table import INDENT, heading, state_text
from codex_client.cli.output import counted, moment_and_countdown, printable
from codex_client.cli.quota_report import QuotaReport, QuotaRow
from codex_client.credentials.quota_state import QuotaState, duration, percent, window_state
from codex_client.model_variants import Credits, RateLimitSnapshot, RateLimitWindow

_BAR_WIDTH, _GAP = 20, 2
# "weekly" is the longest name of most windows.
_LABEL_WIDTH = 6
# What is left for the reset: as much as most need, and with a bar enough to say that the numbers are old. So terminals
# of 60 columns have it beside the rest, and those of 90 have bars.
_RESET_WIDTH, _RESET_WIDTH_WITH_BAR = 38, 69
_STYLES = {
    QuotaState.EXHAUSTED: "red",
    QuotaState.LOW: "yellow",
    QuotaState.AVAILABLE: "green",
    QuotaState.UNKNOWN: "dim",
}


def quota_table(report: QuotaReport, *, now: float, timezone: tzinfo | None, width: int | None) -> Group:
    """How the report looks at a moment (`now`, Unix seconds). `width`: the terminal's, None for files and pipes."""
    rows = {row.status.key: _window_rows(report, row, now, timezone) for row in report.rows}
    every = [one for windows in rows.values() for one in windows]
    widths = (max((len(one.label) for one in every), default=0), max((len(one.left) for one in every), default=0))
    parts: list[RenderableType] = []
    for row in report.rows:
        parts += [_heading(row), *_state_lines(row, now, timezone)]
        parts += [Padding.indent(_windows(rows[row.status.key], widths, width), INDENT), ""]
    return Group(*parts[:-1])


def quota_lines(report: QuotaReport, *, now: float, timezone: tzinfo | None) -> list[Text]:
    """The report with one line for each account, for terminals that are not high enough for more."""
    return [_line(report, row, now, timezone) for row in report.rows]


def _line(report: QuotaReport, row: QuotaRow, now: float, timezone: tzinfo | None) -> Text:
    [state, *_] = _state_texts(row, now, timezone)
    line = Text.assemble((printable(row.email or row.status.account_id or row.status.key), "bold"), "  ", state)
    for one in _window_rows(report, row, now, timezone):
        line.append_text(Text.assemble(f", {one.label} ", (one.left, one.style)))
    return line


def _heading(row: QuotaRow) -> Text:
    facts = [row.status.plan_type or "plan unknown", *_credit_words(row.credits), row.status.key]
    if row.reset_credits:
        facts.insert(-1, counted(row.reset_credits, "early reset"))
    return heading(row.email or row.status.account_id, facts)


def _state_lines(row: QuotaRow, now: float, timezone: tzinfo | None) -> list[Padding]:
    lines = _state_texts(row, now, timezone)
    if row.failure is None and not _limited(row):
        lines.append(Text("no limit"))
    return [Padding.indent(line, INDENT) for line in lines]


def _state_texts(row: QuotaRow, now: float, timezone: tzinfo | None) -> list[Text]:
    lines = list(state_text(row.status, now=now, timezone=timezone).split("\n"))
    if row.own_failure is None:
        return lines
    failure = Text(f"usage not fetched: {printable(row.own_failure)}", "red")
    # What cannot be asked is not known to be ready.
    return [failure, *(lines[1:] if row.can_serve else lines)]


@dataclass(frozen=True, slots=True)
class _WindowRow:
    """One window in words. `remaining` in percent, for its bar."""

    label: str
    left: str
    reset: str
    remaining: float
    style: str


def _window_rows(report: QuotaReport, row: QuotaRow, now: float, timezone: tzinfo | None) -> list[_WindowRow]:
    return [_window_row(report, *each, now, timezone) for each in _limited(row)]


def _window_row(
    report: QuotaReport,
    label: str,
    snapshot: RateLimitSnapshot,
    window: RateLimitWindow,
    now: float,
    timezone: tzinfo | None,
) -> _WindowRow:
    seen_at = now if snapshot.fetched_at is None else snapshot.fetched_at
    state = window_state(window, now, seen_at=seen_at)
    told = [_reset_words(state, window, now, timezone)]
    if report.is_stale(snapshot):
        told.append(f"stale, {duration(now - seen_at)} old")
    remaining = 0.0 if state is QuotaState.UNKNOWN else window.remaining_percent
    return _WindowRow(label, _left(state, window), "; ".join(filter(None, told)), remaining, _STYLES[state])


def _windows(rows: Sequence[_WindowRow], widths: tuple[int, int], width: int | None) -> RenderableType:
    """`widths`: of the longest label and of the longest rest. Where there is no room the bar goes first, then the reset
    to a line of its own.
    """
    label_width, left_width = widths
    room = None if width is None else width - INDENT - max(label_width, _LABEL_WIDTH) - left_width - 2 * _GAP
    if room is not None and room < _RESET_WIDTH:
        return Group(*(each for row in rows for each in _two_lines(row)))
    has_bars = room is not None and room >= _RESET_WIDTH_WITH_BAR
    table = Table.grid(padding=(0, _GAP, 0, 0))
    table.add_column(width=label_width)
    if has_bars:
        table.add_column(width=_BAR_WIDTH)
    table.add_column(width=left_width, justify="right")
    table.add_column(overflow="fold")
    for row in rows:
        bar = [ProgressBar(100, row.remaining, _BAR_WIDTH, complete_style=row.style, finished_style=row.style)]
        table.add_row(Text(row.label), *(bar if has_bars else ()), Text(row.left, row.style), Text(row.reset))
    return table


def _two_lines(row: _WindowRow) -> list[RenderableType]:
    first = Text.assemble(f"{row.label:<{_LABEL_WIDTH}}  ", (row.left, row.style))
    return [first, Padding.indent(Text(row.reset), INDENT)] if row.reset else [first]


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
