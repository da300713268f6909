"""Which conversation a request belongs to, so that its account and the provider's prompt cache stay the same. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from uuid import UUID

from codex_client.items import Message
from codex_client.prompt import Prompt

_HEADERS = ("session-id", "session_id", "x-session-id", "conversation_id")
# It becomes a header of the request to the provider.
_MAX_CHARS = 128


def conversation_of(headers: Mapping[str, str], prompt: Prompt) -> str:
    """What the caller calls it in a header, else its prompt cache key, else a name made of how it began.

    Callers send the whole history each time, so that its instructions and first user message stay the same.
    """
    named = next((value for name in _HEADERS if (value := headers.get(name, "").strip())), prompt.prompt_cache_key)
    if named is None:
        return _name(prompt.instructions, _first_words(prompt))
    return named if len(named) <= _MAX_CHARS and named.isascii() and named.isprintable() else _name(named)


def _first_words(prompt: Prompt) -> str:
    first = next((item for item in prompt.items if isinstance(item, Message) and item.role == "user"), None)
    return "" if first is None else first.model_dump_json()


def _name(*parts: str) -> str:
    """The form is a UUID's, because that is what the provider's own clients send."""
    digest = sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
    return str(UUID(bytes=digest[:16], version=5))
