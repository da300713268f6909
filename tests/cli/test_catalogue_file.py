"""`CatalogueFile`: a cache, so whatever is wrong with it costs one request and no more."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from codex_client.cli.catalogue_file import CatalogueFile
from codex_client.errors import TokenStoreError
from codex_client.models import BUILT_IN_MODELS, ModelCatalogue, ModelInfo
from codex_client.testing import ManualClock

NOW = 1_700_000_000.0
URL = "https://host.test/v1/models"
FULL = ModelCatalogue(
    models=(*BUILT_IN_MODELS.models, ModelInfo(slug="x", plans=("pro",), hidden=True)), etag='W/"1"', fetched_at=NOW
)


@pytest.fixture
def file(tmp_path: Path) -> CatalogueFile:
    return CatalogueFile(tmp_path / "below" / "models.json", clock=ManualClock(start=NOW))


async def test_what_was_saved_is_loaded(file: CatalogueFile) -> None:
    await file.save(URL, FULL)
    assert file.load(URL) == FULL
    assert file.load("https://other.test/v1/models") is None
    assert file.path.stat().st_mode & 0o777 == 0o600


async def test_lists_of_other_servers_stay(file: CatalogueFile) -> None:
    other = ModelCatalogue(models=(ModelInfo(slug="o"),), fetched_at=NOW - 1)
    await file.save(URL, FULL)
    await file.save("other", other)
    await file.save(URL, replace(FULL, etag=None))
    assert (file.load("other"), file.load(URL)) == (other, replace(FULL, etag=None))


async def test_a_list_without_an_age_is_as_old_as_its_saving(file: CatalogueFile) -> None:
    await file.save(URL, replace(FULL, fetched_at=None))
    assert file.load(URL) == FULL


@pytest.mark.parametrize("age, fresh", [(0, True), (299.9, True), (300, False), (-1, False)])
def test_a_list_is_fresh_for_five_minutes(file: CatalogueFile, age: float, fresh: bool) -> None:
    assert file.is_fresh(replace(FULL, fetched_at=NOW - age)) is fresh


def test_how_long_can_be_said(tmp_path: Path) -> None:
    file = CatalogueFile(tmp_path / "m.json", max_age=10, clock=ManualClock(start=NOW))
    assert [file.is_fresh(replace(FULL, fetched_at=NOW - age)) for age in (9, 10)] == [True, False]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[1]",
        "{",
        "\x00",
        json.dumps({"version": 2, "lists": {}}),
        json.dumps({"version": 1, "lists": {URL: {"models": [{"slug": 7}], "etag": None, "fetched_at": 1}}}),
        json.dumps({"version": 1, "lists": {URL: {"models": []}}}),
        json.dumps({"version": 1, "lists": [URL]}),
    ],
)
async def test_a_bad_file_is_none_and_is_replaced(file: CatalogueFile, content: str) -> None:
    file.path.parent.mkdir(mode=0o700)
    file.path.write_text(content)
    file.path.chmod(0o600)
    assert file.load(URL) is None
    await file.save(URL, FULL)
    assert file.load(URL) == FULL


async def test_savers_at_once_lose_nothing(file: CatalogueFile) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(file.save, f"server {number}", FULL)
    assert all(file.load(f"server {number}") == FULL for number in range(5))


async def test_a_file_that_cannot_be_written_is_a_typed_error(file: CatalogueFile) -> None:
    file.path.parent.mkdir(mode=0o700)
    file.path.mkdir()
    assert file.load(URL) is None
    with pytest.raises(TokenStoreError):
        await file.save(URL, FULL)


def test_it_stands_beside_the_accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_CLIENT_HOME", str(tmp_path))
    assert CatalogueFile().path == tmp_path / "models.json"
