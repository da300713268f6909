"""Many accounts as one credential source."""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self
from uuid import uuid4

import anyio

from codex_client.api import AttemptOutcome, Clock, Closeable, Lease, SystemClock
from codex_client.auth.oauth import OAuthClient
from codex_client.auth.refresh import RefreshingAuth
from codex_client.auth.store import TokenStore
from codex_client.credentials.background import Background
from codex_client.credentials.explain import AccountStatus, Explanation, exhausted, explained, statuses
from codex_client.credentials.lending import Account, Grant, Rules, lend, look, review, settle, withdraw
from codex_client.credentials.limit_view import LimitView
from codex_client.credentials.pool_lease import PoolLease, fingerprint_of
from codex_client.credentials.pool_record import PoolRecord, conversation_digest
from codex_client.credentials.pool_state import MemoryPoolState, PoolState
from codex_client.credentials.pool_usage import UsageResult, UsageSource, note_usage
from codex_client.credentials.quota_state import LONGEST_UNKNOWN
from codex_client.credentials.selection import AccountSelection, SelectionName, selection_of
from codex_client.errors import (
    CodexError,
    ConfigurationError,
    LoginRequiredError,
    TokenRefreshError,
    TokenStoreError,
)
from codex_client.model_provider import ModelProviderInfo

_log = logging.getLogger("codex_client")

PLAN_ORDER = ("promax", "pro", "enterprise", "business", "team", "prolite", "plus", "*", "go", "free", "guest")
"""Which plan serves first where all else is equal; `*` stands for every other one."""

_RETURN_SECONDS = 5.0


