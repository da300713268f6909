"""Each HTTP error answer is its class, is retried or not, and moves to another account or not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_client.classify import status_error
from codex_client.errors import (
    AuthenticationError,
    ContextWindowExceeded,
    ContextWindowExceededStatusError,
    InvalidPromptStatusError,
    InvalidRequestError,
    ModelNotFoundError,
    NetworkBlockedError,
    NotFoundError,
    PermissionDeniedError,
    PolicyViolationStatusError,
    QuotaExceededStatusError,
    RateLimitError,
    ServerError,
    ServerOverloadedError,
    UnexpectedStatusError,
    UsageLimitReachedError,
    UsageNotIncludedError,
)

FINAL, RETRY = False, True
STAY, ROTATE = False, True


def error_of(status: int, body: Any = "", headers: dict[str, str] | None = None) -> UnexpectedStatusError:
    text = body if isinstance(body, str) else json.dumps(body)
    return status_error(status=status, body=text, headers=headers or {}, url=None, now=0.0)


def verdict(error: UnexpectedStatusError) -> tuple[type, bool, bool]:
    return type(error), error.retryable, error.rotate_account


BY_STATUS = {
    400: (InvalidRequestError, FINAL, STAY),
    401: (AuthenticationError, FINAL, ROTATE),
    402: (QuotaExceededStatusError, FINAL, ROTATE),
    403: (PermissionDeniedError, FINAL, ROTATE),
    404: (NotFoundError, FINAL, STAY),
    405: (UnexpectedStatusError, FINAL, STAY),
    408: (UnexpectedStatusError, RETRY, STAY),
    409: (UnexpectedStatusError, RETRY, STAY),
    413: (InvalidRequestError, FINAL, STAY),
    421: (UnexpectedStatusError, FINAL, STAY),
    422: (InvalidRequestError, FINAL, STAY),
    425: (UnexpectedStatusError, RETRY, STAY),
    429: (RateLimitError, RETRY, ROTATE),
    500: (ServerError, RETRY, STAY),
    502: (ServerError, RETRY, STAY),
    503: (ServerOverloadedError, RETRY, STAY),
    504: (ServerError, RETRY, STAY),
    525: (ServerError, RETRY, STAY),
    529: (ServerOverloadedError, RETRY, STAY),
    302: (UnexpectedStatusError, FINAL, STAY),
    600: (UnexpectedStatusError, FINAL, STAY),
}


@pytest.mark.parametrize("status", BY_STATUS)
@pytest.mark.parametrize("body", ["", "plain words", {"error": {"message": "m", "type": "invalid_request_error"}}])
def test_the_status_decides_where_nothing_else_speaks(status: int, body: Any) -> None:
    assert verdict(error_of(status, body)) == BY_STATUS[status]


@pytest.mark.parametrize(
    "status, error, expected",
    [
        (429, {"type": "usage_limit_reached", "plan_type": "plus"}, (UsageLimitReachedError, FINAL, ROTATE)),
        (429, {"type": "usage_limit_reached", "code": "rate_limit_exceeded"}, (UsageLimitReachedError, FINAL, ROTATE)),
        (429, {"type": "usage_not_included"}, (UsageNotIncludedError, FINAL, ROTATE)),
        (429, {"type": "insufficient_quota", "code": "insufficient_quota"}, (QuotaExceededStatusError, FINAL, ROTATE)),
        (403, {"code": "billing_not_active"}, (QuotaExceededStatusError, FINAL, ROTATE)),
        (402, {"code": "deactivated_workspace"}, (PermissionDeniedError, FINAL, ROTATE)),
        (429, {"type": "tokens", "code": "rate_limit_exceeded"}, (RateLimitError, RETRY, ROTATE)),
        (429, {"code": "flex_unavailable"}, (ServerOverloadedError, FINAL, STAY)),
        (503, {"code": "server_is_overloaded"}, (ServerOverloadedError, RETRY, STAY)),
        (503, {"code": "slow_down"}, (RateLimitError, RETRY, ROTATE)),
        (500, {"type": "overloaded_error"}, (ServerOverloadedError, RETRY, STAY)),
        (501, {"type": "not_supported_error"}, (ServerError, FINAL, STAY)),
        (400, {"code": "context_length_exceeded"}, (ContextWindowExceededStatusError, FINAL, STAY)),
        (400, {"code": "invalid_prompt"}, (InvalidPromptStatusError, FINAL, STAY)),
        (400, {"code": "content_filter"}, (PolicyViolationStatusError, FINAL, STAY)),
        (403, {"code": "cyber_policy"}, (PolicyViolationStatusError, FINAL, STAY)),
        (400, {"code": "unsupported_parameter", "param": "seed"}, (InvalidRequestError, FINAL, STAY)),
        (400, {"code": "invalid_encrypted_content"}, (InvalidRequestError, FINAL, STAY)),
        (404, {"code": "previous_response_not_found"}, (InvalidRequestError, FINAL, STAY)),
        (400, {"code": "model_not_found", "param": "model"}, (ModelNotFoundError, FINAL, STAY)),
        (404, {"code": "DeploymentNotFound"}, (ModelNotFoundError, FINAL, STAY)),
        (401, {"code": "invalid_request_error", "type": "authentication_error"}, (AuthenticationError, FINAL, ROTATE)),
        (403, {"code": "unsupported_country_region_territory"}, (PermissionDeniedError, FINAL, STAY)),
    ],
)
def test_code_and_type_come_before_the_status(
    status: int, error: dict[str, Any], expected: tuple[type, bool, bool]
) -> None:
    assert verdict(error_of(status, {"error": error})) == expected


@pytest.mark.parametrize(
    "status, message",
    [
        (400, "Your input exceeds the context window of this model. Please adjust your input and try again."),
        (400, "This model's maximum context length is 1048565 tokens. However, you requested 1250025 tokens."),
        (400, "This endpoint's maximum context length is 131072 tokens. However, you requested about 200000 tokens."),
        (400, "request (2009 tokens) exceeds the available context size (512 tokens), try increasing it"),
        (500, "the request exceeds the available context size"),
        (400, "prompt too long; exceeded max context length by 12 tokens"),
        (400, "prompt is too long: 210000 tokens > 200000 maximum"),
        (400, "too many tokens: size limit exceeded by 12 tokens"),
        (400, "The input token count (1250025) exceeds the maximum number of tokens allowed (1048576)."),
        (400, "This model's maximum prompt length is 131072 but the request contains 200000 tokens."),
        (400, "The decoder prompt (length 9000) is longer than the maximum model length of 4096."),
        (422, "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens"),
        (422, "`inputs` must have less than 1024 tokens. Given: 1200"),
        (400, "However, the model is loaded with context length of only 4096 tokens"),
        (413, "Input is too long for requested model."),
    ],
)
def test_a_context_that_is_too_long_is_known_by_its_words(status: int, message: str) -> None:
    error = error_of(status, {"error": {"message": message, "type": "invalid_request_error"}})
    assert verdict(error) == (ContextWindowExceededStatusError, FINAL, STAY)
    assert isinstance(error, ContextWindowExceeded)


@pytest.mark.parametrize(
    "status, message, expected",
    [
        (
            429,
            "Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Requested 50000.",
            (RateLimitError, FINAL, ROTATE),
        ),
        (
            413,
            (
                "Request too large for model `llama` in organization `o` tier `free` on tokens per minute (TPM): "
                "Limit 6000, Requested 9000, please reduce your message size and try again."
            ),
            (RateLimitError, FINAL, ROTATE),
        ),
        (413, "Limit 6000 tokens per minute, maximum context length unaffected", (RateLimitError, RETRY, ROTATE)),
        (429, "maximum context length is fine, but slow down", (RateLimitError, RETRY, ROTATE)),
        (400, "max_tokens is too large: 500000. This model supports at most 16384", (InvalidRequestError, FINAL, STAY)),
    ],
)
def test_a_rate_limit_on_tokens_is_no_context_overflow(
    status: int, message: str, expected: tuple[type, bool, bool]
) -> None:
    assert verdict(error_of(status, {"error": {"message": message}})) == expected


@pytest.mark.parametrize(
    "status, body, expected",
    [
        (404, {"error": "model 'nonexistent:latest' not found"}, ModelNotFoundError),
        (404, {"message": "The model `x/y` does not exist or you do not have access to it."}, ModelNotFoundError),
        (404, {"error": "Model this-does-not-exist does not exist"}, ModelNotFoundError),
        (404, {"error": {"message": "models/x is not found for API version v1beta"}}, ModelNotFoundError),
        (404, {"error": {"message": "No endpoints found for a/b."}}, ModelNotFoundError),
        (400, {"error": {"message": "a/b is not a valid model ID"}}, ModelNotFoundError),
        (400, {"message": "Invalid model: foo", "code": "1500"}, ModelNotFoundError),
        (400, {"code": "InvalidParameter", "message": "Model not exist."}, ModelNotFoundError),
        (
            400,
            {"detail": "The 'gpt-5-pro' model is not supported when using Codex with a ChatGPT account."},
            ModelNotFoundError,
        ),
        (404, {"error": {"message": "Completion chatcmpl-x not found", "param": "completion_id"}}, NotFoundError),
        (404, {"error": {"message": "No endpoints found that support tool use."}}, NotFoundError),
        (404, {"error": {"message": "Invalid URL (POST /v1/chat/completions/chat/completions)"}}, NotFoundError),
        (400, {"message": "Logprobs are not enabled for this model"}, InvalidRequestError),
        (400, {"code": "invalid-argument", "error": "Incorrect API key provided: xa***"}, AuthenticationError),
        (400, {"error": {"code": 400, "message": "API key not valid. Please pass one."}}, AuthenticationError),
        (403, {"error": "Insufficient credits"}, QuotaExceededStatusError),
        (400, {"error": {"message": "Your credit balance is too low to access the API."}}, QuotaExceededStatusError),
        (429, {"error": "Your team has used all available credits"}, QuotaExceededStatusError),
        (429, {"error": {"message": "You exceeded your current quota. Please retry in 48s."}}, RateLimitError),
        (500, {"error": "The server is currently overloaded"}, ServerOverloadedError),
        (429, {"error": "Selected model is at capacity. Please try a different model."}, ServerOverloadedError),
        (400, {"detail": "Request blocked."}, InvalidPromptStatusError),
        (400, {"detail": "Instructions are required"}, InvalidRequestError),
    ],
)
def test_words_speak_where_the_code_is_silent(status: int, body: Any, expected: type) -> None:
    assert type(error_of(status, body)) is expected


PAGE = "<!DOCTYPE html>\n<html><head><title>{}</title></head><body>{}</body></html>"


@pytest.mark.parametrize(
    "status, body, headers, expected",
    [
        (403, PAGE.format("Attention Required! | Cloudflare", ""), {"cf-ray": "1-FRA"}, NetworkBlockedError),
        (403, PAGE.format("Just a moment...", ""), {}, NetworkBlockedError),
        (403, PAGE.format("Blocked by your company", ""), {}, NetworkBlockedError),
        (403, "<p>no</p>", {"content-type": "Text/HTML"}, NetworkBlockedError),
        (403, "", {"cf-mitigated": "challenge"}, NetworkBlockedError),
        (429, "", {"CF-Mitigated": "challenge"}, NetworkBlockedError),
        (503, PAGE.format("Just a moment...", ""), {}, NetworkBlockedError),
        (503, PAGE.format("x", "/cdn-cgi/challenge-platform/"), {}, NetworkBlockedError),
        (429, PAGE.format("Access denied", "error 1015, cloudflare"), {"cf-ray": "1-FRA"}, NetworkBlockedError),
        (429, PAGE.format("Too many", "cloudflare"), {}, RateLimitError),
        (503, PAGE.format("503 Service Unavailable", "nginx"), {"cf-ray": "1-FRA"}, ServerOverloadedError),
        (502, PAGE.format("502 Bad Gateway", "cloudflare"), {"cf-ray": "1-FRA"}, ServerError),
        (404, PAGE.format("Not Found", ""), {"cf-ray": "1-FRA"}, NotFoundError),
        (401, PAGE.format("Sign in", ""), {"cf-mitigated": "x"}, AuthenticationError),
        (403, {"error": {"message": "<b>no</b>"}}, {"cf-ray": "1-FRA"}, PermissionDeniedError),
        (403, {"error": {"message": "<b>no</b>"}}, {"content-type": "text/html"}, PermissionDeniedError),
    ],
)
def test_a_page_of_the_network_is_not_the_account_s_fault(
    status: int, body: Any, headers: dict[str, str], expected: type
) -> None:
    error = error_of(status, body, headers)
    assert type(error) is expected
    if expected is NetworkBlockedError:
        assert verdict(error) == (NetworkBlockedError, RETRY, STAY)
