"""Markers: control notation of a model that has no place in visible text. Plain data.

Where they are known from: the control tokens and the recipient part are those of OpenAI's harmony format, in which its
models write calls before the server makes items of them; the runs of signs are what broken turns write instead of a
token. Public bug reports and files that such turns have spoilt show them behind any text, in the middle of a line and
glued to what stands before: "…numerusformassistant to=functions.exec", "JSON only.to=functions.shell".

A recipient that is glued to an ASCII letter looks like code: "Oopsto=functions.shell" like "photo=functions.open". It
counts there only behind words that are such turns' own; spoilt files with another word have a plain marker before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from codex_client.guard.prompt_texts import texts_of
from codex_client.prompt import Prompt

Where: TypeAlias = Literal["anywhere", "word", "line"]

NEAR_LINE_START = 16
"""How many characters may stand before a marker of `where="line"` in its line."""


@dataclass(frozen=True, slots=True)
class Marker:
    """`text`, as it stands (case counts), is a sign of garbled output.

    `name` stands for it in errors and logs. `where` it counts: "anywhere"; "word": not behind an ASCII letter or digit
    or one of ``_?&=#/-``, where it is the end of an identifier or a part of a link; "line": within the first
    `NEAR_LINE_START` characters of a line, or right behind prose, which is a letter or digit with at most three
    punctuation marks and one blank. A prompt that holds one marker of a `family` speaks of all of it.
    """

    name: str
    text: str
    where: Where = "anywhere"
    family: str | None = None


_TOKENS = ("start", "end", "message", "channel", "constrain", "return", "call")
# Who asks about one part of the notation is told of the others.
_NOTATION = "harmony"

MARKERS: tuple[Marker, ...] = (
    # A link may end in "?redirect_to=functions.html".
    Marker("recipient functions", "to=functions.", "word", _NOTATION),
    Marker("recipient multi_tool_use", "to=multi_tool_use.", "word", _NOTATION),
    Marker("role assistant", "assistant to=", family=_NOTATION),
    Marker("channel analysis", "analysis to=", family=_NOTATION),
    Marker("channel commentary", "commentary to=", family=_NOTATION),
    # Words that broken turns glue to a recipient, and that no program has there as a name.
    Marker("glued commentary", "commentaryto=", family=_NOTATION),
    Marker("glued numerusform", "numerusformto=", family=_NOTATION),
    # The ASCII banner of a well-known school's source files has it in column 50, behind blanks.
    Marker("separator run", "+#+#", "line"),
    Marker("sign run", "♀♀♀♀"),
    *(Marker(f"token {name}", f"<|{name}|>", family=_NOTATION) for name in _TOKENS),
)
"""The built-in markers."""


def active_markers(prompt: Prompt, markers: Iterable[Marker | str] = MARKERS) -> tuple[Marker, ...]:
    """Those that count in an answer to this prompt: none where it offers no tools, else those that it does not hold.

    Who asks about a marker is answered with it, or with others of its family. A string is a marker that counts
    anywhere, named after itself.
    """
    return active_markers_and_texts(prompt, markers, ())[0]


def active_markers_and_texts(
    prompt: Prompt, markers: Iterable[Marker | str], texts: Iterable[str]
) -> tuple[tuple[Marker, ...], list[str]]:
    """The `active_markers`, and those of `texts` that stand nowhere in the prompt; one look through it for both."""
    known = {marker.text: marker for marker in map(_as_marker, markers)} if _offers_tools(prompt) else {}
    texts = tuple(texts)
    left = texts_not_in(prompt, (*known, *texts))
    spoken_of = {marker.family for text, marker in known.items() if text not in left} - {None}
    active = (marker for text, marker in known.items() if text in left and marker.family not in spoken_of)
    return tuple(active), [text for text in texts if text in left]


def texts_not_in(prompt: Prompt, texts: Iterable[str]) -> list[str]:
    """Those of `texts` that stand nowhere in the prompt's input, instructions, tools and output schema, be it escaped
    or in an attached text.
    """
    left = list(texts)
    for held in texts_of(prompt):
        if not left:
            break
        left = [text for text in left if text not in held]
    return left


def _offers_tools(prompt: Prompt) -> bool:
    """In the field for tools, or as the Responses API's input item for them."""
    return bool(prompt.tools or (prompt.extra or {}).get("tools")) or any(
        item.type == "additional_tools" and bool(getattr(item, "tools", None)) for item in prompt.items
    )


def _as_marker(marker: Marker | str) -> Marker:
    return Marker(marker, marker) if isinstance(marker, str) else marker
