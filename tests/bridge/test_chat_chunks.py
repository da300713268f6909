"""Turns as Chat chunks: what each event becomes, and what a failure does."""

from __future__ import annotations

from typing import Any

import pytest

from codex_client import errors
from codex_client.aggregate import CollectedResponse
from codex_client.bridge.chat_chunks import ChatChunks
from codex_client.bridge.completion import chat_completion
from codex_client.bridge.reasoning import ReasoningFormat
from codex_client.bridge.requests import BridgedRequest
from codex_client.errors import CodexError, IncompleteResponseError
from codex_client.events import (
    Completed,
    Created,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    RateLimits,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    RefusalDelta,
    ResponseEvent,
    StreamRestarted,
    ToolCallInputDelta,
)
from codex_client.items import (
    CustomToolCall,
    FunctionCall,
    Message,
    OutputText,
    Reasoning,
    Refusal,
    SummaryText,
    parse_item,
)
from codex_client.model_variants import RateLimitSnapshot, TokenUsage
from codex_client.prompt import Prompt
from tests.support.bridged import deltas, joined
from tests.support.collected import collected

USAGE = TokenUsage(input_tokens=10, cached_input_tokens=4, output_tokens=7, reasoning_output_tokens=3, total_tokens=17)
CALL = FunctionCall(call_id="call_a", name="f", arguments='{"x":1}')


def asking(**options: Any) -> BridgedRequest:
    return BridgedRequest(prompt=Prompt(""), **options)


def encoder(**asked: Any) -> ChatChunks:
    return ChatChunks(model="m", created=5, response_id="own", request=asking(**asked))


def chunks_of(*events: ResponseEvent, failure: CodexError | None = None, **options: Any) -> list[dict[str, Any]]:
    chunks = encoder(**options)
    given = [chunk for event in events for chunk in chunks.feed(event)]
    return given if failure is None else given + chunks.fail(failure)


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "r1", "object": "chat.completion.chunk", "created": 5, "model": "m", "choices": [choice]}


def test_the_role_comes_once_and_every_chunk_has_one_id() -> None:
    """W1."""
    assert chunks_of(Created("r1"), OutputTextDelta("a"), OutputTextDelta("b"), Completed("r2", USAGE)) == [
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "a"}),
        chunk({"content": "b"}),
        chunk({}, "stop"),
    ]


def test_nothing_is_given_before_the_first_output() -> None:
    limits = RateLimits(RateLimitSnapshot("codex"))
    assert chunks_of(Created("r1"), limits, OutputItemAdded(Message(role="assistant", content=[]), 0)) == []


@pytest.mark.parametrize(
    "given, wanted", [([Created("r1")], "r1"), ([Created("r0"), Created("r1"), Created("")], "r1"), ([], "own")]
)
def test_the_id_is_that_of_the_turn_as_it_was_begun_last(given: list[ResponseEvent], wanted: str) -> None:
    later = [OutputTextDelta("a"), Created("r9"), OutputTextDelta("b"), Completed("r9")]
    assert {each["id"] for each in chunks_of(*given, *later)} == {wanted}


def test_an_answer_without_output_has_the_id_that_its_end_tells() -> None:
    assert chunks_of(Completed("r1")) == [chunk({"role": "assistant", "content": None}), chunk({}, "stop")]


