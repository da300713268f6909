"""Replies as values: what they are made of, and what cannot be one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from codex_client.testing import Close, CommentFlood, Hold, Pause, Reply, Reset, Send, Stall, ev_created, sse
from codex_client.testing.requests import RecordedRequest, Script
from codex_client.testing.scripts import as_reply, reason_phrase, unrolled

SSE = ("content-type", "text/event-stream; charset=utf-8")


def test_bytes_are_sends():
    assert Reply(body=b"abc").steps == (Send(b"abc"),)
    assert Reply(body=[b"abc", Pause(1), Send(b"d")]).steps == (Send(b"abc"), Pause(1), Send(b"d"))
    assert Reply(body=[b"abc", Pause(1), Send(b"d")]).content == b"abcd"


def test_headers_may_be_a_mapping_or_pairs():
    assert Reply(headers={"a": "1"}).header_list == [("a", "1")]
    assert Reply(headers=[("a", "1"), ("a", "2")]).header_list == [("a", "1"), ("a", "2")]


def test_a_stream_is_chunked_event_stream_unless_told_otherwise():
    reply = Reply.from_sse(b"data: 1\n\n")
    assert (reply.header_list, reply.transfer, reply.content) == ([SSE], "chunked", b"data: 1\n\n")
    other = Reply.from_sse(b"", headers={"Content-Type": "text/html", "x": "y"}, transfer="close", status=201)
    assert (other.header_list, other.transfer, other.status) == (
        [("Content-Type", "text/html"), ("x", "y")],
        "close",
        201,
    )


def test_events_are_a_send_each():
    events = [ev_created(), "[DONE]"]
    reply = Reply.from_events(events, names=False, done=True)
    assert reply.steps == (
        Send(sse([ev_created()], names=False)),
        Send(b"data: [DONE]\n\n"),
        Send(b"data: [DONE]\n\n"),
    )


def test_a_fixture_is_read_in_its_own_form(tmp_path: Path):
    (tmp_path / "a.sse").write_bytes(b"data: 1\r\n\r\n")
    (tmp_path / "a.json").write_text('[{"type": "ping"}]')
    assert Reply.from_fixture(tmp_path / "a.sse", cut=1) == Reply.from_sse(b"data: 1\r\n\r\n", cut=1)
    assert Reply.from_fixture(tmp_path / "a.json").content == b'data: {"type":"ping"}\n\n'


@pytest.mark.parametrize(
    "status, kind, code, message",
    [
        (400, "invalid_request_error", None, "Bad Request"),
        (401, "invalid_request_error", "invalid_api_key", "Unauthorized"),
        (429, "requests", "rate_limit_exceeded", "Too Many Requests"),
        (418, "invalid_request_error", None, "I'm a Teapot"),
        (599, "server_error", None, ""),
    ],
)
def test_a_status_alone_is_an_error_as_openai_writes_it(status: int, kind: str, code: str | None, message: str):
    reply = as_reply(status)
    assert (reply.status, reply.header_list) == (status, [("content-type", "application/json")])
    error = {"message": message, "type": kind, "param": None, "code": code}
    assert json.loads(reply.content) == {"error": error}


def test_an_error_says_what_it_is_told_to():
    reply = Reply.error(429, "slow", code="slow_down", error_type="tokens", headers={"retry-after": "3"})
    assert reply.header_list == [("content-type", "application/json"), ("retry-after", "3")]
    assert json.loads(reply.content)["error"] == {
        "message": "slow",
        "type": "tokens",
        "param": None,
        "code": "slow_down",
    }


def test_a_sequence_takes_statuses_bodies_and_recordings():
    class Recorded:
        def reply(self) -> Reply:
            return Reply(status=204)

    assert Reply.sequence([500, b"data: 1\n\n", Reply(status=201), Recorded()]) == (
        Reply.error(500),
        Reply.from_sse(b"data: 1\n\n"),
        Reply(status=201),
        Reply(status=204),
    )


@pytest.mark.parametrize(
    "body, position, expected",
    [
        (b"abcd", 0, [Stall(), Send(b"abcd")]),
        (b"abcd", 1, [Send(b"a"), Stall(), Send(b"bcd")]),
        (b"abcd", 4, [Send(b"abcd"), Stall()]),
        (b"abcd", -1, [Send(b"abc"), Stall(), Send(b"d")]),
        (b"abcd", -4, [Stall(), Send(b"abcd")]),
        ([b"ab", Pause(1), b"cd"], 2, [Send(b"ab"), Stall(), Pause(1), Send(b"cd")]),
        ([b"ab", Pause(1), b"cd"], 3, [Send(b"ab"), Pause(1), Send(b"c"), Stall(), Send(b"d")]),
        ([], 0, [Stall()]),
    ],
    ids=["start", "inside", "end", "from the end", "whole length back", "border", "behind a pause", "empty"],
)
def test_steps_go_in_at_a_position_of_the_body(body: Any, position: int, expected: list[object]):
    assert list(Reply(body=body).at(position, Stall()).steps) == expected


def test_steps_go_in_before_the_head():
    assert Reply().at("head", Pause(1)).at("head", Hold()).before_head == (Pause(1), Hold())


@pytest.mark.parametrize("position", [5, -5])
def test_a_position_outside_the_body_is_refused(position: int):
    with pytest.raises(ValueError, match=rf"position {position} is outside the body of 4 bytes"):
        Reply(body=b"abcd").at(position, Close())


@pytest.mark.parametrize(
    "fields, complaint",
    [
        ({"cut": 0}, "cut is 0"),
        ({"body": [CommentFlood()], "transfer": "length"}, "has no length"),
        ({"before_head": [Send(b"x")]}, "before the head"),
        ({"before_head": [CommentFlood(1)]}, "before the head"),
        ({"headers": {"a": "b\r\nc: d"}}, "line break"),
        ({"headers": {"a\n": "b"}}, "line break"),
    ],
)
def test_what_cannot_be_sent_is_refused_when_it_is_made(fields: dict[str, Any], complaint: str):
    with pytest.raises(ValueError, match=complaint):
        Reply(**fields)


def test_a_flood_is_its_sends_and_pauses():
    steps = [Send(b"a"), CommentFlood(3, 0.5, b":\n"), CommentFlood(2, comment=b";"), Reset()]
    assert list(unrolled(steps)) == [
        Send(b"a"),
        Send(b":\n"),
        Pause(0.5),
        Send(b":\n"),
        Pause(0.5),
        Send(b":\n"),
        Send(b";"),
        Send(b";"),
        Reset(),
    ]


def test_a_flood_without_a_count_has_no_end():
    endless = unrolled([CommentFlood()])
    assert [next(endless) for _ in range(1000)] == [Send(b": keep-alive\n\n")] * 1000


def test_an_unknown_status_has_no_phrase():
    assert (reason_phrase(200), reason_phrase(599)) == ("OK", "")


def request(method: str = "POST", target: str = "/v1/responses?a=1&b=x%20y") -> RecordedRequest:
    return RecordedRequest(method, target, httpx.Headers({"Authorization": "Bearer sk-1"}), b'{"n": 1}')


def test_a_recorded_request_is_easy_to_ask_and_keeps_its_credentials_out_of_its_repr():
    asked = request()
    assert (asked.path, asked.query, asked.json()) == ("/v1/responses", {"a": "1", "b": "x y"}, {"n": 1})
    assert asked.headers["authorization"] == "Bearer sk-1"
    assert repr(asked) == "RecordedRequest(method='POST', target='/v1/responses?a=1&b=x%20y', connection=1)"


def test_one_reply_answers_every_request():
    script = Script[bytes | int](b"x")
    assert [script.choose(request()) for _ in range(3)] == [b"x"] * 3
    assert script.unused == 0


def test_a_sequence_is_used_up_in_order():
    script = Script[int]([500, 200])
    assert script.unused == 2
    assert [script.choose(request()) for _ in range(3)] == [500, 200, None]
    assert script.unused == 0


def test_a_function_chooses_by_the_request():
    script = Script[int](lambda asked: 201 if asked.method == "GET" else 200)
    assert [script.choose(request()), script.choose(request("GET"))] == [200, 201]


def test_the_longest_route_that_fits_is_taken():
    script = Script[int]({"/responses": 1, "POST /v1/responses": 2, "GET /responses": 3, "/models": 4})
    assert script.choose(request()) == 2
    assert script.choose(request("GET")) == 3
    assert script.choose(request("PUT")) == 1
    assert script.choose(request(target="/other")) is None
