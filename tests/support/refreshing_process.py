"""A process of its own that renews the login in a store, and may die at a step of it.

    python -m tests.support.refreshing_process STORE BACKEND [STEP] [--wait]

Prints one line of JSON: the fingerprint of the token that it goes on with, or the name and text of its error. With
`--wait` it first prints "ready", and begins when its standard input ends. STEP is one of `STEPS`: there the process
kills itself, as nothing in it could prevent.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import anyio

from codex_client.auth.file_store import FileTokenStore
from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.oauth import OAuthClient, RefreshReason
from codex_client.auth.refresh import RefreshingAuth
from codex_client.auth.tokens import TokenSet
from codex_client.errors import CodexError

STEPS = (
    "before lock",
    "under lock",
    "before call",
    "after answer",
    "before replace",
    "after replace",
    "after save",
)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingOAuth(OAuthClient):
    step: str | None = None

    async def refresh(self, tokens: TokenSet, *, reason: RefreshReason) -> TokenSet:
        if self.step == "before call":
            die()
        fresh = await super().refresh(tokens, reason=reason)
        if self.step == "after answer":
            die()
        return fresh


class DyingStore(FileTokenStore):
    step: str | None = None

    async def save(self, tokens: TokenSet, *, key: str | None = None) -> None:
        # Not where the present set is saved, to see whether that works.
        step = self.step if (await self.load()).get(key or tokens.key) != tokens else None
        if step == "before replace":
            os.replace = _dead
        if step == "after replace":
            os.replace = _then_dead(os.replace)
        await super().save(tokens, key=key)
        if step == "after save":
            die()

    def lock(self, key: str) -> AbstractAsyncContextManager[None]:
        if self.step == "before lock":
            die()
        return self._dying(super().lock(key))

    @asynccontextmanager
    async def _dying(self, lock: AbstractAsyncContextManager[None]) -> AsyncGenerator[None]:
        async with lock:
            if self.step == "under lock":
                die()
            yield


def _dead(source: Path, target: Path) -> None:
    die()


def _then_dead(replace: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
    def replace_and_die(source: Path, target: Path) -> None:
        replace(source, target)
        die()

    return replace_and_die


async def renew(path: Path, step: str | None) -> dict[str, str]:
    store = DyingStore(path)
    store.step = step
    (tokens,) = (await store.load()).values()
    async with DyingOAuth(OAuthIssuer(url=tokens.issuer)) as oauth, RefreshingAuth(store, oauth=oauth) as auth:
        oauth.step = step
        try:
            return {"fingerprint": (await auth.tokens()).fingerprint}
        except CodexError as error:
            return {"error": type(error).__name__, "text": str(error)}


def main(store: str, backend: str, *options: str) -> None:
    if "--wait" in options:
        print("ready", flush=True)  # noqa: T201
        sys.stdin.read()
    step = next((each for each in options if each in STEPS), None)
    print(json.dumps(anyio.run(renew, Path(store), step, backend=backend)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
