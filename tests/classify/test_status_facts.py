"""The facts and the words of an HTTP error: whole, safe to show, and no answer can make the reading fail."""

from __future__ import annotations

import base64
import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given, strategies as st

from codex_client.classify import status_error
from codex_client.errors import PermissionDeniedError, UnexpectedStatusError, UsageLimitReachedError
from codex_client.model_variants import RateLimitSnapshot, RateLimitWindow

NOW = 1_773_000_000.0
URL = "https://api.example/v1"
PAGE = "<!DOCTYPE html>\n<html><head><title>{}</title></head></html>"


def error_of(
    status: int, body: Any = "", headers: dict[str, str] | None = None, *, url: str | None = URL, **more: Any
) -> UnexpectedStatusError:
    text = body if isinstance(body, str) else json.dumps(body)
    return status_error(status=status, body=text, headers=headers or {}, url=url, now=NOW, **more)


@pytest.mark.parametrize(
    "status, body, headers, text",
    [
        (
            404,
            {"error": {"message": "no route\n  here"}},
            {"x-request-id": "req_1"},
            (
                "unexpected status 404 Not Found: no route here; url https://api.example/v1; request id req_1; "
                "check the provider's base_url and wire_api, and any id in the request"
            ),
        ),
        (
            403,
            PAGE.format("Just a  moment..."),
            {"cf-ray": "1-FRA"},
            (
                "unexpected status 403 Forbidden: an HTML page, 'Just a moment...'; url https://api.example/v1; "
                "cf-ray 1-FRA; this is the network in front of the API speaking, not the API: "
                "check VPN, proxy and region"
            ),
        ),
        (
            525,
            "<html>",
            {"cf-ray": "1-FRA"},
            (
                "unexpected status 525 SSL Handshake Failed: an HTML page; url https://api.example/v1; "
                "try again; if it goes on, check the provider's status"
            ),
        ),
        (
            404,
            "",
            {},
            (
                "unexpected status 404 Not Found: no body; url https://api.example/v1; "
                "check the provider's base_url and wire_api, and any id in the request"
            ),
        ),
        (
            400,
            {"unheard": "of"},
            {},
            (
                'unexpected status 400 Bad Request: {"unheard": "of"}; url https://api.example/v1; '
                "change the request: the same one would be refused again"
            ),
        ),
        (
            600,
            "x",
            {},
            "unexpected status 600: x; url https://api.example/v1; check the provider's base_url and wire_api",
        ),
    ],
)
def test_the_text_says_what_happened_and_what_to_do(status: int, body: Any, headers: dict[str, str], text: str) -> None:
    assert str(error_of(status, body, headers)) == text


@pytest.mark.parametrize(
    "seconds, span", [("2.5", "2.5 s"), ("119", "119 s"), ("120", "2 min"), ("7200", "2 h"), ("529498", "6 d")]
)
def test_the_text_tells_how_long_to_wait(seconds: str, span: str) -> None:
    error = error_of(429, "", {"retry-after": seconds}, url=None)
    assert str(error) == (
        "unexpected status 429 Too Many Requests: no body; wait and try again, or send fewer requests at once; "
        f"the server asks to wait {span}"
    )


def test_a_refused_key_is_named_by_its_variable() -> None:
    assert str(error_of(401, "no", env_key="OPENAI_API_KEY")).endswith("; check the API key in OPENAI_API_KEY")
    assert str(error_of(401, "no")).endswith("; check the API key, or log in again")
    assert "OPENAI_API_KEY" not in str(error_of(403, "no", env_key="OPENAI_API_KEY"))


EXHAUSTED = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}
TOLD = {"error": {"headers": {"Retry-After": "7"}, "resets_in_seconds": 8, "message": "try again in 9s"}}


