"""The gateway under openai-node, over both kinds of provider."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.support.peers import PEERS, from_environment, met_by, peer_is_missing
from tests.support.pretend_model import SAID
from tests.support.running_gateway import KINDS, MODELS, THOUGHTS

MODULES = from_environment("CODEX_CLIENT_NODE_MODULES")
NODE = shutil.which("node")
OSLO = {"name": "Oslo", "people": 700000}
BAD = {"kind": "BadRequestError", "status": 400, "code": "invalid_value", "param": "input[0]"}


@pytest.fixture(scope="module")
def met() -> Any:
    if NODE is None or MODULES is None:
        peer_is_missing("node is not there, or CODEX_CLIENT_NODE_MODULES is not set to a folder with openai in it")
        return None
    return met_by(NODE, str(PEERS / "openai_node.mjs"), MODULES)


EXPECTED: dict[str, Any] = {
    "chat": {
        "whole": "Hi there",
        "finish_reason": "stop",
        "text": "Hi there",
        "final": "Hi there",
        "ids": 1,
        "same_usage": True,
    },
    "responses": {
        "whole": "Hi there",
        "final": "Hi there",
        "first": "response.created",
        "last": "response.completed",
        "numbers": True,
        "same_usage": True,
    },
    "chat_tools": {"said": "1 degrees and 2 degrees", "cities": ["Oslo", "Rome"]},
    "responses_tools": {
        "name": "get_weather",
        "arguments": '{"city": "Oslo"}',
        # Its helper sends this back with the call.
        "parsed": {"city": "Oslo"},
        "said": "4 degrees",
    },
    "structured": [OSLO, OSLO],
    "images": ["1: data", "1: data"],
    "refusal": ["I will not do that.", None],
    "models": [list(MODELS), MODELS[1]],
    "errors": {
        "bad_chat": BAD,
        "bad_response": BAD,
        "busy": {"kind": "InternalServerError", "status": 503, "code": "server_is_overloaded", "param": None},
        "no_messages": {"kind": "BadRequestError", "status": 400, "code": None, "param": "messages"},
        "wrong_key": {"kind": "AuthenticationError", "status": 401, "code": "invalid_api_key", "param": None},
        "fallen": {"kind": "APIError", "status": None, "code": "server_error", "param": None},
        "heard": SAID,
        "failed": {
            "message": "the model fell over",
            "type": "server_error",
            "param": None,
            "code": "server_error",
        },
    },
    "leaving": {"heard": SAID, "waited": "APIConnectionTimeoutError"},
    "limit": ["RateLimitError", "rate_limit_exceeded", "3"],
    "routes": ["/v1/chat/completions", "/v1/models", "/v1/models/{id}", "/v1/responses"],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scenario", EXPECTED)
def test_it_meets_what_it_would_at_openai(met: Any, kind: str, scenario: str) -> None:
    assert met[kind][scenario] == EXPECTED[scenario]


@pytest.mark.parametrize("kind, thought", [*THOUGHTS.items()])
def test_it_is_shown_the_reasoning_and_may_send_it_back(met: Any, kind: str, thought: str) -> None:
    assert met[kind]["reasoning"] == {"kinds": ["reasoning", "message"], "said": "And so?", "thought": thought}
