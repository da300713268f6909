"""What observers make of a turn's records: names and attributes, and the observers that need only the standard library.

Names follow codex (`codex.api_request`, `codex.sse_event`, `codex.retry`) and, where they exist, OpenTelemetry's GenAI
semantic conventions (`gen_ai.*`, `server.*`, `http.response.status_code`, `error.type`). Prompts, answers, conversation
ids and the words of errors are content: they are recorded only when an observer is made with `include_content=True`.
Paths and query strings of URLs are never recorded, because some servers take their key there.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Final, TypeAlias, assert_never
from urllib.parse import urlsplit

from codex_client.api import ApiRequest, Retry, SseEvent, TurnContext, TurnEnded, TurnObserver, TurnRecord
from codex_client.client.telemetry_content import input_content, output_content
from codex_client.errors import CodexError, IncompleteResponseError, ResponseFailedError, RetryLimitError
from codex_client.model_variants import TokenUsage
from codex_client.prompt import Prompt

Fact: TypeAlias = str | int | float | bool | tuple[str, ...]
Attributes: TypeAlias = dict[str, Fact]

# The conventions fix these names; any other provider keeps its own.
_PROVIDER_NAMES = {"azure": "azure.ai.openai", "chatgpt": "openai", "mistral": "mistral_ai", "xai": "x_ai"}
_API_TYPES = {"chat": "chat_completions", "responses": "responses"}
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Codes and kinds come from the server, and only what has the form of a name is taken for one: xAI writes sentences into
# `code`.
_NAME = re.compile(r"[\w.:/-]{1,64}", re.ASCII)
# What the conventions write where a name is none of those that an instrumentation vouches for.
OTHER: Final = "_OTHER"


def event_name(record: TurnRecord) -> str:
    """The record's name in logs and spans."""
    match record:
        case ApiRequest():
            return "codex.api_request"
        case SseEvent():
            return "codex.sse_event"
        case Retry():
            return "codex.retry"
        case TurnEnded():
            return "codex.turn_ended"
        case _:  # pragma: no cover
            assert_never(record)


def record_attributes(record: TurnRecord, *, include_content: bool = False) -> Attributes:
    """The record's facts, those that are known; durations in milliseconds, as codex has them."""
    match record:
        case ApiRequest():
            facts = {
                "attempt": record.attempt,
                "duration_ms": _ms(record.duration),
                "http.response.status_code": record.status,
                "request_id": record.request_id,
            }
            return _known(facts) | error_attributes(record.error, include_content=include_content)
        case SseEvent():
            facts = {"event.kind": frame_kind(record.kind), "elapsed_ms": _ms(record.elapsed)}
            return _known(facts | {"first": record.first or None})
        case Retry():
            facts = {"retry.layer": record.layer, "retry.attempt": record.attempt, "retry.delay_ms": _ms(record.delay)}
            return _known(facts) | error_attributes(record.reason, include_content=include_content)
        case TurnEnded():
            facts = {"duration_ms": _ms(record.duration)}
            return _known(facts) | response_attributes(record, include_content=include_content)
        case _:  # pragma: no cover
            assert_never(record)


def frame_kind(kind: str) -> str:
    """A frame's wire type as a name: `message` (WHATWG's word) for a frame without one, OTHER for what is no name."""
    return _name(kind or "message") or OTHER


def turn_attributes(turn: TurnContext, *, include_content: bool = False) -> Attributes:
    """What is known before the turn starts: whom it asks for what. Numbers and choices of the prompt are no content."""
    facts = target_attributes(turn) | {"codex.wire_api": turn.wire_api, "gen_ai.request.stream": True}
    if facts["gen_ai.provider.name"] == "openai" and turn.wire_api in _API_TYPES:
        facts["openai.api.type"] = _API_TYPES[turn.wire_api]
    if turn.prompt is not None:
        facts |= _request_attributes(turn.prompt)
    if include_content:
        facts |= _known({"gen_ai.conversation.id": turn.conversation_id})
        if turn.prompt is not None:
            facts |= input_content(turn.prompt)
    return facts


def target_attributes(turn: TurnContext) -> Attributes:
    """Whom the turn asks: few distinct values, so that they can be the dimensions of a metric."""
    url = urlsplit(turn.url)
    return _known(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": _PROVIDER_NAMES.get(turn.provider.lower(), turn.provider),
            "gen_ai.request.model": turn.model,
            "server.address": url.hostname,
            "server.port": url.port or _DEFAULT_PORTS.get(url.scheme),
        }
    )


