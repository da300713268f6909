"""Token counts of the Chat API, in the spellings that servers use."""

from __future__ import annotations

from typing import Any

from codex_client.decode.wire import as_count, as_index, as_object
from codex_client.model_variants import TokenUsage

_TOTALS = ("prompt_tokens", "completion_tokens", "total_tokens")
# Beside OpenAI's `prompt_tokens_details.cached_tokens`: DeepSeek, Databricks and Venice, Mistral, Hugging Face.
_CACHED = ("prompt_cache_hit_tokens", "cache_read_input_tokens", "num_cached_tokens", "cached_tokens")


def find_usage(holder: dict[str, Any]) -> dict[str, Any] | None:
    """The usage object of a chunk (its own, or Groq's in `x_groq`) or of a choice (Moonshot).

    None where it is absent, null or without counts.
    """
    usage = holder.get("usage")
    if not usage:
        if "x_groq" not in holder:
            return None
        usage = as_object(holder["x_groq"]).get("usage")
    counts = as_object(usage)
    return counts if any(counts.get(name) is not None for name in _TOTALS) else None


def parse_usage(usage: dict[str, Any]) -> TokenUsage:
    """The counts; what is null or missing counts as 0, but a missing total as the sum."""
    input_tokens, output_tokens, total_tokens = (as_count(usage.get(name)) for name in _TOTALS)
    reasoning_tokens = as_count(as_object(usage.get("completion_tokens_details")).get("reasoning_tokens"))
    return TokenUsage(
        input_tokens=input_tokens,
        cached_input_tokens=_cached(usage, input_tokens),
        output_tokens=output_tokens,
        reasoning_output_tokens=reasoning_tokens or as_count(usage.get("reasoning_tokens")),
        total_tokens=total_tokens or input_tokens + output_tokens,
        cache_write_tokens=as_index(as_object(usage.get("prompt_tokens_details")).get("cache_write_tokens")),
    )


def _cached(usage: dict[str, Any], input_tokens: int) -> int:
    cached = as_count(as_object(usage.get("prompt_tokens_details")).get("cached_tokens"))
    for name in _CACHED:
        told = as_count(usage.get(name))
        # In OpenAI's field any number is taken as told (Grok on Azure: 161 of 7). The other fields mean the same only
        # where their number can be a part of the input: Mistral's `num_cached_tokens` counts in blocks (64 of 10).
        if not cached and told <= input_tokens:
            cached = told
    return cached
