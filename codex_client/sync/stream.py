"""The stream that a caller without a loop holds: an iterator over the events of an asynchronous one."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from codex_client.aggregate import CollectedResponse
from codex_client.api import Clock
from codex_client.client.config import StreamLimits
from codex_client.clients import offline
from codex_client.condense import AggregateMode, Aggregator
from codex_client.errors import CodexError
from codex_client.events import ResponseEvent
from codex_client.model_provider import WireApi
from codex_client.model_variants import RateLimitSnapshot
from codex_client.stream import ResponseStream as AsyncResponseStream
from codex_client.sync.loop_thread import LoopThread


class ResponseStream:
    """One turn's events, in order, once: `for event in stream`. What it gives and raises is what
    `codex_client.ResponseStream` does.

    Made and closed by `with client.stream(prompt) as stream`; one thread at a time may use it. Nothing is read between
    two calls.
    """

    def __init__(self, stream: AsyncResponseStream, loop: LoopThread) -> None:
        self._stream = stream
        self._loop = loop
        self._ready: deque[ResponseEvent] = deque()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ResponseEvent:
        # All that came together, since each way into the loop's thread and back costs more than an event does.
        if not self._ready:
            self._ready.extend(self._loop.call(self._stream.next_events))
        if not self._ready:
            raise StopIteration
        return self._ready.popleft()

    def collect(self) -> CollectedResponse:
        """Read on to the end and give the whole turn, what was iterated before included. Raises what iterating would
        raise.
        """
        self._ready.clear()
        return self._loop.call(self._stream.collect)

    def aggregate(self, mode: AggregateMode) -> Iterator[ResponseEvent]:
        """The rest of this stream, condensed (see `AggregateMode`)."""
        return _aggregated(self, Aggregator(AggregateMode(mode)))

    @property
    def response(self) -> CollectedResponse:
        """The turn as far as it has been received; built anew at each look."""
        return self._stream.response

    @property
    def error(self) -> CodexError | None:
        """What ended the stream, None while it runs and when it ended well."""
        return self._stream.error

    @property
    def completed(self) -> bool:
        """Whether the turn's last event has been received."""
        return self._stream.completed

    @property
    def rate_limits(self) -> tuple[RateLimitSnapshot, ...]:
        """The newest snapshot of each family of limits seen in this turn."""
        return self._stream.rate_limits

    @property
    def request_id(self) -> str | None:
        """The server's id of the request, for its support; None offline."""
        return self._stream.request_id

    @property
    def status_code(self) -> int | None:
        return self._stream.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        """The response's headers, lower-case names."""
        return self._stream.headers

    @property
    def ignored(self) -> Mapping[str, int]:
        """How many frames meant nothing to the decoder, by wire type."""
        return self._stream.ignored

    @property
    def malformed(self) -> int:
        """How many frames were skipped because their JSON is broken (`StreamLimits.tolerate_malformed`)."""
        return self._stream.malformed

    def close(self) -> None:
        """Give the connection back, or cut it where the turn is not over. Safe to call twice; the block does it."""
        if self._loop.is_open:
            self._loop.call(self._stream.aclose)


class StreamBlock(AbstractContextManager[ResponseStream]):
    """`with client.stream(prompt) as stream`: the asynchronous block of the same name, entered and left in the loop."""

    def __init__(self, block: AbstractAsyncContextManager[AsyncResponseStream], loop: LoopThread) -> None:
        self._block = block
        self._loop = loop

    def __iter__(self) -> NoReturn:
        raise TypeError(
            "this is a block, not yet a stream; use `with client.stream(prompt) as stream`, and iterate that"
        )

    def __enter__(self) -> ResponseStream:
        return ResponseStream(self._loop.call(self._open), self._loop)

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._loop.is_open:
            self._loop.call(self._close, exc_type, exc, traceback)

    async def _open(self) -> AsyncResponseStream:
        stream = await self._block.__aenter__()
        # In the loop, where no Ctrl-C comes between the two.
        self._loop.add_ending(self, self._close)
        return stream

    async def _close(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._loop.remove_ending(self)
        await self._block.__aexit__(exc_type, exc, traceback)


def stream_from_fixture(
    path: str | Path,
    *,
    wire_api: WireApi | str = WireApi.RESPONSES,
    idle_timeout: float = 300.0,
    chunk_size: int | None = None,
    limits: StreamLimits | None = None,
    clock: Clock | None = None,
) -> AbstractContextManager[ResponseStream]:
    """The turn that a recorded stream gives, as `codex_client.stream_from_fixture` reads it."""
    return _in_a_loop(
        offline.stream_from_fixture(
            path, wire_api=wire_api, idle_timeout=idle_timeout, chunk_size=chunk_size, limits=limits, clock=clock
        )
    )


@contextmanager
def _in_a_loop(block: AbstractAsyncContextManager[AsyncResponseStream]) -> Generator[ResponseStream]:
    loop = LoopThread()
    try:
        with StreamBlock(block, loop) as stream:
            yield stream
    finally:
        loop.close()


def _aggregated(events: Iterator[ResponseEvent], aggregator: Aggregator) -> Iterator[ResponseEvent]:
    for event in events:
        yield from aggregator.feed(event)
