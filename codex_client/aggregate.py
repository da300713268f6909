"""Adding up a turn: events in, the whole response out. Pure, linear in the events, and able to answer at any moment.

State: per `output_index` an item under construction (`added`, its pieces of text, at last `done`), and the turn's own
facts. Inputs: every `ResponseEvent`, in order. Pieces are kept in lists and joined only when somebody asks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, TypeVar, cast

from pydantic import BaseModel

from codex_client.events import (
    Completed,
    Created,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    RateLimits,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    RefusalDelta,
    ResponseEvent,
    ServerModel,
    StreamRestarted,
    ToolCallInputDelta,
)
from codex_client.items import (
    CustomToolCall,
    FunctionCall,
    Message,
    OutputText,
    Reasoning,
    ReasoningText,
    Refusal,
    ResponseItem,
    SummaryText,
)
from codex_client.model_variants import RateLimitSnapshot, TokenUsage

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call to answer. `arguments` is the model's own text: JSON for function tools, the raw input for custom ones."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class CollectedResponse:
    """A turn, added up: whole after `collect()`, so far as received on an error's `.partial`.

    `items` in output order. `rate_limits` holds the newest snapshot of each family. `finish_reason`, `end_turn` and
    `service_tier` as on `Completed`.
    """

    response_id: str | None = None
    items: tuple[ResponseItem, ...] = ()
    token_usage: TokenUsage | None = None
    rate_limits: tuple[RateLimitSnapshot, ...] = ()
    finish_reason: str | None = None
    end_turn: bool | None = None
    model: str | None = None
    service_tier: str | None = None

    @property
    def text(self) -> str:
        """The text of all messages, joined; "" if there is none."""
        return "".join(item.text for item in self.items if isinstance(item, Message))

    @property
    def refusal(self) -> str:
        return "".join(item.refusal for item in self.items if isinstance(item, Message))

    @property
    def reasoning_text(self) -> str:
        """The raw chain of thought, where the server shows it."""
        return "".join(item.text for item in self.items if isinstance(item, Reasoning))

    @property
    def reasoning_summary(self) -> list[str]:
        """The parts of the reasoning's summary."""
        return [text for item in self.items if isinstance(item, Reasoning) for text in item.summary_texts]

    @property
    def tool_calls(self) -> list[ToolCall]:
        """Calls of function and custom tools, in output order."""
        return [call for item in self.items if (call := _tool_call(item)) is not None]

    def parse(self, model: type[M]) -> M:
        """The text as a pydantic model. Raises `pydantic.ValidationError` (a `ValueError`) where it does not fit, a
        refusal included.
        """
        return model.model_validate_json(self.text)


def _tool_call(item: ResponseItem) -> ToolCall | None:
    match item:
        case FunctionCall():
            return ToolCall(item.call_id, item.name, item.arguments)
        case CustomToolCall():
            return ToolCall(item.call_id, item.name, item.input)
        case _:
            return None


_Parts: TypeAlias = defaultdict[int, list[str]]
"""The pieces of each part, by its index."""

_new_parts = partial(defaultdict[int, list[str]], list[str])


@dataclass(slots=True)
class _OpenItem:
    """One item under construction: what was announced, and the pieces that came since."""

    item: ResponseItem | None = None
    done: bool = False
    texts: _Parts = field(default_factory=_new_parts)
    refusals: _Parts = field(default_factory=_new_parts)
    summaries: _Parts = field(default_factory=_new_parts)
    reasonings: _Parts = field(default_factory=_new_parts)
    inputs: list[str] = field(default_factory=list[str])


