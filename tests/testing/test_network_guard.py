"""Nothing leaves the machine while the guard stands."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from codex_client.client.config import ClientConfig
from codex_client.model_provider import ModelProviderInfo
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import (
    ManualClock,
    RealRequestError,
    ReplayServer,
    ScriptedTransport,
    no_real_requests,
    responses_turn,
    sse,
)
from codex_client.testing.network_guard import is_loopback

BODY = sse(responses_turn("Hello."))


@pytest.mark.parametrize(
    "host, expected",
    [
        ("localhost", True),
        ("api.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("api.openai.com", False),
        ("localhost.example.org", False),
        ("notlocalhost", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("::2", False),
        ("", False),
    ],
)
def test_only_the_machine_itself_is_loopback(host: str, expected: bool):
    assert is_loopback(host) is expected


async def test_a_request_to_another_host_is_refused_before_a_connection_is_made():
    async with httpx.AsyncClient() as client:
        with no_real_requests(), pytest.raises(RealRequestError, match=r"GET request to 'api\.example\.invalid'"):
            await client.get("http://api.example.invalid/v1/models")


async def test_requests_to_loopback_and_scripted_ones_pass():
    with no_real_requests():
        async with ReplayServer(BODY) as server, httpx.AsyncClient() as client:
            assert (await client.post(server.url)).content == BODY
        async with httpx.AsyncClient(transport=ScriptedTransport(BODY)) as client:
            assert (await client.post("https://api.example.invalid")).content == BODY


async def test_the_librarys_own_client_is_stopped_at_the_first_try():
    provider = ModelProviderInfo(name="real", base_url="https://api.example.invalid/v1")
    clock = ManualClock(auto_advance=True)
    async with RoutedApiClient(ClientConfig(provider=provider, model="m", auth="sk-test", clock=clock)) as client:
        with no_real_requests(), pytest.raises(RealRequestError):
            await client.collect(Prompt("Hi"))
    assert clock.sleeps == []


def test_after_the_block_everything_is_as_before(monkeypatch: pytest.MonkeyPatch):
    class OtherTransport:
        async def handle_async_request(self, request: Any) -> None: ...

    monkeypatch.setitem(sys.modules, "httpx2", SimpleNamespace(AsyncHTTPTransport=OtherTransport))
    before = (httpx.AsyncHTTPTransport.handle_async_request, OtherTransport.handle_async_request)
    with pytest.raises(LookupError), no_real_requests():
        assert httpx.AsyncHTTPTransport.handle_async_request is not before[0]
        assert OtherTransport.handle_async_request is not before[1]
        raise LookupError
    assert (httpx.AsyncHTTPTransport.handle_async_request, OtherTransport.handle_async_request) == before
