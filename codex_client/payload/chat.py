"""The body of `POST /chat/completions`.

Codex sends `model`, `messages`, `stream` and `tools` alone; so does this, and adds only what the prompt asks for.
What a server does unasked (`tool_choice` auto, `parallel_tool_calls` true) is left out: some refuse the mere mention.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from codex_client.errors import UnsupportedOperationError
from codex_client.model_provider import ModelProviderInfo
from codex_client.models import BUILT_IN_MODELS, ModelCatalogue
from codex_client.payload.calls import with_fitting_ids
from codex_client.payload.chat_messages import chat_messages
from codex_client.payload.chosen import chosen_model
from codex_client.payload.encode import plain
from codex_client.payload.history import check_not_empty, checked_items
from codex_client.payload.refused import RefusedFields
from codex_client.payload.tools import chat_tool_choice, chat_tools, check_tool_choice
from codex_client.prompt import Prompt, ReasoningOptions

# OpenAI's limit for the ids of calls on this API; on the Responses API it is 64.
_MAX_CALL_ID_CHARS = 40


class ChatPayloadBuilder:
    """Builds Chat bodies for one server.

    `model` is the one of prompts that name none, "" for none. `reasoning` holds for prompts that set none; of it only
    the effort has a field here, a server that shows its reasoning does so unasked. `conversation_id` is the prompt
    cache key towards OpenAI and Azure; other servers get that key only from a prompt that sets one. `reasoning_field`
    is the name under which reasoning goes back to the server, "" for not at all, None for what the provider is known to
    take. `catalogue` and `strict_parameters` as for `ResponsesPayloadBuilder`.
    """

    def __init__(
        self,
        *,
        model: str,
        provider: ModelProviderInfo,
        conversation_id: str | None = None,
        reasoning: ReasoningOptions | None = None,
        reasoning_field: str | None = None,
        catalogue: ModelCatalogue = BUILT_IN_MODELS,
        strict_parameters: bool = False,
    ) -> None:
        self._model = model
        self._provider = provider
        self._backend = provider.backend
        self._conversation_id = conversation_id
        self._reasoning = reasoning
        self._reasoning_field = self._backend.reasoning_field if reasoning_field is None else reasoning_field
        self._catalogue = catalogue
        self._refused = RefusedFields(self._backend.refused, server=provider.name, strict=strict_parameters)

    def build(self, prompt: Prompt) -> dict[str, Any]:
        """A new body that shares nothing with the prompt.

        `prompt.extra` is merged in last, key by key at the top level, and wins. Raises `UnsupportedOperationError`
        for what the Chat API has no form for, `InvalidPayloadError` for a history that it would refuse, without a
        model, and for an effort or a verbosity that the model does not take.
        """
        _check_supported(prompt)
        extra: dict[str, Any] = plain(prompt.extra or {}, name="extra")
        model, reasoning = chosen_model(
            prompt, model=self._model, reasoning=self._reasoning, backend=self._backend, catalogue=self._catalogue
        )
        tool_fields = _tool_fields(prompt, extra, takes_custom=self._backend.takes_custom_tools)
        payload = {
            "model": model,
            "messages": self._messages(prompt, extra, custom_calls=_offers_custom(tool_fields | extra)),
            "stream": True,
            "stream_options": {"include_usage": True} if self._provider.include_usage else None,
            **tool_fields,
            "reasoning_effort": None if reasoning is None else reasoning.effort,
            "verbosity": prompt.verbosity,
            "service_tier": prompt.service_tier,
            "prompt_cache_key": prompt.prompt_cache_key or self._default_cache_key(prompt) or None,
            self._backend.max_tokens_field: prompt.max_output_tokens,
            "temperature": prompt.temperature,
            "top_p": prompt.top_p,
            "metadata": plain(prompt.metadata) or None,
        }
        body = {key: field for key, field in payload.items() if field is not None} | extra
        self._refused.leave_out(body)
        return body

    def _default_cache_key(self, prompt: Prompt) -> str | None:
        return (prompt.conversation_id or self._conversation_id) if self._backend.takes_cache_key else None

    def _messages(self, prompt: Prompt, extra: Mapping[str, Any], *, custom_calls: bool) -> list[dict[str, Any]]:
        may_be_empty, backend = "messages" in extra, self._backend
        most_chars = None if backend.max_call_id_chars is None else min(backend.max_call_id_chars, _MAX_CALL_ID_CHARS)
        messages = chat_messages(
            with_fitting_ids(checked_items(prompt, may_be_empty=may_be_empty), most_chars),
            instructions=prompt.instructions,
            reasoning_field=self._reasoning_field,
            tool_media=backend.takes_tool_media,
            custom_calls=custom_calls,
        )
        # The instructions alone ask for nothing.
        check_not_empty(messages[1:] if prompt.instructions else messages, may_be_empty=may_be_empty)
        return messages


def _check_supported(prompt: Prompt) -> None:
    if prompt.output_schema is not None:
        raise UnsupportedOperationError("output_schema is not supported for Chat Completions API")
    if prompt.previous_response_id is not None:
        raise UnsupportedOperationError(
            "previous_response_id is not supported for Chat Completions API; "
            "send the history, as Prompt.with_history does"
        )


def _offers_custom(fields: Mapping[str, Any]) -> bool:
    """Whether a custom tool is on offer, so that the server takes calls of such tools."""
    tools: Any = fields.get("tools")
    return isinstance(tools, list) and any(
        isinstance(tool, dict) and cast("dict[str, Any]", tool).get("type") == "custom"
        for tool in cast("list[Any]", tools)
    )


def _tool_fields(prompt: Prompt, extra: Mapping[str, Any], *, takes_custom: bool) -> dict[str, Any]:
    tools = chat_tools(prompt.tools, takes_custom=takes_custom)
    elsewhere = "tools" in extra
    if not elsewhere:
        check_tool_choice(prompt.tool_choice, tools)
    if not tools and not elsewhere:
        return {}
    return {
        "tools": tools or None,
        "tool_choice": None if prompt.tool_choice == "auto" else chat_tool_choice(prompt.tool_choice),
        "parallel_tool_calls": None if prompt.parallel_tool_calls else False,
    }
