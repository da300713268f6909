"""Frames of the Chat Completions API as events.

| state    | what it means                                   | left by                              |
|----------|-------------------------------------------------|--------------------------------------|
| waiting  | no chunk with an id or with content so far      | the first one: `Created`             |
| open     | items grow                                      | a finish reason                      |
| ending   | a finish reason came; usage may follow          | `[DONE]`, the end of the body        |
| finished | `Completed` was given, or `failure` is set      | never: nothing more is read          |

`[DONE]` and a failure that the server tells lead from every state to `finished`; the end of the body only from
`ending`.

Only choice 0 is decoded. Servers neither announce nor close items, so an item is added with its first piece, and all
are done at the end. An answer that was cut short (`length`, `content_filter`) has no whole items: none is done, what
came is in the deltas. Other than codex: usage is read, failures inside the stream are told, other choices are not
mixed in, `stop` does not drop calls, and `length` is not taken for a full context window.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from httpx_sse import ServerSentEvent

from codex_client.decode.chat_answer import ChatAnswer
from codex_client.decode.chat_finish import is_incomplete, parse_failed
from codex_client.decode.chat_usage import find_usage, parse_usage
from codex_client.decode.incomplete import incomplete_error
from codex_client.decode.wire import as_list, as_object, as_text, excerpt, parse_json, wire_type
from codex_client.errors import CodexError, MalformedFrameError, StreamClosedError, UnexpectedContentError
from codex_client.events import Completed, Created, RawEvent, ResponseEvent
from codex_client.model_variants import TokenUsage

_DONE = ("[DONE]", "DONE")


class ChatDecoder:
    """Decodes one response.

    A failure that the server tells is not raised: `feed` returns the events still owed and sets `failure` and
    `finished`; who drives the decoder raises `failure` after handing them out. `feed` itself raises only
    `MalformedFrameError`, for a frame that is not JSON; with `tolerate_malformed` such frames are counted in
    `malformed` instead. Frames and content of unknown kinds are counted in `ignored`.
    """

    finished: bool
    failure: CodexError | None
    ignored: Counter[str]
    malformed: int

    def __init__(
        self, *, tolerate_malformed: bool = False, raw_events: bool = False, request_id: str | None = None
    ) -> None:
        self.finished = False
        self.failure = None
        self.ignored = Counter()
        self.malformed = 0
        self._tolerate_malformed = tolerate_malformed
        self._raw_events = raw_events
        self._request_id = request_id
        self._created = False
        self._response_id = ""
        self._model = ""
        self._seed = ""
        self._finish_reason: str | None = None
        self._service_tier: str | None = None
        self._usage: dict[str, Any] | None = None
        self._answer = ChatAnswer(self.ignored)

    def feed(self, frame: ServerSentEvent) -> list[ResponseEvent]:
        """The events of one frame."""
        data = frame.data.strip()
        if self.finished or not data:
            return []
        if data in _DONE:
            return self._end()
        events = self._read(data, frame)
        if self._raw_events and not events:
            events.append(RawEvent(wire_type(frame), frame.data))
        return events

    def feed_eof(self) -> list[ResponseEvent]:
        """The body has ended: the events still owed.

        Raises `StreamClosedError` where neither a finish reason nor `[DONE]` had come. After a finish reason it may
        also be called because nothing more comes in time.
        """
        if self.finished:
            return []
        if self._finish_reason is None:
            raise StreamClosedError(
                "stream closed before a finish reason or [DONE], so the answer may be cut; "
                "try again, and look for a time limit at the server or at a proxy in between"
            )
        return self._end()

    def feed_body(self, body: bytes) -> list[ResponseEvent]:
        """A whole answer (`chat.completion`) from a server that does not stream, as the events of a stream.

        Raises `UnexpectedContentError` for a body that is neither that nor an error.
        """
        text = body.decode("utf-8-sig", "replace")
        try:
            answer = as_object(parse_json(text))
        except MalformedFrameError:
            answer = {}
        told = _told_failure(answer)
        if told is None and not isinstance(answer.get("choices"), list):
            raise UnexpectedContentError(
                f"a body of {len(body)} bytes is neither an event stream nor a Chat Completions answer; "
                "check the base URL, and that the server speaks this `wire_api`",
                excerpt=excerpt(text),
            )
        events = self._read_chunk(answer, told)
        return events if self.finished else events + self._end()

    def _read(self, data: str, frame: ServerSentEvent) -> list[ResponseEvent]:
        try:
            value = parse_json(data)
        except MalformedFrameError:
            if frame.event == "error":
                self._fail(data)
            elif self._tolerate_malformed:
                self.malformed += 1
            else:
                raise
            return []
        chunk = as_object(value)
        told = value or {} if frame.event == "error" else _told_failure(chunk)
        if told is None and "choices" not in chunk:
            self.ignored[wire_type(frame) or as_text(chunk.get("object"))] += 1
        return self._read_chunk(chunk, told)

    def _read_chunk(self, chunk: dict[str, Any], told: Any) -> list[ResponseEvent]:
        """`told`: the failure that the chunk itself tells, None where it tells none."""
        if not self._response_id:
            self._identify(chunk)
        events: list[ResponseEvent] = []
        for choice in map(as_object, as_list(chunk.get("choices"))):
            # An index that is missing or null counts as 0.
            if not choice.get("index"):
                events += self._read_choice(choice)
                if choice.get("finish_reason") or "error" in choice:
                    # What the chunk tells is more exact: its choice then says no more than `error`.
                    told = told or self._read_finish(choice)
        self._usage = find_usage(chunk) or self._usage
        # In every chunk, in the last, or null until then.
        self._service_tier = as_text(chunk.get("service_tier")) or self._service_tier
        if not self._created and (self._response_id or events):
            events.insert(0, self._create())
        if told is not None:
            self._fail(told)
        return events

    def _identify(self, chunk: dict[str, Any]) -> None:
        """Look for the first id that is not empty: Azure's first chunk has an empty one, Groq's may change."""
        self._response_id = as_text(chunk.get("id"))
        self._model = as_text(chunk.get("model")) or self._model
        self._seed = self._response_id or str(chunk.get("created") or self._seed)

    def _create(self) -> Created:
        self._created = True
        return Created(self._response_id, self._model or None)

    def _read_choice(self, choice: dict[str, Any]) -> list[ResponseEvent]:
        delta = choice.get("delta")
        if isinstance(delta, dict):
            return self._answer.feed(cast("dict[str, Any]", delta), self._seed)
        if self._answer.begun:
            return []
        # Beside deltas, `message` repeats the text so far (Perplexity); alone, it is the whole answer.
        return self._answer.feed(as_object(choice.get("message")), self._seed)

    def _read_finish(self, choice: dict[str, Any]) -> dict[str, Any] | None:
        """Note the finish reason and the usage beside it; returns the failure that the choice tells."""
        reason = as_text(choice.get("finish_reason"))
        if reason:
            self._usage = find_usage(choice) or self._usage
            # It may come twice, and some servers say `stop` all along: the last word counts, unless the answer was
            # cut already.
            if not is_incomplete(self._finish_reason):
                self._finish_reason = reason
        return parse_failed(choice)

    def _fail(self, told: Any) -> None:
        """End with the failure that the server told, in any of the shapes of an error body."""
        # The rules of failures are loaded with the first one.
        from codex_client.classify import in_stream_error, parse_failure

        self.finished = True
        self.failure = failure = in_stream_error(parse_failure(told), request_id=self._request_id)
        failure.token_usage = self._token_usage()

    def _end(self) -> list[ResponseEvent]:
        """The end of the answer: every item whole, then `Completed`; or the failure that its end means."""
        self.finished = True
        events: list[ResponseEvent] = [] if self._created else [self._create()]
        self.failure = self._failure_at_end()
        if self.failure is None:
            events += self._answer.done()
            usage, tier = self._token_usage(), self._service_tier
            events.append(Completed(self._response_id, usage, self._finish_reason, service_tier=tier))
        return events

    def _failure_at_end(self) -> CodexError | None:
        reason = self._finish_reason
        if reason is not None and is_incomplete(reason):
            return incomplete_error(reason, token_usage=self._token_usage(), request_id=self._request_id)
        unnamed = self._answer.unnamed_arguments
        if not unnamed:
            return None
        if self._tolerate_malformed:
            self.malformed += len(unnamed)
            return None
        shown = excerpt(unnamed[0])
        return MalformedFrameError(
            f"{len(unnamed)} tool call(s) of the answer have arguments but no name, the first {shown!r}; "
            "try again, or drop such calls with `StreamLimits.tolerate_malformed`",
            excerpt=shown,
        )

    def _token_usage(self) -> TokenUsage | None:
        return None if self._usage is None else parse_usage(self._usage)


def _told_failure(chunk: dict[str, Any]) -> dict[str, Any] | None:
    """The chunk as an error body, where it tells a failure; None where it does not."""
    if chunk.get("error"):
        return chunk
    if "x_groq" in chunk and (error := as_object(chunk["x_groq"]).get("error")):
        return {"error": error}
    if "choices" not in chunk and "error" in (chunk.get("object"), chunk.get("type")):
        return chunk
    return None
