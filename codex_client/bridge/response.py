"""A turn as the `response` object of the Responses API."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from codex_client.aggregate import CollectedResponse
from codex_client.bridge.errors import error_object
from codex_client.bridge.requests import BridgedRequest
from codex_client.decode.incomplete import FILTERED_WORDS, INCOMPLETE_WORDS, reason_word
from codex_client.errors import CodexError, IncompleteResponseError
from codex_client.items import ResponseItem, dump_item
from codex_client.model_variants import TokenUsage
from codex_client.payload.tools import responses_tool_choice, responses_tools
from codex_client.prompt import Prompt

_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc"}
# Items that the API gives a status of their own.
_WITH_STATUS = ("message", "function_call")
_NOTHING_ASKED = BridgedRequest(prompt=Prompt(""))


def response_object(
    response: CollectedResponse,
    *,
    model: str,
    created: int,
    request: BridgedRequest | None = None,
    response_id: str | None = None,
    error: CodexError | None = None,
) -> dict[str, Any]:
    """The whole answer, as the last event of the same turn's stream holds it.

    `model` is the name that the client asked for, `created` Unix seconds. `request` is what was asked: its fields are
    repeated. `error` is what ended a turn that was cut short, whose `.partial` this is.
    """
    own_id = response_id or response.response_id or f"resp_{created}"
    output = [
        wire_item(item, item_id=item.id or made_up_id(own_id, item.type, index), status=end_status(error))
        for index, item in enumerate(response.items)
    ]
    template = ResponseTemplate(response_id=own_id, model=model, created=created, request=request)
    return template.ended(output, response.token_usage, error=error, end_turn=response.end_turn)


class ResponseTemplate:
    """What all `response` objects of one turn have in common."""

    def __init__(self, *, response_id: str, model: str, created: int, request: BridgedRequest | None) -> None:
        self.response_id: str = response_id
        self._fields: dict[str, Any] = {
            "id": response_id,
            "object": "response",
            "created_at": created,
            "model": model,
            "background": False,
            **_repeated(request or _NOTHING_ASKED),
        }

    def begun(self) -> dict[str, Any]:
        """As it is before any output."""
        return self._with("in_progress", [])

    def ended(
        self,
        output: Iterable[dict[str, Any]],
        usage: TokenUsage | None,
        *,
        error: CodexError | None = None,
        end_turn: bool | None = None,
    ) -> dict[str, Any]:
        """As it is at last: completed, or what `error` made of it."""
        more: dict[str, Any] = {} if usage is None else {"usage": usage_object(usage)}
        if isinstance(error, IncompleteResponseError):
            more["incomplete_details"] = {"reason": _reason_of(error)}
            return self._with("incomplete", output, **more)
        if error is not None:
            told = error_object(error)
            more["error"] = {**told, "code": told["code"] or "server_error"}
            return self._with("failed", output, **more)
        return self._with("completed", output, **more, **({} if end_turn is None else {"end_turn": end_turn}))

    def _with(self, status: str, output: Iterable[dict[str, Any]], **more: Any) -> dict[str, Any]:
        ending = {"error": None, "incomplete_details": None, "usage": None, **more}
        return {**self._fields, "status": status, "output": list(output), **ending}


def wire_item(item: ResponseItem, *, item_id: str, status: str) -> dict[str, Any]:
    """The item's JSON object with all that clients insist on: an id, a status, the annotations of texts."""
    fields: dict[str, Any] = {**dump_item(item), "id": item_id}
    if item.type in _WITH_STATUS:
        fields["status"] = fields.get("status") or status
    if item.type == "message":
        fields["content"] = [wire_part(part) for part in fields["content"]]
    return fields


def wire_part(part: dict[str, Any]) -> dict[str, Any]:
    return {"annotations": [], "logprobs": [], **part} if part["type"] == "output_text" else part


def made_up_id(response_id: str, kind: str, index: int) -> str:
    """An id for an item without one: the same for the same turn, and its own in the whole conversation."""
    digest = hashlib.sha256(f"{response_id}/{index}".encode("utf-8", "replace")).hexdigest()
    return f"{_PREFIXES.get(kind, 'item')}_{digest[:24]}"


def end_status(error: CodexError | None) -> str:
    """The status of items that do not tell their own."""
    return "completed" if error is None else "incomplete"


def usage_object(usage: TokenUsage) -> dict[str, Any]:
    """The counts under the Responses API's names."""
    return {
        "input_tokens": usage.input_tokens,
        # Nobody tells how much was written; openai-python takes no usage without the count.
        "input_tokens_details": {"cached_tokens": usage.cached_input_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_output_tokens},
        "total_tokens": usage.total_tokens,
    }


def _reason_of(error: IncompleteResponseError) -> str:
    """The API's two words; others as the server wrote them."""
    word = reason_word(error.reason)
    if word in FILTERED_WORDS:
        return "content_filter"
    return "max_output_tokens" if word in INCOMPLETE_WORDS else error.reason


def _repeated(request: BridgedRequest) -> dict[str, Any]:
    """The request's own fields, with the API's defaults for those that it leaves out."""
    prompt = request.prompt
    extra = dict(prompt.extra or {})
    reasoning = prompt.reasoning
    text = {"format": {"type": "text"}} | ({} if prompt.verbosity is None else {"verbosity": prompt.verbosity})
    return {
        "instructions": prompt.instructions or None,
        "max_output_tokens": prompt.max_output_tokens,
        "metadata": dict(prompt.metadata or {}),
        "parallel_tool_calls": prompt.parallel_tool_calls,
        "previous_response_id": prompt.previous_response_id,
        "prompt_cache_key": prompt.prompt_cache_key,
        "reasoning": {
            "effort": reasoning and reasoning.effort,
            "summary": reasoning and reasoning.summary,
            **(extra.get("reasoning") or {}),
        },
        "store": bool(extra.get("store")),
        "temperature": prompt.temperature,
        "text": text | dict(extra.get("text") or {}),
        "tool_choice": responses_tool_choice(prompt.tool_choice),
        "tools": responses_tools(prompt.tools),
        "top_p": prompt.top_p,
        "truncation": extra.get("truncation") or "disabled",
        "user": extra.get("user"),
    }
