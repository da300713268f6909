"""Steps that must not be broken off in the middle, whoever cancels.

A shielded cancel scope stops anyio's cancellation and trio's. asyncio's own (`task.cancel()`, `asyncio.timeout`,
`asyncio.wait_for`, a web framework whose client has gone) passes through it: against that the step needs a task of its
own, which nobody cancels.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio
from anyio.lowlevel import current_token

T = TypeVar("T")


async def uncancelled(step: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What `step` gives or raises, awaited to its end. A cancellation that came meanwhile is raised after it."""
    with anyio.CancelScope(shield=True):
        if isinstance(current_token().native_token, asyncio.AbstractEventLoop):
            return await _in_a_task(step)
        return await step()
    raise AssertionError("unreachable: nobody cancels this scope")


async def _in_a_task(step: Callable[[], Coroutine[Any, Any, T]]) -> T:
    task = asyncio.get_running_loop().create_task(step())
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        # Looked at, so that nobody complains of it: what it did is done, and what it failed at is told another time.
        _ = task.cancelled() or task.exception()
        raise cancelled
    return task.result()
