"""The command line `codex-client` beside a server that plays ChatGPT: in this process, and as processes of its own."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from threading import Thread
from typing import Any, TextIO

import anyio
import httpx
from anyio.from_thread import BlockingPortal
from rich.console import Console
from typer.testing import CliRunner, Result

from codex_client.api import SystemClock
from codex_client.auth.file_store import FileTokenStore
from codex_client.auth.tokens import TokenSet
from codex_client.cli.app import app
from codex_client.cli.surroundings import Surroundings
from codex_client.testing import ManualClock
from codex_client.testing.account_server import AccountServer
from codex_client.testing.accounts import ServerAccount

_ROOT = Path(__file__).parents[2]
_PATIENCE = 60.0


class FollowingClock(SystemClock):
    """Shows another thread's time of day, and waits by its own."""

    def __init__(self, leader: ManualClock) -> None:
        self._leader = leader

    def time(self) -> float:
        return self._leader.time()


class HookedClock(ManualClock):
    """Sleeps at once, and calls `on_sleep` before each sleep with its number, from 1. Limits of so many seconds as are
    in `over` are over when they begin.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(auto_advance=True, **options)
        self.on_sleep: Callable[[int], None] = lambda _: None
        self.over: set[float] = set()

    def move_on_after(self, seconds: float) -> AbstractContextManager[anyio.CancelScope, bool | None]:
        return super().move_on_after(0 if seconds in self.over else seconds)

    async def sleep(self, seconds: float) -> None:
        self.on_sleep(len(self.sleeps) + 1)
        await super().sleep(seconds)


class Screen(io.StringIO):
    """What is shown; `on_address` is called, in a thread, with the address of a login that appears there."""

    def __init__(self, on_address: Callable[[str], object] | None = None) -> None:
        super().__init__()
        self._on_address = on_address

    def write(self, text: str, /) -> int:
        if self._on_address is not None and "/oauth/authorize" in text:
            reader = Thread(target=self._on_address, args=(address_in(text),), daemon=True)
            self._on_address = None
            reader.start()
        return super().write(text)


class Person(io.StringIO):
    """Somebody at the keyboard, who answers each question in turn by what is on the screen, then no more."""

    def __init__(self, line: CommandLine, *answers: Callable[[str], str]) -> None:
        super().__init__()
        self._line = line
        self._answers = list(answers)

    def readline(self, *_: Any) -> str:
        return self._answers.pop(0)(self._line.screen.getvalue()) + "\n" if self._answers else ""


@dataclass
class CommandLine:
    """Commands with accounts of their own in `home`, and a server that issues and serves them."""

    server: AccountServer
    home: Path
    portal: BlockingPortal
    clock: HookedClock
    screen: Screen = field(default_factory=Screen)

    def run(
        self,
        *arguments: str,
        piped: str = "",
        terminal: bool | Screen = False,
        size: tuple[int, int] = (100, 25),
        **changes: Any,
    ) -> Result:
        """One command in this process. `terminal`: what it shows goes to `screen`, as to a terminal of this `size` in
        columns and lines. `changes`: of the command's surroundings.
        """
        around = Surroundings(
            clock=self.clock,
            timezone=UTC,
            issuer=self.server.issuer,
            provider=self.server.provider(),
            is_headless=lambda: False,
            open_browser=self.log_in,
        )
        if terminal:
            self.screen = terminal if isinstance(terminal, Screen) else Screen()
            around.out = around.err = terminal_console(self.screen, width=size[0], height=size[1])
        for name, value in changes.items():
            setattr(around, name, value)
        return CliRunner().invoke(app, list(arguments), input=piped, obj=around)

    def log_in(self, url: str) -> bool:
        """A browser whose user logs in and agrees."""
        return self.answer(self.server.visit(url))

    def answer(self, redirect: str) -> bool:
        """Send the browser there."""
        # The page's status is the program's verdict; what the program says of it is looked at by the tests.
        httpx.get(redirect, trust_env=False, timeout=_PATIENCE)
        return True

    def kept(self) -> dict[str, TokenSet]:
        """The logins that are in the store."""
        return dict(anyio.run(FileTokenStore(self.home / "accounts.json").load))

    def keep(self, account: ServerAccount | None = None, *, lifetime: float = 3600.0) -> TokenSet:
        """A login that has happened: of a new account where none is given."""
        account = account or self.server.add_account(f"acct-{len(self.server.accounts) + 1}")
        tokens = self.server.issue(account, lifetime)
        self.put(tokens)
        return tokens

    def put(self, tokens: TokenSet) -> None:
        anyio.run(FileTokenStore(self.home / "accounts.json").save, tokens)

    @property
    def shown(self) -> str:
        """What is on the screen, in words."""
        return words_of(self.screen.getvalue())

    @property
    def environment(self) -> dict[str, str]:
        """Of a process whose ChatGPT is the server."""
        paths = [str(_ROOT), os.environ.get("PYTHONPATH")]
        return os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "CODEX_CLIENT_HOME": str(self.home),
            "CODEX_CLIENT_ISSUER": self.server.url,
            "CODEX_CLIENT_PROVIDER": "chatgpt",
            "CODEX_CLIENT_BASE_URL": self.server.base_url,
            "TZ": "UTC",
        }

    def run_process(
        self,
        *arguments: str,
        piped: str = "",
        stdout: TextIO | int = subprocess.PIPE,
        stderr: TextIO | int = subprocess.PIPE,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """One command as a process of its own."""
        return subprocess.run(
            _command(arguments),
            input=piped,
            stdout=stdout,
            stderr=stderr,
            text=True,
            timeout=_PATIENCE,
            env={**self.environment, **(environment or {})},
            cwd=_ROOT,
            check=False,
        )

    @contextmanager
    def process(self, *arguments: str, module: str = "codex_client.cli") -> Generator[subprocess.Popen[str]]:
        """A command that runs on; it is killed when the block is left early."""
        with hearing_interrupts():
            process = subprocess.Popen(
                _command(arguments, module),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=self.environment,
                cwd=_ROOT,
            )
        with process:
            try:
                yield process
            finally:
                process.kill()


@contextmanager
def hearing_interrupts() -> Generator[None]:
    """Processes that are started here hear SIGINT. A shell that runs the tests in its background has them ignore it,
    and what they start inherits that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def interrupt(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Ctrl-C; its exit status and what else it said."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=_PATIENCE)
    return process.returncode, out, err


def terminal_console(file: io.StringIO, *, width: int = 100, height: int = 25) -> Console:
    """A console that believes in a terminal, of true colours."""
    return Console(
        file=file,
        force_terminal=True,
        color_system="truecolor",
        width=width,
        height=height,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )


def address_in(text: str) -> str:
    """The address of a login."""
    found = re.search(r"http\S+/oauth/authorize\S+", text)
    assert found is not None, f"no address of a login in a text of {len(text)} characters"
    return found[0]


def words_of(text: str) -> str:
    """A text on one line, without the codes that steer a terminal."""
    return " ".join(plain(text).split())


def plain(text: str) -> str:
    """A text without the codes that steer a terminal."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def _command(arguments: tuple[str, ...], module: str = "codex_client.cli") -> list[str]:
    return [sys.executable, "-m", module, *arguments]
