"""The choice of what carries the requests, and that it makes no difference to the server."""

from __future__ import annotations

import math
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import httpx
import pytest
import trustme

from codex_client.auth.static import NoAuth
from codex_client.client.config import ClientConfig, RetryPolicy, Timeouts, Transport
from codex_client.client.connections import ConnectionTransport
from codex_client.client.http import RequestExecutor
from codex_client.client.retry import AttemptBudget
from codex_client.connecting import connect
from codex_client.errors import CodexError, ConfigurationError, MissingExtraError, ReadError
from codex_client.model_provider import ModelProviderInfo
from codex_client.prompt import Prompt
from codex_client.testing import RecordedRequest, ReplayServer, Reply, Reset, Stall, responses_turn, sse
from tests.support.loopback import is_open, until
from tests.support.one_request import FIRST, executing, open_one

TEXT = "The quick brown fox."
TURN = Reply.from_sse(sse(responses_turn(TEXT)))
NO_RETRIES = RetryPolicy(request_max_retries=0, stream_max_retries=0)
SERVER = ModelProviderInfo(name="test", base_url="http://127.0.0.1:1/v1")
ODD_TARGET = "/a%2Fb//c;d=e:@!$&'()*+,/%C3%A9/[x]|%22^%60?q=a+b%20c&x=%26&y=%2B?/"


@pytest.fixture
def needs_asyncio(anyio_backend: str) -> None:
    if anyio_backend == "trio":
        pytest.skip("aiohttp runs on asyncio only")


@pytest.fixture(params=["httpx", "http2", "aiohttp", "auto"])
def each(request: pytest.FixtureRequest, anyio_backend: str) -> Any:
    """Each transport that this event loop has."""
    if request.param == "aiohttp" and anyio_backend == "trio":
        pytest.skip("aiohttp runs on asyncio only")
    return request.param


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The classes of the connections that are made, in order."""
    made: list[str] = []
    new_link = ConnectionTransport._new_link

    def note(self: ConnectionTransport, url: httpx.URL) -> Any:
        link = new_link(self, url)
        made.append(type(link).__name__)
        return link

    monkeypatch.setattr(ConnectionTransport, "_new_link", note)
    return made


@pytest.fixture
def without_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.delitem(sys.modules, "codex_client.client.aiohttp_link", raising=False)


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> trustme.CA:
    """An authority that the clients take from the environment, as a user's would."""
    authority, file = trustme.CA(), tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return authority


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


async def turn(provider: ModelProviderInfo, transport: Any, **options: Any) -> str:
    """The text of one turn, by the short way in."""
    async with connect("m", provider=provider, transport=transport, retry=NO_RETRIES, **options) as client:
        return (await client.collect(Prompt("hello"))).text


def test_an_unknown_transport_is_refused_with_the_known_ones() -> None:
    known = "it is one of 'httpx', 'http2', 'aiohttp', 'auto'"
    unknown: Any = "requests"
    with pytest.raises(ConfigurationError, match=known):
        ClientConfig(provider=SERVER, model="m", transport=unknown)
    with pytest.raises(ConfigurationError, match=known):
        connect("m", provider=SERVER, transport=unknown)


