"""What the commands get from outside: two consoles, time, a browser, and the places where accounts are kept."""

from __future__ import annotations

import errno
import io
import os
import sys
import webbrowser
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from functools import partial
from typing import TextIO, TypeVar

from rich.console import Console

from codex_client import settings
from codex_client.api import Clock, SystemClock
from codex_client.auth.environment_store import EnvironmentTokenStore
from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.login import is_headless, runs_in_container
from codex_client.auth.store import TokenStore
from codex_client.credentials.accounts import local_issuer, local_provider, local_state, local_store
from codex_client.credentials.pool import CredentialPool
from codex_client.credentials.pool_state import MemoryPoolState, PoolState
from codex_client.model_provider import ModelProviderInfo

Place = TypeVar("Place", TokenStore, PoolState)

# Where nobody looks at the width, lines are not broken.
_ENDLESS = 10_000


class _Closed(io.StringIO):
    """Standard output where the program was started without one (`>&-`), for which Python has no stream."""

    def write(self, text: str, /) -> int:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def flush(self) -> None:
        self.write("")


def new_console(*, stderr: bool = False) -> Console:
    """A console that shows texts as they are. Into a file or a pipe it writes whole lines without control codes."""
    # Rich would write nowhere, and what was asked for be lost without a word.
    file = _Closed() if sys.stdout is None and not stderr else None
    console = Console(file=file, stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _ENDLESS
    return console


@dataclass(kw_only=True)
class Surroundings:
    """What a command works with, as the `obj` of its typer context; tests put their own there.

    `out` takes what was asked for, `err` what is said about it. `timezone`: None for the local one. `stdin`: None for
    the process's. `store`, `state`, `issuer` and `provider`: None for what the environment's settings name.
    """

    out: Console = field(default_factory=new_console)
    err: Console = field(default_factory=partial(new_console, stderr=True))
    clock: Clock = field(default_factory=SystemClock)
    timezone: tzinfo | None = None
    stdin: TextIO | None = None
    open_browser: Callable[[str], bool] = webbrowser.open
    is_headless: Callable[[], bool] = lambda: is_headless(in_container=runs_in_container())
    store: TokenStore | None = None
    state: PoolState | None = None
    issuer: OAuthIssuer | None = None
    provider: ModelProviderInfo | None = None
    debug: bool = False

    @property
    def input(self) -> TextIO:
        return self.stdin or sys.stdin

    def login_issuer(self, workspace_id: str | None = None) -> OAuthIssuer:
        """Whom to log in with; `workspace_id`: the one that the login shall be of."""
        return replace(self.issuer or local_issuer(), workspace_id=workspace_id)

    def usage_provider(self) -> ModelProviderInfo:
        """Whom to ask for usage."""
        return self.provider or local_provider()


@dataclass(frozen=True, slots=True)
class Accounts:
    """Opened places."""

    around: Surroundings
    store: TokenStore
    state: PoolState

    @asynccontextmanager
    async def pool(self, keys: Sequence[str] | None = None) -> AsyncGenerator[CredentialPool]:
        """A pool of these accounts (`keys`: None for all), closed at the end of the block."""
        around = self.around
        async with CredentialPool(
            self.store, keys=keys, state=self.state, provider=around.usage_provider(), clock=around.clock
        ) as pool:
            yield pool


@asynccontextmanager
async def kept_accounts(around: Surroundings) -> AsyncGenerator[Accounts]:
    """The accounts that are logged in, where the settings say that they are kept."""
    async with AsyncExitStack() as opened:
        store = around.store or _opened(local_store(clock=around.clock), opened)
        state = around.state or _opened(local_state(clock=around.clock), opened)
        yield Accounts(around, store, state)


@asynccontextmanager
async def used_accounts(around: Surroundings) -> AsyncGenerator[Accounts]:
    """The accounts that `connect` takes: those in the environment's variables where there are any, else those kept."""
    if settings.ACCESS_TOKEN.is_set():
        yield Accounts(around, EnvironmentTokenStore(), MemoryPoolState())
        return
    async with kept_accounts(around) as accounts:
        yield accounts


def note_environment(around: Surroundings) -> None:
    """Say so where the accounts that are kept are not those that programs take."""
    if settings.ACCESS_TOKEN.is_set():
        name = settings.ACCESS_TOKEN.name if settings.ACCESS_TOKEN.read() else "a numbered CODEX_…_ACCESS_TOKEN"
        told = f"{name} is set: the environment's accounts come before those that are kept"
        around.err.print(told, style="dim", soft_wrap=True)


def note_base_url(around: Surroundings) -> None:
    """Say so where usage is not asked for at the address that is set."""
    told, asked = settings.BASE_URL.read(), around.usage_provider().base_url
    if told is not None and told != asked:
        around.err.print(
            f"{settings.BASE_URL.name} is not used: it may be of any provider, and the accounts' tokens are for "
            f"{asked}; set {settings.PROVIDER.name}=chatgpt if that address is ChatGPT's",
            style="dim",
            soft_wrap=True,
        )


def _opened(place: Place, stack: AsyncExitStack) -> Place:
    """Those in Redis have connections to close at the end; the others have nothing."""
    aclose: Callable[[], Awaitable[None]] | None = getattr(place, "aclose", None)
    if aclose is not None:
        stack.push_async_callback(aclose)
    return place
