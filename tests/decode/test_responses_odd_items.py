"""Items with fields that are missing or odd.

The wire of each test is our own; the habit is a real server's.
"""

from __future__ import annotations

from typing import Any

import pytest

from codex_client.client.framer import SseFramer
from codex_client.decode.responses import ResponsesDecoder
from codex_client.events import (
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
)
from codex_client.items import (
    CustomToolCall,
    FunctionCall,
    Message,
    OtherItem,
    Reasoning,
    parse_item,
)
from codex_client.testing import (
    ev_completed,
    ev_item_added,
    ev_item_done,
    ev_text_delta,
    message_item,
    sse,
)
from tests.support.responses_stream import collect, events_of

MESSAGE = message_item("hi")


@pytest.mark.parametrize(
    "wire, item",
    [
        (
            {"type": "function_call", "id": "fc_1", "name": "f"},
            FunctionCall(id="fc_1", call_id="fc_1", name="f", arguments=""),
        ),
        (
            {"type": "function_call", "name": "f", "arguments": None},
            FunctionCall(call_id="call_0", name="f", arguments=""),
        ),
        (
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": {"a": ["é"]}},
            FunctionCall(call_id="c", name="f", arguments='{"a":["é"]}'),
        ),
        ({"type": "custom_tool_call", "call_id": "c", "name": "g"}, CustomToolCall(call_id="c", name="g", input="")),
        ({"type": "message", "id": "m", "content": None}, Message(id="m", role="assistant", content=[])),
        ({"type": "message", "role": "assistant"}, Message(role="assistant", content=[])),
        ({"role": "assistant", "content": "hi"}, Message(role="assistant", content="hi")),
        ({"type": "reasoning", "id": "r", "summary": None}, Reasoning(id="r", summary=[])),
        ({"type": "reasoning", "id": "r"}, Reasoning(id="r")),
        (
            {"type": "message", "id": 7, "role": "assistant", "content": []},
            Message(id="7", role="assistant", content=[]),
        ),
        (
            {"type": "message", "role": "assistant", "content": 5},
            OtherItem.model_validate({"type": "message", "role": "assistant", "content": 5}),
        ),
        (
            {"type": "function_call", "call_id": "c"},
            OtherItem.model_validate({"type": "function_call", "call_id": "c", "arguments": ""}),
        ),
    ],
)
def test_an_item_with_odd_fields_is_read_as_what_it_plainly_means(wire: dict[str, Any], item: object) -> None:
    (event,) = events_of(ev_item_added(wire))
    assert isinstance(event, OutputItemAdded)
    assert event.item == item


@pytest.mark.parametrize("wire", [{"type": 5}, {"type": ["message"]}, {"type": None}, {"type": ""}, {}, None, "x"])
def test_what_is_no_item_breaks_no_stream(wire: object) -> None:
    for kind in ("response.output_item.added", "response.output_item.done"):
        decoder = ResponsesDecoder()
        (frame,) = SseFramer().feed(sse([{"type": kind, "output_index": 0, "item": wire}]))
        assert decoder.feed(frame) == []
        assert decoder.ignored == {kind: 1}


def test_unknown_fields_of_an_item_survive() -> None:
    events = events_of(ev_item_done({**MESSAGE, "phase": "commentary", "novelty": {"a": 1}}))
    assert isinstance(events[-1], OutputItemDone)
    assert events[-1].item == parse_item({**MESSAGE, "phase": "commentary", "novelty": {"a": 1}})


def test_several_messages_in_one_turn_stay_apart() -> None:
    first, second = message_item("one", item_id="msg_1"), message_item("two", item_id="msg_2")
    response = collect(
        ev_item_added({**first, "content": [], "phase": "commentary"}, 0),
        ev_item_added({**second, "content": []}, 1),
        ev_text_delta("tw", 1),
        ev_text_delta("on", 0),
        ev_text_delta("o", 1),
        ev_text_delta("e", 0),
        ev_item_done(second, 1),
        ev_item_done(first, 0),
        ev_completed(),
    )
    assert response.items == (parse_item(first), parse_item(second))


def test_padding_log_probabilities_and_sequence_numbers_do_no_harm() -> None:
    delta = ev_text_delta("h", obfuscation="xxxx", logprobs=[{"token": "h"}], sequence_number=7)
    assert events_of(ev_item_added(message_item("")), delta)[1:] == [OutputTextDelta("h", 0, 0, "msg_1")]
