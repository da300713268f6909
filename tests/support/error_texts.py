"""The texts of the library's errors, as its source has them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import codex_client


def texts_of_errors() -> Iterator[str]:
    """The texts with which anything is called in the package; where they are filled in stands an X."""
    root = Path(codex_client.__file__).parent
    for path in root.rglob("*.py"):
        # Checks of what only a program gives, and texts of programs' own.
        if path.relative_to(root).parts[0] in ("bridge", "cli", "gateway", "sync", "testing") or path.stem == "config":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                yield from (text for each in node.args if "; " in (text := _text_of(each)))


def _text_of(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text_of(part) or "X" for part in parts)
        case _:
            return ""
