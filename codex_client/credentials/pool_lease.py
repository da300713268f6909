"""A lease of a pool."""

from __future__ import annotations

from dataclasses import dataclass

from codex_client.api import Lease
from codex_client.auth.tokens import fingerprint


@dataclass(frozen=True, slots=True)
class PoolLease(Lease):
    """A lease with what its report needs. `forced`: the token was renewed for it after a refusal."""

    id: str = ""
    limit_id: str = ""
    conversation: str = ""
    fingerprint: str | None = None
    forced: bool = False
    lent_at: float = 0.0


def fingerprint_of(lease: Lease) -> str:
    """That of the token in it, as of `TokenSet`."""
    return fingerprint(lease.headers.get("authorization", "").removeprefix("Bearer "))
