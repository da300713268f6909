"""Places in a payload, by their names with dots between: `text.verbosity`. Lists have none."""

from __future__ import annotations

from typing import Any, cast


def value_at(payload: dict[str, Any], path: str) -> Any:
    """What stands there, None where nothing does."""
    place = _place(payload, path)
    return None if place is None else place[0].get(place[1])


def is_at(payload: dict[str, Any], path: str) -> bool:
    """Whether anything stands there, were it null."""
    place = _place(payload, path)
    return place is not None and place[1] in place[0]


def set_at(payload: dict[str, Any], path: str, value: Any) -> None:
    """Put a value in the place of the one that stands there; one must."""
    place = _place(payload, path)
    assert place is not None
    place[0][place[1]] = value


def take_at(payload: dict[str, Any], path: str) -> Any:
    """Take out what stands there, and the objects around it that are empty then."""
    place = _place(payload, path)
    value = None if place is None else place[0].pop(place[1], None)
    around = path.rpartition(".")[0]
    if around and value_at(payload, around) == {}:
        take_at(payload, around)
    return value


def _place(payload: dict[str, Any], path: str) -> tuple[dict[str, Any], str] | None:
    """The object that has the last name, and that name; None where one on the way there is no object."""
    *around, name = path.split(".")
    for step in around:
        inner: Any = payload.get(step)
        if not isinstance(inner, dict):
            return None
        payload = cast("dict[str, Any]", inner)
    return payload, name
