"""Errors as OpenAI's clients get them: status, headers, body."""

from __future__ import annotations

import inspect
import math
import re
from typing import Any

import httpx2
import pytest
from openai import APIStatusError, OpenAI

from codex_client import errors
from codex_client.bridge.errors import error_answer, error_object
from codex_client.errors import CodexError
from tests.support.error_texts import texts_of_errors

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, CodexError)]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_has_an_answer_in_openais_shape(kind: type[CodexError]) -> None:
    answer = error_answer(kind("what happened; what to do"))
    assert 400 <= answer.status < 600
    told = answer.body["error"]
    assert list(told)[:4] == ["message", "type", "param", "code"]
    assert told["message"].endswith("what happened; what to do")


@pytest.mark.parametrize(
    "said, told",
    [
        ("no frame for 5 s; raise `Timeouts.idle` or check the provider's status",
         "no frame for 5 s; check the provider's status"),
        ("no API key for provider 'x'; set X_KEY, or pass auth=", "no API key for provider 'x'; set X_KEY"),
        ("garbled; ask again, or with a shorter history; GuardPolicy(garbled=False) lets such output through",
         "garbled; ask again, or with a shorter history"),
        ("it takes low; ask for it, or give the client a `catalogue` that knows better", "it takes low; ask for it"),
        ("no model given; name one, such as connect('m') or Prompt(…, model='m'), or set M",
         "no model given; name one or set M"),
        ("closed after 6 frames; try again; what came before it is on `.partial`", "closed after 6 frames; try again"),
        ("cut short; raise `Prompt.max_output_tokens`, lower the reasoning effort or shorten the input",
         "cut short; lower the reasoning effort or shorten the input"),
        ("it keeps nothing; send the whole history as input, as Prompt.with_history does",
         "it keeps nothing; send the whole history as input"),
        ("no file_id is known there; give its image_url, or use InputImage.from_bytes",
         "no file_id is known there; give its image_url"),
        ("half a letter; replace it, as by text.encode('utf-8', 'replace').decode()", "half a letter; replace it"),
        ("no events; check the base URL, and that the server speaks this `wire_api` and streams",
         "no events; check the base URL"),
        ("used up until 9 pm; its models are better given `for_limit('x')`", "used up until 9 pm"),
        ("restarted; use RestartPolicy(after_output='raise')", "restarted"),
        ("RetryPolicy was in what happened", "RetryPolicy was in what happened"),
    ],
)  # fmt: skip
def test_advice_that_only_a_program_in_python_can_follow_is_not_given(said: str, told: str) -> None:
    assert error_object(CodexError(said))["message"] == told


def test_no_advice_of_the_library_names_what_only_python_has() -> None:
    """But where a client or an object is made, which is no caller's doing."""
    python = re.compile(
        r"; .*(?:\w\((?!s\))|\b[A-Z]\w+\.[a-z]|`\.\w|\b[a-z_]+=(?!\")|"
        r"\b(?:\w+Policy|Timeouts|StreamLimits|RefreshingAuth)\b|`(?:wire_api|catalogue|strict_parameters)`)"
    )
    of_making = re.compile(r"^(?:unknown provider|api_version|a ResponseStream was dropped|aiohttp X;)")
    texts = [text for text in texts_of_errors() if not of_making.match(text)]
    assert len([text for text in texts if python.search(text)]) > 20
    told = [error_object(CodexError(text))["message"] for text in texts]
    assert [text for text in told if python.search(text) or text.endswith("; ")] == []


