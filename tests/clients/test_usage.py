"""`client.usage()`: one small request to the right address, every answer an account's report or a typed error."""

from __future__ import annotations

import json
import logging
import pickle
import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, TypeAlias

import anyio
import pytest

from codex_client.api import AttemptOutcome, Lease
from codex_client.auth.static import StaticAuth
from codex_client.client.config import ClientConfig
from codex_client.clients.usage import usage_url
from codex_client.decode.usage import UsageReport
from codex_client.errors import (
    AuthenticationError,
    CodexError,
    ConnectError,
    NetworkBlockedError,
    NotFoundError,
    RateLimitError,
    ReadError,
    ServerError,
    UnexpectedContentError,
    UnexpectedStatusError,
    UsageLimitReachedError,
)
from codex_client.events import RateLimits
from codex_client.model_provider import ModelProviderInfo
from codex_client.model_variants import RateLimitSnapshot, RateLimitWindow
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import ManualClock, ReplayServer, Reply, Reset, Stall, responses_turn, sse
from codex_client.testing.account_server import AccountServer

pytestmark = pytest.mark.usefixtures("transport")

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[RoutedApiClient, ReplayServer]]]

NOW = 1_700_000_000.0
KEY = "zzTopSecretKey/0123+456789"
EMAIL = "somebody@example.test"
WINDOW = {"used_percent": 42, "limit_window_seconds": 18_000, "reset_after_seconds": 100}
USAGE = {"email": EMAIL, "plan_type": "pro", "rate_limit": {"primary_window": WINDOW}}
SNAPSHOT = RateLimitSnapshot(primary=RateLimitWindow(42.0, 300, NOW + 100), plan_type="pro")


class Account:
    """A credential source of one account; `refreshes` says whether a forced refresh can give another key."""

    def __init__(self, *, refreshes: bool = False) -> None:
        self.can_refresh = refreshes
        self.forced: list[bool] = []
        self.outcomes: list[AttemptOutcome] = []

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        self.forced.append(forced_refresh)
        headers = {"Authorization": f"Bearer {KEY}{len(self.forced)}", "chatgpt-account-id": "acct-1"}
        return Lease(headers, account="one")

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> bool | None:
        self.outcomes.append(outcome)
        return None


def ok(body: Any = USAGE, **options: Any) -> Reply:
    return Reply.from_json(body, **options)


@pytest.mark.parametrize(
    "base_url, url",
    [
        ("https://chatgpt.com/backend-api/codex", "https://chatgpt.com/backend-api/wham/usage"),
        ("https://chatgpt.com/backend-api/codex/", "https://chatgpt.com/backend-api/wham/usage"),
        ("https://chatgpt.com/backend-api", "https://chatgpt.com/backend-api/wham/usage"),
        ("https://gateway.test/x/backend-api/v2/codex", "https://gateway.test/x/backend-api/wham/usage"),
        ("https://host.test", "https://host.test/api/codex/usage"),
        ("https://host.test/", "https://host.test/api/codex/usage"),
        ("https://host.test/v1", "https://host.test/v1/api/codex/usage"),
        ("https://host.test/api/codex", "https://host.test/api/codex/usage"),
    ],
    ids=lambda value: f"Q4-{value}",
)
def test_the_base_url_says_where_usage_is(base_url: str, url: str) -> None:
    assert usage_url(base_url) == url


async def test_Q4_usage_is_asked_for_with_the_lease_and_read(serve: Serve) -> None:
    account, clock = Account(), ManualClock(start=NOW)
    async with serve([ok()], auth=account, clock=clock, extra_headers={"X-Extra": "1"}) as (client, server):
        report = await client.usage()
    assert report == UsageReport(snapshots=(SNAPSHOT,), plan_type="pro", email=EMAIL)
    assert report.fetched_at == NOW
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("GET", "/v1/api/codex/usage", b"")
    assert request.headers["authorization"] == f"Bearer {KEY}1"
    assert request.headers["chatgpt-account-id"] == "acct-1"
    assert request.headers["user-agent"].startswith("codex_client/")
    assert request.headers["x-extra"] == "1"


