"""What lies between: certificates and proxies."""

from __future__ import annotations

import logging
import socket
import ssl
import traceback
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import trustme

from codex_client.api import SystemClock
from codex_client.auth.static import NoAuth
from codex_client.client.config import ClientConfig
from codex_client.client.connections import ConnectionTransport, new_http_client
from codex_client.client.http import RequestExecutor
from codex_client.client.retry import AttemptBudget
from codex_client.client.sockets import ABANDON
from codex_client.errors import CodexError, ConfigurationError, ProxyError
from codex_client.model_provider import ModelProviderInfo
from codex_client.testing import ReplayServer, Reply, Reset, Stall

pytestmark = pytest.mark.usefixtures("transport")

EVENT = b"data: 1\n\n"
OPEN_ENDED = Reply(body=[EVENT, Stall()], transfer="chunked")


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_certificates_are_taken_from_the_environment(
    authority: trustme.CA, server_tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    async with ReplayServer(EVENT, ssl_context=server_tls) as server:
        async with httpx.AsyncClient(transport=ConnectionTransport()) as client:
            with pytest.raises(httpx.ConnectError):
                await client.post(f"{server.url}/x")
            monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
            for _ in range(2):
                assert (await client.post(f"{server.url}/x")).content == EVENT
        await server.idle()


async def test_a_tls_stream_can_be_left_and_dropped(authority: trustme.CA, server_tls: ssl.SSLContext) -> None:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    transport = ConnectionTransport(ssl_context=trusting)
    async with (
        ReplayServer(OPEN_ENDED, ssl_context=server_tls) as server,
        httpx.AsyncClient(transport=transport) as client,
    ):
        async with client.stream("POST", f"{server.url}/x"):
            pass
        await server.idle()
        response = await client.send(client.build_request("POST", f"{server.url}/x"), stream=True)
        response.extensions[ABANDON]()
        await server.idle()
        await response.aclose()


async def test_a_stream_over_tls_can_be_dropped_after_its_server_has_gone(
    authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    reply = Reply(body=[b"data: 1\n\n", Reset()], transfer="chunked")
    async with (
        ReplayServer(reply, ssl_context=server_tls) as server,
        httpx.AsyncClient(transport=ConnectionTransport(ssl_context=trusting)) as client,
    ):
        response = await client.send(client.build_request("POST", f"{server.url}/x"), stream=True)
        await server.idle()
        await anyio.wait_all_tasks_blocked()
        response.extensions[ABANDON]()
        await response.aclose()


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_proxy_of_the_environment_is_used(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if variable == "HTTP_PROXY":
        monkeypatch.delenv("REQUEST_METHOD", raising=False)
    async with ReplayServer(EVENT) as proxy:
        monkeypatch.setenv(variable, proxy.url.replace("//", "//user:word@"))
        monkeypatch.setenv("NO_PROXY", "direct.test")
        client = new_http_client(SystemClock())
        assert (await client.post("http://api.test/v1/responses")).content == EVENT
        assert proxy.requests[0].target == "http://api.test/v1/responses"
        assert proxy.requests[0].headers["proxy-authorization"] == "Basic dXNlcjp3b3Jk"
        await client.aclose()


async def test_what_no_proxy_names_goes_straight_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ReplayServer([]) as proxy, ReplayServer(EVENT) as server:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        client = new_http_client(SystemClock())
        assert (await client.post(f"{server.url}/x")).content == EVENT
        assert proxy.connections_made == 0
        await client.aclose()


async def test_a_proxy_that_speaks_tls_is_judged_by_the_same_certificates(
    authority: trustme.CA, server_tls: ssl.SSLContext
) -> None:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with ReplayServer(EVENT, ssl_context=server_tls) as proxy:
        transport = ConnectionTransport(proxy=proxy.url, ssl_context=trusting)
        async with httpx.AsyncClient(transport=transport) as client:
            assert (await client.post("http://api.test/v1")).content == EVENT


async def test_a_proxy_that_refuses_a_tunnel_says_so() -> None:
    async with ReplayServer(Reply(status=407)) as proxy:
        async with httpx.AsyncClient(transport=ConnectionTransport(proxy=proxy.url)) as client:
            with pytest.raises(httpx.ProxyError, match="407"):
                await client.post("https://api.test/v1")
        assert (proxy.requests[0].method, proxy.requests[0].target) == ("CONNECT", "api.test:443")
        await proxy.idle()


@pytest.mark.parametrize("address", ["ftp://user:canary@proxy.test", "http://user:canary@proxy:port"])
def test_a_proxy_address_that_is_none_is_refused_and_not_shown(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(
        ConfigurationError, match="the proxy's address is no http, https, socks5 or socks5h URL"
    ) as caught:
        new_http_client(SystemClock())
    assert "canary" not in str(caught.value)


def test_a_no_proxy_entry_that_is_no_host_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "[::1")
    with pytest.raises(ConfigurationError, match="NO_PROXY has an entry that is no host"):
        new_http_client(SystemClock())


async def test_a_socks_proxy_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "socksio", None)
    transport = ConnectionTransport(proxy="socks5://127.0.0.1:1", engine="auto")
    async with httpx.AsyncClient(transport=transport) as client:
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=r'pip install "httpx\[socks\]"'):
                await client.post("http://api.test/v1")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_query_goes_to_the_server_and_not_into_the_tunnels_address(
    scheme: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with ReplayServer(Reply(status=403)) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", proxy.url)
        error = await open_error(f"{scheme}://api.test/v1", query_params={"key": "canary a"})
        assert not isinstance(error, ConfigurationError)
        target = "http://api.test/v1/responses?key=canary%20a" if scheme == "http" else "api.test:443"
        assert [request.target for request in proxy.requests] == [target]
    assert "canary" not in caplog.text + str(error)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there_is_named(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    monkeypatch.setenv(f"{scheme}_proxy", f"http://user:canary@127.0.0.1:{port}")
    error = await open_error(f"{scheme}://api.test/v1")
    assert type(error) is ProxyError
    before, _, after = str(error).partition(" (")
    assert before == (
        f"the proxy on the way to {scheme}://api.test/v1/responses failed: no connection to 127.0.0.1:{port}"
    )
    assert after.endswith("); check that it runs, and HTTPS_PROXY, HTTP_PROXY and ALL_PROXY")
    assert "canary" not in after


@pytest.mark.parametrize(
    "user, said", [("user:can%2Fary@", "***, ***, ***"), ("", "can/ary, can%2Fary, dXNlcjpjYW4vYXJ5")]
)
async def test_what_a_proxy_says_is_told_without_its_password(
    user: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = Reply.raw(b"HTTP/1.1 407 No: can/ary, can%2Fary, dXNlcjpjYW4vYXJ5\r\ncontent-length: 0\r\n\r\n")
    async with ReplayServer(reply) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.replace("//", f"//{user}"))
        error = await open_error("https://api.test/v1")
        where = proxy.url.removeprefix("http://")
        assert type(error) is ProxyError
        assert f"failed: {where} said: 407 No: {said}; check" in str(error)
        assert user == "" or "ary" not in "".join(traceback.format_exception(error))


async def test_tls_that_fails_behind_a_proxy_is_not_the_proxys_fault(server_tls: ssl.SSLContext) -> None:
    async with ReplayServer([], ssl_context=server_tls) as proxy:
        async with httpx.AsyncClient(transport=ConnectionTransport(proxy=proxy.url)) as client:
            with pytest.raises(httpx.ConnectError) as caught:
                await client.post("http://api.test/v1")
        assert type(caught.value) is httpx.ConnectError


async def test_all_clients_share_one_ssl_context(
    monkeypatch: pytest.MonkeyPatch, server_tls: ssl.SSLContext, tmp_path: Path
) -> None:
    """Making one takes milliseconds of CPU, which many clients that begin at once would add up."""
    made: list[ssl.SSLContext] = []

    def spy() -> ssl.SSLContext:
        made.append(ssl.create_default_context())
        return made[-1]

    monkeypatch.setattr(httpx, "create_ssl_context", spy)
    # Contexts are told apart by these, so that this test gets one of its own.
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    async with ReplayServer(EVENT, ssl_context=server_tls) as server:
        for _ in range(2):
            client = new_http_client(SystemClock())
            with pytest.raises(httpx.ConnectError):
                await client.post(f"{server.url}/x")
            await client.aclose()
    assert len(made) == 1


async def test_without_tls_no_ssl_context_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: pytest.fail("made one"))
    async with ReplayServer(EVENT) as server, new_http_client(SystemClock()) as client:
        assert (await client.post(f"{server.url}/x")).status_code == 200


async def open_error(base_url: str, **options: Any) -> CodexError:
    """What one attempt with a client of its own against this address raises."""
    provider = ModelProviderInfo(name="test", base_url=base_url, **options)
    executor = RequestExecutor(ClientConfig(provider=provider, model="m"), auth=NoAuth())
    try:
        with pytest.raises(CodexError) as caught:
            await executor.open(b"{}", budget=AttemptBudget(0, 0))
    finally:
        await executor.aclose()
    return caught.value
