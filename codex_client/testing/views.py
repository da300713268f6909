"""Text as it reads once its escapes are undone, with the way back to where each character came from. Pure."""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]

_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_PERCENT_OR_PLUS = re.compile(r"%[0-9A-Fa-f]{2}|\+")
_JSON_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})')

# 20 characters carry 15 bytes; the credentials worth hiding are not shorter, and shorter runs are everywhere.
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/_-]{20,}+={0,2}")


class View:
    """A text with some of its parts replaced by one character each."""

    def __init__(self, text: str, escapes: re.Pattern[str], decode: Callable[[str], str]) -> None:
        parts: list[str] = []
        # Where each part begins, in the view and in the text; literal parts and escapes take turns.
        self._starts: list[int] = []
        self._origins: list[int] = []
        at = size = 0
        for match in escapes.finditer(text):
            for part, origin in ((text[at : match.start()], at), (decode(match[0]), match.start())):
                parts.append(part)
                self._starts.append(size)
                self._origins.append(origin)
                size += len(part)
            at = match.end()
        self.text: str = "".join([*parts, text[at:]])
        self._starts += [size, len(self.text)]
        self._origins += [at, len(text)]

    def origin(self, span: Span) -> Span:
        """The place in the text of a part of the view."""
        return self._origin(span[0]), self._origin(span[1])

    def _origin(self, index: int) -> int:
        part = bisect_right(self._starts, index) - 1
        return self._origins[part] + index - self._starts[part]


def unescaped_views(text: str) -> Iterator[View]:
    """The text without its URL escapes, and without its JSON escapes, where it has any."""
    if "%" in text and _PERCENT.search(text):
        yield View(text, _PERCENT_OR_PLUS, lambda escape: " " if escape == "+" else chr(int(escape[1:], 16)))
    if "\\" in text and _JSON_ESCAPE.search(text):
        yield View(text, _JSON_ESCAPE, lambda escape: json.loads(f'"{escape}"'))


def base64_runs(text: str) -> Iterator[tuple[Span, str]]:
    """Every run that may be base64 (of either alphabet), with its bytes as Latin-1 text, for each of the four ways to
    begin in it.
    """
    for match in _BASE64_RUN.finditer(text):
        run = match[0].rstrip("=").translate(_STANDARD)
        for skip in range(4):
            # A remainder of one character is no whole byte.
            digits = run[skip : len(run) - ((len(run) - skip) % 4 == 1)]
            yield match.span(), base64.b64decode(digits + "=" * (-len(digits) % 4)).decode("latin-1")


_STANDARD = str.maketrans("-_", "+/")
