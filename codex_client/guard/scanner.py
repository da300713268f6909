"""Looking for markers in one text that arrives in pieces.

States: prose; inline code, open since a run of backticks; fenced code. Inputs: the text's characters, in order, each of
which is looked at a bounded number of times. In code no marker counts; in code that nothing closes, some do.

Inline code goes over one line's end at most. What nothing closes until then was none: a marker in it waits for that,
and then counts. A run that closes inline code in the line after its beginning is taken to open some as well, because
the first run may have been a stray one. Indented lines and HTML are prose: broken turns indent as well, and models
write code with fences and backticks.

Three backticks or more that end their line, but for the name of a language, begin a fence behind text as well: models
put one behind "Like this:" and in list items that are none to CommonMark. The run that ends it may then stand behind
text too. As with inline code, what nothing closes was none: a marker in it waits for that, if need be to the text's
end, because the run may have been a stray one ("Done ```"), and no later line tells.
"""

from __future__ import annotations

import re
import string
from copy import copy
from functools import lru_cache
from typing import NamedTuple

from codex_client.guard.markers import NEAR_LINE_START, Marker

_STRUCTURE = re.compile(r"[`~\n]")
_RUNS = {"`": re.compile("`*"), "~": re.compile("~*")}
# CommonMark: at least three.
_FENCE_RUN = 3
# What may stand before a fence: quotes and list items.
_LEAD = " \t\r>-*+.)0123456789"
_BLANK = " \t\r>"
# The name of a language. Every beginning of it is one too, so that it can be read in pieces.
_LANGUAGE = re.compile(r"[\w.+#-]{0,32}[ \t\r]{0,32}")
# Of identifiers and links. A full stop is not among them: broken turns begin their notation right behind a sentence.
_INSIDE_WORDS = frozenset(string.ascii_letters + string.digits + "_?&=#/-")
_PROSE_END = re.compile(r"""[^\W_][.,:;?!)\]*"'…”’»。，：；？！）」』]{0,3} ?\Z""")
# As many characters as it can have.
_BEFORE = 5


