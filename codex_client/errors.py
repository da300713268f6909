"""Every failure as a class that carries its facts.

Two axes meet here. *Where* it was seen is one family each: before an HTTP answer (`TransportError`), in the HTTP status
(`UnexpectedStatusError`), in the reading of the stream (`StreamError`), or told by the server inside a stream that
had begun well (`ResponseFailedError`). *What it means* is a condition, such as `ServerOverloaded`: the status form and the
in-stream form of one meaning share it, so that one `except` catches both.

Errors are plain values: they survive `pickle` and `copy`, and never hold a credential. The message is the first
argument; every fact is a keyword with a default, and an attribute of the same name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codex_client.aggregate import CollectedResponse
    from codex_client.model_variants import RateLimitSnapshot, TokenUsage


class CodexError(Exception):
    """Base of all errors of this library.

    `retryable`: the same request may succeed later. `rotate_account`: another account may succeed at once, this one not.
    `retry_after`: seconds to wait as told by the server, None when it told nothing. `partial`: what had been received of the turn, None
    where nothing can have been.
    """

    retryable: bool = False
    rotate_account: bool = False
    partial: CollectedResponse | None = None

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    @property
    def message(self) -> str:
        return str(self.args[0])


# Conditions: what a failure means, wherever it was seen.


class ContextWindowExceeded(CodexError):
    """The input does not fit the model's context window. Never retried: shorten the input."""


class QuotaExceeded(CodexError):
    """Credit or spending limit used up. Never retried on this account."""

    rotate_account = True


class UsageLimitReached(CodexError):
    """A plan's usage window is used up until it resets."""

    rotate_account = True


class UsageNotIncluded(CodexError):
    """The account's plan does not include this service."""

    rotate_account = True


class RateLimited(CodexError):
    """Too many requests or tokens for the moment."""

    retryable = True
    rotate_account = True


class ServerOverloaded(CodexError):
    """The model or the service is at capacity; another account would meet the same."""

    retryable = True


class ModelNotFound(CodexError):
    """The model does not exist or this account may not use it."""


class InvalidPrompt(CodexError):
    """The server refuses this prompt as such."""


class PolicyViolation(CodexError):
    """A content or safety policy stopped the request or the answer."""


# Before the network.


class ConfigurationError(CodexError):
    """The library was asked for something that its configuration does not allow."""


class MissingCredentialsError(ConfigurationError):
    """No API key or token where the provider needs one. `env_key` is the environment variable that was looked at."""

    def __init__(self, message: str, *, env_key: str | None = None) -> None:
        super().__init__(message)
        self.env_key = env_key


class UnsupportedOperationError(ConfigurationError):
    """The chosen API has no such feature; nothing was sent."""


class InvalidPayloadError(ConfigurationError):
    """The prompt cannot be sent as it is (empty input, an output without its call, …); nothing was sent."""


class MissingExtraError(ConfigurationError):
    """A feature needs a package that is not installed. `extra` is the name to install."""

    def __init__(self, message: str, *, extra: str = "") -> None:
        super().__init__(message)
        self.extra = extra


# No usable HTTP answer.


