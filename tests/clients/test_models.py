"""`client.models()`: the provider's own list, kept while its version holds, or a typed error."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from codex_client.api import AttemptOutcome, Lease
from codex_client.auth.static import StaticAuth
from codex_client.backend_profile import CHATGPT_CODEX
from codex_client.client.config import ClientConfig
from codex_client.clients.models import models_url
from codex_client.errors import (
    AuthenticationError,
    CodexError,
    NotFoundError,
    ServerError,
    UnexpectedContentError,
    UnexpectedStatusError,
)
from codex_client.events import ModelsEtag
from codex_client.model_provider import ModelProviderInfo, azure_provider, built_in_providers
from codex_client.models import BUILT_IN_MODELS, ModelCatalogue, ModelInfo
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import ManualClock, ReplayServer, Reply
from codex_client.testing.account_server import AccountServer

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[RoutedApiClient, ReplayServer]]]

NOW = 1_700_000_000.0
KEY = "zzTopSecretKey/0123+456789"
CODEX_LIST = {"models": [{"slug": "gpt-a", "supported_reasoning_levels": [{"effort": "low"}]}]}
OPENAI_LIST = {"object": "list", "data": [{"id": "gpt-b", "object": "model"}]}


class Account:
    """A credential source of one account; `refreshes` says whether a forced refresh can give another key."""

    def __init__(self, *, refreshes: bool = False) -> None:
        self.can_refresh = refreshes
        self.outcomes: list[AttemptOutcome] = []
        self.leases = 0

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        self.leases += 1
        return Lease({"Authorization": f"Bearer {KEY}{self.leases}"}, account="one")

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> bool | None:
        self.outcomes.append(outcome)
        return None


@pytest.mark.parametrize(
    "provider, url",
    [
        (built_in_providers()["openai"], "https://api.openai.com/v1/models"),
        (
            built_in_providers()["chatgpt"],
            "https://chatgpt.com/backend-api/codex/models?client_version="
            + CHATGPT_CODEX.models_query["client_version"],
        ),
        (azure_provider("me", api_version="v1"), "https://me.openai.azure.com/openai/models?api-version=v1"),
        (ModelProviderInfo(name="x", base_url="http://h.test/v1/"), "http://h.test/v1/models"),
    ],
    ids=["openai", "chatgpt", "azure", "slash"],
)
def test_M1_the_profile_says_where_the_models_are(provider: ModelProviderInfo, url: str) -> None:
    assert models_url(provider) == url


def test_the_version_that_a_client_calls_itself_can_be_set() -> None:
    provider = replace(
        built_in_providers()["chatgpt"], profile=replace(CHATGPT_CODEX, models_query={"client_version": "9.9.9"})
    )
    assert models_url(provider).endswith("/models?client_version=9.9.9")


@pytest.mark.parametrize("listed", [CODEX_LIST, OPENAI_LIST], ids=["codex", "openai"])
async def test_the_list_is_asked_for_with_the_lease_and_read(
    serve: Serve, listed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_PROJECT", "p-1")
    account, clock = Account(), ManualClock(start=NOW)
    async with ReplayServer([Reply.from_json(listed, headers={"ETag": '"v1"'})]) as server:
        provider = replace(
            server.provider(),
            http_headers={"x-own": "1"},
            env_http_headers={"x-project": "MY_PROJECT", "x-unset": "NO_SUCH_VARIABLE"},
            profile=replace(CHATGPT_CODEX, headers={"originator": "me", "x-own": "0"}),
        )
        config = ClientConfig(provider=provider, model="m", auth=account, clock=clock, extra_headers={"X-Extra": "1"})
        async with RoutedApiClient(config) as client:
            catalogue = await client.models()
    (model,) = catalogue
    assert model.slug in ("gpt-a", "gpt-b")
    assert (catalogue.etag, catalogue.fetched_at, catalogue.aliases) == ('"v1"', NOW, {})
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("GET", "/v1/models", b"")
    told = {name: request.headers.get(name) for name in ("x-own", "x-project", "originator", "x-extra", "x-unset")}
    assert told == {"x-own": "1", "x-project": "p-1", "originator": "me", "x-extra": "1", "x-unset": None}
    assert request.headers["authorization"] == f"Bearer {KEY}1"
    assert "if-none-match" not in request.headers
    assert [(outcome.status, outcome.error) for outcome in account.outcomes] == [(200, None)]


class Signing:
    """A customizer: it signs what it is shown, drops a header, and may not touch the credential."""

    def customize(self, headers: dict[str, str]) -> None:
        headers["X-Signature"] = ",".join(sorted(headers))
        del headers["x-extra"]
        headers["authorization"] = "mine"


async def test_the_customizer_has_the_last_word_on_the_headers_of_small_requests_too(serve: Serve) -> None:
    script = [Reply.from_json(CODEX_LIST), Reply.from_json({"plan_type": "pro"})]
    options: Any = {"customizer": Signing(), "extra_headers": {"X-Extra": "1"}}
    async with serve(script, auth=Account(), **options) as (client, server):
        await client.models()
        await client.usage()
    for number, request in enumerate(server.requests, start=1):
        assert request.headers["x-signature"] == "x-extra"
        assert "x-extra" not in request.headers
        assert request.headers["authorization"] == f"Bearer {KEY}{number}"


async def test_M1_a_list_that_still_holds_comes_back_with_its_new_age(serve: Serve) -> None:
    clock = ManualClock(start=NOW)
    script = [Reply.from_json(CODEX_LIST, headers={"etag": '"v1"'}), Reply(status=304)]
    async with serve(script, auth=Account(), clock=clock) as (client, server):
        first = (await client.models()).with_aliases({"a": "gpt-a"})
        clock.advance(1000)
        second = await client.models(first)
    assert second == replace(first, fetched_at=NOW + 1000)
    assert server.requests[1].headers["if-none-match"] == '"v1"'


async def test_M1_a_list_that_has_changed_takes_the_place_of_the_old_one_and_keeps_its_aliases(serve: Serve) -> None:
    known = ModelCatalogue(models=(ModelInfo(slug="old"),), aliases={"b": "gpt-b"}, etag='"v1"', fetched_at=NOW)
    reply = Reply.from_json(OPENAI_LIST, headers={"etag": '"v2"'})
    async with serve([reply], auth=Account(), clock=ManualClock(start=NOW + 9)) as (client, _):
        fetched = await client.models(known)
    assert (fetched.slugs, fetched.etag, fetched.fetched_at) == (("gpt-b",), '"v2"', NOW + 9)
    assert fetched.get("b") == fetched.get("gpt-b") is not None


@pytest.mark.parametrize(
    "header, body, etag",
    [
        ('W/"h"', "b", 'W/"h"'),
        (None, "b", "b"),
        (None, 7, None),
        (None, "b\r\nx-evil: 1", None),
        (None, "ä", None),
        (None, None, None),
    ],
)
async def test_the_header_s_version_comes_before_the_body_s(
    serve: Serve, header: str | None, body: Any, etag: str | None
) -> None:
    reply = Reply.from_json({**CODEX_LIST, "etag": body}, headers={"etag": header} if header else {})
    async with serve([reply], auth=Account()) as (client, _):
        assert (await client.models()).etag == etag


async def test_a_list_without_a_version_is_asked_for_whole(serve: Serve) -> None:
    known = ModelCatalogue(models=(ModelInfo(slug="old"),), fetched_at=NOW)
    async with serve([Reply.from_json(OPENAI_LIST), Reply(status=304)], auth=Account()) as (client, server):
        assert (await client.models(known)).slugs == ("gpt-b",)
        assert "if-none-match" not in server.requests[0].headers
        with pytest.raises(UnexpectedStatusError):
            await client.models(known)


async def test_a_401_is_answered_with_one_refreshed_credential(serve: Serve) -> None:
    account = Account(refreshes=True)
    async with serve([401, Reply.from_json(CODEX_LIST)], auth=account) as (client, server):
        assert (await client.models()).slugs == ("gpt-a",)
    assert [request.headers["authorization"][-1] for request in server.requests] == ["1", "2"]
    assert [outcome.status for outcome in account.outcomes] == [401, 200]


@pytest.mark.parametrize(
    "reply, kind",
    [
        (401, AuthenticationError),
        (Reply.from_json({"detail": "Not Found"}, status=404), NotFoundError),
        (503, ServerError),
        (Reply(headers={"content-type": "text/html"}, body=b"<html>Log in</html>"), UnexpectedContentError),
        (Reply(body=b""), UnexpectedContentError),
        (Reply.from_json({"ok": True}), UnexpectedContentError),
        (Reply.from_json("gpt-5"), UnexpectedContentError),
        (Reply(body=b"[" * 100_000), UnexpectedContentError),
    ],
    ids=["401", "404", "503", "page", "nothing", "another's", "text", "deep"],
)
async def test_every_other_answer_is_a_typed_error_and_reported(
    serve: Serve, reply: Any, kind: type[CodexError]
) -> None:
    account = Account()
    async with serve([reply], auth=account) as (client, _):
        with pytest.raises(kind) as raised:
            await client.models()
    assert [outcome.error for outcome in account.outcomes] == [raised.value]


async def test_an_error_says_what_was_asked_for(serve: Serve) -> None:
    async with serve([Reply.from_json({"ok": True})], auth=Account()) as (client, _):
        with pytest.raises(UnexpectedContentError, match=r"/v1/models answered with \d+ bytes .* tell no models"):
            await client.models()


@pytest.mark.parametrize("status", [200, 400])
async def test_neither_the_key_nor_one_in_the_address_is_in_an_error(status: int) -> None:
    shown = {"error": {"message": f"{KEY}1 and {KEY[::-1]} of me@there.test"}}
    async with ReplayServer([Reply.from_json(shown, status=status)]) as server:
        provider = replace(server.provider(), query_params={"api_key": KEY[::-1]})
        async with RoutedApiClient(ClientConfig(provider=provider, model="m", auth=Account())) as client:
            with pytest.raises(CodexError) as raised:
                await client.models()
    told = f"{raised.value!r}{raised.value}{vars(raised.value)}"
    for secret in (KEY, KEY[::-1], "me@there.test"):
        assert secret not in told


async def test_a_long_list_is_read_whole(serve: Serve) -> None:
    models = [{"slug": f"m-{number}", "base_instructions": "x" * 40_000} for number in range(50)]
    body = json.dumps({"models": models}).encode()
    assert len(body) > 1024 * 1024
    async with serve([Reply(headers={"content-type": "application/json"}, body=body)], auth=Account()) as (client, _):
        assert len((await client.models()).models) == 50


async def test_a_closed_client_asks_for_nothing() -> None:
    async with ReplayServer([]) as server:
        client = RoutedApiClient(ClientConfig(provider=server.provider(), model="m", auth=Account()))
        await client.aclose()
        with pytest.raises(RuntimeError, match="closed"):
            await client.models()


async def test_M1_the_etag_of_a_turn_says_whether_the_list_still_holds() -> None:
    async with AccountServer(clock=ManualClock(start=NOW)) as server:
        account = server.add_account("acct-1", models=("gpt-5",))
        auth = StaticAuth(server.issue(account).access_token, account_id="acct-1")
        config = ClientConfig(provider=server.provider(), model="gpt-5", auth=auth, clock=ManualClock(start=NOW))
        async with RoutedApiClient(config) as client:
            listed = await client.models()
            async with client.stream(Prompt("hi", instructions="Be brief.")) as stream:
                (told,) = [event.etag async for event in stream if isinstance(event, ModelsEtag)]
    assert listed.slugs == ("gpt-5",)
    assert not listed.is_stale(told, NOW + 10_000)
    assert listed.is_stale('W/"models-2"', NOW)
    assert listed.is_stale(None, NOW + 10_000)
    merged = BUILT_IN_MODELS.merged(listed).get("gpt-5")
    assert merged is not None
    assert (merged.efforts, merged.supported_in_api) == (("minimal", "low", "medium", "high"), True)
