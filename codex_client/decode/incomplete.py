"""Answers that were cut short: the words that tell why, and the error."""

from __future__ import annotations

from codex_client.errors import IncompleteResponseError
from codex_client.model_variants import TokenUsage

# `max_output_tokens`: the Responses API; `model_length`: Mistral; `model_context_window_exceeded`: Anthropic and z.ai;
# the rest is seen as `native_finish_reason`.
_LENGTH = frozenset({"length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"})
# `sensitive`: z.ai; those after it: Gemini.
FILTERED_WORDS = frozenset(
    {
        "content_filter",
        "sensitive",
        "safety",
        "recitation",
        "blocklist",
        "prohibited_content",
        "spii",
        "image_safety",
    }
)
INCOMPLETE_WORDS = _LENGTH | FILTERED_WORDS


def reason_word(reason: str) -> str:
    """The word itself: gateways change its case, and write a detail behind a colon."""
    return reason.partition(":")[0].strip().lower()


def incomplete_error(reason: str, *, token_usage: TokenUsage | None, request_id: str | None) -> IncompleteResponseError:
    """The error for an answer that was cut short, with the server's own word as its reason."""
    return IncompleteResponseError(
        f"incomplete response returned, reason: {reason}; {_advice(reason_word(reason))}; "
        "what came before it is on `.partial`",
        reason=reason,
        token_usage=token_usage,
        request_id=request_id,
    )


def _advice(word: str) -> str:
    if word in _LENGTH:
        return "raise `Prompt.max_output_tokens`, lower the reasoning effort or shorten the input"
    if word in FILTERED_WORDS:
        return "the provider's content filter stopped it: change the prompt"
    return "it was cancelled on the server's side" if word == "cancelled" else "try again"
