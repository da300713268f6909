"""A pool for the models of another limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_client.api import AttemptOutcome, Lease
from codex_client.credentials.explain import Explanation

if TYPE_CHECKING:
    from codex_client.credentials.pool import CredentialPool


class LimitView:
    """A pool as the `AuthProvider` of the models of one limit. Closing the pool is all there is to close."""

    def __init__(self, pool: CredentialPool, limit_id: str) -> None:
        self._pool = pool
        self._limit_id = limit_id

    @property
    def can_refresh(self) -> bool:
        return self._pool.can_refresh

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        """As the pool's, for this limit."""
        leasing = self._pool.lease_for(self._limit_id, conversation_id, forced_refresh=forced_refresh)
        del conversation_id
        return await leasing

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> bool:
        """As the pool's."""
        return await self._pool.report(lease, outcome)

    async def explain(self, conversation_id: str | None = None) -> Explanation:
        """As the pool's, for this limit."""
        return await self._pool.explain_for(self._limit_id, conversation_id)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._pool!r}, {self._limit_id!r})"
