"""The accounts' usage, fetched for a pool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import anyio

from codex_client.api import AttemptOutcome, AuthProvider, Clock, Lease
from codex_client.client.exchange import Exchange
from codex_client.clients.usage import fetch_usage
from codex_client.credentials.cooldowns import note_failed_lease, note_failure, note_snapshots
from codex_client.credentials.lending import Account
from codex_client.credentials.pool_lease import fingerprint_of
from codex_client.credentials.pool_record import ALL_LIMITS, AccountRecord, PoolRecord
from codex_client.decode.usage import UsageReport
from codex_client.errors import AuthenticationFailed, CodexError, LoginRequiredError, TokenRefreshError
from codex_client.model_provider import ModelProviderInfo, built_in_providers

UsageResult: TypeAlias = UsageReport | CodexError
"""What the usage endpoint said of an account, or why it said nothing."""


@dataclass(frozen=True, slots=True)
class FetchedUsage:
    """What came of an account, and the fingerprint of the access token that was used last, None where none was."""

    result: UsageResult
    fingerprint: str | None


# Enough that one slow answer holds up no other, and few enough not to look like an attack.
_CONCURRENCY = 3


class UsageSource:
    """Asks a provider's usage endpoint (None: ChatGPT's) about accounts. Owns its connections."""

    def __init__(self, provider: ModelProviderInfo | None, *, clock: Clock) -> None:
        self._provider = provider or built_in_providers()["chatgpt"]
        self._clock = clock
        self._exchange: Exchange | None = None

    async def fetch(self, auths: Mapping[str, AuthProvider]) -> dict[str, FetchedUsage]:
        """By key what came of each account. Raises nothing of theirs: one that fails stops no other."""
        results: dict[str, FetchedUsage] = {}
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

    async def _fetch_one(self, auth: AuthProvider) -> FetchedUsage:
        self._exchange = self._exchange or Exchange(clock=self._clock)
        watched = _Watched(auth)
        try:
            result: UsageResult = await fetch_usage(self._provider, watched, self._exchange, clock=self._clock)
        except CodexError as error:
            result = error
        return FetchedUsage(result, watched.fingerprint)


class _Watched:
    """An auth provider, and the fingerprint of the token that it lent last."""

    def __init__(self, auth: AuthProvider) -> None:
        self._auth = auth
        self.fingerprint: str | None = None

    @property
    def can_refresh(self) -> bool:
        return self._auth.can_refresh

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        lease = await self._auth.lease(conversation_id=conversation_id, forced_refresh=forced_refresh)
        self.fingerprint = fingerprint_of(lease)
        return lease

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> bool | None:
        return await self._auth.report(lease, outcome)


def note_usage(
    record: PoolRecord,
    results: Mapping[str, FetchedUsage],
    accounts: Iterable[Account],
    *,
    since: float,
    now: float,
    max_cooldown: float,
) -> None:
    """Keep what was fetched since `since`. A failure says nothing of the account, but where only a login helps.

    `accounts`: as the store had them before that.
    """
    for stored in accounts:
        if stored.key in results:
            _note(record.account(stored.key), stored, results[stored.key], since, now, max_cooldown)


def _note(
    account: AccountRecord, stored: Account, fetched: FetchedUsage, since: float, now: float, max_cooldown: float
) -> None:
    result, used = fetched.result, fetched.fingerprint or stored.fingerprint
    if account.parking is not None and account.parking.fingerprint == stored.fingerprint != used:
        # The token is another one because it was renewed for this, which is no reason to lend the account again.
        account.parking = replace(account.parking, fingerprint=used, login=None)
    if isinstance(result, UsageReport):
        note_snapshots(account, result.snapshots, now=now, since=since, max_cooldown=max_cooldown)
    elif isinstance(result, AuthenticationFailed):
        # It was asked with a renewed token, too.
        note_failure(
            account,
            result,
            limit_id=ALL_LIMITS,
            fingerprint=used,
            was_refreshed=True,
            now=now,
            max_cooldown=max_cooldown,
        )
    elif isinstance(result, LoginRequiredError) or (isinstance(result, TokenRefreshError) and result.permanent):
        note_failed_lease(
            account,
            result,
            key=stored.key,
            fingerprint=stored.fingerprint,
            login=stored.login,
            now=now,
            max_cooldown=max_cooldown,
        )
