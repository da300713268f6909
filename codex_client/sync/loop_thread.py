"""An event loop in a thread of its own, for callers that have none or whose own must not be waited in."""

from __future__ import annotations

import atexit
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import TypeVar, TypeVarTuple

import anyio
from anyio.from_thread import BlockingPortal

R = TypeVar("R")
Args = TypeVarTuple("Args")

_CLOSED = "the client is closed; make a new one"

_running: set[LoopThread] = set()


class LoopThread:
    """The thread begins with the first call, and ends with `close`, at the interpreter's exit at the latest.

    The portal is not anyio's `start_blocking_portal`: that is a generator, which waits for its thread wherever the
    collector finds it, be it at the interpreter's end, when that thread stands still.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._thread: Thread | None = None
        self._portal: Future[BlockingPortal] = Future()
        self._process = os.getpid()
        self._endings: dict[object, Callable[[], Awaitable[None]]] = {}
        self._closed = False

    @property
    def is_open(self) -> bool:
        """Whether it can be called: not once it is closed, and never in a process that was forked from its own."""
        return not self._closed and self.is_of_this_process

    @property
    def is_of_this_process(self) -> bool:
        """Whether it is not the copy in a process that was forked from its own, where the thread is not."""
        return os.getpid() == self._process

    def call(self, function: Callable[[*Args], Awaitable[R]], *args: *Args) -> R:
        """Await `function(*args)` in the loop. What breaks off the wait, such as Ctrl-C, cancels it there first.

        Raises `RuntimeError` where the loop has ended, or belongs to the process that this one was forked from.
        """
        if self._closed:
            raise RuntimeError(_CLOSED)
        return self._call(function, *args)

    def add_ending(self, owner: object, ending: Callable[[], Awaitable[None]]) -> None:
        """What `close` awaits before the loop ends, the newest first. `owner`: under what it is taken out again."""
        self._endings[owner] = ending

    def remove_ending(self, owner: object) -> None:
        self._endings.pop(owner, None)

    def close(self) -> None:
        """Await the endings, then end the loop; what still runs there is cancelled. Safe to call twice.

        A forked process has nothing to close: the thread is not in it, and the connections are those of the other.
        """
        if not self.is_of_this_process:
            return
        with self._lock:
            if self._closed:
                return
            self._closed = True
        try:
            self._call(self._end_all)
        finally:
            self._stop()

    def abandon(self) -> None:
        """The same from a finaliser, which must not wait: it comes up anywhere, in the loop's own thread as well."""
        if self._thread is not None and self.is_open:
            Thread(target=self.close, name="codex_client.sync close", daemon=True).start()

    def close_at_exit(self) -> None:
        with suppress(Exception):
            self.close()

    def _call(self, function: Callable[[*Args], Awaitable[R]], *args: *Args) -> R:
        ended = Event()

        async def run() -> R:
            try:
                return await function(*args)
            finally:
                ended.set()

        future = self._started().start_task_soon(run)
        try:
            return future.result()
        except CancelledError:
            raise RuntimeError("the client was closed while it was in use; close it when its calls are over") from None
        except BaseException:
            if not future.done():
                future.cancel()
                ended.wait()
            raise

    def _started(self) -> BlockingPortal:
        # Before the lock: another thread may have held it when the process was forked.
        if not self.is_of_this_process:
            raise RuntimeError("this client belongs to the process that this one was forked from; make one in each")
        with self._lock:
            if self._thread is None:
                self._begin()
            portal = self._portal
        return portal.result()

    def _begin(self) -> None:
        self._portal = Future()
        # A daemon, for a program that forgets to close it must end all the same.
        thread = Thread(target=self._run, args=(self._portal,), name="codex_client.sync", daemon=True)
        thread.start()
        self._thread = thread
        _running.add(self)

    def _run(self, begun: Future[BlockingPortal]) -> None:
        async def serve() -> None:
            async with BlockingPortal() as portal:
                begun.set_result(portal)
                await portal.sleep_until_stopped()

        try:
            anyio.run(serve)
        except BaseException as error:
            if begun.done():
                raise
            self._forget_thread()
            # Such as a limit of open files: whoever waits for the loop has to hear it, and may try again.
            begun.set_exception(error)

    def _forget_thread(self) -> None:
        with self._lock:
            self._thread = None
            _running.discard(self)

    async def _end_all(self) -> None:
        while self._endings:
            _, ending = self._endings.popitem()
            await ending()

    def _stop(self) -> None:
        if self._thread is None:
            return
        _running.discard(self)
        portal = self._portal.result()
        portal.call(portal.stop, True)
        self._thread.join()


@atexit.register
def _close_all() -> None:
    for each in list(_running):
        each.close_at_exit()
