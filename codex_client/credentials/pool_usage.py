"""The accounts' usage, fetched for a pool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import anyio

from codex_client.api import AuthProvider, Clock
from codex_client.client.exchange import Exchange
from codex_client.clients.usage import fetch_usage
from codex_client.credentials.cooldowns import note_failed_lease, note_snapshots
from codex_client.credentials.pool_record import PoolRecord
from codex_client.decode.usage import UsageReport
from codex_client.errors import CodexError, LoginRequiredError, TokenRefreshError
from codex_client.model_provider import ModelProviderInfo, built_in_providers

UsageResult: TypeAlias = UsageReport | CodexError
"""What the usage endpoint said of an account, or why it said nothing."""

# Enough that one slow answer holds up no other, and few enough not to look like an attack.
_CONCURRENCY = 3


class UsageSource:
    """Asks a provider's usage endpoint (None: ChatGPT's) about accounts. Owns its connections."""

    def __init__(self, provider: ModelProviderInfo | None, *, clock: Clock) -> None:
        self._provider = provider or built_in_providers()["chatgpt"]
        self._clock = clock
        self._exchange: Exchange | None = None

    async def fetch(self, auths: Mapping[str, AuthProvider]) -> dict[str, UsageResult]:
        """By key what came of each account. Raises nothing of theirs: one that fails stops no other."""
        results: dict[str, UsageResult] = {}
        turns = anyio.CapacityLimiter(_CONCURRENCY)

        async def fetch_one(key: str, auth: AuthProvider) -> None:
            async with turns:
                results[key] = await self._fetch_one(auth)

        async with anyio.create_task_group() as tasks:
            for key, auth in auths.items():
                tasks.start_soon(fetch_one, key, auth)
        return {key: results[key] for key in auths}

    async def aclose(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            await exchange.aclose()

    async def _fetch_one(self, auth: AuthProvider) -> UsageResult:
        self._exchange = self._exchange or Exchange(clock=self._clock)
        try:
            return await fetch_usage(self._provider, auth, self._exchange, clock=self._clock)
        except CodexError as error:
            return error


def note_usage(
    record: PoolRecord,
    results: Mapping[str, UsageResult],
    fingerprints: Mapping[str, str | None],
    *,
    since: float,
    now: float,
    max_cooldown: float,
) -> None:
    """Keep what was fetched since `since`. A failure says nothing of the account, but where only a login helps."""
    for key, result in results.items():
        account = record.account(key)
        if isinstance(result, UsageReport):
            note_snapshots(account, result.snapshots, now=now, since=since, max_cooldown=max_cooldown)
        elif isinstance(result, LoginRequiredError) or (isinstance(result, TokenRefreshError) and result.permanent):
            fingerprint = fingerprints.get(key)
            note_failed_lease(account, result, key=key, fingerprint=fingerprint, now=now, max_cooldown=max_cooldown)
