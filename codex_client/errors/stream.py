"""Streams that could not be read to their end, and turns that failed as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_client.errors.base import CodexError

if TYPE_CHECKING:
    from codex_client.aggregate import CollectedResponse


class RetryLimitError(CodexError):
    """All attempts failed. `last_error` is the failure of the last one, also its `__cause__`."""

    def __init__(
        self, message: str, *, attempts: int = 0, last_error: CodexError | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.attempts = attempts
        self.last_error = last_error
        if last_error is not None:
            self.rotate_account: bool = last_error.rotate_account
            self.partial: CollectedResponse | None = last_error.partial


class StreamError(CodexError):
    """The stream broke. `partial` is what had been received, None when nothing was."""

    retryable = True

    def __init__(
        self, message: str, *, partial: CollectedResponse | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.partial = partial


class _TimeLimitError(StreamError):
    def __init__(self, message: str, *, limit_seconds: float = 0.0, partial: CollectedResponse | None = None) -> None:
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


class GarbledOutputError(CodexError):
    """The output holds a sign of garbling; `marker` is its name. `attempts` of the turn gave such output, this one
    included. `partial` is what had been released: nothing from the marker on.
    """

    retryable = True

    def __init__(
        self, message: str, *, marker: str = "", attempts: int = 1, partial: CollectedResponse | None = None
    ) -> None:
        super().__init__(message)
        self.marker = marker
        self.attempts = attempts
        self.partial = partial


class EmptyResponseError(CodexError):
    """The turn completed without text, call or refusal. `attempts` of it did, this one included."""

    retryable = True

    def __init__(self, message: str, *, attempts: int = 1, partial: CollectedResponse | None = None) -> None:
        super().__init__(message)
        self.attempts = attempts
        self.partial = partial
