"""Fields that a server refuses, and how the program is told of it: once for each, or by an error."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from codex_client.errors import DroppedParameterWarning, UnsupportedParameterError
from codex_client.payload.paths import is_at, take_at

if TYPE_CHECKING:
    from codex_client.payload.amend import Amendment

# This library, and what runs it: the retries, and the blocks of `async with`.
_NOT_THE_CALLERS = frozenset({"codex_client", "contextlib", "tenacity"})


class RefusedFields:
    """What one client leaves out: the fields that its server is known to refuse, and what it has learnt since.

    `server` is its name in warnings. `strict`: a known field is an `UnsupportedParameterError`, and nothing is learnt.
    """

    def __init__(self, known: Iterable[str] = (), *, server: str, strict: bool = False) -> None:
        self.strict = strict
        self._known = tuple(sorted(known))
        self._server = server
        self._told: set[str] = set()
        self._learnt: dict[str, list[Amendment]] = {}

    def leave_out(self, payload: dict[str, Any]) -> None:
        """Take out of the payload what the server refuses, wherever it came from."""
        for path in self._known:
            if is_at(payload, path):
                self._leave_out(payload, path)
        for amendment in self._learnt.get(_model_of(payload), ()):
            amendment.amend(payload)

    def learn(self, payload: dict[str, Any], amendment: Amendment) -> None:
        """The server has refused a field of this payload: it is treated so from now on, with this model."""
        model = _model_of(payload)
        if amendment in self._learnt.get(model, ()):
            return
        warn_dropped(f"{self._server} refused {amendment.fault} for the model {model!r}; it is {amendment.remedy}")
        self._learnt.setdefault(model, []).append(amendment)

    def _leave_out(self, payload: dict[str, Any], path: str) -> None:
        refusal = f"{self._server} refuses the parameter {path!r}"
        if self.strict:
            raise UnsupportedParameterError(
                f"{refusal}; leave it out, or do without `strict_parameters` to have that done", parameter=path
            )
        if path not in self._told:
            warn_dropped(f"{refusal}; it is left out of every request")
            self._told.add(path)
        take_at(payload, path)


def warn_dropped(text: str) -> None:
    """A `DroppedParameterWarning` at the caller's line. A program may make an error of it: what is remembered of the
    fault is remembered afterwards, so that each request raises.
    """
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _NOT_THE_CALLERS:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, DroppedParameterWarning, stacklevel=level)


def _model_of(payload: dict[str, Any]) -> str:
    return str(payload.get("model", ""))
