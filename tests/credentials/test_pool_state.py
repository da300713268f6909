"""What every state of a pool keeps to: memory, a file, Redis."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import anyio
import pytest
from hypothesis import given, strategies as st

from codex_client.api import AttemptOutcome
from codex_client.credentials.file_state import FilePoolState
from codex_client.credentials.pool import CredentialPool
from codex_client.credentials.pool_record import (
    AccountRecord,
    Affinity,
    Block,
    Loan,
    Parking,
    PoolRecord,
    conversation_digest,
)
from codex_client.credentials.pool_state import MemoryPoolState, PoolState
from codex_client.credentials.quota import AccountQuota
from codex_client.errors import PermissionDeniedError, PoolExhaustedError
from codex_client.testing import ManualClock
from tests.support.pooled import HOUR, KEYS, NOW, lend, pool_of, serve, snapshot, used_up

NewState: TypeAlias = Callable[[], PoolState]


async def test_what_is_changed_in_one_is_seen_in_the_other(new_state: NewState) -> None:
    one, other = new_state(), new_state()

    def change(record: PoolRecord) -> str:
        record.account("a").leases += 1
        return "done"

    assert await one.update(change) == "done"
    assert (await other.load()).accounts["a"].leases == 1


async def test_what_is_loaded_is_a_copy(new_state: NewState) -> None:
    state = new_state()
    (await state.load()).account("a").leases = 7
    assert (await state.load()).accounts == {}


async def test_changes_at_once_are_all_kept(new_state: NewState) -> None:
    states = [new_state() for _ in range(3)]

    def change(record: PoolRecord) -> None:
        record.account("a").leases += 1

    async def add(state: PoolState) -> None:
        for _ in range(5):
            await state.update(change)

    async with anyio.create_task_group() as tasks:
        for state in states * 2:
            tasks.start_soon(add, state)
    assert (await states[0].load()).accounts["a"].leases == 30


async def test_cooldowns_conversations_and_parking_survive_a_restart(new_state: NewState) -> None:
    first, store, clock = pool_of(3, state=new_state())
    await first.report(await lend(first, "a"), used_up(HOUR))
    refusal = PermissionDeniedError("no", status=403)
    await first.report(await lend(first, "b"), AttemptOutcome(403, refusal))
    second = CredentialPool(store, state=new_state(), clock=clock)
    assert await second.accounts() == await first.accounts()
    assert [await serve(second, name) for name in ("a", "b", "c")] == ["2", "2", "2"]
    clock.advance(HOUR)
    assert await serve(second, "d") == "0"
    third = CredentialPool(store, state=new_state(), clock=clock)
    assert await serve(third, "a") == "2"


async def test_attempts_in_flight_are_counted_over_all_pools(new_state: NewState) -> None:
    first, store, clock = pool_of(2, state=new_state())
    second = CredentialPool(store, state=new_state(), clock=clock)
    lease = await lend(first, "a")
    assert [one.in_flight for one in await second.accounts()] == [1, 0]
    assert await serve(second, "b") == "1"
    await first.report(lease, AttemptOutcome(200))
    assert [one.in_flight for one in await second.accounts()] == [0, 0]


async def test_a_record_that_cannot_be_read_is_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    odd = ['{"version": 99}', '{"accounts": 7}', '{"accounts": {"a": {"blocks": "secret-canary"}}}']
    for content in [*odd, "", '{"version": 1, "accounts": {"can', "null", "[]", "\x00" * 8]:
        state = FilePoolState(tmp_path / "pool.json")
        state.path.write_text(content)
        state.path.chmod(0o600)
        with caplog.at_level(logging.WARNING):
            assert [await state.load() for _ in range(2)] == [PoolRecord()] * 2
            await state.update(lambda record: record.account("a"))
        assert set((await FilePoolState(state.path).load()).accounts) == {"a"}
        assert caplog.text.count("begun anew") == 1
        assert "canary" not in caplog.text
        caplog.clear()


async def test_while_the_file_cannot_be_written_the_pool_goes_on_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, path = ManualClock(start=NOW), tmp_path / "pool.json"
    pool, _, _ = pool_of(3, state=FilePoolState(path, clock=clock), clock=clock)
    await pool.report(await lend(pool, "a"), used_up(HOUR))
    with caplog.at_level(logging.WARNING), monkeypatch.context() as full:
        full.setattr(os, "replace", no_space)
        # It begins with what the file had.
        assert await serve(pool, "a") == "1"
        await pool.report(await lend(pool, "a"), used_up(HOUR))
        clock.advance(60)
        assert [await serve(pool, "a") for _ in range(2)] == ["2", "2"]
        assert [len(one.blocks) for one in await pool.accounts()] == [1, 1, 0]
        assert len(PoolRecord.from_json(path.read_bytes()).accounts[KEYS[1]].blocks) == 0
    assert caplog.text.count("goes on in memory") == 1
    clock.advance(60)
    assert await serve(pool, "b") in {"1", "2"}
    assert "has its shared record again" in caplog.text
    assert PoolRecord.from_json(path.read_bytes()) == await FilePoolState(path).load()
    assert PoolRecord.from_json(path.read_bytes()).conversations.keys() >= {conversation_digest("codex", "b")}


async def test_a_change_whose_writing_failed_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = FilePoolState(tmp_path / "pool.json")

    def change(record: PoolRecord) -> int:
        record.account("a").leases += 1
        return record.account("a").leases

    await state.update(change)
    monkeypatch.setattr(os, "replace", no_space)
    assert [await state.update(change) for _ in range(3)] == [2, 3, 4]
    assert (await state.load()).accounts["a"].leases == 4


def test_threads_share_a_record_in_memory() -> None:
    state, failures = MemoryPoolState(), list[BaseException]()

    async def work(thread: int) -> None:
        for number in range(60):
            await state.update(partial(add_one, name=f"{thread}-{number}"))
            await state.load()

    def add_one(record: PoolRecord, name: str) -> None:
        held = record.account("a")
        seen = held.leases
        record.account(name)
        held.leases = seen + sum(1 for key in record.accounts if key == "a")

    def run(thread: int) -> None:
        try:
            anyio.run(work, thread)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []
    assert anyio.run(state.load).accounts["a"].leases == 240


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_the_state_file_is_its_owners_alone(tmp_path: Path) -> None:
    state = FilePoolState(tmp_path / "pool.json")
    await state.update(lambda record: None)
    assert state.path.stat().st_mode & 0o777 == 0o600


_OTHER_PROCESS = """
import sys, anyio
from pathlib import Path
from codex_client.credentials.file_state import FilePoolState

