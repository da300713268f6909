"""What a 400 lets go of a payload, and what it never does."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from codex_client.classify import status_error
from codex_client.errors import InvalidRequestError, UnexpectedStatusError
from codex_client.payload.amend import find_amendment

PAYLOAD: dict[str, Any] = {
    "model": "m",
    "instructions": "i",
    "input": [{"type": "message", "role": "user", "content": "hi"}],
    "tools": [],
    "tool_choice": "auto",
    "text": {"verbosity": "low", "format": {"type": "text"}},
    "reasoning": {"effort": "low"},
    "stream": True,
    "store": False,
    "previous_response_id": "r",
    "conversation": "c",
    "prompt": {"id": "p"},
    "messages": [],
    "response_format": {"type": "text"},
    "stop": "END",
    "parallel_tool_calls": False,
    "temperature": 0.5,
    "service_tier": "flex",
    "max_tokens": 16,
    "max_output_tokens": 32,
}


def refusal(body: Any, status: int = 400) -> InvalidRequestError:
    text = body if isinstance(body, str) else json.dumps(body)
    error = status_error(status=status, body=text, headers={}, url=None, now=0.0)
    assert isinstance(error, InvalidRequestError)
    return error


def amended(error: InvalidRequestError, payload: dict[str, Any]) -> dict[str, Any] | None:
    """The payload as it is sent again, None for one that is not."""
    amendment = find_amendment(error, payload)
    if amendment is None:
        return None
    changed = copy.deepcopy(payload)
    assert amendment.amend(changed)
    return changed


def openai(message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def without(*names: str) -> dict[str, Any]:
    return {name: field for name, field in PAYLOAD.items() if name not in names}


NOT_WITH_THIS_MODEL = "Unsupported parameter: 'temperature' is not supported with this model."
FORBIDDEN = {"type": "extra_forbidden", "loc": ["body", "temperature"], "msg": "Extra inputs are not permitted"}


@pytest.mark.parametrize(
    "body, status",
    [
        pytest.param({"detail": "Unsupported parameter: temperature"}, 400, id="F2_detail"),
        pytest.param(
            openai("Unknown parameter: 'temperature'.", "temperature", "unknown_parameter"), 400, id="F2_code"
        ),
        pytest.param(openai("Nope.", "temperature", "unsupported_parameter"), 400, id="F2_code_alone"),
        pytest.param(openai(NOT_WITH_THIS_MODEL), 400, id="F2_text"),
        pytest.param(openai("Unrecognized request argument supplied: temperature"), 400, id="F2_older_text"),
        pytest.param(openai("parameter 'temperature' is not supported"), 400, id="F2_other_way_round"),
        pytest.param(openai('json: unknown field "temperature"'), 400, id="F2_go"),
        pytest.param(openai("Unsupported value: 0.5.", "temperature", "unsupported_value"), 400, id="T4_sampler"),
        pytest.param({"detail": [FORBIDDEN]}, 422, id="F2_fastapi"),
    ],
)
def test_a_parameter_that_was_refused_by_name_is_left_out(body: Any, status: int) -> None:
    assert amended(refusal(body, status), PAYLOAD) == without("temperature")


def test_the_payload_itself_is_left_as_it_is() -> None:
    before = copy.deepcopy(PAYLOAD)
    assert amended(refusal({"detail": "Unsupported parameter: text.verbosity"}), PAYLOAD) is not None
    assert before == PAYLOAD


def test_a_dotted_parameter_is_left_out_without_its_neighbours() -> None:
    changed = amended(refusal(openai("Unsupported parameter", "text.verbosity", "unsupported_parameter")), PAYLOAD)
    assert changed == PAYLOAD | {"text": {"format": {"type": "text"}}}


def test_an_object_that_is_empty_then_goes_too() -> None:
    changed = amended(refusal(openai("Unsupported parameter", "reasoning.effort", "unsupported_parameter")), PAYLOAD)
    assert changed == without("reasoning")


def test_t4_a_verbosity_that_the_model_does_not_take_becomes_the_one_that_all_take() -> None:
    error = refusal(openai("Unsupported value: 'low'.", "text.verbosity", "unsupported_value"))
    changed = amended(error, PAYLOAD)
    assert changed == PAYLOAD | {"text": {"verbosity": "medium", "format": {"type": "text"}}}
    assert amended(error, changed or {}) is None


def test_the_verbosity_of_a_chat_request_becomes_medium_too() -> None:
    text = "Unsupported value: 'low' is not supported with this model. Supported values are: 'medium'."
    error = refusal(openai(text, "verbosity", "unsupported_value"))
    assert amended(error, {"model": "m", "verbosity": "low"}) == {"model": "m", "verbosity": "medium"}
    assert amended(error, {"model": "m", "verbosity": "medium"}) is None


@pytest.mark.parametrize("param", ["reasoning.effort", "service_tier", "max_output_tokens"])
def test_other_values_are_the_callers_to_change(param: str) -> None:
    assert amended(refusal(openai("Unsupported value: 'x'.", param, "unsupported_value")), PAYLOAD) is None


def test_a_limit_keeps_holding_under_the_name_that_the_server_asks_for() -> None:
    text = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    changed = amended(refusal(openai(text, "max_tokens", "unsupported_parameter")), PAYLOAD)
    assert changed == without("max_tokens") | {"max_completion_tokens": 16}
    plain = amended(refusal(openai("Unsupported parameter.", "max_tokens", "unsupported_parameter")), PAYLOAD)
    assert plain == without("max_tokens")


@pytest.mark.parametrize(
    "param",
    ["model", "input", "messages", "instructions", "tools", "tool_choice", "text.format", "text.format.schema", "text",
     "response_format", "stop", "parallel_tool_calls", "stream", "store", "previous_response_id", "conversation",
     "prompt", "prompt.id",
     "input[0].content", "tools[0].strict", "include[0]", "body.input.0.role"],
)  # fmt: skip
@pytest.mark.parametrize("code", ["unsupported_parameter", "unknown_parameter", "unsupported_value"])
def test_what_changes_the_meaning_is_never_left_out(param: str, code: str) -> None:
    payload = PAYLOAD | {"include": ["x"]}
    assert amended(refusal(openai("Unsupported parameter", param, code)), payload) is None


@pytest.mark.parametrize(
    "body, status",
    [
        pytest.param({"detail": "Unsupported parameter: top_k"}, 400, id="not_in_the_payload"),
        pytest.param({"detail": "Unsupported parameter: temperature.x"}, 400, id="below_what_is_no_object"),
        pytest.param({"detail": "Instructions are required"}, 400, id="F1_another_fault"),
        pytest.param(
            openai("Invalid value.", "temperature", "decimal_above_max_value"), 400, id="wrong_not_unsupported"
        ),
        pytest.param({"detail": "Unsupported parameter: temperature"}, 413, id="another_status"),
        pytest.param(openai("x", None, "unsupported_parameter"), 400, id="no_name"),
        pytest.param("", 400, id="no_body"),
    ],
)
def test_nothing_else_is_amended(body: Any, status: int) -> None:
    assert amended(refusal(body, status), PAYLOAD) is None


SEALED = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "s"}], "encrypted_content": "gAAA"}
RAW = {**SEALED, "content": [{"type": "reasoning_text", "text": "r"}]}
OPEN = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "s"}]}
CANNOT_READ = openai("The encrypted content for item rs_1 could not be verified.", None, "invalid_encrypted_content")


@pytest.mark.parametrize(
    "body", [CANNOT_READ, openai("The encrypted content gAAA... could not be decrypted.")], ids=["code", "text"]
)
def test_f7_all_encrypted_reasoning_goes_with_its_summary(body: Any) -> None:
    user = PAYLOAD["input"][0]
    payload = {"input": [SEALED, user, RAW, OPEN, "odd"]}
    assert amended(refusal(body), payload) == {
        "input": [user, {"type": "reasoning", "summary": [], "content": RAW["content"]}, OPEN, "odd"]
    }


@pytest.mark.parametrize("payload", [PAYLOAD, {"input": "text"}, {}])
def test_f7_without_encrypted_reasoning_there_is_nothing_to_leave_out(payload: dict[str, Any]) -> None:
    assert amended(refusal(CANNOT_READ), payload) is None


@pytest.mark.each_capture("errors/openai/400-*.json")
def test_recorded_refusals_are_amended_where_they_name_a_parameter(capture: Path) -> None:
    error = status_error(status=400, body=capture.read_text(), headers={}, url=None, now=0.0)
    assert isinstance(error, UnexpectedStatusError)
    expected: dict[str, Any] | None = {
        "400-ai--openai-responses-reasoning-model-temperature-error.json": without("temperature"),
        "400-ai--openai-chat-reasoning-model-legacy-parameter-error.json": without("max_tokens")
        | {"max_completion_tokens": 16},
    }.get(capture.name)
    changed = amended(error, PAYLOAD) if isinstance(error, InvalidRequestError) else None
    assert changed == expected
