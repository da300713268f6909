"""The environment variables: one list, the page's table made of it, and a test of what each does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codex_client import settings
from codex_client.model_provider import built_in_providers

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "configuration.md").read_text("utf-8")
# Each of these shows what a variable does: with it, without it, and with the argument that wins over it.
BEHAVIOUR = [
    ROOT / "tests" / "test_connecting.py",
    ROOT / "tests" / "test_connecting_accounts.py",
    ROOT / "tests" / "cli" / "test_cli_serve.py",
]


def test_the_page_holds_the_table_of_the_settings() -> None:
    assert settings.table() in PAGE, "put the output of python -m codex_client.settings into docs/configuration.md"


@pytest.mark.parametrize("variable", settings.VARIABLES, ids=lambda variable: variable.name)
def test_each_variable_has_a_behaviour_test(variable: settings.Variable) -> None:
    constant = next(name for name, value in vars(settings).items() if value is variable)
    tested = "\n".join(path.read_text("utf-8") for path in BEHAVIOUR)
    assert f'"{variable.name}"' in tested or f"settings.{constant}.name" in tested


def test_no_other_place_reads_a_variable_of_this_library() -> None:
    """A name in quotes outside the settings would be a second place that reads it, or one that nobody documented."""
    known = {variable.name for variable in settings.VARIABLES}
    of_providers = {info.env_key for info in built_in_providers().values()}
    for path in (ROOT / "codex_client").rglob("*.py"):
        if path.name == "settings.py":
            continue
        named = set(re.findall(r"[\"']((?:CODEX|OPENAI)_[A-Z_]+)[\"']", path.read_text("utf-8")))
        # Those of a provider are data of its own, and in the list all the same.
        assert named <= of_providers | {"OPENAI_ORGANIZATION", "OPENAI_PROJECT"}, path
        assert not {name for name in named if name.startswith("OPENAI_")} - known, path


@pytest.mark.parametrize(
    "environ, is_set",
    [
        ({"CODEX_ACCESS_TOKEN": "t"}, True),
        ({"CODEX_3_ACCESS_TOKEN": "t"}, True),
        ({"CODEX_ACCESS_TOKEN": " "}, False),
        ({"CODEX_X_ACCESS_TOKEN": "t", "CODEX_ACCOUNT_ID": "a"}, False),
        ({}, False),
    ],
)
def test_a_numbered_variable_is_set_under_any_of_its_names(environ: dict[str, str], is_set: bool) -> None:
    assert settings.ACCESS_TOKEN.is_set(environ) is is_set


def test_a_variable_without_numbers_has_one_name() -> None:
    assert settings.MODEL.is_set({"CODEX_CLIENT_MODEL": "m"})
    assert not settings.MODEL.is_set({"CODEX_1_CLIENT_MODEL": "m"})


def test_a_value_is_read_without_the_blanks_around_it() -> None:
    assert settings.MODEL.read({"CODEX_CLIENT_MODEL": " m "}) == "m"
    assert settings.MODEL.read({"CODEX_CLIENT_MODEL": "  "}) is None


@pytest.mark.parametrize(
    "environ, is_blank",
    [
        ({"CODEX_CLIENT_MODEL": ""}, True),
        ({"CODEX_CLIENT_MODEL": " \n"}, True),
        ({"CODEX_CLIENT_MODEL": "m"}, False),
        ({}, False),
    ],
)
def test_a_variable_that_is_there_and_holds_nothing_is_blank(environ: dict[str, str], is_blank: bool) -> None:
    assert settings.MODEL.is_blank(environ) is is_blank
