"""A task that runs beside a block and ends with it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.abc import TaskGroup


class Background:
    """`async with Background(task)` runs the task until the block is left, by whatever way.

    A class and no generator: a generator would be suspended with its task group open (PEP 789). What the block raises
    leaves it as it is, outside of any exception group.
    """

    def __init__(self, task: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._task = task
        self._group: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._task)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        group, self._group = self._group, None
        assert group is not None
        group.cancel_scope.cancel()
        try:
            await group.__aexit__(exc_type, exc, traceback)
        except BaseExceptionGroup as raised:
            if exc is None or raised.exceptions != (exc,):
                raise
