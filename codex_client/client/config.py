"""Configuration: plain frozen values, checked when they are made. Seconds everywhere, bytes where the name says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Literal, TypeAlias, TypeVar, get_args

from codex_client.api import (
    AuthProvider,
    Clock,
    HttpClient,
    RateLimitProvider,
    RequestCustomizer,
    SystemClock,
    Telemetry,
)
from codex_client.client.framer import DEFAULT_MAX_FRAME_BYTES
from codex_client.errors import ConfigurationError, MissingExtraError
from codex_client.model_provider import ModelProviderInfo, WireApi
from codex_client.models import BUILT_IN_MODELS, ModelCatalogue
from codex_client.prompt import ReasoningOptions

T = TypeVar("T", int, float)

Transport: TypeAlias = Literal["httpx", "http2", "aiohttp", "auto"]
# What they need beyond the library's own; the extras have the transports' names.
_PACKAGES = {"http2": "h2", "aiohttp": "aiohttp"}

# Codex's defaults (its provider configuration and its retry ladder).
_DEFAULT_REQUEST_MAX_RETRIES = 4
_DEFAULT_STREAM_MAX_RETRIES = 5
_DEFAULT_FIRST_EVENT = 300.0
_DEFAULT_IDLE = 300.0


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """When to try again.

    A turn makes at most 1 + request_max_retries + stream_max_retries attempts in all. Request retries happen before
    response headers, stream retries after them and only before output. None: the provider's number, else 4 and 5.
    Delays are base_delay · factor^(n-1) up to max_delay, each ± jitter (a share, 0 to 1); what the server asks for
    wins, and is not waited for above max_retry_after: the error is raised instead.
    """

    request_max_retries: int | None = None
    stream_max_retries: int | None = None
    base_delay: float = 0.2
    factor: float = 2.0
    jitter: float = 0.1
    max_delay: float = 30.0
    max_retry_after: float = 60.0

    def __post_init__(self) -> None:
        _check_not_negative(
            self, "base_delay", "max_delay", "max_retry_after", "request_max_retries", "stream_max_retries"
        )
        if self.factor < 1 or not 0 <= self.jitter <= 1:
            raise ConfigurationError(
                f"RetryPolicy: factor {self.factor} must be >= 1 and jitter {self.jitter} within 0 to 1"
            )


@dataclass(frozen=True, kw_only=True)
class RestartPolicy:
    """What happens when a stream breaks after output has been released.

    "raise" (default): the error, with `.partial`. "restart": a `StreamRestarted` event, then the turn from its
    beginning.
    """

    after_output: Literal["raise", "restart"] = "raise"

    def __post_init__(self) -> None:
        if self.after_output not in ("raise", "restart"):
            raise ConfigurationError(f"RestartPolicy.after_output is {self.after_output!r}; it is 'raise' or 'restart'")


@dataclass(frozen=True, kw_only=True)
class GuardPolicy:
    """What is done about bad output that a server calls good.

    `garbled`: look for control notation of the model in the text of turns that offer tools, and in all turns for an "at
    capacity" in place of an answer (an overloaded server); `empty`: for turns that complete without text, call or
    refusal. None leaves it to the provider's profile, but `hold="all"` and `markers` switch `garbled` on. `hold`:
    "tail" gives text live but for its last characters, as many as a marker may still grow from; "all" holds everything
    back to the end of the turn, so that a retry is possible for its whole length. `markers` beside the built-in ones,
    plain texts. A garbled turn is asked for at most `garbled_retries` times more, an empty one `empty_retries` times,
    with the retry policy's delays; both only while nothing of it has been released (or with
    `RestartPolicy(after_output="restart")`).
    """

    garbled: bool | None = None
    empty: bool | None = None
    hold: Literal["tail", "all"] = "tail"
    markers: tuple[str, ...] = ()
    garbled_retries: int = 2
    empty_retries: int = 2

    def __post_init__(self) -> None:
        if self.hold not in ("tail", "all"):
            raise ConfigurationError(f"GuardPolicy.hold is {self.hold!r}; it is 'tail' or 'all'")
        _check_not_negative(self, "garbled_retries", "empty_retries")
        if isinstance(self.markers, str):
            raise ConfigurationError(
                f"GuardPolicy.markers is one text of {len(self.markers)} characters, each of which would count; "
                "give several texts, such as ('…',)"
            )
        if not all(self.markers):
            raise ConfigurationError("GuardPolicy.markers holds an empty text, which stands everywhere; leave it out")


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """Limits in seconds.

    `first_event`: from sending an attempt to its headers, and the waiting from there to its first frame. `idle`: the
    waiting for each further frame; comments and partial bytes do not count, nor does the time that the caller takes.
    None for `first_event`: the profile's, else 300; for `idle`: the provider's `stream_idle_timeout`, else 300.
    """

    connect: float = 15.0
    write: float = 30.0
    pool: float = 60.0
    first_event: float | None = None
    idle: float | None = None

    def __post_init__(self) -> None:
        for name in ("connect", "write", "pool", "first_event", "idle"):
            seconds = getattr(self, name)
            if seconds is not None and not seconds > 0:
                raise ConfigurationError(f"Timeouts.{name} is {seconds}; it must be above 0 (math.inf for no limit)")


@dataclass(frozen=True, kw_only=True)
class StreamLimits:
    """Bounds on what a server may send.

    `max_frame_bytes`: one SSE frame, or one whole JSON answer; the largest seen in practice are images of some MB.
    `tolerate_malformed` skips and counts frames whose JSON is broken. `raw_events` gives a `RawEvent` for each frame
    that no other event stands for.
    """

    max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES
    max_error_body_bytes: int = 64 * 1024
    tolerate_malformed: bool = False
    raw_events: bool = False

    def __post_init__(self) -> None:
        for name in ("max_frame_bytes", "max_error_body_bytes"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"StreamLimits.{name} is {getattr(self, name)}; it must be at least 1")


@dataclass(frozen=True, kw_only=True)
class ClientConfig:
    """What both clients are configured with.

    `model` is the one of prompts that name none; "" where each names its own. `auth`: a credential source, or an API
    key; None reads the provider's `env_key` at each request. `conversation_id` names the one conversation of a client
    to the server (session headers, default prompt cache key); without it, a server that needs a name gets one for each
    beginning of a history. `reasoning` applies where a prompt sets none. `strict_parameters`: what the provider is
    known to refuse is an `UnsupportedParameterError`, and not left out with a `DroppedParameterWarning`. `catalogue`
    tells which efforts and verbosities the models take, and other names of theirs. `extra_headers` win over the
    provider's. `http_client` (of httpx or httpx2) is used as it is and never closed; without one, `transport` says what
    carries the requests:

    | transport | what it is                                                                  | extra     |
    |-----------|-----------------------------------------------------------------------------|-----------|
    | "httpx"   | httpx's engine, HTTP/1.1                                                    |           |
    | "http2"   | the same, HTTP/2 where the server offers it; still a connection per stream  | `http2`   |
    | "aiohttp" | aiohttp's engine: the least CPU per event; asyncio only, no SOCKS proxies   | `aiohttp` |
    | "auto"    | "aiohttp" where it is installed and can be used, else "httpx"               |           |
    """

    provider: ModelProviderInfo
    model: str = ""
    auth: AuthProvider | str | None = field(default=None, repr=False)
    conversation_id: str | None = None
    reasoning: ReasoningOptions | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    restart: RestartPolicy = field(default_factory=RestartPolicy)
    guards: GuardPolicy = field(default_factory=GuardPolicy)
    strict_parameters: bool = False
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: StreamLimits = field(default_factory=StreamLimits)
    extra_headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    http_client: HttpClient | None = None
    transport: Transport = "httpx"
    telemetry: Telemetry | None = None
    customizer: RequestCustomizer | None = None
    rate_limits: RateLimitProvider | None = None
    catalogue: ModelCatalogue = field(default=BUILT_IN_MODELS, repr=False)
    clock: Clock = field(default_factory=SystemClock)

    def __post_init__(self) -> None:
        for name, kind in _PARTS.items():
            _check_kind(name, getattr(self, name), kind)
        _check_transport(self.transport, self.http_client)

    @property
    def request_max_retries(self) -> int:
        return _first_set(
            self.retry.request_max_retries, self.provider.request_max_retries, _DEFAULT_REQUEST_MAX_RETRIES
        )

    @property
    def stream_max_retries(self) -> int:
        return _first_set(self.retry.stream_max_retries, self.provider.stream_max_retries, _DEFAULT_STREAM_MAX_RETRIES)

    @property
    def first_event_timeout(self) -> float:
        return _first_set(self.timeouts.first_event, self.provider.backend.first_event_timeout, _DEFAULT_FIRST_EVENT)

    @property
    def idle_timeout(self) -> float:
        return _first_set(self.timeouts.idle, self.provider.stream_idle_timeout, _DEFAULT_IDLE)


@dataclass(frozen=True, kw_only=True)
class ResponsesConfig(ClientConfig):
    """Configuration of a `ResponsesApiClient`. `store` asks the server to keep the response."""

    store: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_wire_api(self.provider, WireApi.RESPONSES, "ResponsesApiClient requires a Responses provider")
        if self.store and not self.provider.backend.stores:
            raise ConfigurationError(f"provider {self.provider.name!r} stores no responses; leave store out")


@dataclass(frozen=True, kw_only=True)
class ChatConfig(ClientConfig):
    """Configuration of a `ChatCompletionsApiClient`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_wire_api(self.provider, WireApi.CHAT, "ChatCompletionsApiClient requires a Chat provider")


