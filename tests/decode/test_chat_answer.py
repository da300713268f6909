"""The content of deltas: text, refusals and reasoning in all their spellings."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from codex_client.aggregate import TurnAccumulator
from codex_client.decode.chat_answer import ChatAnswer
from codex_client.events import OutputItemAdded, OutputItemDone, ReasoningContentDelta, ResponseEvent
from codex_client.items import FunctionCall, Message, Reasoning, ReasoningText, Refusal, ResponseItem

THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}, {"type": "text", "text": "m."}]}


def run(*deltas: dict[str, Any], ignored: Counter[str] | None = None) -> tuple[ResponseItem, ...]:
    """The whole items. What the deltas alone add up to must be the same, apart from `reasoning_details`."""
    chat_answer = ChatAnswer(Counter() if ignored is None else ignored)
    events: list[ResponseEvent] = [event for delta in deltas for event in chat_answer.feed(delta, "seed")]
    done = chat_answer.done()
    assert [bare(item) for item in items_of(events)] == [bare(item) for item in items_of(events + done)]
    assert [event.output_index for event in done if isinstance(event, OutputItemDone)] == list(range(len(done)))
    assert chat_answer.begun == bool(done)
    return items_of(done)


def items_of(events: list[ResponseEvent]) -> tuple[ResponseItem, ...]:
    total = TurnAccumulator()
    total.feed(events)
    return total.response().items


def bare(item: ResponseItem) -> dict[str, Any]:
    return {name: value for name, value in item.model_dump().items() if name != "reasoning_details"}


def reasoning(text: str, details: list[Any] | None = None) -> Reasoning:
    fields: dict[str, Any] = {"summary": []}
    if text:
        fields["content"] = [ReasoningText(text=text)]
    if details is not None:
        fields["reasoning_details"] = details
    return Reasoning(**fields)


def says(text: str) -> Message:
    return Message(role="assistant", content=text)


@pytest.mark.parametrize(
    "deltas",
    [
        [{"content": "Hello"}],
        [{"content": "Hel"}, {"content": ""}, {"content": None}, {"content": "lo"}],
        [{"role": "assistant", "content": "Hel", "name": "assistant", "token_id": 5}, {"role": None, "content": "lo"}],
        [{"content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]}],
        [{"content": [{"text": "Hel"}]}, {"content": "lo"}],
        [{"content": ["Hel", "lo"]}],
        [{"content": [{"type": "output_text", "text": "Hello"}, {"type": "text", "text": ""}, {"text": None}]}],
    ],
)
def test_text_in_every_form_is_one_message(deltas: list[dict[str, Any]]) -> None:
    assert run(*deltas) == (says("Hello"),)


@pytest.mark.parametrize(
    "deltas",
    [
        [{"refusal": "N"}, {"refusal": ""}, {"refusal": "o"}],
        [{"content": [{"type": "refusal", "refusal": "No"}]}],
        [{"content": "", "refusal": "No"}],
    ],
)
def test_a_refusal_is_a_message_with_a_refusal(deltas: list[dict[str, Any]]) -> None:
    assert run(*deltas) == (Message(role="assistant", content=[Refusal(refusal="No")]),)


@pytest.mark.parametrize(
    "deltas",
    [
        pytest.param([{"reasoning_content": "Hm"}, {"reasoning_content": "m."}], id="reasoning-content"),
        pytest.param([{"reasoning": "Hm"}, {"reasoning": "m."}], id="reasoning"),
        pytest.param([{"reasoning": {"text": "Hm"}}, {"reasoning": {"content": "m."}}], id="reasoning-object"),
        pytest.param([{"reasoning_content": "Hmm.", "reasoning": "Hmm."}], id="both-once"),
        pytest.param([{"reasoning_content": "", "reasoning": "Hmm."}], id="first-that-is-not-empty"),
        pytest.param([{"reasoning_content": None, "reasoning": "Hmm.", "content": ""}], id="null"),
        pytest.param([{"content": [THINKING]}], id="thinking-list"),
        pytest.param([{"content": [{"type": "thinking", "thinking": "Hmm.", "closed": True}]}], id="thinking-text"),
        pytest.param([{"reasoning": "Hmm.", "content": [THINKING]}], id="thinking-repeats-it"),
        pytest.param(
            [{"content": [{"type": "thinking", "thinking": None}]}, {"reasoning": "Hmm."}], id="thinking-without-text"
        ),
    ],
)
def test_reasoning_in_every_spelling_is_one_item_with_one_text(deltas: list[dict[str, Any]]) -> None:
    assert run(*deltas) == (reasoning("Hmm."),)


def test_reasoning_deltas_all_belong_to_content_0() -> None:
    chat_answer = ChatAnswer(Counter())
    assert [chat_answer.feed({"reasoning": text}, "") for text in ("a", "b")] == [
        [OutputItemAdded(Reasoning(summary=[]), 0), ReasoningContentDelta("a", 0, 0)],
        [ReasoningContentDelta("b", 0, 0)],
    ]


def test_reasoning_in_the_same_delta_comes_before_the_text() -> None:
    assert run({"content": "Hello", "reasoning": "Hmm."}) == (reasoning("Hmm."), says("Hello"))


def test_text_that_began_before_the_reasoning_stays_before_it() -> None:
    assert run({"content": "Hel"}, {"reasoning": "Hmm."}, {"content": "lo"}) == (says("Hello"), reasoning("Hmm."))


def test_inline_think_tags_are_text() -> None:
    assert run({"content": "<think>Hm</think>Hello"}) == (says("<think>Hm</think>Hello"),)


TEXT = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
ENCRYPTED = {"type": "reasoning.encrypted", "data": "abc", "id": "rs_1", "format": "openai-responses-v1", "index": 0}


def test_details_are_kept_and_their_text_is_not_given_twice() -> None:
    assert run({"reasoning": "Hmm.", "reasoning_details": [{**TEXT, "text": "Hmm."}]}) == (
        reasoning("Hmm.", [{**TEXT, "text": "Hmm."}]),
    )


def test_encrypted_details_alone_make_a_reasoning_item() -> None:
    assert run({"content": "", "reasoning": None, "reasoning_details": [ENCRYPTED]}, {"content": "Hello"}) == (
        reasoning("", [ENCRYPTED]),
        says("Hello"),
    )


def test_details_are_the_text_where_it_is_sent_nowhere_else() -> None:
    summary = {"type": "reasoning.summary", "summary": "m.", "index": 1}
    deltas = [{"reasoning_details": [{**TEXT, "text": "Hm"}]}, {"reasoning": "", "reasoning_details": [summary]}]
    assert run(*deltas) == (reasoning("Hmm.", [{**TEXT, "text": "Hm"}, summary]),)


def test_details_that_end_a_plain_reasoning_are_no_more_text() -> None:
    end = {**TEXT, "text": "Hmm.", "signature": "sig"}
    assert run({"reasoning": "Hmm."}, {"reasoning_details": [end]}) == (reasoning("Hmm.", [end]),)


def test_the_pieces_of_one_block_become_one_entry_with_its_signature() -> None:
    """Replayed in pieces, Anthropic answers 400: the signature signs the whole text."""
    pieces = [
        {**TEXT, "text": "Hm", "signature": None},
        ENCRYPTED,
        {**TEXT, "text": "m", "signature": ""},
        {**TEXT, "text": "."},
        {**TEXT, "signature": "sig"},
        {**TEXT, "signature": None},
        {**TEXT, "index": 1, "text": "Another."},
    ]
    deltas = [{"reasoning": piece.get("text"), "reasoning_details": [piece]} for piece in pieces]
    (item,) = run(*deltas)
    assert item == reasoning(
        "Hmm.Another.",
        [{**TEXT, "text": "Hmm.", "signature": "sig"}, ENCRYPTED, {**TEXT, "index": 1, "text": "Another."}],
    )


def test_a_block_whose_first_piece_has_no_text_gets_it_from_the_others() -> None:
    summary = {"type": "reasoning.summary", "index": 0}
    (item,) = run({"reasoning_details": [summary]}, {"reasoning_details": [{**summary, "summary": "Hmm."}]})
    assert item == reasoning("Hmm.", [{**summary, "summary": "Hmm."}])


@pytest.mark.parametrize(
    "alone",
    [
        ENCRYPTED,
        {"type": "reasoning.text", "text": ""},
        {"type": "reasoning.text", "text": "", "index": None},
        {"type": "reasoning.text", "text": "", "index": "0"},
        {"type": "reasoning.text", "text": "", "index": True},
        {"type": ["reasoning.text"], "index": 0},
        {"index": 0},
        "text",
        None,
        [1],
    ],
)
def test_entries_that_are_not_pieces_stay_as_they_came(alone: Any) -> None:
    assert run({"reasoning_details": [alone]}, {"reasoning_details": [alone]}) == (reasoning("", [alone, alone]),)


@pytest.mark.parametrize("odd", [None, "x", 5, [], {}])
def test_details_of_any_other_shape_are_none(odd: Any) -> None:
    assert run({"reasoning_details": odd}) == ()


def test_content_parts_of_unknown_types_are_counted() -> None:
    ignored: Counter[str] = Counter()
    reference = {"type": "reference", "reference_ids": [1]}
    assert run({"content": [reference, {"text": "Hello"}, 5, reference]}, ignored=ignored) == (says("Hello"),)
    assert ignored == Counter({"content part reference": 2, "content part": 1})


def test_a_call_of_the_api_before_tools_is_a_function_call() -> None:
    (item,) = run(
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": '{"a"'}},
        {"function_call": {"arguments": ":1}"}},
        {"function_call": "odd"},
    )
    assert isinstance(item, FunctionCall)
    assert item == FunctionCall(call_id=item.call_id, name="f", arguments='{"a":1}')


def test_where_both_are_sent_the_tool_calls_count() -> None:
    function = {"name": "f", "arguments": "{}"}
    assert run({"tool_calls": [{"index": 0, "id": "x", "function": function}], "function_call": function}) == (
        FunctionCall(call_id="x", name="f", arguments="{}"),
    )
