"""Statements that nothing can reach, told by the syntax tree alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise


def unreachable_lines(source: str) -> list[int]:
    """The first line behind each statement that never goes on: return, raise, continue, break, or an `if` or `try`,
    `with` or `match` all of whose ways end so, and an endless loop that nothing breaks.
    """
    return sorted(line for node in ast.walk(ast.parse(source)) for line in _behind_ends(node))


def _behind_ends(node: ast.AST) -> Iterator[int]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if not isinstance(block, list):
            continue
        for statement, following in pairwise(block):
            if _ends(statement):
                yield following.lineno
                break


def _ends(statement: ast.stmt) -> bool:
    """Whether what stands behind it in its block is never run."""
    match statement:
        case ast.Return() | ast.Raise() | ast.Continue() | ast.Break():
            return True
        case ast.If():
            return _block_ends(statement.body) and _block_ends(statement.orelse)
        case ast.Try(finalbody=final) if _block_ends(final):
            return True
        case ast.Try():
            whole = _block_ends(statement.body) or _block_ends(statement.orelse)
            return whole and all(_block_ends(handler.body) for handler in statement.handlers)
        case ast.While(test=ast.Constant(value=True)):
            return not any(map(_breaks, statement.body))
        case _:
            # A `with` may swallow what is raised in it, a `match` may match nothing.
            return False


def _block_ends(block: list[ast.stmt]) -> bool:
    return any(map(_ends, block))


def _breaks(statement: ast.AST) -> bool:
    """Whether it holds a `break` of the loop that it stands in."""
    if isinstance(statement, ast.Break):
        return True
    if isinstance(statement, ast.For | ast.AsyncFor | ast.While):
        return any(map(_breaks, statement.orelse))
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        return False
    return any(map(_breaks, ast.iter_child_nodes(statement)))
