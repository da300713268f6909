"""Requests of both OpenAI APIs as prompts.

What becomes of each field. "Extra" is `Prompt.extra`, which is sent as it is; "ignored" is
`BridgedRequest.ignored`, unless the value asks for nothing (`n: 1`, `store: false`). The upstream is the API of the
server that the prompt goes to. What its profile says that it refuses is named as ignored too, whatever stands here;
where it stores nothing, so is `store`, and what would have to be stored (*) is refused.

| field of a Chat request                          | to a Responses server       | to a Chat server            |
|--------------------------------------------------|-----------------------------|-----------------------------|
| model, tools, tool_choice, parallel_tool_calls,  | the prompt's own            | the same                    |
| service_tier, prompt_cache_key, verbosity,       | the prompt's own            | the same                    |
| temperature, top_p, metadata                     | the prompt's own            | the same                    |
| messages                                         | `instructions` and `input`  | the same                    |
| max_completion_tokens, else max_tokens           | `max_output_tokens`         | the same                    |
| reasoning_effort                                 | `reasoning.effort`          | the same                    |
| `reasoning {effort, summary}` (OpenRouter's)     | `reasoning`; rest ignored   | extra                       |
| response_format                                  | extra, as `text.format`;    | extra                       |
|                                                  | rest ignored                |                             |
| user, safety_identifier, prompt_cache_retention, | extra                       | extra                       |
| prompt_cache_options                             | extra                       | extra                       |
| stream, stream_options.include_usage             | `BridgedRequest`; rest      | `BridgedRequest`; rest      |
|                                                  | ignored                     | ignored                     |
| what stands beside a tool's `function`           | ignored                     | sent with the tool          |
| tools without a form of the Chat API             | the prompt's own            | refused                     |
| logprobs, top_logprobs                           | ignored                     | ignored                     |
| n above 1, output modalities other than text,    | refused                     | refused                     |
| functions, function_call that ask for something  | refused                     | refused                     |
| seed, stop, penalties, … and all unknown fields  | ignored                     | extra                       |
| fields of messages and parts without a name here | ignored                     | sent with the message       |
| those whose name the item uses for something     | ignored                     | ignored                     |
| an assistant message that says nothing           | left out                    | left out                    |

| field of a Responses request                     | to a Responses server       | to a Chat server            |
|--------------------------------------------------|-----------------------------|-----------------------------|
| model, input, instructions, tools, tool_choice,  | the prompt's own            | the same                    |
| parallel_tool_calls, service_tier, temperature,  | the prompt's own            | the same                    |
| prompt_cache_key, max_output_tokens, top_p,      | the prompt's own            | the same                    |
| metadata                                         | the prompt's own            | the same                    |
| previous_response_id                             | the prompt's own (*)        | refused                     |
| `reasoning {effort, summary}`                    | `reasoning`; extra if more  | the effort; rest ignored    |
| text.verbosity                                   | `verbosity`                 | `verbosity`                 |
| text.format                                      | extra, all of `text`        | extra, as `response_format` |
| user, safety_identifier, prompt_cache_retention, | extra                       | extra                       |
| prompt_cache_options                             | extra                       | extra                       |
| stream                                           | `BridgedRequest`            | `BridgedRequest`            |
| tools that only the Responses API has            | the prompt's own            | refused                     |
| stream_options                                   | ignored                     | ignored                     |
| background: true                                 | refused                     | refused                     |
| conversation, prompt                             | extra (*)                   | refused                     |
| include, store, truncation, … and all unknown    | extra                       | ignored                     |
| an assistant message that says nothing           | the same                    | left out                    |
| one that repeats the one before it, without ids  | the same                    | sent once                   |

A Responses request that leaves `store` out asks OpenAI's servers to keep the response; here nothing is kept unless
`store` is true. Calls whose ids begin anew in every step get ids of their own, with their outputs. A function that says
nothing of `strict` is not strict on the Chat API; on the Responses API its server decides, so there it stays unsaid.

What a payload builder makes of the prompt has the request's fields again, but for those it always sends (`stream`,
`store`, `parameters` of functions, `strict` of a Chat request's or a Chat server's, a Responses server's `tool_choice`
and `parallel_tool_calls`), content in the form of a list or a text as the API's servers take it, and leading system
messages as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from codex_client.backend_profile import BackendProfile
from codex_client.bridge.call_pairs import paired
from codex_client.bridge.chat_history import ChatHistory
from codex_client.bridge.fields import Fields
from codex_client.bridge.options import (
    chat_reasoning,
    chat_verbosity,
    includes_usage,
    response_format,
    responses_reasoning,
    responses_verbosity,
)
from codex_client.bridge.reasoning import ReasoningFormat
from codex_client.bridge.response_input import parsed_input
from codex_client.bridge.server_limits import (
    asks_for_something,
    note_ignored,
    refuse_what_is_not_kept,
    refused_fields,
)
from codex_client.bridge.tool_fields import parsed_choice, parsed_tools
from codex_client.items import Message, ResponseItem
from codex_client.model_provider import WireApi
from codex_client.payload.history import is_blank
from codex_client.prompt import Prompt

# Both APIs know these by the same name, and the prompt has no place for them.
_SHARED = ("user", "safety_identifier", "prompt_cache_retention", "prompt_cache_options")
_ANY_BACKEND = BackendProfile(name="any")


@dataclass(frozen=True, kw_only=True)
class BridgedRequest:
    """A request of an OpenAI client, ready to be served.

    `prompt.model` is the model asked for, None where the request names none. `stream` and `include_usage` say how to
    answer, `reasoning_format` how a Chat answer shows the model's reasoning. `ignored` names the fields that change
    nothing: there was no place for them, or the server is known to refuse them.
    """

    prompt: Prompt
    stream: bool = False
    include_usage: bool = False
    reasoning_format: ReasoningFormat = ReasoningFormat.REASONING_CONTENT
    ignored: tuple[str, ...] = ()


NOTHING_ASKED = BridgedRequest(prompt=Prompt(""))


def parse_chat_request(
    body: Mapping[str, Any],
    *,
    upstream: WireApi = WireApi.RESPONSES,
    backend: BackendProfile = _ANY_BACKEND,
    reasoning_format: ReasoningFormat = ReasoningFormat.REASONING_CONTENT,
) -> BridgedRequest:
    """The body of `POST /chat/completions`. `upstream`: the API of the server that the prompt goes to; `backend`: what
    it is known to refuse.

    With think tags as `reasoning_format` those in earlier answers are read back. Raises `InvalidPayloadError`, whose
    `param` names the field, for whatever is no such request.
    """
    request, to_chat = Fields(body), upstream is WireApi.CHAT
    _refuse_chat_fields(request)
    history = ChatHistory(keeps_extras=to_chat, reasoning_format=reasoning_format)
    history.read(request.children("messages"))
    if all(map(is_blank, history.items)):
        raise request.fault("messages", "say nothing; give a message with a text")
    ignored = history.ignored
    extra = _shared(request) | response_format(request, ignored, to_chat=to_chat)
    for name in ("logprobs", "top_logprobs"):
        note_ignored(name, request.get(name), ignored)
    max_tokens, max_completion_tokens = request.whole("max_tokens"), request.whole("max_completion_tokens")
    prompt = Prompt(
        tuple(history.items),
        instructions="\n\n".join(filter(None, history.instructions)),
        verbosity=chat_verbosity(request, extra),
        reasoning=chat_reasoning(request, extra, ignored, to_chat=to_chat),
        max_output_tokens=max_tokens if max_completion_tokens is None else max_completion_tokens,
        **_same_on_both(request, ignored, to_chat=to_chat),
    )
    return BridgedRequest(
        stream=bool(request.flag("stream")),
        include_usage=includes_usage(request, ignored),
        reasoning_format=reasoning_format,
        prompt=replace(prompt, extra=_extra(request, extra, ignored, backend, keeps_rest=to_chat)),
        ignored=tuple(ignored),
    )


def parse_responses_request(
    body: Mapping[str, Any], *, upstream: WireApi = WireApi.RESPONSES, backend: BackendProfile = _ANY_BACKEND
) -> BridgedRequest:
    """The body of `POST /responses`. `upstream`, `backend` and errors as for `parse_chat_request`.

    Items and content parts of types that are not known are passed on: a server may know them.
    """
    request, to_chat = Fields(body), upstream is WireApi.CHAT
    if request.flag("background"):
        raise request.fault("background", "is true, but answers are given at once only; leave it out")
    if to_chat or not backend.stores:
        refuse_what_is_not_kept(request)
    ignored: dict[str, None] = {} if request.child("stream_options") is None else {"stream_options": None}
    extra = _shared(request)
    prompt = Prompt(
        _input(request),
        instructions=request.text("instructions") or "",
        previous_response_id=request.text("previous_response_id"),
        verbosity=responses_verbosity(request, extra, to_chat=to_chat),
        reasoning=responses_reasoning(request, extra, ignored, to_chat=to_chat),
        max_output_tokens=request.whole("max_output_tokens"),
        **_same_on_both(request, ignored, to_chat=to_chat),
    )
    return BridgedRequest(
        stream=bool(request.flag("stream")),
        prompt=replace(prompt, extra=_extra(request, extra, ignored, backend, keeps_rest=not to_chat)),
        ignored=tuple(ignored),
    )


def _input(request: Fields) -> str | tuple[ResponseItem, ...]:
    """As it came, but for calls: each has an id of its own. `prompt` may bring an input of its own."""
    given = parsed_input(request)
    continues = any(request.values.get(name) is not None for name in ("previous_response_id", "conversation"))
    items = (Message.user(given),) if isinstance(given, str) else tuple(paired(given, continues=continues))
    if not continues and request.values.get("prompt") is None and all(map(is_blank, items)):
        raise request.fault("input", "says nothing; give a text, or items with one")
    return given if isinstance(given, str) else items


def _same_on_both(request: Fields, ignored: dict[str, None], *, to_chat: bool) -> dict[str, Any]:
    parallel, metadata = request.flag("parallel_tool_calls"), request.child("metadata")
    return {
        "model": request.text("model"),
        "tools": parsed_tools(request, ignored, to_chat=to_chat),
        "tool_choice": parsed_choice(request),
        "parallel_tool_calls": True if parallel is None else parallel,
        "service_tier": request.text("service_tier"),
        "prompt_cache_key": request.text("prompt_cache_key"),
        "temperature": request.number("temperature"),
        "top_p": request.number("top_p"),
        "metadata": None if metadata is None else metadata.values,
    }


def _refuse_chat_fields(request: Fields) -> None:
    if request.whole("n") not in (None, 1):
        raise request.fault("n", "asks for more than one answer; send the request once for each")
    if request.get("modalities") not in (None, ["text"]):
        raise request.fault("modalities", "asks for more than text, which is all there is")
    for name in ("functions", "function_call"):
        if asks_for_something(name, request.get(name)):
            raise request.fault(name, "is the form before tools; send `tools` and `tool_choice`")


def _shared(request: Fields) -> dict[str, Any]:
    return {name: value for name in _SHARED if (value := request.get(name)) is not None}


def _extra(
    request: Fields, extra: dict[str, Any], ignored: dict[str, None], backend: BackendProfile, *, keeps_rest: bool
) -> dict[str, Any] | None:
    """All that is sent beside the prompt's own fields; what is not, or is refused, is noted in `ignored`."""
    rest = request.rest()
    unsent = {} if keeps_rest else rest
    if not backend.stores and "store" in rest:
        unsent = {**unsent, "store": rest.pop("store")}
    for name, value in unsent.items():
        note_ignored(name, value, ignored)
    ignored.update(dict.fromkeys(refused_fields(request, backend)))
    return (extra | rest if keeps_rest else extra) or None
