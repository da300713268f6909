"""A credential source that lends the account which the test has chosen."""

from __future__ import annotations

from codex_client.api import AttemptOutcome, Lease


class ChosenAccount:
    """Lends `account`, and keeps the conversations that it was asked for."""

    can_refresh = False

    def __init__(self) -> None:
        self.account = "a"
        self.conversations: list[str | None] = []

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        self.conversations.append(conversation_id)
        return Lease({"authorization": f"Bearer {self.account}"}, account=self.account)

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> bool | None:
        return None
