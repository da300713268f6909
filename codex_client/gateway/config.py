"""What a gateway is configured with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from codex_client.bridge.reasoning import ReasoningFormat
from codex_client.errors import ConfigurationError

# Shorter ones can be guessed at the speed of a loopback socket.
_MIN_KEY_CHARS = 8


def check_keys(keys: Sequence[str], setting: str) -> None:
    """Raise `ConfigurationError`, in the name of the setting they come from, where one is no key."""
    if not all(map(_is_key, keys)):
        raise ConfigurationError(
            f"{setting} has one that is no key; each has {_MIN_KEY_CHARS} or more printable ASCII letters, without "
            "blanks at its ends"
        )


def _is_key(text: str) -> bool:
    # A header's value comes without the blanks around it (RFC 9110, 5.5), so that such a key could not be shown.
    return len(text) >= _MIN_KEY_CHARS and text.isascii() and text.isprintable() and text == text.strip()


@dataclass(frozen=True, kw_only=True)
class GatewayConfig:
    """A gateway's settings, checked when they are made.

    `keys`: callers show one of them as a bearer token; without any the gateway serves this machine only. `max_turns`
    may run at once, further ones are answered with 429. `drain_seconds`: how long running turns may go on after the
    gateway was told to end. `reasoning_format`: how Chat callers get the model's reasoning. `heartbeat_seconds`: a
    stream that has begun gets a comment after so much silence, so that nobody on the way takes it for dead.
    """

    keys: tuple[str, ...] = field(default=(), repr=False)
    max_body_bytes: int = 32 * 1024 * 1024
    max_turns: int = 256
    drain_seconds: float = 30.0
    reasoning_format: ReasoningFormat | str = ReasoningFormat.REASONING_CONTENT
    heartbeat_seconds: float = 15.0

    def __post_init__(self) -> None:
        check_keys(self.keys, "GatewayConfig.keys")
        for name in ("max_body_bytes", "max_turns"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"GatewayConfig.{name} is {getattr(self, name)}; it must be at least 1")
        if not self.drain_seconds >= 0 or not self.heartbeat_seconds > 0:
            raise ConfigurationError(
                f"GatewayConfig: drain_seconds {self.drain_seconds} must be >= 0 "
                f"and heartbeat_seconds {self.heartbeat_seconds} > 0"
            )
        try:
            object.__setattr__(self, "reasoning_format", ReasoningFormat(self.reasoning_format))
        except ValueError:
            known = ", ".join(repr(each.value) for each in ReasoningFormat)
            raise ConfigurationError(
                f"GatewayConfig.reasoning_format is {self.reasoning_format!r}; it is one of {known}"
            ) from None
