"""A login that stays usable: its access token is renewed before it ends, and once after it was refused.

Two thresholds before its end. From `early` on one task renews it and the others go on with the old token; from `latest`
on everybody waits. A refresh that fails stops nobody while the old token lives.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

import anyio
from anyio.lowlevel import current_token

from codex_client.api import AttemptOutcome, Clock, Lease, SystemClock
from codex_client.auth.oauth import OAuthClient, RefreshReason
from codex_client.auth.renewal import Renewal
from codex_client.auth.store import TokenStore
from codex_client.auth.thresholds import Due, Thresholds
from codex_client.auth.tokens import TokenSet, fingerprint
from codex_client.errors import CodexError, LoginRequiredError

_log = logging.getLogger("codex_client")

# After a refresh or a save that failed while there is a token to go on with.
_PAUSE = 30.0

_BEARER = "Bearer "


class RefreshingAuth:
    """Lends the access token of one login out of `store`, and keeps it fresh.

    `key`: which login; None where the store has one only. `early` and `latest`: seconds before its end from which on
    one task, or every task, sees to a new one. Processes that share the store make one refresh between them. A borrowed
    login is never refreshed: the store is read again. `oauth` is the caller's to close; where none is given, one for
    the login's issuer is made when it is needed, and closed by `aclose`.

    `lease` raises `LoginRequiredError` where only the user can help, `TokenRefreshError` where a token is over and the
    issuer gives no new one for the moment, `TokenStoreError` where the store fails: once, if new tokens could not be
    saved; they are used after that, and saving is tried again.
    """

    def __init__(
        self,
        store: TokenStore,
        key: str | None = None,
        *,
        oauth: OAuthClient | None = None,
        early: float = 300.0,
        latest: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        self._store = store
        self._key = key
        self._clock = clock or SystemClock()
        self._thresholds = Thresholds(early, latest)
        self._renewal = Renewal(store, oauth=oauth, thresholds=self._thresholds, clock=self._clock)
        self._tokens: TokenSet | None = None
        self._flights: WeakKeyDictionary[object, _Flight] = WeakKeyDictionary()
        self._next_try = self._next_save = -math.inf

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        """The access token. `forced_refresh`: another one than any that `report` was told of as refused."""
        tokens = await self._held()
        if forced_refresh and self._renewal.is_refused(tokens):
            return self._lease_of(await self._renewed(tokens, "unauthorized_recovery"))
        return self._lease_of(await self._usable(tokens))

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> None:
        """Remembers which access token was refused with 401."""
        if outcome.status == 401:
            token = lease.headers.get("authorization", "").removeprefix(_BEARER)
            self._renewal.refuse(fingerprint(token))

    @property
    def can_refresh(self) -> bool:
        """Always: the issuer can give a newer token, or the store, where its owner has renewed a borrowed one."""
        return True

    async def tokens(self) -> TokenSet:
        """The set that `lease` lends from, renewed where it is time."""
        return await self._usable(await self._held())

    async def refresh(self) -> TokenSet:
        """A new set now, whatever is left of the old one. Tasks that ask at once share one refresh."""
        return await self._renewed(await self._held(), "forced")

    async def aclose(self) -> None:
        """Close the connections to the issuer, if they are owned."""
        await self._renewal.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"RefreshingAuth({self._store!r}, key={self._key!r})"

    async def _held(self) -> TokenSet:
        """The set in use, from the store at first."""
        if self._tokens is None:
            key, stored = _chosen(await self._store.load(), self._key)
            if self._tokens is None:  # else another task has been faster, and may have renewed it
                self._key, self._tokens = key, stored
        if self._renewal.unsaved is not None:
            await self._save_again()
        return self._tokens

    async def _usable(self, tokens: TokenSet) -> TokenSet:
        """The set, or a newer one where it is time for that and there is one to be had."""
        due = self._thresholds.due(tokens, now=self._clock.time())
        if due is None or (due == "early" and self._flight.lock.locked()):
            return tokens
        is_over = tokens.expires_within(0, now=self._clock.time())
        if self._clock.monotonic() < self._next_try and not is_over:
            return tokens
        reason: RefreshReason = "scheduled" if tokens.expires_at is None else "proactive_expiry"
        try:
            return await self._renewed(tokens, reason, patience=self._patience(tokens, due))
        except CodexError as error:
            if self._tokens != tokens or tokens.expires_within(0, now=self._clock.time()):
                raise
            self._next_try = self._clock.monotonic() + max(_PAUSE, error.retry_after or 0)
            _log.warning("account %s goes on with its old token, a new one could not be had: %s", self._key, error)
            return tokens

    def _patience(self, tokens: TokenSet, due: Due) -> float:
        """No turn waits for the issuer to recover while its token is good."""
        if due == "early" or tokens.expires_at is None:
            return 0.0
        left = tokens.expires_at - self._clock.time()
        return left if left > 0 else math.inf

    async def _renewed(self, old: TokenSet, reason: RefreshReason, *, patience: float = math.inf) -> TokenSet:
        """Another set than `old`. Tasks that ask for it at once share the renewal, and its failure."""
        flight = self._flight
        landed = flight.landed
        async with flight.lock:
            if self._tokens is not None and self._tokens != old:
                return self._tokens
            if flight.landed != landed and flight.failure is not None:
                raise _again(flight.failure)
            try:
                renewed = await self._renewal.renew(self._key or old.key, old, reason, patience=patience)
            except CodexError as error:
                flight.land(_again(error))
                if self._renewal.unsaved is not None:
                    self._take(self._renewal.unsaved)
                raise
            flight.land(None)
            self._take(renewed)
            return renewed

    async def _save_again(self) -> None:
        if self._flight.lock.locked() or self._clock.monotonic() < self._next_save:
            return
        async with self._flight.lock:
            try:
                self._take(await self._renewal.save_again(self._key or ""))
            except CodexError as error:
                self._next_save = self._clock.monotonic() + _PAUSE
                _log.warning("the new tokens of account %s are still in memory only: %s", self._key, error)

    def _take(self, tokens: TokenSet) -> None:
        """Use a set that has just been had."""
        self._tokens = tokens
        self._next_try = -math.inf
        if tokens.expires_within(0, now=self._clock.time()):
            _log.warning("the new token of account %s is over by this machine's clock; set that right", self._key)

    def _lease_of(self, tokens: TokenSet) -> Lease:
        # What the HTTP libraries raise for what a header cannot carry shows it.
        if not (_is_sendable(tokens.access_token) and _is_sendable(tokens.account_id or "-")):
            raise LoginRequiredError(
                f"the access token or account id of account {self._key} is empty or has a character that no header can "
                "carry; log in again"
            )
        headers = {"authorization": _BEARER + tokens.access_token}
        if tokens.account_id is not None:
            headers["chatgpt-account-id"] = tokens.account_id
        return Lease(headers=headers, account=self._key)

    @property
    def _flight(self) -> _Flight:
        # A lock is bound to the loop in which it was waited for; a program may have one loop after the other.
        loop = current_token().native_token
        if loop not in self._flights:
            self._flights[loop] = _Flight()
        return self._flights[loop]


class _Flight:
    """What the tasks of one event loop share: one renewal at a time, and how the last one ended."""

    def __init__(self) -> None:
        self.lock = anyio.Lock()
        self.landed = 0
        self.failure: CodexError | None = None

    def land(self, failure: CodexError | None) -> None:
        """A renewal has ended; one that was cancelled has not, and the next task makes it."""
        self.landed += 1
        self.failure = failure


def _chosen(stored: Mapping[str, TokenSet], key: str | None) -> tuple[str, TokenSet]:
    if key is None and len(stored) == 1:
        return next(iter(stored.items()))
    if key is not None and key in stored:
        return key, stored[key]
    names = ", ".join(sorted(stored)) or "none"
    if key is None and stored:
        raise LoginRequiredError(f"the store has several logins ({names}); give RefreshingAuth the key of one")
    what = "login" if key is None else f"login {key}"
    raise LoginRequiredError(f"the store has no {what} (it has: {names}); log in, or import a login")


def _is_sendable(value: str) -> bool:
    return bool(value) and value.isascii() and value.isprintable() and " " not in value


def _again(failure: CodexError) -> CodexError:
    """The same failure for another task: a raised one carries the frames of its own."""
    another = copy.copy(failure)
    another.__cause__ = failure.__cause__
    return another
