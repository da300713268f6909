"""What a gateway tells of itself: models, health, metrics and the status page's facts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette

from codex_client.auth.store import MemoryTokenStore
from codex_client.client.config import ResponsesConfig, RetryPolicy
from codex_client.clients.responses import ResponsesApiClient
from codex_client.credentials.pool import CredentialPool
from codex_client.errors import TokenStoreError
from codex_client.gateway import create_app
from codex_client.gateway.accounts import masked_email
from codex_client.models import ModelCatalogue, ModelInfo
from codex_client.testing import (
    AccountServer,
    ManualClock,
    ReplayServer,
    Reply,
    ev_created,
    ev_failed,
    ev_text_delta,
    responses_turn,
    sse,
)
from tests.support.asgi import call
from tests.support.gateways import CHAT, RESPONSES, chat_body, gateway_over, responses_body
from tests.support.secrecy import assert_unseen

LISTED = Reply.from_json({"object": "list", "data": [{"id": "gpt-5"}, {"id": "gpt-5-mini"}]})


@asynccontextmanager
async def accounts(*emails: str) -> AsyncIterator[tuple[Starlette, AccountServer, CredentialPool, ManualClock]]:
    """A gateway over a pool of accounts."""
    clock = ManualClock(auto_advance=True)
    async with AccountServer(clock) as server:
        store = MemoryTokenStore()
        for email in emails:
            account = server.add_account(f"acct-{len(server.accounts) + 1}", email=email)
            await store.save(server.issue(account, lifetime=1e9))
        async with CredentialPool(store, provider=server.provider(), clock=clock) as pool:
            config = ResponsesConfig(
                provider=server.provider(),
                model="gpt-5",
                auth=pool,
                retry=RetryPolicy(request_max_retries=0, stream_max_retries=0),
                clock=clock,
            )
            async with ResponsesApiClient(config) as client:
                yield create_app(client, pool=pool, clock=clock), server, pool, clock


async def test_the_models_are_those_of_the_catalogue_without_the_hidden_ones() -> None:
    shown, hidden = ModelInfo(slug="gpt-5"), ModelInfo(slug="gpt-5-tests", hidden=True)
    async with (
        ReplayServer([]) as upstream,
        gateway_over(upstream, models=ModelCatalogue(models=(shown, hidden))) as app,
    ):
        listed = (await call(app, "GET", "/v1/models")).json()
        asked = await call(app, "GET", "/v1/models/gpt-5-tests")
        unknown = await call(app, "GET", "/v1/models/gpt-1")
    entry = {"id": "gpt-5", "object": "model", "created": 0, "owned_by": "codex_client"}
    assert listed == {"object": "list", "data": [entry]}
    assert asked.json()["id"] == "gpt-5-tests"
    assert (unknown.status, unknown.json()["error"]["code"]) == (404, "model_not_found")


async def test_the_providers_list_is_asked_for_again_when_it_is_old_and_kept_where_it_cannot_be_had() -> None:
    clock = ManualClock(auto_advance=True)
    newer = Reply.from_json({"object": "list", "data": [{"id": "gpt-6"}]})
    async with ReplayServer([500, LISTED, newer, 400]) as upstream, gateway_over(upstream, clock=clock) as app:

        async def listed() -> Any:
            made = await call(app, "GET", "/v1/models")
            return [each["id"] for each in made.json()["data"]] if made.status == 200 else made.status

        told: list[Any] = []
        for seconds in (0, 1, 200, 200, 400):
            clock.advance(seconds)
            told.append(await listed())
    assert told == [500, ["gpt-5", "gpt-5-mini"], ["gpt-5", "gpt-5-mini"], ["gpt-6"], ["gpt-6"]]
    assert len(upstream.requests) == 4


class _Silent:
    """A client of somebody's own, which lists no models."""

    def stream(self, prompt: Any) -> Any: ...

    async def collect(self, prompt: Any) -> Any: ...

    async def aclose(self) -> None: ...


async def test_a_client_that_lists_no_models_has_none() -> None:
    assert (await call(create_app(_Silent()), "GET", "/v1/models")).json() == {"object": "list", "data": []}


async def test_metrics_count_what_has_ended() -> None:
    clock = ManualClock()
    script = [
        sse(responses_turn("Hi")),
        sse([ev_created(), ev_text_delta("H"), ev_failed("server_is_overloaded", "x")]),
    ]
    async with ReplayServer(script) as upstream, gateway_over(upstream, clock=clock) as app:
        await call(app, "POST", CHAT, body=chat_body())
        await call(app, "POST", RESPONSES, body=responses_body(stream=True))
        await call(app, "GET", "/made/up")
        made = await call(app, "GET", "/metrics")
    assert made.headers["content-type"].startswith("text/plain; version=")
    told = dict(re.findall(r"^(codex_gateway_[^ ]+) (\S+)$", made.text, re.MULTILINE))
    expected = {
        f'codex_gateway_requests_total{{route="{CHAT}",status="200"}}': "1.0",
        f'codex_gateway_requests_total{{route="{RESPONSES}",status="200"}}': "1.0",
        'codex_gateway_requests_total{route="other",status="404"}': "1.0",
        'codex_gateway_errors_total{error="ServerOverloadedInStreamError"}': "1.0",
        'codex_gateway_tokens_total{kind="input_tokens"}': "42.0",
        'codex_gateway_tokens_total{kind="cached_input_tokens"}': "16.0",
        'codex_gateway_tokens_total{kind="output_tokens"}': "23.0",
        f'codex_gateway_first_event_seconds_count{{route="{CHAT}"}}': "1.0",
        f'codex_gateway_first_event_seconds_bucket{{le="0.1",route="{CHAT}"}}': "1.0",
        "codex_gateway_streams_in_flight": "0.0",
    }
    assert told.items() >= expected.items()
    assert float(told["codex_gateway_events_total"]) > 3


