"""A turn as the `response` object of the Responses API."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from codex_client.aggregate import CollectedResponse
from codex_client.bridge.errors import error_object
from codex_client.bridge.requests import NOTHING_ASKED, BridgedRequest
from codex_client.bridge.usage import known_tier, responses_usage
from codex_client.decode.incomplete import FILTERED_WORDS, INCOMPLETE_WORDS, reason_word
from codex_client.errors import CodexError, IncompleteResponseError
from codex_client.items import ResponseItem, dump_item
from codex_client.model_variants import TokenUsage
from codex_client.payload.paths import is_at, set_at, value_at
from codex_client.payload.tools import responses_tool_choice, responses_tools
from codex_client.prompt import Prompt, ReasoningOptions

_PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc"}
_REPEATED_EXTRAS = (
    "max_tool_calls",
    "prompt",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "top_logprobs",
    "user",
)
# Items that the API gives a status of their own.
_WITH_STATUS = ("message", "function_call")


def response_object(
    response: CollectedResponse,
    *,
    model: str,
    created: int,
    response_id: str,
    request: BridgedRequest | None = None,
    error: CodexError | None = None,
) -> dict[str, Any]:
    """The whole answer, as the last event of the same turn's stream holds it.

    `model` is the name that the client asked for, `created` Unix seconds, `response_id` as for `ResponsesEvents`.
    `request` is what was asked: what was sent of it is repeated. `error` is what ended a turn that was cut
    short, whose `.partial` this is.
    """
    own_id = response.response_id or response_id
    output = [
        wire_item(item, item_id=item.id or made_up_id(own_id, item.type, index), status=end_status(error))
        for index, item in enumerate(response.items)
    ]
    template = ResponseTemplate(response_id=own_id, model=model, created=created, request=request)
    return template.ended(
        output, response.token_usage, error=error, end_turn=response.end_turn, service_tier=response.service_tier
    )


class ResponseTemplate:
    """What all `response` objects of one turn have in common."""

    def __init__(self, *, response_id: str, model: str, created: int, request: BridgedRequest | None) -> None:
        self.response_id: str = response_id
        self._fields: dict[str, Any] = {
            "id": response_id,
            "object": "response",
            "created_at": created,
            "model": model,
            **_repeated(request or NOTHING_ASKED),
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
        service_tier: str | None = None,
    ) -> dict[str, Any]:
        """As it is at last: completed, or what `error` made of it. `service_tier` is the one that served, which an
        answer that did not complete does not tell.
        """
        more: dict[str, Any] = {} if usage is None else {"usage": responses_usage(usage)}
        if isinstance(error, IncompleteResponseError):
            more["incomplete_details"] = {"reason": _reason_of(error)}
            return self._with("incomplete", output, **more)
        if error is not None:
            told = error_object(error)
            more["error"] = {**told, "code": told["code"] or "server_error"}
            return self._with("failed", output, **more)
        more |= {"service_tier": known_tier(service_tier)} | ({} if end_turn is None else {"end_turn": end_turn})
        return self._with("completed", output, **more)

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


def _reason_of(error: IncompleteResponseError) -> str:
    """The API's two words; others as the server wrote them."""
    word = reason_word(error.reason)
    if word in FILTERED_WORDS:
        return "content_filter"
    return "max_output_tokens" if word in INCOMPLETE_WORDS else error.reason


def _repeated(request: BridgedRequest) -> dict[str, Any]:
    """The request's own fields, with the API's defaults for all others, and for what the server is known to make
    nothing of: the answer must not say that it held.
    """
    told, defaults = _told(request.prompt), _told(NOTHING_ASKED.prompt)
    for path in request.ignored:
        if is_at(told, path):
            set_at(told, path, value_at(defaults, path))
    return told


def _told(prompt: Prompt) -> dict[str, Any]:
    extra, reasoning = dict(prompt.extra or {}), prompt.reasoning or ReasoningOptions()
    conversation = extra.get("conversation")
    return {
        "background": False,
        "conversation": {"id": conversation} if isinstance(conversation, str) else conversation,
        "instructions": prompt.instructions or None,
        "max_output_tokens": prompt.max_output_tokens,
        "metadata": dict(prompt.metadata or {}),
        "parallel_tool_calls": prompt.parallel_tool_calls,
        "previous_response_id": prompt.previous_response_id,
        "prompt_cache_key": prompt.prompt_cache_key,
        "reasoning": {"effort": reasoning.effort, "summary": reasoning.summary, **(extra.get("reasoning") or {})},
        "service_tier": prompt.service_tier,
        "store": bool(extra.get("store")),
        "temperature": prompt.temperature,
        "text": _text(prompt, extra),
        "tool_choice": responses_tool_choice(prompt.tool_choice),
        "tools": responses_tools(prompt.tools),
        "top_p": prompt.top_p,
        "truncation": extra.get("truncation") or "disabled",
        **{name: extra.get(name) for name in _REPEATED_EXTRAS},
    }


def _text(prompt: Prompt, extra: dict[str, Any]) -> dict[str, Any]:
    """As the request had it, whatever the server's API calls it."""
    form: dict[str, Any] = {"type": "text"}
    if asked := extra.get("response_format"):
        form = {"type": asked["type"], **asked.get(asked["type"], {})}
    verbosity = {} if prompt.verbosity is None else {"verbosity": prompt.verbosity}
    return {"format": form, **verbosity, **(extra.get("text") or {})}
