"""A login on another device: the code that the user types there, and what the issuer says while he does. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from codex_client.auth.json_fields import read_seconds, read_text
from codex_client.auth.refusals import issuer_code, login_refusal
from codex_client.client.exchange import ExchangeAnswer
from codex_client.errors import LoginError
from codex_client.retry_advice import header_delay

DEVICE_WARNING = (
    "Type this code only on that page, and give it to nobody: whoever sends you a code, or asks for yours, "
    "gets into your account."
)
"""To be shown with every code: device codes are what phishing asks for."""

_LIFETIME = 900.0
_INTERVAL = 5.0
# RFC 8628, 3.5: by so much at each slow_down.
SLOWER = 5.0
_DENIED = frozenset({"access_denied", "authorization_denied", "authorization_declined", "deviceauth_denied"})
_EXPIRED = frozenset({"expired_token", "token_expired", "code_expired", "deviceauth_expired"})


@dataclass(slots=True)
class DeviceCode:
    """What the user needs, and what asking for the outcome needs. Its repr shows no code.

    `user_code` is typed on `page`. `interval`: seconds between two questions, `expires_at` in Unix seconds. `grant`:
    what the issuer gave when the user had agreed, until it has been exchanged for tokens.
    """

    user_code: str = field(repr=False)
    device_auth_id: str = field(repr=False)
    page: str
    interval: float
    expires_at: float
    grant: DeviceGrant | None = field(default=None, repr=False)

    def slow_down(self, seconds: float = SLOWER) -> None:
        """Ask so much less often from now on."""
        self.interval += seconds


@dataclass(frozen=True, slots=True)
class DeviceGrant:
    """The user has agreed: the code that is exchanged for tokens, and its verifier, which the issuer made."""

    code: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DevicePending:
    """Not yet; `slower`: seconds by which the questions shall be further apart."""

    slower: float = 0.0


PollOutcome: TypeAlias = DeviceGrant | DevicePending | LoginError


def read_device_code(answer: ExchangeAnswer, *, page: str, now: float) -> DeviceCode | None:
    """The code in an answer; None where it has none. Issuers have written both `user_code` and `usercode`."""
    body = answer.json() if 200 <= answer.status < 300 else {}
    user_code = read_text(body.get("user_code")) or read_text(body.get("usercode"))
    device_auth_id = read_text(body.get("device_auth_id"))
    if user_code is None or device_auth_id is None:
        return None
    return DeviceCode(
        user_code=user_code,
        device_auth_id=device_auth_id,
        page=page,
        interval=read_seconds(body.get("interval")) or _INTERVAL,
        expires_at=now + (read_seconds(body.get("expires_in")) or _LIFETIME),
    )


def read_poll(answer: ExchangeAnswer, *, now: float) -> PollOutcome:
    """What an answer to the question says. 403 and 404 mean "not yet", unless their code says more."""
    body, code = answer.json(), issuer_code(answer)
    grant, verifier = read_text(body.get("authorization_code")), read_text(body.get("code_verifier"))
    if 200 <= answer.status < 300 and grant is not None and verifier is not None:
        return DeviceGrant(grant, verifier)
    if code in _DENIED:
        return LoginError("the login was refused on the page; start again if that was not meant")
    if code in _EXPIRED:
        return unused_device_code()
    if code == "slow_down" or answer.status == 429 or answer.status >= 500:
        return DevicePending(slower=max(SLOWER, header_delay(answer.headers, now=now) or 0.0))
    if code == "authorization_pending" or answer.status in (403, 404):
        return DevicePending()
    return login_refusal(answer, "the device code", now=now)


def expired_device_code(device: DeviceCode) -> LoginError:
    """The error for a login whose time was over."""
    if device.grant is not None:
        return LoginError("the user has agreed, but the issuer gave no tokens for that in time; start again")
    return unused_device_code()


def unused_device_code() -> LoginError:
    return LoginError("the device code has expired before it was typed; start again for a new one")