async def test_Q4_usage_headers_and_event_agree_on_a_backend_that_acts_as_the_real_one() -> None:
    async with AccountServer(clock=ManualClock(start=NOW)) as server:
        account = server.add_account("acct-1", plan_type="plus")
        account.limit(42.0, window_minutes=300, resets_at=NOW + 600)
        account.limit(7.0, window_minutes=10_080, resets_at=NOW + 6000, which="secondary")
        auth = StaticAuth(server.issue(account).access_token, account_id="acct-1")
        config = ClientConfig(provider=server.provider(), model="gpt-5", auth=auth, clock=ManualClock(start=NOW))
        async with RoutedApiClient(config) as client:
            report = await client.usage()
            async with client.stream(Prompt("hi", instructions="Be brief.")) as stream:
                told = [event.snapshot async for event in stream if isinstance(event, RateLimits)]
    assert told
    for snapshot in told:
        assert replace(snapshot, credits=None) == replace(report.snapshots[0], credits=None)
    assert [window.label for window in told[0].windows] == ["5 h", "weekly"]


async def test_the_account_s_source_is_told_the_limits(serve: Serve) -> None:
    account = Account()
    async with serve([ok()], auth=account, clock=ManualClock(start=NOW)) as (client, _):
        await client.usage()
    (outcome,) = account.outcomes
    assert (outcome.status, outcome.error, outcome.rate_limits) == (200, None, (SNAPSHOT,))
    assert [snapshot.source for snapshot in outcome.rate_limits] == ["endpoint"]


async def test_turns_and_usage_go_through_one_client(serve: Serve) -> None:
    turn = sse(responses_turn("hello"))
    async with serve({"/usage": ok(), "/responses": turn}, auth=Account()) as (client, _):
        assert (await client.usage()).plan_type == "pro"
        assert (await client.collect(Prompt("hi"))).text == "hello"
        assert (await client.usage()).plan_type == "pro"


async def test_a_401_is_answered_with_one_refreshed_credential(serve: Serve) -> None:
    account = Account(refreshes=True)
    async with serve([401, ok()], auth=account) as (client, server):
        assert (await client.usage()).plan_type == "pro"
    assert account.forced == [False, True]
    assert [request.headers["authorization"][-1] for request in server.requests] == ["1", "2"]
    assert [(outcome.status, type(outcome.error)) for outcome in account.outcomes] == [
        (401, AuthenticationError),
        (200, type(None)),
    ]


@pytest.mark.parametrize("refreshes, requests", [(True, 2), (False, 1)])
async def test_a_401_is_never_answered_twice(serve: Serve, refreshes: bool, requests: int) -> None:
    account = Account(refreshes=refreshes)
    async with serve(401, auth=account) as (client, server):
        with pytest.raises(AuthenticationError):
            await client.usage()
        assert len(server.requests) == len(account.outcomes) == requests


PAGE = Reply(status=200, headers={"content-type": "text/html"}, body=b"<html><title>Log in</title></html>")
BLOCK = Reply(status=403, headers={"content-type": "text/html", "cf-ray": "1-FRA"}, body=b"<html>Just a moment</html>")
LIMIT = {"error": {"type": "usage_limit_reached", "plan_type": "plus", "resets_at": NOW + 60}}
FAILURES = {
    "page": (PAGE, UnexpectedContentError),
    "text": (Reply(body=b"ok"), UnexpectedContentError),
    "nothing": (Reply(body=b""), UnexpectedContentError),
    "cut": (Reply(body=json.dumps(USAGE)[:-9].encode()), UnexpectedContentError),
    "list": (ok([USAGE]), UnexpectedContentError),
    "another's answer": (ok({"ok": True}), UnexpectedContentError),
    "an error with 200": (ok({"detail": "Unauthorized"}), UnexpectedContentError),
    "redirect": (Reply(status=302, headers={"location": "https://login.test/"}), UnexpectedStatusError),
    "F9": (BLOCK, NetworkBlockedError),
    "404": (ok({"detail": "Not Found"}, status=404), NotFoundError),
    "429": (429, RateLimitError),
    "F10": (ok(LIMIT, status=429), UsageLimitReachedError),
    "503": (503, ServerError),
}


