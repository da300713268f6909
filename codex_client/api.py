"""The seams: what may be plugged in, as small protocols, and the values that they exchange."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

import anyio
from httpx_sse import ServerSentEvent

from codex_client.aggregate import CollectedResponse
from codex_client.errors import CodexError
from codex_client.events import ResponseEvent
from codex_client.model_variants import RateLimitSnapshot, TokenUsage
from codex_client.prompt import Prompt
from codex_client.stream import ResponseStream


@runtime_checkable
class ApiClient(Protocol):
    """What every client is: one method to stream a turn, one to await it whole, one to close."""

    def stream(self, prompt: Prompt) -> AbstractAsyncContextManager[ResponseStream]:
        """One turn. The prompt is checked at once; the request is sent when the block is entered."""
        ...

    async def collect(self, prompt: Prompt) -> CollectedResponse:
        """The same turn, awaited whole."""
        ...

    async def aclose(self) -> None:
        """Close the connections that the client owns."""
        ...


class PayloadBuilder(Protocol):
    """Turns a prompt into the JSON body of a request. Pure: same prompt, same bytes; the prompt is not changed."""

    def build(self, prompt: Prompt) -> dict[str, Any]:
        """Raises `UnsupportedOperationError` or `InvalidPayloadError` for what cannot be sent."""
        ...


class ResponseDecoder(Protocol):
    """Turns the frames of one response into events. A state machine without I/O; a new one for every response."""

    @property
    def finished(self) -> bool:
        """Whether the turn's end has been seen: nothing after it is read."""
        ...

    @property
    def failure(self) -> CodexError | None:
        """The failure that ended the turn; it is raised after the events that `feed` gave with it."""
        ...

    @property
    def ignored(self) -> Counter[str]:
        """Frames that meant nothing, by wire type."""
        ...

    @property
    def malformed(self) -> int:
        """Frames that were skipped because their JSON is broken."""
        ...

    def feed(self, frame: ServerSentEvent) -> list[ResponseEvent]:
        """The events of one frame, often none. Raises `MalformedFrameError`."""
        ...

    def feed_eof(self) -> list[ResponseEvent]:
        """The body has ended: the events still owed. Raises `StreamClosedError` where the turn is not whole."""
        ...

    def feed_body(self, body: bytes) -> list[ResponseEvent]:
        """A whole JSON answer, from a server that does not stream, as the events that a stream of it would have given.

        Raises `UnexpectedContentError` for JSON that is no answer.
        """
        ...


RawFrame: TypeAlias = tuple[bytes | None, bytes]
"""A frame as it came: its event name, None where it has none, and its data; neither id nor retry."""


class RunDecoder(ResponseDecoder, Protocol):
    """A decoder that also takes many frames at once. Where it offers that, frames are given to it in both ways."""

    def feed_run(self, frames: Sequence[RawFrame], start: int) -> Sequence[ResponseEvent]:
        """The events of the frames from `start` on, one of each, ending before the first that it leaves to `feed`:
        one that gives no event or several, or ends the turn.
        """
        ...


class DecoderFactory(Protocol):
    """Makes the decoder of one response."""

    def __call__(self, *, tolerate_malformed: bool, raw_events: bool, request_id: str | None) -> ResponseDecoder: ...


@dataclass(frozen=True, slots=True)
class Lease:
    """A credential, lent for one attempt: the headers that carry it, and a name for the account that is no secret."""

    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    account: str | None = None


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """What became of one attempt. `error` is None when response headers with status 200 arrived."""

    status: int | None = None
    error: CodexError | None = None
    rate_limits: Sequence[RateLimitSnapshot] = ()