class TransportError(CodexError):
    """The request could not be sent or its answer could not be read. `url` is without query and credentials."""

    retryable = True

    def __init__(self, message: str, *, url: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.url = url


class ConnectError(TransportError):
    """Connection refused or unreachable."""


class DnsError(ConnectError):
    """The host name does not resolve."""


class TlsError(ConnectError):
    """The TLS handshake failed (certificate, host name, protocol)."""

    retryable = False


class ConnectTimeoutError(ConnectError):
    """No connection within `Timeouts.connect`."""


class PoolTimeoutError(TransportError):
    """No free connection within `Timeouts.pool`."""


class WriteError(TransportError):
    """The request could not be written."""


class ReadError(TransportError):
    """The connection broke while the answer was read."""


class ProtocolError(ReadError):
    """The answer is not valid HTTP (truncated chunked body, broken compression, garbage)."""


class ProxyError(ConnectError):
    """The proxy refused or failed."""


class RedirectError(TransportError):
    """The server redirects in a circle, too often, or to a place that the request must not follow."""

    retryable = False


# An HTTP status other than 200.


class UnexpectedStatusError(CodexError):
    """The server answered with an error status.

    `body` is the beginning of the answer (capped by `StreamLimits.max_error_body_bytes`, credentials blanked); `code`, `error_type`,
    `param` and `server_message` are what could be read from it; `headers` holds only those that are safe to log.
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
        self.rate_limits = tuple(rate_limits)


class AuthenticationError(UnexpectedStatusError):
    """401: the credential is missing, wrong, expired or revoked."""

    rotate_account = True


class PermissionDeniedError(UnexpectedStatusError):
    """403: the credential is valid and may not do this."""

    rotate_account = True


class NetworkBlockedError(UnexpectedStatusError):
    """An edge (Cloudflare, a corporate proxy) answered with a page in place of the API. Not the account's fault."""

    retryable = True


class NotFoundError(UnexpectedStatusError):
    """404 that names no model: most often a wrong base URL or `wire_api`."""


class ModelNotFoundError(UnexpectedStatusError, ModelNotFound):
    """The server does not know the model."""


class InvalidRequestError(UnexpectedStatusError):
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


class UsageLimitReachedError(RateLimitError, UsageLimitReached):
    """429 because a plan's window is used up; `resets_at` (Unix seconds), `plan_type` and `rate_limits` tell which."""

    retryable = False


class UsageNotIncludedError(RateLimitError, UsageNotIncluded):
    """The plan does not include this service."""

    retryable = False


class QuotaExceededStatusError(RateLimitError, QuotaExceeded):
    """Credit used up, told by the status (402, 429)."""

    retryable = False


class ServerError(UnexpectedStatusError):
    """5xx."""

    retryable = True


class ServerOverloadedError(ServerError, ServerOverloaded):
    """The service is at capacity, told by the status (503, 529)."""


class RetryLimitError(CodexError):
    """All attempts failed. `last_error` is the failure of the last one, also its `__cause__`."""

    def __init__(
        self, message: str, *, attempts: int = 0, last_error: CodexError | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.attempts = attempts
        self.last_error = last_error
        if last_error is not None:
            self.rotate_account = last_error.rotate_account
            self.partial = last_error.partial


# The stream could not be read to its end.


class StreamError(CodexError):
    """The stream broke. `partial` is what had been received, None when nothing was."""

    retryable = True

    def __init__(
        self, message: str, *, partial: CollectedResponse | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.partial = partial


class _TimeLimitError(StreamError):
    def __init__(
        self, message: str, *, limit_seconds: float = 0.0, partial: CollectedResponse | None = None
    ) -> None:
        super().__init__(message, partial=partial)
        self.limit_seconds = limit_seconds


class IdleTimeoutError(_TimeLimitError):
    """No frame for `limit_seconds`; comments and partial bytes do not count."""


class FirstEventTimeoutError(_TimeLimitError):
    """No first frame within `limit_seconds` of sending the request."""


class StreamClosedError(StreamError):
    """The server closed the stream before its terminal event."""


class FrameTooLargeError(StreamError):
    """One frame is larger than `limit_bytes`; `size_bytes` is how much of it had arrived."""

    retryable = False

    def __init__(
        self, message: str, *, size_bytes: int = 0, limit_bytes: int = 0, partial: CollectedResponse | None = None
    ) -> None:
        super().__init__(message, partial=partial)
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class MalformedFrameError(StreamError):
    """A frame's data is not the JSON that it should be. `excerpt` is its beginning."""

    def __init__(self, message: str, *, excerpt: str = "", partial: CollectedResponse | None = None) -> None:
        super().__init__(message, partial=partial)
        self.excerpt = excerpt


class UnexpectedContentError(StreamError):
    """Status 200, but the body is no stream and no JSON answer (a login page, plain text, nothing)."""

    retryable = False

    def __init__(
        self,
        message: str,
        *,
        content_type: str | None = None,
        excerpt: str = "",
        partial: CollectedResponse | None = None,
    ) -> None:
        super().__init__(message, partial=partial)
        self.content_type = content_type
        self.excerpt = excerpt


# Told by the server inside the stream.


class ResponseFailedError(CodexError):
    """The server ended the turn with a failure (`response.failed`, an `error` event, an in-band error object).

    `code` as the server wrote it, None when it wrote none. An unknown code is retryable while nothing has been released.
    `token_usage` where the failure told what was spent.
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


class InvalidRequestInStreamError(ResponseFailedError):
    """A wrong request (an HTTP 4xx number as code), told inside the stream."""

    retryable = False


class IncompleteResponseError(ResponseFailedError):
    """The model stopped early. `reason`: `max_output_tokens`, `length`, `content_filter`, …, `unknown` when none was given.

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


class GarbledOutputError(CodexError):
    """The output holds a sign of garbling (`marker`). `partial` is what had been received."""

    def __init__(self, message: str, *, marker: str = "", partial: CollectedResponse | None = None) -> None:
        super().__init__(message)
        self.marker = marker
        self.partial = partial


class EmptyResponseError(CodexError):
    """The turn completed without text, call or refusal."""

    retryable = True

    def __init__(self, message: str, *, partial: CollectedResponse | None = None) -> None:
        super().__init__(message)
        self.partial = partial


# Identity.


class AuthError(CodexError):
    """A credential could not be had."""


class LoginRequiredError(AuthError):
    """There is no usable credential; the user must log in."""


class LoginError(AuthError):
    """A login was tried and failed."""


class TokenRefreshError(AuthError):
    """A token could not be refreshed. `permanent`: trying again cannot help, the user must log in."""

    def __init__(self, message: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.permanent = permanent
        self.retryable = not permanent


class PoolExhaustedError(CodexError):
    """No account can serve. `next_available_at`: Unix seconds of the soonest, None when unknown; `reasons`: one per account."""

    def __init__(
        self,
        message: str,
        *,
        next_available_at: float | None = None,
        reasons: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.next_available_at = next_available_at
        self.reasons: dict[str, str] = dict(reasons or {})

