"""What a prompt holds as text: every string in it, and what the escaped and the attached ones say.

Tools give JSON, HTML and bytes as programs print them, in which `<` is often escaped; the model reads it, and answers
with the sign itself. Of what is attached as a file only text can be read: not a PDF, and not what is named by an id or
a link.
"""

from __future__ import annotations

import re
from base64 import b64decode
from codecs import utf_8_decode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from html import unescape
from typing import Any, cast

from pydantic import BaseModel

from codex_client.prompt import Prompt

# JSON's, of any character, and those of bytes; such as stand together may be parts of one character.
# Written so that each begins with a backslash that is no choice: a search for that is many times as fast.
_ESCAPES = re.compile(r"\\(?:u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4})*|x[0-9a-fA-F]{2}(?:\\x[0-9a-fA-F]{2})*)")
_ENCODINGS = {"\\u": "utf-16-be", "\\x": "utf-8"}
# They name no character, and Python refuses to read one of thousands of digits.
_LONG_NUMBERS = re.compile(r"&#[0-9]{32,}")
# RFC 2397.
_BASE64_URL = re.compile(r"data:([^,\s]*);base64,")
# In no URL (RFC 3986), but in prose that begins with one.
_NOT_IN_URLS = ' <>"'
_NO_TEXT = ("application/pdf", "audio/", "image/", "video/")
# As many characters of a file's base64 tell whether it is text, in most cases; large ones take long to decode.
_HEAD = 1024


def texts_of(prompt: Prompt) -> Iterator[str]:
    """Those in its input, instructions, tools, output schema and extra fields; one may come in two readings."""
    for text in _strings((prompt.items, prompt.instructions, prompt.tools, prompt.output_schema, prompt.extra)):
        yield from _readings(text)


def _readings(text: str) -> Iterator[str]:
    if (head := _BASE64_URL.match(text)) and text.isascii() and not any(sign in text for sign in _NOT_IN_URLS):
        yield head[0]
        if not head[1].startswith(_NO_TEXT):
            yield from _readings(_text_in(text[head.end() :]))
        return
    yield text
    if "\\" in text or "&" in text:
        yield _unescaped(text)


def _text_in(body: str) -> str:
    """What is written in base64, where that is text, else nothing."""
    head = "".join(body[:_HEAD].split())
    try:
        utf_8_decode(b64decode(head[: len(head) // 4 * 4]), "strict", False)
        return b64decode(body).decode()
    except ValueError:
        return ""


def _unescaped(text: str) -> str:
    """Without JSON's escapes, also those of JSON in JSON, without those of bytes and then without HTML's.

    Backslashes that are no escapes go as well: what is looked for with them is found in the text as it stands.
    """
    while "\\\\" in text:
        text = text.replace("\\\\", "\\")
    text = _ESCAPES.sub(_characters, text).replace("\\", "")
    return unescape(_LONG_NUMBERS.sub("", text))


def _characters(escapes: re.Match[str]) -> str:
    sign = escapes[0][:2]
    return bytes.fromhex(escapes[0].replace(sign, "")).decode(_ENCODINGS[sign], "replace")


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
