"""The ChatGPT backend's routing state of a turn, which goes back with what belongs to the same turn.

A turn here is the user's: their message, the calls of tools that the model makes of it, and their outputs. The first
answer's state holds for all of it, so that its requests meet the same machine and its cache (codex's rule). Turns of
one conversation may run at once, and one message may be asked more than once, for several samples or because the first
answer broke off. So a turn has strands, one for each time that it was begun, and the calls that a strand has made tell
what belongs to it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from codex_client.payload.history import answered_call_id
from codex_client.prompt import Prompt

HEADER = "x-codex-turn-state"
# Far more than the turns that one client has under way at once, with their calls; a state is some hundred bytes.
_MAX_NAMES = 4096
# What a server may have us keep and send.
_MAX_CHARS = 8192


class Strand:
    """One run of a turn, and the states that it has been told, one by each account."""

    def __init__(self, turn: str) -> None:
        self.turn = turn
        self._states: dict[str | None, str] = {}

    def state_of(self, account: str | None) -> str | None:
        """What goes back with a further request."""
        return self._states.get(account)

    def learn(self, account: str | None, headers: Mapping[str, str]) -> None:
        """Keep what an answer tells, if it is the first to tell it. What no header could carry is no state."""
        state = headers.get(HEADER, "")
        if state and len(state) <= _MAX_CHARS and state.isascii() and state.isprintable():
            self._states.setdefault(account, state)


class TurnStates:
    """The strands that one client has under way, by the names of their turns and of the calls that they made.

    A name that several have stands for none. Names used longest ago are forgotten.
    """

    def __init__(self, max_names: int = _MAX_NAMES) -> None:
        self._max = max_names
        self._strands: OrderedDict[tuple[str, ...], Strand | None] = OrderedDict()

    def begin(self, turn: str) -> Strand:
        """The user has spoken: nothing told of the turn before holds for what comes of it now."""
        strand = Strand(turn)
        self._keep((turn,), strand)
        return strand

    def going_on(self, turn: str, call_ids: Iterable[str]) -> Strand:
        """The strand that made these calls, else the only one of the turn; a new one where neither is known."""
        names = [name for call_id in call_ids if (name := (turn, call_id)) in self._strands] or [(turn,)]
        found = {self._strands.get(name) for name in names}
        strand = found.pop() if len(found) == 1 else None
        if strand is None:
            return self.begin(turn)
        for name in (*names, (turn,)):
            self._keep(name, strand)
        return strand

    def note_call(self, strand: Strand, call_id: str) -> None:
        """The strand's answer has made a call."""
        self._keep((strand.turn, call_id), strand)

    def _keep(self, name: tuple[str, ...], strand: Strand) -> None:
        known = self._strands.get(name, strand)
        self._strands[name] = strand if known is strand else None
        self._strands.move_to_end(name)
        while len(self._strands) > self._max:
            self._strands.popitem(last=False)


def just_answered(prompt: Prompt) -> list[str]:
    """The calls whose outputs have the last word, last one first; none where the prompt begins a turn."""
    call_ids: list[str] = []
    for item in reversed(prompt.items):
        call_id = answered_call_id(item)
        if call_id is None:
            break
        call_ids.append(call_id)
    return call_ids
