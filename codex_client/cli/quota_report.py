"""The accounts' limits after asking for them, as values: for the table, the JSON and the exit status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from codex_client.cli.accounts_report import state_json
from codex_client.cli.exits import ExitStatus
from codex_client.cli.surroundings import Accounts
from codex_client.credentials.explain import AccountStatus
from codex_client.credentials.pool import CredentialPool
from codex_client.credentials.quota import snapshot_json
from codex_client.decode.usage import UsageReport
from codex_client.errors import CodexError
from codex_client.model_variants import Credits, RateLimitSnapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotaRow:
    """One account. `failure`: why its usage could not be fetched just now, None where it was. `reset_credits` as of
    `UsageReport`.
    """

    status: AccountStatus
    email: str | None = field(default=None, repr=False)
    can_serve: bool
    failure: str | None = None
    reset_credits: int | None = None

    @property
    def own_failure(self) -> str | None:
        """The failure where it says more than why the account is parked."""
        if self.failure is None or self.status.parked is None:
            return self.failure
        _, _, cause = self.status.parked.partition(": ")
        is_the_cause = bool(cause) and cause in self.failure.replace(f"account {self.status.key}", "it")
        return None if is_the_cause else self.failure

    @property
    def snapshots(self) -> Sequence[RateLimitSnapshot]:
        """Of all limits, the plan's own first."""
        limits = self.status.quota.limits
        known = [self.status.quota.snapshot(limit_id) for limit_id in limits]
        return sorted((each for each in known if each is not None), key=lambda each: each.limit_id != "codex")

    @property
    def credits(self) -> Credits | None:
        paid = self.status.quota.paid
        return paid.credits if paid is not None else None


@dataclass(frozen=True, kw_only=True, slots=True)
class QuotaReport:
    """All accounts. `asked_at`: when their usage was asked for, so what was told before is old (Unix seconds).
    `next_available_at`: where none can serve, the soonest moment at which one can, None where nobody tells.
    """

    rows: Sequence[QuotaRow]
    asked_at: float
    next_available_at: float | None = None

    @property
    def exit_status(self) -> ExitStatus:
        """`OK` where one account is known to be able to serve, `FAILED` where one may be and could not be asked."""
        free = [row for row in self.rows if row.can_serve]
        if any(row.failure is None for row in free):
            return ExitStatus.OK
        return ExitStatus.FAILED if free else ExitStatus.NO_ACCOUNT

    def is_stale(self, snapshot: RateLimitSnapshot) -> bool:
        """Whether it is of an earlier time."""
        return snapshot.fetched_at is None or snapshot.fetched_at < self.asked_at

    def to_json(self) -> dict[str, Any]:
        return {
            "asked_at": self.asked_at,
            "can_serve": any(row.can_serve for row in self.rows),
            "next_available_at": self.next_available_at,
            "accounts": [self._row_json(row) for row in self.rows],
        }

    def _row_json(self, row: QuotaRow) -> dict[str, Any]:
        credits = row.credits
        return {
            "key": row.status.key,
            "email": row.email,
            "plan_type": row.status.plan_type,
            "account_id": row.status.account_id,
            **state_json(row.status, can_serve=row.can_serve),
            "failure": row.failure,
            "credits": None if credits is None else asdict(credits),
            "reset_credits": row.reset_credits,
            "limits": [snapshot_json(each) | {"stale": self.is_stale(each)} for each in row.snapshots],
        }


async def fetch_report(opened: Accounts, pool: CredentialPool) -> QuotaReport:
    """Ask for the usage of the pool's accounts, all at once. What fails is in the report."""
    asked_at = opened.around.clock.time()
    results = await pool.refresh_quota()
    stored, statuses, explanation = await opened.store.load(), await pool.accounts(), await pool.explain()
    free = {each.key for each in explanation.candidates}
    return QuotaReport(
        rows=[
            _row(each, stored[each.key].email, each.key in free, results.get(each.key))
            for each in statuses
            if each.key in stored
        ],
        asked_at=asked_at,
        next_available_at=None if free else explanation.next_available_at,
    )


def _row(
    status: AccountStatus, email: str | None, can_serve: bool, result: UsageReport | CodexError | None
) -> QuotaRow:
    if isinstance(result, UsageReport):
        return QuotaRow(status=status, email=email, can_serve=can_serve, reset_credits=result.reset_credits)
    failure = "it was logged in only now" if result is None else result.message
    return QuotaRow(status=status, email=email, can_serve=can_serve, failure=failure)
