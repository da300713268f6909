"""A turn as the chunks of a Chat stream."""

from __future__ import annotations

from typing import Any

from codex_client.bridge.chat_deltas import ChatDelta, ChatDeltas
from codex_client.bridge.errors import error_object
from codex_client.bridge.requests import NOTHING_ASKED, BridgedRequest
from codex_client.bridge.usage import chat_usage, known_tier
from codex_client.decode.incomplete import FILTERED_WORDS, reason_word
from codex_client.errors import CodexError, IncompleteResponseError
from codex_client.events import Completed, Created, ResponseEvent
from codex_client.model_variants import TokenUsage


class ChatChunks:
    """Turns the events of one turn into `chat.completion.chunk` objects, ready to be written as JSON; `[DONE]` is left
    to who writes them.

    `model` is the name that the client asked for, `created` Unix seconds; `request` is what was asked: its form of
    reasoning, and whether the last chunk has the counts, without choices. All chunks have one id: the server's, where
    it tells one before any output, else `response_id`, which should be the caller's for this turn alone. Nothing is
    given before the turn's first output, so that a turn which fails without any can still be answered by a status. The
    role comes once, in a chunk of its own.
    """

    def __init__(self, *, model: str, created: int, response_id: str, request: BridgedRequest | None = None) -> None:
        request = request or NOTHING_ASKED
        self._model = model
        self._created = created
        self._id = response_id
        self._include_usage = request.include_usage
        self._deltas = ChatDeltas(request.reasoning_format)
        self._begun = False
        self._service_tier: str | None = None

    def feed(self, event: ResponseEvent) -> list[dict[str, Any]]:
        """The chunks of one event, often none. Raises as `ChatDeltas.feed` does."""
        match event:
            case Created():
                # It comes again where a turn without output was begun anew.
                self._take_id(event.response_id)
                return []
            case Completed():
                self._take_id(event.response_id)
                self._service_tier = known_tier(event.service_tier)
                return self._end("tool_calls" if self._deltas.called else "stop", event.token_usage)
            case _:
                return self._chunks(self._deltas.feed(event))

    def fail(self, error: CodexError) -> list[dict[str, Any]]:
        """What ends a stream that failed: an answer that was cut short has a finish reason, all else is one object
        with the `error`.
        """
        if isinstance(error, IncompleteResponseError):
            return self._end(finish_reason_of(error), error.token_usage, cut_short=True)
        return [{"error": error_object(error)}]

    def _take_id(self, told: str) -> None:
        if told and not self._begun:
            self._id = told

    def _end(self, finish_reason: str, usage: TokenUsage | None, *, cut_short: bool = False) -> list[dict[str, Any]]:
        chunks = self._chunks(self._deltas.end(cut_short=cut_short))
        if not self._begun:
            chunks = self._chunks([{}])[:1]
        chunks.append(self._chunk({}, finish_reason))
        if self._include_usage and usage is not None:
            chunks.append({**self._envelope(), "choices": [], "usage": chat_usage(usage)})
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
        told = {} if self._service_tier is None else {"service_tier": self._service_tier}
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            **told,
        }


def finish_reason_of(error: IncompleteResponseError) -> str:
    """`content_filter`, or `length` for every other way of being cut short."""
    return "content_filter" if reason_word(error.reason) in FILTERED_WORDS else "length"
