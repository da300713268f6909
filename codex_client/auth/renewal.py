"""One renewal of a login: the lock, the store read again, at most one call at a time to the issuer, the new set saved.

A refresh token works once. So whoever would use it holds the store's lock, and reads the store again first: where
another process was there before, its tokens are taken over without a call. From the moment the request goes out until
the answer is saved nothing is cancelled. The waits before that can be: for the lock, and between two tries.
"""

from __future__ import annotations

from collections import deque

import anyio
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from codex_client.api import Clock
from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.oauth import OAuthClient, RefreshReason
from codex_client.auth.store import TokenStore
from codex_client.auth.tokens import TokenSet, fingerprint
from codex_client.errors import CodexError, LoginRequiredError, TokenRefreshError, TokenStoreError

_TRIES = 3
_MAX_RETRY_AFTER = 60.0
# As many tokens as may be in use at once by turns that began before the last renewals.
_REMEMBERED_REFUSALS = 16


class Renewal:
    """Renews the login that a store keeps under one key. For one task at a time.

    `latest`: a set that ends within so many seconds is not worth taking over.
    """

    def __init__(self, store: TokenStore, *, oauth: OAuthClient | None, latest: float, clock: Clock) -> None:
        self._store = store
        self._oauth = oauth
        self._own_oauth: OAuthClient | None = None
        self._latest = latest
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

    async def renew(self, key: str, held: TokenSet, reason: RefreshReason) -> TokenSet:
        """Another set than `held`, from the store or from the issuer, saved.

        Raises `LoginRequiredError` where only the user can help, else `TokenRefreshError` or `TokenStoreError`; after
        a save that failed `unsaved` is the new set.
        """
        retrying = AsyncRetrying(
            sleep=self._sleep,
            retry=retry_if_exception(_may_work_later),
            wait=_delay,
            stop=stop_after_attempt(_TRIES),
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
                with anyio.CancelScope(shield=True):
                    await self._keep(key, unsaved, over=over)
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
            self._check_renewable(key, stored)
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
            and not stored.expires_within(self._latest, now=self._clock.time())
        )

    def _check_renewable(self, key: str, tokens: TokenSet) -> None:
        if tokens.borrowed:
            owner = "Codex (run `codex`)" if tokens.source == "codex" else "the program that it came from"
            raise LoginRequiredError(
                f"account {key} is borrowed, and only {owner} renews its access token; do that, import it again if it "
                "was imported, or log in here"
            )
        if tokens.refresh_token is None:
            raise LoginRequiredError(f"account {key} has no refresh token to renew its access token with; log in again")
        if self._dead is not None and self._dead[0] == fingerprint(tokens.refresh_token):
            raise _login_required(key, self._dead[1])

    async def _call(self, key: str, tokens: TokenSet, reason: RefreshReason) -> TokenSet:
        oauth = self._oauth or self._client_for(tokens)
        outcome: TokenSet | TokenRefreshError | None = None
        with anyio.CancelScope(shield=True):
            try:
                outcome = await oauth.refresh(tokens, reason=reason)
                await self._keep(key, outcome, over=tokens)
            except TokenRefreshError as error:
                outcome = error
        if isinstance(outcome, TokenSet):
            return outcome
        assert outcome is not None
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
        try:
            await self._store.save(fresh, key=key)
        except Exception as error:
            self._unsaved_over = self._unsaved_over or over
            self._unsaved = fresh
            if isinstance(error, CodexError):
                raise
            reason = type(error).__name__
        else:
            self._unsaved = self._unsaved_over = None
            return
        raise TokenStoreError(
            f"the new tokens of account {key} could not be saved ({reason}) and are in memory only; the stored ones "
            "are used up: see to the store before this process ends"
        )

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
