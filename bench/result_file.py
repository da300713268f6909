"""What a run has measured: where its file lies, and how one figure is found in it.

The file is one JSON object: `meta`, and for each of FIGURES a list of rows. A row names its contender and what else it
was measured under (workload, shape, tls, …) beside its numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import bench.contenders
from bench.contenders.base import GUARDS
from bench.proxies import PROXIES
from bench.workloads import Workload

ROOT = Path(__file__).parent.parent
DEFAULT = ROOT / "build" / "bench.json"
WIDTH = 119  # of what is printed, in columns

# What is only imported, to tell what a library adds to its own dependencies.
BASE = "httpx + pydantic"
# The order of every table and plot.
CONTENDERS = (*bench.contenders.CONTENDERS, BASE, *PROXIES)
WORKLOADS = tuple(workload.value for workload in Workload)
SHAPES = ("one-per-chunk", "64k", "paced")
MODES = ("async for", "collect", "aggregate", *GUARDS)
FIGURES = ("per_event", "peak", "concurrency", "idle", "length", "cold", "delay", "guards", "gateway")

Results = dict[str, Any]
Row = dict[str, Any]


class ResultFileError(Exception):
    """The file is absent, or is not what a run writes."""


class NotMeasured(Exception):
    """A figure is not in the results; the text says why."""


@dataclass(frozen=True)
class Entry:
    """One number of the results: the value of `key` in the row of `figure` that has all of `where`."""

    figure: str
    key: str
    where: tuple[tuple[str, Any], ...]

    def of(self, results: Results) -> float:
        """The number, above zero. Raises `NotMeasured`."""
        values = [row.get(self.key) for row in self._rows(results)]
        if not values:
            raise NotMeasured(self._why_missing(results))
        if len(values) > 1:
            raise NotMeasured(f"{len(values)} rows for {self}")
        [value] = values
        if not is_measured(value):
            raise NotMeasured(f"{value!r} for {self}")
        return value

    def _rows(self, results: Results) -> list[Row]:
        return [row for row in results.get(self.figure, []) if all(row.get(key) == value for key, value in self.where)]

    def _why_missing(self, results: Results) -> str:
        """A contender that was left out, or one figure of it ("contender: figure"), has its reason in `meta`."""
        contender = str(dict(self.where).get("contender"))
        skipped = results["meta"].get("skipped", {})
        if contender in skipped:
            return f"{contender} was skipped: {skipped[contender]}"
        failed = [f"{what}: {why}" for what, why in skipped.items() if what.startswith(f"{contender}: ")]
        return "; ".join([f"no {self}", *failed])

    def __str__(self) -> str:
        return f"{self.figure}.{self.key} of {', '.join(f'{key} {value}' for key, value in self.where)}"


def entry(figure: str, key: str, contender: str, **where: object) -> Entry:
    return Entry(figure, key, (("contender", contender), *where.items()))


def is_measured(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0


def load(path: Path) -> Results:
    """Raises `ResultFileError`."""
    try:
        results = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ResultFileError(f"there is no {path}; run `make bench` to measure") from None
    except (OSError, ValueError) as error:
        raise ResultFileError(f"{path} cannot be read: {error}; run `make bench` to write it anew") from None
    if not _has_the_form(results):
        raise ResultFileError(f"{path} is not a result of the benchmark; run `make bench` to write it anew")
    return results


def _has_the_form(results: object) -> bool:
    if not isinstance(results, dict) or not isinstance(results.get("meta"), dict):
        return False
    if not isinstance(results["meta"].get("skipped", {}), dict):
        return False
    return all(
        isinstance(rows, list) and all(isinstance(row, dict) and "contender" in row for row in rows)
        for rows in (results.get(figure, []) for figure in FIGURES)
    )


def merged(before: Results, after: Results) -> Results:
    """A run of some figures put into an earlier one. What is told of the machine stays that of the earlier run; `later`
    has the dates of the other figures. A quick run and a full one do not mix: the later one is left as it is.
    """
    if before["meta"].get("quick") != after["meta"].get("quick"):
        return after
    old, new = before["meta"], after["meta"]
    figures = {name: rows for name, rows in after.items() if name != "meta"}
    skipped = {**old.get("skipped", {}), **new.get("skipped", {})}
    later = {**old.get("later", {}), **dict.fromkeys(figures, new["date"])}
    return {**before, **figures, "meta": {**old, "skipped": skipped, "later": later}}


def in_order(names: Sequence[Any], known: Sequence[Any]) -> list[Any]:
    """Each name once: those known first, in their order, the others in the order they come."""
    distinct = dict.fromkeys(names)
    return [name for name in known if name in distinct] + [name for name in distinct if name not in known]


def number(value: float) -> str:
    """Three digits that count, two below one, thousands apart: 1,947, 12.2, 3.66, 0.46, 0.041."""
    size = abs(value)
    decimals = 0 if size >= 99.95 else 1 if size >= 9.995 else 2 if size >= 0.0995 else 3
    return f"{value:,.{decimals}f}"
