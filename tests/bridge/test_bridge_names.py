"""The bridge's public names."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from codex_client import bridge

PUBLIC: list[str] = vars(bridge)["__all__"]


def test_every_public_name_resolves_and_is_listed() -> None:
    assert [name for name in PUBLIC if getattr(bridge, name, None) is None] == []
    assert dir(bridge) == PUBLIC


def test_type_checkers_see_the_same_public_names() -> None:
    stub = ast.parse(Path(bridge.__file__).with_suffix(".pyi").read_text("utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    assert sorted(alias.asname or "" for node in imports for alias in node.names) == sorted(PUBLIC)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="hologram"):
        getattr(bridge, "holo" + "gram")
