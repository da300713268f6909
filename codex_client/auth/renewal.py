"""One renewal of a login: the lock, the store read again, at most one call at a time to the issuer, the new set saved.

A refresh token works once. So whoever would use it holds the store's lock, and reads the store again first: where
another process was there before, its tokens are taken over without a call. From the moment the request goes out until
the answer is saved nothing is cancelled, and whether it can be saved is tried before. The waits before that can be
cancelled: for the lock, and between two tries.
"""

from __future__ import annotations

import logging
import math
from collections import deque

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from codex_client.api import Clock
from codex_client.auth.importing import imported_again
from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.oauth import OAuthClient, RefreshReason
from codex_client.auth.store import TokenStore
from codex_client.auth.thresholds import Thresholds
from codex_client.auth.tokens import TokenSet, fingerprint
from codex_client.auth.uncancelled import uncancelled
from codex_client.errors import CodexError, LoginRequiredError, TokenRefreshError, TokenStoreError

_log = logging.getLogger("codex_client")

_TRIES = 3
_MAX_RETRY_AFTER = 60.0
# As many tokens as may be in use at once by turns that began before the last renewals.
_REMEMBERED_REFUSALS = 16


class Renewal:
    """Renews the login that a store keeps under one key. For one task at a time.

    `thresholds`: a set that is over by them is not worth taking over.
    """

    def __init__(self, store: TokenStore, *, oauth: OAuthClient | None, thresholds: Thresholds, clock: Clock) -> None:
        self._store = store
        self._oauth = oauth
        self._own_oauth: OAuthClient | None = None
        self._thresholds = thresholds
        self._clock = clock
        self._refused: deque[str] = deque(maxlen=_REMEMBERED_REFUSALS)
        self._dead: tuple[str, TokenRefreshError] | None = None
        self._unsaved: TokenSet | None = None
        self._unsaved_over: TokenSet | None = None

    @property
    def unsaved(self) -> TokenSet | None:
        """The set that the issuer gave and the store could not take."""
        return self._unsaved

    def refuse(self, refused: str) -> None:
        """The server refused the access token with this fingerprint."""
        if refused not in self._refused:
            self._refused.append(refused)

    def is_refused(self, tokens: TokenSet) -> bool:
        return tokens.fingerprint in self._refused

    async def renew(self, key: str, held: TokenSet, reason: RefreshReason, *, patience: float = math.inf) -> TokenSet:
        """Another set than `held`, from the store or from the issuer, saved.

        `patience`: a wait between two tries is not begun that would end so many seconds from now. Raises
        `LoginRequiredError` where only the user can help, else `TokenRefreshError` or `TokenStoreError`; after a save
        that failed `unsaved` is the new set.
        """
        ends_at = self._clock.monotonic() + patience

        def is_enough(state: RetryCallState) -> bool:
            return state.attempt_number >= _TRIES or self._clock.monotonic() + _delay(state) >= ends_at

        retrying = AsyncRetrying(
            sleep=self._sleep,
            retry=retry_if_exception(_may_work_later),
            wait=_delay,
            stop=is_enough,
            reraise=True,
        )
        renewed: TokenSet = await retrying(self._try, key, held, reason)
        return renewed

    async def save_again(self, key: str) -> TokenSet:
        """Save the set that could not be saved, unless the store has moved on: the set that counts. Raises what the
        store raises.
        """
        unsaved, over = self._unsaved, self._unsaved_over
        assert unsaved is not None
        assert over is not None
        async with self._store.lock(key):
            stored = (await self._store.load()).get(key)
            if stored == over:
                await uncancelled(lambda: self._keep(key, unsaved, over=over))
            self._unsaved = self._unsaved_over = None
            return unsaved if stored is None or stored == over else stored

    async def aclose(self) -> None:
        """Close the client that was made here."""
        oauth, self._own_oauth = self._own_oauth, None
        if oauth is not None:
            await oauth.aclose()

    async def _try(self, key: str, held: TokenSet, reason: RefreshReason) -> TokenSet:
        async with self._store.lock(key):
            stored = await self._stored(key)
            if self._is_newer(stored, held):
                return stored
            if stored.borrowed:
                return await self._borrowed_again(key, stored)
            self._check_renewable(key, stored)
            if stored is not self._unsaved:
                # A token that is used up and not replaced is a lost login: first see that the store takes things.
                await self._save(key, stored, "the tokens of account {key} cannot be saved, so none were asked for")
            return await self._call(key, stored, reason)

    async def _stored(self, key: str) -> TokenSet:
        """What the store has, or what it should have."""
        stored = (await self._store.load()).get(key)
        if self._unsaved is not None and stored == self._unsaved_over:
            return self._unsaved
        if stored is None:
            raise LoginRequiredError(f"the store has no login {key} any more; log in again")
        return stored

    def _is_newer(self, stored: TokenSet, held: TokenSet) -> bool:
        """Whether the store has another access token, and one of use."""
        return (
            stored.fingerprint != held.fingerprint
            and not self.is_refused(stored)
            and not self._thresholds.is_over(stored, now=self._clock.time())
        )

    async def _borrowed_again(self, key: str, borrowed: TokenSet) -> TokenSet:
        """What the file that a copy was imported from has for the same account now, where that is newer."""
        again = imported_again(borrowed)
        if again is None or not self._is_newer(again, borrowed):
            owner = "Codex (run `codex`)" if borrowed.source == "codex" else "the program that it came from"
            place = f" of {borrowed.origin}" if borrowed.origin else ""
            raise LoginRequiredError(
                f"account {key} is borrowed{place}, and only {owner} renews its access token; do that, import it again "
                "if it was imported, or log in here"
            )
        try:
            await self._store.save(again, key=key)
        except CodexError as error:
            _log.warning("account %s has been read again from %s, but not saved: %s", key, again.origin, error)
        return again

    def _check_renewable(self, key: str, tokens: TokenSet) -> None:
        if tokens.refresh_token is None:
            raise LoginRequiredError(f"account {key} has no refresh token to renew its access token with; log in again")
        if self._dead is not None and self._dead[0] == fingerprint(tokens.refresh_token):
            raise _login_required(key, self._dead[1])

    async def _call(self, key: str, tokens: TokenSet, reason: RefreshReason) -> TokenSet:
        oauth = self._oauth or self._client_for(tokens)

        async def call() -> TokenSet | TokenRefreshError:
            try:
                fresh = await oauth.refresh(tokens, reason=reason)
            except TokenRefreshError as error:
                return error
            await self._keep(key, fresh, over=tokens)
            return fresh

        outcome = await uncancelled(call)
        if isinstance(outcome, TokenSet):
            return outcome
        return await self._after_failure(key, tokens, outcome)

    async def _after_failure(self, key: str, tokens: TokenSet, failure: TokenRefreshError) -> TokenSet:
        if failure.permanent or failure.answer_lost:
            # A program that does not know our lock may have been faster.
            stored = (await self._store.load()).get(key)
            if stored is not None and self._is_newer(stored, tokens):
                return stored
        if not failure.permanent:
            raise failure
        self._dead = (fingerprint(tokens.refresh_token or ""), failure.with_traceback(None))
        raise _login_required(key, failure)

    async def _keep(self, key: str, fresh: TokenSet, *, over: TokenSet) -> None:
        # Until it is saved; also where the task ends in the middle.
        self._unsaved_over = self._unsaved_over or over
        self._unsaved = fresh
        await self._save(
            key,
            fresh,
            "the new tokens of account {key} could not be saved and are in memory only; the stored ones are used up: "
            "see to the store before this process ends",
        )
        self._unsaved = self._unsaved_over = None

    async def _save(self, key: str, tokens: TokenSet, otherwise: str) -> None:
        """Raises the store's own error, or one with the text `otherwise`, because what other libraries raise may show
        what they were given.
        """
        try:
            await self._store.save(tokens, key=key)
        except CodexError:
            raise
        except Exception as error:  # noqa: BLE001
            reason = type(error).__name__
        else:
            return
        raise TokenStoreError(f"{otherwise.format(key=key)} ({reason})")

    def _client_for(self, tokens: TokenSet) -> OAuthClient:
        if self._own_oauth is None:
            self._own_oauth = OAuthClient(OAuthIssuer(url=tokens.issuer), clock=self._clock)
        return self._own_oauth

    async def _sleep(self, seconds: float) -> None:
        await self._clock.sleep(float(seconds))


def _may_work_later(error: BaseException) -> bool:
    """Not where the answer was lost: then the token may be used up, and to use it again ends the whole login."""
    return isinstance(error, TokenRefreshError) and not error.permanent and not error.answer_lost


def _delay(state: RetryCallState) -> float:
    """1 s, then 2 s, or what the issuer asks for."""
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.retry_after if isinstance(error, TokenRefreshError) else None
    return min(asked, _MAX_RETRY_AFTER) if asked is not None else 2.0 ** (state.attempt_number - 1)


def _login_required(key: str, failure: TokenRefreshError) -> LoginRequiredError:
    error = LoginRequiredError(f"account {key} needs a new login: {failure.message}")
    error.__cause__ = failure
    return error
