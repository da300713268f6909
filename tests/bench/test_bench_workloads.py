"""The benchmark's streams: whole, as long as they say, and read to the end by this library."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from bench.contenders import CODEX, LITELLM
from bench.contenders.base import Setup
from bench.contenders.codex import open_default
from bench.processes import Server, WorkerError
from bench.run import Refused, Run
from bench.workloads import WARM_UP, WARM_UP_EVENTS, Cell, Shape, Workload, build
from codex_client import (
    CollectedResponse,
    OutputTextDelta,
    Prompt,
    ReasoningSummaryDelta,
    RetryPolicy,
    ToolCallInputDelta,
    connect,
)
from codex_client.client.framer import SseFramer

EVENTS = 600
DELTAS = (OutputTextDelta, ReasoningSummaryDelta, ToolCallInputDelta)
CELLS = [
    Cell(workload, shape, EVENTS, rate=20_000)
    for workload in Workload
    for shape in (Shape.ONE_PER_CHUNK, Shape.COALESCED, Shape.PACED)
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


async def deltas_and_response(server: Server, cell: Cell, prompt: str = "Why?") -> tuple[str, CollectedResponse]:
    """The pieces of text, arguments and reasoning put together, and the whole turn."""
    once = RetryPolicy(request_max_retries=0, stream_max_retries=0)
    base_url = server.base_url(cell)
    async with (
        connect("any", base_url=base_url, wire_api=cell.workload.api, auth="key", retry=once) as client,
        client.stream(Prompt(prompt)) as stream,
    ):
        pieces = [event.delta async for event in stream if isinstance(event, DELTAS)]
        return "".join(pieces), await stream.collect()


def everything_in(response: CollectedResponse) -> str:
    calls = (call.arguments for call in response.tool_calls)
    return "".join([*response.reasoning_summary, response.text, *calls])


@contextmanager
def answer_of(server: Server, cell: Cell) -> Iterator[http.client.HTTPResponse]:
    """The answer to a request by hand."""
    address = urlsplit(server.base_url(cell))
    with closing(http.client.HTTPConnection(address.hostname or "", address.port)) as connection:
        connection.request("POST", f"{address.path}/responses", body=b"{}")
        yield connection.getresponse()


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.workload}-{cell.shape}")
async def test_each_stream_decodes_whole(server: Server, cell: Cell) -> None:
    deltas, response = await deltas_and_response(server, cell)
    assert deltas == build(cell.workload, EVENTS).text
    assert everything_in(response) == deltas
    assert response.token_usage is not None
    assert response.finish_reason is not None or cell.workload.api == "responses"


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.workload}-{cell.shape}")
def test_the_stated_number_of_events_is_on_the_wire(server: Server, cell: Cell) -> None:
    with answer_of(server, cell) as response:
        body = response.read()
    frames = SseFramer().feed(body)
    assert len(frames) == EVENTS
    assert body == b"".join(build(cell.workload, EVENTS).frames)
    assert server.prepare(cell) == {"text": len(build(cell.workload, EVENTS).text), "bytes": len(body)}


@pytest.mark.parametrize("workload", Workload)
@pytest.mark.parametrize("events", [20, 21, 500])
def test_a_stream_has_exactly_the_events_asked_for(workload: Workload, events: int) -> None:
    assert len(build(workload, events).frames) == events


def test_a_stream_too_short_to_be_whole_is_refused() -> None:
    with pytest.raises(ValueError, match="3 events are too few for responses-text; it takes 9 and more"):
        build(Workload.RESPONSES_TEXT, 3)


@pytest.mark.parametrize("workload", [Workload.RESPONSES_TOOLS, Workload.CHAT_TOOLS])
def test_arguments_are_json_of_pieces_as_long_as_asked_for(workload: Workload) -> None:
    stream = build(workload, 100, chars=64)
    assert set(json.loads(stream.text)) == {"text"}
    assert len(stream.text) > 80 * 64


@pytest.mark.parametrize("cell", [*CELLS, Cell(Workload.CHAT_TEXT, Shape.HOLD, 20, 64, 7, 50)])
def test_a_path_names_its_cell(cell: Cell) -> None:
    assert Cell.parse(f"{cell.path}/responses") == cell


async def test_a_warm_up_is_short_and_is_not_counted(server: Server) -> None:
    cell = Cell(Workload.CHAT_TEXT, Shape.PACED, 100_000)
    server.sent_at()
    text, _ = await deltas_and_response(server, cell, WARM_UP)
    assert text == build(Workload.CHAT_TEXT, WARM_UP_EVENTS).text
    assert server.sent_at() == []
    await deltas_and_response(server, Cell(Workload.CHAT_TEXT, events=20))
    assert len(server.sent_at()) == 1


async def test_a_reading_that_misses_a_part_is_refused(server: Server) -> None:
    run = Run(server, quick=True, rounds=1, litellm_python=None)
    cell = Cell(Workload.RESPONSES_REASONING, events=50)
    run.prepare(cell)
    async with open_default(Setup(server.base_url(cell), cell.workload.api)) as client:
        length = (await client.read("Why?")).length
    run.check(CODEX, cell, [length])
    with pytest.raises(Refused, match=rf"1 of 2 streams had \[{length - 1}\] instead of {length} characters"):
        run.check(CODEX, cell, [length, length - 1])
    with pytest.raises(Refused):
        run.check(CODEX, cell, [])


def test_a_held_stream_gives_one_event_and_no_end(server: Server) -> None:
    cell = replace(CELLS[0], shape=Shape.HOLD)
    address = urlsplit(server.base_url(cell))
    first = build(cell.workload, EVENTS).frames[0] + b"\r\n"
    received = b""
    with socket.create_connection((address.hostname, address.port), timeout=30) as client:
        client.sendall(f"POST {address.path}/responses HTTP/1.1\r\ncontent-length: 2\r\n\r\n{{}}".encode())
        while first not in received:
            received += client.recv(2**20)
    assert received.endswith(first)


def test_who_fails_in_one_round_has_no_figure(server: Server) -> None:
    run = Run(server, quick=True, rounds=3, litellm_python=None)
    asked: list[str] = []

    def one(name: str) -> int:
        asked.append(name)
        if name == "b" and asked.count("b") == 2:
            raise WorkerError("gone")
        return len(asked)

    assert run.measured(["a", "b", "c"], 3, lambda name: f"{name}: x", one) == {"a": [1, 6, 7], "c": [3, 5, 8]}
    assert asked == ["a", "b", "c", "b", "c", "a", "a", "c"]
    assert run.skipped == {"b: x": "gone"}
    assert not run.sound


@pytest.mark.parametrize(
    "name, why, sound",
    [
        (LITELLM, "ModuleNotFoundError: No module named 'litellm'", True),
        (LITELLM, "/no/python cannot be run: No such file or directory", True),
        (LITELLM, "TypeError: broken at its start", False),
        (CODEX, "ModuleNotFoundError: No module named 'codex_client'", False),
    ],
)
def test_only_a_peer_that_is_not_installed_may_be_missing(server: Server, name: str, why: str, sound: bool) -> None:
    run = Run(server, quick=True, rounds=1, litellm_python=None)
    run.skipped[name] = why
    assert run.sound is sound
