"""The tokens that a local issuer has handed out: families of refresh tokens that rotate, and their access tokens.

A family is one login. Each refresh uses up its refresh token and gives the next; one that is used a second time ends
the family, for then two parties hold it (RFC 9700, 4.14.2).
"""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from codex_client.testing.accounts import ServerAccount
from codex_client.testing.refusals import RefusalError, oauth_refused, refused

CANARY = "canary"
"""In every secret of a local issuer, so that it is known for one wherever it turns up."""

_AUTH_CLAIM = "https://api.openai.com/auth"
_PROFILE_CLAIM = "https://api.openai.com/profile"
_API_AUDIENCE = "https://api.openai.com/v1"
_END_MESSAGES = {
    "refresh_token_expired": "Your refresh token has expired. Please sign in again.",
    "refresh_token_reused": "Your refresh token has already been used to generate a new access token.",
    "refresh_token_invalidated": "Your refresh token has been revoked. Please sign in again.",
}


@dataclass(eq=False, slots=True)
class TokenFamily:
    """One login and all that came of it. `ended`: the code with which its refresh tokens are refused from now on."""

    account: ServerAccount
    client_id: str
    scope: str
    session_id: str
    ended: str | None = None
    is_revoked: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """The answer to a login or a refresh."""

    access_token: str = field(repr=False)
    id_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: float

    def as_json(self, scope: str) -> dict[str, Any]:
        told = {
            "access_token": self.access_token,
            "id_token": self.id_token,
            "token_type": "Bearer",
            "expires_in": int(self.expires_in),
            "scope": scope,
        }
        return told if self.refresh_token is None else {**told, "refresh_token": self.refresh_token}


@dataclass(frozen=True, slots=True)
class Issued:
    """A token that was handed out."""

    family: TokenFamily
    expires_at: float


class TokenFamilies:
    """Issues, rotates, ends. `url`: the issuer's address; `now`: its clock; `secrets`: gets every token made."""

    def __init__(self, *, url: Callable[[], str], now: Callable[[], float], secrets: set[str]) -> None:
        self._url = url
        self._now = now
        self._secrets = secrets
        self._access: dict[str, Issued] = {}
        self._identity: dict[str, Issued] = {}
        self._refresh: dict[str, TokenFamily] = {}
        self._used: set[str] = set()

    def start(self, account: ServerAccount, *, client_id: str, scope: str) -> TokenFamily:
        """A new login."""
        return TokenFamily(account, client_id, scope, session_id=f"authsess_{secrets.token_hex(8)}")

    def grant(self, family: TokenFamily, lifetime: float) -> Grant:
        """The next tokens of a family; a refresh token only where the scope asks for one."""
        expires_at = self._now() + lifetime
        access_token = self._jwt(_access_claims(family), family, expires_at)
        id_token = self._jwt(_identity_claims(family), family, expires_at)
        self._access[access_token] = self._identity[id_token] = Issued(family, expires_at)
        refresh_token = None
        if "offline_access" in family.scope.split():
            refresh_token = self.new_secret("rt_")
            self._refresh[refresh_token] = family
        return Grant(access_token, id_token, refresh_token, lifetime)

    def use(self, refresh_token: str) -> TokenFamily:
        """The family of a refresh token that may be used now, and is used up by this. Raises `RefusalError`."""
        family = self._refresh.get(refresh_token)
        if family is None:
            raise oauth_refused("invalid_grant", "The refresh token is not known.")
        if family.ended is None and refresh_token in self._used:
            raise self._reused(family)
        if family.ended is not None:
            raise refused(401, family.ended, _END_MESSAGES[family.ended])
        self._used.add(refresh_token)
        return family

    def end(self, token: str, code: str, *, revoke: bool) -> None:
        """End the family of an access or refresh token: `code` answers its refreshes; `revoke` its access tokens, too.

        Raises `KeyError` for a token that was not issued here.
        """
        family = self.family_of(token)
        family.ended = code
        family.is_revoked = family.is_revoked or revoke

    def family_of(self, token: str) -> TokenFamily:
        if token in self._refresh:
            return self._refresh[token]
        return self._access[token].family

    def access(self, token: str) -> Issued | None:
        """What is known of an access token; None for one that was not issued here."""
        return self._access.get(token)

    def identity(self, token: str) -> Issued | None:
        """The same for an id token."""
        return self._identity.get(token)

    def new_secret(self, prefix: str) -> str:
        """An opaque secret of this issuer."""
        secret = f"{prefix}{CANARY}_{secrets.token_urlsafe(32)}"
        self._secrets.add(secret)
        return secret

    def _reused(self, family: TokenFamily) -> RefusalError:
        family.ended = "refresh_token_invalidated"
        problem = "a refresh token was used a second time"
        return refused(401, "refresh_token_reused", _END_MESSAGES["refresh_token_reused"], problem=problem)

    def _jwt(self, claims: dict[str, Any], family: TokenFamily, expires_at: float) -> str:
        """A token of the real shape, whose signature nobody can verify."""
        now = int(self._now())
        told = {
            "iss": self._url(),
            "sub": family.account.subject,
            "iat": now,
            "nbf": now,
            "exp": int(expires_at),
            "jti": secrets.token_hex(16),
            **claims,
        }
        header = {"alg": "RS256", "kid": CANARY, "typ": "JWT"}
        signature = self.new_secret("")
        token = f"{_encoded(header)}.{_encoded(told)}.{signature}"
        self._secrets.add(token)
        return token


def _access_claims(family: TokenFamily) -> dict[str, Any]:
    account = family.account
    return {
        "aud": [_API_AUDIENCE],
        "client_id": family.client_id,
        "scp": family.scope.split(),
        "session_id": family.session_id,
        _AUTH_CLAIM: _auth_claim(account),
        _PROFILE_CLAIM: {"email": account.email, "email_verified": True},
    }


def _identity_claims(family: TokenFamily) -> dict[str, Any]:
    account = family.account
    organization = {"id": f"org-{account.account_id}", "title": "Personal", "role": "owner", "is_default": True}
    joined = {"organization_id": account.organization_id, "project_id": account.project_id}
    return {
        "aud": [family.client_id],
        "sid": family.session_id,
        "email": account.email,
        "email_verified": True,
        _AUTH_CLAIM: {
            **_auth_claim(account),
            "organizations": [organization],
            "completed_platform_onboarding": account.organization_id is not None,
            "is_org_owner": True,
            **{name: value for name, value in joined.items() if value is not None},
        },
    }


def _auth_claim(account: ServerAccount) -> dict[str, Any]:
    return {
        "chatgpt_account_id": account.account_id,
        "chatgpt_plan_type": account.plan_type,
        "chatgpt_user_id": account.subject,
        "user_id": account.subject,
    }


def _encoded(value: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()
