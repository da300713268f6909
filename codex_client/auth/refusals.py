"""What the issuer's refusals mean. Pure.

A body's text is never quoted: issuers echo what they were sent. The code is, where it is one and none of our secrets.
"""

from __future__ import annotations

import re
from typing import Any

from codex_client.auth.json_fields import read_object
from codex_client.client.exchange import ExchangeAnswer
from codex_client.errors import (
    ConnectError,
    LoginError,
    PoolTimeoutError,
    TokenRefreshError,
    TransportError,
)
from codex_client.masking import mask_secrets
from codex_client.retry_advice import header_delay

# Words only: a token in place of a code has a digit sooner or later.
_CODE = re.compile(r"[a-z]+(?:[_.-][a-z]+)*")
_MAX_CODE_CHARS = 64
_AGAIN = "log in again"
# After these no refresh with this token can work.
_PERMANENT = {
    "refresh_token_expired": "the refresh token has expired",
    "refresh_token_reused": "the refresh token was used already, perhaps by another program with the same login",
    "refresh_token_invalidated": "the refresh token was revoked",
    "invalid_grant": "the issuer does not accept the refresh token",
    "invalid_client": "the issuer does not know the client that the refresh token belongs to",
    "unauthorized_client": "the issuer lets this client refresh no token",
    "token_invalidated": "the login was revoked",
    "token_expired": "the login has expired",
    "app_session_terminated": "the login was ended at the issuer",
}
# The gateway speaks for a server that may have done the work.
_LOST_BEHIND_GATEWAY = frozenset({502, 504})


def issuer_code(answer: ExchangeAnswer) -> str | None:
    """The error code of an answer, wherever it stands: `error.code`, `error`, `code`, `detail.code`."""
    body = answer.json()
    error, detail = body.get("error"), read_object(body.get("detail"))
    inner = read_object(error)
    candidates = (inner.get("code"), error, inner.get("type"), body.get("code"), detail.get("code"))
    return next((code for each in candidates if (code := _clean_code(each, answer)) is not None), None)


def refresh_refusal(answer: ExchangeAnswer, *, now: float) -> TokenRefreshError:
    """The error for an answer to a refresh that brings no tokens. `now` in Unix seconds, for a date in its headers."""
    code, status = issuer_code(answer), answer.status
    reason = _permanent_reason(status, code)
    if reason is not None:
        return TokenRefreshError(f"{reason}{_told(status, code)}; {_AGAIN}", permanent=True, code=code, status=status)
    return TokenRefreshError(
        f"{_transient_reason(answer, code)}{_told(status, code)}; the login is kept, try again later",
        code=code,
        status=status,
        answer_lost=status < 300 or status in _LOST_BEHIND_GATEWAY,
        retry_after=header_delay(answer.headers, now=now),
    )


def refresh_failure(error: TransportError) -> TokenRefreshError:
    """The error for a refresh that got no answer. One that was never sent has certainly not used up its token."""
    return TokenRefreshError(
        f"the token could not be refreshed: {error}",
        answer_lost=not isinstance(error, ConnectError | PoolTimeoutError),
        retry_after=error.retry_after,
    )


def login_refusal(answer: ExchangeAnswer, what: str, *, now: float) -> LoginError:
    """The error for an answer that does not let a login go on; `what` was asked for, as "the code"."""
    code, status = issuer_code(answer), answer.status
    if code == "invalid_grant":
        return LoginError(
            f"the issuer refused {what}{_told(status, code)}: it was used already, has expired or belongs to another "
            "login; start the login again"
        )
    if status == 429 or status >= 500:
        return _not_now(answer, what, code, now=now)
    return LoginError(
        f"the issuer refused {what}: {_transient_reason(answer, code)}{_told(status, code)}; start the login again"
    )


def _not_now(answer: ExchangeAnswer, what: str, code: str | None, *, now: float) -> LoginError:
    status = answer.status
    reason = "too many requests to it" if status == 429 else "it has a fault or is overloaded"
    error = LoginError(
        f"the issuer could not answer when it was asked for {what}: {reason}{_told(status, code)}; try again in a "
        "minute",
        retry_after=header_delay(answer.headers, now=now),
    )
    error.retryable = True
    return error


def _permanent_reason(status: int, code: str | None) -> str | None:
    if not 400 <= status < 500 or status == 429:
        return None
    if code in _PERMANENT:
        return _PERMANENT[code]
    if code is not None and (code.startswith("account_") or "deactivated" in code):
        return "the account cannot be used any more"
    return "the issuer does not accept the refresh token" if status == 401 else None


def _transient_reason(answer: ExchangeAnswer, code: str | None) -> str:
    status = answer.status
    if status == 429:
        return "too many requests to the issuer"
    if status == 403 and code is not None and code.startswith("unsupported_country"):
        return "the issuer does not serve the country or network that the request came from"
    if status == 403 and answer.body.lstrip()[:1] == b"<":
        return (
            "a web page came instead of an answer; something before the issuer, such as Cloudflare, blocks the network"
        )
    if status < 300:
        return "the answer has no tokens in it" if answer.json() else "the answer is no JSON object"
    if status < 400:
        return "the issuer redirects to another address"
    return "the issuer failed" if status >= 500 else "the issuer refused the request"


def _told(status: int, code: str | None) -> str:
    return f" ({status})" if code is None else f" ({status} {code})"


def _clean_code(value: Any, answer: ExchangeAnswer) -> str | None:
    if not isinstance(value, str) or len(value) > _MAX_CODE_CHARS or not _CODE.fullmatch(value):
        return None
    return value if mask_secrets(answer.clean(value)) == value else None