def test_usage_comes_last_and_only_where_it_was_asked_for() -> None:
    """W4: with cached and reasoning tokens."""
    asked = chunks_of(OutputTextDelta("a"), Completed("r1", USAGE), include_usage=True)
    assert [each["usage"] for each in asked[:-1]] == [None, None, None]
    assert asked[-1]["choices"] == []
    assert asked[-1]["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 7,
        "total_tokens": 17,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    assert all(each["choices"] for each in chunks_of(Completed("r1"), include_usage=True))
    assert all("usage" not in each for each in chunks_of(Completed("r1", USAGE)))


def test_calls_have_dense_indexes_and_their_arguments_once() -> None:
    """W3: whatever else takes a place in the output."""
    second = CustomToolCall(call_id="call_b", name="g", input="raw")
    events: list[ResponseEvent] = [
        OutputItemAdded(Reasoning(summary=[]), 0),
        OutputItemAdded(CALL.model_copy(update={"arguments": ""}), 1),
        ToolCallInputDelta('{"x"', "call_a", None, 1),
        OutputItemAdded(second.model_copy(update={"input": ""}), 4),
        ToolCallInputDelta("raw", "call_b", None, 4),
        ToolCallInputDelta(":1", "call_a", None, 1),
        OutputItemDone(CALL, 1),
        OutputItemDone(second, 4),
        Completed("r1"),
    ]
    given = chunks_of(Created("r1"), *events)
    assert [entry for delta in deltas(given) for entry in delta.get("tool_calls", ())] == [
        {"index": 0, "id": "call_a", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"x"'}},
        {"index": 1, "id": "call_b", "type": "custom", "custom": {"name": "g", "input": ""}},
        {"index": 1, "custom": {"input": "raw"}},
        {"index": 0, "function": {"arguments": ":1"}},
        {"index": 0, "function": {"arguments": "}"}},
    ]
    assert given[-1] == chunk({}, "tool_calls")


def test_a_call_that_only_comes_whole_is_given_and_counts_for_the_finish_reason() -> None:
    """W4: seen in `OutputItemDone` alone."""
    given = chunks_of(Created("r1"), OutputItemDone(CALL, 3), Completed("r1"))
    assert deltas(given)[0] == {"role": "assistant", "content": None}
    assert [entry["function"]["arguments"] for delta in deltas(given) for entry in delta.get("tool_calls", ())] == [
        "",
        '{"x":1}',
    ]
    assert given[-1] == chunk({}, "tool_calls")


def test_a_call_whose_name_comes_last_is_held_until_then() -> None:
    nameless = FunctionCall(call_id="c", name="", arguments="")
    held = [
        OutputItemAdded(nameless, 0),
        ToolCallInputDelta('{"x":', "c", None, 0),
        ToolCallInputDelta("1}", "c", None, 0),
    ]
    assert chunks_of(*held) == []
    entries = [
        entry for delta in deltas(chunks_of(*held, OutputItemDone(CALL, 0))) for entry in delta.get("tool_calls", ())
    ]
    assert entries[0]["function"]["name"] == "f"
    assert [entry["function"]["arguments"] for entry in entries] == ["", '{"x":1}']


def test_what_only_a_done_item_brings_is_given_then() -> None:
    done = Message(role="assistant", content=[OutputText(text="Hello"), Refusal(refusal="No.")])
    given = chunks_of(OutputTextDelta("Hel", 0), OutputItemDone(done, 0))
    assert [delta for delta in deltas(given) if "role" not in delta] == [
        {"content": "Hel"},
        {"content": "lo"},
        {"refusal": "No."},
    ]


def test_a_done_item_that_says_something_else_adds_nothing() -> None:
    given = chunks_of(OutputTextDelta("Hello", 0), OutputItemDone(Message.assistant("Goodbye"), 0))
    assert joined(given) == {"content": "Hello"}


def test_a_text_of_nothing_is_not_given() -> None:
    assert chunks_of(OutputTextDelta("")) == []


THINKING: list[ResponseEvent] = [
    ReasoningSummaryDelta("first", 0, 0),
    ReasoningSummaryDelta(" part", 0, 0),
    ReasoningSummaryDelta("second", 1, 0),
    ReasoningContentDelta("raw", 0, 1),
    OutputTextDelta("Hello", 2),
]


@pytest.mark.parametrize(
    "form, wanted",
    [
        ("reasoning_content", {"reasoning_content": "first part\n\nsecond\n\nraw", "content": "Hello"}),
        ("think_tags", {"content": "<think>\nfirst part\n\nsecond\n\nraw\n</think>\n\nHello"}),
        ("none", {"content": "Hello"}),
    ],
)
def test_reasoning_has_the_same_form_in_both_modes(form: str, wanted: dict[str, str]) -> None:
    """W2."""
    reasoning = ReasoningFormat(form)
    assert joined(chunks_of(*THINKING, reasoning_format=reasoning)) == wanted
    whole = chat_completion(
        collected(THINKING), model="m", created=5, response_id="own", request=asking(reasoning_format=reasoning)
    )
    message = whole["choices"][0]["message"]
    assert {name: message[name] for name in ("reasoning_content", "content") if name in message} == wanted


@pytest.mark.parametrize("after", [RefusalDelta("No."), OutputItemAdded(CALL, 2), Completed("r1")])
def test_think_tags_are_closed_before_all_that_is_no_reasoning(after: ResponseEvent) -> None:
    given = chunks_of(ReasoningContentDelta("hm"), after, reasoning_format=ReasoningFormat.THINK_TAGS)
    assert joined(given)["content"] == "<think>\nhm\n</think>\n\n"


def test_tags_open_again_where_the_model_thinks_again() -> None:
    events = [ReasoningContentDelta("a"), OutputTextDelta("b", 1), ReasoningContentDelta("c", 0, 2), Completed("r1")]
    given = joined(chunks_of(*events, reasoning_format=ReasoningFormat.THINK_TAGS))
    assert given["content"] == "<think>\na\n</think>\n\nb<think>\nc\n</think>\n\n"


TALKING: list[ResponseEvent] = [
    OutputTextDelta("Let me", 0),
    OutputTextDelta(" look.", 0),
    OutputItemDone(Message.assistant("Let me look."), 0),
    ReasoningContentDelta("hm", 0, 1),
    OutputTextDelta("Two", 2),
    OutputItemDone(Message(role="assistant", content=[OutputText(text="Two"), OutputText(text=".")]), 2),
    OutputItemDone(Message(role="assistant", content=[]), 3),
    RefusalDelta("No.", 4),
    RefusalDelta(" Never.", 5),
]


@pytest.mark.parametrize(
    "form, content, thought",
    [
        ("reasoning_content", "Let me look.\n\nTwo.", "hm"),
        ("think_tags", "Let me look.<think>\nhm\n</think>\n\nTwo.", None),
        ("none", "Let me look.\n\nTwo.", None),
    ],
)
def test_a_blank_line_stands_between_messages_and_not_within_one(form: str, content: str, thought: str | None) -> None:
    reasoning = ReasoningFormat(form)
    streamed = joined(chunks_of(*TALKING, reasoning_format=reasoning))
    assert (streamed["content"], streamed["refusal"]) == (content, "No.\n\n Never.")
    assert streamed.get("reasoning_content") == thought
    asked = asking(reasoning_format=reasoning)
    whole = chat_completion(collected(TALKING), model="m", created=5, response_id="own", request=asked)
    message = whole["choices"][0]["message"]
    assert {name: message[name] for name in streamed} == streamed


ENCRYPTED = Reasoning(id="rs_1", summary=[SummaryText(text="Why")], encrypted_content="gAAA")


def test_encrypted_reasoning_goes_along_for_the_next_turn() -> None:
    details = [
        {"type": "reasoning.summary", "summary": "Why", "format": "openai-responses-v1", "id": "rs_1"},
        {"type": "reasoning.encrypted", "data": "gAAA", "format": "openai-responses-v1", "id": "rs_1"},
    ]
    given = chunks_of(Created("r1"), OutputItemDone(ENCRYPTED, 0), OutputTextDelta("Hi", 1), Completed("r1"))
    assert deltas(given)[2:] == [{"reasoning_details": details}, {"content": "Hi"}, {}]
    assert {"reasoning_details": details} in deltas(chunks_of(OutputItemDone(ENCRYPTED, 0), Completed("r1")))
    assert not chunks_of(OutputItemDone(ENCRYPTED, 0), reasoning_format=ReasoningFormat.NONE)
    whole = chat_completion(collected([OutputItemDone(ENCRYPTED, 0)]), model="m", created=5, response_id="own")
    assert whole["choices"][0]["message"]["reasoning_details"] == details


def test_encrypted_reasoning_says_who_encrypted_it() -> None:
    item = Reasoning(summary=[], encrypted_content="gAAA", issuer="i1")
    entry = {"type": "reasoning.encrypted", "data": "gAAA", "format": "openai-responses-v1", "issuer": "i1"}
    assert {"reasoning_details": [entry]} in deltas(chunks_of(OutputItemDone(item, 0), Completed("r1")))


ANNOUNCED = OutputItemAdded(Message(role="assistant", content=[]), 1)
NAMED = OutputItemAdded(FunctionCall(call_id="c1", name="f", arguments=""), 1)
OPEN = OutputItemAdded(Reasoning(id="rs_2", summary=[], encrypted_content="partial"), 1)


@pytest.mark.parametrize(
    "events, sealed",
    [
        pytest.param([OutputItemDone(ENCRYPTED, 0)], False, id="reasoning-ends-it"),
        pytest.param([OPEN, ReasoningSummaryDelta("Wh", 0, 1)], False, id="in-the-midst-of-it"),
        pytest.param([OutputItemDone(ENCRYPTED, 0), OPEN], False, id="in-the-midst-of-the-second"),
        pytest.param([OutputItemDone(ENCRYPTED, 0), ANNOUNCED], False, id="only-announced"),
        pytest.param([OutputItemDone(ENCRYPTED, 0), OutputItemDone(ANNOUNCED.item, 1)], False, id="said-nothing"),
        pytest.param([OutputItemDone(ENCRYPTED, 0), NAMED], True, id="called"),
        pytest.param([OutputItemDone(ENCRYPTED, 0), OutputTextDelta("Hi", 1)], True, id="something-came-of-it"),
    ],
)
def test_a_seal_goes_along_only_where_something_came_of_the_thought(events: list[ResponseEvent], sealed: bool) -> None:
    cut = IncompleteResponseError("cut", reason="length")
    streamed = [
        entry for delta in deltas(chunks_of(*events, failure=cut)) for entry in delta.get("reasoning_details", ())
    ]
    whole = chat_completion(collected(events), model="m", created=5, response_id="own", error=cut)
    assert streamed == whole["choices"][0]["message"].get("reasoning_details", [])
    assert [entry["data"] for entry in streamed if "data" in entry] == (["gAAA"] if sealed else [])


def test_seals_of_several_thoughts_go_along_in_their_order() -> None:
    second = ENCRYPTED.model_copy(update={"encrypted_content": "gBBB"})
    given = chunks_of(OutputItemDone(ENCRYPTED, 0), OutputItemDone(second, 1), OutputTextDelta("Hi", 2))
    [entries] = [delta["reasoning_details"] for delta in deltas(given) if "reasoning_details" in delta]
    assert [entry["data"] for entry in entries if "data" in entry] == ["gAAA", "gBBB"]


def test_a_servers_own_reasoning_details_pass_as_they_came() -> None:
    own = [{"type": "reasoning.text", "text": "hm", "signature": "s"}]
    item = parse_item({"type": "reasoning", "summary": [], "reasoning_details": own})
    assert {"reasoning_details": own} in deltas(chunks_of(OutputItemDone(item, 0)))


def test_cited_web_pages_have_their_place_in_the_whole_content() -> None:
    page = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 5}
    file = {"type": "file_citation", "file_id": "f", "index": 0, "filename": "x"}
    cited = {"type": "output_text", "text": "World", "annotations": [page, file]}
    message = parse_item(
        {"type": "message", "role": "assistant", "content": [cited, {"type": "refusal", "refusal": "x"}]}
    )
    given = chunks_of(OutputItemDone(Message.assistant("Hello."), 0), OutputItemDone(message, 1))
    citation = {"url": "https://a.example", "title": "A", "start_index": 8, "end_index": 13}
    assert deltas(given)[-1] == {"annotations": [{"type": "url_citation", "url_citation": citation}]}


@pytest.mark.parametrize(
    "reason, wanted",
    [
        ("max_output_tokens", "length"),
        ("length", "length"),
        ("cancelled", "length"),
        ("content_filter", "content_filter"),
        ("SAFETY: detail", "content_filter"),
    ],
)
def test_an_answer_that_was_cut_short_ends_with_its_finish_reason_and_usage(reason: str, wanted: str) -> None:
    """E5."""
    error = IncompleteResponseError("cut", reason=reason, token_usage=USAGE)
    given = chunks_of(Created("r1"), OutputTextDelta("a"), failure=error, include_usage=True)
    assert given[-2]["choices"] == [{"index": 0, "delta": {}, "finish_reason": wanted}]
    assert given[-1]["usage"]["total_tokens"] == 17
    whole = chat_completion(collected([OutputTextDelta("a")]), model="m", created=5, response_id="own", error=error)
    assert whole["choices"][0]["finish_reason"] == wanted


def test_any_other_failure_is_one_error_object() -> None:
    error = errors.ServerOverloadedInStreamError("server overloaded: busy", code="slow_down", server_message="busy")
    assert chunks_of(OutputTextDelta("a"), failure=error)[-1] == {
        "error": {"message": "busy", "type": "server_error", "param": None, "code": "slow_down"}
    }


def test_a_restart_after_output_cannot_be_told() -> None:
    with pytest.raises(errors.UnsupportedOperationError, match="RestartPolicy"):
        encoder().feed(StreamRestarted(2, "stall"))


def test_a_whole_completion_says_all_that_the_turn_says() -> None:
    """W5: built from the items, whatever the last event said."""
    events = [
        Created("r1"),
        OutputItemDone(Reasoning(summary=[SummaryText(text="Why")]), 0),
        OutputItemDone(Message(role="assistant", content=[OutputText(text="Hi"), Refusal(refusal="No.")]), 1),
        OutputItemDone(CALL, 2),
        OutputItemDone(CustomToolCall(call_id="call_b", name="g", input=""), 3),
        Completed("r1", USAGE),
    ]
    assert chat_completion(collected(events), model="m", created=5, response_id="own") == {
        "id": "r1",
        "object": "chat.completion",
        "created": 5,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hi",
                    "refusal": "No.",
                    "reasoning_content": "Why",
                    "tool_calls": [
                        {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
                        {"id": "call_b", "type": "custom", "custom": {"name": "g", "input": ""}},
                    ],
                },
                "finish_reason": "tool_calls",
                "logprobs": None,
            }
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 7,
            "total_tokens": 17,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
    }


def test_a_completion_of_nothing_is_still_a_message() -> None:
    cut_short = IncompleteResponseError("cut", reason="length")
    whole = chat_completion(collected([]), model="m", created=5, response_id="own", error=cut_short)
    assert whole["id"] == "own"
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": None, "refusal": None}
    assert (whole["choices"][0]["finish_reason"], whole["usage"]) == ("length", None)
    assert chat_completion(collected([]), model="m", created=5, response_id="own")["id"] == "own"
    assert chat_completion(CollectedResponse("r1"), model="m", created=5, response_id="own")["id"] == "r1"
