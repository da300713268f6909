"""A step runs to its end, whatever cancels its caller; the cancellation is raised after it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest

from codex_client.auth.uncancelled import uncancelled

ON_ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"])


class Step:
    """Waits to be released, then is done."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.begun = anyio.Event()
        self.release = anyio.Event()
        self.done = False
        self._failure = failure

    async def __call__(self) -> str:
        self.begun.set()
        await self.release.wait()
        await anyio.lowlevel.checkpoint()
        self.done = True
        if self._failure is not None:
            raise self._failure
        return "done"


async def test_what_a_step_gives_or_raises_comes_out() -> None:
    async def give() -> str:
        await anyio.lowlevel.checkpoint()
        return "given"

    async def fail() -> None:
        await anyio.lowlevel.checkpoint()
        raise ValueError("no")

    assert await uncancelled(give) == "given"
    with pytest.raises(ValueError, match="no"):
        await uncancelled(fail)


async def test_a_scope_that_is_cancelled_waits_for_the_step() -> None:
    step = Step()
    after: list[str] = []
    async with anyio.create_task_group() as tasks:

        async def run() -> None:
            await uncancelled(step)
            after.append("here")
            await anyio.lowlevel.checkpoint()
            after.append("not here")

        tasks.start_soon(run)
        await step.begun.wait()
        tasks.cancel_scope.cancel()
        step.release.set()
    assert step.done
    assert after == ["here"]


async def by_cancel(step: Step) -> None:
    task = asyncio.ensure_future(uncancelled(step))
    await step.begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    step.release.set()
    await task


async def by_timeout(step: Step) -> None:
    async def release() -> None:
        await asyncio.sleep(0)
        step.release.set()

    async with asyncio.timeout(0):
        releasing = asyncio.ensure_future(release())
        try:
            await uncancelled(step)
        finally:
            await releasing


@ON_ASYNCIO
@pytest.mark.parametrize("cancelling", [by_cancel, by_timeout])
@pytest.mark.parametrize("failure", [None, ValueError("no")])
async def test_the_event_loops_own_cancellation_waits_for_the_step(
    cancelling: Callable[[Step], Awaitable[None]], failure: Exception | None
) -> None:
    step = Step(failure)
    with pytest.raises((asyncio.CancelledError, TimeoutError)):
        await cancelling(step)
    assert step.done
