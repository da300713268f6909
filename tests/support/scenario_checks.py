"""What a scenario expects, held against what came of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from pydantic_core import to_jsonable_python

from codex_client.aggregate import CollectedResponse
from codex_client.bridge.chat_chunks import ChatChunks
from codex_client.bridge.completion import chat_completion
from codex_client.bridge.reasoning import ReasoningFormat
from codex_client.bridge.requests import BridgedRequest
from codex_client.errors import CodexError, IncompleteResponseError
from codex_client.events import ResponseEvent, StreamRestarted
from codex_client.prompt import Prompt
from codex_client.testing import RecordedRequest, check_events
from tests.support.bridged import deltas, joined
from tests.support.scenario_player import KEY, Played
from tests.support.scenarios import ChatSeen, Json, Seen, Sent, holds, is_there

_ASKED_FOR = {"model": "asked-for", "created": 1_700_000_000, "response_id": "own-1"}


def check_sent(requests: Sequence[RecordedRequest], expected: Sequence[Sent]) -> None:
    assert len(requests) == len(expected), f"{len(requests)} requests were sent, and not {len(expected)}"
    for request, sent in zip(requests, expected, strict=True):
        assert (request.method, request.path.endswith(sent.path)) == (sent.method, True), request.target
        assert sent.query.items() <= request.query.items()
        for name, value in sent.headers.items():
            value = value.replace("{key}", KEY)
            assert request.headers.get(name) == value, f"{name} is {request.headers.get(name)!r}, and not {value!r}"
        assert [name for name in sent.without_headers if name in request.headers] == []
        if sent.body or sent.without:
            body = request.json()
            holds(body, sent.body, "body")
            assert [place for place in sent.without if is_there(body, place)] == []
        if sent.same_body_as is not None:
            assert request.body == requests[sent.same_body_as].body


def check_seen(played: Played, seen: Seen) -> None:
    check_error(played.error, seen.error)
    response = played.response or (played.error and played.error.partial) or CollectedResponse()
    _check_response(response, seen)
    assert [event.type for event in played.events].count(StreamRestarted.type) == seen.restarts
    last = _since_restart(played.events)
    check_events(last)
    assert response.text.startswith(played.text), "what was shown is not what it came to"
    if seen.events is not None:
        assert played.kinds == seen.events
    assert [(retry.layer, retry.delay) for retry in played.retries] == seen.retries
    _check_told(played, seen)
    assert list(played.request.ignored if played.request else ()) == seen.ignored
    if seen.chat is not None:
        check_chat(last, response, played.error, seen.chat)


def check_error(error: CodexError | None, expected: Json | None) -> None:
    """The class by name and the attributes that are named: of `partial` its text, of `last_error` again so."""
    if expected is None or error is None:
        if error is not None:
            raise error
        assert expected is None, f"there was no {expected}"
        return
    assert type(error).__name__ == expected["class"], f"{error!r} is no {expected['class']}"
    for name, value in expected.items():
        match name:
            case "class":
                pass
            case "says":
                assert [text for text in value if text not in str(error)] == [], str(error)
            case "partial":
                assert (error.partial and error.partial.text) == value, error.partial
            case "last_error":
                check_error(getattr(error, name), value)
            case _:
                assert to_jsonable_python(getattr(error, name)) == value, f"{name} is {getattr(error, name)!r}"


def _check_response(response: CollectedResponse, seen: Seen) -> None:
    assert response.text == seen.text
    assert response.refusal == seen.refusal
    assert response.reasoning_summary == seen.reasoning
    assert [[call.call_id, call.name, call.arguments] for call in response.tool_calls] == seen.calls
    assert response.end_turn == seen.end_turn
    if seen.items is not None:
        assert [item.type for item in response.items] == seen.items
    if seen.usage is not None:
        holds(to_jsonable_python(response.token_usage), seen.usage, "usage")


def _check_told(played: Played, seen: Seen) -> None:
    """Warnings and log records: all that there were, and none of them with what is content or secret."""
    assert len(played.warnings) == len(seen.warnings), played.warnings
    assert [part for part, told in zip(seen.warnings, played.warnings, strict=True) if part not in told] == []
    logged = [
        record.getMessage()
        for record in played.records
        if record.levelno >= logging.WARNING and record.name.startswith("codex_client")
    ]
    assert len(logged) == len(seen.logged), logged
    assert [part for part, told in zip(seen.logged, logged, strict=True) if part not in told] == []
    told = [
        *played.warnings,
        *(record.getMessage() for record in played.records),
        repr(played.error),
        str(played.error),
    ]
    assert [text for text in (KEY, *seen.hidden) for each in told if text in each] == []
    shown = [repr(event) for event in played.events] + [repr(played.error and played.error.partial)]
    assert [text for text in seen.hidden for each in shown if text in each] == []


def check_chat(
    events: Sequence[ResponseEvent], response: CollectedResponse, error: CodexError | None, seen: ChatSeen
) -> None:
    request = BridgedRequest(prompt=Prompt(""), include_usage=True, reasoning_format=ReasoningFormat(seen.reasoning))
    encoder = ChatChunks(**_ASKED_FOR, request=request)
    chunks = [chunk for event in events for chunk in encoder.feed(event)]
    chunks += encoder.fail(error) if error else []
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert {chunk["model"] for chunk in chunks} == {"asked-for"}
    assert ["role" in delta for delta in deltas(chunks)] == [True] + [False] * (len(deltas(chunks)) - 1)
    if seen.deltas is not None:
        assert [delta for delta in deltas(chunks) if delta] == seen.deltas
    cut_short = error if isinstance(error, IncompleteResponseError) else None
    whole = chat_completion(response, **_ASKED_FOR, request=request, error=cut_short)
    (choice,) = whole["choices"]
    texts = {name: choice["message"][name] for name in joined(chunks)}
    assert texts == joined(chunks), "the whole message is not what the chunks add up to"
    details = [entry for delta in deltas(chunks) for entry in delta.get("reasoning_details", ())]
    assert choice["message"].get("reasoning_details", []) == details
    holds(choice["message"], seen.message, "message")
    reasons = [each["finish_reason"] for chunk in chunks for each in chunk["choices"] if each["finish_reason"]]
    assert [*reasons, choice["finish_reason"]] == [seen.finish_reason] * 2
    _check_usage([chunk["usage"] for chunk in chunks if chunk["usage"]], whole["usage"], seen.usage)


def _check_usage(streamed: list[Any], whole: Any, expected: Json | None) -> None:
    assert streamed == ([] if whole is None else [whole])
    if expected is not None:
        holds(whole, expected, "usage")


def _since_restart(events: Sequence[ResponseEvent]) -> list[ResponseEvent]:
    """The events of the last beginning: those before it are void."""
    last: list[ResponseEvent] = []
    for event in events:
        if isinstance(event, StreamRestarted):
            last.clear()
        else:
            last.append(event)
    return last
