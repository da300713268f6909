"""What may stand between a client and the server: the gateway, a proxy by others, or nothing."""

from __future__ import annotations

import socket
import tempfile
from typing import Self

from bench.contenders.base import KEY
from bench.processes import Process, WorkerError, cores, environment

GATEWAY = "codex_client gateway"
LITELLM_PROXY = "litellm proxy"
DIRECT = "no proxy"
# In the order of the tables.
PROXIES = (GATEWAY, LITELLM_PROXY, DIRECT)


class Proxy(Process):
    """One proxy's process (see `bench.proxy`), in front of a server that is asked over `api` (responses or chat)."""

    def __init__(self, name: str, python: str, upstream: str, api: str) -> None:
        self._port = _free_port()
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        keys = {"CODEX_CLIENT_API_KEY": KEY, "CODEX_CLIENT_GATEWAY_KEY": KEY}
        command = [python, "-m", "bench.proxy", name, str(self._port), upstream, api, self._folder.name]
        try:
            super().__init__(command, environment(**keys))
        except WorkerError:
            self._folder.cleanup()
            raise

    def begun(self) -> Self:
        """Itself, when it accepts connections, then on the clients' core. Raises `WorkerError` where it cannot."""
        if error := self._read()["error"]:
            raise WorkerError(error)
        self.pin(cores()[0])
        return self

    def close(self) -> None:
        super().close()
        self._folder.cleanup()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"


def _free_port() -> int:
    """Not every proxy can choose one for itself and tell it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
