"""What goes wrong on the wire, as typed errors: over real sockets where the system can be made to fail, by table for
the rest.
"""

from __future__ import annotations

import pickle
import socket
import ssl
from collections.abc import Callable
from typing import Any

import anyio
import h11
import httpx
import pytest
import trustme

from codex_client.auth.static import NoAuth
from codex_client.client.config import ClientConfig, RetryPolicy, Timeouts
from codex_client.client.connections import ConnectionTransport
from codex_client.client.http import RequestExecutor
from codex_client.client.http_errors import transport_error
from codex_client.client.retry import AttemptBudget
from codex_client.errors import (
    CodexError,
    ConfigurationError,
    ConnectError,
    ConnectTimeoutError,
    DnsError,
    FirstEventTimeoutError,
    PoolTimeoutError,
    ProtocolError,
    ProxyError,
    ReadError,
    RedirectError,
    TlsError,
    WriteError,
)
from codex_client.model_provider import ModelProviderInfo
from codex_client.testing import Close, ManualClock, ReplayServer, Reply, Reset, Stall

pytestmark = pytest.mark.usefixtures("transport")

URL = "http://api.test/v1/responses"
ONCE = RetryPolicy(request_max_retries=0)


async def open_error(base_url: str, **options: Any) -> CodexError:
    """What one attempt against this address raises."""
    provider = ModelProviderInfo(name="test", base_url=base_url, query_params={"api-version": "1"})
    executor = RequestExecutor(ClientConfig(provider=provider, model="m", retry=ONCE, **options), auth=NoAuth())
    try:
        with pytest.raises(CodexError) as caught:
            await executor.open(b"{}", budget=AttemptBudget(0, 0))
    finally:
        await executor.aclose()
    return caught.value


def mapped(error: Exception, **options: Any) -> CodexError | None:
    return transport_error(error, url=URL, timeouts=Timeouts(), **options)