class TurnAccumulator:
    """The running sum of one turn. `completed` once its last event was fed; `rate_limits` by family."""

    def __init__(self) -> None:
        self._reset()
        self._on: dict[type[Any], Callable[[Any], None]] = {
            Created: self._created,
            OutputItemAdded: self._added,
            OutputItemDone: self._done,
            OutputTextDelta: self._text,
            RefusalDelta: self._refusal,
            ReasoningSummaryPartAdded: self._summary_part,
            ReasoningSummaryDelta: self._summary,
            ReasoningContentDelta: self._reasoning,
            ToolCallInputDelta: self._input,
            RateLimits: self._rate_limit,
            ServerModel: self._server_model,
            StreamRestarted: self._restarted,
            Completed: self._completed,
        }

    def feed(self, events: Iterable[ResponseEvent]) -> None:
        """Add a batch of events."""
        on = self._on
        for event in events:
            step = on.get(type(event))
            if step is not None:
                step(event)

    def response(self) -> CollectedResponse:
        """The turn as far as it was fed; costs one pass over what was received."""
        return CollectedResponse(
            response_id=self._response_id,
            items=tuple(item for _, entry in sorted(self._open.items()) if (item := _build(entry)) is not None),
            token_usage=self._usage,
            rate_limits=tuple(self.rate_limits.values()),
            finish_reason=self._finish_reason,
            end_turn=self._end_turn,
            model=self._served_model or self._model,
            service_tier=self._service_tier,
        )

    def _reset(self) -> None:
        self.completed: bool = False
        self.rate_limits: dict[str, RateLimitSnapshot] = {}
        self._open: defaultdict[int, _OpenItem] = defaultdict(_OpenItem)
        self._response_id: str | None = None
        self._model: str | None = None
        self._served_model: str | None = None
        self._usage: TokenUsage | None = None
        self._finish_reason: str | None = None
        self._end_turn: bool | None = None
        self._service_tier: str | None = None

    def _created(self, event: Created) -> None:
        self._response_id = event.response_id
        self._model = event.model or self._model

    def _server_model(self, event: ServerModel) -> None:
        self._served_model = event.model

    def _rate_limit(self, event: RateLimits) -> None:
        self.rate_limits[event.snapshot.limit_id] = event.snapshot

    def _added(self, event: OutputItemAdded) -> None:
        self._open[event.output_index].item = event.item

    def _done(self, event: OutputItemDone) -> None:
        # The whole item replaces its pieces.
        self._open[event.output_index] = _OpenItem(item=event.item, done=True)

    def _text(self, event: OutputTextDelta) -> None:
        self._open[event.output_index].texts[event.content_index].append(event.delta)

    def _refusal(self, event: RefusalDelta) -> None:
        self._open[event.output_index].refusals[event.content_index].append(event.delta)

    def _summary_part(self, event: ReasoningSummaryPartAdded) -> None:
        self._open[event.output_index].summaries.setdefault(event.summary_index, [])

    def _summary(self, event: ReasoningSummaryDelta) -> None:
        self._open[event.output_index].summaries[event.summary_index].append(event.delta)

    def _reasoning(self, event: ReasoningContentDelta) -> None:
        self._open[event.output_index].reasonings[event.content_index].append(event.delta)

    def _input(self, event: ToolCallInputDelta) -> None:
        self._open[event.output_index].inputs.append(event.delta)

    def _restarted(self, event: StreamRestarted) -> None:
        rate_limits = self.rate_limits
        self._reset()
        self.rate_limits = rate_limits

    def _completed(self, event: Completed) -> None:
        self.completed = True
        self._response_id = event.response_id or self._response_id
        self._usage = event.token_usage
        self._finish_reason = event.finish_reason
        self._end_turn = event.end_turn
        self._service_tier = event.service_tier


def _build(entry: _OpenItem) -> ResponseItem | None:
    """The item as far as it is known; None for an entry that holds nothing yet."""
    if entry.done:
        return entry.item
    match entry.item:
        case FunctionCall() as call:
            return call.model_copy(update={"arguments": "".join(entry.inputs) or call.arguments})
        case CustomToolCall() as call:
            return call.model_copy(update={"input": "".join(entry.inputs) or call.input})
        case Reasoning() | None if entry.summaries or entry.reasonings:
            return _build_reasoning(entry)
        case Message() | None if entry.texts or entry.refusals:
            return _build_message(entry)
        case item:
            return item


def _build_message(entry: _OpenItem) -> Message:
    message = cast("Message | None", entry.item) or Message(role="assistant", content=[])
    texts = [(index, OutputText(text="".join(pieces))) for index, pieces in entry.texts.items()]
    refusals = [(index, Refusal(refusal="".join(pieces))) for index, pieces in entry.refusals.items()]
    # Some servers number a refusal like the text before it; the sort is stable, so that text stays first.
    parts = sorted([*texts, *refusals], key=lambda part: part[0])
    return message.model_copy(update={"content": [part for _, part in parts]})


def _build_reasoning(entry: _OpenItem) -> Reasoning:
    reasoning = cast("Reasoning | None", entry.item) or Reasoning(summary=[])
    update: dict[str, Any] = {}
    if entry.summaries:
        update["summary"] = [SummaryText(text="".join(pieces)) for _, pieces in sorted(entry.summaries.items())]
    if entry.reasonings:
        update["content"] = [ReasoningText(text="".join(pieces)) for _, pieces in sorted(entry.reasonings.items())]
    return reasoning.model_copy(update=update)