@pytest.mark.parametrize(
    "error, status, kind, code",
    [
        (errors.ContextWindowExceededError("x"), 400, "invalid_request_error", "context_length_exceeded"),
        (errors.InvalidPromptError("x"), 400, "invalid_request_error", "invalid_prompt"),
        (errors.PolicyViolationError("x", code="cyber_policy"), 400, "invalid_request_error", "cyber_policy"),
        (errors.InvalidRequestInStreamError("x"), 400, "invalid_request_error", None),
        (errors.AuthenticationInStreamError("x"), 502, "server_error", "upstream_authentication"),
        (errors.PermissionDeniedInStreamError("x"), 502, "server_error", "upstream_authentication"),
        (errors.UsageNotIncludedInStreamError("x"), 403, "usage_not_included", "usage_not_included"),
        (errors.ModelNotFoundInStreamError("x"), 404, "invalid_request_error", "model_not_found"),
        (errors.QuotaExceededError("x"), 429, "insufficient_quota", "insufficient_quota"),
        (errors.UsageLimitReachedInStreamError("x"), 429, "usage_limit_reached", "usage_limit_reached"),
        (errors.RateLimitedInStreamError("x"), 429, "rate_limit_error", "rate_limit_exceeded"),
        (errors.ServerOverloadedInStreamError("x"), 503, "server_error", "server_is_overloaded"),
        (errors.ResponseFailedError("x"), 500, "server_error", "server_error"),
        (errors.FirstEventTimeoutError("x"), 504, "server_error", "timeout"),
        (errors.StreamClosedError("x"), 502, "server_error", "upstream_error"),
        (errors.DnsError("x"), 502, "server_error", "upstream_error"),
        (errors.ConnectTimeoutError("x"), 504, "server_error", "timeout"),
        (errors.PoolTimeoutError("x"), 503, "server_error", "no_connection_free"),
        (errors.GarbledOutputError("x"), 502, "server_error", "garbled_output"),
        (errors.EmptyResponseError("x"), 502, "server_error", "empty_response"),
        (errors.MissingCredentialsError("x"), 503, "server_error", "missing_credentials"),
        (errors.LoginRequiredError("x"), 503, "server_error", "login_required"),
        (errors.TokenRefreshError("x"), 503, "server_error", "token_refresh_failed"),
        (errors.TokenRefreshError("x", permanent=True), 503, "server_error", "login_required"),
        (errors.TokenStoreError("x"), 500, "server_error", "server_error"),
        (errors.PoolExhaustedError("x"), 429, "rate_limit_error", "accounts_exhausted"),
        (errors.ConfigurationError("x"), 400, "invalid_request_error", None),
        (errors.MissingExtraError("x"), 500, "server_error", "server_error"),
        (errors.RetryLimitError("x"), 500, "server_error", "server_error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, CodexError) else None,
)
def test_what_a_server_tells_without_a_status_gets_the_one_that_openai_gives(
    error: CodexError, status: int, kind: str, code: str | None
) -> None:
    """E1–E3."""
    answer = error_answer(error)
    assert (answer.status, answer.body["error"]["type"], answer.body["error"]["code"]) == (status, kind, code)


@pytest.mark.parametrize(
    "error, status",
    [
        (errors.ServerError("x", status=520), 520),
        (errors.ServerError("x", status=200), 502),
        (errors.UnexpectedStatusError("x", status=302), 502),
        (errors.UnexpectedStatusError("x", status=409), 409),
        (errors.NetworkBlockedError("x", status=403), 502),
        (errors.QuotaExceededStatusError("x", status=402), 402),
        (errors.InvalidRequestError("x", status=413), 413),
        (errors.NotFoundError("x", status=404), 404),
    ],
)
def test_a_status_that_the_server_told_is_kept(error: CodexError, status: int) -> None:
    assert error_answer(error).status == status


@pytest.mark.parametrize("error", [errors.AuthenticationError, errors.PermissionDeniedError])
def test_a_refused_credential_is_not_told_as_the_callers(error: type[errors.UnexpectedStatusError]) -> None:
    answer = error_answer(error("x", status=401, code="invalid_api_key", server_message="no such key"))
    told = answer.body["error"]
    assert (answer.status, answer.headers) == (502, {"x-should-retry": "false"})
    assert (told["code"], told["message"]) == (
        "upstream_authentication",
        "the provider refuses the credential that it was sent: no such key",
    )


@pytest.mark.parametrize("seconds, wanted", [(0.2, "1"), (2.0, "2"), (2.001, "3"), (0.0, "0"), (-3.0, "0")])
def test_the_wait_is_whole_seconds_and_never_shorter_than_told(seconds: float, wanted: str) -> None:
    """E4."""
    assert error_answer(errors.RateLimitError("x", status=429, retry_after=seconds)).headers["retry-after"] == wanted


@pytest.mark.parametrize("seconds", [None, math.inf, math.nan])
def test_no_wait_is_told_where_there_is_none(seconds: float | None) -> None:
    assert "retry-after" not in error_answer(errors.RateLimitError("x", status=429, retry_after=seconds)).headers


def test_a_moment_becomes_a_wait() -> None:
    limit = errors.UsageLimitReachedError("x", status=429, resets_at=1000.5, plan_type="plus")
    assert error_answer(limit, now=990.0).headers["retry-after"] == "11"
    assert "retry-after" not in error_answer(limit).headers
    assert (
        error_answer(errors.PoolExhaustedError("x", next_available_at=1000.0), now=940.0).headers["retry-after"] == "60"
    )
    assert "retry-after" not in error_answer(errors.PoolExhaustedError("x"), now=940.0).headers
    assert error_object(limit)["resets_at"] == 1000.5
    assert error_object(limit)["plan_type"] == "plus"


def test_the_server_s_own_words_and_ids_are_kept() -> None:
    error = errors.InvalidRequestError(
        "unexpected status 400 …",
        status=400,
        server_message="no such tool",
        param="tools[0]",
        code="bad",
        request_id="req_1",
    )
    answer = error_answer(error)
    told = {"message": "no such tool", "type": "invalid_request_error", "param": "tools[0]", "code": "bad"}
    assert answer.body == {"error": told}
    assert answer.headers == {"x-request-id": "req_1"}


def test_a_refused_parameter_is_named() -> None:
    told = error_object(errors.UnsupportedParameterError("x", parameter="text.verbosity"))
    assert (told["param"], told["code"]) == ("text.verbosity", "unsupported_parameter")
    assert error_object(errors.InvalidPayloadError("x", param="messages[0].role"))["param"] == "messages[0].role"


def test_retries_in_vain_answer_as_the_last_failure() -> None:
    last = errors.ServerOverloadedError("busy", status=529, retry_after=1.5)
    gave_up = errors.RetryLimitError("gave up", attempts=5, last_error=last)
    assert error_answer(gave_up) == error_answer(last)
    assert error_object(gave_up) == error_object(last)
    longer = errors.RetryLimitError("gave up", attempts=5, last_error=last, retry_after=7.0)
    assert error_answer(longer).headers["retry-after"] == "7"


@pytest.mark.parametrize(
    "error, told",
    [
        (errors.UsageLimitReachedError("x", status=429), "false"),
        (errors.MissingExtraError("x"), "false"),
        (errors.RateLimitError("x", status=429), None),
        (errors.InvalidPromptError("x"), None),
    ],
)
def test_clients_are_kept_from_trying_again_in_vain(error: CodexError, told: str | None) -> None:
    assert error_answer(error).headers.get("x-should-retry") == told


@pytest.mark.parametrize("retryable, requests", [(False, 1), (True, 2)])
def test_openai_python_obeys(retryable: bool, requests: int) -> None:
    seen: list[Any] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        kind = errors.RateLimitError if retryable else errors.UsageLimitReachedError
        told = error_answer(kind("used up", status=429, retry_after=0.0))
        return httpx2.Response(told.status, headers=dict(told.headers), json=dict(told.body))

    transport = httpx2.MockTransport(answer)
    with (
        OpenAI(
            base_url="http://x/v1", api_key="k", max_retries=1, http_client=httpx2.Client(transport=transport)
        ) as client,
        pytest.raises(APIStatusError) as caught,
    ):
        client.responses.create(model="m", input="hi")
    assert (caught.value.status_code, len(seen)) == (429, requests)
    assert "used up" in caught.value.message
