"""Markers: control notation of a model that has no place in visible text. Plain data.

Where they are known from: the control tokens and the recipient part are those of OpenAI's harmony format, in which its
models write calls before the server makes items of them; the runs of signs are what broken turns write instead of a
token. Public bug reports and files that such turns have spoilt show them behind any text, in the middle of a line and
glued to what stands before: "…numerusformassistant to=functions.exec", "JSON only.to=functions.shell".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any, Literal, TypeAlias, cast

from pydantic import BaseModel

from codex_client.prompt import Prompt

Where: TypeAlias = Literal["anywhere", "word", "line"]

NEAR_LINE_START = 16
"""How many characters may stand before a marker of `where="line"` in its line."""


@dataclass(frozen=True, slots=True)
class Marker:
    """`text`, as it stands (case counts), is a sign of garbled output.

    `name` stands for it in errors and logs. `where` it counts: "anywhere"; "word": not behind an ASCII letter or digit
    or one of ``_?&=#/-``, where it is the end of an identifier or a part of a link; "line": within the first
    `NEAR_LINE_START` characters of a line. A prompt that holds one marker of a `family` speaks of all of it.
    """

    name: str
    text: str
    where: Where = "anywhere"
    family: str | None = None


_TOKENS = ("start", "end", "message", "channel", "constrain", "return", "call")

MARKERS: tuple[Marker, ...] = (
    # A link may end in "?redirect_to=functions.html".
    Marker("recipient functions", "to=functions.", "word"),
    Marker("recipient multi_tool_use", "to=multi_tool_use.", "word"),
    Marker("role assistant", "assistant to="),
    Marker("channel analysis", "analysis to="),
    Marker("channel commentary", "commentary to="),
    # Only near a line's start: the ASCII banner of a well-known school's source files has it in column 50.
    Marker("separator run", "+#+#", "line"),
    Marker("sign run", "♀♀♀♀"),
    *(Marker(f"token {name}", f"<|{name}|>", family="control tokens") for name in _TOKENS),
)
"""The built-in markers."""


def active_markers(prompt: Prompt, markers: Iterable[Marker | str] = MARKERS) -> tuple[Marker, ...]:
    """Those that count in an answer to this prompt: none where it offers no tools, else those that it does not hold.

    Who asks about a marker is answered with it, or with others of its family. A string is a marker that counts
    anywhere, named after itself.
    """
    if not _offers_tools(prompt):
        return ()
    known = {marker.text: marker for marker in map(_as_marker, markers)}
    left = [known[text] for text in texts_not_in(prompt, known)]
    spoken_of = {marker.family for marker in known.values() if marker not in left} - {None}
    return tuple(marker for marker in left if marker.family not in spoken_of)


def texts_not_in(prompt: Prompt, texts: Iterable[str]) -> list[str]:
    """Those of `texts` that stand nowhere in the prompt's input, instructions, tools and output schema."""
    left = list(texts)
    for held in _strings((prompt.items, prompt.instructions, prompt.tools, prompt.output_schema, prompt.extra)):
        left = [text for text in left if text not in held]
    return left


def _offers_tools(prompt: Prompt) -> bool:
    """In the field for tools, or as the Responses API's input item for them."""
    return bool(prompt.tools or (prompt.extra or {}).get("tools")) or any(
        item.type == "additional_tools" and bool(getattr(item, "tools", None)) for item in prompt.items
    )


def _as_marker(marker: Marker | str) -> Marker:
    return Marker(marker, marker) if isinstance(marker, str) else marker


def _strings(value: Any) -> Iterator[str]:
    """Every string inside a value of items, tools and JSON; keys too, which are the names of tools' parameters.

    A class is the model of an output schema.
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, BaseModel):
        for _, field in value:
            yield from _strings(field)
    elif isinstance(value, Mapping):
        for pair in cast("Mapping[Any, Any]", value).items():
            yield from _strings(pair)
    elif isinstance(value, list | tuple):
        for part in cast("Iterable[Any]", value):
            yield from _strings(part)
    elif isinstance(value, type):
        yield from _strings(cast("type[BaseModel]", value).model_json_schema())
    elif is_dataclass(value):
        for name in value.__dataclass_fields__:
            yield from _strings(getattr(value, name))
