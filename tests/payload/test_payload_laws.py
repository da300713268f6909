"""What holds for every prompt: builders are pure, what they build is accepted, what they do not know survives."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel

from codex_client.items import (
    Compaction,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputFile,
    InputImage,
    InputText,
    LocalShellCall,
    Message,
    OutputText,
    Reasoning,
    ReasoningText,
    Refusal,
    ResponseItem,
    SummaryText,
    WebSearchCall,
    dump_item,
    parse_item,
)
from codex_client.model_provider import ModelProviderInfo, azure_provider, built_in_providers
from codex_client.payload.chat import ChatPayloadBuilder
from codex_client.payload.encode import encode_payload
from codex_client.payload.responses import ResponsesPayloadBuilder
from codex_client.prompt import CustomTool, FunctionTool, Prompt, RawTool, ReasoningOptions
from codex_client.testing.request_checker import check_chat_request, check_responses_request

PROVIDERS = st.sampled_from([*built_in_providers().values(), azure_provider("mine")])
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
SAID = st.text("ab \n", min_size=1, max_size=3)
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,8}", fullmatch=True)
IDS = st.none() | st.just("") | st.from_regex(r"[a-z]{2,3}_[a-z0-9]{8}", fullmatch=True)

INPUT_TEXTS = st.builds(InputText, text=TEXT)
IMAGES = st.builds(InputImage, image_url=st.just("https://a.example/b.png"), detail=st.sampled_from([None, "low"]))
FILES = st.builds(InputFile, file_data=st.just("data:text/plain;base64,aGk="), filename=st.just("a.txt"))
OUTPUT_PARTS = st.builds(OutputText, text=SAID) | st.builds(Refusal, refusal=SAID)

PARTS = st.lists(INPUT_TEXTS | IMAGES | FILES, min_size=1, max_size=3)
USER = st.builds(lambda parts: Message(role="user", content=parts), PARTS)
SYSTEM = st.builds(
    lambda role, parts: Message(role=role, content=parts),
    st.sampled_from(["system", "developer"]),
    st.lists(INPUT_TEXTS, min_size=1, max_size=2),
)
ASSISTANT = st.builds(
    lambda parts: Message(role="assistant", content=parts, status="completed"),
    st.lists(OUTPUT_PARTS, max_size=2),
)
REASONING = st.builds(
    Reasoning,
    summary=st.lists(st.builds(SummaryText, text=TEXT), max_size=2),
    content=st.none() | st.lists(st.builds(ReasoningText, text=SAID), max_size=2),
    encrypted_content=st.none() | st.just("gAAA"),
    status=st.sampled_from([None, "completed"]),
)
SEARCHES = st.builds(WebSearchCall, status=st.just("completed"), action=st.just({"type": "search", "query": "q"}))
LOCAL = st.just(parse_item({"type": "ghost_snapshot", "ghost_commit": {"id": "a"}}))
SERVER_ITEM = parse_item({"type": "code_interpreter_call", "id": "ci_1", "code": "1", "outputs": []})
SERVER = st.just(SERVER_ITEM)

TOOL_OUTPUTS: st.SearchStrategy[Any] = TEXT | st.lists(INPUT_TEXTS, max_size=2)


def with_id(item: ResponseItem, item_id: str | None) -> ResponseItem:
    return parse_item({**dump_item(item), "id": item_id})


@st.composite
def pairs(draw: st.DrawFn, number: int) -> tuple[ResponseItem, ResponseItem]:
    """A call and its output."""
    call_id, name, output = f"call_{number}", draw(NAMES), draw(TOOL_OUTPUTS)
    match draw(st.sampled_from(["function", "custom", "shell"])):
        case "function":
            arguments = draw(st.sampled_from(["", "{}", '{"a": 1}', '{"a": ']))
            call: ResponseItem = FunctionCall(call_id=call_id, name=name, arguments=arguments)
        case "custom":
            custom = CustomToolCall(call_id=call_id, name=name, input=draw(TEXT))
            return custom, CustomToolCallOutput(call_id=call_id, output=output)
        case _:
            action = {"type": "exec", "command": [draw(TEXT)], "env": {}}
            call = LocalShellCall(call_id=call_id, status="completed", action=action)
    return call, FunctionCallOutput(call_id=call_id, output=output)


@st.composite
def histories(draw: st.DrawFn, *, chat: bool) -> list[ResponseItem]:
    """Whole histories: every call has its output somewhere after it, anything may stand in between."""
    known = USER | SYSTEM | ASSISTANT | REASONING | SEARCHES | LOCAL
    items: list[ResponseItem] = draw(st.lists(known if chat else known | SERVER, max_size=8))
    items.append(Message(role="user", content=draw(st.permutations([*draw(PARTS), InputText(text="hi")]))))
    for number in range(draw(st.integers(0, 4))):
        call, output = draw(pairs(number))
        place = draw(st.integers(0, len(items)))
        items.insert(place, call)
        items.insert(draw(st.integers(place + 1, len(items))), output)
    # Ids differ; a server item has one of its own.
    kept = {index for index, item in enumerate(items) if item.type == "code_interpreter_call"}
    return [
        parse_item({**dump_item(item), "id": f"ci_{index}"})
        if index in kept
        else with_id(item, f"{item_id}{index}" if (item_id := draw(IDS)) else item_id)
        for index, item in enumerate(items)
    ]


class Answer(BaseModel):
    text: str
    more: list[int] | None = None


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
FUNCTIONS = st.builds(
    FunctionTool, name=NAMES, description=TEXT, parameters=st.sampled_from([SCHEMA, FunctionTool("f").parameters])
) | st.just(FunctionTool.from_model(Answer, strict=True))
OPTIONS: dict[str, Any] = {
    "instructions": TEXT,
    "parallel_tool_calls": st.booleans(),
    "reasoning": st.none()
    | st.builds(
        ReasoningOptions,
        effort=st.sampled_from([None, "none", "low", "xhigh"]),
        summary=st.sampled_from([None, "auto", "none"]),
    ),
    "verbosity": st.sampled_from([None, "low", "high"]),
    "prompt_cache_key": st.none() | TEXT,
    "service_tier": st.sampled_from([None, "flex", "priority"]),
    "max_output_tokens": st.none() | st.integers(1, 10**6),
    "temperature": st.none() | st.floats(0, 2),
    "top_p": st.none() | st.floats(0, 1),
    "metadata": st.none() | st.dictionaries(NAMES, TEXT, max_size=3),
    "extra": st.none() | st.just({"safety_identifier": "user"}),
}


@st.composite
def prompts(draw: st.DrawFn, *, chat: bool) -> Prompt:
    others = [CustomTool("c", format={"type": "text"}), RawTool({"type": "web_search"})]
    kinds = FUNCTIONS if chat else FUNCTIONS | st.sampled_from(others)
    tools = draw(st.lists(kinds, max_size=3, unique_by=lambda tool: getattr(tool, "name", "")))
    named = [{"type": "function", "name": tool.name} for tool in tools if isinstance(tool, FunctionTool)]
    choices = ["auto", "none", *(["required"] if tools else []), *named]
    options = draw(st.fixed_dictionaries(OPTIONS))
    if not chat:
        options["output_schema"] = draw(st.sampled_from([None, Answer]))
        options["previous_response_id"] = draw(st.sampled_from([None, "resp_1"]))
    items = draw(histories(chat=chat))
    if not chat and draw(st.booleans()):
        items.append(Compaction(encrypted_content="gAAA"))
    return Prompt(items, tools=tools, tool_choice=draw(st.sampled_from(choices)), **options)


def check_pure(build: Callable[[Prompt], dict[str, Any]], prompt: Prompt) -> dict[str, Any]:
    """Build twice, spoil the first body, build again: the same bytes each time, and the prompt is what it was."""
    before, fields = copy.deepcopy(prompt), [dump_item(item) for item in prompt.items]
    first = build(prompt)
    sent = encode_payload(first)
    spoil(first)
    assert encode_payload(build(prompt)) == sent
    assert encode_payload(build(before)) == sent
    assert prompt == before
    assert [dump_item(item) for item in prompt.items] == fields
    return json.loads(sent)


def spoil(value: Any) -> None:
    """Change everything in the body that can be changed."""
    if isinstance(value, dict):
        for field in value.values():
            spoil(field)
        value["spoiled"] = True
    elif isinstance(value, list):
        for element in value:
            spoil(element)
        value.append("spoiled")


@pytest.mark.filterwarnings("ignore::codex_client.errors.DroppedParameterWarning")
@given(prompts(chat=False), PROVIDERS, st.booleans(), st.none() | TEXT)
def test_responses_bodies_are_pure_and_accepted(
    prompt: Prompt, provider: ModelProviderInfo, store: bool, conversation_id: str | None
):
    if not provider.backend.stores:
        prompt = dataclasses.replace(prompt, previous_response_id=None)
    builder = ResponsesPayloadBuilder(
        model="m",
        provider=provider,
        store=store and provider.backend.stores,
        conversation_id=conversation_id,
        reasoning=ReasoningOptions("low"),
    )
    body = check_pure(builder.build, prompt)
    if not provider.backend.stores:
        # The API's description demands an id of what its servers ran; one that keeps nothing knows none.
        assert all("id" not in item for item in body["input"])
        body["input"] = [{**item, "id": f"id_{index}"} for index, item in enumerate(body["input"])]
    check_responses_request(body)


@pytest.mark.filterwarnings("ignore::codex_client.errors.DroppedParameterWarning")
@given(prompts(chat=True), PROVIDERS, st.none() | TEXT)
def test_chat_bodies_are_pure_and_accepted(prompt: Prompt, provider: ModelProviderInfo, conversation_id: str | None):
    builder = ChatPayloadBuilder(model="m", provider=provider, conversation_id=conversation_id)
    check_chat_request(check_pure(builder.build, prompt))


UNKNOWN = st.dictionaries(
    NAMES.map("x_{}".format), st.recursive(st.none() | TEXT | st.integers(), st.lists, max_leaves=4), max_size=2
)
HISTORY: list[ResponseItem] = [
    Message.developer("a"),
    Message.user("b", InputImage(image_url="data:,")),
    Reasoning(encrypted_content="gAAA"),
    WebSearchCall(status="completed"),
    Message.assistant("c"),
    FunctionCall(call_id="1", name="f", arguments=""),
    CustomToolCall(call_id="2", name="g", input=""),
    LocalShellCall(call_id="3", action={}),
    FunctionCallOutput(call_id="1", output="d"),
    CustomToolCallOutput(call_id="2", output=[InputText(text="e")]),
    FunctionCallOutput(call_id="3", output=""),
    SERVER_ITEM,
]


@st.composite
def extended_histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A history with fields that this library has never heard of, in items and in parts."""
    items = [{**dump_item(item), **draw(UNKNOWN)} for item in HISTORY]
    for item in items:
        for key in ("content", "output"):
            if isinstance(parts := item.get(key), list):
                item[key] = [{**part, **draw(UNKNOWN)} for part in parts]
    return items


