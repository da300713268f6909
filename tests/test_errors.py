"""Errors are plain values: they carry their facts and survive being sent elsewhere."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from codex_client import errors
from codex_client.aggregate import CollectedResponse
from codex_client.errors import (
    CodexError,
    IncompleteResponseError,
    PoolExhaustedError,
    RateLimitError,
    RetryLimitError,
    StreamClosedError,
    TokenRefreshError,
    UsageLimitReachedError,
)
from codex_client.items import Message
from codex_client.model_variants import RateLimitSnapshot, RateLimitWindow

ALL = [
    error
    for _, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, CodexError) and error.__module__.startswith(errors.__name__)
]
PARTIAL = CollectedResponse(response_id="resp_1", items=(Message.assistant("half"),))


def conditions_of(error: type[CodexError]) -> set[type]:
    """All that an `except` for a meaning catches it by."""
    return {base for base in error.__mro__ if base.__module__ == CodexError.__module__} - {CodexError}


def facts_of(error: BaseException) -> tuple[type, tuple[object, ...], dict[str, object]]:
    return type(error), error.args, error.__dict__


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_every_error_needs_only_a_message_and_survives_pickle_and_copy(error: type[CodexError]) -> None:
    made = error("what happened; what to do")
    made.partial = PARTIAL
    assert made.message == str(made) == "what happened; what to do"
    assert facts_of(pickle.loads(pickle.dumps(made))) == facts_of(made)
    assert facts_of(copy.copy(made)) == facts_of(made)
    assert facts_of(copy.deepcopy(made)) == facts_of(made)


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_every_error_is_documented(error: type[CodexError]) -> None:
    assert inspect.getdoc(error)


def test_facts_survive_pickle() -> None:
    error = UsageLimitReachedError(
        "usage limit reached",
        status=429,
        body="{}",
        code="usage_limit_reached",
        headers={"x-request-id": "req_1"},
        retry_after=3.5,
        resets_at=1999999999.0,
        plan_type="pro",
        rate_limits=[RateLimitSnapshot(primary=RateLimitWindow(100.0, 300, 1999999999.0))],
    )
    assert facts_of(pickle.loads(pickle.dumps(error))) == facts_of(error)


@pytest.mark.parametrize(
    "status_form, stream_form",
    [
        ("InvalidRequestError", "InvalidRequestInStreamError"),
        ("AuthenticationError", "AuthenticationInStreamError"),
        ("PermissionDeniedError", "PermissionDeniedInStreamError"),
        ("ContextWindowExceededStatusError", "ContextWindowExceededError"),
        ("QuotaExceededStatusError", "QuotaExceededError"),
        ("UsageLimitReachedError", "UsageLimitReachedInStreamError"),
        ("UsageNotIncludedError", "UsageNotIncludedInStreamError"),
        ("RateLimitError", "RateLimitedInStreamError"),
        ("ServerOverloadedError", "ServerOverloadedInStreamError"),
        ("ModelNotFoundError", "ModelNotFoundInStreamError"),
        ("InvalidPromptStatusError", "InvalidPromptError"),
        ("PolicyViolationStatusError", "PolicyViolationError"),
    ],
)
def test_one_except_catches_a_meaning_in_both_its_forms(status_form: str, stream_form: str) -> None:
    [condition] = set(getattr(errors, status_form).__bases__) & set(getattr(errors, stream_form).__bases__)
    assert conditions_of(getattr(errors, status_form)) == conditions_of(getattr(errors, stream_form))
    assert condition in conditions_of(getattr(errors, status_form))
    assert issubclass(getattr(errors, status_form), errors.UnexpectedStatusError)
    assert issubclass(getattr(errors, stream_form), errors.ResponseFailedError)


def test_usage_limits_are_rate_limits_that_waiting_a_moment_does_not_cure() -> None:
    assert RateLimitError("slow down").retryable
    assert not UsageLimitReachedError("used up").retryable
    assert UsageLimitReachedError("used up").rotate_account


def test_a_retry_limit_tells_of_its_last_error() -> None:
    last = StreamClosedError("stream closed", partial=PARTIAL)
    error = RetryLimitError("3 attempts failed", attempts=3, last_error=last)
    assert (error.attempts, error.last_error, error.partial, error.rotate_account) == (3, last, PARTIAL, False)
    assert RetryLimitError("none").last_error is None


def test_a_permanent_refresh_failure_is_not_retryable() -> None:
    assert TokenRefreshError("503").retryable
    assert not TokenRefreshError("revoked", permanent=True).retryable


def test_pool_exhausted_lists_its_reasons() -> None:
    error = PoolExhaustedError("no account", next_available_at=5.0, reasons={"a": "usage limit"})
    assert (error.next_available_at, error.reasons) == (5.0, {"a": "usage limit"})


def test_incomplete_defaults_to_an_unknown_reason() -> None:
    assert IncompleteResponseError("incomplete").reason == "unknown"
