"""Which conversation a prompt belongs to, so that its account and the provider's prompt cache stay the same."""

from __future__ import annotations

import json
from hashlib import sha256
from uuid import UUID

from codex_client.items import Message, ResponseItem
from codex_client.prompt import Prompt

# It becomes a header of the request to the provider.
_MAX_CHARS = 128


def conversation_of(prompt: Prompt, named: str | None = None) -> str:
    """What it is called by `named`, else by the prompt's cache key, else a name made of how it began.

    Prompts carry the whole history, so that their instructions and first user message stay the same.
    """
    named = named or prompt.prompt_cache_key
    if named is None:
        first = next(filter(_is_users, prompt.items), None)
        return _name(prompt.instructions or "", _written(first))
    return named if len(named) <= _MAX_CHARS and named.isascii() and named.isprintable() else _name(named)


def user_turn_of(prompt: Prompt) -> str:
    """A name for the user's turn that a prompt belongs to: the place of their last message, and a digest of it.

    It stays the same while the model calls tools, and is another one as soon as the user speaks.
    """
    spoken = [(place, item) for place, item in enumerate(prompt.items) if _is_users(item)]
    place, last = spoken[-1] if spoken else (-1, None)
    return f"{place} {_digest(_written(last)).hex()}"


def _is_users(item: ResponseItem) -> bool:
    return isinstance(item, Message) and item.role == "user"


def _written(item: ResponseItem | None) -> str:
    """For the digest alone, so it takes what no body could carry: who builds that says what is wrong with it."""
    return "" if item is None else json.dumps(item.model_dump(), default=str)


def _name(*parts: str) -> str:
    """The form is a UUID's, because that is what the provider's own clients send."""
    return str(UUID(bytes=_digest(*parts)[:16], version=5))


def _digest(*parts: str) -> bytes:
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
