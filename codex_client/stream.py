"""The stream that a caller holds: an iterator of events with the running sum beside it.

It pulls. Nothing runs between two calls, so a slow reader slows the server down through TCP, and whatever is raised is
raised where the caller stands.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import anyio

from codex_client.aggregate import CollectedResponse, TurnAccumulator
from codex_client.condense import AggregateMode, Aggregator
from codex_client.errors import CodexError, ResponseFailedError, StreamError
from codex_client.events import ResponseEvent
from codex_client.model_variants import RateLimitSnapshot

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream


class EventSource(Protocol):
    """Where a `ResponseStream` gets its events from. One user, one task at a time."""

    @property
    def request_id(self) -> str | None: ...

    @property
    def status_code(self) -> int | None: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def ignored(self) -> Mapping[str, int]: ...

    @property
    def malformed(self) -> int: ...

    async def next_events(self) -> Sequence[ResponseEvent]:
        """The next batch, never empty before the end; empty when the turn is over. Events that came before an error are
        given first.
        """
        ...

    async def aclose(self) -> None:
        """Release the connection; safe to call twice and while cancelled."""
        ...

    def abandon(self) -> None:
        """Cut the connection from a finaliser, where nothing can be awaited."""
        ...


class ResponseStream:
    """One turn's events, in order, once: `async for event in stream`.

    Iteration ends after `Completed`; every other end is an exception (`CodexError`), whose `.partial` holds what had
    been received. Made and closed by `async with client.stream(prompt) as stream`; one task at a time may use it.
    """

    def __init__(self, source: EventSource) -> None:
        self._source = source
        self._ready: deque[ResponseEvent] = deque()
        self._sum = TurnAccumulator()
        self._error: CodexError | None = None
        self._interrupted: str | None = None
        self._reading = False
        self._over = False
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ResponseEvent:
        ready = self._ready
        if not ready and not await self._pull():
            raise StopAsyncIteration
        return ready.popleft()

    async def next_events(self) -> list[ResponseEvent]:
        """The events that are there, in order, after a wait for the first one; empty when the turn is over.

        They come in batches, one per network read: who hands them on does it once for each batch.
        """
        if not self._ready and not await self._pull():
            return []
        events = list(self._ready)
        self._ready.clear()
        return events

    async def collect(self) -> CollectedResponse:
        """Read on to the end and give the whole turn, what was iterated before included. Raises what iterating would
        raise.
        """
        self._ready.clear()
        while await self._pull():
            self._ready.clear()
        return self.response

    @property
    def response(self) -> CollectedResponse:
        """The turn as far as it has been received; built anew at each look."""
        return self._sum.response()

    @property
    def error(self) -> CodexError | None:
        """What ended the stream, None while it runs and when it ended well."""
        return self._error

    @property
    def completed(self) -> bool:
        """Whether the turn's last event has been received."""
        return self._sum.completed

    @property
    def rate_limits(self) -> tuple[RateLimitSnapshot, ...]:
        """The newest snapshot of each family of limits seen in this turn."""
        return tuple(self._sum.rate_limits.values())

    @property
    def request_id(self) -> str | None:
        """The server's id of the request, for its support; None offline."""
        return self._source.request_id

    @property
    def status_code(self) -> int | None:
        return self._source.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        """The response's headers, lower-case names."""
        return self._source.headers

    @property
    def ignored(self) -> Mapping[str, int]:
        """How many frames meant nothing to the decoder, by wire type."""
        return self._source.ignored

    @property
    def malformed(self) -> int:
        """How many frames were skipped because their JSON is broken (`StreamLimits.tolerate_malformed`)."""
        return self._source.malformed

    def aggregate(self, mode: AggregateMode) -> AggregatedEvents:
        """The rest of this stream, condensed (see `AggregateMode`)."""
        return AggregatedEvents(self, Aggregator(AggregateMode(mode)))

    def buffered(self, max_events: int) -> BufferedEvents:
        """Read ahead up to `max_events` events in a task of its own, so that a pause of the reader does not pause the
        server.

        The task lives in a block: `async with stream.buffered(64) as events`. Errors come out of `events` as they would
        out of the stream. Inside the block the stream itself must not be read.
        """
        return BufferedEvents(self, max_events)

    async def aclose(self) -> None:
        """Give the connection back, or cut it where the turn is not over. Safe to call twice, and while cancelled."""
        if not self._closed:
            self._closed = True
            await self._source.aclose()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            warnings.warn(
                "a ResponseStream was dropped while open; use `async with client.stream(prompt) as stream`",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )
            self._source.abandon()

    async def _pull(self) -> bool:
        """Fetch the next batch; False where the turn is over. A failure stays: it is raised at every further call."""
        if self._error is not None:
            raise self._error
        if self._over:
            return False
        if self._interrupted is not None:
            raise StreamError(self._interrupted, partial=self.response)
        if self._closed:
            raise RuntimeError("the stream is closed; read it inside its `async with` block")
        if self._reading:
            raise RuntimeError("another task reads this stream; one task at a time may")
        self._reading = True
        try:
            events = await self._source.next_events()
        except CodexError as error:
            if error.partial is None:
                error.partial = self._partial(error)
            self._error = error
            raise
        except anyio.get_cancelled_exc_class():
            # The transport drops a connection whose read was cancelled: going on would look like an early end.
            self._interrupted = (
                "a read of this stream was cancelled and it cannot go on; "
                "to wait with a limit, read from `stream.buffered(n)`"
            )
            raise
        except BaseException as error:
            self._interrupted = (
                f"a read of this stream raised {type(error).__name__} and it cannot go on; begin a new turn"
            )
            raise
        finally:
            self._reading = False
        self._over = not events
        self._sum.feed(events)
        self._ready.extend(events)
        return bool(events)

    def _partial(self, error: CodexError) -> CollectedResponse:
        """What was received, with the token usage that a failure itself told."""
        partial = self.response
        usage = error.token_usage if isinstance(error, ResponseFailedError) else None
        return replace(partial, token_usage=usage) if usage else partial


