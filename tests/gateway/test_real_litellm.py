"""The gateway under litellm, over both kinds of provider."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.peers import PEERS, from_environment, met_by, peer_is_missing
from tests.support.pretend_model import SAID
from tests.support.running_gateway import KINDS, THOUGHTS

PYTHON = from_environment("CODEX_CLIENT_LITELLM_PYTHON")
CALLS = [[f"call_{city}", "get_weather", f'{{"city": "{city}"}}'] for city in ("Oslo", "Rome")]


@pytest.fixture(scope="module")
def met() -> Any:
    if PYTHON is None:
        peer_is_missing("CODEX_CLIENT_LITELLM_PYTHON is not set to a Python that has litellm")
        return None
    return met_by(PYTHON, str(PEERS / "litellm_client.py"))


EXPECTED: dict[str, Any] = {
    "chat_async": ["Hi there", "Hi there"],
    "chat": {"whole": "Hi there", "finish_reason": "stop", "streamed": "Hi there", "ids": 1, "same_usage": True},
    "tools": {
        "finish_reason": "tool_calls",
        "calls": CALLS,
        "streamed": CALLS,
        "said": "0 degrees and 1 degrees",
    },
    "structured": {"name": "Oslo", "people": 700000},
    "responses": {"whole": "Hi there", "streamed": "Hi there", "last": "response.completed", "same_usage": True},
    "responses_tools": "4 degrees",
    # Class, status, and what was heard before.
    "errors": {
        "bad": ["BadRequestError", 400, ""],
        "busy": ["ServiceUnavailableError", 503, ""],
        "wrong key": ["AuthenticationError", 401, ""],
        "waited": ["Timeout", 408, ""],
        "break": ["MidStreamFallbackError", 500, SAID],
    },
    "limit": ["RateLimitError", 429, ""],
    "routes": ["/v1/chat/completions", "/v1/responses"],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scenario", EXPECTED)
def test_it_meets_what_it_would_at_openai(met: Any, kind: str, scenario: str) -> None:
    assert met[kind][scenario] == EXPECTED[scenario]


@pytest.mark.parametrize("kind, thought", [*THOUGHTS.items()])
def test_it_is_shown_the_reasoning(met: Any, kind: str, thought: str) -> None:
    assert met[kind]["reasoning"] == ["It is so.", thought, thought]
