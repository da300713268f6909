"""What one stream of the soak test is to meet and to do, drawn from a seed. Pure, so that client and server agree."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from codex_client.errors import (
    AuthenticationError,
    CodexError,
    ConnectError,
    FirstEventTimeoutError,
    FrameTooLargeError,
    IdleTimeoutError,
    InvalidRequestError,
    MalformedFrameError,
    ProtocolError,
    RateLimitError,
    ReadError,
    ResponseFailedError,
    ServerError,
    ServerOverloadedError,
    StreamClosedError,
    UnexpectedContentError,
)

MAX_FRAME_BYTES = 64 * 1024
"""What the soaked clients accept; an oversize frame is larger."""

_MAX_WORDS = 200
_MAX_SECONDS = 3.0


class Scenario(StrEnum):
    """What the server does."""

    PACED = "paced"
    AT_ONCE = "at once"
    TINY_CUTS = "tiny cuts"
    GZIP = "gzip"
    COMMENT_FLOOD = "comment flood"
    SLOW_HEAD = "slow head"
    TRANSIENT = "transient refusals"
    LAST_ANSWER = "keep-alive ended"
    CUT = "cut"
    RESET = "reset"
    SILENCE = "silence"
    RATE_LIMITED = "429"
    SERVER_FAULT = "500 or 503"
    UNAUTHORISED = "401"
    BAD_REQUEST = "400"
    HTML = "html"
    MALFORMED = "malformed json"
    OVERSIZE = "oversize frame"
    FAILED = "error in stream"
    GARBAGE = "no http"
    REFUSED = "connection refused"


class Behaviour(StrEnum):
    """What the caller does."""

    ITERATE = "iterate"
    COLLECT = "collect"
    AGGREGATE = "aggregate"
    CONDENSE = "aggregate only"
    BUFFER = "buffered"
    BREAK = "break"
    RAISE = "raise"
    CANCEL_TASK = "cancel task"
    CANCEL_SCOPE = "cancel scope"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Fate:
    """How often a scenario is drawn, whether its streams may be whole, and which errors may end them."""

    weight: int
    whole: bool = False
    errors: tuple[type[CodexError], ...] = ()


FATES: Mapping[Scenario, Fate] = {
    Scenario.PACED: Fate(30, whole=True),
    Scenario.AT_ONCE: Fate(10, whole=True),
    Scenario.TINY_CUTS: Fate(4, whole=True),
    Scenario.GZIP: Fate(5, whole=True),
    Scenario.COMMENT_FLOOD: Fate(4, whole=True),
    Scenario.SLOW_HEAD: Fate(5, whole=True),
    Scenario.TRANSIENT: Fate(6, whole=True),
    Scenario.LAST_ANSWER: Fate(5, whole=True),
    # A cut behind the terminal event does no harm.
    Scenario.CUT: Fate(8, whole=True, errors=(StreamClosedError, ReadError, UnexpectedContentError)),
    Scenario.RESET: Fate(6, whole=True, errors=(StreamClosedError, ReadError)),
    Scenario.SILENCE: Fate(6, errors=(IdleTimeoutError, FirstEventTimeoutError)),
    Scenario.RATE_LIMITED: Fate(3, errors=(RateLimitError,)),
    Scenario.SERVER_FAULT: Fate(3, errors=(ServerError, ServerOverloadedError)),
    Scenario.UNAUTHORISED: Fate(2, errors=(AuthenticationError,)),
    Scenario.BAD_REQUEST: Fate(2, errors=(InvalidRequestError,)),
    Scenario.HTML: Fate(3, errors=(UnexpectedContentError,)),
    Scenario.MALFORMED: Fate(3, errors=(MalformedFrameError,)),
    Scenario.OVERSIZE: Fate(2, errors=(FrameTooLargeError,)),
    Scenario.FAILED: Fate(4, errors=(ResponseFailedError,)),
    Scenario.GARBAGE: Fate(2, errors=(ProtocolError,)),
    Scenario.REFUSED: Fate(3, errors=(ConnectError,)),
}

_BEHAVIOURS: Mapping[Behaviour, int] = {
    Behaviour.ITERATE: 10,
    Behaviour.COLLECT: 10,
    Behaviour.AGGREGATE: 4,
    Behaviour.CONDENSE: 4,
    Behaviour.BUFFER: 6,
    Behaviour.BREAK: 5,
    Behaviour.RAISE: 4,
    Behaviour.CANCEL_TASK: 5,
    Behaviour.CANCEL_SCOPE: 5,
    Behaviour.DROP: 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One stream. `name` is what its prompt says and what the server finds it by.

    `words` in its text, `seconds` that the server spreads them over, `place` (0 to 1) of the fault in the body,
    `patience`: seconds until a cancellation, or events until the caller leaves. `choice` settles what is left open.
    """

    name: str
    wire_api: str
    scenario: Scenario
    behaviour: Behaviour
    words: int
    seconds: float
    place: float
    patience: float
    choice: int

    @property
    def text(self) -> str:
        """Every word names its stream, so that a part of another stream's text is seen."""
        return " ".join(f"{self.name}.{number}" for number in range(self.words))

    @property
    def events(self) -> int:
        """After how many events the caller leaves."""
        return 1 + int(self.patience * 20)


def draw_plan(seed: int, number: int) -> Plan:
    """The plan of stream `number`, the same for the same seed."""
    dice = random.Random(f"{seed}/{number}")
    return Plan(
        name=f"soak-{number}",
        wire_api=dice.choice(["responses", "chat"]),
        scenario=dice.choices([*FATES], [fate.weight for fate in FATES.values()])[0],
        behaviour=dice.choices([*_BEHAVIOURS], [*_BEHAVIOURS.values()])[0],
        words=int(math.exp(dice.uniform(0, math.log(_MAX_WORDS)))),
        seconds=dice.uniform(0, _MAX_SECONDS),
        place=dice.random(),
        patience=dice.uniform(0, _MAX_SECONDS / 2),
        choice=dice.randrange(1 << 16),
    )


def calm_plan(number: int) -> Plan:
    """A stream without any fault, read whole; even numbers over Responses, odd ones over Chat."""
    return Plan(
        name=f"calm-{number}",
        wire_api="chat" if number % 2 else "responses",
        scenario=Scenario.AT_ONCE,
        behaviour=Behaviour.COLLECT,
        words=10,
        seconds=0.0,
        place=0.0,
        patience=0.0,
        choice=0,
    )


def slow_plan(number: int) -> Plan:
    """A whole answer after a while, in turn over Chat, over Responses, and over Responses with accounts."""
    return Plan(
        name=f"slow-{number}",
        wire_api="responses" if number % 3 else "chat",
        scenario=Scenario.SLOW_HEAD,
        behaviour=Behaviour.COLLECT,
        words=10,
        seconds=6.0,
        place=0.0,
        patience=0.0,
        choice=number % 3 // 2,
    )


def plan_of_body(seed: int, body: bytes) -> Plan:
    """The plan that a request's body names. Raises `ValueError` where it names none."""
    named = re.search(rb"(soak|calm|slow)-(\d+)", body)
    if named is None:
        raise ValueError("the request names no stream of the soak test")
    number = int(named[2])
    match named[1]:
        case b"calm":
            return calm_plan(number)
        case b"slow":
            return slow_plan(number)
        case _:
            return draw_plan(seed, number)
