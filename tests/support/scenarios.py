"""Scenarios: what a caller asks, what the server answers, and what must come of it, as data.

`fixtures/README.md` describes the form. A word that the form does not know is an error, and what a scenario does not
mention must not happen: no warning, no retry, no log record, no error.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

FOLDER = Path(__file__).parent.parent.parent / "fixtures" / "provider"

_COUNTS = {"G": 5, "M": 5, "V": 9, "W": 5, "E": 6, "T": 9}
ROWS = [f"{letter}{number}" for letter, count in _COUNTS.items() for number in range(1, count + 1)]
# Failures of the backend that none of these tells whole.
ROWS += ["F2", "F5", "F6", "F6b", "F7", "F9", "F9b", "F10", "F10b", "F10c", "F11", "F12", "F13", "F13b", "F14"]
ROWS += ["F15", "F15b", "F17", "F18"]

Json: TypeAlias = dict[str, Any]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sent(_Strict):
    """One request. `body` and `headers` are parts of what was sent, `without` are places that are not in the body."""

    method: str = "POST"
    path: str = ""
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    without_headers: list[str] = []
    body: Json = {}
    without: list[str] = []
    same_body_as: int | None = None


class ChatSeen(_Strict):
    """What a client of the Chat API is given of the turn by the bridge."""

    reasoning: str = "reasoning_content"
    deltas: list[Json] | None = None
    message: Json = {}
    finish_reason: str | None = None
    usage: Json | None = None


class Seen(_Strict):
    """What the caller has of a turn. `error`: its class, and those of its attributes that are named."""

    text: str = ""
    refusal: str = ""
    reasoning: list[str] = []
    calls: list[list[str]] = []
    items: list[str] | None = None
    events: list[str] | None = None
    usage: dict[str, int] | None = None
    end_turn: bool | None = None
    restarts: int = 0
    retries: list[tuple[str, float]] = []
    error: Json | None = None
    warnings: list[str] = []
    logged: list[str] = []
    hidden: list[str] = []
    ignored: list[str] = []
    chat: ChatSeen | None = None


class Turn(_Strict):
    ask: Json
    replies: list[Json | Literal["backend"]] = []
    sent: list[Sent] = []
    seen: Seen = Seen()


class Listing(_Strict):
    """One question for the models, so many seconds `after` the one before. `models`: by slug what is said of it."""

    after: float = 0.0
    reply: Json | Literal["backend"]
    sent: Sent
    slugs: list[str] = []
    models: dict[str, Json] = {}
    etag: str | None = None
    error: Json | None = None


class Case(_Strict):
    """A client of its own. `accounts`: logins behind it; without any it has a key, and every reply is scripted.

    `provider`: a profile by its name, `host` in place of the server's own name for it, `api`. `carrier` "messages":
    the turns go over a transport that is no HTTP.
    """

    name: str
    provider: Json = {}
    config: Json = {}
    accounts: list[Json] = []
    carrier: Literal["http", "messages"] = "http"
    turns: list[Turn] = []
    listings: list[Listing] = []
    source: str = ""
    unreachable: list[int] = []


class Scenario(_Strict):
    row: str
    law: str = Field(min_length=20)
    kind: Literal["turns", "models", "source"] = "turns"
    cases: list[Case] = Field(min_length=1)


@cache
def scenarios() -> dict[str, Scenario]:
    """All of them by file name, in the order of `ROWS`."""
    files = {path.name: Scenario.model_validate_json(path.read_bytes()) for path in FOLDER.glob("*.json")}
    return dict(sorted(files.items(), key=lambda each: (ROWS.index(each[1].row), each[0])))


def holds(actual: Any, expected: Any, place: str = "") -> None:
    """Assert that a JSON value is, or has, what is expected: objects may have more, lists are as long."""
    if isinstance(expected, dict):
        assert isinstance(actual, dict), f"{place}: {actual!r} is no object"
        for key, part in expected.items():
            assert key in actual, f"{place}: there is no {key!r} in {json.dumps(actual, default=str)}"
            holds(actual[key], part, f"{place}.{key}")
    elif isinstance(expected, list):
        assert isinstance(actual, list), f"{place}: {actual!r} is no list"
        assert len(actual) == len(expected), f"{place}: {len(actual)} and not {len(expected)} in {actual!r}"
        for index, (one, part) in enumerate(zip(actual, expected, strict=True)):
            holds(one, part, f"{place}[{index}]")
    else:
        assert actual == expected, f"{place}: {actual!r} is not {expected!r}"
        assert type(actual) is type(expected) or {type(actual), type(expected)} == {int, float}, place


def is_there(body: Any, place: str) -> bool:
    """Whether a body has something at a dotted place."""
    for step in place.split("."):
        if isinstance(body, list):
            body = dict(enumerate(body))
        key: Any = int(step) if step.isdigit() else step
        if not isinstance(body, dict) or key not in body:
            return False
        body = body[key]
    return True
