"""An HTTP answer with an error status becomes its error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from codex_client.classify.answer import Answer
from codex_client.classify.limits import told_refusal, with_refusal
from codex_client.classify.meaning import BLOCKED, CREDENTIAL, USAGE_LIMIT
from codex_client.errors import UnexpectedStatusError
from codex_client.errors.status import REQUEST_ID_HEADERS
from codex_client.masking import excerpt, mask_secrets, safe_url
from codex_client.retry_advice import lower_names

if TYPE_CHECKING:
    from codex_client.model_variants import RateLimitSnapshot

_SAFE_HEADERS = frozenset(REQUEST_ID_HEADERS) | {
    "cf-cache-status",
    "cf-mitigated",
    "cf-ray",
    "content-length",
    "content-type",
    "date",
    "openai-model",
    "openai-processing-ms",
    "openai-version",
    "retry-after",
    "retry-after-ms",
    "server",
    "via",
    "www-authenticate",
    "x-models-etag",
    "x-ms-region",
    "x-openai-authorization-error",
    "x-should-retry",
}
_SAFE_PREFIXES = ("x-ratelimit", "ratelimit", "x-codex-", "x-quota-snapshot-")
# Opaque state that routes the rest of a turn: who has it may speak for the session.
_UNSAFE_HEADERS = frozenset({"x-codex-turn-state"})
_MAX_HEADER = 500

# Statuses that the standard library has no words for; 52x are Cloudflare's.
_PHRASES = {
    520: "Web Server Returned an Unknown Error",
    521: "Web Server Is Down",
    522: "Connection Timed Out",
    523: "Origin Is Unreachable",
    524: "A Timeout Occurred",
    525: "SSL Handshake Failed",
    526: "Invalid SSL Certificate",
    529: "Site Is Overloaded",
}


def status_error(
    *,
    status: int,
    body: str,
    headers: Mapping[str, str],
    url: str | None,
    now: float,
    rate_limits: Sequence[RateLimitSnapshot] = (),
    env_key: str | None = None,
) -> UnexpectedStatusError:
    """The error of the right class with all that the answer tells; `retryable` and `rotate_account` are the table's.

    `body` may be cut off; `now` in Unix seconds. `env_key` names the environment variable of the API key, for the
    advice on a refused one. `rate_limits`: those of the headers; a usage limit adds what its body tells. What is kept
    of body, headers and URL holds no credential.
    """
    answer = Answer(status, body, lower_names(headers), now)
    failure, meaning, resets_at = answer.failure, answer.meaning, _resets_at(answer)
    if meaning is USAGE_LIMIT:
        refusal = told_refusal(failure, resets_at=resets_at, now=now)
        rate_limits = with_refusal(rate_limits, refusal, answer.headers)
    error = meaning.status_class(
        _message(answer, url, env_key),
        status=status,
        body=mask_secrets(body),
        url=safe_url(url) if url else None,
        code=failure.code,
        error_type=failure.error_type,
        param=failure.param,
        server_message=failure.message,
        request_id=answer.request_id,
        cf_ray=answer.told("cf-ray"),
        headers=_safe_headers(answer),
        retry_after=answer.retry_after,
        resets_at=resets_at,
        plan_type=failure.plan_type or answer.told("x-codex-plan-type"),
        rate_limits=rate_limits,
    )
    error.retryable, error.rotate_account = meaning.retryable, meaning.rotate_account
    return error


def _safe_headers(answer: Answer) -> dict[str, str]:
    return {
        name: mask_secrets(value[:_MAX_HEADER])
        for name, value in answer.headers.items()
        if name in _SAFE_HEADERS or (name.startswith(_SAFE_PREFIXES) and name not in _UNSAFE_HEADERS)
    }


def _resets_at(answer: Answer) -> float | None:
    """For a usage limit always a moment, also where only a length of time was told."""
    told = answer.failure.resets_at
    if told is None and answer.retry_after is not None and answer.meaning is USAGE_LIMIT:
        return answer.now + answer.retry_after
    return told


def _message(answer: Answer, url: str | None, env_key: str | None) -> str:
    parts = [f"unexpected status {_status_line(answer.status)}: {_said(answer)}"]
    if url:
        parts.append(f"url {safe_url(url)}")
    if request_id := answer.request_id:
        parts.append(f"request id {request_id}")
    if answer.meaning is BLOCKED and (cf_ray := answer.told("cf-ray")):
        parts.append(f"cf-ray {cf_ray}")
    parts.append(_advice(answer, env_key))
    return "; ".join(parts)


def _said(answer: Answer) -> str:
    if answer.is_page:
        title = excerpt(answer.failure.message or "")
        return f"an HTML page, {title!r}" if title else "an HTML page"
    return excerpt(answer.failure.message or answer.body) or "no body"


def _advice(answer: Answer, env_key: str | None) -> str:
    meaning, seconds = answer.meaning, answer.retry_after
    advice = f"check the API key in {env_key}" if meaning is CREDENTIAL and env_key else meaning.advice
    return f"{advice}; the server asks to wait {_span(seconds)}" if seconds else advice


def _span(seconds: float) -> str:
    """Two or three figures are enough: "2.5 s", "45 min", "3 h", "6 d"."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.3g} s"


def _status_line(status: int) -> str:
    try:
        phrase = _PHRASES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return str(status)
    return f"{status} {phrase}"