@lru_cache(maxsize=64)
def _patterns(markers: tuple[Marker, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The texts of the markers; these and what code begins and ends with."""
    # Without a marker nothing is found, not everything.
    texts = "|".join(re.escape(marker.text) for marker in markers) or "(?!)"
    return re.compile(texts), re.compile(f"{texts}|{_STRUCTURE.pattern}")


class _Fence(NamedTuple):
    """Fenced code and the run that began it."""

    sign: str
    length: int
    behind_text: bool = False


class MarkerScanner:
    """Feed it the text; `clear` characters from its beginning are free of markers, whatever follows.

    The last `window` characters are not clear before the end: one less than the longest marker has. So what is found
    does not depend on how the text was cut. Runs of backticks and tildes are clear at once: no marker begins inside
    one.
    """

    def __init__(self, markers: tuple[Marker, ...]) -> None:
        self.window: int = max((len(marker.text) for marker in markers), default=1) - 1
        self._markers = markers
        self._texts, self._tokens = _patterns(markers)
        self._rest = ""
        self._seen = 0
        self._before = "\n"
        # The first marker in code that is open and may turn out to be none.
        self._suspect: tuple[Marker, int] | None = None
        # The same, when its code was none.
        self._found: Marker | None = None
        self._sign = ""
        self._run = 0
        self._inline = 0
        self._over_line_end = False
        self._fence: _Fence | None = None
        self._begin_line()

    @property
    def clear(self) -> int:
        return self._seen if self._suspect is None else self._suspect[1]

    def feed(self, piece: str) -> Marker | None:
        """The first marker that counts, None for none so far."""
        self._rest += piece
        found = self._scan(len(self._rest) - self.window)
        if found is None and self._texts.search(self._rest):
            # One that is whole already is told before the text in front of it becomes free: the turn can be asked
            # again then.
            ahead = copy(self)
            if (found := ahead._scan(len(self._rest))) is not None:
                vars(self).update(vars(ahead))
        return found

    def pause(self) -> int:
        """How many characters hold no marker so far, where the text may go on and may not be waited for."""
        ahead = copy(self)
        ahead._scan(len(self._rest))
        return ahead.clear

    def finish(self) -> Marker | None:
        """The text is over: what was held is judged as it is."""
        if (found := self._scan(len(self._rest))) is not None:
            return found
        self._end_run()
        if self._closing:
            self._suspect = None
        return self._suspect[0] if self._suspect else None

    def _scan(self, limit: int) -> Marker | None:
        text = self._rest
        at = self._go_on_run(text, 0) if self._sign else 0
        while at < limit and self._found is None:
            token = self._tokens.search(text, at)
            start = min(token.start(), limit) if token else limit
            self._pass(text[at:start])
            at = start
            if start == limit:
                break
            if (found := self._marker_at(text, start)) is not None:
                return found
            at = self._take(text, start)
        self._rest = text[at:]
        return self._found

    def _marker_at(self, text: str, start: int) -> Marker | None:
        if self._fence and not self._fence.behind_text:
            return None
        for marker in self._markers:
            if text.startswith(marker.text, start) and self._counts(marker):
                if not self._inline and not self._fence:
                    return marker
                self._suspect = self._suspect or (marker, self._seen)
        return None

    def _counts(self, marker: Marker) -> bool:
        if marker.where == "word":
            return self._before[-1] not in _INSIDE_WORDS
        near_line_start = self._column <= NEAR_LINE_START
        return marker.where == "anywhere" or near_line_start or _PROSE_END.search(self._before) is not None

    def _take(self, text: str, at: int) -> int:
        """Take what stands there, a sign of code or the beginning of a marker that does not count; its end."""
        sign = text[at]
        if sign in _RUNS:
            self._sign = sign
            return self._go_on_run(text, at)
        if sign == "\n":
            self._end_line()
        else:
            self._pass(sign)
        return at + 1

    def _pass(self, text: str) -> None:
        """Characters that mean nothing by themselves."""
        if not text:
            return
        self._count(text)
        # What is blank so far is leading, too.
        if (self._leading or self._closing) and text.strip(_BLANK):
            self._blank = self._closing = False
            self._leading = self._leading and not text.strip(_LEAD)
        if self._late_fence:
            length, language = self._late_fence
            language += text
            self._late_fence = (length, language) if _LANGUAGE.fullmatch(language) else None

    def _count(self, text: str) -> None:
        self._seen += len(text)
        self._column += len(text)
        self._before = (self._before + text[-_BEFORE:])[-_BEFORE:]

    def _begin_line(self) -> None:
        """`_blank`: nothing but white space and quote signs so far; `_leading`: nothing but what a fence may follow;
        `_late_fence`: the length of a run that begins a fence behind text if the line ends now, and what follows it.
        """
        self._column = 0
        self._blank = self._leading = True
        self._opening = self._closing = False
        self._late_fence: tuple[int, str] | None = None

    def _end_line(self) -> None:
        if self._closing:
            self._fence = self._suspect = None
        if self._late_fence:
            self._fence = _Fence("`", self._late_fence[0], behind_text=True)
        if self._over_line_end or self._late_fence:
            # What was inline code so far was none.
            self._inline = 0
            self._found = self._suspect[0] if self._suspect else None
        self._over_line_end = self._inline > 0
        self._count("\n")
        self._begin_line()

    def _go_on_run(self, text: str, at: int) -> int:
        """Take as much of the run as there is; its end. Its length tells what it is, so something must follow."""
        match = _RUNS[self._sign].match(text, at)
        end = match.end() if match else at
        self._count(text[at:end])
        self._run += end - at
        if end < len(text):
            self._end_run()
        return end

    def _end_run(self) -> None:
        sign, length = self._sign, self._run
        self._sign, self._run = "", 0
        if not sign:
            return
        self._late_fence = None
        if self._fence:
            self._run_in_fence(sign, length, self._fence)
        elif self._leading and length >= _FENCE_RUN:
            # Inline code of the line before, if any, ends with this line.
            self._fence, self._opening = _Fence(sign, length), True
        elif sign == "`":
            self._run_in_prose(length)
        self._blank = self._leading = False

    def _run_in_fence(self, sign: str, length: int, fence: _Fence) -> None:
        within_text = self._opening or (fence.behind_text and not self._leading)
        if within_text and sign == "`" and fence[:2] == (sign, length):
            # "```code```" within a line is inline code.
            if fence.behind_text:
                self._suspect = None
            self._fence = None
        else:
            # Closed by a run of the same sign, as long or longer, that stands alone in its line.
            self._closing = self._blank and sign == fence.sign and length >= fence.length

    def _run_in_prose(self, length: int) -> None:
        if self._inline == length:
            self._suspect = None
            if not self._over_line_end:
                self._inline = 0
            self._over_line_end = False
            return
        self._inline = self._inline or length
        if length >= _FENCE_RUN:
            self._late_fence = (length, "")
