"""Which assistant message carries which reasoning back to a Chat server.

Codex's rule. Nothing goes back while the user has the last word; otherwise the reasoning since the user's last message
does: it belongs to the loop of tool calls that the model is still thinking in. A reasoning item goes with the assistant
message right before it, else with the call or assistant message right after it; without either it has no place here.

Servers that say `reasoning_content` get all of it. DeepSeek demands it in every later turn once a call was made, and
passes over what it does not need ("must be fully passed back … in all subsequent requests", its thinking-mode guide).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from codex_client.items import CustomToolCall, FunctionCall, LocalShellCall, Message, Reasoning, ResponseItem
from codex_client.payload.encode import plain


@dataclass(frozen=True, slots=True)
class Thought:
    """Reasoning as a Chat message carries it: plain text, and the list that OpenRouter and its like call
    `reasoning_details`.
    """

    text: str = ""
    details: list[Any] = field(default_factory=list[Any])

    def and_then(self, later: Thought, separator: str) -> Thought:
        texts = [text for text in (self.text, later.text) if text]
        return Thought(separator.join(texts), [*self.details, *later.details])

    def fields(self, name: str) -> dict[str, Any]:
        """The message fields, with the text under `name`."""
        text = {name: self.text} if self.text else {}
        return {**text, "reasoning_details": self.details} if self.details else text


def anchored_reasoning(items: Sequence[ResponseItem], *, whole: bool) -> dict[int, Thought]:
    """What each item carries, by the item's index; several for one item are joined as they are.

    `whole`: all the history's reasoning, not just that of the loop at its end.
    """
    thoughts: dict[int, Thought] = {}
    for index in range(0 if whole else _start_of_loop(items), len(items)):
        item = items[index]
        if isinstance(item, Reasoning) and (anchor := _anchor(items, index)) is not None:
            thoughts[anchor] = thoughts.get(anchor, Thought()).and_then(_thought(item), "")
    return thoughts


def _start_of_loop(items: Sequence[ResponseItem]) -> int:
    """Just past the user's last message, or past the end where that message is the last word."""
    last_user = max((index for index, item in enumerate(items) if _is_by(item, "user")), default=-1)
    answered = any(not isinstance(item, Reasoning) for item in items[last_user + 1 :])
    return last_user + 1 if answered else len(items)


def _anchor(items: Sequence[ResponseItem], index: int) -> int | None:
    """Reasoning items side by side count as one."""
    before, after = index - 1, index + 1
    while before >= 0 and isinstance(items[before], Reasoning):
        before -= 1
    while after < len(items) and isinstance(items[after], Reasoning):
        after += 1
    if before >= 0 and _is_by(items[before], "assistant"):
        return before
    if after < len(items) and _is_answer(items[after]):
        return after
    return None


def _thought(item: Reasoning) -> Thought:
    details: Any = plain((item.model_extra or {}).get("reasoning_details"))
    return Thought(
        text=item.text if item.text.strip() else "",
        details=cast("list[Any]", details) if isinstance(details, list) else [],
    )


def _is_by(item: ResponseItem, role: str) -> bool:
    return isinstance(item, Message) and item.role == role


def _is_answer(item: ResponseItem) -> bool:
    return _is_by(item, "assistant") or isinstance(item, FunctionCall | CustomToolCall | LocalShellCall)
