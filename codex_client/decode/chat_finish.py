"""Finish reasons: what the servers' words for the end of an answer mean.

OpenAI knows `stop`, `length`, `tool_calls`, `content_filter` and `function_call`. Gateways let the words of the model
behind them through, in its own case and sometimes with a detail behind a colon (`content_filter:
PROHIBITED_CONTENT`). Every word that is not listed here ends a whole answer: `eos`, `eos_token`, `end_turn`, `STOP`,
…
"""

from __future__ import annotations

from typing import Any

from codex_client.decode.wire import as_text
from codex_client.errors import IncompleteResponseError
from codex_client.model_variants import TokenUsage

# `model_length`: Mistral; `model_context_window_exceeded`: Anthropic and z.ai; the rest is seen as
# `native_finish_reason`.
_LENGTH = frozenset({"length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"})
# `sensitive`: z.ai; those after it: Gemini.
_FILTERED = frozenset(
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
_INCOMPLETE = _LENGTH | _FILTERED
# `insufficient_system_resource`: DeepSeek; `network_error`: z.ai; those after it: Gemini, for a call that it could
# not read.
_FAILED = frozenset(
    {"error", "insufficient_system_resource", "network_error", "function_call_filter", "malformed_function_call"}
)


def is_incomplete(reason: str | None) -> bool:
    """Whether an answer with this finish reason was cut short."""
    return reason is not None and _word(reason) in _INCOMPLETE


def incomplete_error(reason: str, *, token_usage: TokenUsage | None, request_id: str | None) -> IncompleteResponseError:
    """The error for an answer that was cut short, with the server's own word as its reason."""
    if _word(reason) in _LENGTH:
        advice = "raise `Prompt.max_output_tokens` or shorten the input"
    else:
        advice = "the provider's content filter stopped it: change the prompt"
    return IncompleteResponseError(
        f"the answer ended early with finish reason {reason!r}: {advice}; what came before is on `.partial`",
        reason=reason,
        token_usage=token_usage,
        request_id=request_id,
    )


def parse_failed(choice: dict[str, Any]) -> dict[str, Any] | None:
    """The failure that a choice tells, in the shape of an error body: its `error`, else a finish reason that is one.

    A reason comes without a message; its code is the most exact word there is: `native_finish_reason`, or what stands
    behind the colon.
    """
    if error := choice.get("error"):
        return {"error": error}
    reason = as_text(choice.get("finish_reason"))
    if _word(reason) not in _FAILED:
        return None
    code = as_text(choice.get("native_finish_reason")) or reason.rpartition(":")[2].strip()
    return {"error": {"code": code, "type": reason}}


def _word(reason: str) -> str:
    return reason.partition(":")[0].strip().lower()
