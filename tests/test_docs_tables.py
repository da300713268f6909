"""What README.md and docs/ say in tables, lists and diagrams is what the code says."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import codex_client
from codex_client import GuardPolicy, built_in_profiles, errors
from codex_client.bridge import ReasoningFormat
from codex_client.errors import CodexError
from codex_client.gateway import GatewayConfig
from codex_client.model_provider import built_in_providers

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PACKAGE = ROOT / "codex_client"
README = (ROOT / "README.md").read_text("utf-8")
ERRORS_PAGE = (DOCS / "errors.md").read_text("utf-8")
DESIGN_PAGE = (DOCS / "design.md").read_text("utf-8")
ALL_TEXT = "\n".join([README, *(page.read_text("utf-8") for page in sorted(DOCS.rglob("*.md")))])

ERRORS = {
    name: error
    for name, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, CodexError) and not name.startswith("_")
}
# What a form of an error inherits from beside its family.
CONDITIONS = {base for error in ERRORS.values() for base in error.__bases__[1:]}


# What is imported from these rooms, and not from the package itself.
PUBLIC_ROOMS = ("bridge", "gateway", "sync", "testing")
# Modules whose docstrings are tables for users.
BRIDGE_TABLES = {"codex_client.bridge.errors", "codex_client.bridge.requests"}


def handed_out_by(room: str) -> set[str]:
    """The names that a room's `__init__` imports for its users, `import X as X`."""
    source, stub = PACKAGE / room / "__init__.py", PACKAGE / room / "__init__.pyi"
    nodes = ast.walk(ast.parse((stub if stub.exists() else source).read_text("utf-8")))
    imported = [alias for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names]
    return {alias.name for alias in imported if alias.asname == alias.name}


def rows_of(page: str, *, first_header: str) -> list[list[str]]:
    """The rows of every table on the page whose first column is so named, as cells."""
    rows: list[list[str]] = []
    inside = False
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            inside = False
        elif cells[0] == first_header:
            inside = True
        elif inside and not set(line) <= set("|-: "):
            rows.append(cells)
    return rows


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def own_attributes(error: type[CodexError]) -> set[str]:
    """The facts that this class knows and the public classes above it do not."""

    def facts(cls: type) -> set[str]:
        return set(inspect.signature(cls.__init__).parameters) - {"self", "message"}

    above = [base for base in error.__mro__[1:] if base in ERRORS.values()]
    return facts(error) - {fact for base in above for fact in facts(base)}


def test_every_error_has_one_row():
    rows = rows_of(ERRORS_PAGE, first_header="Class") + rows_of(ERRORS_PAGE, first_header="Condition")
    assert sorted(name for row in rows for name in names_in(row[0])) == sorted(ERRORS)


@pytest.mark.parametrize("row", rows_of(ERRORS_PAGE, first_header="Class"), ids=lambda row: names_in(row[0])[0])
def test_an_error_is_what_its_row_says(row: list[str]):
    name, when, retryable, rotate_account, attributes, what_to_do = row
    error = ERRORS[names_in(name)[0]]
    made = error("what happened")
    assert retryable.split(",")[0] == ("yes" if made.retryable else "no")
    assert rotate_account in ("as the last error", "yes" if made.rotate_account else "no")
    assert set(names_in(attributes)) == own_attributes(error)
    assert when
    assert what_to_do


@pytest.mark.parametrize("row", rows_of(ERRORS_PAGE, first_header="Condition"), ids=lambda row: names_in(row[0])[0])
def test_a_condition_is_shared_by_the_two_forms_in_its_row(row: list[str]):
    condition, status_form, stream_form = (ERRORS[names_in(cell)[0]] for cell in row[:3])
    assert condition in CONDITIONS
    assert issubclass(status_form, errors.UnexpectedStatusError)
    assert issubclass(stream_form, errors.ResponseFailedError)
    for form in (status_form, stream_form):
        assert condition in form.__bases__
        assert row[3] == ("yes" if form.retryable else "no")
        assert row[4] == ("yes" if form.rotate_account else "no")


def test_every_condition_has_a_row():
    named = {names_in(row[0])[0] for row in rows_of(ERRORS_PAGE, first_header="Condition")}
    assert named == {condition.__name__ for condition in CONDITIONS}


