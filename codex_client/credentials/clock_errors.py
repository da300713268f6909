"""What a clock that was ahead has left in a pool's record: moments that have not come yet. Pure."""

from __future__ import annotations

from dataclasses import replace

from codex_client.credentials.pool_record import AccountRecord, Block, PoolRecord
from codex_client.credentials.quota_state import latest_end
from codex_client.model_variants import RateLimitSnapshot


def distrust_the_future(
    record: PoolRecord, *, now: float, as_of: float, max_cooldown: float, longest_loan: float
) -> None:
    """Date what is from a time to come back to `as_of`, so that what is told from now on outweighs it, and let nothing
    last longer than it could if it had begun now.
    """
    for account in record.accounts.values():
        _correct(account, now, as_of, max_cooldown)
    for name, affinity in record.conversations.items():
        if affinity.used_at > now:
            record.conversations[name] = replace(affinity, used_at=as_of)
    for name, loan in record.loans.items():
        if loan.expires_at > now + longest_loan:
            record.loans[name] = replace(loan, expires_at=now + longest_loan)


def _correct(account: AccountRecord, now: float, as_of: float, max_cooldown: float) -> None:
    quota = account.quota
    quota.limits = {limit_id: _dated(one, now, as_of) for limit_id, one in quota.limits.items()}
    quota.paid = None if quota.paid is None else _dated(quota.paid, now, as_of)
    quota.plans = {source: (as_of if at > now else at, plan) for source, (at, plan) in quota.plans.items()}
    for limit_id, block in account.blocks.items():
        end = _latest_end(block, quota.limits.get(limit_id), now, max_cooldown)
        if block.until > end or block.since > now:
            since = as_of if block.since > now else block.since
            account.blocks[limit_id] = replace(block, since=since, until=min(block.until, end))
    if account.last_used_at is not None and account.last_used_at > now:
        account.last_used_at = as_of


def _dated(snapshot: RateLimitSnapshot, now: float, as_of: float) -> RateLimitSnapshot:
    is_ahead = snapshot.fetched_at is not None and snapshot.fetched_at > now
    return replace(snapshot, fetched_at=as_of) if is_ahead else snapshot


def _latest_end(block: Block, known: RateLimitSnapshot | None, now: float, max_cooldown: float) -> float:
    """A window's block ends with the longest of its limit's windows."""
    windows = known.windows if known is not None and block.kind in {"usage", "quota"} else ()
    return latest_end(windows, now, most=max_cooldown)