@pytest.mark.parametrize("reply, kind", FAILURES.values(), ids=FAILURES)
async def test_every_other_answer_is_a_typed_error_and_reported(
    serve: Serve, reply: Any, kind: type[CodexError]
) -> None:
    account = Account(refreshes=True)
    async with serve([reply], auth=account, clock=ManualClock(start=NOW)) as (client, _):
        with pytest.raises(kind) as raised:
            await client.usage()
    (outcome,) = account.outcomes
    assert outcome.error is raised.value
    assert outcome.status == getattr(raised.value, "status", None)
    assert outcome.rate_limits == getattr(raised.value, "rate_limits", ())


async def test_Q1_the_headers_of_a_refusal_are_read(serve: Serve) -> None:
    headers = {"x-codex-secondary-used-percent": "60", "x-codex-primary-used-percent": "7"}
    async with serve([ok(LIMIT, status=429, headers=headers)], auth=Account(), clock=ManualClock(start=NOW)) as (
        client,
        _,
    ):
        with pytest.raises(UsageLimitReachedError) as raised:
            await client.usage()
    (snapshot,) = raised.value.rate_limits
    assert {window.used_percent for window in snapshot.windows} == {7.0, 100.0}


async def test_a_server_that_is_not_there_is_a_transport_error() -> None:
    async with ReplayServer([]) as server:
        gone = server.base_url
    account = Account()
    provider = ModelProviderInfo(name="gone", base_url=gone)
    async with RoutedApiClient(ClientConfig(provider=provider, model="m", auth=account)) as client:
        with pytest.raises(ConnectError):
            await client.usage()
    assert [type(outcome.error) for outcome in account.outcomes] == [ConnectError]


async def test_a_connection_that_breaks_is_a_transport_error(serve: Serve) -> None:
    account = Account()
    async with serve([Reply(body=[b'{"plan_type":', Reset()])], auth=account) as (client, _):
        with pytest.raises(ReadError):
            await client.usage()
    assert [type(outcome.error) for outcome in account.outcomes] == [ReadError]


async def test_a_request_that_is_cancelled_is_reported_without_an_error(serve: Serve) -> None:
    account = Account()
    stalled = Reply(body=[b"{", Stall()])
    async with serve([stalled], auth=account) as (client, server), anyio.create_task_group() as tasks:
        tasks.start_soon(client.usage)
        await server.at_rest(1)
        tasks.cancel_scope.cancel()
    assert account.outcomes == [AttemptOutcome()]


async def test_a_closed_client_asks_for_nothing() -> None:
    async with ReplayServer([]) as server:
        client = RoutedApiClient(ClientConfig(provider=server.provider(), model="m", auth="key-0123456789"))
        await client.aclose()
        with pytest.raises(RuntimeError, match="closed"):
            await client.usage()
        await client.aclose()


ECHO = f"{KEY}1 of {EMAIL}"
ECHOES = {
    "json error": ok({"error": {"message": ECHO, "code": ECHO, "plan_type": ECHO}}, status=400),
    "usage limit": ok({"error": {"type": "usage_limit_reached", "message": ECHO, "plan_type": ECHO}}, status=429),
    "page": Reply(headers={"content-type": "text/html"}, body=f"<p>Hello {ECHO}</p>".encode()),
    "cut": Reply(body=f'{{"email": "{ECHO}", "plan_type": "p'.encode()),
    "header": ok({}, status=500, headers={"x-request-id": f"{KEY}1", "x-codex-plan-type": f"{KEY}1"}),
    "broken": Reply(body=[ECHO.encode(), Reset()]),
}


@pytest.mark.parametrize("reply", ECHOES.values(), ids=ECHOES)
async def test_neither_credential_nor_address_is_in_any_error(
    serve: Serve, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    # On DEBUG the HTTP library itself logs what servers write into headers.
    with caplog.at_level(logging.INFO):
        async with serve([reply], auth=Account()) as (client, _):
            with pytest.raises(CodexError) as raised:
                await client.usage()
    error = raised.value
    shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    own = [frame for frame in shown.split('  File "') if "/tests/" not in frame.partition('"')[0]]
    told = f"{error!r}{vars(error)}{pickle.dumps(error)!r}{error.__cause__!r}{error.__context__!r}{caplog.text}{own}"
    for secret in (KEY, KEY.replace("/", "\\/"), EMAIL):
        assert secret not in told
