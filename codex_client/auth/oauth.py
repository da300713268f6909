"""The requests of OAuth, one method each. Nothing is tried again here, and nothing kept."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

from codex_client.api import Clock, HttpClient, SystemClock
from codex_client.auth.claims import read_claims
from codex_client.auth.device_code import SLOWER, DeviceCode, DeviceGrant, DevicePending, read_device_code, read_poll
from codex_client.auth.issuer import OAuthIssuer
from codex_client.auth.json_fields import read_seconds, read_text
from codex_client.auth.refusals import issuer_code, login_refusal, refresh_failure, refresh_refusal
from codex_client.auth.tokens import TokenSet
from codex_client.client.exchange import Exchange, ExchangeAnswer
from codex_client.errors import AuthError, ConfigurationError, LoginError, TokenRefreshError, TransportError
from codex_client.masking import safe_url

RefreshReason: TypeAlias = Literal["proactive_expiry", "scheduled", "unauthorized_recovery", "forced"]
"""Why a refresh is made, in the issuer's words."""

_TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


class OAuthClient:
    """Talks to one issuer. Any number of tasks may use it at once.

    Owns its connections, or borrows `http_client` and never closes that. What gets no answer is a `TransportError`, but
    for `refresh`.
    """

    # A method that is handed a secret makes its request first, drops the secret, and only then waits: a traceback with
    # locals shows whatever is still bound.

    def __init__(
        self,
        issuer: OAuthIssuer | None = None,
        *,
        http_client: HttpClient | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.issuer: OAuthIssuer = issuer or OAuthIssuer()
        self.clock: Clock = clock or SystemClock()
        self._exchange = Exchange(http_client=http_client, clock=self.clock, setting="the issuer's address")

    async def exchange_code(self, code: str, *, verifier: str, redirect_uri: str) -> TokenSet:
        """The tokens for the code of a login. Raises `LoginError`."""
        sending = self._post(
            self.issuer.token_url,
            form={
                "grant_type": "authorization_code",
                "client_id": self.issuer.client_id,
                "code": code,
                "redirect_uri": redirect_uri,
                "code_verifier": verifier,
            },
        )
        del code, verifier
        answer = await sending
        granted = _Granted.read(answer)
        if granted.access_token is None:
            raise login_refusal(answer, "the code", now=self.clock.time())
        return self._of_the_workspace(self._login(granted, granted.access_token))

    async def refresh(self, tokens: TokenSet, *, reason: RefreshReason) -> TokenSet:
        """The set after a refresh, by exactly one request. Raises `TokenRefreshError`.

        Whatever token the answer brings takes the place of its predecessor, the others stay. Tokens of another issuer
        are a `ConfigurationError`: they are not sent.
        """
        sending = self._refresh_request(tokens, reason)
        try:
            answer = await sending
        except TransportError as error:
            raise refresh_failure(error) from error
        granted = _Granted.read(answer)
        if granted.access_token is None and granted.refresh_token is None:
            raise refresh_refusal(answer, now=self.clock.time())
        return tokens.refreshed(
            access_token=granted.access_token,
            refresh_token=granted.refresh_token,
            id_token=granted.id_token,
            now=self.clock.time(),
            expires_in=granted.expires_in,
        )

    async def revoke(self, tokens: TokenSet) -> None:
        """End the login at the issuer, by its refresh token or else its access token. Raises `AuthError`."""
        self._check_issuer(tokens)
        answer = await self._post(
            self.issuer.revoke_url,
            json={
                "token": tokens.refresh_token or tokens.access_token,
                "token_type_hint": "refresh_token" if tokens.refresh_token else "access_token",
                "client_id": tokens.client_id or self.issuer.client_id,
            },
        )
        if not 200 <= answer.status < 300:
            code = issuer_code(answer) or "no code"
            raise AuthError(
                f"the issuer did not revoke the login ({answer.status}, {code}); "
                "try again later, or end it in ChatGPT's settings"
            )

    async def request_device_code(self) -> DeviceCode:
        """A code for the user to type on another device. Raises `LoginError`."""
        answer = await self._post(self.issuer.device_code_url, json={"client_id": self.issuer.client_id})
        if answer.status == 404:
            raise LoginError(
                "device code login is not enabled for this account or issuer; allow it in ChatGPT's security settings, "
                "or log in through a browser"
            )
        now = self.clock.time()
        code = read_device_code(answer, page=self.issuer.device_page, now=now)
        if code is None:
            raise login_refusal(answer, "a device code", now=now)
        return code

    async def poll_device_code(self, device: DeviceCode) -> TokenSet | None:
        """The tokens once the user has agreed; None until then: ask again after `device.interval` seconds.

        Where the issuer is asked too often, or cannot be reached, the interval grows. Once the user has agreed, that is
        kept, and only the exchange for tokens is tried again. Raises `LoginError` where the user refused, the code has
        expired, or the issuer refuses it.
        """
        if device.grant is None:
            await self._ask_for_grant(device)
        if device.grant is None:
            return None
        try:
            tokens = await self.exchange_code(
                device.grant.code, verifier=device.grant.verifier, redirect_uri=self.issuer.device_redirect_uri
            )
        except (LoginError, TransportError) as error:
            if not (isinstance(error, TransportError) or error.retryable):
                raise
            device.slow_down(max(SLOWER, error.retry_after or 0.0))
            return None
        device.grant = None
        return tokens

    async def _ask_for_grant(self, device: DeviceCode) -> None:
        sending = self._post(
            self.issuer.device_token_url,
            json={"device_auth_id": device.device_auth_id, "user_code": device.user_code},
        )
        try:
            answer = await sending
        except TransportError:
            device.slow_down()
            return
        match read_poll(answer, now=self.clock.time()):
            case DeviceGrant() as grant:
                device.grant = grant
            case DevicePending(extra):
                device.slow_down(extra)
            case LoginError() as refusal:
                raise refusal

    async def exchange_api_key(self, tokens: TokenSet) -> str:
        """An API key for the platform that belongs to the login. It is not valid for the ChatGPT backend.

        Raises `LoginError` where the login has no organization and project, which free and new accounts lack.
        """
        self._check_issuer(tokens)
        claims = read_claims(tokens.id_token)
        if not (claims.organization_id and claims.project_id):
            raise LoginError(
                "the login has no organization and project, so there is no API key for it; "
                "set them up on platform.openai.com and log in again, or make a key there"
            )
        answer = await self._post(
            self.issuer.token_url,
            form={
                "grant_type": _TOKEN_EXCHANGE,
                "client_id": tokens.client_id or self.issuer.client_id,
                "requested_token": "openai-api-key",
                "subject_token": tokens.id_token or "",
                "subject_token_type": _ID_TOKEN,
            },
        )
        granted = _Granted.read(answer)
        if granted.access_token is None:
            raise login_refusal(answer, "an API key", now=self.clock.time())
        return granted.access_token

    async def aclose(self) -> None:
        """Close the connections if they are owned. Safe to call twice."""
        await self._exchange.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"OAuthClient({self.issuer.url!r})"

    def _post(self, url: str, **content: Any) -> Awaitable[ExchangeAnswer]:
        return self._exchange.send("POST", url, headers={"originator": self.issuer.originator}, **content)

    def _refresh_request(self, tokens: TokenSet, reason: RefreshReason) -> Awaitable[ExchangeAnswer]:
        self._check_issuer(tokens)
        if not tokens.refresh_token:
            raise TokenRefreshError(
                "the login has no refresh token, so it cannot be refreshed; log in again", permanent=True
            )
        return self._post(
            self.issuer.token_url,
            json={
                "client_id": tokens.client_id or self.issuer.client_id,
                "grant_type": "refresh_token",
                "refresh_reason": reason,
                "refresh_token": tokens.refresh_token,
            },
        )

    def _check_issuer(self, tokens: TokenSet) -> None:
        if tokens.issuer.rstrip("/") != self.issuer.url.rstrip("/"):
            raise ConfigurationError(
                f"the tokens are of the issuer {safe_url(tokens.issuer)} and are not sent to {self.issuer.url}; "
                f"use OAuthClient(OAuthIssuer(url={safe_url(tokens.issuer)!r}))"
            )

    def _login(self, granted: _Granted, access_token: str) -> TokenSet:
        now = self.clock.time()
        return TokenSet.from_tokens(
            access_token,
            refresh_token=granted.refresh_token,
            id_token=granted.id_token,
            issuer=self.issuer.url,
            client_id=self.issuer.client_id,
            expires_at=None if granted.expires_in is None else now + granted.expires_in,
            refreshed_at=now,
        )

    def _of_the_workspace(self, tokens: TokenSet) -> TokenSet:
        wanted = self.issuer.workspace_id
        if wanted is not None and tokens.account_id != wanted:
            raise LoginError(
                f"the login is for workspace {tokens.account_id}, but {wanted} was asked for; "
                "log in again and choose that one on the page"
            )
        return tokens


@dataclass(frozen=True, slots=True)
class _Granted:
    """The tokens in an answer, None for each that it does not have. `expires_in` in seconds."""

    access_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    expires_in: float | None = None

    @classmethod
    def read(cls, answer: ExchangeAnswer) -> Self:
        if not 200 <= answer.status < 300:
            return cls()
        body = answer.json()
        return cls(
            access_token=read_text(body.get("access_token")),
            refresh_token=read_text(body.get("refresh_token")),
            id_token=read_text(body.get("id_token")),
            expires_in=read_seconds(body.get("expires_in")),
        )
