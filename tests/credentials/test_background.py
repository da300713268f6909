"""A task beside a block: it ends with the block, and no error changes its form on the way."""

from __future__ import annotations

import anyio
import pytest

from codex_client.credentials.background import Background


async def test_the_task_runs_beside_the_block_and_ends_with_it() -> None:
    said: list[str] = []

    async def work() -> None:
        said.append("begun")
        try:
            await anyio.sleep_forever()
        finally:
            said.append("ended")

    async with Background(work):
        await anyio.wait_all_tasks_blocked()
        said.append("block")
    assert said == ["begun", "block", "ended"]


async def test_what_the_block_raises_is_not_wrapped() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with Background(anyio.sleep_forever):
            raise KeyError("mine")


async def test_a_block_that_is_cancelled_ends_both() -> None:
    with anyio.CancelScope() as scope:
        async with Background(anyio.sleep_forever):
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_task_that_fails_ends_the_block_and_its_error_is_told() -> None:
    async def fail() -> None:
        raise KeyError("the task's")

    with pytest.raises(BaseExceptionGroup) as raised:
        async with Background(fail):
            await anyio.sleep_forever()
    assert raised.group_contains(KeyError, match="the task's")
