"""`python -m bench.report [FILE] [--docs]`: a run as tables for a terminal, or as tables and plots on the page as well.

On the page each table lies between `<!-- bench: NAME -->` and `<!-- end -->`; what is outside is left alone.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.goals import Outcome, check, summary, table
from bench.ratios import ratios
from bench.result_file import DEFAULT, ROOT, ResultFileError, Results, load
from bench.tables import TABLES, WIDTH

SECTIONS = {"ratios": ratios, **TABLES}
DOCS = ROOT / "docs"
PAGE = "performance.md"
PLOTS = "performance"

_RATIOS = "× is the contender's number over codex_client's in the same column: 6.7× costs 6.7 times as much."
_MARKED = re.compile(r"^<!-- bench: (?P<name>[\w-]+) -->\n(?:(?!<!--).)*^<!-- end -->$", re.MULTILINE | re.DOTALL)
_OPENING = re.compile(r"^<!-- bench: (?P<name>[\w-]+) -->$", re.MULTILINE)


class MarkerError(Exception):
    """The page and the report do not name the same tables."""


def report(results: Results, *, write_docs: bool, docs: Path = DOCS) -> str:
    """The tables as text, under 120 columns wide. With `write_docs` the page and the plots in `docs` are written anew;
    raises `MarkerError` before anything is written where a table has no place.
    """
    if write_docs:
        _write(results, docs)
    parts = [textwrap.fill(_head(results["meta"]), WIDTH), _RATIOS]
    parts += [made.text() for tables in SECTIONS.values() for made in tables(results)]
    outcomes = check(results)
    return "\n\n".join([*parts, f"goals\n{table(outcomes)}", summary(outcomes)])


def _write(results: Results, docs: Path) -> None:
    page = docs / PAGE
    text = marked(page.read_text("utf-8"), sections(results), page)
    # The plots need an extra, which printing does not.
    from bench.plots import draw

    draw(results, docs / PLOTS)
    page.write_text(text, "utf-8")


def sections(results: Results) -> dict[str, str]:
    """What stands between the markers, by their names."""
    tables = {
        name: "\n\n".join(made.markdown() for made in tables(results)) or "Not measured in this run."
        for name, tables in SECTIONS.items()
    }
    return {"run": _head(results["meta"]) + ".", "goals": _goals(check(results)), **tables}


def marked(text: str, bodies: Mapping[str, str], page: Path) -> str:
    """`text` with the bodies between their markers. Raises `MarkerError` where the names differ."""
    found = [match["name"] for match in _MARKED.finditer(text)]
    problems = [f"`<!-- bench: {name} -->` … `<!-- end -->` is missing" for name in bodies if name not in found]
    problems += [f"`<!-- bench: {name} -->` stands there twice" for name in sorted(set(found)) if found.count(name) > 1]
    unknown = {match["name"] for match in _OPENING.finditer(text)} - set(bodies)
    problems += [f"`<!-- bench: {name} -->` names no table" for name in sorted(unknown)]
    if problems:
        raise MarkerError(f"{page}: {'; '.join(problems)}")
    return _MARKED.sub(
        lambda match: f"<!-- bench: {match['name']} -->\n\n{bodies[match['name']]}\n\n<!-- end -->", text
    )


def _head(meta: Mapping[str, object]) -> str:
    versions, later = meta.get("versions"), meta.get("later")
    day = str(meta.get("date", "an unknown day"))[:10]
    days = {name: str(date)[:10] for name, date in later.items()} if isinstance(later, dict) else {}
    parts = [
        f"Measured on {day}",
        f"Python {meta.get('python')}",
        f"{meta.get('cpus')} CPUs",
        f"medians, rounds: {meta.get('rounds')} at most",
        *(["a quick run"] if meta.get("quick") else []),
        *([f"{name} {version}" for name, version in versions.items()] if isinstance(versions, dict) else []),
        *(f"the figure {name} on {its_day}" for name, its_day in days.items() if its_day != day),
    ]
    return ", ".join(parts)


def _goals(outcomes: Sequence[Outcome]) -> str:
    lines = ["| Goal | Wanted | Measured | |", "|---|---:|---:|---|"]
    for outcome in outcomes:
        measured = "–" if outcome.measured is None else outcome.goal.shown(outcome.measured)
        lines.append(f"| {outcome.goal.name} | {outcome.goal.wanted} | {measured} | {outcome.verdict.value} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.report", description="show what a run has measured")
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT, help="what a run wrote (default: %(default)s)")
    parser.add_argument("--docs", action="store_true", help=f"also write the tables and plots of docs/{PAGE}")
    options = parser.parse_args(arguments)
    try:
        print(report(load(options.file), write_docs=options.docs))
    except (MarkerError, ResultFileError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
