"""A transport that breaks by the dice."""

from __future__ import annotations

import random
from collections.abc import Sequence
from enum import StrEnum

import httpx

from codex_client.testing.observed import ObservedStream, stream_of, with_stream
from codex_client.testing.scripts import Reply


class Fault(StrEnum):
    """How a request can go wrong."""

    CONNECT_ERROR = "connect_error"
    CONNECT_TIMEOUT = "connect_timeout"
    WRITE_ERROR = "write_error"
    READ_ERROR = "read_error"
    """Before the head."""
    SERVER_ERROR = "server_error"
    """Status 503."""
    BODY_ERROR = "body_error"
    """The connection breaks within the body."""
    BODY_CUT = "body_cut"
    """The server ends the connection within the body."""


_ERRORS: dict[Fault, type[httpx.TransportError]] = {
    Fault.CONNECT_ERROR: httpx.ConnectError,
    Fault.CONNECT_TIMEOUT: httpx.ConnectTimeout,
    Fault.WRITE_ERROR: httpx.WriteError,
    Fault.READ_ERROR: httpx.ReadError,
    Fault.BODY_ERROR: httpx.ReadError,
    Fault.BODY_CUT: httpx.RemoteProtocolError,
}


class FlakyTransport(httpx.AsyncBaseTransport):
    """Passes requests on to `inner`, but lets a share `rate` (0 to 1) of them fail by one of `faults`.

    The same `seed` gives the same faults. `max_in_a_row` failures are followed by a request that goes well; None: no
    such bound. Faults in the body strike after 0 to `max_body_bytes` bytes, or at the end of a shorter body.
    """

    injected: list[Fault | None]
    """What was done to each request, in order; None: nothing."""

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        *,
        rate: float = 0.5,
        faults: Sequence[Fault] = tuple(Fault),
        seed: int = 0,
        max_in_a_row: int | None = None,
        max_body_bytes: int = 1024,
    ) -> None:
        self.injected = []
        self._inner = inner
        self._rate = rate
        self._faults = list(faults)
        self._dice = random.Random(seed)
        self._max_in_a_row = max_in_a_row
        self._max_body_bytes = max_body_bytes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fault, after_bytes = self._next_fault()
        self.injected.append(fault)
        if fault is Fault.SERVER_ERROR:
            reply = Reply.error(503)
            # `content=` would give a response that counts as read, which the network never does.
            return httpx.Response(reply.status, headers=reply.header_list, stream=httpx.ByteStream(reply.content))
        if fault is not None and fault not in (Fault.BODY_ERROR, Fault.BODY_CUT):
            raise _ERRORS[fault](f"{fault}, by a FlakyTransport")
        response = await self._inner.handle_async_request(request)
        if fault is None:
            return response
        return with_stream(response, _BrokenStream(stream_of(response), fault, after_bytes))

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _next_fault(self) -> tuple[Fault | None, int]:
        """The fault, and after how many bytes of the body it strikes if it is one of those."""
        # All dice are thrown for every request, so that one request's luck does not change that of the next.
        strikes, fault = self._dice.random() < self._rate, self._dice.choice(self._faults)
        after_bytes = self._dice.randint(0, self._max_body_bytes)
        row = self.injected[-self._max_in_a_row :] if self._max_in_a_row else []
        enough = len(row) == self._max_in_a_row and None not in row
        return (fault if strikes and not enough else None), after_bytes


class _BrokenStream(ObservedStream):
    def __init__(self, inner: httpx.AsyncByteStream, fault: Fault, after_bytes: int) -> None:
        super().__init__(inner)
        self._fault = fault
        self._left = after_bytes

    async def __anext__(self) -> bytes:
        if self._left > 0:
            chunk = (await anext(self._chunks, b""))[: self._left]
            self._left -= len(chunk)
            if chunk:
                return chunk
        raise _ERRORS[self._fault](f"{self._fault}, by a FlakyTransport")
