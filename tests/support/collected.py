"""What events add up to."""

from __future__ import annotations

from collections.abc import Iterable

from codex_client.aggregate import CollectedResponse, TurnAccumulator
from codex_client.events import ResponseEvent


def collected(events: Iterable[ResponseEvent]) -> CollectedResponse:
    total = TurnAccumulator()
    total.feed(events)
    return total.response()
