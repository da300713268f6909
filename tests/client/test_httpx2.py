"""A caller's own client may be of httpx2, httpx's continuation: same turns, same errors, never closed."""

from __future__ import annotations

from typing import Any

import pytest

from codex_client.client.config import ClientConfig, RetryPolicy, Timeouts
from codex_client.errors import CodexError, ConnectError, PoolTimeoutError, ReadError, ServerError, StreamClosedError
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import Close, ReplayServer, Reply, Reset, Stall, responses_turn, sse

httpx2 = pytest.importorskip("httpx2")

BODY = sse(responses_turn("The quick brown fox."))


def client_of(server: ReplayServer, http_client: Any, **options: Any) -> RoutedApiClient:
    no_retries = RetryPolicy(request_max_retries=0, stream_max_retries=0)
    return RoutedApiClient(
        ClientConfig(provider=server.provider(), model="m", retry=no_retries, http_client=http_client, **options)
    )


async def test_a_turn_over_httpx2_and_its_client_is_left_open() -> None:
    async with ReplayServer([BODY, BODY]) as server, httpx2.AsyncClient() as http_client:
        for _ in range(2):
            async with client_of(server, http_client) as client:
                assert (await client.collect(Prompt("x"))).text == "The quick brown fox."
        assert not http_client.is_closed
        assert server.connections_made == 1


@pytest.mark.parametrize(
    "reply, error",
    [
        (500, ServerError),
        (Reply.from_sse(BODY).at(600, Reset()), ReadError),
        (Reply.from_sse(BODY, transfer="close").at(600, Close()), StreamClosedError),
    ],
)
async def test_failures_of_httpx2_have_the_same_classes(reply: Reply | int, error: type[CodexError]) -> None:
    async with (
        ReplayServer([reply]) as server,
        httpx2.AsyncClient() as http_client,
        client_of(server, http_client) as client,
    ):
        with pytest.raises(error):
            await client.collect(Prompt("x"))


async def test_a_refused_connection_is_told_alike() -> None:
    async with ReplayServer([]) as server:
        pass
    async with httpx2.AsyncClient() as http_client, client_of(server, http_client) as client:
        with pytest.raises(ConnectError, match="refused"):
            await client.collect(Prompt("x"))


async def test_a_full_pool_is_told_alike() -> None:
    limits = httpx2.Limits(max_connections=1)
    async with (
        ReplayServer([Reply.from_sse(BODY).at(600, Stall())]) as server,
        httpx2.AsyncClient(limits=limits) as http_client,
        client_of(server, http_client, timeouts=Timeouts(pool=0.01)) as client,
        client.stream(Prompt("x")),
    ):
        with pytest.raises(PoolTimeoutError):
            await client.collect(Prompt("x"))
