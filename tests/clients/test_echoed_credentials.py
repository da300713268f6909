"""A server that echoes the credential in what it tells of limits does not get it into what is kept and shown."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import pytest

from codex_client.api import AttemptOutcome, Lease
from codex_client.prompt import Prompt
from codex_client.routed_client import RoutedApiClient
from codex_client.testing import ReplayServer, Reply, ev_rate_limits, responses_turn, sse

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[RoutedApiClient, ReplayServer]]]

CANARY = "canary-0123456789-access-token"
HEADERS = {
    "x-codex-primary-used-percent": "7",
    "x-codex-plan-type": f"pro {CANARY}",
    "x-codex-limit-name": CANARY,
    "x-codex-credits-has-credits": "true",
    "x-codex-credits-balance": CANARY,
    "openai-model": f"gpt-5 {CANARY}",
    "x-models-etag": CANARY,
}
USAGE: dict[str, Any] = {
    "plan_type": CANARY,
    "account_id": CANARY,
    "rate_limit": {"primary_window": {"used_percent": 7, "limit_window_seconds": 18000, "reset_at": 1}},
    "credits": {"has_credits": True, "balance": CANARY},
    "additional_rate_limits": [{"limit_name": CANARY, "metered_feature": f"x_{CANARY}", "rate_limit": {}}],
}


class Ledger:
    """A credential source that keeps what it is told."""

    can_refresh = False

    def __init__(self) -> None:
        self.outcomes: list[AttemptOutcome] = []

    async def lease(self, *, conversation_id: str | None, forced_refresh: bool) -> Lease:
        return Lease({"authorization": f"Bearer {CANARY}"}, account="a")

    async def report(self, lease: Lease, outcome: AttemptOutcome) -> None:
        self.outcomes.append(outcome)


@pytest.mark.parametrize("told_by", ["headers", "event"])
async def test_the_limits_of_a_turn_hold_no_credential(serve: Serve, told_by: str) -> None:
    credit = {"has_credits": True, "balance": CANARY}
    limits = ev_rate_limits(used_percent=7, plan_type=f"pro {CANARY}", limit_name=CANARY, credits=credit)
    turn = responses_turn("Hello.")
    body = sse([turn[0], limits, *turn[1:]]) if told_by == "event" else sse(turn)
    ledger = Ledger()
    reply = Reply.from_sse(body, headers=HEADERS if told_by == "headers" else {})
    async with serve([reply], auth=ledger) as (client, _), client.stream(Prompt("hello")) as stream:
        events = [event async for event in stream]
    [outcome] = ledger.outcomes
    assert outcome.rate_limits
    assert CANARY not in repr((events, outcome, stream.rate_limits))
    assert "***" in repr(outcome)


async def test_the_usage_of_an_account_holds_no_credential(serve: Serve) -> None:
    ledger = Ledger()
    async with serve([Reply.from_json(USAGE)], auth=ledger) as (client, _):
        report = await client.usage()
    assert len(report.snapshots) == 2
    assert CANARY not in repr((report, ledger.outcomes))