def unknown(value: Any) -> Any:
    """Just the unknown fields, wherever they are."""
    if isinstance(value, list):
        return [unknown(element) for element in value]
    if not isinstance(value, dict):
        return None
    inner = [unknown(value[key]) for key in ("content", "output") if isinstance(value.get(key), list)]
    return {key: field for key, field in value.items() if key.startswith("x_")}, inner


@given(extended_histories(), PROVIDERS)
def test_unknown_fields_survive_to_a_responses_body(items: list[dict[str, Any]], provider: ModelProviderInfo):
    body = ResponsesPayloadBuilder(model="m", provider=provider).build(Prompt(items))
    assert unknown(body["input"]) == unknown(items)


@given(extended_histories(), PROVIDERS)
def test_unknown_fields_survive_to_a_chat_body(items: list[dict[str, Any]], provider: ModelProviderInfo):
    """In all that the Chat API has a place for; a part without unknown fields may become plain text."""
    developer, user, _, _, assistant, *rest = items = items[:-1]
    calls, outputs = rest[:3], rest[3:6]
    system, asked, said, *answers = ChatPayloadBuilder(model="m", provider=provider).build(Prompt(items))["messages"]
    for item, message in [(developer, system), (user, asked), (assistant, said), *zip(outputs, answers, strict=True)]:
        assert unknown(item)[0] == unknown(message)[0]
        parts = item["content"] if "content" in item else item["output"]
        if any(unknown(part)[0] for part in parts if isinstance(part, dict)):
            assert unknown(message["content"]) == unknown(parts)
    assert unknown(said["tool_calls"]) == unknown(calls)