async def main():
    state = FilePoolState(Path(sys.argv[1]))
    for _ in range(20):
        await state.update(lambda record: setattr(record.account("a"), "leases", record.account("a").leases + 1))

anyio.run(main)
"""


def test_processes_share_a_file_without_losing_a_change(tmp_path: Path) -> None:
    path = tmp_path / "pool.json"
    processes = [subprocess.Popen([sys.executable, "-c", _OTHER_PROCESS, str(path)]) for _ in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert PoolRecord.from_json(path.read_bytes()).accounts["a"].leases == 60


async def test_a_dead_processs_loan_ends(new_state: NewState) -> None:
    first, store, clock = pool_of(1, state=new_state())
    await lend(first)
    del first
    second = CredentialPool(store, state=new_state(), clock=clock)
    clock.advance(600)
    assert [one.in_flight for one in await second.accounts()] == [0]


async def test_a_thousand_conversations_are_remembered_and_the_oldest_forgotten() -> None:
    record = PoolRecord()
    for number in range(1200):
        record.keep(f"c-{number}", "a", now=NOW + number)
    record.keep("c-0", "a", now=NOW + 1200)
    record.tidy(now=NOW + 1201, affinity=HOUR)
    assert len(record.conversations) == 1000
    assert ("c-0" in record.conversations, "c-1" in record.conversations) == (True, False)


def test_a_conversation_goes_by_a_digest_and_none_is_none_of_them() -> None:
    digests = [conversation_digest(*pair) for pair in [("a", "b"), ("a", None), ("a", "-"), ("a", ""), ("b", "b")]]
    assert len(set(digests)) == 5
    assert conversation_digest("a", "b") == conversation_digest("a", "b")


moments = st.floats(0, 4e9)
names = st.text(max_size=12)
records = st.builds(
    PoolRecord,
    accounts=st.dictionaries(
        names,
        st.builds(
            AccountRecord,
            blocks=st.dictionaries(
                names,
                st.builds(
                    Block,
                    kind=st.sampled_from(["usage", "quota", "rate", "refresh"]),
                    reason=names,
                    since=moments,
                    until=moments,
                ),
                max_size=2,
            ),
            quota=st.builds(
                lambda used, at: AccountQuota({"codex": snapshot(used, at=at, weekly=(3, 5))}),
                st.floats(0, 200),
                moments,
            ),
            parking=st.none() | st.builds(Parking, reason=names, since=moments, fingerprint=st.none() | names),
            refused=st.none() | names,
            unadvised=st.integers(0, 3),
            leases=st.integers(0, 10**6),
            last_used_at=st.none() | moments,
        ),
        max_size=3,
    ),
    conversations=st.dictionaries(names, st.builds(Affinity, key=names, used_at=moments), max_size=3),
    loans=st.dictionaries(names, st.builds(Loan, key=names, expires_at=moments), max_size=3),
    previous=st.dictionaries(names, names, max_size=2),
)


@given(record=records)
def test_a_record_survives_json(record: PoolRecord) -> None:
    again = PoolRecord.from_json(record.to_json())
    assert again == record
    assert again.to_json() == record.to_json()


async def test_no_state_lends_before_a_cooldown_that_another_process_has_seen(new_state: NewState) -> None:
    clock = ManualClock(start=NOW)
    first, store, _ = pool_of(1, state=new_state(), clock=clock)
    second = CredentialPool(store, state=new_state(), clock=clock)
    await first.report(await lend(first), used_up(120))
    with pytest.raises(PoolExhaustedError) as raised:
        await lend(second)
    assert raised.value.reasons.keys() == {KEYS[0]}
    clock.advance(120)
    assert await serve(second) == "0"
