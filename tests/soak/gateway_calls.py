"""One turn through a gateway from its beginning to its end, read as it comes and judged against its plan.

The caller's API, and whether it wants a stream, are drawn beside what the provider does. Nothing of the library reads
the answers here.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import anyio
import httpx

from tests.soak.accounting import LEAVING, Ending, Outcome, wrong_text
from tests.soak.plans import FATES, Plan, Scenario

HANG_SECONDS = 120.0
CODES: Mapping[Scenario, tuple[str | None, ...]] = {
    Scenario.CUT: ("upstream_error",),
    Scenario.RESET: ("upstream_error",),
    # The last of several tries may have met a connection that its server had just closed.
    Scenario.SILENCE: ("timeout", "upstream_error"),
    Scenario.RATE_LIMITED: ("rate_limit_exceeded", "upstream_error"),
    Scenario.SERVER_FAULT: ("server_error", "server_is_overloaded", "upstream_error"),
    Scenario.UNAUTHORISED: ("upstream_authentication",),
    Scenario.BAD_REQUEST: (None,),
    Scenario.HTML: ("upstream_error",),
    Scenario.MALFORMED: ("upstream_error",),
    Scenario.OVERSIZE: ("upstream_error",),
    Scenario.FAILED: ("server_error",),
    Scenario.GARBAGE: ("upstream_error",),
}
"""What the gateway's errors may have as their code."""

# They block an account for a while, and so other turns.
_HARMFUL = frozenset(
    {
        Scenario.RATE_LIMITED,
        Scenario.SERVER_FAULT,
        Scenario.TRANSIENT,
        Scenario.UNAUTHORISED,
    }
)


@dataclass(frozen=True, slots=True)
class CallOutcome(Outcome):
    """`answer_id`: of the completion or response, where it was told. `code`: of the error."""

    answer_id: str | None = None
    code: str | None = None


class BrokenRuleError(Exception):
    """An answer that its API does not allow."""


def gateway_for(plan: Plan) -> str:
    """Which gateway a plan's turn goes through: by the API of its provider, `pool` for one with accounts."""
    if plan.wire_api == "responses" and plan.choice % 2 and plan.scenario not in _HARMFUL:
        return "pool"
    return plan.wire_api


def fault_of(plan: Plan, outcome: Outcome) -> str | None:
    """What is wrong with an outcome; None where it is one that the plan allows."""
    assert isinstance(outcome, CallOutcome)
    fate = FATES[plan.scenario]
    match outcome.ending:
        case Ending.ASTRAY:
            return outcome.astray
        case Ending.COMPLETED if not fate.whole:
            return "completed, although its provider never sent a whole turn"
        case Ending.FAILED if outcome.code not in CODES.get(plan.scenario, ()):
            return f"failed with the code {outcome.code!r}"
        case Ending.LEFT if plan.behaviour not in LEAVING:
            return "ended as if it had been left, and nobody left it"
        case _ if outcome.answer_id not in (None, plan.name):
            return f"has the id of {outcome.answer_id}"
        case _:
            return wrong_text(plan, outcome)


async def call(http: httpx.AsyncClient, base_url: str, plan: Plan) -> CallOutcome:
    """Raises nothing but a cancellation from outside."""
    outcome: CallOutcome | None = None
    with anyio.move_on_after(HANG_SECONDS):
        try:
            outcome = await _turn(http, base_url, plan)
        except (BrokenRuleError, httpx.HTTPError, ValueError, LookupError, TypeError) as error:
            outcome = CallOutcome(Ending.ASTRAY, astray=f"raised {error!r}")
    return outcome or CallOutcome(Ending.ASTRAY, astray=f"hung for {HANG_SECONDS:.0f} s")


async def _turn(http: httpx.AsyncClient, base_url: str, plan: Plan) -> CallOutcome:
    answer = _ChatAnswer() if plan.choice // 2 % 2 else _ResponsesAnswer()
    leaves = plan.behaviour in LEAVING
    streamed = leaves or plan.choice // 4 % 4 != 0
    body = {"model": "m", answer.asked: [{"role": "user", "content": plan.name}], "stream": streamed}
    # As many as a pool soon knows: it remembers thousands, which would look like growth.
    headers = {"session-id": f"conversation-{plan.choice % 100}"}
    async with http.stream("POST", f"{base_url}{answer.path}", json=body, headers=headers) as response:
        if response.status_code >= 400:
            error = json.loads(await response.aread())["error"]
            return CallOutcome(Ending.FAILED, code=_code_of(error))
        if not streamed:
            return answer.whole(json.loads(await response.aread()))
        async with aclosing(_frames(response)) as frames:
            seen = 0
            async for name, data in frames:
                answer.feed(name, data)
                seen += 1
                if leaves and seen == plan.events:
                    return CallOutcome(Ending.LEFT, answer.text, answer_id=answer.id)
    return answer.end()


