"""A recorded response: what is in its file, and how it is played again.

The file is JSON lines: first the request and the head of the answer, then one line per chunk, last how it ended. Chunks
are base64, for they may end inside a character; `at` is seconds after the request was sent. The body beside it, as
`.sse`, is for people.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from codex_client.testing.scripts import Close, Pause, Reply, Reset, Send, Step

_FORMAT = "codex_client.recording/1"

# What told of the old connection; a player writes its own.
_CONNECTION_HEADERS = {
    "alt-svc",
    "connection",
    "content-encoding",
    "content-length",
    "date",
    "keep-alive",
    "transfer-encoding",
}

# complete: the body came to its end. left: the reader closed before. broken: the connection was lost within the body.
# cut: the server ended the connection within the body. capped: the rest was above the recorder's limit.
# unreadable: a compression in which secrets could not be looked for, so there is no body.
End: TypeAlias = Literal["complete", "left", "broken", "cut", "capped", "unreadable"]


@dataclass(frozen=True, slots=True)
class RecordedChunk:
    """Bytes that came together, `at` seconds after the request was sent."""

    at: float
    content: bytes


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One response and the request that it answers."""

    method: str
    url: str
    status: int
    request_headers: tuple[tuple[str, str], ...] = ()
    request_body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    chunks: tuple[RecordedChunk, ...] = ()
    end: End = "complete"

    @property
    def body(self) -> bytes:
        return b"".join(chunk.content for chunk in self.chunks)

    def reply(self, *, timed: bool = False) -> Reply:
        """The answer, to be played chunk by chunk as it came; `timed`: with the pauses between the chunks too."""
        headers = [(name, value) for name, value in self.headers if name.lower() not in _CONNECTION_HEADERS]
        return Reply(status=self.status, headers=headers, body=list(self._steps(timed)), transfer="chunked")

    def _steps(self, timed: bool) -> Iterator[Step]:
        now = 0.0
        for chunk in self.chunks:
            if timed and chunk.at > now:
                yield Pause(chunk.at - now)
                now = chunk.at
            yield Send(chunk.content)
        if self.end in ("broken", "cut"):
            yield Reset() if self.end == "broken" else Close()

    def save(self, path: Path) -> None:
        """Write `path` and the `.sse` beside it, readable by their owner only. Raises `FileExistsError` rather than
        overwrite.
        """
        lines = [json.dumps(line, ensure_ascii=False) + "\n" for line in self._lines()]
        body_path = path.with_suffix(".sse")
        _write_private(body_path, self.body)
        try:
            _write_private(path, "".join(lines).encode())
        except FileExistsError:
            body_path.unlink()
            raise

    def _lines(self) -> Iterator[dict[str, Any]]:
        yield {
            "format": _FORMAT,
            "request": {
                "method": self.method,
                "url": self.url,
                "headers": self.request_headers,
                **_body_field(self.request_body),
            },
            "response": {"status": self.status, "headers": self.headers},
        }
        for chunk in self.chunks:
            yield {"at": round(chunk.at, 6), "chunk": b64encode(chunk.content).decode()}
        yield {"end": self.end}


def load_recording(path: str | Path) -> Recording:
    """A recording from its JSON lines. Raises `ValueError` where the file is none, or not whole."""
    lines = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
    if not lines or lines[0].get("format") != _FORMAT or "end" not in lines[-1]:
        raise ValueError(
            f"{path} is no whole recording; its first line should name the format {_FORMAT}, its last the end"
        )
    head, *chunks, end = lines
    request, response = head["request"], head["response"]
    return Recording(
        method=request["method"],
        url=request["url"],
        status=response["status"],
        request_headers=tuple((name, value) for name, value in request["headers"]),
        request_body=request["body"].encode() if "body" in request else b64decode(request["body_base64"]),
        headers=tuple((name, value) for name, value in response["headers"]),
        chunks=tuple(RecordedChunk(line["at"], b64decode(line["chunk"])) for line in chunks),
        end=end["end"],
    )


def _body_field(body: bytes) -> dict[str, str]:
    """Text where it is some, for whoever looks through a recording before it is shared."""
    try:
        return {"body": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"body_base64": b64encode(body).decode()}


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