@pytest.mark.parametrize(
    "page, header, told",
    [
        ("guards.md", "Field", {field.name for field in fields(GuardPolicy)}),
        ("gateway.md", "Option of `GatewayConfig`", {field.name for field in fields(GatewayConfig)}),
        ("backend-profiles.md", "Profile", set(built_in_profiles())),
        ("bridge.md", "Form", {form.value for form in ReasoningFormat}),
    ],
    ids=["guards", "gateway", "profiles", "reasoning"],
)
def test_a_table_names_all_there_is(page: str, header: str, told: set[str]):
    rows = rows_of((DOCS / "how-to" / page).read_text("utf-8"), first_header=header)
    assert sorted(name for row in rows for name in names_in(row[0])) == sorted(told)


def test_the_readme_names_exactly_the_extras_there_are():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    told = {name for row in rows_of(README, first_header="Extra") for name in names_in(row[0])}
    assert told == set(extras) - {"bench", "dev", "docs"}


def test_the_readme_names_exactly_the_built_in_providers():
    rows = rows_of(README, first_header="Name")
    told = {names_in(row[0])[0]: (row[1], *names_in(row[2])) for row in rows if names_in(row[0])}
    apis = {"responses": "Responses", "chat": "Chat"}
    known = {
        name: (apis[info.wire_api.value], *([info.env_key] if info.env_key else []))
        for name, info in built_in_providers().items()
    }
    assert told == known


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)[^)]*\)", README))))
def test_a_link_of_the_readme_leads_somewhere(target: str):
    assert target.startswith("https://") or (ROOT / target).exists()


@pytest.mark.parametrize("room", PUBLIC_ROOMS)
def test_what_a_room_hands_out_is_there(room: str):
    module, names = import_module(f"codex_client.{room}"), handed_out_by(room)
    assert names
    assert set(getattr(module, "__all__", names)) == names
    assert [name for name in sorted(names) if not hasattr(module, name)] == []
    # Which of the two such a name meant would depend on what was imported first.
    assert names & {path.stem for path in (PACKAGE / room).iterdir()} == set()


def test_every_public_name_is_in_the_reference():
    text = "\n".join(page.read_text("utf-8") for page in sorted((DOCS / "reference").glob("*.md")))
    shown = re.findall(r"^::: (codex_client(?:\.\w+)+)$", text, re.MULTILINE)
    public = {f"codex_client.{name}" for name in dir(codex_client)}
    of_rooms = {f"codex_client.{room}.{name}" for room in PUBLIC_ROOMS for name in handed_out_by(room)}
    assert set(shown) - BRIDGE_TABLES == public | of_rooms | {"codex_client.otel.OpenTelemetry"}
    assert len(shown) == len(set(shown))


def test_the_floors_of_the_design_are_those_of_the_import_contract():
    contracts: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    assert "\n".join(["```text", *layers, "```"]) in DESIGN_PAGE


def test_the_design_names_every_room():
    named = [name for row in rows_of(DESIGN_PAGE, first_header="Room") for name in names_in(row[0])]
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert sorted(named) == sorted(rooms - {"__init__"})


def test_every_seam_of_the_design_is_a_public_name_or_an_option():
    seams = {name for row in rows_of(DESIGN_PAGE, first_header="Seam") for name in names_in(row[0])}
    assert seams - {"http_client"} <= set(dir(codex_client))


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:codex_client|tests|fixtures|docs|bench)/[\w./-]+)`", ALL_TEXT)))
)
def test_a_file_that_is_named_exists(path: str):
    assert (ROOT / path).exists()


def test_the_list_of_decisions_names_every_page_by_its_title():
    listed = re.findall(
        r"^\| (\d+) \| \[(.+)\]\((.+)\) \|$", (DOCS / "decisions/index.md").read_text("utf-8"), re.MULTILINE
    )
    pages = sorted(page for page in (DOCS / "decisions").glob("*.md") if page.name != "index.md")
    assert [(f"# {number}. {title}", name) for number, title, name in listed] == [
        (page.read_text("utf-8").splitlines()[0], page.name) for page in pages
    ]


@pytest.mark.parametrize("page", sorted((DOCS / "decisions").glob("0*.md")), ids=lambda page: page.stem)
def test_a_decision_has_its_four_parts(page: Path):
    heads = re.findall(r"^## (.+)$", page.read_text("utf-8"), re.MULTILINE)
    assert heads == ["Context", "Decision", "Consequences", "How it is checked"]


def test_no_module_has_the_name_of_a_public_name():
    modules = {path.stem for path in PACKAGE.iterdir()}
    assert modules & set(dir(codex_client)) == set()