class CredentialPool:
    """Lends the accounts of a token store, one to each attempt, and leaves an account alone while it cannot serve.

    `keys`: which accounts, in which order; None for all, also those that are added later. `selection`: "sticky" keeps a
    conversation on its account, since prompt caches are per account; "round_robin", "least_used", or a function of
    one's own. `state` is what it remembers, shared by all pools that are given the same one; None for a state of its
    own that ends with it. `limit_id` names the family of limits of the models that it serves. `oauth`, `early` and
    `latest` are those of `RefreshingAuth`, `provider` is asked for the accounts' usage (None: ChatGPT's backend).
    An account rests no longer than the window that is used up is long; `max_cooldown`: nor longer than that, in
    seconds, where no length is told. `affinity`: seconds after which an idle
    conversation is forgotten. `refresh_every`: seconds between fetches of all accounts' usage while `async with pool`
    is open, the first at once; None for none.

    The store, the state and `oauth` stay the caller's to close, but for those in `owned`, which are closed with the
    pool. Close the pool with `async with` or `aclose`.
    """

    def __init__(
        self,
        store: TokenStore,
        *,
        keys: Sequence[str] | None = None,
        selection: SelectionName | AccountSelection = "sticky",
        state: PoolState | None = None,
        limit_id: str = "codex",
        oauth: OAuthClient | None = None,
        early: float = 300.0,
        latest: float = 30.0,
        provider: ModelProviderInfo | None = None,
        plan_order: Sequence[str] = PLAN_ORDER,
        max_cooldown: float = LONGEST_UNKNOWN,
        affinity: float = 3600.0,
        refresh_every: float | None = None,
        owned: Sequence[Closeable] = (),
        clock: Clock | None = None,
    ) -> None:
        self._store = store
        self._owned = owned
        self._keys = keys
        self._rules = Rules(
            selection=selection_of(selection), plan_order=plan_order, max_cooldown=max_cooldown, affinity=affinity
        )
        self._state: PoolState = state or MemoryPoolState()
        self._limit_id = limit_id
        self._clock = clock or SystemClock()
        self._new_auth = partial(RefreshingAuth, store, oauth=oauth, early=early, latest=latest, clock=self._clock)
        self._auths: dict[str, RefreshingAuth] = {}
        self._accounts: list[Account] = []
        self._usage = UsageSource(provider, clock=self._clock)
        self._refresh_every = refresh_every
        self._background: Background | None = None

    @property
    def can_refresh(self) -> bool:
        """A refused token is renewed at the next lease, or another account is lent."""
        return True

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        """The credential of the account that serves this conversation next.

        An account whose token cannot be had is passed over for the next one. Raises `PoolExhaustedError` where none can
        serve, `LoginRequiredError` where the pool has none, `TokenStoreError` where the store or the state fails.
        """
        leasing = self.lease_for(self._limit_id, conversation_id, forced_refresh=forced_refresh)
        # A conversation's id is content, and a traceback with locals shows what is bound here.
        del conversation_id
        return await leasing

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> bool:
        """True: the account cannot serve now and another one can, so try again at once."""
        if not isinstance(lease, PoolLease):
            return False
        now = self._clock.time()
        return await self._state.update(
            lambda record: settle(record, self._accounts, self._rules, lease=lease, outcome=outcome, now=now)
        )

    def for_limit(self, limit_id: str) -> LimitView:
        """This pool for models with windows of their own: the same accounts and state, blocks of their own."""
        return LimitView(self, limit_id)

    async def accounts(self) -> list[AccountStatus]:
        """All accounts as they are now."""
        record, now = await self._reviewed()
        return statuses(record, self._accounts, now=now)

    async def explain(self, conversation_id: str | None = None) -> Explanation:
        """Which account the next lease would be of, why it, and why none of the others. Changes nothing."""
        return await self.explain_for(self._limit_id, conversation_id)

    async def unblock(self, key: str) -> None:
        """Take an account back into service: its blocks are cleared, and it is no longer parked."""
        if key not in {one.key for one in await self._load_accounts()}:
            raise ConfigurationError(f"the pool has no account {key!r}; `accounts` lists those that it has")

        def change(record: PoolRecord) -> None:
            held = record.account(key)
            held.blocks, held.parking, held.unadvised = {}, None, 0

        await self._state.update(change)

    async def prime(self) -> dict[str, UsageResult]:
        """Fetch the usage of all accounts, so that those that are used up are not tried first.

        By key what came, or why nothing did: one that fails stops no other.
        """
        return await self.refresh_quota()

    async def refresh_quota(self, *keys: str) -> dict[str, UsageResult]:
        """Fetch the usage of these accounts, or of all. As `prime`."""
        accounts = [one for one in await self._load_accounts() if not keys or one.key in keys]
        began = self._clock.time()
        results = await self._usage.fetch({one.key: self._auth(one.key) for one in accounts if one.fingerprint})
        now, most = self._clock.time(), self._rules.max_cooldown
        await self._state.update(
            lambda record: note_usage(record, results, accounts, since=began, now=now, max_cooldown=most)
        )
        return {key: fetched.result for key, fetched in results.items()}

    async def watch(self, every: float) -> None:
        """Fetch the usage of all accounts now and then every so many seconds, until it is cancelled.

        It is what `refresh_every` runs. A failure is logged, and the next time may go better.
        """
        while True:
            try:
                # A parked one can only be told again that it is to be left alone, with a token renewed each time.
                if keys := [one.key for one in await self.accounts() if one.parked is None]:
                    await self.refresh_quota(*keys)
            except Exception as error:  # noqa: BLE001
                # Whatever runs beside this must not suffer.
                _log.warning("the accounts' usage could not be fetched: %s", type(error).__name__)
            await self._clock.sleep(every)

    async def aclose(self) -> None:
        """Close the connections that the pool owns."""
        for each in (*self._auths.values(), self._usage, *self._owned):
            await each.aclose()

    async def __aenter__(self) -> Self:
        if self._refresh_every is not None:
            self._background = await Background(partial(self.watch, self._refresh_every)).__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        background, self._background = self._background, None
        try:
            if background is not None:
                await background.__aexit__(exc_type, exc, traceback)
        finally:
            await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._store!r}, state={self._state!r}, limit_id={self._limit_id!r})"

    def lease_for(
        self, limit_id: str, conversation_id: str | None, *, forced_refresh: bool
    ) -> Coroutine[None, None, PoolLease]:
        """`lease` for the models of a limit; `for_limit` gives it the form of an `AuthProvider`."""
        return self._lease(limit_id, conversation_digest(limit_id, conversation_id), forced_refresh)

    async def _lease(self, limit_id: str, conversation: str, forced_refresh: bool) -> PoolLease:
        if not await self._load_accounts():
            raise LoginRequiredError("the pool has no account, its token store is empty; log in (`codex-client login`)")
        passed: set[str] = set()
        while True:
            loan_id, now = uuid4().hex, self._clock.time()
            take = partial(
                lend,
                accounts=self._accounts,
                rules=self._rules,
                loan_id=loan_id,
                limit_id=limit_id,
                conversation=conversation,
                wants_newer=forced_refresh and not passed,
                now=now,
                passed=passed,
            )
            try:
                grant = await self._state.update(take)
                if grant.key is None:
                    break
                passed.add(grant.key)
                try:
                    lease, forced = await self._credential(grant.key, grant)
                except (LoginRequiredError, TokenRefreshError) as error:
                    await self._withdraw(loan_id, grant.key, error)
                    continue
            except BaseException:
                await self._return(loan_id)
                raise
            return PoolLease(
                headers=lease.headers,
                account=lease.account,
                id=loan_id,
                limit_id=limit_id,
                conversation=conversation,
                fingerprint=fingerprint_of(lease),
                forced=forced,
                lent_at=now,
            )
        raise exhausted(grant.view, now=now)

    async def explain_for(self, limit_id: str, conversation_id: str | None) -> Explanation:
        """`explain` for the models of a limit."""
        conversation = conversation_digest(limit_id, conversation_id)
        record, now = await self._reviewed()
        return explained(
            look(record, self._accounts, self._rules, limit_id=limit_id, conversation=conversation, now=now)
        )

    async def _credential(self, key: str, grant: Grant) -> tuple[Lease, bool]:
        """What the account lends, and whether it was renewed for this attempt."""
        auth = self._auth(key)
        lease = await auth.lease(conversation_id=None, forced_refresh=False)
        if not grant.renew and (grant.refused is None or grant.refused != fingerprint_of(lease)):
            return lease, False
        # The refusal may have been another process's.
        await auth.report(lease, AttemptOutcome(status=401))
        return await auth.lease(conversation_id=None, forced_refresh=True), True

    async def _withdraw(self, loan_id: str, key: str, error: CodexError) -> None:
        accounts, now = self._accounts, self._clock.time()
        await self._state.update(
            lambda record: withdraw(record, accounts, self._rules, loan_id=loan_id, key=key, error=error, now=now)
        )

    async def _return(self, loan_id: str) -> None:
        """Nobody will report this one. Also while cancelled; where it fails, the loan ends by itself."""
        with anyio.move_on_after(_RETURN_SECONDS, shield=True), suppress(TokenStoreError):
            await self._state.update(lambda record: record.loans.pop(loan_id, None))

    async def _reviewed(self) -> tuple[PoolRecord, float]:
        """The record as the next lease would find it, to read, and the time."""
        accounts, record, now = await self._load_accounts(), await self._state.load(), self._clock.time()
        review(record, accounts, self._rules, now=now)
        return record, now

    async def _load_accounts(self) -> list[Account]:
        stored = await self._store.load()
        self._accounts = [
            Account.of(key, order, stored.get(key))
            for order, key in enumerate(stored if self._keys is None else self._keys)
        ]
        return self._accounts

    def _auth(self, key: str) -> RefreshingAuth:
        if key not in self._auths:
            self._auths[key] = self._new_auth(key)
        return self._auths[key]
