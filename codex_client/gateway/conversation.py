"""Which conversation a caller's request belongs to. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from codex_client.payload import conversation
from codex_client.prompt import Prompt

_HEADERS = ("session-id", "session_id", "x-session-id", "conversation_id")


def conversation_of(headers: Mapping[str, str], prompt: Prompt) -> str:
    """What the caller calls it in a header, else what the prompt itself tells."""
    named = next((value for name in _HEADERS if (value := headers.get(name, "").strip())), None)
    return conversation.conversation_of(prompt, named)
