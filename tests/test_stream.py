"""The stream that a caller holds, over a source that a test writes down."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence

import anyio
import anyio.lowlevel
import pytest

from codex_client.aggregate import CollectedResponse
from codex_client.condense import AggregateMode
from codex_client.errors import IncompleteResponseError, StreamClosedError, StreamError
from codex_client.events import Completed, Created, OutputTextDelta, RateLimits, ResponseEvent
from codex_client.items import Message
from codex_client.model_variants import RateLimitSnapshot, TokenUsage
from codex_client.stream import ResponseStream

DELTAS = [OutputTextDelta("a"), OutputTextDelta("b"), OutputTextDelta("c")]
TURN: list[ResponseEvent] = [Created("resp_1"), *DELTAS, Completed("resp_1")]


class WrittenSource:
    """Gives the batches written down, raises the exceptions among them, and counts how often it is closed."""

    request_id: str | None = "req_1"
    status_code: int | None = 200
    headers: Mapping[str, str] = {"x": "y"}
    ignored: Mapping[str, int] = {"response.unheard_of": 2}
    malformed = 1

    def __init__(self, *batches: Sequence[ResponseEvent] | Exception) -> None:
        self._batches = list(batches)
        self.reads = 0
        self.closes = 0
        self.abandoned = False

    async def next_events(self) -> Sequence[ResponseEvent]:
        await anyio.lowlevel.checkpoint()
        self.reads += 1
        batch = self._batches.pop(0) if self._batches else ()
        if isinstance(batch, Exception):
            raise batch
        return batch

    async def aclose(self) -> None:
        self.closes += 1

    def abandon(self) -> None:
        self.abandoned = True


async def events_of(stream: ResponseStream) -> list[ResponseEvent]:
    return [event async for event in stream]


async def test_events_come_in_order_and_iteration_ends_for_good() -> None:
    stream = ResponseStream(WrittenSource(TURN[:2], TURN[2:]))
    assert await events_of(stream) == TURN
    assert await events_of(stream) == []
    await stream.aclose()


async def test_events_come_in_batches_to_who_asks_for_them_so_and_none_twice() -> None:
    stream = ResponseStream(WrittenSource(TURN[:3], TURN[3:]))
    assert await anext(stream) == TURN[0]
    assert [await stream.next_events() for _ in range(3)] == [TURN[1:3], TURN[3:], []]
    assert stream.response.items == (Message.assistant("abc"),)
    await stream.aclose()


async def test_an_error_comes_behind_the_last_batch() -> None:
    stream = ResponseStream(WrittenSource(TURN[:2], StreamClosedError("cut")))
    assert await stream.next_events() == TURN[:2]
    with pytest.raises(StreamClosedError, match="cut"):
        await stream.next_events()
    await stream.aclose()


async def test_collect_gives_the_whole_turn_after_a_part_was_iterated() -> None:
    stream = ResponseStream(WrittenSource(TURN[:3], TURN[3:]))
    assert await anext(stream) == TURN[0]
    assert (await stream.collect()).text == "abc"
    assert (await stream.collect()).text == "abc"
    assert await events_of(stream) == []
    await stream.aclose()


async def test_the_stream_tells_of_its_request() -> None:
    snapshot = RateLimitSnapshot("codex")
    stream = ResponseStream(WrittenSource([RateLimits(snapshot)]))
    await anext(stream)
    assert (stream.request_id, stream.status_code, stream.headers) == ("req_1", 200, {"x": "y"})
    assert (stream.ignored, stream.malformed) == ({"response.unheard_of": 2}, 1)
    assert stream.rate_limits == (snapshot,)
    await stream.aclose()


async def test_the_sum_can_be_looked_at_while_the_stream_runs() -> None:
    stream = ResponseStream(WrittenSource(TURN[:3], TURN[3:]))
    await anext(stream)
    # It counts what was received, which may be more than what was handed out.
    assert stream.response.text == "ab"
    await stream.aclose()


async def test_an_error_comes_after_the_events_before_it_and_carries_them() -> None:
    stream = ResponseStream(WrittenSource(TURN[:3], StreamClosedError("cut")))
    seen: list[ResponseEvent] = []
    with pytest.raises(StreamClosedError, match="cut") as raised:
        async for event in stream:
            seen.append(event)
    assert seen == TURN[:3]
    assert raised.value.partial == stream.response
    assert stream.response.text == "ab"
    assert stream.error is raised.value
    for again in (stream.collect(), anext(stream)):
        with pytest.raises(StreamClosedError):
            await again
    await stream.aclose()


async def test_the_partial_of_a_failed_turn_holds_the_usage_that_came_with_the_failure() -> None:
    usage = TokenUsage(1, 0, 2, 0, 3)
    stream = ResponseStream(WrittenSource(TURN[:2], IncompleteResponseError("cut", reason="length", token_usage=usage)))
    with pytest.raises(IncompleteResponseError) as raised:
        await stream.collect()
    assert raised.value.partial is not None
    assert (raised.value.partial.text, raised.value.partial.token_usage) == ("a", usage)
    await stream.aclose()


async def test_a_partial_that_is_set_already_is_kept() -> None:
    partial = CollectedResponse(response_id="resp_0")
    stream = ResponseStream(WrittenSource(TURN[:2], StreamClosedError("cut", partial=partial)))
    with pytest.raises(StreamClosedError) as raised:
        await stream.collect()
    assert raised.value.partial is partial
    await stream.aclose()


async def test_a_cancelled_read_ends_the_stream_and_says_so() -> None:
    stream = ResponseStream(WrittenSource(TURN[:2], TURN[2:]))
    await anext(stream)
    await anext(stream)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await anext(stream)
    with pytest.raises(StreamError, match="buffered") as raised:
        await anext(stream)
    assert raised.value.partial is not None
    assert raised.value.partial.text == "a"
    await stream.aclose()


async def test_waiting_with_a_limit_on_a_buffered_stream_loses_nothing() -> None:
    stream = ResponseStream(WrittenSource(TURN[:2], TURN[2:]))
    async with stream.buffered(4) as events:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await anext(events)
        assert [event async for event in events] == TURN
    await stream.aclose()


async def test_a_read_that_breaks_ends_the_stream_and_says_how() -> None:
    class Broken(WrittenSource):
        async def next_events(self) -> Sequence[ResponseEvent]:
            raise KeyError("in a decoder of one's own")

    stream = ResponseStream(Broken())
    with pytest.raises(KeyError):
        await anext(stream)
    with pytest.raises(StreamError, match="raised KeyError and it cannot go on"):
        await anext(stream)
    assert stream.error is None
    await stream.aclose()


async def test_a_second_reader_is_refused_and_the_turn_goes_on() -> None:
    go_on = anyio.Event()

    class Slow(WrittenSource):
        async def next_events(self) -> Sequence[ResponseEvent]:
            await go_on.wait()
            return await super().next_events()

    stream = ResponseStream(Slow(TURN))
    first: list[ResponseEvent] = []

    async def read() -> None:
        first.append(await anext(stream))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="another task reads this stream"):
            await anext(stream)
        go_on.set()
    assert first == TURN[:1]
    assert (await stream.collect()).text == "abc"
    await stream.aclose()


async def test_buffered_is_read_inside_its_block_and_entered_once() -> None:
    stream = ResponseStream(WrittenSource(TURN))
    events = stream.buffered(2)
    with pytest.raises(RuntimeError, match="read inside the block"):
        await anext(events)
    async with events:
        await anext(events)
    with pytest.raises(RuntimeError, match="is over; read inside it"):
        await anext(events)
    with pytest.raises(RuntimeError, match="was entered before"):
        await events.__aenter__()
    await stream.aclose()


async def test_an_error_keeps_its_cause_through_buffered() -> None:
    error = StreamClosedError("cut")
    error.__cause__ = KeyError("why")
    stream = ResponseStream(WrittenSource(error))
    async with stream.buffered(2) as events:
        with pytest.raises(StreamClosedError) as raised:
            await anext(events)
    assert isinstance(raised.value.__cause__, KeyError)
    await stream.aclose()


async def test_closing_is_done_once_and_reading_after_it_says_so() -> None:
    source = WrittenSource(TURN[:2], TURN[2:])
    stream = ResponseStream(source)
    await anext(stream)
    await stream.aclose()
    await stream.aclose()
    assert source.closes == 1
    assert await anext(stream) == TURN[1]
    with pytest.raises(RuntimeError, match="the stream is closed"):
        await anext(stream)


async def test_a_stream_dropped_open_cuts_its_connection_and_warns() -> None:
    source = WrittenSource(TURN)
    stream = ResponseStream(source)
    with pytest.warns(ResourceWarning, match="dropped while open"):
        del stream
        gc.collect()
    assert source.abandoned


async def test_aggregate_condenses_the_stream_and_the_sum_stays_whole() -> None:
    stream = ResponseStream(WrittenSource(TURN[:3], TURN[3:]))
    assert [event.type async for event in stream.aggregate(AggregateMode.AGGREGATED_ONLY)] == [
        "output_item_done",
        "completed",
    ]
    assert stream.response.items == (Message.assistant("abc"),)
    await stream.aclose()


async def test_buffered_reads_ahead_while_the_reader_pauses() -> None:
    source = WrittenSource(*[[event] for event in TURN])
    stream = ResponseStream(source)
    async with stream.buffered(10) as events:
        assert await anext(events) == TURN[0]
        await anyio.wait_all_tasks_blocked()
        assert source.reads > len(TURN)
        assert [event async for event in events] == TURN[1:]
    await stream.aclose()


async def test_buffered_reads_no_further_than_its_bound() -> None:
    source = WrittenSource(*[[event] for event in TURN])
    stream = ResponseStream(source)
    async with stream.buffered(1):
        await anyio.wait_all_tasks_blocked()
        assert source.reads == 2
    await stream.aclose()


async def test_buffered_raises_the_streams_error_and_no_group() -> None:
    stream = ResponseStream(WrittenSource(TURN[:2], StreamClosedError("cut")))
    seen: list[ResponseEvent] = []
    async with stream.buffered(4) as events:
        with pytest.raises(StreamClosedError, match="cut"):
            async for event in events:
                seen.append(event)
    assert seen == TURN[:2]
    await stream.aclose()


async def test_leaving_buffered_early_ends_its_task() -> None:
    source = WrittenSource(*[[event] for event in TURN])
    stream = ResponseStream(source)
    async with stream.buffered(1) as events:
        await anext(events)
    await stream.aclose()
    assert source.closes == 1


async def test_an_exception_of_the_reader_leaves_buffered_as_itself() -> None:
    stream = ResponseStream(WrittenSource(*[[event] for event in TURN]))
    with pytest.raises(KeyError):
        async with stream.buffered(1) as events:
            await anext(events)
            raise KeyError("mine")
    await stream.aclose()
