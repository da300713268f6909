"""Every recorded error body and header set is read without surprise, and is the class that a reader expects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codex_client import errors
from codex_client.classify import in_stream_error, parse_failure, status_error

NOW = 1_788_869_869.0
BY_STATUS = {
    400: errors.InvalidRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    421: errors.UnexpectedStatusError,
    422: errors.InvalidRequestError,
    429: errors.RateLimitError,
    500: errors.ServerError,
    501: errors.ServerError,
}
# Where body and status do not say the same; a piece of the file's name.
BY_NAME = {
    "test-text-rerank-error-handling": errors.ModelNotFoundError,
    "test-embeddings-testcohere-test-embed-error": errors.ModelNotFoundError,
    "deepseek-chat-handles-context-length": errors.ContextWindowExceededStatusError,
    "error-matrix-unknown-model": errors.ModelNotFoundError,
    "test-authentication-error-google": errors.AuthenticationError,
    "list-models-rejected-key": errors.AuthenticationError,
    "test-model-not-found-google": errors.ModelNotFoundError,
    "edge-provider-error-response-carries-request-id": errors.ModelNotFoundError,
    "inference-tapes-b0164e2ea675": errors.ModelNotFoundError,
    "inference-tapes-340a2a0cae06": errors.ModelNotFoundError,
    "llamacpp-error-matrix-context-overflow": errors.ContextWindowExceededStatusError,
    "test-chat-error-records-model-name": errors.ModelNotFoundError,
    "openai-v1-response-create-error": errors.ModelNotFoundError,
    "nonexistent-model-error-preserves-status": errors.ModelNotFoundError,
    "gpt-5-nano-handles-context-length": errors.ContextWindowExceededStatusError,
    "test-model-not-found-openai": errors.ModelNotFoundError,
    "routed-failure-error-shape": errors.ModelNotFoundError,
    "auth-rejection-classifies-with-contract": errors.AuthenticationError,
}


def status_of(capture: Path) -> int:
    """The files begin with the status; where none was recorded, what they say is a bad request."""
    status = capture.name.partition("-")[0]
    return 400 if status == "unknown" else int(status)


def expected_class(capture: Path) -> type[errors.UnexpectedStatusError]:
    named = [known for piece, known in BY_NAME.items() if piece in capture.name]
    return named[0] if named else BY_STATUS[status_of(capture)]


@pytest.mark.each_capture("errors/*/*")
def test_each_recorded_error_body_is_its_class(capture: Path) -> None:
    body = capture.read_text()
    error = status_error(status=status_of(capture), body=body, headers={}, url="https://h/v1", now=NOW)
    assert type(error) is expected_class(capture)
    assert error.server_message
    assert str(error).startswith(f"unexpected status {error.status} ")


@pytest.mark.each_capture("errors/*/*.json")
def test_each_recorded_error_body_can_also_come_inside_a_stream(capture: Path) -> None:
    error = in_stream_error(parse_failure(json.loads(capture.read_text())))
    assert error.server_message
    in_stream = {
        errors.ContextWindowExceededStatusError: errors.ContextWindowExceededError,
        errors.ModelNotFoundError: errors.ModelNotFoundInStreamError,
        errors.RateLimitError: errors.RateLimitedInStreamError,
    }.get(expected_class(capture), errors.ResponseFailedError)
    assert isinstance(error, in_stream)


@pytest.mark.each_capture("headers/*/*.json")
def test_each_recorded_header_set_can_come_with_a_429(capture: Path) -> None:
    headers = dict(json.loads(capture.read_text())["headers"])
    error = status_error(status=429, body="", headers=headers, url=None, now=NOW)
    assert type(error) is errors.RateLimitError
    assert error.retry_after == (float(headers["retry-after"]) if "retry-after" in headers else None)
    assert not {"set-cookie", "openai-organization", "openai-project"} & set(error.headers)


def test_the_answers_of_public_issues_are_their_classes(captures: Path) -> None:
    observed: list[dict[str, Any]] = json.loads((captures / "errors" / "observed_in_issues.json").read_text())
    answers = [entry for entry in observed if entry.get("status") and entry["kind"] != "message_pattern"]
    made = [
        status_error(
            status=entry["status"],
            body=json.dumps(entry["body"]) if "body" in entry else page(entry),
            headers=dict(entry.get("headers", [])) | {"cf-ray": "1-FRA"},
            url=None,
            now=NOW,
        )
        for entry in answers
    ]
    assert [(type(error), error.retry_after, error.plan_type) for error in made] == [
        (errors.UsageLimitReachedError, 529_498.0, "free"),
        (errors.UsageLimitReachedError, 17_778.0, "plus"),
        (errors.RateLimitError, 471_285.0, "free"),
        (errors.UnexpectedStatusError, None, None),
        (errors.NetworkBlockedError, None, None),
        (errors.NetworkBlockedError, None, None),
        (errors.NotFoundError, None, None),
        (errors.ServerError, None, None),
        (errors.RateLimitError, None, None),
        (errors.RateLimitError, None, None),
    ]


def page(entry: dict[str, Any]) -> str:
    return f"<html><head><title>{entry['title']}</title></head></html>" if "title" in entry else ""


def test_the_event_of_a_public_issue_is_its_class(captures: Path) -> None:
    observed = json.loads((captures / "errors" / "observed_in_issues.json").read_text())
    event = next(entry["event"] for entry in observed if entry.get("event", {}).get("type") == "error")
    error = in_stream_error(parse_failure(event))
    assert type(error) is errors.UsageLimitReachedInStreamError
    assert (error.retry_after, error.resets_at, error.plan_type) == (9569.0, 1_788_879_437.0, "plus")
