"""A turn as it is shown while it comes: its text, its events as JSON lines, or the bytes of the wire."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, fields, is_dataclass
from typing import Any, Protocol

import anyio
from pydantic import BaseModel
from rich.text import Text

from codex_client.aggregate import CollectedResponse
from codex_client.cli.output import counted, printable_lines, say, warn
from codex_client.cli.surroundings import Surroundings
from codex_client.credentials.quota_state import duration
from codex_client.errors import CodexError
from codex_client.events import (
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    ReasoningContentDelta,
    ReasoningSummaryDelta,
    ReasoningSummaryPartAdded,
    RefusalDelta,
    ResponseEvent,
)
from codex_client.items import CustomToolCall, FunctionCall, Message, dump_item
from codex_client.model_variants import TokenUsage
from codex_client.stream import ResponseStream


class TurnOutput(Protocol):
    """What becomes of events."""

    def show(self, event: ResponseEvent) -> None: ...

    def end(self) -> None:
        """No more comes, be the turn whole or not."""
        ...


class TextOutput:
    """The answer's text on `out`, as it comes; the rest on `err`: the reasoning where it is wanted, and calls.

    A terminal gets no control characters, for the text is another's. Into files and pipes it goes to the letter, but
    that it ends with a line end, and that each message begins on a line of its own.
    """

    def __init__(self, around: Surroundings, *, reasoning: bool = False, quiet: bool = False) -> None:
        self._around = around
        self._reasoning = reasoning
        self._quiet = quiet
        self._out_is_open = False
        self._err_is_open = False

    def show(self, event: ResponseEvent) -> None:
        match event:
            case OutputTextDelta() | RefusalDelta():
                self._write(event.delta)
            case ReasoningSummaryDelta() | ReasoningContentDelta():
                self._think(event.delta)
            case ReasoningSummaryPartAdded() if event.summary_index:
                self._think("\n\n")
            case OutputItemAdded(item=Message()):
                self._end_lines()
            case OutputItemDone(item=FunctionCall(name=name, arguments=given) | CustomToolCall(name=name, input=given)):
                self._call(name, given)
            case _:
                pass

    def end(self) -> None:
        self._end_lines()

    def _call(self, name: str, given: str) -> None:
        if not self._quiet:
            self._end_lines()
            say(self._around.err, f"{name}({given})", style="cyan", label="call: ")

    def _write(self, text: str) -> None:
        if self._err_is_open:
            self._end_lines()
        out = self._around.out
        out.file.write(printable_lines(text) if out.is_terminal else text)
        out.file.flush()
        self._out_is_open = not text.endswith("\n")

    def _think(self, text: str) -> None:
        if not self._reasoning:
            return
        if self._out_is_open:
            self._end_lines()
        self._around.err.print(Text(printable_lines(text), "dim"), end="", soft_wrap=True)
        self._err_is_open = not text.endswith("\n")

    def _end_lines(self) -> None:
        if self._err_is_open:
            self._around.err.print()
        if self._out_is_open:
            self._around.out.file.write("\n")
            self._around.out.file.flush()
        self._err_is_open = self._out_is_open = False


class JsonOutput:
    """One event a line: its `type`, then its fields."""

    def __init__(self, around: Surroundings) -> None:
        self._file = around.out.file

    def show(self, event: ResponseEvent) -> None:
        # Escaped, so that any encoding can carry it.
        self._file.write(json.dumps(event_json(event)) + "\n")
        self._file.flush()

    def end(self) -> None:
        """Every line is whole."""


class RawOutput:
    """The stream's bytes, as the server sent them; events say nothing more."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._ends_line = True

    def write(self, chunk: bytes) -> None:
        out = self._around.out
        binary: Any = None if out.is_terminal else getattr(out.file, "buffer", None)
        if binary is None:
            out.file.write(printable_lines(chunk.decode("utf-8", "replace")))
        else:
            binary.write(chunk)
        out.file.flush()
        self._ends_line = chunk.endswith(b"\n")

    def show(self, event: ResponseEvent) -> None:
        """What it came of has been written."""

    def end(self) -> None:
        if self._around.out.is_terminal and not self._ends_line:
            self._around.out.file.write("\n")


def event_json(event: ResponseEvent) -> dict[str, Any]:
    """An event as a JSON object. Items are as they are on the wire."""
    return {"type": event.type} | {each.name: _plain(getattr(event, each.name)) for each in fields(event)}


async def show_turn(
    around: Surroundings,
    block: AbstractAsyncContextManager[ResponseStream],
    output: TurnOutput,
    *,
    quiet: bool = False,
) -> CollectedResponse:
    """Show a turn while it comes, and what it has used; on a terminal also that it is waited for.

    Raises `OSError`, and asks nobody, where the output was closed from the start.
    """
    around.out.file.flush()
    began_at, status = around.clock.monotonic(), around.err.status("waiting for the answer")
    stream: ResponseStream | None = None
    if around.err.is_terminal and not quiet:
        status.start()
    try:
        async with block as stream:
            while events := await stream.next_events():
                status.stop()
                for event in events:
                    output.show(event)
    except (CodexError, anyio.get_cancelled_exc_class()):
        status.stop()
        output.end()
        received = 0 if stream is None else len(stream.response.text)
        if received and not quiet:
            warn(around.err, f"the answer ends after {counted(received, 'character')}; it is not whole")
        raise
    finally:
        status.stop()
    output.end()
    if not quiet:
        told = usage_words(stream.response, around.clock.monotonic() - began_at)
        say(around.err, told, style="dim")
    return stream.response


def usage_words(response: CollectedResponse, seconds: float) -> str:
    """What a turn has used, and what is left."""
    told = [response.model or "", *_token_words(response.token_usage), duration(seconds)]
    told += [
        f"{window.label} {window.remaining_percent:.0f} % left"
        for snapshot in response.rate_limits
        for window in snapshot.windows
        if window.has_limit
    ]
    return ", ".join(each for each in told if each)


def _token_words(usage: TokenUsage | None) -> Sequence[str]:
    if usage is None:
        return ("token usage not told",)
    cached = f" ({usage.cached_input_tokens} cached)" if usage.cached_input_tokens else ""
    thought = f" ({usage.reasoning_output_tokens} reasoning)" if usage.reasoning_output_tokens else ""
    return (f"{usage.input_tokens} tokens in{cached}", f"{usage.output_tokens} out{thought}")


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return dump_item(value)  # pyright: ignore[reportArgumentType] (items are the only models in events)
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
