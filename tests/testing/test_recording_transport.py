"""Looking on in memory."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from codex_client.testing import RecordingTransport, Reply, Reset, ScriptedTransport, responses_turn, sse

BODY = sse(responses_turn("Hello."))
URL = "http://api.test/v1/responses"


async def test_requests_and_chunks_are_kept_as_they_pass():
    transport = RecordingTransport(ScriptedTransport([Reply.from_sse(BODY, cut=100), 404]))
    async with httpx.AsyncClient(transport=transport) as client:
        assert (await client.post(URL, json={"a": 1})).content == BODY
        await client.post(URL)
    first, second = transport.exchanges
    assert (first.request.path, first.request.json()) == ("/v1/responses", {"a": 1})
    assert (first.status, first.complete, first.closed, first.error) == (200, True, True, None)
    assert (b"".join(first.chunks), {len(chunk) for chunk in first.chunks[:-1]}) == (BODY, {100})
    assert first.headers is not None
    assert first.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert second.status == 404


async def test_what_was_not_read_to_the_end_is_not_complete():
    transport = RecordingTransport(ScriptedTransport(Reply.from_sse(BODY, cut=100)))
    response = await transport.handle_async_request(httpx.Request("POST", URL))
    exchange = transport.exchanges[0]
    assert isinstance(response.stream, httpx.AsyncByteStream)
    assert await anext(aiter(response.stream)) == BODY[:100]
    assert (exchange.chunks, exchange.complete, exchange.closed) == ([BODY[:100]], False, False)
    await response.aclose()
    assert (exchange.complete, exchange.closed) == (False, True)


async def test_errors_are_kept_and_passed_on():
    refused = httpx.ConnectError("refused")
    transport = RecordingTransport(ScriptedTransport([refused, Reply.from_sse(BODY).at(5, Reset())]))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.ConnectError):
            await client.post(URL)
        with pytest.raises(httpx.ReadError) as broken:
            await client.post(URL)
    first, second = transport.exchanges
    assert (first.error, first.status, first.closed) == (refused, None, False)
    assert (second.error, second.chunks, second.complete, second.closed) == (broken.value, [BODY[:5]], False, True)


async def test_the_network_is_behind_it_by_default_and_chunks_are_kept_compressed(serve: Any):
    async with serve(Reply.from_sse(BODY, gzip=True)) as (server, _):
        transport = RecordingTransport()
        async with httpx.AsyncClient(transport=transport) as client:
            assert (await client.post(server.base_url + "/responses")).content == BODY
    exchange = transport.exchanges[0]
    assert exchange.chunks[0].startswith(b"\x1f\x8b")
    assert exchange.complete


async def test_answers_made_with_their_content_are_seen_too():
    transport = RecordingTransport(httpx.MockTransport(lambda request: httpx.Response(200, content=BODY)))
    async with httpx.AsyncClient(transport=transport) as client:
        assert (await client.post(URL)).content == BODY
    assert (transport.exchanges[0].chunks, transport.exchanges[0].complete) == ([BODY], True)
