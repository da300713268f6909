"""A failure told inside a stream becomes its error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from codex_client.classify.failure import ServerFailure
from codex_client.classify.limits import told_refusal, with_refusal
from codex_client.classify.meaning import USAGE_LIMIT
from codex_client.classify.table import meaning_of
from codex_client.errors import ResponseFailedError, UsageLimitReached
from codex_client.masking import excerpt
from codex_client.model_variants import RateLimitSnapshot


def in_stream_error(failure: ServerFailure, *, request_id: str | None = None) -> ResponseFailedError:
    """The error of the right class.

    Its text begins with a stable headline ("context window exceeded", "quota exceeded", "usage not included", …), then
    comes what the server said. `retryable` and `rotate_account` are the table's, per instance. There is no clock
    here: `date_failure` adds what needs one.
    """
    meaning = meaning_of(failure, failure.status)
    code = f" (code {excerpt(failure.code, 80)})" if failure.code else ""
    said = excerpt(failure.message) if failure.message else "the server gave no message"
    request = f"; request id {request_id}" if request_id else ""
    error = meaning.in_stream_class(
        f"{meaning.headline}: {said}{code}{request}; {meaning.advice}",
        code=failure.code,
        error_type=failure.error_type,
        param=failure.param,
        server_message=failure.message,
        request_id=request_id,
        retry_after=failure.retry_after,
        resets_at=failure.resets_at,
        plan_type=failure.plan_type,
        headers=failure.limit_headers,
    )
    if meaning is USAGE_LIMIT:
        error.rate_limits = with_refusal((), told_refusal(failure, resets_at=failure.resets_at), error.headers)
    error.retryable, error.rotate_account = meaning.retryable, meaning.rotate_account
    return error


def date_failure(error: ResponseFailedError, told: Sequence[RateLimitSnapshot], *, now: float) -> None:
    """Complete what the error tells of times and limits. `told`: what its `headers` tell; `now` in Unix seconds.

    A moment becomes a wait; a usage limit's wait becomes a moment; its snapshot is dated, and stands beside those told.
    """
    if error.retry_after is None and error.resets_at is not None:
        error.retry_after = max(0.0, error.resets_at - now)
    if error.resets_at is None and error.retry_after is not None and isinstance(error, UsageLimitReached):
        error.resets_at = now + error.retry_after
    limits = tuple(told)
    for refusal in error.rate_limits:
        window = refusal.primary and replace(refusal.primary, resets_at=error.resets_at)
        dated = replace(refusal, primary=window, plan_type=error.plan_type, fetched_at=now)
        limits = with_refusal(limits, dated, error.headers)
    error.rate_limits = limits
