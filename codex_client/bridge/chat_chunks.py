"""A turn as the chunks of a Chat stream."""

from __future__ import annotations

from typing import Any

from codex_client.bridge.chat_deltas import ChatDelta, ChatDeltas
from codex_client.bridge.errors import error_object
from codex_client.bridge.reasoning import ReasoningFormat
from codex_client.decode.incomplete import FILTERED_WORDS, reason_word
from codex_client.errors import CodexError, IncompleteResponseError
from codex_client.events import Completed, Created, ResponseEvent
from codex_client.model_variants import TokenUsage


class ChatChunks:
    """Turns the events of one turn into `chat.completion.chunk` objects, ready to be written as JSON; `[DONE]` is left
    to who writes them.

    `model` is the name that the client asked for, `created` Unix seconds. All chunks have one id: `completion_id`, else
    that of the response. Nothing is given before the turn's first output, so that a turn which fails without any can
    still be answered by a status. The role comes once, in a chunk of its own; `include_usage` adds the last chunk,
    with the counts and without choices.
    """

    def __init__(
        self,
        *,
        model: str,
        created: int,
        completion_id: str | None = None,
        include_usage: bool = False,
        reasoning: ReasoningFormat = ReasoningFormat.REASONING_CONTENT,
    ) -> None:
        self._model = model
        self._created = created
        self._id = completion_id or ""
        self._has_own_id = bool(completion_id)
        self._include_usage = include_usage
        self._deltas = ChatDeltas(reasoning)
        self._begun = False

    def feed(self, event: ResponseEvent) -> list[dict[str, Any]]:
        """The chunks of one event, often none. Raises as `ChatDeltas.feed` does."""
        match event:
            case Created():
                # It comes again where a turn without output was begun anew.
                if not (self._begun or self._has_own_id):
                    self._id = event.response_id or self._id
                return []
            case Completed():
                self._id = self._id or event.response_id
                return self._end("tool_calls" if self._deltas.called else "stop", event.token_usage)
            case _:
                return self._chunks(self._deltas.feed(event))

    def fail(self, error: CodexError) -> list[dict[str, Any]]:
        """What ends a stream that failed: an answer that was cut short has a finish reason, all else is one object
        with the `error`.
        """
        if isinstance(error, IncompleteResponseError):
            return self._end(finish_reason_of(error), error.token_usage)
        return [{"error": error_object(error)}]

    def _end(self, finish_reason: str, usage: TokenUsage | None) -> list[dict[str, Any]]:
        chunks = self._chunks(self._deltas.end())
        if not self._begun:
            chunks = self._chunks([{}])[:1]
        chunks.append(self._chunk({}, finish_reason))
        if self._include_usage and usage is not None:
            chunks.append({**self._envelope(), "choices": [], "usage": usage_object(usage)})
        return chunks

    def _chunks(self, deltas: list[ChatDelta]) -> list[dict[str, Any]]:
        chunks = [self._chunk(delta) for delta in deltas]
        if chunks and not self._begun:
            self._begun = True
            # OpenAI's own servers begin so: a text, where there will be one, and null before calls.
            content = "" if "content" in deltas[0] else None
            chunks.insert(0, self._chunk({"role": "assistant", "content": content}))
        return chunks

    def _chunk(self, delta: ChatDelta, finish_reason: str | None = None) -> dict[str, Any]:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
        usage = {"usage": None} if self._include_usage else {}
        return {**self._envelope(), "choices": choices, **usage}

    def _envelope(self) -> dict[str, Any]:
        self._id = self._id or f"chatcmpl-{self._created}"
        return {"id": self._id, "object": "chat.completion.chunk", "created": self._created, "model": self._model}


def finish_reason_of(error: IncompleteResponseError) -> str:
    """`content_filter`, or `length` for every other way of being cut short."""
    return "content_filter" if reason_word(error.reason) in FILTERED_WORDS else "length"


def usage_object(usage: TokenUsage) -> dict[str, Any]:
    """The counts under the Chat API's names."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_output_tokens},
    }
