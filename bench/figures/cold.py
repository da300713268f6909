"""A process that has just begun: what importing costs, and how long it takes to its first event.

Importing is timed in a bare interpreter. The modules are those that it has loaded afterwards, its own at the start not
counted. The first event is timed from outside, from the start of the process, over plain HTTP.
"""

from __future__ import annotations

import json
import subprocess
import time
from statistics import median
from typing import Any

from bench.contenders import CODEX, CONTENDERS, OPENAI_CREATE
from bench.processes import ROOT, WorkerError, cores, environment, pin
from bench.run import Run
from bench.workloads import Cell, Workload

_CELL = Cell(Workload.RESPONSES_TEXT, events=20)
_BASE = "httpx + pydantic"
_TIMED = """
import sys
from json import dumps
from time import perf_counter
before, begun = len(sys.modules), perf_counter()
{imports}
print(dumps([perf_counter() - begun, len(sys.modules) - before]))
"""


def measure(run: Run) -> list[dict[str, Any]]:
    """In a quick run only what the goals are about."""
    run.prepare(_CELL)
    importing = [_BASE, *run.present((CODEX,) if run.quick else CONTENDERS)]
    reading = run.present((CODEX, OPENAI_CREATE) if run.quick else CONTENDERS)
    names = list(dict.fromkeys([*importing, *reading]))
    run.say(f"cold process: {', '.join(names)}")

    def one(name: str) -> dict[str, float]:
        imported = _import(run, name) if name in importing else {}
        return imported | (_first_event(run, name) if name in reading else {})

    measured = run.measured(names, min(run.rounds, 2) if run.quick else run.rounds, lambda name: f"{name}: cold", one)
    return [
        {"contender": name, **{key: median(values[key] for values in rounds) for key in rounds[0]}}
        for name, rounds in measured.items()
    ]


def _import(run: Run, name: str) -> dict[str, float]:
    imports = "import httpx, pydantic" if name == _BASE else CONTENDERS[name].imports
    seconds, modules = json.loads(_output([run.python(name), "-c", _TIMED.format(imports=imports)]))
    return {"import_ms": seconds * 1e3, "modules": modules}


def _first_event(run: Run, name: str) -> dict[str, float]:
    begun = time.monotonic()
    command = [run.python(name), "-m", "bench.cold", name, run.server.base_url(_CELL), _CELL.workload.api]
    return {"first_event_ms": (float(_output(command)) - begun) * 1e3}


def _output(command: list[str]) -> str:
    """What a process on the clients' core prints last. Raises `WorkerError`."""
    with subprocess.Popen(
        command, env=environment(), cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        pin(process.pid, cores()[0])
        output, errors = process.communicate(timeout=60)
    if process.returncode or not output:
        raise WorkerError(errors.strip().rpartition("\n")[2])
    return output.splitlines()[-1]
