"""The public names of the kit."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import codex_client.testing


def test_every_public_name_resolves():
    assert [name for name in dir(codex_client.testing) if not hasattr(codex_client.testing, name)] == []


def test_type_checkers_see_the_same_names():
    stub = ast.parse(Path(codex_client.testing.__file__).with_suffix(".pyi").read_text("utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    assert sorted(alias.asname or "" for node in imports for alias in node.names) == dir(codex_client.testing)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'codex_client\.testing' has no attribute 'nothing'"):
        _ = codex_client.testing.nothing  # pyright: ignore[reportAttributeAccessIssue]


def test_builders_load_no_http_library():
    program = "import sys\nfrom codex_client.testing import sse, ev_created\nprint('httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
