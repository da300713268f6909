"""The block in which a turn lives, and the watch that telemetry keeps on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from httpx_sse import ServerSentEvent

from codex_client.api import Clock, SseEvent, TurnEnded, TurnObserver
from codex_client.decode.wire import wire_type
from codex_client.errors import CodexError
from codex_client.stream import EventSource, ResponseStream


class TurnWatch:
    """Tells an observer of frames and of the turn's end, with the time since the turn began."""

    def __init__(self, observer: TurnObserver, clock: Clock) -> None:
        self.observer = observer
        self._clock = clock
        self._began_at = clock.monotonic()
        self._seen_frame = False

    def on_frame(self, frame: ServerSentEvent) -> None:
        first, self._seen_frame = not self._seen_frame, True
        # Chat's chunks and some servers' frames have no name of their own.
        self.observer.record(SseEvent(kind=wire_type(frame) or "message", elapsed=self._elapsed(), first=first))

    def on_end(self, stream: ResponseStream | None, raised: BaseException | None) -> None:
        """`raised` is what left the block; a turn that is neither whole nor failed was left by the caller."""
        error = raised if isinstance(raised, CodexError) else stream.error if stream else None
        response = stream.response if stream else None
        self.observer.record(
            TurnEnded(
                duration=self._elapsed(),
                response_id=response.response_id if response else None,
                model=response.model if response else None,
                token_usage=response.token_usage if response else None,
                finish_reason=response.finish_reason if response else None,
                error=error,
                cancelled=error is None and not (stream is not None and stream.completed),
                ignored_frames=sum(stream.ignored.values()) if stream else 0,
                malformed_frames=stream.malformed if stream else 0,
                response=response,
            )
        )

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._began_at


class TurnBlock(AbstractAsyncContextManager[ResponseStream]):
    """`async with client.stream(prompt) as stream`: entering opens the source, leaving closes it, in whatever way it is
    left.
    """

    def __init__(
        self,
        open_source: Callable[[TurnWatch | None], Awaitable[EventSource]],
        start_watch: Callable[[], TurnWatch | None] = lambda: None,
    ) -> None:
        self._open_source = open_source
        self._start_watch = start_watch

    async def __aenter__(self) -> ResponseStream:
        self._watch = self._start_watch()
        try:
            source = await self._open_source(self._watch)
        except BaseException as error:
            if self._watch is not None:
                self._watch.on_end(None, error)
            raise
        self._stream = ResponseStream(source)
        return self._stream

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._stream.aclose()
        finally:
            if self._watch is not None:
                self._watch.on_end(self._stream, exc)