async def _frames(response: httpx.Response) -> AsyncGenerator[tuple[str, str]]:
    """Names and data of the events."""
    name = ""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, line.removeprefix("data: ")
        elif line and not line.startswith(":"):
            raise BrokenRuleError(f"a line that is no part of an event: {line[:80]!r}")
        else:
            name = ""


class _ChatAnswer:
    """What the chunks of one stream have said. The role comes first and once; a finish reason, then `[DONE]`; or an
    error, which is the last.
    """

    path, asked = "/chat/completions", "messages"

    def __init__(self) -> None:
        self.text = ""
        self.id: str | None = None
        self._reason: str | None = None
        self._over = False
        self._code: str | None = None
        self._failed = False

    def feed(self, name: str, data: str) -> None:
        _check(not self._over, "more after the end")
        if data == "[DONE]":
            _check(self._reason == "stop", f"done without a finish reason, {self._reason!r}")
            self._over = True
            return
        chunk = json.loads(data)
        if "error" in chunk:
            self._over = self._failed = True
            self._code = _code_of(chunk["error"])
            return
        _check(self._reason is None, "a chunk after the finish reason")
        [choice] = chunk["choices"]
        delta = choice["delta"]
        _check(("role" in delta) == (self.id is None), "the role is not where it belongs")
        _check(self.id in (None, chunk["id"]), "another id")
        self.id = chunk["id"]
        self.text += delta.get("content") or ""
        self._reason = choice["finish_reason"]

    def end(self) -> CallOutcome:
        _check(self._over, "the stream ended without an end")
        ending = Ending.FAILED if self._failed else Ending.COMPLETED
        return CallOutcome(ending, self.text, answer_id=self.id, code=self._code)

    def whole(self, value: Any) -> CallOutcome:
        [choice] = value["choices"]
        _check(choice["finish_reason"] == "stop", f"finished by {choice['finish_reason']!r}")
        return CallOutcome(Ending.COMPLETED, choice["message"]["content"], answer_id=value["id"])


class _ResponsesAnswer:
    """What the events of one stream have said. They are numbered; the last one holds the whole answer once more."""

    path, asked = "/responses", "input"

    def __init__(self) -> None:
        self.text = ""
        self.id: str | None = None
        self._events = 0
        self._last: CallOutcome | None = None

    def feed(self, name: str, data: str) -> None:
        _check(self._last is None, "more after the end")
        event = json.loads(data)
        _check(event["type"] == name, f"{event['type']} under the name {name}")
        _check(event["sequence_number"] == self._events, f"{event['sequence_number']} as number {self._events}")
        _check((self._events == 0) == (name == "response.created"), f"{name} as number {self._events}")
        self._events += 1
        if "response" in event:
            _check(self.id in (None, event["response"]["id"]), "another id")
            self.id = event["response"]["id"]
        match name:
            case "response.output_text.delta":
                self.text += event["delta"]
            case "response.output_text.done":
                _check(event["text"] == self.text, "the deltas are not the text")
            case "response.completed":
                self._last = self.whole(event["response"])
                _check(self._last.text == self.text, "the deltas are not the whole")
            case "response.failed":
                code = _code_of(event["response"]["error"])
                self._last = CallOutcome(Ending.FAILED, self.text, answer_id=self.id, code=code)
            case _:
                pass

    def end(self) -> CallOutcome:
        _check(self._last is not None, "the stream ended without an end")
        assert self._last is not None
        return self._last

    def whole(self, value: Any) -> CallOutcome:
        _check(value["status"] == "completed", f"the status is {value['status']!r}")
        parts = [part for item in value["output"] if item["type"] == "message" for part in item["content"]]
        return CallOutcome(Ending.COMPLETED, "".join(part["text"] for part in parts), answer_id=value["id"])


def _code_of(error: Any) -> str | None:
    """Of an error that has all that OpenAI's has."""
    _check(isinstance(error["message"], str) and bool(error["message"]), "an error without a message")
    _check(isinstance(error["type"], str) and bool(error["type"]), "an error without a type")
    return error["code"]


def _check(holds: bool, broken: str) -> None:
    if not holds:
        raise BrokenRuleError(broken)