@pytest.mark.parametrize("transport, package", [("http2", "h2"), ("aiohttp", "aiohttp")])
def test_a_transport_whose_package_is_missing_says_what_to_install(
    transport: Any, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_client.client.config.find_spec", lambda name: None if name == package else name)
    for make in (
        ClientConfig,
        lambda provider, model, transport: connect(model, provider=provider, transport=transport),
    ):
        with pytest.raises(MissingExtraError) as caught:
            make(provider=SERVER, model="m", transport=transport)
        assert caught.value.extra == transport
        assert f"pip install 'codex-client[{transport}]'" in str(caught.value)
    for other in ("httpx", "auto"):
        assert ClientConfig(provider=SERVER, model="m", transport=other).transport == other


@pytest.mark.parametrize("transport", ["http2", "aiohttp", "auto"])
async def test_a_clients_own_transport_is_not_to_be_chosen(transport: Any) -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(ConfigurationError, match=f"transport='{transport}' has no meaning; leave one of them out"):
            ClientConfig(provider=SERVER, model="m", http_client=client, transport=transport)
        assert ClientConfig(provider=SERVER, model="m", http_client=client).transport == "httpx"


async def test_each_transport_has_its_own_connections(each: Transport, links: list[str], anyio_backend: str) -> None:
    async with ReplayServer(TURN) as server:
        assert await turn(server.provider(), each) == TEXT
    by_aiohttp = each in ("aiohttp", "auto") and anyio_backend == "asyncio"
    assert links == ["AiohttpLink" if by_aiohttp else "CoreLink"]


async def test_without_a_choice_it_is_httpx(links: list[str]) -> None:
    async with ReplayServer(TURN) as server, connect("m", provider=server.provider()) as client:
        await client.collect(Prompt("hello"))
    assert links == ["CoreLink"]


@pytest.mark.usefixtures("without_aiohttp")
async def test_auto_does_without_aiohttp_where_it_is_not_installed(links: list[str]) -> None:
    async with ReplayServer(TURN) as server:
        assert await turn(server.provider(), "auto") == TEXT
    assert links == ["CoreLink"]


@pytest.mark.usefixtures("without_aiohttp", "needs_asyncio")
async def test_aiohttp_that_went_missing_is_told() -> None:
    async with httpx.AsyncClient(transport=ConnectionTransport(engine="aiohttp")) as client:
        with pytest.raises(
            ConfigurationError, match=r"aiohttp cannot be used \(.*\); use transport='httpx', or 'auto'"
        ):
            await client.post("http://127.0.0.1:1")


async def test_aiohttp_on_trio_says_what_to_do_instead(anyio_backend: str, links: list[str]) -> None:
    if anyio_backend == "asyncio":
        pytest.skip("there it works")
    with pytest.raises(ConfigurationError, match="aiohttp runs on asyncio only; use transport='httpx', or 'auto'"):
        await turn(SERVER, "aiohttp")
    assert links == []


@pytest.mark.usefixtures("needs_asyncio")
async def test_a_socks_proxy_is_not_for_aiohttp(monkeypatch: pytest.MonkeyPatch, links: list[str]) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="aiohttp knows no SOCKS proxies; use transport='httpx', or 'auto'"):
        await turn(SERVER, "aiohttp")
    assert links == []


async def test_auto_leaves_socks_proxies_to_httpcore(monkeypatch: pytest.MonkeyPatch, links: list[str]) -> None:
    # It need not be installed: who asks for it is known by the advice.
    monkeypatch.setitem(sys.modules, "socksio", None)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match=r'pip install "httpx\[socks\]"'):
        await turn(SERVER, "auto")
    assert links == ["CoreLink"]


@pytest.mark.usefixtures("needs_asyncio")
async def test_the_server_cannot_tell_the_transports_apart() -> None:
    async with ReplayServer(TURN) as server:
        transports: list[Transport] = ["httpx", "aiohttp"]
        for transport in transports:
            headers = {"x-mine": "a\tb", "x-empty": "", "X-Upper": "1"}
            options = {"extra_headers": headers, "conversation_id": "c", "auth": "sk-test"}
            assert await turn(server.provider(), transport, **options) == TEXT
            async with httpx.AsyncClient(transport=ConnectionTransport(engine=transport)) as client:
                await client.post(server.url, content=b"of no type")
        turn_by_one, post_by_one, turn_by_other, post_by_other = map(told, server.requests)
        assert turn_by_one == turn_by_other
        assert post_by_one == post_by_other


def told(request: RecordedRequest) -> tuple[object, ...]:
    """All of it but what is drawn anew each time; the headers sorted."""
    headers = [header for header in request.headers.multi_items() if header[0] != "x-client-request-id"]
    return request.method, request.target, sorted(headers), request.body


