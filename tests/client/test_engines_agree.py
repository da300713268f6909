"""What every engine must hold to, whatever the server does: no secret in an error, no connection used that is dead."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from codex_client.client.config import ClientConfig, RetryPolicy
from codex_client.client.http_errors import causes
from codex_client.errors import ConfigurationError, TransportError
from codex_client.model_provider import ModelProviderInfo
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import responses_turn, sse

pytestmark = pytest.mark.usefixtures("transport")

BODY = sse(responses_turn("Hi"))
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)


class BlockingServer:
    """Answers each connection once, then closes it, in a thread: what it does is done when `rest` returns, whether the
    event loop has run meanwhile or not.
    """

    def __init__(self, listener: socket.socket, answer: bytes) -> None:
        self.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        self.served = 0
        self._listener = listener
        self._answer = answer
        self._rested = threading.Semaphore(0)
        self.thread = threading.Thread(target=self._serve)

    def rest(self) -> None:
        """Until one more connection has been closed."""
        assert self._rested.acquire(timeout=30)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.settimeout(0.05)
                try:
                    # The body may come behind the head.
                    while connection.recv(65536):
                        pass
                except TimeoutError:
                    pass
                self.served += 1
                connection.sendall(self._answer)
            self._rested.release()


@contextmanager
def blocking_server(answer: bytes) -> Iterator[BlockingServer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = BlockingServer(listener, answer)
        server.thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            server.thread.join(30)


def client_of(base_url: str, **provider: object) -> RoutedApiClient:
    info = ModelProviderInfo(name="test", base_url=base_url, **provider)  # pyright: ignore[reportArgumentType]
    retry = RetryPolicy(request_max_retries=0, stream_max_retries=0)
    return RoutedApiClient(ClientConfig(provider=info, model="m", auth="sk-canary-0123456789", retry=retry))


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again() -> None:
    with blocking_server(ANSWER) as server:
        async with client_of(server.base_url) as client:
            for _ in range(3):
                assert (await client.collect(Prompt("Hi"))).text == "Hi"
                # The event loop does not run here, so it learns nothing of the end.
                server.rest()
        assert server.served == 3


@pytest.mark.parametrize("shown", [str, repr])
async def test_broken_http_tells_no_secret_anywhere_in_the_chain(shown: Callable[[object], str]) -> None:
    with blocking_server(b"HTTP/1.1 2x0 garbage\r\n\r\n") as server:
        async with client_of(server.base_url, query_params={"sig": "canary-query-0123456789"}) as client:
            with pytest.raises(TransportError) as caught:
                await client.collect(Prompt("Hi"))
    told = [shown(cause) for cause in causes(caught.value)]
    assert len(told) > 1
    assert [text for text in told if "canary" in text] == []


async def test_certificates_that_cannot_be_read_are_the_configurations_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent/authority.pem")
    async with client_of("https://127.0.0.1:1/v1") as client:
        with pytest.raises(ConfigurationError, match=r"SSL_CERT_FILE='/nonexistent/authority.pem' .*cannot be read"):
            await client.collect(Prompt("Hi"))
