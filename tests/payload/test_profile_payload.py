"""Bodies for a server with a profile: what it demands is there, what it refuses is not, nothing is lost silently."""

from __future__ import annotations

import dataclasses
import json
import warnings
from typing import Any

import pytest

from codex_client.backend_profile import BackendProfile
from codex_client.errors import (
    ConfigurationError,
    DroppedParameterWarning,
    InvalidPayloadError,
    UnsupportedParameterError,
)
from codex_client.items import InputImage, InputText, Message, ResponseItem
from codex_client.model_provider import ModelProviderInfo, WireApi, built_in_providers
from codex_client.models import BUILT_IN_MODELS, ModelCatalogue, ModelInfo
from codex_client.payload.chat import ChatPayloadBuilder
from codex_client.payload.encode import encode_payload
from codex_client.payload.responses import ResponsesPayloadBuilder
from codex_client.prompt import Prompt, ReasoningOptions
from codex_client.testing.request_checker import check_chat_request, check_responses_request

CHATGPT = built_in_providers()["chatgpt"]
OPENAI = built_in_providers()["openai"]
OPENAI_CHAT = dataclasses.replace(OPENAI, wire_api=WireApi.CHAT)
GENERIC = ModelProviderInfo(name="some", base_url="http://localhost:9000/v1")
HI = Message.user("hi")
PICTURE = InputImage(image_url="data:,")


def build(prompt: Prompt, provider: ModelProviderInfo = CHATGPT, model: str = "gpt-5.2", **options: Any) -> Any:
    body = ResponsesPayloadBuilder(model=model, provider=provider, **options).build(prompt)
    received = json.loads(encode_payload(body))
    check_responses_request(received)
    return received


def build_chat(
    prompt: Prompt, provider: ModelProviderInfo = OPENAI_CHAT, model: str = "gpt-5.2", **options: Any
) -> Any:
    body = ChatPayloadBuilder(model=model, provider=provider, **options).build(prompt)
    check_chat_request(body)
    return body


def test_a_bare_prompt_has_all_that_the_codex_backend_demands() -> None:
    assert build(Prompt("hi"), conversation_id="c") == {
        "model": "gpt-5.2",
        "instructions": "You are a helpful assistant.",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "store": False,
        "stream": True,
        "prompt_cache_key": "c",
        "text": {"verbosity": "medium"},
        "include": ["reasoning.encrypted_content"],
    }


SEALS = "reasoning.encrypted_content"


@pytest.mark.parametrize(
    "given, sent",
    [
        ({}, [SEALS]),
        ({"include": None}, [SEALS]),
        ({"include": ["message.output_text.logprobs"]}, ["message.output_text.logprobs", SEALS]),
        ({"include": [SEALS, "file_search_call.results"]}, [SEALS, "file_search_call.results"]),
    ],
)
@pytest.mark.parametrize("reasoning", [None, ReasoningOptions("low")])
def test_encrypted_reasoning_is_always_asked_of_a_server_that_keeps_nothing(
    given: Any, sent: list[str], reasoning: ReasoningOptions | None
) -> None:
    assert build(Prompt("hi", extra=given, reasoning=reasoning))["include"] == sent


def test_others_are_asked_for_what_the_prompt_itself_names() -> None:
    extra = {"include": ["message.output_text.logprobs"]}
    assert build(Prompt("hi", extra=extra, reasoning=ReasoningOptions("low")), OPENAI)["include"] == extra["include"]
    assert "include" not in build(Prompt("hi"), OPENAI)
    odd = ResponsesPayloadBuilder(model="m", provider=CHATGPT).build(Prompt("hi", extra={"include": "x"}))
    assert odd["include"] == "x"


@pytest.mark.parametrize("given", [None, ""])
def test_instructions_are_never_empty_where_they_must_not_be(given: str | None) -> None:
    extra = None if given is None else {"instructions": given}
    assert build(Prompt("hi", extra=extra))["instructions"] == "You are a helpful assistant."
    assert "instructions" not in build(Prompt("hi"), OPENAI)


