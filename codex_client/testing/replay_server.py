"""A real HTTP server on loopback that answers by a script."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Literal, Self

import anyio
from anyio.abc import ByteStream, TaskGroup
from anyio.streams.tls import TLSStream

from codex_client.api import Clock, SystemClock
from codex_client.model_provider import ModelProviderInfo, WireApi
from codex_client.testing.connection import HttpConnection, RefusedRequestError, SocketStream
from codex_client.testing.reply_encoding import ReplyWire
from codex_client.testing.reply_player import Ending, ReplyPlayer
from codex_client.testing.requests import RecordedRequest, Replies, Script
from codex_client.testing.scripts import Reply, ReplyLike, as_reply
from codex_client.testing.waits import Changes, Rests


class ReplayServer:
    """HTTP/1.1 on a loopback socket, answered by a script: `async with ReplayServer(script) as server`.

    `script`: see `Script`; a reply is a `Reply`, bytes (an SSE body) or a status (its error). Whatever has no reply is
    answered with 400 and noted in `problems`. `strict` checks every body sent to `/responses` and `/chat/completions`
    and answers 400 to a faulty one. `port` 0 lets the system choose. `clock` times the pauses. An exception in a
    script's function ends the block, in an exception group.
    """

    requests: list[RecordedRequest]
    """Every request, in the order of arrival."""

    problems: list[str]
    """What was wrong on the client's side or missing in the script."""

    connections_made: int
    """Connections accepted so far."""

    def __init__(
        self,
        script: Replies[ReplyLike] | Mapping[str, Replies[ReplyLike]],
        *,
        strict: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
        clock: Clock | None = None,
        max_request_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self.requests = []
        self.problems = []
        self.connections_made = 0
        self._script: Script[ReplyLike] = Script(script)
        self._strict = strict
        self._address = (host, port)
        self._ssl_context = ssl_context
        self._max_request_bytes = max_request_bytes
        self._open: set[socket.socket] = set()
        self._changes = Changes()
        self._rests = Rests(clock or SystemClock(), self._changes)

    @property
    def url(self) -> str:
        """Scheme, host and port; known inside the block and after it, when nobody listens there."""
        scheme = "http" if self._ssl_context is None else "https"
        host, port = self._address
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    @property
    def base_url(self) -> str:
        """What a provider takes as its base URL."""
        return f"{self.url}/v1"

    def provider(self, wire_api: WireApi | Literal["responses", "chat"] = WireApi.RESPONSES) -> ModelProviderInfo:
        """This server as a provider, without a key."""
        return ModelProviderInfo(name="replay", base_url=self.base_url, wire_api=WireApi(wire_api))

    @property
    def open_connections(self) -> int:
        return len(self._open)

    def release(self, holds: int = 1) -> None:
        """Let that many `Hold`s go, reached or still to come."""
        self._rests.release(holds)

    async def idle(self, *, within: float = 10.0) -> None:
        """Wait until no connection is open. Raises `AssertionError` after `within` seconds, as all waits here do."""
        # Those that the system holds for us count: their clients may have come and gone unseen.
        if self._listener.fileno() != -1:
            self._accept_waiting()
        await self._changes.expect(
            lambda: not self._open, within, lambda: f"{len(self._open)} connections are still open"
        )

    async def received(self, requests: int = 1, *, within: float = 10.0) -> None:
        """Wait until that many requests have arrived in all."""
        arrived = self.requests
        await self._changes.expect(
            lambda: len(arrived) >= requests, within, lambda: f"{len(arrived)} of {requests} requests have arrived"
        )

    async def at_rest(self, replies: int = 1, *, within: float = 10.0) -> None:
        """Wait until that many replies stand at a `Hold` or `Stall`."""
        await self._rests.reached(replies, within)

    def assert_complete(self) -> None:
        """Raise `AssertionError` if there were problems or replies are left."""
        unused = [f"{self._script.unused} replies were not asked for"] if self._script.unused else []
        if self.problems or unused:
            raise AssertionError("; ".join([*self.problems, *unused]))

    async def __aenter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        self._listener = socket.create_server(self._address, family=family, backlog=1024)
        self._listener.setblocking(False)
        self._address = self._listener.getsockname()[:2]
        self._tasks: TaskGroup = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._accept)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        try:
            # Only a cancellation is the task group's business: what else the block raises would come out wrapped.
            if isinstance(exc_val, anyio.get_cancelled_exc_class()):
                await self._tasks.__aexit__(exc_type, exc_val, exc_tb)
            else:
                self._tasks.cancel_scope.cancel()
                await self._tasks.__aexit__(None, None, None)
        finally:
            self._listener.close()

    async def _accept(self) -> None:
        while True:
            await anyio.wait_readable(self._listener)
            self._accept_waiting()

    def _accept_waiting(self) -> None:
        """Take in every connection that is established."""
        with suppress(BlockingIOError, ConnectionAbortedError):
            while True:
                sock, _ = self._listener.accept()
                self._open.add(sock)
                self.connections_made += 1
                self._tasks.start_soon(self._serve, sock, self.connections_made)

    async def _serve(self, sock: socket.socket, number: int) -> None:
        # The client may leave at any moment, and may dislike our certificate.
        with self._registered(sock), suppress(anyio.BrokenResourceError, anyio.EndOfStream, ssl.SSLError):
            wire = SocketStream(sock)
            connection = HttpConnection(
                await self._secured(wire), wire, number=number, max_request_bytes=self._max_request_bytes
            )
            while (ending := await self._exchange(connection)) is Ending.KEEP:
                pass
            if ending is Ending.RESET:
                connection.reset()

    @contextmanager
    def _registered(self, sock: socket.socket) -> Generator[None]:
        try:
            yield
        finally:
            sock.close()
            self._open.discard(sock)
            self._changes.notify()

    async def _secured(self, wire: SocketStream) -> ByteStream:
        if self._ssl_context is None:
            return wire
        # Clients leave out TLS's closing handshake, and waiting for it would keep the connection open.
        return await TLSStream.wrap(wire, server_side=True, ssl_context=self._ssl_context, standard_compatible=False)

    async def _exchange(self, connection: HttpConnection) -> Ending:
        try:
            request = await connection.next_request()
        except RefusedRequestError as error:
            await self._refuse(connection, error)
            return Ending.CLOSE
        if request is None:
            return Ending.CLOSE
        self.requests.append(request)
        self._changes.notify()
        player = ReplyPlayer(self._choose(request), connection, self._rests, method=request.method)
        return await player.play()

    async def _refuse(self, connection: HttpConnection, error: RefusedRequestError) -> None:
        self.problems.append(str(error))
        refusal = Reply.error(error.status, str(error))
        wire = ReplyWire(refusal, keep_alive=False)
        await connection.send([wire.head, *wire.feed(refusal.content)])
        await connection.drain()

    def _choose(self, request: RecordedRequest) -> Reply:
        faults = _faults(request) if self._strict else []
        if faults:
            self.problems += faults
            return Reply.error(400, "; ".join(faults), code="invalid_request_body")
        reply = self._script.choose(request)
        if reply is None:
            missing = (
                f"no reply for request {len(self.requests)}, {request.method} {request.path}, is in the script or left"
            )
            self.problems.append(missing)
            return Reply.error(400, missing, code="script_exhausted")
        return as_reply(reply)


def _faults(request: RecordedRequest) -> list[str]:
    """What is wrong with a body sent to one of the two APIs."""
    # Its schemas take longer to build than the rest of a server, and most servers do not check.
    from codex_client.testing.request_checker import RequestProblem, check_chat_request, check_responses_request

    checkers = {"/responses": check_responses_request, "/chat/completions": check_chat_request}
    check = next((check for route, check in checkers.items() if request.path.endswith(route)), None)
    if check is None or request.method != "POST":
        return []
    try:
        check(request.json())
    except RequestProblem as refusal:
        return list(refusal.problems)
    except ValueError as error:
        return [f"the body is not JSON: {error}"]
    return []
