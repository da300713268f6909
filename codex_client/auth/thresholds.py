"""When it is time for a new access token. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from codex_client.auth.tokens import TokenSet

# Codex's rule for a token that does not tell its end.
_SCHEDULE = 8 * 24 * 3600.0


Due: TypeAlias = Literal["early", "latest"]
"""How urgent a new token is."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Seconds before a token's end: from `early` on one task sees to a new one, from `latest` on everybody waits.

    Where a token's whole life is short, they shrink with it. A token that is over when it is issued is none: this
    machine's clock is ahead of the issuer's. It is used until the server refuses it, or every lease would make a
    refresh.
    """

    early: float
    latest: float

    def due(self, tokens: TokenSet, *, now: float) -> Due | None:
        life = _life(tokens, now)
        if self.is_over(tokens, now=now):
            return "latest"
        if tokens.expires_within(_share(self.early, life, 2), now=now) or _is_scheduled(tokens, now):
            return "early"
        return None

    def is_over(self, tokens: TokenSet, *, now: float) -> bool:
        """Whether so little is left that the token is not worth using any more."""
        return tokens.expires_within(_share(self.latest, _life(tokens, now), 4), now=now)


def _life(tokens: TokenSet, now: float) -> float:
    """Seconds from its issue to its end, as far as both can be trusted."""
    if tokens.expires_at is None or tokens.refreshed_at is None or tokens.refreshed_at > now:
        return math.inf
    return tokens.expires_at - tokens.refreshed_at


def _share(threshold: float, life: float, parts: int) -> float:
    return min(threshold, life / parts) if life > 0 else -math.inf


def _is_scheduled(tokens: TokenSet, now: float) -> bool:
    return tokens.expires_at is None and tokens.refreshed_at is not None and now - tokens.refreshed_at > _SCHEDULE
