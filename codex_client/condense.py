"""Condensing a stream: whole items in place of their pieces, for callers that want no deltas. Pure."""

from __future__ import annotations

from enum import StrEnum

from codex_client.events import (
    Completed,
    Created,
    OutputItemDone,
    OutputTextDelta,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    RefusalDelta,
    ResponseEvent,
    StreamRestarted,
    ToolCallInputDelta,
)
from codex_client.items import ContentPart, Message, OutputText, Reasoning, ReasoningText, Refusal


class AggregateMode(StrEnum):
    """How `ResponseStream.aggregate` condenses a stream.

    AGGREGATED_ONLY swallows the deltas and gives whole items; STREAMING gives the deltas too, and the message once more
    as a whole.
    """

    AGGREGATED_ONLY = "aggregated_only"
    STREAMING = "streaming"


class Aggregator:
    """Condenses a stream of events by codex's rules: at most one assistant message, put together from its pieces, just
    before `Completed`.

    Beyond codex: a refusal and a message that came without deltas after another one are kept, and reasoning that came
    as a whole item is not given a second time. A message that is nothing but a refusal passes as it came; a refusal
    beside text is put behind the text of the one message.
    """

    def __init__(self, mode: AggregateMode) -> None:
        self._mode = mode
        self._reset()

    def feed(self, event: ResponseEvent) -> list[ResponseEvent]:
        """The events that take this one's place."""
        match event:
            case Created() | ReasoningSummaryDelta() | ReasoningSummaryPartAdded():
                return []
            case OutputTextDelta():
                self._text.append(event.delta)
                self._text_index = event.output_index if self._text_index is None else self._text_index
                self._delta_in_message = True
                return self._when_streaming(event)
            case ReasoningContentDelta():
                self._reasoning.append(event.delta)
                self._reasoning_index = event.output_index
                return self._when_streaming(event)
            case RefusalDelta():
                self._refusing.append(event.delta)
                self._refusal_index = event.output_index
                return self._when_streaming(event)
            case ToolCallInputDelta():
                return self._when_streaming(event)
            case OutputItemDone(item=Message(role="assistant") as message):
                return self._message_done(event, message)
            case OutputItemDone(item=Reasoning()):
                self._reasoning.clear()
                return [event]
            case StreamRestarted():
                self._reset()
                return [event]
            case Completed():
                return [*self._whole_items(), event]
            case _:
                return [event]

    def _reset(self) -> None:
        self._text: list[str] = []
        self._text_index: int | None = None
        self._delta_in_message = False
        self._refusals: list[str] = []
        self._refusing: list[str] = []
        self._refusal_index = 0
        self._reasoning: list[str] = []
        self._reasoning_index = 0

    def _when_streaming(self, event: ResponseEvent) -> list[ResponseEvent]:
        return [event] if self._mode is AggregateMode.STREAMING else []

    def _message_done(self, event: OutputItemDone, message: Message) -> list[ResponseEvent]:
        self._refusing.clear()
        if not message.text:
            return [event]
        had_delta, self._delta_in_message = self._delta_in_message, False
        if not had_delta and self._mode is AggregateMode.STREAMING:
            return [event]
        self._refusals.append(message.refusal)
        if not had_delta:
            self._text.append(message.text)
            self._text_index = event.output_index if self._text_index is None else self._text_index
        return []

    def _whole_items(self) -> list[ResponseEvent]:
        whole: list[ResponseEvent] = []
        if self._reasoning and self._mode is AggregateMode.AGGREGATED_ONLY:
            content = [ReasoningText(text="".join(self._reasoning))]
            whole.append(OutputItemDone(Reasoning(id="", summary=[], content=content), self._reasoning_index))
        if content := self._whole_content():
            index = self._refusal_index if self._text_index is None else self._text_index
            whole.append(OutputItemDone(Message(role="assistant", content=content), index))
        return whole

    def _whole_content(self) -> list[ContentPart]:
        text, refusal = "".join(self._text), "".join([*self._refusals, *self._refusing])
        texts: list[ContentPart] = [OutputText(text=text)] if self._text else []
        return [*texts, Refusal(refusal=refusal)] if refusal else texts
