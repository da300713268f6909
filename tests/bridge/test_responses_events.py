"""Turns as the events of a Responses stream: their order, their indexes, their end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from openai.types.responses import Response, ResponseOutputTextAnnotationAddedEvent, ResponseTextDoneEvent

from codex_client import errors
from codex_client.aggregate import CollectedResponse
from codex_client.backend_profile import built_in_profiles
from codex_client.bridge.chat_chunks import ChatChunks
from codex_client.bridge.completion import chat_completion
from codex_client.bridge.requests import parse_responses_request
from codex_client.bridge.response import response_object
from codex_client.bridge.responses_events import ResponsesEvents
from codex_client.errors import CodexError, IncompleteResponseError
from codex_client.events import (
    Completed,
    Created,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    RateLimits,
    ReasoningSummaryDelta,
    RefusalDelta,
    ResponseEvent,
    StreamRestarted,
    ToolCallInputDelta,
)
from codex_client.items import (
    FunctionCall,
    Message,
    OutputText,
    Reasoning,
    Refusal,
    SummaryText,
    WebSearchCall,
    parse_item,
)
from codex_client.model_provider import WireApi
from codex_client.model_variants import RateLimitSnapshot, TokenUsage

USAGE = TokenUsage(input_tokens=10, cached_input_tokens=4, output_tokens=7, total_tokens=17)
EMPTY = Message(id="msg_1", role="assistant", content=[], status="in_progress")
HELLO = Message(id="msg_1", role="assistant", content="Hello", status="completed")


def events_of(*events: ResponseEvent, failure: CodexError | None = None, **options: Any) -> list[dict[str, Any]]:
    encoder = ResponsesEvents(**{"model": "m", "created": 5, "response_id": "own", **options})
    given = [each for event in events for each in encoder.feed(event)]
    return given if failure is None else given + encoder.fail(failure)


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def bare(event: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ("sequence_number", *names)}


def test_a_message_has_all_its_events_in_order() -> None:
    given = events_of(
        Created("r1"), OutputItemAdded(EMPTY, 0), OutputTextDelta("Hel", 0), OutputTextDelta("lo", 0),
        OutputItemDone(HELLO, 0), Completed("r1", USAGE),
    )  # fmt: skip
    assert types(given) == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert [event["sequence_number"] for event in given] == list(range(10))
    assert given[0]["response"]["status"] == "in_progress"
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
    assert bare(given[4], "type") == {**place, "delta": "Hel", "logprobs": []}
    assert bare(given[6], "type") == {**place, "text": "Hello", "logprobs": []}
    assert bare(given[7], "type") == {**place, "part": part}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "content": [part], "status": "completed"}
    assert given[8]["item"] == message
    response = given[9]["response"]
    assert (response["id"], response["status"], response["output"]) == ("r1", "completed", [message])
    assert response["usage"]["input_tokens_details"]["cached_tokens"] == 4


def test_nothing_is_given_before_the_first_output() -> None:
    nameless = FunctionCall(call_id="c", name="", arguments="")
    early = [Created("r1"), RateLimits(RateLimitSnapshot("codex")), OutputTextDelta(""), OutputItemAdded(nameless, 0)]
    assert events_of(*early, ToolCallInputDelta("{", "c", None, 0)) == []


@pytest.mark.parametrize(
    "given, wanted", [([Created("r1")], "r1"), ([Created("r0"), Created("r1"), Created("")], "r1"), ([], "own")]
)
def test_the_response_has_one_id(given: list[ResponseEvent], wanted: str) -> None:
    later = [OutputTextDelta("a"), Created("r9"), Completed("r9")]
    assert {event["response"]["id"] for event in events_of(*given, *later) if "response" in event} == {wanted}


def test_a_turn_without_output_is_created_and_completed() -> None:
    given = events_of(Completed("r1", end_turn=False))
    assert types(given) == ["created", "in_progress", "completed"]
    assert (given[-1]["response"]["id"], given[-1]["response"]["end_turn"]) == ("r1", False)


def test_items_and_parts_are_numbered_without_gaps() -> None:
    content = [OutputText(text="a"), Refusal(refusal="b"), OutputText(text="")]
    given = events_of(
        OutputItemAdded(Message(role="assistant", content=[]), 7),
        OutputTextDelta("a", 7, 3),
        RefusalDelta("b", 7, 3),
        OutputItemDone(Message(role="assistant", content=content), 7),
        OutputItemDone(WebSearchCall(id="ws", status="completed"), 9),
        Completed("r1"),
    )
    added = [event for event in given if event["type"].endswith("added")]
    assert [event.get("content_index", event["output_index"]) for event in added] == [0, 0, 1, 2, 1]
    assert [event["part"]["type"] for event in given if "part" in event] == [
        "output_text", "refusal", "output_text", "refusal", "output_text", "output_text",
    ]  # fmt: skip
    assert [item["type"] for item in given[-1]["response"]["output"]] == ["message", "web_search_call"]


def test_an_item_without_an_id_gets_one_and_keeps_it() -> None:
    given = events_of(
        Created("r1"), OutputTextDelta("a"), OutputItemDone(Message(id="late", role="assistant", content="a"), 0)
    )
    ids = {event.get("item_id") or event["item"]["id"] for event in given if "output_index" in event}
    assert len(ids) == 1
    assert ids.pop().startswith("msg_")


def test_what_is_missing_of_a_part_follows_its_pieces_however_the_server_numbers_them() -> None:
    given = events_of(OutputTextDelta("Hel", 0, 3), OutputItemDone(HELLO, 0))
    assert [(event["delta"], event["content_index"]) for event in given if "delta" in event] == [("Hel", 0), ("lo", 0)]


SUMMARY = {"type": "reasoning", "summary": [{"type": "summary_text", "text": text} for text in ("", "Why", "")]}
TEXTS = [{"type": "output_text", "text": text} for text in ("", "a", "")]


@pytest.mark.parametrize(
    "piece, item, kind, field",
    [
        (OutputTextDelta("a", 0, 1), {"type": "message", "role": "assistant", "content": TEXTS}, "output_text", "text"),
        (
            RefusalDelta("a", 0, 1),
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "refusal", "refusal": part["text"]} for part in TEXTS],
            },
            "refusal",
            "refusal",
        ),
        (ReasoningSummaryDelta("Wh", 1, 0), SUMMARY, "reasoning_summary_text", "text"),
    ],
    ids=["text", "refusal", "summary"],
)
def test_parts_without_text_take_no_place_of_one_that_came_in_pieces(
    piece: ResponseEvent, item: dict[str, Any], kind: str, field: str
) -> None:
    given = events_of(piece, OutputItemDone(parse_item(item), 0))
    index = "summary_index" if kind.startswith("reasoning") else "content_index"
    said: dict[int, str] = {}
    for event in given:
        if event["type"] == f"response.{kind}.delta":
            said[event[index]] = said.get(event[index], "") + event["delta"]
    done = {event[index]: event[field] for event in given if event["type"] == f"response.{kind}.done"}
    assert sorted(done) == [0, 1, 2]
    assert {place: text for place, text in done.items() if text} == said
    announced = [event[index] for event in given if event["type"].endswith("part.added")]
    assert announced == [0, 1, 2]


def test_the_annotations_and_log_probabilities_of_a_text_come_with_its_end() -> None:
    cited = [{"type": "file_path", "file_id": "f", "index": place} for place in (0, 1)]
    likely = [{"token": "hi", "bytes": [104], "logprob": -0.1, "top_logprobs": []}]
    part = {"type": "output_text", "text": "hi", "annotations": cited, "logprobs": likely}
    message = parse_item({"type": "message", "role": "assistant", "content": [part]})
    given = events_of(OutputTextDelta("hi"), OutputItemDone(message, 0))[4:]
    assert types(given)[1:] == [
        "output_text.annotation.added", "output_text.annotation.added", "output_text.done", "content_part.done",
        "output_item.done",
    ]  # fmt: skip
    assert [(event["annotation_index"], event["annotation"]) for event in given[1:3]] == list(enumerate(cited))
    assert (given[0]["logprobs"], given[3]["logprobs"]) == ([], likely)
    assert given[4]["part"] == given[5]["item"]["content"][0] == part
    ResponseOutputTextAnnotationAddedEvent.model_validate(given[1], strict=True)
    ResponseTextDoneEvent.model_validate(given[3], strict=True)


def test_turns_without_ids_of_their_own_share_none() -> None:
    first, second = (events_of(OutputTextDelta("a"), Completed(""), response_id=own) for own in ("resp_1", "resp_2"))
    assert [each[-1]["response"]["id"] for each in (first, second)] == ["resp_1", "resp_2"]
    assert first[2]["item"]["id"] != second[2]["item"]["id"]
    late = events_of(OutputTextDelta("a"), Created("r9"), OutputTextDelta("b", 1), response_id="resp_1")
    same = events_of(OutputTextDelta("a"), OutputTextDelta("b", 1), response_id="resp_1")
    assert late == same


def test_what_was_put_into_the_cache_is_told_where_the_server_told_it() -> None:
    told = events_of(Completed("r1", replace(USAGE, cache_write_tokens=7)))[-1]["response"]["usage"]
    assert told["input_tokens_details"] == {"cached_tokens": 4, "cache_write_tokens": 7}
    none = events_of(Completed("r1", replace(USAGE, cache_write_tokens=0)))[-1]["response"]["usage"]
    assert none["input_tokens_details"]["cache_write_tokens"] == 0
    untold = events_of(Completed("r1", USAGE))[-1]["response"]["usage"]
    assert untold["input_tokens_details"] == {"cached_tokens": 4}


def test_an_item_keeps_the_state_that_the_server_told() -> None:
    cut = Message(id="msg_1", role="assistant", content="Hel", status="incomplete")
    assert [
        item["status"] for item in events_of(OutputItemDone(cut, 0), Completed("r1"))[-1]["response"]["output"]
    ] == ["incomplete"]


def test_a_summary_has_its_parts() -> None:
    done = Reasoning(id="rs", summary=[SummaryText(text="One"), SummaryText(text="Two")], encrypted_content="gAAA")
    given = events_of(ReasoningSummaryDelta("One", 0, 0, "rs"), OutputItemDone(done, 0))[2:]
    assert types(given) == [
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "reasoning_summary_part.added",
        "reasoning_summary_text.delta", "reasoning_summary_text.done", "reasoning_summary_part.done",
        "output_item.done",
    ]  # fmt: skip
    assert given[6]["summary_index"] == 1
    assert given[-1]["item"]["encrypted_content"] == "gAAA"


def test_a_part_of_an_unknown_type_is_kept() -> None:
    odd = {"type": "hologram", "frames": 3}
    message = parse_item({"type": "message", "role": "assistant", "content": [odd]})
    given = events_of(OutputItemDone(message, 0))
    assert [event["part"] for event in given if "part" in event] == [odd, odd]


def test_raw_thoughts_have_content_parts_of_their_own() -> None:
    thought = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    given = events_of(OutputItemDone(parse_item(thought), 0))
    assert types(given)[3:-1] == [
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
    ]


@pytest.mark.parametrize(
    "kind, field, name",
    [
        ("function_call", "arguments", "function_call_arguments"),
        ("custom_tool_call", "input", "custom_tool_call_input"),
    ],
)
def test_a_calls_input_is_streamed_and_then_given_whole(kind: str, field: str, name: str) -> None:
    call = parse_item({"type": kind, "call_id": "c", "name": "f", field: "{}"})
    begun = parse_item({"type": kind, "call_id": "c", "name": "f", field: ""})
    given = events_of(OutputItemAdded(begun, 0), ToolCallInputDelta("{", "c", None, 0), OutputItemDone(call, 0))[3:]
    assert types(given) == [f"{name}.delta", f"{name}.delta", f"{name}.done", "output_item.done"]
    assert (given[1]["delta"], given[2][field], given[3]["item"]["name"]) == ("}", "{}", "f")


def test_a_call_whose_name_comes_last_is_announced_with_it() -> None:
    call = FunctionCall(call_id="c", name="f", arguments="{}")
    held = [
        OutputItemAdded(FunctionCall(call_id="c", name="", arguments=""), 0),
        ToolCallInputDelta("{}", "c", None, 0),
    ]
    given = events_of(*held, OutputItemDone(call, 0))[2:]
    assert [event["item"]["name"] for event in given if "item" in event] == ["f", "f"]
    assert [event["delta"] for event in given if "delta" in event] == ["{}"]


def test_items_that_nothing_ended_are_what_their_pieces_make_them() -> None:
    given = events_of(
        OutputItemAdded(EMPTY, 0),
        OutputTextDelta("Hel", 0),
        OutputItemAdded(WebSearchCall(id="ws"), 1),
        Completed("r1"),
    )
    message, search = given[-1]["response"]["output"]
    assert (message["content"][0]["text"], message["status"]) == ("Hel", "completed")
    assert search == {"type": "web_search_call", "id": "ws"}


@pytest.mark.parametrize(
    "reason, wanted",
    [
        ("length", "max_output_tokens"),
        ("max_output_tokens", "max_output_tokens"),
        ("safety", "content_filter"),
        ("cancelled", "cancelled"),
    ],
)
def test_an_answer_that_was_cut_short_is_incomplete_with_what_came(reason: str, wanted: str) -> None:
    """E5."""
    error = IncompleteResponseError("cut", reason=reason, token_usage=USAGE)
    given = events_of(OutputItemAdded(EMPTY, 0), OutputTextDelta("Hel", 0), failure=error)
    assert types(given)[-2:] == ["output_item.done", "incomplete"]
    response = given[-1]["response"]
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": wanted})
    assert response["usage"]["total_tokens"] == 17
    assert [item["status"] for item in response["output"]] == ["incomplete"]


@pytest.mark.parametrize(
    "error, code",
    [
        (errors.ContextWindowExceededError("long"), "context_length_exceeded"),
        (errors.InvalidRequestInStreamError("wrong"), "server_error"),
        (errors.RateLimitedInStreamError("slow", code="slow_down"), "slow_down"),
        (errors.StreamClosedError("closed"), "upstream_error"),
    ],
)
def test_a_failure_ends_the_stream_with_its_code(error: CodexError, code: str) -> None:
    given = events_of(failure=error)
    assert types(given) == ["created", "in_progress", "failed"]
    told = given[-1]["response"]
    assert (told["status"], told["error"]["code"], told["error"]["message"]) == ("failed", code, error.message)


def test_a_restart_after_output_cannot_be_told() -> None:
    with pytest.raises(errors.UnsupportedOperationError, match="RestartPolicy"):
        events_of(StreamRestarted(2, "stall"))


def test_the_response_repeats_what_was_asked() -> None:
    request = parse_responses_request(
        {
            "input": "hi",
            "instructions": "be brief",
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}],
            "tool_choice": {"type": "function", "name": "f"},
            "parallel_tool_calls": False,
            "metadata": {"a": "b"},
            "temperature": 0.5,
            "reasoning": {"effort": "low"},
            "text": {"verbosity": "low"},
            "truncation": "auto",
            "store": True,
            "user": "u",
        }
    )
    repeated = response_object(CollectedResponse("r1"), model="m", created=5, response_id="own", request=request)
    assert repeated["tools"][0]["name"] == "f"
    assert repeated["reasoning"] == {"effort": "low", "summary": None}
    assert repeated["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    same = (
        "instructions",
        "tool_choice",
        "parallel_tool_calls",
        "metadata",
        "temperature",
        "truncation",
        "store",
        "user",
    )
    assert [repeated[name] for name in same] == [
        "be brief", {"type": "function", "name": "f"}, False, {"a": "b"}, 0.5, "auto", True, "u",
    ]  # fmt: skip


ASKED = {
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": None},
    "service_tier": "flex",
    "safety_identifier": "s",
    "prompt_cache_retention": "24h",
    "prompt_cache_key": "k",
    "user": "u",
}
ONLY_RESPONSES = {"top_logprobs": 2, "max_tool_calls": 3, "truncation": "auto"}


@pytest.mark.parametrize("upstream", list(WireApi))
def test_the_response_repeats_the_same_whatever_server_is_behind(upstream: WireApi) -> None:
    request = parse_responses_request(
        {"input": "hi", **ASKED, **ONLY_RESPONSES, "include": ["message.output_text.logprobs"]}, upstream=upstream
    )
    told = response_object(CollectedResponse("r1"), model="m", created=5, response_id="own", request=request)
    Response.model_validate(told, strict=True)
    # The tier that served is another matter, and nobody told it.
    assert {name: told[name] for name in ASKED} == ASKED | {"service_tier": None}
    defaults = {"top_logprobs": None, "max_tool_calls": None, "truncation": "disabled"}
    held = ONLY_RESPONSES if upstream is WireApi.RESPONSES else defaults
    assert {name: told[name] for name in held} == held


def test_the_response_does_not_say_that_what_has_no_field_held() -> None:
    asked = {"effort": "low", "summary": "auto"}
    for upstream, summary in ((WireApi.RESPONSES, "auto"), (WireApi.CHAT, None)):
        request = parse_responses_request({"input": "hi", "reasoning": asked}, upstream=upstream)
        told = response_object(CollectedResponse("r1"), model="m", created=5, response_id="own", request=request)
        assert told["reasoning"] == {"effort": "low", "summary": summary}


@pytest.mark.parametrize("served, told", [("default", "default"), ("on_demand", None), (None, None)])
def test_the_tier_is_the_one_that_served(served: str | None, told: str | None) -> None:
    """Clients count costs by it. Some have no room for a word that OpenAI does not know."""
    request = parse_responses_request({"input": "hi", "service_tier": "flex"})
    made = ResponsesEvents(model="m", created=5, response_id="own", request=request)
    events = [
        each for event in (OutputTextDelta("a"), Completed("r1", service_tier=served)) for each in made.feed(event)
    ]
    assert [event["response"]["service_tier"] for event in events if "response" in event] == ["flex", "flex", told]
    collected = CollectedResponse("r1", service_tier=served)
    whole = response_object(collected, model="m", created=5, response_id="own", request=request)
    assert whole["service_tier"] == told
    completion = chat_completion(collected, model="m", created=5, response_id="own")
    assert completion.get("service_tier") == told
    chunks = ChatChunks(model="m", created=5, response_id="own")
    given = [
        each for event in (OutputTextDelta("a"), Completed("r1", service_tier=served)) for each in chunks.feed(event)
    ]
    assert [each.get("service_tier") for each in given] == [None, None, told]


@pytest.mark.parametrize("upstream", list(WireApi))
def test_a_format_without_a_schema_is_repeated_too(upstream: WireApi) -> None:
    request = parse_responses_request({"input": "hi", "text": {"format": {"type": "json_object"}}}, upstream=upstream)
    told = response_object(CollectedResponse("r1"), model="m", created=5, response_id="own", request=request)
    assert told["text"] == {"format": {"type": "json_object"}}


@pytest.mark.parametrize("given", ["conv_1", {"id": "conv_1"}])
def test_a_conversation_is_repeated_as_an_object(given: Any) -> None:
    request = parse_responses_request({"input": "hi", "conversation": given})
    told = response_object(CollectedResponse("r1"), model="m", created=5, response_id="own", request=request)
    assert told["conversation"] == {"id": "conv_1"}


def test_the_response_does_not_say_that_what_the_server_refuses_held() -> None:
    body = {"input": "hi", "temperature": 1, "top_p": 0.5, "max_output_tokens": 5, "metadata": {"a": "b"}, "user": "u"}
    request = parse_responses_request({**body, "store": True}, backend=built_in_profiles()["chatgpt-codex"])
    told = response_object(CollectedResponse("r1"), model="m", created=5, response_id="own", request=request)
    assert {name: told[name] for name in (*body, "store") if name != "input"} == {
        "temperature": None, "top_p": None, "max_output_tokens": None, "metadata": {}, "user": None, "store": False,
    }  # fmt: skip
    assert Response.model_validate(told, strict=True).temperature is None


def test_a_part_of_a_field_that_the_server_refuses_is_not_said_to_have_held() -> None:
    refusing = replace(built_in_profiles()["generic-responses"], refused=frozenset({"text.verbosity"}))
    request = parse_responses_request({"input": "hi", "text": {"verbosity": "low"}}, backend=refusing)
    told = response_object(CollectedResponse("r1"), model="m", created=5, response_id="own", request=request)
    assert told["text"] == {"format": {"type": "text"}, "verbosity": None}


def test_a_whole_response_that_was_cut_short_says_so() -> None:
    partial = CollectedResponse("r1", (Message.assistant("Hel"),), USAGE)
    error = IncompleteResponseError("cut", reason="length", partial=partial)
    whole = response_object(partial, model="m", created=5, response_id="own", error=error)
    assert (whole["status"], whole["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert whole["output"][0]["status"] == "incomplete"
    assert response_object(CollectedResponse(), model="m", created=5, response_id="own")["id"] == "own"
    assert response_object(CollectedResponse("r1"), model="m", created=5, response_id="own")["id"] == "r1"
