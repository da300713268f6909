"""The server behind TLS."""

from __future__ import annotations

import ssl
from typing import Any

import anyio
import httpx
import pytest
import trustme

from codex_client.testing import Close, ReplayServer, Reply, Reset, Stall, responses_turn, sse

BODY = sse(responses_turn("Hello."))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_streams_go_over_tls_and_the_connection_is_kept(
    serve: Any, read_chunks: Any, server_context: ssl.SSLContext, client_context: ssl.SSLContext
):
    async with serve(Reply.from_sse(BODY, cut=7), ssl_context=server_context, verify=client_context) as (
        server,
        client,
    ):
        assert server.url.startswith("https://127.0.0.1:")
        for _ in range(2):
            chunks, error = await read_chunks(client)
            assert (b"".join(chunks), error, len(chunks[0])) == (BODY, None, 7)
        assert server.connections_made == 1


@pytest.mark.parametrize("step, error", [(Reset(), httpx.ReadError), (Close(), httpx.RemoteProtocolError)])
async def test_faults_within_tls(
    serve: Any,
    read_chunks: Any,
    server_context: ssl.SSLContext,
    client_context: ssl.SSLContext,
    step: Any,
    error: type[httpx.TransportError],
):
    script = Reply.from_sse(BODY).at(100, step)
    async with serve(script, ssl_context=server_context, verify=client_context) as (_, client):
        chunks, raised = await read_chunks(client)
    assert (b"".join(chunks), type(raised)) == (BODY[:100], error)


async def test_a_client_that_leaves_is_noticed(
    serve: Any, server_context: ssl.SSLContext, client_context: ssl.SSLContext
):
    async with serve(Reply().at("head", Stall()), ssl_context=server_context, verify=client_context) as (
        server,
        client,
    ):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.post, "/responses")
            await server.at_rest()
            tasks.cancel_scope.cancel()
        await server.idle()


async def test_a_client_that_refuses_the_certificate_is_no_problem(server_context: ssl.SSLContext):
    async with ReplayServer([], ssl_context=server_context) as server, httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.post(server.url)
        await server.idle()
        server.assert_complete()


async def test_a_client_that_speaks_no_tls_is_turned_away(server_context: ssl.SSLContext):
    async with ReplayServer([], ssl_context=server_context) as server, httpx.AsyncClient() as client:
        with pytest.raises(httpx.TransportError):
            await client.post(server.url.replace("https:", "http:"))
        await server.idle()
        assert server.requests == []
