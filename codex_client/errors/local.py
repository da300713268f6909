"""Failures on this side: configuration, credentials, login."""

from __future__ import annotations

from collections.abc import Mapping

from codex_client.errors.base import CodexError


class ConfigurationError(CodexError):
    """The library was asked for something that its configuration does not allow."""


class MissingCredentialsError(ConfigurationError):
    """No API key or token where the provider needs one. `env_key` is the environment variable that was looked at."""

    def __init__(self, message: str, *, env_key: str | None = None) -> None:
        super().__init__(message)
        self.env_key = env_key


class UnsupportedOperationError(ConfigurationError):
    """The chosen API has no such feature; nothing was sent."""


class UnsupportedParameterError(UnsupportedOperationError):
    """The provider refuses a field of the payload; nothing was sent. `parameter` is its path, such as
    `text.verbosity`.
    """

    def __init__(self, message: str, *, parameter: str = "") -> None:
        super().__init__(message)
        self.parameter = parameter


class DroppedParameterWarning(UserWarning):
    """A field of the payload was left out because the provider refuses it."""


class InvalidPayloadError(ConfigurationError):
    """The prompt cannot be sent as it is (empty input, an output without its call, …); nothing was sent. `param` names
    the field at fault where it was read from a request, such as `messages[2].role`.
    """

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class MissingExtraError(ConfigurationError):
    """A feature needs a package that is not installed. `extra` is the name to install."""

    def __init__(self, message: str, *, extra: str = "") -> None:
        super().__init__(message)
        self.extra = extra


class AuthError(CodexError):
    """A credential could not be had."""


class LoginRequiredError(AuthError):
    """There is no usable credential; the user must log in."""


class LoginError(AuthError):
    """A login was tried and failed."""


class TokenStoreError(AuthError):
    """Tokens could not be read from their store, or not be saved in it."""


class TokenRefreshError(AuthError):
    """A token could not be refreshed. `permanent`: trying again cannot help, the user must log in.

    `code` is the issuer's, `status` its HTTP status, None where none came. `answer_lost`: the request may have arrived,
    so the refresh token may have been used up.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        code: str | None = None,
        status: int | None = None,
        answer_lost: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.permanent = permanent
        self.code = code
        self.status = status
        self.answer_lost = answer_lost
        self.retryable: bool = not permanent


class PoolExhaustedError(CodexError):
    """No account can serve. `next_available_at`: Unix seconds of the soonest, None when unknown; `reasons`: one per
    account.
    """

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
