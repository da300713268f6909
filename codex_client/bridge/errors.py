"""Errors as the answers that clients of OpenAI's APIs understand.

| what it means                              | status | type                  | code if the server gave none |
|--------------------------------------------|--------|-----------------------|------------------------------|
| the request cannot be sent as it is        | 400    | invalid_request_error | `unsupported_parameter`      |
| the input exceeds the context window       | 400    | invalid_request_error | `context_length_exceeded`    |
| prompt or answer refused by a policy       | 400    | invalid_request_error | `content_policy_violation`   |
| not in the account's plan                  | 403    | usage_not_included    | `usage_not_included`         |
| no such model                              | 404    | invalid_request_error | `model_not_found`            |
| credit, plan window or rate limit used up  | 429    | rate_limit_error      | `rate_limit_exceeded`        |
| the server refuses the credential          | 502    | server_error          | `upstream_authentication`    |
| there is no credential, or it has ended    | 503    | server_error          | `login_required`             |
| the service is at capacity                 | 503    | server_error          | `server_is_overloaded`       |
| the server took too long                   | 504    | server_error          | `timeout`                    |
| no usable answer from the server           | 502    | server_error          | `upstream_error`             |
| all else                                   | 500    | server_error          | `server_error`               |

A server that told a status of 400 and above by itself keeps it, but for a page of the network in front of it, and for a
refused credential: that is not the caller's, who would take a 401 or 403 for a word on his own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from codex_client import errors
from codex_client.errors import CodexError


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An HTTP answer; `headers` in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class _Meaning:
    status: int
    type: str
    code: str | None = None


_BAD_REQUEST = _Meaning(400, "invalid_request_error")
_UPSTREAM = _Meaning(502, "server_error", "upstream_error")
_TIMEOUT = _Meaning(504, "server_error", "timeout")
_CREDENTIAL = _Meaning(502, "server_error", "upstream_authentication")
_OTHER = _Meaning(500, "server_error", "server_error")

# The first class that fits counts, so that special ones stand before general ones.
_MEANINGS: tuple[tuple[type[CodexError], _Meaning], ...] = (
    (errors.ContextWindowExceeded, _Meaning(400, "invalid_request_error", "context_length_exceeded")),
    (errors.InvalidPrompt, _Meaning(400, "invalid_request_error", "invalid_prompt")),
    (errors.PolicyViolation, _Meaning(400, "invalid_request_error", "content_policy_violation")),
    (errors.InvalidRequest, _BAD_REQUEST),
    (errors.AuthenticationFailed, _CREDENTIAL),
    (errors.PermissionDenied, _CREDENTIAL),
    (errors.UsageNotIncluded, _Meaning(403, "usage_not_included", "usage_not_included")),
    (errors.ModelNotFound, _Meaning(404, "invalid_request_error", "model_not_found")),
    (errors.NotFoundError, _Meaning(404, "invalid_request_error", "not_found")),
    (errors.QuotaExceeded, _Meaning(429, "insufficient_quota", "insufficient_quota")),
    (errors.UsageLimitReached, _Meaning(429, "usage_limit_reached", "usage_limit_reached")),
    (errors.RateLimited, _Meaning(429, "rate_limit_error", "rate_limit_exceeded")),
    (errors.PoolExhaustedError, _Meaning(429, "rate_limit_error", "accounts_exhausted")),
    (errors.ServerOverloaded, _Meaning(503, "server_error", "server_is_overloaded")),
    (errors.NetworkBlockedError, _Meaning(502, "server_error", "network_blocked")),
    (errors.ServerError, _Meaning(502, "server_error", "upstream_error")),
    (errors.ResponseFailedError, _OTHER),
    (errors.FirstEventTimeoutError, _TIMEOUT),
    (errors.IdleTimeoutError, _TIMEOUT),
    (errors.ConnectTimeoutError, _TIMEOUT),
    (errors.PoolTimeoutError, _Meaning(503, "server_error", "no_connection_free")),
    (errors.GarbledOutputError, _Meaning(502, "server_error", "garbled_output")),
    (errors.EmptyResponseError, _Meaning(502, "server_error", "empty_response")),
    (errors.StreamError, _UPSTREAM),
    (errors.TransportError, _UPSTREAM),
    (errors.UnexpectedStatusError, _UPSTREAM),
    (errors.MissingCredentialsError, _Meaning(503, "server_error", "missing_credentials")),
    (errors.MissingExtraError, _OTHER),
    (errors.UnsupportedParameterError, _Meaning(400, "invalid_request_error", "unsupported_parameter")),
    (errors.ConfigurationError, _BAD_REQUEST),
    (errors.TokenStoreError, _OTHER),
    (errors.AuthError, _Meaning(503, "server_error", "login_required")),
)
# Names of the library, in advice such as "raise `Timeouts.idle`", and what else only Python has.
_FOR_PROGRAMS = re.compile(
    r"\b(?:\w+Policy|Timeouts|StreamLimits|StaticAuth|RefreshingAuth|OAuthClient|ClientConfig|ModelProviderInfo)\b|"
    r"\b(?:Prompt|ReasoningOptions|InputImage|InputFile)\b|\b(?:connect|for_limit|encode)\(|\b(?:auth|extra|transport)=|"
    r"`(?:\.partial|catalogue|strict_parameters|wire_api)`"
)
# Between the ways that advice offers, and before what it adds to one; within parentheses stand arguments.
_BETWEEN_WAYS = re.compile(r",? or |, (?![^()]*\))")
# Statuses that OpenAI's own clients try again.
_TRIED_AGAIN = frozenset({408, 409, 429})


def error_answer(error: CodexError, *, now: float | None = None) -> ErrorAnswer:
    """The answer for any error of this library.

    `now` (Unix seconds) turns the moment at which a limit resets into a `retry-after`, where the server told no wait.
    `x-should-retry: false`, which OpenAI's clients obey, keeps them from repeating what cannot succeed. Facts about
    a usage limit stand beside the code, under the ChatGPT backend's names.
    """
    if isinstance(error, errors.RetryLimitError) and error.last_error is not None:
        answer = error_answer(error.last_error, now=now)
        return answer if error.retry_after is None else _told_to_wait(answer, error.retry_after)
    meaning = _meaning_of(error)
    status = _status(error, meaning)
    answer = ErrorAnswer(status, _headers(error, status), {"error": error_object(error)})
    seconds = _wait(error, now)
    return answer if seconds is None else _told_to_wait(answer, seconds)


def error_object(error: CodexError) -> dict[str, Any]:
    """The `error` object alone: message, type, param and code."""
    if isinstance(error, errors.RetryLimitError) and error.last_error is not None:
        return error_object(error.last_error)
    meaning = _meaning_of(error)
    param = getattr(error, "param", None) or getattr(error, "parameter", None)
    limit = {
        name: value
        for name in ("plan_type", "resets_at")
        if isinstance(error, errors.UsageLimitReached) and (value := getattr(error, name, None)) is not None
    }
    message = getattr(error, "server_message", None) or _for_callers(error.message)
    refused = meaning is _CREDENTIAL
    return {
        "message": f"the provider refuses the credential that it was sent: {message}" if refused else message,
        "type": meaning.type,
        "param": param or None,
        "code": meaning.code if refused else getattr(error, "code", None) or meaning.code,
        **limit,
    }


def _for_callers(message: str) -> str:
    """Without advice that only a program in Python can follow, which who asks over HTTP is not."""
    first, *advice = message.split("; ")
    return "; ".join([first, *filter(None, map(_followable, advice))])


def _followable(advice: str) -> str:
    """Of several ways those without a name of the library; empty where there is no other."""
    if not _FOR_PROGRAMS.search(advice):
        return advice
    return " or ".join(way for way in _BETWEEN_WAYS.split(advice) if not _FOR_PROGRAMS.search(way))


def _meaning_of(error: CodexError) -> _Meaning:
    if isinstance(error, errors.TokenRefreshError) and not error.permanent:
        return _Meaning(503, "server_error", "token_refresh_failed")
    return next((meaning for kind, meaning in _MEANINGS if isinstance(error, kind)), _OTHER)


def _status(error: CodexError, meaning: _Meaning) -> int:
    own = isinstance(error, errors.NetworkBlockedError) or meaning is _CREDENTIAL
    if own or not isinstance(error, errors.UnexpectedStatusError):
        return meaning.status
    return error.status if 400 <= error.status < 600 else meaning.status


def _headers(error: CodexError, status: int) -> dict[str, str]:
    headers: dict[str, str] = {}
    if request_id := getattr(error, "request_id", None):
        headers["x-request-id"] = request_id
    if not error.retryable and (status in _TRIED_AGAIN or status >= 500):
        headers["x-should-retry"] = "false"
    return headers


def _wait(error: CodexError, now: float | None) -> float | None:
    if error.retry_after is not None or now is None:
        return error.retry_after
    moment = getattr(error, "next_available_at", None) or getattr(error, "resets_at", None)
    return None if moment is None else moment - now


def _told_to_wait(answer: ErrorAnswer, seconds: float) -> ErrorAnswer:
    """Rounded up: never earlier than told."""
    if not math.isfinite(seconds):
        return answer
    return ErrorAnswer(answer.status, {**answer.headers, "retry-after": str(max(0, math.ceil(seconds)))}, answer.body)
