"""A failure is found in every shape of JSON that servers give it, and nothing in the JSON can make the reading fail."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from codex_client.classify import ServerFailure, parse_failure

NOW = 1_788_869_869.0
OPENAI = {"message": "no such thing", "type": "invalid_request_error", "param": "model", "code": "model_not_found"}
READ = ServerFailure(code="model_not_found", error_type="invalid_request_error", message="no such thing", param="model")


@pytest.mark.parametrize(
    "value",
    [
        {"error": OPENAI},
        OPENAI,
        [{"error": OPENAI}],
        {"error": [OPENAI]},
        {"errors": [OPENAI]},
        {"detail": OPENAI},
        {"type": "error", "sequence_number": 2, "error": OPENAI},
        {"type": "response.failed", "response": {"id": "resp_1", "status": "failed", "error": OPENAI}},
        {"error": {"error": OPENAI}},
        {"message": OPENAI},
    ],
)
def test_the_error_object_is_found_wherever_it_lies(value: Any) -> None:
    assert parse_failure(value) == READ


@pytest.mark.parametrize(
    "value, failure",
    [
        (None, ServerFailure()),
        (True, ServerFailure()),
        (7, ServerFailure()),
        ([], ServerFailure()),
        ({}, ServerFailure()),
        ({"error": None}, ServerFailure()),
        ({"error": {}}, ServerFailure()),
        ({"type": "response.failed", "response": {"status": "failed", "error": None}}, ServerFailure()),
        ("  ", ServerFailure()),
        ("Unauthorized", ServerFailure(message="Unauthorized")),
        ({"error": "model 'x' not found"}, ServerFailure(message="model 'x' not found")),
        ({"error": ["one", "two"]}, ServerFailure(message="one; two")),
        ({"error": [1, None]}, ServerFailure()),
        (
            {"error": "`inputs` must be shorter", "error_type": "validation"},
            ServerFailure(message="`inputs` must be shorter", error_type="validation"),
        ),
        ({"error": "Not Found", "message": "no such route"}, ServerFailure(message="no such route")),
        (
            {"code": "invalid-argument", "error": "Incorrect API key provided."},
            ServerFailure(code="invalid-argument", message="Incorrect API key provided."),
        ),
        (
            {"error": "invalid_grant", "error_description": "Token was revoked."},
            ServerFailure(code="invalid_grant", message="Token was revoked."),
        ),
        (
            {"code": "told", "error": "invalid_grant", "error_description": "Token was revoked."},
            ServerFailure(code="told", message="Token was revoked."),
        ),
        ({"detail": "Invalid API Key"}, ServerFailure(message="Invalid API Key")),
        (
            {"detail": {"code": "deactivated_workspace"}},
            ServerFailure(code="deactivated_workspace"),
        ),
        (
            {"detail": [{"type": "missing", "loc": ["body", "messages", 0, "role"], "msg": "Field required"}]},
            ServerFailure(message="Field required", error_type="missing", param="body.messages.0.role"),
        ),
        (
            {"object": "error", "message": {"detail": [{"msg": "too long", "loc": "body"}]}, "type": "invalid"},
            ServerFailure(message="too long"),
        ),
        (
            {"id": "1", "message": "Incorrect key"},
            ServerFailure(message="Incorrect key"),
        ),
        (
            {"type": "error", "code": "server_error", "message": "boom", "param": None},
            ServerFailure(code="server_error", message="boom"),
        ),
        (
            {"message": "outer words", "error": {"code": "x"}},
            ServerFailure(code="x", message="outer words"),
        ),
        (
            {"code": "outer", "error": {"code": None, "message": "m"}},
            ServerFailure(code="outer", message="m"),
        ),
    ],
)
def test_other_shapes_are_read(value: Any, failure: ServerFailure) -> None:
    assert parse_failure(value) == failure


@pytest.mark.parametrize(
    "error, code, status",
    [
        ({"code": 429}, "429", 429),
        ({"code": "401"}, "401", 401),
        ({"code": 404.0}, "404", 404),
        ({"code": 40301}, "40301", None),
        ({"code": 200}, "200", None),
        ({"code": 429.5}, None, None),
        ({"code": True}, None, None),
        ({"code": 10**400}, None, None),
        ({"code": float("nan")}, None, None),
        ({"code": ["x"]}, None, None),
        ({"code": ""}, None, None),
        ({"code": "tool_use_failed", "status_code": 400}, "tool_use_failed", 400),
        ({"code": "3051", "raw_status_code": 400}, "3051", 400),
        ({"status": 401}, None, 401),
        ({"status": "INVALID_ARGUMENT"}, None, None),
        ({"statusCode": 503}, None, 503),
    ],
)
def test_a_number_is_a_code_and_an_http_status_where_it_can_be(
    error: dict[str, Any], code: str | None, status: int | None
) -> None:
    failure = parse_failure({"error": error})
    assert (failure.code, failure.status) == (code, status)


def test_the_status_beside_the_error_is_read() -> None:
    assert parse_failure({"type": "error", "status_code": 429, "error": {"message": "m"}}).status == 429


@pytest.mark.parametrize(
    "error, error_type",
    [
        ({"type": "server_error"}, "server_error"),
        ({"type": "error"}, None),
        ({"type": "response.failed"}, None),
        ({"type": ""}, None),
        ({"status": "RESOURCE_EXHAUSTED"}, "RESOURCE_EXHAUSTED"),
        ({"status": "failed"}, None),
    ],
)
def test_the_type_is_that_of_the_error_and_not_of_the_event(error: dict[str, Any], error_type: str | None) -> None:
    assert parse_failure(error).error_type == error_type


@pytest.mark.parametrize(
    "raw, code, message",
    [
        ("free is temporarily rate-limited", "429", "Provider returned error: free is temporarily rate-limited"),
        (
            '{"error":{"code":"context_length_exceeded","message":"too long"}}',
            "context_length_exceeded",
            "Provider returned error: too long",
        ),
        ('{"error":{"code":null}}', "429", "Provider returned error"),
        ("returned error", "429", "Provider returned error"),
        ("[" * 100_000, "429", "Provider returned error: " + "[" * 8192),
        ("", "429", "Provider returned error"),
        (None, "429", "Provider returned error"),
    ],
)
def test_the_answer_of_a_provider_behind_the_router_is_read(raw: Any, code: str, message: str) -> None:
    value = {"error": {"code": 429, "message": "Provider returned error", "metadata": {"raw": raw}}}
    failure = parse_failure(value)
    assert (failure.code, failure.message) == (code, message)


def test_a_named_code_is_not_replaced_by_that_of_the_provider_behind() -> None:
    failure = parse_failure({"code": "mine", "metadata": {"raw": '{"code":"theirs"}'}})
    assert failure == ServerFailure(code="mine")


USAGE = {"type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "plus"}


@pytest.mark.parametrize(
    "error, retry_after, resets_at",
    [
        ({"headers": {"Retry-After": "2"}, "resets_in_seconds": 9, "message": "try again in 3s"}, 2.0, None),
        ({"headers": {"retry-after-ms": 1500}}, 1.5, None),
        ({"headers": {"Retry-After": ["7", "8"]}}, 7.0, None),
        ({"headers": {"Retry-After": []}}, None, None),
        ({"headers": {"Retry-After": None}}, None, None),
        ({"headers": "Retry-After: 3"}, None, None),
        ({"headers": {"Retry-After": "Tue, 08 Sep 2026 12:18:49 GMT"}}, 60.0, None),
        (
            {"metadata": {"headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1788869929000"}}},
            60.0,
            None,
        ),
        ({"resets_in_seconds": 9568, "resets_at": 1_788_879_437}, 9568.0, 1_788_879_437.0),
        ({"resets_in_seconds": "9568", "message": "try again in 3s"}, 9568.0, None),
        ({"resets_at": 1_788_869_929}, 60.0, 1_788_869_929.0),
        ({"resets_at": "1788869929"}, 60.0, 1_788_869_929.0),
        ({"resets_at": 1_788_869_929_000}, 60.0, 1_788_869_929.0),
        ({"resets_at": "2026-09-08T12:18:49Z"}, 60.0, 1_788_869_929.0),
        ({"resets_at": 1_788_800_000}, 0.0, 1_788_800_000.0),
        ({"metadata": {"resets_in_seconds": 5}}, 5.0, None),
        ({"details": {"resets_at": 1_788_869_929}}, 60.0, 1_788_869_929.0),
        ({"details": [{"@type": "…Help"}, "x", {"@type": "…RetryInfo", "retryDelay": "48s"}]}, 48.0, None),
        ({"retry_after": 12.5}, 12.5, None),
        ({"message": "Please try again in 1m2s."}, 62.0, None),
        ({"resets_in_seconds": -1, "resets_at": "never", "message": "try again in 28ms"}, 0.028, None),
        ({"resets_in_seconds": True, "resets_at": None}, None, None),
        ({"resets_in_seconds": float("inf"), "resets_at": float("nan")}, None, None),
    ],
)
def test_advice_is_taken_in_its_order(
    error: dict[str, Any], retry_after: float | None, resets_at: float | None
) -> None:
    failure = parse_failure({"type": "error", "error": error}, now=NOW)
    assert (failure.retry_after, failure.resets_at) == (retry_after, resets_at)


def test_without_a_clock_an_absolute_time_is_kept_as_a_moment_only() -> None:
    failure = parse_failure({"error": {**USAGE, "resets_at": 1_788_879_437}})
    assert failure == ServerFailure(
        error_type="usage_limit_reached",
        message="The usage limit has been reached",
        plan_type="plus",
        resets_at=1_788_879_437.0,
    )


def test_headers_of_the_event_around_the_error_are_read() -> None:
    event = {
        "type": "error",
        "status_code": 429,
        "error": {**USAGE, "resets_in_seconds": 9568},
        "headers": {"X-Codex-Primary-Used-Percent": "100", "X-Codex-Primary-Reset-After-Seconds": "9569"},
    }
    assert parse_failure(event).retry_after == 9569.0


def test_what_servers_said_in_public_issues_is_read(captures: Path) -> None:
    observed = json.loads((captures / "errors" / "observed_in_issues.json").read_text())
    bodies = [entry.get("body") or entry.get("event") for entry in observed]
    failures = [parse_failure(body, now=NOW) for body in bodies if body and "error" in body]
    assert [(f.error_type, f.plan_type, f.resets_at, f.retry_after, f.status) for f in failures] == [
        ("usage_limit_reached", "free", 1_772_180_859.0, 529_498.0, None),
        ("usage_limit_reached", "plus", 1_776_672_030.0, 17_778.0, None),
        ("usage_limit_reached", "plus", 1_788_879_437.0, 9569.0, 429),
    ]


@pytest.mark.parametrize(
    "message, param",
    [
        ("Unsupported parameter: max_output_tokens", "max_output_tokens"),
        ("Unsupported parameter: 'text.verbosity' is not supported with this model.", "text.verbosity"),
        ("Unsupported parameter(s): `stop`", "stop"),
        ("Unknown parameter: 'input[5].status'.", "input[5].status"),
        ("Unknown parameter: foo.", "foo"),
        ("Unrecognized request argument supplied: foo", "foo"),
        ('unknown field "foo"', "foo"),
        ("unexpected property 'foo'", "foo"),
        ("parameter 'foo' is not supported", "foo"),
        ("property `foo` is unsupported", "foo"),
        ("Unsupported value: 'low' is not supported.", None),
        ("Instructions are required", None),
        ("The unknown is not a parameter", None),
    ],
)
@pytest.mark.parametrize(
    "wrap", [lambda text: {"detail": text}, lambda text: {"error": {"message": text}}], ids=["detail", "error"]
)
def test_f2_the_parameter_that_words_name_is_told(wrap: Callable[[str], Any], message: str, param: str | None) -> None:
    assert parse_failure(wrap(message)).param == param


def test_a_parameter_that_is_told_comes_before_words() -> None:
    told = {"error": {"message": "Unknown parameter: 'a'.", "param": "b"}}
    assert parse_failure(told).param == "b"


CANARY = "sk-canary1234567890"


@pytest.mark.parametrize("field", ["code", "type", "message", "param", "plan_type"])
def test_no_field_holds_a_key(field: str) -> None:
    failure = parse_failure({"error": {field: f"this {CANARY} is wrong"}})
    assert "this sk-*** is wrong" in repr(failure)
    assert "canary" not in repr(failure)


def test_half_a_surrogate_pair_can_be_printed_and_a_huge_message_is_cut() -> None:
    message = parse_failure({"message": "\ud83d" + "x" * 100_000}).message
    assert message == "?" + "x" * 8191


KEYS = [
    "error", "errors", "detail", "details", "metadata", "response", "message", "msg", "loc", "code", "type", "param",
    "status", "status_code", "headers", "raw", "resets_at", "resets_in_seconds", "retry_after", "plan_type",
    "error_description", "Retry-After", "x-ratelimit-remaining",
]  # fmt: skip
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(
        ["429", "0", "try again in 3s", "1788879437", "{", '{"error":{"code":1}}', 10**400, -(10**400), CANARY]
    ),
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=6)
    ),
    max_leaves=25,
)


@given(JSON, st.sampled_from([None, NOW]))
def test_no_json_raises(value: Any, now: float | None) -> None:
    failure = parse_failure(value, now=now)
    assert failure.retry_after is None or failure.retry_after >= 0
    assert failure.status is None or 400 <= failure.status < 600
    assert CANARY not in repr(failure)
    assert pickle.loads(pickle.dumps(failure)) == failure


def test_deep_nesting_ends() -> None:
    value: Any = "bottom"
    for _ in range(100_000):
        value = {"error": [value]}
    assert parse_failure(value) == ServerFailure()
    # Taken apart by hand: freeing it in one go would overflow the interpreter's own stack in some versions.
    while isinstance(value, dict):
        value = value.pop("error").pop()