class AggregatedEvents:
    """The iterator that `ResponseStream.aggregate` gives."""

    def __init__(self, stream: ResponseStream, aggregator: Aggregator) -> None:
        self._stream = stream
        self._aggregator = aggregator
        self._ready: deque[ResponseEvent] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ResponseEvent:
        while not self._ready:
            self._ready.extend(self._aggregator.feed(await anext(self._stream)))
        return self._ready.popleft()


class BufferedEvents:
    """The block and the iterator that `ResponseStream.buffered` gives. One block, entered once."""

    def __init__(self, stream: ResponseStream, max_events: int) -> None:
        self._stream = stream
        self._max_events = max_events
        self._receive: MemoryObjectReceiveStream[ResponseEvent] | None = None

    async def __aenter__(self) -> Self:
        if self._receive is not None:
            raise RuntimeError("this block was entered before; call `stream.buffered` again")
        send, self._receive = anyio.create_memory_object_stream[ResponseEvent](self._max_events)
        self._tasks = await anyio.create_task_group().__aenter__()
        self._tasks.start_soon(self._read_ahead, send)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._tasks.cancel_scope.cancel()
        try:
            # What the block raised is not handed to the task group: it would come out wrapped in an exception group.
            await self._tasks.__aexit__(None, None, None)
        finally:
            if self._receive is not None:
                self._receive.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ResponseEvent:
        if self._receive is None:
            raise RuntimeError("read inside the block: async with stream.buffered(n) as events")
        try:
            return await self._receive.receive()
        except anyio.EndOfStream:
            pass
        except anyio.ClosedResourceError:
            raise RuntimeError("the block of `stream.buffered` is over; read inside it") from None
        if self._stream.error is not None:
            raise self._stream.error
        raise StopAsyncIteration

    async def _read_ahead(self, send: MemoryObjectSendStream[ResponseEvent]) -> None:
        with send, suppress(CodexError):
            # The error stays on the stream, where `__anext__` finds it: raised here it would end the block.
            async for event in self._stream:
                await send.send(event)
