"""What the pages say of command lines, exit statuses and options of accounts is what the code says."""

from __future__ import annotations

import inspect
import itertools
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from codex_client import CredentialPool, FilePoolState, FileTokenStore
from codex_client.cli.app import app
from codex_client.cli.exits import ExitStatus

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ACCOUNTS_PAGE = (ROOT / "docs/how-to/accounts.md").read_text("utf-8")
COMMAND_LINE_PAGE = (ROOT / "docs/reference/command-line.md").read_text("utf-8")
SECURITY_PAGE = (ROOT / "docs/security.md").read_text("utf-8")

# On a line of its own in a shell block, or in the running text.
COMMAND_LINE = re.compile(r"(?:^|(?<=`)|(?<=\| ))codex-client (?!--)[^`\n]+(?=`|$)", re.MULTILINE)
COMMAND_LINES = sorted({line for page in PAGES for line in COMMAND_LINE.findall(page.read_text("utf-8"))})


def rows_after(page: str, header: str) -> list[list[str]]:
    """The rows of the table with this first column, as cells."""
    lines = itertools.dropwhile(lambda line: not line.startswith(f"| {header} |"), page.splitlines())
    table = list(itertools.takewhile(lambda line: line.startswith("|"), lines))
    assert table, header
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def test_the_pages_show_every_command() -> None:
    assert {line.split()[1] for line in COMMAND_LINES} == set(command_group().commands)


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_a_command_line_of_the_pages_is_taken(line: str) -> None:
    _, name, *words = itertools.takewhile(lambda word: word not in "<>|", shlex.split(line, comments=True))
    # Parsed only; what is wrong with it raises.
    command_group().commands[name].make_context(name, words)


@pytest.mark.parametrize("page", [COMMAND_LINE_PAGE, ACCOUNTS_PAGE], ids=["command-line", "accounts"])
def test_the_exit_statuses_are_those_of_the_command_line(page: str) -> None:
    told = {int(status): meaning for status, meaning in rows_after(page, "Exit status")}
    assert set(told) == {status.value for status in ExitStatus}
    assert all(told[status.value].startswith(status.meaning) for status in ExitStatus)


def test_the_options_in_the_table_of_stream_are_options_of_it() -> None:
    told = {name for row in rows_after(COMMAND_LINE_PAGE, "Option") for name in re.findall(r"`(--[\w-]+)`", row[0])}
    known = {name for parameter in command_group().commands["stream"].params for name in parameter.opts}
    assert told <= known


def test_the_options_of_a_pool_are_those_of_the_page() -> None:
    told = [name for row in rows_after(ACCOUNTS_PAGE, "Option") for name in re.findall(r"`(\w+)`", row[0])]
    parameters = inspect.signature(CredentialPool).parameters
    assert sorted(told) == sorted(set(parameters) - {"store", "clock"})
    defaults = {row[0].strip("`"): row[2] for row in rows_after(ACCOUNTS_PAGE, "Option")}
    assert defaults["selection"] == f'`"{parameters["selection"].default}"`'
    assert defaults["limit_id"] == f'`"{parameters["limit_id"].default}"`'
    assert defaults["max_cooldown"] == f"{parameters['max_cooldown'].default / 86_400:g} days"
    assert defaults["affinity"] == f"{parameters['affinity'].default:g} s"


def test_the_files_that_are_kept_are_those_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_CLIENT_HOME", str(tmp_path))
    told = [row[0].strip("`") for row in rows_after(SECURITY_PAGE, "What")]
    assert told[:2] == [FileTokenStore().path.name, FilePoolState().path.name]


def command_group() -> Any:
    return get_command(app)
