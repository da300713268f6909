"""One attempt with its events under guard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypeAlias

from codex_client.client.config import ClientConfig
from codex_client.clients.attempt import Attempt
from codex_client.errors import CodexError
from codex_client.events import ResponseEvent
from codex_client.guard.capacity import CAPACITY_TEXTS, CapacityGuard
from codex_client.guard.empty import EmptyGuard, may_be_empty
from codex_client.guard.garbled import GarbleGuard
from codex_client.guard.markers import MARKERS, active_markers_and_texts
from codex_client.guard.structure import StructureHold
from codex_client.prompt import Prompt


class Guard(Protocol):
    """Events in, those that may go on out, in the same order; raises for what is bad."""

    def feed(self, events: Sequence[ResponseEvent]) -> Sequence[ResponseEvent]: ...

    def feed_eof(self) -> Sequence[ResponseEvent]: ...


Guards: TypeAlias = Sequence[Callable[[], Guard]]


def guards_of(prompt: Prompt, config: ClientConfig) -> Guards:
    """The guards of this turn, in their order, to be made anew for each attempt; none where nothing is to be guarded.

    An answer that stands in the prompt is no sign of anything: who asks for it gets it.
    """
    policy, backend = config.guards, config.provider.backend
    garbled = policy.garbled
    if garbled is None:
        # Who says how garbled output is looked for wants it looked for.
        garbled = backend.guards_garbled or policy.hold == "all" or bool(policy.markers)
    empty = backend.guards_empty if policy.empty is None else policy.empty
    markers, texts = (), ()
    if garbled:
        markers, texts = active_markers_and_texts(prompt, (*MARKERS, *policy.markers), CAPACITY_TEXTS)
    guards: list[Callable[[], Guard]] = []
    if texts:
        guards.append(partial(CapacityGuard, texts))
    if markers or ((garbled or empty) and policy.hold == "all"):
        guards.append(partial(GarbleGuard, markers, hold=policy.hold))
    if empty and not may_be_empty(prompt):
        guards.append(EmptyGuard)
    return [*guards, StructureHold] if guards else []


class GuardedAttempt:
    """The events of an attempt that its guards let pass. What they raise ends it, and what they held is gone."""

    def __init__(self, attempt: Attempt, guards: Guards) -> None:
        self._attempt = attempt
        self._guards = [make() for make in guards]

    @property
    def request_id(self) -> str | None:
        return self._attempt.request_id

    @property
    def status_code(self) -> int | None:
        return self._attempt.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self._attempt.headers

    @property
    def may_rotate(self) -> bool:
        """What a guard refuses is not the account's fault."""
        return self._attempt.may_rotate

    @property
    def ignored(self) -> Mapping[str, int]:
        return self._attempt.ignored

    @property
    def malformed(self) -> int:
        return self._attempt.malformed

    async def next_events(self) -> Sequence[ResponseEvent]:
        """The next batch that may go on; empty when the turn is over. Raises what the attempt or a guard raises."""
        while events := await self._attempt.next_events():
            try:
                for guard in self._guards:
                    events = guard.feed(events)
            except CodexError:
                self._guards = []
                raise
            if events:
                return events
        return self.release_held()

    def release_held(self) -> Sequence[ResponseEvent]:
        """What the guards hold and find good, of an attempt whose own failure ends the turn. Once."""
        guards, self._guards = self._guards, []
        events: Sequence[ResponseEvent] = ()
        try:
            for guard in guards:
                events = [*guard.feed(events), *guard.feed_eof()]
        except CodexError:
            return ()
        return events

    async def aclose(self) -> None:
        await self._attempt.aclose()

    def abandon(self) -> None:
        self._attempt.abandon()
