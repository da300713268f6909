"""What the soak test's server answers to a plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any, assert_never

from codex_client.testing import (
    Close,
    CommentFlood,
    Pause,
    RecordedRequest,
    Reply,
    Reset,
    Stall,
    Step,
    chat_turn,
    ev_failed,
    responses_turn,
    sse,
)
from tests.soak.plans import MAX_FRAME_BYTES, Plan, Scenario, plan_of_body

_HEADERS = {"content-type": "text/event-stream"}
_RAW_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
# Waiting as told is tested elsewhere; here it must not hold a stream's place for long.
_RETRY_AFTER = {"retry-after-ms": "20"}
_FEW_PAUSES = 40
# Of the accounts that a gateway is soaked with.
_FULL_ACCOUNT = "workspace-0"
_USED_UP = {"error": {"type": "usage_limit_reached", "message": "used up", "plan_type": "plus", "resets_in_seconds": 1}}


class Answers:
    """Replies to requests by the plans they name; remembers only how often a plan was refused for now. One account is
    at its limit whenever it is tried.

    `http2`: only what can be said over HTTP/2. `pace`: what the plans' seconds are multiplied by.
    """

    def __init__(self, seed: int, *, http2: bool = False, pace: float = 1.0) -> None:
        self._seed = seed
        self._http2 = http2
        self._pace = pace
        self._refusals = Counter[str]()

    def __call__(self, request: RecordedRequest) -> Reply:
        if request.headers.get("chatgpt-account-id") == _FULL_ACCOUNT:
            return Reply.from_json(_USED_UP, status=429)
        plan = plan_of_body(self._seed, request.content)
        plan = replace(plan, seconds=plan.seconds * self._pace)
        if plan.scenario is Scenario.TRANSIENT:
            self._refusals[plan.name] += 1
            if self._refusals[plan.name] <= 1 + plan.choice % 2:
                return _refusal(plan)
            del self._refusals[plan.name]
        reply = build_reply(plan)
        return _over_http2(plan) if self._http2 and reply.transfer == "raw" else reply


def _over_http2(plan: Plan) -> Reply:
    """What comes nearest to raw bytes on an HTTP/1.1 connection."""
    if plan.scenario is Scenario.GARBAGE:
        return Reply(before_head=[Reset()])
    reply = Reply.from_sse(_body(plan))
    return (
        reply.at(len(reply.content), Close())
        if plan.scenario is Scenario.LAST_ANSWER
        else _at_place(reply, plan, Close())
    )


def _refusal(plan: Plan) -> Reply:
    status = (429, 500, 503, None)[plan.choice // 2 % 4]
    if status is None:
        return Reply(before_head=[Close()])
    return Reply.error(status, headers=_RETRY_AFTER)


def build_reply(plan: Plan) -> Reply:
    """The whole answer. `TRANSIENT` is what comes after the refusals."""
    match plan.scenario:
        case Scenario.PACED | Scenario.TRANSIENT:
            return _paced(plan)
        case Scenario.AT_ONCE:
            return Reply.from_sse(_body(plan))
        case Scenario.TINY_CUTS:
            return Reply.from_sse(_body(plan), cut=(37, 101, "random")[plan.choice % 3], seed=plan.choice)
        case Scenario.GZIP:
            return replace(_paced(plan), gzip=True)
        case Scenario.COMMENT_FLOOD:
            return _after_events(plan, CommentFlood(count=plan.choice % 300))
        case Scenario.SLOW_HEAD:
            return Reply.from_sse(_body(plan)).at("head", Pause(plan.seconds / 2))
        case Scenario.LAST_ANSWER:
            body = _body(plan)
            return Reply.raw(_RAW_HEAD, b"content-length: %d\r\n\r\n" % len(body), body)
        case Scenario.CUT:
            return _cut(plan)
        case Scenario.RESET:
            return _at_place(Reply.from_sse(_body(plan)), plan, Reset())
        case Scenario.SILENCE:
            at_head = plan.choice % 4 == 0
            reply = Reply.from_sse(_body(plan))
            return reply.at("head", Stall()) if at_head else reply.at(_before_the_end(plan, reply), Stall())
        case Scenario.RATE_LIMITED:
            return Reply.error(429, headers=_RETRY_AFTER)
        case Scenario.SERVER_FAULT:
            return Reply.error((500, 503)[plan.choice % 2])
        case Scenario.UNAUTHORISED:
            return Reply.error(401)
        case Scenario.BAD_REQUEST:
            return Reply.error(HTTPStatus.BAD_REQUEST, "x" * (plan.choice % 100_000))
        case Scenario.HTML:
            page = b"<html><title>Sign in</title>" + b"<p>x" * (plan.choice % 3000)
            return Reply(headers={"content-type": "text/html"}, body=page)
        case Scenario.MALFORMED:
            return _with_frame(plan, '{"type": "response.output_te')
        case Scenario.OVERSIZE:
            return _with_frame(plan, "x" * (MAX_FRAME_BYTES + 1 + plan.choice))
        case Scenario.FAILED:
            return _with_frame(plan, _failure(plan))
        case Scenario.GARBAGE:
            return Reply.raw(b"SSH-2.0-OpenSSH_9\r\n\r\n")
        case Scenario.REFUSED:
            raise ValueError(f"{plan.name} was to meet a port where nobody listens")
        case _:
            assert_never(plan.scenario)


def _events(plan: Plan) -> list[Any]:
    if plan.wire_api == "responses":
        return responses_turn(plan.text, response_id=plan.name)
    return [*chat_turn(plan.text, response_id=plan.name), "[DONE]"]


def _body(plan: Plan) -> bytes:
    return sse(_events(plan))


def _paced(plan: Plan) -> Reply:
    """The events in groups, a pause before each but the first."""
    events = _events(plan)
    groups = min(len(events), 1 + plan.choice % _FEW_PAUSES)
    size = -(-len(events) // groups)
    body: list[Step | bytes] = []
    for start in range(0, len(events), size):
        body += [Pause(plan.seconds / groups), sse(events[start : start + size])]
    return Reply(headers=_HEADERS, body=body[1:], transfer="chunked")


def _after_events(plan: Plan, *steps: Step) -> Reply:
    reply = Reply.from_events(_events(plan))
    sends = list(reply.steps)
    place = int(plan.place * len(sends))
    return replace(reply, body=[*sends[:place], *steps, *sends[place:]])


def _with_frame(plan: Plan, frame: Any) -> Reply:
    """The stream with one frame put in before the last event."""
    events: Sequence[Any] = _events(plan)
    place = int(plan.place * (len(events) - 2))
    return Reply.from_sse(sse([*events[:place], frame, *events[place:]]))


def _failure(plan: Plan) -> Any:
    if plan.wire_api == "responses":
        return ev_failed("server_error", "the model fell over", response_id=plan.name)
    return {"error": {"message": "the model fell over", "type": "server_error", "code": "server_error"}}


def _at_place(reply: Reply, plan: Plan, *steps: Step) -> Reply:
    return reply.at(int(plan.place * len(reply.content)), *steps)


def _before_the_end(plan: Plan, reply: Reply) -> int:
    """A place at which the turn is not over, whichever API it is of."""
    body = reply.content
    end = body.index(b'"finish_reason":"stop"') if plan.wire_api == "chat" else body.index(b"event: response.completed")
    return int(plan.place * end)


def _cut(plan: Plan) -> Reply:
    """The body ends early: between its pieces, short of its announced length, with the connection, or in a chunk."""
    body = _body(plan)
    place = int(plan.place * len(body))
    match plan.choice % 4:
        case 0:
            return Reply.raw(_RAW_HEAD, b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(body), body[:place])
        case 1:
            return Reply.from_sse(body, transfer="length").at(place, Close())
        case 2:
            return Reply.from_sse(body, transfer="close").at(place, Close())
        case _:
            return Reply.from_sse(body).at(place, Close())
