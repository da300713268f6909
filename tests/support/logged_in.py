"""A login at a local issuer, kept in a store and lent by a `RefreshingAuth`, on a clock turned by hand."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from codex_client.api import AttemptOutcome, Lease
from codex_client.auth.refresh import RefreshingAuth
from codex_client.auth.store import MemoryTokenStore, TokenStore
from codex_client.auth.tokens import TokenSet
from codex_client.errors import TokenStoreError
from codex_client.testing import ManualClock
from codex_client.testing.account_server import AccountServer


class FailingStore(MemoryTokenStore):
    """A store whose next `failures` saves of new tokens fail, and all while it is `full`; it counts both."""

    failures: int = 0
    full: bool = False
    saves: int = 0
    loads: int = 0

    async def load(self) -> Any:
        self.loads += 1
        return await super().load()

    async def save(self, tokens: TokenSet, *, key: str | None = None) -> None:
        self.saves += 1
        is_new = (await super().load()).get(key or tokens.key) != tokens
        if self.full or (self.failures and is_new):
            self.failures -= not self.full
            raise TokenStoreError("the disk is full; make room")
        await super().save(tokens, key=key)


@dataclass
class LoggedIn:
    server: AccountServer
    clock: ManualClock
    store: Any
    auth: RefreshingAuth
    first: TokenSet

    async def token(self, *, forced: bool = False) -> str:
        return token_of(await self.auth.lease(conversation_id=None, forced_refresh=forced))

    async def stored(self) -> TokenSet:
        return (await self.store.load())[self.first.key]

    async def refuse(self, token: str) -> None:
        """Tell that the server answered 401 to this token."""
        await self.auth.report(Lease(headers={"authorization": f"Bearer {token}"}), AttemptOutcome(status=401))


@asynccontextmanager
async def logged_in(
    *, lifetime: float = 3600.0, store: TokenStore | None = None, auto_advance: bool = True, **changes: Any
) -> AsyncGenerator[LoggedIn]:
    """`changes`: members of the stored set that are other than the issuer gave them."""
    clock = ManualClock(auto_advance=auto_advance)
    async with AccountServer(clock) as server:
        first = replace(server.issue(server.add_account(), lifetime), **changes)
        store = store or FailingStore()
        await store.save(first)
        async with RefreshingAuth(store, clock=clock) as auth:
            yield LoggedIn(server, clock, store, auth, first)
        await server.idle()


def token_of(lease: Lease) -> str:
    return lease.headers["authorization"].removeprefix("Bearer ")
