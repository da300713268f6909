"""Which connections are closed, and when."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from codex_client.gateway.connections import ConnectionWatch, room_for
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


def stalled() -> Connection:
    return Connection(Cycle(response_complete=False), write_paused=True, unsent=70_000)


def watch(clock: ManualClock, max_connections: int = 100) -> ConnectionWatch:
    return ConnectionWatch(max_connections=max_connections, clock=clock)


def listed(*connections: Connection) -> list[H11Protocol]:
    return cast("list[H11Protocol]", list(connections))


@pytest.mark.parametrize("make, seconds", [(silent, 30), (begun, 30), (stalled, 60), (served, None), (resting, None)])
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


def test_of_too_many_those_without_a_request_go_first_who_never_asked() -> None:
    looking = watch(ManualClock(), max_connections=6)
    busy, rested, never = [served(), stalled()], [resting(), begun()], [silent(), silent(), silent()]
    looking.thin_out(listed(*busy, *rested, *never[:2]))
    assert not any(each.aborted for each in [*busy, *rested, *never])
    looking.thin_out(listed(*rested, *never, *busy))
    assert [each.aborted for each in never].count(True) == 1
    assert not any(each.aborted for each in [*busy, *rested])
    more = [served() for _ in range(4)]
    left = [each for each in never if not each.aborted]
    looking.thin_out(listed(*more, *rested, *left, *busy))
    assert all(each.aborted for each in [*rested, *left])
    looking.thin_out(listed(*more, *busy, served()))
    assert not any(each.aborted for each in [*busy, *more])


@pytest.mark.parametrize(
    "files, room", [(256, 128), (1024, 512), (1152, 576), (10**6, 576), (resource.RLIM_INFINITY, 576)]
)
def test_there_is_room_for_turns_as_far_as_there_are_files(
    files: int, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert room_for(256) == room
