"""An HTTP transport, of httpx or httpx2, that notes when it gave the last piece of a body."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from time import perf_counter
from typing import Any


class Watch:
    """`returned_at` is when the last piece was returned, by `time.perf_counter`."""

    returned_at = 0.0

    def wrap(self, transport: Any, stream_type: type, ready: str = "") -> Any:
        """The transport, watched; `stream_type` is the class that its library wants bodies to be of, `ready` the
        extension of a response by which this library asks for pieces without a wait.
        """
        watch = self

        class Body(stream_type):
            def __init__(self, body: Any) -> None:
                self._body = body

            async def __aiter__(self) -> AsyncIterator[bytes]:
                async for piece in self._body:
                    watch.returned_at = perf_counter()
                    yield piece

            async def aclose(self) -> None:
                await self._body.aclose()

        class Watched:
            async def __aenter__(self) -> Any:
                await transport.__aenter__()
                return self

            async def __aexit__(self, *error: Any) -> None:
                await transport.__aexit__(*error)

            async def handle_async_request(self, request: Any) -> Any:
                response = await transport.handle_async_request(request)
                response.stream = Body(response.stream)
                if ready in response.extensions:
                    response.extensions[ready] = watch._noting(response.extensions[ready])
                return response

            async def aclose(self) -> None:
                await transport.aclose()

        return Watched()

    def _noting(self, take: Callable[[], Awaitable[bytes]]) -> Callable[[], Awaitable[bytes]]:
        async def noted() -> bytes:
            piece = await take()
            if piece:
                self.returned_at = perf_counter()
            return piece

        return noted
