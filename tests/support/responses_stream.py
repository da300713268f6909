"""A decoder of the Responses API that is run over frames, and how its events are written down shortly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from httpx_sse import ServerSentEvent

from codex_client.aggregate import CollectedResponse
from codex_client.client.framer import RawFrames, SseFramer
from codex_client.decode.responses import ResponsesDecoder
from codex_client.events import Completed, Created, OutputItemAdded, OutputItemDone, ResponseEvent
from codex_client.items import parse_item
from codex_client.model_variants import TokenUsage
from codex_client.testing import check_events, sse
from tests.support.collected import collected

# What `ev_completed` says unless told otherwise.
USAGE = TokenUsage(
    input_tokens=42, cached_input_tokens=16, output_tokens=23, reasoning_output_tokens=8, total_tokens=65
)


def decode_frames(frames: Iterable[ServerSentEvent], **options: Any) -> tuple[list[ResponseEvent], ResponsesDecoder]:
    decoder = ResponsesDecoder(**options)
    return [event for frame in frames for event in decoder.feed(frame)], decoder


def decode_runs(frames: Sequence[ServerSentEvent], **options: Any) -> tuple[list[ResponseEvent], ResponsesDecoder]:
    """As `decode_frames`, but runs of frames are given as their bytes, from wherever one may begin."""
    assert isinstance(frames, RawFrames)
    decoder = ResponsesDecoder(**options)
    events: list[ResponseEvent] = []
    position = 0
    while position < len(frames):
        run = decoder.feed_run(frames.raw, position)
        position += len(run)
        events += run
        if position < len(frames):
            events += decoder.feed(frames[position])
            position += 1
    return events, decoder


def decode(
    *events: dict[str, Any] | str | bytes, names: bool = True, **options: Any
) -> tuple[list[ResponseEvent], ResponsesDecoder]:
    """The decoder after frames with this content, and what it gave; `names`: whether their events are named."""
    given, decoder = decode_frames(SseFramer().feed(sse(events, names=names)), **options)
    check_events(given)
    return given, decoder


def events_of(*events: dict[str, Any]) -> list[ResponseEvent]:
    return decode(*events)[0]


def collect(*events: dict[str, Any]) -> CollectedResponse:
    return collected(events_of(*events))


def added(item: dict[str, Any], index: int = 0) -> OutputItemAdded:
    return OutputItemAdded(parse_item(item), index)


def done(item: dict[str, Any], index: int = 0) -> OutputItemDone:
    return OutputItemDone(parse_item(item), index)


def without(event: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in names}


def parts(events: list[ResponseEvent]) -> list[ResponseEvent]:
    """What stands between the beginning and the end of a turn."""
    return [event for event in events if not isinstance(event, Created | Completed)]
