"""The accounts of a server that plays ChatGPT: who they are, and how much of their limits is used."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from codex_client.model_variants import Credits
from codex_client.testing.refusals import AccountRefusal
from codex_client.testing.requests import RecordedRequest

Which: TypeAlias = Literal["primary", "secondary"]


@dataclass(slots=True)
class LimitWindow:
    """One window: `resets_at` in Unix seconds of the server's clock; a turn adds `per_turn` percent."""

    used_percent: float
    window_minutes: int
    resets_at: float
    per_turn: float = 0.0

    @property
    def exhausted(self) -> bool:
        return self.used_percent >= 100

    def roll(self, now: float) -> None:
        """Begin anew, as often as the window has ended since."""
        length = self.window_minutes * 60
        if now >= self.resets_at:
            self.used_percent = 0.0
            self.resets_at += length * (1 + (now - self.resets_at) // length)


@dataclass(eq=False)
class ServerAccount:
    """One account of an `AccountServer`, made by its `add_account`. Change it at any time: the next answer shows it.

    `models`: those that it may use, None for all. `refusal`: with what everything is refused, None for nothing.
    `organization_id` and `project_id` are in its id tokens, and let it have an API key.
    """

    account_id: str
    email: str = field(repr=False)
    plan_type: str
    subject: str
    clock: Callable[[], float] = field(repr=False)
    organization_id: str | None = None
    project_id: str | None = None
    models: Collection[str] | None = None
    credits: Credits | None = None
    refusal: AccountRefusal | None = None

    requests: list[RecordedRequest] = field(default_factory=list[RecordedRequest], repr=False)
    """What its bearer tokens asked of the backend, in the order of arrival."""

    turns: int = 0
    """Turns that were answered."""

    refusals: list[str] = field(default_factory=list[str], repr=False)
    """Why requests were refused, in order: `usage_limit_reached`, `token_expired`, …."""

    _windows: dict[str, dict[Which, LimitWindow]] = field(
        default_factory=dict[str, dict[Which, LimitWindow]], repr=False
    )

    def limit(
        self,
        used_percent: float,
        window_minutes: int = 300,
        resets_at: float | None = None,
        limit_id: str = "codex",
        which: Which = "primary",
        *,
        per_turn: float = 0.0,
    ) -> None:
        """Set one window of one family of limits. An account has none until they are set.

        `resets_at`: Unix seconds; None: a whole window from now. When it comes, the window begins anew with nothing
        used. `per_turn`: the percent that each turn adds.
        """
        if window_minutes < 1:
            raise ValueError(f"window_minutes is {window_minutes}; a window lasts at least 1")
        ends_at = self.clock() + window_minutes * 60 if resets_at is None else resets_at
        window = LimitWindow(used_percent, window_minutes, ends_at, per_turn)
        self._windows.setdefault(limit_id, {})[which] = window

    @property
    def limits(self) -> dict[str, dict[Which, LimitWindow]]:
        """The windows as they are now, by family and place, `codex` first."""
        now = self.clock()
        for windows in self._windows.values():
            for window in windows.values():
                window.roll(now)
        return dict(sorted(self._windows.items(), key=lambda each: each[0] != "codex"))

    def spend(self, limit_id: str) -> None:
        """Count one turn against a family."""
        self.turns += 1
        for window in self.limits.get(limit_id, {}).values():
            window.used_percent = min(100.0, window.used_percent + window.per_turn)

    def available_at(self, limit_id: str) -> float | None:
        """When the last of a family's used-up windows ends; None where there is room."""
        windows = self.limits.get(limit_id, {}).values()
        return max((window.resets_at for window in windows if window.exhausted), default=None)
