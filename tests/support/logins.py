"""Made-up logins."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from typing import Any

from codex_client.auth.tokens import TokenSet

ISSUER = "https://issuer.test"
CANARY = 'canary/+4711="\\'
EMAIL = "canary.person@example.test"
NOW = 1_700_000_000.0


def jwt(**claims: Any) -> str:
    """A token whose signature nobody can verify."""
    return ".".join(_encoded(part) for part in ({"alg": "none"}, claims)) + ".c2lnbmF0dXJl"


def login(name: str = "one", *, lifetime: float = 3600.0, **changes: Any) -> TokenSet:
    """The login of a person of that name in a workspace of that name, as if it had just happened."""
    claim = {"chatgpt_account_id": f"acct-{name}", "chatgpt_plan_type": "plus"}
    access = jwt(sub=f"user-{name}", exp=NOW + lifetime, **{"https://api.openai.com/auth": claim})
    tokens = TokenSet.from_tokens(
        access, refresh_token=f"rt_{name}_{CANARY}", id_token=jwt(email=EMAIL), issuer=ISSUER, refreshed_at=NOW
    )
    return replace(tokens, **changes)


def secrets_of(tokens: TokenSet) -> list[str]:
    return [each for each in (tokens.access_token, tokens.refresh_token, tokens.id_token, tokens.email) if each]


def _encoded(part: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
