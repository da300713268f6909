"""Recorded streams on disk: a file in one of three forms, as the bytes of an event stream.

| suffix | form |
|---|---|
| `.sse` | the body as a server sent it, taken as it is |
| `.jsonl`, `.txt` | codex's form, one frame a line: `data: {…}`, or the JSON alone; blank lines do not count |
| `.json` | a list of the events' JSON objects; `"[DONE]"` and other strings are data that is no object |

In codex's form a line that begins with a field name (`data`, `event`, `id`, `retry`, or a comment's colon) is a block
of its own, as codex replays it: an `event:` line alone gives no frame, so what counts is the `type` in the JSON. Any
other line must be JSON or `[DONE]`.
"""

from __future__ import annotations

import json
import re
from os import PathLike
from pathlib import Path
from typing import Any, cast

from codex_client.errors import ConfigurationError

_FIELD = re.compile(rb"(data|event|id|retry)?:|(data|event|id|retry)$")
_DONE = b"[DONE]"
_BOM = b"\xef\xbb\xbf"


def load_fixture(path: str | PathLike[str]) -> bytes:
    """The fixture as the bytes of an event stream.

    Raises `FileNotFoundError`, and `ConfigurationError` for a file that is in none of the forms; it tells the line.
    """
    path = Path(path)
    match path.suffix.lower():
        case ".sse":
            return _read(path)
        case ".jsonl" | ".txt":
            return _from_lines(_read(path), path)
        case ".json":
            return _from_list(_read(path), path)
        case suffix:
            raise ConfigurationError(
                f"fixture {str(path)!r} has the suffix {suffix!r}; "
                "name it .sse (a raw stream), .jsonl or .txt (one frame a line) or .json (a list of events)"
            )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        where = "" if path.is_absolute() else f", looked for from {str(Path.cwd())!r}"
        raise FileNotFoundError(error.errno, f"no such fixture{where}", str(path)) from None


def _from_lines(content: bytes, path: Path) -> bytes:
    blocks: list[bytes] = []
    # Not `str.splitlines`: inside JSON text U+2028 and U+0085 are ordinary characters.
    for number, line in enumerate(content.removeprefix(_BOM).splitlines(), start=1):
        if not line.strip():
            continue
        if not _FIELD.match(line):
            line = b"data: " + _json_line(line.strip(), path, number)
        blocks.append(line + b"\n\n")
    return b"".join(blocks)


def _json_line(line: bytes, path: Path, number: int) -> bytes:
    """The line, checked."""
    if line != _DONE:
        try:
            json.loads(line)
        except ValueError as error:
            raise ConfigurationError(
                f"fixture {str(path)!r}, line {number}: neither a field of an event stream nor JSON "
                f"({_reason(error)}); begin a line that is meant to be broken with `data: `"
            ) from None
    return line


def _from_list(content: bytes, path: Path) -> bytes:
    try:
        events = json.loads(content.removeprefix(_BOM))
    except ValueError as error:
        line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise ConfigurationError(f"fixture {str(path)!r}{line}: not JSON ({_reason(error)}); mend it there") from None
    if not isinstance(events, list):
        raise ConfigurationError(
            f"fixture {str(path)!r} holds a JSON {_kind(events)}; a .json fixture is a list of events"
        )
    return b"".join(_block(event, path, number) for number, event in enumerate(cast("list[Any]", events), start=1))


def _block(event: Any, path: Path, number: int) -> bytes:
    match event:
        case dict():
            text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        case str():
            text = event
        case _:
            raise ConfigurationError(
                f"fixture {str(path)!r}, event {number} is a JSON {_kind(event)}; "
                'events are objects, or strings such as "[DONE]"'
            )
    # A lone surrogate has no UTF-8; its escape means the same in JSON.
    data = text.encode("utf-8", "backslashreplace")
    return b"".join(b"data: %s\n" % line for line in data.split(b"\n")) + b"\n"


def _reason(error: ValueError) -> str:
    """What is wrong and in which column, without the text around it."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg[:1].lower()}{error.msg[1:]} at column {error.colno}"
    return "invalid UTF-8"


def _kind(value: Any) -> str:
    match value:
        case dict():
            return "object"
        case list():
            return "list"
        case str():
            return "string"
        case bool():
            return "boolean"
        case None:
            return "null"
        case _:
            return "number"
