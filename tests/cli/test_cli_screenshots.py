"""The screenshots of the documentation show what the commands print today."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.cli_screenshots import SCREENSHOTS, render, write

_FOLDER = Path(__file__).parents[2] / "docs" / "accounts"
_WRITE = "python -m tests.support.cli_screenshots docs/accounts"


@pytest.mark.parametrize("name", SCREENSHOTS)
def test_a_committed_screenshot_is_what_a_fresh_one_shows(name: str):
    assert (_FOLDER / f"{name}.svg").read_text("utf-8") == render(name), f"write it anew: {_WRITE}"


@pytest.mark.parametrize("name", SCREENSHOTS)
def test_a_screenshot_loads_nothing_from_elsewhere(name: str):
    svg = render(name)
    ElementTree.fromstring(svg)
    addresses = set(re.findall(r"https?://[^\s\"<]+", re.sub(r"<text.*?</text>", "", svg)))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|@font-face|<script|<image|href=|url\((?!#)", svg)


def test_there_is_no_screenshot_of_what_is_no_more():
    assert {file.stem for file in _FOLDER.glob("*.svg")} == set(SCREENSHOTS)


def test_writing_makes_the_folder_and_all_files(tmp_path: Path):
    write(tmp_path / "new")
    written = {file.stem: file.read_text("utf-8") for file in (tmp_path / "new").iterdir()}
    assert written == {name: render(name) for name in SCREENSHOTS}
