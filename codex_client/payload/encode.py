"""The payload as bytes, and the plain JSON values it is made of."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from codex_client.errors import InvalidPayloadError


def plain(value: Any, *, name: str = "payload") -> Any:
    """A copy that shares nothing changeable with `value`: mappings as dictionaries, sequences as lists.

    Raises `InvalidPayloadError` for a structure without end, naming the place in an object called `name`.
    """
    try:
        return _copy(value)
    except RecursionError as error:
        raise InvalidPayloadError(next(_faults(value, name, 0), f"{name} is no JSON: {error}")) from None


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        return {key: _copy(field) for key, field in fields.items()}
    if isinstance(value, list | tuple):
        return [_copy(element) for element in cast("Sequence[Any]", value)]
    return value


def encode_payload(payload: Mapping[str, Any], *, name: str = "payload") -> bytes:
    """Compact JSON in UTF-8, keys in the payload's own order: the same payload gives the same bytes, also on a retry.

    Raises `InvalidPayloadError` for what a JSON body cannot hold: NaN and infinities, lone surrogates, and objects
    that are no JSON. It names the field, in an object called `name`.
    """
    try:
        return json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidPayloadError(next(_faults(payload, name, 0), f"{name} is no JSON: {error}")) from None


# Deeper than any real payload, and well below Python's own limit: a structure that contains itself ends here.
_MAX_DEPTH = 200


def _faults(value: Any, path: str, depth: int) -> Iterator[str]:
    """What cannot be encoded, in words, first one first."""
    if depth > _MAX_DEPTH:
        yield f"{path[:80]}… is nested more than {_MAX_DEPTH} deep, or contains itself; flatten it"
    elif isinstance(value, Mapping):
        for key, field in cast("Mapping[Any, Any]", value).items():
            yield from _key_faults(key, path)
            yield from _faults(field, f"{path}.{key!s}", depth + 1)
    elif isinstance(value, list | tuple):
        for index, element in enumerate(cast("Sequence[Any]", value)):
            yield from _faults(element, f"{path}[{index}]", depth + 1)
    else:
        yield from _leaf_faults(value, path)


def _key_faults(key: Any, path: str) -> Iterator[str]:
    if not isinstance(key, str | int | float | None):
        yield f"{path} has a key of type {type(key).__name__}; JSON objects have text keys only"
    else:
        yield from _leaf_faults(key, f"a key of {path}")


def _leaf_faults(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{path} is {value}; JSON has finite numbers only"
    elif isinstance(value, str) and not _encodable(value):
        yield (
            f"{path} holds half a character (a lone surrogate); "
            "replace it, as by text.encode('utf-8', 'replace').decode()"
        )
    elif not isinstance(value, str | int | float | None):
        yield f"{path} is of type {type(value).__name__}, which is no JSON; give text, numbers, lists or dictionaries"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
