"""Transports that look on at live answers: all of the body is seen, in the order and the pieces of the network."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from codex_client.client.config import ClientConfig
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import Recorder, RecordingTransport, ReplayServer, Reply, load_recording, responses_turn, sse
from codex_client.testing.tapping import BodyTap, NetworkTransport, client_over

BODY = sse(responses_turn("Hello."))


async def collect(server: ReplayServer, transport: httpx.AsyncBaseTransport) -> str:
    async with client_over(transport) as http:
        config = ClientConfig(provider=server.provider(), model="m", http_client=http)
        async with RoutedApiClient(config) as client:
            return (await client.collect(Prompt("Hi"))).text


@pytest.mark.parametrize("cut", [None, 1, 7])
async def test_a_tap_sees_all_that_the_client_reads(cut: int | None):
    chunks: list[bytes] = []
    async with ReplayServer([Reply.from_sse(BODY, cut=cut, gzip=False)]) as server:
        assert await collect(server, BodyTap(chunks.append, NetworkTransport())) == "Hello."
    assert b"".join(chunks) == BODY
    assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_a_tap_sees_no_refusal():
    chunks: list[bytes] = []
    async with ReplayServer([500, BODY]) as server:
        assert await collect(server, BodyTap(chunks.append, NetworkTransport())) == "Hello."
    assert b"".join(chunks) == BODY


async def test_observers_of_the_librarys_own_connections_miss_nothing(tmp_path: Path):
    recorder, watch = Recorder(tmp_path, NetworkTransport()), RecordingTransport(NetworkTransport())
    async with ReplayServer(lambda _: Reply.from_sse(BODY, cut=5)) as server:
        assert [await collect(server, transport) for transport in (recorder, watch)] == ["Hello."] * 2
    assert load_recording(recorder.recordings[0]).body == BODY
    assert b"".join(watch.exchanges[0].chunks) == BODY


async def test_the_network_is_reached_by_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch):
    async with ReplayServer([BODY]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with client_over(NetworkTransport()) as http:
            answer = await http.get("http://somewhere.test/v1/responses")
    assert answer.content == BODY
    assert proxy.requests[0].target == "http://somewhere.test/v1/responses"
