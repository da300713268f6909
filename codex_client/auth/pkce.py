"""Proof key for code exchange (RFC 7636): what makes a code useless to whoever did not start the login."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self, TypeAlias

RandomBytes: TypeAlias = Callable[[int], bytes]
"""Gives so many unpredictable bytes."""

# As the Codex CLI: 86 characters, of at most 128 (RFC 7636, 4.1), and 43.
_VERIFIER_BYTES = 64
_STATE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Pkce:
    """A verifier, which stays here until the code is exchanged, and its challenge, which goes into the login's URL."""

    verifier: str = field(repr=False)

    @classmethod
    def generate(cls, random_bytes: RandomBytes = secrets.token_bytes) -> Self:
        return cls(_base64url(random_bytes(_VERIFIER_BYTES)))

    @property
    def challenge(self) -> str:
        """For `code_challenge_method=S256`."""
        return _base64url(sha256(self.verifier.encode("ascii")).digest())


def new_state(random_bytes: RandomBytes = secrets.token_bytes) -> str:
    """Ties a callback to the login that asked for it (RFC 6749, 10.12)."""
    return _base64url(random_bytes(_STATE_BYTES))


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