@pytest.mark.parametrize(
    "status, headers, body, seconds",
    [
        (429, {"retry-after-ms": "2500", "retry-after": "3", **EXHAUSTED}, TOLD, 2.5),
        (429, {"Retry-After": "3", **EXHAUSTED}, TOLD, 3.0),
        (429, {"Retry-After": "Sun, 08 Mar 2026 20:00:30 GMT"}, TOLD, 30.0),
        (429, EXHAUSTED, TOLD, 360.0),
        (503, EXHAUSTED, TOLD, 7.0),
        (429, {}, TOLD, 7.0),
        (429, {}, {"error": {"resets_in_seconds": 8, "message": "try again in 9s"}}, 8.0),
        (429, {}, {"error": {"resets_at": NOW + 60, "message": "try again in 9s"}}, 60.0),
        (429, {}, {"error": {"message": "Please try again in 1m2s."}}, 62.0),
        (429, {}, "Rate limit is exceeded. Try again in 17 seconds.", 17.0),
        (429, {"retry-after": "-3"}, "", None),
    ],
)
def test_advice_is_taken_in_its_order(status: int, headers: dict[str, str], body: Any, seconds: float | None) -> None:
    assert error_of(status, body, headers).retry_after == seconds


SNAPSHOT = RateLimitSnapshot(primary=RateLimitWindow(used_percent=100.0, resets_at=NOW + 60))
USAGE = {"type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "plus"}


@pytest.mark.parametrize(
    "body, headers, retry_after, resets_at, plan_type",
    [
        ({**USAGE, "resets_at": NOW + 90, "resets_in_seconds": 91}, {}, 91.0, NOW + 90, "plus"),
        ({**USAGE, "resets_in_seconds": "90"}, {}, 90.0, NOW + 90, "plus"),
        ({"type": "usage_limit_reached"}, {"x-codex-plan-type": "free"}, None, None, "free"),
        (
            {"type": "usage_limit_reached"},
            {"x-codex-primary-used-percent": "100", "x-codex-primary-reset-after-seconds": "471285"},
            471_285.0,
            NOW + 471_285,
            None,
        ),
    ],
)
def test_a_usage_limit_tells_when_it_resets(
    body: Any, headers: dict[str, str], retry_after: float | None, resets_at: float | None, plan_type: str | None
) -> None:
    error = error_of(429, {"error": body}, headers, rate_limits=[SNAPSHOT])
    assert type(error) is UsageLimitReachedError
    assert (error.retry_after, error.resets_at, error.plan_type) == (retry_after, resets_at, plan_type)
    assert error.rate_limits == (SNAPSHOT,)


def test_a_passing_rate_limit_has_no_reset_of_its_own() -> None:
    assert error_of(429, "", {"retry-after": "3"}).resets_at is None


@pytest.mark.parametrize(
    "status, body, text",
    [
        (401, "", "eyJub3QiOiAianNvbiI"),
        (401, "", "%%%"),
        (403, "", "é"),
        (400, "", base64.b64encode(b'{"error":{"code":"token_expired"}}').decode()),
    ],
)
def test_a_hidden_reason_that_cannot_be_read_is_passed_over(status: int, body: str, text: str) -> None:
    assert error_of(status, body, {"x-error-json": text}).code is None


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("more", ["", "!", "!!"], ids=["padding_0", "padding_1", "padding_2"])
@pytest.mark.parametrize("body", ["", "<p>", {"detail": "Unauthorized"}])
def test_the_hidden_reason_of_a_refusal_is_read(status: int, body: Any, more: str) -> None:
    hidden = {"error": {"code": "deactivated_workspace", "type": "refusal", "message": f"This workspace is off{more}"}}
    encoded = base64.b64encode(json.dumps(hidden).encode()).decode().rstrip("=")
    error = error_of(status, body, {"X-Error-Json": encoded, "x-openai-authorization-error": "off"})
    assert type(error) is PermissionDeniedError
    assert (error.code, error.error_type) == ("deactivated_workspace", "refusal")
    assert error.server_message in (f"This workspace is off{more}", "<p>", "Unauthorized")


def test_the_authorization_error_header_is_the_last_word() -> None:
    assert error_of(401, "", {"x-openai-authorization-error": "no such org"}).server_message == "no such org"


@pytest.mark.parametrize(
    "headers, request_id",
    [
        ({"X-Request-Id": "a", "x-oai-request-id": "b", "cf-ray": "c"}, "a"),
        ({"x-oai-request-id": "b", "apim-request-id": "d"}, "b"),
        ({"x-request-id": "", "apim-request-id": "d"}, "d"),
        ({"request-id": "e"}, "e"),
        ({"cf-ray": "c"}, None),
    ],
)
def test_the_request_id_is_found_under_its_names(headers: dict[str, str], request_id: str | None) -> None:
    assert error_of(500, "", headers).request_id == request_id


def test_only_harmless_headers_are_kept() -> None:
    headers = {
        "Content-Type": "application/json",
        "Set-Cookie": "__cf_bm=canary",
        "Authorization": "Bearer canary",
        "OpenAI-Organization": "org-canary",
        "X-Codex-Turn-State": "canary",
        "X-Codex-Primary-Used-Percent": "100",
        "X-RateLimit-Remaining-Tokens": "0",
        "WWW-Authenticate": 'Bearer realm="x", error="invalid_token"',
        "X-OpenAI-Authorization-Error": "bad sk-canary1234567890",
        "CF-Ray": "1-FRA",
        "Location": "https://h/?token=canary",
    }
    error = error_of(401, "", headers)
    assert error.headers == {
        "content-type": "application/json",
        "x-codex-primary-used-percent": "100",
        "x-ratelimit-remaining-tokens": "0",
        "www-authenticate": 'Bearer realm="x", error="invalid_token"',
        "x-openai-authorization-error": "bad sk-***",
        "cf-ray": "1-FRA",
    }
    assert error.cf_ray == "1-FRA"


@pytest.mark.parametrize("key", ["sk-canary1234567890", "sess-canary1234567890", "Bearer canary1234567890"])
def test_no_key_is_left_anywhere(key: str) -> None:
    error = error_of(
        401,
        {"error": {"message": f"Incorrect: {key}", "code": key, "param": key, "type": key}, "note": key},
        {"x-request-id": key, "cf-ray": key, "x-codex-plan-type": key, "www-authenticate": key},
        url="https://user:canary@api.example/v1?key=canary",
    )
    assert "canary" not in f"{error} {error!r} {vars(error)} {pickle.dumps(error)!r}"
    assert error.url == "https://api.example/v1"


def test_the_body_is_kept_masked() -> None:
    assert error_of(400, 'note sk-canary1234567890, {"x": 1}').body == 'note sk-***, {"x": 1}'


def test_an_error_in_an_sse_frame_and_behind_a_byte_order_mark_is_read() -> None:
    assert error_of(400, 'data: {"error":{"code":"invalid_prompt"}}\n\ndata: [DONE]\n').code == "invalid_prompt"
    assert error_of(400, '\ufeff {"error":{"code":"invalid_prompt"}}').code == "invalid_prompt"


def test_every_fact_survives_pickle_and_copy() -> None:
    error = error_of(
        429,
        {"error": {**USAGE, "code": "x", "param": "p", "resets_in_seconds": 9}},
        {"x-request-id": "req_1", "cf-ray": "1-FRA"},
        rate_limits=[SNAPSHOT],
    )
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is UsageLimitReachedError
        assert (twin.args, vars(twin)) == (error.args, vars(error))
    assert (error.status, error.code, error.error_type, error.param) == (429, "x", "usage_limit_reached", "p")


BODIES = st.one_of(
    st.text(),
    st.builds(
        json.dumps,
        st.recursive(st.none() | st.floats() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)),
    ),
    st.sampled_from(["[" * 100_000, '{"error":', "<html", "data:", "data: {}", "\ufeff", "9" * 5000, '"\\ud800"']),
)
NAMES = st.sampled_from(
    [
        "retry-after", "Retry-After-Ms", "x-request-id", "cf-ray", "content-type", "x-error-json", "x-codex-plan-type",
        "x-codex-primary-used-percent", "x-codex-primary-reset-at", "x-codex-active-limit", "x-ratelimit-remaining",
        "x-ratelimit-reset", "x-openai-authorization-error",
    ]
)  # fmt: skip
VALUES = st.text() | st.sampled_from(["0", "100", "text/html", "1788879437", "Mon, 01 Jan 0001 00:00:00 +2359"])


@given(st.integers(100, 999), BODIES, st.dictionaries(NAMES | st.text(), VALUES), st.none() | st.text())
def test_no_answer_raises_and_every_error_can_be_printed_and_sent(
    status: int, body: str, headers: dict[str, str], url: str | None
) -> None:
    error = status_error(status=status, body=body, headers=headers, url=url, now=NOW)
    assert str(error).startswith(f"unexpected status {status}")
    assert error.retry_after is None or error.retry_after >= 0
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)