async def test_no_transport_keeps_cookies(each: Transport) -> None:
    cookie = Reply.from_sse(sse(responses_turn(TEXT)), headers={"set-cookie": "session=abc; Path=/"})
    async with ReplayServer(cookie) as server:
        # aiohttp keeps none of an IP address in any case.
        url = server.base_url.replace("127.0.0.1", "localhost")
        async with connect("m", base_url=url, transport=each) as client:
            for _ in range(2):
                await client.collect(Prompt("hello"))
        assert server.connections_made == 1
        assert ["cookie" in request.headers for request in server.requests] == [False, False]


async def test_an_address_arrives_as_it_was_written(each: Transport) -> None:
    async with ReplayServer(Reply()) as server:
        async with httpx.AsyncClient(transport=ConnectionTransport(engine=each)) as client:
            await client.post(server.url + ODD_TARGET)
            await client.post(server.url, extensions={"target": ODD_TARGET.encode()})
        assert [request.target for request in server.requests] == [ODD_TARGET, ODD_TARGET]


async def test_the_parameters_of_a_provider_arrive_encoded(each: Transport) -> None:
    async with ReplayServer(TURN) as server:
        odd = {"api-version": "2025-04-01 preview", "key": "a+b/c=&%é"}
        provider = ModelProviderInfo(name="test", base_url=f"{server.url}/a%2Fb", query_params=odd)
        assert await turn(provider, each) == TEXT
        assert server.requests[0].path == "/a%2Fb/responses"
        assert server.requests[0].query == odd


async def test_no_transport_follows_a_redirect_by_itself(each: Transport) -> None:
    async with ReplayServer(Reply(status=307, headers={"location": "/elsewhere"})) as server:
        async with httpx.AsyncClient(transport=ConnectionTransport(engine=each)) as client:
            assert (await client.post(server.url)).status_code == 307
        assert len(server.requests) == 1


async def test_what_was_compressed_is_decompressed_once(each: Transport) -> None:
    async with ReplayServer(Reply.from_sse(sse(responses_turn(TEXT)), gzip=True)) as server:
        assert await turn(server.provider(), each) == TEXT


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_what_has_arrived_is_had_without_waiting(each: Transport, scheme: str, authority: trustme.CA) -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    reply = Reply(body=[head + b"9\r\n%s\r\n" % FIRST * 3, Stall()], transfer="raw")
    async with ReplayServer(reply, ssl_context=server_context(authority) if scheme == "https" else None) as server:
        config = ClientConfig(provider=server.provider(), model="m", transport=each)
        executor = RequestExecutor(config, auth=NoAuth())
        answer = await open_one(executor)
        with anyio.fail_after(10):
            assert await answer.read_chunk() + await answer.read_ready() == FIRST * 3
            assert await answer.read_ready() == b""
        await answer.aclose()
        await executor.aclose()


async def test_a_large_request_arrives_whole(each: Transport) -> None:
    body = bytes(range(256)) * 12 * 1024
    async with executing(Reply(body=FIRST), transport=each) as (executor, server):
        answer = await executor.open(body, budget=AttemptBudget(0, 0))
        await answer.aclose()
        assert server.requests[0].body == body


async def test_large_response_headers_are_read(each: Transport) -> None:
    state = "s" * 20_000
    headers = {"x-codex-turn-state": state} | {f"x-number-{number}": "1" for number in range(90)}
    async with executing(Reply(body=FIRST, headers=headers), transport=each) as (executor, _):
        answer = await open_one(executor)
        assert answer.headers["x-codex-turn-state"] == state
        assert answer.headers["x-number-89"] == "1"
        await answer.aclose()


@pytest.mark.usefixtures("needs_asyncio")
async def test_a_slow_reader_gets_what_came_before_a_cut(each: Transport) -> None:
    reply = Reply(body=[FIRST, FIRST, Reset()], transfer="chunked")
    async with executing(reply, transport=each) as (executor, server):
        answer = await open_one(executor)
        stream = answer._response.extensions["network_stream"]
        await server.idle()
        await until(lambda: not is_open(stream))
        received = b""
        with pytest.raises(ReadError):
            while True:
                received += await answer.read_ready() or await answer.read_chunk()
        assert received == FIRST + FIRST
        await answer.aclose()


