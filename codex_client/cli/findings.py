"""What `doctor` finds: one value for each check, and how they look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from rich.table import Table
from rich.text import Text

from codex_client.cli.advice import in_command_words
from codex_client.cli.exits import ExitStatus, exit_status
from codex_client.cli.output import printable
from codex_client.errors import CodexError


class Verdict(StrEnum):
    """What a check came to. A note is worth a look, and stands in the way of nothing."""

    OK = "ok"
    NOTE = "note"
    FAILED = "failed"
    SKIPPED = "skipped"


_STYLES = {Verdict.OK: "green", Verdict.NOTE: "yellow", Verdict.FAILED: "bold red", Verdict.SKIPPED: "dim"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `told`: what is, one line or several; `advice`: what to do about it, "" where there is nothing to do.

    `status` is what a failed one makes of the command.
    """

    name: str
    verdict: Verdict
    told: str
    advice: str = ""
    status: ExitStatus = ExitStatus.OK

    @classmethod
    def ok(cls, name: str, told: str, advice: str = "") -> Self:
        return cls(name, Verdict.OK, told, advice)

    @classmethod
    def note(cls, name: str, told: str, advice: str) -> Self:
        return cls(name, Verdict.NOTE, told, advice)

    @classmethod
    def failed(cls, name: str, told: str, advice: str, status: ExitStatus = ExitStatus.FAILED) -> Self:
        return cls(name, Verdict.FAILED, told, advice, status)

    @classmethod
    def skipped(cls, name: str, why: str) -> Self:
        return cls(name, Verdict.SKIPPED, why)

    @classmethod
    def of_error(cls, name: str, error: CodexError) -> Self:
        """A failure of the library's own: its texts say last what to do."""
        told, _, advice = in_command_words(error.message).rpartition("; ")
        return cls.failed(name, told or advice, advice if told else "", exit_status(error))

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "verdict": self.verdict.value, "told": self.told, "advice": self.advice or None}


def status_of(findings: Iterable[Finding]) -> ExitStatus:
    """That of the first failure, for the others mostly follow from it."""
    return next((each.status for each in findings if each.verdict is Verdict.FAILED), ExitStatus.OK)


def findings_view(findings: Iterable[Finding]) -> Table:
    """The findings for people, a row each."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for each in findings:
        told = Text("\n".join(printable(line) for line in each.told.splitlines()))
        if each.advice:
            told.append(f"\n-> {printable(each.advice)}", "bold" if each.verdict is Verdict.FAILED else "dim")
        table.add_row(Text(each.verdict.value, _STYLES[each.verdict]), each.name, told)
    return table
