"""What each refusal of the issuer means: permanent or not, when again, and with which code."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_client.auth.refusals import issuer_code, login_refusal, refresh_failure, refresh_refusal
from codex_client.client.exchange import ExchangeAnswer
from codex_client.errors import (
    ConnectError,
    ConnectTimeoutError,
    DnsError,
    PoolTimeoutError,
    ProtocolError,
    ReadError,
    TransportError,
    WriteError,
)

NOW = 1_700_000_000.0
SECRET = "canary-0123456789"
NOT_NOW = "the issuer could not answer when it was asked for the code:"
USED_UP = "it was used already, has expired or belongs to another login"
HTML = b"<!DOCTYPE html><title>Just a moment...</title>"


def answer(status: int, body: Any = b"", **headers: str) -> ExchangeAnswer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ExchangeAnswer(status, named, content, (SECRET,))


@pytest.mark.parametrize(
    "body, code",
    [
        ({"error": {"code": "refresh_token_reused", "type": "invalid_request_error"}}, "refresh_token_reused"),
        ({"error": "invalid_grant", "error_description": "no"}, "invalid_grant"),
        ({"code": "token_expired"}, "token_expired"),
        ({"detail": {"code": "deactivated_workspace"}}, "deactivated_workspace"),
        ({"error": {"code": None, "type": "invalid_request_error"}}, "invalid_request_error"),
        ({"error": {"message": "no"}}, None),
        ({"error": SECRET}, None),
        ({"error": f"x-{SECRET}"}, None),
        ({"error": "You said something wrong"}, None),
        ({"error": "one@example.test"}, None),
        ({"error": "sk-abcdefghijklmnop"}, None),
        ({"error": "a" * 65}, None),
        ({"error": 7, "code": ["x"], "detail": "text"}, None),
        ([], None),
        (b"<html>", None),
    ],
)
def test_the_code_is_found_wherever_it_stands_and_is_nothing_but_a_code(body: Any, code: str | None) -> None:
    assert issuer_code(answer(400, body)) == code


@pytest.mark.parametrize(
    "status, body, text",
    [
        (
            401,
            {"error": {"code": "refresh_token_expired"}},
            "the refresh token has expired (401 refresh_token_expired)",
        ),
        (
            401,
            {"error": {"code": "refresh_token_reused"}},
            "the refresh token was used already, perhaps by another program with the same login (401 refresh_",
        ),
        (400, {"code": "refresh_token_reused"}, "the refresh token was used already"),
        (401, {"error": "refresh_token_invalidated"}, "the refresh token was revoked (401 refresh_token_invalidated)"),
        (400, {"error": "invalid_grant"}, "the issuer does not accept the refresh token (400 invalid_grant)"),
        (403, {"error": {"code": "token_invalidated"}}, "the login was revoked"),
        (400, {"error": {"code": "token_expired"}}, "the login has expired"),
        (400, {"error": {"code": "app_session_terminated"}}, "the login was ended at the issuer"),
        (403, {"error": {"code": "account_deactivated"}}, "the account cannot be used any more"),
        (400, {"error": {"code": "account_suspended"}}, "the account cannot be used any more"),
        (402, {"detail": {"code": "deactivated_workspace"}}, "the account cannot be used any more"),
        (400, {"error": "invalid_client"}, "the issuer does not know the client"),
        (400, {"error": "unauthorized_client"}, "the issuer lets this client refresh no token"),
        (401, {"error": {"code": "something_new"}}, "the issuer does not accept the refresh token (401 something_new)"),
        (401, b"", "the issuer does not accept the refresh token (401)"),
    ],
)
def test_permanent(status: int, body: Any, text: str) -> None:
    """F8, F8b, F9b."""
    error = refresh_refusal(answer(status, body), now=NOW)
    assert str(error).startswith(text)
    assert str(error).endswith("; log in again")
    assert (error.permanent, error.retryable, error.answer_lost, error.retry_after) == (True, False, False, None)
    assert (error.status, error.code) == (status, issuer_code(answer(status, body)))


@pytest.mark.parametrize(
    "status, body, lost, text",
    [
        (403, HTML, False, "a web page came instead of an answer"),
        (
            403,
            {"error": {"code": "unsupported_country_region_territory"}},
            False,
            "the issuer does not serve the country",
        ),
        (403, {"error": {"code": "something_new"}}, False, "the issuer refused the request (403 something_new)"),
        (403, b"", False, "the issuer refused the request (403)"),
        (400, {"error": "invalid_request"}, False, "the issuer refused the request (400 invalid_request)"),
        (429, {"error": {"code": "rate_limit_exceeded"}}, False, "too many requests to the issuer"),
        (429, {"error": "invalid_grant"}, False, "too many requests to the issuer"),
        (302, b"", False, "the issuer redirects to another address (302)"),
        (500, {"error": "invalid_grant"}, False, "the issuer failed (500 invalid_grant)"),
        (503, HTML, False, "the issuer failed (503)"),
        (502, b"", True, "the issuer failed (502)"),
        (504, b"", True, "the issuer failed (504)"),
        (200, {"token_type": "Bearer"}, True, "the answer has no tokens in it (200)"),
        (200, HTML, True, "the answer is no JSON object (200)"),
        (200, b'{"access_tok', True, "the answer is no JSON object (200)"),
    ],
)
def test_transient(status: int, body: Any, lost: bool, text: str) -> None:
    """F8c, F9: the credential is kept."""
    error = refresh_refusal(answer(status, body), now=NOW)
    assert str(error).startswith(text)
    assert str(error).endswith("; the login is kept, try again later")
    assert (error.permanent, error.retryable, error.answer_lost) == (False, True, lost)
    assert error.status == status


@pytest.mark.parametrize(
    "headers, seconds",
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after_ms": "250"}, 0.25),
        ({"retry_after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"retry_after": "Tue, 14 Nov 2023 22:00:00 GMT"}, 0.0),
        ({"retry_after": "soon"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_issuer_says_when_again(status: int, headers: dict[str, str], seconds: float | None) -> None:
    assert refresh_refusal(answer(status, b"", **headers), now=NOW).retry_after == seconds
    assert login_refusal(answer(status, b"", **headers), "the code", now=NOW).retry_after == seconds


@pytest.mark.parametrize(
    "kind, lost",
    [
        (ConnectError, False),
        (ConnectTimeoutError, False),
        (DnsError, False),
        (PoolTimeoutError, False),
        (WriteError, True),
        (ReadError, True),
        (ProtocolError, True),
    ],
)
def test_only_a_request_that_was_sent_can_have_used_up_its_token(kind: type[TransportError], lost: bool) -> None:
    error = refresh_failure(kind("no luck; check the network"))
    assert str(error) == "the token could not be refreshed: no luck; check the network"
    assert (error.permanent, error.answer_lost, error.status, error.code) == (False, lost, None, None)


@pytest.mark.parametrize(
    "status, body, text, retryable",
    [
        (
            400,
            {"error": "invalid_grant"},
            f"the issuer refused the code (400 invalid_grant): {USED_UP}; start the login again",
            False,
        ),
        (
            400,
            {"error": "invalid_request"},
            "the issuer refused the code: the issuer refused the request (400 invalid_request); start the login again",
            False,
        ),
        (
            503,
            b"",
            f"{NOT_NOW} it has a fault or is overloaded (503); try again in a minute",
            True,
        ),
        (
            429,
            b"",
            f"{NOT_NOW} too many requests to it (429); try again in a minute",
            True,
        ),
        (200, b"x", "the issuer refused the code: the answer is no JSON object (200); start the login again", False),
    ],
)
def test_a_refused_login_says_why_and_what_to_do(status: int, body: Any, text: str, retryable: bool) -> None:
    error = login_refusal(answer(status, body), "the code", now=NOW)
    assert (str(error), error.retryable) == (text, retryable)
