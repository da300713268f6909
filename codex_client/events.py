"""The events of a stream: small frozen values, the same for both APIs.

Order of a turn: what the headers tell (`ServerModel`, `RateLimits`, `ModelsEtag`), `Created`, then per item
`OutputItemAdded`, its deltas, `OutputItemDone`; last `Completed`. A turn that ends in any other way ends in an
exception. `output_index` identifies an item within its response: ids may change from event to event (GitHub Copilot
does that).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from codex_client.items import ResponseItem
from codex_client.model_variants import RateLimitSnapshot, TokenUsage


@dataclass(frozen=True, slots=True)
class Created:
    """The server has accepted the turn. `response_id` is "" where a server gives none.

    It comes again, with another id, where the turn was begun anew before any output.
    """

    type: ClassVar[str] = "created"
    response_id: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class OutputItemAdded:
    """An item begins; its fields are those known so far, often without content."""

    type: ClassVar[str] = "output_item_added"
    item: ResponseItem
    output_index: int


@dataclass(frozen=True, slots=True)
class OutputItemDone:
    """An item is whole. Once per item."""

    type: ClassVar[str] = "output_item_done"
    item: ResponseItem
    output_index: int


@dataclass(frozen=True, slots=True)
class OutputTextDelta:
    """A piece of the answer's text."""

    type: ClassVar[str] = "output_text_delta"
    delta: str
    output_index: int = 0
    content_index: int = 0
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """A piece of a refusal's text."""

    type: ClassVar[str] = "refusal_delta"
    delta: str
    output_index: int = 0
    content_index: int = 0
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class ReasoningSummaryPartAdded:
    """A new part of the reasoning summary begins."""

    type: ClassVar[str] = "reasoning_summary_part_added"
    summary_index: int
    output_index: int = 0
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class ReasoningSummaryDelta:
    """A piece of the reasoning summary's part `summary_index`."""

    type: ClassVar[str] = "reasoning_summary_delta"
    delta: str
    summary_index: int = 0
    output_index: int = 0
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class ReasoningContentDelta:
    """A piece of the raw chain of thought."""

    type: ClassVar[str] = "reasoning_content_delta"
    delta: str
    content_index: int = 0
    output_index: int = 0
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCallInputDelta:
    """A piece of a call's arguments (function tools: JSON text) or input (custom tools: raw text)."""

    type: ClassVar[str] = "tool_call_input_delta"
    delta: str
    call_id: str | None = None
    item_id: str | None = None
    output_index: int = 0


@dataclass(frozen=True, slots=True)
class RateLimits:
    """A snapshot of one family of limits, from the headers or from inside the stream."""

    type: ClassVar[str] = "rate_limits"
    snapshot: RateLimitSnapshot


@dataclass(frozen=True, slots=True)
class ServerModel:
    """The model that really serves, where the server tells it apart from the one asked for."""

    type: ClassVar[str] = "server_model"
    model: str


@dataclass(frozen=True, slots=True)
class ModelsEtag:
    """The version of the server's model list."""

    type: ClassVar[str] = "models_etag"
    etag: str


@dataclass(frozen=True, slots=True)
class StreamRestarted:
    """Everything received so far is void: the turn begins again as attempt `attempt`. Only with
    `RestartPolicy(after_output="restart")`.
    """

    type: ClassVar[str] = "stream_restarted"
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class RawEvent:
    """A frame that gave no other event, as the server sent it. Only with `StreamLimits(raw_events=True)`.

    `type` is the frame's own ("" if it has none), `data` its text.
    """

    type: str
    data: str

    def json(self) -> Any:
        """`data` parsed; raises `ValueError` where it is not JSON."""
        return json.loads(self.data)


@dataclass(frozen=True, slots=True)
class Completed:
    """The turn is whole. Always last, at most once.

    `finish_reason` as a Chat server wrote it; None on the Responses API, which has none. `end_turn=False` asks the
    client to send the history on at once. `service_tier` is the one that served, which decides the price; it may be
    another than was asked for, and None where the server does not say.
    """

    type: ClassVar[str] = "completed"
    response_id: str
    token_usage: TokenUsage | None = None
    finish_reason: str | None = None
    end_turn: bool | None = None
    service_tier: str | None = None


ResponseEvent: TypeAlias = (
    Created
    | OutputItemAdded
    | OutputItemDone
    | OutputTextDelta
    | RefusalDelta
    | ReasoningSummaryPartAdded
    | ReasoningSummaryDelta
    | ReasoningContentDelta
    | ToolCallInputDelta
    | RateLimits
    | ServerModel
    | ModelsEtag
    | StreamRestarted
    | RawEvent
    | Completed
)
