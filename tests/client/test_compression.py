"""Request bodies go out in zstd where the server is known to take it, and nowhere else."""

from __future__ import annotations

import dataclasses
from typing import Any

import httpx
import pytest

from codex_client.backend_profile import CHATGPT_CODEX
from codex_client.client import compression
from codex_client.client.compression import compressed, compresses, decompressed
from codex_client.client.config import ClientConfig
from codex_client.errors import MissingExtraError
from codex_client.model_provider import ModelProviderInfo, built_in_providers
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import AccountServer, ReplayServer, Reply, ScriptedTransport, responses_turn
from codex_client.testing.requests import RecordedRequest

LOCAL_CODEX = dataclasses.replace(CHATGPT_CODEX, domains=("127.0.0.1",))
CHATGPT = built_in_providers()["chatgpt"]
LONG = Prompt("hello " * 1000)
TURN = Reply.from_events(responses_turn("Hi."))


@pytest.mark.parametrize(
    "provider, expected",
    [
        (CHATGPT, True),
        (dataclasses.replace(CHATGPT, base_url="http://127.0.0.1:1/backend-api/codex"), False),
        (ModelProviderInfo(name="mine", base_url="http://127.0.0.1:1", profile=CHATGPT_CODEX), False),
        (ModelProviderInfo(name="mine", base_url="http://127.0.0.1:1", profile=LOCAL_CODEX), True),
        (ModelProviderInfo(name="mine", base_url="https://chatgpt.com/backend-api/codex"), True),
        (ModelProviderInfo(name="chatgpt", base_url="https://notchatgpt.com/v1"), False),
        (built_in_providers()["openai"], False),
    ],
)
def test_only_the_profiles_own_hosts(provider: ModelProviderInfo, expected: bool) -> None:
    assert compresses(provider) is expected


def test_without_the_extra_bodies_go_out_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_MODULE", "no_such_package.zstd")
    assert not compresses(CHATGPT)
    with pytest.raises(MissingExtraError, match=r"pip install 'codex-client\[zstd\]'$") as raised:
        compressed(b"x")
    assert raised.value.extra == "zstd"
    with pytest.raises(MissingExtraError):
        decompressed(b"x")


def test_what_is_no_zstd_is_no_value() -> None:
    assert decompressed(compressed(b"x" * 5000)) == b"x" * 5000
    with pytest.raises(ValueError, match="is no zstd"):
        decompressed(b"plain")


def a_server_that_takes_it(server: ReplayServer, **options: Any) -> ClientConfig:
    provider = dataclasses.replace(server.provider(), profile=LOCAL_CODEX)
    return ClientConfig(provider=provider, model="gpt-5.2", **options)


async def sent(prompt: Prompt, **options: Any) -> RecordedRequest:
    """The request of one turn with a server whose profile takes zstd."""
    async with ReplayServer(TURN, strict=True) as server:
        async with RoutedApiClient(a_server_that_takes_it(server, **options)) as client:
            assert (await client.collect(prompt)).text == "Hi."
        server.assert_complete()
        return server.requests[0]


async def test_a_long_body_is_compressed_and_read_as_what_it_was() -> None:
    request = await sent(LONG)
    assert request.headers["content-encoding"] == "zstd"
    assert request.headers["content-type"] == "application/json"
    assert int(request.headers["content-length"]) == len(request.body) < 1000
    assert request.json()["input"][0]["content"][0]["text"] == "hello " * 1000
    assert decompressed(request.body) == request.content


async def test_a_body_below_a_kibibyte_goes_out_plain() -> None:
    request = await sent(Prompt("hello"))
    assert "content-encoding" not in request.headers
    assert request.content is request.body
    assert request.json()["model"] == "gpt-5.2"


async def test_who_sets_an_encoding_gets_the_body_as_it_is() -> None:
    request = await sent(LONG, extra_headers={"Content-Encoding": "identity"})
    assert request.headers["content-encoding"] == "identity"
    assert request.json()["input"]


async def test_a_turn_sent_again_carries_the_same_compressed_bytes() -> None:
    async with ReplayServer([Reply.error(500), TURN]) as server:
        async with RoutedApiClient(a_server_that_takes_it(server)) as client:
            await client.collect(LONG)
        first, second = server.requests
        assert first.body == second.body
        assert first.headers["content-encoding"] == second.headers["content-encoding"] == "zstd"


async def test_the_account_server_reads_compressed_bodies() -> None:
    async with AccountServer() as server:
        account = server.add_account()
        server.models = ("gpt-5.2",)
        tokens = server.issue(account)
        headers = {"chatgpt-account-id": account.account_id}
        config = a_server_that_takes_it(server, auth=tokens.access_token, extra_headers=headers)
        async with RoutedApiClient(config) as client:
            assert (await client.collect(LONG)).text == server.text
    assert account.requests[0].headers["content-encoding"] == "zstd"
    server.assert_complete()


async def test_a_scripted_transport_reads_compressed_bodies() -> None:
    transport = ScriptedTransport(TURN)
    async with httpx.AsyncClient(transport=transport) as http:
        config = ClientConfig(provider=CHATGPT, model="gpt-5.2", auth="key", http_client=http)
        async with RoutedApiClient(config) as client:
            await client.collect(LONG)
    (request,) = transport.requests
    assert request.headers["content-encoding"] == "zstd"
    assert request.json()["store"] is False
