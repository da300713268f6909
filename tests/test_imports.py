"""Importing the package is cheap, and its public names are there."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import codex_client

DEPENDENCIES = "import anyio, httpx, httpx_sse, pydantic, tenacity"
OPTIONAL = (
    "codex_client.cli",
    "codex_client.gateway",
    "codex_client.otel",
    "codex_client.testing",
    "aiohttp",
    "h2",
    "httpx2",
    "keyring",
    "opentelemetry",
    "prometheus_client",
    "pytest",
    "rich",
    "starlette",
    "trio",
    "typer",
    "uvicorn",
)

# The stub does not declare it: type checkers read the names from its imports.
PUBLIC: list[str] = vars(codex_client)["__all__"]


def modules_after(statement: str) -> set[str]:
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_the_package_and_all_its_public_names_load_no_extra_and_no_testing_kit():
    # httpx loads rich for its own command line where it finds it: only what we add counts.
    added = modules_after("from codex_client import *") - modules_after(DEPENDENCIES)
    loaded = sorted(name for name in added for root in OPTIONAL if name == root or name.startswith(f"{root}."))
    assert loaded == []


def test_every_public_name_resolves():
    missing = [name for name in PUBLIC if not hasattr(codex_client, name)]
    assert missing == []


def test_type_checkers_see_the_same_public_names():
    stub = ast.parse(Path(codex_client.__file__).with_suffix(".pyi").read_text("utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    assert sorted(alias.asname or "" for node in imports for alias in node.names) == sorted([*PUBLIC, "__version__"])


def test_the_version_is_that_of_the_installed_package():
    assert codex_client.__version__ == metadata.version("codex-client")
