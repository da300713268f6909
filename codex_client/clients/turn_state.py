"""The ChatGPT backend's routing state of a turn, which goes back with what belongs to the same turn.

A turn here is the user's: their message, the calls of tools that the model makes of it, and their outputs. The first
answer's state holds for all of it, so that its requests meet the same machine and its cache (codex's rule).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from codex_client.items import ResponseItem
from codex_client.payload.history import answered_call_id
from codex_client.prompt import Prompt

HEADER = "x-codex-turn-state"
# Far more than the conversations that one client has under way at once; a state is some hundred bytes.
_MAX_CONVERSATIONS = 1024
# What a server may have us keep and send.
_MAX_CHARS = 8192


class TurnStates:
    """The states that one client has been told, by conversation and account. Those used longest ago are forgotten."""

    def __init__(self, max_conversations: int = _MAX_CONVERSATIONS) -> None:
        self._max = max_conversations
        self._states: OrderedDict[str, dict[str | None, str]] = OrderedDict()

    def begin(self, conversation_id: str) -> None:
        """The user has spoken: nothing told before holds any more."""
        self._states.pop(conversation_id, None)

    def state_of(self, conversation_id: str, account: str | None) -> str | None:
        """What goes back with a further request of the turn."""
        return self._states.get(conversation_id, {}).get(account)

    def learn(self, conversation_id: str, account: str | None, headers: Mapping[str, str]) -> None:
        """Keep what an answer tells, if it is the turn's first to tell it. What no header could carry is no state."""
        state = headers.get(HEADER, "")
        if not state or len(state) > _MAX_CHARS or not (state.isascii() and state.isprintable()):
            return
        self._states.setdefault(conversation_id, {}).setdefault(account, state)
        self._states.move_to_end(conversation_id)
        while len(self._states) > self._max:
            self._states.popitem(last=False)


def goes_on(prompt: Prompt) -> bool:
    """Whether the prompt belongs to a turn under way: a tool's output has the last word."""
    items: tuple[ResponseItem, ...] = prompt.items
    return bool(items) and answered_call_id(items[-1]) is not None
