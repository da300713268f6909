"""One answer as a source of events: its headers, then its frames through the decoder, to the end of the turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from httpx_sse import ServerSentEvent

from codex_client.api import AttemptOutcome, Clock, RateLimitProvider, RawFrame, ResponseDecoder, SystemClock
from codex_client.client.answer import report_quietly
from codex_client.client.framer import RawFrames
from codex_client.client.rate_limits import HeaderRateLimits
from codex_client.client.sse import ByteAnswer, FrameReader
from codex_client.decode.wire import is_complete_json
from codex_client.errors import CodexError, IdleTimeoutError, ReadError, ResponseFailedError, StreamClosedError
from codex_client.events import OutputItemDone, RateLimits, ResponseEvent
from codex_client.items import ResponseItem
from codex_client.model_variants import RateLimitSnapshot

FeedRun: TypeAlias = Callable[[Sequence[RawFrame], int], Sequence[ResponseEvent]]

_END_MARKERS = ("[DONE]", "DONE")


def is_whole(data: str) -> bool:
    """Whether the data of a frame without its closing blank line is all of it, and not cut short."""
    return data.strip() in _END_MARKERS or is_complete_json(data)


def _with_item(event: ResponseEvent, complete_item: Callable[[ResponseItem], ResponseItem]) -> ResponseEvent:
    if not isinstance(event, OutputItemDone):
        return event
    item = complete_item(event.item)
    return event if item is event.item else replace(event, item=item)


class Attempt:
    """The events of one answer, in batches, one per network read.

    States: the headers' events; then either a JSON body in one piece, or frames; then over. A failure is kept until the
    events that came before it have been handed out. `report` is told how it ended, once. `rate_limits` reads the
    headers that a failure inside the stream may carry; `clock` dates what the stream tells of limits. `complete_item`
    is told of each item that is done, and gives it back, perhaps with what the request knows of it.
    """

    def __init__(
        self,
        answer: ByteAnswer,
        reader: FrameReader,
        decoder: ResponseDecoder,
        *,
        header_events: Sequence[ResponseEvent] = (),
        report: Callable[[AttemptOutcome], Awaitable[bool | None]] | None = None,
        on_frame: Callable[[ServerSentEvent], None] | None = None,
        rate_limits: RateLimitProvider | None = None,
        clock: Clock | None = None,
        complete_item: Callable[[ResponseItem], ResponseItem] | None = None,
    ) -> None:
        self._answer = answer
        self._reader = reader
        self._decoder = decoder
        self._header_events = header_events
        self._report = report
        self._on_frame = on_frame
        self._feed_run: FeedRun | None = getattr(decoder, "feed_run", None)
        self._limits_reader = rate_limits or HeaderRateLimits()
        self._clock = clock or SystemClock()
        self._complete_item = complete_item
        self._began = False
        self._failure: CodexError | None = None
        self._may_rotate = False
        self._rate_limits = [event.snapshot for event in header_events if isinstance(event, RateLimits)]

    @property
    def request_id(self) -> str | None:
        return self._answer.request_id

    @property
    def status_code(self) -> int | None:
        return self._answer.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self._answer.headers

    @property
    def may_rotate(self) -> bool:
        """Known once it is closed: whether another account stands ready for what this attempt failed at."""
        return self._may_rotate and self._failure is not None

    @property
    def ignored(self) -> Counter[str]:
        """Frames that meant nothing to the decoder, by wire type."""
        return self._decoder.ignored

    @property
    def malformed(self) -> int:
        """Frames skipped because their JSON is broken."""
        return self._decoder.malformed

    async def next_events(self) -> Sequence[ResponseEvent]:
        """The next batch; empty when the turn is over. Raises what ended it, after the events that came before."""
        if self._header_events:
            events, self._header_events = self._header_events, ()
            return events
        while self._failure is None and not self._decoder.finished:
            try:
                events = await self._read_events()
            except CodexError as error:
                self._failure = error
                break
            self._complete(events)
            self._failure = self._failure or self._decoder.failure
            if isinstance(self._failure, ResponseFailedError):
                self._date_failure(self._failure)
            if events:
                return events
        if self._failure is not None:
            self._clean(self._failure)
            raise self._failure
        return ()

    async def aclose(self) -> None:
        """Release the connection and report how the attempt went. Safe to call twice, and while cancelled."""
        try:
            await self._answer.aclose(drain=self._decoder.finished and self._failure is None)
        finally:
            await self._report_once()

    def abandon(self) -> None:
        self._answer.abandon()

    async def _report_once(self) -> None:
        report, self._report = self._report, None
        if report is None:
            return
        outcome = AttemptOutcome(self.status_code, self._failure, tuple(self._rate_limits))
        self._may_rotate = await report_quietly(report, outcome)

    def _clean(self, error: CodexError) -> None:
        """Blank the request's own credential in what the server made us say: some servers echo it."""
        error.args = tuple(self._answer.clean(arg) if isinstance(arg, str) else arg for arg in error.args)
        for name, fact in vars(error).items():
            if isinstance(fact, str):
                setattr(error, name, self._answer.clean(fact))

    async def _read_events(self) -> list[ResponseEvent]:
        """What the next network read brings; often nothing."""
        if not self._began:
            body = await self._reader.read_body()
            self._began = True
            if body is not None:
                return self._decoder.feed_body(body)
        try:
            frames = await self._reader.read()
        except (IdleTimeoutError, ReadError) as error:
            return self._end_by(error)
        if frames:
            return self._decode(frames)
        return self._end()

    def _decode(self, frames: Sequence[ServerSentEvent]) -> list[ResponseEvent]:
        events: list[ResponseEvent] = []
        try:
            if self._feed_run is not None and isinstance(frames, RawFrames):
                self._decode_runs(self._feed_run, frames, events)
            else:
                self._decode_each(frames, events)
        except CodexError as error:
            self._failure = error
        return events

    def _decode_each(self, frames: Iterable[ServerSentEvent], events: list[ResponseEvent]) -> None:
        decoder, on_frame = self._decoder, self._on_frame
        for frame in frames:
            if on_frame is not None:
                on_frame(frame)
            events += decoder.feed(frame)
            if decoder.finished:
                break

    def _decode_runs(self, feed_run: FeedRun, frames: RawFrames, events: list[ResponseEvent]) -> None:
        raw, position = frames.raw, 0
        while position < len(raw) and not self._decoder.finished:
            run = feed_run(raw, position)
            events += run
            begun, position = position, position + len(run)
            if self._on_frame is not None:
                for frame in frames[begun:position]:
                    self._on_frame(frame)
            if position < len(raw):
                # One that no run takes.
                self._decode_each(frames[position : position + 1], events)
                position += 1

    def _complete(self, events: list[ResponseEvent]) -> None:
        """Add what decoders do not know: they have no clock, and no account."""
        kinds = set(map(type, events))
        if RateLimits in kinds:
            self._date_limits(events)
        if OutputItemDone in kinds and self._complete_item is not None:
            events[:] = [_with_item(event, self._complete_item) for event in events]

    def _date_limits(self, events: list[ResponseEvent]) -> None:
        now = self._clock.time()
        for index, event in enumerate(events):
            if isinstance(event, RateLimits):
                snapshot = replace(self._cleaned(event.snapshot), fetched_at=now)
                events[index] = RateLimits(snapshot)
                self._rate_limits.append(snapshot)

    def _cleaned(self, snapshot: RateLimitSnapshot) -> RateLimitSnapshot:
        """Without the request's own credential: snapshots are kept, by pools also on disk."""
        clean, credit = self._answer.clean, snapshot.credits
        texts = {name: getattr(snapshot, name) for name in ("limit_id", "limit_name", "plan_type", "reached_type")}
        return replace(
            snapshot,
            credits=replace(credit, balance=clean(credit.balance)) if credit and credit.balance else credit,
            **{name: clean(text) for name, text in texts.items() if text},
        )

    def _date_failure(self, failure: ResponseFailedError) -> None:
        # The rules of failures are loaded with the first one.
        from codex_client.classify import date_failure

        self._clean(failure)
        failure.headers = {name: self._answer.clean(value) for name, value in failure.headers.items()}
        now = self._clock.time()
        date_failure(failure, self._limits_reader.parse(failure.headers, now=now), now=now)
        self._rate_limits += failure.rate_limits

    def _end(self) -> list[ResponseEvent]:
        """The body has ended. A last frame that lacks only its blank line counts if it is whole: some servers leave
        that line out.
        """
        tail = self._reader.unterminated
        events = self._decode([tail]) if tail is not None and is_whole(tail.data) else []
        if not self._decoder.finished:
            try:
                events += self._decoder.feed_eof()
            except CodexError as error:
                self._failure = error
        return events

    def _end_by(self, error: IdleTimeoutError | ReadError) -> list[ResponseEvent]:
        """The body broke off. Where the turn was whole by then (a finish reason without end marker) that does not
        matter.
        """
        try:
            return self._decoder.feed_eof()
        except StreamClosedError:
            pass
        raise error
