"""Small values shared by events, errors and credentials: token usage and rate limits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one turn as the server counted them. `cached` is a part of `input`, `reasoning` a part of `output`."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0
    total_tokens: int = 0


@dataclass(frozen=True, slots=True)
class RateLimitWindow:
    """One window of a limit.

    `used_percent` 0 to 100 (a server may say more), `window_minutes` its length, `resets_at` Unix seconds. `limit` and
    `remaining` are counts, where the server gives counts and not a share.
    """

    used_percent: float
    window_minutes: int | None = None
    resets_at: float | None = None
    limit: int | None = None
    remaining: int | None = None

    @property
    def exhausted(self) -> bool:
        return self.used_percent >= 100 or self.remaining == 0


@dataclass(frozen=True, slots=True)
class Credits:
    """Prepaid credit. `balance` is the server's own text, a decimal number most of the time."""

    has_credits: bool = False
    unlimited: bool = False
    balance: str | None = None


@dataclass(frozen=True, slots=True)
class RateLimitSnapshot:
    """The state of one family of limits (`limit_id`, such as `codex`, `requests`, `tokens`) at one moment."""

    limit_id: str = "codex"
    limit_name: str | None = None
    primary: RateLimitWindow | None = None
    secondary: RateLimitWindow | None = None
    credits: Credits | None = None
    plan_type: str | None = None
    reached_type: str | None = None

    @property
    def windows(self) -> tuple[RateLimitWindow, ...]:
        return tuple(window for window in (self.primary, self.secondary) if window is not None)
