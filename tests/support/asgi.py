"""A caller of an ASGI app in this process, who reads as it comes and may leave at any moment. Runs on both loops."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel

from codex_client.testing.waits import Changes

_PATIENCE = 10.0


class AsgiCall:
    """One request: what has come of its answer so far. `over`: the app has returned."""

    def __init__(self, body: Sequence[bytes], *, unfinished: bool = False) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = b""
        self.over = False
        self._to_send = [
            {"type": "http.request", "body": part, "more_body": unfinished or at < len(body) - 1}
            for at, part in enumerate(body)
        ]
        self._left = False
        self._complete = False
        self._changes = Changes()

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[Any]:
        """The objects of a stream of server-sent events, `[DONE]` as it is, comments left out."""
        lines = [line.removeprefix("data: ") for line in self.text.splitlines() if line.startswith("data: ")]
        return [line if line == "[DONE]" else json.loads(line) for line in lines]

    def leave(self) -> None:
        """Close the connection."""
        self._left = True
        self._changes.notify()

    async def until(self, reached: Callable[[AsgiCall], bool]) -> None:
        await self._changes.expect(
            lambda: reached(self), _PATIENCE, lambda: f"status {self.status}, {len(self.body)} bytes, over {self.over}"
        )

    async def ended(self) -> AsgiCall:
        await self.until(lambda call: call.over)
        return self

    async def receive(self) -> dict[str, Any]:
        if self._to_send:
            return self._to_send.pop(0)
        await self._changes.wait_until(lambda: self._left or self._complete)
        return {"type": "http.disconnect"}

    async def send(self, message: Mapping[str, Any]) -> None:
        await anyio.lowlevel.checkpoint()
        if message["type"] == "http.response.start":
            assert self.status is None, "the answer began twice"
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            assert self.status is not None, "a body without a head"
            assert not self._complete, "more after the end"
            self.body += message["body"]
            self._complete = not message.get("more_body", False)
        self._changes.notify()

    async def run(self, app: Callable[..., Any], scope: dict[str, Any]) -> None:
        await app(scope, self.receive, self.send)
        self.over = True
        self._changes.notify()


@asynccontextmanager
async def calling(
    app: Callable[..., Any],
    method: str,
    path: str,
    *,
    body: Any = None,
    parts: Sequence[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    unfinished: bool = False,
) -> AsyncIterator[AsgiCall]:
    """A call that runs beside the block. `body` goes as JSON, `parts` as they are; after an unfinished one more would
    have to come.
    """
    parts = parts if parts is not None else [b"" if body is None else json.dumps(body).encode()]
    sent = {"host": "127.0.0.1:8787", **({} if method == "GET" else {"content-type": "application/json"})}
    sent |= {name.lower(): value for name, value in (headers or {}).items()}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items() if value],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8787),
    }
    call = AsgiCall(parts, unfinished=unfinished)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call.run, app, scope)
        yield call
        tasks.cancel_scope.cancel()


async def call(app: Callable[..., Any], method: str, path: str, **options: Any) -> AsgiCall:
    """A call, awaited to its end."""
    async with calling(app, method, path, **options) as made:
        return await made.ended()
