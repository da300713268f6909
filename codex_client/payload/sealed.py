"""Encrypted reasoning: only who wrote it can read it back, and every other server answers 400 to it.

So each piece is tagged with who that was: the server's host, the account and the model. The tag is for this side only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from hashlib import sha256

from codex_client.items import Reasoning, ResponseItem

_TAG_CHARS = 16


def issuer_tag(host: str, account: str | None, model: str) -> str:
    """A short name for who encrypts. A digest, because an account's key may hold an address."""
    return sha256("\n".join([host, account or "", model]).encode("utf-8", "replace")).hexdigest()[:_TAG_CHARS]


def issuers_in(items: Iterable[ResponseItem]) -> frozenset[str | None]:
    """Who has encrypted reasoning among the items; None stands for a piece without a tag."""
    return frozenset(item.issuer for item in items if isinstance(item, Reasoning) and item.encrypted_content)


def without_seals_of(items: Iterable[ResponseItem], foreign: Collection[str | None]) -> list[ResponseItem]:
    """The items without what these issuers encrypted, and without its summary, which would stand alone.

    Raw text stays, where there is any.
    """
    return [kept for item in items if (kept := _unsealed(item, foreign)) is not None]


def _unsealed(item: ResponseItem, foreign: Collection[str | None]) -> ResponseItem | None:
    if not isinstance(item, Reasoning) or not item.encrypted_content or item.issuer not in foreign:
        return item
    return Reasoning(content=item.content) if item.text else None
