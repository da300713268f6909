"""What stands between: a real gateway's process in front of the benchmark's server, and what is measured of it."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from bench.contenders import AIOHTTP
from bench.contenders.base import GUARDS, Setup
from bench.contenders.codex import open_default
from bench.cpu import cpu_seconds
from bench.figures.gateway import Level
from bench.memory import rss_mib
from bench.processes import Server, Worker, WorkerError
from bench.proxies import DIRECT, GATEWAY, LITELLM_PROXY, Proxy
from bench.run import Run
from bench.workloads import Cell, Workload, build
from codex_client import Completed, OutputTextDelta

pytest.importorskip("starlette", reason="starlette is not installed; it comes with the extra gateway")
pytest.importorskip("aiohttp", reason="aiohttp is not installed; it comes with the extra aiohttp")

exact_cpu = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process's CPU is counted in coarse steps")
TURN = Cell(Workload.RESPONSES_TEXT, events=60)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture(scope="module")
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(GATEWAY, sys.executable, server.any_url, "responses") as proxy:
        yield proxy.begun()


@pytest.fixture(scope="module")
def reader(server: Server) -> Iterator[Worker]:
    with run_with(server).new_worker(AIOHTTP) as reader:
        yield reader.begun(pinned=False)


def run_with(server: Server) -> Run:
    return Run(server, quick=False, rounds=2, litellm_python=None)


def test_a_level_has_a_row_of_the_proxy_and_one_without_it(server: Server, proxy: Proxy, reader: Worker) -> None:
    run = run_with(server)
    level = Level(run, reader, {GATEWAY: proxy}, "Chat over Responses", 2, "turn", TURN, 4)
    rows = {row["contender"]: row for row in level.rows()}
    assert run.skipped == {}
    assert set(rows) == {GATEWAY, DIRECT}
    assert rows[GATEWAY].keys() - rows[DIRECT].keys() == {"cpu_us", "cpu_ms_per_stream", "added_ms", "mib"}
    assert all(len(row["rounds"]) == 2 and row["streams_per_s"] > 0 for row in rows.values())
    assert rows[GATEWAY]["cpu_us"] == pytest.approx(rows[GATEWAY]["cpu_ms_per_stream"] / TURN.events * 1e3)
    assert rows[GATEWAY]["cpu_us"] > 0 < rows[GATEWAY]["mib"]


@exact_cpu
def test_the_cpu_of_a_level_is_the_proxys_and_not_the_readers(server: Server, reader: Worker) -> None:
    """A process that is stopped takes none."""
    with subprocess.Popen([sys.executable, "-c", ""]) as stopped:
        os.kill(stopped.pid, signal.SIGSTOP)
        os.waitpid(stopped.pid, os.WUNTRACED)
        setup = run_with(server).setup(TURN)
        result = reader.ask("concurrent", setup, in_flight=2, ahead=2, streams=4, proxy=stopped.pid)
        stopped.kill()
    assert (result["cpu"], len(result["lengths"]), len(result["waits"])) == (0.0, 4, 4)


def test_a_proxy_that_loses_text_has_no_row(server: Server, proxy: Proxy, reader: Worker) -> None:
    """In the Chat API the reader counts no reasoning, which the server has sent."""
    run = run_with(server)
    thought = Cell(Workload.RESPONSES_REASONING, events=60)
    rows = Level(run, reader, {GATEWAY: proxy}, "Chat over Responses", 1, "turn", thought, 2).rows()
    assert [row["contender"] for row in rows] == [DIRECT]
    assert list(run.skipped) == [f"{GATEWAY}: Chat over Responses, turn, 1 in flight"]
    [why] = run.skipped.values()
    assert re.match(r"2 of 2 streams had \[\d+\] instead of \d+ characters", why)
    assert not run.sound


def test_a_proxy_that_cannot_begin_says_why(server: Server) -> None:
    with (
        Proxy(GATEWAY, sys.executable, server.any_url, "telepathy") as proxy,
        pytest.raises(WorkerError, match="SystemExit: 2"),
    ):
        proxy.begun()


def test_a_proxy_that_is_not_installed_is_told_from_one_that_is_broken(server: Server) -> None:
    run = run_with(server)
    with run.attempt(LITELLM_PROXY), Proxy(LITELLM_PROXY, "/no/python", server.any_url, "chat"):
        pass
    assert run.skipped == {LITELLM_PROXY: "/no/python cannot be run: No such file or directory"}
    assert run.sound
    run.skipped[GATEWAY] = "MissingExtraError: the gateway needs the extra gateway"
    assert not run.sound


def test_a_proxy_leaves_nothing_behind(server: Server) -> None:
    with Proxy(GATEWAY, sys.executable, server.any_url, "chat") as proxy:
        address = urlsplit(proxy.begun().base_url)
        socket.create_connection((address.hostname or "", address.port or 0)).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname or "", address.port or 0))
    with pytest.raises(ProcessLookupError):
        os.kill(proxy.pid, 0)


@pytest.mark.parametrize(
    "prompt, status", [(f"Why? {TURN.path}", 200), ("Why?", 404), ("Why? /w/poem/1/1/1/1/v1", 404)]
)
def test_behind_a_proxy_the_prompt_names_the_cell(server: Server, prompt: str, status: int) -> None:
    address = urlsplit(server.any_url)
    with closing(http.client.HTTPConnection(address.hostname or "", address.port)) as connection:
        connection.request("POST", f"{address.path}/responses", body=f'{{"input": "{prompt}"}}')
        answer = connection.getresponse()
        assert (answer.status, answer.read() or None) == (
            status,
            b"".join(build(TURN.workload, TURN.events).frames) if status == 200 else None,
        )


@exact_cpu
def test_the_cpu_of_a_process_is_that_of_its_own_clock() -> None:
    before, seen, after = time.process_time(), cpu_seconds(os.getpid()), time.process_time()
    assert before <= seen <= after


def test_the_memory_of_another_process_is_its_own(proxy: Proxy) -> None:
    assert rss_mib(os.getpid()) == pytest.approx(rss_mib(), rel=0.05)
    assert 0 < rss_mib(proxy.pid) != rss_mib()


@pytest.mark.parametrize("guards", [None, *GUARDS])
async def test_a_guarded_contender_reads_all_and_is_guarded(server: Server, guards: str | None) -> None:
    """A guard hands on the text of deltas that came together as one, or all of it at the end."""
    text = build(TURN.workload, TURN.events).text
    setup = Setup(server.base_url(TURN), TURN.workload.api, guards=guards)
    async with open_default(setup) as client, client.stream("Why?") as stream:
        batches = []
        while events := await stream.next_events():
            batches.append(events)
    deltas = [event for events in batches for event in events if isinstance(event, OutputTextDelta)]
    [first, *_] = (events for events in batches if any(isinstance(event, OutputTextDelta) for event in events))
    assert "".join(delta.delta for delta in deltas) == text
    assert (len(deltas) < len(text.split())) == (guards == "hold tail")
    assert guards != "hold all" or isinstance(first[-1], Completed)