class AuthProvider(Protocol):
    """Where credentials come from. Called once per attempt, by any number of turns at once."""

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        """A credential for one attempt. `forced_refresh`: the last one was answered with 401; give a newer one.

        Raises `MissingCredentialsError` or an `AuthError`.
        """
        ...

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> bool | None:
        """How the attempt went, told once for each.

        True where another account stands ready for what this one failed at: the attempt is then repeated at once with
        the next lease, as long as no output has been released, whether or not the error is worth another try by itself.
        """
        ...

    @property
    def can_refresh(self) -> bool:
        """Whether a forced refresh can give another credential; if not, a 401 is final."""
        ...


class Closeable(Protocol):
    """What holds connections and can let go of them."""

    async def aclose(self) -> None:
        """Close them. Safe to call twice."""
        ...


class RequestCustomizer(Protocol):
    """A last word on the headers of each attempt, after everything but the credential is set."""

    def customize(self, headers: dict[str, str]) -> None:
        """Change `headers` (lower-case names) in place."""
        ...


class RateLimitProvider(Protocol):
    """Reads rate limits from response headers."""

    def parse(self, headers: Mapping[str, str], *, now: float) -> Sequence[RateLimitSnapshot]:
        """At most one snapshot per family; `now` (Unix seconds) makes relative times absolute. Never raises."""
        ...


class HttpClient(Protocol):
    """What is used of a caller's own HTTP client: an `httpx.AsyncClient`, or one of httpx's continuation httpx2."""

    def build_request(
        self, method: str, url: str, *, headers: Any, content: Any, timeout: Any, extensions: Any
    ) -> Any: ...

    async def send(self, request: Any, *, stream: bool, follow_redirects: bool) -> Any: ...


class Clock(Protocol):
    """Time, so that tests need not wait for it."""

    def time(self) -> float:
        """Unix seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never go back."""
        ...

    def move_on_after(self, seconds: float) -> AbstractContextManager[anyio.CancelScope, bool | None]:
        """A block that is cancelled, and left, when `seconds` have passed."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        ...


class SystemClock:
    """The real time."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def move_on_after(self, seconds: float) -> AbstractContextManager[anyio.CancelScope, bool | None]:
        return anyio.move_on_after(seconds)

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class TurnContext:
    """What is known of a turn before it starts. `conversation_id` and `prompt` are content: observers record them only
    when asked to.
    """

    provider: str
    wire_api: str
    model: str
    url: str
    conversation_id: str | None = None
    prompt: Prompt | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One attempt has its answer's headers, or has failed. `attempt` counts from 1 through the whole turn; `duration`
    in seconds.
    """

    attempt: int
    duration: float
    status: int | None = None
    request_id: str | None = None
    error: CodexError | None = None


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One frame was read; `kind` is its wire type. `first` marks the turn's first one, `elapsed` seconds after the turn
    began.
    """

    kind: str
    elapsed: float
    first: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    """Another attempt follows after `delay` seconds. `layer`: request (no output was due yet) or stream (a stream is
    begun anew).
    """

    layer: str
    attempt: int
    delay: float
    reason: CodexError


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The turn is over: completed, failed (`error`), or left by the caller before its end (`cancelled`).

    `ignored_frames` meant nothing to the decoder, `malformed_frames` were skipped (`StreamLimits.tolerate_malformed`).
    """

    duration: float
    response_id: str | None = None
    model: str | None = None
    token_usage: TokenUsage | None = None
    finish_reason: str | None = None
    error: CodexError | None = None
    cancelled: bool = False
    ignored_frames: int = 0
    malformed_frames: int = 0
    response: CollectedResponse | None = field(default=None, repr=False)


TurnRecord: TypeAlias = ApiRequest | SseEvent | Retry | TurnEnded


class TurnObserver(Protocol):
    """Watches one turn."""

    def record(self, record: TurnRecord) -> None:
        """Called in order, `TurnEnded` last. Must not raise and must not wait."""
        ...


class Telemetry(Protocol):
    """Makes an observer per turn."""

    def start_turn(self, turn: TurnContext) -> TurnObserver | None:
        """None where nobody looks: then a frame costs nothing more."""
        ...
