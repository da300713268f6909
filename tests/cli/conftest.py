"""What the tests of the command line share: a server that plays ChatGPT in a thread, and a folder for accounts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from codex_client.testing.account_server import AccountServer
from tests.support.command_line import CommandLine, FollowingClock, HookedClock


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandLine]:
    home = tmp_path / "home"
    monkeypatch.setenv("CODEX_CLIENT_HOME", str(home))
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    clock = HookedClock()
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(AccountServer(FollowingClock(clock))) as server,
    ):
        yield CommandLine(server, home, portal, clock)
