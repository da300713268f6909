"""One run: its processes, its size, and what went wrong in it. The figures are measured with it."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, TypeVar

from bench.contenders import CODEX, CONTENDERS, LITELLM
from bench.processes import Server, Worker, WorkerError
from bench.proxies import LITELLM_PROXY
from bench.workloads import Cell

T = TypeVar("T")

# After so many seconds a quick run, which has to end within a minute, does what it must and no more.
_QUICK_SECONDS = 47.0
# A contender's package is missing, or the interpreter that would have it.
_NOT_INSTALLED = re.compile(r"ModuleNotFoundError|ImportError|cannot be run")


class Refused(Exception):
    """A contender has not seen all that the server sent, so that its figure counts for nothing."""


@dataclass
class Run:
    """`skipped` says why a contender, or one figure of it ("contender: figure"), is missing."""

    server: Server
    quick: bool
    rounds: int
    litellm_python: str | None
    skipped: dict[str, str] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    _beginning: dict[str, Worker] = field(default_factory=dict)
    _sizes: dict[Cell, Mapping[str, int]] = field(default_factory=dict)
    _begun: float = field(default_factory=time.monotonic)

    def python(self, contender: str) -> str:
        return self.litellm_python or sys.executable if contender in (LITELLM, LITELLM_PROXY) else sys.executable

    def new_worker(self, contender: str) -> Worker:
        return Worker(contender, self.python(contender), self.server.authority)

    @contextlib.contextmanager
    def fleet(self, names: Iterable[str]) -> Iterator[None]:
        """A worker for each of these contenders, all beginning at once."""
        with contextlib.ExitStack() as stack:
            for name in names:
                with self.attempt(name):
                    self._beginning[name] = stack.enter_context(self.new_worker(name))
            yield

    def present(self, names: Iterable[str] = CONTENDERS) -> list[str]:
        """Those of `names` that take part; their workers have begun then."""
        names = list(names)
        for name in [name for name in names if name in self._beginning]:
            with self.attempt(name):
                self.workers[name] = self._beginning.pop(name).begun()
        return [name for name in names if name in self.workers]

    @property
    def has_time(self) -> bool:
        """Whether there is time for what may be left out; in a full run there always is."""
        return not self.quick or time.monotonic() - self._begun < _QUICK_SECONDS

    @contextlib.contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """A failure in the block leaves out `what`, loudly."""
        try:
            yield
        except (WorkerError, Refused) as error:
            self.skipped[what] = str(error).partition("\n")[0][:300]
            self.say(f"left out: {what}: {self.skipped[what]}")

    def measured(
        self, names: Sequence[str], rounds: int, what: Callable[[str], str], one: Callable[[str], T]
    ) -> dict[str, list[T]]:
        """`one(name)` in each round, the names in turn; a further round only if there is time. Who fails once is left
        out, as `what(name)`.
        """
        values: dict[str, list[T]] = {name: [] for name in names}
        for number in range(rounds):
            if number and not self.has_time:
                break
            for name in rotated(list(values), number):
                with self.attempt(what(name)):
                    values[name].append(one(name))
                    continue
                del values[name]
        return values

    @property
    def sound(self) -> bool:
        """Whether nothing failed but contenders that are not installed, and this library took part in all."""
        return all(
            name in (*CONTENDERS, LITELLM_PROXY) and name != CODEX and _NOT_INSTALLED.search(why)
            for name, why in self.skipped.items()
        )

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._begun:6.1f} s  {text}", file=sys.stderr, flush=True)

    def prepare(self, cell: Cell) -> None:
        """To be called once before a cell is measured."""
        self._sizes[cell] = self.server.prepare(cell)

    def setup(
        self, cell: Cell, *, tls: bool = False, connections: int | None = None, guards: str | None = None
    ) -> dict[str, Any]:
        """How a contender is set up for this cell, as a worker reads it."""
        base_url = self.server.base_url(cell, tls=tls)
        return {"base_url": base_url, "api": cell.workload.api, "connections": connections, "guards": guards}

    def check(self, contender: str, cell: Cell, lengths: Sequence[int]) -> None:
        """Raises `Refused` where not every one of these readings has all that the server sent."""
        counts = CONTENDERS[contender].counts
        due = self._sizes[cell][counts]
        short = [length for length in lengths if length != due]
        if short or not lengths:
            unit = "characters" if counts == "text" else "bytes"
            raise Refused(f"{len(short)} of {len(lengths)} streams had {short[:1]} instead of {due} {unit}")


def rotated(names: Sequence[str], number: int) -> list[str]:
    """The names, beginning with another one in each round, so that no one always comes first."""
    shift = number % len(names) if names else 0
    return [*names[shift:], *names[:shift]]


def medians(rounds: Sequence[Sequence[float]]) -> list[float]:
    """The median of each column."""
    return [median(column) for column in zip(*rounds, strict=True)]


Figure = Callable[[Run], list[dict[str, Any]]]
