"""What a prompt holds as text: every string in it, and what the escaped and the attached ones say.

Tools give JSON and HTML, in which `<` is often escaped; the model reads it, and answers with the sign itself. Of what
is attached as a file only text can be read: not a PDF, and not what is named by an id or a link.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any, cast

from pydantic import BaseModel

from codex_client.prompt import Prompt

# JSON's, of any character; those that stand together may be halves of one.
_ESCAPES = re.compile(r"\\u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4})*")


def texts_of(prompt: Prompt) -> Iterator[str]:
    """Those in its input, instructions, tools, output schema and extra fields; one may come in two readings."""
    for text in _strings((prompt.items, prompt.instructions, prompt.tools, prompt.output_schema, prompt.extra)):
        yield from _readings(text)


def _readings(text: str) -> Iterator[str]:
    yield text
    if text.startswith("data:") and (attached := _attached(text)):
        yield from _readings(attached)
    elif "\\" in text or "&" in text:
        yield _unescaped(text)


def _attached(url: str) -> str:
    """What a data URL in its base64 form holds, where that is text."""
    head, _, body = url.partition(",")
    if not head.endswith(";base64") or head.startswith("data:image/"):
        return ""
    try:
        return b64decode(body).decode()
    except ValueError:
        return ""


def _unescaped(text: str) -> str:
    """Without JSON's escapes, also those of JSON in JSON, and without HTML's of angle brackets.

    Backslashes that are no escapes go as well: what is looked for with them is found in the text as it stands.
    """
    while "\\\\" in text:
        text = text.replace("\\\\", "\\")
    text = _ESCAPES.sub(_characters, text)
    return text.replace("\\", "").replace("&lt;", "<").replace("&gt;", ">")


def _characters(escapes: re.Match[str]) -> str:
    return bytes.fromhex(escapes[0].replace("\\u", "")).decode("utf-16-be", "replace")


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
