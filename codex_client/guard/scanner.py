"""Looking for markers in one text that arrives in pieces.

States: prose; inline code, open since a run of backticks in this line; fenced code. Inputs: the text's characters, in
order. In code no marker counts. Inline code that its line does not close was none: a marker in it waits for the end of
the line, and then counts. (CommonMark lets inline code go over lines; hardly anybody writes it so, and one stray
backtick would hide the rest of the text.)
"""

from __future__ import annotations

import re
from copy import copy
from functools import lru_cache

from codex_client.guard.markers import NEAR_LINE_START, Marker

_STRUCTURE = re.compile(r"`+|~+|\n")
# CommonMark: at least three.
_FENCE_RUN = 3
# What may stand before a fence: quotes and list items.
_LEAD = " \t\r>-*+.)0123456789"
_BLANK = " \t\r>"
_WORD_STARTS = frozenset(" \t\r\n>|")


@lru_cache(maxsize=64)
def _patterns(markers: tuple[Marker, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The texts of the markers; these and what code begins and ends with."""
    # Without a marker nothing is found, not everything.
    texts = "|".join(re.escape(marker.text) for marker in markers) or "(?!)"
    return re.compile(texts), re.compile(f"{texts}|{_STRUCTURE.pattern}")


class MarkerScanner:
    """Feed it the text; `clear` characters from its beginning are free of markers, whatever follows.

    The last `window` characters are never clear before the end: one less than the longest marker has. So what is found
    does not depend on how the text was cut.
    """

    def __init__(self, markers: tuple[Marker, ...]) -> None:
        self.window: int = max((len(marker.text) for marker in markers), default=1) - 1
        self._markers = markers
        self._texts, self._tokens = _patterns(markers)
        self._rest = ""
        self._seen = 0
        self._before = "\n"
        self._suspect: tuple[Marker, int] | None = None
        self._inline = 0
        self._fence = ""
        self._begin_line()

    @property
    def clear(self) -> int:
        return self._seen if self._suspect is None else self._suspect[1]

    def feed(self, piece: str) -> Marker | None:
        """The first marker that counts, None for none so far."""
        self._rest += piece
        found = self._scan(len(self._rest) - self.window, at_end=False)
        if found is None and self._texts.search(self._rest):
            # One that is whole already is told before the text in front of it becomes free: the turn can be asked
            # again then.
            ahead = copy(self)
            if (found := ahead._scan(len(self._rest), at_end=False)) is not None:
                vars(self).update(vars(ahead))
        return found

    def finish(self) -> Marker | None:
        """The text is over, or so it seems: what was held is judged as it is. It may go on all the same."""
        found = self._scan(len(self._rest), at_end=True)
        return found or (self._suspect[0] if self._suspect else None)

    def _scan(self, limit: int, *, at_end: bool) -> Marker | None:
        text, at = self._rest, 0
        while at < limit:
            token = self._tokens.search(text, at)
            start = min(token.start(), limit) if token else limit
            self._pass(text[at:start])
            at = start
            if token is None or start == limit:
                break
            if (found := self._marker_at(text, start)) is not None:
                return found
            run = _STRUCTURE.match(text, start)
            if run is None:
                self._pass(text[start])
                at += 1
                continue
            if run.end() == len(text) and not at_end and text[start] != "\n":
                # It may go on, and its length tells what it is.
                break
            if text[start] == "\n" and self._suspect:
                return self._suspect[0]
            self._take(run.group())
            at = run.end()
        self._rest = text[at:]
        return None

    def _marker_at(self, text: str, start: int) -> Marker | None:
        if self._fence:
            return None
        for marker in self._markers:
            if text.startswith(marker.text, start) and self._counts(marker):
                if not self._inline:
                    return marker
                self._suspect = self._suspect or (marker, self._seen)
        return None

    def _counts(self, marker: Marker) -> bool:
        if marker.where == "word":
            return self._before in _WORD_STARTS
        return marker.where == "anywhere" or self._column <= NEAR_LINE_START

    def _begin_line(self) -> None:
        """`_blank`: nothing but white space and quote signs so far; `_leading`: nothing but what a fence may follow."""
        self._column = 0
        self._blank = self._leading = True
        self._opening = self._closing = False

    def _pass(self, text: str) -> None:
        """Characters that mean nothing by themselves."""
        if not text:
            return
        self._count(text)
        if text.strip(_BLANK):
            self._blank = self._closing = False
            self._leading = self._leading and not text.strip(_LEAD)

    def _count(self, text: str) -> None:
        self._seen += len(text)
        self._column += len(text)
        self._before = text[-1]

    def _take(self, run: str) -> None:
        """A line's end, or a run of backticks or tildes."""
        if run == "\n":
            self._end_line()
        elif self._fence:
            self._run_in_fence(run)
        elif self._leading and not self._inline and len(run) >= _FENCE_RUN:
            self._fence, self._opening = run, True
        elif run[0] == "`":
            self._run_in_prose(run)
        self._count(run)
        if run == "\n":
            self._begin_line()
        else:
            self._blank = self._leading = False

    def _end_line(self) -> None:
        if self._closing:
            self._fence = ""
        self._inline = 0

    def _run_in_fence(self, run: str) -> None:
        if self._opening and run == self._fence and run[0] == "`":
            # "```code```" within a line is inline code.
            self._fence = ""
        else:
            # Closed by a run of the same sign, as long or longer, that stands alone in its line.
            self._closing = self._blank and run[0] == self._fence[0] and len(run) >= len(self._fence)

    def _run_in_prose(self, run: str) -> None:
        if not self._inline:
            self._inline = len(run)
        elif self._inline == len(run):
            self._inline, self._suspect = 0, None
