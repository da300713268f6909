"""Reading JSON that a stranger wrote: every fault is an `InvalidPayloadError` that names the field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from codex_client.errors import InvalidPayloadError

# What the helpers of OpenAI's own clients add to an answer, and send back with it as history; its servers refuse them.
_PARSED = frozenset({"parsed", "parsed_arguments"})
_NAMES = {bool: "a boolean", int: "a whole number", float: "a number", str: "a text", list: "a list", dict: "an object"}


class Fields:
    """One JSON object. A field that is null counts as absent. `taken` is what has been read so far.

    `path` is the object's place in the request, "" for the request itself.
    """

    def __init__(self, value: object, path: str = "") -> None:
        if not isinstance(value, Mapping):
            raise fault(path or "the request body", f"is {_kind(value)}; give a JSON object", path)
        self.values: Mapping[str, Any] = cast("Mapping[str, Any]", value)
        self.path = path
        self.taken: set[str] = set()

    def at(self, name: str) -> str:
        """The place of a field."""
        return f"{self.path}.{name}" if self.path else name

    def get(self, name: str) -> Any:
        """The field as it is."""
        self.taken.add(name)
        return self.values.get(name)

    def text(self, name: str) -> str | None:
        return self._typed(name, str)

    def flag(self, name: str) -> bool | None:
        return self._typed(name, bool)

    def whole(self, name: str) -> int | None:
        return self._typed(name, int)

    def number(self, name: str) -> float | None:
        return self._typed(name, float)

    def child(self, name: str) -> Fields | None:
        """The object in a field."""
        value = self.get(name)
        return None if value is None else Fields(value, self.at(name))

    def children(self, name: str) -> Iterator[Fields]:
        """The objects of the list in a field; none where it is absent."""
        for index, value in enumerate(self._typed(name, list) or ()):
            yield Fields(value, f"{self.at(name)}[{index}]")

    def needed(self, name: str) -> str:
        """A text that must be there and must not be empty."""
        text = self.text(name)
        if not text:
            raise fault(self.at(name), "is missing or empty; give a text", self.at(name))
        return text

    def rest(self) -> dict[str, Any]:
        """What nobody has read, without nulls."""
        values = without_parsed(self.values)
        return {name: value for name, value in values.items() if name not in self.taken and value is not None}

    def fault(self, name: str, problem: str) -> InvalidPayloadError:
        """The error for a field; `problem` says what is wrong with it and what to do."""
        return fault(self.at(name), problem, self.at(name))

    def _typed(self, name: str, kind: type) -> Any:
        value = self.get(name)
        if value is None or _is(value, kind):
            return value
        raise self.fault(name, f"is {_kind(value)}; give {_NAMES[kind]}")


def without_parsed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The object without what a client's helper has made of it."""
    return {name: value for name, value in values.items() if name not in _PARSED}


def fault(place: str, problem: str, param: str | None) -> InvalidPayloadError:
    return InvalidPayloadError(f"{place} {problem}", param=param or None)


def _is(value: object, kind: type) -> bool:
    """A bool is an int to `isinstance`, and a whole number is a number."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _kind(value: object) -> str:
    for kind, name in _NAMES.items():
        if _is(value, kind):
            return name
    return "null" if value is None else f"of type {type(value).__name__}"
