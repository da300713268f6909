"""Token usage: wherever a server puts it, and however it spells it."""

from __future__ import annotations

from typing import Any

import pytest

from codex_client.decode.chat_usage import find_usage, parse_usage
from codex_client.model_variants import TokenUsage

COUNTS = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


@pytest.mark.parametrize(
    "holder, found",
    [
        ({"usage": COUNTS}, COUNTS),
        ({"x_groq": {"id": "r", "usage": COUNTS}}, COUNTS),
        ({"usage": None, "x_groq": {"usage": COUNTS}}, COUNTS),
        ({"usage": {}, "x_groq": {"usage": COUNTS}}, COUNTS),
        (
            {"usage": {"prompt_tokens": 100, "completion_tokens": None}},
            {"prompt_tokens": 100, "completion_tokens": None},
        ),
        ({}, None),
        ({"usage": None}, None),
        ({"usage": {}}, None),
        ({"usage": {"prompt_tokens": None}}, None),
        ({"usage": {"cost": 1}}, None),
        ({"usage": "none"}, None),
        ({"usage": [1]}, None),
        ({"x_groq": None}, None),
        ({"x_groq": {"id": "r"}}, None),
        ({"x_groq": {"usage": 5}}, None),
    ],
)
def test_usage_is_found_where_it_has_counts(holder: dict[str, Any], found: dict[str, Any] | None) -> None:
    assert find_usage(holder) == found


@pytest.mark.parametrize(
    "usage, parsed",
    [
        pytest.param(COUNTS, TokenUsage(100, 0, 20, 0, 120), id="plain"),
        pytest.param({**COUNTS, "total_tokens": 125}, TokenUsage(100, 0, 20, 0, 125), id="total-as-told"),
        pytest.param(
            {"prompt_tokens": 100, "completion_tokens": 20}, TokenUsage(100, 0, 20, 0, 120), id="total-missing"
        ),
        pytest.param({**COUNTS, "total_tokens": None}, TokenUsage(100, 0, 20, 0, 120), id="total-null"),
        pytest.param(
            {"prompt_tokens": 193, "completion_tokens": None, "total_tokens": None},
            TokenUsage(193, 0, 0, 0, 193),
            id="databricks-nulls",
        ),
        pytest.param(
            {**COUNTS, "prompt_tokens_details": {"cached_tokens": 64}}, TokenUsage(100, 64, 20, 0, 120), id="openai"
        ),
        pytest.param(
            {**COUNTS, "prompt_tokens_details": {"cached_tokens": 161}, "cached_tokens": 5},
            TokenUsage(100, 161, 20, 0, 120),
            id="openai-as-told",
        ),
        pytest.param({**COUNTS, "prompt_cache_hit_tokens": 64}, TokenUsage(100, 64, 20, 0, 120), id="deepseek"),
        pytest.param({**COUNTS, "cache_read_input_tokens": 64}, TokenUsage(100, 64, 20, 0, 120), id="databricks"),
        pytest.param({**COUNTS, "num_cached_tokens": 64}, TokenUsage(100, 64, 20, 0, 120), id="mistral"),
        pytest.param({**COUNTS, "num_cached_tokens": 101}, TokenUsage(100, 0, 20, 0, 120), id="no-part-of-the-input"),
        pytest.param({**COUNTS, "cached_tokens": 64}, TokenUsage(100, 64, 20, 0, 120), id="hugging-face"),
        pytest.param(
            {**COUNTS, "prompt_tokens_details": None, "prompt_cache_hit_tokens": 0, "cached_tokens": 64},
            TokenUsage(100, 64, 20, 0, 120),
            id="first-that-is-not-0",
        ),
        pytest.param(
            {**COUNTS, "completion_tokens_details": {"reasoning_tokens": 7}},
            TokenUsage(100, 0, 20, 7, 120),
            id="thought",
        ),
        pytest.param(
            {**COUNTS, "completion_tokens_details": None, "reasoning_tokens": 7},
            TokenUsage(100, 0, 20, 7, 120),
            id="thought-outside",
        ),
        pytest.param({"prompt_tokens": "many", "total_tokens": -1}, TokenUsage(), id="no-numbers"),
    ],
)
def test_counts_are_read_in_every_spelling(usage: dict[str, Any], parsed: TokenUsage) -> None:
    assert parse_usage(usage) == parsed
