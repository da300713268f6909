"""Faults that wait for a request: an answer in place of the server's own, or its own disturbed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from codex_client.testing.requests import RecordedRequest, fits
from codex_client.testing.scripts import Reply, Step

Position = int | Literal["head"]


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Steps put into the server's own answer, as `Reply.at` does it."""

    position: Position
    steps: Sequence[Step]

    def apply(self, reply: Reply) -> Reply:
        return reply.at(self.position, *self.steps)


class Faults:
    """Queues of faults, one per route, each fault for one request. Routes as in a server's script."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Reply | Disturbance]] = {}

    def add(self, route: str, fault: Reply | Disturbance, times: int) -> None:
        if times < 1:
            raise ValueError(f"times is {times}; a fault happens at least once")
        self._queues.setdefault(route, deque()).extend([fault] * times)

    def take(self, request: RecordedRequest) -> Reply | Disturbance | None:
        """The next fault for such a request; the longest route that fits and has any left gives it."""
        fitting = [route for route, queue in self._queues.items() if queue and fits(route, request)]
        return self._queues[max(fitting, key=len)].popleft() if fitting else None

    @property
    def left(self) -> int:
        """How many have not happened."""
        return sum(map(len, self._queues.values()))