# Their own numbers are checked where they are made, so that each must be what it is taken for.
_PARTS: Mapping[str, type] = {
    "provider": ModelProviderInfo,
    "retry": RetryPolicy,
    "restart": RestartPolicy,
    "guards": GuardPolicy,
    "timeouts": Timeouts,
    "limits": StreamLimits,
    "catalogue": ModelCatalogue,
}


def _check_kind(name: str, part: object, kind: type) -> None:
    if not isinstance(part, kind):
        raise ConfigurationError(f"{name} is of type {type(part).__name__}; give it as {kind.__name__}(…)")


def _check_transport(transport: str, http_client: HttpClient | None) -> None:
    known = get_args(Transport)
    if transport not in known:
        raise ConfigurationError(f"transport is {transport!r}; it is one of {', '.join(map(repr, known))}")
    if http_client is not None and transport != "httpx":
        raise ConfigurationError(
            f"an http_client brings its own transport, so transport={transport!r} has no meaning; leave one of them out"
        )
    needed = _PACKAGES.get(transport)
    if needed is not None and find_spec(needed) is None:
        raise MissingExtraError(
            f"transport={transport!r} needs the package {needed!r}; pip install 'codex-client[{transport}]'",
            extra=transport,
        )


def _check_wire_api(provider: ModelProviderInfo, wanted: WireApi, message: str) -> None:
    if provider.wire_api is not wanted:
        raise ConfigurationError(f"{message}; {provider.name!r} has wire_api={provider.wire_api.value!r}")


def _check_not_negative(config: object, *names: str) -> None:
    for name in names:
        number = getattr(config, name)
        if number is not None and not number >= 0:
            raise ConfigurationError(f"{type(config).__name__}.{name} is {number}; it must not be negative")


def _first_set(*candidates: T | None) -> T:
    """The first that is not None; the last one always is not."""
    return next(candidate for candidate in candidates if candidate is not None)