def test_ones_own_instructions_are_left_alone() -> None:
    assert build(Prompt("hi", instructions="Be brief."))["instructions"] == "Be brief."
    assert build(Prompt("hi", extra={"instructions": "Be brief."}))["instructions"] == "Be brief."


CATALOGUE = ModelCatalogue(
    models=(
        ModelInfo(slug="low-only", verbosities=("low",), default_verbosity="low"),
        ModelInfo(slug="high-only", verbosities=("high",)),
        ModelInfo(slug="untold"),
        ModelInfo(slug="all", verbosities=("low", "medium", "high")),
    )
)


@pytest.mark.parametrize(
    "model, text",
    [
        ("all", {"verbosity": "medium"}),
        ("low-only", {"verbosity": "low"}),
        ("high-only", None),
        ("untold", {"verbosity": "medium"}),
        ("newer-than-any-list", {"verbosity": "medium"}),
    ],
)
def test_the_default_verbosity_is_one_that_the_model_takes(model: str, text: Any) -> None:
    assert build(Prompt("hi"), model=model, catalogue=CATALOGUE).get("text") == text


@pytest.mark.parametrize(
    "options, text",
    [
        ({"verbosity": "low"}, {"verbosity": "low"}),
        ({"extra": {"text": {"verbosity": "high"}}}, {"verbosity": "high"}),
        ({"extra": {"text": {"format": {"type": "text"}}}}, {"verbosity": "medium", "format": {"type": "text"}}),
    ],
)
def test_a_verbosity_that_was_asked_for_stays_and_a_format_does_not_displace_it(options: Any, text: Any) -> None:
    assert build(Prompt("hi", **options))["text"] == text


def test_a_text_that_is_no_object_is_left_to_the_server() -> None:
    body = ResponsesPayloadBuilder(model="m", provider=CHATGPT).build(Prompt("hi", extra={"text": "x"}))
    assert body["text"] == "x"
    assert ResponsesPayloadBuilder(model="m", provider=OPENAI).build(Prompt("hi", extra={"text": None}))["text"] is None


FORMAT = {"format": {"type": "text"}}


@pytest.mark.parametrize(
    "given, model, text",
    [
        (None, "all", {"verbosity": "medium"}),
        ({"verbosity": None}, "all", {"verbosity": "medium"}),
        ({"verbosity": None, **FORMAT}, "all", {"verbosity": "medium", **FORMAT}),
        (None, "high-only", None),
        ({"verbosity": None}, "high-only", None),
        ({"verbosity": None, **FORMAT}, "high-only", FORMAT),
    ],
)
def test_t3_a_verbosity_of_null_is_none_that_was_asked_for(given: Any, model: str, text: Any) -> None:
    assert build(Prompt("hi", extra={"text": given}), model=model, catalogue=CATALOGUE).get("text") == text


@pytest.mark.parametrize(
    "extra", [{"stream": False}, {"stream": None}, {"store": None}, {"store": False}, {"input": "hi"}]
)
def test_t3_extra_does_not_win_over_what_a_server_that_keeps_nothing_demands(extra: Any) -> None:
    assert build(Prompt("hi", extra=extra)) == build(Prompt("hi"))
    own = dataclasses.replace(GENERIC, profile=BackendProfile(name="p", stores=False))
    assert build(Prompt("hi", extra=extra), own) == build(Prompt("hi"), own)


def test_elsewhere_extra_wins() -> None:
    extra = {"stream": False, "input": "hello"}
    body = ResponsesPayloadBuilder(model="gpt-5", provider=OPENAI).build(Prompt("hi", extra=extra))
    assert {name: body[name] for name in extra} == extra


def test_a_server_without_a_default_is_sent_no_verbosity() -> None:
    assert "text" not in build(Prompt("hi"), OPENAI)


@pytest.mark.parametrize(
    "provider", [CHATGPT, dataclasses.replace(GENERIC, profile=BackendProfile(name="p", stores=False))]
)
def test_storing_is_refused_where_nothing_is_stored(provider: ModelProviderInfo) -> None:
    message = rf"^{provider.name} stores no responses; leave `store` out, or set it to False$"
    with pytest.raises(ConfigurationError, match=message):
        build(Prompt("hi", extra={"store": True}), provider)
    with pytest.raises(ConfigurationError, match=message):
        build(Prompt("hi"), provider, store=True)
    assert build(Prompt("hi", extra={"store": False}), provider)["store"] is False