@pytest.mark.parametrize("seconds", [math.inf, 5.0])
async def test_limits_may_be_infinite(each: Transport, seconds: float) -> None:
    limits = Timeouts(connect=seconds, write=seconds, pool=seconds, first_event=seconds, idle=seconds)
    async with ReplayServer(TURN) as server:
        assert await turn(server.provider(), each, timeouts=limits) == TEXT


async def test_a_proxy_forwards_and_only_it_sees_the_password(each: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ReplayServer(TURN) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//us%20er:p%40ss@"))
        provider = ModelProviderInfo(name="test", base_url="http://api.test/v1")
        assert await turn(provider, each, auth="sk-test") == TEXT
        (request,) = proxy.requests
        assert request.target == "http://api.test/v1/responses"
        assert request.headers.get_list("proxy-authorization") == ["Basic dXMgZXI6cEBzcw=="]
        assert request.headers["authorization"] == "Bearer sk-test"
        assert request.headers["host"] == "api.test"


async def test_a_proxys_port_out_of_range_leads_nowhere(each: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ReplayServer([]) as server:
        port = int(server.url.rpartition(":")[2])
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port + 65536}")
        with pytest.raises(CodexError, match="port"):
            await turn(ModelProviderInfo(name="test", base_url="http://api.test/v1"), each)
        assert server.connections_made == 0


async def test_a_proxy_tunnels_and_only_it_sees_the_password(
    each: Transport, monkeypatch: pytest.MonkeyPatch, authority: trustme.CA
) -> None:
    async with ReplayServer(TURN, ssl_context=server_context(authority)) as server, tunnelling() as (proxy, heads):
        monkeypatch.setenv("HTTPS_PROXY", f"http://us%20er:p%40ss@127.0.0.1:{proxy}")
        url = server.url.replace("127.0.0.1", "localhost")
        provider = ModelProviderInfo(name="test", base_url=f"{url}/v1")
        assert await turn(provider, each, auth="sk-test") == TEXT
        (head,) = heads
        assert head.startswith(f"CONNECT {url.removeprefix('https://')} HTTP/1.1\r\n".encode())
        assert head.lower().count(b"\r\nproxy-authorization: basic dxmgzxi6cebzcw==\r\n") == 1
        assert b"Basic dXMgZXI6cEBzcw==" in head
        assert b"sk-test" not in head
        (request,) = server.requests
        assert "proxy-authorization" not in request.headers
        assert request.headers["authorization"] == "Bearer sk-test"


@asynccontextmanager
async def tunnelling() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A proxy on loopback: its port, and the heads of the requests to it. Its tunnels lead where they should."""
    heads: list[bytes] = []

    async def serve(client: anyio.abc.SocketStream) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await client.receive()
        heads.append(head)
        host, _, port = head.split()[1].decode().partition(":")
        async with client, await anyio.connect_tcp(host, int(port)) as server:
            await client.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(pump, client, server)
                await pump(server, client)
                tasks.cancel_scope.cancel()

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield listener.extra(anyio.abc.SocketAttribute.local_port), heads
        tasks.cancel_scope.cancel()


async def pump(source: anyio.abc.SocketStream, sink: anyio.abc.SocketStream) -> None:
    try:
        async for content in source:
            await sink.send(content)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        # The other side has left.
        return


async def test_aiohttp_refuses_a_header_that_it_would_change(needs_asyncio: None) -> None:
    async with ReplayServer(TURN) as server:
        options: dict[str, Any] = {"provider": server.provider(), "extra_headers": {"x-city": "Orléans"}}
        async with connect("m", transport="httpx", **options) as client:
            assert (await client.collect(Prompt("Hi"))).text == TEXT
        async with connect("m", transport="aiohttp", **options) as client:
            with pytest.raises(ConfigurationError, match="whose value is not ASCII; use transport='httpx'") as caught:
                await client.collect(Prompt("Hi"))
        assert "Orl" not in str(caught.value)
