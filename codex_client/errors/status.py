"""HTTP statuses other than success."""

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
    from codex_client.model_variants import RateLimitSnapshot

# In order of preference. cf-ray is not among them: it names the edge's request and not the server's.
REQUEST_ID_HEADERS = (
    "x-request-id",
    "x-oai-request-id",
    "apim-request-id",
    "request-id",
    "x-ms-request-id",
    "x-github-request-id",
    "x-amzn-requestid",
)


class UnexpectedStatusError(CodexError):
    """The server answered with an error status.

    `body` is the beginning of the answer (capped by `StreamLimits.max_error_body_bytes`, credentials blanked); `code`,
    `error_type`, `param` and `server_message` are what could be read from it; `headers` holds only those that are safe
    to log.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        body: str = "",
        url: str | None = None,
        code: str | None = None,
        error_type: str | None = None,
        param: str | None = None,
        server_message: str | None = None,
        request_id: str | None = None,
        cf_ray: str | None = None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        resets_at: float | None = None,
        plan_type: str | None = None,
        rate_limits: Sequence[RateLimitSnapshot] = (),
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.status = status
        self.body = body
        self.url = url
        self.code = code
        self.error_type = error_type
        self.param = param
        self.server_message = server_message
        self.request_id = request_id
        self.cf_ray = cf_ray
        self.headers: dict[str, str] = dict(headers or {})
        self.resets_at = resets_at
        self.plan_type = plan_type
        self.rate_limits: tuple[RateLimitSnapshot, ...] = tuple(rate_limits)


class AuthenticationError(UnexpectedStatusError, AuthenticationFailed):
    """401: the credential is missing, wrong, expired or revoked."""


class PermissionDeniedError(UnexpectedStatusError, PermissionDenied):
    """403: the credential is valid and may not do this."""


class NetworkBlockedError(UnexpectedStatusError):
    """An edge (Cloudflare, a corporate proxy) answered with a page in place of the API. Not the account's fault."""

    retryable = True


class NotFoundError(UnexpectedStatusError):
    """404 that names no model: most often a wrong base URL or `wire_api`."""


class ModelNotFoundError(UnexpectedStatusError, ModelNotFound):
    """The server does not know the model."""


class InvalidRequestError(UnexpectedStatusError, InvalidRequest):
    """400, 413, 422: the request is wrong as it stands; `param` names the field where the server told it."""


class ContextWindowExceededStatusError(InvalidRequestError, ContextWindowExceeded):
    """The input was refused as too long before any output."""


class InvalidPromptStatusError(InvalidRequestError, InvalidPrompt):
    """The prompt was refused before any output."""


class PolicyViolationStatusError(InvalidRequestError, PolicyViolation):
    """A policy refused the request before any output."""


class RateLimitError(UnexpectedStatusError, RateLimited):
    """429 for a moment's load; `retry_after` tells how long."""

    retryable = True
    rotate_account = True


class UsageLimitReachedError(UnexpectedStatusError, UsageLimitReached):
    """429 because a plan's window is used up; `resets_at` (Unix seconds), `plan_type` and `rate_limits` tell which."""


class UsageNotIncludedError(UnexpectedStatusError, UsageNotIncluded):
    """The plan does not include this service."""


class QuotaExceededStatusError(UnexpectedStatusError, QuotaExceeded):
    """Credit used up, told by the status (402, 429)."""


class ServerError(UnexpectedStatusError):
    """5xx."""

    retryable = True


class ServerOverloadedError(ServerError, ServerOverloaded):
    """The service is at capacity, told by the status (503, 529)."""