@pytest.mark.parametrize(
    "prompt, param",
    [
        (Prompt("hi", previous_response_id="resp_1"), "previous_response_id"),
        (Prompt("hi", extra={"previous_response_id": "resp_1"}), "previous_response_id"),
        (Prompt("hi", extra={"conversation": {"id": "conv_1"}}), "conversation"),
        (Prompt("hi", extra={"prompt": {"id": "pmpt_1"}}), "prompt"),
        (Prompt([Message.user("hi"), {"type": "item_reference", "id": "msg_1"}]), "input[1]"),
    ],
)
def test_what_only_a_server_that_stores_can_look_up_is_refused_elsewhere(prompt: Prompt, param: str) -> None:
    with pytest.raises(InvalidPayloadError, match=r"chatgpt .*keeps no") as raised:
        build(prompt)
    assert raised.value.param == param
    build(prompt, OPENAI)


def test_what_is_named_and_null_needs_no_looking_up() -> None:
    extra = {"previous_response_id": None, "conversation": None}
    ResponsesPayloadBuilder(model="gpt-5.2", provider=CHATGPT).build(
        Prompt("hi", previous_response_id="resp_1", extra=extra)
    )


REFUSED: dict[str, Any] = {
    "temperature": 0.5,
    "top_p": 0.5,
    "max_output_tokens": 16,
    "metadata": {"a": "b"},
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_field_is_dropped_with_one_warning_per_builder(name: str) -> None:
    builder = ResponsesPayloadBuilder(model="gpt-5.2", provider=CHATGPT)
    prompt = Prompt("hi", **{name: REFUSED[name]})
    with pytest.warns(DroppedParameterWarning, match=f"^chatgpt refuses the parameter '{name}'; it is left out of"):
        body = builder.build(prompt)
    assert body == builder.build(Prompt("hi"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert builder.build(prompt) == body
    with pytest.warns(DroppedParameterWarning):
        ResponsesPayloadBuilder(model="gpt-5.2", provider=CHATGPT).build(prompt)


def test_every_refused_field_is_warned_of_also_those_in_extra() -> None:
    names = sorted(CHATGPT.backend.refused)
    with pytest.warns(DroppedParameterWarning) as caught:
        body = build(Prompt("hi", extra=dict.fromkeys(names, 1)))
    assert body == build(Prompt("hi"))
    assert [str(warning.message).split("'")[1] for warning in caught] == names


def test_a_dotted_field_is_dropped_without_its_neighbours() -> None:
    profile = BackendProfile(name="p", refused=frozenset({"text.verbosity", "reasoning.summary", "a.b"}))
    provider = dataclasses.replace(GENERIC, profile=profile)
    prompt = Prompt("hi", verbosity="low", reasoning=ReasoningOptions("low", "auto"), extra={"a": 1})
    with pytest.warns(DroppedParameterWarning) as caught:
        body = ResponsesPayloadBuilder(model="m", provider=provider).build(prompt)
    assert len(caught) == 2
    assert body["reasoning"] == {"effort": "low"}
    assert body["a"] == 1
    assert "text" not in body


@pytest.mark.parametrize("options", [{"temperature": 0.5}, {"extra": {"user": "me"}}])
def test_strict_parameters_make_it_an_error(options: Any) -> None:
    name = "user" if "extra" in options else "temperature"
    with pytest.raises(UnsupportedParameterError, match=f"^chatgpt refuses the parameter '{name}'; ") as raised:
        build(Prompt("hi", **options), strict_parameters=True)
    assert raised.value.parameter == name


def test_chat_bodies_leave_refused_fields_out_too() -> None:
    provider = dataclasses.replace(OPENAI_CHAT, profile=BackendProfile(name="p", refused=frozenset({"temperature"})))
    with pytest.warns(DroppedParameterWarning, match="'temperature'"):
        assert "temperature" not in build_chat(Prompt("hi", temperature=1), provider)
    with pytest.raises(UnsupportedParameterError):
        build_chat(Prompt("hi", temperature=1), provider, strict_parameters=True)


SYSTEM = Message.system("S")
MIXED = Message(role="system", content=[InputText(text="look"), PICTURE])


@pytest.mark.parametrize(
    "items, instructions, roles",
    [
        pytest.param([SYSTEM, HI], "S", ["user"], id="V1_a_leading_one"),
        pytest.param([SYSTEM, SYSTEM], "", ["developer", "developer"], id="V1_nothing_else"),
        pytest.param([SYSTEM, Message.system("T"), HI], "S\n\nT", ["user"], id="V1_several"),
        pytest.param([HI, SYSTEM], "", ["user", "developer"], id="V1_a_later_one"),
        pytest.param([SYSTEM, HI, SYSTEM], "S", ["user", "developer"], id="V1_both"),
        pytest.param([Message.developer("D"), SYSTEM, HI], "", ["developer", "developer", "user"], id="V1_not_leading"),
        pytest.param([MIXED, SYSTEM, HI], "", ["developer", "developer", "user"], id="V1_with_a_picture"),
        pytest.param([HI], "", ["user"], id="V1_none"),
    ],
)
@pytest.mark.parametrize("own", ["", "Be brief."])
def test_system_messages_keep_their_meaning(
    items: list[ResponseItem], instructions: str, roles: list[str], own: str
) -> None:
    body = build(Prompt(items, instructions=own))
    expected = "\n\n".join(text for text in (own, instructions) if text)
    assert body["instructions"] == (expected or "You are a helpful assistant.")
    assert [item["role"] for item in body["input"]] == roles


def test_where_system_messages_are_taken_they_stay_where_they_are() -> None:
    assert [item["role"] for item in build(Prompt([SYSTEM, HI]), OPENAI)["input"]] == ["system", "user"]


@pytest.mark.parametrize(
    "name, own, of_client, effort",
    [
        ("gpt-5.2:high", None, None, "high"),
        ("gpt-5.2:high", None, ReasoningOptions("low"), "high"),
        ("gpt-5.2:high", ReasoningOptions("medium"), ReasoningOptions("low"), "medium"),
        ("gpt-5.2:high", ReasoningOptions(summary="auto"), None, "high"),
        ("gpt-5.2", None, ReasoningOptions("low"), "low"),
        ("gpt-5.2", ReasoningOptions("medium"), ReasoningOptions("low"), "medium"),
        ("codex/gpt-5.2-high", None, None, "high"),
        ("gpt-5.2", None, None, None),
    ],
)
@pytest.mark.parametrize("by_prompt", [True, False])
def test_the_effort_is_the_prompts_then_the_names_then_the_clients(
    name: str, own: ReasoningOptions | None, of_client: ReasoningOptions | None, effort: str | None, by_prompt: bool
) -> None:
    prompt = Prompt("hi", reasoning=own, model=name if by_prompt else None)
    model = "gpt-5" if by_prompt else name
    body = build(prompt, OPENAI, model, reasoning=of_client)
    chat = build_chat(prompt, OPENAI_CHAT, model, reasoning=of_client)
    assert (body["model"], chat["model"]) == ("gpt-5.2", "gpt-5.2")
    assert body.get("reasoning", {}).get("effort") == chat.get("reasoning_effort") == effort


def test_the_names_effort_leaves_the_summary_that_was_asked_for() -> None:
    body = build(Prompt("hi", reasoning=ReasoningOptions(summary="auto")), OPENAI, "gpt-5.2:high")
    assert body["reasoning"] == {"effort": "high", "summary": "auto"}


def test_an_effort_that_the_model_does_not_take_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ConfigurationError, match="'utmost'"):
        build(Prompt("hi", model="gpt-5.2:utmost"))


KNOWN = ModelCatalogue(
    models=(
        ModelInfo(slug="thinks", efforts=("low", "high"), verbosities=("medium",)),
        ModelInfo(slug="plain", reasons=False),
        ModelInfo(slug="untold"),
    )
)


@pytest.mark.parametrize(
    "prompt, param, told",
    [
        (Prompt("hi", model="thinks", reasoning=ReasoningOptions("max")), "reasoning.effort", "'max', but low, high"),
        (Prompt("hi", model="thinks", verbosity="low"), "text.verbosity", "the verbosity 'low', but medium; ask"),
        (Prompt("hi", model="plain", reasoning=ReasoningOptions("low")), "reasoning.effort", "takes no effort"),
        (Prompt("hi", model=" "), "model", "^no model given; name one"),
    ],
)
def test_what_the_model_is_known_not_to_take_is_refused_before_anything_is_sent(
    prompt: Prompt, param: str, told: str
) -> None:
    for refused in (
        lambda: build(prompt, OPENAI, catalogue=KNOWN),
        lambda: build_chat(prompt, OPENAI_CHAT, catalogue=KNOWN),
    ):
        with pytest.raises(InvalidPayloadError, match=told) as raised:
            refused()
        assert raised.value.param == param
        assert ("BUILT_IN_MODELS.merged(…)" in str(raised.value)) == (param != "model")


def test_the_clients_effort_is_checked_as_well() -> None:
    with pytest.raises(InvalidPayloadError, match="'thinks' does not take the effort 'max'"):
        build(Prompt("hi", model="thinks"), OPENAI, reasoning=ReasoningOptions("max"), catalogue=KNOWN)


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt("hi", model="thinks", reasoning=ReasoningOptions("high"), verbosity="medium"),
        Prompt("hi", model="plain", reasoning=ReasoningOptions(summary="auto"), verbosity="low"),
        Prompt("hi", model="untold", reasoning=ReasoningOptions("max"), verbosity="high"),
        Prompt("hi", model="newer", reasoning=ReasoningOptions("beyond"), verbosity="endless"),
        Prompt("hi", model="thinks", reasoning=ReasoningOptions("max"), extra={"model": "newer"}),
    ],
)
def test_what_nobody_knows_of_the_model_is_left_to_the_server(prompt: Prompt) -> None:
    body = ResponsesPayloadBuilder(model="m", provider=OPENAI, catalogue=KNOWN).build(prompt)
    assert body["reasoning"].get("effort") == (prompt.reasoning and prompt.reasoning.effort)
    assert body.get("text", {}).get("verbosity") == prompt.verbosity


