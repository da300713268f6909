"""What a gateway tells of itself: models, health, metrics and the status page's facts."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from codex_client.auth.store import MemoryTokenStore
from codex_client.client.config import ClientConfig, ResponsesConfig, RetryPolicy
from codex_client.clients.responses import ResponsesApiClient
from codex_client.credentials.pool import CredentialPool
from codex_client.errors import TokenStoreError
from codex_client.gateway import GatewayConfig, create_app
from codex_client.masking import masked_email
from codex_client.models import ModelCatalogue, ModelInfo
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import (
    AccountServer,
    Hold,
    ManualClock,
    ReplayServer,
    Reply,
    Stall,
    ev_created,
    ev_failed,
    ev_text_delta,
    responses_turn,
    sse,
)
from tests.support.asgi import call, calling
from tests.support.gateways import CHAT, RESPONSES, body_for, chat_body, gateway_over, responses_body
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
                yield create_app(client, clock=clock), server, pool, clock


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


@pytest.mark.parametrize(
    "name, slug",
    [("gpt-5:high", "gpt-5"), ("gpt5", "gpt-5"), ("openai/gpt-5-mini_low", "gpt-5-mini"), ("gpt-5:hihg", None),
     ("gpt-5.2", None)],
)  # fmt: skip
async def test_a_model_is_found_by_every_name_that_turns_take(name: str, slug: str | None) -> None:
    async with ReplayServer({"GET /models": lambda _: LISTED}) as upstream:
        for profile, found in (("openai", slug), ("generic-responses", None)):
            config = ClientConfig(provider=replace(upstream.provider(), profile=profile), model="gpt-5")
            async with RoutedApiClient(config) as client:
                made = await call(create_app(client), "GET", f"/v1/models/{name}")
            assert (made.status, made.json().get("id")) == ((200, found) if found else (404, None))


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


async def test_callers_share_one_question_for_the_list_and_its_failure() -> None:
    async with ReplayServer([Reply(status=400, before_head=[Hold()]), LISTED]) as upstream:
        async with (
            gateway_over(upstream) as app,
            calling(app, "GET", "/v1/models") as one,
            calling(app, "GET", "/v1/models/gpt-5") as other,
        ):
            await upstream.at_rest()
            upstream.release()
            for made in (one, other):
                await made.ended()
                assert made.status == 400
                assert made.json()["error"]["message"].startswith("the provider's list of models cannot be had")
        assert len(upstream.requests) == 1


async def test_who_waits_asks_himself_where_the_one_that_asked_is_cancelled() -> None:
    async with ReplayServer([Reply(before_head=[Stall()]), LISTED]) as upstream, gateway_over(upstream) as app:
        asking = anyio.CancelScope()

        async def ask() -> None:
            with asking:
                await call(app, "GET", "/v1/models")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await upstream.at_rest()
            async with calling(app, "GET", "/v1/models") as second:
                await anyio.wait_all_tasks_blocked()
                asking.cancel()
                await second.ended()
                assert second.status == 200


@pytest.mark.parametrize("profile, status", [("generic-responses", 504), ("openai", 200)])
async def test_a_list_that_does_not_come_is_not_waited_for_for_ever(profile: str, status: int) -> None:
    clock = ManualClock()
    async with ReplayServer([Reply(before_head=[Stall()])]) as upstream:
        config = ClientConfig(provider=replace(upstream.provider(), profile=profile), model="gpt-5", clock=clock)
        async with RoutedApiClient(config) as client:
            async with calling(create_app(client, clock=clock), "GET", "/v1/models") as made:
                await clock.wait_for_timer(10.0)
                clock.advance(10.0)
                await made.ended()
            assert made.status == status
            told = made.json()
    if status == 200:
        # Those that the library knows of this provider.
        assert "gpt-5" in [each["id"] for each in told["data"]]
    else:
        assert (told["error"]["code"], "name a model" in told["error"]["message"]) == ("timeout", True)


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
    told = dict(re.findall(r"^(codex_client_gateway_[^ ]+) (\S+)$", made.text, re.MULTILINE))
    expected = {
        f'codex_client_gateway_requests_total{{route="{CHAT}",status="200"}}': "1.0",
        f'codex_client_gateway_requests_total{{route="{RESPONSES}",status="200"}}': "1.0",
        'codex_client_gateway_requests_total{route="other",status="404"}': "1.0",
        'codex_client_gateway_errors_total{cause="upstream",error="ServerOverloadedInStreamError"}': "1.0",
        'codex_client_gateway_tokens_total{kind="input_tokens"}': "42.0",
        'codex_client_gateway_tokens_total{kind="cached_input_tokens"}': "16.0",
        'codex_client_gateway_tokens_total{kind="output_tokens"}': "23.0",
        f'codex_client_gateway_first_event_seconds_count{{route="{CHAT}"}}': "1.0",
        f'codex_client_gateway_first_event_seconds_bucket{{le="0.1",route="{CHAT}"}}': "1.0",
        "codex_client_gateway_turns_in_flight": "0.0",
    }
    assert told.items() >= expected.items()
    assert float(told["codex_client_gateway_events_total"]) > 3
    assert told["codex_client_gateway_turns_total"] == "2.0"
    assert not [name for name in re.findall(r"^\w+", made.text, re.MULTILINE) if name.endswith("_created")]


async def test_under_a_prefix_metrics_know_the_routes_and_the_page_asks_beside_itself() -> None:
    async with ReplayServer([sse(responses_turn("Hi"))]) as upstream, gateway_over(upstream) as app:
        whole = Starlette(routes=[Mount("/ai", app)])
        for method, path, body in (("POST", CHAT, chat_body()), ("GET", "/v1/models/gpt-1", None), ("GET", "/x", None)):
            await call(whole, method, f"/ai{path}", body=body)
        hint = (await call(whole, "POST", "/ai/chat/completions", body=chat_body())).json()["error"]["message"]
        page = await call(whole, "GET", "/ai/")
        metrics = (await call(whole, "GET", "/ai/metrics")).text
    counted = set(re.findall(r'requests_total\{route="([^"]+)"', metrics))
    assert counted == {CHAT, "/v1/models/{id}", "other", "/"}
    assert hint == "there is no such route; the base URL ends with /v1"
    assert 'fetch("status.json"' in page.text
    assert not re.findall(r"""(?:href|src|action|fetch\()=?["']/""", page.text)


async def test_a_turn_that_was_tried_again_in_vain_is_counted_by_its_last_error() -> None:
    async with ReplayServer([500, 503]) as upstream, gateway_over(upstream, retries=1) as app:
        await call(app, "POST", CHAT, body=chat_body())
        [failure] = (await call(app, "GET", "/status.json")).json()["failures"]
        metrics = (await call(app, "GET", "/metrics")).text
    assert failure["kind"] == "ServerOverloadedError"
    assert 'errors_total{cause="upstream",error="ServerOverloadedError"} 1.0' in metrics


async def test_where_as_many_requests_arrive_as_may_the_health_is_busy() -> None:
    async with (
        ReplayServer([]) as upstream,
        gateway_over(upstream, config=GatewayConfig(max_turns=2)) as app,
        calling(app, "POST", CHAT, parts=[b"{"], unfinished=True),
    ):
        told: list[Any] = []
        for _ in range(2):
            await anyio.wait_all_tasks_blocked()
            health = await call(app, "GET", "/health")
            status = (await call(app, "GET", "/status.json")).json()
            metrics = (await call(app, "GET", "/metrics")).text
            [gauge] = re.findall(r"^codex_client_gateway_requests_arriving (\S+)$", metrics, re.MULTILINE)
            told.append((health.status, health.json()["status"], status["requests_arriving"], gauge))
            async with calling(app, "POST", CHAT, parts=[b"{"], unfinished=True):
                await anyio.wait_all_tasks_blocked()
                told.append(((await call(app, "GET", "/health")).json(), (await call(app, "POST", CHAT)).status))
    assert told == [(200, "ok", 1, "1.0"), ({"status": "busy"}, 429)] * 2


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
    assert f'codex_client_gateway_account_used_percent{{account="{key}",limit="codex",window="5 h"}} 40.0' in metrics
    assert f'codex_client_gateway_account_can_serve{{account="{key}"}} 1.0' in metrics


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
    answers = itertools.chain([Reply.error(401, "who are you")], itertools.repeat(Reply.error(500, "not like this")))
    async with ReplayServer(lambda _: next(answers)) as upstream, gateway_over(upstream) as app:
        await call(app, "GET", "/health")
        for path in [CHAT] * 20 + [RESPONSES]:
            await call(app, "POST", path, body=body_for(path))
        status = (await call(app, "GET", "/status.json")).json()
    failures = status["failures"]
    assert len(failures) == 20
    assert (failures[0]["route"], failures[0]["kind"]) == (RESPONSES, "ServerError")
    assert "not like this" in failures[0]["message"]
    assert {failure["kind"] for failure in failures} == {"ServerError"}
    assert status["accounts"] is None
    assert status["totals"]["turns"] == 21


async def test_what_never_reached_the_provider_is_no_turn_and_a_callers_fault_no_failure_of_the_gateway() -> None:
    script = [Reply.error(500, "broken"), Reply.error(400, "not like this")]
    async with ReplayServer(script) as upstream, gateway_over(upstream) as app:
        for status in (500, 400):
            assert (await call(app, "POST", CHAT, body=chat_body())).status == status
        for body in ({"model": "m"}, {"model": "m", "input": "hi", "background": True}, {"input": []}):
            assert (await call(app, "POST", RESPONSES, body=body)).status == 400
        status = (await call(app, "GET", "/status.json")).json()
        metrics = (await call(app, "GET", "/metrics")).text
    assert [failure["kind"] for failure in status["failures"]] == ["ServerError"]
    assert status["totals"]["turns"] == 2
    assert 'codex_client_gateway_errors_total{cause="caller",error="InvalidPayloadError"} 3.0' in metrics
    assert 'codex_client_gateway_errors_total{cause="caller",error="InvalidRequestError"} 1.0' in metrics


async def test_where_nobody_is_logged_in_the_health_says_so_and_the_turn_fails_before_it_is_one() -> None:
    async with accounts() as (app, server, _pool, _clock):
        health = await call(app, "GET", "/health")
        turn = await call(app, "POST", CHAT, body=chat_body())
        status = (await call(app, "GET", "/status.json")).json()
    assert (health.status, health.json()) == (503, {"status": "no_account"})
    assert (turn.status, turn.json()["error"]["code"]) == (503, "login_required")
    assert "`codex-client login`" in turn.json()["error"]["message"]
    assert (status["accounts"], status["totals"]["turns"]) == ([], 0)
    assert [failure["kind"] for failure in status["failures"]] == ["LoginRequiredError"]
    assert server.requests == []


async def test_limits_that_nobody_has_told_differ_from_none() -> None:
    async with accounts("one@example.test") as (app, server, pool, _clock):
        server.accounts[0].plan_type = "enterprise"

        async def windows() -> Any:
            [account] = (await call(app, "GET", "/status.json")).json()["accounts"]
            return account["windows"]

        before = await windows()
        await pool.prime()
        assert (before, await windows()) == (None, [])


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
