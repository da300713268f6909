"""What a client sent, and which reply of a script answers it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar, cast

import httpx

from codex_client.client.compression import ENCODING, decompressed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request. `target` is path and query as sent; `headers` know their names in any case; `body` is as it was
    sent, perhaps compressed; `connection` counts from 1.

    Neither headers nor body are part of its `repr`: a credential may be among them.
    """

    method: str
    target: str
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    connection: int = 1

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        return dict(httpx.QueryParams(self.target.partition("?")[2]))

    @property
    def content(self) -> bytes:
        """The body without its compression. Raises `ValueError` where it is not what its encoding says."""
        if self.headers.get("content-encoding") != ENCODING:
            return self.body
        return decompressed(self.body)

    def json(self) -> Any:
        """The body as JSON, without its compression; raises `ValueError` where it is none."""
        return json.loads(self.content)


def recorded(request: httpx.Request) -> RecordedRequest:
    """A request whose body has been read, as a value."""
    target = request.url.raw_path.decode("ascii")
    return RecordedRequest(request.method, target, httpx.Headers(request.headers), request.content)


# One reply for every request, replies in order, or a function that makes them.
Replies: TypeAlias = T | Sequence[T] | Callable[[RecordedRequest], T]


class Script(Generic[T]):
    """Chooses the reply to each request.

    `script` is one reply for every request, a sequence of replies in order, a function from the request to its reply,
    or a mapping of one of these per route. A route is the end of a path, such as "/responses", with or without a method
    before it ("GET /models"); the longest that fits is taken.
    """

    def __init__(self, script: Replies[T] | Mapping[str, Replies[T]]) -> None:
        routes = cast("Mapping[str, Replies[T]]", script) if isinstance(script, Mapping) else {"": script}
        self._routes = {route: _Route(cast("Replies[T]", replies)) for route, replies in routes.items()}

    def choose(self, request: RecordedRequest) -> T | None:
        """The next reply to such a request; None if there is none, or none left."""
        fitting = [route for route in self._routes if fits(route, request)]
        return self._routes[max(fitting, key=len)].take(request) if fitting else None

    @property
    def unused(self) -> int:
        """How many replies of sequences have not been asked for."""
        return sum(len(route.left) for route in self._routes.values())


class _Route(Generic[T]):
    def __init__(self, replies: Replies[T]) -> None:
        self.left: deque[T] = deque()
        self._constant: T | None = None
        self._function: Callable[[RecordedRequest], T] | None = None
        if isinstance(replies, Sequence) and not isinstance(replies, bytes):
            self.left.extend(cast("Sequence[T]", replies))
        elif callable(replies):
            self._function = cast("Callable[[RecordedRequest], T]", replies)
        else:
            self._constant = cast("T", replies)

    def take(self, request: RecordedRequest) -> T | None:
        if self._function is not None:
            return self._function(request)
        return self.left.popleft() if self.left else self._constant


def fits(route: str, request: RecordedRequest) -> bool:
    method, _, path = route.rpartition(" ")
    return method in ("", request.method) and request.path.endswith(path)
