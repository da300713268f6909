"""How reasoning reaches the clients of the Chat API, and how it comes back from them.

The API itself has no field for it. `reasoning_content` is DeepSeek's name, which most clients know; think tags are what
open models write into their text. What only the server can read goes as entries of `reasoning_details`, the form that
OpenRouter has given it, so that a client which sends them back keeps the model's train of thought.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from codex_client.decode.wire import as_list, as_object
from codex_client.items import Reasoning, ReasoningText, SummaryText


class ReasoningFormat(StrEnum):
    """The form of reasoning in Chat answers, the same whether they are streamed or not."""

    REASONING_CONTENT = "reasoning_content"
    THINK_TAGS = "think_tags"
    NONE = "none"


OPENING, CLOSING = "<think>\n", "\n</think>\n\n"
SEPARATOR = "\n\n"
"""Between the parts of a summary, between reasoning items, and between messages."""

# As they are written here, so that a thought may speak of the tags; models write them with fewer line ends, too.
_TAGGED = [
    re.compile(f"{OPENING}(?P<thought>.*?){CLOSING}", re.DOTALL),
    re.compile(r"<think>\n?(?P<thought>.*?)\n?</think>\n{0,2}", re.DOTALL),
]

# What OpenRouter calls the encrypted reasoning of OpenAI's models.
_FORMAT = "openai-responses-v1"
# Beside the item's own id, who encrypted it: another account could not read it.
_IDENTITY = ("id", "issuer")


def details_of(item: Reasoning) -> list[Any]:
    """The entries of `reasoning_details` that give the item back: a Chat server's own, else what is encrypted, with the
    summary that belongs to it.
    """
    if own := as_list((item.model_extra or {}).get("reasoning_details")):
        return own
    if not item.encrypted_content:
        return []
    told = {name: own for name in _IDENTITY if (own := getattr(item, name))}
    identity = {"format": _FORMAT, **told}
    summaries = [{"type": "reasoning.summary", "summary": text, **identity} for text in item.summary_texts]
    return [*summaries, {"type": "reasoning.encrypted", "data": item.encrypted_content, **identity}]


def reasoning_items(text: str, details: list[Any], *, to_chat: bool) -> list[Reasoning]:
    """The items behind a message's reasoning. `to_chat`: they go on to a Chat server, which reads the entries itself;
    a Responses server gets what is encrypted in them, and `text` is left out, as they hold it too.
    """
    if not to_chat and (items := list(_sealed_items(details))):
        return items
    fields: dict[str, Any] = {"summary": []}
    if text:
        fields["content"] = [ReasoningText(text=text)]
    if details:
        fields["reasoning_details"] = details
    return [Reasoning(**fields)] if text or details else []


def _sealed_items(details: list[Any]) -> Iterator[Reasoning]:
    """Each item is its summary and then the encrypted entry."""
    summary: list[SummaryText] = []
    for entry in map(as_object, details):
        if entry.get("format") != _FORMAT:
            continue
        if isinstance(text := entry.get("summary"), str):
            summary.append(SummaryText(text=text))
        elif isinstance(sealed := entry.get("data"), str):
            known = {name: told for name in _IDENTITY if isinstance(told := entry.get(name), str)}
            yield Reasoning.model_validate({**known, "summary": summary, "encrypted_content": sealed})
            summary = []


def split_think_tags(text: str) -> tuple[str, str]:
    """The reasoning that a text begins with, and what the model then says. Tags further on are what it says, and so is
    one that is never closed.

    A thought ends with the first closing tag that stands between line ends as `CLOSING` does, else with the first of
    any form. People read the text, so nothing in it is escaped: a thought that holds `CLOSING` itself ends there.
    """
    found = next((match for form in _TAGGED if (match := form.match(text))), None)
    return ("", text) if found is None else (found["thought"], text[found.end() :])
