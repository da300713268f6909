"""Fields that a server refuses, known or learnt, and how the program is told of it: once for each, or by an error."""

from __future__ import annotations

import inspect
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from codex_client.errors import DroppedParameterWarning, UnsupportedParameterError
from codex_client.payload.paths import is_at, take_at, value_at

if TYPE_CHECKING:
    from codex_client.payload.amend import Amendment

# This library, and what runs it: the retries, and the blocks of `async with`.
_NOT_THE_CALLERS = frozenset({"codex_client", "contextlib", "tenacity"})
# Far more than the accounts, models and efforts of one client.
_MAX_REMEMBERED = 1024
# Of a name in a warning.
_MAX_CHARS = 80

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class RefusedFields:
    """What one builder leaves out: the fields that its server is known to refuse.

    `server` is its name in warnings. `strict`: such a field is an `UnsupportedParameterError`.
    """

    def __init__(self, known: Iterable[str], *, server: str, strict: bool = False) -> None:
        self._strict = strict
        self._known = tuple(sorted(known))
        self._server = server
        self._told: set[str] = set()

    def leave_out(self, payload: dict[str, Any]) -> None:
        """Take out of the payload what the server refuses, wherever it came from."""
        for path in self._known:
            if is_at(payload, path):
                self._leave_out(payload, path)

    def _leave_out(self, payload: dict[str, Any], path: str) -> None:
        refusal = f"{self._server} refuses the parameter {path!r}"
        if self._strict:
            raise UnsupportedParameterError(
                f"{refusal}; leave it out, or do without `strict_parameters` to have that done", parameter=path
            )
        if path not in self._told:
            warn_dropped(f"{refusal}; it is left out of every request")
            self._told.add(path)
        take_at(payload, path)


class Asked(NamedTuple):
    """For whom a server's refusal holds. Plans of accounts differ and models differ, and some models take a field,
    such as `temperature`, at one effort only.
    """

    account: str | None
    model: str
    effort: str | None

    @classmethod
    def by(cls, payload: dict[str, Any], account: str | None = None) -> Asked:
        """What this payload asks for, of either API."""
        effort = value_at(payload, "reasoning.effort") or payload.get("reasoning_effort")
        return cls(account, str(payload.get("model", "")), None if effort is None else str(effort))

    def __str__(self) -> str:
        """The account is not named: its key may hold an address."""
        effort = "" if self.effort is None else f" at effort {self.effort[:_MAX_CHARS]!r}"
        return f"the model {self.model[:_MAX_CHARS]!r}{effort}" + ("" if self.account is None else " with this account")


class LearntRefusals:
    """What one client has been refused by its server, and by what change the rest of the request was taken.

    What was learnt, or told, longest ago is forgotten: names of models and efforts may be a stranger's text.
    """

    def __init__(self, *, server: str) -> None:
        self._server = server
        self._told: OrderedDict[tuple[Asked, Amendment], None] = OrderedDict()
        self._learnt: OrderedDict[Asked, tuple[Amendment, ...]] = OrderedDict()

    def of(self, asked: Asked) -> Sequence[Amendment]:
        """What is changed from the start in a request that asks so."""
        return self._learnt.get(asked, ())

    def tell(self, asked: Asked, amendment: Amendment) -> None:
        """Warn, once, that a request is sent again with this change."""
        if (asked, amendment) not in self._told:
            warn_dropped(f"{self._server} refused {amendment.fault} for {asked}; it is {amendment.remedy}")
            _remember(self._told, (asked, amendment), None)

    def learn(self, asked: Asked, amendments: Iterable[Amendment]) -> None:
        """The server has taken a request that was changed so."""
        known = self._learnt.get(asked, ())
        if new := tuple(amendment for amendment in amendments if amendment not in known):
            _remember(self._learnt, asked, known + new)


def _remember(memory: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > _MAX_REMEMBERED:
        memory.popitem(last=False)


def warn_dropped(text: str) -> None:
    """A `DroppedParameterWarning` at the caller's line. A program may make an error of it: what is remembered of the
    fault is remembered afterwards, so that each request raises.
    """
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _NOT_THE_CALLERS:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, DroppedParameterWarning, stacklevel=level)
