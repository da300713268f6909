"""Each code told inside a stream is its class, is retried or not, and moves to another account or not."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from codex_client.classify import ServerFailure, in_stream_error, meaning, parse_failure
from codex_client.classify.meaning import Meaning
from codex_client.errors import (
    AuthenticationInStreamError,
    CodexError,
    ContextWindowExceeded,
    ContextWindowExceededError,
    InvalidPromptError,
    InvalidRequest,
    InvalidRequestInStreamError,
    ModelNotFoundInStreamError,
    PermissionDeniedInStreamError,
    PolicyViolationError,
    QuotaExceededError,
    RateLimitedInStreamError,
    ResponseFailedError,
    ServerOverloadedInStreamError,
    UsageLimitReachedInStreamError,
    UsageNotIncludedInStreamError,
)

FINAL, RETRY = False, True
STAY, ROTATE = False, True

BY_CODE = {
    "context_length_exceeded": (ContextWindowExceededError, FINAL, STAY),
    "max_response_tokens": (ContextWindowExceededError, FINAL, STAY),
    "exceed_context_size_error": (ContextWindowExceededError, FINAL, STAY),
    "too_many_prompt_tokens": (ContextWindowExceededError, FINAL, STAY),
    "TOO_MANY_TOKENS": (ContextWindowExceededError, FINAL, STAY),
    "insufficient_quota": (QuotaExceededError, FINAL, ROTATE),
    "credit_balance_exhausted": (QuotaExceededError, FINAL, ROTATE),
    "organization_spend_limit_exceeded": (QuotaExceededError, FINAL, ROTATE),
    "project_spend_limit_exceeded": (QuotaExceededError, FINAL, ROTATE),
    "organization_usage_limit_exceeded": (QuotaExceededError, FINAL, ROTATE),
    "quota_exceeded": (QuotaExceededError, FINAL, ROTATE),
    "402": (QuotaExceededError, FINAL, ROTATE),
    "usage_limit_reached": (UsageLimitReachedInStreamError, FINAL, ROTATE),
    "usage_not_included": (UsageNotIncludedInStreamError, FINAL, ROTATE),
    "rate_limit_exceeded": (RateLimitedInStreamError, RETRY, ROTATE),
    "slow_down": (RateLimitedInStreamError, RETRY, ROTATE),
    "429": (RateLimitedInStreamError, RETRY, ROTATE),
    "server_is_overloaded": (ServerOverloadedInStreamError, RETRY, STAY),
    "insufficient_system_resource": (ServerOverloadedInStreamError, RETRY, STAY),
    "503": (ServerOverloadedInStreamError, RETRY, STAY),
    "529": (ServerOverloadedInStreamError, RETRY, STAY),
    "flex_unavailable": (ServerOverloadedInStreamError, FINAL, STAY),
    "policy_capacity_unavailable": (ServerOverloadedInStreamError, FINAL, STAY),
    "model_not_found": (ModelNotFoundInStreamError, FINAL, STAY),
    "invalid_prompt": (InvalidPromptError, FINAL, STAY),
    "cyber_policy": (PolicyViolationError, FINAL, STAY),
    "bio_policy": (PolicyViolationError, FINAL, STAY),
    "misalignment_policy_violation": (PolicyViolationError, FINAL, STAY),
    "content_policy_violation": (PolicyViolationError, FINAL, STAY),
    "content_filter": (PolicyViolationError, FINAL, STAY),
    "access_program_not_enabled": (PolicyViolationError, FINAL, STAY),
    "inference_hook_denied": (PolicyViolationError, FINAL, STAY),
    "invalid_request_error": (InvalidRequestInStreamError, FINAL, STAY),
    "invalid-argument": (InvalidRequestInStreamError, FINAL, STAY),
    "invalid_image": (InvalidRequestInStreamError, FINAL, STAY),
    "invalid_audio_input": (InvalidRequestInStreamError, FINAL, STAY),
    "previous_response_not_found": (InvalidRequestInStreamError, FINAL, STAY),
    "invalid_encrypted_content": (InvalidRequestInStreamError, FINAL, STAY),
    "not_supported_error": (InvalidRequestInStreamError, FINAL, STAY),
    "400": (InvalidRequestInStreamError, FINAL, STAY),
    "404": (InvalidRequestInStreamError, FINAL, STAY),
    "413": (InvalidRequestInStreamError, FINAL, STAY),
    "418": (InvalidRequestInStreamError, FINAL, STAY),
    "422": (InvalidRequestInStreamError, FINAL, STAY),
    "401": (AuthenticationInStreamError, FINAL, ROTATE),
    "403": (PermissionDeniedInStreamError, FINAL, ROTATE),
    "invalid_api_key": (AuthenticationInStreamError, FINAL, ROTATE),
    "deactivated_workspace": (PermissionDeniedInStreamError, FINAL, ROTATE),
    "unsupported_country_region_territory": (PermissionDeniedInStreamError, FINAL, STAY),
    "408": (ResponseFailedError, RETRY, STAY),
    "409": (ResponseFailedError, RETRY, STAY),
    "500": (ResponseFailedError, RETRY, STAY),
    "502": (ResponseFailedError, RETRY, STAY),
    "server_error": (ResponseFailedError, RETRY, STAY),
    "misalignment_policy": (ResponseFailedError, RETRY, STAY),
    "websocket_connection_limit_reached": (ResponseFailedError, RETRY, STAY),
    "something_new": (ResponseFailedError, RETRY, STAY),
}


@pytest.mark.parametrize("code", BY_CODE)
def test_each_code_has_its_class(code: str) -> None:
    error = in_stream_error(parse_failure({"code": code, "message": "words"}))
    assert (type(error), error.retryable, error.rotate_account) == BY_CODE[code]
    assert (error.code, error.server_message) == (code, "words")


ROWS = {name: row for name, row in vars(meaning).items() if isinstance(row, Meaning)}
# As a status they may also tell a wrong address or method, or a server's lack; a stream that began well rules that out.
MORE_EXACT_IN_A_STREAM = {"NOT_FOUND", "OTHER", "UNSUPPORTED"}


def conditions_of(error: type[CodexError]) -> set[type]:
    return {base for base in error.__mro__ if base.__module__ == CodexError.__module__} - {CodexError}


@pytest.mark.parametrize("name", ROWS)
def test_one_meaning_is_caught_by_the_same_conditions_wherever_it_was_told(name: str) -> None:
    row = ROWS[name]
    more = {InvalidRequest} if name in MORE_EXACT_IN_A_STREAM else set[type]()
    assert conditions_of(row.in_stream_class) == conditions_of(row.status_class) | more


@pytest.mark.parametrize("number", [400, 401, 404, 408, 429, 500, 503])
def test_a_number_as_code_speaks_like_its_digits(number: int) -> None:
    error = in_stream_error(parse_failure({"error": {"code": number, "message": "words"}}))
    assert (type(error), error.retryable, error.rotate_account) == BY_CODE[str(number)]


@pytest.mark.parametrize(
    "failure, expected",
    [
        # The type decides where the code is missing, unknown or that of a rate limit.
        ({"type": "usage_limit_reached"}, UsageLimitReachedInStreamError),
        ({"type": "usage_limit_reached", "code": "rate_limit_exceeded"}, UsageLimitReachedInStreamError),
        ({"type": "usage_not_included", "code": "rate_limit_exceeded"}, UsageNotIncludedInStreamError),
        ({"type": "exceed_context_size_error", "code": 400}, ContextWindowExceededError),
        ({"type": "overloaded_error", "code": "new_code"}, ServerOverloadedInStreamError),
        ({"type": "invalid_request_error", "code": "new_code"}, InvalidRequestInStreamError),
        ({"type": "invalid_request_error", "code": "websocket_connection_limit_reached"}, ResponseFailedError),
        ({"type": "invalid_request_error", "code": "model_not_found"}, ModelNotFoundInStreamError),
        ({"type": "tokens", "code": "rate_limit_exceeded"}, RateLimitedInStreamError),
        ({"type": "server_error", "code": None}, ResponseFailedError),
        # The code comes before the status.
        ({"code": "rate_limit_exceeded", "status_code": 400}, RateLimitedInStreamError),
        ({"code": "tool_use_failed", "status_code": 400, "type": "invalid_request_error"}, InvalidRequestInStreamError),
        # Words, where no code says it.
        (
            {"message": "Rate limit reached for x on tokens per min. Please try again in 14.036s."},
            RateLimitedInStreamError,
        ),
        ({"message": "Selected model is at capacity. Please try a different model."}, ServerOverloadedInStreamError),
        ({"message": "Your input exceeds the context window of this model."}, ContextWindowExceededError),
        ({"message": "Request blocked."}, InvalidPromptError),
        ({"message": "The model `x` does not exist"}, ModelNotFoundInStreamError),
        ({"message": "An error occurred while processing your request."}, ResponseFailedError),
        (None, ResponseFailedError),
        ({}, ResponseFailedError),
    ],
)
def test_type_status_and_words_speak_where_the_code_does_not(failure: Any, expected: type[ResponseFailedError]) -> None:
    assert type(in_stream_error(parse_failure(failure))) is expected


def test_a_request_above_the_limit_of_a_whole_minute_is_not_sent_again() -> None:
    message = (
        "Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Requested 50000. "
        "The input or output tokens must be reduced in order to run successfully."
    )
    error = in_stream_error(parse_failure({"type": "tokens", "code": "rate_limit_exceeded", "message": message}))
    assert (type(error), error.retryable, error.rotate_account) == (RateLimitedInStreamError, FINAL, ROTATE)
    assert str(error).endswith(
        "this one request is above the limit of a whole window: shorten it, or have the limit raised"
    )


@pytest.mark.parametrize(
    "code, begins",
    [
        (
            "context_length_exceeded",
            "context window exceeded: words (code context_length_exceeded); request id req_1; ",
        ),
        ("insufficient_quota", "quota exceeded: words (code insufficient_quota); request id req_1; "),
        ("usage_not_included", "usage not included: words (code usage_not_included); request id req_1; "),
        ("server_error", "response failed: words (code server_error); request id req_1; "),
    ],
)
def test_the_text_begins_with_the_stable_words_and_ends_with_what_to_do(code: str, begins: str) -> None:
    error = in_stream_error(ServerFailure(code=code, message="words"), request_id="req_1")
    assert str(error).startswith(begins)
    assert len(str(error)) > len(begins)
    assert error.request_id == "req_1"


def test_a_failure_without_words_says_so() -> None:
    assert str(in_stream_error(ServerFailure())) == "response failed: the server gave no message; try again"


def test_every_fact_is_kept_and_survives_pickle_and_copy() -> None:
    failure = ServerFailure(
        code="rate_limit_exceeded",
        error_type="tokens",
        message="slow",
        param="input",
        status=429,
        retry_after=2.5,
        resets_at=1_788_879_437.0,
        plan_type="plus",
    )
    error = in_stream_error(failure, request_id="req_1")
    error.retryable = False
    for twin in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert type(twin) is RateLimitedInStreamError
        assert twin.args == error.args
        assert vars(twin) == vars(error)
    facts = (error.code, error.error_type, error.server_message, error.param, error.request_id)
    assert facts == ("rate_limit_exceeded", "tokens", "slow", "input", "req_1")
    assert (error.retry_after, error.resets_at, error.plan_type) == (2.5, 1_788_879_437.0, "plus")
    assert (error.retryable, error.rotate_account) == (False, True)


def test_the_table_marks_single_errors_and_never_the_class() -> None:
    final = in_stream_error(ServerFailure(code="flex_unavailable"))
    assert not final.retryable
    assert ServerOverloadedInStreamError.retryable
    assert isinstance(in_stream_error(ServerFailure(code="context_length_exceeded")), ContextWindowExceeded)


def test_no_key_of_the_server_s_echo_is_shown() -> None:
    error = in_stream_error(
        parse_failure({"error": {"message": "bad key sk-canary1234567890", "code": "sess-canary1234"}})
    )
    assert "canary" not in repr(error) + repr(vars(error))
