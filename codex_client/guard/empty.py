"""The guard against empty answers: turns that complete and say nothing."""

from __future__ import annotations

from collections.abc import Sequence

from codex_client.errors import EmptyResponseError
from codex_client.events import (
    Completed,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    RefusalDelta,
    ResponseEvent,
    ToolCallInputDelta,
)
from codex_client.guard.structure import says_nothing
from codex_client.prompt import Prompt


def may_be_empty(prompt: Prompt) -> bool:
    """Whether an empty answer is a good one: after the output of a tool a model may have nothing to add."""
    # All items that answer a call have such a type, those that this version does not know included.
    return bool(prompt.items) and prompt.items[-1].type.endswith("_output")


class EmptyGuard:
    """Raises `EmptyResponseError` for a `Completed` before which came no text, call, refusal or other item that says
    something.

    Reasoning alone is no answer. `end_turn=False` asks for the next turn at once, so it may be empty. Nothing is held.
    """

    def __init__(self) -> None:
        self._said = False

    def feed(self, events: Sequence[ResponseEvent]) -> Sequence[ResponseEvent]:
        """The same events."""
        if not self._said:
            for event in events:
                self._said = self._said or _says_something(event)
                if isinstance(event, Completed) and not self._said and event.end_turn is not False:
                    raise _empty(event)
        return events

    def feed_eof(self) -> list[ResponseEvent]:
        return []


def _says_something(event: ResponseEvent) -> bool:
    match event:
        case OutputTextDelta() | RefusalDelta() | ToolCallInputDelta():
            return event.delta != ""
        case OutputItemAdded() | OutputItemDone():
            return not says_nothing(event.item)
        case _:
            return False


def _empty(event: Completed) -> EmptyResponseError:
    spent = f" after {event.token_usage.output_tokens} output tokens" if event.token_usage else ""
    return EmptyResponseError(
        f"the turn completed{spent} without text, call or refusal; "
        "ask again, or take such answers with GuardPolicy(empty=False)"
    )
