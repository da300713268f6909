"""The conformance checks pass what is right, and name the law that is broken where one is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from httpx_sse import ServerSentEvent

from codex_client.api import DecoderFactory
from codex_client.decode.chat import ChatDecoder
from codex_client.decode.responses import ResponsesDecoder
from codex_client.errors import CodexError, StreamClosedError
from codex_client.events import Completed, OutputItemAdded, OutputItemDone, OutputTextDelta, ResponseEvent
from codex_client.items import Message
from codex_client.testing import chat_turn, check_decoder, check_events, responses_turn, sse

TEXT = "The quick brown fox."


@pytest.mark.parametrize(
    "decoder, body",
    [(ResponsesDecoder, sse(responses_turn(TEXT))), (ChatDecoder, sse(chat_turn(TEXT), done=True))],
)
def test_the_own_decoders_hold_to_every_law(decoder: DecoderFactory, body: bytes) -> None:
    assert check_decoder(decoder, body).text == TEXT


ADDED = OutputItemAdded(Message(role="assistant", content=[]), 0)
DONE = OutputItemDone(Message.assistant("ab"), 0)
DELTAS = [OutputTextDelta("a"), OutputTextDelta("b")]
END = Completed("r")


@pytest.mark.parametrize(
    "events, law",
    [
        ([END, ADDED], "Completed must be the last event"),
        ([END, END], "come once"),
        ([ADDED, ADDED], "added twice"),
        ([DONE], "done before it is added"),
        ([ADDED, DONE, DONE], "done twice"),
        ([*DELTAS, ADDED], "comes before it is added"),
        ([ADDED, DONE, *DELTAS], "comes after it is done"),
        ([ADDED, DELTAS[0], DONE], "do not add up to its text"),
    ],
)
def test_broken_order_is_named(events: list[ResponseEvent], law: str) -> None:
    with pytest.raises(AssertionError, match=law):
        check_events(events)


def test_good_order_passes() -> None:
    check_events([ADDED, *DELTAS, DONE, END])


class Toy:
    """A decoder of frames that are text, "end" the last; what it does wrong is told by the test."""

    frames = 0

    def __init__(self, *, tolerate_malformed: bool, raw_events: bool, request_id: str | None) -> None:
        self.finished = False
        self.failure: CodexError | None = None
        self.ignored: Counter[str] = Counter()
        self.malformed = 0
        self.seen: list[str] = []

    def feed(self, frame: ServerSentEvent) -> list[ResponseEvent]:
        self.seen.append(frame.data)
        if frame.data == "end":
            return self.end()
        added: list[ResponseEvent] = [ADDED] if len(self.seen) == 1 else []
        return [*added, OutputTextDelta(frame.data)]

    def end(self) -> list[ResponseEvent]:
        self.finished = True
        return [OutputItemDone(Message.assistant("".join(self.seen[:-1])), 0), END]

    def feed_eof(self) -> list[ResponseEvent]:
        raise StreamClosedError("closed")

    def feed_body(self, body: bytes) -> list[ResponseEvent]:
        raise AssertionError


class Forgiving(Toy):
    """Takes an early end for a good one."""

    def feed_eof(self) -> list[ResponseEvent]:
        return []


class Forgetful(Toy):
    """Starts its text anew with the end."""

    def end(self) -> list[ResponseEvent]:
        self.finished = True
        return [OutputItemDone(Message.assistant("else"), 0), END]


def counting() -> Callable[..., Toy]:
    made: list[Toy] = []

    class Counting(Toy):
        """Remembers how many decoders there were before it."""

        def feed(self, frame: ServerSentEvent) -> list[ResponseEvent]:
            return [OutputTextDelta(str(len(made))), *super().feed(frame)]

        def __init__(self, *, tolerate_malformed: bool, raw_events: bool, request_id: str | None) -> None:
            super().__init__(tolerate_malformed=tolerate_malformed, raw_events=raw_events, request_id=request_id)
            made.append(self)

    return Counting


BODY = sse(["a", "b", "end"])


def test_a_toy_decoder_passes() -> None:
    assert check_decoder(Toy, BODY).text == "ab"


@pytest.mark.parametrize(
    "decoder, law",
    [
        (Forgiving, "ends neither whole nor in an error"),
        (Forgetful, "do not add up to its text"),
        (counting(), "the events differ when the bytes are cut by 1"),
    ],
)
def test_a_broken_decoder_is_told_its_law(decoder: DecoderFactory, law: str) -> None:
    with pytest.raises(AssertionError, match=law):
        check_decoder(decoder, BODY)
