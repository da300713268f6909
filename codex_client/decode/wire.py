"""What both decoders need to look at a frame: its type, its JSON, an excerpt for an error."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from httpx_sse import ServerSentEvent
from pydantic_core import from_json

from codex_client.errors import MalformedFrameError
from codex_client.masking import excerpt

# Servers put the type first, so that most frames need not be parsed to be told apart.
_LEADING_TYPE = re.compile(r'\s*\{\s*"type"\s*:\s*"([^"\\]*)"')
# Every escape is matched, so that the search never begins inside one.
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]\w\w\\u[dD][c-fC-F]|(?P<lone>u[dD][89a-fA-F]\w\w)|.)", re.DOTALL)


def wire_type(frame: ServerSentEvent) -> str:
    """The frame's event name, else the `type` of its JSON object; "" where there is neither. Never raises.

    `message` is the name of every frame without one (WHATWG 9.2.6).
    """
    return frame.event if frame.event != "message" else json_type(frame.data)


def json_type(text: str) -> str:
    """The `type` of a JSON object, "" for all else. Parses only what does not begin with it."""
    if leading := _LEADING_TYPE.match(text):
        return leading[1]
    if '"type"' not in text:
        return ""
    try:
        fields = as_object(from_json(text))
    except ValueError:
        return ""
    own = fields.get("type")
    return own if isinstance(own, str) else ""


def leading_type(text: str) -> str:
    """As `json_type`, for objects that begin with their type; "" for all others, without a look into them."""
    leading = _LEADING_TYPE.match(text)
    return leading[1] if leading else ""


def parse_json(text: str) -> Any:
    """The JSON value of a frame's data. Raises `MalformedFrameError`."""
    try:
        return from_json(text)
    except ValueError:
        pass
    try:
        return from_json(replace_lone_surrogates(text))
    except ValueError:
        raise malformed(text) from None


def replace_lone_surrogates(text: str) -> str:
    """JSON text with U+FFFD for each lone surrogate escape: half an emoji, from a server that cuts by UTF-16 units.

    The grammar allows them (RFC 8259, 8.2), but no Python string that holds one can be encoded.
    """
    return _ESCAPE.sub(lambda found: "\\ufffd" if found["lone"] else found[0], text)


def malformed(text: str) -> MalformedFrameError:
    """The error for data that is not JSON."""
    shown = excerpt(text)
    return MalformedFrameError(
        f"a frame of {len(text)} characters is not valid JSON: {shown!r}; "
        "the server or a proxy in between broke it: try again, "
        "or skip such frames with `StreamLimits.tolerate_malformed`",
        excerpt=shown,
    )


def is_complete_json(text: str) -> bool:
    """Whether the text is one whole JSON value: how a call's arguments show that they were not cut."""
    try:
        from_json(text, cache_strings="none")
    except ValueError:
        return False
    return True


def as_object(value: Any) -> dict[str, Any]:
    """The value where it is a JSON object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """The value where it is a JSON array, else an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """The value where it is a string, else ""."""
    return value if isinstance(value, str) else ""


def as_json_text(arguments: Any) -> str:
    """A call's arguments, which are JSON text. Some servers send the object itself, or null while they are to come."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))


def as_index(value: Any) -> int | None:
    """The value where it is a whole number not below 0, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def as_count(value: Any) -> int:
    """The value where it is a number not below 0 (a float is cut), else 0: servers send null, "", -1 and 12.0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    # NaN and infinities are no counts; pydantic's parser lets them through.
    return int(value) if 0 <= value < float("inf") else 0
