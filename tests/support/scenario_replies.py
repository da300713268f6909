"""A scenario's replies as those of a server, and where they wait for the caller.

`then` is how an answer ends, `before` what happens in place of its head: "reset", "close", or {"stall": seconds} after
which a limit of the client, with just so much left, must strike.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from codex_client.client.fixtures import load_fixture
from codex_client.testing import (
    Close,
    CommentFlood,
    Hold,
    Reply,
    Reset,
    Stall,
    Step,
    chat_turn,
    ev_completed,
    ev_created,
    ev_item_added,
    ev_item_done,
    ev_reasoning_summary_delta,
    ev_reasoning_summary_part_added,
    ev_text_delta,
    function_call_item,
    message_item,
    reasoning_item,
    sse,
)
from codex_client.testing.scripts import Send

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
_STEPS: dict[str, Step] = {"reset": Reset(), "close": Close(), "comments": CommentFlood(interval=10.0)}


@dataclass(frozen=True)
class Shown:
    """The reply goes on when the caller has seen this text, and no more."""

    text: str


@dataclass(frozen=True)
class Silence:
    """The reply never goes on; a limit of the client with so many seconds left must end it. `answered`: its head has
    arrived by then.
    """

    seconds: float
    answered: bool


Rest: TypeAlias = Shown | Silence


def reply_of(spec: Mapping[str, Any], *, chat: bool) -> tuple[Reply, list[Rest]]:
    """The reply, and its rests in order. Raises `ValueError` for a word that it does not know."""
    rests: list[Rest] = []
    spec = dict(spec)
    status, headers = spec.pop("status", 200), spec.pop("headers", {})
    before, then = spec.pop("before", None), spec.pop("then", None)
    cut, streams = spec.pop("cut", None), not spec.keys() & {"json", "body"}
    steps = [_step(step, rests, answered=False) for step in (before,) if step is not None]
    body = list(_body(spec, rests, chat=chat, breaks=then is not None))
    body += [_step(step, rests) for step in (then,) if step is not None]
    if spec:
        raise ValueError(f"a reply has no {', '.join(spec)}")
    given = {name.lower() for name in headers}
    kind = "text/event-stream" if streams else "application/json"
    headers = headers if "content-type" in given else {"content-type": kind, **headers}
    return Reply(status=status, headers=headers, body=body, before_head=steps, cut=cut), rests


def _step(step: Any, rests: list[Rest], *, answered: bool = True) -> Step:
    if isinstance(step, str):
        return _STEPS[step]
    ((kind, seconds),) = step.items()
    if kind == "stall":
        rests.append(Silence(float(seconds), answered))
        return Stall()
    assert kind == "shown", f"there is no step {kind!r}"
    rests.append(Shown(seconds))
    return Hold()


def _body(spec: dict[str, Any], rests: list[Rest], *, chat: bool, breaks: bool) -> Iterator[Step | bytes]:
    if "json" in spec:
        yield json.dumps(spec.pop("json")).encode()
    elif "body" in spec:
        yield spec.pop("body").encode()
    elif "sse" in spec:
        yield Send(spec.pop("sse").encode())
    elif "fixture" in spec:
        yield Send(load_fixture(FIXTURES / spec.pop("fixture")))
    elif "events" in spec:
        for event in spec.pop("events"):
            rest = isinstance(event, dict) and set(event) == {"shown"}
            yield _step(event, rests) if rest else Send(sse([event]))
    elif chat and "says" in spec:
        yield Send(sse(chat_turn(**_chat(spec)), done=True))
    elif "says" in spec:
        for event in _turn(spec, breaks=breaks):
            yield _step(event, rests) if "shown" in event else Send(sse([event]))


def _chat(spec: dict[str, Any]) -> dict[str, Any]:
    return {"text": "".join(spec.pop("says")), "response_id": spec.pop("id", "chatcmpl-1")}


def _turn(spec: dict[str, Any], *, breaks: bool) -> Iterator[dict[str, Any]]:
    """The events of a turn that says these pieces; without its end where it breaks off. A piece {"shown": …} waits."""
    response_id, seal = spec.pop("id", "resp_1"), spec.pop("seal", None)
    pieces, calls = spec.pop("says"), spec.pop("calls", [])
    summary, usage = spec.pop("thinks", ""), spec.pop("usage", None)
    index = 0
    yield ev_created(response_id)
    if summary or seal:
        yield ev_item_added(reasoning_item(), index)
        if summary:
            yield ev_reasoning_summary_part_added(0, index)
            yield ev_reasoning_summary_delta(summary, 0, index)
        yield ev_item_done(reasoning_item([summary] if summary else [], encrypted_content=seal), index)
        index += 1
    if pieces:
        yield ev_item_added(message_item(status="in_progress"), index)
        for piece in pieces:
            yield piece if isinstance(piece, dict) else ev_text_delta(piece, index)
        if breaks:
            return
        yield ev_item_done(message_item("".join(piece for piece in pieces if isinstance(piece, str))), index)
        index += 1
    if breaks:
        return
    for call_id, name, arguments in calls:
        yield ev_item_done(function_call_item(call_id, name, arguments), index)
        index += 1
    yield ev_completed(response_id, **({} if usage is None else {"usage": usage}))
