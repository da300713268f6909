"""A response's body that can be asked for what has arrived, without a wait."""

from __future__ import annotations

import types
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from typing import Any

import httpx

from codex_client.client.network import PAUSE, PausingStream

# At most so many chunks at a time: a first event should not wait for the decoding of all that came with it.
_MAX_CHUNKS = 32


class EagerBody(httpx.AsyncByteStream):
    """The chunks of a body, one by one as httpx asks for them, or with `ready` as many as have arrived.

    A server that sends an event per HTTP chunk fills one network read with hundreds of them. httpcore gives each alone,
    and all that is done per chunk would be done per event. So `ready` steps httpcore's generator until it is about to
    read from the `network` again. `errors` is a block that turns httpcore's errors into httpx's; `close` is called by
    `aclose`, with whether the body was read to its end.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        network: PausingStream | None,
        errors: Callable[[], AbstractContextManager[None]],
        close: Callable[[bool], Awaitable[None]],
    ) -> None:
        self._chunks = chunks
        self._network = network
        self._errors = errors
        self._close = close
        self._step: Any = None
        self._failure: Exception | None = None
        self._ended = False

    def __aiter__(self) -> EagerBody:
        return self

    async def __anext__(self) -> bytes:
        if self._failure is not None:
            raise self._failure
        if self._ended:
            raise StopAsyncIteration
        # `ready` may have begun it.
        step, self._step = self._step or anext(self._chunks), None
        try:
            with self._errors():
                return await step
        except StopAsyncIteration:
            self._ended = True
            raise
        except Exception as error:
            # What is left of the generator would say that the body is at its end.
            self._failure = error
            raise

    async def ready(self) -> bytes:
        """What can be had without waiting for the network, empty where nothing can. A failure is kept for `anext`."""
        chunks: list[bytes] = []
        # A step that was kept is about to wait.
        if self._network is not None and self._step is None and not self._ended and self._failure is None:
            self._network.pausing = True
            try:
                with self._errors():
                    await self._run_to_pause(chunks)
            except StopAsyncIteration:
                self._ended = True
            except Exception as error:  # noqa: BLE001
                self._failure = error
            finally:
                self._network.pausing = False
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def aclose(self) -> None:
        await self._close(self._ended)

    @types.coroutine
    def _run_to_pause(self, chunks: list[bytes]) -> Generator[Any, Any, None]:
        """Step through the generator until a step is about to wait; that step is kept. Raises what it raises."""
        while len(chunks) < _MAX_CHUNKS:
            step: Any = anext(self._chunks)
            send, argument = step.send, None
            try:
                while (signal := send(argument)) is not PAUSE:
                    # Anything else, such as a lock, is the event loop's.
                    send = step.send
                    try:
                        argument = yield signal
                    except BaseException as error:  # noqa: BLE001
                        send, argument = step.throw, error
            except StopIteration as done:
                chunks.append(done.value)
            else:
                self._step = step
                return
