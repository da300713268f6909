"""Turns through the gateway, seen by a caller who reads as it comes."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette

from codex_client.client.config import ClientConfig
from codex_client.gateway import GatewayConfig, create_app
from codex_client.gateway.app import gateway_of
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import (
    Hold,
    ManualClock,
    ReplayServer,
    Reply,
    Stall,
    chat_turn,
    ev_completed,
    ev_created,
    ev_failed,
    ev_incomplete,
    ev_item_added,
    ev_text_delta,
    message_item,
    responses_turn,
    sse,
)
from tests.support.asgi import AsgiCall, call, calling
from tests.support.gateways import BOTH, CHAT, RESPONSES, body_for, chat_body, gateway_over

TEXT = "The sky is blue."
SSE = {"content-type": "text/event-stream"}
START = [ev_created(), ev_item_added(message_item(status="in_progress")), ev_text_delta("The sky")]


@asynccontextmanager
async def gateway(
    *script: Any, clock: ManualClock | None = None, **options: Any
) -> AsyncIterator[tuple[Starlette, ReplayServer]]:
    async with ReplayServer(list(script)) as server, gateway_over(server, clock=clock, **options) as app:
        yield app, server


def said(made: AsgiCall, path: str) -> str:
    """The text that a caller has heard."""
    if not made.headers["content-type"].startswith("text/event-stream"):
        whole = made.json()
        if path == CHAT:
            return whole["choices"][0]["message"]["content"]
        return "".join(part["text"] for item in whole["output"] for part in item["content"])
    objects = [each for each in made.events() if each != "[DONE]"]
    if path == CHAT:
        return "".join(choice["delta"].get("content") or "" for each in objects for choice in each.get("choices", ()))
    return "".join(each["delta"] for each in objects if each["type"] == "response.output_text.delta")


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("wire_api", ["responses", "chat"])
@pytest.mark.parametrize("path", BOTH)
async def test_each_api_is_served_over_a_provider_of_either(path: str, wire_api: Any, stream: bool) -> None:
    turn = sse(responses_turn(TEXT)) if wire_api == "responses" else sse(chat_turn(TEXT))
    reply = Reply.from_sse(turn, headers={"x-request-id": "req_of_the_provider"})
    async with gateway(reply, wire_api=wire_api) as (app, server):
        made = await call(app, "POST", path, body=body_for(path, stream=stream))
    assert (made.status, said(made, path)) == (200, TEXT)
    assert made.headers["x-request-id"] == "req_of_the_provider"
    assert server.requests[0].path.endswith("/responses" if wire_api == "responses" else "/chat/completions")
    if stream:
        assert made.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert made.text.endswith("data: [DONE]\n\n") is (path == CHAT)


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "reply, status, code",
    [
        (Reply.error(429, "slow down", headers={"retry-after": "7"}), 429, "rate_limit_exceeded"),
        (sse([ev_created(), ev_failed("rate_limit_exceeded", "try again in 6.2s")]), 429, "rate_limit_exceeded"),
        (sse([ev_created(), ev_failed("context_length_exceeded", "too long")]), 400, "context_length_exceeded"),
        (sse([ev_created(), ev_failed("server_is_overloaded", "busy")]), 503, "server_is_overloaded"),
    ],
    ids=["status", "limit", "context", "overload"],
)
async def test_a_failure_before_the_first_words_is_an_http_status(
    path: str, stream: bool, reply: Any, status: int, code: str
) -> None:
    async with gateway(reply) as (app, _):
        made = await call(app, "POST", path, body=body_for(path, stream=stream))
    assert (made.status, made.json()["error"]["code"]) == (status, code)
    assert made.headers["content-type"] == "application/json"
    if status == 429:
        assert made.headers["retry-after"] == "7"


@pytest.mark.parametrize("path", BOTH)
async def test_a_failure_after_the_first_words_is_an_event_of_the_callers_api(path: str) -> None:
    async with gateway(sse([*START, ev_failed("server_is_overloaded", "busy")])) as (app, _):
        made = await call(app, "POST", path, body=body_for(path, stream=True))
    assert (made.status, said(made, path)) == (200, "The sky")
    last = made.events()[-1]
    error = last["error"] if path == CHAT else last["response"]["error"]
    assert error["code"] == "server_is_overloaded"
    assert path == CHAT or last["type"] == "response.failed"


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_was_cut_short_is_an_answer(path: str, stream: bool) -> None:
    async with gateway(sse([*START, ev_incomplete("max_output_tokens")])) as (app, _):
        made = await call(app, "POST", path, body=body_for(path, stream=stream))
        assert not gateway_of(app).activity.failures
    assert (made.status, said(made, path)) == (200, "The sky")
    if path == CHAT:
        chunks = [each for each in made.events() if each != "[DONE]"] if stream else [made.json()]
        assert [c["finish_reason"] for each in chunks for c in each["choices"] if c["finish_reason"]] == ["length"]
        assert not stream or made.events()[-1] == "[DONE]"
    else:
        whole = made.events()[-1]["response"] if stream else made.json()
        assert (whole["status"], whole["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})


async def test_an_answer_that_was_cut_short_before_its_first_words_is_an_answer_too() -> None:
    async with gateway(sse([ev_created(), ev_incomplete("max_output_tokens")])) as (app, _):
        made = await call(app, "POST", CHAT, body=chat_body(stream=True))
    assert (made.status, made.events()[-1]) == (200, "[DONE]")
    assert [each["choices"][0]["finish_reason"] for each in made.events()[:-1]] == [None, "length"]


@pytest.mark.parametrize("stream", [True, False])
async def test_the_form_of_reasoning_is_the_gateways_setting(stream: bool) -> None:
    turn = sse(responses_turn("Hi", reasoning_summary="They greet."))
    async with gateway(turn, config=GatewayConfig(reasoning_format="think_tags")) as (app, _):
        made = await call(app, "POST", CHAT, body=chat_body(stream=stream))
    assert said(made, CHAT) == "<think>\nThey greet.\n</think>\n\nHi"


@pytest.mark.parametrize("wire_api, sent", [("chat", 7), ("responses", None)])
async def test_a_field_of_one_api_goes_on_to_a_provider_of_that_api_only(wire_api: Any, sent: int | None) -> None:
    turn = sse(responses_turn(TEXT)) if wire_api == "responses" else sse(chat_turn(TEXT))
    async with gateway(turn, wire_api=wire_api) as (app, server):
        assert (await call(app, "POST", CHAT, body=chat_body(seed=7))).status == 200
    assert server.requests[0].json().get("seed") == sent


async def test_a_turn_whose_server_gives_it_up_is_counted_as_left() -> None:
    async with gateway(Reply(before_head=[Stall()])) as (app, server):
        async with calling(app, "POST", CHAT, body=chat_body()):
            await server.at_rest()
        await server.idle()
        assert 'status="499"} 1.0' in gateway_of(app).metrics.text(()).decode()


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(before_head=[Stall()]),
        Reply(body=[sse([ev_created()]), Stall()], headers=SSE),
        Reply(body=[sse(START), Stall()], headers=SSE),
    ],
    ids=["before the head", "before the first words", "after them"],
)
async def test_a_caller_who_leaves_ends_the_turn_of_the_provider(path: str, stream: bool, reply: Reply) -> None:
    async with gateway(reply) as (app, server):
        async with calling(app, "POST", path, body=body_for(path, stream=stream)) as made:
            await server.at_rest()
            made.leave()
            await made.ended()
        await server.idle()
        assert gateway_of(app).activity.in_flight == 0
        metrics = gateway_of(app).metrics.text(()).decode()
    assert f'codex_client_gateway_requests_total{{route="{path}",status="499"}} 1.0' in metrics


@pytest.mark.parametrize("path", BOTH)
async def test_words_reach_the_caller_as_they_come(path: str) -> None:
    rest = [ev_text_delta(" is blue."), *responses_turn(TEXT)[-1:]]
    async with (
        gateway(Reply(body=[sse(START), Hold(), sse(rest)], headers=SSE)) as (app, server),
        calling(app, "POST", path, body=body_for(path, stream=True)) as made,
    ):
        await made.until(lambda it: it.status == 200 and said(it, path) == "The sky")
        server.release()
        await made.ended()
    assert said(made, path) == TEXT


@pytest.mark.parametrize("path", BOTH)
async def test_a_silent_provider_gives_comments_to_a_stream_that_runs(path: str) -> None:
    clock = ManualClock()
    async with (
        gateway(Reply(body=[sse(START), Stall()], headers=SSE), clock=clock) as (app, _),
        calling(app, "POST", path, body=body_for(path, stream=True)) as made,
    ):
        await made.until(lambda it: it.status == 200 and said(it, path) == "The sky")
        for beats in (1, 2):
            await clock.wait_for_timer(15.0)
            assert made.text.count(": keep-alive\n\n") == beats - 1
            clock.advance(15.0)
            await made.until(lambda it, beats=beats: it.text.count(": keep-alive\n\n") == beats)
        assert said(made, path) == "The sky"


async def test_words_put_the_next_comment_off() -> None:
    clock = ManualClock()
    reply = Reply(body=[sse(START), Hold(), sse([ev_text_delta(" is")]), Stall()], headers=SSE)
    async with (
        gateway(reply, clock=clock) as (app, server),
        calling(app, "POST", CHAT, body=chat_body(stream=True)) as made,
    ):
        await made.until(lambda it: it.status == 200 and said(it, CHAT) == "The sky")
        await clock.wait_for_timer(15.0)
        clock.advance(10.0)
        server.release()
        await made.until(lambda it: said(it, CHAT) == "The sky is")
        clock.advance(5.0)
        await clock.wait_for_timer(10.0)
        assert ": keep-alive" not in made.text


@pytest.mark.parametrize("path", BOTH)
async def test_an_accepted_turn_opens_after_a_silence_and_one_that_is_not_waits_for_its_status(path: str) -> None:
    clock = ManualClock()
    accepted = Reply(body=[sse([ev_created()]), Hold(), sse(responses_turn(TEXT)[2:])], headers=SSE)
    async with gateway(
        Reply(before_head=[Hold()], body=sse(responses_turn(TEXT)), headers=SSE), accepted, clock=clock
    ) as (
        app,
        server,
    ):
        async with calling(app, "POST", path, body=body_for(path, stream=True)) as waiting:
            await server.at_rest()
            await clock.wait_for_timer(15.0)
            clock.advance(15.0)
            await clock.wait_for_timer(15.0)
            assert waiting.status is None
            server.release()
            await waiting.ended()
        assert ": keep-alive" not in waiting.text
        async with calling(app, "POST", path, body=body_for(path, stream=True)) as opened:
            await server.at_rest()
            await clock.wait_for_timer(15.0)
            # What the provider said may be on its way still.
            while opened.status is None:
                clock.advance(15.0)
                await clock.wait_for_timer(15.0)
            assert ": keep-alive" in opened.text
            server.release()
            await opened.ended()
        assert said(opened, path) == TEXT


async def test_no_more_turns_are_let_in_than_may_run() -> None:
    async with gateway(Reply(body=[sse(START), Hold(), sse([ev_completed()])], headers=SSE), sse(responses_turn(TEXT)),
                       config=GatewayConfig(max_turns=1)) as (app, server):  # fmt: skip
        async with calling(app, "POST", CHAT, body=chat_body(stream=True)) as first:
            await server.at_rest()
            second = await call(app, "POST", CHAT, body=chat_body())
            assert (second.status, second.headers["retry-after"]) == (429, "1")
            health = await call(app, "GET", "/health")
            assert (health.status, health.json()) == (200, {"status": "busy"})
            assert second.json()["error"] == {
                "message": "1 turns run already, which is all the gateway allows; wait for one to end",
                "type": "rate_limit_error",
                "param": None,
                "code": "too_many_turns",
            }
            server.release()
            await first.ended()
        assert (await call(app, "POST", CHAT, body=chat_body())).status == 200


@pytest.mark.parametrize(
    "options, status, words",
    [
        ({"body": chat_body("x" * 200)}, 413, "larger than 100 bytes"),
        ({"body": chat_body("x" * 200), "headers": {"content-length": "300"}}, 413, "larger than 100 bytes"),
        ({"parts": [b"{}"], "headers": {"content-length": "101"}}, 413, "larger than 100 bytes"),
        ({"parts": [b"{" + b" " * 60, b" " * 60 + b"}"]}, 413, "larger than 100 bytes"),
        ({"body": {}, "headers": {"content-type": "text/plain"}}, 415, "application/json"),
        ({"body": {}, "headers": {"content-type": ""}}, 415, "application/json"),
        ({"body": {}, "headers": {"content-encoding": "gzip"}}, 415, "plain"),
        ({"parts": [b"{"]}, 400, "the body is no JSON: EOF"),
        ({"parts": [b""]}, 400, "the body is no JSON"),
        ({"parts": [b'{"a": NaN}']}, 400, "the body is no JSON"),
        ({"parts": [b'{"a": "\\ud800"}']}, 400, "the body is no JSON"),
        ({"parts": [b"[" * 90]}, 400, "the body is no JSON"),
        ({"body": [1]}, 400, "no JSON object"),
        ({"body": {"model": "m"}}, 400, ""),
    ],
)
@pytest.mark.parametrize("path", BOTH)
async def test_a_body_that_is_none_is_refused_in_openais_form(
    path: str, options: dict[str, Any], status: int, words: str
) -> None:
    async with gateway(config=GatewayConfig(max_body_bytes=100)) as (app, server):
        made = await call(app, "POST", path, **options)
    assert (made.status, server.requests) == (status, [])
    error = made.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    assert words in error["message"]


async def test_who_sends_a_request_slowly_keeps_nobody_out_and_is_not_waited_for_for_ever() -> None:
    clock = ManualClock()
    async with gateway(sse(responses_turn(TEXT)), config=GatewayConfig(max_turns=1), clock=clock) as (app, server):
        async with calling(app, "POST", CHAT, parts=[b"{" + b" " * 119_999], unfinished=True) as slow:
            await clock.wait_for_timer(32.0)
            crowded = await call(app, "POST", CHAT, body=chat_body())
            assert (crowded.status, gateway_of(app).activity.in_flight) == (429, 0)
            assert "requests arrive already" in crowded.json()["error"]["message"]
            clock.advance(31.9)
            assert slow.status is None
            clock.advance(0.1)
            await slow.ended()
        assert (slow.status, slow.headers["connection"]) == (408, "close")
        assert server.requests == []
        assert (await call(app, "POST", CHAT, body=chat_body())).status == 200


async def test_the_largest_request_takes_ten_minutes_at_most() -> None:
    clock, largest = ManualClock(), b" " * GatewayConfig().max_body_bytes
    async with gateway(clock=clock) as (app, _), calling(app, "POST", CHAT, parts=[largest], unfinished=True) as slow:
        await anyio.wait_all_tasks_blocked()
        clock.advance(600)
        await slow.ended()
    assert slow.status == 408


async def test_a_request_that_is_on_its_way_when_the_gateway_ends_is_refused_at_once() -> None:
    clock = ManualClock()
    async with (
        gateway(clock=clock) as (app, _),
        calling(app, "POST", CHAT, parts=[b"{" * 60_000], unfinished=True) as slow,
    ):
        await clock.wait_for_timer(31.0)
        activity = gateway_of(app).activity
        # Also while a turn runs that may end.
        with activity.turn():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(activity.drain, 20.0)
                await slow.ended()
                tasks.cancel_scope.cancel()
    assert (slow.status, slow.json()["error"]["code"], slow.headers["retry-after"]) == (503, "shutting_down", "20")


@pytest.mark.parametrize(
    "method, path, status",
    [("GET", CHAT, 405), ("POST", "/v1/models", 405), ("DELETE", "/", 405), ("POST", "/v1/embeddings", 404),
     ("GET", "/v1/models/", 404), ("POST", "/v1/responses/", 404)],
)  # fmt: skip
async def test_what_is_not_there_is_told_in_openais_form_and_in_words(method: str, path: str, status: int) -> None:
    async with gateway() as (app, _):
        made = await call(app, method, path)
    error = made.json()["error"]
    assert (made.status, error["type"]) == (status, "invalid_request_error")
    if status == 405:
        assert error["message"] == f"this route takes {made.headers['allow']} only"
    else:
        assert CHAT in error["message"] or "/v1/models lists" in error["message"]


@pytest.mark.parametrize("path", BOTH)
async def test_without_a_model_of_its_own_the_gateway_demands_one(path: str) -> None:
    body = {name: value for name, value in body_for(path).items() if name != "model"}
    async with gateway(sse(responses_turn(TEXT)), model="") as (app, server):
        made = await call(app, "POST", path, body=body)
        assert (made.status, server.requests) == (400, [])
        assert made.json()["error"]["param"] == "model"
        assert "name one" in made.json()["error"]["message"]
        assert (await call(app, "POST", path, body=body | {"model": " "})).json()["error"]["param"] == "model"
        assert (await call(app, "POST", path, body=body | {"model": "gpt-5"})).status == 200


FAILED = sse([ev_created(), ev_failed("server_is_overloaded", "busy")])


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("turn", [sse(responses_turn(TEXT)), FAILED], ids=["well", "failed"])
async def test_the_caller_and_the_log_are_told_which_fields_nothing_was_made_of(
    turn: bytes, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    body = chat_body(seed=7, stop=["x"], n=1, stream=stream) | {"odd\nfield": 1, "x" * 99: 1}
    async with gateway(turn) as (app, _):
        made = await call(app, "POST", CHAT, body=body)
    assert made.headers["x-codex-client-ignored"] == "seed, stop"
    [line] = [record.getMessage() for record in caplog.records if record.name == "codex_client.gateway"]
    assert " ignored=seed,stop" in line
    assert "odd" not in caplog.text


async def test_a_caller_of_whom_nothing_is_ignored_is_told_nothing() -> None:
    async with gateway(sse(responses_turn(TEXT))) as (app, _):
        assert "x-codex-client-ignored" not in (await call(app, "POST", CHAT, body=chat_body(logprobs=False))).headers


@pytest.mark.filterwarnings("ignore:.* refuses the parameter")
@pytest.mark.parametrize("path", BOTH)
async def test_what_the_provider_is_known_to_refuse_is_told_as_ignored(path: str) -> None:
    async with ReplayServer([sse(responses_turn(TEXT))]) as server:
        provider = replace(server.provider(), profile="chatgpt-codex")
        async with RoutedApiClient(ClientConfig(provider=provider, model="gpt-5")) as client:
            made = await call(
                create_app(client), "POST", path, body=body_for(path, temperature=1, store=True, user="u")
            )
    assert made.status == 200
    assert set(made.headers["x-codex-client-ignored"].split(", ")) == {"temperature", "store", "user"}
    assert {"temperature", "user"}.isdisjoint(server.requests[0].json())
    if path == RESPONSES:
        assert (made.json()["temperature"], made.json()["store"]) == (None, False)


@pytest.mark.parametrize("wire_api", ["chat", "responses"])
async def test_a_history_that_is_kept_nowhere_is_refused_in_words(wire_api: Any) -> None:
    async with ReplayServer([]) as server:
        provider = replace(server.provider(wire_api), profile="chatgpt-codex")
        async with RoutedApiClient(ClientConfig(provider=provider, model="gpt-5")) as client:
            made = await call(
                create_app(client), "POST", RESPONSES, body=body_for(RESPONSES, previous_response_id="r0")
            )
    assert (made.status, made.json()["error"]["param"]) == (400, "previous_response_id")
    assert "send the whole history" in made.json()["error"]["message"]


async def test_a_field_that_cannot_be_understood_is_named() -> None:
    async with gateway() as (app, _):
        made = await call(app, "POST", CHAT, body={"model": "m", "messages": [{"role": "nobody", "content": ""}]})
    assert (made.status, made.json()["error"]["param"]) == (400, "messages[0].role")


async def test_nothing_of_the_callers_headers_goes_up_but_the_conversations_name() -> None:
    headers = {
        "authorization": "Bearer caller-secret-key",
        "cookie": "caller-cookie",
        "x-api-key": "caller-api-key",
        "x-stainless-lang": "caller-lang",
        "user-agent": "caller-agent",
        "session-id": "conversation-7",
    }
    async with gateway(sse(responses_turn(TEXT))) as (app, server):
        await call(app, "POST", RESPONSES, body=body_for(RESPONSES), headers=headers)
    [request] = server.requests
    assert not [value for value in request.headers.values() if "caller" in value]
    assert b"caller" not in request.content
    assert "conversation-7" in [*request.headers.values(), request.json().get("prompt_cache_key")]


@pytest.mark.parametrize("stream", [True, False])
async def test_the_log_has_one_line_for_a_request_and_no_word_of_it(
    stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    clock = ManualClock()
    async with gateway(sse(responses_turn("spoken-words")), clock=clock) as (app, _):
        await call(app, "POST", CHAT, body=chat_body("asked-words", stream=stream), headers={"session-id": "named"})
    lines = [record.getMessage() for record in caplog.records if record.name == "codex_client.gateway"]
    assert lines == [f"POST {CHAT} 200 0.000s model=gpt-5 tokens=42+23 cached=16"]
    assert not [word for word in ("asked-words", "spoken-words", "named") if word in caplog.text]


async def test_a_method_a_path_and_a_model_of_the_callers_making_do_not_reach_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with gateway(sse(responses_turn())) as (app, _):
        await call(app, "FAKE" * 50, "/health")
        await call(app, "GET", "/v2/fake\n2026 line")
        await call(app, "POST", CHAT, body=chat_body() | {"model": "gpt\nfake line"})
    lines = [record.getMessage().split(" ")[:3] for record in caplog.records if record.name == "codex_client.gateway"]
    assert lines == [["?", "/health", "405"], ["GET", "other", "404"], ["POST", CHAT, "200"]]
    assert "fake" not in caplog.text.lower()


class _Broken:
    """A client that fails by a fault of its own, with the prompt in its words."""

    def stream(self, prompt: Any) -> Any:
        raise ValueError(f"cannot send {prompt.items}")

    async def collect(self, prompt: Any) -> Any:
        raise NotImplementedError

    async def aclose(self) -> None: ...


async def test_a_fault_of_a_plugged_in_client_is_a_500_whose_words_stay_inside(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = await call(create_app(_Broken()), "POST", CHAT, body=chat_body("asked-words"))
    assert (made.status, made.json()["error"]["code"]) == (500, "internal_error")
    assert "ValueError" in caplog.text
    assert "turns.py" in caplog.text
    assert "asked-words" not in caplog.text + made.text


async def test_an_ending_gateway_lets_turns_finish_and_no_more_in() -> None:
    clock = ManualClock()
    async with gateway(Reply(body=[sse(START), Hold(), sse([ev_completed()])], headers=SSE), clock=clock) as (
        app,
        server,
    ):
        activity = gateway_of(app).activity
        async with calling(app, "POST", CHAT, body=chat_body(stream=True)) as running:
            await running.until(lambda it: it.status == 200)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(activity.drain, 30.0)
                await clock.wait_for_timer(30.0)
                clock.advance(0.5)
                refused = await call(app, "POST", CHAT, body=chat_body())
                assert (refused.status, refused.headers["retry-after"]) == (503, "30")
                assert refused.json()["error"]["code"] == "shutting_down"
                assert (await call(app, "GET", "/health")).json() == {"status": "draining"}
                server.release()
            await running.ended()
    assert running.events()[-1] == "[DONE]"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", BOTH)
async def test_turns_that_outlast_the_end_are_cut_and_told_so(path: str, stream: bool) -> None:
    clock = ManualClock()
    async with gateway(Reply(body=[sse(START), Stall()], headers=SSE), clock=clock) as (app, server):
        async with calling(app, "POST", path, body=body_for(path, stream=stream)) as running:
            await server.at_rest()
            if stream:
                await running.until(lambda it: it.status == 200)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(gateway_of(app).activity.drain, 30.0)
                await clock.wait_for_timer(30.0)
                clock.advance(30.0)
            await running.ended()
        await server.idle()
    if stream:
        last = running.events()[-1]
        error = last["error"] if path == CHAT else last["response"]["error"]
    else:
        assert running.status == 503
        error = running.json()["error"]
    assert error["code"] == "server_is_overloaded"
    assert json.dumps(error).count("the gateway ended before the turn did") == 1


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_answers_to_which_the_provider_gives_no_id_have_ids_of_their_own(path: str, stream: bool) -> None:
    clock = ManualClock()
    replies = [sse(chat_turn(TEXT, response_id="")) for _ in range(2)]
    async with gateway(*replies, clock=clock, wire_api="chat") as (app, _):
        made = [await call(app, "POST", path, body=body_for(path, stream=stream)) for _ in range(2)]
    ids = {own for each in made for own in ids_of(each, path)}
    assert len(ids) == 2
    assert {own.rstrip("0123456789abcdef") for own in ids} == {"chatcmpl-" if path == CHAT else "resp_"}


def ids_of(made: AsgiCall, path: str) -> set[str]:
    if not made.headers["content-type"].startswith("text/event-stream"):
        return {made.json()["id"]}
    objects = [each for each in made.events() if each != "[DONE]"]
    return (
        {each["id"] for each in objects}
        if path == CHAT
        else {each["response"]["id"] for each in objects if "response" in each}
    )


@pytest.mark.parametrize("path", BOTH)
async def test_a_base_url_that_lacks_its_version_is_told_so(path: str) -> None:
    async with gateway() as (app, _):
        made = await call(app, "POST", path.removeprefix("/v1"), body=body_for(path))
    assert (made.status, "ends with /v1" in made.json()["error"]["message"]) == (404, True)
