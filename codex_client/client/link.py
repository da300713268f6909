"""What the transport asks of an engine: one connection at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import httpx

Release: TypeAlias = Callable[[bool], Awaitable[None]]
"""Called when a response is closed, with whether it was read to its end: then its connection can be used again."""


class Link(Protocol):
    """A connection that carries one request at a time. It connects with the first one."""

    @property
    def is_spent(self) -> bool:
        """Whether it can carry no further request: the server has closed it."""
        ...

    async def send(self, request: httpx.Request, release: Release) -> httpx.Response:
        """The answer with its body unread. Where it fails the connection is closed. Raises httpx's errors.

        In the response's extensions is what was under the name `network_stream`, and `READY`.
        """
        ...

    async def aclose(self) -> None:
        """Close it."""
        ...
