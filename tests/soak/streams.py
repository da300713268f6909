"""One stream from its beginning to its end, its caller behaving as its plan says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import anyio

from codex_client import (
    AggregateMode,
    CodexError,
    Completed,
    OutputTextDelta,
    Prompt,
    ResponseEvent,
    ResponseStream,
    RoutedApiClient,
)
from tests.soak.accounting import Ending, Outcome
from tests.soak.plans import Behaviour, Plan

HANG_SECONDS = 120.0
"""A stream that takes longer hangs: thirty times what the longest plan takes on a quiet machine."""


class _Left(Exception):
    """Raised by a caller in the middle of its block."""


async def run_stream(client: RoutedApiClient, plan: Plan, *, backend: str) -> Outcome:
    """Raises nothing but a cancellation from outside."""
    outcome: Outcome | None = None
    with anyio.move_on_after(HANG_SECONDS):
        try:
            outcome = await _turn(client, plan, backend)
        except Exception as error:  # noqa: BLE001
            outcome = Outcome(Ending.ASTRAY, astray=f"raised {error!r}")
    return outcome or Outcome(Ending.ASTRAY, astray=f"hung for {HANG_SECONDS:.0f} s")


async def _turn(client: RoutedApiClient, plan: Plan, backend: str) -> Outcome:
    match plan.behaviour:
        case Behaviour.CANCEL_TASK if backend == "asyncio":
            return await _cancel_task(client, plan)
        case Behaviour.CANCEL_TASK | Behaviour.CANCEL_SCOPE:
            with anyio.move_on_after(plan.patience):
                return await _until_end(client, plan)
            return Outcome(Ending.LEFT)
        case Behaviour.DROP:
            return await _drop(client, plan)
        case _:
            return await _until_end(client, plan)


async def _cancel_task(client: RoutedApiClient, plan: Plan) -> Outcome:
    """asyncio's own cancellation, which knows no scopes and passes through shields."""
    turn = asyncio.create_task(_until_end(client, plan))
    await asyncio.wait([turn], timeout=plan.patience)
    asked = turn.cancel()
    try:
        outcome = await turn
    except asyncio.CancelledError:
        return Outcome(Ending.LEFT)
    return Outcome(Ending.ASTRAY, astray=f"swallowed a cancellation, then {outcome}") if asked else outcome


async def _drop(client: RoutedApiClient, plan: Plan) -> Outcome:
    """The stream goes out of scope with its block never left; its finaliser must free the connection."""
    stream: ResponseStream | None = None
    try:
        stream = await client.stream(Prompt(plan.name)).__aenter__()
        for _ in range(plan.events):
            await anext(stream)
    except CodexError as error:
        return Outcome(Ending.FAILED, _text_of(stream, error), error)
    except StopAsyncIteration:
        pass
    return Outcome(Ending.LEFT, stream.response.text if stream else None)


async def _until_end(client: RoutedApiClient, plan: Plan) -> Outcome:
    stream: ResponseStream | None = None
    try:
        async with client.stream(Prompt(plan.name)) as stream:
            return await _read(stream, plan)
    except CodexError as error:
        return Outcome(Ending.FAILED, _text_of(stream, error), error)
    except _Left:
        return Outcome(Ending.LEFT, _text_of(stream))


async def _read(stream: ResponseStream, plan: Plan) -> Outcome:
    match plan.behaviour:
        case Behaviour.COLLECT:
            return _completed(stream, (await stream.collect()).text)
        case Behaviour.AGGREGATE | Behaviour.CONDENSE:
            condense = plan.behaviour is Behaviour.CONDENSE
            mode = AggregateMode.AGGREGATED_ONLY if condense else AggregateMode.STREAMING
            async for _ in stream.aggregate(mode):
                pass
            return _completed(stream, stream.response.text)
        case Behaviour.BUFFER:
            async with stream.buffered(1 + plan.choice % 64) as events:
                return await _iterate(stream, events)
        case Behaviour.BREAK | Behaviour.RAISE:
            return await _leave(stream, plan)
        case _:
            return await _iterate(stream, stream)


async def _iterate(stream: ResponseStream, events: AsyncIterator[ResponseEvent]) -> Outcome:
    deltas: list[str] = []
    last: ResponseEvent | None = None
    async for last in events:
        if isinstance(last, OutputTextDelta):
            deltas.append(last.delta)
    if not isinstance(last, Completed):
        return Outcome(Ending.ASTRAY, astray=f"iteration ended after {last!r}, without Completed or an error")
    return _completed(stream, "".join(deltas))


async def _leave(stream: ResponseStream, plan: Plan) -> Outcome:
    seen = 0
    async for _ in stream:
        seen += 1
        if seen < plan.events:
            continue
        if plan.behaviour is Behaviour.RAISE:
            raise _Left
        return Outcome(Ending.LEFT, stream.response.text)
    return _completed(stream, stream.response.text)


def _completed(stream: ResponseStream, text: str) -> Outcome:
    if not stream.completed:
        return Outcome(Ending.ASTRAY, astray="the stream ended without Completed or an error")
    return Outcome(Ending.COMPLETED, text)


def _text_of(stream: ResponseStream | None, error: CodexError | None = None) -> str | None:
    if error is not None and error.partial is not None:
        return error.partial.text
    return None if stream is None else stream.response.text
