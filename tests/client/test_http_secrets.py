"""No credential in any error, text, pickle or log record, whatever a server echoes."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from codex_client.auth.static import StaticAuth
from codex_client.client.config import ClientConfig, RetryPolicy
from codex_client.client.http import RequestExecutor
from codex_client.client.retry import AttemptBudget
from codex_client.errors import CodexError, RetryLimitError
from codex_client.model_provider import ModelProviderInfo
from codex_client.testing import Close, ManualClock, ReplayServer, Reply, Reset, ScriptedTransport

# No issuer's prefix and no telling name: only knowing the value finds it.
KEY = "canary+key/0123456789"
QUERY_KEY = "canary-query-0123456789"
HEADER_KEY = "canary-header-0123456789"
ECHOED = {
    "x-request-id": KEY,
    "x-ratelimit-limit-tokens": QUERY_KEY,
    "www-authenticate": f"Bearer {KEY}",
    "via": HEADER_KEY,
}


def everything_said(error: BaseException) -> Iterator[str]:
    """All that a log, a crash report or another process could show of an error."""
    yield "".join(traceback.format_exception(error))
    for each in (error, error.__cause__, error.__context__):
        if each is None:
            continue
        yield from (str(each), repr(each), repr(vars(each)))
        with_request = getattr(each, "_request", None)
        yield repr(with_request.headers.raw if with_request is not None else None)
    yield repr(pickle.dumps(error))
    yield repr(vars(pickle.loads(pickle.dumps(error))))
    yield repr(vars(copy.copy(error)))
    if isinstance(error, RetryLimitError) and error.last_error is not None:
        yield from everything_said(error.last_error)


def assert_secret(error: CodexError) -> None:
    said = "\n".join(everything_said(error))
    assert [key for key in (KEY, QUERY_KEY, HEADER_KEY, "canary") if key in said] == []


@asynccontextmanager
async def executing(base_url: str, **options: Any) -> AsyncIterator[RequestExecutor]:
    provider = ModelProviderInfo(name="test", base_url=base_url, query_params={"key": QUERY_KEY})
    config = ClientConfig(
        provider=provider,
        model="m",
        auth="unused",
        extra_headers={"x-team-token": HEADER_KEY},
        clock=ManualClock(auto_advance=True),
        retry=RetryPolicy(request_max_retries=1),
        **options,
    )
    executor = RequestExecutor(config, auth=StaticAuth(KEY))
    yield executor
    await executor.aclose()


async def failure(executor: RequestExecutor) -> CodexError:
    with pytest.raises(CodexError) as caught:
        await executor.open(b"{}", budget=AttemptBudget(1, 0))
    return caught.value


@pytest.mark.parametrize(
    "body",
    [
        f'{{"error": {{"message": "bad key {KEY} for {HEADER_KEY}", "code": "{QUERY_KEY}", "param": "{KEY}"}}}}',
        f'{{"detail": "{KEY}", "plan_type": "{KEY}"}}',
        f"<html><title>{KEY}</title>{QUERY_KEY}</html>",
        f"plain {HEADER_KEY}",
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
async def test_what_an_error_answer_echoes_is_blanked(body: str, status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    reply = Reply(status=status, body=body.encode())
    async with ReplayServer(reply) as server, executing(server.base_url) as executor:
        assert_secret(await failure(executor))
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
        assert server.requests[0].query == {"key": QUERY_KEY}
    assert "canary" not in caplog.text
    assert not any("canary" in repr(vars(record)) for record in caplog.records)


@pytest.mark.parametrize("status", [400, 401, 429, 503])
async def test_what_its_headers_echo_is_blanked(status: int) -> None:
    reply = Reply(status=status, headers=ECHOED)
    async with ReplayServer(reply) as server, executing(server.base_url) as executor:
        assert_secret(await failure(executor))


@pytest.mark.parametrize(
    "reply",
    [
        Reply().at("head", Close()),
        Reply().at("head", Reset()),
        Reply.raw(b"garbage\r\n\r\n"),
        Reply(status=302, headers={"location": f"https://elsewhere.test/v1?key={QUERY_KEY}"}),
        Reply(status=307, headers={"location": f"https://user:{KEY}@127.0.0.1/v1"}),
    ],
    ids=["closed", "reset", "garbage", "redirect", "redirect with credentials"],
)
async def test_transport_errors_show_none_either(reply: Reply, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with ReplayServer(reply) as server, executing(server.base_url) as executor:
        error = await failure(executor)
        assert_secret(error)
    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.LocalProtocolError(f"Illegal header value b'Bearer {KEY}'"),
        httpx.InvalidURL(f"invalid character in {QUERY_KEY}"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_the_http_library_quotes_is_left_out(error: Exception) -> None:
    async with (
        httpx.AsyncClient(transport=ScriptedTransport(error)) as client,
        executing("http://api.test/v1", http_client=client) as executor,
    ):
        assert_secret(await failure(executor))


async def test_an_answer_shows_no_credential() -> None:
    async with ReplayServer(b"data: 1\n\n") as server, executing(server.base_url) as executor:
        answer = await executor.open(b"{}", budget=AttemptBudget(0, 0))
        assert "canary" not in repr(answer) + repr(answer.lease) + answer.url + repr(executor)
        await answer.aclose()


async def test_an_answer_cleans_what_its_server_quotes() -> None:
    async with ReplayServer(b"data: 1\n\n") as server, executing(server.base_url) as executor:
        answer = await executor.open(b"{}", budget=AttemptBudget(0, 0))
        assert answer.clean(f"key {KEY}, team {HEADER_KEY}, query {QUERY_KEY}") == "key ***, team ***, query ***"
        await answer.aclose()


@pytest.mark.parametrize("bad", ["\n", "\u2019"])
async def test_a_header_that_cannot_be_sent_is_not_shown(bad: str) -> None:
    provider = ModelProviderInfo(name="test", base_url="http://api.test/v1", http_headers={"x-key": f"canary{bad}"})
    executor = RequestExecutor(ClientConfig(provider=provider, model="m"), auth=StaticAuth(KEY))
    assert_secret(await failure(executor))
    await executor.aclose()
