"""What a turn cost, under the names of both APIs: its tokens, and the tier that served it."""

from __future__ import annotations

from typing import Any

from codex_client.model_variants import TokenUsage

_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})


def chat_usage(usage: TokenUsage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": _cache_counts(usage),
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_output_tokens},
    }


def responses_usage(usage: TokenUsage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": _cache_counts(usage),
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_output_tokens},
        "total_tokens": usage.total_tokens,
    }


def _cache_counts(usage: TokenUsage) -> dict[str, int]:
    """What was written is left out where no server told it: 0 would say that nothing was."""
    written = usage.cache_write_tokens
    return {"cached_tokens": usage.cached_input_tokens, **({} if written is None else {"cache_write_tokens": written})}


def known_tier(told: str | None) -> str | None:
    """A word of OpenAI's, else None: clients with strict types break on others, such as Groq's `on_demand`."""
    return told if told in _TIERS else None
