"""Conformance checks for who plugs in a client or a decoder of his own. A broken law is an `AssertionError` that names
it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence

import anyio
from httpx_sse import ServerSentEvent

from codex_client.aggregate import CollectedResponse, TurnAccumulator
from codex_client.api import ApiClient, DecoderFactory, ResponseDecoder
from codex_client.client.framer import SseFramer
from codex_client.clients.attempt import is_whole
from codex_client.errors import CodexError
from codex_client.events import (
    Completed,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    RefusalDelta,
    ResponseEvent,
    ToolCallInputDelta,
)
from codex_client.items import Message
from codex_client.prompt import Prompt

_DELTAS = (OutputTextDelta, RefusalDelta, ReasoningContentDelta, ReasoningSummaryDelta, ToolCallInputDelta)


def check_decoder(make: DecoderFactory, body: bytes, *, seed: int = 0) -> CollectedResponse:
    """Hold a decoder to the laws of a turn, on one recorded body; gives what the body adds up to.

    The laws: any cutting of the bytes gives the same events; one `Completed` at most and nothing after it;
    `OutputItemAdded` before an item's deltas, `OutputItemDone` once; joined deltas equal the collected text; every
    prefix ends whole or in a typed error, and its text is a prefix of the whole.
    """
    events, error = decode_chunks(make, [body])
    for cut in (1, 7, None):
        again = decode_chunks(make, list(_cut(body, cut, random.Random(seed))))
        _law(_same((events, error), again), f"the events differ when the bytes are cut by {cut or 'chance'}")
    check_events(events)
    whole = _sum(events)
    _check_prefixes(make, body, whole)
    return whole


def check_events(events: Sequence[ResponseEvent]) -> None:
    """Hold the events of one turn to the laws of their order."""
    ends = [index for index, event in enumerate(events) if isinstance(event, Completed)]
    _law(
        ends in ([], [len(events) - 1]),
        f"Completed must be the last event and come once; it is at {ends} of {len(events)}",
    )
    added: set[int] = set()
    done: set[int] = set()
    for event in events:
        match event:
            case OutputItemAdded(output_index=index):
                _law(index not in added, f"item {index} is added twice")
                added.add(index)
            case OutputItemDone(output_index=index):
                _law(index in added, f"item {index} is done before it is added")
                _law(index not in done, f"item {index} is done twice")
                done.add(index)
            case _ if isinstance(event, _DELTAS):
                _law(event.output_index in added, f"a delta of item {event.output_index} comes before it is added")
                _law(event.output_index not in done, f"a delta of item {event.output_index} comes after it is done")
            case _:
                pass
    _check_text(events)


async def check_api_client(client: ApiClient, prompt: Prompt) -> CollectedResponse:
    """Hold a client to its protocol, against a server that answers this prompt well every time (it is asked five
    times).
    """
    complete = isinstance(client, ApiClient)  # pyright: ignore[reportUnnecessaryIsInstance]
    _law(complete, f"{type(client).__name__} lacks stream, collect or aclose")
    async with client.stream(prompt) as stream:
        events = [event async for event in stream]
        _law(bool(events) and isinstance(events[-1], Completed), "a good turn must end with Completed")
        check_events(events)
        whole = await stream.collect()
    _law(whole == _sum(events), "collect() after iterating must give the turn that was iterated")
    _law((await client.collect(prompt)).text == whole.text, "collect() must give what stream() gives")

    async with client.stream(prompt) as left:
        await anext(left)
    try:
        async for _ in left:
            pass
    except RuntimeError:
        pass
    else:
        _law(left.completed, "a stream that was left early must not end as if it were whole")

    texts: list[str] = []

    async def one_turn() -> None:
        texts.append((await client.collect(prompt)).text)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one_turn)
        tasks.start_soon(one_turn)
    _law(texts == [whole.text] * 2, "two turns at once must not touch each other")
    return whole


def _check_text(events: Sequence[ResponseEvent]) -> None:
    done = {event.output_index: event.item for event in events if isinstance(event, OutputItemDone)}
    for index, item in done.items():
        pieces = [event.delta for event in events if isinstance(event, OutputTextDelta) and event.output_index == index]
        if isinstance(item, Message) and pieces:
            _law("".join(pieces) == item.text, f"the deltas of item {index} do not add up to its text")


def _check_prefixes(make: DecoderFactory, body: bytes, whole: CollectedResponse) -> None:
    """At most 200 prefixes, evenly spread: a long body has too many."""
    for end in range(0, len(body), max(1, len(body) // 200)):
        events, error = decode_chunks(make, [body[:end]])
        finished = bool(events) and isinstance(events[-1], Completed)
        _law(finished or error is not None, f"a body cut at byte {end} ends neither whole nor in an error")
        _law(
            whole.text.startswith(_sum(events).text),
            f"the text of a body cut at byte {end} is no prefix of the whole text",
        )


def decode_chunks(make: DecoderFactory, chunks: Iterable[bytes]) -> tuple[list[ResponseEvent], CodexError | None]:
    """What a client would get of a body that arrives in these chunks: the events, and the error that ended it, None for
    none.
    """
    framer = SseFramer()
    decoder = make(tolerate_malformed=False, raw_events=False, request_id=None)
    events: list[ResponseEvent] = []
    try:
        for chunk in chunks:
            _feed(decoder, framer.feed(chunk), events)
        tail = framer.feed_eof()
        _feed(decoder, [tail] if tail is not None and is_whole(tail.data) else [], events)
        if not decoder.finished:
            events += decoder.feed_eof()
    except CodexError as error:
        return events, error
    return events, decoder.failure


def _feed(decoder: ResponseDecoder, frames: Sequence[ServerSentEvent], events: list[ResponseEvent]) -> None:
    for frame in frames:
        if not decoder.finished:
            events += decoder.feed(frame)


def _cut(body: bytes, size: int | None, dice: random.Random) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        step = size or dice.randint(1, 400)
        yield body[at : at + step]
        at += step


def _same(
    one: tuple[list[ResponseEvent], CodexError | None], other: tuple[list[ResponseEvent], CodexError | None]
) -> bool:
    return one[0] == other[0] and type(one[1]) is type(other[1]) and str(one[1]) == str(other[1])


def _sum(events: Sequence[ResponseEvent]) -> CollectedResponse:
    turn = TurnAccumulator()
    turn.feed(events)
    return turn.response()


def _law(holds: bool, law: str) -> None:
    if not holds:
        raise AssertionError(law)
