"""The faults of a ChatGPT provider that came before, each as a scenario with its mended behaviour."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import pytest
from pydantic_core import to_jsonable_python

import codex_client
from codex_client.errors import CodexError
from codex_client.models import ModelCatalogue
from tests.support.scenario_checks import check_error, check_seen, check_sent
from tests.support.scenario_player import world
from tests.support.scenario_replies import reply_of
from tests.support.scenarios import FOLDER, ROWS, Case, Listing, Scenario, holds, scenarios
from tests.support.unreachable import unreachable_lines

CASES = [(name, case) for name, scenario in scenarios().items() for case in scenario.cases]
PLAYED = {"turns", "models", "source"}
README = (FOLDER.parent / "README.md").read_text("utf-8")


def cases_of(kind: str) -> pytest.MarkDecorator:
    chosen = [(name, case) for name, case in CASES if scenarios()[name].kind == kind]
    ids = [f"{name.removesuffix('.json')}: {case.name}" for name, case in chosen]
    return pytest.mark.parametrize("case", [case for _, case in chosen], ids=ids)


def test_every_row_has_a_scenario_and_every_scenario_is_played():
    assert [row for row in ROWS if row not in {scenario.row for scenario in scenarios().values()}] == []
    assert {scenario.kind for scenario in scenarios().values()} == PLAYED
    misnamed = [name for name, scenario in scenarios().items() if not name.startswith(f"{scenario.row}-")]
    assert misnamed == []


@pytest.mark.parametrize("name", scenarios())
def test_a_scenario_has_what_its_kind_plays_and_nothing_else(name: str):
    scenario = scenarios()[name]
    for case in scenario.cases:
        parts = {"turns": bool(case.turns), "models": bool(case.listings), "source": bool(case.source)}
        assert [kind for kind, there in parts.items() if there] == [scenario.kind], case.name
    names = [case.name for case in scenario.cases]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", scenarios())
def test_the_readme_gives_the_law_of_each_scenario(name: str):
    assert f"| [{name}](provider/{name}) | {scenarios()[name].law} |" in README


@cases_of("turns")
async def test_a_turn_is_what_its_scenario_says(case: Case):
    async with world(case) as it:
        for turn in case.turns:
            played = await it.play(turn.ask, turn.replies)
            check_sent(played.requests, turn.sent)
            check_seen(played, turn.seen)


@cases_of("models")
async def test_a_list_of_models_is_what_its_scenario_says(case: Case):
    async with world(case) as it:
        known: ModelCatalogue | None = None
        for listing in case.listings:
            sent = len(it.server.requests)
            it.clock.advance(listing.after)
            if not isinstance(listing.reply, str):
                it.server.fail("/models", reply_of(listing.reply, chat=False)[0])
            try:
                known = await it.client.models(known)
            except CodexError as error:
                check_error(error, listing.error)
            else:
                check_listing(known, listing)
                assert known.fetched_at == it.clock.time()
            check_sent(it.server.requests[sent:], [listing.sent])
        it.server.assert_complete()


def check_listing(listed: ModelCatalogue, listing: Listing) -> None:
    check_error(None, listing.error)
    assert list(listed.slugs) == listing.slugs
    assert listed.etag == listing.etag
    for slug, expected in listing.models.items():
        holds(to_jsonable_python(listed.get(slug)), expected, slug)


@cases_of("source")
def test_unreachable_code_is_found(case: Case):
    assert unreachable_lines(case.source) == case.unreachable


def test_no_statement_of_the_package_is_unreachable():
    files = sorted(Path(codex_client.__file__).parent.rglob("*.py"))
    assert len(files) > 100
    found = {path.name: lines for path in files if (lines := unreachable_lines(path.read_text("utf-8")))}
    assert found == {}


@pytest.mark.parametrize("name", scenarios())
def test_no_scenario_holds_what_looks_like_a_secret_or_a_person(name: str):
    text = (FOLDER / name).read_text("utf-8")
    assert re.findall(r"\bsk-\w|Bearer \w|\beyJ\w|\borg-\w|\bproj_\w|@[a-z]+\.[a-z]", text) == []


def laws(scenario: Scenario) -> list[str]:
    return [scenario.law, *(case.name for case in scenario.cases)]


def test_laws_and_names_are_one_line_each():
    said = list(chain.from_iterable(map(laws, scenarios().values())))
    assert [text for text in said if "\n" in text or "|" in text or text != text.strip()] == []
