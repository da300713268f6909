"""The root of all errors, and the conditions: what a failure means, wherever it was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codex_client.aggregate import CollectedResponse


class CodexError(Exception):
    """Base of all errors of this library.

    `retryable`: the same request may succeed later. `rotate_account`: another account may succeed at once, this one
    not. `retry_after`: seconds to wait as told by the server, None when it told nothing. `partial`: what had been
    received of the turn, None where nothing can have been.
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


class InvalidRequest(CodexError):
    """The request is wrong as it stands: the same one would be refused again."""


class AuthenticationFailed(CodexError):
    """The credential is missing, wrong, expired or revoked."""

    rotate_account = True


class PermissionDenied(CodexError):
    """The credential is valid and may not do this."""

    rotate_account = True


class ContextWindowExceeded(InvalidRequest):
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


class InvalidPrompt(InvalidRequest):
    """The server refuses this prompt as such."""


class PolicyViolation(InvalidRequest):
    """A content or safety policy stopped the request or the answer."""
