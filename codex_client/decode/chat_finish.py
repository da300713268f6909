"""Finish reasons: what the servers' words for the end of an answer mean.

OpenAI knows `stop`, `length`, `tool_calls`, `content_filter` and `function_call`. Gateways let the words of the model
behind them through, in its own case and sometimes with a detail behind a colon (`content_filter:
PROHIBITED_CONTENT`). Every word that is listed neither here nor in `incomplete` ends a whole answer: `eos`,
`eos_token`, `end_turn`, `STOP`, …
"""

from __future__ import annotations

from typing import Any

from codex_client.decode.incomplete import (
    INCOMPLETE_WORDS,
    reason_word,
)
from codex_client.decode.wire import as_text

# `insufficient_system_resource`: DeepSeek; `network_error`: z.ai; those after it: Gemini, for a call that it could
# not read.
_FAILED = frozenset(
    {"error", "insufficient_system_resource", "network_error", "function_call_filter", "malformed_function_call"}
)


def is_incomplete(reason: str | None) -> bool:
    """Whether an answer with this finish reason was cut short."""
    return reason is not None and reason_word(reason) in INCOMPLETE_WORDS


def parse_failed(choice: dict[str, Any]) -> dict[str, Any] | None:
    """The failure that a choice tells, in the shape of an error body: its `error`, else a finish reason that is one.

    A reason comes without a message; its code is the most exact word there is: `native_finish_reason`, or what stands
    behind the colon.
    """
    if error := choice.get("error"):
        return {"error": error}
    reason = as_text(choice.get("finish_reason"))
    if reason_word(reason) not in _FAILED:
        return None
    code = as_text(choice.get("native_finish_reason")) or reason.rpartition(":")[2].strip()
    return {"error": {"code": code, "type": reason}}