def response_attributes(record: TurnEnded, *, include_content: bool = False) -> Attributes:
    """What the turn gave: id, model, token counts, how it ended."""
    finish_reason = record.finish_reason
    if finish_reason is None and isinstance(record.error, IncompleteResponseError):
        finish_reason = record.error.reason
    facts: dict[str, Fact | None] = {
        "gen_ai.response.id": record.response_id,
        "gen_ai.response.model": record.model,
        # Gemini writes a detail behind a colon: `content_filter: PROHIBITED_CONTENT`.
        "gen_ai.response.finish_reasons": (_name(finish_reason.partition(": ")[0]) or OTHER,)
        if finish_reason
        else None,
        "codex.cancelled": record.cancelled or None,
    }
    usage = turn_usage(record)
    if usage is not None:
        facts["gen_ai.usage.input_tokens"] = usage.input_tokens
        facts["gen_ai.usage.output_tokens"] = usage.output_tokens
        facts["gen_ai.usage.cache_read.input_tokens"] = usage.cached_input_tokens
        facts["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning_output_tokens
    known = _known(facts) | error_attributes(record.error, include_content=include_content)
    return known | output_content(record) if include_content else known


def turn_usage(record: TurnEnded) -> TokenUsage | None:
    """What the turn spent. A turn that failed may have told it in its error."""
    if record.token_usage is None and isinstance(record.error, ResponseFailedError):
        return record.error.token_usage
    return record.token_usage


def error_attributes(error: CodexError | None, *, include_content: bool = False) -> Attributes:
    """The class and code of a failure; its words only as content, because servers quote the prompt in them.

    A `RetryLimitError` does not say what failed: class and code are those of its last error, and `attempts` stands for
    the tries that ran out.
    """
    if error is None:
        return {}
    cause = error.last_error or error if isinstance(error, RetryLimitError) else error
    facts = {
        "error.type": type(cause).__name__,
        "error.code": _name(getattr(cause, "code", None)),
        "error.message": error.message if include_content else None,
        "attempts": error.attempts if isinstance(error, RetryLimitError) else None,
    }
    return _known(facts)


def _request_attributes(prompt: Prompt) -> Attributes:
    facts = {
        "gen_ai.request.max_tokens": prompt.max_output_tokens,
        "gen_ai.request.temperature": prompt.temperature,
        "gen_ai.request.top_p": prompt.top_p,
        "gen_ai.output.type": "json" if prompt.output_schema is not None else None,
    }
    return _known(facts)


def _known(facts: Mapping[str, Fact | None]) -> Attributes:
    return {name: fact for name, fact in facts.items() if fact is not None}


def _name(text: str | None) -> str | None:
    """The text where it has the form of a name, else None."""
    return text if text and _NAME.fullmatch(text) else None


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


class SilentTelemetry:
    """Nobody looks, and nothing is spent on it: the same as no telemetry."""

    def start_turn(self, turn: TurnContext) -> TurnObserver | None:
        return None


class LoggingTelemetry:
    """Logs each record as one line: its name, then its facts as `name=value`.

    The facts, and those of the turn, are also the log record's attribute `codex` (a dictionary), for formatters that
    want them apart. Attempts, retries and the turn's end are logged at `level`, frames at DEBUG. Nothing is spent on a
    turn that starts while the logger is off for `level`. `logger` is "codex_client" unless given.
    """

    def __init__(
        self, logger: logging.Logger | None = None, *, level: int = logging.INFO, include_content: bool = False
    ) -> None:
        self._logger = logger or logging.getLogger("codex_client")
        self._level = level
        self._include_content = include_content

    def start_turn(self, turn: TurnContext) -> TurnObserver | None:
        if not self._logger.isEnabledFor(self._level):
            return None
        turn_facts = turn_attributes(turn, include_content=self._include_content)
        return _LoggingObserver(self._logger, self._level, self._include_content, turn_facts)


class _LoggingObserver:
    def __init__(self, logger: logging.Logger, level: int, include_content: bool, turn_facts: Attributes) -> None:
        self._logger = logger
        self._level = level
        self._include_content = include_content
        self._turn_facts = turn_facts

    def record(self, record: TurnRecord) -> None:
        level = logging.DEBUG if isinstance(record, SseEvent) else self._level
        if not self._logger.isEnabledFor(level):
            return
        facts = record_attributes(record, include_content=self._include_content)
        text = " ".join(f"{name}={_shown(fact)}" for name, fact in facts.items())
        self._logger.log(level, "%s %s", event_name(record), text, extra={"codex": self._turn_facts | facts})


def _shown(fact: Fact) -> str:
    """One word; in JSON's quotes where it is not one, so that nothing a server sends can begin a line of its own."""
    return fact if isinstance(fact, str) and _name(fact) else json.dumps(fact, ensure_ascii=False)
