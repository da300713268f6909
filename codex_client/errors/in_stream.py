"""Failures that a server tells inside a stream that had begun well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from codex_client.errors.base import (
    AuthenticationFailed,
    CodexError,
    ContextWindowExceeded,
    InvalidPrompt,
    InvalidRequest,
    ModelNotFound,
    PermissionDenied,
    PolicyViolation,
    QuotaExceeded,
    RateLimited,
    ServerOverloaded,
    UsageLimitReached,
    UsageNotIncluded,
)

if TYPE_CHECKING:
    from codex_client.aggregate import CollectedResponse
    from codex_client.model_variants import RateLimitSnapshot, TokenUsage


class ResponseFailedError(CodexError):
    """The server ended the turn with a failure (`response.failed`, an `error` event, an in-band error object).

    `code` as the server wrote it, None when it wrote none. An unknown code is retryable while nothing has been
    released. `token_usage` where the failure told what was spent. `headers`: those about limits that came inside the
    event; `rate_limits`: what they and the failure itself tell.
    """

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        error_type: str | None = None,
        param: str | None = None,
        server_message: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        resets_at: float | None = None,
        plan_type: str | None = None,
        token_usage: TokenUsage | None = None,
        headers: Mapping[str, str] | None = None,
        rate_limits: Sequence[RateLimitSnapshot] = (),
        partial: CollectedResponse | None = None,
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.code = code
        self.error_type = error_type
        self.param = param
        self.server_message = server_message
        self.request_id = request_id
        self.resets_at = resets_at
        self.plan_type = plan_type
        self.token_usage = token_usage
        self.headers: dict[str, str] = dict(headers or {})
        self.rate_limits: tuple[RateLimitSnapshot, ...] = tuple(rate_limits)
        self.partial = partial


class ContextWindowExceededError(ResponseFailedError, ContextWindowExceeded):
    """The stable message is "context window exceeded"."""

    retryable = False


class QuotaExceededError(ResponseFailedError, QuotaExceeded):
    """The stable message is "quota exceeded"."""

    retryable = False


class UsageLimitReachedInStreamError(ResponseFailedError, UsageLimitReached):
    """A plan's window is used up, told inside the stream."""

    retryable = False


class UsageNotIncludedInStreamError(ResponseFailedError, UsageNotIncluded):
    """The stable message is "usage not included"."""

    retryable = False


class RateLimitedInStreamError(ResponseFailedError, RateLimited):
    """Too much for the moment, told inside the stream."""


class ServerOverloadedInStreamError(ResponseFailedError, ServerOverloaded):
    """At capacity, told inside the stream."""


class ModelNotFoundInStreamError(ResponseFailedError, ModelNotFound):
    """No such model, told inside the stream."""

    retryable = False


class InvalidPromptError(ResponseFailedError, InvalidPrompt):
    """The prompt is refused, told inside the stream."""

    retryable = False


class PolicyViolationError(ResponseFailedError, PolicyViolation):
    """A policy stopped the turn, told inside the stream."""

    retryable = False


class InvalidRequestInStreamError(ResponseFailedError, InvalidRequest):
    """A wrong request (an HTTP 4xx number as code), told inside the stream."""

    retryable = False


class AuthenticationInStreamError(ResponseFailedError, AuthenticationFailed):
    """The credential is refused, told inside the stream."""

    retryable = False


class PermissionDeniedInStreamError(ResponseFailedError, PermissionDenied):
    """The credential may not do this, told inside the stream."""

    retryable = False


class IncompleteResponseError(ResponseFailedError):
    """The model stopped early. `reason`: `max_output_tokens`, `length`, `content_filter`, …, `unknown` when none was
    given.

    `token_usage` and the text so far are on `partial`.
    """

    retryable = False

    def __init__(
        self,
        message: str,
        *,
        reason: str = "unknown",
        partial: CollectedResponse | None = None,
        request_id: str | None = None,
        token_usage: TokenUsage | None = None,
    ) -> None:
        super().__init__(message, partial=partial, request_id=request_id, token_usage=token_usage)
        self.reason = reason
