"""Texts for people and for programs: lines, moments, JSON, files that only their owner may read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, cast

from rich.console import Console, RenderableType
from rich.text import Text

from codex_client.credentials.quota_state import duration
from codex_client.errors import ConfigurationError, TokenStoreError

# Control characters, overrides of the direction of writing, and halves of characters, which no output can carry. All
# else is text: also blanks that do not break, and what joins letters and pictures.
_STEERING = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_NO_LINE = re.compile(rf"[\t\n\u2028\u2029{_STEERING}]")
_NO_LINES = re.compile(f"[{_STEERING}]")


def printable(text: str) -> str:
    """One line without what would steer a terminal: e-mail addresses, plans and reasons are written by others."""
    return _NO_LINE.sub(" ", text)


def printable_lines(text: str) -> str:
    """The text without the same; its lines stay, and nothing comes in place of what goes."""
    return _NO_LINES.sub("", text)


def say(console: Console, text: str, *, style: str = "", label: str = "") -> None:
    """One line, which only a terminal breaks; `style` is the label's, or the whole line's where there is none."""
    line = Text.assemble((label, style), printable(text)) if label else Text(printable(text), style)
    console.print(line, soft_wrap=not console.is_terminal)


def warn(console: Console, text: str) -> None:
    say(console, text, style="bold yellow", label="warning: ")


def show(console: Console, what: RenderableType) -> None:
    """Tables and the like. Into a file or a pipe without the blanks that fill up their lines."""
    if console.is_terminal:
        console.print(what)
        return
    with console.capture() as captured:
        console.print(what)
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    console.file.flush()


def emit(console: Console, text: str) -> None:
    """Text for a program, to the letter. Raises `ConfigurationError` where the output's encoding lacks a letter."""
    if not _can_encode(text, console.encoding):
        raise ConfigurationError(
            f"the output's encoding {console.encoding} lacks some of its characters; set PYTHONIOENCODING=utf-8"
        )
    console.file.write(text)
    console.file.flush()


def emit_json(console: Console, value: Any, *, indent: int | None = 2) -> None:
    emit(console, json.dumps(with_iso(value), indent=indent) + "\n")


def with_iso(value: Any) -> Any:
    """JSON values in which every moment `…_at` (Unix seconds) has the same as `…_at_iso` (ISO 8601, UTC) behind it."""
    if isinstance(value, list):
        return [with_iso(each) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    told: dict[str, Any] = {}
    for name, member in cast("dict[str, Any]", value).items():
        told[name] = with_iso(member)
        if name.endswith("_at"):
            told[f"{name}_iso"] = None if member is None else iso(member)
    return told


def iso(at: float) -> str | None:
    """The moment in UTC; None for one that no calendar has."""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return None


def local_time(at: float, *, now: float, timezone: tzinfo | None) -> str:
    """The moment as a clock and a calendar show it there: "14:32", "Thu 26 Nov 09:00", "2027-01-02 09:00"."""
    try:
        moment, today = (datetime.fromtimestamp(each, UTC).astimezone(timezone) for each in (at, now))
    except (OverflowError, ValueError, OSError):
        return "some day"
    if moment.date() == today.date():
        return f"{moment:%H:%M}"
    return f"{moment:%a %d %b %H:%M}" if moment.year == today.year else f"{moment:%Y-%m-%d %H:%M}"


def stamp(at: float, *, timezone: tzinfo | None) -> str:
    """The moment to the second, as in a log: "2023-11-14 22:13:20"."""
    return f"{datetime.fromtimestamp(at, UTC).astimezone(timezone):%Y-%m-%d %H:%M:%S}"


def counted(number: int, thing: str) -> str:
    """Such as "1 account", "2 accounts"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def moment_and_countdown(at: float, *, now: float, timezone: tzinfo | None) -> str:
    """Such as "14:32, in 2 h 10 min"."""
    return f"{local_time(at, now=now, timezone=timezone)}, in {duration(at - now)}"


def write_private(path: Path, make: Callable[[], str]) -> None:
    """Write a new file that only its owner may read (0600). `make` gives the text, which may be secret.

    Raises `ConfigurationError` where the file is there already, `TokenStoreError` where it cannot be written; nothing
    is left of it then.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigurationError(
            f"{path} is there already and is not overwritten; remove it, or choose another"
        ) from None
    except OSError as error:
        raise _unwritten(path, error) from None
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            # Made in the call: a traceback with locals shows what is bound here.
            file.write(make())
    except BaseException as error:
        with suppress(OSError):
            path.unlink()
        if isinstance(error, OSError):
            raise _unwritten(path, error) from None
        raise


def _can_encode(text: str, encoding: str) -> bool:
    # The error would hold the whole text.
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _unwritten(path: Path, error: OSError) -> TokenStoreError:
    return TokenStoreError(
        f"{path} could not be written: {error.strerror or type(error).__name__}; see to the disk's space and the "
        "folder's rights"
    )
