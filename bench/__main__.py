"""`python -m bench`: measure, write the result file, print the report."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.contenders import CONTENDERS, QUICK
from bench.figures import FIGURES
from bench.processes import ROOT, Server, cores, environment, pin
from bench.report import report
from bench.result_file import DEFAULT, load, merged
from bench.run import Run

_PACKAGES = ("codex_client", "httpx", "httpx-sse", "httpx2", "pydantic", "openai", "aiohttp", "anyio")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 where a figure had to be left out for another reason than a package that is not installed."""
    options = _parse(arguments)
    if options.only and options.output.exists():
        # Now, because a file that cannot be read would lose what is measured.
        load(options.output)
    pin(0, cores()[1])
    with Server() as server:
        rounds = options.rounds or (3 if options.quick else 5)
        run = Run(server, options.quick, rounds, options.litellm_python)
        with run.fleet(QUICK if options.quick else CONTENDERS):
            figures = _figures(run, options.only or list(FIGURES))
        results = {"meta": _meta(run), **figures}
        if options.only and options.output.exists():
            results = merged(load(options.output), results)
        run.say("measured")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(report(results, write_docs=options.docs))
    return 0 if run.sound else 1


def _figures(run: Run, names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    figures: dict[str, list[dict[str, Any]]] = {}
    for name, measure in FIGURES.items():
        if name not in names:
            continue
        if name != "idle":
            # What is counted there is memory; all else would suffer from workers that are still beginning.
            run.present()
        figures[name] = measure(run)
    return figures


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="measure this library beside its peers")
    parser.add_argument("--quick", action="store_true", help="within a minute, only what the goals are about")
    parser.add_argument(
        "--only",
        action="append",
        choices=list(FIGURES),
        help="this figure only, the output file keeps the others; may be repeated",
    )
    parser.add_argument("--rounds", type=int, help="how often each cell is measured at most (default: 5, quick 3)")
    parser.add_argument("--output", type=Path, default=DEFAULT, help="the result file (default: %(default)s)")
    parser.add_argument("--docs", action="store_true", help="write the page and the plots of the documentation anew")
    parser.add_argument("--litellm-python", help="the interpreter that has litellm (default: this one)")
    options = parser.parse_args(arguments)
    if options.docs and (options.quick or options.only):
        parser.error("--docs wants a full run, without --quick and --only")
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}; at least one is needed")
    return options


def _meta(run: Run) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "quick": run.quick,
        "rounds": run.rounds,
        "versions": {**_versions(), **_litellm_version(run)},
        "skipped": run.skipped,
    }


def _versions() -> dict[str, str]:
    versions: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _litellm_version(run: Run) -> dict[str, str]:
    if "litellm" not in run.workers:
        return {}
    command = [run.python("litellm"), "-c", "from importlib.metadata import version; print(version('litellm'))"]
    output = subprocess.run(command, env=environment(), cwd=ROOT, text=True, capture_output=True, check=True)
    return {"litellm": output.stdout.strip()}


if __name__ == "__main__":
    sys.exit(main())
