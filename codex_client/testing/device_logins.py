"""Device logins at a local issuer: a code that a user types elsewhere, and the polling until he has."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from codex_client.testing.accounts import ServerAccount
from codex_client.testing.refusals import RefusalError, oauth_refused, refused
from codex_client.testing.scripts import Reply

# 32 letters and digits that are not taken for each other.
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_LIFETIME = 15 * 60.0


def challenge_of(verifier: str) -> str:
    """The S256 code challenge (RFC 7636, 4.2)."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass(eq=False, slots=True)
class _DeviceLogin:
    device_auth_id: str = field(repr=False)
    user_code: str
    interval: float
    ends_at: float
    state: Literal["pending", "approved", "denied", "expired", "collected"] = "pending"
    account: ServerAccount | None = None
    polled_at: float | None = None


class DeviceLogins:
    """All device logins. `grant_code` gives an authorization code for an account and a PKCE challenge."""

    def __init__(
        self,
        *,
        now: Callable[[], float],
        new_secret: Callable[[str], str],
        grant_code: Callable[[ServerAccount, str], str],
    ) -> None:
        self._now = now
        self._new_secret = new_secret
        self._grant_code = grant_code
        self._logins: dict[str, _DeviceLogin] = {}

    def start(self, interval: float) -> Reply:
        """A new login, to be polled every `interval` seconds."""
        login = _DeviceLogin(
            self._new_secret("deviceauth_"), _new_user_code(), interval, ends_at=self._now() + _LIFETIME
        )
        self._logins[login.user_code] = login
        # The interval is a string on the real wire.
        told = {
            "device_auth_id": login.device_auth_id,
            "user_code": login.user_code,
            "interval": f"{interval:g}",
        }
        return Reply.from_json(told)

    def poll(self, asked: dict[str, Any]) -> Reply:
        """The answer to one poll. Raises `RefusalError` until there is a code, and ever after it was collected."""
        login = self._logins.get(str(asked.get("user_code")))
        if login is None or login.device_auth_id != asked.get("device_auth_id"):
            raise refused(404, "deviceauth_not_found", "No such device login.")
        too_fast = login.polled_at is not None and self._now() - login.polled_at < login.interval - 1e-6
        login.polled_at = self._now()
        if self._now() >= login.ends_at and login.state == "pending":
            login.state = "expired"
        if login.account is not None and login.state == "approved":
            login.state = "collected"
            return self._collected(login.account)
        raise _not_yet(login, too_fast=too_fast)

    def decide(self, user_code: str, state: Literal["approved", "denied", "expired"], account: ServerAccount) -> None:
        """What the user does, or the time. Raises `KeyError` for a code that was not given out."""
        login = self._logins[user_code]
        login.state, login.account = state, account

    def _collected(self, account: ServerAccount) -> Reply:
        # The issuer makes the verifier here, not the program that logs in.
        verifier = self._new_secret("verifier_")
        challenge = challenge_of(verifier)
        code = self._grant_code(account, challenge)
        told = {"authorization_code": code, "code_challenge": challenge, "code_verifier": verifier}
        return Reply.from_json(told)


def _not_yet(login: _DeviceLogin, *, too_fast: bool) -> RefusalError:
    match login.state:
        case "denied":
            return oauth_refused("access_denied", "The user refused the login.")
        case "expired" | "collected":
            return oauth_refused("expired_token", "The device code has expired.")
        case _ if too_fast:
            problem = "a device login was polled faster than its interval"
            return refused(403, "slow_down", "You are polling too quickly.", problem=problem)
        case _:
            return refused(403, "authorization_pending", "The user has not typed the code yet.")


def _new_user_code() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(9))
    return f"{letters[:4]}-{letters[4:]}"
