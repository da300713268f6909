"""What becomes of one request: filled in on its way, read at its end for the log, the metrics and the status page."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

from codex_client.api import Clock
from codex_client.errors import CodexError, RetryLimitError
from codex_client.model_variants import TokenUsage

_KEY = "codex_client.record"


@dataclass(slots=True)
class RequestRecord:
    """`route`: the route's pattern. `began_at`: by the clock's `monotonic`. `asked`: whether it is a turn that the
    provider was asked for. `ignored` names fields of its request, as the caller is told. `first_event_after`: seconds
    from its beginning to the first event that said something.
    """

    clock: Clock
    route: str
    began_at: float
    status: int | None = None
    model: str | None = None
    asked: bool = False
    ignored: str | None = None
    events: int = 0
    first_event_after: float | None = None
    token_usage: TokenUsage | None = None
    error: CodexError | None = None

    @property
    def seconds(self) -> float:
        """Since the request arrived."""
        return self.clock.monotonic() - self.began_at

    @property
    def failure(self) -> CodexError | None:
        """What it failed by: where turns were tried again in vain, the last of their errors."""
        error = self.error
        return error.last_error or error if isinstance(error, RetryLimitError) else error

    def note_events(self, count: int, *, says_something: bool) -> None:
        """A batch of a turn's events has come."""
        self.events += count
        if says_something and self.first_event_after is None:
            self.first_event_after = self.seconds


def start_record(scope: Scope, route: str, clock: Clock) -> RequestRecord:
    """Begin the record of a request."""
    record = scope[_KEY] = RequestRecord(clock, route, clock.monotonic())
    return record


def record_of(scope: Scope) -> RequestRecord:
    """The record that was begun."""
    return scope[_KEY]
