"""What a replayed server answers: replies and their steps, as plain values.

`ReplayServer` plays them on a socket, `ScriptedTransport` inside the process.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, TypedDict, Unpack

from codex_client.client.fixtures import load_fixture
from codex_client.testing.builders import sse


@dataclass(frozen=True, slots=True)
class Send:
    """These bytes of the body."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing for `seconds`, by the player's clock."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing until the test calls `release()`, once per hold; the call may come before the hold is reached."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing more. Over when the client leaves or the server closes."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection in the orderly way (FIN) here, be the body whole or not."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Break the connection (RST) here, once all bytes before have left."""


@dataclass(frozen=True, slots=True)
class CommentFlood:
    """`comment`, `count` times (None: for as long as the client stays), `interval` seconds apart."""

    count: int | None = None
    interval: float = 0.0
    comment: bytes = b": keep-alive\n\n"


PlainStep: TypeAlias = Send | Pause | Hold | Stall | Close | Reset
Step: TypeAlias = PlainStep | CommentFlood
Transfer: TypeAlias = Literal["length", "chunked", "close", "raw"]
Cut: TypeAlias = int | Literal["random"] | None
Headers: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]

_EVENT_STREAM = ("content-type", "text/event-stream; charset=utf-8")
_JSON = ("content-type", "application/json")

# What OpenAI writes into the error object of these statuses.
_ERROR_CODES = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
    500: ("server_error", "server_error"),
    503: ("server_error", "server_is_overloaded"),
}


class ReplyOptions(TypedDict, total=False):
    """The fields of `Reply` that its constructors hand on."""

    status: int
    headers: Headers
    transfer: Transfer | None
    gzip: bool
    cut: Cut
    seed: int
    before_head: Sequence[Step]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One HTTP answer.

    `body`: bytes, or steps (bytes among them count as `Send`). `before_head`: steps before the status line, any but
    those that send. `transfer`: "length" announces the body's length, "chunked" sends an HTTP chunk per piece, "close"
    ends the body with the connection, "raw" sends the body's bytes as the whole answer, status line and all; None:
    "length", or "chunked" where the length is not known or the body has other steps. `cut`: pieces of so many bytes, or
    of 1 to 1024 drawn from `seed`; None: a piece per `Send`. Only "chunked" carries the cuts to the client as they are:
    TCP may join the others. `gzip` compresses and flushes at every `Send`; cuts are made after it. Framing headers are
    added unless `headers` has them, so that a test can send false ones.
    """

    status: int = 200
    headers: Headers = ()
    body: bytes | Sequence[Step | bytes] = b""
    transfer: Transfer | None = None
    gzip: bool = False
    cut: Cut = None
    seed: int = 0
    before_head: Sequence[Step] = ()

    def __post_init__(self) -> None:
        if isinstance(self.cut, int) and self.cut < 1:
            raise ValueError(f"cut is {self.cut}; it must be at least 1, 'random' or None")
        if self.transfer == "length" and not self.is_bounded:
            raise ValueError("a comment flood without a count has no length; use transfer='chunked' or 'close'")
        if any(isinstance(step, Send | CommentFlood) for step in self.before_head):
            raise ValueError(
                "nothing can be sent before the head; use transfer='raw' to write the head as part of the body"
            )
        if any(mark in text for header in self.header_list for text in header for mark in "\r\n"):
            raise ValueError("a header has a line break in it; use transfer='raw' to send a broken head")

    @property
    def steps(self) -> tuple[Step, ...]:
        """The body, bytes turned into `Send`s."""
        parts = [self.body] if isinstance(self.body, bytes) else self.body
        return tuple(Send(part) if isinstance(part, bytes) else part for part in parts)

    @property
    def header_list(self) -> list[tuple[str, str]]:
        pairs = self.headers.items() if isinstance(self.headers, Mapping) else self.headers
        return [(name, value) for name, value in pairs]

    @property
    def is_bounded(self) -> bool:
        """Whether the body's length is known."""
        return not any(isinstance(step, CommentFlood) and step.count is None for step in self.steps)

    @property
    def content(self) -> bytes:
        """The bytes of all `Send`s, joined."""
        return b"".join(step.content for step in self.steps if isinstance(step, Send))

    def at(self, position: int | Literal["head"], *steps: Step) -> Reply:
        """This reply with `steps` put in: "head" before the status line; 0 after the head; n after n bytes of the
        body's `Send`s.

        A negative position counts from the end, and `len(reply.content)` is the end itself.
        """
        if position == "head":
            return replace(self, before_head=(*self.before_head, *steps))
        size = len(self.content)
        if not -size <= position <= size:
            raise ValueError(f"position {position} is outside the body of {size} bytes")
        return replace(self, body=_inserted(self.steps, position % size if position < 0 else position, steps))

    @classmethod
    def from_sse(cls, body: bytes, **options: Unpack[ReplyOptions]) -> Reply:
        """A stream: these bytes as `text/event-stream`, chunked."""
        return cls(body=body, **_defaults(options, _EVENT_STREAM, "chunked"))

    @classmethod
    def from_events(
        cls,
        events: Iterable[Mapping[str, Any] | str | bytes],
        *,
        names: bool = True,
        done: bool = False,
        **options: Unpack[ReplyOptions],
    ) -> Reply:
        """A stream of the events that the builders make, a `Send` per event. `names` and `done` as in `sse`."""
        body = [sse([event], names=names) for event in events]
        if done:
            body.append(sse([], done=True))
        return cls(body=body, **_defaults(options, _EVENT_STREAM, "chunked"))

    @classmethod
    def from_fixture(cls, path: str | Path, **options: Unpack[ReplyOptions]) -> Reply:
        """A stream from a file, in any of the forms that `stream_from_fixture` reads."""
        return cls.from_sse(load_fixture(path), **options)

    @classmethod
    def from_json(cls, value: Any, **options: Unpack[ReplyOptions]) -> Reply:
        """A JSON answer."""
        return cls(body=json.dumps(value).encode(), **_defaults(options, _JSON, None))

    @classmethod
    def error(
        cls,
        status: int,
        message: str | None = None,
        *,
        code: str | None = None,
        error_type: str | None = None,
        headers: Headers = (),
    ) -> Reply:
        """An error answer in OpenAI's shape; what is not given is what OpenAI sends with this status."""
        default_type, default_code = _ERROR_CODES.get(
            status, ("invalid_request_error" if status < 500 else "server_error", None)
        )
        error = {
            "message": message or reason_phrase(status),
            "type": error_type or default_type,
            "param": None,
            "code": code or default_code,
        }
        return cls.from_json({"error": error}, status=status, headers=headers)

    @classmethod
    def raw(cls, *body: Step | bytes) -> Reply:
        """Bytes straight onto the connection, which is closed after them."""
        return cls(body=body, transfer="raw")

    @classmethod
    def sequence(cls, replies: Iterable[ReplyLike]) -> tuple[Reply, ...]:
        """Replies in order: `Reply.sequence([500, 500, body])` fails twice, then streams."""
        return tuple(as_reply(reply) for reply in replies)


