"""A process that is killed in the middle of a refresh: the next one goes on, or says that a login is needed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from codex_client.auth.file_store import FileTokenStore
from codex_client.testing.account_server import AccountServer
from tests.support.processes import run

MODULE = "tests.support.refreshing_process"
# Refreshes until the death; then what the next process does: its own refreshes, and whether it goes on.
STEPS = {
    "before lock": (0, 1, True),
    "under lock": (0, 1, True),
    "before call": (0, 1, True),
    "after answer": (1, 1, False),
    "before replace": (1, 1, False),
    "after replace": (1, 0, True),
    "after save": (1, 0, True),
}

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")


@pytest.mark.parametrize("step", STEPS)
async def test_after_a_kill_at_any_step_the_next_process_knows_where_it_stands(
    tmp_path: Path, anyio_backend: str, step: str
) -> None:
    until_death, afterwards, goes_on = STEPS[step]
    store = FileTokenStore(tmp_path / "accounts.json")
    async with AccountServer() as server:
        first = server.issue(server.add_account(), lifetime=-10)
        await store.save(first)
        status, printed = await run(MODULE, str(store.path), anyio_backend, step)
        assert (status, printed) == (-signal.SIGKILL, "")
        assert server.refreshes == until_death
        (left,) = (await store.load()).values()
        assert (left == first) == (step not in ("after replace", "after save"))

        status, printed = await run(MODULE, str(store.path), anyio_backend)
        outcome = json.loads(printed)
        assert (status, server.refreshes) == (0, until_death + afterwards)
        (stored,) = (await store.load()).values()
        if goes_on:
            assert outcome == {"fingerprint": stored.fingerprint}
            assert stored.fingerprint != first.fingerprint
            assert server.problems == []
        else:
            assert outcome["error"] == "LoginRequiredError"
            assert "the refresh token was used already" in outcome["text"]
            assert "log in again" in outcome["text"]
        assert not [each for each in os.listdir(tmp_path) if each.endswith(".new")] or not goes_on


async def test_after_a_kill_the_next_process_uses_an_access_token_that_still_lives(
    tmp_path: Path, anyio_backend: str
) -> None:
    store = FileTokenStore(tmp_path / "accounts.json")
    async with AccountServer() as server:
        first = server.issue(server.add_account(), lifetime=250)
        await store.save(first)
        status, _ = await run(MODULE, str(store.path), anyio_backend, "after answer")
        assert status == -signal.SIGKILL
        status, printed = await run(MODULE, str(store.path), anyio_backend)
        assert (status, json.loads(printed.splitlines()[-1])) == (0, {"fingerprint": first.fingerprint})
