"""The gateway on a socket, from its start to its graceful end. Runs on asyncio: uvicorn knows no other loop."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import cast

import anyio
import uvicorn
from starlette.applications import Starlette

from codex_client.api import Clock
from codex_client.client.connection_pool import runs_on_asyncio
from codex_client.errors import ConfigurationError
from codex_client.gateway.access import is_loopback
from codex_client.gateway.activity import Activity
from codex_client.gateway.app import gateway_of
from codex_client.gateway.connections import Connection, ConnectionWatch, room_for

# asyncio takes as many at once, and complains of each one when a process has no files left.
_BACKLOG = 256
# After the last turn: for answers that still wait for their callers to read them. Longer than the first is what uvicorn
# allows, which logs as a fault what it ends then.
_CLOSING_SECONDS = 5.0
_UVICORNS_SECONDS = 10
# After the second signal, for the word that the gateway has ended.
_LAST_WORD_SECONDS = 0.5
# Between two looks at the connections; uvicorn ticks ten times a second.
_TICKS_TO_LOOK = 50
# Longer than clients keep a connection that rests (httpx 5 s, aiohttp 15 s): who ends it first must not be the one that
# does not know whether the next request is on its way. nginx's number.
_KEEP_ALIVE_SECONDS = 75
# Addresses that stand for all of a machine's are nobody's to ask: what a program here asks.
_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


async def serve(
    app: Starlette, *, host: str = "127.0.0.1", port: int = 8787, on_ready: Callable[[str], None] | None = None
) -> bool:
    """Serve an app of `create_app` until SIGINT or SIGTERM, or until it is cancelled.

    The first signal lets no more turns in (503) and waits `drain_seconds` for those that run; a second one cuts these
    at once, and leaves callers who do not read. `port` 0 lets the system choose; `on_ready` is told the address when
    connections are accepted and signals heard. Returns whether it ended without a second signal. Raises
    `ConfigurationError` where others could reach it without a key, where the address cannot be had, and on trio.
    """
    if not runs_on_asyncio():
        raise ConfigurationError("the gateway's server runs on asyncio only; run it by anyio.run(…, backend='asyncio')")
    gateway = gateway_of(app)
    with listening(host, port, needs_loopback=not gateway.config.keys) as sockets, _heard_signals() as signals:
        server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                http=Connection,
                ws="none",
                # The program's own logging holds; the gateway logs each request itself.
                log_config=None,
                access_log=False,
                server_header=False,
                # Whoever is let in may say anything of where it came from.
                proxy_headers=False,
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_UVICORNS_SECONDS,
            ),
            ConnectionWatch(max_connections=room_for(gateway.config.max_turns), clock=gateway.clock),
            gateway.clock,
        )
        if on_ready is not None:
            on_ready(_url(host, sockets[0].getsockname()[1]))
        async with anyio.create_task_group() as tasks:
            if signals is not None:
                tasks.start_soon(_end_by_signal, signals, server, gateway.activity, gateway.config.drain_seconds)
            try:
                await server.serve(sockets)
            except anyio.get_cancelled_exc_class():
                gateway.activity.cut()
                await _close(server, sockets)
                raise
            tasks.cancel_scope.cancel()
    return not server.was_cut


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, watch: ConnectionWatch, clock: Clock) -> None:
        super().__init__(config)
        self.was_cut = False
        self._clock = clock
        self._watch = watch

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """uvicorn ends at once when it hears a signal, and sends it again to the program: here the gateway listens."""
        yield

    async def on_tick(self, counter: int) -> bool:
        connections = cast("set[Connection]", self.server_state.connections)
        self._watch.thin_out(connections)
        if counter % _TICKS_TO_LOOK == 0:
            self._watch.look(connections)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Callers who do not read their answers are left at last."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.abort_after, _CLOSING_SECONDS)
            await super().shutdown(sockets)
            tasks.cancel_scope.cancel()

    async def abort_after(self, seconds: float) -> None:
        """Then close every connection, whatever has not been sent: who waits to send goes on, and ends."""
        await self._clock.sleep(seconds)
        for connection in list(self.server_state.connections):
            connection.transport.abort()


@contextmanager
def _heard_signals() -> Generator[AsyncIterator[signal.Signals] | None]:
    """Those that end the gateway, kept from now on; None where the loop hears none."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        # Ctrl-C cancels the program there, and others have to cancel `serve`.
        yield None
        return
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        yield signals


async def _end_by_signal(
    signals: AsyncIterator[signal.Signals], server: _Server, activity: Activity, drain_seconds: float
) -> None:
    await anext(signals)
    async with anyio.create_task_group() as tasks:

        async def end() -> None:
            await activity.drain(drain_seconds)
            server.should_exit = True

        tasks.start_soon(end)
        await anext(signals)
        server.was_cut = server.should_exit = True
        activity.cut()
        await server.abort_after(_LAST_WORD_SECONDS)


async def _close(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
    """What uvicorn does at its end, and not when it is cancelled."""
    if server.started:
        with anyio.CancelScope(shield=True):
            await server.shutdown(sockets)


@contextmanager
def listening(host: str, port: int, *, needs_loopback: bool) -> Generator[list[socket.socket]]:
    """Sockets on every address of the host."""
    # As in an address: [::1].
    host = host.removeprefix("[").removesuffix("]")
    addresses = _addresses(host, port)
    if needs_loopback and not all(is_loopback(address) for _, address in addresses):
        raise ConfigurationError(
            f"the gateway would be reached from other machines at {host}, and has no key; give it one, or use 127.0.0.1"
        )
    with ExitStack() as opened:
        sockets: list[socket.socket] = []
        for family, address in addresses:
            # A host with several addresses has one port.
            wanted = port or (sockets[0].getsockname()[1] if sockets else 0)
            try:
                listener = socket.create_server((address, wanted), family=family, backlog=_BACKLOG)
            except OSError as error:
                raise ConfigurationError(
                    f"{_url(host, wanted)} cannot be had: {error.strerror or error}; end what runs there, or choose "
                    "another port"
                ) from None
            # asyncio lets a stream's small writes go at once only where a socket says that it is of TCP; else the first
            # words of an answer wait 40 ms for the receipt of its head.
            listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=listener.detach())
            sockets.append(opened.enter_context(listener))
        yield sockets


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    """What the host's name stands for, each address once."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigurationError(f"the host {host!r} has no address: {error.strerror or error}") from None
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _url(host: str, port: int) -> str:
    host = _HERE.get(host.strip("[]"), host.strip("[]"))
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
