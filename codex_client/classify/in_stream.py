"""A failure told inside a stream becomes its error."""

from __future__ import annotations

from codex_client.classify.failure import ServerFailure
from codex_client.classify.table import meaning_of
from codex_client.errors import ResponseFailedError
from codex_client.masking import excerpt


def in_stream_error(failure: ServerFailure, *, request_id: str | None = None) -> ResponseFailedError:
    """The error of the right class.

    Its text begins with a stable headline ("context window exceeded", "quota exceeded", "usage not included", …), then
    comes what the server said. `retryable` and `rotate_account` are the table's, per instance.
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
    )
    error.retryable, error.rotate_account = meaning.retryable, meaning.rotate_account
    return error
