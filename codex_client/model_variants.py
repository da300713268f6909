"""Small values shared by events, errors and credentials: token usage and rate limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

LimitSource: TypeAlias = Literal["header", "event", "error", "endpoint"]
"""Who told a snapshot: response headers, an event inside a stream, a refusal, the usage endpoint."""

_HOUR, _DAY, _WEEK, _MONTH = 60, 1440, 10_080, 44_640
# 299 has been told for 300, and 10079 for a week.
_BIAS_MINUTES = 3


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one turn as the server counted them. `cached` is a part of `input`, `reasoning` a part of `output`.

    `cache_write_tokens`: how many of `input` were put into the prompt cache, None where the server does not tell.
    """

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0
    total_tokens: int = 0
    cache_write_tokens: int | None = None


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

    @property
    def remaining_percent(self) -> float:
        """0 to 100."""
        return 0.0 if self.exhausted else min(100.0, 100 - self.used_percent)

    @property
    def label(self) -> str:
        """The window's name, by its length: "15 min", "5 h", "weekly", "monthly", "annual"; "window" if not known.

        Never by its place: the primary window is the weekly one on some plans. Codex's bounds and its bias of 3 min; up
        to a day whole hours or minutes, and a month may have 31 days.
        """
        minutes = self.window_minutes
        if not minutes:
            return "window"
        if minutes <= _DAY + _BIAS_MINUTES:
            hours = round(minutes / _HOUR)
            return f"{hours} h" if hours and abs(minutes - hours * _HOUR) <= _BIAS_MINUTES else f"{minutes} min"
        bounds = (("weekly", _WEEK), ("monthly", _MONTH))
        return next((name for name, length in bounds if minutes <= length + _BIAS_MINUTES), "annual")

    @property
    def has_limit(self) -> bool:
        """Whether it says anything: all zeros and nothing told is how servers write a window that there is not."""
        return bool(self.used_percent or self.window_minutes or self.limit) or self.resets_at is not None

    def is_as_long_as(self, other: RateLimitWindow) -> bool:
        """Whether both lengths are told and the same, within codex's bias."""
        if not self.window_minutes or not other.window_minutes:
            return False
        return abs(self.window_minutes - other.window_minutes) <= _BIAS_MINUTES


@dataclass(frozen=True, slots=True)
class Credits:
    """Prepaid credit. `balance` is the server's own text, a decimal number most of the time."""

    has_credits: bool = False
    unlimited: bool = False
    balance: str | None = None

    @property
    def can_pay(self) -> bool:
        """Whether a request can be paid for where the plan's windows are used up."""
        return self.has_credits or self.unlimited


@dataclass(frozen=True, slots=True)
class RateLimitSnapshot:
    """The state of one family of limits (`limit_id`, such as `codex`, `requests`, `tokens`) at one moment.

    `refused`: the server says that it does not serve, although windows or credits would let it. `source` and
    `fetched_at` (Unix seconds) say where and when it was told. Two snapshots are equal when they say the same, wherever
    they come from.
    """

    limit_id: str = "codex"
    limit_name: str | None = None
    primary: RateLimitWindow | None = None
    secondary: RateLimitWindow | None = None
    credits: Credits | None = None
    plan_type: str | None = None
    reached_type: str | None = None
    refused: bool = field(default=False, kw_only=True)
    source: LimitSource | None = field(default=None, kw_only=True, compare=False)
    fetched_at: float | None = field(default=None, kw_only=True, compare=False)

    @property
    def windows(self) -> tuple[RateLimitWindow, ...]:
        return tuple(window for window in (self.primary, self.secondary) if window is not None)

    @property
    def exhausted(self) -> bool:
        """Whether a window is used up, or the server refuses all the same."""
        return self.refused or any(window.exhausted for window in self.windows)

    @property
    def has_limit(self) -> bool:
        """Whether there is a limit in it; a family without one has no place in a table."""
        return self.refused or any(window.has_limit for window in self.windows)
