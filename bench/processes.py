"""The processes of a run: the server, the workers, their cores and their environment."""

from __future__ import annotations

import http.client
import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.workloads import Cell

ROOT = Path(__file__).parent.parent
# Seconds. Far more than the longest command takes on a slow machine, and less than a hung run is worth.
_ANSWER_WITHIN = 180.0


class WorkerError(Exception):
    """A contender failed, or its process ended or fell silent."""


def cores() -> tuple[set[int], set[int]]:
    """The core of the clients and the core of the server, the same one where there is one only; empty where this
    system does not pin.
    """
    if not hasattr(os, "sched_setaffinity"):
        return set(), set()
    usable = sorted(os.sched_getaffinity(0))
    return {usable[0]}, {usable[-1]}


def pin(pid: int, to: set[int]) -> None:
    if to:
        os.sched_setaffinity(pid, to)


def environment(**more: str) -> dict[str, str]:
    """This process's, without the keys, addresses and proxies that would steer a client, and with `bench` to import."""
    steering = ("CODEX_", "HTTPX_", "LITELLM_", "OPENAI_", "PYTHON", "SSL_CERT_")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(steering) and not name.lower().endswith("_proxy")
    }
    # litellm would fetch its table of prices from the internet.
    return {**kept, "PYTHONPATH": str(ROOT), "LITELLM_LOCAL_MODEL_COST_MAP": "True", **more}


class Process:
    """A child that is told to end by the end of its stdin. Making it raises `WorkerError` where it cannot be begun."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self._name = " ".join(command[1:])
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(env), cwd=ROOT, text=True
            )
        except OSError as error:
            raise WorkerError(f"{command[0]} cannot be run: {error.strerror}") from None

    @property
    def pid(self) -> int:
        return self._process.pid

    def pin(self, to: set[int]) -> None:
        pin(self.pid, to)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it, by force where it does not end by itself within a moment."""
        try:
            self._process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def _read(self) -> Any:
        """One line of JSON. Raises `WorkerError`."""
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], _ANSWER_WITHIN)[0]:
            self._process.kill()
            raise WorkerError(f"{self._name} gave no answer for {_ANSWER_WITHIN:.0f} s and was ended")
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(f"{self._name} ended with exit code {self._process.wait()}; see what it wrote above")
        return json.loads(line)

    def _write(self, value: object) -> None:
        assert self._process.stdin is not None
        try:
            print(json.dumps(value), file=self._process.stdin, flush=True)
        except OSError:
            raise WorkerError(f"{self._name} has ended") from None


class Server(Process):
    """The benchmark's server, on a core of its own where there are two."""

    def __init__(self) -> None:
        super().__init__([sys.executable, "-m", "bench.server"], environment())
        self.pin(cores()[1])
        started = self._read()
        self.authority: str = started.pop("authority")
        self._ports: dict[str, int] = started
        self._control = http.client.HTTPConnection("127.0.0.1", self._ports["http"])

    def base_url(self, cell: Cell, *, tls: bool = False) -> str:
        scheme = "https" if tls else "http"
        return f"{scheme}://127.0.0.1:{self._ports[scheme]}{cell.path}"

    @property
    def any_url(self) -> str:
        """The base URL for requests whose prompt names the cell."""
        return f"http://127.0.0.1:{self._ports['http']}/v1"

    def prepare(self, cell: Cell) -> Mapping[str, int]:
        """Have the stream made, so that no client waits for that; how long it is, as "text" in characters and as
        "bytes" of the body.
        """
        self._control.request("HEAD", cell.path)
        answer = self._control.getresponse()
        answer.read()
        return {counts: int(answer.headers[f"x-{counts}"]) for counts in ("text", "bytes")}

    def sent_at(self) -> list[float]:
        """When the first byte of each stream since the last call left, in monotonic seconds; without warm-ups."""
        self._control.request("GET", "/sent")
        return json.loads(self._control.getresponse().read())

    def close(self) -> None:
        self._control.close()
        super().close()


class Worker(Process):
    """One contender's process (see `bench.worker`)."""

    def __init__(self, contender: str, python: str, authority: str) -> None:
        env = environment(SSL_CERT_FILE=authority)
        super().__init__([python, "-m", "bench.worker", contender], env)

    def begun(self, *, pinned: bool = True) -> Self:
        """Itself, when its imports are done, then on the clients' core. Raises `WorkerError` where the contender cannot
        take part.
        """
        self.receive()
        if pinned:
            self.pin(cores()[0])
        return self

    def send(self, do: str, setup: Mapping[str, Any], **arguments: Any) -> None:
        self._write({"do": do, "setup": setup, **arguments})

    def receive(self) -> Any:
        """The result of the command that was sent. Raises `WorkerError`."""
        answer = self._read()
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer["result"]

    def ask(self, do: str, setup: Mapping[str, Any], **arguments: Any) -> Any:
        self.send(do, setup, **arguments)
        return self.receive()
