"""The library never prompts and never opens a browser: only the command line talks to people (O7)."""

from __future__ import annotations

import ast
from pathlib import Path

import codex_client

PACKAGE = Path(codex_client.__file__).parent
TALKING = {"getpass", "webbrowser", "input", "print"}
# The command line, the demo, and modules that print when run as programs.
TALKERS = {"cli", "testing"}


def test_nothing_below_the_command_line_prompts_or_opens_a_browser() -> None:
    found: list[str] = []
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE)
        if place.parts[0] in TALKERS:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = {
                *([node.func.id] if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else []),
                *([alias.name for alias in node.names] if isinstance(node, ast.Import) else []),
                *([node.module or ""] if isinstance(node, ast.ImportFrom) else []),
            }
            found += [f"{place}:{getattr(node, 'lineno', 0)} {name}" for name in names & TALKING]
    # The table of the settings, as a program.
    assert [each.partition(":")[0] for each in found] == ["settings.py"]