def test_a_catalogue_of_ones_own_takes_more() -> None:
    more = KNOWN.merged(ModelCatalogue(models=(ModelInfo(slug="thinks", efforts=("low", "high", "max")),)))
    prompt = Prompt("hi", model="thinks", reasoning=ReasoningOptions("max"))
    assert build(prompt, OPENAI, catalogue=more)["reasoning"] == {"effort": "max"}


def test_other_backends_models_are_not_those_of_the_catalogue() -> None:
    body = build(Prompt("hi", model="thinks", reasoning=ReasoningOptions("max")), GENERIC, catalogue=KNOWN)
    assert body["reasoning"] == {"effort": "max"}


def test_names_with_colons_are_plain_names_elsewhere() -> None:
    assert build(Prompt("hi", model="llama3:high"), GENERIC)["model"] == "llama3:high"
    assert build(Prompt("hi"), GENERIC, "llama3")["model"] == "llama3"


def test_aliases_of_the_catalogue_hold() -> None:
    catalogue = BUILT_IN_MODELS.with_aliases({"quick": "gpt-5.2"})
    assert build(Prompt("hi", model="quick"), catalogue=catalogue)["model"] == "gpt-5.2"


@pytest.mark.parametrize("key, expected", [(None, "mine"), ("key", "key")])
def test_the_prompts_conversation_is_its_cache_key_unless_it_has_one(key: str | None, expected: str) -> None:
    prompt = Prompt("hi", conversation_id="mine", prompt_cache_key=key)
    assert build(prompt, conversation_id="clients")["prompt_cache_key"] == expected
    assert build_chat(prompt, conversation_id="clients")["prompt_cache_key"] == expected
    generic = dataclasses.replace(GENERIC, wire_api=WireApi.CHAT)
    assert build_chat(prompt, generic, conversation_id="clients").get("prompt_cache_key") == key
