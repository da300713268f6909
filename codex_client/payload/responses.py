"""The body of `POST /responses`.

What is not set is left out, so that the server's own default holds; `store` and `stream` are always sent. Codex's first
generation sends empty `instructions`, `tools` and `include` too: the same to OpenAI, refused by some of the others.
What a server demands beyond the API, and what it refuses, its profile says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from codex_client.errors import ConfigurationError, InvalidPayloadError
from codex_client.items import (
    Compaction,
    CustomToolCallOutput,
    FunctionCallOutput,
    InputText,
    LocalShellCall,
    Message,
    OtherItem,
    OutputText,
    Reasoning,
    Refusal,
    ResponseItem,
    dump_item,
)
from codex_client.model_provider import ModelProviderInfo
from codex_client.models import BUILT_IN_MODELS, ModelCatalogue
from codex_client.payload.calls import with_fitting_ids
from codex_client.payload.chosen import chosen_model
from codex_client.payload.demanded import SEALS, add_demanded, check_kept_by_nobody
from codex_client.payload.encode import plain
from codex_client.payload.history import call_id_of, check_not_empty, checked_items, content_parts
from codex_client.payload.refused import RefusedFields
from codex_client.payload.tools import check_tool_choice, responses_tool_choice, responses_tools
from codex_client.prompt import Prompt, ReasoningOptions
from codex_client.schema import strict_schema

# The API demands a name; this is the one that codex gives to every schema.
_SCHEMA_NAME = "codex_output_schema"


class ResponsesPayloadBuilder:
    """Builds Responses bodies for one server.

    `model` is the one of prompts that name none, "" for none; `conversation_id` the prompt cache key of prompts that
    bring neither that nor a conversation of their own; `reasoning` holds for prompts that set none. `catalogue`: what
    is known of models. `strict_parameters`: what the server is known to refuse is an `UnsupportedParameterError`, and
    not left out with a `DroppedParameterWarning` (one for each field).
    `store` asks the server to keep the response, and makes item ids known to it: only then, or with
    `previous_response_id`, are they sent. Item ids of a response that was not kept are answered by 404 ("items are
    not persisted when `store` is set to false"); what an item says stands in its other fields.
    """

    def __init__(
        self,
        *,
        model: str,
        provider: ModelProviderInfo,
        conversation_id: str | None = None,
        reasoning: ReasoningOptions | None = None,
        store: bool = False,
        catalogue: ModelCatalogue = BUILT_IN_MODELS,
        strict_parameters: bool = False,
    ) -> None:
        self._model = model
        self._provider = provider
        self._backend = provider.backend
        self._conversation_id = conversation_id
        self._reasoning = reasoning
        self._store = store
        self._catalogue = catalogue
        self._refused = RefusedFields(self._backend.refused, server=provider.name, strict=strict_parameters)

    def build(self, prompt: Prompt) -> dict[str, Any]:
        """A new body that shares nothing with the prompt.

        `prompt.extra` is merged in last, key by key at the top level, and wins, but not over what the server demands.
        Raises `InvalidPayloadError` for a prompt that the API would refuse in any case, or without a model, or with an
        effort or a verbosity that the model does not take; `ConfigurationError` for storing where nothing is stored,
        `UnsupportedParameterError`.
        """
        extra: dict[str, Any] = plain(prompt.extra or {}, name="extra")
        model, reasoning = chosen_model(
            prompt, model=self._model, reasoning=self._reasoning, backend=self._backend, catalogue=self._catalogue
        )
        instructions, items = self._instructed(prompt, self._items(prompt, extra))
        payload = {
            "model": model,
            "instructions": instructions or None,
            "input": self._input(prompt, extra, items) or None,
            **_tool_fields(prompt, extra),
            "reasoning": None if reasoning is None else _reasoning(reasoning),
            "store": self._store,
            "stream": True,
            "include": None if reasoning is None else [SEALS],
            "service_tier": prompt.service_tier,
            "prompt_cache_key": prompt.prompt_cache_key or prompt.conversation_id or self._conversation_id or None,
            "text": _text(prompt) or None,
            "previous_response_id": prompt.previous_response_id,
            "max_output_tokens": prompt.max_output_tokens,
            "temperature": prompt.temperature,
            "top_p": prompt.top_p,
            "metadata": plain(prompt.metadata) or None,
        }
        body = {key: field for key, field in payload.items() if field is not None} | extra
        add_demanded(body, self._provider, self._catalogue)
        self._refused.leave_out(body)
        return body

    def _items(self, prompt: Prompt, extra: Mapping[str, Any]) -> list[ResponseItem]:
        references = [f"input[{index}]" for index, item in enumerate(prompt.items) if item.type == "item_reference"]
        if not self._backend.stores:
            check_kept_by_nobody(prompt, extra, references, server=self._provider.name)
        items = checked_items(
            prompt,
            continues=_continues(prompt, extra) or bool(references),
            may_be_empty=_may_be_empty(prompt, extra),
        )
        return with_fitting_ids(items, self._backend.max_call_id_chars)

    def _instructed(self, prompt: Prompt, items: list[ResponseItem]) -> tuple[str, list[ResponseItem]]:
        """The instructions and the items, without system messages where the server refuses them.

        Those that lead become instructions. One that comes later holds from there on, so it keeps its place, as the
        developer's: the role that ranks next.
        """
        if self._backend.takes_system_messages:
            return prompt.instructions, items
        leading = _leading_system_texts(items)
        rest = [
            item.model_copy(update={"role": "developer"})
            if isinstance(item, Message) and item.role == "system"
            else item
            for item in items[len(leading) :]
        ]
        return "\n\n".join(text for text in (prompt.instructions, *leading) if text), rest

    def _input(self, prompt: Prompt, extra: Mapping[str, Any], items: Sequence[ResponseItem]) -> list[dict[str, Any]]:
        keep_ids = _continues(prompt, extra) or bool(extra.get("store", self._store))
        fields = (self._item(f"input[{index}]", item, keep_ids=keep_ids) for index, item in enumerate(items))
        built = [field for field in fields if field]
        check_not_empty(built, may_be_empty=_may_be_empty(prompt, extra))
        return built

    def _item(self, place: str, item: ResponseItem, *, keep_ids: bool) -> dict[str, Any]:
        """The item's fields as they came, without those that the server would refuse. Empty if it says nothing then."""
        fields = dump_item(item)
        if not self._is_known_by(item, keep_ids=keep_ids):
            fields.pop("id", None)
        match item:
            case Message():
                _check_sides(f"{place}, a message of the {item.role},", item)
            case FunctionCallOutput() | CustomToolCallOutput():
                _check_sides(f"{place}, a tool's output,", item)
            case LocalShellCall():
                fields["call_id"] = call_id_of(item)
            case Reasoning():
                return self._reasoning_item(item, fields)
            case _:
                pass
        return fields

    def _is_known_by(self, item: ResponseItem, *, keep_ids: bool) -> bool:
        """Whether the item's id is one to send. What has no model of its own goes as it came, and a `compaction` too,
        but to a server that keeps nothing whatever the request says. One output has the id of its call there.
        """
        if item.type == "local_shell_call_output":
            return True
        if isinstance(item, OtherItem | Compaction):
            return self._backend.stores
        return keep_ids and bool(item.id)

    def _reasoning_item(self, item: Reasoning, fields: dict[str, Any]) -> dict[str, Any]:
        """What may go back of a reasoning item.

        OpenAI refuses its raw text ("array too long … maximum length 0") and a null `status` ("unknown parameter"),
        and demands `summary`. Other servers get the raw text back where there is no encrypted form of it: it is all
        they have. `reasoning_details` is a Chat server's own, `issuer` this side's. What then says nothing is not sent.
        """
        fields.setdefault("summary", [])
        fields.pop("reasoning_details", None)
        fields.pop("issuer", None)
        if item.content and (not self._backend.takes_raw_reasoning or item.encrypted_content):
            del fields["content"]
        if item.status is None:
            fields.pop("status", None)
        return fields if any(fields[key] for key in fields.keys() - {"type", "status"}) else {}


def _continues(prompt: Prompt, extra: Mapping[str, Any]) -> bool:
    """Whether the server has the earlier part of the conversation."""
    return bool(prompt.previous_response_id or extra.keys() & {"previous_response_id", "conversation"})


def _may_be_empty(prompt: Prompt, extra: Mapping[str, Any]) -> bool:
    return _continues(prompt, extra) or bool(extra.keys() & {"input", "prompt"})


def _leading_system_texts(items: Sequence[ResponseItem]) -> list[str]:
    """Those of the system messages before anything else, none where there is nothing else: instructions hold nothing
    but text, and ask for nothing.
    """
    texts: list[str] = []
    for item in items:
        if not isinstance(item, Message) or item.role != "system":
            break
        if not all(isinstance(part, InputText) for part in item.content):
            break
        texts.append(item.text)
    return texts if len(texts) < len(items) else []


def _tool_fields(prompt: Prompt, extra: Mapping[str, Any]) -> dict[str, Any]:
    tools = responses_tools(prompt.tools)
    elsewhere = "tools" in extra or any(item.type == "additional_tools" for item in prompt.items)
    if not elsewhere:
        check_tool_choice(prompt.tool_choice, tools)
    if not tools and not elsewhere:
        return {}
    return {
        "tools": tools or None,
        "tool_choice": responses_tool_choice(prompt.tool_choice),
        "parallel_tool_calls": prompt.parallel_tool_calls,
    }


def _reasoning(options: ReasoningOptions) -> dict[str, Any]:
    """The summary `none` is codex's word for not asking for one; the API has no such value."""
    summary = None if options.summary == "none" else options.summary
    asked = {"effort": options.effort, "summary": summary}
    return {key: field for key, field in asked.items() if field is not None}


def _text(prompt: Prompt) -> dict[str, Any]:
    text: dict[str, Any] = {}
    if prompt.verbosity is not None:
        text["verbosity"] = prompt.verbosity
    if prompt.output_schema is not None:
        schema = _strict_output_schema(prompt.output_schema)
        text["format"] = {"type": "json_schema", "name": _SCHEMA_NAME, "strict": True, "schema": schema}
    return text


def _strict_output_schema(given: Mapping[str, Any] | type[BaseModel]) -> dict[str, Any]:
    schema = plain(given) if isinstance(given, Mapping) else given.model_json_schema()
    try:
        return strict_schema(schema, name="output_schema")
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{error.message}, or give extra={{'text': …}} in place of output_schema for a schema that is not strict"
        ) from None


def _check_sides(place: str, item: Message | FunctionCallOutput | CustomToolCallOutput) -> None:
    """The assistant's parts are output parts, everyone else's are input parts; the API refuses the others."""
    if isinstance(item, Message) and item.role == "assistant":
        parts, wrong, right = item.content, (InputText,), "OutputText"
    else:
        parts, wrong, right = content_parts(item), (OutputText, Refusal), "InputText"
    for part in parts:
        if isinstance(part, wrong):
            raise InvalidPayloadError(
                f"{place} has a part of type {part.type}, which belongs to the other side; use {right}"
            )
