"""Looks for secrets wherever a program might show one: as they are, and in the encodings that they travel in."""

from __future__ import annotations

import io
import json
import pickle
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from rich.console import Console
from rich.traceback import Traceback

# Frames of the tests themselves hold secrets by right.
_OUR_FRAMES = "/tests/"


def assert_unseen(text: str, secrets: Iterable[str]) -> None:
    """No secret stands in the text, in any encoding."""
    for number, secret in enumerate(secrets):
        for name, form in _forms(secret):
            # The message does not show it either.
            assert form not in text, f"secret {number} ({name}) is in a text of {len(text)} characters"


def everything_of(error: BaseException) -> str:
    """All that can be seen of an error: texts, attributes, causes, pickle, and tracebacks with locals."""
    parts: list[str] = []
    for each in _chain(error):
        parts += [repr(each), str(each), repr(each.args), repr(vars(each)), pickle.dumps(each).decode("latin-1")]
        parts.append(_rich_traceback(each))
        plain = traceback.TracebackException.from_exception(each, capture_locals=True)
        for frame in plain.stack:
            if _OUR_FRAMES not in frame.filename:
                parts += [f"{name} = {value}" for name, value in (frame.locals or {}).items()]
    return "\n".join(parts)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if error.__cause__ is not None and error.__context__ not in (None, error.__cause__):
            yield from _chain(error.__context__)
        error = error.__cause__ or error.__context__


def _rich_traceback(error: BaseException) -> str:
    """As rich prints it with locals: it looks into containers and ignores their reprs."""
    foreign = error.__traceback__
    while foreign is not None and _OUR_FRAMES in foreign.tb_frame.f_code.co_filename:
        foreign = foreign.tb_next
    if foreign is None:
        return ""
    out = io.StringIO()
    Console(file=out, width=4000, no_color=True).print(
        Traceback.from_exception(
            type(error),
            error,
            foreign,
            show_locals=True,
            locals_max_length=1000,
            locals_max_string=100_000,
            extra_lines=0,
        )
    )
    return out.getvalue()


def _forms(secret: str) -> Iterator[tuple[str, str]]:
    data = secret.encode()
    yield "plain", secret
    yield "base64", b64encode(data).decode().rstrip("=")
    yield "base64url", urlsafe_b64encode(data).decode().rstrip("=")
    yield "url-quoted", quote(secret, safe="")
    yield "JSON", json.dumps(secret)[1:-1]
    yield "hex", data.hex()
    yield "reversed", secret[::-1]
