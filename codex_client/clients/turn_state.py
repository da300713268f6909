"""The ChatGPT backend's routing state of a turn, which goes back with what belongs to the same turn.

A turn here is the user's: their message, the calls of tools that the model makes of it, and their outputs. The first
answer's state holds for all of it, so that its requests meet the same machine and its cache (codex's rule). Turns of
one conversation may run at once, and one message may be asked more than once, for several samples or because the first
answer broke off. So a turn has strands, one for each time that it was begun, and the calls that a strand has made tell
what belongs to it. Nothing is kept of a turn for which no state was told.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from codex_client.payload.history import answered_call_id
from codex_client.prompt import Prompt

HEADER = "x-codex-turn-state"
# Far more than the turns that one client has under way at once; a state is some hundred bytes.
_MAX_STRANDS = 1024
# Of one strand, the newest: more than a step makes, so that a step may be sent again.
_MAX_CALLS = 64
# What a server may have us keep and send.
_MAX_CHARS = 8192

_Name: TypeAlias = tuple[str, ...]
"""A turn, or a turn and a call of it."""


class Strand:
    """One run of a turn, and the states that it has been told, one by each account."""

    def __init__(self, turn: str) -> None:
        self.turn = turn
        self._states: dict[str | None, str] = {}

    def state_of(self, account: str | None) -> str | None:
        """What goes back with a further request."""
        return self._states.get(account)

    def learn(self, account: str | None, headers: Mapping[str, str]) -> bool:
        """Keep what an answer tells, if it is the first to tell it; whether it tells any. What no header could carry is
        no state.
        """
        state = headers.get(HEADER, "")
        tells = 0 < len(state) <= _MAX_CHARS and state.isascii() and state.isprintable()
        if tells:
            self._states.setdefault(account, state)
        return tells


class TurnStates:
    """The strands that one client has under way, found by their turns and by the calls that they made.

    Strands used longest ago are forgotten.
    """

    def __init__(self, max_strands: int = _MAX_STRANDS) -> None:
        self._max = max_strands
        self._strands: OrderedDict[Strand, deque[_Name]] = OrderedDict()
        self._named: dict[_Name, list[Strand]] = {}

    def begin(self, turn: str) -> Strand:
        """The user has spoken: nothing told of the turn before holds for what comes of it now."""
        strand = Strand(turn)
        if (turn,) in self._named:
            self._keep(strand)
        return strand

    def going_on(self, turn: str, call_ids: Iterable[str]) -> Strand:
        """The strand that made these calls, else the only one of the turn; a new one where neither is known."""
        names = [name for call_id in call_ids if (name := (turn, call_id)) in self._named] or [(turn,)]
        found = {strand for name in names for strand in self._named.get(name, ())}
        if len(found) != 1:
            return self.begin(turn)
        strand = found.pop()
        self._strands.move_to_end(strand)
        return strand

    def learn(self, strand: Strand, account: str | None, headers: Mapping[str, str]) -> None:
        """The headers of an answer to this strand."""
        if strand.learn(account, headers):
            self._keep(strand)

    def note_call(self, strand: Strand, call_id: str) -> None:
        """The strand's answer has made a call."""
        if strand not in self._strands:
            return
        self._name(strand, (strand.turn, call_id))
        if len(names := self._strands[strand]) > _MAX_CALLS:
            self._unname(strand, names.popleft())

    def _keep(self, strand: Strand) -> None:
        if strand not in self._strands:
            self._strands[strand] = deque()
            self._named.setdefault((strand.turn,), []).append(strand)
        self._strands.move_to_end(strand)
        if len(self._strands) > self._max:
            forgotten, names = self._strands.popitem(last=False)
            for name in ((forgotten.turn,), *names):
                self._unname(forgotten, name)

    def _name(self, strand: Strand, name: _Name) -> None:
        strands = self._named.setdefault(name, [])
        if strand not in strands:
            strands.append(strand)
            self._strands[strand].append(name)

    def _unname(self, strand: Strand, name: _Name) -> None:
        self._named[name].remove(strand)
        if not self._named[name]:
            del self._named[name]


def just_answered(prompt: Prompt) -> list[str]:
    """The calls whose outputs have the last word, last one first; none where the prompt begins a turn."""
    call_ids: list[str] = []
    for item in reversed(prompt.items):
        call_id = answered_call_id(item)
        if call_id is None:
            break
        call_ids.append(call_id)
    return call_ids
