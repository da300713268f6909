"""The ChatGPT backend's routing state of a turn, which goes back with what belongs to the same turn.

A turn here is the user's: their message, the calls of tools that the model makes of it, and their outputs. The first
answer's state holds for all of it, so that its requests meet the same machine and its cache (codex's rule). Turns of
one conversation may run at once, so a state is kept by the conversation and the turn.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from codex_client.items import ResponseItem
from codex_client.payload.history import answered_call_id
from codex_client.prompt import Prompt

HEADER = "x-codex-turn-state"
# Far more than the turns that one client has under way at once; a state is some hundred bytes.
_MAX_TURNS = 1024
# What a server may have us keep and send.
_MAX_CHARS = 8192


class TurnStates:
    """The states that one client has been told, by turn and account. Those used longest ago are forgotten."""

    def __init__(self, max_turns: int = _MAX_TURNS) -> None:
        self._max = max_turns
        self._states: OrderedDict[str, dict[str | None, str]] = OrderedDict()

    def begin(self, turn: str) -> None:
        """The turn is begun, perhaps anew: nothing told of it before holds any more."""
        self._states.pop(turn, None)

    def state_of(self, turn: str, account: str | None) -> str | None:
        """What goes back with a further request of the turn."""
        return self._states.get(turn, {}).get(account)

    def learn(self, turn: str, account: str | None, headers: Mapping[str, str]) -> None:
        """Keep what an answer tells, if it is the turn's first to tell it. What no header could carry is no state."""
        state = headers.get(HEADER, "")
        if not state or len(state) > _MAX_CHARS or not (state.isascii() and state.isprintable()):
            return
        self._states.setdefault(turn, {}).setdefault(account, state)
        self._states.move_to_end(turn)
        while len(self._states) > self._max:
            self._states.popitem(last=False)


def goes_on(prompt: Prompt) -> bool:
    """Whether the prompt belongs to a turn under way: a tool's output has the last word."""
    items: tuple[ResponseItem, ...] = prompt.items
    return bool(items) and answered_call_id(items[-1]) is not None
