"""The clock that a test turns by hand."""

from __future__ import annotations

import math

import anyio
import anyio.lowlevel
import pytest

from codex_client.testing import ManualClock


def test_time_stands_until_it_is_advanced():
    clock = ManualClock(start=1000.0)
    assert (clock.time(), clock.monotonic()) == (1000.0, 0.0)
    clock.advance(2.5)
    assert (clock.time(), clock.monotonic()) == (1002.5, 2.5)


def test_time_does_not_go_back():
    with pytest.raises(ValueError, match="cannot advance by -1 s"):
        ManualClock().advance(-1)


async def test_a_sleep_ends_when_the_time_has_come_and_not_before():
    clock = ManualClock()
    woken: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sleeper, "long", 5.0)
        tasks.start_soon(sleeper, "short", 2.0)
        await clock.wait_for_timer(5.0)
        await clock.wait_for_timer(2.0)
        assert clock.timers == [2.0, 5.0]
        clock.advance(1.999)
        await anyio.wait_all_tasks_blocked()
        assert woken == []
        clock.advance(0.001)
        await anyio.wait_all_tasks_blocked()
        assert woken == ["short"]
        clock.advance(100)
    assert woken == ["short", "long"]
    assert (clock.timers, sorted(clock.sleeps)) == ([], [2.0, 5.0])


async def test_a_limit_cancels_its_block_and_says_so():
    clock = ManualClock()

    async def turn_time_on() -> None:
        await clock.wait_for_timer()
        clock.advance(10)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(turn_time_on)
        with clock.move_on_after(10) as scope:
            await anyio.sleep_forever()
        assert scope.cancel_called
        assert scope.cancelled_caught


async def test_a_limit_that_is_not_reached_changes_nothing_and_is_forgotten():
    clock = ManualClock()
    with clock.move_on_after(10) as scope:
        clock.advance(9)
        await anyio.lowlevel.checkpoint()
    assert not scope.cancel_called
    assert not scope.cancelled_caught
    assert clock.timers == []
    clock.advance(100)
    await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("seconds", [0, -1])
async def test_a_limit_of_nothing_is_due_on_entry(seconds: float):
    with ManualClock().move_on_after(seconds) as scope:
        await anyio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_limit_whose_time_passed_before_its_block_is_due_on_entry():
    clock = ManualClock()
    limit = clock.move_on_after(5)
    clock.advance(6)
    with limit as scope:
        await anyio.sleep_forever()
    assert scope.cancelled_caught


async def test_sums_of_floats_do_not_miss_a_limit():
    clock = ManualClock()
    with clock.move_on_after(1.0) as scope:
        for _ in range(10):
            clock.advance(0.1)
        assert clock.monotonic() < 1.0
        await anyio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_scope_can_be_cancelled_and_shielded_as_any_other():
    clock = ManualClock()
    with clock.move_on_after(math.inf) as scope:
        assert (scope.deadline, scope.shield) == (math.inf, False)
        scope.shield = True
        assert scope.shield
        scope.cancel("enough")
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    with clock.move_on_after(1) as scope:
        scope.deadline = -math.inf
        await anyio.sleep_forever()
    assert scope.cancelled_caught


async def test_auto_advance_lets_sleeps_pass_at_once_and_keeps_count():
    clock = ManualClock(auto_advance=True)
    for seconds in (0.2, 0.4, 0):
        await clock.sleep(seconds)
    assert clock.sleeps == [0.2, 0.4, 0]
    assert clock.monotonic() == pytest.approx(0.6)


async def test_an_automatic_sleep_of_nothing_moves_nothing():
    clock = ManualClock(auto_advance=True)
    with clock.move_on_after(5) as scope:
        await clock.sleep(0)
    assert (clock.monotonic(), scope.cancel_called) == (0, False)


async def test_auto_advance_leaves_limits_alone():
    clock = ManualClock(auto_advance=True)
    with clock.move_on_after(5) as scope:
        await anyio.wait_all_tasks_blocked()
    assert not scope.cancel_called
    assert clock.monotonic() == 0


async def test_a_limit_that_comes_first_cuts_an_automatic_sleep_short():
    clock = ManualClock(auto_advance=True)
    with clock.move_on_after(5) as scope:
        await clock.sleep(60)
    assert scope.cancelled_caught
    assert clock.monotonic() == 5


async def test_an_endless_sleep_waits_even_with_auto_advance():
    clock = ManualClock(auto_advance=True)
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(clock.sleep, math.inf)
            await clock.wait_for_timer(math.inf)
            await anyio.wait_all_tasks_blocked()
            assert clock.timers == [math.inf]
            scope.cancel()
    assert clock.timers == []


async def test_waiting_for_a_timer_that_never_comes_tells_those_there_are():
    clock = ManualClock()
    with (
        clock.move_on_after(7),
        pytest.raises(AssertionError, match=r"no timer with 5 s left is running.*\[7.0\]"),
    ):
        await clock.wait_for_timer(5, within=0)


async def test_cancelling_a_sleep_from_outside_is_no_end_of_it():
    clock = ManualClock()
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(clock.sleep, 5)
            await clock.wait_for_timer()
            scope.cancel()
    assert (clock.timers, clock.monotonic()) == ([], 0)