async def test_two_gateways_of_one_program_count_apart() -> None:
    async with ReplayServer([]) as upstream, gateway_over(upstream) as one, gateway_over(upstream) as other:
        await call(one, "GET", "/made/up")
        assert 'route="other"' in (await call(one, "GET", "/metrics")).text
        assert 'route="other"' not in (await call(other, "GET", "/metrics")).text


async def test_the_status_shows_accounts_windows_and_blocks_and_no_secret() -> None:
    async with accounts("one@example.test", "two@example.test") as (app, server, pool, clock):
        resets_at = clock.time() + 7800
        server.accounts[0].limit(100, resets_at=resets_at)
        server.accounts[1].limit(40, resets_at=resets_at)
        await pool.prime()
        made = await call(app, "GET", "/status.json")
        metrics = (await call(app, "GET", "/metrics")).text
        assert (await call(app, "GET", "/health")).status == 200
        assert_unseen(made.text + metrics, server.secrets)
    status = made.json()
    assert made.headers["cache-control"] == "no-store"
    assert status["status"] == "ok"
    first, second = status["accounts"]
    assert (first["email"], first["plan"], first["can_serve"]) == ("o\u2026@example.test", "plus", False)
    assert (second["email"], second["can_serve"], second["blocks"]) == ("t\u2026@example.test", True, [])
    assert first["blocks"][0]["ends_at"] == resets_at
    assert second["windows"][0] == {"limit": "codex", "label": "5 h", "used_percent": 40.0, "resets_at": resets_at}
    key = second["key"]
    assert f'codex_gateway_account_used_percent{{account="{key}",limit="codex",window="5 h"}} 40.0' in metrics
    assert f'codex_gateway_account_can_serve{{account="{key}"}} 1.0' in metrics


async def test_a_window_that_has_begun_anew_is_empty() -> None:
    async with accounts("one@example.test") as (app, server, pool, clock):
        server.accounts[0].limit(100, resets_at=clock.time() + 60)
        await pool.prime()
        clock.advance(61)
        [account] = (await call(app, "GET", "/status.json")).json()["accounts"]
    assert [window["used_percent"] for window in account["windows"]] == [0.0]


async def test_where_no_account_can_serve_the_health_says_so_and_the_status_until_when() -> None:
    async with accounts("one@example.test") as (app, server, pool, clock):
        resets_at = clock.time() + 7800
        server.accounts[0].limit(100, resets_at=resets_at)
        await pool.prime()
        health = await call(app, "GET", "/health")
        status = (await call(app, "GET", "/status.json")).json()
        turn = await call(app, "POST", CHAT, body=chat_body())
    assert (health.status, health.json()) == (503, {"status": "no_account"})
    assert (status["status"], status["next_available_at"]) == ("no_account", resets_at)
    assert (turn.status, turn.headers["retry-after"]) == (429, "7800")


async def test_a_store_that_cannot_be_read_is_told_and_breaks_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> Any:
        raise TokenStoreError("the store is gone")

    async with accounts("one@example.test") as (app, _, pool, _clock):
        monkeypatch.setattr(pool, "accounts", fail)
        health = await call(app, "GET", "/health")
        status = (await call(app, "GET", "/status.json")).json()
        metrics = await call(app, "GET", "/metrics")
    assert (health.status, status["status"], status["accounts"]) == (503, "accounts_unreadable", [])
    assert metrics.status == 200


async def test_the_last_failures_are_kept_newest_first_and_not_for_ever() -> None:
    async with ReplayServer(lambda _: Reply.error(400, "not like this")) as upstream, gateway_over(upstream) as app:
        await call(app, "GET", "/health")
        for _ in range(25):
            await call(app, "POST", CHAT, body=chat_body())
        await call(app, "POST", RESPONSES, body={"model": "m"})
        status = (await call(app, "GET", "/status.json")).json()
    failures = status["failures"]
    assert len(failures) == 20
    assert (failures[0]["route"], failures[0]["kind"]) == (RESPONSES, "InvalidPayloadError")
    assert (failures[1]["route"], failures[1]["kind"]) == (CHAT, "InvalidRequestError")
    assert "not like this" in failures[1]["message"]
    assert status["accounts"] is None
    assert status["totals"]["turns"] == 26


@pytest.mark.parametrize("email, masked", [("o@a.test", "o\u2026@a.test"), ("@a.test", "\u2026"), ("none", "\u2026")])
def test_an_address_is_told_by_its_beginning_and_its_place(email: str, masked: str) -> None:
    assert masked_email(email) == masked


async def test_the_page_loads_nothing_and_runs_nothing_but_its_own() -> None:
    async with ReplayServer([]) as upstream, gateway_over(upstream) as app:
        made = await call(app, "GET", "/")
    policy = made.headers["content-security-policy"]
    assert made.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert len(re.findall(r"'sha256-[A-Za-z0-9+/]{43}='", policy)) == 2
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//|url\(|@import", made.text)
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", made.text)
