"""Which connections are closed, and when."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from codex_client.gateway import connections
from codex_client.gateway.connections import ConnectionWatch, raise_file_limit, room_for
from codex_client.testing import ManualClock


@dataclass
class Cycle:
    response_complete: bool


@dataclass(eq=False)
class Connection:
    """The part of uvicorn's that the watch looks at; it is its own transport and flow."""

    cycle: Cycle | None = None
    timeout_keep_alive_task: object | None = None
    write_paused: bool = False
    unsent: int = 0
    resumed: int = 0
    aborted: bool = False
    transport: Any = field(init=False)
    flow: Any = field(init=False)

    def __post_init__(self) -> None:
        self.transport = self.flow = self

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def resume_reading(self) -> None:
        self.resumed += 1

    def abort(self) -> None:
        self.aborted = True


def silent() -> Connection:
    return Connection()


def begun() -> Connection:
    """The head of another request has begun to come."""
    return Connection(Cycle(response_complete=True))


def resting() -> Connection:
    return Connection(Cycle(response_complete=True), timeout_keep_alive_task=object())


def served() -> Connection:
    return Connection(Cycle(response_complete=False))


def closing() -> Connection:
    """All has been handed over of an answer that is the connection's last, and waits to be read."""
    return Connection(Cycle(response_complete=True), unsent=5)


def unread() -> Connection:
    """The same, of one that may be asked again."""
    return Connection(Cycle(response_complete=True), timeout_keep_alive_task=object(), unsent=5)


def stalled() -> Connection:
    return Connection(Cycle(response_complete=False), write_paused=True, unsent=70_000)


def watch(clock: ManualClock, max_connections: int = 100) -> ConnectionWatch:
    return ConnectionWatch(max_connections=max_connections, clock=clock)


def listed(*given: Connection) -> list[connections.Connection]:
    return cast("list[connections.Connection]", list(given))


@pytest.mark.parametrize(
    "make, seconds",
    [(silent, 30), (begun, 30), (stalled, 60), (closing, 60), (unread, 60), (served, None), (resting, None)],
)
def test_each_kind_of_wait_has_its_end(make: Callable[[], Connection], seconds: int | None) -> None:
    clock, connection = ManualClock(), make()
    looking = watch(clock)
    aborted_at = None
    for second in range(0, 200, 5):
        looking.look(listed(connection))
        if connection.aborted and aborted_at is None:
            aborted_at = second
        clock.advance(5)
    assert aborted_at == seconds
    assert connection.resumed == 40


def test_a_byte_that_is_taken_begins_a_new_minute() -> None:
    clock, connection = ManualClock(), stalled()
    looking = watch(clock)
    for _ in range(100):
        looking.look(listed(connection))
        clock.advance(59)
        looking.look(listed(connection))
        connection.unsent -= 1
    assert not connection.aborted


def test_what_is_served_between_two_waits_begins_them_anew() -> None:
    clock, connection = ManualClock(), begun()
    looking = watch(clock)
    for complete in [True, False] * 20:
        connection.cycle = Cycle(response_complete=complete)
        looking.look(listed(connection))
        clock.advance(29)
    assert not connection.aborted


def test_who_reads_the_end_of_an_answer_is_left_in_peace() -> None:
    clock = ManualClock()
    looking, connections = watch(clock, max_connections=0), [closing(), unread()]
    for _ in range(4):
        looking.look(listed(*connections))
        looking.thin_out(listed(*connections))
        for connection in connections:
            connection.unsent -= 1
        clock.advance(50)
    assert not any(each.aborted for each in connections)


def test_of_too_many_the_longest_silent_go_first_and_who_has_just_come_last(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    first, second, rested, new, busy = silent(), begun(), resting(), silent(), [served(), stalled(), closing()]
    looking = watch(clock)
    looking.look(listed(first))
    clock.advance(10)
    looking.look(listed(second, rested, *busy, first))
    everybody = [new, rested, second, first, *busy]
    for excess, aborted in enumerate([[], [first], [first, second], [first, second, rested]]):
        monkeypatch.setattr(looking, "_max_connections", len(everybody) - excess)
        looking.thin_out(listed(*everybody))
        assert [each for each in (first, second, rested, new, *busy) if each.aborted] == aborted
    monkeypatch.setattr(looking, "_max_connections", 0)
    looking.thin_out(listed(*everybody))
    assert [each.aborted for each in everybody] == [True] * 4 + [False] * 3


@pytest.mark.parametrize(
    "files, room", [(10, 1), (256, 128), (927, 575), (928, 576), (1024, 576), (resource.RLIM_INFINITY, 576)]
)
def test_there_is_room_for_turns_as_far_as_there_are_files(
    files: int, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert room_for(256) == room


@pytest.mark.parametrize(
    "soft, hard, raised, told",
    [
        (1024, 4096, 1024, False),
        (256, 4096, 896, False),
        (256, resource.RLIM_INFINITY, 896, False),
        (256, 300, 300, True),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, resource.RLIM_INFINITY, False),
    ],
)
def test_as_many_files_as_turns_need_are_asked_for(
    soft: int, hard: int, raised: int, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"now": (soft, hard)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: limits.update(now=wanted))
    problem = raise_file_limit(256)
    assert limits["now"] == (raised, hard)
    assert bool(problem) == told
    assert not told or problem.startswith("this process may open 300 files, and 256 turns at once need up to 896;")


def test_a_system_that_refuses_more_files_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_file_limit(256).startswith("this process may open 256 files")
