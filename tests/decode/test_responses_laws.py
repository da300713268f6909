"""Laws of the Responses decoder, on made-up turns of servers that leave out, repeat and mix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from httpx_sse import ServerSentEvent
from hypothesis import given, strategies as st

from codex_client import errors
from codex_client.aggregate import CollectedResponse
from codex_client.client.framer import SseFramer
from codex_client.decode.responses import ResponsesDecoder
from codex_client.events import Completed, OutputItemAdded, OutputItemDone, OutputTextDelta, ResponseEvent
from codex_client.items import parse_item
from codex_client.testing import check_events, ev_completed, ev_created, ev_error, ev_failed, ev_incomplete, sse
from tests.support.collected import collected
from tests.support.responses_stream import decode_frames

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
NAMES = {
    "output_text": ("output_text", "content_index", "text"),
    "refusal": ("refusal", "content_index", "refusal"),
    "reasoning_text": ("reasoning_text", "content_index", "text"),
    "summary_text": ("reasoning_summary_text", "summary_index", "text"),
    "function_call": ("function_call_arguments", "", "arguments"),
    "custom_tool_call": ("custom_tool_call_input", "", "input"),
}


@dataclass
class Story:
    """An item and the frames that a server might tell it with. `whole`: they tell all of it."""

    item: dict[str, Any]
    frames: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    whole: bool = False


@dataclass
class Turn:
    stories: list[Story]
    frames: list[dict[str, Any]]
    output: list[dict[str, Any]]


@st.composite
def items(draw: st.DrawFn, index: int) -> dict[str, Any]:
    match draw(st.sampled_from(["message", "reasoning", "function_call", "custom_tool_call", "spell"])):
        case "message":
            content = draw(st.lists(st.tuples(st.sampled_from(["output_text", "refusal"]), TEXT), max_size=3))
            parts = [{"type": kind, "text" if kind == "output_text" else "refusal": text} for kind, text in content]
            return {
                "type": "message",
                "id": f"msg_{index}",
                "role": "assistant",
                "status": "completed",
                "content": parts,
            }
        case "reasoning":
            summary = [{"type": "summary_text", "text": text} for text in draw(st.lists(TEXT, max_size=3))]
            content = [{"type": "reasoning_text", "text": text} for text in draw(st.lists(TEXT, max_size=2))]
            return {"type": "reasoning", "id": f"rs_{index}", "summary": summary, "content": content}
        case "function_call":
            return {
                "type": "function_call",
                "id": f"fc_{index}",
                "call_id": f"c{index}",
                "name": "f",
                "arguments": draw(TEXT),
            }
        case "custom_tool_call":
            return {
                "type": "custom_tool_call",
                "id": f"ct_{index}",
                "call_id": f"c{index}",
                "name": "g",
                "input": draw(TEXT),
            }
        case kind:
            return {"type": kind, "id": f"sp_{index}", "mana": 3}


def parts_of(item: dict[str, Any]) -> list[tuple[str, int, str]]:
    """Kind, index and text of each part."""
    match item["type"]:
        case "message":
            return [(part["type"], i, part.get("text") or part["refusal"]) for i, part in enumerate(item["content"])]
        case "reasoning":
            texts = [*enumerate(item["summary"])], [*enumerate(item["content"])]
            return [(part["type"], i, part["text"]) for parts in texts for i, part in parts]
        case "function_call":
            return [("function_call", 0, item["arguments"])]
        case "custom_tool_call":
            return [("custom_tool_call", 0, item["input"])]
        case _:
            return []


def announced(item: dict[str, Any]) -> dict[str, Any]:
    empty: dict[str, Any] = {"content": [], "summary": [], "arguments": "", "input": "", "status": "in_progress"}
    return {name: empty.get(name, value) for name, value in item.items()}


@st.composite
def stories(draw: st.DrawFn, index: int, *, announce: bool = False) -> Story:
    story = Story(draw(items(index)))
    here: dict[str, Any] = {"output_index": index, "item_id": story.item["id"]}
    told = announce or draw(st.booleans())
    if told:
        story.frames.append({"type": "response.output_item.added", "item": announced(story.item), **here})
    for kind, part_index, text in parts_of(story.item):
        name, index_field, text_field = NAMES[kind]
        place = {**here, index_field: part_index} if index_field else here
        cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
        sent = draw(st.just(len(text)) | st.integers(0, len(text)))
        edges = [cut for cut in cuts if cut < sent]
        for start, end in zip([0, *edges], [*edges, sent], strict=True):
            story.frames.append({"type": f"response.{name}.delta", "delta": text[start:end], **place})
        if draw(st.booleans()):
            story.frames.append({"type": f"response.{name}.done", text_field: text, **place})
        elif sent < len(text):
            told = False
            break
    story.whole = told
    if draw(st.booleans()):
        story.whole = True
        story.frames.append({"type": "response.output_item.done", "item": story.item, **here})
    return story


@st.composite
def turns(draw: st.DrawFn, *, in_order: bool = False) -> Turn:
    """In order: each item is announced, and told to its end before the next."""
    count = draw(st.integers(0, 4))
    told = [draw(stories(index, announce=in_order)) for index in range(count)]
    owners = [story for story in told for _ in story.frames]
    if not in_order:
        owners = draw(st.permutations(owners)) if owners else []
    waiting = {id(story): iter(story.frames) for story in told}
    frames = [next(waiting[id(story)]) for story in owners]
    repeat = draw(st.booleans()) or not all(story.whole for story in told)
    return Turn(told, [ev_created(), *frames], [story.item for story in told] if repeat else [])


def frames_of(events: Sequence[dict[str, Any]], *, names: bool = True) -> list[ServerSentEvent]:
    return list(SseFramer().feed(sse(events, names=names)))


def truth_of(turn: Turn) -> CollectedResponse:
    return CollectedResponse(items=tuple(parse_item(story.item) for story in turn.stories))


def facts(response: CollectedResponse) -> tuple[object, ...]:
    return (
        response.text,
        response.refusal,
        response.reasoning_text,
        response.reasoning_summary,
        response.tool_calls,
        [item.type for item in response.items],
    )


@given(turns())
def test_a_completed_turn_is_whole_however_it_is_told(turn: Turn) -> None:
    events, decoder = decode_frames(frames_of([*turn.frames, ev_completed(output=turn.output)]))
    check_events(events)
    assert isinstance(events[-1], Completed)
    assert decoder.failure is None
    assert facts(collected(events)) == facts(truth_of(turn))


@given(turns())
def test_each_item_is_announced_once_and_done_once(turn: Turn) -> None:
    events, _ = decode_frames(frames_of([*turn.frames, ev_completed(output=turn.output)]))
    each = list(range(len(turn.stories)))
    assert sorted(event.output_index for event in events if isinstance(event, OutputItemAdded)) == each
    assert sorted(event.output_index for event in events if isinstance(event, OutputItemDone)) == each


@given(turns(in_order=True))
def test_a_turn_in_order_needs_no_indexes(turn: Turn) -> None:
    bare = [{name: value for name, value in frame.items() if name != "output_index"} for frame in turn.frames]
    events, _ = decode_frames(frames_of([*bare, ev_completed(output=turn.output)]))
    check_events(events)
    assert facts(collected(events)) == facts(truth_of(turn))


@given(turns(), st.data())
def test_repeated_unknown_and_empty_frames_change_nothing(turn: Turn, data: st.DataObject) -> None:
    plain = [*turn.frames, ev_completed(output=turn.output)]
    noise: list[dict[str, Any]] = [{"type": "keepalive"}, {"type": "response.new_thing", "error": {"a": 1}}]
    noisy: list[dict[str, Any]] = []
    for frame in plain:
        noisy += data.draw(st.lists(st.sampled_from(noise), max_size=1))
        again = frame["type"] in ("response.created", "response.output_item.added", "response.output_item.done")
        noisy += [frame] * (2 if again and data.draw(st.booleans()) else 1)
    assert decode_frames(frames_of(noisy))[0] == decode_frames(frames_of(plain))[0]


@given(turns(), st.booleans())
def test_event_names_may_be_missing(turn: Turn, names: bool) -> None:
    told = [*turn.frames, ev_completed(output=turn.output)]
    assert decode_frames(frames_of(told, names=names))[0] == decode_frames(frames_of(told))[0]


@given(turns())
def test_every_prefix_gives_a_prefix_of_the_events_and_then_a_typed_error(turn: Turn) -> None:
    frames = frames_of([*turn.frames, ev_completed(output=turn.output)])
    whole, _ = decode_frames(frames)
    for end in range(len(frames)):
        events, decoder = decode_frames(frames[:end])
        check_events(events)
        assert events == whole[: len(events)]
        with pytest.raises(errors.StreamClosedError):
            decoder.feed_eof()


ENDS = st.sampled_from([ev_completed(), ev_failed("server_error", "m"), ev_error("server_error", "m"), ev_incomplete()])


@given(turns(), ENDS, st.data())
def test_nothing_after_a_terminal_frame_is_read(turn: Turn, last: dict[str, Any], data: st.DataObject) -> None:
    frames = frames_of([*turn.frames, last])
    events, decoder = decode_frames(frames)
    after = data.draw(st.lists(st.sampled_from([*frames, *frames_of([{"type": "note"}])]), max_size=5))
    longer, later = decode_frames([*frames, *after])
    assert longer == events
    assert (later.finished, later.ignored, type(later.failure)) == (True, decoder.ignored, type(decoder.failure))
    assert sum(isinstance(event, Completed) for event in longer) == (decoder.failure is None)


@given(turns(), ENDS.filter(lambda last: last["type"] != "response.completed"))
def test_a_failed_turn_keeps_what_came_before(turn: Turn, last: dict[str, Any]) -> None:
    before, _ = decode_frames(frames_of(turn.frames))
    events, decoder = decode_frames(frames_of([*turn.frames, last]))
    assert isinstance(decoder.failure, errors.ResponseFailedError)
    assert events == before
    assert collected(events).text == collected(before).text


@given(turns())
def test_the_body_of_a_turn_gives_the_same_items(turn: Turn) -> None:
    output = [story.item for story in turn.stories]
    (frame,) = frames_of([ev_completed(output=output)])
    events = ResponsesDecoder().feed(frame)
    check_events(events)
    assert [event.item for event in events if isinstance(event, OutputItemDone)] == [
        parse_item(item) for item in output
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = (
    "response item delta text arguments input output_index content_index summary_index item_id call_id headers error "
    "rate_limits credits responses response_error response_output_item_done detail object end_turn"
)
KINDS = (
    "response.created response.in_progress response.output_item.added response.output_item.done response.metadata "
    "response.output_text.delta response.output_text.done response.refusal.delta response.reasoning_summary_text.delta "
    "response.reasoning_summary_part.added response.function_call_arguments.delta response.completed keepalive "
    "response.function_call_arguments.done response.incomplete response.failed codex.rate_limits error"
)
ITEM_TYPES = ["message", "reasoning", "function_call", "custom_tool_call", "x"]
ITEM_FIELDS = ["id", "role", "content", "summary", "arguments", "input", "call_id", "name", "status"]
ITEM = st.fixed_dictionaries({"type": st.sampled_from(ITEM_TYPES) | JSON}, optional=dict.fromkeys(ITEM_FIELDS, JSON))
OUTPUT = st.lists(ITEM | JSON, max_size=3)
RESPONSE = st.fixed_dictionaries(
    {}, optional={"output": OUTPUT, **dict.fromkeys(["id", "usage", "status", "error", "model"], JSON)}
)
KIND = st.sampled_from(["", *KINDS.split()])
FRAME = st.tuples(KIND, st.dictionaries(st.sampled_from(FIELDS.split()), JSON | ITEM | RESPONSE, max_size=4))


@given(st.lists(FRAME, max_size=6), st.booleans())
def test_no_json_whatever_breaks_the_decoder_or_the_order(
    told: list[tuple[str, dict[str, Any]]], raw_events: bool
) -> None:
    decoder = ResponsesDecoder(raw_events=raw_events)
    events: list[ResponseEvent] = []
    for kind, fields in told:
        for frame in frames_of([{"type": kind, **fields} if kind else fields]):
            events += decoder.feed(frame)
    texts = [event for event in events if isinstance(event, OutputTextDelta)]
    check_order(events)
    assert all(isinstance(event.delta, str) for event in texts)
    assert decoder.finished == (decoder.failure is not None or any(isinstance(event, Completed) for event in events))


def check_order(events: Sequence[ResponseEvent]) -> None:
    """As `check_events`, but for the text: a made-up done item may hold another one than its pieces."""
    check_events([event for event in events if not isinstance(event, OutputTextDelta)])
    added: set[int] = set()
    for event in events:
        if isinstance(event, OutputItemAdded):
            added.add(event.output_index)
        if isinstance(event, OutputTextDelta):
            assert event.output_index in added
