"""What a JWT says of its bearer.

The signature is not checked: the token came over TLS from who issued it. So claims tell whose a token is and when it
ends, and are never a proof to anybody.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from typing import Any, cast

from codex_client.auth.json_fields import read_moment, read_object, read_text

_AUTH_CLAIM = "https://api.openai.com/auth"
_PROFILE_CLAIM = "https://api.openai.com/profile"


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of use here; None for each that is absent or odd. `expires_at` in Unix seconds."""

    subject: str | None = None
    account_id: str | None = None
    plan_type: str | None = None
    email: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    organization_id: str | None = None
    project_id: str | None = None


def read_claims(token: str | None) -> Claims:
    """The claims of a token; empty ones for what is no JWT. Never raises."""
    claims = _payload(token or "")
    auth, profile = read_object(claims.get(_AUTH_CLAIM)), read_object(claims.get(_PROFILE_CLAIM))
    return Claims(
        subject=read_text(claims.get("sub"))
        or read_text(auth.get("chatgpt_user_id"))
        or read_text(auth.get("user_id")),
        account_id=read_text(auth.get("chatgpt_account_id"))
        or read_text(claims.get("chatgpt_account_id"))
        or read_text(claims.get(f"{_AUTH_CLAIM}.chatgpt_account_id"))
        or _first_organization(auth, claims),
        plan_type=read_text(auth.get("chatgpt_plan_type")),
        email=read_text(claims.get("email")) or read_text(profile.get("email")),
        expires_at=read_moment(claims.get("exp")),
        organization_id=read_text(auth.get("organization_id")),
        project_id=read_text(auth.get("project_id")),
    )


def _payload(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        return read_object(json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))))
    except (ValueError, RecursionError):
        return {}


def _first_organization(*holders: dict[str, Any]) -> str | None:
    for holder in holders:
        organizations = holder.get("organizations")
        if isinstance(organizations, list) and organizations:
            first = read_object(cast("list[Any]", organizations)[0])
            if found := read_text(first.get("id")):
                return found
    return None