class HasReply(Protocol):
    """Something that was recorded and can be played again."""

    def reply(self) -> Reply: ...


# What stands for a reply wherever one is expected: bytes for the SSE body, a status for its error answer, a recording
# for itself.
ReplyLike: TypeAlias = Reply | bytes | int | HasReply


def as_reply(reply: ReplyLike) -> Reply:
    match reply:
        case Reply():
            return reply
        case bytes():
            return Reply.from_sse(reply)
        case int():
            return Reply.error(reply)
        case _:
            return reply.reply()


def unrolled(steps: Iterable[Step]) -> Iterator[PlainStep]:
    """The steps with each flood as the sends and pauses that it is; endless where a flood is."""
    for step in steps:
        if isinstance(step, CommentFlood):
            for number in count() if step.count is None else range(step.count):
                if number and step.interval:
                    yield Pause(step.interval)
                yield Send(step.comment)
        else:
            yield step


def reason_phrase(status: int) -> str:
    """The status line's text; "" for a status that has no name."""
    return HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else ""


def _defaults(options: ReplyOptions, content_type: tuple[str, str], transfer: Transfer | None) -> ReplyOptions:
    """The options with a content type, unless one was given, and a transfer."""
    given = Reply(headers=options.get("headers", ())).header_list
    if not any(name.lower() == "content-type" for name, _ in given):
        given.insert(0, content_type)
    complete: ReplyOptions = {"transfer": transfer, **options, "headers": given}
    return complete


def _inserted(steps: Sequence[Step], position: int, added: Sequence[Step]) -> list[Step]:
    result: list[Step] = []
    for number, step in enumerate(steps):
        if position == 0:
            return [*result, *added, *steps[number:]]
        if isinstance(step, Send) and len(step.content) > position:
            before, after = Send(step.content[:position]), Send(step.content[position:])
            return [*result, before, *added, after, *steps[number + 1 :]]
        position -= len(step.content) if isinstance(step, Send) else 0
        result.append(step)
    return [*result, *added]
