"""The accounts as they are kept and as the pool knows them, as values: for the table and the JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from codex_client.auth.tokens import TokenSet
from codex_client.cli.surroundings import Accounts
from codex_client.credentials.explain import AccountStatus


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account."""

    tokens: TokenSet
    status: AccountStatus
    can_serve: bool

    def to_json(self) -> dict[str, Any]:
        tokens, status = self.tokens, self.status
        return {
            "key": status.key,
            "email": tokens.email,
            "plan_type": status.plan_type,
            "account_id": tokens.account_id,
            "subject": tokens.subject,
            "issuer": tokens.issuer,
            "source": tokens.source,
            "borrowed": tokens.borrowed,
            "can_renew": can_renew(tokens),
            "expires_at": tokens.expires_at,
            "refreshed_at": tokens.refreshed_at,
            **state_json(status, can_serve=self.can_serve),
            "in_flight": status.in_flight,
            "conversations": status.conversations,
            "leases": status.leases,
            "last_used_at": status.last_used_at,
        }


def state_json(status: AccountStatus, *, can_serve: bool) -> dict[str, Any]:
    """Whether and until when an account is out of service."""
    blocks = [{"limit_id": each.limit_id, "reason": each.reason, "ends_at": each.until} for each in status.blocks]
    return {"can_serve": can_serve, "parked": status.parked, "blocks": blocks}


def can_renew(tokens: TokenSet) -> bool:
    """Whether this program gets a new access token when the old one ends."""
    return tokens.refresh_token is not None and not tokens.borrowed


def has_ended(tokens: TokenSet, now: float) -> bool:
    """Whether the login is of no more use: its token has ended, and nothing renews it."""
    return not can_renew(tokens) and tokens.expires_within(0, now=now)


async def account_rows(opened: Accounts) -> list[AccountRow]:
    """All accounts as they are now, in the order of the store."""
    stored, now = await opened.store.load(), opened.around.clock.time()
    async with opened.pool() as pool:
        statuses, explanation = await pool.accounts(), await pool.explain()
    # The pool learns that a login has ended when it lends it.
    free = {each.key for each in explanation.candidates if each.key in stored and not has_ended(stored[each.key], now)}
    return [AccountRow(stored[each.key], each, each.key in free) for each in statuses if each.key in stored]