def raised(make: Callable[[], Any]) -> Exception:
    """The exception with its causes, as it comes out of real `raise` statements."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        make()
    return caught.value


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


async def test_a_name_that_does_not_resolve_is_told_apart() -> None:
    error = await open_error("http://nonexistent.invalid/v1")
    assert type(error) is DnsError
    assert str(error).startswith("the host name of http://nonexistent.invalid/v1/responses does not resolve (")
    assert str(error).endswith("); check the base_url, and the network")
    assert error.url == "http://nonexistent.invalid/v1/responses"
    assert error.retryable


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_refused_connection_is_told_apart(host: str) -> None:
    port = closed_port()
    error = await open_error(f"http://{host}:{port}/v1")
    assert type(error) is ConnectError
    assert str(error) == (
        f"connection to http://{host}:{port}/v1/responses refused; check that the server runs and listens where "
        "the base_url says"
    )


async def test_a_certificate_of_an_unknown_authority_is_refused_for_good() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with ReplayServer([], ssl_context=context) as server:
        error = await open_error(server.base_url)
        assert type(error) is TlsError
        assert not error.retryable
        assert "certificate verify failed" in str(error)
        assert "SSL_CERT_FILE" in str(error)
        await server.idle()


async def test_a_certificate_for_another_host_is_refused_for_good() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("elsewhere.test").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with ReplayServer([], ssl_context=context) as server:
        client = httpx.AsyncClient(transport=ConnectionTransport(ssl_context=trusting))
        async with client:
            error = await open_error(server.base_url, http_client=client)
        assert type(error) is TlsError
        assert "check the host name in the base_url" in str(error)


async def test_tls_to_a_server_without_tls_says_so() -> None:
    async with ReplayServer(Reply.error(400)) as server:
        error = await open_error(server.base_url.replace("http:", "https:"))
        assert type(error) is TlsError
        assert "if it does not, the base_url begins with http://" in str(error)


async def test_a_handshake_that_is_cut_off_may_be_tried_again() -> None:
    async def hang_up(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, hang_up)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        error = await open_error(f"https://127.0.0.1:{port}/v1")
        assert type(error) is ConnectError
        assert error.retryable
        tasks.cancel_scope.cancel()


async def test_a_server_that_hangs_up_instead_of_answering() -> None:
    async with ReplayServer([Reply().at("head", Close())]) as server:
        error = await open_error(server.base_url)
        assert type(error) is ReadError
        assert str(error) == (
            f"{server.base_url}/responses closed the connection without an answer; check the provider's status"
        )


async def test_a_connection_that_is_reset_instead_of_answered() -> None:
    async with ReplayServer([Reply().at("head", Reset())]) as server:
        error = await open_error(server.base_url)
        assert type(error) is ReadError
        assert "broke before the answer was whole" in str(error)


async def test_an_answer_that_is_no_http() -> None:
    async with ReplayServer([Reply.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")]) as server:
        error = await open_error(server.base_url)
        assert type(error) is ProtocolError
        assert "sent no valid HTTP" in str(error)


async def test_no_headers_in_time_is_a_first_event_timeout() -> None:
    clock = ManualClock()
    async with ReplayServer([Reply().at("head", Stall())]) as server, anyio.create_task_group() as tasks:

        async def wait_for_headers() -> None:
            error = await open_error(server.base_url, clock=clock, timeouts=Timeouts(first_event=20))
            assert type(error) is FirstEventTimeoutError
            assert error.limit_seconds == 20
            assert str(error) == (
                f"no answer from {server.base_url}/responses within 20 s; raise `Timeouts.first_event` or check the "
                "provider's status"
            )

        tasks.start_soon(wait_for_headers)
        await server.at_rest()
        await clock.wait_for_timer(20)
        clock.advance(20)
        await server.idle()


async def test_the_cause_is_chained_and_the_request_with_its_credential_taken_off_it() -> None:
    error = await open_error("http://nonexistent.invalid/v1")
    cause = error.__cause__
    assert isinstance(cause, httpx.ConnectError)
    with pytest.raises(RuntimeError, match="request"):
        _ = cause.request


@pytest.mark.parametrize(
    "error, expected, text",
    [
        (httpx.ConnectTimeout(""), ConnectTimeoutError, f"no connection to {URL} within 15.0 s; raise `Timeouts.con"),
        (httpx.PoolTimeout("9 open"), PoolTimeoutError, "no free connection within 60.0 s (9 open)"),
        (httpx.WriteTimeout(""), WriteError, f"{URL} took nothing of the request for 30.0 s; raise `Timeouts.write`"),
        (httpx.WriteError("broken pipe"), WriteError, f"the request to {URL} could not be written: broken pipe"),
        (httpx.ReadTimeout(""), ReadError, "ReadTimeout"),
        (httpx.ReadError("reset"), ReadError, f"the connection to {URL} broke before the answer was whole: reset"),
        (httpx.CloseError("x"), ReadError, "broke before the answer was whole"),
        (httpx.RemoteProtocolError("incomplete chunked read"), ProtocolError, "sent no valid HTTP: incomplete"),
        (httpx.RemoteProtocolError("Server disconnected"), ReadError, "closed the connection without an answer"),
        (httpx.ProxyError("407 Proxy Authentication Required"), ProxyError, "failed: 407 Proxy Authentication Req"),
        (httpx.ConnectError("host is down"), ConnectError, f"no connection to {URL}: host is down; check the base_url"),
        (httpx.LocalProtocolError("Illegal header value b'canary'"), ConfigurationError, "is no valid HTTP; check"),
        (httpx.UnsupportedProtocol("x"), ConfigurationError, "is no valid HTTP; check the base_url"),
        (httpx.InvalidURL("x"), ConfigurationError, "is no valid HTTP; check the base_url"),
        (httpx.TooManyRedirects("x"), ReadError, "broke before"),
        (h11.RemoteProtocolError("garbage"), ProtocolError, "sent no valid HTTP: garbage"),
        (anyio.ClosedResourceError(), ReadError, "ClosedResourceError"),
        (anyio.BrokenResourceError(), ReadError, "BrokenResourceError"),
        (anyio.EndOfStream(), ReadError, "EndOfStream"),
        (ConnectionResetError(104, "reset"), ReadError, "reset"),
        (OverflowError("port must be 0-65535."), ConfigurationError, "port must be 0-65535.; check host and port"),
        (UnicodeError("label too long"), ConfigurationError, f"no connection can be made to {URL}: label too long"),
        (httpx.StreamClosed(), ReadError, "broke before"),
        (RuntimeError("Cannot send, as the client has been closed."), ConfigurationError, "the http_client is closed"),
        (RuntimeError("Event loop is closed"), ConfigurationError, "belong to an event loop that is closed"),
    ],
    ids=lambda value: repr(value) if isinstance(value, Exception) else "",
)
def test_the_table(error: Exception, expected: type[CodexError], text: str) -> None:
    ours = mapped(error)
    assert ours is not None
    assert type(ours) is expected
    assert text in str(ours)
    assert "canary" not in str(ours)
    assert ours.args == pickle.loads(pickle.dumps(ours)).args


@pytest.mark.parametrize("error", [ValueError("x"), RuntimeError("x"), KeyError("x"), AssertionError("x")], ids=repr)
def test_a_fault_in_a_program_is_nobodys_failure(error: Exception) -> None:
    assert mapped(error) is None


def test_of_a_group_the_first_that_is_known_counts() -> None:
    group = ExceptionGroup("several", [KeyError("x"), ExceptionGroup("inner", [httpx.PoolTimeout("9 open")])])
    assert type(mapped(group)) is PoolTimeoutError
    assert mapped(ExceptionGroup("several", [KeyError("x")])) is None


@pytest.mark.parametrize("address", ["http://127.0.0.1:99999/v1", f"http://{'a' * 64}.test/v1"])
async def test_an_address_that_no_connection_can_be_made_to(address: str) -> None:
    provider = ModelProviderInfo(name="test", base_url="http://api.test/v1")
    executor = RequestExecutor(ClientConfig(provider=provider, model="m", retry=ONCE), auth=NoAuth())
    executor.url = address
    # trio wraps such a port round, and finds nobody there.
    with pytest.raises((ConfigurationError, ConnectError)):
        await executor.open(b"{}", budget=AttemptBudget(0, 0))
    await executor.aclose()


def test_an_address_that_is_none_is_the_servers_where_ours_was_valid() -> None:
    assert type(mapped(httpx.InvalidURL("x"), sent=True)) is RedirectError


def test_a_class_of_the_same_name_from_elsewhere_is_not_mistaken() -> None:
    class ConnectTimeout(Exception):
        pass

    assert mapped(ConnectTimeout("x")) is None


def test_httpx2_is_known_by_its_names() -> None:
    base = type("TransportError", (Exception,), {"__module__": "httpx2._exceptions"})
    error = type("ConnectTimeout", (base,), {"__module__": "httpx2._exceptions"})("x")
    assert type(mapped(error)) is ConnectTimeoutError


def test_the_cause_is_found_behind_a_cut_chain_and_inside_groups() -> None:
    def connect() -> None:
        try:
            raise ExceptionGroup("all attempts failed", [OSError("v6"), ConnectionRefusedError(111, "refused")])
        except ExceptionGroup:
            raise httpx.ConnectError("All connection attempts failed") from None

    assert "refused; check that the server runs" in str(mapped(raised(connect)))


def test_trouble_that_the_caller_was_in_before_is_not_taken_for_the_cause() -> None:
    earlier = socket.gaierror(-2, "Name or service not known")

    def connect() -> None:
        try:
            raise earlier
        except socket.gaierror:
            raise httpx.ConnectError("host is down") from None

    assert type(mapped(raised(connect))) is DnsError
    assert type(mapped(raised(connect), outer=earlier)) is ConnectError


async def test_a_request_made_while_another_error_is_handled_is_judged_by_its_own() -> None:
    try:
        raise socket.gaierror(-2, "an earlier provider's name")
    except socket.gaierror:
        error = await open_error(f"http://127.0.0.1:{closed_port()}/v1")
    assert type(error) is ConnectError


async def test_a_full_transport_says_how_many_streams_are_open() -> None:
    clock = ManualClock()
    client = httpx.AsyncClient(transport=ConnectionTransport(max_connections=1, clock=clock))
    async with client, ReplayServer([Reply(body=[b": hi\n\n", Stall()], transfer="chunked")]) as server:
        config = ClientConfig(provider=server.provider(), model="m", http_client=client, clock=clock)
        executor = RequestExecutor(config, auth=NoAuth())
        answer = await executor.open(b"{}", budget=AttemptBudget(0, 0))
        async with anyio.create_task_group() as tasks:

            async def second() -> None:
                error = await open_error(server.base_url, http_client=client, clock=clock, timeouts=Timeouts(pool=5))
                assert type(error) is PoolTimeoutError
                assert str(error) == (
                    "no free connection within 5 s (open streams: 1, the most allowed; waiting: 0 more); close "
                    "streams sooner, or raise `Timeouts.pool`"
                )

            tasks.start_soon(second)
            await clock.wait_for_timer(5)
            clock.advance(5)
        await answer.aclose()
        await executor.aclose()
